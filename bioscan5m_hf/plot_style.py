"""How pictures look: one palette for any colour vision, one size of letters, PNG and SVG."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any


if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), without the yellow, pale on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
DASHES = ("-", "--", "-.")
SEQUENTIAL = "cividis"
"""Colours of amounts, the same for any colour vision (Nuñez et al. 2018, doi 10.1371/journal.pone.0199239)."""

BASE_COLOURS = dict(zip("ACGT", (PALETTE[2], PALETTE[0], PALETTE[4], PALETTE[1]), strict=True))
"""Of the bases; N and whatever else stands in a barcode is `GREY`."""
BARCODE_LINE = 220
"""Bases in a line of bars: a barcode of 658 takes three, each bar wide enough to be seen on a phone."""

GREY = "#777777"
REST = "#BBBBBB"
NOTHING = "#F2F2F2"
"""Of reference lines, of specimens without a colour of their own, and of cells without a number."""
FONT = "DejaVu Sans"
"""Comes with matplotlib: pictures are the same everywhere."""

_RC: dict[Any, Any] = {
    "font.family": FONT,
    "font.size": 9,
    "axes.titlesize": 9,
    "figure.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#DDDDDD",
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "bioscan5m",
    "figure.dpi": 100,
    "savefig.dpi": 160,
}


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as PNG and as SVG.

    Args:
        figure: it.
        folder: where to.
        name: of the files, without their ending.

    Returns:
        The name of the PNG file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", metadata={"Software": None})
    figure.set_layout_engine("none")  # it is laid out now; once more would take as long again
    figure.savefig(folder / f"{name}.svg", metadata={"Date": None})
    return f"{name}.png"


def style() -> Any:  # noqa: ANN401
    """Give the context in which all pictures are drawn."""
    import matplotlib as mpl

    return mpl.rc_context(_RC)
