"""Barcodes as they should be written: upper case, DNA, without gaps and blanks; and the other strand."""

from __future__ import annotations

import string
from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from .arrays import Barcodes, blocks, chunks, content, strings


GAPS = "-."
"""Letters that stand for a gap in alignments."""

BLANKS_BEYOND_ASCII = r"[\p{Z}\x{0085}\x{200B}\x{FEFF}]"
"""Unicode's separators, the next-line sign, the zero-width blank, and the byte order mark."""

BLOCK = 1 << 22
"""Bytes of barcodes that are changed together."""

DROPPED = np.isin(np.arange(256), np.frombuffer((GAPS + string.whitespace).encode(), np.uint8))
UPPER = bytes(range(256)).upper().replace(b"U", b"T")
COMPLEMENT = bytes.maketrans(
    b"ACGTURYSWKMBDHVNacgturyswkmbdhvn",
    b"TGCAAYRSWMKVHDBNtgcaayrswmkvhdbn",
)
"""Complements of the IUPAC codes (Cornish-Bowden 1985, doi:10.1093/nar/13.9.3021)."""


def clean(barcodes: Barcodes) -> pa.Array:
    r"""Write barcodes in upper case with T for U, without gaps (`-` and `.`) and white space; all else stays.

    Args:
        barcodes: strings, nulls allowed.

    Returns:
        `large_string` of the same length, with the same nulls.

    Raises:
        ValueError: these are no strings.

    Examples:
        >>> clean(["acg u-T\r\n", "ACGNX", None]).to_pylist()
        ['ACGTT', 'ACGNX', None]
    """
    return _in_blocks(_clean, barcodes)


def reverse_complement(barcodes: Barcodes) -> pa.Array:
    """Give the other strand, read in its own direction; IUPAC codes have complements, what is no code stays.

    Args:
        barcodes: strings, nulls allowed; their case is kept.

    Returns:
        `large_string` of the same length, with the same nulls.

    Raises:
        ValueError: these are no strings.

    Examples:
        >>> reverse_complement(["AACGR", None]).to_pylist()
        ['YCGTT', None]
    """
    return _in_blocks(lambda block: pc.utf8_reverse(_translated(block, COMPLEMENT)), barcodes)


def _in_blocks(change: Callable[[pa.Array], pa.Array], barcodes: Barcodes) -> pa.Array:
    """Change barcodes a block at a time: what is made on the way takes several bytes for each letter."""
    changed = [pa.array([], pa.large_string())]
    for chunk in chunks(barcodes):
        changed += [change(chunk[block]) for block in blocks(content(chunk)[1], BLOCK, BLOCK)]
    return pa.concat_arrays(changed)


def _clean(chunk: pa.Array) -> pa.Array:
    data, ends = content(chunk)
    if data[ends[0] : ends[-1]].max(initial=0) >= 0x80:
        chunk = pc.replace_substring_regex(chunk, pattern=BLANKS_BEYOND_ASCII, replacement="")
    upper = _translated(chunk, UPPER)
    data, ends = content(upper)
    dropped = DROPPED[data]
    if not dropped.any():
        return upper
    before = np.concatenate([[0], np.cumsum(~dropped)])
    return strings(data[~dropped], before[ends], pc.is_null(chunk))


def _translated(chunk: pa.Array, table: bytes) -> pa.Array:
    """Replace bytes by others; those of letters beyond ASCII are the same in all tables."""
    data, ends = content(chunk)
    part = data[ends[0] : ends[-1]].tobytes().translate(table)
    return strings(np.frombuffer(part, np.uint8), ends - ends[0], pc.is_null(chunk))
