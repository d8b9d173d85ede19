"""Which column of the dataset is which column of BOLD's BCDM table and which term of Darwin Core: declared once."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ...taxonomy import RANKS
from ..schema import COLUMN_NAMES
from .rows import Row, deepest


DWC = "http://rs.tdwg.org/dwc/terms/"
KINGDOM = ("kingdom", "Animalia")
"""What all specimens belong to; the dataset has no column for it."""
MARKER = "COI-5P"
"""BOLD's name of the marker that barcodes are of."""
INVENTED_NOTE = "INVENTED: no such specimen exists"
"""What stands at each specimen of an invented dataset; a table with it becomes an invented release again."""


@dataclass(frozen=True)
class Term:
    """A column of another form.

    Args:
        name: its name there.
        value: row → its value; None for an empty cell.
        ours: the column of the dataset that it gives back when it is read; empty for none.
        uri: of a term of Darwin Core.
    """

    name: str
    value: Callable[[Row], Any]
    ours: str = ""
    uri: str = ""


def _column(name: str) -> Callable[[Row], Any]:
    return lambda row: row.get(name)


def _same(name: str, ours: str, uri: str = "") -> Term:
    return Term(name, _column(ours), ours, uri)


def coordinates(row: Row) -> str | None:
    """Write a site as BOLD does.

    Examples:
        >>> coordinates({"coord-lat": 10.327, "coord-lon": -84.08})
        '(10.327,-84.08)'
    """
    latitude, longitude = row.get("coord-lat"), row.get("coord-lon")
    return None if latitude is None or longitude is None else f"({latitude!r},{longitude!r})"


def _bases(row: Row) -> int | None:
    barcode = row.get("dna_barcode")
    return sum(barcode.upper().count(base) for base in "ACGT") if barcode else None


def _invented(row: Row) -> str | None:
    return INVENTED_NOTE if row.get("invented") else None


def _datum(row: Row) -> str | None:
    return None if row.get("coord-lat") is None else "EPSG:4326"


BCDM: tuple[Term, ...] = (
    _same("processid", "processid"),
    _same("sampleid", "sampleid"),
    _same("bin_uri", "dna_bin"),
    _same("identification", "taxon"),
    Term("identification_rank", lambda row: (deepest(row) or (None,))[0]),
    Term("kingdom", lambda _: KINGDOM[1]),
    *(_same(rank, rank) for rank in RANKS),
    _same("country/ocean", "country"),
    _same("province/state", "province_state"),
    Term("coord", coordinates, "coord"),
    Term("marker_code", lambda row: MARKER if row.get("dna_barcode") else None, "marker"),
    _same("nuc", "dna_barcode"),
    Term("nuc_basecount", _bases),
    Term("notes", _invented, "notes"),
)
"""BOLD's Barcode Core Data Model, in the column names of its downloads (boldsystems.org, data packages)."""

BCDM_NAMES: Mapping[str, str] = {
    **{term.name: term.ours for term in BCDM if term.ours},
    **{f"{rank}_name": rank for rank in RANKS},
    "country": "country",
    "province": "province_state",
    "nucraw": "dna_barcode",
    "nucleotides": "dna_barcode",
    "markercode": "marker",
    "lat": "coord-lat",
    "lon": "coord-lon",
}
"""Columns of BCDM and of older BOLD tables → ours, and `coord`, `marker` and `notes`, which are read and not kept."""

OCCURRENCE: tuple[Term, ...] = (
    _same("occurrenceID", "processid", f"{DWC}occurrenceID"),
    _same("catalogNumber", "sampleid", f"{DWC}catalogNumber"),
    Term("basisOfRecord", lambda _: "PreservedSpecimen", "", f"{DWC}basisOfRecord"),
    Term("scientificName", lambda row: (deepest(row) or KINGDOM)[1], "", f"{DWC}scientificName"),
    Term("taxonRank", lambda row: (deepest(row) or KINGDOM)[0], "", f"{DWC}taxonRank"),
    _same("verbatimIdentification", "taxon", f"{DWC}verbatimIdentification"),
    _same("taxonID", "dna_bin", f"{DWC}taxonID"),
    Term("kingdom", lambda _: KINGDOM[1], "", f"{DWC}kingdom"),
    *(_same(rank, rank, f"{DWC}{rank}") for rank in RANKS if rank != "species"),
    _same("country", "country", f"{DWC}country"),
    _same("stateProvince", "province_state", f"{DWC}stateProvince"),
    _same("decimalLatitude", "coord-lat", f"{DWC}decimalLatitude"),
    _same("decimalLongitude", "coord-lon", f"{DWC}decimalLongitude"),
    Term("geodeticDatum", _datum, "", f"{DWC}geodeticDatum"),
    Term("occurrenceRemarks", _invented, "notes", f"{DWC}occurrenceRemarks"),
)
"""The core of the archive. A species is the scientific name of rank species: Darwin Core has no term of that name."""

DNA: tuple[Term, ...] = (
    Term("coreid", _column("processid")),
    Term("target_gene", lambda _: "COI", "marker", "https://w3id.org/gensc/terms/MIXS:0000044"),
    _same("dna_sequence", "dna_barcode", "http://rs.gbif.org/terms/dna_sequence"),
)
"""GBIF's extension for DNA-derived data."""

_DC = "http://purl.org/dc/terms/"


def multimedia(address: str) -> tuple[Term, ...]:
    """Give the columns of GBIF's extension for photographs.

    Args:
        address: of a photograph on the web, with `{processid}`, `{split}` and `{chunk}`.

    Raises:
        ValueError: it is no such address.

    Examples:
        >>> terms = multimedia("https://example.org/{processid}.jpg")
        >>> [term.value({"processid": "A1"}) for term in terms][-1]
        'https://example.org/A1.jpg'
    """
    fields = re.findall(r"{(.*?)}", address)
    if not re.match(r"https?://\S+$", address) or "processid" not in fields:
        raise ValueError(f"{address!r} is no address of photographs: use https://…/{{processid}}.jpg")
    if unknown := set(fields) - {"processid", "split", "chunk"}:
        raise ValueError(f"unknown field {min(unknown)!r} in {address!r}: use processid, split and chunk")
    return (
        Term("coreid", _column("processid")),
        Term("type", lambda _: "StillImage", "", f"{_DC}type"),
        Term("format", lambda _: "image/jpeg", "", f"{_DC}format"),
        Term(
            "identifier",
            lambda row: re.sub(r"{(.*?)}", lambda found: str(row.get(found[1]) or ""), address),
            "",
            f"{_DC}identifier",
        ),
    )


CARRIED: Mapping[str, tuple[str, ...]] = {
    "bcdm": tuple(name for name in COLUMN_NAMES if name in {*BCDM_NAMES.values()}),
    "darwin-core": tuple(name for name in COLUMN_NAMES if name in {"species", *(t.ours for t in (*OCCURRENCE, *DNA))}),
}
"""Columns that come back when a form is read again; sizes, inferred_ranks, split, chunk and the place in 1M do not."""


def cell(value: Any) -> str:  # noqa: ANN401
    r"""Write a value into a table with tabs: nothing for None, no tabs and line breaks.

    Examples:
        >>> cell("a\tb"), cell(None), cell(10.5)
        ('a b', '', '10.5')
    """
    return "" if value is None else " ".join(str(value).split())
