"""Barcodes as one memory-mapped file of bases, each once, from which k-mer ids in any reading frame are cut."""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

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

FORMAT = 1
"""Raised where the same inputs give other files."""

UNKNOWN = 4
"""Code of anything but a base; A, C, G, T are 0 … 3. It is the one bit that no base has."""

_CODES, _STARTS, _ROWS, _ABOUT = "codes.bin", "starts.npy", "rows.arrow", "about.json"


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
        codes: the bases of all barcodes in a row, uint8: 0 … 3 for A, C, G, T, and `UNKNOWN`.
        bounds: where each barcode starts, and where the last one ends, shape (n + 1,).
        rows: processid, and labels where there are any; one row for each barcode.
        about: what it was made from, and what was left out.
    """

    codes: npt.NDArray[np.uint8]
    bounds: Integers
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
        codes = np.memmap(folder / _CODES, np.uint8, "r")
        return cls(codes, np.load(folder / _STARTS), rows, json.loads((folder / _ABOUT).read_text()))

    def __len__(self) -> int:
        return len(self.bounds) - 1

    @property
    def lengths(self) -> Integers:
        """Bases of each barcode, shape (n,)."""
        lengths: Integers = np.diff(self.bounds)
        return lengths

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
        if not longest:
            return np.empty((len(rows), 0), np.int64)
        # every piece as long as the longest: what follows it in the file, another barcode, is padded over below
        pieces = np.lib.stride_tricks.sliding_window_view(self.codes, longest * k)
        bases = pieces[self.bounds[rows] + windows.starts].reshape(len(rows), longest, k)
        ids = bases[:, :, 0].astype(np.int32)
        for place in range(1, k):
            ids <<= 2
            ids += bases[:, :, place]
        ids += meaning.first
        unknown = bases >= UNKNOWN
        if unknown.any():
            ids[unknown.any(axis=2)] = meaning.unknown
        ids[np.arange(longest) >= windows.tokens[:, None]] = meaning.pad
        whole: Integers = ids.astype(np.int64)
        return whole

    def keys(self) -> set[tuple[int, int]]:
        """Give a 128-bit hash of every barcode's bases."""
        letters = np.frombuffer(b"ACGTN", np.uint8)
        found: set[tuple[int, int]] = set()
        for start in range(0, len(self), _BLOCK):
            bounds = self.bounds[start : start + _BLOCK + 1]
            data = letters[self.codes[bounds[0] : bounds[-1]]]
            found.update(_pairs(text_keys(_strings(data, bounds - bounds[0]))))
        return found


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
        without: leave out the barcodes of this table.
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
            counts = _write(tables, beside, folds, labels, set() if without is None else without.keys())
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
        logger.info("%s: %s", place, about)
    return BarcodeTable.open(place)


_BLOCK = 10_000
"""Barcodes encoded together."""


def _write(
    tables: Iterable[pa.Table], folder: Path, folds: bool, labels: Sequence[str], seen: set[tuple[int, int]]
) -> dict[str, int]:
    schema = pa.schema([(PROCESSID, pa.string()), *((name, pa.string()) for name in labels)])
    given, missing, lengths = 0, 0, [np.zeros(1, np.int64)]
    with (folder / _CODES).open("wb") as codes, pa.OSFile(str(folder / _ROWS), "wb") as file:
        with pa.ipc.new_file(file, schema) as rows:
            for table in tables:
                given += len(table)
                barcodes = _stripped(table[BARCODE], folds)
                present = np.asarray(pc.greater(pc.binary_length(barcodes), 0))
                missing += len(table) - int(present.sum())
                data, ends = _codes(barcodes, folds)
                keep = present & _first_of_equal(data, ends, table, labels, seen)
                codes.write(data[np.repeat(keep, np.diff(ends))].tobytes())
                lengths.append(np.diff(ends)[keep])
                chosen = table.select(schema.names).filter(pa.array(keep)).cast(schema)
                rows.write_table(chosen.combine_chunks())
        codes.write(bytes(MAX_NUCLEOTIDES))  # so that a piece as long as the longest can be read from any start
    bounds = np.cumsum(np.concatenate(lengths))
    np.save(folder / _STARTS, bounds)
    kept = len(bounds) - 1
    counts = {"barcodes": kept, "bases": int(bounds[-1]), "specimens": given}
    return counts | {"without_barcode": missing, "repeated": given - missing - kept}


def _stripped(barcodes: pa.ChunkedArray, folds: bool) -> pa.Array:
    whole = pc.fill_null(barcodes.combine_chunks(), "").cast(pa.large_string())
    if pc.sum(pc.binary_length(whole)) != pc.sum(pc.utf8_length(whole)):
        whole = pc.replace_substring_regex(whole, r"[^\x00-\x7f]", "N")  # one letter, however many bytes it has
    return pc.utf8_rtrim(whole, characters="Nn" if folds else "N")


def _codes(barcodes: pa.Array, folds: bool) -> tuple[npt.NDArray[np.uint8], Integers]:
    """Give the codes of all bases in a row, and the bounds of the barcodes."""
    meaning = np.full(256, UNKNOWN, np.uint8)
    for letters in ("ACGT", "acgt", "ACGU", "acgu") if folds else ("ACGT",):
        meaning[np.frombuffer(letters.encode(), np.uint8)] = range(4)
    _, offsets, data = barcodes.buffers()
    ends = np.frombuffer(offsets, np.int64)[barcodes.offset : barcodes.offset + len(barcodes) + 1]
    content = np.empty(0, np.uint8) if data is None else np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    return meaning[content], ends - ends[0]


def _first_of_equal(
    data: npt.NDArray[np.uint8], ends: Integers, table: pa.Table, labels: Sequence[str], seen: set[tuple[int, int]]
) -> npt.NDArray[np.bool_]:
    """Tell which barcodes have not been seen yet, and remember them."""
    texts = _strings(np.frombuffer(b"ACGTN", np.uint8)[data], ends)
    if labels:
        named = [pc.fill_null(table[name].combine_chunks(), "").cast(pa.large_string()) for name in labels]
        texts = pc.binary_join_element_wise(texts, *named, pa.scalar("\t", pa.large_string()))
    first = np.zeros(len(table), bool)
    for place, key in enumerate(_pairs(text_keys(texts))):
        if key not in seen:
            seen.add(key)
            first[place] = True
    return first


def _strings(data: npt.NDArray[np.uint8], bounds: Integers) -> pa.Array:
    buffers = [None, pa.py_buffer(np.ascontiguousarray(bounds)), pa.py_buffer(data)]
    return pa.Array.from_buffers(pa.large_string(), len(bounds) - 1, buffers)


def _pairs(keys: Keys) -> list[tuple[int, int]]:
    high, low = keys.T.tolist() if len(keys) else ([], [])
    return list(zip(high, low, strict=True))
