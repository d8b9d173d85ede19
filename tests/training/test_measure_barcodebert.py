"""What is measured of an encoder, and that a card's table is the one of its records."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from scripts import ROOT, load
from transformers import BertConfig, BertModel

from bioscan5m_hf import BarcodeEncoder
from bioscan5m_hf.dna import LAYOUTS
from bioscan5m_hf.learning.report import Record
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel, save_stock


ALIGNED = ["alignment (megablast, bit score)", "alignment (megablast, p-distance)"]
CARD = ROOT / "models" / "barcodebert-public"


@pytest.fixture(scope="module")
def measured(dataset, tmp_path_factory):
    torch.manual_seed(0)
    folder = tmp_path_factory.mktemp("measured")
    small = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    save_stock(BarcodeBertModel(BarcodeBertConfig(kmer_size=4, **small)), folder / "model")
    blast = ("--blast", "megablast", "--queries", 40) if shutil.which("blastn") else ()
    arguments = ("--model", folder / "model", "--dataset", dataset, "--departures", 8, 4, "--frames", *blast)
    load("measure_barcodebert").main([str(each) for each in (*arguments, "--out", folder / "out")])
    return folder / "out"


def records_in(folder, file="results.json"):
    return [Record(**values) for values in json.loads((folder / file).read_text(encoding="utf-8"))]


def test_every_way_is_measured_alike(measured):
    records = records_in(measured)
    ways = dict.fromkeys(record.task for record in records)
    expected = [
        "counts of 4-mers",
        "counts of 6-mers",
        "departures at each place, 4 numbers",
        "departures at each place, 8 numbers",
        "model, untrained",
        "model",
    ]
    expected += ["model, mean of 4 frames", *(ALIGNED if shutil.which("blastn") else [])]
    assert sorted(ways) == sorted(expected)
    assert len({frozenset(record.metric for record in records if record.task == way) for way in ways}) == 1
    assert all(0 <= record.value <= 1 for record in records if record.metric != "keys left out")
    assert len({record.data for record in records}) == 1
    assert all(record.command and record.code and record.data_revision for record in records)


def test_counts_find_the_genus_of_left_out_species_better_than_chance(measured):
    found = {record.task: record.value for record in records_in(measured) if record.metric == "genus"}
    assert found["counts of 6-mers"] > 0.3


def test_the_table_has_a_row_for_each_way(measured):
    table = (measured / "table.md").read_text(encoding="utf-8")
    assert table == load("measure_barcodebert").table(records_in(measured))
    assert table.count("\n| ") == len({record.task for record in records_in(measured)})


@pytest.mark.parametrize("file", ["results.json", "results-sample.json"])
def test_the_tables_of_the_card_are_those_of_its_records(file):
    table = load("measure_barcodebert").table(records_in(CARD, file))
    assert table in (CARD / "README.md").read_text(encoding="utf-8")


def test_the_public_model_beats_all_but_the_alignment():
    found = {record.task: record.value for record in records_in(CARD) if record.metric == "genus"}
    baselines = ("counts of 4-mers", "counts of 6-mers", "barcodebert-public, untrained")
    assert found["barcodebert-public"] > max(found[name] for name in baselines)


def test_a_model_of_the_authors_is_compared_with_its_own_shape_untrained(tmp_path):
    """Their config.json says neither the size of k-mers nor the layout of ids."""
    size = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertModel(BertConfig(vocab_size=66, **size)).save_pretrained(tmp_path)
    theirs = BarcodeEncoder.from_pretrained(str(tmp_path))
    fresh = load("measure_barcodebert").untrained(theirs)
    assert (fresh.k, fresh.layout) == (3, LAYOUTS["original"])
    assert {name: value.shape for name, value in fresh.model.state_dict().items()} == {
        name: value.shape for name, value in theirs.model.state_dict().items()
    }
    assert not np.allclose(fresh.embed(["ACGTACGTA"]), theirs.embed(["ACGTACGTA"]))


def test_a_dataset_without_questions_is_refused(tmp_path, dataset):
    copy = shutil.copytree(dataset, tmp_path / "unlabelled")
    for file in (copy / "metadata").glob("*.parquet"):
        rows = pq.read_table(file)
        field = rows.schema.field("species")
        place = rows.schema.get_field_index("species")
        pq.write_table(rows.set_column(place, field, pa.nulls(len(rows), field.type)), file)
    with pytest.raises(SystemExit, match="has no labelled specimens to ask"):
        load("measure_barcodebert").main(["--dataset", str(copy), "--out", str(tmp_path / "out")])
