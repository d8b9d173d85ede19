"""Commands of the benchmark: report, push-results. Each imports what it needs when it runs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


Results = Annotated[list[Path], typer.Argument(help="Files that `bioscan5m evaluate` wrote.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(report)
    app.command("push-results")(push_results)


def report(
    results: Results,
    out: Annotated[Path, typer.Option(help="Folder to write: new, empty, or an earlier report.")],
) -> None:
    """Write tables and pictures of many models' results, all on the same data; its README.md shows them all."""
    from .evaluation.report import write_report

    try:
        say(str(write_report(results, out)))
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"reports need {error.name}: pip install 'bioscan5m-hf[eval]'") from error


def push_results(
    results: Annotated[Path, typer.Argument(help="Folder of results, or one of its files.")],
    repository: Annotated[str, typer.Argument(help="namespace/name of the model on the Hub.")],
    model: Annotated[str | None, typer.Option(help="Whose results, where there are several models'.")] = None,
    benchmark: Annotated[
        str | None,
        typer.Option(help="Id of the dataset on the Hub, for .eval_results; by default that in the results."),
    ] = None,
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Propose the change to somebody else's model.")
    ] = False,
    message: Annotated[str | None, typer.Option(help="Summary of the commit.")] = None,
) -> None:
    """Write a model's results on its card on the Hub; all else of the card stays."""
    from .hub.results import ENTRIES
    from .hub.results import push_results as upload

    done = upload(results, repository, model=model, benchmark=benchmark, create_pr=create_pr, message=message)
    say(f"{len(done.uploaded)} files uploaded, {len(done.unchanged)} unchanged")
    if ENTRIES not in (*done.uploaded, *done.unchanged):
        say("no .eval_results: the results name no dataset on the Hub; say --benchmark ORG/DATASET")
    say(done.url)


def say(text: str) -> None:
    """Print a line for the user, past any progress bar."""
    from tqdm import tqdm

    tqdm.write(text)
