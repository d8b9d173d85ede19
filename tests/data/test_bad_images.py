"""Bad photographs and archives: a clear error and nothing half-done; or left out, listed and counted."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from PIL import Image
from releases import (
    IMAGES,
    METADATA,
    assert_nothing_half_done,
    column,
    jpeg,
    make,
    photographs,
    record,
    records,
    rejected,
    shards,
    tree,
    undisturbed,
    write_metadata,
    write_release,
    write_zip,
)

from bioscan5m_hf.data.packages import METADATA_MEMBERS
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.splits import image_path


BAD, BAD_ROW = "TINY00005-26", 6
CSV = f"{METADATA}!{METADATA_MEMBERS['csv']}"
ADDRESS = image_path("cropped_256", "train", BAD)
STRANGER = image_path("cropped_256", "val", "STRANGE1-26")
GOOD = jpeg(5)


def bomb() -> bytes:
    """Give a JPEG whose header says that it is 65,500 × 65,500 pixels."""
    at = GOOD.index(b"\xff\xc0")
    return GOOD[: at + 5] + struct.pack(">2H", 65_500, 65_500) + GOOD[at + 9 :]


def scrambled() -> bytes:
    """Give a JPEG with sound markers and header whose data cannot be decoded."""
    stream = io.BytesIO()
    Image.effect_noise((64, 64), 90).convert("RGB").save(stream, "JPEG", quality=90)
    data = stream.getvalue()
    at = data.index(b"\xff\xda") + 40
    return data[:at] + data[at : at + 20] + b"\xff\xd9"


@dataclass(frozen=True)
class Case:
    """A defect of the archive.

    Args:
        members: the good members → those of the archive, in order; names may come twice.
        message: what the error says.
        member: the member it names, or the archive alone.
        processid: the specimen it names.
        left_out: records and photographs that are left out by skipping.
        patch: changes the bytes of the archive.
        decode: needs decoding to be seen.
    """

    members: Callable[[dict[str, bytes]], list[tuple[str, bytes]]]
    message: str
    member: str = f"{BAD}.jpg"
    processid: str = BAD
    left_out: tuple[int, int] = (1, 1)
    patch: Callable[[bytearray], None] = lambda content: None
    decode: bool = False


def put(data: bytes) -> Callable[[dict[str, bytes]], list[tuple[str, bytes]]]:
    """Replace the photograph of the bad specimen."""
    return lambda members: list((members | {ADDRESS: data}).items())


def add(name: str) -> Callable[[dict[str, bytes]], list[tuple[str, bytes]]]:
    """Add a member."""
    return lambda members: [*members.items(), (name, GOOD)]


def move(name: str) -> Callable[[dict[str, bytes]], list[tuple[str, bytes]]]:
    """Put the photograph of the bad specimen elsewhere."""
    return lambda members: [(name if old == ADDRESS else old, data) for old, data in members.items()]


def entry(content: bytearray) -> int:
    """Find the bad specimen in the directory of an archive."""
    return content.rindex(ADDRESS.encode()) - 46


def local(content: bytearray) -> int:
    """Find the bad specimen's local header."""
    return content.index(ADDRESS.encode()) - 30


def set_numbers(form: str, at: int, number: int) -> Callable[[bytearray], None]:
    """Write a number into the bad specimen's directory entry."""
    return lambda content: struct.pack_into(form, content, entry(content) + at, number)


def encrypt(content: bytearray) -> None:
    """Set the flag of traditional encryption in both headers."""
    content[local(content) + 6] |= 1
    content[entry(content) + 8] |= 1


def lose_local_header(content: bytearray) -> None:
    content[local(content) : local(content) + 4] = b"\0\0\0\0"


def same(members: dict[str, bytes]) -> list[tuple[str, bytes]]:
    return list(members.items())


