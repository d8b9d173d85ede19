"""What becomes of rows between file and user: one per barcode, truncation, a label column; all on Arrow tables."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..dna import strip_n
from ..taxonomy import Taxonomy
from .keys import Keys, drawn, equal_neighbours, md5_keys, order, text_keys


PROCESSID, BARCODE, LABEL = "processid", "dna_barcode", "label"
_BUCKETS = 16
"""Barcodes are compared in so many groups, one after the other: sorting five million at once takes 0.6 GB."""


class KeySet:
    """A set of 128-bit keys that says of many keys at once which are in it.

    Args:
        keys: any order, shape (n, 2).

    Examples:
        >>> KeySet(np.array([[5, 1], [2, 7]], np.uint64)).holds(np.array([[2, 7], [2, 8]], np.uint64)).tolist()
        [True, False]
    """

    def __init__(self, keys: Keys) -> None:
        keys = keys[order(keys)]
        self.high, self.low = np.ascontiguousarray(keys[:, 0]), np.ascontiguousarray(keys[:, 1])
        self.longest = int(np.unique(self.high, return_counts=True)[1].max()) if len(keys) else 0

    def __len__(self) -> int:
        return len(self.high)

    def holds(self, keys: Keys) -> npt.NDArray[np.bool_]:
        """Tell for each key whether it is in the set, shape (n,)."""
        found = np.zeros(len(keys), bool)
        place = np.searchsorted(self.high, keys[:, 0])
        for _ in range(self.longest):  # more than once only where two keys share their first 64 bits
            inside = place < len(self)
            at = place[inside]
            found[inside] |= (self.high[at] == keys[inside, 0]) & (self.low[at] == keys[inside, 1])
            place += 1
        return found


@dataclass(frozen=True)
class Recipe:
    """How rows are prepared; it keeps no state, so any process may do any rows.

    Args:
        columns: columns to give, without the label.
        rank: rank of the label; None for no `label` column.
        taxonomy: where label indices come from.
        max_nucleotides: where barcodes are cut off.
        repeated: specimens to leave out, because another one stands for their barcode.
        share: of the specimens that is kept, see `keys.drawn`.

    Examples:
        >>> rows = pa.table({"processid": ["A-1"], "dna_barcode": ["ACGTN"], "order": ["Diptera"]})
        >>> taxonomy = Taxonomy.from_labels({"order": ["Araneae", "Diptera"]})
        >>> Recipe(("dna_barcode",), "order", taxonomy, max_nucleotides=3).apply(rows).to_pylist()
        [{'dna_barcode': 'ACG', 'label': 1}]
    """

    columns: tuple[str, ...]
    rank: str | None = None
    taxonomy: Taxonomy | None = None
    max_nucleotides: int | None = None
    repeated: KeySet | None = None
    share: float = 1.0

    @property
    def reads(self) -> list[str]:
        """The columns that have to be read."""
        chooses = self.repeated is not None or self.share < 1
        extra = [self.rank, PROCESSID if chooses else None]
        return list(dict.fromkeys([*self.columns, *(name for name in extra if name is not None)]))

    def apply(self, table: pa.Table) -> pa.Table:
        """Prepare rows.

        Args:
            table: rows with the columns `reads`.

        Returns:
            The kept rows with `columns`, and `label` where asked for.
        """
        if self.repeated is not None:
            repeated = self.repeated.holds(md5_keys(table[PROCESSID].combine_chunks()))
            if repeated.any():
                table = table.filter(pa.array(~repeated))
        if self.share < 1:
            table = table.filter(pa.array(drawn(table[PROCESSID].combine_chunks(), self.share)))
        arrays = [self._cut(table[name]) if name == BARCODE else table[name] for name in self.columns]
        fields = [table.schema.field(name) for name in self.columns]
        if self.rank is not None and self.taxonomy is not None:
            arrays.append(self.taxonomy.index_array(self.rank, table[self.rank]))
            fields.append(pa.field(LABEL, pa.int64()))
        return pa.Table.from_arrays(arrays, schema=pa.schema(fields))

    def _cut(self, barcodes: pa.ChunkedArray) -> pa.ChunkedArray:
        return cut(barcodes, self.max_nucleotides)


def cut(barcodes: pa.Array | pa.ChunkedArray, max_nucleotides: int | None) -> pa.Array | pa.ChunkedArray:
    """Cut barcodes off after a number of nucleotides.

    Examples:
        >>> cut(pa.array(["ACGT", None]), 2).to_pylist()
        ['AC', None]
    """
    if max_nucleotides is None:
        return barcodes
    return pc.utf8_slice_codeunits(barcodes, 0, max_nucleotides)


def find_repeated(tables: Iterable[pa.Table], max_nucleotides: int | None = None) -> KeySet:
    """Find the specimens whose barcode another specimen stands for: all of equal barcodes but the first by MD5.

    Barcodes are compared after cutting and after taking the Ns off both ends. A specimen without a barcode, or with
    nothing but Ns, is never repeated.

    Args:
        tables: rows with `processid` and `dna_barcode`, in any order and division.
        max_nucleotides: where barcodes are cut off.

    Examples:
        >>> rows = pa.table({"processid": ["A-1", "A-2", "A-3"], "dna_barcode": ["NACGT", "ACGTN", None]})
        >>> repeated = find_repeated([rows])
        >>> repeated.holds(md5_keys(rows["processid"].combine_chunks())).tolist()
        [False, True, False]
    """
    buckets: list[list[npt.NDArray[np.uint64]]] = [[] for _ in range(_BUCKETS)]
    for table in tables:
        stripped = strip_n(cut(table[BARCODE].combine_chunks(), max_nucleotides))
        present = pc.fill_null(pc.not_equal(stripped, ""), False)
        specimens = md5_keys(table[PROCESSID].combine_chunks().filter(present))
        both = np.hstack([text_keys(stripped.filter(present)), specimens])
        bucket = both[:, 0] % _BUCKETS
        for number, rows in enumerate(buckets):
            rows.append(both[bucket == number])
    repeated = [np.empty((0, 2), np.uint64)]
    while buckets:
        rows = buckets.pop()
        repeated.append(_repeated(np.concatenate(rows)) if rows else repeated[0])
    return KeySet(np.concatenate(repeated))


def _repeated(both: npt.NDArray[np.uint64]) -> Keys:
    """Give the keys of specimens whose barcode key occurs before, by key of the specimen; both in shape (n, 4)."""
    ordered = both[np.lexsort(both.T[[3, 2, 1, 0]])]
    return ordered[equal_neighbours(ordered[:, :2]), 2:]
