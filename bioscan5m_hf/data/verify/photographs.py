"""Jobs on one shard with photographs: its keys, its columns beside the metadata's, and its JPEGs."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import simplejpeg

from ...errors import ReleaseError
from ..archives import check_jpeg
from ..folder import DAMAGE, one_line
from ..keys import Keys, md5_keys
from ..parquet import take_rows
from ..schema import COLUMN_NAMES, IMAGE
from .findings import SHOWN
from .scan import read_groups


DECODED = 16
"""How many photographs of each shard are decoded, where not all are."""


def read_keys(path: Path) -> Keys | str:
    """Give the MD5 keys of the process ids of a shard, shape (n, 2), or why it cannot be read."""
    try:
        tables = list(read_groups(path, ["processid"]))
    except DAMAGE as problem:
        return one_line(problem)
    return np.concatenate(
        [np.empty((0, 2), np.uint64), *(md5_keys(table["processid"].combine_chunks()) for table in tables)]
    )


@dataclass(frozen=True)
class CompareJob:
    """Compare the columns of an image shard with the metadata.

    Args:
        path: the image shard.
        file: its name inside the folder.
        metadata: metadata shards of its split, in order.
        rows: where its rows stand among them, ascending, shape (n,).
    """

    path: Path
    file: str
    metadata: tuple[Path, ...]
    rows: npt.NDArray[np.int64]


def compare(job: CompareJob) -> list[str]:
    """Run a `CompareJob`: name each column that differs, and the first specimen of which it does."""
    try:
        found = pa.concat_tables(read_groups(job.path, list(COLUMN_NAMES)))
        wanted = pa.concat_tables(take_rows(job.metadata, job.rows)) if len(job.rows) else found
    except DAMAGE as problem:
        return [f"{job.file} is damaged: {one_line(problem)}"]
    problems = []
    for name in COLUMN_NAMES:
        here, there = found[name], wanted[name]
        if not here.equals(there):
            rows = _differences(here, there)
            if len(rows):
                row = int(rows[0])
                values = f"{here[row].as_py()!r}, in the metadata {there[row].as_py()!r}"
                problems.append(f"{job.file}: {name} of {wanted['processid'][row]} is {values} ({len(rows):,} rows)")
    return problems


def _differences(here: pa.ChunkedArray, there: pa.ChunkedArray) -> npt.NDArray[np.intp]:
    same = pc.coalesce(pc.equal(here, there), pc.and_(pc.is_null(here), pc.is_null(there)))
    if pa.types.is_floating(here.type):
        same = pc.or_(same, pc.fill_null(pc.and_(pc.is_nan(here), pc.is_nan(there)), False))
    return np.flatnonzero(~same.to_numpy().astype(bool))


@dataclass(frozen=True)
class LookJob:
    """Look at the photographs of a shard.

    Args:
        path: the shard.
        file: its name inside the folder.
        full: at all of them; else at a few of the middle row group.
    """

    path: Path
    file: str
    full: bool


@dataclass
class Look:
    """What was seen.

    Args:
        decoded: how many photographs were decoded.
        sizes: width and height → how many photographs have it.
        problems: what is wrong, the first few.
        bad: how many photographs are bad.
    """

    decoded: int = 0
    sizes: Counter[tuple[int, int]] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)
    bad: int = 0


def look(job: LookJob) -> Look:
    """Run a `LookJob`."""
    seen = Look()
    try:
        for table in _photographs(job):
            for image, processid in zip(table[IMAGE].to_pylist(), table["processid"].to_pylist(), strict=True):
                try:
                    seen.sizes[_check(image, processid)] += 1
                    seen.decoded += 1
                except ReleaseError as problem:
                    seen.bad += 1
                    if len(seen.problems) < SHOWN:
                        seen.problems.append(f"{job.file}, {processid}: {problem.message}")
    except DAMAGE as problem:
        seen.bad += 1
        seen.problems.append(f"{job.file} is damaged: {one_line(problem)}")
    return seen


def _photographs(job: LookJob) -> Iterator[pa.Table]:
    with pq.ParquetFile(job.path, page_checksum_verification=True) as shard:
        groups = range(shard.num_row_groups)
        for group in groups if job.full else groups[len(groups) // 2 : len(groups) // 2 + 1]:
            table = shard.read_row_group(group, columns=[IMAGE, "processid"], use_threads=False)
            table.validate(full=True)
            chosen = np.linspace(0, len(table) - 1, min(DECODED, len(table))).astype(int)
            yield from (
                (table.slice(start, 64) for start in range(0, len(table), 64))
                if job.full
                else [table.take(np.unique(chosen))]
            )


def _check(image: dict[str, object] | None, processid: str) -> tuple[int, int]:
    if not image or not isinstance(image["bytes"], bytes):
        raise ReleaseError("there is no photograph")
    if image["path"] != f"{processid}.jpg":
        raise ReleaseError(f"the photograph's name is {image['path']!r}, not that of its specimen")
    size = check_jpeg(image["bytes"], processid)
    try:
        simplejpeg.decode_jpeg(image["bytes"], strict=True)
    except ValueError as problem:
        raise ReleaseError(f"the JPEG cannot be decoded: {problem}") from problem
    return size
