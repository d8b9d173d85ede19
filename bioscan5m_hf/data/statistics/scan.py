"""One pass over the rows of a dataset: labels, places, sizes and barcodes become numbers, a row group at a time."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ...dna import strip_n
from ...errors import Bioscan5mError
from ...taxonomy import LABELS
from ..folder import DAMAGE, one_line
from ..keys import Keys, order, text_keys
from ..reading import ahead
from ..selection import BARCODE, PROCESSID, KeySet
from ..sources import Source, open_parquet, read_tables


COUNTRY, PROVINCE = "country", "province_state"
COORDINATES = ("coord-lat", "coord-lon")
SIZES = ("image_measurement_value", "area_fraction", "scale_factor")
TEXTS = (*LABELS, COUNTRY, PROVINCE)
"""Columns whose values are categories."""

ROWS = 4096
"""Rows that are taken together: what is made of them for a moment is as large as they are, several times over."""

COLUMNS = (PROCESSID, *TEXTS, BARCODE, *COORDINATES, *SIZES)

Codes = npt.NDArray[np.int32]
"""Of each row, the place of its value among the different ones; -1 where it has none. Shape (rows,)."""


@dataclass
class Coded:
    """The rows of a dataset as numbers: about 110 bytes a row, however long the barcodes are.

    Args:
        rows: their number.
        splits: the splits that were read.
        split: of each row, its place in `splits`; uint8 of shape (rows,).
        names: column → its different values in code-point order.
        codes: column → codes of `names`; lacks the columns that the dataset lacks.
        sites: latitude and longitude of the different sites, float64 of shape (sites, 2).
        site: codes of `sites`; -1 where one of the two is missing.
        barcodes: number of different barcodes, letter by letter as they are; None without such a column.
        barcode: codes of barcodes, in an order that depends on nothing but the barcodes.
        first: the first row of each barcode, shape (barcodes,).
        stripped: number of different barcodes when Ns are taken off the right end, and off both ends.
        lengths: length → barcodes of that length.
        letters: letter → how often it stands in a barcode.
        numbers: column of a size → its values, NaN where there is none; float64 of shape (rows,).
        repeated: rows whose processid stands in a row before.
    """

    rows: int
    splits: tuple[str, ...]
    split: npt.NDArray[np.uint8]
    names: dict[str, list[str]] = field(default_factory=dict)
    codes: dict[str, Codes] = field(default_factory=dict)
    sites: npt.NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 2)))
    site: Codes | None = None
    barcodes: int | None = None
    barcode: Codes | None = None
    first: npt.NDArray[np.intp] | None = None
    stripped: tuple[int, int] | None = None
    lengths: Counter[int] = field(default_factory=Counter)
    letters: Counter[str] = field(default_factory=Counter)
    numbers: dict[str, npt.NDArray[np.float64]] = field(default_factory=dict)
    repeated: int = 0


def scan(source: Source, splits: Sequence[str]) -> Coded:
    """Read all rows of some splits once; of photographs, no byte is read.

    Args:
        source: the opened config of a dataset.
        splits: splits that it has.
    """
    wanted = columns_of(source, splits)
    reader = _Reader(wanted)
    with ThreadPoolExecutor(1) as pool:
        units = _tables(source, splits, wanted)
        tables = ahead(pool, lambda _: next(units, None), itertools.repeat(None))
        for split, table, letters in itertools.takewhile(lambda unit: unit is not None, tables):  # type: ignore[misc]
            reader.take(split, table)
            reader.letters.update(letters)
    pa.default_memory_pool().release_unused()
    return reader.coded(tuple(splits))


def columns_of(source: Source, splits: Sequence[str]) -> list[str]:
    """Give the columns to count that the dataset has: it says so, and so does its first file.

    Args:
        source: the opened config of a dataset.
        splits: splits that it has.
    """
    files = [str(file) for split in splits for file in source.files[split]]
    declared = [name for name in COLUMNS if name in source.features]
    if not files or files[0].endswith(".arrow"):
        return declared
    try:
        with open_parquet(files[0]) as shard:
            return [name for name in declared if name in shard.schema_arrow.names]
    except DAMAGE as problem:
        raise Bioscan5mError(f"{files[0]} cannot be read ({one_line(problem)}): see `bioscan5m verify`") from problem


def _tables(source: Source, splits: Sequence[str], wanted: list[str]) -> Iterator[tuple[int, pa.Table, Counter[str]]]:
    """Give split, rows with categories already as dictionaries, and the letters of their barcodes."""
    texts = [name for name in wanted if name in TEXTS]
    for place, split in enumerate(splits):
        for file in source.files[split]:
            for table in _readable(str(file), wanted):
                for name in texts:
                    coded = table[name].combine_chunks().dictionary_encode()
                    table = table.set_column(table.column_names.index(name), name, coded)
                yield place, table, count_letters(table[BARCODE].combine_chunks()) if BARCODE in wanted else Counter()


def _readable(file: str, wanted: list[str]) -> Iterator[pa.Table]:
    try:
        if file.endswith(".arrow"):
            yield from read_tables(file, wanted)
            return
        with open_parquet(file) as shard:
            for batch in shard.iter_batches(ROWS, columns=wanted, use_threads=False):
                yield pa.Table.from_batches([batch])
        pa.default_memory_pool().release_unused()  # else what was freed is kept, which adds up over files
    except DAMAGE as problem:
        raise Bioscan5mError(f"{file} cannot be read ({one_line(problem)}): see `bioscan5m verify`") from problem


class _Reader:
    """Gathers what row groups hold."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = columns
        self.known: dict[str, dict[str, int]] = {name: {} for name in columns if name in TEXTS}
        self.parts: dict[str, list[npt.NDArray[np.generic]]] = {name: [] for name in ("split", *columns)}
        self.right: list[tuple[npt.NDArray[np.intp], Keys]] = []
        self.both: list[tuple[npt.NDArray[np.intp], Keys]] = []
        self.lengths: Counter[int] = Counter()
        self.letters: Counter[str] = Counter()
        self.rows = 0

    def take(self, split: int, table: pa.Table) -> None:
        self.parts["split"].append(np.full(len(table), split, np.uint8))
        for name in self.columns:
            column = table[name].combine_chunks()
            if name in TEXTS:
                self.parts[name].append(self._codes(name, column))
            elif name == PROCESSID:
                self.parts[name].append(short_keys(column))
            elif name == BARCODE:
                self._barcodes(column)
            else:
                self.parts[name].append(column.cast(pa.float64()).to_numpy(zero_copy_only=False).copy())
        self.rows += len(table)

    def _codes(self, name: str, column: pa.Array) -> Codes:
        known = self.known[name]
        local = [known.setdefault(value, len(known)) if value else -1 for value in column.dictionary.to_pylist()]
        places = pc.fill_null(column.indices, len(local)).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*local, -1], np.int32)[places], np.int32)

    def _barcodes(self, column: pa.Array) -> None:
        self.parts[BARCODE].append(text_keys(column))
        lengths = pc.binary_length(column)
        counted = pc.value_counts(lengths.filter(pc.fill_null(pc.greater(lengths, 0), False)))
        self.lengths.update(dict(zip(*(part.to_pylist() for part in counted.flatten()), strict=True)))
        right = pc.ends_with(column, "N")
        self.right.append(self._stripped(column, right, lambda texts: pc.utf8_rtrim(texts, "N")))
        self.both.append(self._stripped(column, pc.or_(right, pc.starts_with(column, "N")), strip_n))

    def _stripped(
        self, column: pa.Array, ends: pa.Array, strip: Callable[[pa.Array], pa.Array]
    ) -> tuple[npt.NDArray[np.intp], Keys]:
        """Give the rows with an N at an end, and keys of what is left of them."""
        ends = pc.fill_null(ends, False)
        rows = np.flatnonzero(ends.to_numpy(zero_copy_only=False))
        return rows + self.rows, text_keys(strip(column.filter(ends)))

    def coded(self, splits: tuple[str, ...]) -> Coded:
        split = _joined(self.parts.pop("split"), np.uint8)
        coded = Coded(self.rows, splits, split, lengths=self.lengths, letters=self.letters)
        if PROCESSID in self.parts:
            coded.repeated = _repeated(_joined(self.parts.pop(PROCESSID), np.uint64, 2))
        for name, known in self.known.items():
            coded.names[name], coded.codes[name] = _sorted(list(known), _joined(self.parts.pop(name), np.int32))
        if BARCODE in self.parts:
            self._add_barcodes(coded)
        if all(name in self.parts for name in COORDINATES):
            self._add_sites(coded)
        coded.numbers = {name: _joined(self.parts.pop(name), np.float64) for name in SIZES if name in self.parts}
        return coded

    def _add_barcodes(self, coded: Coded) -> None:
        keys = _joined(self.parts.pop(BARCODE), np.uint64, 2)
        coded.barcodes, coded.barcode, coded.first = distinct(keys, np.asarray((keys != _EMPTY).any(axis=1)))
        different = keys[coded.first]
        right, both = (_after(different, coded.barcode, changed) for changed in (self.right, self.both))
        coded.stripped = right, both

    def _add_sites(self, coded: Coded) -> None:
        pair = np.stack([_joined(self.parts.pop(name), np.float64) for name in COORDINATES], axis=1) + 0.0
        _, coded.site, first = distinct(pair.view(np.uint64), np.asarray(np.isfinite(pair).all(axis=1)))
        coded.sites = pair[first]


