"""Darwin Core archives, read: what `meta.xml` describes, and nothing that it could make a program do."""

from __future__ import annotations

import csv
import io
import re
import xml.etree.ElementTree as ElementTree
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile

from ...errors import ReleaseError
from .reading import Found
from .terms import DNA, OCCURRENCE


META = "meta.xml"
LARGEST, PACKED = 100_000_000_000, 2000
"""Bytes to which a member may unpack, and how many times its own size, where that is more than a megabyte."""


def read_darwin_core(path: Path) -> Iterator[Found]:
    """Read the occurrences of a Darwin Core archive with their sequences.

    Args:
        path: zip, or folder with `meta.xml`.

    Raises:
        ReleaseError: it is no archive of occurrences, or its description is not safe to read.
    """
    with _archive(path) as opened:
        described = _description(opened(META).read(), path)
        sequences: dict[str, str] = {}
        by_uri = {term.uri: term.ours for term in (*OCCURRENCE, *DNA) if term.ours}
        core, extensions = described[0], described[1:]
        for file in extensions:
            places = {place: uri for place, uri in file.fields.items() if by_uri.get(uri) == "dna_barcode"}
            for _, cells in _cells(opened, file, path):
                for place in places:
                    if len(cells) > place:
                        sequences.setdefault(cells[file.identity], cells[place])
        for row, cells in _cells(opened, core, path):
            terms = {uri: cells[place] for place, uri in core.fields.items() if place < len(cells)}
            values = {by_uri[uri]: text for uri, text in terms.items() if text and by_uri.get(uri)}
            values.setdefault("processid", cells[core.identity])
            named = {uri.rpartition("/")[2]: text for uri, text in terms.items()}
            if named.get("taxonRank", "").lower() == "species" and named.get("scientificName"):
                values.setdefault("species", named["scientificName"])
            values.setdefault("taxon", named.get("scientificName", ""))
            values.setdefault("dna_barcode", sequences.get(cells[core.identity], ""))
            yield Found(f"{path}!{core.name}", row, {name: text for name, text in values.items() if text})


@dataclass(frozen=True)
class _File:
    """A table of an archive, as `meta.xml` describes it."""

    name: str
    identity: int
    fields: dict[int, str]
    delimiter: str
    quote: str
    skip: int


def _description(text: bytes, path: Path) -> list[_File]:
    if b"<!DOCTYPE" in text.upper() or b"<!ENTITY" in text.upper():
        raise ReleaseError("declares a document type or entities, which is refused", file=f"{path}!{META}")
    try:
        root = ElementTree.fromstring(text)  # without entities it can only say what it holds
    except ElementTree.ParseError as error:
        raise ReleaseError(f"is no XML: {error}", file=f"{path}!{META}") from error
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    core = root.find(f"{space}core")
    if core is None or not core.get("rowType", "").endswith("/Occurrence"):
        raise ReleaseError("describes no core of occurrences", file=f"{path}!{META}")
    return [_described(element, space, path) for element in (core, *root.findall(f"{space}extension"))]


def _described(element: ElementTree.Element, space: str, path: Path) -> _File:
    location = element.find(f"{space}files/{space}location")
    identity = element.find(f"{space}id")
    identity = element.find(f"{space}coreid") if identity is None else identity
    if location is None or not location.text or identity is None:
        raise ReleaseError("a table without location or id", file=f"{path}!{META}")
    name = location.text.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ReleaseError(f"the location {name!r} is no plain file name", file=f"{path}!{META}")
    try:
        fields = {
            int(one.attrib["index"]): one.attrib["term"]
            for one in element.findall(f"{space}field")
            if "index" in one.attrib
        }
        place, skip = int(identity.get("index", "0")), int(element.get("ignoreHeaderLines", "0") or 0)
    except (KeyError, ValueError) as error:
        raise ReleaseError(f"an index is no number: {error}", file=f"{path}!{META}") from error
    delimiter = element.get("fieldsTerminatedBy", ",").replace("\\t", "\t") or ","
    return _File(name, place, fields, delimiter, element.get("fieldsEnclosedBy", '"'), skip)


def _cells(opened: _Opener, file: _File, path: Path) -> Iterator[tuple[int, list[str]]]:
    with io.TextIOWrapper(opened(file.name), encoding="utf-8-sig", newline="") as stream:
        reader = (
            csv.reader(stream, delimiter=file.delimiter, quotechar=file.quote)
            if file.quote
            else csv.reader(stream, delimiter=file.delimiter, quoting=csv.QUOTE_NONE)
        )
        for row, cells in enumerate(_decoded(reader, path), 1 - file.skip):
            if row > 0 and cells:
                if len(cells) <= file.identity:
                    raise ReleaseError("a line without its id", file=f"{path}!{file.name}", row=row)
                yield row, cells


def _decoded(reader: Iterator[list[str]], path: Path) -> Iterator[list[str]]:
    try:
        yield from reader
    except (UnicodeDecodeError, csv.Error) as error:
        raise ReleaseError(f"cannot be read: {error}", file=str(path), hint="save it in UTF-8") from error


class _Opener:
    """Opens a member of an archive, or a file of a folder."""

    def __init__(self, path: Path, archive: ZipFile | None) -> None:
        self.path, self.archive = path, archive

    def __call__(self, name: str) -> IO[bytes]:
        try:
            if self.archive is None:
                return (self.path / name).open("rb")
            found = next((one for one in self.archive.infolist() if one.filename.rpartition("/")[2] == name), None)
            if found is None:
                raise ReleaseError(f"there is no {name} in it", file=str(self.path))
            if found.file_size > LARGEST or (
                found.file_size > 1 << 20 and found.file_size > 2000 * found.compress_size
            ):
                raise ReleaseError(f"{name} would unpack to {found.file_size:,} bytes", file=str(self.path))
            return self.archive.open(found)
        except OSError as error:
            raise ReleaseError(f"there is no {name} in it", file=str(self.path)) from error


@contextmanager
def _archive(path: Path) -> Iterator[_Opener]:
    if path.is_dir():
        yield _Opener(path, None)
        return
    try:
        with ZipFile(path) as archive:
            yield _Opener(path, archive)
    except BadZipFile as error:
        raise ReleaseError(f"is no zip: {error}", file=str(path)) from error
