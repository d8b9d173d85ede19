"""Barcodes as ids of k-mers: many barcodes at once, and all bases of a k-mer at once in a machine word."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .arrays import Barcodes, Bytes, Ends, blocks, chunks, content, lengths, one_byte_each, strings


K = range(2, 9)
"""Lengths of k-mers that are supported."""

MAX_NUCLEOTIDES = 660
"""Nucleotides of a barcode that are read: what the published models were trained with (COI barcodes have 658)."""

BLOCK = 1 << 19
"""Bytes of barcodes that are encoded together: their words and codes stay in a core's cache."""


@dataclass(frozen=True)
class Layout:
    """Which id means what.

    Args:
        name: `original` or `standard`.
        pad: id of positions after the end of a barcode.
        unknown: id of a k-mer that holds anything but four bases.
        mask: id that stands for a masked k-mer.
        first: id of the k-mer `AA…A`; the others follow in alphabetical order.
        folds: whether lower case is read as upper case and U as T.
    """

    name: str
    pad: int
    unknown: int
    mask: int
    first: int
    folds: bool


ORIGINAL = Layout("original", pad=1, unknown=1, mask=0, first=2, folds=False)
"""The layout of the published BarcodeBERT weights since 2024: unknown k-mers and padding share an id."""

STANDARD = Layout("standard", pad=0, unknown=1, mask=2, first=3, folds=True)
"""The layout of everything that is trained here."""

LAYOUTS = {layout.name: layout for layout in (ORIGINAL, STANDARD)}


class Encoded(NamedTuple):
    """Barcodes as ids.

    Args:
        ids: (n, length) int32, filled up with the layout's `pad`.
        mask: (n, length) bool, False at padding.
    """

    ids: NDArray[np.int32]
    mask: NDArray[np.bool_]


def vocabulary_size(k: int, layout: str | Layout = "standard") -> int:
    """Give the number of ids: special ones and 4^k k-mers.

    Examples:
        >>> vocabulary_size(4, "original"), vocabulary_size(8)
        (258, 65539)
    """
    return _layout(layout).first + (1 << 2 * _checked(k))


