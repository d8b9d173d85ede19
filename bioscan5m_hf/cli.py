"""The command `bioscan5m`: parses, calls the library, prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Literal

import typer

from . import (
    cli_browse,
    cli_evaluation,
    cli_exchange,
    cli_images,
    cli_library,
    cli_models,
    cli_splitting,
    cli_statistics,
)
from .cli_console import say
from .data.packages import IMAGE_PACKAGES, METADATA_MEMBERS
from .errors import Bioscan5mError, OutputError, explain_missing
from .splits import METASPLITS, SPLIT_NAMES


ImagePackage = StrEnum("ImagePackage", [(name, name) for name in IMAGE_PACKAGES])  # type: ignore[misc]
SplitName = StrEnum("SplitName", [(name, name) for name in (*SPLIT_NAMES, *METASPLITS)])  # type: ignore[misc]
MetadataFormat = StrEnum("MetadataFormat", [(name, name) for name in METADATA_MEMBERS])  # type: ignore[misc]


class OnError(StrEnum):
    """What a build does about a bad record."""

    STOP = "stop"
    SKIP = "skip"


class Check(StrEnum):
    """How photographs are checked."""

    HEADER = "header"
    DECODE = "decode"


app = typer.Typer(
    help="BIOSCAN-5M: from the official release files to a typed, streamable dataset.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Release = Annotated[str, typer.Argument(help="Folder (or address) of the official files.")]
Dataset = Annotated[Path, typer.Argument(help="Dataset folder.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Local processes; by default the processor's cores.")]
Packages = Annotated[list[ImagePackage] | None, typer.Option("--package", help="Image package; may be repeated.")]


@app.command()
def synthesize(
    release: Annotated[Path, typer.Argument(help="Folder to write; new or empty.")],
    specimens: Annotated[int, typer.Option(help="Number of specimens.")] = 2000,
    seed: Annotated[int, typer.Option(help="What everything is drawn from.")] = 0,
    package: Packages = None,
    metadata_only: Annotated[
        bool, typer.Option("--metadata-only", help="No photographs, for millions of rows.")
    ] = False,
    jsonld: Annotated[bool, typer.Option(help="Write the metadata as JSON-LD, too.")] = True,
    workers: Workers = None,
) -> None:
    """Write an invented release in the official layout."""
    from .synthetic import synthesize as write_release

    chosen = package or IMAGE_PACKAGES
    root = write_release(
        release,
        specimens=specimens,
        seed=seed,
        packages=chosen,
        jsonld=jsonld,
        metadata_only=metadata_only,
        progress=True,
        workers=workers,
    )
    say(f"{root}: an invented release of {specimens:,} specimens")


@app.command()
def download(
    release: Annotated[Path, typer.Argument(help="Folder for the official files.")],
    package: Packages = None,
    split: Annotated[
        list[SplitName] | None, typer.Option(help="Only files that hold this split; may be repeated.")
    ] = None,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before gigabytes are fetched.")] = False,
) -> None:
    """Fetch the files of the real release that are needed, and no others; goes on where it was stopped."""
    from .data.download import download as fetch

    def confirm(question: str) -> bool:
        say(question)
        if not yes and not sys.stdin.isatty():
            raise OutputError("nobody can be asked here: say --yes to fetch them")
        return yes or typer.confirm("Fetch them?")

    if split and not package:
        raise ValueError("a split is chosen among photographs: say which --package as well")
    packages: Sequence[str] = package or ["metadata"]
    for path in fetch(release, packages=packages, splits=split, confirm=confirm):
        say(str(path))


@app.command()
def build(
    release: Release,
    dataset: Annotated[Path, typer.Argument(help="Dataset folder: new, empty, or built before.")],
    package: Packages = None,
    workers: Workers = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
    on_error: Annotated[OnError, typer.Option(help="What to do about a bad record.")] = OnError.STOP,
    check: Annotated[Check, typer.Option(help="Check headers of photographs, or decode them.")] = Check.HEADER,
    upper_case: Annotated[bool, typer.Option("--upper-case", help="Write barcodes in upper case.")] = False,
    official: Annotated[bool, typer.Option("--official", help="A barcode in two splits is an error.")] = False,
    metadata: Annotated[
        MetadataFormat | None, typer.Option(help="csv or jsonld; by default csv where both are there.")
    ] = None,
    repository: Annotated[
        str | None, typer.Option(help="namespace/name that the card gives as its place on the Hub.")
    ] = None,
) -> None:
    """Make a dataset repository of Parquet shards; goes on where it was stopped, and adds packages to a folder."""
    from .data.build import Options
    from .data.build import build as make
    from .data.info import info as look
    from .data.info import render
    from .data.intake import Policy
    from .data.workers import default_workers

    options = Options(
        workers=workers or default_workers(),
        scheduler=scheduler,
        policy=Policy(skip=on_error is OnError.SKIP, upper_case=upper_case, official=official),
        decode=check is Check.DECODE,
        metadata_format=metadata,
        progress=True,
        repository=repository,
    )
    state = make(release, dataset, package, options, say)
    for config in state.configs.values():
        for note in config.notes:
            say(f"note: {note}")
    say(render(look(dataset), specimens=0))


@app.command()
def verify(
    dataset: Dataset,
    full: Annotated[bool, typer.Option("--full", help="Decode every photograph, not a sample.")] = False,
    official: Annotated[bool, typer.Option("--official", help="Compare with the official numbers.")] = False,
    workers: Workers = None,
) -> None:
    """Check every promise of a dataset folder, one line each."""
    from .data.verify import verify as check

    findings = []
    for finding in check(dataset, full=full, official=official, workers=workers, progress=True):
        findings.append(finding)
        say("\n".join((str(finding), *(f"         {line}" for line in finding.details))))
    errors = sum(finding.status == "error" for finding in findings)
    warnings = sum(finding.status == "warning" for finding in findings)
    say(f"{len(findings)} checks: {errors} errors, {warnings} warnings")
    if errors:
        raise typer.Exit(1)


@app.command()
def info(dataset: Annotated[str, typer.Argument(help="Dataset folder, or repository on the Hub.")]) -> None:
    """Show splits, rows, bytes, labels and the first specimens."""
    from .data.info import info as look
    from .data.info import render

    say(render(look(dataset)))


@app.command()
def push(
    folder: Annotated[Path, typer.Argument(help="Dataset folder, or model repository (it has a config.json).")],
    repository: Annotated[str, typer.Argument(help="namespace/name on the Hub (HF_ENDPOINT is respected).")],
    create_pr: Annotated[
        bool, typer.Option("--create-pr", help="Propose the change to somebody else's repository.")
    ] = False,
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    message: Annotated[str | None, typer.Option(help="Summary of the commits.")] = None,
) -> None:
    """Make the repository on the Hub equal to the folder; goes on where it was stopped."""
    from .data.card import readable_bytes
    from .hub.push import push as upload

    kind: Literal["model", "dataset"] = "model" if (folder / "config.json").is_file() else "dataset"
    report = upload(folder, repository, repo_type=kind, create_pr=create_pr, private=private, message=message)
    say(
        f"{len(report.uploaded)} files uploaded ({readable_bytes(report.bytes)}), {len(report.deleted)} deleted, "
        f"{len(report.unchanged)} unchanged"
    )
    say(report.url)


@app.command("push-metrics")
def push_metrics(
    namespace: Annotated[str, typer.Argument(help="Your name, or an organisation's, on the Hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make new Spaces private.")] = False,
) -> None:
    """Make each metric a Space on the Hub, so that `evaluate.load("NAMESPACE/taxonomic_accuracy")` works."""
    from .evaluation import METRICS, metric_path
    from .hub.push import push as upload

    for name in METRICS:
        report = upload(metric_path(name), f"{namespace}/{name}", repo_type="space", private=private)
        say(f"{report.url}: {len(report.uploaded)} files uploaded, {len(report.unchanged)} unchanged")


@app.command()
def assemble(
    source: Annotated[Path, typer.Argument(help="Card and architecture, such as models/barcodebert-5m.")],
    weights: Annotated[Path, typer.Option(help="Folder that training or conversion left.")],
    to: Annotated[Path, typer.Option(help="Folder to write; `bioscan5m push` sends it.")],
) -> None:
    """Put a model repository together: card, architecture, weights, tokenizer, and the records of its results."""
    from .hub.assemble import assemble as put_together

    say(f"{put_together(source, weights, to)}: send it with `bioscan5m push {to} ORG/NAME`")


@app.command()
def card(
    path: Annotated[Path, typer.Argument(help="File to write, or to compare.")],
    results: Annotated[
        Path | None, typer.Option(help="Records of a model: its card, PATH, gets the model-index they say.")
    ] = None,
    check: Annotated[bool, typer.Option("--check", help="Write nothing; fail if the file would change.")] = False,
) -> None:
    """Write the card of the official release, with the numbers its authors published; or a model's `model-index`."""
    from .data.manifest import write_text

    if results is None:
        from .data.card import official_card

        text, said = official_card(), f"bioscan5m card {path}"
    else:
        from .hub.records import read_records, with_figures

        text = with_figures(path.read_text(encoding="utf-8"), read_records(results))
        said = f"bioscan5m card {path} --results {results}"
    if not check:
        write_text(path, text)
    elif not path.exists() or path.read_text(encoding="utf-8") != text:
        raise OutputError(f"{path} is not what the declarations give: run `{said}`")


@app.command()
def demo(folder: Annotated[Path, typer.Argument(help="Working folder.")] = Path("demo")) -> None:
    """Run the main job from end to end on an invented release."""
    from .demo import run

    run(folder)


for commands in (cli_statistics, cli_splitting, cli_images, cli_exchange, cli_browse):
    commands.register(app)
for commands in (cli_models, cli_library, cli_evaluation):
    commands.register(app)


def main() -> None:
    """Run the command; an error of ours is one line on standard error and exit status 1."""
    if not sys.stderr.isatty():  # the libraries' bars would fill a log; ours keep silent by themselves
        os.environ.setdefault("HF_HUB_DISABLE_PROGRESS_BARS", "1")
    try:
        app()
    except (Bioscan5mError, ValueError, ModuleNotFoundError, OSError) as error:
        said = explain_missing(error) if isinstance(error, ModuleNotFoundError) else error
        typer.secho(f"bioscan5m: {said}", err=True, fg="red" if sys.stderr.isatty() else None)
        raise SystemExit(1) from None


if __name__ == "__main__":
    main()
