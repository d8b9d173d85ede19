"""Profiles: what tells a barcode from others, in few numbers, for an encoder's mean to tell.

A profile holds the principal components of how a barcode, put in its place in the marker's region (`dna.Region`),
departs from what is common at each place. It needs no labels. Two barcodes have similar profiles where they share what
is rare.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..dna import MAX_NUCLEOTIDES, STANDARD, Region
from ..dna.region import CODON
from .masking import PROFILE, Integers, Windows, draw
from .tables import BarcodeTable, TableError


Floats = npt.NDArray[np.float32]
Halves = npt.NDArray[np.float16]

SAMPLE = 20_000
"""Barcodes that the region and the components are computed from, at most."""

WHITENING = 0.2
"""Components are divided by their variance to this power: by a half they would all weigh alike."""

FREE_WEIGHT = 0.5
"""What third bases of codons weigh, which change most freely; the others weigh 1."""

_BASES = 4
_MORE, _TURNS = 64, 4
"""Further components, and turns, of the randomised method (Halko, Martinsson and Tropp 2011, arXiv 0909.4061)."""

_ROWS = 1_000


@dataclass(frozen=True)
class Profiles:
    """How profiles are made.

    Args:
        region: where barcodes lie, and what is common at each place.
        mean: of the departures, shape (places * 4,).
        axes: principal axes, each divided by a power of its variance; shape (places * 4, size).

    Examples:
        >>> codes = np.random.default_rng(0).integers(0, 4, (50, 90), np.uint8)
        >>> Profiles.fit([codes], size=8).of(codes).shape
        (50, 8)
    """

    region: Region
    mean: Floats
    axes: Floats

    @classmethod
    def fit(cls, blocks: Iterable[npt.NDArray[np.integer]], size: int) -> Profiles:
        """Learn the region, and compute the principal axes.

        Args:
            blocks: bases of barcodes, each of shape (m, length), see `bases`.
            size: numbers in a profile.

        Raises:
            TableError: fewer barcodes than numbers, or more numbers than departures.
        """
        given = list(blocks)
        barcodes = sum(map(len, given))
        if barcodes <= size:
            raise TableError(
                f"{barcodes} barcodes have no profiles of {size} numbers: give more, or a smaller hidden_size"
            )
        region = Region.fit(given)
        most = len(region) * _BASES
        if size > most:
            raise TableError(f"a profile has at most {most} numbers, not {size}: use a smaller hidden_size")
        found = torch.from_numpy(np.concatenate([departures(region, codes) for codes in given]))
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, deviations, axes = torch.pca_lowrank(found, min(size + _MORE, barcodes, most), niter=_TURNS)
        variances, axes = deviations[:size] ** 2 / barcodes, axes[:, :size]
        axes = axes / variances.clamp(min=1e-12) ** WHITENING
        return cls(region, found.mean(0).numpy(), axes.numpy())

    def of(self, codes: npt.NDArray[np.integer]) -> Floats:
        """Give the profiles of barcodes, float32 of shape (n, size), each of length 1.

        Args:
            codes: their bases, shape (n, length).
        """
        return _unit((departures(self.region, codes) - self.mean) @ self.axes)


def departures(region: Region, codes: npt.NDArray[np.integer]) -> Floats:
    """Tell how each barcode departs from what is common at each place of the region, float32 of shape (n, places * 4).

    At a place where it has a base: 1 for this base and 0 for the others, less the share that each has there; elsewhere
    zeros. Rows have length 1, or are zeros.

    Args:
        region: of the marker.
        codes: bases, shape (n, length).
    """
    weight = np.ones((len(region), 1), np.float32)
    weight[region.free_phase :: CODON] = FREE_WEIGHT**0.5
    placed = region.place(codes)
    known = (placed < _BASES)[:, :, None]
    found = (placed[:, :, None] == np.arange(_BASES)) - region.share * known
    return _unit((found * weight).reshape(len(codes), -1).astype(np.float32))


def profiles_of(table: BarcodeTable, size: int, seed: int, file: Path) -> Halves:
    """Compute the profiles of a table's barcodes, or open what an earlier call wrote.

    Args:
        table: the barcodes.
        size: numbers in a profile.
        seed: which barcodes region and components are computed from where there are more than `SAMPLE`.
        file: `.npy`, written beside and renamed.

    Returns:
        float16 of shape (n, size), memory-mapped.

    Raises:
        TableError: fewer barcodes than numbers.
    """
    if not file.exists():
        order = np.argsort(draw(seed, PROFILE, 0, np.arange(len(table))), kind="stable")
        made = Profiles.fit((bases(table, part) for part in _parts(np.sort(order[:SAMPLE]))), size)
        file.parent.mkdir(parents=True, exist_ok=True)
        beside = file.with_name(f".{file.name}.{os.getpid()}")
        written = np.lib.format.open_memmap(beside, "w+", np.float16, (len(table), size))
        for part in _parts(np.arange(len(table))):
            written[part] = made.of(bases(table, part))
        written.flush()
        beside.replace(file)
    opened: Halves = np.load(file, mmap_mode="r")
    return opened


def bases(table: BarcodeTable, rows: Integers) -> Integers:
    """Give the bases of barcodes, negative where there is none.

    Args:
        table: the barcodes.
        rows: shape (n,).

    Returns:
        Shape (n, longest), of each barcode the first `MAX_NUCLEOTIDES` at most.
    """
    whole = Windows(np.zeros(len(rows), np.int64), np.minimum(table.lengths[rows], MAX_NUCLEOTIDES))
    return table.ids(rows, whole, 1, STANDARD.name) - STANDARD.first


def _parts(rows: Integers) -> list[Integers]:
    return [rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS)]


def _unit(vectors: Floats) -> Floats:
    unit: Floats = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)
    return unit.astype(np.float32, copy=False)
