"""DNA barcodes: the alphabet, and vectorised checks on many sequences."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc


BASES = "ACGT"
IUPAC = "ACGTURYSWKMBDHVN-"
"""Letters a sequence may hold: IUPAC nucleotide codes (Cornish-Bowden 1985, doi:10.1093/nar/13.9.3021) and the gap."""


def strip_n(barcodes: pa.Array) -> pa.Array:
    """Take the runs of N off both ends; this is the barcode's key in the official partition.

    Args:
        barcodes: strings, nulls allowed.

    Returns:
        Strings of the same length and with the same nulls.

    Examples:
        >>> strip_n(pa.array(["NNACGNTN", None])).to_pylist()
        ['ACGNT', None]
    """
    return pc.utf8_trim(barcodes, characters="N")


def only_letters(barcodes: pa.Array, letters: str | bytes = IUPAC) -> bool:
    """Tell whether no sequence holds a byte outside `letters`; one pass over the bytes of the array.

    Args:
        barcodes: string array without offset into a parent, nulls allowed.
        letters: the allowed ASCII letters, or any bytes.

    Examples:
        >>> only_letters(pa.array(["ACGT", "ACGN"])), only_letters(pa.array(["ACGX"]))
        (True, False)
    """
    _, offsets, data = barcodes.buffers()
    if data is None or not len(barcodes):
        return True
    width = np.int64 if pa.types.is_large_string(barcodes.type) else np.int32
    ends = np.frombuffer(offsets, width, len(barcodes) + 1, barcodes.offset * np.dtype(width).itemsize)
    allowed = letters if isinstance(letters, bytes) else letters.encode()
    return not bytes(memoryview(data)[ends[0] : ends[-1]]).translate(None, allowed)


def foreign_letters(barcode: str, letters: str = IUPAC) -> str:
    """Give the letters of a sequence that are not allowed, each once, sorted.

    Examples:
        >>> foreign_letters("ACGTXQ")
        'QX'
    """
    return "".join(sorted(set(barcode) - set(letters)))
