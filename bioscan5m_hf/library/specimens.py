"""What is embedded or asked about: specimens of a dataset, as a stream of batches."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..data.images.photographs import Photograph
from ..data.packages import IMAGE_PACKAGES
from ..data.schema import IMAGE
from ..data.sources import METADATA, Source, open_source, read_tables
from ..embedding.files import BARCODE, PROCESSID
from ..embedding.inputs import without_fillers
from ..errors import Bioscan5mError, ReleaseError
from ..taxonomy import LABELS


COUNTRY, LATITUDE, LONGITUDE, SPLIT = "country", "coord-lat", "coord-lon", "split"
SCHEMA = pa.schema(
    [
        *((name, pa.string()) for name in (PROCESSID, BARCODE, *LABELS, COUNTRY)),
        *((name, pa.float64()) for name in (LATITUDE, LONGITUDE)),
        (SPLIT, pa.string()),
    ]
)
"""What is known of a specimen beside its photograph."""

MODALITIES = ("image", "dna")
ROWS = 512


@dataclass(frozen=True)
class Batch:
    """Some specimens.

    Args:
        table: `SCHEMA`; the barcode is never null, the rest may be.
        photographs: of each specimen, not opened yet; None where it has none.
    """

    table: pa.Table
    photographs: Sequence[Photograph | None]

    def __len__(self) -> int:
        return len(self.table)


class Specimens(Protocol):
    """Where specimens come from."""

    @property
    def name(self) -> str:
        """What they were asked for by."""

    @property
    def split(self) -> str | None:
        """The split expression; None where there are no splits."""

    @property
    def notes(self) -> list[str]:
        """What a user should be told."""

    def count(self) -> int | None:
        """Tell their number, where it is known."""

    def identity(self) -> str:
        """Give a digest that changes when the specimens may have changed."""

    def batches(self, *, rows: int = ROWS) -> Iterator[Batch]:
        """Give them in their order."""


@dataclass(frozen=True)
class DatasetSpecimens:
    """Specimens of a dataset.

    Args:
        name: the dataset, as it was given.
        split: the split expression.
        source: its photographs, or its metadata where it has none or none are wanted.
        only: processids, where not all are wanted.
    """

    name: str
    split: str | None
    source: Source
    only: tuple[str, ...] | None = None
    notes: list[str] = field(default_factory=list)

    @property
    def splits(self) -> tuple[str, ...]:
        """The splits, by name."""
        return self.source.choose_splits(self.split or "all")

    def count(self) -> int | None:
        """Tell their number, where the dataset says it."""
        if self.only is not None:
            return len(self.only)
        counts = [self.source.rows.get(split) for split in self.splits]
        return None if None in counts else sum(filter(None, counts))

    def identity(self) -> str:
        """Give a digest of names and dates of the files, and of the list of specimens."""
        origins = [getattr(self.source.files[split], "origin_metadata", None) for split in self.splits]
        files = [str(file) for split in self.splits for file in self.source.files[split]]
        return digest_of([self.source.path, self.source.config, self.splits, files, origins, self.only])

    def batches(self, *, rows: int = ROWS) -> Iterator[Batch]:
        """Give the specimens in the order of the dataset.

        Args:
            rows: the most of a batch.
        """
        wanted = [name for name in (IMAGE, *SCHEMA.names) if name in self.source.features]
        only = None if self.only is None else pa.array(self.only, pa.string())
        for split in self.splits:
            for file in self.source.files[split]:
                for table in read_tables(str(file), wanted):
                    kept = table if only is None else table.filter(pc.is_in(table[PROCESSID], value_set=only))
                    for start in range(0, len(kept), rows):
                        yield _batch_of(kept.slice(start, rows), split)


def open_dataset(
    data: str | Path,
    split: str | None = None,
    *,
    only: Sequence[str] | None = None,
    photographs: bool = True,
    revision: str | None = None,
) -> DatasetSpecimens:
    """Open the specimens of a dataset.

    Args:
        data: dataset folder, Hub id, or name in the prepared cache.
        split: splits, joined by `+`; by default all it has.
        only: processids of the specimens that are wanted.
        photographs: read them, too, from the dataset's first image package.
        revision: branch, tag or commit on the Hub.

    Raises:
        Bioscan5mError: there is no such dataset, or not all of these specimens are in it.
        ValueError: a split that the dataset lacks.
    """
    from datasets import get_dataset_config_names
    from datasets.exceptions import DatasetNotFoundError

    try:
        there = get_dataset_config_names(str(data), revision=revision)
        packages = [name for name in IMAGE_PACKAGES if name in there and photographs]
        source = open_source(data, packages[0] if packages else METADATA, revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no file, folder or dataset {data}: name a folder of photographs, a FASTA, CSV, TSV or Parquet "
            "file, a dataset folder, or a repository on the Hub"
        ) from error
    found = DatasetSpecimens(str(data), split or "all", source, None if only is None else tuple(dict.fromkeys(only)))
    splits = found.splits
    if found.only is not None:
        files = [str(file) for name in splits for file in source.files[name]]
        tables = [table for file in files for table in read_tables(file, [PROCESSID])]
        ids = pa.concat_tables(tables)[PROCESSID] if tables else pa.array([], pa.string())
        wanted = pa.array(found.only, pa.string())
        if lost := wanted.filter(pc.invert(pc.is_in(wanted, value_set=ids))).to_pylist():
            raise Bioscan5mError(
                f"{len(lost)} of {len(wanted)} specimens are not in {'+'.join(splits)} of {data}, the first is "
                f"{lost[0]}: mend the list, or name other splits"
            )
    return found


def read_ids(path: str | Path) -> list[str]:
    r"""Read a list of specimens: a processid a line, or a CSV or TSV table with such a column.

    Args:
        path: the file.

    Raises:
        ReleaseError: no such file, no such column, or none in it.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "list.csv"
        ...     _ = path.write_text("genus,processid\nApis,A1\n")
        ...     read_ids(path)
        ['A1']
    """
    path = Path(path)
    if not path.is_file():
        raise ReleaseError("there is no such file", file=str(path), hint="name a list of processids, one a line")
    text = path.read_text(encoding="utf-8-sig")
    delimiter = {".csv": ",", ".tsv": "\t", ".tab": "\t"}.get(path.suffix.lower())
    if delimiter is None:
        found = [line.strip() for line in text.splitlines() if line.strip()]
    else:
        rows = csv.DictReader(text.splitlines(), delimiter=delimiter)
        if PROCESSID not in (rows.fieldnames or ()):
            raise ReleaseError(f"has no column {PROCESSID!r}", file=str(path), hint="name it so in the first line")
        found = [row[PROCESSID].strip() for row in rows if row[PROCESSID]]
    if not found:
        raise ReleaseError("lists no specimen", file=str(path), hint="write a processid a line")
    return list(dict.fromkeys(found))


def digest_of(seen: object) -> str:
    """Give a digest of what JSON can write."""
    return hashlib.sha256(json.dumps(seen, default=str).encode()).hexdigest()[:32]


def _batch_of(rows: pa.Table, split: str) -> Batch:
    columns = {}
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True):
        given = rows[name].combine_chunks().cast(kind) if name in rows.column_names else pa.nulls(len(rows), kind)
        columns[name] = without_fillers(given) if name in LABELS else given
    columns[BARCODE] = pc.fill_null(columns[BARCODE], "")
    columns[SPLIT] = pa.array(np.full(len(rows), split, object), pa.string())
    photographs: list[Photograph | None] = [None] * len(rows)
    if IMAGE in rows.column_names:
        photographs = [None if one is None else one["bytes"] for one in rows[IMAGE].to_pylist()]
    return Batch(pa.table(columns, schema=SCHEMA), photographs)
