"""Intervals from drawing species again: specimens of one species are alike, so they are no independent evidence."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .labels import codes_of


Labels: TypeAlias = pa.Array | pa.ChunkedArray | npt.NDArray[np.generic] | Sequence[str | int | None]
Indices = npt.NDArray[np.intp]

PERCENTILES = (2.5, 97.5)
_DRAWN_AT_ONCE = 1 << 21


def resampled(
    right: npt.NDArray[np.bool_] | npt.NDArray[np.floating],
    species: Labels,
    group: Labels | None = None,
    *,
    repeats: int = 1000,
    seed: int = 0,
) -> tuple[float, float]:
    """Give the 95 % interval of a mean when species, not specimens, are drawn again with replacement.

    This is the bootstrap of clusters (Field and Welsh 2007, doi 10.1111/j.1467-9868.2007.00593.x) with percentiles.
    For a mean over groups, a group weighs as many times as its species were drawn, divided by their number: a species
    that is a group of its own and is drawn twice counts twice, and what is not drawn does not count.

    Args:
        right: whether each query was right, or any number about it; shape (n,).
        species: species of each query; one without a species counts as a species of its own; shape (n,).
        group: what the mean is taken over, such as the genus, for a macro average; queries without one do not count;
            shape (n,). None for a micro average.
        repeats: resamples.
        seed: what they are drawn from.

    Returns:
        The 2.5th and the 97.5th percentile.

    Raises:
        ValueError: different lengths, or nothing to draw from.

    Examples:
        >>> resampled(np.array([True, True]), ["Aus bus", "Aus cus"])
        (1.0, 1.0)
        >>> low, high = resampled(np.array([True, False, False]), ["Aus bus", "Aus cus", None], ["Aus", "Aus", "Bus"])
        >>> low, high
        (0.0, 1.0)
    """
    low, high = np.percentile(resampled_means(right, species, group, repeats=repeats, seed=seed), PERCENTILES)
    return float(low), float(high)


def resampled_means(
    right: npt.NDArray[np.bool_] | npt.NDArray[np.floating],
    species: Labels,
    group: Labels | None = None,
    *,
    repeats: int = 1000,
    seed: int = 0,
) -> npt.NDArray[np.float64]:
    """Give the means of which `resampled` takes the percentiles, shape (repeats,).

    Args:
        right: see `resampled`.
        species: likewise.
        group: likewise.
        repeats: resamples.
        seed: what they are drawn from.

    Examples:
        >>> resampled_means(np.array([True, True]), ["Aus bus", "Aus cus"], repeats=3).tolist()
        [1.0, 1.0, 1.0]
    """
    values, codes = np.asarray(right, np.float64), _species(species, len(right))
    if group is None:
        hits, counts = np.bincount(codes, weights=values), np.bincount(codes)
        means = [hits[drawn].sum(axis=1) / counts[drawn].sum(axis=1) for drawn in _draws(len(counts), repeats, seed)]
    else:
        groups = codes_of(group)
        if len(groups) != len(values):
            raise ValueError(f"{len(values)} answers and {len(groups)} groups: give one of each for every query")
        known = groups >= 0
        means = list(_means_over_groups(values[known], codes[known], groups[known], repeats, seed))
    return np.concatenate(means)


def resampled_statistic(
    species: Labels, statistic: Callable[[Indices], float], *, repeats: int = 200, seed: int = 0
) -> tuple[float, float]:
    """Do the same for a statistic that is no mean, such as an area under a curve.

    Args:
        species: species of each specimen; one without a species counts as a species of its own; shape (n,).
        statistic: gives its value for some rows, among which a row may come several times; NaN where it has none for
            these rows, which leaves the resample out.
        repeats: resamples.
        seed: what they are drawn from.

    Returns:
        The 2.5th and the 97.5th percentile.

    Raises:
        ValueError: nothing to draw from, or no resample has a value.

    Examples:
        >>> height = np.array([1.0, 1.0, 3.0])
        >>> resampled_statistic(["Aus bus", "Aus bus", "Aus cus"], lambda rows: float(np.median(height[rows])))
        (1.0, 3.0)
    """
    codes = _species(species)
    order = np.argsort(codes, kind="stable")
    counts = np.bincount(codes)
    starts = counts.cumsum() - counts
    found = [
        statistic(order[_ranges(starts[row], counts[row])])
        for drawn in _draws(len(counts), repeats, seed)
        for row in drawn
    ]
    if np.isnan(found).all():
        raise ValueError(f"the statistic has no value in any of {repeats} resamples of {len(counts)} species")
    low, high = np.nanpercentile(found, PERCENTILES)
    return float(low), float(high)


def _species(species: Labels, size: int | None = None) -> npt.NDArray[np.int64]:
    """Number the species; each missing one is another."""
    codes = codes_of(species)
    if size is not None and len(codes) != size:
        raise ValueError(f"{size} answers and {len(codes)} species: give one of each for every query")
    if not len(codes):
        raise ValueError("there is no query: species cannot be drawn again")
    missing = codes < 0
    codes[missing] = codes.max() + 1 + np.arange(missing.sum())
    return codes


def _draws(species: int, repeats: int, seed: int) -> Iterator[Indices]:
    """Draw as many species as there are, `repeats` times: blocks of shape (some, species), in bounded memory."""
    generator = np.random.default_rng(seed)
    rows = max(1, _DRAWN_AT_ONCE // species)
    for start in range(0, repeats, rows):
        yield generator.integers(species, size=(min(rows, repeats - start), species))


def _means_over_groups(
    values: npt.NDArray[np.float64],
    codes: npt.NDArray[np.int64],
    groups: npt.NDArray[np.int64],
    repeats: int,
    seed: int,
) -> Iterator[npt.NDArray[np.float64]]:
    from scipy.sparse import csr_array

    if not len(values):
        raise ValueError("no query has a group: a mean over groups cannot be taken")
    _, codes = np.unique(codes, return_inverse=True)
    _, groups = np.unique(groups, return_inverse=True)
    shape = (int(groups.max()) + 1, int(codes.max()) + 1)
    counts = csr_array((np.ones(len(values)), (groups, codes)), shape)  # repeated places are added up
    hits = csr_array((values, (groups, codes)), shape)
    present = csr_array((np.ones(counts.nnz), counts.indices, counts.indptr), shape)
    share = present / present.sum(axis=1)[:, None]
    for drawn in _draws(shape[1], repeats, seed):
        times = np.stack([np.bincount(row, minlength=shape[1]) for row in drawn], axis=1)
        weight, total = share @ times, counts @ times
        means = np.divide(hits @ times, total, out=np.zeros(total.shape), where=total > 0)
        yield (weight * means).sum(axis=0) / weight.sum(axis=0)


def _ranges(starts: Indices, lengths: Indices) -> Indices:
    """Join the ranges that start and are long as given.

    Examples:
        >>> _ranges(np.array([5, 0]), np.array([2, 3])).tolist()
        [5, 6, 0, 1, 2]
    """
    ends = lengths.cumsum()
    return np.arange(ends[-1]) + np.repeat(starts - (ends - lengths), lengths)
