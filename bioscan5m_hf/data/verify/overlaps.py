"""What stands in several splits: barcodes, BINs and species, counted for each pair of splits."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...splits import SPLIT_NAMES
from ..keys import Keys, equal_neighbours, order, text_keys


TOLD = 4
"""How many pairs of splits a line names."""


@dataclass(frozen=True)
class Overlap:
    """How many different values stand in each combination of splits.

    Args:
        what: what is counted, in the singular.
        masks: number of values for each set of splits; bit i of the place stands for `SPLIT_NAMES[i]`; shape (256,).
        example: a row with a value that stands in several splits, by its place among all rows; -1 if there is none.

    Examples:
        >>> overlap = shared_barcodes(np.array([[0, 1], [0, 1], [0, 2]], np.uint64), np.array([1, 7, 1], np.uint8))
        >>> str(overlap), overlap.pairs()
        ('1 of 2 barcodes in several splits: train–other_heldout 1', [('train', 'other_heldout', 1)])
    """

    what: str
    masks: npt.NDArray[np.int64]
    example: int = -1

    @property
    def distinct(self) -> int:
        """Number of different values."""
        return int(self.masks[1:].sum())

    @property
    def shared(self) -> int:
        """Number of values that stand in more than one split."""
        single = {0, *(1 << code for code in range(len(SPLIT_NAMES)))}
        return int(sum(count for mask, count in enumerate(self.masks.tolist()) if mask not in single))

    def of(self, left: int, right: int | None = None) -> int:
        """Count the values of a split, or of two splits alike, by their places in `SPLIT_NAMES`."""
        bits = 1 << left | (0 if right is None else 1 << right)
        return int(self.masks[np.arange(256) & bits == bits].sum())

    def pairs(self) -> list[tuple[str, str, int]]:
        """List the pairs of splits that share values, most first."""
        numbered = itertools.combinations(range(len(SPLIT_NAMES)), 2)
        counted = [(SPLIT_NAMES[left], SPLIT_NAMES[right], self.of(left, right)) for left, right in numbered]
        return sorted((pair for pair in counted if pair[2]), key=lambda pair: -pair[2])

    def matrix(self) -> list[str]:
        """Lay out the counts of all pairs of splits; the diagonal has the values of one split."""
        codes = [code for code in range(len(SPLIT_NAMES)) if self.of(code)]
        names = [SPLIT_NAMES[code] for code in codes]
        wide = max(map(len, names), default=0)
        cells = [[f"{self.of(left, right):,}" for right in codes] for left in codes]
        widths = [max(len(name), *(len(row[place]) for row in cells)) for place, name in enumerate(names)]
        head = "  ".join([" " * wide, *(name.rjust(width) for name, width in zip(names, widths, strict=True))])
        lines = [
            "  ".join([name.ljust(wide), *(cell.rjust(width) for cell, width in zip(row, widths, strict=True))])
            for name, row in zip(names, cells, strict=True)
        ]
        return [head, *lines]

    def __str__(self) -> str:
        plural = {"species": "species", "BIN": "BINs"}.get(self.what, f"{self.what}s")
        pairs = self.pairs()
        said = ", ".join(f"{left}–{right} {count:,}" for left, right, count in pairs[:TOLD])
        more = f" and {len(pairs) - TOLD} more pairs" if len(pairs) > TOLD else ""
        return f"{self.shared:,} of {self.distinct:,} {plural} in several splits" + (f": {said}{more}" if said else "")


def shared_barcodes(keys: Keys, codes: npt.NDArray[np.uint8]) -> Overlap:
    """Count barcodes by the set of splits they stand in.

    Args:
        keys: keys of the barcodes of all rows, shape (n, 2); the key of the empty text stands for a missing one.
        codes: split of each row as its place in `SPLIT_NAMES`, shape (n,).
    """
    given = np.flatnonzero((keys != text_keys(pa.array([""]))).any(axis=1))
    if not len(given):
        return Overlap("barcode", np.zeros(256, np.int64))
    by_key = given[order(keys[given])]
    again = np.zeros(len(by_key), bool)
    again[equal_neighbours(keys[by_key])] = True
    starts = np.flatnonzero(~again)
    sets = np.bitwise_or.reduceat(np.left_shift(np.uint8(1), codes[by_key]), starts)
    several = np.flatnonzero((sets & (sets - 1)) != 0)
    example = int(by_key[starts[several[0]]]) if len(several) else -1
    return Overlap("barcode", np.bincount(sets, minlength=256), example)


def shared_names(what: str, taxonomy: pa.Table, rank: str) -> Overlap:
    """Count the names of a rank by the set of splits they stand in; fillers are no names.

    Args:
        what: what to call them.
        taxonomy: table with the columns of `taxonomy_fields`.
        rank: the rank.

    Examples:
        >>> from bioscan5m_hf.data.schema import taxonomy_fields
        >>> shared_names("BIN", pa.schema(taxonomy_fields(SPLIT_NAMES)).empty_table(), "dna_bin").distinct
        0
    """
    names = taxonomy.filter(pc.and_(pc.equal(taxonomy["rank"], rank), pc.invert(taxonomy["filler"])))
    sets = np.zeros(len(names), np.int64)
    for code, split in enumerate(SPLIT_NAMES):
        sets |= (names[split].to_numpy() > 0).astype(np.int64) << code
    return Overlap(what, np.bincount(sets, minlength=256))
