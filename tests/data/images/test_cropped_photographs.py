"""Cropping, resizing and repackaging: the published formulas, any photograph, resumed and told."""

import csv
import hashlib
import io
import os
import signal
import subprocess
import sys
import time
import zipfile

import pyarrow.parquet as pq
import pytest
from PIL import Image

from bioscan5m_hf import splits
from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.images import (
    ONE_MILLION,
    Box,
    CropRule,
    crop_folder,
    find_specimen,
    read_boxes,
    repackage,
    resize_folder,
    shorter_side,
    write_boxes,
)
from bioscan5m_hf.data.images.repackaging import DERIVED, REJECTED, WORK
from bioscan5m_hf.errors import OutputError, ReleaseError
from bioscan5m_hf.synthetic import synthesize


BOXES = "BIOSCAN_5M_Insect_bbox.tsv"
GROUND, BODY = (200, 205, 210), (60, 40, 20)


def dish(box=(400, 300, 500, 360), size=(1024, 768)):
    picture = Image.new("RGB", size, GROUND)
    if box:
        picture.paste(BODY, box)
    return picture


@pytest.fixture(scope="module")
def originals(tmp_path_factory):
    """An invented release with original photographs and their boxes."""
    folder = tmp_path_factory.mktemp("originals") / "release"
    synthesize(folder, specimens=150, seed=3, packages=["original_full", "cropped"], workers=1)
    for path in folder.glob("BIOSCAN_5M_cropped*"):
        path.rename(folder.parent / path.name)
    return folder


def photographs(release):
    found = {}
    for path in sorted(release.glob("BIOSCAN_5M_original_full*.zip")):
        with zipfile.ZipFile(path) as archive:
            found |= {name.rpartition("/")[2][:-4]: archive.read(name) for name in archive.namelist()}
    return found


