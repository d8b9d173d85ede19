"""Maps of the world: where the sites are, and how many specimens each country gave; what no map knows is listed."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ...plot_style import GREY, NOTHING, PALETTE, SEQUENTIAL
from ..atlas import known_as, outlines
from .canvas import LETTERS_PER_INCH, count_axis, in_style, plain, short, start


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.cm import ScalarMappable
    from matplotlib.figure import Figure

Floats = npt.NDArray[np.float64]
EQUAL_EARTH = (1.340264, -0.081106, 0.000893, 0.003796)
"""Coefficients of the projection (Šavrič, Patterson & Jenny 2018, doi:10.1080/13658816.2018.1504949)."""

SOUTH, NORTH = -58.0, 84.0
"""Latitudes between which the map is shown; it goes on to the south where there are sites."""

SMALLEST, WIDEST = 6.0, 240.0
"""Areas of a site's disc, square points: of one specimen, and of the most."""

BORDER, LINES = "#BDBDBD", "#E3E3E3"
WIDTH = 9.0


@dataclass(frozen=True)
class WorldMap:
    """A map, and what could not be shown on it.

    Args:
        figure: the picture.
        unknown: names of countries that no map knows; each is named in the picture, too.
        too_small: countries that are known and too small for this map's outlines.
    """

    figure: Figure
    unknown: tuple[str, ...]
    too_small: tuple[str, ...]


@in_style
def world_map(
    sites: Sequence[Mapping[str, Any]],
    countries: Sequence[Mapping[str, Any]] | None = None,
    *,
    title: str = "Sites of collection",
    data: str = "",
) -> WorldMap:
    """Draw sites as discs on a map of the world, and colour its countries by their specimens.

    Args:
        sites: `latitude`, `longitude` in degrees, `specimens`, and `country`, each of a site; one without coordinates
            is counted in the note.
        countries: `country`, `specimens`; None for an uncoloured map.
        title: of the picture.
        data: which dataset it shows.

    Returns:
        The map. A country too small for an outline is a disc of its colour where its sites are, if any is known.

    Raises:
        ModuleNotFoundError: countries are given, and pycountry is not installed.

    Examples:
        >>> found = world_map([], [{"country": "Atlantis", "specimens": 3}, {"country": "Malta", "specimens": 1}])
        >>> found.unknown, found.too_small
        (('Atlantis',), ('Malta',))
    """
    from matplotlib.cm import ScalarMappable
    from matplotlib.colors import LogNorm

    figure = start(title, data, (WIDTH, 4.7 if countries else 5.0))
    axes = figure.subplots()
    placed = [site for site in sites if _is_place(site)]
    unknown: list[str] = []
    too_small: list[str] = []
    values: dict[str, int] = {}
    for row in countries or ():
        code = known_as(row["country"])
        if code is None:
            unknown.append(row["country"])
        else:
            values[code] = values.get(code, 0) + row["specimens"]
            if code not in outlines() and row["country"] not in too_small:
                too_small.append(row["country"])
    colors = None
    if values:
        colors = ScalarMappable(LogNorm(1, max(10, *values.values())), SEQUENTIAL)
    draw_land(
        axes, {} if colors is None else dict(zip(values, colors.to_rgba(np.array([*values.values()])), strict=True))
    )
    if colors is not None:
        _small_countries(axes, too_small, values, placed, colors)
        bar = figure.colorbar(colors, ax=axes, shrink=0.75, pad=0.01, label="specimens of a country")
        count_axis(bar.ax.yaxis)
    if placed:
        _discs(axes, placed, pale=colors is not None)
    _lines(axes)
    show_world(axes, *(site["latitude"] for site in placed))
    axes.spines[:].set_visible(False)
    _note(figure, placed, len(sites) - len(placed), unknown, too_small, colored=bool(values))
    return WorldMap(figure, tuple(unknown), tuple(too_small))


def draw_land(axes: Axes, colors: Mapping[str, Any]) -> None:
    """Draw the countries.

    Args:
        axes: where.
        colors: code of the atlas → colour; others are pale.
    """
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    shapes, fills = [], []
    for code, outline in outlines().items():
        rings = [project(ring[:, 0], ring[:, 1]) for polygon in outline.polygons for ring in polygon]
        shapes.append(Path.make_compound_path(*(Path(np.column_stack(ring), closed=True) for ring in rings)))
        fills.append(colors.get(code, NOTHING))
    axes.add_collection(PathCollection(shapes, facecolors=fills, edgecolors=BORDER, linewidths=0.4), autolim=False)


def draw_pin(axes: Axes, latitude: float, longitude: float) -> None:
    """Mark one place."""
    x, y = project(np.array([longitude]), np.array([latitude]))
    axes.plot(x, y, "o", color=PALETTE[1], markersize=7, markeredgecolor="white", zorder=3)
    axes.plot(x, y, "o", markersize=13, markerfacecolor="none", markeredgecolor=PALETTE[1], zorder=3)


