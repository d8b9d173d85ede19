"""The architectures once more, plainly: one sequence at a time, head by head, sums instead of transforms.

Written from the papers, and independent of the package; slow. Each function takes a model's tensors under bare names.
"""

import math

import numpy as np
from scipy.special import erf


def normalised(states, weights, name, eps=1e-12):
    centred = states - states.mean(-1, keepdims=True)
    scaled = centred / np.sqrt(states.var(-1, keepdims=True) + eps)
    return scaled * weights[f"{name}.weight"] + weights[f"{name}.bias"]


def projected(states, weights, name):
    return states @ weights[f"{name}.weight"].T + weights.get(f"{name}.bias", 0)


def softmax(scores):
    risen = np.exp(scores - scores.max(-1, keepdims=True))
    return risen / risen.sum(-1, keepdims=True)


def gelu(values):
    return values * 0.5 * (1 + erf(values / math.sqrt(2)))


def sigmoid(values):
    return 1 / (1 + np.exp(-values))


SIX_SLOPES = [2**-2, 2**-4, 2**-6, 2**-8, 2**-1, 2**-3]
"""Four heads have 2^-2, 2^-4, 2^-6, 2^-8; of eight heads' 2^-1, 2^-2, 2^-3 … every other is added."""


def dnabert(ids, weights, config):
    """Give the states, (length, width), of one sequence."""
    width, inner = config["hidden_size"], config["intermediate_size"]
    states = weights["embeddings.word_embeddings.weight"][ids] + weights["embeddings.token_type_embeddings.weight"][0]
    states = normalised(states, weights, "embeddings.LayerNorm")
    size, places = width // 6, np.arange(len(ids))
    for at in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{at}"
        joint = projected(states, weights, f"{layer}.attention.self.Wqkv")
        seen = np.zeros_like(states)
        for head, slope in enumerate(SIX_SLOPES):
            span = slice(head * size, (head + 1) * size)
            query, key, value = (part[:, span] for part in np.split(joint, 3, axis=1))
            scores = query @ key.T / math.sqrt(size) - slope * abs(places[:, None] - places)
            seen[:, span] = softmax(scores) @ value
        output = projected(seen, weights, f"{layer}.attention.output.dense")
        states = normalised(output + states, weights, f"{layer}.attention.output.LayerNorm")
        gates = projected(states, weights, f"{layer}.mlp.gated_layers")
        hidden = gelu(gates[:, :inner]) * gates[:, inner:]
        states = normalised(projected(hidden, weights, f"{layer}.mlp.wo") + states, weights, f"{layer}.mlp.layernorm")
    return states


def hyena(ids, weights, config):
    """Give the states, (length, width), of one sequence."""
    states, length = weights["embeddings.word_embeddings.weight"][ids], len(ids)
    for at in range(config["n_layer"]):
        mixer, filters = f"layers.{at}.mixer", f"layers.{at}.mixer.filter_fn"
        signals = projected(normalised(states, weights, f"layers.{at}.norm1", 1e-5), weights, f"{mixer}.in_proj")
        taps = weights[f"{mixer}.short_filter.weight"][:, 0]
        behind = np.concatenate([np.zeros((2, signals.shape[1])), signals])
        short = (
            sum(taps[:, lag] * behind[lag : lag + length] for lag in range(3)) + weights[f"{mixer}.short_filter.bias"]
        )
        last, second, value = np.split(short, 3, axis=1)
        hidden = weights[f"{filters}.pos_emb.z"][0, :length]
        for place in (0, 2, 4):
            hidden = projected(hidden, weights, f"{filters}.implicit_filter.{place}")
            hidden = np.sin(weights[f"{filters}.implicit_filter.1.freq"][0] * hidden)
        window = np.exp(-weights[f"{filters}.pos_emb.t"][0, :length] * abs(weights[f"{filters}.modulation.deltas"][0]))
        long = projected(hidden, weights, f"{filters}.implicit_filter.6") * (window + 0.05)
        product = value * second
        mixed = np.stack([np.convolve(product[:, c], long[:, c])[:length] for c in range(long.shape[1])], axis=1)
        mixed = (mixed + weights[f"{filters}.bias"] * product) * last
        states = states + projected(mixed, weights, f"{mixer}.out_proj")
        inner = projected(normalised(states, weights, f"layers.{at}.norm2", 1e-5), weights, f"layers.{at}.mlp.fc1")
        smooth = 0.5 * inner * (1 + np.tanh(math.sqrt(2 / math.pi) * (inner + 0.044715 * inner**3)))
        states = states + projected(smooth, weights, f"layers.{at}.mlp.fc2")
    return normalised(states, weights, "ln_f", 1e-5)


def gated_transformer(ids, weights, config):
    """Give the states, (length, width), of one sequence: rotary positions, normalised before each layer."""
    states, heads = weights["embeddings.word_embeddings.weight"][ids], config["num_attention_heads"]
    size, inner = states.shape[1] // heads, config["intermediate_size"]
    turns = np.exp(1j * np.arange(len(ids))[:, None] / 10000 ** (np.arange(0, size, 2) / size))
    for at in range(config["num_hidden_layers"]):
        layer = f"encoder.layer.{at}"
        before = normalised(states, weights, f"{layer}.attention.LayerNorm")
        parts = [projected(before, weights, f"{layer}.attention.self.{part}") for part in ("query", "key", "value")]
        seen = np.zeros_like(states)
        for head in range(heads):
            span = slice(head * size, (head + 1) * size)
            query, key = (
                (part[:, span][:, : size // 2] + 1j * part[:, span][:, size // 2 :]) * turns for part in parts[:2]
            )
            seen[:, span] = softmax((query @ key.conj().T).real / math.sqrt(size)) @ parts[2][:, span]
        states = states + projected(seen, weights, f"{layer}.attention.output.dense")
        gates = projected(normalised(states, weights, f"{layer}.LayerNorm"), weights, f"{layer}.intermediate.dense")
        gate, gated = gates[:, :inner], gates[:, inner:]
        states = states + projected(gate * sigmoid(gate) * gated, weights, f"{layer}.output.dense")
    return normalised(states, weights, "encoder.emb_layer_norm_after")
