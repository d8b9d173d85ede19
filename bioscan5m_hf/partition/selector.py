"""Which barcodes of a species go into a split: whole barcodes, so that none is in two splits."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Share:
    """How much of a species a split takes.

    Args:
        target: rows of a species → rows that are wanted; 0 takes none.
        upper: rows of a species → rows that are never exceeded where another choice is left.
        barcodes: barcodes of a species → barcodes that are enough. One is taken even where it gives less than one.
        lower: rows below which nothing is taken.
        soft: barcodes that could not fill so many times the target, with all smaller ones, are passed over.
        large: the same, of a first barcode that is larger than what is wanted.
    """

    target: Callable[[int], float]
    upper: Callable[[int], float]
    barcodes: Callable[[int], float]
    lower: int
    soft: float
    large: float


TEST = Share(
    target=lambda rows: 0 if rows < 8 else min(math.floor(4 + (rows - 8) / 4), 25),
    upper=lambda rows: 0 if rows < 8 else math.floor(4 + (rows - 8) / 3),
    barcodes=lambda barcodes: 0 if barcodes < 3 else math.floor(1 + (barcodes - 2) / 3),
    lower=3,
    soft=1.1,
    large=1.0,
)
VAL = Share(
    target=lambda rows: 0 if rows < 20 else 0.05 * rows,
    upper=lambda rows: 0.10 * rows,
    barcodes=lambda barcodes: 0.05 * barcodes,
    lower=0,
    soft=1.1,
    large=1.1,
)
VAL_UNSEEN = Share(
    target=lambda rows: 0.20 * rows,
    upper=lambda rows: 0.40 * rows,
    barcodes=lambda barcodes: 0.20 * barcodes,
    lower=0,
    soft=1.1,
    large=1.1,
)
"""Shares of the published partition (`bioscan_split.py` of bioscan-ml/BIOSCAN-5M, 2024-05-30)."""


def choose(sizes: NDArray[np.int64], share: Share, random: np.random.Generator) -> list[int]:
    """Choose barcodes of one species.

    Args:
        sizes: rows of each barcode, ascending; shape (barcodes,).
        share: how much is wanted.
        random: is asked only where several barcodes would do.

    Returns:
        Places in `sizes` of the chosen barcodes, in the order of their choice; none where too few rows would be taken.

    Examples:
        >>> choose(np.array([1, 2, 2, 3, 4]), TEST, np.random.default_rng(1))
        [4]
    """
    rows = int(sizes.sum())
    target, upper, enough = share.target(rows), share.upper(rows), share.barcodes(len(sizes))
    if target == 0 or len(sizes) == 1:
        return []
    left, places = sizes.astype(np.int64), np.arange(len(sizes))
    chosen: list[int] = []
    taken = 0
    while len(left):
        last = len(chosen) + 1 >= enough
        at = _next(left, rows, taken, target, upper, last, share, random)
        if at is None:
            break
        chosen.append(int(places[at]))
        taken += int(left[at])
        if taken >= target or len(chosen) >= enough:
            break
        left, places = np.delete(left, at), np.delete(places, at)
    return chosen if taken >= share.lower else []


def _next(
    left: NDArray[np.int64],
    rows: int,
    taken: int,
    target: float,
    upper: float,
    last: bool,
    share: Share,
    random: np.random.Generator,
) -> int | None:
    """Give the place of the barcode to take next, or None to stop."""
    sums = np.cumsum(left)
    fits = left <= target - taken
    reaches = sums >= share.soft * target - taken
    good = np.flatnonzero(fits & reaches)
    if not len(good):
        return _where_none_is_good(left, fits, reaches, rows, taken, target, upper, share)
    if last:
        at = int(np.flatnonzero(fits)[-1])
        return at + 1 if _nearer(left, at + 1, at, taken, target) and taken + left[at + 1] <= upper else at
    start = int(len(good) / 2)  # the larger half
    return int(good[random.integers(start, len(good), size=1)[0]])


def _where_none_is_good(
    left: NDArray[np.int64],
    fits: NDArray[np.bool_],
    reaches: NDArray[np.bool_],
    rows: int,
    taken: int,
    target: float,
    upper: float,
    share: Share,
) -> int | None:
    smallest = left[0]
    if taken == 0 and not fits.any():
        return 0 if share.lower <= smallest < rows / 2 else None
    if smallest > share.large * target - taken:
        return None if smallest > (target - taken) / 2 or taken + smallest > upper else 0
    if not reaches.any():
        return None
    at = int(np.argmax(reaches))
    if taken + left[at] > upper:
        return None
    return at - 1 if at and _nearer(left, at - 1, at, taken, target) else at


def _nearer(left: NDArray[np.int64], one: int, other: int, taken: int, target: float) -> bool:
    """Tell whether one barcode comes strictly nearer to the target than the other."""
    return one < len(left) and bool(abs(taken + left[one] - target) < abs(taken + left[other] - target))
