"""What stands in the shards: rows, order, types, features, page index, photographs byte for byte."""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import Features
from releases import column, make, record, records, tree, write_metadata, write_release

from bioscan5m_hf.data import parquet
from bioscan5m_hf.data.packages import IMAGE_PACKAGES, METADATA_MEMBERS
from bioscan5m_hf.data.release import Release
from bioscan5m_hf.data.schema import COLUMN_NAMES, COLUMNS, arrow_schema, specimen_fields, taxonomy_fields
from bioscan5m_hf.splits import SPLIT_NAMES, image_path


METADATA = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
TYPED = {
    pa.string(): str,
    pa.float64(): float,
    pa.int64(): lambda text: int(float(text)),
    pa.uint8(): lambda text: int(float(text)),
}


def csv_rows(release: Path) -> list[dict[str, str]]:
    """Read the metadata as Python's csv module does."""
    with zipfile.ZipFile(release / METADATA) as archive:
        text = archive.read(METADATA_MEMBERS["csv"]).decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def assert_same_rows(release: Path, folder: Path, config: str) -> None:
    """All rows of a config are those of the CSV, typed, in MD5 order, each in its split."""
    expected = csv_rows(release)
    for split in SPLIT_NAMES:
        rows = [row for row in expected if row["split"] == split]
        rows.sort(key=lambda row: hashlib.md5(row["processid"].encode()).digest())
        files = sorted((folder / config).glob(f"{split}-*.parquet"))
        tables = [pq.read_table(file, columns=list(COLUMN_NAMES)) for file in files]
        found = [row for table in tables for row in table.to_pylist()]
        typed = [
            {one.name: TYPED[one.type](row[one.name]) if row[one.name] else None for one in COLUMNS} for row in rows
        ]
        assert found == typed


@pytest.mark.parametrize("config", ["metadata", "cropped_256"])
def test_rows_are_those_of_the_csv_in_md5_order_over_all_shards(release, dataset, config):
    assert_same_rows(release, dataset, config)


@pytest.mark.parametrize("package", IMAGE_PACKAGES)
def test_photographs_are_those_of_the_zips_byte_for_byte(release, dataset, package):
    released = {}
    for found in Release.open(release).archives(package):
        with zipfile.ZipFile(found.path) as archive:
            released |= {name: archive.read(name) for name in archive.namelist() if name.endswith(".jpg")}
    built = {}
    for path in (dataset / package).glob("*.parquet"):
        for row in pq.read_table(path, columns=["image", "processid", "split"]).to_pylist():
            assert row["image"]["path"] == f"{row['processid']}.jpg"
            built[image_path(package, row["split"], row["processid"])] = row["image"]["bytes"]
    assert built == released


def test_every_shard_has_the_declared_schema_features_and_a_page_index(dataset):
    schemas = {
        "metadata": arrow_schema(specimen_fields()),
        "taxonomy": arrow_schema(taxonomy_fields(SPLIT_NAMES)),
    }
    files = sorted(dataset.glob("*/*.parquet"))
    assert {file.parent.name for file in files} == {*IMAGE_PACKAGES, "metadata", "taxonomy", "sample"}
    for file in files:
        declared = schemas.get(file.parent.name, arrow_schema(specimen_fields(image=True)))
        schema = pq.read_schema(file)
        assert (schema.names, schema.metadata) == (declared.names, declared.metadata)
        types, declared_types = (Features.from_arrow_schema(one.remove_metadata()) for one in (schema, declared))
        assert types == declared_types
        group = pq.read_metadata(file).row_group(0)
        for at in range(group.num_columns):
            chunk = group.column(at)
            photograph = chunk.path_in_schema == "image.bytes"  # has no smallest and largest value
            assert (chunk.has_offset_index, chunk.has_column_index) == (True, not photograph), chunk.path_in_schema
            assert chunk.compression == ("UNCOMPRESSED" if chunk.path_in_schema.startswith("image.") else "ZSTD")
            assert not photograph or "RLE_DICTIONARY" not in chunk.encodings