WRONG_CHUNK = ADDRESS.replace("/train/", "/train/f")
CASES = {
    "record without photograph": Case(
        lambda members: [item for item in members.items() if item[0] != ADDRESS],
        "cropped_256: record of train without a photograph",
        member="",
        left_out=(1, 0),
    ),
    "photograph without record": Case(
        add(STRANGER),
        "cropped_256: photograph in val, but no record there",
        member="",
        processid="STRANGE1-26",
        left_out=(0, 1),
    ),
    "photograph of a record in another split": Case(
        move(image_path("cropped_256", "val", BAD)),
        f"cropped_256: record of train without a photograph in {IMAGES} (and 1 more)",
        member="",
    ),
    "second photograph": Case(
        lambda members: [*members.items(), (ADDRESS, GOOD)],
        "second photograph of one specimen in train",
        member="",
        left_out=(0, 1),
    ),
    "truncated JPEG": Case(put(GOOD[:-20]), "the JPEG is cut short: it has no end marker"),
    "no JPEG": Case(put(b"\x89PNG\r\n\x1a\n"), "no JPEG: it begins with b'\\x89PNG'"),
    "nothing": Case(put(b""), "no JPEG: it begins with b''"),
    "JPEG without a header": Case(put(b"\xff\xd8\xff\xd9"), "unreadable JPEG header"),
    "decompression bomb": Case(put(bomb()), "decompression bomb: 65500×65500 pixels, at most 50,000,000 allowed"),
    "JPEG that cannot be decoded": Case(put(scrambled()), "the JPEG cannot be decoded", decode=True),
    "wrong CRC": Case(same, "wrong CRC-32 or length", patch=set_numbers("<L", 16, 12345)),
    "no local header": Case(same, "no member where the directory says", patch=lose_local_header),
    "encrypted": Case(same, "encrypted member: take the password off first", ADDRESS, patch=encrypt),
    "unknown packing": Case(same, "packed with method 93: only stored and", ADDRESS, patch=set_numbers("<H", 10, 93)),
    "offset beyond the end": Case(same, "lies beyond the end of the", ADDRESS, patch=set_numbers("<L", 42, 10**9)),
    "archive bomb": Case(same, "says that it unpacks to 4,000,000", ADDRESS, patch=set_numbers("<L", 24, 4 * 10**9)),
    "parent folder": Case(add("../../evil.jpg"), "unsafe name '../../evil.jpg'", "../../evil.jpg", "evil", (0, 1)),
    "parent folder that is no photograph": Case(add("../evil.sh"), "unsafe name", "../evil.sh", "evil", (0, 1)),
    "absolute name": Case(add("/etc/evil.jpg"), "unsafe name '/etc/evil.jpg'", "/etc/evil.jpg", "evil", (0, 1)),
    "backslashes": Case(add("a\\..\\evil.jpg"), "unsafe name", "a\\..\\evil.jpg", "a\\..\\evil", (0, 1)),
    "drive": Case(add("C:evil.jpg"), "unsafe name 'C:evil.jpg'", "C:evil.jpg", "C:evil", (0, 1)),
    "wrong chunk": Case(move(WRONG_CHUNK), f"should stand at {ADDRESS}", WRONG_CHUNK),
    "no chunk": Case(
        move(f"bioscan5m/images/cropped_256/train/{BAD}.jpg"),
        f"should stand at {ADDRESS}",
        f"bioscan5m/images/cropped_256/train/{BAD}.jpg",
    ),
    "wrong package": Case(
        move(ADDRESS.replace("cropped_256", "original_256")),
        "is not at bioscan5m/images/cropped_256/<split>/…",
        ADDRESS.replace("cropped_256", "original_256"),
    ),
    "unknown split": Case(
        move(ADDRESS.replace("train", "dev")), "is not at bioscan5m/images/", ADDRESS.replace("train", "dev")
    ),
    "wrong extension": Case(move(ADDRESS.replace(".jpg", ".JPEG")), "is no .jpg", ADDRESS.replace(".jpg", ".JPEG")),
    "nowhere": Case(move(f"{BAD}.jpg"), "is not at bioscan5m/images/", f"{BAD}.jpg"),
}  # fmt: skip


