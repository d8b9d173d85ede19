"""Pictures that are drawn in the page: a barcode as coloured bars, the outlines of the world."""

from __future__ import annotations

from functools import cache
from itertools import groupby

import numpy as np
from markupsafe import Markup
from numpy.typing import NDArray

from ..data.atlas import outlines
from ..dna import BASES
from ..plot_style import BARCODE_LINE, BASE_COLOURS, GREY


def barcode_bars(barcode: str) -> Markup:
    """Draw a barcode as bars, `BARCODE_LINE` bases in a line; a path for each letter, so that it stays small.

    For figures there is `data.plots`; this is SVG that a page shows by the dozen.

    Args:
        barcode: letters; all but A, C, G and T are grey.

    Examples:
        >>> barcode_bars("AAC").count("<path"), "3 bases" in barcode_bars("AAC")
        (2, True)
    """
    barcode = barcode.upper()
    lines = [barcode[start : start + BARCODE_LINE] for start in range(0, len(barcode), BARCODE_LINE)] or [""]
    paths: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        at = 0
        for letter, run in groupby(line):
            width = len(list(run))
            colour = BASE_COLOURS.get(letter, GREY)
            paths.setdefault(colour, []).append(f"M{at} {number * 10}h{width}v8h-{width}z")
            at += width
    drawn = "".join(f'<path fill="{colour}" d="{"".join(d)}"/>' for colour, d in paths.items())
    width = min(BARCODE_LINE, max(1, len(barcode)))
    height = len(lines) * 10 - 2
    return Markup(
        f'<svg class="bars" viewBox="0 0 {width} {height}" preserveAspectRatio="none" style="--lines:{len(lines)}" '
        f'role="img" aria-label="Barcode of {len(barcode):,} bases: {composition(barcode)}" '
        f'shape-rendering="crispEdges">{drawn}</svg>'
    )


def composition(barcode: str) -> str:
    """Say of which letters a barcode is made.

    Examples:
        >>> composition("AACGNN")
        '33 % A, 17 % C, 17 % G, 0 % T, 33 % others'
    """
    barcode, total = barcode.upper(), max(1, len(barcode))
    counts = {base: barcode.count(base) for base in BASES}
    others = len(barcode) - sum(counts.values())
    said = [f"{100 * count / total:.0f} % {base}" for base, count in counts.items()]
    return ", ".join([*said, *([f"{100 * others / total:.0f} % others"] if others else [])])


@cache
def world_svg() -> str:
    """Draw land and borders, one unit a degree, in an equirectangular projection: longitude right, latitude up.

    The outlines are those of `data.atlas`.
    """
    countries = "".join(_path(ring) for country in outlines() for ring in country.rings)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -84 360 142" preserveAspectRatio="none">'
        f'<path fill="#d9d4c5" fill-rule="nonzero" stroke="#fff" stroke-width=".4" d="{countries}"/></svg>'
    )


VIEW = (-180.0, 84.0, 360.0, 142.0)
"""Left and upper edge, width and height of `world_svg`, in degrees: without the Antarctic."""


def pin(latitude: float | None, longitude: float | None) -> tuple[float, float] | None:
    """Give where a site lies on `world_svg`, in per cent from left and top; None where it is not on it.

    Examples:
        >>> pin(13.0, 0.0), pin(-89.0, 0.0)
        ((50.0, 50.0), None)
    """
    if latitude is None or longitude is None or not -180 <= longitude <= 180:
        return None
    left, top, width, height = VIEW
    if not top - height <= latitude <= top:
        return None
    return round(100 * (longitude - left) / width, 2), round(100 * (top - latitude) / height, 2)


def _path(ring: NDArray[np.float64]) -> str:
    points = ring.round(1)
    return "M" + "L".join(f"{longitude:g},{-latitude:g}" for longitude, latitude in points[:-1].tolist()) + "z"
