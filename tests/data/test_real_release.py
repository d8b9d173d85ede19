"""Real barcodes and photographs build, load and stream; every row is the CSV's."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from datasets import Image, load_dataset
from releases import make
from test_shard_layout import TYPED, assert_same_rows, csv_rows

from bioscan5m_hf.data.schema import COLUMNS


@pytest.fixture(scope="module")
def photographs(shared_data, tmp_path_factory) -> tuple[Path, Path]:
    """Give the release of real photographs and the dataset built from it."""
    folder = tmp_path_factory.mktemp("real") / "bioscan-5m"
    make(shared_data / "real_images", folder, decode=True)
    return shared_data / "real_images", folder


def typed(row: dict[str, str]) -> dict[str, object]:
    return {one.name: TYPED[one.type](row[one.name]) if row[one.name] else None for one in COLUMNS}


def test_real_photographs_build_and_every_row_is_the_csvs(photographs):
    release, folder = photographs
    for config in ("metadata", "original_full"):
        assert_same_rows(release, folder, config)


@pytest.mark.parametrize("streaming", [False, True])
def test_real_photographs_load(photographs, streaming):
    release, folder = photographs
    expected = {row["processid"]: typed(row) for row in csv_rows(release)}
    loaded = load_dataset(str(folder), split="pretrain", streaming=streaming)
    found = {}
    for row in loaded:
        image = row.pop("image")
        assert (image.format, image.size) == ("JPEG", (1024, 768))
        found[row["processid"]] = row
    assert found == expected


def test_real_photographs_are_not_encoded_again(photographs, shared_data):
    _, folder = photographs
    with zipfile.ZipFile(shared_data / "real_images" / "BIOSCAN_5M_original_full.01.zip") as archive:
        released = {Path(name).name: archive.read(name) for name in archive.namelist() if name.endswith(".jpg")}
    rows = load_dataset(str(folder), split="pretrain", streaming=True).cast_column("image", Image(decode=False))
    assert {row["image"]["path"]: row["image"]["bytes"] for row in rows} == released


@pytest.mark.slow
def test_real_barcodes_build_load_and_stream(shared_data, tmp_path):
    release, folder = shared_data / "real_barcodes", tmp_path / "bioscan-5m"
    state = make(release, folder)
    rows = csv_rows(release)
    assert state.configs["metadata"].counts == {"records": len(rows), "rows": len(rows), "rejected": 0}
    assert_same_rows(release, folder, "metadata")
    columns = ["processid", "dna_barcode", "species"]
    loaded = load_dataset(str(folder), "metadata", columns=columns)
    assert {split: len(part) for split, part in loaded.items()} == {
        split: sum(row["split"] == split for row in rows) for split in {row["split"] for row in rows}
    }
    barcodes = {row["processid"]: row["dna_barcode"] for row in rows if row["split"] == "val"}
    streamed = load_dataset(str(folder), "metadata", split="val", columns=columns, streaming=True)
    assert {row["processid"]: row["dna_barcode"] for row in streamed} == barcodes
