"""Outlines of countries, decoded from TopoJSON, and the countries that names stand for."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from typing import Any

import numpy as np
from numpy.typing import NDArray


FILE = "countries-110m.json"

ELSEWHERE: Mapping[str, str] = {
    "Russia": "643",
    "Turkey": "792",
    "Reunion": "638",
    "Ivory Coast": "384",
    "Cape Verde": "132",
    "Macedonia": "807",
    "Swaziland": "748",
    "Democratic Republic of the Congo": "180",
    "Republic of the Congo": "178",
}
"""Names that records of BOLD use and that ISO 3166 does not know → its numeric codes."""


@dataclass(frozen=True)
class Country:
    """The outline of a country.

    Args:
        code: numeric code of ISO 3166-1, three digits; empty where it has none.
        name: short English name in the atlas.
        rings: closed lines, each an array of longitudes and latitudes in degrees, float64 of shape (points, 2); one
            that crosses the date line is there twice, beyond -180 and beyond 180 degrees.
    """

    code: str
    name: str
    rings: tuple[NDArray[np.float64], ...]


@lru_cache(maxsize=1)
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
            shape.get("id", ""),
            shape["properties"]["name"],
            tuple(_unrolled(_ring(arcs, ring) for ring in _rings(shape))),
        )
        for shape in atlas["objects"]["countries"]["geometries"]
    )


def find_country(name: str) -> str | None:
    """Give the numeric ISO 3166-1 code of a country's name; None where nothing of that name is known.

    Args:
        name: as records have it, in English.

    Raises:
        ModuleNotFoundError: the extra `curate` is not installed.

    Examples:
        >>> find_country("Czech Republic"), find_country("Russia"), find_country("Atlantis")
        ('203', '643', None)
    """
    import pycountry

    if name in ELSEWHERE:
        return ELSEWHERE[name]
    try:
        return str(pycountry.countries.lookup(name).numeric)
    except LookupError:
        return None


def _rings(shape: Mapping[str, Any]) -> Iterable[list[int]]:
    polygons = [shape["arcs"]] if shape["type"] == "Polygon" else shape["arcs"]
    return [ring for polygon in polygons for ring in polygon]


def _ring(arcs: list[NDArray[np.float64]], places: list[int]) -> NDArray[np.float64]:
    parts = [arcs[place] if place >= 0 else arcs[~place][::-1] for place in places]
    return np.concatenate([parts[0], *(part[1:] for part in parts[1:])])


def _unrolled(rings: Iterable[NDArray[np.float64]]) -> Iterator[NDArray[np.float64]]:
    for ring in rings:
        whole = ring.copy()
        whole[:, 0] = np.unwrap(ring[:, 0], period=360)
        for turn in (-360, 0, 360):
            moved = whole + np.array([turn, 0])
            if moved[:, 0].max() > -180 and moved[:, 0].min() < 180:
                yield moved
