"""What all pictures of a dataset share: title, the data they show, names that are safe, numbers written out."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from ...plot_style import FONT, GREY, PALETTE, REST, style


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

UNKNOWN = "not given"
"""How a missing name is called."""

LONGEST = 34
"""Letters of a name that are shown."""

AREAS = PALETTE[:-1]
"""Colours of bars and areas: black is for letters on them."""


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
        texts = [plain(text) for text in (title, dataset) if text]
        lines = [line for text in texts for line in textwrap.wrap(text, max(28, int(size[0] * 11)))]
        figure.suptitle("\n".join(lines), x=0.01, ha="left")
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
    count = f"{about['specimens']:,} specimen{'s' * (about['specimens'] != 1)}"
    return f"{about['name']}, {count}" + (", INVENTED" if about.get("invented") else "")


def one_line(text: object, longest: int | None = None) -> str:
    r"""Put a text on one line without control characters, and cut it.

    Args:
        text: any; None and what shows nothing is `UNKNOWN`.
        longest: letters that are left of it.

    Examples:
        >>> one_line("a $x$\nb", 6), one_line(None)
        ('a $x$…', 'not given')
    """
    given = "" if text is None else str(text)
    words = " ".join("".join(letter if letter.isprintable() else " " for letter in given).split()) or UNKNOWN
    return words if longest is None or len(words) <= longest else words[: longest - 1].rstrip() + "…"


def plain(text: object, longest: int | None = None) -> str:
    r"""Make a text mean what it says to matplotlib: one line, no mathematics, no letters that its own font lacks.

    Args:
        text: any.
        longest: letters that are left of it.

    Examples:
        >>> plain("a $x$\nb", 6), plain("昆虫")
        ('a \\$x\\$…', '��')
    """
    known = _letters()
    words = one_line(text, longest)
    drawable = (letter if ord(letter) in known else "\N{REPLACEMENT CHARACTER}" for letter in words)
    return "".join(drawable).replace("$", r"\$")


@cache
def _letters() -> frozenset[int]:
    """Give the letters that matplotlib's own font has upright, bold and italic: its italic one lacks some scripts."""
    from matplotlib.font_manager import findfont, get_font

    files = (findfont(f"{FONT}{look}") for look in ("", ":bold", ":italic"))
    return frozenset.intersection(*(frozenset(get_font(file).get_charmap()) for file in files))


def number(value: float) -> str:
    """Write a number with three figures, or whole where it is large.

    Examples:
        >>> number(26700.4), number(0.15321), number(2.0)
        ('26,700', '0.153', '2')
    """
    return f"{value:,.0f}" if abs(value) >= 1000 or value == round(value) else f"{value:.3g}"


def short(value: float) -> str:
    """Write a number in few letters.

    Examples:
        >>> short(1), short(25_000), short(3_000_000), short(0.01)
        ('1', '25k', '3M', '0.01')
    """
    for size, letter in ((1_000_000, "M"), (1_000, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.3g}"


def write_out(axis: Axis) -> None:
    """Write the numbers of an axis out: 1,000 instead of 1000, and instead of powers where it is logarithmic."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    if axis.get_scale() == "log":
        axis.set_major_locator(LogLocator(10, numticks=12))
        axis.set_minor_formatter(NullFormatter())
        axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    else:
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.10g}"))


def colours(names: Sequence[object]) -> dict[object, str]:
    """Give each name a colour: the first ones their own, missing ones light grey, all others grey.

    Examples:
        >>> colours(["Insecta", None])
        {'Insecta': '#0072B2', None: '#BBBBBB'}
    """
    known = [name for name in dict.fromkeys(names) if name is not None]
    given = {name: AREAS[place] if place < len(AREAS) else GREY for place, name in enumerate(known)}
    return given | ({None: REST} if None in names else {})


def ink_on(colour: str) -> str:
    """Choose black or white for letters on a colour, by the contrast of WCAG 2.2.

    Examples:
        >>> ink_on("#000000"), ink_on("#E69F00")
        ('white', 'black')
    """
    from matplotlib.colors import to_rgb

    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(colour)]
    light = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True)) + 0.05
    return "white" if 1.05 / light > light / 0.05 else "black"


def nothing(figure: Figure, text: str) -> Figure:
    """Say in a picture that there is nothing to draw."""
    axes = axes_of(figure)
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)
    return figure
