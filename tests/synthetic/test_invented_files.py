"""The files of an invented release: layout, agreement between them, determinism, failures."""

from __future__ import annotations

import csv
import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile

import pytest
from PIL import Image

from bioscan5m_hf import splits
from bioscan5m_hf.data.kinds import MARKS, Kind
from bioscan5m_hf.data.packages import archive_name
from bioscan5m_hf.data.schema import COLUMN_NAMES
from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.synthetic import PACKAGES, release, synthesize
from bioscan5m_hf.synthetic.photograph import CAPTION, QUALITY, caption_box, crop_window
from bioscan5m_hf.synthetic.writing import BOX_COLUMNS, BOXES_TSV, CSV_MEMBER, JSONLD_MEMBER, METADATA_ZIP


Rows = list[dict[str, str]]
INVENTED = MARKS[Kind.INVENTED]
ARCHIVES = {
    "BIOSCAN_5M_cropped_256_train.zip",
    "BIOSCAN_5M_cropped_256_eval.zip",
    "BIOSCAN_5M_cropped_256_pretrain.01.zip",
    "BIOSCAN_5M_cropped_256_pretrain.02.zip",
    "BIOSCAN_5M_original_256_train.zip",
    "BIOSCAN_5M_original_256_eval.zip",
    "BIOSCAN_5M_original_256_pretrain.zip",
    "BIOSCAN_5M_cropped.01.zip",
    "BIOSCAN_5M_cropped.02.zip",
    *(f"BIOSCAN_5M_original_full.{part:02d}.zip" for part in range(1, 6)),
}


def boxes_of(root: Path) -> dict[str, dict[str, str]]:
    with (root / BOXES_TSV).open(newline="") as file:
        return {row["processid"]: row for row in csv.DictReader(file, delimiter="\t")}


def picture(root: Path, package: str, row: dict[str, str]) -> Image.Image:
    name = archive_name(package, row["split"], row["processid"])
    with ZipFile(root / name) as archive:
        content = archive.read(splits.image_path(package, row["split"], row["processid"]))
    image = Image.open(io.BytesIO(content))
    image.load()
    return image


def fingerprint(root: Path) -> dict[str, str]:
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in sorted(root.iterdir())}


def test_the_files_have_the_official_names(invented: Path) -> None:
    assert {path.name for path in invented.iterdir()} == ARCHIVES | {METADATA_ZIP, BOXES_TSV, "README.md", INVENTED}
    assert "Everything in this folder is invented" in (invented / "README.md").read_text()


def test_every_specimen_has_one_stored_picture_in_every_package_at_its_official_address(
    invented: Path, rows: Rows
) -> None:
    for package in PACKAGES:
        names: list[str] = []
        for path in invented.glob(f"BIOSCAN_5M_{package}[._]*.zip"):
            if package == "cropped" and "cropped_256" in path.name:
                continue
            with ZipFile(path) as archive:
                assert {info.compress_type for info in archive.infolist()} == {ZIP_STORED}
                names += archive.namelist()
        assert sorted(names) == sorted(splits.image_path(package, row["split"], row["processid"]) for row in rows)


def test_the_metadata_zip_holds_the_same_rows_as_csv_and_as_a_json_array_of_texts(invented: Path, rows: Rows) -> None:
    with ZipFile(invented / METADATA_ZIP) as archive:
        assert [name for name in archive.namelist() if not name.endswith(INVENTED)] == [CSV_MEMBER, JSONLD_MEMBER]
        assert {info.compress_type for info in archive.infolist()} == {ZIP_DEFLATED}
        text = archive.read(JSONLD_MEMBER).decode()
    assert text.startswith('[\n    {\n        "processid": "INV')
    assert json.loads(text) == rows
    assert json.dumps(rows, indent=4) == text
    assert tuple(rows[0]) == COLUMN_NAMES


def test_boxes_agree_with_the_metadata_and_with_the_formulas(invented: Path, rows: Rows) -> None:
    boxes = boxes_of(invented)
    assert tuple(next(iter(boxes.values()))) == BOX_COLUMNS
    assert list(boxes) == [row["processid"] for row in rows]
    for row in rows:
        box = boxes[row["processid"]]
        x0, y0, x1, y1 = (int(box[corner]) for corner in ("x0", "y0", "x1", "y1"))
        width, height = x1 - x0, y1 - y0
        assert 0 <= x0 < x1 <= 1024
        assert 0 <= y0 < y1 <= 768
        assert float(row["area_fraction"]) == float(box["area_fraction"]) == round(width * height / (1024 * 768), 4)
        assert float(row["scale_factor"]) == float(box["scale_factor"]) == round(min(width, height) / 256, 4)
        assert row["image_measurement_value"].endswith(".0")
        assert 0 < float(row["image_measurement_value"]) <= width * height


