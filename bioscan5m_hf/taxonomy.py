"""Ranks, the policy for missing labels, and the maps between names and label indices."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc


RANKS = ("phylum", "class", "order", "family", "subfamily", "genus", "species")
LABELS = (*RANKS, "dna_bin")
"""What a specimen can be labelled with: the ranks from wide to narrow, then the Barcode Index Number."""

FILLER = r"^(unassigned|unclassified)( |$)"
"""A filler stands where a finer label exists but this rank has none (`unassigned Sciaridae`): no class, no name."""

_WITHOUT_COUNTS = pa.schema(
    {
        "rank": pa.string(),
        "name": pa.string(),
        "index": pa.int64(),
        "filler": pa.bool_(),
        "parent_rank": pa.string(),
        "parents": pa.list_(pa.string()),
    }
)


def is_filler(name: str) -> bool:
    """Tell whether a name only fills a hole.

    Examples:
        >>> is_filler("unassigned Sciaridae"), is_filler("Sciaridae")
        (True, False)
    """
    return re.match(FILLER, name) is not None


def check_rank(rank: str) -> str:
    """Return the rank if it is one; otherwise say which ones there are.

    Raises:
        ValueError: `rank` is not in `LABELS`.

    Examples:
        >>> check_rank("genus")
        'genus'
    """
    if rank not in LABELS:
        raise ValueError(f"unknown rank {rank!r}: use one of {', '.join(LABELS)}")
    return rank


class Taxonomy:
    """Names and label indices of every rank, the same for all splits.

    An index is the name's place among all names of its rank in code-point order. Missing labels and fillers have
    no index, so they are never a class and never equal to each other.

    Args:
        table: the `taxonomy` table: columns `rank`, `name`, `index`, `filler`, `parent_rank`, `parents`, and one
            column of record counts for each split.
        keep_filler: give fillers an index as well, as the package `bioscan-dataset` does.

    Examples:
        >>> taxonomy = Taxonomy.from_labels({"order": ["Diptera", None, "Araneae", "Diptera"]})
        >>> taxonomy.names("order")
        ['Araneae', 'Diptera']
        >>> taxonomy.index("order", ["Diptera", None, "Odonata"], unknown=None)
        [1, None, None]
        >>> taxonomy.name("order", [1, None])
        ['Diptera', None]
    """

    def __init__(self, table: pa.Table, *, keep_filler: bool = False) -> None:
        self.table = table
        self.keep_filler = keep_filler
        self._names: dict[str, pa.Array] = {}

    @classmethod
    def from_labels(cls, labels: dict[str, Iterable[str | None]], *, keep_filler: bool = False) -> Taxonomy:
        """Make a taxonomy from lists of labels, without parents or counts.

        Args:
            labels: rank → labels, with repetitions and None.
            keep_filler: give fillers an index as well.
        """
        rows: list[dict[str, object]] = []
        for rank, given in labels.items():
            names = sorted({name for name in given if name})
            proper = iter(range(len(names)))
            for name in names:
                filler = is_filler(name)
                rows.append(
                    {
                        "rank": check_rank(rank),
                        "name": name,
                        "index": None if filler else next(proper),
                        "filler": filler,
                        "parent_rank": None,
                        "parents": [],
                    }
                )
        return cls(pa.Table.from_pylist(rows, schema=_WITHOUT_COUNTS), keep_filler=keep_filler)

    def names(self, rank: str) -> list[str]:
        """List the names of a rank; a name's position is its label index.

        Raises:
            ValueError: `rank` is no rank.
        """
        return self._array(rank).to_pylist()  # type: ignore[no-any-return]

    def index(
        self, rank: str, names: Sequence[str | None] | pa.Array, *, unknown: Literal["error"] | None = "error"
    ) -> list[int | None]:
        """Translate names to label indices; missing labels and fillers become None.

        Args:
            rank: the names' rank.
            names: labels of any length, None where missing.
            unknown: what a name that is not in the taxonomy gives: an error, or None.

        Raises:
            LookupError: a name is unknown and `unknown="error"`.
        """
        return self.index_array(rank, names, unknown=unknown).to_pylist()  # type: ignore[no-any-return]

    def index_array(
        self, rank: str, names: Sequence[str | None] | pa.Array, *, unknown: Literal["error"] | None = "error"
    ) -> pa.Array:
        """Do the same as `index` without leaving Arrow: int64 with nulls, shape (len(names),)."""
        given = names if isinstance(names, pa.Array | pa.ChunkedArray) else pa.array(names, pa.string())
        known = self._array(rank)
        found = pc.index_in(given, value_set=known)
        if unknown == "error":
            lost = pc.and_(pc.is_null(found), pc.and_(pc.is_valid(given), pc.not_equal(given, "")))
            if not self.keep_filler:
                lost = pc.and_not(lost, pc.match_substring_regex(given, FILLER))
            strange = pc.unique(given.filter(pc.fill_null(lost, False))).to_pylist()
            if strange:
                raise LookupError(
                    f"unknown {rank} {', '.join(map(repr, strange[:5]))}: not among the {len(known)} names "
                    "of this rank; use unknown=None to get None for such names"
                )
        return found.cast(pa.int64())

    def name(self, rank: str, indices: Sequence[int | None] | npt.NDArray[np.integer]) -> list[str | None]:
        """Translate label indices to names; None and -1 become None.

        Args:
            rank: the labels' rank.
            indices: indices of any length.

        Raises:
            LookupError: an index lies outside the rank's names.
        """
        known = self._array(rank)
        given = pa.array([None if index is None or index == -1 else int(index) for index in indices], pa.int64())
        bad = [index for index in pc.unique(given).to_pylist() if index is not None and not 0 <= index < len(known)]
        if bad:
            raise LookupError(f"no {rank} has index {bad[0]}: use 0 … {len(known) - 1}, or None")
        return known.take(given).to_pylist()  # type: ignore[no-any-return]

    def parents(self, rank: str, name: str) -> list[str]:
        """List the parents of a name, most records first; several for a name that stands in several places.

        Raises:
            LookupError: the rank has no such name.
        """
        return self._row(rank, name)["parents"] or []

    def counts(self, rank: str, name: str) -> dict[str, int]:
        """Give the number of records of a name in each split.

        Raises:
            LookupError: the rank has no such name.
        """
        row = self._row(rank, name)
        fixed = ("rank", "name", "index", "filler", "parent_rank", "parents")
        return {key: value for key, value in row.items() if key not in fixed}

    def _row(self, rank: str, name: str) -> dict[str, Any]:
        where = (pc.field("rank") == check_rank(rank)) & (pc.field("name") == name)
        rows = self.table.filter(where).to_pylist()
        if not rows:
            raise LookupError(f"unknown {rank} {name!r}: not among the {len(self._array(rank))} names of this rank")
        return rows[0]  # type: ignore[no-any-return]

    def _array(self, rank: str) -> pa.Array:
        if check_rank(rank) not in self._names:
            where = pc.field("rank") == rank
            if not self.keep_filler:
                where &= ~pc.field("filler")
            names = self.table.filter(where).column("name").combine_chunks()
            self._names[rank] = names.take(pc.array_sort_indices(names)).cast(pa.string())
        return self._names[rank]
