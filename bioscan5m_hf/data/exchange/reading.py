"""Tables and FASTA files of others, read."""

from __future__ import annotations

import csv
import gzip
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ...errors import ReleaseError
from ..schema import COLUMN_NAMES
from .terms import BCDM_NAMES


FASTA = (".fasta", ".fa", ".fna", ".fas")
TABLES = (".csv", ".tsv", ".txt")


@dataclass(frozen=True)
class Found:
    """A record as it was read.

    Args:
        file: where it is from.
        row: its place there, from 1.
        values: column of ours → text; empty ones are left out.
        problem: why it cannot be read, where it cannot.
    """

    file: str
    row: int
    values: dict[str, str]
    problem: str = ""


def read_table(path: Path, names: Mapping[str, str]) -> Iterator[Found]:
    """Read a table with a header: BCDM, one of ours, or one of other columns.

    Args:
        path: CSV or TSV, which may be compressed with gzip.
        names: our columns → those of the table, where it is none of the known forms.

    Raises:
        ReleaseError: it is no table in UTF-8, lacks a column that was named, or has no processid.
    """
    with _text(path) as stream:
        first = stream.readline()
        delimiter = "\t" if first.count("\t") >= first.count(",") and "\t" in first else ","
        header = next(csv.reader([first], delimiter=delimiter), [])
        wanted = _columns(header, names, path)
        reader = csv.reader(stream, delimiter=delimiter)
        for row, cells in enumerate(reader, 1):
            if not any(cells):
                continue
            if len(cells) != len(header):
                problem = f"{len(cells)} cells, the header has {len(header)}: quote cells that hold the delimiter"
                yield Found(str(path), row, {}, problem)
                continue
            values = {ours: cells[place].strip() for ours, place in wanted.items() if cells[place].strip()}
            yield Found(str(path), row, _with_coordinates(values))


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
    with _text(path) as stream:
        for line in stream:
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
def _text(path: Path) -> Iterator[IO[str]]:
    opener: Any = gzip.open if path.suffix == ".gz" else open
    try:
        with opener(path, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    except (UnicodeDecodeError, csv.Error, EOFError, gzip.BadGzipFile) as error:
        raise ReleaseError(f"cannot be read as text: {error}", file=str(path), hint="save it in UTF-8") from error


def _columns(header: list[str], names: Mapping[str, str], path: Path) -> dict[str, int]:
    """Give the place of each of our columns in a table."""
    there = [name.strip() for name in header]
    known = dict(BCDM_NAMES) | {name: name for name in COLUMN_NAMES}
    wanted = {}
    for place, name in enumerate(there):
        ours = known.get(name) or known.get(name.lower())
        if ours and ours not in wanted:
            wanted[ours] = place
        if name.lower() == "coord":
            wanted["coord"] = place
    for ours, theirs in names.items():
        if ours not in COLUMN_NAMES:
            raise ValueError(f"unknown column {ours!r}: use some of {', '.join(COLUMN_NAMES)}")
        if theirs not in there:
            raise ReleaseError(f"no column {theirs!r} among {', '.join(there)}", file=str(path))
        wanted[ours] = there.index(theirs)
    if "processid" not in wanted:
        hint = "name the column of the ids with --column processid=NAME"
        raise ReleaseError(f"no processid among {', '.join(there) or 'no columns'}", file=str(path), hint=hint)
    return wanted


def _with_coordinates(values: dict[str, str]) -> dict[str, str]:
    """Take latitude and longitude out of BOLD's `coord`, `(lat,lon)` or `[lat, lon]`."""
    text = values.pop("coord", "")
    pair = re.fullmatch(r"[(\[]?\s*(-?[\d.]+)\s*[,;]\s*(-?[\d.]+)\s*[)\]]?", text)
    if pair and not {"coord-lat", "coord-lon"} & set(values):
        return values | {"coord-lat": pair[1], "coord-lon": pair[2]}
    return values
