"""Where the specimen is in a photograph of a dish, found without any weights: what is darker or warmer than it.

Dishes are grey and their reflections broad; specimens are small, dark or of a warm colour. Constants were chosen on
half of 260 photographs on which the authors' own tool had failed, and measured on the other half
(`benchmarks/real_photographs`).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


EMPTY = 0.5
"""Score below which a dish is taken for empty."""

WIDE = 320
"""Pixels of the width at which photographs are looked at."""

DARK_WITHIN = 18
"""Pixels around a dark place within which its ground is looked for."""

GROUND = 31
"""Quarters of pixels: side of the window over which the ground's colour is the median."""

DARK, WARM = 0.7, 6.0
"""How much a step in L* counts, and one in a* or b*."""

LIGHTER, COLOURED = 4.0, 1.0
"""Steps that are noise."""

STRONG, WEAK = 35.0, 9.0
"""A specimen has a place that differs so much, and reaches as far as all that differs so much."""

JOINED = 2
"""Gaps of so many pixels are closed: legs."""

WALL, IN_WALL = 0.97, 0.25
"""From so far out, in half widths, the wall of a dish may be seen, and counts so much."""

CENTRAL = 0.3
"""How much less a place at the edge counts than one in the middle."""

THIN = 4
"""Pixels of breadth below which a place is hair or a scratch."""

HALF = 7800.0
"""Weight (step × pixels) of a place whose score is a half."""


@dataclass(frozen=True)
class Finding:
    """A specimen that was found.

    Args:
        box: left, upper, right and lower edge, pixels of the photograph.
        score: how sure that is, from 0 to 1.
    """

    box: tuple[float, float, float, float]
    score: float


def find_specimen(photograph: Image.Image) -> Finding | None:
    """Find the specimen in a photograph of a dish.

    Args:
        photograph: upright, RGB; about as wide as four thirds of its height.

    Returns:
        The box of what differs most from the ground; None where nothing does.

    Raises:
        ModuleNotFoundError: the extra `curate` is not installed.

    Examples:
        >>> dish = Image.new("RGB", (1024, 768), (200, 205, 210))
        >>> dish.paste((60, 40, 20), (400, 300, 500, 380))
        >>> [round(edge, -1) for edge in find_specimen(dish).box]
        [400.0, 300.0, 500.0, 380.0]
        >>> find_specimen(Image.new("RGB", (1024, 768), (200, 205, 210))) is None
        True
    """
    from scipy import ndimage

    scale = max(photograph.size) / WIDE
    size = (max(1, round(photograph.width / scale)), max(1, round(photograph.height / scale)))
    steps = difference(np.asarray(photograph.resize(size, Image.Resampling.BOX)))
    places, _ = ndimage.label(_places(steps), structure=np.ones((3, 3)))
    best, weight = None, 0.0
    for number, around in enumerate(ndimage.find_objects(places), 1):
        inside = places[around] == number
        found = _weight(steps[around][inside], around, steps.shape)
        if found > weight:
            best, weight = around, found
    if best is None:
        return None
    edges = (best[1].start, best[0].start, best[1].stop, best[0].stop)
    limits = (*photograph.size, *photograph.size)
    x0, y0, x1, y1 = (min(edge * scale, float(limit)) for edge, limit in zip(edges, limits, strict=True))
    return Finding((x0, y0, x1, y1), weight / (weight + HALF))


def difference(photograph: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Give how much each pixel differs from the ground around it: darker than it, or of a warmer colour.

    Args:
        photograph: RGB, shape (height, width, 3).

    Returns:
        Steps in CIELAB, weighed by `DARK` and `WARM`; shape (height, width).
    """
    from scipy import ndimage
    from skimage.color import rgb2lab

    light, red, yellow = (ndimage.gaussian_filter(one, 0.7) for one in np.moveaxis(rgb2lab(photograph), -1, 0))
    ground = ndimage.grey_closing(light, size=(2 * DARK_WITHIN + 1,) * 2)
    steps = DARK * np.maximum(0, ground - light - LIGHTER)
    for colour in (red, yellow):
        steps += WARM * np.maximum(0, colour - _median(colour) - COLOURED)
    rows, columns = np.indices(steps.shape)
    outwards = _outwards(rows, columns, steps.shape)
    faded: NDArray[np.float64] = steps * np.where(outwards > WALL, IN_WALL, 1.0)
    return faded


def _median(colour: NDArray[np.float64]) -> NDArray[np.float64]:
    from scipy import ndimage

    quarter = colour[::4, ::4]
    smooth = ndimage.median_filter(quarter, size=GROUND, mode="nearest")
    zoom = [there / here for there, here in zip(colour.shape, quarter.shape, strict=True)]
    large: NDArray[np.float64] = ndimage.zoom(smooth, zoom, order=1)
    return large


def _places(steps: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Give places that differ weakly all over and strongly somewhere, small gaps closed."""
    from scipy import ndimage
    from skimage.filters import apply_hysteresis_threshold

    places = apply_hysteresis_threshold(steps, WEAK, STRONG)
    edge = 2 * JOINED
    closed = ndimage.binary_closing(np.pad(places, edge), iterations=JOINED)[edge:-edge, edge:-edge]
    joined: NDArray[np.bool_] = closed | places
    return joined


def _weight(steps: NDArray[np.float64], around: tuple[slice, slice], shape: tuple[int, ...]) -> float:
    """Weigh a place: its steps, less at the edge of the dish, and less where it is thin."""
    rows, columns = around
    longer = max(rows.stop - rows.start, columns.stop - columns.start)
    middle = ((rows.start + rows.stop) / 2, (columns.start + columns.stop) / 2)
    central = 1 - CENTRAL * min(1.0, float(_outwards(*middle, shape)))
    weight: float = steps.sum() * central * min(1.0, len(steps) / longer / THIN)
    return weight


def _outwards(row: Any, column: Any, shape: tuple[int, ...]) -> Any:  # noqa: ANN401
    """Tell how far places are from the middle, in half widths."""
    height, width = shape[:2]
    return np.hypot((column - width / 2) / (width / 2), (row - height / 2) / (width / 2))
