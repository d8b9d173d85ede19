"""Commands of the benchmark: tasks, evaluate, report, push-results. Each imports what it needs when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .cli_console import say
from .cli_models import Device, Dtype, Precision, Revision


if TYPE_CHECKING:
    from .evaluation.task import Task


class Preprocessing(StrEnum):
    """How images, and sequences of language models, are brought into a model's form."""

    LIBRARY = "library"
    PAPER = "paper"


Results = Annotated[list[Path], typer.Argument(help="Files that `bioscan5m evaluate` wrote.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(tasks)
    app.command()(evaluate)
    app.command()(report)
    app.command("push-results")(push_results)


def tasks(
    name: Annotated[str | None, typer.Argument(help="One task, to be shown whole; by default all in short.")] = None,
) -> None:
    """Show the tasks of the benchmark: what each measures, its splits, its rule and its main score."""
    from .evaluation.listing import described, listed
    from .evaluation.tasks import TASKS, find_task

    say("\n\n".join(map(listed, TASKS.values())) if name is None else described(find_task(name)))


def evaluate(
    models: Annotated[
        list[str] | None,
        typer.Argument(help="Folders of models, ids on the Hub, or reference lines such as reference:4-mers."),
    ] = None,
    data: Annotated[str, typer.Option(help="Dataset folder, or id on the Hub.")] = "bioscan-5m",
    tasks: Annotated[
        str, typer.Option(help="Names joined by commas (see `bioscan5m tasks`), a modality, or all.")
    ] = "dna",
    out: Annotated[Path, typer.Option(help="Folder of records.")] = Path("results"),
    references: Annotated[
        bool, typer.Option("--references", help="The reference lines as well: chance, k-mers, untrained CNN, BLAST.")
    ] = False,
    settings: Annotated[
        list[str] | None, typer.Option("--set", help="TASK.SETTING=VALUE, as `bioscan5m tasks TASK` lists them.")
    ] = None,
    queries: Annotated[int | None, typer.Option(min=1, help="Queries of a task, at most, drawn at random.")] = None,
    modality: Annotated[str | None, typer.Option(help="dna, image or image+dna, where a task can do several.")] = None,
    package: Annotated[str | None, typer.Option(help="Image package; by default the first of the dataset.")] = None,
    revision: Revision = None,
    data_revision: Annotated[str | None, typer.Option(help="Revision of the dataset on the Hub.")] = None,
    device: Device = None,
    dtype: Dtype = Precision.FLOAT32,
    preprocessing: Annotated[
        Preprocessing, typer.Option(help="The model's own way of preparing its input, or that of the paper.")
    ] = Preprocessing.LIBRARY,
    cache: Annotated[Path | None, typer.Option(help="Folder of embeddings; by default in the HF cache.")] = None,
    part: Annotated[int, typer.Option(min=1, help="Inputs that are embedded before they are written.")] = 4096,
    again: Annotated[bool, typer.Option("--again", help="Do again what has a record.")] = False,
) -> None:
    """Measure models by the tasks of the benchmark, a record for each; goes on where it was stopped."""
    from .evaluation import evaluate_model
    from .evaluation.embeddings import Processes

    if not models and not references:
        raise ValueError("name a model, or say --references")
    if revision and len(models or []) != 1:
        raise ValueError(f"--revision {revision} is that of one model: name one")
    processes = Processes.launched()
    tell = _quiet if processes.rank else say
    given = parse_settings(settings or [])
    _check_settings(given, tasks)
    how: dict[str, Any] = {"queries": queries, "modality": modality}
    how |= {"package": package, "data_revision": data_revision, "again": again, "cache": cache, "part": part}
    loading = (revision, device or processes.device or None, dtype.value)
    compared = _of_references(tasks, modality) if references else []
    if references and not compared:
        tell("reference lines: left out, they are of barcodes")
    for name, chosen, model in _models(models or [], compared, tasks, loading, preprocessing.value, data, tell):
        tell(name)
        used = {task: values for task, values in given.items() if _does(model, task, chosen)}
        evaluate_model(
            model, chosen, data, out, settings=used, progress=True, say=lambda text: tell(f"  {text}"), **how
        )
    tell(f"{out}: show them with `bioscan5m report {out}/*.json --out report`")


def report(
    results: Results,
    out: Annotated[Path, typer.Option(help="Folder to write: new, empty, or an earlier report.")],
) -> None:
    """Write tables and pictures of many models' results, all on the same data; its README.md shows them all."""
    from .evaluation.report import write_report

    say(str(write_report(results, out)))


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


def parse_settings(given: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read settings of tasks.

    Args:
        given: such as `knn-genus-unseen.k=5`.

    Raises:
        ValueError: not of that form.

    Examples:
        >>> parse_settings(["knn-genus-unseen.k=5"])
        {'knn-genus-unseen': {'k': '5'}}
    """
    found: dict[str, dict[str, str]] = {}
    for text in given:
        name, equals, value = text.partition("=")
        task, dot, setting = name.partition(".")
        if not (equals and dot and task and setting):
            raise ValueError(f"--set {text}: write TASK.SETTING=VALUE, such as knn-genus-unseen.k=5")
        found.setdefault(task, {})[setting] = value
    return found


def _check_settings(given: Mapping[str, object], tasks: str) -> None:
    from .evaluation.tasks import find_task, find_tasks

    asked = [task.name for task in find_tasks(tasks)]
    for name in given:
        if find_task(name).name not in asked:
            raise ValueError(f"--set {name}: this task is none of those that are asked for ({', '.join(asked)})")


def _does(model: object, name: str, chosen: str | list[str]) -> bool:
    """Tell whether a model does a task; of several models not all do the same."""
    from .evaluation.jobs import can_do
    from .evaluation.tasks import find_task

    task = find_task(name)
    return (isinstance(chosen, str) or name in chosen) and any(can_do(model, task, each) for each in task.modalities)


def _models(
    models: Sequence[str],
    compared: Sequence[Task],
    tasks: str,
    loading: tuple[str | None, Any, str],
    preprocessing: str,
    data: str,
    tell: Callable[[str], object],
) -> Iterator[tuple[str, str | list[str], Any]]:
    """Give each model with the tasks that it does, one loaded at a time; then the reference lines with theirs."""
    from .evaluation.jobs import can_do
    from .evaluation.references import LINES, REFERENCES, installed

    for name in models:
        yield name, tasks, _opened(name, loading, preprocessing, data, REFERENCES)
    for name in (name for name in LINES if compared and name not in models):
        if name in REFERENCES and name.endswith("blast") and not installed():
            tell(f"{name}: left out, BLAST+ is not installed")
            continue
        model = _opened(name, (None, *loading[1:]), preprocessing, data, REFERENCES)
        if chosen := [task.name for task in compared if can_do(model, task, "dna")]:
            yield name, chosen, model


def _of_references(tasks: str, modality: str | None) -> list[Task]:
    """Give the tasks that reference lines are measured by: those that are asked of barcodes."""
    from .evaluation.task import MODALITIES
    from .evaluation.tasks import find_tasks

    if modality not in (None, "dna"):
        return []
    words = [word.strip() for word in tasks.split(",")]
    others = [word for word in words if word in MODALITIES and word != "dna"]
    wanted = [word for word in words if word not in others]
    return list(find_tasks(wanted)) if any(wanted) else []


def _opened(
    name: str,
    loading: tuple[str | None, Any, str],
    preprocessing: str,
    data: str,
    references: Mapping[str, Callable[[], Any]],
) -> Any:  # noqa: ANN401
    from .adapters import load_encoder
    from .adapters.naming import with_names

    if name in references:
        return references[name]()
    return with_names(load_encoder(name, *loading, preprocessing=preprocessing), data)


def _quiet(text: str) -> None:
    return
