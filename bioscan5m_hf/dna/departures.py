"""Departures: how barcodes differ, place by place, from what is common; vectors that need neither model nor labels."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .region import CODON, Region


Floats = NDArray[np.float32]

WHITENING = 0.2
"""Components are divided by their variance to this power: by a half they would all weigh alike."""

FREE_WEIGHT = 0.5
"""What third bases of codons weigh, which change most freely; the others weigh 1."""

_BASES = 4
_ROWS = 1_000
_LEAST = 1e-12


@dataclass(frozen=True)
class Departures:
    """Principal components of how barcodes depart from what is common at each place of the marker's region.

    Two barcodes have similar vectors where they share what is rare. Weights and whitening were chosen among four and
    four by the genus of left-out species, on specimens of `val`, `val_unseen`, `key_unseen` and `train` of public
    barcodes.

    Args:
        region: where barcodes lie, and what is common at each place.
        mean: of the departures, shape (places * 4,).
        axes: principal axes, each divided by a power of its variance; shape (places * 4, size).

    Examples:
        >>> codes = np.random.default_rng(0).integers(0, 4, (50, 90), np.uint8)
        >>> Departures.fit([codes], size=8).of(codes).shape
        (50, 8)
    """

    region: Region
    mean: Floats
    axes: Floats

    @classmethod
    def fit(cls, blocks: Iterable[NDArray[np.integer]], size: int) -> Departures:
        """Learn the region, and compute the principal axes.

        Args:
            blocks: bases of barcodes, each of shape (m, longest), see `base_codes`.
            size: numbers in a vector.

        Raises:
            ValueError: not more barcodes than numbers, more numbers than departures, or no base at all.
        """
        given = list(blocks)
        barcodes = sum(map(len, given))
        region = Region.fit(given)
        most = min(barcodes - 1, len(region) * _BASES)
        if not 1 <= size <= most:
            raise ValueError(f"{barcodes} barcodes of {len(region)} places give 1 to {most} numbers, not {size}")
        mean, products = np.zeros(len(region) * _BASES), np.zeros((len(region) * _BASES,) * 2)
        for codes in given:
            for start in range(0, len(codes), _ROWS):
                found = departures(region, codes[start : start + _ROWS])
                mean += found.sum(axis=0, dtype=np.float64) / barcodes
                products += found.T @ found / barcodes
        variances, axes = np.linalg.eigh(products - np.outer(mean, mean))
        variances, axes = variances[: -size - 1 : -1].clip(min=_LEAST), axes[:, : -size - 1 : -1]
        axes = axes * np.sign(axes[np.abs(axes).argmax(axis=0), np.arange(size)])
        return cls(region, mean.astype(np.float32), (axes / variances**WHITENING).astype(np.float32))

    def of(self, codes: NDArray[np.integer]) -> Floats:
        """Give the vectors of barcodes, float32 of shape (n, size), each of length 1.

        Args:
            codes: their bases, shape (n, longest).
        """
        vectors = np.empty((len(codes), self.axes.shape[1]), np.float32)
        for start in range(0, len(codes), _ROWS):
            block = departures(self.region, codes[start : start + _ROWS])
            vectors[start : start + _ROWS] = _unit((block - self.mean) @ self.axes)
        return vectors


def departures(region: Region, codes: NDArray[np.integer]) -> Floats:
    """Tell how each barcode departs from what is common at each place of the region, float32 of shape (n, places * 4).

    At a place where it has a base: 1 for this base and 0 for the others, less the share that each has there; elsewhere
    zeros. Rows have length 1, or are zeros.

    Args:
        region: of the marker.
        codes: bases, shape (n, longest), see `base_codes`.
    """
    weight = np.ones((len(region), 1), np.float32)
    weight[region.free_phase :: CODON] = FREE_WEIGHT**0.5
    placed = region.place(codes)
    known = (placed < _BASES)[:, :, None]
    found = (placed[:, :, None] == np.arange(_BASES)) - region.share * known
    return _unit((found * weight).reshape(len(codes), -1).astype(np.float32))


def _unit(vectors: NDArray[np.floating]) -> Floats:
    unit: Floats = (vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), _LEAST)).astype(np.float32)
    return unit
