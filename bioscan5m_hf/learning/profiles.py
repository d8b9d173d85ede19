"""Profiles: what a barcode is made of in few numbers, for an encoder's mean to tell.

A profile holds the principal components of a barcode's counts of spaced words (`dna.CODONS`), so it needs no labels.
Two barcodes have similar profiles where their codons begin alike, in whatever frame and wherever they start.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from ..dna import CODONS, MAX_NUCLEOTIDES, STANDARD, count_words
from .masking import PROFILE, Integers, Windows, draw
from .tables import BarcodeTable, TableError


Floats = npt.NDArray[np.float32]

SAMPLE = 20_000
"""Barcodes that the components are computed from, at most."""

WHITENING = 0.25
"""Components are divided by their variance to this power: by a half they would all weigh alike."""

_WORDS = 4 ** CODONS.count("1")
_MORE, _TURNS = 64, 4
"""Further components, and turns, of the randomised method (Halko, Martinsson and Tropp 2011, arXiv 0909.4061)."""

_ROWS = 1_000


@dataclass(frozen=True)
class Profiles:
    """How profiles are made.

    Args:
        mean: of the directions of the counts, shape (words,).
        axes: principal axes, each divided by a power of its variance; shape (words, size).

    Examples:
        >>> codes = np.random.default_rng(0).integers(0, 4, (50, 90), np.uint8)
        >>> Profiles.fit([codes], size=8).of(codes).shape
        (50, 8)
    """

    mean: Floats
    axes: Floats

    @classmethod
    def fit(cls, blocks: Iterable[npt.NDArray[np.integer]], size: int) -> Profiles:
        """Compute the principal axes.

        Args:
            blocks: bases of barcodes, each of shape (m, length), see `dna.count_words`.
            size: numbers in a profile.

        Raises:
            TableError: fewer barcodes than numbers, or more numbers than words.
        """
        directions = torch.from_numpy(np.concatenate([np.empty((0, _WORDS), np.float32), *map(_directions, blocks)]))
        barcodes = len(directions)
        if barcodes <= size:
            raise TableError(
                f"{barcodes} barcodes have no profiles of {size} numbers: give more, or a smaller hidden_size"
            )
        if size > _WORDS:
            raise TableError(f"a profile has at most {_WORDS} numbers, not {size}: use a smaller hidden_size")
        mean = directions.mean(0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            _, deviations, axes = torch.pca_lowrank(directions, min(size + _MORE, barcodes, _WORDS), niter=_TURNS)
        variances, axes = deviations[:size] ** 2 / barcodes, axes[:, :size]
        axes = axes / variances.clamp(min=1e-12) ** WHITENING
        return cls(mean.numpy(), axes.numpy())

    @classmethod
    def of_table(cls, table: BarcodeTable, size: int, seed: int, file: Path) -> Profiles:
        """Compute the principal axes from barcodes of a table, or read what an earlier call wrote.

        Args:
            table: the barcodes.
            size: numbers in a profile.
            seed: which of them are taken where there are more than `SAMPLE`.
            file: `.npz`, written beside and renamed.

        Raises:
            TableError: fewer barcodes than numbers.
        """
        if not file.exists():
            order = np.argsort(draw(seed, PROFILE, 0, np.arange(len(table))), kind="stable")
            rows = np.sort(order[:SAMPLE])
            parts = (rows[start : start + _ROWS] for start in range(0, len(rows), _ROWS))
            made = cls.fit((bases(table, part) for part in parts), size)
            file.parent.mkdir(parents=True, exist_ok=True)
            beside = file.with_name(f".{file.name}.{os.getpid()}")
            with beside.open("wb") as out:
                np.savez(out, mean=made.mean, axes=made.axes)
            beside.replace(file)
        with np.load(file) as saved:
            return cls(saved["mean"], saved["axes"])

    def of(self, codes: npt.NDArray[np.integer]) -> Floats:
        """Give the profiles of barcodes, float32 of shape (n, size).

        Args:
            codes: their bases, shape (n, length).
        """
        return ((_directions(codes) - self.mean) @ self.axes).astype(np.float32, copy=False)


def bases(table: BarcodeTable, rows: Integers) -> Integers:
    """Give the bases of barcodes as `dna.count_words` takes them, negative where there is none.

    Args:
        table: the barcodes.
        rows: shape (n,).

    Returns:
        Shape (n, longest), of each barcode the first `MAX_NUCLEOTIDES` at most.
    """
    whole = Windows(np.zeros(len(rows), np.int64), np.minimum(table.lengths[rows], MAX_NUCLEOTIDES))
    return table.ids(rows, whole, 1, STANDARD.name) - STANDARD.first


def _directions(codes: npt.NDArray[np.integer]) -> Floats:
    """Give square roots of the counts (Hellinger: frequent words weigh less), of length 1; zeros where none counts."""
    roots = np.sqrt(count_words(codes, CODONS))
    directions: Floats = roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)
    return directions
