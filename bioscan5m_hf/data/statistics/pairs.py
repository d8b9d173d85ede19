"""Distances of pairs of barcodes in a common frame: p-distance and Kimura's two-parameter distance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ...dna.words import NO_BASE
from .frame import Bases


OVERLAP = 300
"""Bases that two barcodes must share: fewer say little, and most of a barcode of 658 is expected."""

Numbers = npt.NDArray[np.float32]


class Compared(NamedTuple):
    """What was counted for each pair of a left and a right barcode.

    Args:
        overlap: places where both have a base, float32 of shape (left, right).
        different: those of them where the bases differ.
        transversions: those of them where one is a purine and the other a pyrimidine.
    """

    overlap: Numbers
    different: Numbers
    transversions: Numbers

    def p_distance(self) -> Numbers:
        """Give the share of different bases; NaN where fewer than 300 overlap."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.where(self.overlap >= OVERLAP, self.different / self.overlap, np.float32(np.nan))

    def k2p(self) -> Numbers:
        """Give Kimura's distance (1980, doi:10.1007/BF01731581); NaN where fewer than 300 overlap or it is infinite.

        It is −½·ln((1 − 2P − Q)·√(1 − 2Q)), where P and Q are the shares of transitions and transversions.
        """
        with np.errstate(invalid="ignore", divide="ignore"):
            transversions = self.transversions / self.overlap
            transitions = (self.different - self.transversions) / self.overlap
            first, second = 1 - 2 * transitions - transversions, 1 - 2 * transversions
            distance = -0.5 * np.log(first) - 0.25 * np.log(second)
            usable = (self.overlap >= OVERLAP) & (first > 0) & (second > 0)
            return np.where(usable, np.maximum(distance, 0), np.float32(np.nan)).astype(np.float32)


class Marks(NamedTuple):
    """Barcodes as what matrix products need.

    Args:
        bases: a 1 for each base at each place, float32 of shape (barcodes, 4 × places).
        classes: a 1 for a purine or a pyrimidine at each place, float32 of shape (barcodes, 2 × places).
        known: a 1 where there is a base, float32 of shape (barcodes, places).
    """

    bases: Numbers
    classes: Numbers
    known: Numbers

    @classmethod
    def of(cls, rows: Bases) -> Marks:
        """Mark placed barcodes.

        Args:
            rows: shape (barcodes, places).
        """
        bases = np.concatenate([rows == base for base in range(NO_BASE)], axis=1, dtype=np.float32)
        purine = (rows == 0) | (rows == 2)
        pyrimidine = (rows == 1) | (rows == 3)
        classes = np.concatenate([purine, pyrimidine], axis=1, dtype=np.float32)
        return cls(bases, classes, (rows != NO_BASE).astype(np.float32))

    def part(self, rows: slice) -> Marks:
        """Give some of the barcodes."""
        return Marks(self.bases[rows], self.classes[rows], self.known[rows])


def p_distances(left: Marks, right: Marks) -> Numbers:
    """Give the p-distances of all pairs of a left and a right barcode; NaN where fewer than 300 bases overlap.

    Args:
        left: shape (left, …).
        right: shape (right, …).
    """
    overlap = left.known @ right.known.T
    return Compared(overlap, overlap - left.bases @ right.bases.T, overlap).p_distance()


def compare(left: Marks, right: Marks) -> Compared:
    """Count overlaps and differences of all pairs of a left and a right barcode, exactly: counts fit in float32.

    Args:
        left: shape (left, …).
        right: shape (right, …).

    Examples:
        >>> rows = np.array([[0, 1, 2, 3], [0, 3, 1, 4]], np.uint8)
        >>> found = compare(Marks.of(rows), Marks.of(rows))
        >>> found.overlap[0, 1].item(), found.different[0, 1].item(), found.transversions[0, 1].item()
        (3.0, 2.0, 1.0)
    """
    overlap = left.known @ right.known.T
    return Compared(overlap, overlap - left.bases @ right.bases.T, overlap - left.classes @ right.classes.T)
