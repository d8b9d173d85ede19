"""Where the rows of a dataset are: the Parquet or Arrow files of a folder, a Hub repository or the prepared cache."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import fsspec
import pyarrow as pa
import pyarrow.parquet as pq

from ..splits import SPLIT_NAMES, parse
from .packages import IMAGE_PACKAGES
from .schema import IMAGE, features, specimen_fields


if TYPE_CHECKING:
    from datasets import Features

METADATA, TAXONOMY = "metadata", "taxonomy"
_CACHE_BATCH = 1000
"""Rows taken together from an Arrow file of the prepared cache, whose own batches may be of any length."""


@dataclass(frozen=True)
class Source:
    """One config of a dataset, opened.

    Args:
        path: what it was opened by: an absolute folder, a Hub id or the name of a prepared dataset.
        config: name of the config.
        files: split → its files, with what tells whether they changed (`datasets.data_files.DataFilesDict`).
        features: the columns.
        rows: split → number of rows, where the dataset says so.
        revision: the revision on the Hub that was asked for.
    """

    path: str
    config: str
    files: Mapping[str, Any]
    features: Features
    rows: dict[str, int] = field(default_factory=dict)
    revision: str | None = None

    def check_columns(self, columns: Sequence[str]) -> tuple[str, ...]:
        """Return the columns, each once, if the config has them.

        Raises:
            ValueError: it has not.
        """
        unknown = [name for name in columns if name not in self.features]
        if unknown:
            raise ValueError(
                f"unknown column {unknown[0]!r} in config {self.config!r}: use some of {', '.join(self.features)}"
            )
        return tuple(dict.fromkeys(columns))

    def choose_splits(self, expression: str) -> tuple[str, ...]:
        """Read a split expression; `all` means those the dataset has, any other name must be there.

        Raises:
            ValueError: a name is no split, or the dataset lacks it.
        """
        names = parse(expression)
        named = [part for part in expression.split("+") if part.strip() != "all"]
        required = parse("+".join(named)) if named else ()
        lost = [name for name in required if name not in self.files]
        if lost:
            raise ValueError(
                f"no split {', '.join(lost)} in config {self.config!r} of {self.path} (split={expression!r}): "
                f"it has {', '.join(name for name in SPLIT_NAMES if name in self.files)}"
            )
        return tuple(name for name in names if name in self.files)


def open_source(path: str | Path, config: str, revision: str | None = None) -> Source:
    """Open a config of a dataset; a local folder comes before the Hub, and the Hub before the prepared cache.

    Args:
        path: dataset folder, Hub id, or name in the prepared cache of `datasets`.
        config: name of the config.
        revision: branch, tag or commit on the Hub.

    Raises:
        datasets.exceptions.DatasetNotFoundError: there is no such dataset.
        ValueError: the dataset has no such config.
    """
    from datasets import load_dataset_builder

    builder = load_dataset_builder(str(path), config, revision=revision)
    found = builder.config.data_files
    where = os.path.abspath(path) if os.path.isdir(path) else str(path)
    typed = builder.info.features or features(specimen_fields(image=config in IMAGE_PACKAGES))
    rows = {name: split.num_examples for name, split in (builder.info.splits or {}).items()}
    return Source(where, config, _cached_files(builder) if found is None else found, typed, rows, revision)


def choose_config(path: str | Path, columns: Sequence[str] | None, revision: str | None = None) -> str:
    """Choose the config to read: the default photographs if they are wanted, else `metadata`.

    Args:
        path: dataset folder, Hub id, or name in the prepared cache.
        columns: the columns that are wanted; None for all.
        revision: branch, tag or commit on the Hub.

    Raises:
        ValueError: photographs are wanted, and the dataset has none.
    """
    from datasets import get_dataset_config_names

    names = get_dataset_config_names(str(path), revision=revision)
    packages = [name for name in IMAGE_PACKAGES if name in names]
    if columns is not None and IMAGE in columns and not packages:
        raise ValueError(f"{path} has no photographs: its configs are {', '.join(names)}; leave out {IMAGE!r}")
    if METADATA in names and (not packages or (columns is not None and IMAGE not in columns)):
        return METADATA
    return packages[0] if packages else str(names[0])


def read_tables(
    file: str, columns: Sequence[str] | None = None, groups: Sequence[int] | None = None
) -> Iterator[pa.Table]:
    """Read a file a row group at a time; of the columns that are not named, no byte is read.

    Args:
        file: a Parquet file, or an Arrow file of the prepared cache: a local path or a URL.
        columns: the columns, by default all; those that the file lacks are left out.
        groups: the row groups, by default all.
    """
    if file.endswith(".arrow"):
        yield from _read_arrow(file, columns)
        return
    with open_parquet(file) as shard:
        for group in range(shard.num_row_groups) if groups is None else groups:
            yield shard.read_row_group(group, columns=columns, use_threads=False)


@contextmanager
def open_parquet(file: str) -> Iterator[pq.ParquetFile]:
    """Open a Parquet file by its local path or URL."""
    if "://" not in file:
        with pq.ParquetFile(file) as shard:
            yield shard
        return
    with fsspec.open(file, "rb") as stream, pq.ParquetFile(stream, pre_buffer=True) as shard:
        yield shard


def count_groups(file: str) -> int:
    """Count the row groups of a Parquet file; an Arrow file counts as one."""
    return len(group_rows(file))


def group_rows(file: str) -> list[int]:
    """Count the rows of each row group of a Parquet file; an Arrow file counts as one group."""
    if file.endswith(".arrow"):
        with pa.memory_map(file) as mapped, pa.ipc.open_stream(mapped) as reader:
            return [sum(batch.num_rows for batch in reader)]
    with open_parquet(file) as shard:
        about = shard.metadata
        return [about.row_group(group).num_rows for group in range(about.num_row_groups)]


def _read_arrow(file: str, columns: Sequence[str] | None) -> Iterator[pa.Table]:
    with pa.memory_map(file) as mapped, pa.ipc.open_stream(mapped) as reader:
        batches = iter(reader)
        while some := list(itertools.islice(batches, 1)):
            while sum(map(len, some)) < _CACHE_BATCH and (more := next(batches, None)) is not None:
                some.append(more)
            table = pa.Table.from_batches(some)
            yield table if columns is None else table.select([name for name in columns if name in table.column_names])


def _cached_files(builder: Any) -> Mapping[str, Any]:  # noqa: ANN401
    from datasets.data_files import DataFilesDict, DataFilesList

    found = {}
    for split in builder.info.splits:
        files = [entry["filename"] for entry in builder.as_dataset(split).cache_files]
        found[split] = DataFilesList(files, [(file, str(os.stat(file).st_mtime_ns)) for file in files])
    return DataFilesDict(found)  # type: ignore[no-any-return]
