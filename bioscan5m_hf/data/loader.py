"""Batches of photographs at the speed of the JPEG decoder: Parquet → Arrow → threads → one uint8 array."""

from __future__ import annotations

import importlib.util
import itertools
import logging
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import KW_ONLY, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..errors import ReleaseError
from ..taxonomy import check_rank
from .augmentation import Augmentation
from .decode import Frame, Pixels, Place, decoder
from .keys import drawn
from .memory import Memory
from .reading import Rows, Unit, ahead, delayed, read_units, rebatched, share
from .schema import IMAGE
from .selection import LABEL, PROCESSID, Recipe
from .sources import choose_config, group_rows, open_source, read_tables
from .specimens import ROWS, SpecimensConfig, collect_files, make_recipe
from .workers import default_workers


logger = logging.getLogger(__name__)
_CHUNK = 16
"""Photographs a thread decodes at a time: much more than the cost of handing them over, much less than a batch."""

_AHEAD = 1
"""Batches decoded while the user works on one."""

_FOOTERS = 8
"""Footers read at a time: over HTTP each is a round trip."""

Batch = dict[str, Any]


class _Base:
    """Torch's `IterableDataset` becomes a further base of this class's child once torch is wanted."""


@dataclass
class ImageBatches(_Base):
    """Batches of decoded photographs of one size, with other columns and labels.

    An iterable of dicts: `image` is uint8 of shape (batch, height, width, 3); `label` is int64, -1 where missing;
    columns of floats are float64 with NaN where missing; other columns are lists with None where missing.

    It is a torch `IterableDataset` too: `DataLoader(batches, batch_size=None, num_workers=2)`. Ranks and workers
    share the row groups, so their numbers of rows may differ a little. Call `set_epoch` before each epoch to shuffle
    anew.

    Args:
        path: dataset folder, Hub id, or the name of a dataset in the prepared cache.
        split: official names, `seen`, `unseen`, `all`, joined by `+`.
        columns: columns to give beside the photographs.
        label: a rank: adds `label`, as in `load_specimens`.
        keep_filler: as in `load_specimens`.
        max_nucleotides: as in `load_specimens`.
        one_per_barcode: as in `load_specimens`.
        share: of the specimens, drawn by MD5(processid): always the same ones.
        config: an image package or `sample`; by default the first image package.
        revision: branch, tag or commit on the Hub.
        batch_size: photographs in a batch.
        drop_last: leave out a last batch that is not full.
        frame: common size of the photographs, and how they are brought to it.
        augmentation: see them in another way each epoch instead; its seed and epoch become those of the batches.
        shuffle: shuffle the row groups, and the rows within `buffer` of them.
        buffer: row groups (up to 28 MB each) that are held to shuffle rows.
        seed: what the order is drawn from, together with the epoch.
        rank: number of this process among those that share the specimens.
        world_size: number of such processes.
        even: the processes share every batch instead of row groups: `batch_size` is that of all together, each gives
            its equal part of the same batches, and a last one that is not full is left out. Any number of processes
            sees the same batches. Every process reads all rows and decodes its own.
        threads: threads that decode; by default as many as there are processors for each worker.
        on_error: what a photograph that cannot be decoded does: `raise`, or, unless `even`, `skip` (said in the log).

    Raises:
        ValueError: an unknown split, column, rank, or an impossible number.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=100, packages=["cropped_256"], workers=1)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     batches = ImageBatches(folder + "/bioscan-5m", split="seen", label="order", batch_size=8)
        ...     batch = next(iter(batches))
        >>> batch["image"].shape, batch["label"].dtype
        ((8, 256, 256, 3), dtype('int64'))
    """

    path: str | Path
    _: KW_ONLY
    split: str = "train"
    columns: Sequence[str] = ()
    label: str | None = None
    keep_filler: bool = False
    max_nucleotides: int | None = None
    one_per_barcode: bool = False
    share: float = 1.0
    config: str | None = None
    revision: str | None = None
    batch_size: int = 256
    drop_last: bool = False
    frame: Frame = field(default_factory=Frame)
    augmentation: Augmentation | None = None
    shuffle: bool = False
    buffer: int = 2
    seed: int = 0
    rank: int = 0
    world_size: int = 1
    even: bool = False
    threads: int | None = None
    on_error: Literal["raise", "skip"] = "raise"
    epoch: int = field(default=0, init=False)
    start: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if min(self.batch_size, self.buffer, self.world_size, 1 if self.threads is None else self.threads) < 1:
            raise ValueError("batch_size, buffer, world_size and threads must be positive")
        if not 0 <= self.rank < self.world_size:
            raise ValueError(f"rank {self.rank} of world_size {self.world_size}: use 0 … {self.world_size - 1}")
        if self.on_error not in ("raise", "skip"):
            raise ValueError(f"on_error {self.on_error!r}: use 'raise' or 'skip'")
        if self.even and (self.batch_size % self.world_size or self.on_error == "skip"):
            raise ValueError(
                f"even batches need a batch_size that {self.world_size} processes can share, not {self.batch_size}, "
                "and on_error='raise'"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"share is {self.share}: use a number above 0 and up to 1")
        if self.label is not None:
            check_rank(self.label)
        _join_torch(type(self))
        self._rows = self._open()

    def set_epoch(self, epoch: int, start: int = 0) -> None:
        """Choose the order of the next passes, where shuffled, and leave the first `start` batches out, undecoded."""
        self.epoch, self.start = epoch, start

    @property
    def rows(self) -> int:
        """Specimens there are, where none is left out for its barcode."""
        return self._rows

    @property
    def full_batches(self) -> int:
        """Batches that are full, of all processes together, where no row is left out."""
        return self._rows // self.batch_size

    def __iter__(self) -> Iterator[Batch]:
        worker, workers = _worker()
        if self.even and workers > 1:
            raise ValueError(f"even batches have no workers, and there are {workers}: leave num_workers out")
        threads = self.threads or max(1, default_workers() // workers)
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(threads))
            reader = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            stack.callback(reader.shutdown, wait=False, cancel_futures=True)
            memory = Memory(self.batch_size, self.frame)
            started = (self._start(pool, memory, part) for part in self._parts(reader, worker, workers))
            for decoding in delayed(started, _AHEAD):
                batch = self._finish(*decoding)
                if len(batch[IMAGE]):
                    yield batch

    def _parts(self, reader: Executor, worker: int, workers: int) -> Iterator[Rows]:
        """Give the rows of this worker's batches."""
        readers = 1 if self.even else self.world_size * workers
        mine = share(self._shuffled_units(), 0 if self.even else self.rank + self.world_size * worker, readers)
        held = self.buffer if self.shuffle else 1
        groups = [mine[start : start + held] for start in range(0, len(mine), held)]
        parts = rebatched(ahead(reader, self._read, groups), self.batch_size, self.drop_last or self.even)
        return map(self._own, itertools.islice(parts, self.start, None))

    def _own(self, rows: Rows) -> Rows:
        """Give this process's part of a batch."""
        if not self.even:
            return rows
        size = self.batch_size // self.world_size
        return rows.cut(self.rank * size, (self.rank + 1) * size)

    def _open(self) -> int:
        """Look at the dataset; give the number of rows."""
        files, self._recipe = self._plan()
        with ThreadPoolExecutor(_FOOTERS) as pool:
            counts = list(pool.map(group_rows, files))
            if self.share < 1:
                counts = list(pool.map(self._drawn_rows, files))
        units = {
            Unit(file, group): count
            for file, rows in zip(files, counts, strict=True)
            for group, count in enumerate(rows)
        }
        self._units = [unit for unit, count in units.items() if count]
        return sum(units.values())

    def _drawn_rows(self, file: str) -> list[int]:
        """Count the drawn specimens of each row group."""
        tables = (read_tables(file, [PROCESSID], [group]) for group in range(len(group_rows(file))))
        ids = (pa.concat_tables(each)[PROCESSID].combine_chunks() for each in tables)
        return [int(drawn(each, self.share).sum()) for each in ids]

    def _plan(self) -> tuple[list[str], Recipe]:
        columns = tuple(dict.fromkeys([IMAGE, PROCESSID, *self.columns]))
        source = open_source(self.path, self.config or choose_config(self.path, columns, self.revision), self.revision)
        source.check_columns([*columns, *([] if self.label is None else [self.label])])
        splits = source.choose_splits(self.split)
        wanted = SpecimensConfig(
            columns=columns,
            label=self.label,
            max_nucleotides=self.max_nucleotides,
            keep_filler=self.keep_filler,
        )
        files = collect_files(source, splits, self.label, self.one_per_barcode)
        return list(files[ROWS]), replace(make_recipe(wanted, files), share=self.share)

    def _shuffled_units(self) -> list[Unit]:
        if not self.shuffle:
            return self._units
        places = np.random.default_rng([self.seed, self.epoch]).permutation(len(self._units))
        return [self._units[place] for place in places]

    def _read(self, units: Sequence[Unit]) -> Rows:
        rows = read_units(self._recipe, units)
        if not self.shuffle or not units:
            return rows
        first = units[0]
        place = self._units.index(first._replace(part=0, parts=1))
        return rows.shuffled(np.random.default_rng([self.seed, self.epoch, place, first.part]))

    def _start(
        self, pool: ThreadPoolExecutor, memory: Memory, rows: Rows
    ) -> tuple[Rows, Pixels, list[Future[list[Failure]]]]:
        pixels = memory.take(len(rows))
        decode = partial(decode_some, self.frame, rows.photographs, pixels, self._places(rows))
        return rows, pixels, [pool.submit(decode, start) for start in range(0, len(rows), _CHUNK)]

    def _places(self, rows: Rows) -> Sequence[Place | None]:
        """Say how each photograph is brought to the common size, where the frame does not."""
        if self.augmentation is None:
            return [None] * len(rows)
        drawn = replace(self.augmentation, seed=self.seed, epoch=self.epoch)
        return [drawn.placing(processid) for processid in rows.columns[PROCESSID].to_pylist()]

    def _finish(self, rows: Rows, pixels: Pixels, chunks: list[Future[list[Failure]]]) -> Batch:
        failures = [failure for chunk in chunks for failure in chunk.result()]
        table = rows.columns
        if failures:
            processids = table[PROCESSID].take([place for place, _ in failures]).to_pylist()
            if self.on_error == "raise":
                other = "even batches cannot leave it out" if self.even else "or go on with on_error='skip'"
                raise ReleaseError(
                    f"the photograph cannot be decoded: {failures[0][1]}",
                    processid=processids[0],
                    hint=f"build the dataset again with --check decode --on-error skip; {other}",
                )
            logger.warning("left out photographs that cannot be decoded: %s", ", ".join(processids))
            good = np.setdiff1d(np.arange(len(rows)), [place for place, _ in failures])
            pixels, table = pixels[good], table.take(good)
        return {IMAGE: pixels, **{name: _plain(name, table[name]) for name in self._given()}}

    def _given(self) -> list[str]:
        names = [name for name in dict.fromkeys(self.columns) if name != IMAGE]
        return names if self.label is None else [*names, LABEL]


