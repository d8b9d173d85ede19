"""BOLD's BCDM table and the Darwin Core archive, written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ..kinds import Kind
from ..writing import member
from .rows import Row, Rows
from .terms import BCDM, DNA, OCCURRENCE, Term, cell, multimedia


META, EML = "meta.xml", "eml.xml"
LICENCE = "https://creativecommons.org/licenses/by/3.0/"
RIGHTS = f"© CBG Photography Group, Centre for Biodiversity Genomics. CC BY 3.0 Unported ({LICENCE})."
"""Rights in BIOSCAN-5M, by its README."""

CITATION = (
    "Gharaee et al. 2024: BIOSCAN-5M: A Multimodal Dataset for Insect Biodiversity. Advances in Neural Information "
    "Processing Systems 37, 36285-36313. doi:10.48550/arXiv.2406.12723"
)
INVENTED_RIGHTS = "Everything in this archive is invented; it may be used for anything (CC0), but not as data."


@dataclass(frozen=True)
class Table:
    """A table of an archive.

    Args:
        file: its name.
        kind: the `rowType`.
        terms: its columns; the first is the id.
    """

    file: str
    kind: str
    terms: tuple[Term, ...]


def write_bcdm(rows: Rows, stream: IO[str]) -> int:
    """Write a BCDM table; give how many rows it has."""
    stream.write(_line(term.name for term in BCDM))
    written = 0
    for row in rows:
        stream.write(_line(cell(term.value(row)) for term in BCDM))
        if (row["coord-lat"] is None) != (row["coord-lon"] is None):
            rows.changed["lose a latitude or longitude that stands alone: BCDM has one column for both"] += 1
        written += 1
    return written


def write_darwin_core(rows: Rows, path: Path, *, title: str, rights: str = "", address: str = "") -> int:
    """Write a Darwin Core archive: occurrences, their sequences and photographs, what the columns are, and the rights.

    Args:
        rows: the specimens.
        path: zip file.
        title: of the dataset.
        rights: holder and licence; those of BIOSCAN-5M where it is empty and the specimens are its.
        address: of photographs on the web, with `{processid}`, `{split}` and `{chunk}`; empty for no table of them,
            since it has no use without addresses.

    Returns:
        How many occurrences it has.

    Raises:
        ValueError: the address is none, or names another field.
    """
    core = Table("occurrence.txt", "http://rs.tdwg.org/dwc/terms/Occurrence", OCCURRENCE)
    extensions = [Table("dna.txt", "http://rs.gbif.org/terms/1.0/DNADerivedData", DNA)]
    if address:
        kind = "http://rs.gbif.org/terms/1.0/Multimedia"
        extensions.append(Table("multimedia.txt", kind, multimedia(address)))
    written = 0
    with ExitStack() as stack:
        kept = [stack.enter_context(tempfile.TemporaryFile("w+b")) for _ in extensions]
        archive = stack.enter_context(ZipFile(path, "w", ZIP_DEFLATED, compresslevel=6))
        with archive.open(_deflated(core.file), "w", force_zip64=True) as occurrences:
            occurrences.write(_header(core.terms))
            for row in rows:
                occurrences.write(_record(core.terms, row))
                for table, held in zip(extensions, kept, strict=True):
                    if row["dna_barcode"] or table.terms is not DNA:
                        held.write(_record(table.terms, row))
                written += 1
        for table, held in zip(extensions, kept, strict=True):
            held.seek(0)
            with archive.open(_deflated(table.file), "w", force_zip64=True) as extension:  # a zip takes one at a time
                extension.write(_header(table.terms))
                shutil.copyfileobj(held, extension, 1 << 20)
        archive.writestr(_deflated(META), meta([core, *extensions]))
        if not rights and rows.kind not in (Kind.OFFICIAL, Kind.INVENTED):
            rows.changed["have no holder and licence in the archive: name them with --rights"] = written
        archive.writestr(_deflated(EML), eml(title, written, rows.kind, rights))
    return written


def meta(tables: Sequence[Table]) -> str:
    """Describe the tables of an archive: the core, then the extensions."""
    described = "".join(_described(table, "extension" if place else "core") for place, table in enumerate(tables))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="{EML}">\n{described}</archive>\n'
    )


def _described(table: Table, element: str) -> str:
    lines = "".join(
        f'    <field index="{place}" term={quoteattr(term.uri)}/>\n'
        for place, term in enumerate(table.terms)
        if term.uri
    )
    form = (
        'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    )
    identity = "id" if element == "core" else "coreid"
    return (
        f"  <{element} {form} rowType={quoteattr(table.kind)}>\n"
        f"    <files><location>{table.file}</location></files>\n"
        f'    <{identity} index="0"/>\n{lines}  </{element}>\n'
    )


def eml(title: str, specimens: int, kind: Kind | None, rights: str = "") -> str:
    """Describe a dataset in the Ecological Metadata Language 2.2: title, rights, and that it is invented, if so."""
    invented, official = kind is Kind.INVENTED, kind is Kind.OFFICIAL
    said = f"{specimens:,} specimens of insects and other arthropods" + (", all of them invented" if invented else "")
    known = ("Centre for Biodiversity Genomics", RIGHTS) if official else ("not stated", "No rights are stated.")
    holder, law = ("nobody: invented", INVENTED_RIGHTS) if invented else (rights or known[0], rights or known[1])
    party = f"<organizationName>{escape(holder)}</organizationName>"
    cited = "" if rights or not official else f"    <additionalInfo><para>{escape(CITATION)}</para></additionalInfo>\n"
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<eml:eml xmlns:eml="https://eml.ecoinformatics.org/eml-2.2.0" packageId="bioscan5m-hf"'
        ' system="bioscan5m-hf" scope="system" xml:lang="en">\n'
        f"  <dataset>\n    <title>{escape(title)}{' (INVENTED)' if invented else ''}</title>\n"
        f"    <creator>{party}</creator>\n    <language>en</language>\n"
        f"    <abstract><para>{said}.</para></abstract>\n{cited}"
        f"    <intellectualRights><para>{escape(law)}</para></intellectualRights>\n"
        f"    <contact>{party}</contact>\n  </dataset>\n</eml:eml>\n"
    )


def _deflated(name: str) -> ZipInfo:
    info = member(name)
    info.compress_type = ZIP_DEFLATED
    return info


def _header(terms: Sequence[Term]) -> bytes:
    return _line(term.name for term in terms).encode()


def _record(terms: Sequence[Term], row: Row) -> bytes:
    return _line(cell(term.value(row)) for term in terms).encode()


def _line(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"
