"""Outlines of countries, decoded from TopoJSON, and the countries that names stand for."""

from __future__ import annotations

import itertools
import json
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray


FILE = "countries-110m.json"

ELSEWHERE: Mapping[str, str] = {
    "Burma": "104",
    "Cape Verde": "132",
    "Democratic Republic of the Congo": "180",
    "East Timor": "626",
    "Great Britain": "826",
    "Ivory Coast": "384",
    "Micronesia": "583",
    "Republic of the Congo": "178",
    "Russia": "643",
    "Swaziland": "748",
    "The Bahamas": "044",
    "The Gambia": "270",
    "Turkey": "792",
    "UK": "826",
    "USA": "840",
    "Vatican City": "336",
}
"""Names that people use, and neither ISO 3166-1 nor the atlas → numeric codes of ISO 3166-1."""


@dataclass(frozen=True)
class Country:
    """The outline of a country.

    Args:
        code: numeric code of ISO 3166-1, three digits; the name where it has none.
        name: short English name in the atlas.
        rings: closed lines, each an array of longitudes and latitudes in degrees, float64 of shape (points, 2); holes
            run the other way round. What crosses the 180th meridian is cut there.
    """

    code: str
    name: str
    rings: tuple[NDArray[np.float64], ...]


@cache
def outlines() -> tuple[Country, ...]:
    """Decode the atlas: arcs are steps on a grid, and a ring is a chain of arcs, `~i` the arc i backwards.

    The form is that of the TopoJSON specification, https://github.com/topojson/topojson-specification.

    Examples:
        >>> japan = next(country for country in outlines() if country.name == "Japan")
        >>> japan.code, len(japan.rings)
        ('392', 3)
    """
    atlas = json.loads(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))
    scale, translate = (np.array(atlas["transform"][name]) for name in ("scale", "translate"))
    arcs = [np.cumsum(np.array(arc), axis=0) * scale + translate for arc in atlas["arcs"]]
    return tuple(
        Country(
            shape.get("id") or shape["properties"]["name"],
            shape["properties"]["name"],
            tuple(part for ring in _rings(shape) for part in _cut(_ring(arcs, ring))),
        )
        for shape in atlas["objects"]["countries"]["geometries"]
    )


def find_country(name: str) -> str | None:
    """Give the code of a country's name; None where nothing of that name is known.

    Args:
        name: as records have it, in English; capitals, accents and spaces around it do not matter.

    Returns:
        Numeric code of ISO 3166-1, of a country without one the atlas's name. The atlas need not have its outline.

    Raises:
        ModuleNotFoundError: the extra `curate` is not installed.

    Examples:
        >>> find_country("Czech Republic"), find_country("Russia"), find_country("Kosovo"), find_country("Atlantis")
        ('203', '643', 'Kosovo', None)
    """
    return _codes().get(_folded(name))


@cache
def _codes() -> Mapping[str, str]:
    import pycountry

    found = {_folded(country.name): country.code for country in outlines()}
    for country in pycountry.countries:
        for kind in ("official_name", "common_name", "name"):
            if name := getattr(country, kind, None):
                found[_folded(name)] = country.numeric
    return found | {_folded(name): code for name, code in ELSEWHERE.items()}


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())


def _rings(shape: Mapping[str, Any]) -> Iterable[list[int]]:
    polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
    return [ring for polygon in polygons for ring in polygon]


def _ring(arcs: list[NDArray[np.float64]], places: list[int]) -> NDArray[np.float64]:
    parts = [arcs[place] if place >= 0 else arcs[~place][::-1] for place in places]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _cut(ring: NDArray[np.float64]) -> Iterator[NDArray[np.float64]]:
    """Cut a ring at the 180th meridian; one that goes round the earth (Antarctica's) is led over the pole first."""
    if np.ptp(ring[:, 0]) < 180:
        yield ring
        return
    whole = np.column_stack([np.unwrap(ring[:, 0], period=360), ring[:, 1]])
    (first, last), pole = whole[[0, -1], 0], np.copysign(90.0, ring[:, 1].mean())
    if abs(last - first) > 180:
        whole = np.vstack([whole, [[last, pole], [first, pole]], whole[:1]])
    for turn in (-360.0, 0.0, 360.0):
        inside = _west_of_180(whole + np.array([turn, 0.0]))
        inside = -_west_of_180(-inside) if len(inside) else inside
        if len(inside):
            yield inside


def _west_of_180(ring: NDArray[np.float64]) -> NDArray[np.float64]:
    """Keep what of a ring lies west of longitude 180 (Sutherland & Hodgman 1974, doi:10.1145/360767.360802)."""
    kept: list[Any] = []
    for start, end in itertools.pairwise(ring):
        if start[0] <= 180:
            kept.append(start)
        if (start[0] <= 180) != (end[0] <= 180):
            share = (180 - start[0]) / (end[0] - start[0])
            kept.append((180.0, start[1] + share * (end[1] - start[1])))
    return np.array([*kept, kept[0]]) if kept else ring[:0]