def test_shards_and_row_groups_stay_under_their_limits(release, tmp_path, monkeypatch):
    limit, group_limit = 200_000, 50_000
    monkeypatch.setattr("bioscan5m_hf.data.shards.SHARD_BYTES", limit)
    monkeypatch.setattr(parquet, "ROW_GROUP_BYTES", group_limit)
    monkeypatch.setattr("bioscan5m_hf.data.shards.ROWS_PER_READER", 2)
    make(release, tmp_path / "bioscan-5m", packages=["cropped_256"])
    by_split: dict[str, list[Path]] = {}
    for file in sorted((tmp_path / "bioscan-5m" / "cropped_256").glob("*.parquet")):
        by_split.setdefault(file.name.split("-")[0], []).append(file)
        foot = pq.read_metadata(file)
        content = sum(len(image["bytes"]) for image in pq.read_table(file)["image"].to_pylist())
        assert content <= limit
        assert foot.num_row_groups >= content // group_limit
    for files in by_split.values():
        rows = [pq.read_metadata(file).num_rows for file in files]
        assert max(rows) - min(rows) <= 1
        assert len(files) == 1 or len(files) % 8 == 0
        assert len(files) >= 8 or sum(rows) < 16
        assert all(file.name.endswith(f"-{at:05d}-of-{len(files):05d}.parquet") for at, file in enumerate(files))
    assert_same_rows(release, tmp_path / "bioscan-5m", "cropped_256")


def test_a_split_of_4000_rows_comes_in_eight_shards_in_one_order(tmp_path):
    rows = [record(f"R{number:05d}-26", "val") for number in range(4001)]
    release = write_release(tmp_path / "release", [])
    write_metadata(release, rows)
    make(release, tmp_path / "bioscan-5m", packages=[])
    files = sorted((tmp_path / "bioscan-5m" / "metadata").glob("val-*.parquet"))
    assert [pq.read_metadata(file).num_rows for file in files] == [500] * 7 + [501]
    names = column(tmp_path / "bioscan-5m", "val")
    assert names == sorted(names, key=lambda name: hashlib.md5(name.encode()).digest())


def test_image_configs_have_the_order_of_the_metadata(dataset):
    for split in SPLIT_NAMES:
        assert column(dataset, split) == column(dataset, split, config="original_256")


def test_metadata_taxonomy_and_sample_are_always_there(tmp_path):
    make(write_release(tmp_path / "release", package="original_256"), tmp_path / "bioscan-5m")
    configs = {name.split("/")[0] for name in tree(tmp_path / "bioscan-5m") if name.endswith(".parquet")}
    assert configs == {"original_256", "metadata", "taxonomy", "sample"}
    make(tmp_path / "release", tmp_path / "plain", packages=[])
    configs = {name.split("/")[0] for name in tree(tmp_path / "plain") if name.endswith(".parquet")}
    assert configs == {"metadata", "taxonomy"}
    assert "config_name: metadata\n  default: true" in (tmp_path / "plain" / "README.md").read_text()


def test_the_taxonomy_counts_the_records_of_every_name(release, dataset):
    rows = csv_rows(release)
    table = pq.read_table(next((dataset / "taxonomy").glob("*.parquet"))).to_pylist()
    for rank in ("order", "genus", "species"):
        names = sorted({row[rank] for row in rows if row[rank]})
        found = [row for row in table if row["rank"] == rank]
        assert [row["name"] for row in found] == names
        proper = [name for name in names if not name.startswith("unassigned ")]
        assert [row["index"] for row in found if not row["filler"]] == list(range(len(proper)))
        for row in found:
            for split in SPLIT_NAMES:
                assert row[split] == sum(one[rank] == row["name"] and one["split"] == split for one in rows)


def test_names_with_several_parents_keep_one_index_and_list_the_parents(tmp_path):
    rows = records({"val": 3})
    for row, family in zip(rows, ("Aidae", "Bidae", "Bidae"), strict=True):
        row |= {"class": "Insecta", "order": "Diptera", "family": family, "genus": "Aus"}
    make(write_release(tmp_path / "release", rows), tmp_path / "bioscan-5m", packages=[])
    table = pq.read_table(next((tmp_path / "bioscan-5m" / "taxonomy").glob("*.parquet"))).to_pylist()
    (genus,) = [row for row in table if row["rank"] == "genus"]
    assert (genus["index"], genus["parent_rank"], genus["parents"]) == (0, "family", ["Bidae", "Aidae"])
