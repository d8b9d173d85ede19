"""All pictures by name: what each shows, and what it is drawn from."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ...plot_style import save, style
from . import maps, measures, specimens, taxa
from .canvas import one_line, shown


if TYPE_CHECKING:
    from matplotlib.figure import Figure

STATISTICS, PHOTOGRAPHS, BOXES = "statistics", "photographs", "boxes"
CARD = "card"
CARDS = 3
"""Specimens that get a record card where nobody asks for certain ones."""


@dataclass(frozen=True)
class Plot:
    """A picture that can be asked for.

    Args:
        title: what is seen, in a line.
        needs: `statistics`, `photographs` or `boxes`.
        tables: of the statistics, parted by spaces; without any row in them there is nothing to draw.
        make: takes what it needs and gives figures, each with what is added to the file's name, and a note.
    """

    title: str
    needs: str
    tables: str
    make: Callable[[Any], Iterator[tuple[str, Figure, str]]]


@dataclass(frozen=True)
class Picture:
    """A picture that was drawn.

    Args:
        name: of its files, without their ending.
        title: what is seen.
        note: what a reader must know; may be empty.
        size: width and height of the PNG file in pixels.
    """

    name: str
    title: str
    note: str = ""
    size: tuple[int, int] | None = None


@dataclass(frozen=True)
class Shown:
    """What pictures of specimens are drawn from.

    Args:
        statistics: as `Statistics.to_dict` gives them.
        rows: specimens with their photographs.
        cards: process ids of the specimens that get a record card; empty for the first of several orders.
        boxes: photographs with boxes, as `boxes_on_photographs` takes them.
        masks: of these photographs, where there are some.
    """

    statistics: Mapping[str, Any]
    rows: Sequence[Mapping[str, Any]] = ()
    cards: Sequence[str] = ()
    boxes: Sequence[tuple[str, Any, Sequence[float] | None]] = ()
    masks: Sequence[Any] = ()


def draw(
    given: Shown, folder: str | Path, names: Iterable[str] | None = None, *, progress: bool = False
) -> list[Picture]:
    """Draw pictures into a folder, each as PNG and SVG.

    Args:
        given: what they are drawn from.
        folder: where they go.
        names: of `PLOTS`; by default all for which anything is given. Cards that are asked for come, too.
        progress: show a bar, in a terminal.

    Returns:
        What was drawn.

    Raises:
        ValueError: there is no such picture.
        ModuleNotFoundError: the extra `curate` is not installed.
    """
    from tqdm import tqdm

    chosen = list(PLOTS) if names is None else list(dict.fromkeys(names))
    if unknown := [name for name in chosen if name not in PLOTS]:
        raise ValueError(f"no picture {unknown[0]!r}: use some of {', '.join(PLOTS)}")
    if names is None:
        chosen = [name for name in chosen if _possible(PLOTS[name], given)]
    if given.cards and CARD not in chosen:
        chosen.append(CARD)
    drawn: list[Picture] = []
    with style():
        for name in tqdm(chosen, unit=" pictures", disable=None if progress else True, leave=False):
            for added, figure, note in PLOTS[name].make(given):
                file = _file(name, added, {picture.name for picture in drawn})
                png = Path(folder) / save(figure, Path(folder), file)
                with Image.open(png) as picture:
                    size = picture.size
                drawn.append(Picture(file, one_line(f"{PLOTS[name].title} {added}"), note, size))
    return drawn


def _file(name: str, added: str, taken: Container[str]) -> str:
    """Name a file; a process id may be any text, and must not lead out of the folder or over another file."""
    safe = f"{name}-{re.sub(r'[^A-Za-z0-9_-]', '_', added)[:80]}" if added else name
    numbers = (f"{safe}-{number}" for number in itertools.count(2))
    return next(file for file in itertools.chain([safe], numbers) if file not in taken)


def _possible(plot: Plot, given: Shown) -> bool:
    if plot.needs == STATISTICS:
        return any(given.statistics.get(table) for table in plot.tables.split())
    if plot.needs == PHOTOGRAPHS:
        return any(row.get("image") is not None for row in given.rows)
    return bool(given.boxes)


def _of_statistics(make: Callable[..., Figure], *more: str) -> Callable[[Shown], Iterator[tuple[str, Figure, str]]]:
    def figures(given: Shown) -> Iterator[tuple[str, Figure, str]]:
        yield "", make(given.statistics, *more), ""

    return figures


def _map(given: Shown) -> Iterator[tuple[str, Figure, str]]:
    drawn = maps.site_map(given.statistics)
    yield "", drawn.figure, drawn.note


def _cards(given: Shown) -> Iterator[tuple[str, Figure, str]]:
    rows = {row["processid"]: row for row in given.rows if row.get("processid")}
    wanted = list(given.cards) or [row["processid"] for row in _of_different_orders(rows.values())]
    if missing := [processid for processid in wanted if processid not in rows]:
        raise ValueError(f"no specimen {missing[0]} among those that can be drawn: name others with --card")
    for processid in wanted:
        yield processid, specimens.record_card(rows[processid], dataset=shown(given.statistics)), ""


def _mosaics(rank: str) -> Callable[[Shown], Iterator[tuple[str, Figure, str]]]:
    def figures(given: Shown) -> Iterator[tuple[str, Figure, str]]:
        yield "", specimens.mosaic(given.rows, rank, dataset=shown(given.statistics)), ""

    return figures


def _boxes(given: Shown) -> Iterator[tuple[str, Figure, str]]:
    drawn = specimens.boxes_on_photographs(given.boxes, masks=given.masks, dataset=shown(given.statistics))
    yield "", drawn, ""


def _of_different_orders(rows: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Give the first specimens of different orders, those with the deepest names first."""
    ordered = sorted(rows, key=lambda row: sum(row.get(rank) is None for rank in ("species", "genus", "coord-lat")))
    first: dict[str, Mapping[str, Any]] = {}
    for row in ordered:
        first.setdefault(row.get("order") or "", row)
    return list(first.values())[:CARDS]


