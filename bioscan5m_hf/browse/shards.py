"""Rows by their place: only the row group of a row is read, and no further than to the row."""

from __future__ import annotations

import io
import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.schema import IMAGE
from ..data.sources import Source, group_rows, read_tables
from ..errors import Bioscan5mError


PROCESSID = "processid"
BUFFER = 1 << 20
"""Bytes of a column chunk that are read at once: a page of photographs, as writers cut them."""

ROWS = 32
"""Rows that are decoded together."""

FOOTERS = 16
"""Shards whose footers are read together, to find in which of them a row lies."""

KEPT = 240
"""Photographs that are kept: ten pages of two dozen."""


class LostError(Bioscan5mError):
    """A row is not where it should be."""


@dataclass(frozen=True)
class Group:
    """A row group.

    Args:
        file: its shard, a path or URL.
        number: of the group in it.
        start: place of its first row in the split.
        stop: place after the last.
    """

    file: str
    number: int
    start: int
    stop: int


@dataclass
class Shards:
    """The files of a config, by row.

    Args:
        source: the config.
    """

    source: Source
    _groups: dict[str, list[Group]] = field(default_factory=dict, init=False)
    _seen: dict[str, int] = field(default_factory=dict, init=False)
    _lock: Any = field(default_factory=threading.Lock, init=False)

    def group_of(self, split: str, place: int) -> Group:
        """Find the row group in which a row of a split lies; footers are read as far as is necessary, once.

        Raises:
            LostError: the split has no such row.
        """
        files = [str(file) for file in self.source.files[split]]
        with self._lock:
            groups = self._groups.setdefault(split, [])
            while (not groups or groups[-1].stop <= place) and self._seen.get(split, 0) < len(files):
                at = self._seen.get(split, 0)
                some = files[at : at + FOOTERS]
                with ThreadPoolExecutor(FOOTERS) as pool:
                    for file, counts in zip(some, pool.map(group_rows, some), strict=True):
                        for number, count in enumerate(counts):
                            start = groups[-1].stop if groups else 0
                            groups.append(Group(file, number, start, start + count))
                self._seen[split] = at + len(some)
        found = next((group for group in groups if group.start <= place < group.stop), None)
        if found is None:
            raise LostError(f"config {self.source.config!r} has no row {place:,} in split {split}")
        return found

    def rows(self, split: str, places: Sequence[int], columns: Sequence[str]) -> dict[int, dict[str, Any]]:
        """Read rows of a split.

        Args:
            split: its name.
            places: of the rows in it.
            columns: to read.

        Returns:
            Place → row.
        """
        wanted: dict[Group, list[int]] = {}
        for place in sorted(set(places)):
            wanted.setdefault(self.group_of(split, place), []).append(place)
        return {place: row for group, some in wanted.items() for place, row in group_rows_of(group, some, columns)}


def group_rows_of(group: Group, places: Sequence[int], columns: Sequence[str]) -> Iterator[tuple[int, dict[str, Any]]]:
    """Read rows of a row group: no further than to the last of them.

    Args:
        group: it.
        places: of the rows in the split, ascending.
        columns: to read.
    """
    at, left = group.start, list(places)
    for batch in _batches(group, columns):
        while left and left[0] < at + len(batch):
            place = left.pop(0)
            yield place, batch.slice(place - at, 1).to_pylist()[0]
        at += len(batch)
        if not left:
            return


def _batches(group: Group, columns: Sequence[str]) -> Iterator[pa.RecordBatch | pa.Table]:
    if group.file.endswith(".arrow"):
        yield from read_tables(group.file, columns)
        return
    with _opened(group.file) as shard:
        yield from shard.iter_batches(ROWS, row_groups=[group.number], columns=list(columns), use_threads=False)


@contextmanager
def _opened(file: str) -> Iterator[pq.ParquetFile]:
    """Open a shard so that its column chunks are read bit by bit, not at once as `data.sources` does for streams."""
    if "://" not in file:
        with pq.ParquetFile(file, buffer_size=BUFFER) as shard:
            yield shard
        return
    with fsspec.open(file, "rb") as stream, pq.ParquetFile(stream, buffer_size=BUFFER) as shard:
        yield shard


class Photographs:
    """Photographs of a dataset, read as they are asked for, and the last `KEPT` of them.

    Args:
        shards: of an image package.
    """

    def __init__(self, shards: Shards) -> None:
        self.shards = shards
        self._coming: OrderedDict[tuple[str, int], Future[dict[int, dict[str, Any]]]] = OrderedDict()
        self._lock = threading.Lock()
        self._pool = ThreadPoolExecutor(4, thread_name_prefix="photographs")

    def expect(self, split: str, places: Sequence[int]) -> None:
        """Begin to read photographs of a split; those of one row group are read together."""
        with self._lock:
            lacking = [place for place in places if (split, place) not in self._coming]
            if not lacking:
                return
            coming = self._pool.submit(self.shards.rows, split, lacking, (PROCESSID, IMAGE))
            for place in lacking:
                self._coming[split, place] = coming
            while len(self._coming) > KEPT:
                self._coming.popitem(last=False)

    def get(self, split: str, place: int, processid: str) -> bytes:
        """Give the photograph of a specimen, as it is in the dataset.

        Raises:
            LostError: the row there is of another specimen, or has no photograph.
        """
        self.expect(split, [place])
        with self._lock:
            coming = self._coming[split, place]
        if problem := coming.exception():
            with self._lock:
                self._coming.pop((split, place), None)  # it is tried again the next time
            raise problem
        row = coming.result()[place]
        if row[PROCESSID] != processid:
            raise LostError(
                f"{processid} is not in row {place:,} of {split} in config {self.shards.source.config!r}, but "
                f"{row[PROCESSID]}: build the dataset again"
            )
        data = None if row[IMAGE] is None else row[IMAGE]["bytes"]
        if not data:
            raise LostError(f"{processid} has no photograph")
        return bytes(data)


def thumbnail(data: bytes, side: int = 512) -> bytes:
    """Give a photograph in JPEG, its longer side at most so long, whatever it was.

    Args:
        data: of any kind that is opened.
        side: pixels.

    Raises:
        data.images.photographs.PhotographError: it cannot be read.
    """
    from ..data.images.photographs import open_photograph

    picture = open_photograph(data, reduced=True)
    picture.thumbnail((side, side))
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=85)
    return made.getvalue()
