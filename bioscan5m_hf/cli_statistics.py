"""Commands about what a dataset holds: stats."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_console import say


if TYPE_CHECKING:
    from .data.plots.catalogue import Shown


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(stats)


def stats(
    dataset: Annotated[str, typer.Argument(help="Dataset folder, or repository on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder of tables, pictures and index.html.")],
    split: Annotated[str | None, typer.Option(help="Splits, joined by '+'; by default all.")] = None,
    distances: Annotated[
        bool, typer.Option(help="Distances within groups and the barcode gap, too: seconds to many minutes.")
    ] = False,
    reference: Annotated[bool, typer.Option("--reference", help="Edit distances by the published rule, too.")] = False,
    seed: Annotated[int, typer.Option(min=0, help="What barcodes of large groups are drawn from.")] = 0,
    plots: Annotated[bool, typer.Option(help="Draw pictures, too.")] = True,
    plot: Annotated[
        list[str] | None, typer.Option(help="Draw this picture only, such as map or treemap; may be repeated.")
    ] = None,
    card: Annotated[
        list[str] | None, typer.Option(help="Processid of a specimen that gets a record card; may be repeated.")
    ] = None,
    boxes: Annotated[Path | None, typer.Option(help="Table of boxes to draw on the original photographs.")] = None,
    masks: Annotated[Path | None, typer.Option(help="Folder of their masks, PROCESSID.png, to draw as well.")] = None,
) -> None:
    """Count what a dataset holds, and draw it: tables (Markdown, CSV, JSON), pictures (PNG, SVG) and a page."""
    from .data.plots.catalogue import draw
    from .data.plots.page import write_page
    from .data.statistics import check_folder, published_differences, statistics, write_tables

    check_folder(out)
    if masks and not boxes:
        raise ValueError("masks are drawn on photographs with boxes: name their table with --boxes")
    needs = _needs(plot or (), boxes) if plots else set()
    shown = _shown(dataset, needs, card or (), boxes, masks) if plots else None
    found = statistics(dataset, split=split, distances=distances, reference=reference, seed=seed)
    write_tables(found, out)
    drawn = draw(replace(shown, statistics=found.to_dict()), out / "plots", plot, progress=True) if shown else []
    page = write_page(found.to_dict(), drawn, out)
    for note in found.notes:
        say(f"note: {note}")
    for picture in drawn:
        if picture.note:
            say(f"{picture.name}: {picture.note}")
    differences = published_differences(found)
    for line in differences or ():
        say(f"differs from what is published: {line}")
    if differences == []:
        say("all counts are those that are published")
    counted = f"{found.dataset['specimens']:,} specimen{'s' * (found.dataset['specimens'] != 1)}"
    pictures = f"{len(drawn)} picture{'s' * (len(drawn) != 1)}"
    say(f"{page}: {counted}, tables in {out / 'tables'}, {pictures}")


def _needs(names: Sequence[str], boxes: Path | None) -> set[str]:
    """Tell what pictures are drawn from; what cannot be drawn is refused before anything is counted."""
    from .data.plots.catalogue import BOXES, PLOTS

    if unknown := [name for name in names if name not in PLOTS]:
        raise ValueError(f"no picture {unknown[0]!r}: use some of {', '.join(PLOTS)}")
    needs = {PLOTS[name].needs for name in names or PLOTS}
    if names and BOXES in needs and boxes is None:
        raise ValueError("pictures of boxes need their table: name it with --boxes")
    return needs


def _shown(dataset: str, needs: set[str], cards: Sequence[str], boxes: Path | None, masks: Path | None) -> Shown:
    """Read the photographs that pictures need; what is not there is told before anything is counted."""
    from .data.images import read_boxes
    from .data.plots.catalogue import PHOTOGRAPHS, Shown
    from .data.plots.material import masks_of, originals_with_boxes, with_photographs
    from .data.statistics.count import open_rows

    open_rows(dataset)  # else a dataset that is not there would be told in other words
    rows = with_photographs(dataset, cards) if PHOTOGRAPHS in needs or cards else []
    if missing := set(cards) - {row.get("processid") for row in rows}:
        raise ValueError(f"no specimen {sorted(missing)[0]} in {dataset}: name others with --card")
    known = {} if boxes is None else {box.processid: box.corners for box in read_boxes(boxes)}
    originals = originals_with_boxes(dataset, known) if known else []
    return Shown({}, rows, cards, originals, masks_of(masks, originals) if masks else ())
