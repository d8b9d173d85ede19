"""Counts of overlapping k-mers: the plainest embedding of a barcode, and the baseline a model has to beat."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..dna import base_codes, count_words


_READS_AT_ONCE = 2000


def count_kmers(barcodes: pa.Array | pa.ChunkedArray | Sequence[str | None], k: int) -> npt.NDArray[np.float32]:
    """Count the overlapping k-mers of barcodes; k-mers that hold another letter than A, C, G, T do not count.

    Args:
        barcodes: sequences, shape (n,); upper or lower case.
        k: length of a k-mer, 1 to 8.

    Returns:
        Counts, shape (n, 4 ** k), columns in the order of the k-mers' names.

    Examples:
        >>> count_kmers(["AAC", "acgt"], 2)[:, :2].tolist()
        [[1.0, 1.0], [0.0, 1.0]]
    """
    strings = barcodes if isinstance(barcodes, pa.Array | pa.ChunkedArray) else pa.array(barcodes, pa.string())
    counts = np.empty((len(strings), 4**k), np.float32)
    for start in range(0, len(strings), _READS_AT_ONCE):
        part = strings.slice(start, _READS_AT_ONCE)
        counts[start : start + len(part)] = count_words(base_codes(part), "1" * k)
    return counts
