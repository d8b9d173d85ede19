"""The Nucleotide Transformer: ESM of transformers, of which the second version has gated feed-forward layers.

The second version's repositories hold code, because their feed-forward layer is SiLU(a) · b, where a and b are the
halves of one projection (Shazeer 2020, arXiv 2002.05202), without biases. Put in its place in transformers' own
`EsmModel`, which has the rotary positions and all else, it computes the same from the same parameters.

Source: Dalla-Torre et al. 2025, doi 10.1038/s41592-024-02523-z.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from ..embedding.checkpoint import CheckpointError


KEPT = (
    "vocab_size", "pad_token_id", "mask_token_id", "hidden_size", "num_hidden_layers", "num_attention_heads",
    "intermediate_size", "max_position_embeddings", "layer_norm_eps", "position_embedding_type",
    "emb_layer_norm_before", "token_dropout",
)  # fmt: skip
"""Fields of a `config.json` that decide the model."""

_INNER = "encoder.layer.0.intermediate.dense"
WORDS = re.compile("[ACGT]{6}|[ACGTN]|[^ACGTN]+")
"""Tokens from the left: six bases where they are known, or else one letter; a run of other letters is one token."""


class GatedLayer(nn.Module):
    """The first half of a gated feed-forward layer."""

    def __init__(self, width: int, inner: int, bias: bool) -> None:
        super().__init__()
        self.dense = nn.Linear(width, 2 * inner, bias=bias)

    def forward(self, states: Tensor) -> Tensor:
        """Give SiLU(a) · b, (…, inner), of states, (…, width)."""
        gate, gated = self.dense(states).chunk(2, dim=-1)
        activated: Tensor = functional.silu(gate) * gated
        return activated


class NucleotideTransformer(nn.Module):
    """The encoder, without pooler and heads.

    Args:
        config: the parsed `config.json`.
        gated: whether its feed-forward layers are gated, as those of the second version are.
        bias: whether these have biases.
    """

    def __init__(self, config: Mapping[str, Any], gated: bool = False, bias: bool = True) -> None:
        super().__init__()
        from transformers import EsmConfig, EsmModel

        settings = {key: config[key] for key in KEPT if config.get(key) is not None}
        self.esm: Any = EsmModel(EsmConfig(**settings), add_pooling_layer=False)
        del self.esm.contact_head  # of proteins
        width, inner = self.esm.config.hidden_size, self.esm.config.intermediate_size
        layers: Any = self.esm.encoder.layer
        for layer in layers if gated else ():
            layer.intermediate = GatedLayer(width, inner, bias)
            layer.output.dense = nn.Linear(inner, width, bias=bias)

    def forward(self, ids: Tensor, attended: Tensor) -> Tensor:
        """Give the states, (n, length, width), after the last normalisation, of ids and mask, (n, length)."""
        states: Tensor = self.esm(input_ids=ids, attention_mask=attended.long()).last_hidden_state
        return states


def shape_of(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, bool]:
    """Tell from the tensors whether feed-forward layers are gated and have biases.

    Args:
        weights: under the names of a bare encoder.
        config: the parsed `config.json`.
    """
    first = weights.get(f"{_INNER}.weight", torch.empty(0))
    return {"gated": len(first) == 2 * config["intermediate_size"], "bias": f"{_INNER}.bias" in weights}


def todays_names(weights: Mapping[str, Tensor], config: Mapping[str, Any]) -> dict[str, Tensor]:
    """Name tensors of a bare encoder as the module here does.

    A model with rotary positions may come with a table of positions, which it does not read. Checkpoints hold the
    frequencies of the rotation in each layer; they are the same in all.
    """
    rotary = sorted(key for key in weights if key.endswith("rotary_embeddings.inv_freq"))
    unread = set(rotary)
    if config.get("position_embedding_type") == "rotary":
        unread.add("embeddings.position_embeddings.weight")
    named = {f"esm.{key}": tensor for key, tensor in weights.items() if key not in unread}
    if rotary:
        named["esm.rotary_embeddings.inv_freq"] = weights[rotary[0]]
    return named


def read_vocabulary(folder: Path, name: str) -> dict[str, int]:
    """Read a `vocab.txt` of 6-mers, single letters and special tokens, one a line.

    Raises:
        CheckpointError: there is none, or it is of something else than 6-mers.
    """
    path = folder / "vocab.txt"
    if not path.is_file():
        raise CheckpointError(f"{name} holds no vocab.txt: name the repository of a Nucleotide Transformer")
    words = {word.strip(): number for number, word in enumerate(path.read_text(encoding="utf-8").splitlines())}
    lacking = [word for word in ("<unk>", "<pad>", "<cls>", "AAAAAA", "TTTTTT", *"ACGTN") if word not in words]
    if lacking:
        raise CheckpointError(f"{name} is no model of 6-mers: its vocab.txt lacks {', '.join(lacking)}")
    return words


def tokenize(barcodes: Sequence[str], words: Mapping[str, int], longest: int) -> list[list[int]]:
    """Write barcodes as ids: `<cls>`, then six bases a token, and N and its neighbours letter by letter.

    Args:
        barcodes: upper-case strings.
        words: token → id.
        longest: ids of a barcode, at most.

    Examples:
        >>> words = {"<unk>": 0, "<cls>": 3, "ACGTAC": 5, "A": 6, "N": 7}
        >>> tokenize(["ACGTACANRY", ""], words, 9)
        [[3, 5, 6, 7, 0], [3]]
    """
    start, unknown = words["<cls>"], words["<unk>"]
    return [[start, *(words.get(word, unknown) for word in WORDS.findall(text))][:longest] for text in barcodes]
