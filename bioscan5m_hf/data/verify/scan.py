"""One pass over a `metadata` shard: keys, lineages, and the rows that break a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...taxonomy import LABELS
from ..checks import CHECKS, MISSING_WORDS, Check
from ..folder import DAMAGE, one_line
from ..keys import Keys, md5_keys, text_keys
from ..schema import COLUMNS
from ..taxa import count_lineages


Mask: TypeAlias = Any
"""A boolean pyarrow array, chunked or not."""

EXAMPLES = 2
_WORDS = pa.array(["", *MISSING_WORDS])
_CHECK_OF = {
    "processid": "processids",
    "split": "split",
    "dna_barcode": "barcodes",
    "chunk": "chunks",
    "coord-lat": "coordinates",
    "coord-lon": "coordinates",
}


@dataclass(frozen=True)
class Rule:
    """What every row of a shard must satisfy.

    Args:
        check: the check that tells of it.
        column: the column it speaks of.
        bad: table, MD5 keys and the shard's split → boolean array of the rows that break it.
        reason: value and row → what is wrong.
        severe: breaking it is an error, else a warning.
    """

    check: str
    column: str
    bad: Callable[[pa.Table, Keys, str], Mask]
    reason: Callable[[object, dict[str, object]], str]
    severe: bool = True


def _rules() -> Iterator[Rule]:
    for check in CHECKS:
        yield Rule(_CHECK_OF.get(check.column, "values"), check.column, _of_builder(check), check.reason)
    yield Rule(
        "split",
        "split",
        lambda table, _, split: pc.fill_null(pc.not_equal(table["split"], split), True),
        lambda value, _: f"column `split` says {value!r}",
    )
    yield Rule(
        "barcodes",
        "dna_barcode",
        lambda table, *_: pc.fill_null(pc.match_substring_regex(table["dna_barcode"], "[a-z]"), False),
        lambda *_: "lower-case letters in dna_barcode",
        severe=False,
    )
    for column in COLUMNS:
        name = column.name
        said = f"{name} is {{!r}}: a missing value is null"
        if pa.types.is_string(column.type):
            yield Rule("missing", name, lambda table, *_, name=name: pc.is_in(table[name], _WORDS), _said(said))
        if column.required and name not in ("processid", "split"):
            yield Rule(
                "missing", name, lambda table, *_, name=name: pc.is_null(table[name]), _said(f"no {name}"), False
            )


def _of_builder(check: Check) -> Callable[[pa.Table, Keys, str], Mask]:
    return lambda table, keys, _: check.bad(table, keys)


def _said(text: str) -> Callable[[object, dict[str, object]], str]:
    return lambda value, _: text.format(value)


RULES = tuple(_rules())


@dataclass(frozen=True)
class ScanJob:
    """Read one shard of the metadata.

    Args:
        path: the shard.
        file: its name inside the folder.
        split: its split.
    """

    path: Path
    file: str
    split: str


@dataclass
class Scan:
    """What was read from a shard, or from all shards of a split.

    Args:
        keys: MD5 keys of the process ids, shape (n, 2).
        barcodes: keys of the barcodes, shape (n, 2).
        lineages: counted lineages.
        broken: place in `RULES` → number of rows that break it, and examples.
        problem: why the shard could not be read.
    """

    keys: Keys = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    barcodes: Keys = field(default_factory=lambda: np.empty((0, 2), np.uint64))
    lineages: list[pa.Table] = field(default_factory=list)
    broken: dict[int, tuple[int, list[str]]] = field(default_factory=dict)
    problem: str | None = None


def scan(job: ScanJob) -> Scan:
    """Run a `ScanJob`; a row group is in memory at a time."""
    found, keys, barcodes, start = Scan(), [], [], 0
    try:
        for table in read_groups(job.path):
            keys.append(md5_keys(table["processid"].combine_chunks()))
            barcodes.append(text_keys(table["dna_barcode"].combine_chunks()))
            found.lineages = [count_lineages(pa.concat_tables([*found.lineages, _lineages(table)]))]
            _apply_rules(found, table, keys[-1], job, start)
            start += len(table)
    except DAMAGE as problem:
        return Scan(problem=f"{job.file} is damaged: {one_line(problem)}")
    if keys:
        found.keys, found.barcodes = np.concatenate(keys), np.concatenate(barcodes)
    return found


def read_groups(path: Path, columns: list[str] | None = None) -> Iterator[pa.Table]:
    """Read a shard one validated row group at a time; page checksums are compared where the file has them."""
    with pq.ParquetFile(path, page_checksum_verification=True) as shard:
        for group in range(shard.num_row_groups):
            table = shard.read_row_group(group, columns=columns, use_threads=False).combine_chunks()
            table.validate(full=True)
            yield table


def _lineages(table: pa.Table) -> pa.Table:
    return count_lineages(table.select([*LABELS, "split"]))


def _apply_rules(found: Scan, table: pa.Table, keys: Keys, job: ScanJob, start: int) -> None:
    for place, rule in enumerate(RULES):
        mask = rule.bad(table, keys, job.split)
        rows = np.flatnonzero(mask.to_numpy(zero_copy_only=False) if isinstance(mask, pa.Array) else mask.to_numpy())
        if not len(rows):
            continue
        count, examples = found.broken.get(place, (0, []))
        for row in rows[: EXAMPLES - len(examples)].tolist():
            record = table.slice(row, 1).to_pylist()[0]
            where = f"{job.file}, row {start + row}, {record['processid']}"
            examples.append(f"{where}: {rule.reason(record[rule.column], record)}")
        found.broken[place] = (count + len(rows), examples)
