"""Cropping and resizing: the published rule and formulas, any photograph, resumed and told."""

import csv
import io
import os
import subprocess
import sys

import pytest
from dishes import BOXES, GROUND, dish, overlap, photographs
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan5m_hf.data.images import (
    ONE_MILLION,
    Box,
    CropRule,
    crop_folder,
    find_specimen,
    read_boxes,
    resize_folder,
    shorter_side,
    write_boxes,
)
from bioscan5m_hf.errors import OutputError, ReleaseError


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


def step_by_step(picture, box):
    """Crop as the published tool does: turn the whole photograph, pad it, then cut."""
    x0, y0, x1, y1 = box
    half = (1.4 - 1) * max(x1 - x0, y1 - y0) / 2
    x0, y0, x1, y1 = int(x0 - half), int(y0 - half), int(x1 + half), int(y1 + half)
    if y1 - y0 > x1 - x0:
        x0, y0, x1, y1 = y0, picture.width - x1, y1, picture.width - x0
        picture = picture.transpose(Image.Transpose.ROTATE_90)
    width, height = x1 - x0, y1 - y0
    if height / 3 * 4 > width:
        more = height / 3 * 4 - width
        x0, x1 = round(x0 - more / 2), round(x1 + more / 2)
    elif width / 4 * 3 > height:
        more = width / 4 * 3 - height
        y0, y1 = round(y0 - more / 2), round(y1 + more / 2)
    padded = Image.new("RGB", (picture.width + 4000, picture.height + 4000), (204, 218, 243))
    padded.paste(picture, (2000, 2000))
    return padded.crop((x0 + 2000, y0 + 2000, x1 + 2000, y1 + 2000))


@given(st.tuples(*[st.integers(0, 180)] * 2), st.tuples(*[st.integers(1, 200)] * 2))
@settings(max_examples=150, deadline=None)
def test_crops_are_those_of_the_published_steps_pixel_for_pixel(corner, size):
    picture = Image.effect_noise((201, 150), 80).convert("RGB")
    x0, y0 = corner[0], min(corner[1], 148)
    box = (x0, y0, min(201, x0 + size[0]), min(150, y0 + size[1]))
    one, other = CropRule().cut(picture, box), step_by_step(picture, box)
    assert one.size == other.size
    assert one.tobytes() == other.tobytes()


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
    unsure = crop_folder(folder, tmp_path / "crops", detector=detector, sure=1.0, workers=1)
    assert not unsure.boxes  # an earlier run was content with less
    assert not list((tmp_path / "crops").rglob("*.jpg"))
    assert str(tmp_path) not in detector.name
    other = Detector(str(tmp_path / "detector"), device="cpu").name
    assert other == detector.name
    torch.manual_seed(1)
    YolosForObjectDetection(config).save_pretrained(tmp_path / "detector")
    assert Detector(str(tmp_path / "detector"), device="cpu").name != other
    assert any(one.score is not None for one in unsure.skipped if "sure enough" in one.reason)


def test_large_photographs_are_cropped_from_all_their_pixels(tmp_path):
    (tmp_path / "in").mkdir()
    dish((2000, 1500, 3000, 2300), (6000, 4000)).save(tmp_path / "in" / "A.jpg")
    write_boxes([Box("A", 6000, 4000, 2000, 1500, 3000, 2300)], tmp_path / "known.tsv")
    done = crop_folder(tmp_path / "in", tmp_path / "out", boxes=tmp_path / "known.tsv", workers=1)
    assert (done.boxes[0].width, done.boxes[0].height) == (6000, 4000)
    assert Image.open(tmp_path / "out" / "A.jpg").width == 1600


def test_what_is_not_cropped_any_more_keeps_no_crop(folder, tmp_path):
    box = (400, 300, 500, 360)
    write_boxes([Box("grey", 1024, 768, *box), Box("rgba", 1024, 768, *box)], tmp_path / "known.tsv")
    crop_folder(folder, tmp_path / "out", boxes=tmp_path / "known.tsv", workers=1)
    (tmp_path / "out" / "cmyk.jpg").write_bytes((folder / "cmyk.jpg").read_bytes())  # somebody's own
    write_boxes([Box("grey", 1024, 768, *box)], tmp_path / "known.tsv")
    crop_folder(folder, tmp_path / "out", boxes=tmp_path / "known.tsv", workers=1)
    assert {path.name for path in (tmp_path / "out").glob("*.jpg")} == {"grey.jpg", "cmyk.jpg"}


