"""The `taxonomy` config: every name of every rank, its label index, its parents, and its records in each split."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ..splits import SPLIT_NAMES
from ..taxonomy import FILLER, LABELS
from .schema import taxonomy_fields


def lineages(file: Path) -> pa.Table:
    """Count the distinct lineages of a shard: the labels of all ranks, the split, and the number of records.

    Args:
        file: a shard of the `metadata` config.
    """
    return count_lineages(pq.read_table(file, columns=[*LABELS, "split"], use_threads=False))


def count_lineages(table: pa.Table) -> pa.Table:
    """Group records, or lineages counted before, by their labels and split."""
    if "records" not in table.column_names:
        table = table.append_column("records", pa.repeat(pa.scalar(1, pa.int64()), len(table)))
    grouped = table.group_by([*LABELS, "split"], use_threads=False).aggregate([("records", "sum")])
    return grouped.rename_columns([*LABELS, "split", "records"])


def taxonomy_table(parts: Iterable[pa.Table]) -> pa.Table:
    """Make the taxonomy from counted lineages.

    A name's parents are its names at the closest higher rank at which any of its records is labelled, most records
    first. Its index is its place among the rank's names in code-point order; fillers have none.

    Args:
        parts: tables of `lineages`.

    Returns:
        A table with the columns of `taxonomy_fields`, by rank and name.
    """
    counted = _merged(parts)
    ranks = [_rank_table(counted, rank) for rank in LABELS]
    return pa.concat_tables([table for table in ranks if len(table)] or ranks[:1]).combine_chunks()


def _merged(parts: Iterable[pa.Table]) -> pa.Table:
    """Add up counted lineages, holding little more than the distinct ones."""
    held: list[pa.Table] = []
    for part in parts:
        held.append(part)
        if sum(map(len, held[1:])) > len(held[0]):
            held = [count_lineages(pa.concat_tables(held))]
    return count_lineages(pa.concat_tables(held))


def _rank_table(counted: pa.Table, rank: str) -> pa.Table:
    labelled = counted.filter(pc.is_valid(counted[rank]))
    counts = labelled.group_by([rank, "split"], use_threads=False).aggregate([("records", "sum")])
    names = sorted(pc.unique(labelled[rank]).to_pylist())
    filler = pc.match_substring_regex(pa.array(names, pa.string()), FILLER).to_pylist()
    by_split = np.zeros((len(names), len(SPLIT_NAMES)), np.int64)
    place = pc.index_in(counts[rank], pa.array(names, pa.string())).to_numpy()
    by_split[place, pc.index_in(counts["split"], pa.array(SPLIT_NAMES)).to_numpy()] = counts["records_sum"].to_numpy()
    parents = _parents(labelled, rank)
    index = iter(range(len(names)))
    columns = {
        "rank": [rank] * len(names),
        "name": names,
        "index": [None if is_filler else next(index) for is_filler in filler],
        "filler": filler,
        "parent_rank": [parents.get(name, (None, []))[0] for name in names],
        "parents": [parents.get(name, (None, []))[1] for name in names],
        **dict(zip(SPLIT_NAMES, by_split.T, strict=True)),
    }
    return pa.table(columns, schema=pa.schema(taxonomy_fields(SPLIT_NAMES)))


def _parents(labelled: pa.Table, rank: str) -> dict[str, tuple[str, list[str]]]:
    found: dict[str, tuple[str, list[str]]] = {}
    for higher in reversed(LABELS[: LABELS.index(rank)]):
        above = labelled.filter(pc.invert(pc.fill_null(pc.match_substring_regex(labelled[higher], FILLER), True)))
        pairs = above.group_by([rank, higher], use_threads=False).aggregate([("records", "sum")])
        pairs = pairs.sort_by([("records_sum", "descending"), (higher, "ascending")])
        here: dict[str, list[str]] = {}
        for name, parent in zip(pairs[rank].to_pylist(), pairs[higher].to_pylist(), strict=True):
            if name not in found:
                here.setdefault(name, []).append(parent)
        found |= {name: (higher, parents) for name, parents in here.items()}
    return found
