"""Specimens of one's own: folders of photographs and files of barcodes, joined by processid."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from ..data.images.photographs import SUFFIXES, Photograph, find_photographs
from ..embedding.files import BARCODE, PROCESSID, read_sequences
from ..embedding.inputs import without_fillers
from ..errors import ReleaseError
from ..taxonomy import LABELS
from .specimens import COUNTRY, LATITUDE, LONGITUDE, ROWS, SCHEMA, Batch, Specimens, digest_of, open_dataset


PHOTOGRAPH_NAMES = ("photograph", "image")
"""Columns of a table with the path of a photograph, beginning at the table's folder."""

_WANTED = (*LABELS, COUNTRY, LATITUDE, LONGITUDE, *PHOTOGRAPH_NAMES)
_RANGES = {LATITUDE: 90.0, LONGITUDE: 180.0}
_Record = dict[str, Any]


class SpecimenError(ReleaseError, ValueError):
    """Given specimens contradict each other, or say something impossible; names file, row and processid."""


@dataclass
class FileSpecimens:
    """Specimens of folders of photographs and of tables.

    What has the same processid is one specimen. They come in the order of the tables, then the photographs that no
    table names, by path. In memory are all ids, and of each table what is said there of specimens of an earlier one.

    Args:
        folders: of photographs; the file's name without its ending is the processid.
        tables: FASTA, CSV, TSV or Parquet files.

    Raises:
        SpecimenError: a specimen has two photographs or two barcodes, or a place that there is not.
    """

    folders: Sequence[Path]
    tables: Sequence[Path]
    notes: list[str] = field(default_factory=list, init=False)
    split: str | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.name = "+".join(str(path) for path in (*self.folders, *self.tables))
        self._photographs: dict[str, Path] = {}
        self._first: dict[str, int] = {}
        self._later: dict[str, _Record] = {}
        self._named: list[Path] = []
        for folder in self.folders:
            self._look_into(folder)
        where: dict[str, tuple[int, int, bool, bool]] = {}
        for number, table in enumerate(self.tables):
            for row, record in enumerate(_records(table, ROWS), 1):
                self._note(number, row, record, where)

    def count(self) -> int:
        """Tell the number of specimens."""
        return len(self._first.keys() | self._photographs.keys())

    def identity(self) -> str:
        """Give a digest of names, sizes and dates of the files."""
        files = [*map(Path.resolve, self.tables), *self._photographs.values(), *self._named]
        stats = [(path, path.stat()) for path in files if path.is_file()]
        return digest_of([(path, stat.st_size, stat.st_mtime_ns) for path, stat in stats])

    def batches(self, *, rows: int = ROWS) -> Iterator[Batch]:
        """Give the specimens.

        Args:
            rows: the most of a batch.
        """
        block: list[_Record] = []
        for record in self._merged():
            block.append(record)
            if len(block) == rows:
                yield _batch_of(block)
                block = []
        if block:
            yield _batch_of(block)

    def _look_into(self, folder: Path) -> None:
        aside: list[Path] = []
        found = 0
        for path, is_photograph in find_photographs(folder):
            if not is_photograph:
                aside.append(path)
                continue
            other = self._photographs.setdefault(path.stem, path)
            if other != path:
                raise SpecimenError(
                    f"is a second photograph of {path.stem}, beside {other}",
                    file=str(path),
                    hint="leave one of them out, or give it the name of its own specimen",
                )
            found += 1
        if not found:
            raise SpecimenError(
                "holds no photograph", file=str(folder), hint=f"names of photographs end in {', '.join(SUFFIXES)}"
            )
        if aside:
            self.notes.append(f"{folder}: {len(aside):,} other files are left aside, such as {aside[0].name}")

    def _note(self, number: int, row: int, record: _Record, where: dict[str, tuple[int, int, bool, bool]]) -> None:
        """Look for contradictions; keep what belongs to a specimen of an earlier table."""
        identity, table = record[PROCESSID], str(self.tables[number])
        if record["photograph"] is not None:
            self._named.append(record["photograph"])
        has = bool(record[BARCODE]), record["photograph"] is not None
        first, before, *had = where.get(identity, (number, 0, False, False))
        what = ("barcode", "photograph")
        twice = [name for name, one, other in zip(what, has, had, strict=True) if one and other]
        if has[1] and identity in self._photographs:
            raise SpecimenError(
                f"has a photograph here and in {self._photographs[identity]}", file=table, row=row,
                processid=identity, hint="leave one of them out",
            )  # fmt: skip
        if before and (first == number or twice):
            place = f"row {before}" if first == number else f"row {before} of {self.tables[first]}"
            raise SpecimenError(
                f"stands twice, first in {place}" + (f", each time with a {twice[0]}" if twice else ""),
                file=table, row=row, processid=identity, hint="keep one of them, or give the other its own id",
            )  # fmt: skip
        if not before:
            self._first[identity] = number
            where[identity] = (number, row, *has)
        else:
            where[identity] = (first, before, has[0] or had[0], has[1] or had[1])
            self._later[identity] = _joined(self._later.get(identity, {}), record)

    def _merged(self) -> Iterator[_Record]:
        for number, table in enumerate(self.tables):
            for record in _records(table, ROWS):
                identity = record[PROCESSID]
                if self._first[identity] == number:
                    record = _joined(record, self._later.get(identity, {}))
                    if record["photograph"] is None:
                        record["photograph"] = self._photographs.get(identity)
                    yield record
        for identity, path in self._photographs.items():
            if identity not in self._first:
                yield {PROCESSID: identity, "photograph": path}


