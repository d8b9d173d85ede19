"""First pass over the metadata: every record typed, checked and spilled to disk, only its keys kept in memory."""

from __future__ import annotations

import dataclasses
import functools
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .. import splits
from ..dna import IUPAC, only_letters
from ..errors import ReleaseError
from .checks import MISSING_WORDS, Rejection
from .keys import Keys, equal_neighbours, order, text_keys
from .metadata import Block, column_notes, read_blocks
from .records import parse
from .release import Source
from .schema import specimen_fields
from .workers import ordered_map


_KEY = ["md5 high", "md5 low"]
"""Columns of the spilled blocks beside the official ones."""


@dataclass
class Spilled:
    """One block on disk, its records sorted by split and MD5 key.

    Args:
        path: Arrow IPC file.
        split: uint8 codes into `splits.SPLIT_NAMES`, shape (n,).
        keys: MD5 keys of the process ids, shape (n, 2).
        barcodes: keys of the barcodes, shape (n, 2).
        rows: places in the block, shape (n,).
        records: records the block held, good and bad.
        nbytes: size of the good ones in memory.
        lower_case: how many barcodes have lower-case letters.
        words: how many values were words for "missing".
        rejections: the bad ones, `row` counted from the block's start.
    """

    path: Path
    split: npt.NDArray[np.uint8]
    keys: Keys
    barcodes: Keys
    rows: npt.NDArray[np.int64]
    records: int
    nbytes: int
    lower_case: int
    words: int
    rejections: list[Rejection]


@dataclass(frozen=True)
class Piece:
    """Rows of one spilled block that belong to a shard.

    Args:
        path: Arrow IPC file.
        start: first row.
        stop: row after the last.
        leave: rows between them that do not belong.
    """

    path: Path
    start: int
    stop: int
    leave: tuple[int, ...] = ()


@dataclass
class Intake:
    """All records of a release: on disk in blocks, with arrays of their keys in shard order.

    Args:
        file: the metadata file, for messages.
        blocks: the spilled blocks.
        split: uint8 codes, sorted, shape (n,).
        keys: MD5 keys, sorted within a split, shape (n, 2).
        block: which block each record is in, shape (n,).
        place: where in the block, shape (n,).
        rows: where in the file, 1 for the first specimen, shape (n,).
        records: records read, good and bad.
        nbytes: size of the good ones in memory.
        rejections: the bad ones, with `row` counted from the file's start.
        notes: what a user should be told.
    """

    file: str
    blocks: list[Path]
    split: npt.NDArray[np.uint8]
    keys: Keys
    block: npt.NDArray[np.int32]
    place: npt.NDArray[np.int32]
    rows: npt.NDArray[np.uint32]
    records: int
    nbytes: int
    rejections: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)

    def bounds(self, split: str) -> tuple[int, int]:
        """Give start and stop of a split's records in shard order."""
        code = splits.SPLIT_NAMES.index(split)
        low, high = np.searchsorted(self.split, [code, code + 1])
        return int(low), int(high)

    def pieces(self, start: int, stop: int) -> tuple[Piece, ...]:
        """Say where the records from `start` to `stop` of the shard order are on disk."""
        blocks, places = self.block[start:stop], self.place[start:stop]
        pieces = []
        for block in np.unique(blocks).tolist():
            inside = np.sort(places[blocks == block])
            low, high = int(inside[0]), int(inside[-1]) + 1
            leave = np.setdiff1d(np.arange(low, high), inside) if high - low != len(inside) else ()
            pieces.append(Piece(self.blocks[block], low, high, tuple(map(int, leave))))
        return tuple(pieces)


@dataclass(frozen=True)
class Policy:
    """What is done about records that are not as they should be.

    Args:
        skip: go on after a bad record and list it, instead of raising.
        upper_case: write barcodes in upper case.
        official: a barcode in two splits is an error.
    """

    skip: bool = False
    upper_case: bool = False
    official: bool = False


