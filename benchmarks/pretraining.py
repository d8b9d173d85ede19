"""Tokens per second of a pretraining step: the original's way of doing it, and ours; and embeddings per second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import measure
from material import SEED, Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Pretraining and embedding"
BASES, BATCH, STEPS, RATIO = 658, 16, 4, 0.5
MODELS = {"4-4-4": {"kmer_size": 4, "num_attention_heads": 4}, "8-4-4": {"kmer_size": 8, "num_attention_heads": 4}}
WAYS = {
    "original": (
        "fp32, stock BertForTokenClassification, eager attention, barcodes padded to 660 bases, loss over all "
        f"k-mers, AdamW; batches of {BATCH} barcodes of {BASES} bases, as the authors; {STEPS} steps after one that "
        "is not timed"
    ),
    "ours, fp32": (
        "the same model, eager attention as our script chooses it on a CPU, loss at the masked half, fused AdamW, "
        "no padding"
    ),
    "ours, fp32, sdpa": "the same with the fused attention of torch",
    "ours, bf16": "as 'ours, fp32', in bf16 autocast",
    "ours, bf16, auto-encoder": "the encoder sees the visible half only, a decoder of one layer fills the rest",
}
BARS = {
    ("4-4-4", "ours, fp32"): Bar(">=", 1.0),
    ("4-4-4", "ours, bf16"): Bar(">=", 1.8),
    ("8-4-4", "ours, bf16"): Bar(">=", 2.5),
}
WHY = "in fp32 both steps do the same multiplications at the same speed, which is most of the time at 4-4-4"
EMBED = "BarcodeEncoder of a 4-4-4 model, fp32; barcodes of 200 to 658 bases"


def run(bench: Bench) -> Iterator[Figure]:
    """Measure steps of both sizes, then embeddings."""
    for model in MODELS:
        tasks = {way: _rate(bench, model, way) for way in WAYS}
        rates = in_turn(tasks, bench.repeats)
        for way, note in WAYS.items():
            yield Figure(f"{model}: {way}", "tokens/s", rates[way], note=note)
        for way in list(WAYS)[1:]:
            why = "" if (model, way) not in BARS else WHY
            share = ratios(rates[way], rates["original"])
            yield Figure(f"{model}: {way} ÷ original", "×", share, BARS.get((model, way)), why=why)
        peak = measure.call("pretraining:step_rate", home=bench.home, memory=True, model=model, way="ours, bf16").peak
        old = measure.call("pretraining:step_rate", home=bench.home, memory=True, model=model, way="original").peak
        yield Figure(f"{model}: original: memory", "GB", [old / 1e9], note="peak PSS of the process")
        yield Figure(f"{model}: ours, bf16: memory", "GB", [peak / 1e9], note="peak PSS of the process")
    ways = {"batches by length": 256, "one at a time": 1}
    rates = in_turn({name: _embedding_rate(bench, size) for name, size in ways.items()}, bench.repeats)
    for name in ways:
        yield Figure(f"embedding: {name}", "barcodes/s", rates[name], note=EMBED)
    share = ratios(rates["batches by length"], rates["one at a time"])
    yield Figure("embedding: batches by length ÷ one at a time", "×", share)


def _rate(bench: Bench, model: str, way: str) -> Callable[[], float]:
    return lambda: float(measure.call("pretraining:step_rate", home=bench.home, model=model, way=way).result)


def _embedding_rate(bench: Bench, size: int) -> Callable[[], float]:
    return lambda: float(measure.call("pretraining:embedding_rate", home=bench.home, size=size).result)


def random_barcodes(count: int, shortest: int = BASES) -> list[str]:
    """Draw barcodes."""
    import numpy as np

    random = np.random.default_rng(SEED)
    letters = np.frombuffer(b"ACGT", np.uint8)
    lengths = random.integers(shortest, BASES + 1, count)
    return [letters[random.integers(0, 4, length)].tobytes().decode() for length in lengths]


def step_rate(model: str, way: str) -> float:
    """Give the k-mers of barcodes that a step takes in a second, padding not counted."""
    import torch

    from bioscan5m_hf.dna import encode_kmers

    torch.manual_seed(SEED)
    k = MODELS[model]["kmer_size"]
    padded = way == "original"
    ids, mask = encode_kmers(
        random_barcodes(BATCH), k, "original" if padded else "standard", length=660 // k if padded else None
    )
    step = original_step(model) if padded else our_step(model, way)
    tokens, attended = torch.from_numpy(ids).long(), torch.from_numpy(mask)
    step(tokens, attended)
    start = time.perf_counter()
    for _ in range(STEPS):
        step(tokens, attended)
    return int(mask.sum()) * STEPS / (time.perf_counter() - start)


def original_step(model: str) -> Callable[[Any, Any], None]:
    """Make the step as the facts describe the original's."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    size = MODELS[model]
    labels = 4 ** size["kmer_size"]
    config = BertConfig(
        vocab_size=labels + 2,
        num_hidden_layers=4,
        num_attention_heads=size["num_attention_heads"],
        num_labels=labels,
        output_hidden_states=True,
        attn_implementation="eager",
    )
    net = BertForTokenClassification(config).train()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0)

    def step(tokens: Any, attended: Any) -> None:
        known = tokens > 1
        hidden = known & (torch.rand(tokens.shape) < RATIO)
        logits = net(tokens.masked_fill(hidden, 0), attention_mask=attended.int()).logits
        loss = torch.nn.functional.cross_entropy(logits[known], tokens[known] - 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def our_step(model: str, way: str) -> Callable[[Any, Any], None]:
    """Make the step of our training script."""
    import torch

    from bioscan5m_hf.learning.meter import choose_attention
    from bioscan5m_hf.models.barcodebert import (
        BarcodeBertConfig,
        BarcodeBertForMaskedAutoencoding,
        BarcodeBertForMaskedLM,
    )

    encodes, fused = "auto-encoder" in way, "sdpa" in way
    config = BarcodeBertConfig(num_hidden_layers=4, decoder_layers=1, **MODELS[model])
    net = (BarcodeBertForMaskedAutoencoding if encodes else BarcodeBertForMaskedLM)(config).train()
    if not fused:
        choose_attention(net, torch.device("cpu"))
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    bf16 = "bf16" in way

    def step(tokens: Any, attended: Any) -> None:
        known = tokens > 2
        hidden = known & (torch.rand(tokens.shape).argsort(1).argsort(1) < tokens.shape[1] * RATIO)
        with torch.autocast("cpu", torch.bfloat16, enabled=bf16):
            if encodes:
                loss = net(tokens, attention_mask=attended.long(), masked=hidden).loss
            else:
                labels = tokens.masked_fill(~hidden, -100)
                loss = net(tokens.masked_fill(hidden, 2), attention_mask=attended.long(), labels=labels).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def embedding_rate(size: int) -> float:
    """Give the barcodes embedded in a second."""
    import torch

    from bioscan5m_hf.dna import STANDARD
    from bioscan5m_hf.embedding.encoder import BarcodeEncoder
    from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel

    torch.manual_seed(SEED)
    config = BarcodeBertConfig(num_hidden_layers=4, **MODELS["4-4-4"])
    encoder = BarcodeEncoder(BarcodeBertModel(config, add_pooling_layer=False), k=4, layout=STANDARD)
    barcodes = random_barcodes(64 if size == 1 else 512, 200)
    encoder.embed(barcodes[:8], size)
    start = time.perf_counter()
    encoder.embed(barcodes, size)
    return len(barcodes) / (time.perf_counter() - start)
