"""How well clusters agree with names: mutual information corrected for chance, and its relatives.

The contingency table is kept sparse, and the mutual information expected by chance is computed once for each pair of
sizes, not for each pair of clusters, so thousands of classes take a second.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from .labels import codes_of


Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_PAIRS_AT_ONCE = 1 << 22
_ROUNDING = 1e-10


@dataclass(frozen=True)
class Agreement:
    """How well a clustering and names agree; all measures are 1 where they are the same but for the names.

    Args:
        ami: adjusted mutual information, normalised by the arithmetic mean of both entropies (Vinh et al. 2010, JMLR
            11:2837); 0 expected by chance.
        ami_min: the same, normalised by the smaller entropy, so that a clustering finer than the names loses nothing
            for it; 0 where chance alone reaches that much, as with clusters of one specimen each.
        homogeneity: share of the names' entropy that the clusters explain (Rosenberg and Hirschberg 2007, D07-1043).
        completeness: share of the clusters' entropy that the names explain.
        v_measure: the harmonic mean of the two.
        ari: adjusted Rand index (Hubert and Arabie 1985, doi:10.1007/BF01908075).
        n: specimens that counted.
        classes: different names.
        clusters: different clusters.
    """

    ami: float
    ami_min: float
    homogeneity: float
    completeness: float
    v_measure: float
    ari: float
    n: int
    classes: int
    clusters: int


def agreement(
    names: Sequence[str | int | None],
    clusters: Sequence[str | int | None],
    *,
    missing: Literal["leave_out", "class"] = "leave_out",
) -> Agreement:
    """Compare clusters with names.

    Args:
        names: true name of each specimen, None where there is none; shape (n,).
        clusters: its cluster; shape (n,).
        missing: leave specimens without a name out, or, as the published protocol did, count them as one class.

    Raises:
        ValueError: different lengths, a specimen without cluster, or nothing left to compare.

    Examples:
        >>> agreement(["a", "a", "b", "b", None], [7, 7, 3, 3, 3]).ami
        1.0
        >>> round(agreement(["a", "a", "b", "b"], [0, 1, 2, 2]).ami_min, 3)
        1.0
    """
    if missing not in ("leave_out", "class"):
        raise ValueError(f"missing is {missing!r}: use 'leave_out' or 'class'")
    if len(names) != len(clusters):
        raise ValueError(f"{len(names)} names and {len(clusters)} clusters: give one of each for every specimen")
    true, found = codes_of(names), codes_of(clusters)
    if (found < 0).any():
        raise ValueError(f"the specimen in row {int((found < 0).argmax())} has no cluster")
    if missing == "leave_out":
        found, true = found[true >= 0], true[true >= 0]
    if not len(true):
        raise ValueError("no specimen has a name: there is nothing to compare")
    return compare(true, found)


def compare(true: Integers, found: Integers) -> Agreement:
    """Compare two partitions given as whole numbers, shape (n,), n at least 1.

    Args:
        true: class of each specimen.
        found: cluster of each.

    Examples:
        >>> compare(np.array([0, 0, 1]), np.array([4, 4, 9])).ari
        1.0
    """
    total = len(true)
    row, rows = _numbered(true)
    column, columns = _numbered(found)
    _, cells = np.unique(row * len(columns) + column, return_counts=True)
    h_true, h_found = _entropy(rows), _entropy(columns)
    mutual = max(0.0, h_true + h_found - _entropy(cells))
    if len(rows) == len(columns) == len(cells):  # the same partition, also where nothing is left to be explained
        ami = ami_min = 1.0
    else:
        expected = expected_mutual_information(rows, columns)
        ami, ami_min = (_adjusted(mutual, expected, top) for top in ((h_true + h_found) / 2, min(h_true, h_found)))
    homogeneity = 1.0 if h_true == 0 else mutual / h_true
    completeness = 1.0 if h_found == 0 else mutual / h_found
    both = homogeneity + completeness
    v_measure = 0.0 if both == 0 else 2 * homogeneity * completeness / both
    ari = _rand(cells, rows, columns, total)
    return Agreement(ami, ami_min, homogeneity, completeness, v_measure, ari, total, len(rows), len(columns))


def expected_mutual_information(rows: Integers, columns: Integers) -> float:
    """Give the mutual information expected of two partitions with these sizes, in nats (Vinh et al. 2010, eq. 24a).

    Args:
        rows: sizes of the classes of one partition.
        columns: sizes of those of the other; both sum to the same.

    Examples:
        >>> round(expected_mutual_information(np.array([2, 2]), np.array([2, 2])), 4)
        0.231
    """
    total = int(rows.sum())
    steps = np.log(np.maximum(np.arange(total + 1, dtype=np.longdouble), 1))
    factorial = np.cumsum(steps).astype(np.float64)
    a, times_a = np.unique(rows, return_counts=True)
    b, times_b = np.unique(columns, return_counts=True)
    pairs_a, pairs_b = (each.ravel() for each in np.meshgrid(a, b, indexing="ij"))
    weight = np.outer(times_a, times_b).ravel().astype(np.float64)
    low = np.maximum(1, pairs_a + pairs_b - total)
    spread = np.minimum(pairs_a, pairs_b) - low + 1
    bounds = np.concatenate([[0], np.cumsum(spread)])
    expected, start = 0.0, 0
    while start < len(spread):
        stop = max(start + 1, int(np.searchsorted(bounds, bounds[start] + _PAIRS_AT_ONCE, "right")) - 1)
        part = slice(start, stop)
        pair = np.repeat(np.arange(start, stop), spread[part])
        n = low[pair] + np.arange(len(pair)) - (bounds[pair] - bounds[start])
        x, y = pairs_a[pair], pairs_b[pair]
        chance = factorial[x] + factorial[y] + factorial[total - x] + factorial[total - y] - factorial[total]
        chance -= factorial[n] + factorial[x - n] + factorial[y - n] + factorial[total - x - y + n]
        gain = n / total * (np.log(total) + np.log(n) - np.log(x) - np.log(y))
        expected += float((weight[pair] * gain * np.exp(chance)).sum())
        start = stop
    return expected


def _numbered(partition: Integers) -> tuple[Integers, Integers]:
    """Number the classes from 0; give the class of each specimen, and the sizes."""
    _, number, sizes = np.unique(partition, return_inverse=True, return_counts=True)
    return number.astype(np.int64), sizes.astype(np.int64)


def _entropy(sizes: Integers) -> float:
    shares = sizes / sizes.sum()
    return float(max(0.0, -(shares * np.log(shares)).sum()))


def _adjusted(mutual: float, expected: float, top: float) -> float:
    """Adjust for chance; 0 where chance explains all there is, such as with clusters of one specimen each."""
    left = top - expected
    return 0.0 if abs(left) < _ROUNDING else float((mutual - expected) / left)


def _rand(cells: Integers, rows: Integers, columns: Integers, total: int) -> float:
    def pairs(sizes: Integers) -> float:
        return float((sizes * (sizes - 1) // 2).sum())

    together, in_rows, in_columns = pairs(cells), pairs(rows), pairs(columns)
    all_pairs = total * (total - 1) / 2
    if in_rows == in_columns and in_rows in (0.0, all_pairs):
        return 1.0
    by_chance = in_rows * in_columns / all_pairs
    return (together - by_chance) / ((in_rows + in_columns) / 2 - by_chance)
