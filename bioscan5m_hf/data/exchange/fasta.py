"""FASTA with the headers that classifiers of barcodes want."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from ...taxonomy import RANKS
from .rows import Row, Rows, deepest
from .terms import KINGDOM


LETTERS: Mapping[str, str] = {
    "phylum": "p",
    "class": "c",
    "order": "o",
    "family": "f",
    "genus": "g",
    "species": "s",
}
"""Ranks that the classifiers know by their letters; none of them knows subfamilies."""

COLUMNS = ("processid", *RANKS, "dna_bin", "dna_barcode")
"""What is read of the dataset."""

LONGEST_BLAST_ID = 50

LINE = 80
"""Letters of a line."""


@dataclass(frozen=True)
class Header:
    """How a record is headed.

    Args:
        write: row → the header without `>`, or None where the format cannot have the record.
        why: what is said of records that it cannot have.
        taxonomy: row → a line of the table of taxonomy beside the FASTA file; None where there is none.
        shortened: row → whether it loses names that it has.
    """

    write: Callable[[Row], str | None]
    why: str
    taxonomy: Callable[[Row], str] | None = None
    shortened: Callable[[Row], bool] = lambda _: False


def sintax(row: Row) -> str | None:
    """Head a record for SINTAX of USEARCH and VSEARCH; ranks without a name are left out.

    The form is that of drive5.com/usearch/manual/tax_annot.html. Names lose what the form itself uses: spaces, commas,
    semicolons and colons become underscores.

    Examples:
        >>> sintax({"processid": "A1", "phylum": "Arthropoda", "order": "Diptera", "species": "Aus bus, 1"})
        'A1;tax=k:Animalia,p:Arthropoda,o:Diptera,s:Aus_bus__1;'
    """
    if not any(row.get(rank) for rank in LETTERS):
        return None
    names = {"k": KINGDOM[1]} | {letter: row[rank] for rank, letter in LETTERS.items() if row.get(rank)}
    fields = ",".join(f"{letter}:{_joined(name, ',;:')}" for letter, name in names.items())
    return f"{row['processid']};tax={fields};"


def qiime2(row: Row) -> str | None:
    """Head a record for QIIME 2, whose names stand in a table of their own."""
    return str(row["processid"]) if any(row.get(rank) for rank in LETTERS) else None


def qiime2_taxonomy(row: Row) -> str:
    r"""Write a line of the table `Feature ID`, `Taxon`; a rank without a name has its letter only.

    Examples:
        >>> qiime2_taxonomy({"processid": "A1", "phylum": "Arthropoda", "species": "Aus bus"})
        'A1\tk__Animalia; p__Arthropoda; c__; o__; f__; g__; s__Aus bus'
    """
    names = [f"k__{KINGDOM[1]}"] + [f"{letter}__{_clean(row.get(rank), ';')}" for rank, letter in LETTERS.items()]
    return f"{row['processid']}\t{'; '.join(names)}"


def dada2(row: Row) -> str | None:
    """Head a record for `assignTaxonomy` of DADA2: its names down to the first rank that has none.

    The levels are told by their place alone, so that nothing may stand below a hole. The form is that of
    benjjneb.github.io/dada2/training.html.

    Examples:
        >>> dada2({"phylum": "Arthropoda", "class": "Insecta", "order": None, "family": "Phoridae"})
        'Animalia;Arthropoda;Insecta;'
    """
    names = [KINGDOM[1], *(_clean(row[rank], ";") for rank in _without_hole(row))]
    return ";".join(names) + ";" if len(names) > 1 else None


def dada2_shortened(row: Row) -> bool:
    """Tell whether a record loses names below a hole."""
    return any(row.get(rank) for rank in list(LETTERS)[len(_without_hole(row)) :])


def dada2_species(row: Row) -> str | None:
    """Head a record for `assignSpecies` of DADA2: id, genus and species.

    It reads the second word as the genus and the third as the species: of longer names, the words after the first are
    joined, so that `sp.` is no species of its own.

    Examples:
        >>> dada2_species({"processid": "A1", "genus": "Tuta", "species": "Tuta absoluta"})
        'A1 Tuta absoluta'
        >>> dada2_species({"processid": "A1", "species": "Bradysia sp. BOLD1"})
        'A1 Bradysia sp._BOLD1'
    """
    genus, _, epithet = _clean(row.get("species"), "").partition(" ")
    return f"{row['processid']} {genus} {epithet.replace(' ', '_')}" if epithet else None


def blast(row: Row) -> str | None:
    """Head a record for `makeblastdb -parse_seqids`: id, narrowest name, and all names in brackets.

    BLAST takes `AB123456` and `1ABC_A` for accessions of other databases: an id without the dash of BOLD's is said
    to be local (`lcl|`), which BLAST does not show. It has no room for local ids of more than 50 letters.

    Examples:
        >>> blast({"processid": "A1-20", "order": "Diptera", "dna_bin": "BOLD:AAA3908"})
        'A1-20 Diptera [order=Diptera] [bin=BOLD:AAA3908]'
        >>> blast({"processid": "AB123456", "invented": True})
        'lcl|AB123456 unnamed [invented]'
    """
    processid = str(row["processid"])
    if len(processid) > LONGEST_BLAST_ID:
        return None
    found = deepest(row)
    names = [f"[{rank}={_clean(row[rank], '[]>')}]" for rank in RANKS if row.get(rank)]
    names += [f"[bin={_clean(row['dna_bin'], '[]>')}]"] if row.get("dna_bin") else []
    names += ["[invented]"] if row.get("invented") else []
    name = _clean(found[1], "[]>") if found else "unnamed"
    return " ".join([processid if "-" in processid else f"lcl|{processid}", name, *names])


HEADERS: Mapping[str, Header] = {
    "fasta-sintax": Header(sintax, "without a name"),
    "fasta-qiime2": Header(qiime2, "without a name", qiime2_taxonomy),
    "fasta-dada2": Header(dada2, "without a phylum", shortened=dada2_shortened),
    "fasta-dada2-species": Header(dada2_species, "without a species of two words"),
    "fasta-blast": Header(blast, f"with an id of more than {LONGEST_BLAST_ID} letters"),
}


def write_fasta(rows: Rows, header: Header, sequences: IO[str], taxonomy: IO[str] | None = None) -> int:
    """Write records, in upper case and without gaps; those that the format cannot have are counted and left out.

    Args:
        rows: the specimens.
        header: of the format.
        sequences: FASTA file.
        taxonomy: table of names, where the format has one.

    Returns:
        How many were written.
    """
    written = 0
    if taxonomy is not None:
        taxonomy.write("Feature ID\tTaxon\n")
    for row in rows:
        barcode = (row["dna_barcode"] or "").replace("-", "").upper()
        head = header.write(row)
        if not barcode.strip("N") or head is None:
            rows.left_out["without a base of a barcode" if not barcode.strip("N") else header.why] += 1
            continue
        if header.shortened(row):
            rows.changed["lose names that stand below a rank without one"] += 1
        sequences.write(f">{head}\n")
        sequences.writelines(f"{line}\n" for line in _lines(barcode))
        if taxonomy is not None and header.taxonomy is not None:
            taxonomy.write(header.taxonomy(row) + "\n")
        written += 1
    return written


def _without_hole(row: Row) -> list[str]:
    return list(itertools.takewhile(row.get, LETTERS))


def _lines(barcode: str) -> Iterator[str]:
    return (barcode[start : start + LINE] for start in range(0, len(barcode), LINE))


def _clean(name: Any, forbidden: str) -> str:  # noqa: ANN401
    """Put a name into one line without the characters that the format uses."""
    text = " ".join(str(name or "").split())
    return re.sub(f"[{re.escape(forbidden)}]", "_", text) if forbidden else text


def _joined(name: Any, forbidden: str) -> str:  # noqa: ANN401
    return _clean(name, forbidden).replace(" ", "_")
