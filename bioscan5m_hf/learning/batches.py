"""Global batches that depend on seed and epoch only, packed by length and cut evenly over processes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from .masking import BATCHES, ORDER, Framing, Integers, Truths, Windows, draw
from .tables import BarcodeTable, TableError


WINDOW = 256
"""Batches whose rows are sorted by length together: chance decides the rest of the order."""


def plan_batches(tokens: Integers, batch_size: int, seed: int, epoch: int) -> list[Integers]:
    """Divide rows into batches of similar length.

    Rows are shuffled, sorted by length within stretches of `WINDOW` batches, cut, and the batches are shuffled; a
    batch that is not full comes last.

    Args:
        tokens: length of each row, shape (n,).
        batch_size: rows of a batch.
        seed: the run's seed.
        epoch: from 0.

    Returns:
        Positions in `tokens`; the rows of a batch stand in order of length.

    Examples:
        >>> [batch.tolist() for batch in plan_batches(np.array([9, 2, 9, 2, 9]), 2, seed=0, epoch=0)]
        [[3, 1], [0, 2], [4]]
    """
    rows = len(tokens)
    shuffled = np.argsort(draw(seed, ORDER, epoch, np.arange(rows)), kind="stable")
    stretch = np.arange(rows) // (WINDOW * batch_size)
    packed = shuffled[np.lexsort((tokens[shuffled], stretch))]
    full = rows // batch_size
    batches = list(packed[: full * batch_size].reshape(full, batch_size))
    order = np.argsort(draw(seed, BATCHES, epoch, np.arange(full)), kind="stable")
    rest = packed[full * batch_size :]
    return [batches[place] for place in order] + ([rest] if len(rest) else [])


class Share(NamedTuple):
    """What one process does at once.

    Args:
        rows: of the table, shape (n,).
        windows: which part of each is read.
        counts: False where this process has nothing to do and repeats a row whose loss is multiplied by zero, so
            that all processes take the same steps.
    """

    rows: Integers
    windows: Windows
    counts: bool


@dataclass(frozen=True)
class Sampler:
    """The batches of a run.

    Barcodes too short for one k-mer in every frame are left out.

    Args:
        table: the barcodes.
        framing: how the part that is read is chosen.
        seed: the run's seed.
        batch_size: rows of a global batch, over all processes and accumulated steps.
        micro_batch_size: rows that one process takes at once, or None for all of its share.
        processes: how many there are.
        chosen: rows of the table that take part, bool of shape (n,); None for all.

    Raises:
        TableError: every barcode is too short.
    """

    table: BarcodeTable
    framing: Framing
    seed: int
    batch_size: int
    micro_batch_size: int | None = None
    processes: int = 1
    chosen: Truths | None = None
    rows: Integers = field(init=False)

    def __post_init__(self) -> None:
        least = 2 * self.framing.k - 1
        taken = self.table.lengths >= least
        if self.chosen is not None:
            taken &= self.chosen
        if not taken.any():
            raise TableError(
                f"of {len(self.table)} barcodes, none is of use: all are shorter than {least} bases or have no label"
            )
        object.__setattr__(self, "rows", np.flatnonzero(taken))

    @property
    def steps(self) -> int:
        """Global batches of an epoch."""
        return -(-len(self.rows) // self.batch_size)

    @property
    def parts(self) -> int:
        """Pieces a full batch is cut into: processes times accumulated steps."""
        share = self.micro_batch_size or self.batch_size
        return self.processes * -(-self.batch_size // (self.processes * share))

    def epoch(self, epoch: int) -> Epoch:
        """Plan one pass over the barcodes.

        Args:
            epoch: from 0.
        """
        windows = self.framing.windows(self.seed, epoch, self.rows, self.table.lengths[self.rows])
        return Epoch(self, windows, plan_batches(windows.tokens, self.batch_size, self.seed, epoch))


class Epoch(NamedTuple):
    """One pass over the barcodes.

    Args:
        sampler: whose it is.
        windows: which part of each row is read.
        batches: positions in `sampler.rows`.
    """

    sampler: Sampler
    windows: Windows
    batches: list[Integers]

    def processids(self, step: int) -> list[str]:
        """Give the specimens of a global batch.

        Args:
            step: from 0.
        """
        return self.sampler.table.processids(self.sampler.rows[self.batches[step]])

    def shares(self, step: int, process: int) -> list[Share]:
        """Give what one process does in a step, piece by piece; pieces are of similar length.

        Args:
            step: from 0.
            process: from 0.
        """
        pieces = np.array_split(self.batches[step], self.sampler.parts)[process :: self.sampler.processes]
        return [self._share(piece if len(piece) else self.batches[step][:1], len(piece) > 0) for piece in pieces]

    def _share(self, places: Integers, counts: bool) -> Share:
        windows = Windows(self.windows.starts[places], self.windows.tokens[places])
        return Share(self.sampler.rows[places], windows, counts)