_BYTES = 1 << 16
_EMPTY = text_keys(pa.array([""]))


def count_letters(texts: pa.Array) -> Counter[str]:
    """Count the letters of texts.

    Args:
        texts: ASCII strings; any other byte is counted as the Latin-1 letter of its number.

    Examples:
        >>> sorted(count_letters(pa.array(["ACGA", None, "n"])).items())
        [('A', 2), ('C', 1), ('G', 1), ('n', 1)]
    """
    _, offsets, data = texts.buffers()
    if data is None or not len(texts):
        return Counter()
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    letters = np.frombuffer(data, np.uint8)[ends[0] : ends[-1]]
    counts = dict.fromkeys("ACGTN", 0)
    for start in range(0, len(letters), _BYTES):
        part = letters[start : start + _BYTES]  # small enough for the processor's cache
        for letter in counts:
            counts[letter] += int(np.count_nonzero(part == ord(letter)))
    if sum(counts.values()) < len(letters):  # rare, and twenty times as slow
        every = np.bincount(letters, minlength=256)
        counts = {chr(place): int(every[place]) for place in np.flatnonzero(every)}
    return Counter({letter: count for letter, count in counts.items() if count})


def short_keys(texts: pa.Array) -> Keys:
    """Give keys by which equal texts are told: a text itself where it has at most 15 bytes, else its hash.

    Args:
        texts: strings; a null is as the empty text.

    Returns:
        uint64 of shape (n, 2).

    Examples:
        >>> keys = short_keys(pa.array(["AACTA1040-20", "AACTA1040-2", "AACTA1040-20", None]))
        >>> len(np.unique(keys, axis=0))
        3
    """
    lengths = pc.fill_null(pc.binary_length(texts), 0).to_numpy(zero_copy_only=False)
    _, offsets, data = texts.buffers()
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    starts = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts)].astype(np.int64)
    letters = np.concatenate([np.frombuffer(data or b"", np.uint8), np.zeros(_SHORT, np.uint8)])
    places = np.arange(_SHORT)
    found = np.zeros((len(texts), _SHORT + 1), np.uint8)
    found[:, :_SHORT] = np.where(places < lengths[:, None], letters[starts[:, None] + places], 0)
    keys = found.view(np.uint64)
    long = lengths > _SHORT
    if long.any():
        keys[long] = text_keys(texts.filter(pa.array(long))) | _NOT_SHORT
    return keys


