"""Photographs in zip archives, read in place: an index of millions of members in arrays, and checked reads."""

from __future__ import annotations

import math
import os
import posixpath
import struct
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import IO, NamedTuple, Protocol

import fsspec
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import simplejpeg

from .. import splits
from ..errors import ReleaseError
from .checks import Rejection
from .keys import Keys, md5_keys, order
from .remote import connection, is_remote, read_range


MAX_PIXELS = 50_000_000
"""More than this is no photograph of the release (its largest are 1024×768) but a decompression bomb."""

MAX_BYTES = 200_000_000
"""A member that says it is larger is not unpacked."""

STORED, DEFLATED = 0, 8
BLOCK = 4 << 20
"""What is fetched of a remote archive at once."""

_TAIL = 66_000
_ENTRY = struct.Struct("<4s4B4HL2L5H2L")
_END = struct.Struct("<4s4H2LH")
_END64 = struct.Struct("<4sQ2H2L4Q")
_LOCATOR = struct.Struct("<4sLQL")
_LOCAL = struct.Struct("<4s5H3L2H")


class Member(NamedTuple):
    """Where a photograph is in its archive, and what the archive says of it.

    Args:
        offset: where the local header begins.
        packed: bytes in the archive.
        size: bytes of the JPEG.
        crc: CRC-32 of the JPEG.
        method: 0 stored or 8 deflated.
    """

    offset: int
    packed: int
    size: int
    crc: int
    method: int


SIZE = Member._fields.index("size")


@dataclass(frozen=True)
class Members:
    """The photographs of an archive, sorted by split and MD5 key; arrays of equal length.

    Args:
        file: the archive's name, for messages.
        identity: CRC-32 of the archive's directory and its size: changes when any member changes.
        split: uint8, index into `splits.SPLIT_NAMES`.
        keys: MD5 keys of the process ids, shape (n, 2).
        processids: strings, the file stems.
        numbers: uint64, shape (n, 5), the columns of `Member`.
        rejections: members that are no photograph of this package, or cannot be read.
    """

    file: str
    identity: str
    split: npt.NDArray[np.uint8]
    keys: Keys
    processids: pa.Array
    numbers: npt.NDArray[np.uint64]
    rejections: list[Rejection]


class Reader(Protocol):
    """Random access to the bytes of an archive."""

    size: int

    def read(self, offset: int, length: int) -> bytes:
        """Read up to `length` bytes from `offset`."""


