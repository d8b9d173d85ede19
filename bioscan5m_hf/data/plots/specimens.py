"""Pictures of specimens: a record card, barcodes as coloured bars, mosaics by taxon, boxes on photographs."""

from __future__ import annotations

import io
import textwrap
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from ...plot_style import BARCODE_LINE, BASE_COLOURS, GREY, NOTHING, PALETTE, REST
from ...taxonomy import LABELS
from ..statistics.sizes import MILLIMETRES_PER_PIXEL
from .canvas import UNKNOWN, axes_of, canvas, nothing, number, one_line, plain
from .maps import degrees, draw_land


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

PER_GROUP = 6
GROUPS = 60
"""Photographs of a taxon, and taxa, that a mosaic shows."""

FITTING, WRAPPED = 30, 42
"""Letters of a name that a record card has room for in a line, and in each of two lines of smaller letters."""

SHORTER = 160
"""Pixels of a photograph's shorter side in a mosaic."""


def barcode_bars(barcode: str) -> Figure:
    """Draw a barcode as coloured bars, 220 bases in a line.

    Args:
        barcode: letters; those that are no base are grey.

    Examples:
        >>> len(barcode_bars("ACGTN").axes)
        1
    """
    lines = max(1, -(-len(barcode) // BARCODE_LINE))
    figure = canvas("", "", (7.0, 0.35 + 0.22 * lines))
    if not barcode:
        return nothing(figure, "no barcode")
    draw_barcode(axes_of(figure), barcode)
    return figure


def draw_barcode(axes: Axes, barcode: str) -> None:
    """Draw a barcode into axes, with a legend of its letters below."""
    from matplotlib.colors import to_rgb
    from matplotlib.patches import Patch

    letters = np.array(list(barcode.upper()))
    lines = max(1, -(-len(letters) // BARCODE_LINE))
    pixels = np.ones((lines * BARCODE_LINE, 3))
    pixels[: len(letters)] = to_rgb(REST)
    for base, colour in BASE_COLOURS.items():
        pixels[: len(letters)][letters == base] = to_rgb(colour)
    extent = (0, BARCODE_LINE, lines, 0)
    axes.imshow(pixels.reshape(lines, BARCODE_LINE, 3), aspect="auto", interpolation="nearest", extent=extent)
    for line in range(1, lines):
        axes.axhline(line, color="white", lw=2)
    axes.set_xticks([])
    firsts = [f"{place * BARCODE_LINE + 1:,}" for place in range(lines)]
    axes.set_yticks([place + 0.5 for place in range(lines)], firsts)
    axes.tick_params(axis="y", length=0, labelsize=7)
    axes.spines[:].set_visible(False)
    counts = {base: int((letters == base).sum()) for base in BASE_COLOURS}
    handles = [Patch(facecolor=colour, label=f"{base} {counts[base]:,}") for base, colour in BASE_COLOURS.items()]
    if others := len(letters) - sum(counts.values()):
        handles.append(Patch(facecolor=REST, label=f"N or other {others:,}"))
    axes.legend(handles=handles, borderpad=0, loc="upper left", bbox_to_anchor=(0, -0.02), ncols=5, fontsize=7,
                handlelength=1)  # fmt: skip


def record_card(row: Mapping[str, Any], *, dataset: str = "") -> Figure:
    """Draw all that is known of a specimen: photograph, taxonomy, place and barcode.

    Args:
        row: as `datasets` gives it: the columns of the metadata, and `image`, a PIL image, where there is one.
        dataset: what the data are.

    Examples:
        >>> figure = record_card({"processid": "AACTA1040-20", "order": "Diptera", "dna_barcode": "ACGT"})
        >>> figure.get_suptitle()
        'AACTA1040-20: Diptera'
    """
    names = [row.get(rank) for rank in LABELS if rank != "dna_bin"]
    finest = next((name for name in reversed(names) if name), row.get("taxon") or "no name")
    barcode = row.get("dna_barcode") or ""
    bars = 0.35 + 0.22 * max(3, -(-len(barcode) // BARCODE_LINE))
    figure = canvas(f"{one_line(row.get('processid'))}: {one_line(finest, 60)}", dataset, (8.6, 4.0 + bars))
    grid = figure.add_gridspec(2, 3, width_ratios=(1.6, 0.95, 1.35), height_ratios=(3.2, bars))
    _photograph(axes_of(figure, grid[0, 0]), row)
    _labels(axes_of(figure, grid[0, 1]), row)
    _place(axes_of(figure, grid[0, 2]), row)
    axes = axes_of(figure, grid[1, :])
    if barcode:
        draw_barcode(axes, barcode)
        axes.set_title(f"barcode, {len(barcode):,} bases", loc="left", fontsize=8)
    else:
        _absent(axes, "no barcode")
    return figure


def mosaic(rows: Iterable[Mapping[str, Any]], rank: str = "order", *, dataset: str = "") -> Figure:
    """Draw photographs of each taxon of a rank in a line, the taxon beside it.

    Args:
        rows: specimens with `image` and the rank.
        rank: `class`, `order` or another one.
        dataset: what the data are.
    """
    groups: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        if row.get("image") is not None:
            groups[row.get(rank) or f"no {rank}"].append(row)
    names = sorted(groups, key=lambda name: (name == f"no {rank}", -len(groups[name]), name))
    some = names[:GROUPS]
    title = f"Photographs of each {rank}"
    if len(names) > len(some):
        title += f": the {len(some)} of {len(names):,} with the most here"
    lines = max(1, -(-len(some) // 2))
    figure = canvas(title, dataset, (8.4, 0.6 + 0.74 * lines))
    if not some:
        return nothing(figure, "no photographs")
    grid = figure.add_gridspec(lines, 2)
    for place, name in enumerate(some):
        axes = axes_of(figure, grid[place // 2, place % 2])
        axes.imshow(_strip(groups[name][:PER_GROUP]), aspect="equal")
        axes.set_axis_off()
        axes.set_anchor("NW")
        axes.set_title(plain(name, 50), loc="left", fontsize=8, pad=2)
    return figure


def boxes_on_photographs(
    photographs: Sequence[tuple[str, Any, Sequence[float] | None]], *, dataset: str = "", masks: Sequence[Any] = ()
) -> Figure:
    """Draw the boxes of specimens, and where they are known their masks, on the original photographs.

    Args:
        photographs: of each specimen processid, PIL image, and box (left, top, right, bottom) in its pixels, or None.
        dataset: what the data are.
        masks: boolean arrays of the photographs' shapes, or None; in the same order.
    """
    from matplotlib.patches import Rectangle

    columns = min(4, max(1, len(photographs)))
    lines = max(1, -(-len(photographs) // columns))
    figure = canvas("Boxes on the original photographs", dataset, (2.2 * max(2, columns), 0.7 + 1.85 * lines))
    if not photographs:
        return nothing(figure, "no photographs with boxes")
    for place, (processid, image, box) in enumerate(photographs):
        axes = axes_of(figure, lines, columns, place + 1)
        axes.set_title(plain(processid, 24) + ("" if box else ": no box"), fontsize=7, pad=2)
        photograph = _opened(image)
        if photograph is None:
            _absent(axes, "no photograph")
            continue
        axes.imshow(np.asarray(photograph))
        axes.set_axis_off()
        axes.set(xlim=(-0.5, photograph.width - 0.5), ylim=(photograph.height - 0.5, -0.5))
        if place < len(masks) and masks[place] is not None and 0 < np.mean(masks[place]) < 1:
            axes.contour(np.asarray(masks[place], float), [0.5], colors=[PALETTE[5]], linewidths=0.8)
        if box:
            left, top, right, bottom = box
            for colour, width in (("white", 2.4), (PALETTE[1], 1.2)):  # seen on any ground
                outline: dict[str, Any] = {"fill": False, "edgecolor": colour, "linewidth": width}
                axes.add_patch(Rectangle((left, top), right - left, bottom - top, **outline))
    return figure


def _photograph(axes: Axes, row: Mapping[str, Any]) -> None:
    image = _opened(row.get("image"))
    if image is None:
        _absent(axes, "no photograph" if row.get("image") is None else "the photograph cannot be read")
        return
    axes.imshow(np.asarray(image))
    axes.set_axis_off()


def _labels(axes: Axes, row: Mapping[str, Any]) -> None:
    """Write name below name; one that is too long for the column in smaller letters."""
    axes.set_axis_off()
    lines = [("BIN" if rank == "dna_bin" else rank, row.get(rank)) for rank in LABELS]
    lines += [("split", row.get("split")), ("size", _size(row))]
    for line, (rank, value) in enumerate(lines):
        height = 1 - line / len(lines)
        axes.text(0, height, rank, fontsize=7, color=GREY, transform=axes.transAxes, va="top")
        name = one_line(value, 2 * WRAPPED - 4)
        look: dict[str, Any] = {"color": GREY if name == UNKNOWN else "black", "va": "top", "fontsize": 8}
        if rank in ("genus", "species") and name != UNKNOWN:
            look["style"] = "italic"
        if len(name) > FITTING:
            look |= {"fontsize": 5.8, "linespacing": 0.9}
        lines_of_name = textwrap.wrap(name, WRAPPED if len(name) > FITTING else FITTING)
        text = "\n".join(plain(part) for part in lines_of_name[:2])
        axes.text(0, height - 0.04, text, transform=axes.transAxes, **look)


def _size(row: Mapping[str, Any]) -> str | None:
    pixels = row.get("image_measurement_value")
    return None if pixels is None else f"{number(pixels)} pixels, {number(pixels * MILLIMETRES_PER_PIXEL**2)} mm²"


def _place(axes: Axes, row: Mapping[str, Any]) -> None:
    """Draw the part of the world around the site, 120 degrees wide at the equator."""
    latitude, longitude = row.get("coord-lat"), row.get("coord-lon")
    place = plain(" · ".join(str(row[name]) for name in ("country", "province_state") if row.get(name)), 44)
    place = "place not given" if place == UNKNOWN else place
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        _absent(axes, "no coordinates")
        axes.set_title(place, loc="left", fontsize=8)
        return
    draw_land(axes, {}, degrees)
    axes.plot([longitude], [latitude], marker="o", ms=8, color=PALETTE[1], mec="white", zorder=3, clip_on=False)
    axes.set_title(place, loc="left", fontsize=8)
    middle = (max(-120.0, min(120.0, longitude)), max(-45.0, min(45.0, latitude)))
    axes.set(xlim=(middle[0] - 60, middle[0] + 60), ylim=(middle[1] - 45, middle[1] + 45), aspect="equal")
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color(REST)
    axes.set_xlabel(f"{latitude:.3f}°, {longitude:.3f}°", loc="left", fontsize=7)


def _absent(axes: Axes, text: str) -> None:
    axes.set_facecolor(NOTHING)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)


def _opened(image: object) -> Image.Image | None:
    """Give a photograph as RGB; None where there is none, or none that can be read."""
    if isinstance(image, Mapping):
        image = image.get("bytes")
    try:
        if isinstance(image, bytes):
            image = Image.open(io.BytesIO(image))
        return image.convert("RGB") if isinstance(image, Image.Image) else None
    except (OSError, ValueError, Image.DecompressionBombError):
        return None


def _strip(rows: Sequence[Mapping[str, Any]]) -> Any:  # noqa: ANN401
    """Put photographs side by side, each of 4:3; empty places stay white."""
    size = (SHORTER * 4 // 3, SHORTER)
    strip = Image.new("RGB", (PER_GROUP * (size[0] + 6), size[1]), "white")
    for place, row in enumerate(rows):
        photograph = _opened(row["image"])
        if photograph is None:
            photograph = Image.new("RGB", size, NOTHING)
        photograph.thumbnail(size, Image.Resampling.BICUBIC)
        strip.paste(photograph, (place * (size[0] + 6), (size[1] - photograph.height) // 2))
    return np.asarray(strip)
