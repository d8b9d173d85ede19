"""Parquet shards: written beside and renamed, row groups of a streaming reader's size, rows read by their place."""

from __future__ import annotations

import itertools
import math
import os
import uuid
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from .schema import IMAGE


ROW_GROUP_BYTES = 28_000_000
"""Upper size of a row group: what a streaming reader holds at once; 15-30 MB reads well over HTTP too."""

_UNIQUE = {"processid", "sampleid", "dna_barcode", "name"}


def row_groups(rows: int, total_bytes: int) -> list[tuple[int, int]]:
    """Divide the rows of a shard into equal row groups of at most `ROW_GROUP_BYTES`.

    Args:
        rows: number of rows.
        total_bytes: their size in memory.

    Returns:
        Start and stop of each group.

    Examples:
        >>> row_groups(10, 2 * ROW_GROUP_BYTES)
        [(0, 5), (5, 10)]
    """
    count = min(rows, max(1, math.ceil(total_bytes / ROW_GROUP_BYTES)))
    cuts = [rows * index // count for index in range(count + 1)] if count else [0]
    return list(itertools.pairwise(cuts))


def grouped(table: pa.Table) -> Iterator[pa.Table]:
    """Divide a table into row groups."""
    for start, stop in row_groups(len(table), table.nbytes):
        yield table.slice(start, stop - start)


def write_shard(path: Path, schema: pa.Schema, groups: Iterable[pa.Table]) -> int:
    """Write a shard under a temporary name of its own and rename it when it is whole.

    JPEG bytes are stored plain, the rest compressed; the bytes depend on the rows alone.

    Args:
        path: the shard's name.
        schema: Arrow schema with the features in its metadata.
        groups: one table per row group.

    Returns:
        The number of rows.

    Raises:
        OSError: it cannot be written; nothing is left behind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    rows = 0
    try:
        with pq.ParquetWriter(
            beside,
            schema,
            compression={leaf: "none" if leaf.startswith(f"{IMAGE}.") else "zstd" for leaf in _leaves(schema)},
            compression_level={leaf: 1 for leaf in _leaves(schema) if not leaf.startswith(f"{IMAGE}.")},
            use_dictionary=[field.name for field in schema if _repeats(field)],
            write_page_index=True,
            write_page_checksum=True,
            use_content_defined_chunking=IMAGE not in schema.names,
        ) as writer:
            for group in groups:
                if len(group):
                    writer.write_table(group.cast(schema), row_group_size=len(group))
                    rows += len(group)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return rows


def take_rows(
    files: Sequence[Path], positions: npt.NDArray[np.int64], columns: Sequence[str] | None = None
) -> Iterator[pa.Table]:
    """Read rows by their place in a sequence of shards; only the row groups that hold one are read.

    Args:
        files: the shards in order.
        positions: ascending places, shape (n,).
        columns: columns to read, by default all.

    Yields:
        One table per row group that holds any.
    """
    at = 0
    for file in files:
        with pq.ParquetFile(file) as shard:
            for group in range(shard.num_row_groups):
                rows = shard.metadata.row_group(group).num_rows
                low, high = np.searchsorted(positions, [at, at + rows])
                if low < high:
                    table = shard.read_row_group(group, columns=columns, use_threads=False)
                    wanted = positions[low:high] - at
                    contiguous = wanted[-1] - wanted[0] + 1 == len(wanted)
                    yield table.slice(int(wanted[0]), len(wanted)) if contiguous else table.take(wanted)
                at += rows
        if len(positions) == 0 or at > positions[-1]:
            return


def shard_rows(files: Iterable[Path]) -> int:
    """Count the rows of shards by their footers."""
    return sum(pq.read_metadata(file).num_rows for file in files)


def _repeats(field: pa.Field) -> bool:
    return field.name not in _UNIQUE and not pa.types.is_nested(field.type)


def _leaves(schema: pa.Schema) -> list[str]:
    leaves = []
    for field in schema:
        if pa.types.is_struct(field.type):
            leaves += [f"{field.name}.{inner.name}" for inner in field.type]
        elif pa.types.is_list(field.type):
            leaves.append(f"{field.name}.list.element")
        else:
            leaves.append(field.name)
    return leaves
