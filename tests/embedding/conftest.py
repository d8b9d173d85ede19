"""An encoder and a classifier that all tests of embedding share."""

import pytest
import torch
from tiny_models import SIZE, save_stock

from bioscan5m_hf import load_taxonomy
from bioscan5m_hf.embedding.encoder import BarcodeEncoder
from bioscan5m_hf.embedding.lineage import Lineages
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification


@pytest.fixture(scope="session")
def stock(common):
    """Give the folder of a pretrained encoder: stock BERT, 4-mers, standard layout."""
    folder = common / "stock-encoder"
    save_stock(folder)
    return folder


@pytest.fixture(scope="session")
def encoder(stock):
    return BarcodeEncoder.from_pretrained(stock, device="cpu")


@pytest.fixture(scope="session")
def labels(dataset):
    """Give the species and orders that a classifier tells apart: all of the invented dataset."""
    taxonomy = load_taxonomy(dataset)
    return {rank: taxonomy.names(rank) for rank in ("order", "species")}


@pytest.fixture(scope="session")
def classifier_folder(common, dataset, labels):
    """Give the folder of a fine-tuned model with heads for species and order, and what stands above them."""
    folder = common / "classifier"
    torch.manual_seed(0)
    model = BarcodeBertForSequenceClassification(BarcodeBertConfig(kmer_size=4, labels=labels, **SIZE))
    model.eval().save_pretrained(folder)
    Lineages.from_dataset(dataset, labels).save(folder)
    return folder