def release_with(case: Case, folder: Path) -> Path:
    write_release(folder)
    path = write_zip(folder / IMAGES, case.members(photographs(records())))
    content = bytearray(path.read_bytes())
    case.patch(content)
    path.write_bytes(bytes(content))
    return folder


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", CASES)
def test_a_bad_photograph_stops_the_build_with_file_and_advice(name, tmp_path):
    case = CASES[name]
    release = release_with(case, tmp_path / "release")
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m", decode=case.decode)
    error = stopped.value
    assert case.message in error.message
    here = (f"{IMAGES}!{case.member}" if case.member else IMAGES, None)
    assert (error.file, error.row) == ((CSV, BAD_ROW) if "record of train" in case.message else here)
    assert error.processid == case.processid
    assert "--on-error skip" in str(error)
    assert_nothing_half_done(tmp_path / "bioscan-5m")
    write_release(release)
    make(release, tmp_path / "bioscan-5m")
    assert shards(tree(tmp_path / "bioscan-5m"), "README.md") == shards(undisturbed(), "README.md")


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("name", CASES)
def test_a_bad_photograph_is_left_out_listed_and_counted(name, tmp_path):
    case = CASES[name]
    release = release_with(case, tmp_path / "release")
    folder = tmp_path / "bioscan-5m"
    state = make(release, folder, skip=True, decode=case.decode)
    listed = rejected(folder)
    assert any(case.message.removeprefix("cropped_256: ").partition(" (and ")[0] in row["reason"] for row in listed)
    assert {row["processid"] for row in listed} == {case.processid}
    assert all(row["row"] == str(BAD_ROW) for row in listed if row["reason"].startswith("record of"))
    counts = state.configs["cropped_256"].counts
    records_out, _ = case.left_out
    assert counts["records"] == 10
    assert counts["rows"] == 10 - records_out
    assert counts["rows"] + counts["records_left_out"] == counts["records"]
    assert counts["rows"] + counts["photographs_left_out"] == counts["photographs"]
    assert (counts["records_left_out"], counts["photographs_left_out"]) == case.left_out
    kept = {name for split in ("pretrain", "train", "val") for name in column(folder, split, config="cropped_256")}
    assert len(kept) == 10 - records_out
    assert (case.processid in kept) == (case.processid == BAD and not records_out)
    assert len(column(folder, "train")) == 4
    card = (folder / "README.md").read_text()
    assert "rejected.csv" in card
    assert "| cropped_256 | records left out" in " ".join(card.split()).replace("`", "")


def test_markers_and_header_are_checked_always_and_the_data_when_asked(tmp_path):
    release = release_with(CASES["JPEG that cannot be decoded"], tmp_path / "release")
    state = make(release, tmp_path / "bioscan-5m")
    assert state.configs["cropped_256"].counts["rows"] == 10


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_worker_process_is_told_as_it_is(workers, tmp_path):
    release = release_with(CASES["truncated JPEG"], tmp_path / "release")
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m", workers=workers)
    assert "the JPEG is cut short" in str(stopped.value)
    assert (stopped.value.file, stopped.value.processid) == (f"{IMAGES}!{BAD}.jpg", BAD)
    assert_nothing_half_done(tmp_path / "bioscan-5m")


def zip_crypto(data: bytes, password: bytes) -> bytes:
    """Encrypt as PKWARE's traditional encryption does, with a header of zeros."""
    keys = [0x12345678, 0x23456789, 0x34567890]

    def crc(old: int, byte: int) -> int:
        return zlib.crc32(bytes([byte]), old ^ 0xFFFFFFFF) ^ 0xFFFFFFFF

    def update(byte: int) -> None:
        keys[0] = crc(keys[0], byte)
        keys[1] = ((keys[1] + (keys[0] & 255)) * 134775813 + 1) & 0xFFFFFFFF
        keys[2] = crc(keys[2], keys[1] >> 24)

    for byte in password:
        update(byte)
    out = bytearray()
    for byte in bytes(11) + bytes([zlib.crc32(data) >> 24]) + data:
        word = keys[2] | 2
        out.append(byte ^ ((word * (word ^ 1)) >> 8 & 255))
        update(byte)
    return bytes(out)


