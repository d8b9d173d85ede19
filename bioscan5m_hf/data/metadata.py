"""Read the metadata of a release: CSV or JSON-LD, in blocks, typed, with every bad record named."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import IO, Any

import fsspec
import ijson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from ..errors import ReleaseError
from .checks import Rejection, violations
from .keys import Keys, md5_keys
from .release import Source
from .schema import BY_NAME, COLUMN_NAMES, COLUMNS


BLOCK_BYTES = 16 << 20
JSON_RECORDS = 20_000
_DECIMAL = {column.name for column in COLUMNS if not pa.types.is_string(column.type)}
"""Numbers of any type are read as float64 first: the CSV writes integers as `150502.0`."""


@dataclass(frozen=True)
class Block:
    """A run of whole records, as they stand in the file.

    Args:
        file: the file's name, for messages.
        header: its column names.
        payload: bytes of CSV without the header, or records of JSON-LD.
    """

    file: str
    header: tuple[str, ...]
    payload: bytes | list[dict[str, Any]]


@dataclass
class Parsed:
    """The records of a block.

    Args:
        table: the good records: 23 typed columns in official order.
        keys: MD5 keys of their process ids, shape (n, 2).
        rows: their places in the block, int64, shape (n,).
        records: how many records the block holds, good and bad.
        rejections: the bad ones; `row` is the place in the block, 0 for the first.
    """

    table: pa.Table
    keys: Keys
    rows: npt.NDArray[np.int64]
    records: int
    rejections: list[Rejection] = field(default_factory=list)


def read_blocks(source: Source, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Cut the metadata file into blocks of whole records; a few blocks are in memory at a time.

    Args:
        source: the file, in an archive or not, local or remote.
        block_bytes: size of a block of CSV.

    Yields:
        Blocks in file order.

    Raises:
        ReleaseError: no such columns, not UTF-8 text, a damaged archive, no JSON array.
    """
    name = source.path.rsplit("/", 1)[-1] + (f"!{source.member}" if source.member else "")
    with open_source(source) as stream:
        try:
            yield from _csv_blocks(stream, name, block_bytes) if source.format == "csv" else _json_blocks(stream, name)
        except (zipfile.BadZipFile, EOFError) as error:
            raise ReleaseError(f"damaged archive: {error}", file=name, hint="download the file again") from error


@contextmanager
def open_source(source: Source) -> Iterator[IO[bytes]]:
    """Open the metadata file for reading, without extracting the archive it may be in."""
    with fsspec.open(source.path, "rb") as outer:
        if source.member is None:
            yield outer
            return
        try:
            with zipfile.ZipFile(outer) as archive, archive.open(source.member) as inner:
                yield inner
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise ReleaseError(f"cannot be read: {error}", file=source.path, hint="download the file again") from error


def column_notes(header: Sequence[str], file: str) -> list[str]:
    """Compare a header with the official columns.

    Returns:
        A sentence for each extra column.

    Raises:
        ReleaseError: an official column is missing or a name occurs twice.
    """
    missing = [name for name in COLUMN_NAMES if name not in header]
    if missing:
        raise ReleaseError(
            f"no column {', '.join(map(repr, missing))}; the header is {', '.join(header)[:300]}",
            file=file,
            hint="give the official metadata file, with its 23 columns in any order",
        )
    twice = sorted({name for name in header if list(header).count(name) > 1})
    if twice:
        raise ReleaseError(f"column {', '.join(map(repr, twice))} occurs twice in the header", file=file)
    return [f"column {name!r} of {file} is not official and was left out" for name in header if name not in BY_NAME]


def parse(block: Block) -> Parsed:
    """Type and check the records of a block.

    Args:
        block: a block as `read_blocks` yields it.
    """
    rejections: list[Rejection] = []
    if isinstance(block.payload, bytes):
        try:
            table, rows = _fast(block.payload, block.header), None
        except pa.ArrowInvalid:
            table, rows = _careful(_split_csv(block.payload), block, rejections)
    else:
        records: list[Any] = [[record.get(name) for name in block.header] for record in block.payload]
        table, rows = _careful(records, block, rejections)
    if rows is None:
        rows = np.arange(len(table), dtype=np.int64)
    records_total = len(table) + len(rejections)
    keys = md5_keys(table["processid"].combine_chunks())
    found = violations(table, keys)
    if found:
        processids = table["processid"].take(list(found)).to_pylist()
        named = zip(found.items(), processids, strict=True)
        rejections += [Rejection(block.file, int(rows[row]), name, reason) for (row, reason), name in named]
        good = np.setdiff1d(np.arange(len(table)), np.fromiter(found, np.int64))
        table, keys, rows = table.take(good), keys[good], rows[good]
    return Parsed(table, keys, rows, records_total, sorted(rejections, key=lambda rejection: rejection.row or 0))


