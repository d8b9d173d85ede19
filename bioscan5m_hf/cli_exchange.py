"""Commands to and from the forms of others: export, import."""

from __future__ import annotations

from collections import defaultdict
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from .cli_console import say
from .data.exchange.formats import FORMATS
from .data.packages import IMAGE_PACKAGES


FormatName = StrEnum("FormatName", [(name, name) for name in FORMATS])  # type: ignore[misc]
PackageName = StrEnum("PackageName", [(name, name) for name in IMAGE_PACKAGES])  # type: ignore[misc]
_FORMS = "; ".join(f"{form.name}: {form.title}" for form in FORMATS.values())


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command("export")(export_dataset)
    app.command("import")(import_specimens)


def export_dataset(
    dataset: Annotated[str, typer.Argument(help="Dataset folder, or repository on the Hub.")],
    format: Annotated[FormatName, typer.Option(help=_FORMS)],
    out: Annotated[Path, typer.Option(help="File to write; a folder for webdataset.")],
    split: Annotated[str, typer.Option(help="Splits, joined by '+'.")] = "all",
    within: Annotated[
        list[str] | None, typer.Option(help="Only these taxa, such as order=Diptera; may be repeated.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit on the Hub.")] = None,
    shard: Annotated[int, typer.Option(min=1, help="webdataset: specimens of a tar.")] = 10_000,
    rights: Annotated[
        str, typer.Option(help="darwin-core: holder and licence, where they are not BIOSCAN-5M's.")
    ] = "",
    address: Annotated[
        str, typer.Option(help="darwin-core: where the photographs are, such as https://…/{processid}.jpg.")
    ] = "",
) -> None:
    """Write specimens for other tools: FASTA, BOLD, GBIF, open_clip."""
    from .data.exchange import export

    done = export(
        dataset,
        out,
        format.value,
        split=split,
        within=_taxa(within or ()),
        revision=revision,
        shard=shard,
        rights=rights,
        address=address,
    )
    for reason, count in done.left_out.items():
        say(f"left out: {count:,} specimens {reason}")
    for what, count in done.changed.items():
        say(f"note: {count:,} specimens {what}")
    say(f"{', '.join(map(str, done.files))}: {done.written:,} specimens")


def import_specimens(
    source: Annotated[Path, typer.Argument(help="Table, Darwin Core archive, or folder of photographs and FASTA.")],
    release: Annotated[Path, typer.Argument(help="Folder to write: a release that `bioscan5m build` takes.")],
    column: Annotated[
        list[str] | None,
        typer.Option(help="Column of the table (or term of the archive), such as processid=Code; may be repeated."),
    ] = None,
    photographs: Annotated[Path | None, typer.Option(help="Photographs, each called by its processid.")] = None,
    package: Annotated[PackageName, typer.Option(help="What the photographs are.")] = PackageName.original_full,  # type: ignore[attr-defined]
    split: Annotated[str, typer.Option(help="Split of specimens that say none.")] = "pretrain",
    partition: Annotated[
        bool, typer.Option("--partition", help="Assign them to splits by the official procedure.")
    ] = False,
) -> None:
    """Take over one's own specimens: BOLD's tables, Darwin Core, CSV, photographs with FASTA."""
    from .data.exchange import import_release

    columns = dict(_pair(text, "OURS=THEIRS, such as processid=Code") for text in column or ())
    done = import_release(
        source,
        release,
        columns=columns,
        photographs=photographs,
        package=package.value,
        split=split,
        partition=partition,
    )
    for note in done.notes:
        say(f"note: {note}")
    for one in done.rejected[:5]:
        place = ", ".join(str(part) for part in (one.file, one.row and f"row {one.row}", one.processid) if part)
        say(f"rejected: {place}: {one.reason}")
    if len(done.rejected) > 5:
        say(f"rejected: {len(done.rejected) - 5:,} more, all in {release / 'rejected.csv'}")
    say(f"{release}: {done.specimens:,} specimens, {done.photographs:,} photographs")
    skip = " --on-error skip" if 0 < done.photographs < done.specimens else ""  # specimens without a photograph
    say(f"a dataset is made of it by `bioscan5m build {release} DATASET{skip}`")


def _pair(text: str, example: str) -> tuple[str, str]:
    ours, equal, theirs = text.partition("=")
    if not (ours and equal and theirs):
        raise ValueError(f"{text!r} is no pair: write {example}")
    return ours, theirs


def _taxa(texts: list[str] | tuple[()]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = defaultdict(list)
    for text in texts:
        rank, name = _pair(text, "RANK=NAME, such as order=Diptera")
        found[rank].append(name)
    return dict(found)
