"""The forms that a dataset can be exported to: declared once, for the command, its help and the tests."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Format:
    """A form that specimens are kept in elsewhere.

    Args:
        name: how it is asked for.
        title: what it is.
        photographs: it holds photographs.
        folder: it is a folder, not a file.
        readable: `bioscan5m import` reads it.
    """

    name: str
    title: str
    photographs: bool = False
    folder: bool = False
    readable: bool = False


FORMATS: Mapping[str, Format] = {
    one.name: one
    for one in (
        Format("fasta-sintax", "FASTA for SINTAX of VSEARCH and USEARCH"),
        Format("fasta-qiime2", "FASTA and a table of taxonomy beside it, for QIIME 2"),
        Format("fasta-dada2", "FASTA for assignTaxonomy of DADA2"),
        Format("fasta-dada2-species", "FASTA for assignSpecies of DADA2"),
        Format("fasta-blast", "FASTA for makeblastdb -parse_seqids"),
        Format("bcdm", "BOLD's BCDM table", readable=True),
        Format("darwin-core", "Darwin Core archive with sequences, for GBIF", readable=True),
        Format("webdataset", "tars of photographs and captions, for open_clip", photographs=True, folder=True),
    )
}


def check_format(name: str) -> Format:
    """Give a format by its name.

    Raises:
        ValueError: there is none of that name.

    Examples:
        >>> check_format("bcdm").title
        "BOLD's BCDM table"
    """
    if name not in FORMATS:
        raise ValueError(f"unknown format {name!r}: use one of {', '.join(FORMATS)}")
    return FORMATS[name]