def test_pictures_have_the_official_sizes_and_crops_follow_the_boxes(invented: Path, rows: Rows) -> None:
    boxes = boxes_of(invented)
    for row in rows[::8]:
        assert picture(invented, "original_full", row).size == (1024, 768)
        assert picture(invented, "original_256", row).size == (341, 256)
        box = boxes[row["processid"]]
        x0, y0, x1, y1 = crop_window(tuple(int(box[corner]) for corner in ("x0", "y0", "x1", "y1")))
        cropped = picture(invented, "cropped", row)
        assert cropped.size == (x1 - x0, y1 - y0)
        small = picture(invented, "cropped_256", row)
        assert small.size == (int(256 * cropped.width / cropped.height), 256)
        assert 333 <= small.width <= 352


def test_the_box_is_tight_around_what_is_drawn(invented: Path, rows: Rows) -> None:
    """Inside the box there is a dark or colourful animal; the same frame elsewhere shows the even ground."""
    boxes = boxes_of(invented)
    for row in rows[:20]:
        box = tuple(int(boxes[row["processid"]][corner]) for corner in ("x0", "y0", "x1", "y1"))
        grey = picture(invented, "original_full", row).convert("L")
        inside = grey.crop(box)
        low, _ = inside.getextrema()
        assert low < 110
        assert low < grey.resize((64, 48), Image.Resampling.BOX).getextrema()[1] - 80


@pytest.mark.parametrize("package", PACKAGES)
def test_every_picture_says_that_it_is_invented(invented: Path, rows: Rows, package: str) -> None:
    for row in rows[::10]:
        image = picture(invented, package, row)
        assert image.info["comment"] == CAPTION.lower().encode()
        assert "invented" in image.getexif()[0x010E]
        letters = image.crop(caption_box(image.size)).convert("L")
        dark = sum(letters.histogram()[:130]) / (letters.width * letters.height)
        assert dark > 0.05, f"no caption in {row['processid']} of {package}"


def test_pictures_are_written_with_the_usual_quality(invented: Path, rows: Rows) -> None:
    plain = io.BytesIO()
    Image.new("RGB", (8, 8)).save(plain, "JPEG", quality=QUALITY)
    assert picture(invented, "original_full", rows[0]).quantization == Image.open(plain).quantization


def test_equal_seeds_give_equal_bytes_for_any_number_of_processes_and_any_packages(
    tmp_path: Path, invented: Path
) -> None:
    one = fingerprint(invented)
    two = fingerprint(synthesize(tmp_path / "two", specimens=160, seed=3, packages=["cropped_256"], workers=2))
    assert set(one) - set(two) == {name for name in ARCHIVES if "cropped_256" not in name}
    assert two == {name: one[name] for name in two}


def test_another_seed_gives_another_release(tmp_path: Path, invented: Path) -> None:
    other = fingerprint(synthesize(tmp_path / "other", specimens=160, seed=4, metadata_only=True))
    assert other[METADATA_ZIP] != fingerprint(invented)[METADATA_ZIP]


def test_without_packages_sizes_are_still_those_of_the_drawings(tmp_path: Path) -> None:
    none = synthesize(tmp_path / "none", specimens=100, packages=[], jsonld=False, workers=1)
    some = synthesize(tmp_path / "some", specimens=100, packages=["original_256"], jsonld=False, workers=1)
    assert {path.name for path in none.iterdir()} == {METADATA_ZIP, BOXES_TSV, "README.md", INVENTED}
    assert (none / METADATA_ZIP).read_bytes() == (some / METADATA_ZIP).read_bytes()


def test_metadata_only_differs_in_sizes_alone(tmp_path: Path, rows: Rows, read_rows: Callable[[Path], Rows]) -> None:
    sizes = ("image_measurement_value", "area_fraction", "scale_factor")
    quick = read_rows(synthesize(tmp_path / "quick", specimens=160, seed=3, metadata_only=True, jsonld=False))
    for one, other in zip(rows, quick, strict=True):
        assert {k: v for k, v in one.items() if k not in sizes} == {k: v for k, v in other.items() if k not in sizes}


def test_an_unknown_package_is_refused_with_the_allowed_ones(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="unknown image package 'cropped_512': use cropped_256, original_256"):
        synthesize(tmp_path / "out", packages=["cropped_512"])


def test_too_few_specimens_are_refused_with_the_minimum(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="99; an invented release needs at least 100"):
        synthesize(tmp_path / "out", specimens=99)
    assert not any(tmp_path.iterdir())


def test_a_folder_with_content_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="not empty: choose another folder"):
        synthesize(tmp_path, specimens=100)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_empty_folder_is_used(tmp_path: Path) -> None:
    root = tmp_path / "empty"
    root.mkdir()
    assert synthesize(root, specimens=100, metadata_only=True, jsonld=False) == root


def test_a_failure_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(release, "write_metadata", full)
    with pytest.raises(OSError, match="No space"):
        synthesize(tmp_path / "out", specimens=100, metadata_only=True)
    assert not any(tmp_path.iterdir())
