"""Darwin Core archives, read: what `meta.xml` describes, and nothing that it could make a program do."""

from __future__ import annotations

import csv
import re
import xml.etree.ElementTree as ElementTree
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import IO
from zipfile import BadZipFile, ZipFile, ZipInfo

from ...errors import ReleaseError
from .reading import Found, check_names, checked, known, open_text
from .terms import DNA, KINGDOM, OCCURRENCE


META = "meta.xml"
META_BYTES = 1_000_000
"""Bytes of a description at the most."""

SMALL, RATIO = 10_000_000, 200
"""A member that unpacks to more than `SMALL` bytes, and to `RATIO` times its packed size, is no table but a bomb."""

BIN = "BOLD:"
"""What the id of a Barcode Index Number begins with."""

_AUTHOR = re.compile(r"(?<=[a-z])\s+\(?[A-ZÀ-Þ][^\d]*,\s*(?:1[78]|19|20)\d\d\)?$")

_OURS = {term.uri.rpartition("/")[2]: term.ours for term in (*OCCURRENCE, *DNA) if term.ours}
_GENE = next(term.uri.rpartition("/")[2] for term in DNA if term.ours == "marker")


def read_darwin_core(path: Path, names: Mapping[str, str]) -> Iterator[Found]:
    """Read the occurrences of a Darwin Core archive with their sequences.

    Args:
        path: zip, or folder with `meta.xml`.
        names: our columns → names of terms, where other terms than those of our own archives are meant.

    Raises:
        ReleaseError: it is no archive of occurrences, lacks a term that was named, or is not safe to read.
        ValueError: a column is none of ours.
    """
    with _archive(path) as opened:
        described = _description(opened.meta(), path)
        core, extensions = described[0], described[1:]
        there = {*core.fields.values(), *core.constant}
        if missing := [theirs for theirs in check_names(names).values() if theirs not in there]:
            raise ReleaseError(f"no term {missing[0]!r} among {', '.join(sorted(there))}", file=f"{path}!{META}")
        sequences: dict[str, tuple[str, str]] = {}
        for file in extensions:
            if "dna_barcode" in {_OURS.get(term) for term in file.fields.values()}:
                for row, (identity, terms) in enumerate(_records(opened, file, path), 1):
                    yield from _second(sequences, identity, terms, f"{path}!{file.name}", row)
        for row, (identity, terms) in enumerate(_records(opened, core, path), 1):
            values = _values(terms, names)
            barcode, marker = sequences.pop(identity, ("", ""))
            values = {"processid": identity, "dna_barcode": barcode, "marker": marker} | values
            yield checked(f"{path}!{core.name}", row, {name: text for name, text in values.items() if text})
        for identity in sequences:
            yield Found(f"{path}!{core.name}", None, {"processid": identity}, "a sequence without an occurrence")


def _second(
    sequences: dict[str, tuple[str, str]], identity: str, terms: Mapping[str, str], file: str, row: int
) -> Iterator[Found]:
    """Keep a sequence; one more of an occurrence is told."""
    barcode = next((text for term, text in terms.items() if _OURS.get(term) == "dna_barcode"), "")
    found = checked(file, row, {"processid": identity, "marker": terms.get(_GENE, "")})
    if barcode and not found.problem and identity in sequences:
        found = Found(file, row, found.values, "a second sequence of the occurrence")
    if found.problem:
        yield found
    elif barcode:
        sequences[identity] = barcode, terms.get(_GENE, "")


def _values(terms: Mapping[str, str], names: Mapping[str, str]) -> dict[str, str]:
    values = {_OURS[term]: text for term, text in terms.items() if _OURS.get(term)}
    rank = terms.get("taxonRank", "").lower()
    name = without_author(terms.get("scientificName", ""), terms.get("scientificNameAuthorship", ""))
    if species := _species(terms, rank, name):
        values["species"] = species
    if name and rank != KINGDOM[0]:
        values.setdefault("taxon", name)
    if not values.get("dna_bin", "").startswith(BIN):  # of others, a taxonID is a number of their own
        values.pop("dna_bin", None)
    if terms.get("countryCode") and not values.get("country"):
        values["country"] = country_of(terms["countryCode"])
    return values | {ours: terms[theirs] for ours, theirs in names.items() if theirs in terms}


