"""How a photograph is to be turned, as its EXIF or XMP data say: `PIL.ImageOps.exif_transpose` on pixels of arrays."""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator

import numpy as np
import numpy.typing as npt


Pixels = npt.NDArray[np.uint8]

UPRIGHT = 1
"""The orientation of a photograph that stays as it is (EXIF 2.32, tag 0x0112)."""

_TAG = 0x0112
_TYPES = {3: "H", 4: "I"}
_APP1, _COMMENT, _APPLICATIONS = 0xE1, 0xFE, range(0xE0, 0xF0)
_EXIF, _XMP = b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"
_IN_XMP = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')


def orientation_of(data: bytes | memoryview) -> int:
    """Read the orientation of a JPEG; 1 where nothing is said, or nothing that can be read.

    Args:
        data: the file.

    Returns:
        From 1 to 8.

    Examples:
        >>> orientation_of(b"")
        1
        >>> tiff = struct.pack(">2sHIHHHIH", b"MM", 42, 8, 1, 0x0112, 3, 1, 6)
        >>> orientation_of(bytes.fromhex("ffd8ffe10022") + b"Exif" + bytes(2) + tiff + bytes(2))
        6
    """
    told = other = 0
    for segment in _segments(data):
        if not told and segment.startswith(_EXIF):
            told = _in_tiff(segment[len(_EXIF) :])
        elif not other and segment.startswith(_XMP):
            found = _IN_XMP.search(segment)
            other = int(found[1]) if found else 0
    told = told or other
    return told if told in range(1, 9) else UPRIGHT


def turned(pixels: Pixels, orientation: int) -> Pixels:
    """Turn and mirror pixels as an orientation says.

    Args:
        pixels: shape (h, w, 3).
        orientation: from 1 to 8.

    Returns:
        A view, shape (h, w, 3), or (w, h, 3) from 5 on.

    Examples:
        >>> turned(np.arange(6, dtype=np.uint8).reshape(2, 3, 1), 6)[..., 0].tolist()
        [[3, 0], [4, 1], [5, 2]]
    """
    upright = pixels.swapaxes(0, 1) if orientation >= 5 else pixels
    down = -1 if orientation in (3, 4, 7, 8) else 1
    across = -1 if orientation in (2, 3, 6, 7) else 1
    return upright[::down, ::across]


def _segments(data: bytes | memoryview) -> Iterator[bytes]:
    """Give the segments of kind APP1 that stand before the tables of the picture: a few steps, whatever its size."""
    at = 2
    while at + 4 <= len(data) and data[at] == 0xFF and (data[at + 1] in _APPLICATIONS or data[at + 1] == _COMMENT):
        end = at + 2 + 256 * data[at + 2] + data[at + 3]
        if data[at + 1] == _APP1:
            yield bytes(data[at + 4 : end])
        at = end


def _in_tiff(data: bytes) -> int:
    """Read the tag of the first directory; 0 where it is not there, or the data are broken."""
    order = {b"II*\0": "<", b"MM\0*": ">"}.get(data[:4])
    if order is None:
        return 0
    try:
        (start,) = struct.unpack_from(order + "I", data, 4)
        (count,) = struct.unpack_from(order + "H", data, start)
        for place in range(start + 2, start + 2 + 12 * count, 12):
            tag, kind = struct.unpack_from(order + "HH", data, place)
            if tag == _TAG:
                return int(struct.unpack_from(order + _TYPES.get(kind, "H"), data, place + 8)[0])
    except struct.error:
        pass
    return 0
