"""Where barcodes come from: the `metadata` config of a dataset, and Parquet files of further reads."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import datasets
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.selection import BARCODE, PROCESSID
from ..data.sources import METADATA, open_source
from .tables import BarcodeTable, TableError, make_table


BARCODE_NAMES = (BARCODE, "nucleotides", "sequence", "barcode")
"""Columns of a Parquet file that may hold the reads; the first one that is there is taken."""

_BATCH = 10_000


def tables_folder() -> Path:
    """Give the folder in the cache of `datasets` where encoded barcodes are kept.

    Examples:
        >>> tables_folder().name
        'bioscan5m-barcodes'
    """
    return Path(datasets.config.HF_DATASETS_CACHE) / "bioscan5m-barcodes"


def load_table(
    path: str,
    split: str,
    *,
    layout: str,
    extra: Sequence[str] = (),
    streaming: bool = False,
    labels: Sequence[str] = (),
    without: BarcodeTable | None = None,
) -> BarcodeTable:
    """Load the barcodes of a dataset, each once, encoded on disk; a second call reuses what the first one wrote.

    Args:
        path: dataset folder, Hub id, or name in the prepared cache.
        split: official names, metasplits and `all`, joined by `+`.
        layout: `standard` or `original`.
        extra: Parquet files of further reads, without labels.
        streaming: read the dataset without preparing it on disk.
        labels: columns to keep, see `make_table`.
        without: leave out the barcodes of this table.

    Raises:
        ValueError: there is no such split.
        TableError: a file cannot be read or has no column of barcodes, or there is no barcode.
    """
    source = open_source(path, METADATA)
    splits = source.choose_splits(split)
    files = [(str(file), str(state)) for name in splits for file, state in _states(source.files[name])]
    inputs = {"splits": list(splits), "files": _digest(files), "extra": [_state(file) for file in extra]}

    def rows() -> Iterator[pa.Table]:
        columns = [PROCESSID, BARCODE, *labels]
        for name in splits:
            given = datasets.load_dataset(path, METADATA, split=name, streaming=streaming)
            yield from given.select_columns(columns).with_format("arrow").iter(_BATCH)
        for file in extra:
            yield from read_extra(file, labels)

    return make_table(rows(), tables_folder(), layout=layout, inputs=inputs, without=without, labels=labels)


def read_extra(file: str | Path, labels: Sequence[str] = ()) -> Iterator[pa.Table]:
    """Read a Parquet file of reads.

    Args:
        file: has a column of barcodes (one of `BARCODE_NAMES`) and perhaps `processid`; reads without one are
            named by file and row.
        labels: columns to add, empty.

    Raises:
        TableError: it cannot be read, or has no column of barcodes.
    """
    try:
        shard = pq.ParquetFile(file)
    except (OSError, pa.ArrowInvalid) as error:
        raise TableError(f"{file} cannot be read as Parquet: {error}") from error
    with shard:
        names = shard.schema_arrow.names
        found = [name for name in BARCODE_NAMES if name in names]
        if not found:
            raise TableError(
                f"{file} has the columns {', '.join(names)}: name the one with the barcodes {BARCODE_NAMES[0]}"
            )
        wanted = [found[0], *([PROCESSID] if PROCESSID in names else [])]
        done = 0
        for batch in shard.iter_batches(_BATCH, columns=wanted):
            places = [f"{Path(file).name}:{done + row}" for row in range(1, len(batch) + 1)]
            done += len(batch)
            own = batch[PROCESSID].to_pylist() if PROCESSID in names else [None] * len(batch)
            columns = {
                PROCESSID: pa.array([name or place for name, place in zip(own, places, strict=True)], pa.string()),
                BARCODE: batch[found[0]].cast(pa.string()),
            }
            yield pa.table(columns | {name: pa.nulls(len(batch), pa.string()) for name in labels})


def _states(files: Any) -> Iterator[tuple[str, Any]]:  # noqa: ANN401
    """Pair each data file with what tells whether it changed."""
    states = files.origin_metadata
    yield from zip(files, states, strict=True)


def _state(file: str) -> list[str | int]:
    try:
        state = os.stat(file)
    except OSError as error:
        raise TableError(f"{file} cannot be read as Parquet: {error}") from error
    return [os.path.abspath(file), state.st_size, state.st_mtime_ns]


def _digest(files: Sequence[tuple[str, str]]) -> str:
    return hashlib.sha256(repr(files).encode()).hexdigest()