def encode_kmers(
    barcodes: Barcodes,
    k: int,
    layout: str | Layout = "standard",
    *,
    offsets: int | NDArray[np.integer] = 0,
    max_nucleotides: int = MAX_NUCLEOTIDES,
    length: int | None = None,
    n_policy: Literal["unknown", "trim"] = "unknown",
) -> Encoded:
    """Cut barcodes into k-mers that do not overlap and give their ids.

    The id of a k-mer of bases b is `layout.first` + Σ b_i · 4^(k-1-i), with A 0, C 1, G 2, T 3. What remains at the
    end and is shorter than k is dropped. A character that is not a base (N, another IUPAC code, a gap, a blank, a
    letter beyond ASCII) makes its k-mer unknown and shifts nothing. Names of special tokens, such as `[MASK]`, are
    characters like others. A null, or a barcode shorter than k, gives a row of padding.

    Args:
        barcodes: n strings: an Arrow array or chunked array, or a sequence of `str` and None.
        k: 2 to 8.
        layout: `standard`, `original`, or a layout of one's own.
        offsets: characters to drop at the start of all barcodes, or of each (n integers ≥ 0).
        max_nucleotides: characters that are read after the offset, at most.
        length: tokens in a row; by default what the longest barcode needs. `max_nucleotides // k` for rows as long as
            those of the original.
        n_policy: `trim` takes runs of N off both ends first; N elsewhere makes its k-mer unknown.

    Returns:
        Ids and mask, in the order of the barcodes.

    Raises:
        ValueError: an argument out of its range, or barcodes that are no strings.

    Examples:
        >>> encode_kmers(["ACGTAC", "acNT", None], k=2).ids.tolist()
        [[4, 14, 4], [4, 1, 0], [0, 0, 0]]
        >>> encode_kmers(["ACGTAC", "acNT", None], k=2, layout="original").mask.tolist()
        [[True, True, True], [True, True, False], [False, False, False]]
        >>> encode_kmers(["ACGTAC"], k=2, offsets=1, length=4).ids.tolist()
        [[9, 15, 0, 0]]
    """
    chosen = _layout(layout)
    _checked(k)
    if max_nucleotides < 0 or (length is not None and length < 0):
        raise ValueError(f"max_nucleotides={max_nucleotides}, length={length}: they cannot be negative")
    if n_policy not in ("unknown", "trim"):
        raise ValueError(f"n_policy={n_policy!r}; allowed are 'unknown' and 'trim'")
    rows = chunks(barcodes)
    if n_policy == "trim":
        rows = [pc.utf8_trim(chunk, characters="Nn" if chosen.folds else "N") for chunk in rows]
    skipped = _offsets(offsets, sum(map(len, rows)))
    counts = _tokens(rows, skipped, k, max_nucleotides)
    length = int(counts.max(initial=0)) if length is None else length
    np.minimum(counts, length, out=counts)
    ids = np.empty((len(counts), length), np.int32)
    mask = np.arange(length, dtype=np.int32) < counts.astype(np.int32)[:, None]
    begin = 0
    for chunk in rows:
        data, ends = content(chunk)
        for block in blocks(ends, BLOCK, BLOCK // MAX_NUCLEOTIDES):
            part = slice(begin + block.start, begin + block.stop)
            packed = _Packed.of(data, ends[block.start : block.stop + 1], skipped[part], counts[part], k)
            _encode(packed, chosen, ids[part], mask[part])
        begin += len(chunk)
    return Encoded(ids, mask)


def _layout(layout: str | Layout) -> Layout:
    if isinstance(layout, Layout):
        return layout
    if layout not in LAYOUTS:
        raise ValueError(f"there is no layout {layout!r}; use one of {', '.join(LAYOUTS)}")
    return LAYOUTS[layout]


def _checked(k: int) -> int:
    if k not in K:
        raise ValueError(f"k={k!r}; k-mers have {K[0]} to {K[-1]} bases")
    return k


def _offsets(offsets: int | NDArray[np.integer], rows: int) -> NDArray[np.int64]:
    given = np.asarray(offsets)
    if given.dtype.kind not in "iu" and given.size:
        raise ValueError(f"offsets are {given.dtype}; integers are needed")
    if given.ndim and given.shape != (rows,):
        raise ValueError(f"offsets have shape {given.shape} for {rows} barcodes; give one integer, or one per barcode")
    if given.min(initial=0) < 0:
        raise ValueError(f"an offset is {given.min()}; it is the number of characters to drop, 0 or more")
    return np.broadcast_to(given.astype(np.int64), rows)


def _tokens(rows: list[pa.Array], skipped: NDArray[np.int64], k: int, max_nucleotides: int) -> NDArray[np.int64]:
    """Give the number of k-mers of each row."""
    left = np.concatenate([np.zeros(0, np.int64), *map(lengths, rows)]) - skipped
    return np.clip(left, 0, max_nucleotides) // k


class _Packed(NamedTuple):
    """The part of some barcodes that is encoded, in rows of equal length.

    Args:
        data: m rows of `pitch` bytes, one byte a character; blanks after the end of a barcode.
        k: bases in a k-mer.
        tokens: k-mers in a row; `pitch` is at least `tokens * k`, so much longer that the last one fills a word.
        pitch: bytes in a row.
        even: whether all barcodes have all `tokens` k-mers.
    """

    data: Bytes
    k: int
    tokens: int
    pitch: int
    even: bool

    @classmethod
    def of(cls, data: Bytes, ends: Ends, skipped: Ends, counts: NDArray[np.int64], k: int) -> _Packed:
        """Pack `counts` k-mers of each barcode, from character `skipped` on."""
        data, ends = one_byte_each(data[ends[0] : ends[-1]], ends - ends[0])
        tokens = int(counts.max(initial=0))
        pitch = tokens * k + _word(k).itemsize - k
        # Arrow copies strings faster than NumPy indexes bytes. So what is wanted and what lies between are strings
        # in turn, and every second one is taken. (A barcode without k-mers may lie anywhere.)
        turns = np.empty(2 * len(counts) + 1, np.int64)
        turns[0:-1:2] = np.minimum(ends[:-1] + skipped, ends[1:])
        turns[1::2] = turns[0:-1:2] + counts * k
        turns[-1] = ends[-1]
        wanted = strings(data, turns).take(pa.array(np.arange(0, len(turns) - 1, 2)))
        even = bool((counts == tokens).all())
        if not even or pitch > tokens * k:
            wanted = pc.ascii_rpad(wanted, width=pitch)
        packed, positions = content(wanted)
        return cls(packed[positions[0] : positions[-1]], k, tokens, pitch, even)

    def words(self) -> NDArray[np.unsignedinteger]:
        """Give each k-mer as a word: its first base is the lowest byte, and the first byte of a word in memory."""
        word = _word(self.k)
        rows = len(self.data) // self.pitch
        return np.array(np.ndarray((rows, self.tokens), word, self.data.data, strides=(self.pitch, self.k)))


def _encode(packed: _Packed, layout: Layout, ids: NDArray[np.int32], mask: NDArray[np.bool_]) -> None:
    """Fill the rows of `ids`."""
    if packed.tokens:
        words = packed.words()
        codes, foreign = _codes(words, packed.k, folds=layout.folds)
        known = ids[:, : packed.tokens]
        np.add(codes, layout.first, out=known, casting="unsafe")
        np.copyto(known, layout.unknown, where=foreign)
    ids[:, packed.tokens :] = layout.pad
    if not packed.even:
        np.copyto(ids, layout.pad, where=~mask)


def _word(k: int) -> np.dtype[np.unsignedinteger]:
    return np.dtype("<u4" if k <= 4 else "<u8")


def _codes(
    words: NDArray[np.unsignedinteger], k: int, *, folds: bool
) -> tuple[NDArray[np.unsignedinteger], NDArray[np.bool_]]:
    """Compute the number of each k-mer, all bases of a word at once; `words` is overwritten.

    Bits 1 and 2 of the letters are A 00, C 01, T 10, G 11; exclusive or of bit 1 with bit 2 makes that A 0, C 1, G 2,
    T 3. The other bits are 010·0··1, except for T with 010·1··0 (and for U with 010·1··1; bit 5 is lower case).

    Returns:
        Codes of the bases joined, first base highest, and whether a character of the k-mer is no base.
    """
    word = words.dtype.type
    size = words.dtype.itemsize

    def each(byte: int) -> np.unsignedinteger:
        return word(int.from_bytes(bytes([byte]) * size, "little"))

    if k < size:  # what follows the k-mer is shifted out; A comes in before it and counts nothing
        words <<= word(8 * (size - k))
        words |= word(int.from_bytes(b"A" * (size - k), "little"))
    codes = words >> word(1)
    high = words >> word(2)
    high &= each(1)
    is_t = ~codes
    is_t &= high
    codes &= each(3)
    codes ^= high
    words &= each(0b11011001 if folds else 0b11111001)
    words ^= each(ord("A"))
    words ^= is_t
    words ^= is_t << word(4)
    if folds:
        words &= ~is_t
    return _join(codes), words != 0


def _join(codes: NDArray[np.unsignedinteger]) -> NDArray[np.unsignedinteger]:
    """Join two bits of each byte to one number, the lowest byte highest; a product adds shifted copies of a word.

    Examples:
        >>> _join(np.array([0x03020100], np.uint32)).item() == 0b00_01_10_11
        True
        >>> _join(np.array([0x0302010003020100], np.uint64)).item() == 0b00_01_10_11_00_01_10_11
        True
    """
    word = codes.dtype.type
    if codes.dtype.itemsize == 4:
        codes *= word(1 + (1 << 10) + (1 << 20) + (1 << 30))
        codes >>= word(24)
        return codes
    pairs = codes << word(2)
    codes >>= word(8)
    pairs |= codes
    pairs &= word(0x000F000F000F000F)
    pairs *= word(1 + (1 << 20) + (1 << 40) + (1 << 60))
    pairs >>= word(48)
    return pairs
