"""HyenaDNA: long convolutions whose filters are computed from positions, in plain PyTorch.

The repositories of these models hold code for it. This module computes the same from the same parameters, under the
names that the checkpoints have. A layer of order 2 projects its input to three signals, convolves each with a short
filter, multiplies two of them, convolves the product with a filter as long as the sequence (by Fourier transforms),
and multiplies the result with the third. The long filter is a small network with sines as activation over features of
the position, times a decaying window. Nothing sees what comes later in the sequence.

Sources: Poli et al. 2023, arXiv 2302.10866; Nguyen et al. 2023, arXiv 2306.15794.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional


SHIFT = 0.05
"""The window never falls below it."""

DEFAULTS = {
    "emb_dim": 3,
    "filter_order": 64,
    "num_inner_mlps": 2,
    "short_filter_order": 3,
    "hyena_order": 2,
    "train_freq": True,
    "layer_norm_epsilon": 1e-5,
    "max_seq_len": 1024,
    "vocab_size": 12,
    "pad_vocab_size_multiple": 8,
}
"""What the authors' configuration takes where a file leaves it out."""


class Hyena(nn.Module):
    """The backbone, without head.

    Args:
        config: the parsed `config.json`.

    Raises:
        ValueError: it is not of order 2, or its frequencies are not parameters.

    Examples:
        >>> model = Hyena(dict(d_model=8, d_inner=16, n_layer=1, max_seq_len=9, emb_dim=5, filter_order=4))
        >>> model(torch.tensor([[7, 8, 9, 10]])).shape
        torch.Size([1, 4, 8])
    """

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        config = DEFAULTS | {key: value for key, value in config.items() if value is not None}
        if config["hyena_order"] != 2 or not config["train_freq"]:
            raise ValueError("hyena_order must be 2 and train_freq true, as in all published models")
        width, rows = config["d_model"], config["vocab_size"]
        rows += -rows % config["pad_vocab_size_multiple"]
        self.embeddings = nn.ModuleDict({"word_embeddings": nn.Embedding(rows, width)})
        self.layers = nn.ModuleList(Block(config) for _ in range(config["n_layer"]))
        self.ln_f = nn.LayerNorm(width, config["layer_norm_epsilon"])

    def forward(self, ids: Tensor, attended: Tensor | None = None) -> Tensor:
        """Give the states, (n, length, width), of ids, (n, length); what is behind a position does not change it."""
        states: Tensor = self.embeddings["word_embeddings"](ids)
        for layer in self.layers:
            states = layer(states)
        normalised: Tensor = self.ln_f(states)
        return normalised


class Block(nn.Module):
    """Convolution and feed-forward layer, each normalised before; the residual sum is kept in float32."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, inner = config["d_model"], config.get("d_inner") or 4 * config["d_model"]
        self.mixer = Mixer(config)
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.mlp = nn.ModuleDict({"fc1": nn.Linear(width, inner), "fc2": nn.Linear(inner, width)})

    def forward(self, states: Tensor) -> Tensor:
        """Give the next states, (n, length, width)."""
        states = states + self.mixer(self.norm1(states)).float()
        hidden = functional.gelu(self.mlp["fc1"](self.norm2(states)), approximate="tanh")
        after: Tensor = states + self.mlp["fc2"](hidden).float()
        return after


class Mixer(nn.Module):
    """The Hyena operator of order 2."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, reach = config["d_model"], config["short_filter_order"]
        self.in_proj, self.out_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.short_filter = nn.Conv1d(3 * width, 3 * width, reach, padding=reach - 1, groups=3 * width)
        self.filter_fn = LongFilter(config)

    def forward(self, states: Tensor) -> Tensor:
        """Mix the positions of states, (n, length, width)."""
        length = states.shape[1]
        signals = self.short_filter(self.in_proj(states).transpose(1, 2))[..., :length]
        last, second, value = signals.chunk(3, dim=1)
        value = causal_convolution(value * second, self.filter_fn(length), self.filter_fn.bias)
        mixed: Tensor = self.out_proj((value * last).transpose(1, 2))
        return mixed


class LongFilter(nn.Module):
    """A filter for each channel, as long as is asked for."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        super().__init__()
        width, order, features = config["d_model"], config["filter_order"], config["emb_dim"]
        self.bias = nn.Parameter(torch.zeros(width))
        self.pos_emb = Positions(config["max_seq_len"], features)
        sine = Sine(order)  # one for all places
        layers: list[nn.Module] = [nn.Linear(features, order), sine]
        for _ in range(config["num_inner_mlps"]):
            layers += [nn.Linear(order, order), sine]
        self.implicit_filter = nn.Sequential(*layers, nn.Linear(order, width, bias=False))
        self.modulation = Window(width)

    def forward(self, length: int) -> Tensor:
        """Give the filters, (width, length), in float32 whatever else is computed in: positions need its digits."""
        with torch.autocast(self.bias.device.type, enabled=False):
            drawn: Tensor = self.implicit_filter(self.pos_emb.z[:, :length])[0]
        decay = torch.exp(-self.pos_emb.t[0, :length] * self.modulation.deltas[0].abs())
        return (drawn * (decay + SHIFT)).transpose(0, 1)


class Positions(nn.Module):
    """Features of positions and their times from 0 to 1, as a checkpoint holds them."""

    def __init__(self, length: int, features: int) -> None:
        super().__init__()
        self.z = nn.Parameter(torch.zeros(1, length, features))
        self.t = nn.Buffer(torch.zeros(1, length, 1))


class Sine(nn.Module):
    """The sine of the input times a frequency of each channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.freq = nn.Parameter(torch.ones(1, width))

    def forward(self, values: Tensor) -> Tensor:
        """Give sines."""
        return torch.sin(self.freq * values)


class Window(nn.Module):
    """How fast the filter of each channel decays, as a checkpoint holds it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.deltas = nn.Buffer(torch.zeros(1, 1, width))


def causal_convolution(signal: Tensor, filters: Tensor, bias: Tensor) -> Tensor:
    """Convolve signals, (n, width, length), with filters, (width, length), and add bias times signal.

    Examples:
        >>> found = causal_convolution(torch.ones(1, 1, 3), torch.tensor([[1.0, 10.0, 100.0]]), torch.zeros(1))
        >>> found.round().tolist()
        [[[1.0, 11.0, 111.0]]]
    """
    length = signal.shape[-1]
    spectrum = torch.fft.rfft(signal.float(), n=2 * length) * torch.fft.rfft(filters.float(), n=2 * length)
    found = torch.fft.irfft(spectrum, n=2 * length)[..., :length]
    convolved: Tensor = (found + signal * bias[:, None]).to(signal.dtype)
    return convolved


def shared_frequencies(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give each place of a filter's sine its frequencies; a checkpoint holds them once, at the first place.

    Args:
        weights: names → tensors; are not changed.
    """
    full = dict(weights)
    for name, tensor in weights.items():
        if name.endswith(".implicit_filter.1.freq"):
            stem = name.removesuffix("1.freq")
            inner = [
                key for key in weights if key.startswith(stem) and key.endswith(".bias") and key != f"{stem}0.bias"
            ]
            for key in inner:
                place = int(key.removeprefix(stem).removesuffix(".bias")) + 1
                full.setdefault(f"{stem}{place}.freq", tensor)
    return full