def _species(terms: Mapping[str, str], rank: str, name: str) -> str:
    """Give the species: that of GBIF's own column, genus and epithet, or the name of a record of that rank."""
    if terms.get("species"):
        return terms["species"]
    if terms.get("genus") and terms.get("specificEpithet"):
        return f"{terms['genus']} {terms['specificEpithet']}"
    return name if rank == "species" else ""


def without_author(name: str, author: str = "") -> str:
    """Take the authorship off a scientific name: the one that is given, or what ends in a year.

    Args:
        name: as records have it.
        author: of the name, where it stands in a column of its own.

    Examples:
        >>> without_author("Musca domestica Linnaeus, 1758"), without_author("Megaselia sp. A")
        ('Musca domestica', 'Megaselia sp. A')
        >>> without_author("Aedes albopictus (Skuse, 1894)"), without_author("Aus bus Smith", "Smith")
        ('Aedes albopictus', 'Aus bus')
    """
    if author:
        return name.removesuffix(author).strip()
    found = _AUTHOR.search(name)
    return name[: found.start()] if found else name


@cache
def country_of(code: str) -> str:
    """Give the English name of a country by its code of ISO 3166-1; nothing where none has it, or nobody knows them.

    Args:
        code: two or three letters.

    Examples:
        >>> country_of("CR"), country_of("ZZ")
        ('Costa Rica', '')
    """
    try:
        import pycountry
    except ModuleNotFoundError:
        return ""
    try:
        found = pycountry.countries.lookup(code)
    except LookupError:
        return ""
    return str(getattr(found, "common_name", found.name))


@dataclass(frozen=True)
class _File:
    """A table of an archive, as `meta.xml` describes it.

    Args:
        name: file or member.
        identity: place of the id.
        fields: place → term, without its namespace.
        constant: term → the value that all records have.
        delimiter: between fields.
        quote: around fields; empty for none.
        skip: lines before the first record.
    """

    name: str
    identity: int
    fields: dict[int, str]
    constant: dict[str, str]
    delimiter: str
    quote: str
    skip: int


def _description(text: bytes, path: Path) -> list[_File]:
    file = f"{path}!{META}"
    if not text.isascii() and text.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise ReleaseError("is UTF-16", file=file, hint="save it in UTF-8")
    if b"\0" in text or b"<!DOCTYPE" in text.upper() or b"<!ENTITY" in text.upper():
        raise ReleaseError("declares a document type or entities, which is refused", file=file)
    try:
        root = ElementTree.fromstring(text)  # without entities it can only say what it holds
    except (ElementTree.ParseError, LookupError, ValueError) as error:
        raise ReleaseError(f"is no XML: {error}", file=file) from error
    space = root.tag.partition("}")[0] + "}" if root.tag.startswith("{") else ""
    core = root.find(f"{space}core")
    if core is None or not core.get("rowType", "").endswith("/Occurrence"):
        raise ReleaseError("describes no core of occurrences", file=file)
    return [_described(element, space, file) for element in (core, *root.findall(f"{space}extension"))]


