"""Which strand and which frame of barcodes are read: few stop codons, and codons as they are in COI."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .arrays import Bytes, Ends, content, one_byte_each
from .letters import BASES, IUPAC


STOP_CODONS = ("TAA", "TAG")
"""Stops of the invertebrate mitochondrial code, in which TGA is tryptophan and AGA and AGG are serine.

NCBI genetic code 5, https://www.ncbi.nlm.nih.gov/Taxonomy/Utils/wprintgc.cgi#SG5.
"""

COMPOSITION = np.array([[0.307, 0.152, 0.264, 0.277], [0.141, 0.253, 0.164, 0.442], [0.449, 0.082, 0.031, 0.438]])
"""Shares of A, C, G, T at the first, second and third position of a codon of COI, on the strand that codes.

Counted in 32,883 different public barcodes of arthropods that have exactly one frame without a stop.
"""

SURE = 3.0
"""Difference in log likelihood (factor 20) between strands with equally many stops from which one is named."""

PROTEIN_LETTERS = "EFILPQ"
"""One-letter codes of amino acids that are no codes of nucleotides."""

N, CODE, AMINO_ACID, FOREIGN = range(4, 8)
CLASSES = 8
"""Classes of letters: the bases 0 to 3, N, other codes of nucleotides, codes of amino acids only, all else."""


class Letters(NamedTuple):
    """Letters of m barcodes, one after the other.

    Args:
        classes: of each letter: 0 to 3 for A, C, G, T, or `N` to `FOREIGN`.
        rows: the barcode of each letter.
        places: the place of each letter in its barcode.
        lengths: letters of each barcode.
    """

    classes: Bytes
    rows: Ends
    places: Ends
    lengths: Ends

    @classmethod
    def of(cls, chunk: pa.Array) -> Letters:
        """Take the letters of a `large_string` array."""
        data, ends = content(chunk)
        data, ends = one_byte_each(data[ends[0] : ends[-1]], ends - ends[0])
        lengths = np.diff(ends)
        rows = np.repeat(np.arange(len(lengths)), lengths)
        return cls(CLASS_OF[data], rows, np.arange(len(data)) - ends[rows], lengths)

    def counts(self) -> Ends:
        """Count classes of letters: (m, place modulo 3, class)."""
        keys = (self.rows * 3 + self.places % 3) * CLASSES + self.classes
        return np.bincount(keys, minlength=len(self.lengths) * 3 * CLASSES).reshape(-1, 3, CLASSES)

    def stops(self) -> Ends:
        """Count stop codons: (m, strand, frame on that strand)."""
        codons = self.classes[:-2] * np.uint16(CLASSES**2) + self.classes[1:-1] * np.uint16(CLASSES) + self.classes[2:]
        inside = self.rows[2:] == self.rows[:-2]
        counts = []
        for strand, stops in enumerate(STOPS):
            at = np.flatnonzero(stops[codons] & inside)
            rows, places = self.rows[at], self.places[at]
            frames = (self.lengths[rows] - 3 - places if strand else places) % 3
            counts.append(np.bincount(rows * 3 + frames, minlength=len(self.lengths) * 3).reshape(-1, 3))
        return np.stack(counts, 1)


class Reading(NamedTuple):
    """How m barcodes are read best.

    Args:
        reverse: whether the other strand fits better.
        sure: whether one strand fits clearly better.
        frame: on the strand that fits better.
        stops: stop codons in that frame.
    """

    reverse: NDArray[np.bool_]
    sure: NDArray[np.bool_]
    frame: Ends
    stops: Ends

    @classmethod
    def of(cls, letters: Letters, counts: Ends) -> Reading:
        """Choose strand and frame: fewest stop codons, then the likeliest composition of codons."""
        stops = letters.stops()  # (m, strand, frame)
        bases = counts[..., : len(BASES)].astype(np.float64)
        likelihood = np.stack(
            [
                np.einsum("mpb,fpb->mf", bases, LOG_SHARES),
                np.einsum("mpb,mfpb->mf", bases, LOG_SHARES_OF_THE_OTHER_STRAND[letters.lengths % 3]),
            ],
            1,
        )
        fewest = stops.min(2)
        likelihood[stops > fewest[..., None]] = -np.inf
        best = likelihood.max(2)
        equal = fewest[:, 0] == fewest[:, 1]
        reverse = np.where(equal, best[:, 1] > best[:, 0], fewest[:, 1] < fewest[:, 0])
        sure = ~equal | (np.abs(best[:, 1] - best[:, 0]) >= SURE)
        chosen = np.arange(len(stops)), reverse.astype(np.int64)
        return cls(reverse, sure, likelihood[chosen].argmax(1), fewest[chosen])


def _class_of_each_byte() -> Bytes:
    classes = np.full(256, FOREIGN, np.uint8)
    single = zip(BASES, range(len(BASES)), strict=True)
    for letters, number in ((IUPAC, CODE), (PROTEIN_LETTERS, AMINO_ACID), ("N", N), *single):
        classes[[ord(letter) for letter in letters]] = number
    return classes


def _are_stops(*, reverse: bool) -> NDArray[np.bool_]:
    """Tell of each three classes whether they are a stop codon, or one of the other strand."""
    stops = np.zeros((CLASSES, CLASSES, CLASSES), bool)
    for codon in STOP_CODONS:
        bases = [BASES.index(base) for base in codon]
        stops[tuple(3 - base for base in bases[::-1]) if reverse else tuple(bases)] = True
    return stops.ravel()


def _log_shares() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Give the logarithm of the share of a base at a place modulo 3, if the frame is this one.

    Returns:
        (frame, place, base) for the strand as it is, and (length modulo 3, frame, place, base) for the other one, on
        which the distance from the end counts, and the complement of base b is 3 - b.
    """
    shares, three = np.log(COMPOSITION), np.arange(3)
    frames = (three - three[:, None]) % 3
    other = (three[:, None, None] - 1 - three - three[:, None]) % 3
    return shares[frames], shares[:, ::-1][other]


CLASS_OF = _class_of_each_byte()
STOPS = _are_stops(reverse=False), _are_stops(reverse=True)
LOG_SHARES, LOG_SHARES_OF_THE_OTHER_STRAND = _log_shares()
