"""A collection on the Hub, and names by a fine-tuned model, without a page."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest
import torch
from huggingface_hub import HfApi

from bioscan5m_hf.browse.catalogue import Filter
from bioscan5m_hf.browse.collection import open_collection
from bioscan5m_hf.browse.page import Answers
from bioscan5m_hf.embedding.lineage import Lineages
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification


sys.path.insert(0, str(Path(__file__).parents[1] / "embedding"))

from tiny_models import SIZE


def test_a_dataset_on_the_hub_is_shown_by_its_id(hub, dataset, repo_id, tmp_path):
    small = tmp_path / "small"
    shutil.copytree(dataset, small, ignore=shutil.ignore_patterns("original*", "cropped", "sample"))
    client = HfApi()
    client.create_repo(repo_id, repo_type="dataset")
    client.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=small)
    collection, local = open_collection(repo_id), open_collection(dataset)
    assert len(collection.catalogue) == 160
    rows = collection.catalogue.find(Filter("order", "Diptera", "pretrain"))[[0, 3]].tolist()
    assert collection.rows(rows) == local.rows(rows)
    assert [collection.photograph(row) for row in rows] == [local.photograph(row) for row in rows]


def test_a_fine_tuned_model_gives_candidates_and_says_that_it_sees_no_photographs(dataset, tmp_path):
    labels = {"species": ["Aus bus", "Cus dus"]}
    torch.manual_seed(0)
    model = BarcodeBertForSequenceClassification(BarcodeBertConfig(kmer_size=4, labels=labels, **SIZE))
    model.eval().save_pretrained(tmp_path)
    Lineages().save(tmp_path)
    collection = open_collection(dataset, model=str(tmp_path))
    answers = Answers(collection)
    shown = answers.names("ACGTTGCA" * 40, None)
    assert "Aus bus" in shown
    assert "Cus dus" in shown
    assert "No name is sure enough" in shown
    both = answers.names("ACGTTGCA" * 40, collection.photograph(0))
    assert "This model sees no photographs" in both
    assert "paste the barcode" in answers.names("", collection.photograph(0))


@pytest.mark.parametrize("number", [-1, 160])
def test_a_row_that_is_not_there_is_an_error(dataset, number):
    with pytest.raises(IndexError, match="there is no row"):
        open_collection(dataset).photograph(number)
