"""Type and check the records of a metadata block, with every bad one named."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv

from .checks import MISSING_WORDS, Rejection, shown, violations
from .keys import Keys, md5_keys
from .metadata import Block
from .schema import BY_NAME, COLUMN_NAMES, COLUMNS


_WORDS = pa.array(MISSING_WORDS)
_DECIMAL = {column.name for column in COLUMNS if not pa.types.is_string(column.type)}
"""Numbers of any type are read as float64 first: the CSV writes integers as `150502.0`."""
_KINDS = {pa.float64(): "number", pa.int64(): "whole number", pa.uint8(): "whole number from 0 to 255"}


class Unreadable(NamedTuple):
    """A record that has no values.

    Args:
        processid: the specimen, where it can be made out.
        reason: what is wrong with it.
    """

    processid: str | None
    reason: str


@dataclass
class Parsed:
    """The records of a block.

    Args:
        table: the good records: 23 typed columns in official order.
        keys: MD5 keys of their process ids, shape (n, 2).
        rows: their places in the block, int64, shape (n,).
        records: how many records the block holds, good and bad.
        rejections: the bad ones; `row` is the place in the block, 0 for the first.
        words: values that were words for "missing" (`checks.MISSING_WORDS`) and are null now.
    """

    table: pa.Table
    keys: Keys
    rows: npt.NDArray[np.int64]
    records: int
    rejections: list[Rejection] = field(default_factory=list)
    words: int = 0


def parse(block: Block) -> Parsed:
    """Type and check the records of a block.

    Args:
        block: a block as `read_blocks` yields it.
    """
    rejections: list[Rejection] = []
    table, rows = _fast(block), None
    if table is None:
        table, rows = _careful(block, rejections)
    if rows is None:
        rows = np.arange(len(table), dtype=np.int64)
    records_total = len(table) + len(rejections)
    table, words = _without_words(table)
    keys = md5_keys(table["processid"].combine_chunks())
    found = violations(table, keys)
    if found:
        processids = table["processid"].take(list(found)).to_pylist()
        named = zip(found.items(), processids, strict=True)
        rejections += [Rejection(block.file, int(rows[row]), name, reason) for (row, reason), name in named]
        good = np.setdiff1d(np.arange(len(table)), np.fromiter(found, np.int64))
        table, keys, rows = table.take(good), keys[good], rows[good]
    rejections.sort(key=lambda rejection: rejection.row or 0)
    return Parsed(table, keys, rows, records_total, rejections, words)


def _without_words(table: pa.Table) -> tuple[pa.Table, int]:
    """Make words for "missing" null; count them."""
    count = 0
    for index, column in enumerate(COLUMNS):
        if pa.types.is_string(column.type) and not column.required:
            is_word = pc.is_in(table[column.name], _WORDS)
            found = pc.sum(is_word).as_py() or 0
            if found:
                values = pc.if_else(is_word, pa.scalar(None, pa.string()), table[column.name])
                table = table.set_column(index, table.schema.field(index), values)
                count += found
    return table, count


def _fast(block: Block) -> pa.Table | None:
    """Convert a block column by column; None where a record needs a closer look."""
    with suppress(pa.ArrowInvalid, pa.ArrowTypeError, KeyError):
        if not isinstance(block.payload, bytes):
            return _official(pa.table({name: _column(name, block.payload) for name in COLUMN_NAMES}))
        table = _fast_csv(block.payload, block.header)
        lines = block.payload.count(b"\n") + (not block.payload.endswith(b"\n"))
        if b'"' not in block.payload or len(table) == lines:
            return table
    return None


def _column(name: str, records: list[dict[str, Any]]) -> pa.Array:
    values = [record[name] for record in records]
    texts = pa.array([None if value == "" else value for value in values], pa.string())
    return texts.cast(pa.float64()) if name in _DECIMAL else texts


def _fast_csv(payload: bytes, header: Sequence[str]) -> pa.Table:
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


def _split_csv(payload: bytes, columns: int) -> Iterator[list[str] | Unreadable]:
    """Split CSV as Python does, but for a quote that is not closed: it costs its own line, not those after it."""
    lines = io.StringIO(payload.decode("utf-8", "surrogateescape"), newline="").readlines()
    start = 0
    while start < len(lines):
        reader = csv.reader(map(lines.__getitem__, range(start, len(lines))), strict=True)
        first = start
        with suppress(csv.Error):
            for record in reader:
                stop = first + reader.line_num
                if any(line.count(",") == columns - 1 for line in lines[start + 1 : stop]):
                    break
                if record:
                    yield record
                start = stop
        if start < len(lines):
            yield Unreadable(lines[start].partition(",")[0], f"a quote is not closed: {shown(_legible(lines[start]))}")
            start += 1


def _records(block: Block) -> Iterator[list[Any] | Unreadable]:
    if isinstance(block.payload, bytes):
        yield from _split_csv(block.payload, len(block.header))
        return
    for record in block.payload:
        missing = [name for name in COLUMN_NAMES if name not in record]
        if missing:
            yield Unreadable(record.get("processid"), f"no key {', '.join(map(repr, missing))}")
        else:
            yield [record.get(name) for name in block.header]


def _careful(block: Block, rejections: list[Rejection]) -> tuple[pa.Table, npt.NDArray[np.int64]]:
    """Convert value by value; what cannot be converted becomes a rejection."""
    place = {name: block.header.index(name) for name in COLUMN_NAMES}
    good: list[dict[str, Any]] = []
    rows: list[int] = []
    for row, record in enumerate(_records(block)):
        if isinstance(record, Unreadable):
            rejections.append(Rejection(block.file, row, _legible(record.processid), record.reason))
            continue
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
    if isinstance(value, bool | list | dict):
        raise ValueError(f"{name} {shown(value)} is neither text nor a number")
    text = str(value)
    if _legible(text) != text:
        raise ValueError(f"{name} is not UTF-8: {shown(_legible(text))}")
    if name not in _DECIMAL:
        return text
    kind = BY_NAME[name].type
    try:
        return pa.scalar(text.strip(" \t")).cast(pa.float64()).cast(kind).as_py()  # type: ignore[no-any-return]
    except pa.ArrowInvalid as error:
        raise ValueError(f"{name} {shown(text)} is no {_KINDS[kind]}") from error


def _legible(text: str | None) -> str | None:
    """Write bytes that are no UTF-8, and halves of characters, as escapes."""
    if text is None or text.isascii():
        return text
    try:
        raw = text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        raw = text.encode("utf-8", "surrogatepass")
    return raw.decode("utf-8", "backslashreplace")
