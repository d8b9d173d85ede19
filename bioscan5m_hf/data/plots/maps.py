"""Where specimens are from: sites as points, countries by colour; names that the map lacks are listed."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...plot_style import GREY, NOTHING, PALETTE, SEQUENTIAL
from ..atlas import find_country, outlines
from .canvas import axes_of, canvas, one_line, plain, short, shown, write_out


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]

EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
"""Coefficients of the projection (Šavrič, Patterson & Jenny 2018, doi:10.1080/13658816.2018.1504949)."""

SOUTH, NORTH = -58.0, 84.0
"""Latitudes that are shown; nobody collects insects farther south, or the map goes on to where they do."""

SMALLEST, LARGEST = 6.0, 200.0
"""Areas of the discs of sites, square points: of few specimens, and of the most."""

NOTE_LINES = 4
"""Lines under the map at most; `WorldMap.note` has all of them."""

BORDER, LINES = "#A8A8A8", "#E3E3E3"


@dataclass(frozen=True)
class WorldMap:
    """A map, and what it does not show.

    Args:
        figure: the map.
        unknown: names that no country has, with their specimens.
        too_small: countries that a map of this size leaves out, with their specimens; where their sites are known,
            each is a disc.
        nowhere: specimens whose site is no point on the globe, or unknown.
    """

    figure: Figure
    unknown: dict[str, int]
    too_small: dict[str, int]
    nowhere: int

    @property
    def note(self) -> str:
        """What a reader of the map must know; it lists every name that is not on it."""
        parts = [
            f"{self.nowhere:,} specimen{'s' * (self.nowhere != 1)} without a site" if self.nowhere else "",
            _listed("too small for an outline here", self.too_small),
            _listed("unknown to the map", self.unknown),
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
    """Draw sites, sized by their specimens, over countries, coloured by theirs; areas are true.

    Args:
        sites: rows with latitude, longitude in degrees, specimens, and country, where it is known.
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
    figure = canvas(title, dataset, (9.0, 4.9))
    axes = axes_of(figure)
    drawn = {country.code for country in outlines()}
    counts: dict[str, int] = {}
    unknown: dict[str, int] = {}
    too_small: dict[str, int] = {}
    for row in countries or ():
        name, code = row["country"], find_country(row["country"] or "")
        if code is not None:
            counts[code] = counts.get(code, 0) + row["specimens"]
        if name and code not in drawn:
            missed = unknown if code is None else too_small
            missed[name] = missed.get(name, 0) + row["specimens"]
    points = [row for row in sites if _on_globe(row)]
    scale = _scale(counts)
    _draw_lines(axes)
    draw_land(axes, {code: scale.to_rgba(np.array([count]))[0] for code, count in counts.items()}, project)
    _draw_sites(axes, points)
    for name in too_small:
        _draw_small(
            axes, [row for row in points if row.get("country") == name], scale, counts[find_country(name) or ""]
        )
    _show_world(axes, [row["latitude"] for row in points])
    if counts:
        bar = figure.colorbar(scale, ax=axes, shrink=0.7, pad=0.01, label="specimens of the country")
        write_out(bar.ax.yaxis)
    nowhere = 0 if specimens is None else specimens - sum(row["specimens"] for row in points)
    found = WorldMap(figure, unknown, too_small, nowhere)
    whole = plain(found.note[:1].upper() + found.note[1:])
    said = textwrap.wrap(whole, 132, max_lines=NOTE_LINES, placeholder=" … and more")
    figure.supxlabel("\n".join([*said, "Outlines: Natural Earth"]), x=0.01, ha="left", fontsize=7.5, color=GREY)
    return found


def site_map(statistics: Mapping[str, Any]) -> WorldMap:
    """Draw where the specimens of a dataset are from.

    Args:
        statistics: with rows `sites` and `countries`.
    """
    sites, about = statistics["sites"], statistics["dataset"]
    countries = sum(bool(row["country"]) for row in statistics["countries"])
    title = f"{len(sites):,} site{'s' * (len(sites) != 1)} in {countries:,} countr{'y' if countries == 1 else 'ies'}"
    return world_map(
        sites, statistics["countries"], title=title, dataset=shown(statistics), specimens=about["specimens"]
    )


