"""Profiles: what tells each barcode of a table from the others, in few numbers, for an encoder's mean to tell."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..dna import MAX_NUCLEOTIDES, STANDARD, Departures
from .masking import PROFILE, Integers, Windows, draw
from .tables import BarcodeTable, TableError


Halves = npt.NDArray[np.float16]

SAMPLE = 20_000
"""Barcodes that region and components are computed from, at most."""

_ROWS = 1_000


def profiles_of(table: BarcodeTable, size: int, seed: int, file: Path) -> Halves:
    """Compute the departures of a table's barcodes (`dna.Departures`), or open what an earlier call wrote.

    Args:
        table: the barcodes; no labels are needed.
        size: numbers in a profile.
        seed: which barcodes region and components are computed from where there are more than `SAMPLE`.
        file: `.npy`, written beside and renamed.

    Returns:
        float16 of shape (n, size), memory-mapped.

    Raises:
        TableError: too few barcodes for so many numbers, or too short ones.
    """
    if not file.exists():
        order = np.argsort(draw(seed, PROFILE, 0, np.arange(len(table))), kind="stable")
        try:
            made = Departures.fit((bases(table, part) for part in _parts(np.sort(order[:SAMPLE]))), size)
        except ValueError as error:
            raise TableError(f"profiles: {error}: give more barcodes, or a smaller hidden_size") from error
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
