"""What specimens are filtered by: taxa, splits, countries and process ids of all rows, coded, in memory."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..data.sources import Source, read_tables
from ..splits import METASPLITS
from ..taxonomy import FILLER, LABELS, check_rank


PROCESSID, COUNTRY = "processid", "country"
FILTERED = (*LABELS, COUNTRY)
_KEPT = 4
"""Results that are remembered: at five million rows each takes up to 20 MB."""
_COMPARED = 20_000
"""Names that an unknown one is compared with: 0.1 s."""


@dataclass(frozen=True)
class Filter:
    """What is looked for; an empty text asks for nothing.

    Args:
        rank: of the name.
        name: of a taxon.
        split: a split, `seen` or `unseen`.
        country: of the collection site.
        processid: of one specimen.
    """

    rank: str = "order"
    name: str = ""
    split: str = ""
    country: str = ""
    processid: str = ""


@dataclass
class Coded:
    """A column of names: each name once, and its number for every row.

    Args:
        names: n of them, those of most rows first.
        counts: rows of each, shape (n,).
        codes: the number of each row's name, of the smallest signed type that holds n; -1 where there is none.
    """

    names: list[str]
    counts: NDArray[np.int64]
    codes: NDArray[np.signedinteger[Any]]
    code: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self.code = {name: number for number, name in enumerate(self.names)}

    def rows(self, name: str) -> NDArray[np.bool_]:
        """Tell which rows have a name, shape (rows,)."""
        return np.asarray(self.codes == self.codes.dtype.type(self.code[name]))


class Catalogue:
    """All specimens of a dataset, as far as they are filtered.

    Rows are numbered through all splits, in the order of the dataset. Taxa and country take one, two or four bytes a
    row each, process ids about 16: five million rows together take about 0.19 GB.

    Args:
        counts: split → rows.
        columns: of `FILTERED`, those there are.
        processids: of all rows.

    Examples:
        >>> rows = pa.table({"processid": ["A1", "A2", "A3"], "order": ["Diptera", None, "Diptera"]})
        >>> catalogue = read_catalogue({"train": [rows.slice(0, 2)], "val": [rows.slice(2)]})
        >>> catalogue.find(Filter("order", "Diptera")).tolist()
        [0, 2]
        >>> catalogue.find(Filter("order", "Diptera", split="val")).tolist(), catalogue.place(2)
        ([2], ('val', 0))
    """

    def __init__(self, counts: Mapping[str, int], columns: Mapping[str, Coded], processids: pa.ChunkedArray) -> None:
        self.counts = dict(counts)
        self.columns = dict(columns)
        self.processids = processids
        ends = np.cumsum([0, *self.counts.values()])
        self.starts = dict(zip(self.counts, ends[:-1].tolist(), strict=True))
        self._find = lru_cache(maxsize=_KEPT)(self._found)

    def __len__(self) -> int:
        return len(self.processids)

    @property
    def nbytes(self) -> int:
        """Bytes of what is held for every row."""
        return int(self.processids.nbytes + sum(column.codes.nbytes for column in self.columns.values()))

    @property
    def ranks(self) -> tuple[str, ...]:
        """The ranks at which there is a name."""
        return tuple(rank for rank in LABELS if rank in self.columns and self.columns[rank].names)

    @property
    def splits(self) -> tuple[str, ...]:
        """What a split may be: those there are, and `seen` and `unseen` where some of theirs are."""
        joined = [name for name in ("seen", "unseen") if any(part in self.counts for part in METASPLITS[name])]
        return (*self.counts, *joined)

    @property
    def countries(self) -> list[str]:
        """The countries, those of most specimens first."""
        return self.columns[COUNTRY].names if COUNTRY in self.columns else []

    def find(self, wanted: Filter) -> NDArray[np.int32]:
        """Give the rows that fit, ascending.

        Raises:
            ValueError: no specimen has such a name, or there is no such split; with what is allowed.
        """
        return self._find(wanted)

    def place(self, row: int) -> tuple[str, int]:
        """Give the split of a row, and its place there.

        Raises:
            IndexError: there is no such row.
        """
        if not 0 <= row < len(self):
            raise IndexError(f"there is no row {row}: the dataset has {len(self):,}")
        split = next(name for name in reversed(self.starts) if self.starts[name] <= row and self.counts[name])
        return split, row - self.starts[split]

    def rows_of(self, processids: Sequence[str]) -> dict[str, int]:
        """Give the rows of specimens, as far as they are there."""
        wanted = pa.array(processids, self.processids.type)
        rows = np.flatnonzero(np.asarray(pc.is_in(self.processids, value_set=wanted)))
        return dict(zip(self.processids.take(pa.array(rows)).to_pylist(), rows.tolist(), strict=True))

    def _found(self, wanted: Filter) -> NDArray[np.int32]:
        if wanted.processid:
            rows = self.rows_of([wanted.processid])
            if not rows:
                raise ValueError(f"there is no specimen {wanted.processid!r}: write its whole process id")
        fits = None
        if wanted.name:
            check_rank(wanted.rank)
            fits = self._rows(wanted.rank, wanted.name)
        if wanted.country:
            of_country = self._rows(COUNTRY, wanted.country)
            fits = of_country if fits is None else fits & of_country
        found = np.arange(len(self), dtype=np.int32) if fits is None else np.flatnonzero(fits).astype(np.int32)
        if wanted.split:
            found = np.concatenate([self._within(found, split) for split in self._members(wanted.split)])
        if wanted.processid:
            found = found[found == rows[wanted.processid]]
        return found

    def _rows(self, column: str, name: str) -> NDArray[np.bool_]:
        known = self.columns.get(column)
        if known is None or name not in known.code:
            names = [] if known is None else known.names
            alike = [one for one in names if one[:3].casefold() == name[:3].casefold()]
            near = difflib.get_close_matches(name, alike[:_COMPARED], 3, 0.7)
            hint = f"did you mean {' or '.join(near)}?" if near else "choose one of the suggestions"
            raise ValueError(f"no specimen has the {column} {name!r}: {hint}")
        return known.rows(name)

    def _members(self, split: str) -> list[str]:
        if split not in self.splits:
            raise ValueError(f"there is no split {split!r}: use one of {', '.join(self.splits)}")
        return [name for name in self.counts if name in METASPLITS.get(split, (split,))]

    def _within(self, rows: NDArray[np.int32], split: str) -> NDArray[np.int32]:
        start = self.starts[split]
        low, high = np.searchsorted(rows, [start, start + self.counts[split]])
        return rows[low:high]


def source_tables(source: Source) -> dict[str, Iterator[pa.Table]]:
    """Give what `read_catalogue` needs of a dataset: split → tables of the columns that are filtered."""
    wanted = [name for name in (PROCESSID, *FILTERED) if name in source.features]
    return {
        split: (table for file in source.files[split] for table in read_tables(str(file), wanted))
        for split in source.choose_splits("all")
    }


def read_catalogue(tables: Mapping[str, Iterator[pa.Table] | Sequence[pa.Table]]) -> Catalogue:
    """Read a catalogue; at one time a single table is in memory beside what is kept.

    Fillers (`unassigned <Family>`) are no names.

    Args:
        tables: split → tables with `processid` and columns of `FILTERED`.
    """
    counts, processids = {}, []
    coders: dict[str, _Coder] = {}
    for split, parts in tables.items():
        counts[split] = 0
        for table in parts:
            for name in FILTERED:
                if name in table.column_names:
                    coders.setdefault(name, _Coder()).add(table[name])
            processids.append(table[PROCESSID].combine_chunks().cast(pa.large_string()))
            counts[split] += len(table)
    columns = {name: coder.coded() for name, coder in coders.items()}
    return Catalogue(counts, columns, pa.chunked_array(processids, pa.large_string()))


class _Coder:
    """Numbers the names of a column as they come."""

    def __init__(self) -> None:
        self.code: dict[str, int] = {}
        self.parts: list[NDArray[np.int32]] = []

    def add(self, column: pa.ChunkedArray) -> None:
        for chunk in column.chunks:
            encoded = chunk if pa.types.is_dictionary(chunk.type) else chunk.dictionary_encode()
            names = encoded.dictionary.cast(pa.string())
            proper = pc.and_not(pc.not_equal(names, ""), pc.match_substring_regex(names, FILLER)).to_pylist()
            known = [
                self.code.setdefault(name, len(self.code)) if fits else -1
                for name, fits in zip(names.to_pylist(), proper, strict=True)
            ]
            to = np.array([*known, -1], np.int32)
            self.parts.append(to[np.asarray(encoded.indices.fill_null(len(known)))])

    def coded(self) -> Coded:
        codes = np.concatenate(self.parts) if self.parts else np.zeros(0, np.int32)
        self.parts = []
        counts = np.bincount(codes[codes >= 0], minlength=len(self.code))
        names = list(self.code)
        order = sorted(range(len(names)), key=lambda number: (-counts[number], names[number]))
        small = np.min_scalar_type(-max(1, len(names)))  # a signed type
        to = np.full(len(names) + 1, -1, small)
        to[order] = np.arange(len(order))
        return Coded([names[number] for number in order], counts[order], to[codes])
