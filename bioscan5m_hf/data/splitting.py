"""The partition of a table of specimens: read, split, written with all its other columns as they were."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import OutputError, ReleaseError
from ..partition import comparable, partition, presence, species_in_two, species_without_keys
from ..splits import SPLIT_NAMES, chunk
from .delimited import delimiter_of, ending, read_table, write_table
from .keys import Keys, text_keys
from .selection import BARCODE, PROCESSID
from .verify.overlaps import shared_barcodes


NEEDED = (PROCESSID, "genus", "species", BARCODE)
WORDS = ("no_data", "not_classified")
"""Words of BIOSCAN-1M for a missing value."""


@dataclass(frozen=True)
class Splitting:
    """What a partition gave.

    Args:
        counts: split → specimens, distinct barcodes and species, of the splits that occur.
        leaks: what stands in two splits, or lacks its keys; one line each.
        notes: what a reader should know.
    """

    counts: dict[str, tuple[int, int, int]]
    leaks: list[str]
    notes: list[str]

    def __str__(self) -> str:
        rows = [("split", "specimens", "barcodes", "species")]
        rows += [(name, *(f"{count:,}" for count in counts)) for name, counts in self.counts.items()]  # type: ignore[misc]
        wide = [max(map(len, column)) for column in zip(*rows, strict=True)]
        return "\n".join(
            "  ".join(
                [row[0].ljust(wide[0]), *(cell.rjust(width) for cell, width in zip(row[1:], wide[1:], strict=True))]
            )
            for row in rows
        )


def split_table(
    source: str | Path, out: str | Path, *, columns: Mapping[str, str] | None = None, seed: int = 0
) -> Splitting:
    """Assign the specimens of a table to the eight splits by the official procedure, and write the table with them.

    The order of rows and all other columns stay; columns `split` and `chunk` are replaced, or added at the end.

    Args:
        source: CSV (with commas or semicolons), TSV, either perhaps compressed with gzip, or Parquet; with a header.
        out: file to write, in the form its ending says; beside and renamed.
        columns: our names (`processid`, `genus`, `species`, `dna_barcode`) → those of the table, where they differ.
        seed: added to the published seeds.

    Returns:
        Counts of the splits, and what leaks.

    Raises:
        ReleaseError: the table cannot be read, lacks a column, or a specimen stands in it twice.
        OutputError: the output cannot be written in the form its ending says, or is the source.
    """
    source, out = Path(source), Path(out)
    if out.exists() and source.exists() and out.samefile(source):
        raise OutputError(f"{out} is the table itself: name another file, so that nothing is lost")
    ending(out)
    table = read_table(source)
    names = {name: (columns or {}).get(name, name) for name in NEEDED}
    if missing := [theirs for theirs in names.values() if theirs not in table.column_names]:
        there = ", ".join(table.column_names)
        hint = "name the table's own columns with " + ", ".join(f"--{_flag(name)}" for name in NEEDED)
        raise ReleaseError(f"no column {', '.join(missing)} among {there}", file=str(source), hint=hint)
    ids, genus, species, barcodes = (_known(table[names[name]]) for name in NEEDED)
    _check_ids(ids, source)
    splits = partition(species, genus, barcodes, seed=seed)
    chunks = [chunk(processid, split) or "" for processid, split in zip(ids.to_pylist(), splits, strict=True)]
    for name, values in (("split", splits), ("chunk", chunks)):
        column = pa.array(values, pa.string())
        at = table.column_names.index(name) if name in table.column_names else None
        table = table.append_column(name, column) if at is None else table.set_column(at, name, column)
    write_table(table, out, delimiter_of(source) if {ending(source), ending(out)} == {".csv"} else None)
    return _told(species, barcodes, splits)


def _told(species: pa.ChunkedArray, barcodes: pa.ChunkedArray, splits: Sequence[str]) -> Splitting:
    codes = np.array([SPLIT_NAMES.index(split) for split in splits], np.uint8)
    overlap = shared_barcodes(_keys(barcodes.chunks), codes)
    leaking = shared_barcodes(_keys(map(comparable, barcodes.chunks)), codes)
    names, present = presence(species, splits)
    counts = {}
    for code, split in enumerate(SPLIT_NAMES):
        rows = int((codes == code).sum())
        if rows:
            counts[split] = (rows, overlap.of(code), int(present[split].sum()))
    leaks = [str(leak) for leak in (*species_in_two(names, present), *species_without_keys(names, present))]
    leaks += [f"{leaking}"] if leaking.shared else []
    notes = []
    if not len(names):
        notes.append("no specimen has a species: all of them are pretrain")
    elif set(counts) <= {"pretrain", "other_heldout"}:
        notes.append(
            "every species is a placeholder in a genus without published names: nothing can be seen or unseen"
        )
    without = barcodes.null_count
    if without:
        notes.append(f"{without:,} specimens have no barcode: they stay with what is left of their species")
    return Splitting(counts, leaks, notes)


def _keys(chunks: Iterable[pa.Array]) -> Keys:
    return np.concatenate([np.empty((0, 2), np.uint64), *map(text_keys, chunks)])


def _known(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give texts without spaces around them, with null for the empty ones and for words that say nothing."""
    texts = column.cast(pa.large_string())  # the barcodes of the whole dataset are more than a string array holds
    if pc.any(pc.match_substring_regex(texts, r"^\s|\s$")).as_py():
        texts = pc.utf8_trim_whitespace(texts)
    nothing = pc.is_in(texts, value_set=pa.array(["", *WORDS], texts.type))
    return pc.if_else(nothing, pa.scalar(None, texts.type), texts) if pc.any(nothing).as_py() else texts


def _check_ids(ids: pa.ChunkedArray, source: Path) -> None:
    first: dict[str | None, int] = {}
    for row, processid in enumerate(ids.to_pylist(), 1):
        if processid is None:
            raise ReleaseError("no processid", file=str(source), row=row, hint="every specimen needs one")
        if processid in first:
            hint = f"it stands in row {first[processid]} already: a specimen counts once"
            raise ReleaseError("a processid stands twice", file=str(source), row=row, processid=processid, hint=hint)
        first[processid] = row


def _flag(name: str) -> str:
    return {"dna_barcode": "barcode"}.get(name, name)
