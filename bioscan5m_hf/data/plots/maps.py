"""Where specimens are from: sites as points, countries by colour; names that the map lacks are listed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...plot_style import NOTHING, PALETTE, SEQUENTIAL
from ..atlas import find_country, outlines
from .canvas import axes_of, canvas, plain, shown


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SOUTH, NORTH = -58, 84
"""Latitudes that are shown; nobody collects insects farther south."""

LISTED = 8
"""Names that a note has room for."""


@dataclass(frozen=True)
class WorldMap:
    """A map, and what it does not show.

    Args:
        figure: the map.
        unknown: names that no country has, with their specimens.
        too_small: countries that a map of this size leaves out, with their specimens; their sites are on it.
        nowhere: specimens whose site is no point on the globe, or unknown.
    """

    figure: Figure
    unknown: dict[str, int]
    too_small: dict[str, int]
    nowhere: int

    @property
    def note(self) -> str:
        """What a reader of the map must know."""
        parts = [
            _listed("without an outline here", self.too_small),
            _listed("unknown to the map", self.unknown),
            f"{self.nowhere:,} specimens without a site" if self.nowhere else "",
        ]
        return "; ".join(part for part in parts if part)


def world_map(
    sites: Sequence[Mapping[str, Any]],
    countries: Sequence[Mapping[str, Any]] | None = None,
    *,
    title: str = "",
    dataset: str = "",
    specimens: int | None = None,
) -> WorldMap:
    """Draw sites, sized by their specimens, over countries, coloured by theirs.

    Args:
        sites: rows with latitude, longitude in degrees, and specimens.
        countries: rows with country and specimens; None draws outlines alone.
        title: of the picture.
        dataset: what the data are.
        specimens: all of them, to tell how many have no site.

    Raises:
        ModuleNotFoundError: countries are given and the extra `curate` is not installed.

    Examples:
        >>> rows = [{"country": "Atlantis", "specimens": 3}, {"country": "Canada", "specimens": 9}]
        >>> world_map([{"latitude": 45.0, "longitude": -75.0, "specimens": 9}], rows, title="Sites").note
        'unknown to the map: Atlantis 3'
    """
    figure = canvas(title, dataset, (9.0, 5.0))
    axes = axes_of(figure)
    codes = {row["country"]: find_country(row["country"]) for row in countries or () if row["country"]}
    drawn = {country.code for country in outlines() if country.code}
    counts: dict[str, int] = {}
    unknown: dict[str, int] = {}
    too_small: dict[str, int] = {}
    for row in countries or ():
        code = codes.get(row["country"])
        if code in drawn:
            counts[str(code)] = counts.get(str(code), 0) + row["specimens"]
        elif row["country"]:
            (unknown if code is None else too_small)[row["country"]] = row["specimens"]
    _fill_countries(axes, counts)
    points = [row for row in sites if _on_globe(row)]
    _draw_sites(axes, points)
    nowhere = 0 if specimens is None else specimens - sum(row["specimens"] for row in points)
    found = WorldMap(figure, unknown, too_small, nowhere)
    if found.note:
        said = textwrap.wrap(found.note[0].upper() + found.note[1:], 150)
        axes.set_xlabel("\n".join(said), loc="left", fontsize=7)
    return found


def site_map(statistics: Mapping[str, Any]) -> WorldMap:
    """Draw where the specimens of a dataset are from.

    Args:
        statistics: with rows `sites` and `countries`.
    """
    sites, about = statistics["sites"], statistics["dataset"]
    title = f"{len(sites):,} sites in {sum(bool(row['country']) for row in statistics['countries']):,} countries"
    return world_map(
        sites, statistics["countries"], title=title, dataset=shown(statistics), specimens=about["specimens"]
    )


def outline_axes(axes: Axes) -> None:
    """Draw the outlines of all countries into axes, and nothing else."""
    _fill_countries(axes, {})


def _fill_countries(axes: Axes, counts: Mapping[str, int]) -> None:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.collections import PolyCollection
    from matplotlib.colors import LogNorm

    scale = ScalarMappable(LogNorm(1, max([10, *counts.values()])), mpl.colormaps[SEQUENTIAL].reversed())
    rings = [(ring, country.code) for country in outlines() for ring in country.rings]
    tints = [scale.to_rgba(np.array([counts[code]]))[0] if code in counts else NOTHING for _, code in rings]
    axes.add_collection(
        PolyCollection([ring for ring, _ in rings], facecolors=tints, edgecolors="#999999", linewidths=0.35, zorder=1)
    )
    axes.set_xlim(-180, 180)
    axes.set_ylim(SOUTH, NORTH)
    axes.set_aspect(1.15)
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)
    if counts:
        axes.figure.colorbar(scale, ax=axes, shrink=0.6, pad=0.01, label="specimens of the country")


def _draw_sites(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    if not points:
        return
    most = max(row["specimens"] for row in points)
    ordered = sorted(points, key=lambda row: -row["specimens"])  # small ones on top
    areas = [5 + 90 * row["specimens"] / most for row in ordered]
    across, up = ([row[name] for row in ordered] for name in ("longitude", "latitude"))
    axes.scatter(across, up, s=areas, color=PALETTE[1], alpha=0.75, edgecolors="white", linewidths=0.4, zorder=2)


def _on_globe(row: Mapping[str, Any]) -> bool:
    latitude, longitude = row["latitude"], row["longitude"]
    return latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180


def _listed(what: str, names: Mapping[str, int]) -> str:
    if not names:
        return ""
    some = sorted(names, key=lambda name: -names[name])
    more = f" and {len(some) - LISTED} more" if len(some) > LISTED else ""
    return f"{what}: " + ", ".join(f"{plain(name, 30)} {names[name]:,}" for name in some[:LISTED]) + more
