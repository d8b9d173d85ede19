"""Commands for the partition: split."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from .cli_console import say


def split(
    specimens: Annotated[Path, typer.Argument(help="Table of specimens: CSV, TSV, or Parquet.")],
    out: Annotated[Path, typer.Argument(help="The table to write, with columns split and chunk.")],
    processid: Annotated[str, typer.Option(help="Column with the specimens' ids.")] = "processid",
    genus: Annotated[str, typer.Option(help="Column with the genera.")] = "genus",
    species: Annotated[str, typer.Option(help="Column with the species.")] = "species",
    barcode: Annotated[str, typer.Option(help="Column with the barcodes.")] = "dna_barcode",
    seed: Annotated[int, typer.Option(help="Another draw; 0 is the published one.")] = 0,
) -> None:
    """Assign specimens to train, val, test, their unseen counterparts and the rest, by the official procedure."""
    from .data.splitting import split_table

    columns = {"processid": processid, "genus": genus, "species": species, "dna_barcode": barcode}
    done = split_table(specimens, out, columns=columns, seed=seed)
    say(str(done))
    for note in done.notes:
        say(f"note: {note}")
    for leak in done.leaks:
        say(f"leak: {leak}")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(split)