def _described(element: ElementTree.Element, space: str, file: str) -> _File:
    locations = element.findall(f"{space}files/{space}location")
    identity = element.find(f"{space}{'id' if element.tag == f'{space}core' else 'coreid'}")
    if len(locations) != 1 or not locations[0].text or identity is None:
        raise ReleaseError("a table without one location and one id", file=file)
    name = locations[0].text.strip()
    if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]*", name):
        raise ReleaseError(f"the location {name!r} is no plain file name", file=file)
    given = [(one, one.get("term", "").rpartition("/")[2]) for one in element.findall(f"{space}field")]
    try:
        fields = {_number(one, "index"): term for one, term in given if "index" in one.attrib}
        place, skip = _number(identity, "index"), _number(element, "ignoreHeaderLines")
    except ValueError as error:
        raise ReleaseError(f"an index is no number: {error}", file=file) from error
    constant = {term: one.get("default", "") for one, term in given if one.get("default")}
    delimiter = element.get("fieldsTerminatedBy", ",").replace("\\t", "\t") or ","
    quote = element.get("fieldsEnclosedBy", '"')
    if len(delimiter) != 1 or len(quote) > 1 or delimiter in "\r\n" or delimiter == quote:
        raise ReleaseError(f"fields between {delimiter!r} and in {quote!r}: use one character each", file=file)
    return _File(name, place, fields, constant, delimiter, quote, skip)


def _number(element: ElementTree.Element, attribute: str) -> int:
    number = int(element.get(attribute) or "0")
    if number < 0:
        raise ValueError(f"{number} is negative")
    return number


def _records(opened: _Opener, file: _File, path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Give the id and the terms of each record of a table."""
    place = Path(f"{path}!{file.name}")
    with open_text(place, opened(file.name)) as lines:
        reader = (
            csv.reader(lines, delimiter=file.delimiter, quotechar=file.quote)
            if file.quote
            else csv.reader(lines, delimiter=file.delimiter, quoting=csv.QUOTE_NONE)
        )
        try:
            for line, cells in enumerate(reader, 1 - file.skip):
                if line > 0 and any(cells):
                    terms = {term: known(cells[at]) for at, term in file.fields.items() if at < len(cells)}
                    present = {term: text for term, text in terms.items() if text}
                    identity = known(cells[file.identity]) if file.identity < len(cells) else ""
                    yield identity, file.constant | present
        except csv.Error as error:
            raise ReleaseError(f"cannot be read as a table: {error}", file=str(place)) from error


@dataclass(frozen=True)
class _Opener:
    """Opens members of an archive, or files of a folder."""

    path: Path
    archive: ZipFile | None = None

    def __call__(self, name: str) -> IO[bytes]:
        file = f"{self.path}!{name}"
        try:
            if self.archive is None:
                return (self.path / name).open("rb")
            found = self._member(name)
            if found.file_size > SMALL and found.file_size > RATIO * found.compress_size:
                raise ReleaseError(f"would unpack {found.compress_size:,} to {found.file_size:,} bytes", file=file)
            return self.archive.open(found)
        except OSError as error:
            raise ReleaseError(f"cannot be opened: {error.strerror}", file=file) from error
        except (RuntimeError, NotImplementedError, BadZipFile) as error:
            hint = "make a zip of stored or deflated members, without a password"
            raise ReleaseError(f"cannot be unpacked: {error}", file=file, hint=hint) from error

    def meta(self) -> bytes:
        """Read the description."""
        file = f"{self.path}!{META}"
        try:
            with self(META) as stream:
                text = stream.read(META_BYTES + 1)
        except (BadZipFile, zlib.error, EOFError) as error:
            raise ReleaseError(f"is damaged: {error}", file=file, hint="fetch it again") from error
        if len(text) > META_BYTES:
            raise ReleaseError(f"is larger than {META_BYTES:,} bytes: no description", file=file)
        return text

    def _member(self, name: str) -> ZipInfo:
        """Find a member, at the top or in the one folder that some programs put all into."""
        named = [one for one in self.archive.infolist() if one.filename.rpartition("/")[2] == name]  # type: ignore[union-attr]
        if len(named) != 1:
            there = f"several: {', '.join(one.filename for one in named)}" if named else "none"
            raise ReleaseError(f"one {name} is needed, and there is {there}", file=str(self.path))
        return named[0]


@contextmanager
def _archive(path: Path) -> Iterator[_Opener]:
    if path.is_dir():
        yield _Opener(path)
        return
    try:
        archive = ZipFile(path)
    except (BadZipFile, OSError) as error:
        raise ReleaseError(f"is no zip: {error}", file=str(path)) from error
    with archive:
        yield _Opener(path, archive)