_SHORT = 15
_NOT_SHORT = np.array([0, 1 << 63], np.uint64)
"""The bit that no short text has."""


def distinct(keys: Keys, given: npt.NDArray[np.bool_]) -> tuple[int, Codes, npt.NDArray[np.intp]]:
    """Number the different keys of the rows that have one.

    Args:
        keys: shape (rows, 2).
        given: which rows have one, shape (rows,).

    Returns:
        Their number; codes of shape (rows,), -1 where none is given; and the first row of each code.

    Examples:
        >>> keys = np.array([[7, 1], [0, 0], [7, 1]], np.uint64)
        >>> count, codes, first = distinct(keys, np.array([True, False, True]))
        >>> count, codes.tolist(), first.tolist()
        (1, [0, -1, 0], [0])
    """
    rows = np.flatnonzero(given)
    by_key = order(keys) if len(rows) == len(keys) else rows[order(keys[rows])]
    ordered = keys[by_key]
    new = np.ones(len(by_key), bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    codes = np.full(len(keys), -1, np.int32)
    codes[by_key] = np.cumsum(new, dtype=np.int32) - 1
    return int(new.sum()), codes, by_key[new]


def _after(keys: Keys, codes: Codes, changed: Iterable[tuple[npt.NDArray[np.intp], Keys]]) -> int:
    """Count what is different when some rows have other keys: keys of the different values, and codes of all rows."""
    parts = list(changed)
    rows = np.concatenate([np.empty(0, np.intp), *(rows for rows, _ in parts)])
    new = np.concatenate([np.empty((0, 2), np.uint64), *(new for _, new in parts)])
    unchanged = np.ones(len(keys), bool)
    unchanged[codes[rows]] = False
    new = new[(new != _EMPTY).any(axis=1)]
    count, _, first = distinct(new, np.ones(len(new), bool))
    return int(unchanged.sum()) + count - int(KeySet(new[first]).holds(keys[unchanged]).sum())


def _repeated(keys: Keys) -> int:
    mixed = keys[:, 0] * np.uint64(0x9E3779B97F4A7C15) + keys[:, 1]
    mixed.sort()
    if not (mixed[1:] == mixed[:-1]).any():  # the rule, and cheaper than all keys
        return 0
    return len(keys) - distinct(keys, np.ones(len(keys), bool))[0]


def _sorted(names: list[str], codes: Codes) -> tuple[list[str], Codes]:
    places = sorted(range(len(names)), key=names.__getitem__)
    renumbered = np.full(len(names) + 1, -1, np.int32)
    renumbered[places] = np.arange(len(names), dtype=np.int32)
    return [names[place] for place in places], renumbered[codes]


def _joined(parts: list[npt.NDArray[np.generic]], kind: npt.DTypeLike, width: int | None = None) -> npt.NDArray[Any]:
    empty = np.empty((0,) if width is None else (0, width), kind)
    joined = np.concatenate([empty, *parts]).astype(kind, copy=False)
    parts.clear()
    return joined
