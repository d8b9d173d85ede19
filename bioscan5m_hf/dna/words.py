"""Counts of words of bases, spaced or not: what barcodes are made of, wherever it stands and in whatever frame."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

from .arrays import Barcodes, Bytes, chunks, content, one_byte_each


NO_BASE = 4
"""Code of anything but A 0, C 1, G 2, T or U 3."""

_LONGEST = 8
"""Bases of a word that count, at most: 65,536 columns."""


def base_codes(barcodes: Barcodes, max_nucleotides: int | None = None) -> Bytes:
    """Give the bases of barcodes as numbers, one row for each; upper and lower case, U as T.

    Args:
        barcodes: n strings: an Arrow array or chunked array, or a sequence of `str` and None.
        max_nucleotides: characters that are read, at most; None for all.

    Returns:
        uint8 of shape (n, longest): A 0, C 1, G 2, T 3, else, and after the end of a barcode, `NO_BASE`.

    Examples:
        >>> base_codes(["ACGT", "nu", None]).tolist()
        [[0, 1, 2, 3], [4, 3, 4, 4], [4, 4, 4, 4]]
    """
    parts = [_codes(*one_byte_each(*content(chunk)), max_nucleotides) for chunk in chunks(barcodes)]
    longest = max((part.shape[1] for part in parts), default=0)
    rows = [np.pad(part, ((0, 0), (0, longest - part.shape[1])), constant_values=NO_BASE) for part in parts]
    return np.concatenate([np.empty((0, longest), np.uint8), *rows])


def count_words(codes: NDArray[np.integer], pattern: str) -> NDArray[np.float32]:
    """Count the overlapping words of each row; a word in which something counts that is no base is left out.

    Args:
        codes: bases 0 to 3, anything else is none; shape (n, length). See `base_codes`.
        pattern: a 1 for each base of a word that counts and a 0 for each that does not: `111111` for 6-mers.

    Returns:
        Counts, shape (n, 4 ** ones in the pattern), columns in the order of the words' names.

    Raises:
        ValueError: the pattern is no such text, begins or ends with 0, or has more than eight ones.

    Examples:
        >>> count_words(base_codes(["AACN", "acgt"]), "11")[:, :2].tolist()
        [[1.0, 1.0], [0.0, 1.0]]
        >>> np.flatnonzero(count_words(base_codes(["ATC"]), "101")).tolist()  # A?C
        [1]
    """
    if not re.fullmatch("1|1[01]*1", pattern) or pattern.count("1") > _LONGEST:
        raise ValueError(
            f"{pattern!r} is no pattern of a word: use 1 for a base that counts and 0 for one that does not, 1 at "
            f"both ends, and at most {_LONGEST} of them"
        )
    places = [place for place, sign in enumerate(pattern) if sign == "1"]
    words = 4 ** len(places)
    starts = max(0, codes.shape[1] - len(pattern) + 1)
    number = np.zeros((len(codes), starts), np.int64)
    known = np.ones((len(codes), starts), bool)
    for place in places:
        base = codes[:, place : place + starts]
        number = number * 4 + base
        known &= (base >= 0) & (base < NO_BASE)
    number += words * np.arange(len(codes))[:, None]
    counts = np.bincount(number[known], minlength=len(codes) * words)
    return counts.reshape(len(codes), words).astype(np.float32)


def _codes(data: Bytes, ends: NDArray[np.int64], max_nucleotides: int | None) -> Bytes:
    lengths = np.diff(ends)
    kept = lengths if max_nucleotides is None else np.minimum(lengths, max_nucleotides)
    codes = np.full((len(lengths), int(kept.max(initial=0))), NO_BASE, np.uint8)
    inside = np.arange(codes.shape[1]) < kept[:, None]
    places = ends[:-1, None] + np.arange(codes.shape[1])
    codes[inside] = _CODE_OF[data[places[inside]]]
    return codes


def _code_of_each_byte() -> Bytes:
    codes = np.full(256, NO_BASE, np.uint8)
    for letters in ("ACGT", "acgt", "ACGU", "acgu"):
        codes[np.frombuffer(letters.encode(), np.uint8)] = range(4)
    return codes


_CODE_OF = _code_of_each_byte()
