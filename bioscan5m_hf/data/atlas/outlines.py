"""The outlines as rings of coordinates: TopoJSON with delta-encoded arcs, decoded."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt


Ring = npt.NDArray[np.float64]
FILE = Path(__file__).with_name("countries-110m.json")


@dataclass(frozen=True)
class Outline:
    """Where a country lies.

    Args:
        name: as Natural Earth writes it.
        polygons: each a tuple of closed rings, the outer one first, then its holes; longitude and latitude in
            degrees, float64, shape (n, 2). What crosses the 180th meridian is cut there.
    """

    name: str
    polygons: tuple[tuple[Ring, ...], ...]


@cache
def outlines() -> dict[str, Outline]:
    """Read the outlines of all countries that a map 1:110,000,000 shows.

    Returns:
        ISO 3166-1 numeric code (three digits), or the name of a country that has none, → outline.

    Examples:
        >>> outlines()["188"].name, len(outlines())
        ('Costa Rica', 177)
    """
    topology = json.loads(FILE.read_text(encoding="utf-8"))
    arcs = _arcs(topology)
    found = {}
    for shape in topology["objects"]["countries"]["geometries"]:
        name = shape["properties"]["name"]
        polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
        rings = (tuple(part for ring in polygon for part in _cut(_ring(ring, arcs))) for polygon in polygons)
        found[shape.get("id") or name] = Outline(name, tuple(rings))
    return found


def _arcs(topology: dict[str, dict[str, list[float]]]) -> list[Ring]:
    """Decode the arcs: each holds integer steps from point to point, to be scaled and shifted (TopoJSON 2.1.1)."""
    scale, shift = (np.array(topology["transform"][name]) for name in ("scale", "translate"))
    return [np.cumsum(np.array(arc), axis=0) * scale + shift for arc in topology["arcs"]]


def _ring(numbers: Sequence[int], arcs: Sequence[Ring]) -> Ring:
    """Stitch arcs to a ring; ~i is arc i backwards, and each begins where the one before ends (TopoJSON 2.1.4)."""
    parts = [arcs[number] if number >= 0 else arcs[~number][::-1] for number in numbers]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _cut(ring: Ring) -> list[Ring]:
    """Cut a ring at the 180th meridian, and lead one that goes round the earth (Antarctica's) over the pole."""
    longitude = np.degrees(np.unwrap(np.radians(ring[:, 0])))
    if np.ptp(ring[:, 0]) < 180:
        return [ring]
    line = np.column_stack([longitude, ring[:, 1]])
    if abs(longitude[-1] - longitude[0]) > 180:
        pole = np.copysign(90.0, ring[:, 1].mean())
        line = np.vstack([line, [[longitude[-1], pole], [longitude[0], pole]], line[:1]])
    parts = []
    for turn in (-360.0, 0.0, 360.0):
        part = line + np.array([turn, 0.0])
        for side in (-1, 1):
            part = _west_of(part * [side, 1], 180.0) * [side, 1] if len(part) else part
        if len(part):
            parts.append(part)
    return parts


def _west_of(ring: Ring, edge: float) -> Ring:
    """Keep what of a ring lies west of a meridian (Sutherland & Hodgman 1974)."""
    kept: list[Ring] = []
    for start, end in itertools.pairwise(ring):
        if start[0] <= edge:
            kept.append(start)
        if (start[0] <= edge) != (end[0] <= edge):
            share = (edge - start[0]) / (end[0] - start[0])
            kept.append(np.array([edge, start[1] + share * (end[1] - start[1])]))
    return np.array([*kept, kept[0]]) if kept else ring[:0]