def test_an_archive_with_a_password_is_named_as_such(tmp_path):
    release = write_release(tmp_path / "release")
    members = photographs(records())
    secret = zip_crypto(members[ADDRESS], b"secret")
    path = write_zip(release / IMAGES, members | {ADDRESS: secret})
    content = bytearray(path.read_bytes())
    encrypt(content)
    for at in (local(content) + 14, entry(content) + 16):
        struct.pack_into("<L", content, at, zlib.crc32(members[ADDRESS]))
    for at in (local(content) + 22, entry(content) + 24):
        struct.pack_into("<L", content, at, len(members[ADDRESS]))
    path.write_bytes(bytes(content))
    with zipfile.ZipFile(path) as archive:
        assert archive.read(ADDRESS, b"secret") == members[ADDRESS]
    with pytest.raises(ReleaseError, match="encrypted member: take the password off first"):
        make(release, tmp_path / "bioscan-5m")


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


def entries_lost(content: bytes) -> bytes:
    at = content.rindex(b"PK\x01\x02")
    return content[:at] + b"\0\0\0\0" + content[at + 4 :]


def count_too_large(content: bytes) -> bytes:
    return content[:-22] + content[-22:-12] + struct.pack("<H", 60_000) + content[-10:]


def directory_before_the_file(content: bytes) -> bytes:
    return content[:-22] + content[-22:-10] + struct.pack("<2L", 10**9, 10**9) + content[-2:]


WHOLE_ARCHIVES = {
    "truncated": cut,
    "truncated in the directory": lambda content: content[:-30],
    "truncated in the end record": lambda content: content[:-3],
    "without its beginning": lambda content: content[2000:],
    "empty": lambda content: b"",
    "no zip": lambda content: b"<html>quota exceeded</html>" * 100,
    "damaged directory": entries_lost,
    "count too large": count_too_large,
    "directory outside": directory_before_the_file,
}


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", WHOLE_ARCHIVES)
def test_an_archive_without_a_sound_directory_stops_the_build_in_either_mode(name, skip, tmp_path):
    release = write_release(tmp_path / "release")
    content = (release / IMAGES).read_bytes()
    (release / IMAGES).write_bytes(WHOLE_ARCHIVES[name](content))
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m", skip=skip)
    assert stopped.value.file == IMAGES
    assert "directory" in stopped.value.message
    assert "download it again" in str(stopped.value)
    assert_nothing_half_done(tmp_path / "bioscan-5m")
    (release / IMAGES).write_bytes(content)
    make(release, tmp_path / "bioscan-5m", skip=skip)
    assert shards(tree(tmp_path / "bioscan-5m")) == shards(undisturbed())


def test_an_archive_that_lacks_all_photographs_of_a_split_it_should_hold_is_noticed(tmp_path):
    rows = records({"val": 3, "test": 2})
    release = write_release(tmp_path / "release", rows)
    (release / IMAGES).unlink()
    members = photographs(rows)
    eval_zip = "BIOSCAN_5M_cropped_256_eval.zip"
    write_zip(release / eval_zip, {name: data for name, data in members.items() if "/val/" in name})
    with pytest.raises(ReleaseError, match="record of test without a photograph") as stopped:
        make(release, tmp_path / "bioscan-5m")
    assert f"without a photograph in {eval_zip}" in stopped.value.message
    assert (stopped.value.file, stopped.value.row) == (CSV, 1 + int(stopped.value.processid[4:9]))


def test_other_files_in_an_archive_are_passed_over(tmp_path):
    release = write_release(tmp_path / "release")
    members = {"bioscan5m/": b"", "bioscan5m/README.md": b"#", **photographs(records())}
    write_zip(release / IMAGES, members)
    make(release, tmp_path / "bioscan-5m")
    assert shards(tree(tmp_path / "bioscan-5m")) == shards(undisturbed())


