"""How pictures of results look: one palette for any colour vision, and the same look of a model in all of them."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .results import Result
from .tables import Key, is_reference


if TYPE_CHECKING:
    from matplotlib.figure import Figure

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Colours that people with any colour vision tell apart (Okabe and Ito 2008), without the yellow, pale on white."""

MARKERS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h", "*")
DASHES = ("-", "--", "-.")
SEQUENTIAL = "cividis"
"""Colours of amounts, the same for any colour vision (Nuñez et al. 2018, doi 10.1371/journal.pone.0199239)."""

GREY = "#777777"
REST = "#BBBBBB"
NOTHING = "#F2F2F2"
"""Of reference lines, of specimens without a colour of their own, and of cells without a number."""
_RC: dict[Any, Any] = {
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


@dataclass(frozen=True)
class Look:
    """How each model looks in every picture of a report.

    Args:
        labels: (model, revision) → label.
        data: name and revision of the data, for titles.
    """

    labels: Mapping[Key, str]
    data: str

    def label(self, result: Result) -> str:
        """Give the label of a result's model."""
        return self.labels[result.model, result.model_revision]

    def line(self, result: Result) -> dict[str, Any]:
        """Give colour, dash and mark of a result's model; no two of twelve are alike, and reference lines are grey."""
        alike = [key for key in self.labels if is_reference(key[0]) == is_reference(result.model)]
        number = alike.index((result.model, result.model_revision))
        dash = ":" if is_reference(result.model) else DASHES[number // len(PALETTE) % len(DASHES)]
        return {"color": self.color(result), "linestyle": dash, "marker": MARKERS[number % len(MARKERS)]}

    def color(self, result: Result) -> str:
        """Give the colour of a result's model."""
        models = [key for key in self.labels if not is_reference(key[0])]
        if is_reference(result.model):
            return GREY
        return PALETTE[models.index((result.model, result.model_revision)) % len(PALETTE)]

    def figure(self, title: str, size: tuple[float, float]) -> Figure:
        """Start a figure with its title and, below, the data."""
        from matplotlib.figure import Figure

        figure = Figure(figsize=size, layout="constrained")
        lines = textwrap.wrap(title, max(28, int(size[0] * 11)))
        figure.suptitle("\n".join([*lines, self.data]), x=0.01, ha="left")
        return figure


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