def test_sizes_of_published_records_follow_from_their_boxes(shared_data):
    with (shared_data / "bioscan5m_rows.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 25
    for row in rows:
        corners = [float(row[f"bbox_{edge}"]) for edge in ("left", "top", "right", "bottom")]
        left, right = sorted((corners[0], corners[2]))
        upper, lower = sorted((corners[1], corners[3]))
        box = Box(row["processid"], 1024, 768, left, upper, right, lower)
        assert box.area_fraction == pytest.approx(float(row["area_fraction"]), abs=5e-5), row["processid"]
        assert box.scale_factor == pytest.approx(float(row["scale_factor"]), abs=5e-5), row["processid"]


@pytest.mark.parametrize("box", [(400, 300, 500, 360), (10, 20, 15, 22), (0, 0, 1024, 768), (900, 100, 1000, 140)])
def test_a_window_is_four_by_three_around_the_grown_box_and_filled_outside(box):
    crop = CropRule().cut(dish(box), box)
    grown = int(0.4 * max(box[2] - box[0], box[3] - box[1]) / 2)
    assert abs(crop.width * 3 - crop.height * 4) <= 8
    assert crop.width >= box[2] - box[0] + 2 * grown
    x0, y0, _, _ = CropRule().window(box)
    if x0 < 0 or y0 < 0:
        assert crop.getpixel((0, 0)) == (204, 218, 243)


def test_a_tall_box_is_turned_counter_clockwise_and_the_first_tool_did_not():
    picture = dish((400, 200, 440, 400))
    picture.paste((255, 0, 0), (400, 200, 440, 220))  # the head, above
    crop = CropRule().cut(picture, (400, 200, 440, 400))
    assert crop.width > crop.height
    red = [place for place in range(crop.width) if crop.getpixel((place, crop.height // 2)) == (255, 0, 0)]
    assert red
    assert max(red) < crop.width / 2  # what was above is on the left
    small = ONE_MILLION.cut(picture, (400, 200, 440, 400))
    assert small.size == (40 + 80, 200 + 80)
    assert ONE_MILLION.cut(picture, (0, 0, 40, 200)).getpixel((0, 0)) == (240, 240, 240)


@pytest.mark.parametrize(
    ("size", "wanted"), [((1024, 768), (341, 256)), ((768, 1024), (256, 341)), ((5, 5), (256, 256))]
)
def test_the_shorter_side_is_what_was_asked_and_the_other_rounded_down(size, wanted):
    assert shorter_side(Image.new("RGB", size), 256).size == wanted


@pytest.mark.parametrize(
    ("corners", "problem"),
    [
        ((10, 10, 5, 20), "corners are swapped"),
        ((10, 10, 10, 20), "no area"),
        ((-1, 0, 5, 5), "outside the photograph"),
        ((0, 0, 101, 5), "outside the photograph"),
        ((0, 0, float("nan"), 5), "no numbers"),
        ((0, 0, 100, 80), None),
    ],
)
def test_boxes_say_what_is_wrong_with_them(corners, problem):
    found = Box("P", 100, 80, *corners).problem
    assert found is None if problem is None else problem in found


def test_a_box_of_another_size_is_scaled_and_of_another_shape_refused():
    box = Box("P", 1024, 768, 100, 200, 300, 400)
    assert box.in_photograph(2048, 1536).corners == (200, 400, 600, 800)
    assert box.in_photograph(341, 256).corners == pytest.approx((33.3, 66.7, 99.9, 133.3), abs=0.1)
    with pytest.raises(ValueError, match="another shape"):
        box.in_photograph(768, 1024)


def test_tables_of_boxes_are_read_back_and_bad_ones_named(tmp_path):
    boxes = [Box("A1", 1024, 768, 1, 2, 30, 40), Box("B2", 1024, 768, 1.5, 2, 30.25, 40)]
    write_boxes(boxes, tmp_path / "boxes.tsv")
    assert list(read_boxes(tmp_path / "boxes.tsv")) == boxes
    text = (tmp_path / "boxes.tsv").read_text()
    for wrong, message in (
        (text.replace("B2", "A1"), "row 2, A1: a second box; it has one in row 1"),
        (text.replace("\t30\t", "\tx\t"), "row 1, A1: a size or corner is no number"),
        (text.replace("x1", "right"), "no column x1: there is processid"),
    ):
        (tmp_path / "wrong.tsv").write_text(wrong)
        with pytest.raises(ReleaseError) as caught:
            list(read_boxes(tmp_path / "wrong.tsv"))
        assert message in str(caught.value)


def test_the_fallback_finds_drawn_specimens_and_knows_an_empty_dish(originals):
    boxes = {box.processid: box for box in read_boxes(originals / BOXES)}
    some = list(photographs(originals).items())[:12]
    for processid, data in some:
        with Image.open(io.BytesIO(data)) as picture:
            found = find_specimen(picture.convert("RGB"))
        assert overlap(found.box, boxes[processid].corners) > 0.7, processid
    assert find_specimen(dish(None)) is None


@pytest.mark.parametrize("size", [(1, 1), (2, 900), (1024, 768), (50, 40)])
def test_the_fallback_takes_any_size(size):
    assert find_specimen(Image.new("RGB", size, GROUND)) is None


def overlap(one, other):
    x0, y0, x1, y1 = max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])
    both = max(0, x1 - x0) * max(0, y1 - y0)
    areas = sum((box[2] - box[0]) * (box[3] - box[1]) for box in (one, other))
    return both / (areas - both)


@pytest.fixture
def folder(tmp_path):
    """Photographs as people have them."""
    folder = tmp_path / "photographs"
    (folder / "plate 1").mkdir(parents=True)
    dish().save(folder / "plate 1" / "A 1.jpg", quality=95)
    dish().convert("L").save(folder / "grey.png")
    dish().convert("CMYK").save(folder / "cmyk.jpg")
    dish().convert("RGBA").save(folder / "rgba.png")
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90° clockwise
    dish().transpose(Image.Transpose.ROTATE_90).save(folder / "turned.jpg", exif=exif)
    dish(None).save(folder / "empty.jpg")
    Image.new("RGB", (1, 1)).save(folder / "tiny.png")
    (folder / "text.jpg").write_text("no photograph")
    (folder / "notes.txt").write_text("nothing")
    (folder / "plate 2").mkdir()
    dish().save(folder / "plate 2" / "A 1.jpg")
    return folder


def test_any_photograph_is_cropped_or_listed(folder, tmp_path):
    done = crop_folder(folder, tmp_path / "crops", workers=1)
    assert {box.processid for box in done.boxes} == {"A 1", "grey", "cmyk", "rgba", "turned"}
    for box in done.boxes:
        assert overlap(box.corners, (400, 300, 500, 360)) > 0.85, box
    with (tmp_path / "crops" / "skipped.csv").open(newline="") as stream:
        reasons = {row["file"]: row["reason"] for row in csv.DictReader(stream)}
    assert reasons["empty.jpg"] == reasons["tiny.png"] == "an empty dish"
    assert "no photograph that can be read" in reasons["text.jpg"]
    assert reasons["notes.txt"] == "no photograph by its name"
    assert reasons[os.path.join("plate 2", "A 1.jpg")].startswith("called like plate 1")
    with Image.open(tmp_path / "crops" / "plate 1" / "A 1.jpg") as crop:
        assert b'"quality": 75' in crop.info["comment"]


def test_a_second_run_crops_only_what_is_new_or_asked_in_another_way(folder, tmp_path):
    out = tmp_path / "crops"
    crop_folder(folder, out, workers=1)
    first = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    again = crop_folder(folder, out, workers=1)
    assert again.there == len(first) == 5
    assert {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")} == first
    dish((100, 100, 300, 200)).save(folder / "cmyk.jpg")
    changed = crop_folder(folder, out, workers=1)
    assert changed.there == 4
    assert overlap(next(one.corners for one in changed.boxes if one.processid == "cmyk"), (100, 100, 300, 200)) > 0.9
    assert crop_folder(folder, out, workers=1, short_side=64).there == 0
    assert all(min(Image.open(path).size) == 64 for path in first)


def test_known_boxes_are_used_and_wrong_ones_listed(folder, tmp_path):
    known = [Box("A 1", 2048, 1536, 800, 600, 1000, 720), Box("grey", 768, 1024, 1, 2, 30, 40)]
    known += [Box("rgba", 1024, 768, 30, 40, 10, 60), Box("cmyk", 1024, 768, 400, 300, 500, 360)]
    write_boxes(known, tmp_path / "known.tsv")
    done = crop_folder(folder, tmp_path / "crops", boxes=tmp_path / "known.tsv", workers=2)
    assert {box.processid: box.corners for box in done.boxes} == dict.fromkeys(["A 1", "cmyk"], (400, 300, 500, 360))
    reasons = {one.file: one.reason for one in done.skipped}
    assert "another shape" in reasons["grey.png"]
    assert "corners are swapped" in reasons["rgba.png"]
    assert reasons["empty.jpg"] == "no box"
    assert crop_folder(folder, tmp_path / "crops", boxes=tmp_path / "known.tsv", workers=1).there == 2
    write_boxes([known[-1], Box("A 1", 1024, 768, 390, 290, 500, 360)], tmp_path / "known.tsv")
    assert crop_folder(folder, tmp_path / "crops", boxes=tmp_path / "known.tsv", workers=1).there == 1


def test_a_detector_of_transformers_gives_the_boxes(folder, tmp_path):
    import torch
    from transformers import YolosConfig, YolosForObjectDetection, YolosImageProcessor

    from bioscan5m_hf.data.images import Detector

    config = YolosConfig(
        hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32, image_size=[64, 64],
        num_detection_tokens=3, num_labels=1,
    )  # fmt: skip
    torch.manual_seed(0)
    YolosForObjectDetection(config).save_pretrained(tmp_path / "detector")
    YolosImageProcessor(size={"height": 64, "width": 64}).save_pretrained(tmp_path / "detector")
    detector = Detector(str(tmp_path / "detector"), device="cpu")
    done = crop_folder(folder, tmp_path / "crops", detector=detector, sure=0.0, workers=1)
    assert {box.processid for box in done.boxes} >= {"A 1", "grey", "empty"}
    assert all(box.problem is None for box in done.boxes)
    assert crop_folder(folder, tmp_path / "crops", detector=detector, sure=0.0, workers=1).there == len(done.boxes)
    unsure = crop_folder(folder, tmp_path / "none", detector=detector, sure=1.0, workers=1)
    assert not unsure.boxes
    assert any(one.score is not None for one in unsure.skipped if "sure enough" in one.reason)


def test_photographs_are_never_written_over(folder, tmp_path):
    for out in (folder, folder / "inside", tmp_path):
        with pytest.raises(OutputError, match="lie in each other"):
            crop_folder(folder, out)
        with pytest.raises(OutputError, match="lie in each other"):
            resize_folder(folder, out)
    (tmp_path / "nothing").mkdir()
    with pytest.raises(ReleaseError, match="a folder without photographs"):
        resize_folder(tmp_path / "nothing", tmp_path / "out")
    with pytest.raises(ValueError, match="use 1 to 95"):
        crop_folder(folder, tmp_path / "out", quality=101)
    assert not (tmp_path / "out").exists()


def test_photographs_are_resized_once(folder, tmp_path):
    done = resize_folder(folder, tmp_path / "small", 100, workers=1)
    assert (done.photographs, done.there) == (7, 0)
    assert all(min(Image.open(path).size) == 100 for path in (tmp_path / "small").rglob("*.jpg"))
    assert resize_folder(folder, tmp_path / "small", 100, workers=1).there == 7


def test_the_command_says_what_it_did(folder, tmp_path):
    command = [sys.executable, "-m", "bioscan5m_hf.cli", "crop", str(folder), str(tmp_path / "out"), "--workers", "1"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "5 crops, 5 files not cropped" in said
    both = subprocess.run([*command, "--boxes", "a", "--detector", "b"], capture_output=True, text=True, check=False)
    assert both.returncode == 1
    assert "give one of them" in both.stderr


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


def test_what_was_cut_is_what_the_release_has_where_nothing_is_turned(originals, tmp_path):
    done = repackage(originals, originals / BOXES, tmp_path / "new", rule=CropRule(turn=False), workers=1)
    assert not done.rejected
    ours, theirs = (zipped(folder) for folder in (tmp_path / "new", originals.parent))
    for name in list(ours)[:20]:
        one, other = (Image.open(io.BytesIO(found[name])).convert("L") for found in (ours, theirs))
        assert one.size == other.size
        middle = (one.width // 2, one.height // 2)
        assert abs(one.getpixel(middle) - other.getpixel(middle)) < 40


def zipped(folder):
    found = {}
    for path in sorted(folder.glob("BIOSCAN_5M_cropped.0*.zip")):
        with zipfile.ZipFile(path) as archive:
            found |= {name: archive.read(name) for name in archive.namelist()}
    return found


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


def test_addresses_in_the_zips_have_their_chunks(originals, tmp_path):
    repackage(originals, originals / BOXES, tmp_path / "new", workers=1)
    for path in (tmp_path / "new").glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            for info in archive.infolist():
                package, split, *_, file = info.filename.split("/")[2:]
                assert info.filename == splits.image_path(package, split, file[:-4])
                assert info.compress_type == zipfile.ZIP_STORED
