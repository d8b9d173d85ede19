"""Sort keys: rows of a split stand in MD5(processid) order, which is deterministic and as good as shuffled."""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import xxhash


try:
    from _md5 import md5  # type: ignore[import-not-found,unused-ignore]  # CPython's own: a quarter of the time of OpenSSL's, and allowed where FIPS forbids that one
except ImportError:
    from hashlib import md5


Keys = npt.NDArray[np.uint64]
"""128-bit keys as shape (n, 2), most significant half first."""


def md5_keys(processids: pa.Array) -> Keys:
    """Hash process ids with MD5, big-endian, so that the order of keys is the order of hexadecimal digests.

    Args:
        processids: strings without nulls.

    Returns:
        uint64 of shape (n, 2).

    Examples:
        >>> f"{md5_keys(pa.array(['AACTA1040-20']))[0, 0]:016x}"
        '009918ef28574cd7'
    """
    return _keys(b"".join([md5(value).digest() for value in _values(processids)]))


def drawn(processids: pa.Array, share: float) -> npt.NDArray[np.bool_]:
    """Draw a share of all specimens by MD5(processid): always the same ones, and a smaller share is part of a larger.

    Args:
        processids: strings without nulls, shape (n,).
        share: from 0 to 1.

    Examples:
        >>> drawn(pa.array(["AACTA1040-20"]), 0.05).tolist(), drawn(pa.array(["AACTA1040-20"]), 0.0001).tolist()
        ([True], [False])
    """
    return md5_keys(processids)[:, 0] < np.float64(share) * 2**64


def text_keys(texts: pa.Array) -> Keys:
    """Hash texts with XXH3-128, for finding equal ones without holding them; a null hashes as the empty text.

    Args:
        texts: strings of any length.

    Returns:
        uint64 of shape (n, 2).

    Examples:
        >>> keys = text_keys(pa.array(["ACGT", "ACGT", "ACGA"]))
        >>> bool((keys[0] == keys[1]).all()), bool((keys[0] == keys[2]).all())
        (True, False)
    """
    xxh3 = xxhash.xxh3_128_digest
    return _keys(b"".join([xxh3(value) for value in _values(texts)]))


def order(keys: Keys, group: npt.NDArray[np.uint8] | None = None) -> npt.NDArray[np.intp]:
    """Give the permutation that sorts by key, within groups where given.

    Args:
        keys: shape (n, 2).
        group: shape (n,), the most significant part of the order.

    Examples:
        >>> order(np.array([[1, 2], [1, 1], [0, 9]], np.uint64)).tolist()
        [2, 1, 0]
    """
    columns = (keys[:, 1], keys[:, 0]) if group is None else (keys[:, 1], keys[:, 0], group)
    return np.lexsort(columns)


def equal_neighbours(keys: Keys) -> npt.NDArray[np.intp]:
    """Find the positions in sorted keys whose key equals the one before.

    Examples:
        >>> equal_neighbours(np.array([[0, 1], [0, 1], [0, 2]], np.uint64)).tolist()
        [1]
    """
    return np.flatnonzero((keys[1:] == keys[:-1]).all(axis=1)) + 1


def _values(texts: pa.Array) -> list[bytes]:
    _, offsets, data = texts.buffers()
    if data is None:
        return [b""] * len(texts)
    width = np.int64 if pa.types.is_large_string(texts.type) else np.int32
    ends = np.frombuffer(offsets, width)[texts.offset : texts.offset + len(texts) + 1]
    joined = memoryview(data)[ends[0] : ends[-1]].tobytes()
    cuts = (ends - ends[0]).tolist()
    return [joined[start:stop] for start, stop in itertools.pairwise(cuts)]


def _keys(digests: bytes) -> Keys:
    return np.frombuffer(digests, ">u8").reshape(-1, 2).astype(np.uint64)
