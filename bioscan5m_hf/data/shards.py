"""Shards: how the rows of a split are divided, and the jobs that write them."""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simplejpeg

from ..errors import ReleaseError
from . import parquet
from .archives import SIZE, Member, Reader, open_archive, read_photograph
from .checks import Rejection
from .intake import Piece, gather
from .schema import IMAGE, IMAGE_TYPE, specimen_fields


SHARD_BYTES = 450_000_000
"""Most bytes of photographs and metadata in a shard; the files stay under 500 MB."""

METADATA_SHARD_BYTES = 64_000_000
"""Most bytes, in memory, of a shard without photographs: a worker sorts a whole one."""

PARALLEL = 8
"""Splits that can be shared by this many readers are; shard counts are multiples of it."""

ROWS_PER_READER = 500


class Outcome(NamedTuple):
    """What a shard job did.

    Args:
        rows: rows written; the job leaves no file where there are none.
        bytes: size of the file.
        rejections: rows left out, and why.
    """

    rows: int
    bytes: int
    rejections: list[Rejection]


@dataclass(frozen=True)
class MetadataJob:
    """Write one shard of the `metadata` config.

    Args:
        path: the shard.
        schema: what it is written with.
        pieces: where its rows are among the spilled blocks.
    """

    path: Path
    schema: pa.Schema
    pieces: tuple[Piece, ...]


@dataclass(frozen=True)
class ImageJob:
    """Write one shard of an image config.

    Args:
        path: the shard.
        schema: what it is written with.
        metadata: shards of the split's metadata, in order.
        rows: places of the shard's rows among them, ascending, shape (n,).
        archives: paths of the zips.
        archive: which zip each row's photograph is in, uint8, shape (n,).
        members: where in the zip, the columns of `Member`, shape (n, 5).
        skip: leave out rows whose photograph is bad, instead of raising.
        decode: decode each photograph as a check.
    """

    path: Path
    schema: pa.Schema
    metadata: tuple[Path, ...]
    rows: npt.NDArray[np.int64]
    archives: tuple[str, ...]
    archive: npt.NDArray[np.uint8]
    members: npt.NDArray[np.uint64]
    skip: bool = False
    decode: bool = False


@dataclass
class _Photographs:
    """The open archives of a job, and what was wrong with their photographs."""

    job: ImageJob
    readers: list[Reader]
    rejections: list[Rejection] = field(default_factory=list)

    def read(self, start: int, processids: list[str]) -> list[bytes | None]:
        """Read the photographs of the rows from `start` in the order they lie on disk; None for a bad one."""
        job, stop = self.job, start + len(processids)
        archive, members = job.archive[start:stop], job.members[start:stop]
        found: list[bytes | None] = [None] * len(processids)
        for index in np.lexsort((members[:, 0], archive)).tolist():
            zipped = archive[index]
            file = f"{posixpath.basename(job.archives[zipped])}!{processids[index]}.jpg"
            try:
                data = read_photograph(self.readers[zipped], file, Member(*members[index].tolist()))
                if job.decode:
                    _decode(data, file)
                found[index] = data
            except ReleaseError as error:
                error.processid = processids[index]
                if not job.skip:
                    error.hint = "download the archive again, or leave such specimens out with --on-error skip"
                    raise
                self.rejections.append(Rejection(file, None, processids[index], error.message))
        return found


def bounds(sizes: npt.NDArray[np.int64], limit: int) -> list[tuple[int, int]]:
    """Divide rows into shards of equal length.

    At least `PARALLEL` shards where each then has `ROWS_PER_READER` rows, and as many more, in multiples of
    `PARALLEL`, as keep each under the limit.

    Args:
        sizes: bytes of each row, shape (n,).
        limit: most bytes of a shard.

    Returns:
        Start and stop of each shard.

    Examples:
        >>> bounds(np.full(4000, 10), 1_000_000)[:2], bounds(np.full(10, 10), 1_000_000)
        ([(0, 500), (500, 1000)], [(0, 10)])
    """
    rows = len(sizes)
    if rows == 0:
        return []
    total = np.concatenate([[0], np.cumsum(sizes)])
    count = PARALLEL if rows >= PARALLEL * ROWS_PER_READER else 1
    while True:
        cuts = rows * np.arange(count + 1) // count
        if np.diff(total[cuts]).max() <= limit or count == rows:
            return list(zip(cuts[:-1].tolist(), cuts[1:].tolist(), strict=True))
        count = min(rows, count + PARALLEL - count % PARALLEL)


def shard_name(config: str, split: str, index: int, count: int) -> str:
    """Name a shard inside the dataset folder.

    Examples:
        >>> shard_name("metadata", "val", 0, 8)
        'metadata/val-00000-of-00008.parquet'
    """
    return f"{config}/{split}-{index:05d}-of-{count:05d}.parquet"


def write_metadata(job: MetadataJob) -> Outcome:
    """Run a `MetadataJob`."""
    table = gather(job.pieces)
    rows = parquet.write_shard(job.path, job.schema, parquet.grouped(table))
    return Outcome(rows, job.path.stat().st_size, [])


def write_images(job: ImageJob) -> Outcome:
    """Run an `ImageJob`; a row group is in memory at a time.

    Raises:
        ReleaseError: a photograph is bad, and the job does not skip it.
    """
    rejections: list[Rejection] = []
    rows = parquet.write_shard(job.path, job.schema, image_tables(job, rejections))
    if rows == 0:
        job.path.unlink()
        return Outcome(0, 0, rejections)
    return Outcome(rows, job.path.stat().st_size, rejections)


def image_tables(job: ImageJob, rejections: list[Rejection]) -> Iterator[pa.Table]:
    """Read the rows of an image shard, one row group at a time.

    Args:
        job: the shard.
        rejections: is added to where the job skips bad photographs.

    Yields:
        Tables with the `image` column first.
    """
    table = pa.concat_tables(take_metadata(job.metadata, job.rows))
    groups = parquet.row_groups(len(job.rows), int(job.members[:, SIZE].sum()) + table.nbytes)
    with ExitStack() as stack:
        readers = [stack.enter_context(open_archive(path)) for path in job.archives]
        photographs = _Photographs(job, readers, rejections)
        for start, stop in groups:
            part = table.slice(start, stop - start).combine_chunks()
            processids = part["processid"].to_pylist()
            data = photographs.read(start, processids)
            paths = pa.array([f"{processid}.jpg" for processid in processids])
            image = pa.StructArray.from_arrays([pa.array(data, pa.binary()), paths], fields=list(IMAGE_TYPE))
            part = part.add_column(0, pa.field(IMAGE, IMAGE_TYPE), image)
            yield part if None not in data else part.filter(pa.array([value is not None for value in data]))


def take_metadata(files: tuple[Path, ...], rows: npt.NDArray[np.int64]) -> list[pa.Table]:
    """Read metadata rows by place; an empty table where there are none."""
    return list(parquet.take_rows(files, rows)) or [pa.schema(specimen_fields()).empty_table()]


def _decode(data: bytes, file: str) -> None:
    try:
        simplejpeg.decode_jpeg(data, strict=True)
    except ValueError as error:
        raise ReleaseError(f"the JPEG cannot be decoded: {error}", file=file) from error
