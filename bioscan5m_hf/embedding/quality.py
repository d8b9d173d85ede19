"""Reads made ready for a model: cleaned, on the strand that `dna.check` finds, and with its warnings."""

from __future__ import annotations

from dataclasses import dataclass, replace

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
        doubtful: usable reads whose strand the check finds reversed or unclear; shape (n,).
        checks: the columns `CHECKS`; `strand` is that of `barcodes`: `+` as given, `-` turned, null where unusable.
    """

    barcodes: pa.Array
    usable: NDArray[np.bool_]
    doubtful: NDArray[np.bool_]
    checks: pa.Table

    def turned(self, places: NDArray[np.intp]) -> Prepared:
        """Give the same reads, some of them on their other strand.

        Args:
            places: of the reads to turn, each once.

        Examples:
            >>> turned = prepare(pa.array(["AACG", "ACCC"])).turned(np.array([1]))
            >>> turned.barcodes.to_pylist(), turned.checks["strand"].to_pylist()
            (['AACG', 'GGGT'], ['+', '-'])
        """
        if not len(places):
            return self
        mask = np.zeros(len(self.barcodes), bool)
        mask[places] = True
        other = reverse_complement(self.barcodes.take(pa.array(np.flatnonzero(mask))))
        strand = self.checks["strand"].combine_chunks()
        strand = pc.if_else(pa.array(mask), pc.if_else(pc.equal(strand, "-"), "+", "-"), strand)
        checks = self.checks.set_column(self.checks.schema.get_field_index("strand"), "strand", strand)
        return replace(self, barcodes=pc.replace_with_mask(self.barcodes, mask, other), checks=checks)


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
    checks = check(barcodes).select(CHECKS)
    texts = pc.fill_null(clean(barcodes), "")
    known, letters = count_bases(texts), lengths(texts)
    usable = (known >= k) & (known >= KNOWN_SHARE * letters)
    found = checks["strand"].combine_chunks()
    reverse = np.asarray(pc.fill_null(pc.equal(found, "-"), False))
    doubtful = usable & (reverse | np.asarray(found.is_null()))
    as_given = pa.array(np.full(len(texts), "+", object), pa.string(), mask=~usable)
    checks = checks.set_column(checks.schema.get_field_index("strand"), "strand", as_given)
    return Prepared(texts, usable, doubtful, checks).turned(np.flatnonzero(reverse & usable))


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
