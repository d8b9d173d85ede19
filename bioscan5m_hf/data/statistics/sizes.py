"""Sizes of organisms: the columns of the release, and square millimetres."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from .scan import SIZES, Coded


Row = dict[str, Any]
MILLIMETRES_PER_PIXEL = 0.008296875
"""Of the 1024×768 originals: the Keyence microscope's fixed scale, as `bioscan-ml/bioscan-browser` has it."""

PIXELS, AREA = "image_measurement_value", "area_mm2"
BINS = 40
QUARTILES = (0, 25, 50, 75, 100)
_NAMES = ("minimum", "quartile_1", "median", "quartile_3", "maximum")


def sizes(coded: Coded) -> Iterator[Row]:
    """Summarise each column of sizes; quartiles are interpolated linearly, the deviation is that of the population."""
    for column, values in _columns(coded):
        if values is None or not len(values):
            yield {"column": column, "labelled": None if values is None else 0, **dict.fromkeys(_SUMMARY)}
        else:
            yield {"column": column, "labelled": len(values), **summary(values)}


def histograms(coded: Coded) -> Iterator[Row]:
    """Count the specimens in 40 intervals from the smallest to the largest value of each column.

    Intervals of areas in pixels and mm² are equally wide in their logarithm, the others in the value itself. Each
    holds its lower end, and the last one its upper end, too.
    """
    for column, values in _columns(coded):
        if values is None or not len(values):
            continue
        low, high = float(values.min()), float(values.max())
        logarithmic = column in (PIXELS, AREA) and low > 0
        edges = np.geomspace(low, high, BINS + 1) if logarithmic else np.linspace(low, high, BINS + 1)
        edges[0], edges[-1] = low, high
        edges = np.unique(edges)
        if len(edges) == 1:
            yield {"column": column, "low": low, "high": high, "specimens": len(values)}
            continue
        counts, _ = np.histogram(values, edges)
        for start, stop, count in zip(edges[:-1].tolist(), edges[1:].tolist(), counts.tolist(), strict=True):
            yield {"column": column, "low": start, "high": stop, "specimens": count}


def summary(values: npt.NDArray[np.floating]) -> dict[str, float]:
    """Summarise numbers: extremes, quartiles, mean, and standard deviation of the population.

    Args:
        values: at least one, shape (n,).

    Examples:
        >>> [round(value, 2) for value in summary(np.array([1.0, 2.0, 3.0, 4.0])).values()]
        [1.0, 1.75, 2.5, 3.25, 4.0, 2.5, 1.12]
    """
    found = dict(zip(_NAMES, np.percentile(values, QUARTILES).tolist(), strict=True))
    return found | {"mean": float(values.mean()), "std": math.sqrt(float(values.var()))}


_SUMMARY = (*_NAMES, "mean", "std")


def _columns(coded: Coded) -> Iterator[tuple[str, npt.NDArray[np.float64] | None]]:
    """Give the given values of each column; None where the dataset lacks it."""
    for column in SIZES:
        values = coded.numbers.get(column)
        given = None if values is None else values[np.isfinite(values)]
        yield column, given
        if column == PIXELS:
            yield AREA, None if given is None else given * MILLIMETRES_PER_PIXEL**2
