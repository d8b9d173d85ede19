"""Order of keys, division into shards and row groups, joins, members of archives."""

from __future__ import annotations

import hashlib
import struct
import zipfile
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from releases import jpeg

from bioscan5m_hf.data import shards
from bioscan5m_hf.data.archives import Member, open_archive, read_members, read_photograph
from bioscan5m_hf.data.keys import equal_neighbours, md5_keys, order, text_keys
from bioscan5m_hf.data.pairing import _find
from bioscan5m_hf.data.parquet import ROW_GROUP_BYTES, row_groups, take_rows, write_shard
from bioscan5m_hf.data.shards import bounds
from bioscan5m_hf.splits import image_path


texts = st.lists(st.text(max_size=8))
halves = st.integers(0, 3)
keys = st.lists(st.tuples(halves, halves)).map(lambda pairs: np.array(pairs, np.uint64).reshape(-1, 2))


@given(texts, st.integers(0, 3))
def test_md5_keys_are_the_digests_also_of_slices(values, skip):
    array = pa.array(values, pa.string()).slice(min(skip, len(values)))
    expected = [hashlib.md5(value.encode()).hexdigest() for value in array.to_pylist()]
    assert [f"{high:016x}{low:016x}" for high, low in md5_keys(array).tolist()] == expected


@given(texts)
def test_texts_have_one_key_exactly_when_they_are_equal(values):
    found = {tuple(key) for key in text_keys(pa.array(values, pa.string())).tolist()}
    assert len(found) == len(set(values))


@given(keys, st.data())
def test_order_sorts_by_group_then_key_and_is_stable(table, data):
    group = np.array(data.draw(st.lists(st.integers(0, 2), min_size=len(table), max_size=len(table))), np.uint8)
    expected = sorted(range(len(table)), key=lambda row: (group[row], *table[row].tolist()))
    assert order(table, group).tolist() == expected
    assert order(table).tolist() == sorted(range(len(table)), key=lambda row: table[row].tolist())


@given(keys)
def test_equal_neighbours_are_all_but_the_first_of_equal_keys(table):
    table = table[order(table)]
    rows = table.tolist()
    assert equal_neighbours(table).tolist() == [row for row in range(1, len(rows)) if rows[row] == rows[row - 1]]


@given(keys, keys)
def test_find_gives_the_place_of_every_key_that_is_there(table, wanted):
    table = np.unique(table, axis=0)
    place, found = _find(table, wanted)
    rows = table.tolist()
    for at, there, key in zip(place.tolist(), found.tolist(), wanted.tolist(), strict=True):
        assert there == (key in rows)
        assert not there or rows[at] == key


@given(st.integers(0, 5000), st.integers(0, 20 * ROW_GROUP_BYTES))
def test_row_groups_are_equal_and_hold_all_rows(rows, total):
    groups = row_groups(rows, total)
    assert [row for start, stop in groups for row in range(start, stop)] == list(range(rows))
    sizes = [stop - start for start, stop in groups]
    assert not sizes or (min(sizes) > 0 and max(sizes) - min(sizes) <= 1)
    assert not sizes or total / len(groups) <= ROW_GROUP_BYTES or len(groups) == rows


@given(st.lists(st.integers(1, 100), max_size=200), st.integers(50, 3000), st.integers(1, 12))
def test_shards_hold_all_rows_under_the_limit_in_multiples_of_eight(sizes, limit, reader_rows):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shards, "ROWS_PER_READER", reader_rows)
        cuts = bounds(np.array(sizes, np.int64), limit)
    assert [row for start, stop in cuts for row in range(start, stop)] == list(range(len(sizes)))
    assert all(start < stop for start, stop in cuts)
    largest = max((sum(sizes[start:stop]) for start, stop in cuts), default=0)
    assert largest <= limit or len(cuts) == len(sizes)
    assert len(cuts) in (0, 1, len(sizes)) or len(cuts) % 8 == 0
    assert len(cuts) >= 8 or len(sizes) < 8 * reader_rows


def test_a_split_of_4000_rows_has_eight_shards_and_a_big_one_a_multiple():
    assert [len(bounds(np.full(rows, 20_000), 450_000_000)) for rows in (0, 3999, 4000, 500_000)] == [0, 1, 8, 24]


@given(st.lists(st.integers(1, 20), min_size=1, max_size=4), st.sets(st.integers(0, 79)), st.integers(1, 7))
def test_take_rows_reads_rows_by_their_place_over_shards_and_row_groups(lengths, wanted, group):
    with TemporaryDirectory() as folder:
        files, start = [], 0
        for number, length in enumerate(lengths):
            path = Path(folder) / f"{number}.parquet"
            pq.write_table(pa.table({"place": range(start, start + length)}), path, row_group_size=group)
            files.append(path)
            start += length
        positions = np.array(sorted(place for place in wanted if place < start), np.int64)
        tables = list(take_rows(files, positions))
    assert [place for table in tables for place in table["place"].to_pylist()] == positions.tolist()