PLOTS: Mapping[str, Plot] = {
    "orders": Plot("Specimens of each class and order", STATISTICS, "orders", _of_statistics(taxa.order_bars)),
    "treemap": Plot("Orders and families by their specimens", STATISTICS, "families", _of_statistics(taxa.treemap)),
    "species-frequency": Plot(
        "Specimens of each species", STATISTICS, "species_frequency", _of_statistics(taxa.species_frequency)
    ),
    "splits": Plot("Orders of the splits", STATISTICS, "split_orders", _of_statistics(taxa.split_donuts)),
    "map": Plot("Sites and countries", STATISTICS, "sites countries", _map),
    "sizes": Plot("Sizes of specimens", STATISTICS, "size_histograms", _of_statistics(measures.size_histograms)),
    "barcode-lengths": Plot(
        "Lengths of barcodes", STATISTICS, "barcode_lengths", _of_statistics(measures.barcode_lengths)
    ),
    "distances-ranks": Plot(
        "Distances within groups, by rank", STATISTICS, "distances", _of_statistics(measures.distances_by_rank)
    ),
    "distances-classes": Plot(
        "Distances within classes", STATISTICS, "distances", _of_statistics(measures.distances_by_group, "class")
    ),
    "distances-orders": Plot(
        "Distances within orders", STATISTICS, "distances", _of_statistics(measures.distances_by_group, "order")
    ),
    "distances-species": Plot(
        "Distances within species", STATISTICS, "distances", _of_statistics(measures.distances_by_group, "species")
    ),
    "barcode-gap": Plot("The barcode gap", STATISTICS, "barcode_gap", _of_statistics(measures.barcode_gap)),
    "mosaic-classes": Plot("Photographs of each class", PHOTOGRAPHS, "", _mosaics("class")),
    "mosaic-orders": Plot("Photographs of each order", PHOTOGRAPHS, "", _mosaics("order")),
    CARD: Plot("Record of a specimen", PHOTOGRAPHS, "", _cards),
    "boxes": Plot("Boxes on the original photographs", BOXES, "", _boxes),
}
