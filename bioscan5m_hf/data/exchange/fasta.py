"""FASTA with the headers that classifiers of barcodes want."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO, Any

from ...taxonomy import RANKS
from .rows import Row, Rows, deepest


KINGDOM = "Animalia"
"""What all specimens belong to; the dataset has no column for it."""

LETTERS: Mapping[str, str] = {
    "phylum": "p",
    "class": "c",
    "order": "o",
    "family": "f",
    "genus": "g",
    "species": "s",
}
"""Ranks that the classifiers know by their letters; none of them knows subfamilies."""

LINE = 80
"""Letters of a line."""


@dataclass(frozen=True)
class Header:
    """How a record is headed.

    Args:
        write: row → the header without `>`, or None where the format cannot have the record.
        why: what is said of records that it cannot have.
        taxonomy: row → a line of the table of taxonomy beside the FASTA file; None where there is none.
    """

    write: Callable[[Row], str | None]
    why: str
    taxonomy: Callable[[Row], str] | None = None


def sintax(row: Row) -> str | None:
    """Head a record for SINTAX of USEARCH and VSEARCH; ranks without a name are left out.

    The form is that of drive5.com/usearch/manual/tax_annot.html. Names lose what the form itself uses: spaces, commas,
    semicolons and colons become underscores.

    Examples:
        >>> sintax({"processid": "A1", "phylum": "Arthropoda", "order": "Diptera", "species": "Aus bus, 1"})
        'A1;tax=k:Animalia,p:Arthropoda,o:Diptera,s:Aus_bus__1;'
    """
    if deepest(row) is None:
        return None
    names = {"k": KINGDOM} | {letter: row[rank] for rank, letter in LETTERS.items() if row.get(rank)}
    fields = ",".join(f"{letter}:{_joined(name, ',;:')}" for letter, name in names.items())
    return f"{row['processid']};tax={fields};"


def qiime2(row: Row) -> str | None:
    """Head a record for QIIME 2, whose names stand in a table of their own."""
    return str(row["processid"]) if deepest(row) else None


def qiime2_taxonomy(row: Row) -> str:
    r"""Write a line of the table `Feature ID`, `Taxon`; a rank without a name has its letter only.

    Examples:
        >>> qiime2_taxonomy({"processid": "A1", "phylum": "Arthropoda", "species": "Aus bus"})
        'A1\tk__Animalia; p__Arthropoda; c__; o__; f__; g__; s__Aus bus'
    """
    names = [f"k__{KINGDOM}"] + [f"{letter}__{_clean(row.get(rank), ';')}" for rank, letter in LETTERS.items()]
    return f"{row['processid']}\t{'; '.join(names)}"


def dada2(row: Row) -> str | None:
    """Head a record for `assignTaxonomy` of DADA2: its names down to the first rank that has none.

    The levels are told by their place alone, so that nothing may stand below a hole. The form is that of
    benjjneb.github.io/dada2/training.html.

    Examples:
        >>> dada2({"phylum": "Arthropoda", "class": "Insecta", "order": None, "family": "Phoridae"})
        'Animalia;Arthropoda;Insecta;'
    """
    names = [KINGDOM]
    for rank in LETTERS:
        if not row.get(rank):
            break
        names.append(_clean(row[rank], ";"))
    return ";".join(names) + ";" if len(names) > 1 else None


def dada2_species(row: Row) -> str | None:
    """Head a record for `assignSpecies` of DADA2: id, genus and species.

    Examples:
        >>> dada2_species({"processid": "A1", "genus": "Tuta", "species": "Tuta absoluta"})
        'A1 Tuta absoluta'
    """
    return f"{row['processid']} {_clean(row['species'], '')}" if row.get("species") else None


def blast(row: Row) -> str | None:
    """Head a record for `makeblastdb -parse_seqids`: id, narrowest name, and all names in brackets.

    Examples:
        >>> blast({"processid": "A1", "order": "Diptera", "dna_bin": "BOLD:AAA3908"})
        'A1 Diptera [order=Diptera] [bin=BOLD:AAA3908]'
    """
    found = deepest(row)
    names = [f"[{rank}={_clean(row[rank], '[]')}]" for rank in RANKS if row.get(rank)]
    names += [f"[bin={_clean(row['dna_bin'], '[]')}]"] if row.get("dna_bin") else []
    return " ".join([str(row["processid"]), _clean(found[1], "[]") if found else "unnamed", *names])


HEADERS: Mapping[str, Header] = {
    "fasta-sintax": Header(sintax, "without a name"),
    "fasta-qiime2": Header(qiime2, "without a name", qiime2_taxonomy),
    "fasta-dada2": Header(dada2, "without a phylum"),
    "fasta-dada2-species": Header(dada2_species, "without a species"),
    "fasta-blast": Header(blast, "without an id"),
}


def write_fasta(rows: Rows, header: Header, sequences: IO[str], taxonomy: IO[str] | None = None) -> int:
    """Write records; those without a barcode, or that the format cannot have, are counted and left out.

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
        barcode = (row["dna_barcode"] or "").replace("-", "")
        head = header.write(row)
        if not barcode or head is None:
            rows.leave_out("without a barcode" if not barcode else header.why)
            continue
        sequences.write(f">{head}\n")
        sequences.writelines(f"{line}\n" for line in _lines(barcode))
        if taxonomy is not None and header.taxonomy is not None:
            taxonomy.write(header.taxonomy(row) + "\n")
        written += 1
    return written


def _lines(barcode: str) -> Iterator[str]:
    return (barcode[start : start + LINE] for start in range(0, len(barcode), LINE))


def _clean(name: Any, forbidden: str) -> str:  # noqa: ANN401
    """Put a name into one line without the characters that the format uses."""
    text = " ".join(str(name or "").split())
    return re.sub(f"[{re.escape(forbidden)}]", "_", text) if forbidden else text


def _joined(name: Any, forbidden: str) -> str:  # noqa: ANN401
    return _clean(name, forbidden).replace(" ", "_")