Failure = tuple[int, str]


def decode_some(
    frame: Frame, photographs: Sequence[memoryview], pixels: Pixels, places: Sequence[Place | None], start: int
) -> list[Failure]:
    """Decode a few photographs into their places of a batch.

    Args:
        frame: their size.
        photographs: all JPEGs of the batch.
        pixels: is written to, shape (len(photographs), *frame.size, 3).
        places: how each is brought to its size; None as the frame does.
        start: the first one to decode.

    Returns:
        Place and reason of those that cannot be decoded.
    """
    decode = decoder(frame)
    failures = []
    for place in range(start, min(start + _CHUNK, len(photographs))):
        try:
            decode(photographs[place], pixels[place], places[place])
        except ValueError as error:
            failures.append((place, str(error)))
    return failures


def _plain(name: str, column: pa.ChunkedArray) -> npt.NDArray[Any] | list[Any]:
    """Give a column as an array where numbers can say that they are missing, else as a list."""
    if name == LABEL:
        return np.asarray(column.fill_null(-1))
    if pa.types.is_floating(column.type):
        return np.asarray(column.fill_null(np.nan))
    return column.to_pylist()  # type: ignore[no-any-return]


def _worker() -> tuple[int, int]:
    """Give this torch data worker's number and how many there are; (0, 1) outside of one."""
    if "torch" not in sys.modules:
        return 0, 1  # pragma: no cover  # the tests have torch
    from torch.utils.data import get_worker_info

    info = get_worker_info()
    return (0, 1) if info is None else (info.id, info.num_workers)


def _join_torch(kind: type) -> None:
    """Make a class a torch `IterableDataset`, if torch is installed (`datasets` does the same with its own)."""
    if importlib.util.find_spec("torch") is None:
        return  # pragma: no cover  # the tests have torch
    from torch.utils.data import IterableDataset

    if IterableDataset not in kind.__bases__:
        kind.__bases__ = (*kind.__bases__, IterableDataset)
