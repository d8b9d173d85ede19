"""Rows of a dataset on their way out, a row group at a time, and what is left out."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ...errors import Bioscan5mError
from ...taxonomy import LABELS, RANKS, is_filler
from ..folder import kind_of
from ..kinds import Kind
from ..schema import COLUMN_NAMES, IMAGE
from ..sources import Source, choose_config, open_source, read_tables


Row = dict[str, Any]
ROWS = 2048


@dataclass
class Rows:
    """Specimens of a dataset.

    Args:
        source: the opened config.
        splits: what is read of it.
        within: rank → the names that are let in; empty for all.
        columns: what is read of them.
        kind: whose specimens they are, where the card says so; each row says in `invented` that it is.
        left_out: reason → specimens that were not written.
        changed: what was changed → specimens that were.
    """

    source: Source
    splits: Sequence[str]
    within: Mapping[str, Sequence[str]] = field(default_factory=dict)
    columns: Sequence[str] = COLUMN_NAMES
    kind: Kind | None = None
    left_out: Counter[str] = field(default_factory=Counter)
    changed: Counter[str] = field(default_factory=Counter)

    def __iter__(self) -> Iterator[Row]:
        """Give rows as dictionaries; fillers are no names, and stand for None."""
        wanted = {*self.columns, *self.within}
        columns = [name for name in (*COLUMN_NAMES, IMAGE) if name in wanted and name in self.source.features]
        for split in self.splits:
            for file in self.source.files[split]:
                for table in read_tables(str(file), columns):
                    for start in range(0, len(table), ROWS):
                        yield from map(self._tidy, self._allowed(table.slice(start, ROWS).to_pylist()))

    def _allowed(self, rows: list[Row]) -> Iterator[Row]:
        for row in rows:
            if all(row.get(rank) in names for rank, names in self.within.items()):
                yield row

    def _tidy(self, row: Row) -> Row:
        fillers = {rank: None for rank in RANKS if row.get(rank) and is_filler(row[rank])}
        return {**dict.fromkeys(COLUMN_NAMES), **row, **fillers, "invented": self.kind is Kind.INVENTED}


def open_rows(
    dataset: str | Path,
    split: str = "all",
    *,
    columns: Sequence[str] = COLUMN_NAMES,
    within: Mapping[str, Sequence[str]] | None = None,
    revision: str | None = None,
) -> Rows:
    """Open the specimens of a dataset.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        split: splits, joined by `+`.
        columns: what is wanted of them: columns of the metadata, and `image`.
        within: rank → the names that are let in.
        revision: branch, tag or commit on the Hub.

    Raises:
        Bioscan5mError: there is no such dataset.
        ValueError: it lacks the split or photographs, or a rank is none.
    """
    from datasets.exceptions import DatasetNotFoundError

    if unknown := [rank for rank in within or () if rank not in LABELS]:
        raise ValueError(f"unknown rank {unknown[0]!r}: use one of {', '.join(LABELS)}")
    try:
        config = choose_config(dataset, columns, revision)
        source = open_source(dataset, config, revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no dataset {dataset}: name a folder that `bioscan5m build` made, or a repository on the Hub"
        ) from error
    return Rows(source, source.choose_splits(split), within or {}, columns, kind_of(dataset, revision))


def deepest(row: Mapping[str, Any]) -> tuple[str, str] | None:
    """Give the narrowest rank that has a name, and the name; None where there is none.

    Examples:
        >>> deepest({"order": "Diptera", "species": None})
        ('order', 'Diptera')
    """
    return next(((rank, row[rank]) for rank in reversed(RANKS) if row.get(rank)), None)
