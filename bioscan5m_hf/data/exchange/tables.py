"""BOLD's BCDM table and the Darwin Core archive, written."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import IO
from xml.sax.saxutils import escape, quoteattr
from zipfile import ZIP_DEFLATED, ZipFile, ZipInfo

from ..writing import member
from .rows import Rows
from .terms import BCDM, DNA, OCCURRENCE, Term, cell


OCCURRENCE_FILE, DNA_FILE, META, EML = "occurrence.txt", "dna.txt", "meta.xml", "eml.xml"
OCCURRENCE_TYPE = "http://rs.tdwg.org/dwc/terms/Occurrence"
DNA_TYPE = "http://rs.gbif.org/terms/1.0/DNADerivedData"
LICENCE = "https://creativecommons.org/licenses/by/3.0/"
HOLDER = "CBG Photography Group, Centre for Biodiversity Genomics"


def write_bcdm(rows: Rows, stream: IO[str]) -> int:
    """Write a BCDM table; give how many rows it has."""
    stream.write(_line(term.name for term in BCDM))
    written = 0
    for row in rows:
        stream.write(_line(cell(term.value(row)) for term in BCDM))
        written += 1
    return written


def write_darwin_core(rows: Rows, path: Path, *, title: str, invented: bool) -> int:
    """Write a Darwin Core archive: occurrences, their sequences, what the columns are, and the licence.

    Args:
        rows: the specimens.
        path: zip file.
        title: of the dataset.
        invented: nothing of it is real, and the archive says so.

    Returns:
        How many occurrences it has.
    """
    written = 0
    with tempfile.TemporaryFile("w+b") as sequences, ZipFile(path, "w", ZIP_DEFLATED, compresslevel=6) as archive:
        with archive.open(_deflated(OCCURRENCE_FILE), "w", force_zip64=True) as occurrences:
            occurrences.write(_line(term.name for term in OCCURRENCE).encode())
            for row in rows:
                occurrences.write(_line(cell(term.value(row)) for term in OCCURRENCE).encode())
                if row["dna_barcode"]:
                    sequences.write(_line(cell(term.value(row)) for term in DNA).encode())
                written += 1
        sequences.seek(0)
        with archive.open(_deflated(DNA_FILE), "w", force_zip64=True) as extension:  # a zip takes one at a time
            extension.write(_line(term.name for term in DNA).encode())
            shutil.copyfileobj(sequences, extension, 1 << 20)
        archive.writestr(_deflated(META), _meta())
        archive.writestr(_deflated(EML), _eml(title, written, invented))
    return written


def _meta() -> str:
    core = _fields(OCCURRENCE, OCCURRENCE_FILE, OCCURRENCE_TYPE, "core", "id", OCCURRENCE)
    extension = _fields(DNA, DNA_FILE, DNA_TYPE, "extension", "coreid", DNA[1:])
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/" metadata="{EML}">\n{core}{extension}</archive>\n'
    )


def _fields(
    columns: Sequence[Term], file: str, kind: str, element: str, identity: str, described: Sequence[Term]
) -> str:
    lines = "".join(f'    <field index="{columns.index(term)}" term={quoteattr(term.uri)}/>\n' for term in described)
    form = (
        'encoding="UTF-8" fieldsTerminatedBy="\\t" linesTerminatedBy="\\n" fieldsEnclosedBy="" ignoreHeaderLines="1"'
    )
    return (
        f"  <{element} {form} rowType={quoteattr(kind)}>\n"
        f"    <files><location>{file}</location></files>\n"
        f'    <{identity} index="0"/>\n{lines}  </{element}>\n'
    )


def _eml(title: str, specimens: int, invented: bool) -> str:
    rights = (
        "Everything in this archive is invented."
        if invented
        else f"© {HOLDER}. Creative Commons Attribution 3.0 Unported ({LICENCE})."
    )
    said = f"{specimens:,} specimens of insects and other arthropods" + (", all of them invented" if invented else "")
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<eml:eml xmlns:eml="https://eml.ecoinformatics.org/eml-2.2.0" packageId="bioscan5m-hf"'
        ' system="bioscan5m-hf">\n'
        f"  <dataset>\n    <title>{escape(title)}{' (INVENTED)' if invented else ''}</title>\n"
        f"    <creator><organizationName>{escape(HOLDER) if not invented else 'nobody'}</organizationName></creator>\n"
        f"    <abstract><para>{said}.</para></abstract>\n"
        f"    <intellectualRights><para>{escape(rights)}</para></intellectualRights>\n"
        "  </dataset>\n</eml:eml>\n"
    )


def _deflated(name: str) -> ZipInfo:
    info = member(name)
    info.compress_type = ZIP_DEFLATED
    return info


def _line(cells: Iterable[str]) -> str:
    return "\t".join(cells) + "\n"
