"""Barcodes as one memory-mapped file, two bits a base, from which k-mer ids in any reading frame are cut."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..data.keys import Keys, text_keys
from ..data.selection import BARCODE, PROCESSID
from ..dna import LAYOUTS, MAX_NUCLEOTIDES
from ..errors import Bioscan5mError
from .masking import Integers, Windows


logger = logging.getLogger(__name__)

FORMAT = 2
"""Raised where the same inputs give other files."""

UNKNOWN = 4
"""Code of anything but a base; A, C, G, T are 0 … 3."""

_PACKED, _PLACES, _ROWS, _ABOUT = "bases.bin", "places.npz", "rows.arrow", "about.json"
_TAIL = bytes(MAX_NUCLEOTIDES // 4 + 8)
"""Follows the last barcode, so that a piece as long as the longest can be read from any start."""


class TableError(Bioscan5mError):
    """There is no barcode to learn from.

    Examples:
        >>> issubclass(TableError, Bioscan5mError)
        True
    """


@dataclass(frozen=True)
class BarcodeTable:
    """Barcodes on disk; only the pages that are read are in memory, and the system can take them back.

    Args:
        packed: the bases of all barcodes, uint8: four to a byte, the first in its high bits; each barcode starts with
            a byte of its own.
        starts: first base of each barcode, counting four to a byte, shape (n,).
        lengths: its bases, shape (n,).
        unknown: where, counted from its barcode's first base, something stands that is no base; barcode by barcode.
        unknown_bounds: where the barcodes' parts of `unknown` start and end, shape (n + 1,).
        keys: a 128-bit hash of each barcode (and its labels), uint64 of shape (n, 2).
        rows: processid, and labels where there are any; one row for each barcode.
        about: what it was made from, and what was left out.
    """

    packed: npt.NDArray[np.uint8]
    starts: Integers
    lengths: Integers
    unknown: npt.NDArray[np.int32]
    unknown_bounds: Integers
    keys: Keys
    rows: pa.Table
    about: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def open(cls, folder: Path | str) -> BarcodeTable:
        """Open a table that `make_table` has written.

        Args:
            folder: where it is.
        """
        folder = Path(folder)
        with pa.memory_map(str(folder / _ROWS)) as mapped:
            rows = pa.ipc.open_file(mapped).read_all()
        packed = np.memmap(folder / _PACKED, np.uint8, "r")
        with np.load(folder / _PLACES) as places:
            return cls(packed=packed, rows=rows, about=json.loads((folder / _ABOUT).read_text()), **places)

    def __len__(self) -> int:
        return len(self.starts)

    def processids(self, rows: npt.NDArray[np.integer]) -> list[str]:
        """Give the specimens of some rows.

        Args:
            rows: shape (m,).
        """
        return self.rows[PROCESSID].take(pa.array(rows)).to_pylist()  # type: ignore[no-any-return]

    def ids(self, rows: Integers, windows: Windows, k: int, layout: str) -> Integers:
        """Cut barcodes into k-mers and give their ids, as `dna.encode_kmers` does.

        Args:
            rows: shape (n,).
            windows: which part of each is read, at most `MAX_NUCLEOTIDES` bases.
            k: bases of a k-mer.
            layout: `standard` or `original`.

        Returns:
            int64 of shape (n, longest), filled up with the layout's `pad`.
        """
        meaning = LAYOUTS[layout]
        longest = int(windows.tokens.max(initial=0))
        ids = np.empty((len(rows), longest), np.int64)
        if not ids.size:
            return ids
        first, phase = np.divmod(self.starts[rows] + windows.starts, 4)
        # every piece as long as the longest: what follows it in the file, another barcode, is padded over below
        pieces = np.lib.stride_tricks.sliding_window_view(self.packed, (k * longest + 3) // 4 + 3)[first]
        for shift in range(4):
            same = phase == shift
            ids[same] = _kmers(pieces[same], shift, longest, k)
        ids += meaning.first
        row, token = self._unknown_tokens(rows, windows, k)
        ids[row, token] = meaning.unknown
        ids[np.arange(longest) >= windows.tokens[:, None]] = meaning.pad
        return ids

    def _unknown_tokens(self, rows: Integers, windows: Windows, k: int) -> tuple[Integers, Integers]:
        """Give row and token of what is no base within the windows."""
        start, stop = self.unknown_bounds[rows], self.unknown_bounds[rows + 1]
        counts = stop - start
        row = np.repeat(np.arange(len(rows)), counts)
        nth = np.arange(len(row)) - np.repeat(np.cumsum(counts) - counts, counts)
        token = (self.unknown[start[row] + nth] - windows.starts[row]) // k
        inside = (token >= 0) & (token < windows.tokens[row])
        return row[inside], token[inside]


def _kmers(pieces: npt.NDArray[np.uint8], shift: int, longest: int, k: int) -> npt.NDArray[np.int32]:
    """Read k-mers from packed bases, of which the first `shift` are skipped; a k-mer lies within three bytes."""
    bits = 2 * (shift + k * np.arange(longest))
    byte, down = bits // 8, 24 - 2 * k - bits % 8
    joined = pieces[:, byte].astype(np.int32)
    for following in (1, 2):
        joined <<= 8
        joined |= pieces[:, byte + following]
    joined >>= down.astype(np.int32)
    joined &= (1 << 2 * k) - 1
    return joined


def make_table(
    tables: Iterable[pa.Table],
    folder: Path | str,
    *,
    layout: str,
    inputs: Mapping[str, Any],
    without: BarcodeTable | None = None,
    labels: Sequence[str] = (),
) -> BarcodeTable:
    """Encode barcodes, or open what an earlier call encoded from the same inputs.

    Ns at a barcode's end are taken off; of equal barcodes (with equal labels) the first stays; specimens without a
    barcode are left out. What is written is written beside and renamed.

    Args:
        tables: rows with `processid`, `dna_barcode` and the labels; read only if there is nothing to open.
        folder: where tables are kept, each in a folder named by a digest of `inputs`.
        layout: `standard` reads lower case and U as bases, `original` does not.
        inputs: what the rows depend on, as JSON knows it.
        without: leave out the barcodes of this table, which has no labels.
        labels: columns that are kept, and told apart when barcodes are equal.

    Raises:
        TableError: no barcode is left.

    Examples:
        >>> import tempfile
        >>> rows = pa.table({"processid": ["A-1", "A-2", "A-3"], "dna_barcode": ["ACGTNN", "ACGT", None]})
        >>> table = make_table([rows], tempfile.mkdtemp(), layout="standard", inputs={"rows": "an example"})
        >>> table.processids(np.array([0])), table.about["repeated"], table.about["without_barcode"]
        (['A-1'], 1, 1)
    """
    folds = LAYOUTS[layout].folds
    what = {"format": FORMAT, "folds": folds, "labels": list(labels), **inputs}
    if without is not None:
        what["without"] = without.about["digest"]
    digest = hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:20]
    place = Path(folder) / digest
    if not place.is_dir():
        beside = place.with_name(f".{digest}.{os.getpid()}")
        beside.mkdir(parents=True)
        try:
            counts = _write(tables, beside, folds, labels, set(_whole(without.keys)) if without else set())
            about = {"digest": digest, "inputs": what, **counts}
            (beside / _ABOUT).write_text(json.dumps(about, indent=2))
            if not about["barcodes"]:
                raise TableError(f"no barcode to learn from in {json.dumps(dict(inputs))}: {counts}")
            try:
                beside.rename(place)
            except OSError:
                if not place.is_dir():
                    raise
        finally:
            shutil.rmtree(beside, ignore_errors=True)
        logger.info(
            "%s distinct barcodes (%s bases) of %s specimens; %s repeated or held out, %s without a barcode: %s",
            *(f"{about[name]:,}" for name in ("barcodes", "bases", "specimens", "repeated", "without_barcode")),
            place,
        )
    return BarcodeTable.open(place)


def _write(
    tables: Iterable[pa.Table], folder: Path, folds: bool, labels: Sequence[str], seen: set[int]
) -> dict[str, int]:
    schema = pa.schema([(PROCESSID, pa.string()), *((name, pa.string()) for name in labels)])
    given, missing, parts = 0, 0, [_EMPTY]
    with (folder / _PACKED).open("wb") as packed, pa.OSFile(str(folder / _ROWS), "wb") as file:
        with pa.ipc.new_file(file, schema) as rows:
            for table in tables:
                barcodes = _stripped(table[BARCODE], folds)
                present = np.asarray(pc.greater(pc.binary_length(barcodes), 0))
                given, missing = given + len(table), missing + len(table) - int(present.sum())
                data, ends = _codes(barcodes, folds)
                keys = _keys(data, ends, table, labels)
                keep = present & _first_of_equal(keys, present, seen)
                data, lengths = data[np.repeat(keep, np.diff(ends))], np.diff(ends)[keep]
                written, unknown, unknowns = _pack(data, lengths)
                packed.write(written)
                parts.append(_Part(lengths, unknown, unknowns, keys[keep]))
                chosen = table.select(schema.names).filter(pa.array(keep)).cast(schema)
                rows.write_table(chosen.combine_chunks())
        packed.write(_TAIL)
    whole = _Part(*map(np.concatenate, zip(*parts, strict=True)))
    padded = -(-whole.lengths // 4) * 4
    np.savez(
        folder / _PLACES,
        starts=np.cumsum(padded) - padded,
        lengths=whole.lengths,
        unknown=whole.unknown,
        unknown_bounds=np.concatenate([[0], np.cumsum(whole.unknowns)]),
        keys=whole.keys,
    )
    kept = len(whole.lengths)
    counts = {"barcodes": kept, "bases": int(whole.lengths.sum()), "specimens": given}
    return counts | {"without_barcode": missing, "repeated": given - missing - kept}


class _Part(NamedTuple):
    """Some barcodes: lengths, places of what is no base, how many of these each has, hashes."""

    lengths: Integers
    unknown: npt.NDArray[np.int32]
    unknowns: Integers
    keys: Keys


_EMPTY = _Part(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int64), np.empty((0, 2), np.uint64))


def _pack(data: npt.NDArray[np.uint8], lengths: Integers) -> tuple[bytes, npt.NDArray[np.int32], Integers]:
    """Pack codes four to a byte; give the bytes, the places of what is no base, and how many each barcode has."""
    starts = np.cumsum(lengths) - lengths
    padded = -(-lengths // 4) * 4
    within = np.arange(len(data)) - np.repeat(starts, lengths)
    spread = np.zeros(int(padded.sum()), np.uint8)
    spread[within + np.repeat(np.cumsum(padded) - padded, lengths)] = data & 3
    four = spread.reshape(-1, 4)
    packed = four[:, 0] << 6 | four[:, 1] << 4 | four[:, 2] << 2 | four[:, 3]
    odd = data == UNKNOWN
    unknowns = np.bincount(np.repeat(np.arange(len(lengths)), lengths)[odd], minlength=len(lengths))
    return packed.tobytes(), within[odd].astype(np.int32), unknowns


def _stripped(barcodes: pa.ChunkedArray, folds: bool) -> pa.Array:
    whole = pc.fill_null(barcodes.combine_chunks(), "").cast(pa.large_string())
    stripped = pc.utf8_rtrim(whole, characters="Nn" if folds else "N")
    if pc.sum(pc.binary_length(stripped)) != pc.sum(pc.utf8_length(stripped)):
        stripped = pc.replace_substring_regex(stripped, r"[^\x00-\x7f]", "-")  # one sign, however many bytes it has
    return stripped


def _codes(barcodes: pa.Array, folds: bool) -> tuple[npt.NDArray[np.uint8], Integers]:
    """Give the codes of all bases in a row, and the bounds of the barcodes."""
    meaning = np.full(256, UNKNOWN, np.uint8)
    for letters in ("ACGT", "acgt", "ACGU", "acgu") if folds else ("ACGT",):
        meaning[np.frombuffer(letters.encode(), np.uint8)] = range(4)
    _, offsets, data = barcodes.buffers()
    ends = np.frombuffer(offsets, np.int64)[barcodes.offset : barcodes.offset + len(barcodes) + 1]
    content = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return meaning[content], ends - ends[0]


def _keys(data: npt.NDArray[np.uint8], ends: Integers, table: pa.Table, labels: Sequence[str]) -> Keys:
    """Hash barcodes and labels."""
    letters = np.frombuffer(b"ACGTN", np.uint8)[data]
    buffers = [None, pa.py_buffer(np.ascontiguousarray(ends)), pa.py_buffer(letters)]
    texts = pa.Array.from_buffers(pa.large_string(), len(ends) - 1, buffers)
    if labels:
        named = [pc.fill_null(table[name].combine_chunks(), "").cast(pa.large_string()) for name in labels]
        texts = pc.binary_join_element_wise(texts, *named, pa.scalar("\t", pa.large_string()))
    return text_keys(texts)


def _first_of_equal(keys: Keys, present: npt.NDArray[np.bool_], seen: set[int]) -> npt.NDArray[np.bool_]:
    """Tell which hashes have not been seen yet, and remember them."""
    first = np.zeros(len(keys), bool)
    for place, key in enumerate(_whole(keys)):
        if present[place] and key not in seen:
            seen.add(key)
            first[place] = True
    return first


def _whole(keys: Keys) -> list[int]:
    """Give 128-bit hashes as Python's integers, which a set holds in 100 bytes each."""
    high, low = keys.T.tolist() if len(keys) else ([], [])
    return [upper << 64 | lower for upper, lower in zip(high, low, strict=True)]
