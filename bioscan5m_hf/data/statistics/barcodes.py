"""Barcodes: lengths, letters, and how diverse they are within groups."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ...taxonomy import LABELS
from .groups import combinations
from .scan import Coded


Row = dict[str, Any]
TINY = 1e-12
"""Added to a share before its logarithm, as the barcode statistics of `bioscan-ml/BIOSCAN-5M` do."""


def lengths(coded: Coded) -> list[Row]:
    """Count the specimens whose barcode is so long, shortest first."""
    return [{"length": length, "specimens": count} for length, count in sorted(coded.lengths.items())]


def letters(coded: Coded) -> list[Row]:
    """Count the letters of all specimens' barcodes, most first."""
    total = sum(coded.letters.values())
    found = sorted(coded.letters.items(), key=lambda item: (-item[1], item[0]))
    return [{"letter": letter, "count": count, "share": count / total} for letter, count in found]


def trimmed(coded: Coded) -> list[Row]:
    """Count different barcodes as they are, without Ns at the right end, and without Ns at both ends."""
    if coded.barcodes is None or coded.stripped is None:
        return []
    counts = (coded.barcodes, *coded.stripped)
    names = ("as they are", "without N at the right end", "without N at both ends")
    return [{"compared": name, "barcodes": count} for name, count in zip(names, counts, strict=True)]


def diversity(coded: Coded) -> Iterator[Row]:
    """Tell how many different barcodes the groups of each rank have, and how evenly specimens share them.

    Rows with a name of the rank and a barcode are grouped by the name. `barcodes` are the different ones of these
    rows; mean, median and standard deviation (of the population) are those of the numbers of different barcodes of
    the groups. Shannon's index is −Σ p·log₂(p + 10⁻¹²), in bits, where p is a barcode's share of its group's rows,
    averaged over groups (barcode statistics of `bioscan-ml/BIOSCAN-5M`).

    Args:
        coded: the rows.
    """
    for rank in LABELS:
        row: Row = {"rank": rank, **dict.fromkeys(("groups", "barcodes", "mean", "median", "std", "shannon"))}
        if coded.barcode is None or rank not in coded.codes:
            yield row
            continue
        pairs, copies = combinations([coded.codes[rank], coded.barcode])
        inside = (pairs >= 0).all(axis=1)
        group, barcode, copies = pairs[inside, 0], pairs[inside, 1], copies[inside]
        size = len(coded.names[rank])
        different = np.bincount(group, minlength=size)
        present = different > 0
        row |= {"groups": int(present.sum()), "barcodes": int(np.count_nonzero(np.bincount(barcode)))}
        if len(group):
            share = copies / np.bincount(group, copies, minlength=size)[group]
            shannon = np.bincount(group, -share * np.log2(share + TINY), minlength=size)[present]
            numbers = different[present]
            row |= {
                "mean": float(numbers.mean()),
                "median": float(np.median(numbers)),
                "std": float(numbers.std()),
                "shannon": float(shannon.mean()),
            }
        yield row
