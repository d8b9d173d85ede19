"""The partition of a table of specimens: read, split, written with all its other columns as they were."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from ..errors import OutputError, ReleaseError
from ..partition import partition, presence, species_in_two, species_without_keys
from ..splits import SPLIT_NAMES, chunk
from .keys import text_keys
from .selection import BARCODE, PROCESSID
from .verify.overlaps import shared_barcodes


NEEDED = (PROCESSID, "genus", "species", BARCODE)
DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
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
        source: CSV, TSV (both may be compressed with gzip) or Parquet, with a header.
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
    _ending(out)
    table = _read(source)
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
    _write(table, out)
    return _told(species, barcodes, splits)


def _told(species: pa.ChunkedArray, barcodes: pa.ChunkedArray, splits: Sequence[str]) -> Splitting:
    codes = np.array([SPLIT_NAMES.index(split) for split in splits], np.uint8)
    overlap = shared_barcodes(text_keys(barcodes.combine_chunks()), codes)
    names, present = presence(species, splits)
    counts = {}
    for code, split in enumerate(SPLIT_NAMES):
        rows = int((codes == code).sum())
        if rows:
            counts[split] = (rows, overlap.of(code), int(present[split].sum()))
    leaks = [str(leak) for leak in (*species_in_two(names, present), *species_without_keys(names, present))]
    leaks += [f"{overlap}"] if overlap.shared else []
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


def _known(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """Give texts, with null for the empty ones and for words that say nothing."""
    texts = column.cast(pa.string())
    nothing = pc.is_in(texts, value_set=pa.array(["", *WORDS]))
    return pc.if_else(nothing, pa.scalar(None, pa.string()), texts)


def _check_ids(ids: pa.ChunkedArray, source: Path) -> None:
    first: dict[str | None, int] = {}
    for row, processid in enumerate(ids.to_pylist(), 1):
        if processid is None:
            raise ReleaseError("no processid", file=str(source), row=row, hint="every specimen needs one")
        if processid in first:
            hint = f"it stands in row {first[processid]} already: a specimen counts once"
            raise ReleaseError("a processid stands twice", file=str(source), row=row, processid=processid, hint=hint)
        first[processid] = row


def _ending(path: Path) -> str:
    ending = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if ending not in (*DELIMITERS, ".parquet") or (path.suffix == ".gz" and ending == ".parquet"):
        allowed = ", ".join((*DELIMITERS, ".parquet"))
        raise OutputError(f"{path}: unknown kind of table {path.suffix!r}: use one of {allowed}")
    return ending


def _read(path: Path) -> pa.Table:
    """Read a table, all columns as the texts that stand there."""
    ending = _ending(path)
    if not path.is_file():
        raise ReleaseError("no such table", file=str(path))
    try:
        if ending == ".parquet":
            return pq.read_table(path, partitioning=None)
        parse = pv.ParseOptions(delimiter=DELIMITERS[ending], newlines_in_values=True)
        with pa.input_stream(path) as stream:
            header = pv.open_csv(stream, parse_options=parse).schema.names
        if len(set(header)) < len(header):
            raise ReleaseError(f"a column stands twice in {', '.join(header)}", file=str(path))
        convert = pv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
        with pa.input_stream(path) as stream:
            return pv.read_csv(stream, parse_options=parse, convert_options=convert)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        raise ReleaseError(f"cannot be read as a table: {str(error).splitlines()[0]}", file=str(path)) from error


def _write(table: pa.Table, out: Path) -> None:
    ending = _ending(out)
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f"{out.name}.part")
    try:
        if ending == ".parquet":
            pq.write_table(table, beside)
        else:
            options = pv.WriteOptions(delimiter=DELIMITERS[ending], quoting_style="needed", quoting_header="needed")
            with pa.output_stream(beside, compression="gzip" if out.suffix == ".gz" else None) as stream:
                pv.write_csv(table, stream, options)
        os.replace(beside, out)
    finally:
        beside.unlink(missing_ok=True)


def _flag(name: str) -> str:
    return {"dna_barcode": "barcode"}.get(name, name)
