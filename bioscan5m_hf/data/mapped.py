"""Batches of photographs in any order, from a dataset that `datasets` has prepared on disk."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import datasets
import numpy as np

from .keys import drawn
from .loader import ImageBatches
from .reading import Rows, ahead, rows_of
from .schema import IMAGE
from .selection import PROCESSID
from .specimens import load_specimens


if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass
class MappedBatches(ImageBatches):
    """`ImageBatches` whose rows come in an order drawn from all of them, and of which each process reads its own only.

    The dataset is prepared once by `datasets` (a copy in its cache as large as the dataset) and memory-mapped.
    `ImageBatches` prepares nothing, shuffles within `buffer` row groups, and with `even` reads all rows in every
    process. What a batch holds is the same.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=100, packages=["cropped_256"], workers=1)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     batches = MappedBatches(folder + "/bioscan-5m", split="seen", batch_size=8, shuffle=True, even=True)
        ...     next(iter(batches))["image"].shape, batches.full_batches
        ((8, 256, 256, 3), 3)
    """

    def _open(self) -> int:
        columns = list(dict.fromkeys([IMAGE, PROCESSID, *self.columns]))
        rows = load_specimens(
            self.path,
            split=self.split,
            columns=columns,
            label=self.label,
            max_nucleotides=self.max_nucleotides,
            one_per_barcode=self.one_per_barcode,
            config=self.config,
            revision=self.revision,
            keep_filler=self.keep_filler,
        )
        assert isinstance(rows, datasets.Dataset)
        if self.share < 1:
            ids = rows.select_columns([PROCESSID]).with_format("arrow")[:][PROCESSID]
            rows = rows.select(np.flatnonzero(drawn(ids.combine_chunks(), self.share)))
        self._dataset = rows.cast_column(IMAGE, datasets.Image(decode=False)).with_format("arrow")
        return len(rows)

    def _parts(self, reader: Executor, worker: int, workers: int) -> Iterator[Rows]:
        return ahead(reader, self._taken, self._places_of_batches(worker, workers))

    def _places_of_batches(self, worker: int, workers: int) -> Iterator[npt.NDArray[np.int64]]:
        """Give the places of the rows of this worker's batches."""
        order = np.arange(self._rows)
        if self.shuffle:
            order = np.random.default_rng([self.seed, self.epoch]).permutation(self._rows)
        size, begin = self.batch_size, self.rank * (self.batch_size // self.world_size)
        if not self.even:
            order = order[self.rank + self.world_size * worker :: self.world_size * workers]
        for start in range(self.start * size, len(order), size):
            places = order[start : start + size]
            if len(places) < size and (self.drop_last or self.even):
                return
            yield places[begin : begin + size // self.world_size] if self.even else places

    def _taken(self, places: npt.NDArray[np.int64]) -> Rows:
        return rows_of(self._dataset[places])
