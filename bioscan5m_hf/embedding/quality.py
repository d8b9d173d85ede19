"""Barcodes made ready for a model: cleaned, turned to the forward strand, and with the warnings of `dna.check`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..dna import BASES, check, clean, reverse_complement
from ..dna.arrays import content, lengths


CHECKS = ("strand", "length", "n_share", "foreign_letters", "frame", "stop_codons", "warnings")
"""Columns that tell about a read, beside its name."""

KNOWN_SHARE = 0.5
"""A read is named only if at least half of its letters are A, C, G or T: proteins have a quarter of them, N none."""

_IS_BASE = np.zeros(256, np.int64)
_IS_BASE[list(BASES.encode())] = 1


@dataclass(frozen=True)
class Prepared:
    """Reads, ready for a model.

    Args:
        barcodes: cleaned; reverse-complemented where the check finds that this fits.
        usable: false for reads that say nothing: empty, mostly N, or no nucleotides; shape (n,).
        checks: the columns `CHECKS`; `strand` is `-` where the read was turned.
    """

    barcodes: pa.Array
    usable: NDArray[np.bool_]
    checks: pa.Table


def prepare(barcodes: pa.Array, k: int = 1) -> Prepared:
    """Clean and check reads, and turn those that fit better the other way round.

    Args:
        barcodes: strings as they were given, nulls allowed.
        k: bases that a model needs at least.

    Examples:
        >>> prepared = prepare(pa.array(["acg-uacgu", "NNNN", ""]))
        >>> prepared.barcodes.to_pylist(), prepared.usable.tolist()
        (['ACGTACGT', 'NNNN', ''], [True, False, False])
    """
    checks = check(barcodes)
    texts = pc.fill_null(clean(barcodes), "")
    turned = np.flatnonzero(np.asarray(pc.fill_null(pc.equal(checks["strand"], "-"), False)))
    if len(turned):
        other = reverse_complement(texts.take(pa.array(turned)))
        mask = np.zeros(len(texts), bool)
        mask[turned] = True
        texts = pc.replace_with_mask(texts, mask, other)
    known, letters = count_bases(texts), lengths(texts)
    return Prepared(texts, (known >= k) & (known >= KNOWN_SHARE * letters), checks.select(CHECKS))


def count_bases(barcodes: pa.Array) -> NDArray[np.int64]:
    """Count the letters A, C, G and T of each barcode.

    Args:
        barcodes: a `large_string` array without nulls, shape (n,).

    Examples:
        >>> count_bases(pa.array(["ACGN", ""], pa.large_string())).tolist()
        [3, 0]
    """
    data, ends = content(barcodes)
    before = np.concatenate([[0], np.cumsum(_IS_BASE[data[ends[0] : ends[-1]]])])
    counted: NDArray[np.int64] = np.diff(before[ends - ends[0]])
    return counted
