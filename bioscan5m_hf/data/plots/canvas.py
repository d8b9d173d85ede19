"""What all pictures of a dataset share: title, the data they show, cut names, thousands with commas."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...plot_style import GREY, PALETTE, REST, style


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

UNKNOWN = "not given"
"""How a missing name is called."""

LONGEST = 34
"""Letters of a name that are shown."""


def canvas(title: str, dataset: str, size: tuple[float, float]) -> Figure:
    """Start a figure with its title, and below it the data it shows.

    Args:
        title: what is seen.
        dataset: name of the data, and whether they are invented.
        size: width and height in inches.
    """
    from matplotlib.figure import Figure

    with style():
        figure = Figure(figsize=size, layout="constrained")
        lines = textwrap.wrap(title, max(28, int(size[0] * 11)))
        figure.suptitle("\n".join([*lines, *([plain(dataset)] if dataset else [])]), x=0.01, ha="left")
    return figure


def axes_of(figure: Figure, *position: Any, **options: Any) -> Axes:  # noqa: ANN401
    """Add axes in the style of all pictures."""
    with style():
        axes: Axes = figure.add_subplot(*position, **options)
    return axes


def shown(statistics: Mapping[str, Any]) -> str:
    """Name the data of statistics.

    Examples:
        >>> shown({"dataset": {"name": "bioscan-5m", "specimens": 2000, "invented": True}})
        'bioscan-5m, 2,000 specimens, INVENTED'
    """
    about = statistics["dataset"]
    return f"{about['name']}, {about['specimens']:,} specimens" + (", INVENTED" if about.get("invented") else "")


def plain(text: object, longest: int | None = None) -> str:
    r"""Make a text safe for matplotlib, which reads `$` as mathematics, and cut it.

    Examples:
        >>> plain("a $x$\nb", 6), plain(None)
        ('a \\$x\\$…', 'not given')
    """
    words = UNKNOWN if text is None or text == "" else " ".join(str(text).split())
    if longest is not None and len(words) > longest:
        words = words[: longest - 1].rstrip() + "…"
    return words.replace("$", r"\$")


def number(value: float) -> str:
    """Write a number with three figures, or whole where it is large.

    Examples:
        >>> number(26700.4), number(0.15321), number(2.0)
        ('26,700', '0.153', '2')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.3g}"


def colours(names: Sequence[object]) -> dict[object, str]:
    """Give each name a colour: the first ones their own, missing ones light grey, all others grey.

    Examples:
        >>> colours(["Insecta", None])
        {'Insecta': '#0072B2', None: '#BBBBBB'}
    """
    known = [name for name in dict.fromkeys(names) if name is not None]
    given = {name: PALETTE[place] if place < len(PALETTE) else GREY for place, name in enumerate(known)}
    return given | ({None: REST} if None in names else {})


def bars(
    axes: Axes, names: Sequence[object], counts: Sequence[float], colour: Sequence[str] | str, *, log: bool = False
) -> None:
    """Draw bars from the top down, each with its number.

    Args:
        axes: where.
        names: of the bars.
        counts: their lengths, above 0 where the scale is logarithmic.
        colour: one, or one for each.
        log: logarithmic scale, from a half.
    """
    places = range(len(names))
    axes.barh(places, counts, color=colour, height=0.78)
    axes.set_yticks(places, [plain(name, LONGEST) for name in names])
    axes.invert_yaxis()
    axes.set_ylim(len(names) - 0.4, -0.6)
    if log:
        axes.set_xscale("log")
        axes.set_xlim(0.5, max(counts, default=1) * 6)
    else:
        axes.set_xlim(0, max(counts, default=1) * 1.16)
    for place, count in zip(places, counts, strict=True):
        axes.annotate(f"{count:,.0f}", (count, place), (3, 0), textcoords="offset points", va="center", fontsize=7)
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)


def nothing(figure: Figure, text: str) -> Figure:
    """Say in a picture that there is nothing to draw."""
    axes = axes_of(figure)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
    return figure