def test_a_shard_that_cannot_be_written_leaves_nothing_behind(tmp_path):
    schema = pa.schema([pa.field("name", pa.string())])

    def groups():
        yield pa.table({"name": ["a"]}, schema)
        raise RuntimeError("stopped")

    path = tmp_path / "config" / "train-00000-of-00001.parquet"
    path.parent.mkdir()
    path.write_bytes(b"what was there")
    with pytest.raises(RuntimeError, match="stopped"):
        write_shard(path, schema, groups())
    assert [file.name for file in path.parent.iterdir()] == [path.name]
    assert path.read_bytes() == b"what was there"


def members_of(path: Path) -> dict[str, bytes]:
    found = read_members(str(path), "cropped_256")
    assert found.rejections == []
    with open_archive(str(path)) as reader:
        return {
            name: read_photograph(reader, name, Member(*numbers))
            for name, numbers in zip(found.processids.to_pylist(), found.numbers.tolist(), strict=True)
        }


PHOTOGRAPHS = {f"Z{number}-26": jpeg(number) for number in range(5)}


def archive(path: Path, *, method: int = zipfile.ZIP_STORED, zip64: bool = False, prefix: bytes = b"") -> Path:
    with path.open("wb") as stream:
        stream.write(prefix)
        with zipfile.ZipFile(stream, "a" if prefix else "w", method) as zipped:
            for name, data in PHOTOGRAPHS.items():
                with zipped.open(image_path("cropped_256", "train", name), "w", force_zip64=zip64) as member:
                    member.write(data)
    return path


@pytest.mark.parametrize("prefix", [b"", b"#!/bin/sh\n" * 50])
@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("zip64", [False, True])
def test_archives_of_every_form_are_read(prefix, method, zip64, tmp_path):
    path = archive(tmp_path / "a.zip", method=method, zip64=zip64, prefix=prefix)
    assert members_of(path) == PHOTOGRAPHS


def widen(content: bytes, *, shift: int) -> bytes:
    """Rewrite the end of an archive in its zip64 form, with 64-bit sizes and offsets in every entry."""
    count, size, start = struct.unpack_from("<H2L", content, len(content) - 12)
    at, directory = start + shift, b""
    for _ in range(count):
        head = bytearray(content[at : at + 46])
        packed, full, name_length = struct.unpack_from("<2LH", head, 20)
        (offset,) = struct.unpack_from("<L", head, 42)
        struct.pack_into("<2L", head, 20, 0xFFFFFFFF, 0xFFFFFFFF)
        struct.pack_into("<L", head, 42, 0xFFFFFFFF)
        struct.pack_into("<H", head, 30, 28)
        extra = struct.pack("<2H3Q", 1, 24, full, packed, offset)
        directory += bytes(head) + content[at + 46 : at + 46 + name_length] + extra
        at += 46 + name_length
    record = struct.pack("<4sQ2H2L4Q", b"PK\x06\x06", 44, 45, 45, 0, 0, count, count, len(directory), start)
    locator = struct.pack("<4sLQL", b"PK\x06\x07", 0, start + len(directory), 1)
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    assert size == at - start - shift
    return content[: start + shift] + directory + record + locator + end


@pytest.mark.parametrize("prefix", [b"", b"x" * 777])
def test_a_directory_in_zip64_form_is_read_also_behind_other_bytes(prefix, tmp_path):
    path = archive(tmp_path / "a.zip")
    path.write_bytes(prefix + widen(path.read_bytes(), shift=0))
    with zipfile.ZipFile(path) as zipped:
        assert zipped.testzip() is None
    assert members_of(path) == PHOTOGRAPHS


def test_an_archive_comment_may_look_like_an_end(tmp_path):
    path = archive(tmp_path / "a.zip")
    with zipfile.ZipFile(path, "a") as zipped:
        zipped.comment = b"made by hand"
    assert members_of(path) == PHOTOGRAPHS


def test_identity_changes_with_any_photograph(tmp_path):
    path = archive(tmp_path / "a.zip")
    before = read_members(str(path), "cropped_256").identity
    assert read_members(str(path), "cropped_256").identity == before
    changed = PHOTOGRAPHS | {"Z0-26": jpeg(99)}
    with zipfile.ZipFile(path, "w") as zipped:
        for name, data in changed.items():
            zipped.writestr(image_path("cropped_256", "train", name), data)
    assert read_members(str(path), "cropped_256").identity != before