def _csv_blocks(stream: IO[bytes], name: str, block_bytes: int) -> Iterator[Block]:
    rest = stream.read(block_bytes)
    if rest.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReleaseError("the file is UTF-16", file=name, hint="save it as UTF-8")
    first, _, rest = rest.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        header = tuple(next(csv.reader([first.decode()]), []))
    except UnicodeDecodeError as error:
        raise ReleaseError(f"the header is not UTF-8: {first[:80]!r}", file=name) from error
    column_notes(header, name)
    while more := stream.read(block_bytes):
        rest += more
        end = _boundary(rest) if len(rest) < 4 * block_bytes else rest.rfind(b"\n") + 1
        if end:
            yield Block(name, header, rest[:end])
            rest = rest[end:]
    if rest:
        yield Block(name, header, rest)


def _boundary(text: bytes) -> int:
    """Find the end of the last record: a line end before which the quotes are even in number."""
    end = text.rfind(b"\n") + 1
    while end and text.count(b'"', 0, end) % 2:
        end = text.rfind(b"\n", 0, text.rfind(b'"', 0, end)) + 1
    return end


def _json_blocks(stream: IO[bytes], name: str) -> Iterator[Block]:
    header: tuple[str, ...] | None = None
    records: list[dict[str, Any]] = []
    try:
        for record in ijson.items(stream, "item", use_float=True):
            if not isinstance(record, dict):
                raise ReleaseError(f"the array holds {record!r}, not a record", file=name)
            if header is None:
                header = tuple(record)
                column_notes(header, name)
            records.append(record)
            if len(records) == JSON_RECORDS:
                yield Block(name, header, records)
                records = []
    except ijson.JSONError as error:
        raise ReleaseError(f"no JSON array of records: {error}", file=name, hint="download it again") from error
    if header is None:
        raise ReleaseError("the file holds no records", file=name)
    if records:
        yield Block(name, header, records)


def _fast(payload: bytes, header: Sequence[str]) -> pa.Table:
    types = {name: pa.float64() if name in _DECIMAL else pa.string() for name in COLUMN_NAMES}
    table = pv.read_csv(
        io.BytesIO(payload),
        pv.ReadOptions(column_names=header, use_threads=False, block_size=len(payload) + 1),
        pv.ParseOptions(newlines_in_values=b'"' in payload),
        pv.ConvertOptions(
            column_types=types,
            include_columns=COLUMN_NAMES,
            strings_can_be_null=True,
            null_values=[""],
            quoted_strings_can_be_null=True,
        ),
    )
    return _official(table)


def _official(table: pa.Table) -> pa.Table:
    return table.cast(pa.schema([pa.field(column.name, column.type) for column in COLUMNS])).combine_chunks()


def _split_csv(payload: bytes) -> list[list[str]]:
    text = payload.decode("utf-8", errors="surrogateescape")
    if payload.count(b'"') % 2 == 0:
        return [row for row in csv.reader(io.StringIO(text, newline="")) if row]
    return [line.split(",") for line in text.splitlines() if line]


def _careful(
    records: list[list[Any]], block: Block, rejections: list[Rejection]
) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Convert value by value; what cannot be converted becomes a rejection."""
    place = {name: block.header.index(name) for name in COLUMN_NAMES}
    good: list[dict[str, Any]] = []
    rows: list[int] = []
    for row, record in enumerate(records):
        processid = str(record[place["processid"]]) if len(record) > place["processid"] else None
        try:
            if len(record) != len(block.header):
                raise ValueError(f"{len(record)} values for {len(block.header)} columns")
            good.append({name: _convert(name, record[index]) for name, index in place.items()})
            rows.append(row)
        except ValueError as error:
            rejections.append(Rejection(block.file, row, _legible(processid), str(error)))
    schema = pa.schema([pa.field(column.name, column.type) for column in COLUMNS])
    return pa.Table.from_pylist(good, schema), np.array(rows, np.int64)


def _convert(name: str, value: object) -> str | float | int | None:
    if value is None or value == "":
        return None
    text = str(value)
    if text.encode("utf-8", errors="replace") != text.encode("utf-8", errors="surrogateescape"):
        raise ValueError(f"{name} is not UTF-8: {_legible(text)}")
    if name not in _DECIMAL:
        return text
    try:
        number = float(text)
        exact = pc.cast(pa.scalar(number), BY_NAME[name].type).as_py()
    except (ValueError, pa.ArrowInvalid) as error:
        raise ValueError(f"{name} {text!r} is no {BY_NAME[name].type}") from error
    return exact  # type: ignore[no-any-return]


def _legible(text: str | None) -> str | None:
    return None if text is None else text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