def project(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Project to the plane, Equal Earth, on a globe of radius 1.

    Args:
        longitude: degrees, shape (n,).
        latitude: degrees, shape (n,).

    Returns:
        x and y, each of shape (n,).

    Examples:
        >>> x, y = project(np.array([0.0, 180.0]), np.array([90.0, 0.0]))
        >>> x.round(3).tolist(), y.round(3).tolist()
        ([0.0, 2.707], [1.317, 0.0])
    """
    a, b, c, d = EQUAL_EARTH
    t = np.arcsin(np.sqrt(3) / 2 * np.sin(np.radians(latitude)))
    slope = a + 3 * b * t**2 + t**6 * (7 * c + 9 * d * t**2)
    x = 2 * np.sqrt(3) / 3 * np.radians(longitude) * np.cos(t) / slope
    return x, t * (a + b * t**2 + t**6 * (c + d * t**2))


def degrees(longitude: Floats, latitude: Floats) -> tuple[Floats, Floats]:
    """Leave degrees as they are: for a map of a part of the world."""
    return longitude, latitude


def draw_land(
    axes: Axes, tints: Mapping[str, Any], projection: Callable[[Floats, Floats], tuple[Floats, Floats]]
) -> None:
    """Draw all countries.

    Args:
        axes: where.
        tints: code of a country → its colour; the others are pale.
        projection: `project` or `degrees`.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    shapes = []
    for country in outlines():
        lines = (np.column_stack(projection(ring[:, 0], ring[:, 1])) for ring in country.rings)
        shapes.append(Path.make_compound_path(*(Path(line, closed=True) for line in lines)))
    fills = [tints.get(country.code, NOTHING) for country in outlines()]
    land = PathCollection(shapes, facecolors=fills, edgecolors=BORDER, linewidths=0.35, zorder=1)
    axes.add_collection(land, autolim=False)
    axes.set(xticks=[], yticks=[])
    axes.spines[:].set_visible(False)


def _scale(counts: Mapping[str, int]) -> ScalarMappable:
    import matplotlib as mpl
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    return ScalarMappable(LogNorm(1, max([10, *counts.values()])), mpl.colormaps[SEQUENTIAL].reversed())


def _draw_lines(axes: Axes) -> None:
    """Draw parallels and meridians, every 30 and 60 degrees."""
    ones, steps = np.ones(181), np.linspace(-1, 1, 181)
    for latitude in range(-60, 90, 30):
        axes.plot(*project(180 * steps, latitude * ones), color=LINES, linewidth=0.5, zorder=0)
    for longitude in range(-180, 181, 60):
        axes.plot(*project(longitude * ones, 90 * steps), color=LINES, linewidth=0.5, zorder=0)


def _draw_sites(axes: Axes, points: Sequence[Mapping[str, Any]]) -> None:
    """Draw discs, small ones on top, whose areas grow with the root of their specimens; and a key to them."""
    if not points:
        return
    ordered = sorted(points, key=lambda row: -row["specimens"])
    counts = np.array([row["specimens"] for row in ordered], float)
    most = max(float(counts[0]), 1.0)

    def areas(count: float | Floats) -> Any:  # noqa: ANN401
        return SMALLEST + (LARGEST - SMALLEST) * np.sqrt(np.asarray(count, float) / most) * min(1.0, most / 100)

    look: dict[str, Any] = {"color": PALETTE[1], "alpha": 0.7, "edgecolors": "white", "linewidths": 0.4, "zorder": 2}
    axes.scatter(*_places(ordered), s=areas(counts), **look)
    steps = [*[10**power for power in range(12) if 2 * 10**power < most][-3:], int(most)]
    keys = [axes.scatter([], [], s=areas(count), label=short(count), **look) for count in steps]
    axes.legend(handles=keys, title="specimens of a site", loc="upper left", bbox_to_anchor=(0, 0), ncols=len(keys),
                alignment="left", borderpad=0.7, fontsize=7.5, title_fontsize=7.5)  # fmt: skip


def _draw_small(axes: Axes, points: Sequence[Mapping[str, Any]], scale: ScalarMappable, count: int) -> None:
    """Draw a country as a disc in its colour, in the middle of its sites."""
    if points:
        weights = [max(row["specimens"], 1) for row in points]
        x, y = (np.average(values, weights=weights) for values in _places(points))
        tint = scale.to_rgba(np.array([count]))
        axes.scatter([x], [y], s=44, color=tint, edgecolors="black", linewidths=0.8, zorder=3)


def _show_world(axes: Axes, latitudes: Sequence[float]) -> None:
    south = max(-90.0, min([SOUTH, *(latitude - 3 for latitude in latitudes)]))
    bottom, top = project(np.zeros(2), np.array([south, NORTH]))[1].tolist()
    side = float(project(np.array([180.0]), np.zeros(1))[0][0])
    axes.set(xlim=(-side, side), ylim=(bottom, top), aspect="equal")


def _places(points: Sequence[Mapping[str, Any]]) -> tuple[Floats, Floats]:
    longitude, latitude = (np.array([row[name] for row in points], float) for name in ("longitude", "latitude"))
    return project(longitude, latitude)


def _on_globe(row: Mapping[str, Any]) -> bool:
    latitude, longitude = row["latitude"], row["longitude"]
    return latitude is not None and longitude is not None and abs(latitude) <= 90 and abs(longitude) <= 180


def _listed(what: str, names: Mapping[str, int]) -> str:
    some = sorted(names, key=lambda name: -names[name])
    return f"{what}: " + ", ".join(f"{one_line(name, 40)} {names[name]:,}" for name in some) if some else ""
