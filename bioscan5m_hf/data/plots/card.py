"""The card of one specimen: photograph, barcode as coloured bars, names, and a pin on the map."""

from __future__ import annotations

import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from ...plot_style import GREY, NOTHING, PALETTE
from ...taxonomy import RANKS
from ..schema import IMAGE
from ..selection import BARCODE, PROCESSID
from ..statistics.sizes import MILLIMETRES_PER_PIXEL
from .canvas import in_style, nothing, plain, start
from .world import draw_land, draw_pin, show_world


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from PIL import Image

BASES = {"A": PALETTE[2], "C": PALETTE[0], "G": PALETTE[4], "T": PALETTE[3]}
"""Base → colour."""

UNREAD = "#BBBBBB"
"""Of N, and of every letter that is not one base."""

ROW = 165
"""Bases in a line of bars: a barcode of 658 bases has four."""

UNKNOWN = "unknown"
FITTING = 38
"""Letters of a name that fit beside the photograph; a longer one is written smaller."""


@in_style
def record_card(row: Mapping[str, Any], *, dataset: str = "") -> Figure:
    """Draw the card of a specimen.

    Args:
        row: a specimen as `datasets` gives it: the columns of the metadata, and `image`, a PIL image or JPEG bytes,
            if there is one. Any of them may be missing.
        dataset: which dataset it is from, for the picture's title.

    Examples:
        >>> figure = record_card({"processid": "AACTA1040-20", "order": "Diptera", "dna_barcode": "ACGTN"})
        >>> len(figure.axes)
        4
    """
    figure = start(_text(row, PROCESSID, "a specimen without a processid"), dataset, (9, 5.6))
    panels = figure.subplot_mosaic([["photograph", "names"], ["photograph", "map"], ["barcode", "barcode"]],
                                   width_ratios=[1.25, 1], height_ratios=[1.5, 1.2, 0.75])  # fmt: skip
    draw_photograph(panels["photograph"], row)
    _names(panels["names"], row)
    _place(panels["map"], row)
    draw_bars(panels["barcode"], row.get(BARCODE) or "")
    return figure


