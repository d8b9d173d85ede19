"""How alike two barcodes are: per-cent identity and overlap of their alignment."""

from __future__ import annotations

from collections import Counter
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..dna import BASES


_CODES = "RYSWKMBDHVN"
_EQUAL = [(code, letter) for code in _CODES for letter in BASES + _CODES if letter != code]
"""An ambiguous letter is not compared, so no gap may be opened to avoid it: it agrees with every letter."""

_WORD = 12
"""Letters that two barcodes share by chance once in 4^12 = 17 million places."""

_IS_BASE = np.zeros(256, bool)
_IS_BASE[list(BASES.encode())] = True


class Likeness(NamedTuple):
    """What an alignment says.

    Args:
        identity: per cent of the compared columns that agree; None where nothing could be compared.
        overlap: columns in which both barcodes have a base.
    """

    identity: float | None
    overlap: int


def compare(one: str, other: str) -> Likeness:
    """Align two barcodes and count where they agree.

    The shorter one is placed anywhere in the longer one with the fewest edits (edlib: Šošić & Šikić 2017,
    doi:10.1093/bioinformatics/btw753); what hangs over at either end is not compared. Columns with an ambiguous
    letter are left out, and each letter of a gap inside counts as a difference. Letters beyond ASCII are all alike.

    Args:
        one: upper-case letters.
        other: upper-case letters.

    Raises:
        ModuleNotFoundError: edlib is not installed.

    Examples:
        >>> compare("ACGTACGTAC", "GTACGAAC")
        Likeness(identity=87.5, overlap=8)
        >>> compare("ACGT", "")
        Likeness(identity=None, overlap=0)
    """
    try:
        import edlib
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError("aligning barcodes needs edlib: pip install 'bioscan5m-hf[models]'") from error
    # edlib refuses more than 256 different letters
    plain = (text.encode("ascii", "replace").decode("ascii") for text in (one, other))
    short, long = without_overhang(*sorted(plain, key=len))
    if not short:
        return Likeness(None, 0)
    found = edlib.align(short, long, mode="HW", task="path", additionalEqualities=_EQUAL)
    nice = edlib.getNiceAlignment(found, short, long)
    top, bottom = _letters(nice["query_aligned"]), _letters(nice["target_aligned"])
    both = np.flatnonzero((top != ord("-")) & (bottom != ord("-")))
    if not len(both):
        return Likeness(None, 0)
    top, bottom = top[both[0] : both[-1] + 1], bottom[both[0] : both[-1] + 1]
    bases = _IS_BASE[top] & _IS_BASE[bottom]
    gaps = (top == ord("-")) | (bottom == ord("-"))
    compared = int((bases | gaps).sum())
    agree = int((bases & (top == bottom)).sum())
    return Likeness(100 * agree / compared if compared else None, int(bases.sum()))


def without_overhang(short: str, long: str) -> tuple[str, str]:
    """Cut off what of the shorter barcode hangs over an end of the longer one, as far as shared words show it.

    Left in, it would be aligned as gaps anywhere, since these cost the same.

    Args:
        short: the shorter barcode.
        long: the longer one.

    Examples:
        >>> without_overhang("TTTTACGTACCATGGA", "ACGTACCATGGACCCCC")
        ('ACGTACCATGGA', 'ACGTACCATGGACCCCC')
    """
    places = {long[place : place + _WORD]: place for place in range(len(long) - _WORD + 1)}
    words = ((place, short[place : place + _WORD]) for place in range(len(short) - _WORD + 1))
    votes = Counter(places[word] - place for place, word in words if word in places)
    if not votes:
        return short, long
    shift = votes.most_common(1)[0][0]
    return short[max(0, -shift) : max(0, len(long) - shift)], long


def _letters(text: str) -> NDArray[np.uint8]:
    return np.frombuffer(text.encode("ascii", "replace"), np.uint8)
