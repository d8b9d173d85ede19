"""Tiny models with random weights of a fixed seed: equal barcodes have equal vectors, which is all that is needed."""

import json

import torch
from transformers import BertConfig, BertForMaskedLM, BertForTokenClassification, BertModel

from bioscan5m_hf.dna import vocabulary_size


SIZE = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 48,
    "initializer_range": 0.3,
}
STOCK = {"encoder": BertModel, "masked": BertForMaskedLM, "tokens": BertForTokenClassification}


def save_stock(folder, *, kind="encoder", k=4, layout="standard", seed=0, **config):
    """Save a stock BERT over k-mers, without tokenizer."""
    torch.manual_seed(seed)
    model = STOCK[kind](BertConfig(vocab_size=vocabulary_size(k, layout), num_labels=4**k, **SIZE, **config))
    model.eval().save_pretrained(folder)
    return model


def edit_config(folder, **values):
    """Change values of a saved config.json; None takes one out."""
    path = folder / "config.json"
    config = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in config.items() if value is not None}))