@in_style
def barcode_bars(barcode: str) -> Figure:
    """Draw a barcode as bars, one a base, in lines of 165.

    Args:
        barcode: letters; A, C, G and T have colours, N and all others are grey.

    Examples:
        >>> barcode_bars("ACGTN").axes[0].images[0].get_array().shape
        (1, 165, 4)
    """
    lines = max(1, -(-len(barcode) // ROW))
    figure = start("", "", (9, 0.75 + 0.22 * lines))
    draw_bars(figure.subplots(), barcode)
    return figure


def draw_bars(axes: Axes, barcode: str) -> None:
    """Draw a barcode as bars on axes.

    Args:
        axes: where.
        barcode: letters.
    """
    from matplotlib.colors import to_rgba
    from matplotlib.patches import Patch

    if not barcode:
        nothing(axes, "no barcode")
        return
    letters = np.frombuffer(barcode.upper().encode("ascii", "replace"), "S1").astype(str)
    lines = -(-len(letters) // ROW)
    bars = np.zeros((lines * ROW, 4))
    bars[: len(letters)] = to_rgba(UNREAD)
    for base, color in BASES.items():
        bars[: len(letters)][letters == base] = to_rgba(color)
    axes.imshow(bars.reshape(lines, ROW, 4), aspect="auto", interpolation="nearest", extent=(0.5, ROW + 0.5, lines, 0))
    for line in range(1, lines):
        axes.axhline(line, color="white", linewidth=2.5)
    axes.set_yticks(np.arange(lines) + 0.5, [f"{1 + line * ROW:,}" for line in range(lines)])
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    counts = {base: int((letters == base).sum()) for base in BASES}
    others = len(letters) - sum(counts.values())
    keys = [Patch(color=color, label=f"{base} {counts[base]:,}") for base, color in BASES.items()]
    keys.append(Patch(color=UNREAD, label=f"N or other {others:,}"))
    axes.set_xlabel(f"barcode, {len(letters):,} base{'s' * (len(letters) != 1)}", loc="left")
    axes.legend(handles=keys, ncols=5, loc="upper right", bbox_to_anchor=(1.0, -0.02), fontsize=8,
                handlelength=1, columnspacing=1.2, borderaxespad=0.2)  # fmt: skip


def draw_photograph(axes: Axes, row: Mapping[str, Any]) -> None:
    """Show the photograph of a specimen, or that there is none.

    Args:
        axes: where.
        row: the specimen.
    """
    image = opened(row.get(IMAGE))
    if image is None:
        nothing(axes, "no photograph")
        axes.set_axis_on()
        axes.set(xticks=[], yticks=[], facecolor=NOTHING)
        axes.spines[:].set_visible(False)
        return
    axes.imshow(np.asarray(image))
    axes.set_axis_off()


def opened(image: object) -> Image.Image | None:
    """Give a photograph as an RGB image; None where there is none, or what there is cannot be read.

    Args:
        image: a PIL image, JPEG bytes, or the `bytes` and `path` of an undecoded column.
    """
    from PIL import Image

    if isinstance(image, Mapping):
        image = image.get("bytes")
    try:
        if isinstance(image, bytes):
            image = Image.open(io.BytesIO(image))
        return image.convert("RGB") if isinstance(image, Image.Image) else None
    except (OSError, Image.DecompressionBombError):
        return None


def _names(axes: Axes, row: Mapping[str, Any]) -> None:
    """Write the names of all ranks, the BIN, the split, and the size below each other."""
    axes.set_axis_off()
    lines = [(rank, _text(row, rank)) for rank in RANKS]
    lines += [("BIN", _text(row, "dna_bin")), ("split", _text(row, "split")), ("place", _where(row))]
    if row.get("image_measurement_value") is not None:
        area = row["image_measurement_value"] * MILLIMETRES_PER_PIXEL**2
        lines.append(("size", f"{row['image_measurement_value']:,} pixels, {area:.3g} mm²"))
    for place, (name, value) in enumerate(lines):
        height = 1 - (place + 0.5) / len(lines)
        axes.text(0, height, name, color=GREY, va="center", transform=axes.transAxes, fontsize=8.5)
        look: Any = {"style": "italic"} if name in ("genus", "species") and value != UNKNOWN else {}
        color = GREY if value == UNKNOWN else "black"
        text = plain(value, 60)
        points = 9 * min(1.0, FITTING / len(text))
        axes.text(0.24, height, text, color=color, va="center", transform=axes.transAxes, fontsize=points, **look)


def _place(axes: Axes, row: Mapping[str, Any]) -> None:
    latitude, longitude = row.get("coord-lat"), row.get("coord-lon")
    if latitude is None or longitude is None or not (abs(latitude) <= 90 and abs(longitude) <= 180):
        nothing(axes, "no coordinates")
        return
    draw_land(axes, {})
    draw_pin(axes, latitude, longitude)
    show_world(axes, latitude)
    axes.spines[:].set_color("#DDDDDD")
    axes.spines[:].set_visible(True)
    axes.set_xlabel(f"{abs(latitude):.3f}° {'N' if latitude >= 0 else 'S'}, "
                    f"{abs(longitude):.3f}° {'E' if longitude >= 0 else 'W'}", fontsize=8)  # fmt: skip


def _where(row: Mapping[str, Any]) -> str:
    parts = [str(row[name]) for name in ("province_state", "country") if row.get(name)]
    return ", ".join(parts) or UNKNOWN


def _text(row: Mapping[str, Any], column: str, otherwise: str = UNKNOWN) -> str:
    return str(row.get(column) or otherwise)


__all__ = ["barcode_bars", "draw_bars", "draw_photograph", "opened", "record_card"]