def show_world(axes: Axes, *latitudes: float) -> None:
    """Show the whole world, without what lies south of all land but Antarctica and of the given latitudes.

    Args:
        axes: where.
        latitudes: of what must be seen, degrees.
    """
    south = max(min([SOUTH, *(latitude - 3 for latitude in latitudes)]), -90.0)
    bottom, top = project(np.zeros(2), np.array([south, NORTH]))[1].tolist()
    right = float(project(np.array([180.0]), np.zeros(1))[0][0])
    axes.set(xlim=(-right, right), ylim=(bottom, top), aspect="equal", xticks=[], yticks=[])


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


def _is_place(site: Mapping[str, Any]) -> bool:
    """Tell whether a site's coordinates are on earth."""
    latitude, longitude = site.get("latitude"), site.get("longitude")
    if latitude is None or longitude is None:
        return False
    return bool(abs(latitude) <= 90 and abs(longitude) <= 180)  # NaN is not


def _small_countries(
    axes: Axes,
    names: Sequence[str],
    values: Mapping[str, float],
    sites: Sequence[Mapping[str, Any]],
    colors: ScalarMappable,
) -> None:
    for name in names:
        mine = [site for site in sites if site.get("country") == name]
        if mine:
            weights = [max(site["specimens"], 1) for site in mine]
            latitude = np.average([site["latitude"] for site in mine], weights=weights)
            longitude = np.average([site["longitude"] for site in mine], weights=weights)
            x, y = project(np.array([longitude]), np.array([latitude]))
            axes.scatter(
                x,
                y,
                s=60,
                color=colors.to_rgba(np.array([values[known_as(name) or ""]])),
                edgecolors="black",
                linewidths=0.8,
            )


def _discs(axes: Axes, sites: Sequence[Mapping[str, Any]], *, pale: bool) -> None:
    """Draw sites, the largest first, so that small ones lie on top; areas grow with the root of the specimens."""
    order = sorted(sites, key=lambda site: -site["specimens"])
    counts = np.array([site["specimens"] for site in order], float)
    x, y = project(
        np.array([site["longitude"] for site in order], float), np.array([site["latitude"] for site in order], float)
    )
    most = max(counts.max(), 1.0)

    def area(count: float | Floats) -> Any:  # noqa: ANN401
        return SMALLEST + (WIDEST - SMALLEST) * np.sqrt(np.asarray(count, float) / most) * min(1.0, most / 100)

    look: Any = {"color": PALETTE[1], "alpha": 0.7 if pale else 0.55, "edgecolors": "white", "linewidths": 0.4}
    axes.scatter(x, y, s=area(counts), zorder=2, **look)
    shown = [*[value for value in (10**power for power in range(12)) if 2 * value < most][-3:], int(most)]
    keys = [axes.scatter([], [], s=area(value), label=short(value), **look) for value in shown]
    axes.legend(handles=keys, title="specimens of a site", loc="lower left", labelspacing=1.1, fontsize=8)


def _lines(axes: Axes) -> None:
    """Draw parallels and meridians."""
    ends, steps = np.ones(181), np.linspace(-1, 1, 181)
    for latitude in range(-60, 90, 30):
        axes.plot(*project(180 * steps, latitude * ends), color=LINES, linewidth=0.5, zorder=0)
    for longitude in range(-180, 181, 60):
        axes.plot(*project(longitude * ends, 90 * steps), color=LINES, linewidth=0.5, zorder=0)


def _note(
    figure: Figure,
    placed: Sequence[Mapping[str, Any]],
    without: int,
    unknown: Sequence[str],
    too_small: Sequence[str],
    *,
    colored: bool,
) -> None:
    """Write below the map how many sites it shows, and what it could not show."""
    lines = []
    if placed:
        total = sum(site["specimens"] for site in placed)
        lines.append(f"{len(placed):,} site{'s' * (len(placed) != 1)} with {total:,} specimens")
    if without:
        lines.append(f"{without:,} without coordinates on earth")
    parts = ["; ".join(lines)] if lines else [] if colored else ["No place is known"]
    if too_small:
        parts.append("Too small for this map: " + ", ".join(plain(name, 60) for name in too_small))
    if unknown:
        parts.append("No map knows: " + ", ".join(plain(name, 60) for name in unknown))
    wrapped = [line for part in parts for line in textwrap.wrap(part, int(WIDTH * LETTERS_PER_INCH * 1.35))]
    if wrapped:
        figure.supxlabel("\n".join([*wrapped, "Outlines: Natural Earth"]), x=0.01, ha="left", fontsize=8, color=GREY)
