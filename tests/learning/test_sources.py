"""Barcodes come from a dataset, streamed or not, and from Parquet files of further reads."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from bioscan5m_hf.learning.sources import load_table, read_extra, tables_folder
from bioscan5m_hf.learning.tables import TableError


@pytest.fixture(autouse=True)
def own_cache(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "cache")


def bases(table):
    return set(map(tuple, table.keys.tolist()))


def test_a_dataset_gives_each_barcode_once_streamed_or_not(dataset, tmp_path, monkeypatch):
    rows = load_dataset(str(dataset), "metadata", split="train+val")
    expected = {row["dna_barcode"].rstrip("N") for row in rows if row["dna_barcode"].rstrip("N")}
    table = load_table(str(dataset), "train+val", layout="standard")
    assert table.about["specimens"] == len(rows)
    assert len(table) == len(expected)
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path / "other")
    streamed = load_table(str(dataset), "train+val", layout="standard", streaming=True)
    assert bases(streamed) == bases(table)
    assert streamed.about["digest"] == table.about["digest"]


def test_a_rerun_reads_nothing(dataset, monkeypatch):
    load_table(str(dataset), "val", layout="standard")
    monkeypatch.setattr("datasets.load_dataset", None)
    assert len(load_table(str(dataset), "val", layout="standard"))


def test_labels_come_along(dataset):
    table = load_table(str(dataset), "train", layout="standard", labels=("genus", "species"))
    assert table.rows.column_names == ["processid", "genus", "species"]
    assert table.rows["species"].null_count < len(table)


def test_further_reads_are_added_once(dataset, tmp_path):
    plain = load_table(str(dataset), "val", layout="standard")
    first = load_dataset(str(dataset), "metadata", split="val")[0]["dna_barcode"]
    file = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"nucleotides": [first, "ACGTACGTACGT", None]}), file)
    table = load_table(str(dataset), "val", layout="standard", extra=[str(file)])
    assert len(table) == len(plain) + 1
    assert table.processids(np.array([len(plain)])) == ["pool.parquet:2"]
    pq.write_table(pa.table({"nucleotides": ["ACGTACGTACGTTT"]}), file)
    assert len(load_table(str(dataset), "val", layout="standard", extra=[str(file)], labels=["genus"])) > len(plain)


def test_processids_of_a_file_are_kept_where_there_are_any(tmp_path):
    file = tmp_path / "pool.parquet"
    pq.write_table(pa.table({"processid": ["A-1", None], "dna_barcode": ["ACGT", "GGGG"], "order": ["x", "y"]}), file)
    (table,) = read_extra(file)
    assert table.to_pydict() == {"processid": ["A-1", "pool.parquet:2"], "dna_barcode": ["ACGT", "GGGG"]}


def test_a_file_that_cannot_be_used_is_an_error(dataset, tmp_path):
    with pytest.raises(TableError, match=r"absent.parquet cannot be read as Parquet"):
        load_table(str(dataset), "val", layout="standard", extra=[str(tmp_path / "absent.parquet")])
    broken = tmp_path / "broken.parquet"
    broken.write_text("no Parquet")
    with pytest.raises(TableError, match=r"broken.parquet cannot be read as Parquet"):
        list(read_extra(broken))
    pq.write_table(pa.table({"reads": ["ACGT"]}), broken)
    with pytest.raises(TableError, match="has the columns reads: name the one with the barcodes dna_barcode"):
        list(read_extra(broken))


def test_an_unknown_split_is_an_error(dataset):
    with pytest.raises(ValueError, match="dev"):
        load_table(str(dataset), "train+dev", layout="standard")


def test_tables_are_kept_in_the_cache_of_datasets(tmp_path):
    assert tables_folder() == tmp_path / "cache" / "bioscan5m-barcodes"
