"""Read the metadata of a release, CSV or JSON-LD, in blocks of whole records."""

from __future__ import annotations

import csv
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO, Any

import fsspec
import ijson

from ..errors import ReleaseError
from .checks import shown
from .release import Source
from .remote import connection
from .schema import BY_NAME, COLUMN_NAMES


BLOCK_BYTES = 16 << 20
HEADER_BYTES = 1 << 20
JSON_RECORDS = 20_000
_JSON_HINT = "give the official file, one JSON array of records, or download it again"


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


def read_blocks(source: Source, *, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
    """Cut the metadata file into blocks of whole records; a few blocks are in memory at a time.

    Args:
        source: the file, in an archive or not, local or remote.
        block_bytes: size of a block of CSV.

    Yields:
        Blocks in file order.

    Raises:
        ReleaseError: no such columns, not UTF-8 text, a damaged archive, no JSON array.
        Bioscan5mError: the connection to a remote one failed.
    """
    name = source.path.rsplit("/", 1)[-1] + (f"!{source.member}" if source.member else "")
    with connection(source.path), open_source(source) as stream:
        try:
            yield from _csv_blocks(stream, name, block_bytes) if source.format == "csv" else _json_blocks(stream, name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise ReleaseError(f"damaged archive: {error}", file=name, hint="download the file again") from error


@contextmanager
def open_source(source: Source) -> Iterator[IO[bytes]]:
    """Open the metadata file for reading, without extracting the archive it may be in."""
    with ExitStack() as stack:
        stream: IO[bytes] = stack.enter_context(fsspec.open(source.path, "rb"))
        if source.member is not None:
            try:
                archive = stack.enter_context(zipfile.ZipFile(stream))
                stream = stack.enter_context(archive.open(source.member))
            except zipfile.BadZipFile as error:
                hint = "download the file again"
                raise ReleaseError(f"damaged archive: {error}", file=source.path, hint=hint) from error
            except RuntimeError as error:
                hint = "make a zip of stored or deflated members, without a password"
                raise ReleaseError(f"cannot be unpacked: {error}", file=source.path, hint=hint) from error
        yield stream


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
        raise ReleaseError(
            f"column {', '.join(map(repr, twice))} occurs twice in the header",
            file=file,
            hint="leave one of them out",
        )
    return [f"column {name!r} of {file} is not official and was left out" for name in header if name not in BY_NAME]


def _csv_blocks(stream: IO[bytes], name: str, block_bytes: int) -> Iterator[Block]:
    header, rest = _read_header(stream, name, block_bytes)
    while more := stream.read(block_bytes):
        rest += more
        end = _boundary(rest)
        if not end and len(rest) >= 4 * block_bytes:  # a quote that is not closed
            end = rest.rfind(b"\n") + 1
        if end:
            yield Block(name, header, rest[:end])
            rest = rest[end:]
    if rest:
        yield Block(name, header, rest)


def _read_header(stream: IO[bytes], name: str, block_bytes: int) -> tuple[tuple[str, ...], bytes]:
    text = stream.read(block_bytes)
    while b"\n" not in text and len(text) < HEADER_BYTES and (more := stream.read(block_bytes)):
        text += more
    if not text.strip():
        raise ReleaseError("the file is empty", file=name, hint="give the official metadata file")
    if text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReleaseError("the file is UTF-16", file=name, hint="save it as UTF-8")
    first, _, rest = text.removeprefix(b"\xef\xbb\xbf").partition(b"\n")
    try:
        header = tuple(next(csv.reader([first.decode()]), []))
    except UnicodeDecodeError as error:
        raise ReleaseError(
            f"the header is not UTF-8: {shown(first)}", file=name, hint="save the file as UTF-8"
        ) from error
    except csv.Error as error:
        raise ReleaseError(
            f"the header cannot be read: {error}", file=name, hint="save the file as CSV, one record a line"
        ) from error
    column_notes(header, name)
    return header, rest


def _boundary(text: bytes) -> int:
    """Find the end of the last record: a line end before which the quotes are even in number."""
    end = text.rfind(b"\n") + 1
    quotes = text.count(b'"', 0, end)
    while end and quotes % 2:
        before = text.rfind(b"\n", 0, text.rfind(b'"', 0, end)) + 1
        quotes -= text.count(b'"', before, end)
        end = before
    return end


def _json_blocks(stream: IO[bytes], name: str) -> Iterator[Block]:
    header: tuple[str, ...] | None = None
    records: list[dict[str, Any]] = []
    row = 0
    try:
        for row, record in enumerate(ijson.items(stream, "item", use_float=True), 1):
            if not isinstance(record, dict):
                raise ReleaseError(f"{shown(record)} is no record", file=name, row=row, hint=_JSON_HINT)
            if header is None:
                header = tuple(record)
                column_notes(header, name)
            records.append(record)
            if len(records) == JSON_RECORDS:
                yield Block(name, header, records)
                records = []
    except (ijson.JSONError, UnicodeDecodeError) as error:
        problem = error.args[0] if error.args else ""
        text = problem.decode(errors="backslashreplace") if isinstance(problem, bytes) else str(error)
        raise ReleaseError(
            f"no JSON array of records: {' '.join(text.split())}", file=name, row=row + 1, hint=_JSON_HINT
        ) from error
    if header is None:
        raise ReleaseError("the file holds no array of records", file=name, hint=_JSON_HINT)
    if records:
        yield Block(name, header, records)
