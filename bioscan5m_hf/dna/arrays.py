"""Barcodes as Arrow strings with 64-bit offsets, whatever they came as, and the bytes behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


Barcodes: TypeAlias = Any
"""What is taken as barcodes: an Arrow array or chunked array of strings, or a sequence of `str` and None."""

Bytes: TypeAlias = NDArray[np.uint8]
Ends: TypeAlias = NDArray[np.int64]


def chunks(barcodes: Barcodes) -> list[pa.Array]:
    """Give barcodes as `large_string` arrays, in order; Arrow data are not copied.

    Raises:
        ValueError: not barcodes but one string, or values that are no strings.

    Examples:
        >>> [chunk.to_pylist() for chunk in chunks(["ACGT", None])]
        [['ACGT', None]]
    """
    if isinstance(barcodes, str | bytes):
        raise ValueError(
            f"one {type(barcodes).__name__} was given; barcodes are a list or an array: [{barcodes!r:.40}]"
        )
    if not isinstance(barcodes, pa.Array | pa.ChunkedArray):
        barcodes = _from_python(barcodes)
    kind = barcodes.type.value_type if pa.types.is_dictionary(barcodes.type) else barcodes.type
    if not any(
        of_kind(kind) for of_kind in (pa.types.is_string, pa.types.is_large_string, _is_view, pa.types.is_null)
    ):
        raise ValueError(f"barcodes are {barcodes.type}; strings are needed: cast or decode them first")
    large = barcodes if pa.types.is_large_string(barcodes.type) else barcodes.cast(pa.large_string())
    return list(large.chunks) if isinstance(large, pa.ChunkedArray) else [large]


def content(chunk: pa.Array) -> tuple[Bytes, Ends]:
    """Give all bytes behind a `large_string` array and where each row begins and the last one ends.

    Args:
        chunk: n strings; it may be a slice.

    Returns:
        The bytes, shared with the array, and n + 1 positions in them.

    Examples:
        >>> data, ends = content(pa.array(["ACGT", "GG"], pa.large_string()))
        >>> data.tobytes(), ends.tolist()
        (b'ACGTGG', [0, 4, 6])
    """
    if not len(chunk):
        return np.zeros(0, np.uint8), np.zeros(1, np.int64)
    _, ends, data = chunk.buffers()
    positions = np.frombuffer(ends, np.int64, len(chunk) + 1, 8 * chunk.offset)
    return np.frombuffer(data or b"", np.uint8), positions


def lengths(chunk: pa.Array) -> NDArray[np.int64]:
    """Count the characters of each row of a `large_string` array; 0 for a null.

    Examples:
        >>> lengths(pa.array(["ACGT", "é", None], pa.large_string())).tolist()
        [4, 1, 0]
    """
    data, ends = content(chunk)
    if chunk.null_count or data[ends[0] : ends[-1]].max(initial=0) >= 0x80:
        return np.asarray(pc.fill_null(pc.utf8_length(chunk), 0))
    return np.diff(ends)


def blocks(ends: Ends, size: int, rows: int) -> Iterator[slice]:
    """Cut rows into blocks of about `size` bytes and at most so many rows, each of at least one.

    Examples:
        >>> list(blocks(np.array([0, 4, 8, 20, 20, 20, 20]), size=10, rows=3))
        [slice(0, 2, None), slice(2, 3, None), slice(3, 6, None)]
    """
    start = 0
    while start < len(ends) - 1:
        stop = int(np.searchsorted(ends, ends[start] + size, "right")) - 1
        stop = min(max(stop, start + 1), start + rows)
        yield slice(start, stop)
        start = stop


def one_byte_each(data: Bytes, ends: Ends) -> tuple[Bytes, Ends]:
    """Replace each character beyond ASCII by one byte that is no letter, so that positions count characters.

    Args:
        data: UTF-8.
        ends: n + 1 positions in `data`.

    Returns:
        ASCII, and the positions in it.

    Examples:
        >>> data, ends = one_byte_each(np.frombuffer("éAG".encode(), np.uint8), np.array([0, 3, 4]))
        >>> data.tobytes(), ends.tolist()
        (b'?AG', [0, 2, 3])
    """
    if data.max(initial=0) < 0x80:
        return data, ends
    starts = (data & 0xC0) != 0x80  # the other bytes of a character are continuations
    before = np.concatenate([[0], np.cumsum(starts)])
    kept = data[starts]
    kept[kept >= 0x80] = ord("?")
    return kept, before[ends]


def strings(data: Bytes, ends: Ends, nulls: pa.Array | None = None) -> pa.Array:
    """Make a `large_string` array of bytes and positions, which are not copied.

    Args:
        data: ASCII or UTF-8.
        ends: n + 1 positions in `data`.
        nulls: n booleans, true where a row is null.

    Examples:
        >>> strings(np.frombuffer(b"ACGTGG", np.uint8), np.array([0, 4, 6])).to_pylist()
        ['ACGT', 'GG']
    """
    mask = None if nulls is None or not nulls.true_count else pc.invert(nulls).buffers()[1]
    buffers = [mask, pa.py_buffer(np.ascontiguousarray(ends, np.int64)), pa.py_buffer(np.ascontiguousarray(data))]
    return pa.Array.from_buffers(pa.large_string(), len(ends) - 1, buffers)


def _is_view(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string_view(kind))


def _from_python(barcodes: Sequence[str | None]) -> pa.Array:
    try:
        return pa.array(barcodes, pa.large_string())
    except (pa.ArrowException, TypeError, UnicodeEncodeError) as error:
        raise ValueError(f"barcodes must be strings or None: {error}") from error
