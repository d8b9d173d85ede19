"""The same look of a model in all pictures of a report."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ..plot_style import DASHES, GREY, MARKERS, PALETTE
from .results import Result
from .tables import Key, is_reference


if TYPE_CHECKING:
    from matplotlib.figure import Figure


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
