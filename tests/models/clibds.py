"""Small models of CLIBD, with their processors."""

from __future__ import annotations

import torch

from bioscan5m_hf.models.clibd import ClibdConfig, ClibdModel
from bioscan5m_hf.models.clibd.export_clibd import make_processor, name_tokenizer


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
IMAGE = {
    "model_type": "timm_wrapper",
    "architecture": "vit_tiny_patch16_224",
    "num_classes": 0,
    "model_args": {"img_size": 32, "depth": 1, "embed_dim": 24, "num_heads": 2},
}
NAMES = ("Diptera Phoridae Megaselia Megaselia rufa", "Diptera Sciaridae Bradysia Bradysia alpha")


def config_of(tokenizer=None, **changes):
    """Give a configuration of three small towers."""
    words = 100 if tokenizer is None else len(tokenizer)
    towers = {
        "image_config": IMAGE,
        "dna_config": {"model_type": "bert", "vocab_size": 1027, **SMALL},
        "text_config": {"model_type": "bert", "vocab_size": words, **SMALL},
    }
    return ClibdConfig(**{"projection_dim": 8, **towers, **changes})


def clibd(seed=0, **changes):
    """Give a model, in evaluation mode, and its processor."""
    torch.manual_seed(seed)
    tokenizer = name_tokenizer(NAMES)
    config = config_of(tokenizer, **changes)
    return ClibdModel(config).eval(), make_processor(config, tokenizer)