def open_specimens(
    given: Sequence[str | Path],
    split: str | None = None,
    *,
    only: Sequence[str] | None = None,
    photographs: bool = True,
    revision: str | None = None,
) -> Specimens:
    r"""Open what was given: one dataset, or folders of photographs and tables, which are joined by processid.

    Args:
        given: folders of photographs; FASTA, CSV, TSV or Parquet files; or one dataset folder or Hub id. A folder is a
            dataset if there is a Parquet file in it.
        split: splits of the dataset, joined by `+`.
        only: processids of the specimens that are wanted, of a dataset.
        photographs: read those of a dataset, too.
        revision: branch, tag or commit of a dataset on the Hub.

    Raises:
        ValueError: nothing was given, a dataset with something else, or a split or list without a dataset.
        Bioscan5mError: it cannot be read, or contradicts itself.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "reads.fasta"
        ...     _ = path.write_text(">A1 genus=Apis\nACGT\n")
        ...     next(open_specimens([path]).batches()).table["genus"].to_pylist()
        ['Apis']
    """
    paths = [Path(one) for one in given]
    if not paths:
        raise ValueError("no specimens were given: name a folder of photographs, a file of barcodes, or a dataset")
    folders = [path for path in paths if path.is_dir() and next(path.rglob("*.parquet"), None) is None]
    tables = [path for path in paths if path.is_file()]
    if rest := [path for path in paths if path not in folders and path not in tables]:
        if len(paths) > 1:
            raise ValueError(f"{rest[0]} is no file and no folder of photographs: a dataset is asked for by itself")
        return open_dataset(given[0], split, only=only, photographs=photographs, revision=revision)
    if split is not None or only is not None:
        raise ValueError(f"{paths[0]} is no dataset: splits and lists of specimens are chosen from a dataset only")
    return FileSpecimens(folders, tables)


def _records(table: Path, rows: int) -> Iterator[_Record]:
    number = 0
    for batch in read_sequences(table, labels=_WANTED, rows=rows, barcodes=False):
        for record in batch.to_pylist():
            number += 1
            record = {name: _stripped(value) for name, value in record.items()}
            if record[PROCESSID] is None:
                raise SpecimenError("a record without id", file=str(table), row=number, hint="give every record an id")
            named = next((record[name] for name in PHOTOGRAPH_NAMES if record[name]), None)
            record["photograph"] = None if named is None else table.parent / named
            for name, limit in _RANGES.items():
                record[name] = _degrees(record[name], name, limit, str(table), number, record[PROCESSID])
            yield record


def _stripped(text: str | None) -> str | None:
    """Take blanks off both ends; a cell of blanks says nothing."""
    return None if text is None else text.strip() or None


def _degrees(text: str | None, name: str, limit: float, file: str, row: int, identity: str) -> float | None:
    if text is None or not text.strip():
        return None
    try:
        value = float(text)
    except ValueError:
        value = float("nan")
    if not abs(value) <= limit:
        raise SpecimenError(
            f"{name} is {text!r}", file=file, row=row, processid=identity,
            hint=f"write degrees from -{limit:g} to {limit:g}, or leave the cell empty",
        )  # fmt: skip
    return value


def _joined(one: _Record, other: _Record) -> _Record:
    """Take from the second record what the first does not say."""
    return {**other, **{name: value for name, value in one.items() if value not in (None, "")}} | {
        "photograph": one.get("photograph") or other.get("photograph")
    }


def _batch_of(records: Sequence[_Record]) -> Batch:
    columns = {}
    for name, kind in zip(SCHEMA.names, SCHEMA.types, strict=True):
        column = pa.array([record.get(name) for record in records], kind)
        columns[name] = without_fillers(column) if name in LABELS else column
    columns[BARCODE] = columns[BARCODE].fill_null("")
    photographs: list[Photograph | None] = [record.get("photograph") for record in records]
    return Batch(pa.table(columns, schema=SCHEMA), photographs)
