"""DNABERT-2 and DNABERT-S: a BERT with linear attention biases and gated feed-forward layers, in plain PyTorch.

The repositories of these models hold code for it, which needs a kernel of its own and does not run in today's
transformers. This module computes the same from the same parameters, under the names that the checkpoints have:

- states are normalised after each residual sum (Vaswani et al. 2017, as BERT does);
- there are no embeddings of positions; the score of query i and key j is lowered by slope · |i - j|, with one slope
  for each head (ALiBi, Press et al. 2022, arXiv 2108.12409, and its rule for numbers of heads that are no power of 2);
- the feed-forward layer is GELU(a) · b, where a and b are the halves of one projection without bias (Shazeer 2020,
  arXiv 2002.05202), followed by a second projection.

Architecture: MosaicBERT (Portes et al. 2023, arXiv 2312.17482), by which DNABERT-2 was built (Zhou et al. 2023,
arXiv 2306.15006).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


class MosaicBert(nn.Module):
    """The encoder, without pooler and head.

    Args:
        config: the parsed `config.json`: `vocab_size`, `hidden_size`, `num_hidden_layers`, `num_attention_heads`,
            `intermediate_size`, `type_vocab_size`, `layer_norm_eps`.

    Examples:
        >>> sizes = dict(vocab_size=9, hidden_size=8, num_hidden_layers=1, num_attention_heads=2, intermediate_size=4)
        >>> MosaicBert(sizes)(torch.tensor([[1, 5, 2]]), torch.ones(1, 3, dtype=torch.bool)).shape
        torch.Size([1, 3, 8])
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config.get("layer_norm_eps", 1e-12)
        heads, inner = config["num_attention_heads"], config["intermediate_size"]
        if width % heads:
            raise ValueError(f"hidden_size {width} is no multiple of num_attention_heads {heads}")
        self.embeddings: Any = nn.ModuleDict(
            {
                "word_embeddings": nn.Embedding(config["vocab_size"], width),
                "token_type_embeddings": nn.Embedding(config.get("type_vocab_size", 2), width),
                "LayerNorm": nn.LayerNorm(width, eps),
            }
        )
        layers = [Layer(width, heads, inner, eps) for _ in range(config["num_hidden_layers"])]
        self.encoder: Any = nn.ModuleDict({"layer": nn.ModuleList(layers)})
        self.heads = heads

    def forward(self, ids: Tensor, attended: Tensor) -> Tensor:
        """Give the states, (n, length, width), of ids and mask, (n, length)."""
        first_type = self.embeddings["token_type_embeddings"].weight[0]
        states: Tensor = self.embeddings["LayerNorm"](self.embeddings["word_embeddings"](ids) + first_type)
        bias = distance_bias(self.heads, ids.shape[1], ids.device)
        bias = bias.masked_fill(~attended[:, None, None, :], -math.inf)
        for layer in self.encoder["layer"]:
            states = layer(states, bias)
        return states


class Layer(nn.Module):
    """Attention and feed-forward layer, each normalised after its residual sum."""

    def __init__(self, width: int, heads: int, inner: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.attention: Any = nn.ModuleDict(
            {
                "self": nn.ModuleDict({"Wqkv": nn.Linear(width, 3 * width)}),
                "output": nn.ModuleDict({"dense": nn.Linear(width, width), "LayerNorm": nn.LayerNorm(width, eps)}),
            }
        )
        self.mlp = nn.ModuleDict(
            {
                "gated_layers": nn.Linear(width, 2 * inner, bias=False),
                "wo": nn.Linear(inner, width),
                "layernorm": nn.LayerNorm(width, eps),
            }
        )

    def forward(self, states: Tensor, bias: Tensor) -> Tensor:
        """Give the next states, (n, length, width); the bias is (n, heads, length, length)."""
        count, length, width = states.shape
        joint = self.attention["self"]["Wqkv"](states).view(count, length, 3, self.heads, width // self.heads)
        query, key, value = joint.permute(2, 0, 3, 1, 4)
        seen = functional.scaled_dot_product_attention(query, key, value, attn_mask=bias.to(query.dtype))
        output = self.attention["output"]
        states = output["LayerNorm"](output["dense"](seen.transpose(1, 2).reshape(count, length, width)) + states)
        gate, gated = self.mlp["gated_layers"](states).chunk(2, dim=-1)
        after: Tensor = self.mlp["layernorm"](self.mlp["wo"](functional.gelu(gate) * gated) + states)
        return after


def distance_bias(heads: int, length: int, device: torch.device | None = None) -> Tensor:
    """Give what is added to scores, (1, heads, length, length): minus slope times distance.

    Examples:
        >>> distance_bias(heads=8, length=3)[0, 0, 1:].tolist()
        [[-0.5, 0.0, -0.5], [-1.0, -0.5, 0.0]]
    """
    places = torch.arange(length, device=device)
    nearness = (places[:, None] - places[None, :]).abs().neg()
    return torch.tensor(slopes(heads), device=device)[None, :, None, None] * nearness


def slopes(heads: int) -> list[float]:
    """Give the slope of each head: a geometric series from 2^(-8/n), or two of them where n is no power of 2.

    Examples:
        >>> slopes(4), [round(slope, 4) for slope in slopes(6)]
        ([0.25, 0.0625, 0.015625, 0.00390625], [0.25, 0.0625, 0.0156, 0.0039, 0.5, 0.125])
    """
    whole = 1 << (heads.bit_length() - 1)
    series = [2.0 ** (-8 * power / whole) for power in range(1, whole + 1)]
    between = [2.0 ** (-4 * power / whole) for power in range(1, 2 * whole + 1, 2)]
    return series + between[: heads - whole]