def take_in(source: Source, folder: Path, pool: Executor, policy: Policy = Policy()) -> Intake:
    """Read the metadata once.

    Args:
        source: the metadata file.
        folder: for the spilled blocks; about the size of the CSV.
        pool: where blocks are parsed.
        policy: what is done about bad records.

    Raises:
        ReleaseError: a bad record, and the policy does not skip it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    header: list[Block] = []
    jobs = _numbered(source, folder, header)
    spilled: list[Spilled] = []
    rejections: list[Rejection] = []
    records = 0
    for block in ordered_map(pool, functools.partial(spill, upper_case=policy.upper_case), jobs):
        found = [dataclasses.replace(bad, row=records + (bad.row or 0) + 1) for bad in block.rejections]
        _raise_unless(policy.skip, found)
        rejections += found
        block.rows += records + 1
        records += block.records
        spilled.append(block)
    if not spilled:
        raise ReleaseError("the file holds no records", file=source.path, hint="give the official metadata file")
    notes = _notes(spilled, policy.upper_case)
    intake, barcodes = _join(header[0].file, spilled, records)
    if not len(intake.rows):
        reason = f"none of the {records} records is good; of the first: {rejections[0].reason}"
        raise ReleaseError(reason, file=intake.file, row=1, hint="see whether this is the official metadata file")
    duplicates, first = _duplicates(intake)
    _raise_unless(policy.skip, duplicates)
    _keep(intake, first)
    intake.rejections = rejections + duplicates
    intake.notes = column_notes(header[0].header, intake.file) + notes
    _check_barcodes(intake, barcodes[first], policy.official)
    return intake


def spill(job: tuple[Block, Path], *, upper_case: bool = False) -> Spilled:
    """Parse a block, sort it by split and key, and write it to disk.

    Args:
        job: the block and the file to write.
        upper_case: write barcodes in upper case.
    """
    block, path = job
    parsed = parse(block)
    table = parsed.table
    barcodes = table["dna_barcode"].combine_chunks()
    lower = (
        pc.sum(pc.match_substring_regex(barcodes, "[a-z]")).as_py() or 0 if not only_letters(barcodes, IUPAC) else 0
    )
    if lower and upper_case:
        barcodes = pc.utf8_upper(barcodes)
        table = table.set_column(table.schema.get_field_index("dna_barcode"), "dna_barcode", barcodes)
    split = pc.index_in(table["split"], pa.array(splits.SPLIT_NAMES)).to_numpy().astype(np.uint8)
    by_key = order(parsed.keys, split)
    for name, half in zip(_KEY, parsed.keys.T, strict=True):
        table = table.append_column(name, pa.array(half))
    table = table.take(by_key)
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    return Spilled(
        path,
        split[by_key],
        parsed.keys[by_key],
        text_keys(barcodes)[by_key],
        parsed.rows[by_key],
        parsed.records,
        table.nbytes,
        lower,
        parsed.words,
        parsed.rejections,
    )


def gather(pieces: tuple[Piece, ...]) -> pa.Table:
    """Read the records of a shard from the spilled blocks and put them in MD5 order.

    Args:
        pieces: where they are.
    """
    tables = []
    for piece in pieces:
        keep = np.setdiff1d(np.arange(piece.start, piece.stop), piece.leave)
        with pa.memory_map(str(piece.path)) as stream:  # copied out: pages of all blocks would stay mapped otherwise
            tables.append(pa.ipc.open_file(stream).read_all().take(keep))
    if not tables:
        return pa.schema(specimen_fields()).empty_table()
    table = pa.concat_tables(tables).combine_chunks()
    keys = np.column_stack([table[name].to_numpy() for name in _KEY])
    return table.drop_columns(_KEY).take(order(keys))


def _numbered(source: Source, folder: Path, header: list[Block]) -> Iterator[tuple[Block, Path]]:
    for number, block in enumerate(read_blocks(source)):
        if not header:
            header.append(Block(block.file, block.header, b""))
        yield block, folder / f"block-{number:05d}.arrow"


def _join(file: str, spilled: list[Spilled], records: int) -> tuple[Intake, Keys]:
    split = np.concatenate([block.split for block in spilled])
    keys = np.concatenate([block.keys for block in spilled])
    rows = np.concatenate([block.rows.astype(np.uint32) for block in spilled])
    barcodes = np.concatenate([block.barcodes for block in spilled])
    sizes = [len(block.split) for block in spilled]
    blocks, nbytes = [block.path for block in spilled], sum(block.nbytes for block in spilled)
    spilled.clear()
    by_key = order(keys, split)
    block = np.repeat(np.arange(len(blocks), dtype=np.int32), sizes)[by_key]
    place = np.concatenate([np.arange(size, dtype=np.int32) for size in sizes])[by_key]
    intake = Intake(file, blocks, split[by_key], keys[by_key], block, place, rows[by_key], records, nbytes)
    return intake, barcodes[by_key]


def _keep(intake: Intake, positions: npt.NDArray[np.int64]) -> None:
    if len(positions) < len(intake.split):
        for name in ("split", "keys", "block", "place", "rows"):
            setattr(intake, name, getattr(intake, name)[positions])


def _duplicates(intake: Intake) -> tuple[list[Rejection], npt.NDArray[np.intp]]:
    """Find records whose process id an earlier record has, and the positions of the others."""
    rows = intake.rows
    high = np.sort(intake.keys[:, 0])
    if not (high[1:] == high[:-1]).any():
        return [], np.arange(len(rows))
    by_key = np.lexsort((rows, intake.keys[:, 1], intake.keys[:, 0]))
    again = equal_neighbours(intake.keys[by_key])
    again = again[np.argsort(rows[by_key[again]])]
    later, earlier = by_key[again], by_key[again - 1]
    named = zip(_processids(intake, later), rows[later].tolist(), rows[earlier].tolist(), strict=True)
    rejections = [
        Rejection(intake.file, row, name, f"duplicate processid {name!r}: row {before} has it already")
        for name, row, before in named
    ]
    return rejections, np.setdiff1d(np.arange(len(rows)), later)


def _check_barcodes(intake: Intake, barcodes: Keys, official: bool) -> None:
    """Note barcodes that stand in two splits; the official procedure does not quite rule that out."""
    suspects = _in_two_groups(barcodes[:, 0], intake.split)
    by_barcode = suspects[np.lexsort((intake.split[suspects], barcodes[suspects, 1], barcodes[suspects, 0]))]
    same = equal_neighbours(barcodes[by_barcode])
    missing = (barcodes[by_barcode[same]] == text_keys(pa.array([""]))).all(axis=1)
    crossing = same[(intake.split[by_barcode[same]] != intake.split[by_barcode[same - 1]]) & ~missing]
    if not len(crossing):
        return
    pairs: Counter[tuple[str, str]] = Counter()
    for position in crossing.tolist():
        first, second = (splits.SPLIT_NAMES[intake.split[by_barcode[at]]] for at in (position - 1, position))
        pairs[first, second] += 1
    examples = by_barcode[[crossing[0] - 1, crossing[0]]]
    where = ", ".join(f"{first} and {second}: {count}" for (first, second), count in sorted(pairs.items()))
    named = zip(_processids(intake, examples), intake.rows[examples].tolist(), strict=True)
    names = " and ".join(f"{name} (row {row})" for name, row in named)
    text = f"barcodes that stand in two splits: {len(crossing)} ({where}); for example {names}"
    if official:
        raise ReleaseError(text, file=intake.file, hint="leave --official off to accept them")
    intake.notes.append(text)


def _in_two_groups(values: npt.NDArray[np.uint64], group: npt.NDArray[np.uint8]) -> npt.NDArray[np.intp]:
    """Find the positions of the values that occur in more than one group."""
    by_value = np.argsort(values)
    ordered, groups = values[by_value], group[by_value]
    crossing = (ordered[1:] == ordered[:-1]) & (groups[1:] != groups[:-1])
    return np.flatnonzero(np.isin(values, ordered[1:][crossing])) if crossing.any() else np.empty(0, np.intp)


def _processids(intake: Intake, positions: npt.NDArray[np.intp]) -> list[str]:
    blocks, places = intake.block[positions], intake.place[positions]
    names = np.empty(len(positions), object)
    for block in np.unique(blocks).tolist():
        with pa.memory_map(str(intake.blocks[block])) as stream:
            column = pa.ipc.open_file(stream).read_all()["processid"]
            names[blocks == block] = column.take(places[blocks == block]).to_pylist()
    return names.tolist()


def _raise_unless(skip: bool, rejections: list[Rejection]) -> None:
    if rejections and not skip:
        bad = rejections[0]
        hint = "correct the file, or leave such records out with --on-error skip"
        raise ReleaseError(bad.reason, file=bad.file, row=bad.row, processid=bad.processid, hint=hint)


def _notes(spilled: list[Spilled], upper_case: bool) -> list[str]:
    lower, words = (
        sum(counts) for counts in zip(*((block.lower_case, block.words) for block in spilled), strict=True)
    )
    done = "written in upper case" if upper_case else "left as they are (--upper-case changes them)"
    notes = [f"barcodes with lower-case letters: {lower}, {done}"] if lower else []
    said = ", ".join(MISSING_WORDS)
    return [*notes, *([f"words for a missing value ({said}): {words}, written as null"] if words else [])]