class _LocalReader:
    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.size = os.fstat(descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        return os.pread(self.descriptor, length, offset)


class _RemoteReader:
    """Fetches blocks once and keeps them on disk."""

    def __init__(self, path: str, kept: IO[bytes]) -> None:
        self.path, self.kept = path, kept
        self.blocks: set[int] = set()
        with connection(path):
            self.system, self.inner = fsspec.url_to_fs(path)
            self.size = int(self.system.size(self.inner))

    def read(self, offset: int, length: int) -> bytes:
        stop = min(offset + length, self.size)
        for block in range(offset // BLOCK, math.ceil(stop / BLOCK)):
            if block not in self.blocks:
                self.fetch(block)
        self.kept.seek(offset)
        return self.kept.read(max(0, stop - offset))

    def fetch(self, block: int) -> None:
        start = block * BLOCK
        with connection(self.path):
            data = read_range(self.system, self.inner, start, min(start + BLOCK, self.size))
        self.kept.seek(start)
        self.kept.write(data)
        self.blocks.add(block)


@contextmanager
def open_archive(path: str) -> Iterator[Reader]:
    """Open an archive for random reads; blocks of a remote one are kept on disk while it is open.

    Args:
        path: local path, or a URL that fsspec understands.

    Raises:
        Bioscan5mError: the connection to a remote one failed.
    """
    if is_remote(path):
        with tempfile.TemporaryFile() as kept:
            yield _RemoteReader(path, kept)
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield _LocalReader(descriptor)
    finally:
        os.close(descriptor)


def read_members(path: str, image_package: str) -> Members:
    """Read the directory of an archive without making an object per member.

    Names are never used as paths on this machine; what is not exactly the official address of a photograph
    (`bioscan5m/images/<package>/<split>/<chunk>/<processid>.jpg`) is rejected, `..` and absolute names among it;
    folders and files that are no JPEG are passed over.

    Args:
        path: local path or URL of the zip.
        image_package: the package it belongs to.

    Raises:
        ReleaseError: the file is no zip archive, or is cut short.
    """
    file = posixpath.basename(path)
    with open_archive(path) as reader:
        directory, count, shift = _directory(reader, file)
    identity = f"{zlib.crc32(directory):08x}-{reader.size}"
    names: list[str] = []
    numbers = np.empty((count, 5), np.uint64)
    rejections: list[Rejection] = []
    for name, row, problem in _entries(directory, count, file, reader.size):
        problem = _name_problem(name) or problem
        if problem is None and not name.lower().endswith((".jpg", ".jpeg")):
            continue
        problem = problem or _address_problem(name, image_package)
        if problem:
            rejections.append(Rejection(f"{file}!{name}", None, _stem(name), problem))
        else:
            numbers[len(names)] = row
            names.append(name)
    return _members(file, identity, names, numbers[: len(names)], shift, rejections)


def read_photograph(reader: Reader, file: str, member: Member) -> bytes:
    """Read one JPEG and check what the archive says of it, its markers and its header.

    Args:
        reader: the open archive.
        file: its name, for messages.
        member: where it is.

    Raises:
        ReleaseError: the bytes are cut short, fail their CRC, or are no JPEG of sensible size.
    """
    offset, packed, size, crc, method = member
    block = reader.read(offset, _LOCAL.size + 512 + packed)
    if len(block) < _LOCAL.size or not block.startswith(b"PK\x03\x04"):
        raise ReleaseError("no member where the directory says: the archive is cut short or damaged", file=file)
    header = _LOCAL.unpack_from(block)
    start = _LOCAL.size + header[9] + header[10]
    if start + packed > len(block):
        block = reader.read(offset, start + packed)
    data = block[start : start + packed]
    if method == DEFLATED:
        inflate = zlib.decompressobj(-15)
        try:
            data = inflate.decompress(data, size + 1)
        except zlib.error as error:
            raise ReleaseError(f"cannot be unpacked: {error}", file=file) from error
    if len(data) != size or zlib.crc32(data) != crc:
        raise ReleaseError("wrong CRC-32 or length: the archive is damaged", file=file, hint="download it again")
    check_jpeg(data, file)
    return data


def check_jpeg(data: bytes, file: str) -> tuple[int, int]:
    """Check start and end markers and the size in the header, without decoding.

    Args:
        data: the bytes of one JPEG.
        file: its name, for messages.

    Returns:
        Width and height in pixels.

    Raises:
        ReleaseError: no JPEG, cut short, or larger than `MAX_PIXELS`.
    """
    if not data.startswith(b"\xff\xd8"):
        raise ReleaseError(f"no JPEG: it begins with {data[:4]!r}", file=file)
    if not data.rstrip(b"\x00").endswith(b"\xff\xd9"):
        raise ReleaseError("the JPEG is cut short: it has no end marker", file=file)
    try:
        height, width, *_ = simplejpeg.decode_jpeg_header(data)
    except ValueError as error:
        raise ReleaseError(f"unreadable JPEG header: {error}", file=file) from error
    if not 0 < width * height <= MAX_PIXELS:
        raise ReleaseError(f"decompression bomb: {width}×{height} pixels, at most {MAX_PIXELS:,} allowed", file=file)
    return width, height


def _directory(reader: Reader, file: str) -> tuple[bytes, int, int]:
    """Find the central directory: its bytes, number of entries, and bytes put before the archive."""
    broken = ReleaseError("no zip archive, or cut short: it has no directory", file=file, hint="download it again")
    tail = reader.read(max(0, reader.size - _TAIL), _TAIL)
    at = tail.rfind(b"PK\x05\x06")
    if at < 0 or at + _END.size > len(tail):
        raise broken
    count, size, start = _END.unpack_from(tail, at)[4:7]
    end = reader.size - len(tail) + at
    if at >= _LOCATOR.size and tail[at - _LOCATOR.size : at].startswith(b"PK\x06\x07"):
        declared = _LOCATOR.unpack_from(tail, at - _LOCATOR.size)[2]
        beside = end - _LOCATOR.size - _END64.size  # where it is when bytes were put before the archive
        for end in (declared, beside):
            record = reader.read(end, _END64.size) if 0 <= end < reader.size else b""
            if record.startswith(b"PK\x06\x06"):
                count, size, start = _END64.unpack(record)[7:10]
                break
        else:
            raise broken
    if size > end or start > end - size or count * _ENTRY.size > size:
        raise broken
    directory = reader.read(end - size, size)
    if len(directory) != size or (count and not directory.startswith(b"PK\x01\x02")):
        raise broken
    return directory, count, end - size - start


def _entries(directory: bytes, count: int, file: str, limit: int) -> Iterator[tuple[str, Member, str | None]]:
    """Walk the directory: name, (offset, packed, size, crc, method), and why a member cannot be read."""
    at = 0
    for _ in range(count):
        if at + _ENTRY.size > len(directory) or directory[at : at + 4] != b"PK\x01\x02":
            raise ReleaseError("the directory of the archive is damaged", file=file, hint="download it again")
        entry = _ENTRY.unpack_from(directory, at)
        flags, method, crc, packed, size = entry[5], entry[6], entry[9], entry[10], entry[11]
        name_length, extra_length, comment_length, offset = entry[12], entry[13], entry[14], entry[18]
        at += _ENTRY.size
        name = directory[at : at + name_length].decode("utf-8", "backslashreplace")
        if 0xFFFFFFFF in (packed, size, offset):
            extra = directory[at + name_length : at + name_length + extra_length]
            size, packed, offset = _zip64(extra, size, packed, offset)
        at += name_length + extra_length + comment_length
        member = Member(offset, packed, size, crc, method)
        yield name, member, _member_problem(member, flags, limit)


def _member_problem(member: Member, flags: int, limit: int) -> str | None:
    if flags & 1:
        return "encrypted member: take the password off first"
    if member.method not in (STORED, DEFLATED):
        return f"packed with method {member.method}: only stored and deflated members can be read"
    if member.offset + member.packed > limit:
        return f"lies beyond the end of the archive ({limit:,} bytes), which is damaged"
    if member.size > MAX_BYTES:
        return f"says that it unpacks to {member.size:,} bytes: no photograph"
    if member.packed > MAX_BYTES:
        return f"says that it is {member.packed:,} bytes in the archive: no photograph"
    if member.method == STORED and member.packed != member.size:
        return f"is stored, and yet {member.packed:,} bytes are to give {member.size:,}"
    return None


def _zip64(extra: bytes, *values: int) -> tuple[int, ...]:
    at, found = 0, list(values)
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<2H", extra, at)
        if kind == 1:
            wide = list(struct.unpack_from(f"<{length // 8}Q", extra, at + 4))
            found = [wide.pop(0) if value == 0xFFFFFFFF and wide else value for value in values]
        at += 4 + length
    return tuple(found)


def _name_problem(name: str) -> str | None:
    unsafe = ".." in name.split("/") or name.startswith("/") or "\\" in name or ":" in name or "\0" in name
    return f"unsafe name {name!r} in the archive" if unsafe else None


def _address_problem(name: str, image_package: str) -> str | None:
    parts = name.split("/")
    if len(parts) < 5 or parts[:3] != ["bioscan5m", "images", image_package] or parts[3] not in splits.BY_NAME:
        return f"{name!r} is not at bioscan5m/images/{image_package}/<split>/…"
    stem, extension = posixpath.splitext(parts[-1])
    if extension != ".jpg" or not stem:
        return f"{name!r} is no .jpg"
    expected = splits.image_path(image_package, parts[3], stem)
    return None if name == expected else f"{name!r} should stand at {expected}"


def _stem(name: str) -> str:
    return posixpath.splitext(posixpath.basename(name))[0]


def _members(
    file: str,
    identity: str,
    names: list[str],
    numbers: npt.NDArray[np.uint64],
    shift: int,
    rejections: list[Rejection],
) -> Members:
    processids = pa.array([_stem(name) for name in names], pa.string())
    keys = md5_keys(processids)
    codes = {name: code for code, name in enumerate(splits.SPLIT_NAMES)}
    split = np.array([codes[name.split("/", 4)[3]] for name in names], np.uint8)
    by_key = order(keys, split)
    numbers = numbers[by_key]
    numbers[:, 0] += np.uint64(shift)
    return Members(
        file=file,
        identity=identity,
        split=split[by_key],
        keys=keys[by_key],
        processids=processids.take(by_key),
        numbers=numbers,
        rejections=rejections,
    )
