"""Barcodes by what they hold at each place of the marker's region: vectors without a model, to measure encoders by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..dna import Region, base_codes
from ..dna.arrays import Barcodes
from ..dna.region import CODON
from .fusion import unit


Floats = npt.NDArray[np.float32]

WHITENING = 0.2
"""Components are divided by their variance to this power: by a half they would all weigh alike."""

FREE_WEIGHT = 0.5
"""What third bases of codons weigh, which change most freely; the others weigh 1."""

_BASES = 4
_MORE, _TURNS = 64, 4
"""Further components, and turns, of the randomised method (Halko, Martinsson and Tropp 2011, arXiv 0909.4061)."""


@dataclass(frozen=True)
class Places:
    """Principal components of how barcodes depart from what is common at each place.

    Weights and whitening were chosen among four and four by the genus of left-out species, on specimens of `val`,
    `val_unseen`, `key_unseen` and `train` of public barcodes.

    Args:
        region: where barcodes lie, and what is common at each place.
        mean: of the departures, shape (places * 4,).
        axes: principal axes, each divided by a power of its variance; shape (places * 4, size).

    Examples:
        >>> barcodes = ["".join(row) for row in np.random.default_rng(0).choice(list("ACGT"), (50, 90))]
        >>> Places.fit(barcodes, size=8).embed(barcodes).shape
        (50, 8)
    """

    region: Region
    mean: Floats
    axes: Floats

    @classmethod
    def fit(cls, barcodes: Barcodes, size: int) -> Places:
        """Learn the region, and compute the principal axes; no labels are needed.

        Args:
            barcodes: n strings; at 10 kB each in memory, some ten thousand are enough.
            size: numbers in a vector.

        Raises:
            ValueError: not more barcodes than numbers, more numbers than departures, or no base at all.
        """
        import torch

        codes = base_codes(barcodes)
        region = Region.fit([codes])
        most = min(len(codes) - 1, len(region) * _BASES)
        if not 1 <= size <= most:
            raise ValueError(f"{len(codes)} barcodes of {len(region)} places give 1 to {most} numbers, not {size}")
        found = torch.from_numpy(departures(region, codes))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            rank = min(size + _MORE, len(codes), len(region) * _BASES)
            _, deviations, axes = torch.pca_lowrank(found, rank, niter=_TURNS)
        variances = (deviations[:size] ** 2 / len(codes)).clamp(min=1e-12)
        return cls(region, found.mean(0).numpy(), (axes[:, :size] / variances**WHITENING).numpy())

    def embed(self, barcodes: Barcodes | Sequence[str]) -> Floats:
        """Give the vectors of barcodes, float32 of shape (n, size), each of length 1.

        Args:
            barcodes: n strings.
        """
        return unit((departures(self.region, base_codes(barcodes)) - self.mean) @ self.axes)


def departures(region: Region, codes: npt.NDArray[np.integer]) -> Floats:
    """Tell how each barcode departs from what is common at each place of the region, float32 of shape (n, places * 4).

    At a place where it has a base: 1 for this base and 0 for the others, less the share that each has there; elsewhere
    zeros. Rows have length 1, or are zeros.

    Args:
        region: of the marker.
        codes: bases, shape (n, length), see `dna.base_codes`.
    """
    weight = np.ones((len(region), 1), np.float32)
    weight[region.free_phase :: CODON] = FREE_WEIGHT**0.5
    placed = region.place(codes)
    known = (placed < _BASES)[:, :, None]
    found = (placed[:, :, None] == np.arange(_BASES)) - region.share * known
    return unit((found * weight).reshape(len(codes), -1).astype(np.float32))
