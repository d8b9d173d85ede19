"""Which photograph belongs to which record, and what is left over on either side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..splits import SPLIT_NAMES
from .archives import SIZE, Members
from .checks import Rejection
from .keys import Keys, equal_neighbours, md5_keys, order
from .origins import Origin
from .parquet import take_rows


@dataclass
class Pairs:
    """The records of a split that have a photograph, in MD5 order; arrays of equal length.

    Args:
        rows: places among the split's metadata rows.
        nbytes: bytes of each row's photograph and metadata.
        archive: which archive, uint8.
        members: where in it, the columns of `archives.Member`, shape (n, 5).
        rejections: records without photograph, photographs without record, and second photographs.
    """

    rows: npt.NDArray[np.int64]
    nbytes: npt.NDArray[np.int64]
    archive: npt.NDArray[np.uint8]
    members: npt.NDArray[np.uint64]
    rejections: list[Rejection] = field(default_factory=list)


ROW_BYTES = 1000
"""Estimate of a record's metadata in a shard; the photographs' sizes are exact."""


def pair(
    split: str, metadata: Sequence[Path], archives: Sequence[Members], rows: int, origin: Origin | None = None
) -> Pairs:
    """Join the records and the photographs of a split on the process id's key.

    Args:
        split: official split name.
        metadata: shards of its metadata.
        archives: indices of the archives that may hold its photographs.
        rows: number of metadata rows.
        origin: where they came from, so that a record without photograph can be named by its row.
    """
    photographs = _Photographs.of(split, archives)
    tables = take_rows(metadata, np.arange(rows), ["processid"])
    processids = pa.chunked_array([chunk for table in tables for chunk in table["processid"].chunks], pa.string())
    keys = np.concatenate([md5_keys(chunk) for chunk in processids.chunks] or [np.empty((0, 2), np.uint64)])
    place, found = _find(photographs.keys, keys)
    used = np.zeros(len(photographs.keys), bool)
    used[place[found]] = True
    names = ", ".join(archive.file for archive in archives)
    rejections = photographs.second + [
        Rejection(
            origin.file if origin else names,
            int(origin.rows[at]) if origin else None,
            processids[at].as_py(),
            f"record of {split} without a photograph in {names}",
        )
        for at in np.flatnonzero(~found).tolist()
    ]
    rejections += photographs.rejected(np.flatnonzero(~used), f"photograph in {split}, but no record there")
    chosen = place[found]
    return Pairs(
        rows=np.flatnonzero(found),
        nbytes=photographs.members[chosen, SIZE].astype(np.int64) + ROW_BYTES,
        archive=photographs.archive[chosen],
        members=photographs.members[chosen],
        rejections=rejections,
    )


@dataclass
class _Photographs:
    """The photographs of a split in all archives, one per specimen, sorted by key."""

    keys: Keys
    processids: pa.Array
    archive: npt.NDArray[np.uint8]
    members: npt.NDArray[np.uint64]
    files: list[str]
    second: list[Rejection]

    @classmethod
    def of(cls, split: str, archives: Sequence[Members]) -> _Photographs:
        code = SPLIT_NAMES.index(split)
        spans = [slice(*np.searchsorted(archive.split, [code, code + 1]).tolist()) for archive in archives]
        sources = list(zip(archives, spans, strict=True))
        keys = np.concatenate([archive.keys[span] for archive, span in sources])
        members = np.concatenate([archive.numbers[span] for archive, span in sources])
        processids = pa.concat_arrays([archive.processids[span] for archive, span in sources])
        archive = np.repeat(np.arange(len(archives), dtype=np.uint8), [span.stop - span.start for span in spans])
        by_key = order(keys)
        everything = cls(
            keys[by_key], processids.take(by_key), archive[by_key], members[by_key], [one.file for one in archives], []
        )
        again = equal_neighbours(everything.keys)
        first = everything.at(np.setdiff1d(np.arange(len(keys)), again))
        first.second = everything.rejected(again, f"second photograph of one specimen in {split}")
        return first

    def at(self, places: npt.NDArray[np.int64]) -> _Photographs:
        """Choose photographs by their place."""
        chosen = (self.keys[places], self.processids.take(places), self.archive[places], self.members[places])
        return _Photographs(*chosen, self.files, self.second)

    def rejected(self, places: npt.NDArray[np.int64], reason: str) -> list[Rejection]:
        """Reject photographs by their place."""
        names = self.processids.take(places).to_pylist()
        files = [self.files[code] for code in self.archive[places].tolist()]
        return [Rejection(file, None, name, reason) for file, name in zip(files, names, strict=True)]


def _find(table: Keys, keys: Keys) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.bool_]]:
    """Find keys in a sorted table of unique ones: place (any where not found), and whether it is there."""
    if not len(table):
        return np.zeros(len(keys), np.intp), np.zeros(len(keys), bool)
    both = np.concatenate([table, keys])
    by_key = order(both)
    is_table = by_key < len(table)
    latest = np.maximum.accumulate(np.where(is_table, np.arange(len(both)), 0))
    place = np.empty(len(both), np.intp)
    place[by_key] = by_key[latest]
    mine = np.minimum(place[len(table) :], len(table) - 1)
    return mine, (table[mine] == keys).all(axis=1)