def test_when_all_photographs_of_a_split_are_bad_the_split_is_left_out_of_the_config(tmp_path):
    rows = records()
    release = write_release(tmp_path / "release", rows)
    members = {name: b"" if "/val/" in name else data for name, data in photographs(rows).items()}
    write_zip(release / IMAGES, members)
    state = make(release, tmp_path / "bioscan-5m", skip=True)
    assert state.configs["cropped_256"].counts["rows"] == 7
    assert len(rejected(tmp_path / "bioscan-5m")) == 3
    assert list((tmp_path / "bioscan-5m").glob("cropped_256/val*")) == []
    from datasets import get_dataset_split_names

    assert get_dataset_split_names(str(tmp_path / "bioscan-5m"), "cropped_256") == ["pretrain", "train"]
    before = tree(tmp_path / "bioscan-5m")
    make(release, tmp_path / "bioscan-5m", skip=True)
    assert tree(tmp_path / "bioscan-5m") == before


def test_a_missing_part_is_named_and_its_specimens_are_left_out_on_request(tmp_path):
    rows = records({"pretrain": 8})
    release = tmp_path / "release"
    write_metadata(release, rows)
    members = list(photographs(rows).items())
    write_zip(release / "BIOSCAN_5M_cropped_256_pretrain.01.zip", members[:5])
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m")
    assert "BIOSCAN_5M_cropped_256_pretrain.02.zip is missing: fetch it, or leave such specimens" in str(stopped.value)
    state = make(release, tmp_path / "skipped", skip=True)
    counts = state.configs["cropped_256"].counts
    assert (counts["rows"], counts["records_left_out"], len(rejected(tmp_path / "skipped"))) == (5, 3, 3)
    assert "BIOSCAN_5M_cropped_256_pretrain.02.zip" in (tmp_path / "skipped" / "README.md").read_text()
    write_zip(release / "BIOSCAN_5M_cropped_256_pretrain.02.zip", members[5:])
    make(release, tmp_path / "bioscan-5m")
    assert len(column(tmp_path / "bioscan-5m", "pretrain", config="cropped_256")) == 8


def test_archives_of_single_splits_parts_and_all_splits_give_the_same_shards(tmp_path):
    rows = records({"pretrain": 6, "train": 3, "val": 2, "key_unseen": 2})
    whole = write_release(tmp_path / "whole", rows)
    parts = tmp_path / "parts"
    write_metadata(parts, rows)
    by_split = {"pretrain": [], "train": [], "eval": []}
    for name, data in photographs(rows).items():
        split = name.split("/")[3]
        by_split[split if split in by_split else "eval"].append((name, data))
    for split in ("train", "eval"):
        write_zip(parts / f"BIOSCAN_5M_cropped_256_{split}.zip", by_split[split])
    write_zip(parts / "BIOSCAN_5M_cropped_256_pretrain.01.zip", by_split["pretrain"][:2])
    write_zip(parts / "BIOSCAN_5M_cropped_256_pretrain.02.zip", by_split["pretrain"][2:])
    for release in (whole, parts):
        make(release, release / "bioscan-5m")
    assert shards(tree(whole / "bioscan-5m")) == shards(tree(parts / "bioscan-5m"))


def test_splits_without_rows_have_no_shards_and_no_yaml_entry(tmp_path):
    make(write_release(tmp_path / "release", [record("ONE1-26", "test")]), tmp_path / "bioscan-5m")
    found = sorted(str(path.relative_to(tmp_path / "bioscan-5m")) for path in tmp_path.rglob("*.parquet"))
    assert found == [
        "cropped_256/test-00000-of-00001.parquet",
        "metadata/test-00000-of-00001.parquet",
        "sample/test-00000-of-00001.parquet",
        "taxonomy/train-00000-of-00001.parquet",
    ]
    from datasets import load_dataset

    loaded = load_dataset(str(tmp_path / "bioscan-5m"), streaming=True)
    assert list(loaded) == ["test"]
    assert next(iter(loaded["test"]))["image"].size == (40, 30)
    assert pq.read_table(tmp_path / "bioscan-5m" / found[0])["processid"].to_pylist() == ["ONE1-26"]
