"""Tables and FASTA files of others, read."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa

from ...errors import ReleaseError
from ..checks import MISSING_WORDS, shown
from ..schema import COLUMN_NAMES, COLUMNS
from .terms import BCDM_NAMES, INVENTED_NOTE, MARKER


FASTA = (".fasta", ".fa", ".fna", ".fas")
TABLES = (".csv", ".tsv", ".txt")
MARKERS = {"COI-5P", "COI", "COX1", "CO1", "COI5P", "MT-CO1"}
"""Names of the marker that barcodes are of, in upper case."""

R_WORDS = ("NA", "N/A")
"""What R writes for a missing value; no name, place or number of a specimen is written so."""

LINE = 10_000_000
"""Letters of a line at the most: a longer one is no record, and would fill the memory."""

_NUMBERS = {column.name for column in COLUMNS if not pa.types.is_string(column.type)}
_DECIMAL_COMMA = re.compile(r"[-+]?\d+,\d+")
_NUMBER = r"[-+]?\d+(?:\.\d*)?(?:[eE][-+]?\d+)?"


@dataclass(frozen=True)
class Found:
    """A record as it was read.

    Args:
        file: where it is from.
        row: its place there, from 1; None where it has none.
        values: column of ours → text; empty ones are left out.
        problem: why it cannot be read, where it cannot.
        invented: it says that there is no such specimen.
    """

    file: str
    row: int | None
    values: dict[str, str]
    problem: str = ""
    invented: bool = False


def read_table(path: Path, names: Mapping[str, str]) -> Iterator[Found]:
    """Read a table with a header: BCDM, one of ours, or one of other columns.

    A table with tabs is read as BOLD writes it, where a quote is a letter like any other; a cell that stands in quotes
    as a whole loses them. In tables with commas or semicolons, quotes protect delimiters and line ends; beside
    semicolons a number may have a comma for its point.

    Args:
        path: CSV or TSV, which may be compressed with gzip.
        names: our columns → those of the table, where it is none of the known forms.

    Raises:
        ReleaseError: it is no table in UTF-8, lacks a column that was named, or has no processid.
    """
    with open_text(path) as lines:
        first = next(lines, "")
        delimiter = max("\t,;", key=first.count)
        header = next(_cells(iter([first]), delimiter, path), [])
        wanted = _columns(header, names, path)
        for row, cells in enumerate(_cells(lines, delimiter, path), 1):
            if not any(cells):
                continue
            if len(cells) != len(header):
                problem = f"{len(cells)} cells, the header has {len(header)}: quote cells that hold the delimiter"
                yield Found(str(path), row, {}, problem)
                continue
            values = {ours: known(cells[place]) for ours, place in wanted.items()}
            if delimiter == ";":
                values = {ours: _with_point(ours, text) for ours, text in values.items()}
            yield checked(str(path), row, {ours: text for ours, text in values.items() if text})


def read_fasta(path: Path) -> Iterator[Found]:
    r"""Read a FASTA file: the id is the header's first word, up to a `;` or `|`.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "a.fasta"
        ...     _ = path.write_text(">A1 Aus bus\nACG\nT\n")
        ...     print([found.values for found in read_fasta(path)])
        [{'processid': 'A1', 'dna_barcode': 'ACGT'}]
    """
    name, parts, row = "", [""], 0
    with open_text(path) as lines:
        for line in lines:
            text = line.strip()
            if text.startswith(">"):
                if row:
                    yield Found(str(path), row, _record(name, parts))
                name, parts, row = (re.split(r"[\s;|]", text[1:].strip()) or [""])[0], [], row + 1
            elif text and not row:
                raise ReleaseError(f"no FASTA: it begins with {text[:30]!r}", file=str(path))
            else:
                parts.append(text)
    if row:
        yield Found(str(path), row, _record(name, parts))


def _record(name: str, parts: list[str]) -> dict[str, str]:
    values = {"processid": name, "dna_barcode": "".join(parts).replace(" ", "")}
    return {key: text for key, text in values.items() if text}


@contextmanager
def open_text(path: Path, stream: IO[bytes] | None = None) -> Iterator[Iterator[str]]:
    """Open a file of text, compressed with gzip or not, line by line.

    Args:
        path: the file, for messages where `stream` is given.
        stream: its bytes, where it is the member of an archive.

    Raises:
        ReleaseError: it is not UTF-8, is damaged, or has a line of more than `LINE` letters.
    """
    opener: Any = gzip.open if path.suffix == ".gz" else open
    hint = "save it in UTF-8, such as `iconv -f LATIN1 -t UTF-8` does"
    try:
        with opener(path, "rb") if stream is None else stream as opened:
            yield _lines(io.TextIOWrapper(opened, encoding="utf-8-sig", newline=""), path)
    except UnicodeDecodeError as error:
        wide = error.object[:2] in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
        hint = hint.replace("LATIN1", "UTF-16") if wide else hint
        raise ReleaseError(f"cannot be read as text: {error}", file=str(path), hint=hint) from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile) as error:
        raise ReleaseError(f"is damaged: {error}", file=str(path), hint="fetch it again") from error


def _lines(stream: IO[str], path: Path) -> Iterator[str]:
    while line := stream.readline(LINE):
        if len(line) == LINE and not line.endswith("\n"):
            raise ReleaseError(f"a line of more than {LINE:,} letters: no table of specimens", file=str(path))
        yield line


def _cells(lines: Iterator[str], delimiter: str, path: Path) -> Iterator[list[str]]:
    if delimiter == "\t":
        for line in lines:
            yield [_unquoted(cell) for cell in line.rstrip("\r\n").split("\t")]
        return
    try:
        yield from csv.reader(lines, delimiter=delimiter, strict=True)
    except csv.Error as error:
        raise ReleaseError(f"cannot be read as a table: {error}", file=str(path)) from error


def _with_point(ours: str, text: str) -> str:
    """Write a number with a point, where a spreadsheet writes commas."""
    return text.replace(",", ".") if ours in _NUMBERS and _DECIMAL_COMMA.fullmatch(text) else text


def _unquoted(cell: str) -> str:
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1].replace('""', "")
    return cell[1:-1].replace('""', '"') if quoted else cell


def known(text: str) -> str:
    """Give a cell without blanks around it; nothing for words that stand for a missing value.

    Examples:
        >>> known(" Diptera "), known("None")
        ('Diptera', '')
    """
    text = text.strip()
    return "" if text in (*MISSING_WORDS, *R_WORDS) else text


def checked(file: str, row: int, values: dict[str, str]) -> Found:
    """Make a record of values: take its site apart, and turn other markers than COI away.

    Examples:
        >>> checked("a.tsv", 1, {"processid": "A1", "coord": "[10.3, -84]"}).values
        {'processid': 'A1', 'coord-lat': '10.3', 'coord-lon': '-84'}
        >>> checked("a.tsv", 1, {"processid": "A1", "marker": "28S"}).problem
        "marker '28S': barcodes are of COI-5P"
    """
    marker, notes = values.pop("marker", "") or MARKER, values.pop("notes", "")
    values, problem = _with_coordinates(values)
    if marker.upper() not in MARKERS:
        problem = f"marker {shown(marker)}: barcodes are of {MARKER}"
    return Found(file, row, values, problem, notes == INVENTED_NOTE)


def _columns(header: list[str], names: Mapping[str, str], path: Path) -> dict[str, int]:
    """Give the place of each of our columns in a table."""
    there = [name.strip() for name in header]
    given = dict(BCDM_NAMES) | {name: name for name in COLUMN_NAMES}
    wanted: dict[str, int] = {}
    if twice := [name for name in dict.fromkeys(there) if name and there.count(name) > 1]:
        raise ReleaseError(f"the column {twice[0]!r} stands twice in the header", file=str(path))
    for place, name in enumerate(there):
        ours = given.get(name) or given.get(name.lower())
        if ours:
            wanted.setdefault(ours, place)
    for ours, theirs in check_names(names).items():
        if theirs not in there:
            raise ReleaseError(f"no column {theirs!r} among {', '.join(there)}", file=str(path))
        wanted[ours] = there.index(theirs)
    if "processid" not in wanted:
        hint = "name the column of the ids with --column processid=NAME"
        said = shown(", ".join(there)).strip("'") or "no columns"
        raise ReleaseError(f"no processid among {said}", file=str(path), hint=hint)
    return wanted


def check_names(names: Mapping[str, str]) -> Mapping[str, str]:
    """Return the names of columns, if all of ours are some.

    Raises:
        ValueError: one is not.
    """
    if unknown := [ours for ours in names if ours not in COLUMN_NAMES]:
        raise ValueError(f"unknown column {unknown[0]!r}: use some of {', '.join(COLUMN_NAMES)}")
    return names


def _with_coordinates(values: dict[str, str]) -> tuple[dict[str, str], str]:
    """Take latitude and longitude out of BOLD's `coord`, `(lat,lon)` or `[lat, lon]`."""
    text = values.pop("coord", "")
    if not text or {"coord-lat", "coord-lon"} & set(values):
        return values, ""
    pair = re.fullmatch(rf"[(\[]?\s*({_NUMBER})\s*[,;\s]\s*({_NUMBER})\s*[)\]]?", text)
    if pair is None:
        return values, f"coord {shown(text)} is no site: write (latitude,longitude)"
    return values | {"coord-lat": pair[1], "coord-lon": pair[2]}, ""
