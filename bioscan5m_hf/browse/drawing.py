"""Pictures that are drawn in the page: a barcode as coloured bars, the outlines of the world."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from itertools import groupby, pairwise
from typing import Any

from markupsafe import Markup

from ..dna import BASES
from ..plot_style import GREY, PALETTE


COLOURS = dict(zip(BASES, (PALETTE[2], PALETTE[0], PALETTE[4], PALETTE[1]), strict=True))
"""Of A, C, G and T; every other letter is grey."""

LINE = 220
"""Bases in a line of bars: a barcode of 658 takes three, each bar wide enough to be seen on a phone."""


def barcode_bars(barcode: str) -> Markup:
    """Draw a barcode as bars, `LINE` bases in a line; a path for each letter, so that it stays small.

    For figures there is `data.plots`; this is SVG that a page shows by the dozen.

    Args:
        barcode: letters; all but A, C, G and T are grey.

    Examples:
        >>> barcode_bars("AAC").count("<path"), "3 bases" in barcode_bars("AAC")
        (2, True)
    """
    barcode = barcode.upper()
    lines = [barcode[start : start + LINE] for start in range(0, len(barcode), LINE)] or [""]
    paths: dict[str, list[str]] = {}
    for number, line in enumerate(lines):
        at = 0
        for letter, run in groupby(line):
            width = len(list(run))
            colour = COLOURS.get(letter, GREY)
            paths.setdefault(colour, []).append(f"M{at} {number * 10}h{width}v8h-{width}z")
            at += width
    drawn = "".join(f'<path fill="{colour}" d="{"".join(d)}"/>' for colour, d in paths.items())
    width = min(LINE, max(1, len(barcode)))
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

    The outlines are those of Natural Earth (public domain) in `data/atlas`, in TopoJSON: arcs of whole numbers, each
    point as the difference from the one before.
    """
    given = json.loads(files("bioscan5m_hf.data.atlas").joinpath("countries-110m.json").read_text(encoding="utf-8"))
    arcs = [_decoded(arc, given["transform"]) for arc in given["arcs"]]
    land = "".join(_path(ring, arcs) for ring in _rings(given["objects"]["land"]))
    borders = "".join(_line(arc) for arc in arcs)
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="-180 -84 360 142" preserveAspectRatio="none">'
        f'<path fill="#d9d4c5" fill-rule="evenodd" d="{land}"/>'
        f'<path fill="none" stroke="#fff" stroke-width=".4" d="{borders}"/></svg>'
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


def _decoded(arc: Sequence[Sequence[int]], transform: Any) -> list[tuple[float, float]]:  # noqa: ANN401
    (scale_x, scale_y), (move_x, move_y) = transform["scale"], transform["translate"]
    x = y = 0
    points = []
    for right, up in arc:
        x, y = x + right, y + up
        points.append((round(x * scale_x + move_x, 1), -round(y * scale_y + move_y, 1)))
    return points


def _rings(shape: Any) -> list[list[int]]:  # noqa: ANN401
    kind = shape["type"]
    if kind == "GeometryCollection":
        return [ring for part in shape["geometries"] for ring in _rings(part)]
    polygons = shape["arcs"] if kind == "MultiPolygon" else [shape["arcs"]]
    return [ring for polygon in polygons for ring in polygon]


def _path(ring: Sequence[int], arcs: Sequence[Sequence[tuple[float, float]]]) -> str:
    """Draw a ring; one that crosses 180° goes on beyond it, and is drawn once more on the other side."""
    points = [point for arc in ring for point in (arcs[arc] if arc >= 0 else arcs[~arc][::-1])]
    whole, turn = [points[0]], 0
    for (before, _), (x, y) in pairwise(points):
        turn += 360 * ((x - before < -180) - (x - before > 180))
        whole.append((x + turn, y))
    left, right = min(x for x, _ in whole), max(x for x, _ in whole)
    shifts = [0, *([-360] if right > 180 else []), *([360] if left < -180 else [])]
    return "".join(_line([(x + shift, y) for x, y in whole]) + "z" for shift in shifts)


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Draw a line, broken where it jumps from one edge of the map to the other."""
    said, last = [], None
    for x, y in points:
        said.append(f"{'L' if last is not None and abs(x - last) < 180 else 'M'}{x:g},{y:g}")
        last = x
    return "".join(said)
