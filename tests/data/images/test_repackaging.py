"""Repackaging: official zips, the same bytes whenever made, resumed and told."""

import hashlib
import io
import signal
import subprocess
import sys
import time
import zipfile

import pyarrow.parquet as pq
import pytest
from dishes import BOXES
from PIL import Image

from bioscan5m_hf import splits
from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.images import (
    Box,
    CropRule,
    read_boxes,
    repackage,
    shorter_side,
    write_boxes,
)
from bioscan5m_hf.data.images.repackaging import DERIVED, REJECTED, WORK
from bioscan5m_hf.errors import OutputError


def test_the_derived_packages_are_official_ones(originals, tmp_path):
    done = repackage(originals, originals / BOXES, tmp_path / "new", workers=1)
    assert done.photographs == dict.fromkeys(DERIVED, 150)
    assert done.rejected == []
    (tmp_path / "new" / "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip").write_bytes(
        (originals / "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip").read_bytes()
    )
    build(tmp_path / "new", tmp_path / "dataset", options=Options(workers=1, decode=True))
    boxes = {box.processid: box for box in read_boxes(originals / BOXES)}
    for package in DERIVED:
        rows = pq.ParquetDataset(tmp_path / "dataset" / package, partitioning=None).read().to_pylist()
        assert len(rows) == 150
        for row in rows[:10]:
            picture = Image.open(io.BytesIO(row["image"]["bytes"]))
            cut = CropRule().cut(Image.new("RGB", (1024, 768)), boxes[row["processid"]].corners)
            wanted = {"cropped": cut, "cropped_256": shorter_side(cut, 256)}.get(package, Image.new("L", (341, 256)))
            assert picture.size == wanted.size


def test_two_workers_give_the_same_bytes_as_one(originals, tmp_path):
    for workers in (1, 2):
        repackage(originals, originals / BOXES, tmp_path / str(workers), workers=workers)
    one, two = (
        {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in (tmp_path / name).iterdir()}
        for name in "12"
    )
    assert one == two


def test_a_photograph_without_a_good_box_is_told_and_in_the_uncropped_package(originals, tmp_path):
    boxes = list(read_boxes(originals / BOXES))
    wrong = Box(boxes[1].processid, 1024, 768, 5, 5, 5, 9)
    write_boxes([wrong, *boxes[2:]], tmp_path / "boxes.tsv")
    done = repackage(originals, tmp_path / "boxes.tsv", tmp_path / "new", workers=1)
    assert done.photographs == {"cropped": 148, "original_256": 150, "cropped_256": 148}
    assert {one.processid: one.reason for one in done.rejected} == {
        boxes[0].processid: "no box: not cropped",
        boxes[1].processid: "the box has no area: not cropped",
    }
    assert boxes[0].processid in (tmp_path / "new" / REJECTED).read_text()
    with pytest.raises(OutputError, match="has BIOSCAN_5M_"):
        repackage(originals, originals / BOXES, tmp_path / "new")


def test_work_that_was_killed_goes_on(originals, tmp_path):
    out = tmp_path / "new"
    command = [
        sys.executable,
        "-m",
        "bioscan5m_hf.cli",
        "repackage",
        str(originals),
        "--boxes",
        str(originals / BOXES),
    ]
    process = subprocess.Popen([*command, "--out", str(out), "--workers", "1"], stdout=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while not list((out / WORK).glob("*.json")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    if (out / WORK).exists():  # else it was faster than the signal
        assert not list(out.glob("*.zip"))
        assert repackage(originals, originals / BOXES, out, workers=1).earlier >= 1
    repackage(originals, originals / BOXES, tmp_path / "whole", workers=1)
    for path in (tmp_path / "whole").glob("*.zip"):
        assert path.read_bytes() == (out / path.name).read_bytes()
    assert {path.name for path in out.iterdir()} == {path.name for path in (tmp_path / "whole").iterdir()}


def test_work_that_was_stopped_while_it_joined_goes_on(originals, tmp_path, monkeypatch):
    from bioscan5m_hf.data.images import repackaging

    join = repackaging._join

    def stopped(folder, package, parts):
        if package == DERIVED[1]:
            raise KeyboardInterrupt
        return join(folder, package, parts)

    monkeypatch.setattr(repackaging, "_join", stopped)
    with pytest.raises(KeyboardInterrupt):
        repackage(originals, originals / BOXES, tmp_path / "new", workers=1)
    assert list((tmp_path / "new").glob("BIOSCAN_5M_cropped.*.zip"))
    monkeypatch.setattr(repackaging, "_join", join)
    done = repackage(originals, originals / BOXES, tmp_path / "new", workers=1)
    assert done.photographs == dict.fromkeys(DERIVED, 150)
    assert not (tmp_path / "new" / WORK).exists()


def test_a_second_photograph_of_a_specimen_and_one_that_no_jpeg_can_hold_are_told(tmp_path):
    def jpeg(size):
        made = io.BytesIO()
        Image.new("RGB", size).save(made, "JPEG")
        return made.getvalue()

    (tmp_path / "release").mkdir()
    with zipfile.ZipFile(tmp_path / "release" / "BIOSCAN_5M_original_full.01.zip", "w") as archive:
        for split, processid, size in (
            ("train", "A-1", (40, 30)),
            ("val", "A-1", (40, 30)),
            ("val", "B-2", (2, 1000)),
        ):
            archive.writestr(splits.image_path("original_full", split, processid), jpeg(size))
    write_boxes([Box("A-1", 40, 30, 10, 10, 20, 20)], tmp_path / "boxes.tsv")
    done = repackage(tmp_path / "release", tmp_path / "boxes.tsv", tmp_path / "new", workers=1)
    assert done.photographs == dict.fromkeys(DERIVED, 1)
    reasons = {one.processid: one.reason for one in done.rejected}
    assert reasons["A-1"] == "a second photograph of this specimen"
    assert "a JPEG has at most" in reasons["B-2"]
    assert str(tmp_path) not in (tmp_path / "new" / REJECTED).read_text()


def test_addresses_in_the_zips_have_their_chunks(originals, tmp_path):
    repackage(originals, originals / BOXES, tmp_path / "new", workers=1)
    for path in (tmp_path / "new").glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                package, split, *_, file = info.filename.split("/")[2:]
                assert info.filename == splits.image_path(package, split, file[:-4])
                assert info.compress_type == zipfile.ZIP_STORED