def test_a_photograph_that_was_replaced_by_an_older_file_is_cropped_anew(folder, tmp_path):
    crop_folder(folder, tmp_path / "out", workers=1)
    dish((100, 100, 300, 200)).save(folder / "cmyk.jpg")
    os.utime(folder / "cmyk.jpg", (1, 1))
    again = crop_folder(folder, tmp_path / "out", workers=1)
    assert overlap(next(one.corners for one in again.boxes if one.processid == "cmyk"), (100, 100, 300, 200)) > 0.9


def test_boxes_that_make_no_sense_end_no_run(folder, tmp_path):
    lines = ["\t".join(("processid", "width_original", "height_original", "x0", "y0", "x1", "y1"))]
    lines += ["grey\t0\t0\t1\t1\t5\t5", "rgba\t1024\t768\t400\t300\t500\t360"]
    (tmp_path / "known.tsv").write_text("\n".join(lines) + "\n")
    done = crop_folder(folder, tmp_path / "out", boxes=tmp_path / "known.tsv", workers=1)
    assert [box.processid for box in done.boxes] == ["rgba"]
    assert {one.file: one.reason for one in done.skipped}["grey.png"] == "the photograph is said to be 0×0 pixels"
    (tmp_path / "one line.json").write_text("x" * 200_000)
    with pytest.raises(ReleaseError, match=r"no table of boxes|no column processid"):
        crop_folder(folder, tmp_path / "out", boxes=tmp_path / "one line.json", workers=1)


@pytest.mark.parametrize(("size", "smaller"), [((1280, 960), (664, 498)), ((4032, 3024), (341, 256))])
def test_a_box_of_the_whole_photograph_stays_one_at_any_size(size, smaller):
    assert Box("A", *size, 0, 0, *size).in_photograph(*smaller).problem is None


def test_a_photograph_that_no_jpeg_can_hold_is_listed(tmp_path):
    (tmp_path / "in").mkdir()
    Image.new("RGB", (10, 3000)).save(tmp_path / "in" / "hair.png")
    dish().save(tmp_path / "in" / "last.jpg")
    done = resize_folder(tmp_path / "in", tmp_path / "out", workers=1)
    assert done.photographs == 1
    assert "a JPEG has at most 65,500 on a side" in done.skipped[0].reason


def test_the_table_that_was_given_is_not_written_over_and_names_that_cannot_be_written_are_listed(folder, tmp_path):
    crop_folder(folder, tmp_path / "out", workers=1)
    before = (tmp_path / "out" / "boxes.tsv").read_text()
    with pytest.raises(OutputError, match="would be written over"):
        crop_folder(folder, tmp_path / "out", boxes=tmp_path / "out" / "boxes.tsv")
    assert (tmp_path / "out" / "boxes.tsv").read_text() == before
    dish().save(folder / "tab\t.jpg")
    (folder / os.fsdecode(b"\xe9.jpg")).write_bytes((folder / "cmyk.jpg").read_bytes())
    done = crop_folder(folder, tmp_path / "out", workers=1)
    assert sum(one.reason.startswith("a name that no table can hold") for one in done.skipped) == 2
    assert list(read_boxes(tmp_path / "out" / "boxes.tsv")) == done.boxes


def test_files_that_were_not_made_here_stay_as_they_are(folder, tmp_path):
    for made, other in ((crop_folder, resize_folder), (resize_folder, crop_folder)):
        out = tmp_path / made.__name__
        out.mkdir()
        dish(None).save(out / "grey.jpg")
        mine = (out / "grey.jpg").read_bytes()
        for again in (made, other):
            left = {one.file: one.reason for one in again(folder, out, workers=1).skipped}
            assert "not made here" in left["grey.png"]
            assert (out / "grey.jpg").read_bytes() == mine
        assert "not made here" in left["cmyk.jpg"]  # it was made by the first of the two


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
    assert (done.photographs, done.there) == (8, 0)  # "A 1" of either plate
    with (tmp_path / "small" / "skipped.csv").open(newline="") as stream:
        assert {row["file"] for row in csv.DictReader(stream)} == {"text.jpg", "notes.txt"}
    assert all(min(Image.open(path).size) == 100 for path in (tmp_path / "small").rglob("*.jpg"))
    assert resize_folder(folder, tmp_path / "small", 100, workers=1).there == 8


def test_the_command_says_what_it_did(folder, tmp_path):
    command = [sys.executable, "-m", "bioscan5m_hf.cli", "crop", str(folder), str(tmp_path / "out"), "--workers", "1"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "5 crops, 5 files not cropped" in said
    both = subprocess.run([*command, "--boxes", "a", "--detector", "b"], capture_output=True, text=True, check=False)
    assert both.returncode == 1
    assert "give one of them" in both.stderr
