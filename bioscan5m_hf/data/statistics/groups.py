"""Counting rows by several codes at once."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from .scan import Codes


def combinations(columns: Sequence[Codes]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int64]]:
    """Count the rows of each combination of codes; -1 is a value like any other.

    Args:
        columns: codes of the same rows, each of shape (rows,).

    Returns:
        The combinations in their order, shape (combinations, columns), and their rows, shape (combinations,).

    Raises:
        ValueError: more combinations are possible than 64 bits tell apart.

    Examples:
        >>> codes, rows = combinations([np.array([0, 0, -1, 0], np.int32), np.array([1, 1, 0, 0], np.int32)])
        >>> codes.tolist(), rows.tolist()
        ([[-1, 0], [0, 0], [0, 1]], [1, 1, 2])
    """
    sizes = [int(column.max(initial=-1)) + 2 for column in columns]
    possible = 1
    for size in sizes:
        possible *= size
    if possible >= 2**63:
        raise ValueError(f"{possible} combinations of {sizes} values are too many to count together")
    mixed = np.zeros(len(columns[0]), np.int64)
    for column, size in zip(columns, sizes, strict=True):
        mixed *= size
        mixed += column
        mixed += 1
    if possible <= max(1024, len(mixed)):
        every = np.bincount(mixed, minlength=possible)
        found = np.flatnonzero(every)
        rows = every[found]
    else:
        mixed.sort()
        first = np.flatnonzero(np.concatenate([[True], mixed[1:] != mixed[:-1]])) if len(mixed) else mixed
        found, rows = mixed[first], np.diff(first, append=len(mixed))
    codes = np.empty((len(found), len(columns)), np.int32)
    for place in range(len(columns) - 1, -1, -1):
        found, codes[:, place] = np.divmod(found, sizes[place])
    return codes - np.int32(1), rows.astype(np.int64)


def counted(codes: Codes, size: int) -> npt.NDArray[np.int64]:
    """Count the rows of each code; those without one are left out.

    Args:
        codes: shape (rows,).
        size: number of different codes.

    Examples:
        >>> counted(np.array([0, -1, 1, 1], np.int32), 2).tolist()
        [1, 2]
    """
    return np.bincount(codes + 1, minlength=size + 1)[1:]


def how_many(groups: Codes, values: Codes, size: int) -> npt.NDArray[np.int64]:
    """Count the different values of each group.

    Args:
        groups: group of each row; -1 for none.
        values: value of each row; -1 for none.
        size: number of groups.

    Examples:
        >>> how_many(np.array([0, 0, 1], np.int32), np.array([3, 3, -1], np.int32), 2).tolist()
        [1, 0]
    """
    pairs, _ = combinations([groups, values])
    both = pairs[(pairs >= 0).all(axis=1)]
    return np.bincount(both[:, 0], minlength=size)
