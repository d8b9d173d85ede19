"""A barcode that somebody pasted: read, checked, and refused with the reason where nothing can be done with it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from ..dna import BASES, IUPAC, WARNINGS, check, clean
from ..embedding.quality import prepare
from ..errors import Bioscan5mError


MOST = 20_000
"""Characters of a pasted text: a mitochondrion has 16,000 bases, a barcode 658."""


class BarcodeError(Bioscan5mError, ValueError):
    """A barcode cannot be used; says why, and what to do."""


@dataclass(frozen=True)
class Pasted:
    """A barcode that can be used.

    Args:
        barcode: cleaned.
        checks: what `dna.check` says of it.
    """

    barcode: str
    checks: dict[str, Any]

    @property
    def warnings(self) -> list[tuple[str, str]]:
        """The warnings, and what they mean."""
        return [(name, WARNINGS[name]) for name in self.checks["warnings"]]


def read_pasted(text: str) -> Pasted:
    r"""Read a pasted barcode: letters in any case and lines, with or without a FASTA header.

    Raises:
        BarcodeError: several sequences, too long a text, or no barcode.

    Examples:
        >>> read_pasted(">A1 | Apis\nAACT TTAT\nATTT").barcode
        'AACTTTATATTT'
    """
    if len(text) > MOST:
        raise BarcodeError(f"the text has {len(text):,} characters: paste one barcode, of at most {MOST:,}")
    lines = [line.strip() for line in text.strip().splitlines()]
    headers = sum(line.startswith(">") for line in lines)
    if headers > 1:
        raise BarcodeError(
            f"there are {headers} sequences: paste one; `bioscan5m predict` names the whole of a FASTA file"
        )
    given = re.sub(r"\s", "", "".join(line for line in lines if not line.startswith(">")))
    if not given:
        raise BarcodeError("there is no barcode: paste its letters A, C, G and T, with or without a FASTA header")
    array = pa.array([given], pa.large_string())
    checks = check(array).to_pylist()[0]
    cleaned = clean(array).to_pylist()[0] or ""
    if checks["foreign_letters"] or not prepare(array).usable[0]:
        raise BarcodeError(_refusal(cleaned, checks))
    return Pasted(cleaned, checks)


def _refusal(cleaned: str, checks: dict[str, Any]) -> str:
    foreign, bases = checks["foreign_letters"], sum(cleaned.count(base) for base in BASES)
    if "protein" in checks["warnings"] and cleaned.isalpha() and 2 * bases < len(cleaned):
        return f"this seems to be a protein, not a barcode (it has {_listed(foreign)}): paste the nucleotides"
    if foreign:
        places = [number for number, letter in enumerate(cleaned, 1) if letter not in IUPAC]
        return (
            f"this is no barcode: letters that are no codes of nucleotides ({_listed(foreign)}) stand at "
            f"{len(places):,} of {len(cleaned):,} places, the first at {places[0]:,}: take them out, or write N for "
            "what is not known"
        )
    if not cleaned:
        return "nothing is left of it but gaps: paste letters A, C, G and T"
    return (
        f"only {bases:,} of {len(cleaned):,} letters are A, C, G or T, and the others say nothing: at least half have "
        "to be known"
    )


def _listed(letters: str) -> str:
    return ", ".join(letters[:8]) + (" …" if len(letters) > 8 else "")
