"""What all pictures share: title and data, texts that mean what they say, counts on logarithmic axes."""

from __future__ import annotations

import functools
import textwrap
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar, cast

from ...plot_style import GREY, style


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.axis import Axis
    from matplotlib.figure import Figure

Drawer = TypeVar("Drawer", bound=Callable[..., Any])
LETTERS_PER_INCH = 11
"""Of a title, on average."""

LONGEST = 32
"""Letters of a name beside a bar; the tables have the whole name."""


def in_style(draw: Drawer) -> Drawer:
    """Make a function draw in the project's style, whatever the caller's is."""

    @functools.wraps(draw)
    def drawn(*args: object, **kwargs: object) -> Any:  # noqa: ANN401
        with style():
            return draw(*args, **kwargs)

    return cast(Drawer, drawn)


def start(title: str, data: str, size: tuple[float, float]) -> Figure:
    """Start a figure with its title and, below it, the data.

    Args:
        title: what is drawn.
        data: which dataset; may be empty.
        size: width and height, inches.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    most = max(24, int(size[0] * LETTERS_PER_INCH))
    lines = [line for text in (title, data) if text for line in textwrap.wrap(plain(text), most)]
    if lines:
        figure.suptitle("\n".join(lines), x=0.01, ha="left")
    return figure


def data_label(dataset: Mapping[str, Any]) -> str:
    """Say which data a picture shows.

    Args:
        dataset: `name`, `specimens`, `invented`, as in `Statistics`.

    Examples:
        >>> data_label({"name": "bioscan-5m", "specimens": 2000, "invented": True})
        'data: bioscan-5m, 2,000 specimens, INVENTED'
    """
    parts = [f"data: {plain(str(dataset.get('name') or 'without a name'), 60)}"]
    if dataset.get("specimens") is not None:
        parts.append(f"{dataset['specimens']:,} specimen{'s' * (dataset['specimens'] != 1)}")
    return ", ".join([*parts, *(["INVENTED"] if dataset.get("invented") else [])])


def plain(text: str, longest: int | None = None) -> str:
    r"""Make a text mean what it says: one line, no formulas, no letters that the font lacks.

    Args:
        text: any.
        longest: letters after which it is cut off.

    Examples:
        >>> plain("a$b$\nc"), plain("Pseudoscorpiones", 8)
        ('a\\$b\\$ c', 'Pseudos…')
    """
    known = _letters()
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if longest is not None and len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return "".join(letter if ord(letter) in known else "\N{REPLACEMENT CHARACTER}" for letter in line).replace(
        "$", r"\$"
    )


@functools.cache
def _letters() -> frozenset[int]:
    from matplotlib import font_manager

    return frozenset(font_manager.get_font(font_manager.findfont("DejaVu Sans")).get_charmap())


def count_axis(axis: Axis) -> None:
    """Write the numbers of a logarithmic axis out (1, 10, 100, 1,000), not as powers."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axis.set_major_locator(LogLocator(10, numticks=12))
    axis.set_major_formatter(FuncFormatter(lambda value, _: short(value)))
    axis.set_minor_formatter(NullFormatter())


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


def nothing(axes: Axes, text: str) -> None:
    """Say on empty axes why they are empty."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, text, ha="center", va="center", color=GREY, transform=axes.transAxes)


def ink_on(color: str) -> str:
    """Choose black or white for letters on a colour, by its relative luminance (WCAG 2.2).

    Examples:
        >>> ink_on("#000000"), ink_on("#E69F00")
        ('white', 'black')
    """
    from matplotlib.colors import to_rgb

    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in to_rgb(color)]
    light = sum(weight * part for weight, part in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return "white" if 1.05 / (light + 0.05) > (light + 0.05) / 0.05 else "black"
