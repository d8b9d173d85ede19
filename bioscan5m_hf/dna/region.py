"""A marker's region: how often each base stands at each of its places, and where a barcode lies in it.

COI codes for a protein and has hardly any insertions, so that a shift puts a barcode in its place.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .words import NO_BASE


CODON = 3
_BASES = 4
_UNSEEN = 0.01
"""Share of a base that was never seen at a place."""

_TURNS = 2
_ROWS = 1_000


@dataclass(frozen=True)
class Region:
    """How often each base stands at each place of a marker's region.

    Args:
        share: A, C, G and T of each place, shape (length, 4); rows sum to 1.
        background: A, C, G and T of all places, shape (4,).

    Examples:
        >>> codes = np.array([[0, 1, 2, 3, 0, 0]] * 3 + [[2, 3, 0, 0, 4, 4]], np.uint8)
        >>> region = Region.fit([codes])
        >>> region.shifts(codes).tolist(), region.place(codes)[-1].tolist()
        ([0, 0, 0, 2], [4, 4, 2, 3, 0, 0])
    """

    share: NDArray[np.float32]
    background: NDArray[np.float32]

    @classmethod
    def fit(cls, blocks: Sequence[NDArray[np.integer]]) -> Region:
        """Learn the region from barcodes: first from those of the commonest length, then from all, each in its place.

        Args:
            blocks: bases 0 to 3, anything else is none; each of shape (m, longest of its barcodes).

        Raises:
            ValueError: no barcode holds a base.
        """
        lengths = np.concatenate([_lengths(codes) for codes in blocks] or [np.empty(0, np.int64)])
        if not lengths.any():
            raise ValueError("a region cannot be learnt: no barcode holds a base")
        length = int(np.bincount(lengths[lengths > 0]).argmax())
        alike = [codes[_lengths(codes) == length, :length] for codes in blocks]
        region = cls._of([codes for codes in alike if codes.size], length)
        for _ in range(_TURNS):
            region = cls._of([region.place(codes) for codes in blocks], length)
        return region

    @classmethod
    def _of(cls, placed: Sequence[NDArray[np.integer]], length: int) -> Region:
        counts = np.zeros((length, _BASES))
        for codes in placed:
            for base in range(_BASES):
                counts[:, base] += (codes == base).sum(axis=0)
        background = (counts.sum(axis=0) + 1) / (counts.sum() + _BASES)
        share = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1) + _UNSEEN
        share /= share.sum(axis=1, keepdims=True)
        return cls(share.astype(np.float32), background.astype(np.float32))

    def __len__(self) -> int:
        return len(self.share)

    @property
    def free_phase(self) -> int:
        """Which of each three places changes most freely: where third bases of codons stand, 0, 1 or 2."""
        entropy = -(self.share * np.log(self.share)).sum(axis=1)
        return int(np.argmax([entropy[phase::CODON].mean() if phase < len(self) else 0 for phase in range(CODON)]))

    def shifts(self, codes: NDArray[np.integer]) -> NDArray[np.int64]:
        """Find at which place of the region each barcode begins, int64 of shape (n,); negative if it begins before it.

        It is the shift with the greatest sum of log-odds of the barcode's bases against the background.

        Args:
            codes: bases 0 to 3, anything else is none; shape (n, longest).
        """
        longest, length = codes.shape[1], len(self)
        found = np.zeros(len(codes), np.int64)
        if not codes.size:
            return found
        odds = np.log(self.share / self.background)
        size = _smooth(longest + length)
        turned = np.fft.rfft(odds, size, axis=0)
        places = np.concatenate([np.arange(length), np.arange(1 - longest, 0)])
        for start in range(0, len(codes), _ROWS):
            block = codes[start : start + _ROWS]
            sums = sum(
                np.fft.rfft(block == base, size, axis=1).conj() * turned[None, :, base] for base in range(_BASES)
            )
            scores = np.fft.irfft(sums, size, axis=1)[:, places]
            found[start : start + _ROWS] = places[scores.round(6).argmax(axis=1)]
        return found

    def place(self, codes: NDArray[np.integer]) -> NDArray[np.uint8]:
        """Put barcodes in their places.

        Args:
            codes: bases 0 to 3, anything else is none; shape (n, longest).

        Returns:
            Shape (n, length of the region), `NO_BASE` where the barcode has no base; what lies outside is cut off.
        """
        placed = np.full((len(codes), len(self)), NO_BASE, np.uint8)
        shifts = self.shifts(codes)
        for shift in np.unique(shifts).tolist():
            rows = np.flatnonzero(shifts == shift)
            first, stop = max(shift, 0), min(shift + codes.shape[1], len(self))
            part = codes[rows, first - shift : stop - shift]
            placed[rows, first:stop] = np.where((part >= 0) & (part < NO_BASE), part, NO_BASE)
        return placed


def _lengths(codes: NDArray[np.integer]) -> NDArray[np.int64]:
    """Give one past the last base of each row."""
    known = (codes >= 0) & (codes < NO_BASE)
    return np.where(known.any(axis=1), codes.shape[1] - known[:, ::-1].argmax(axis=1), 0)


def _smooth(least: int) -> int:
    """Give a size that Fourier transforms are fast at: the next product of 2, 3 and 5."""
    size = least
    while True:
        rest = size
        for factor in (2, 3, 5):
            while rest % factor == 0:
                rest //= factor
        if rest == 1:
            return size
        size += 1
