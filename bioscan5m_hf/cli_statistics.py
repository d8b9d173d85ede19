"""Commands about what a dataset holds: stats."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(stats)


def stats(
    dataset: Annotated[str, typer.Argument(help="Dataset folder, or repository on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder of the tables.")],
    split: Annotated[str | None, typer.Option(help="Splits, joined by '+'; by default all.")] = None,
    distances: Annotated[
        bool, typer.Option(help="Distances within groups and the barcode gap, too: seconds to many minutes.")
    ] = False,
    reference: Annotated[bool, typer.Option("--reference", help="Edit distances by the published rule, too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="What barcodes of large groups are drawn from.")] = 0,
) -> None:
    """Count what a dataset holds: labels, splits, taxa, places, sizes and barcodes, as Markdown, CSV and JSON."""
    from .data.statistics import check_folder, published_differences, statistics, write_tables

    check_folder(out)
    found = statistics(dataset, split=split, distances=distances, reference=reference, seed=seed)
    write_tables(found, out)
    for note in found.notes:
        say(f"note: {note}")
    differences = published_differences(found)
    for line in differences or ():
        say(f"differs from what is published: {line}")
    if differences == []:
        say("all counts are those that are published")
    say(f"{out}: {found.dataset['specimens']:,} specimens, tables in {out / 'tables'}")


def say(text: str) -> None:
    """Print a line for the user, past any progress bar."""
    from tqdm import tqdm

    tqdm.write(text)
