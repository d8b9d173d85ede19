"""On a GPU: tokens per second of a pretraining step, the original's way and ours, and embeddings per second."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any

import measure
from material import SEED, Bench
from measure import in_turn, ratios
from pretraining import BASES, RATIO, random_barcodes
from records import Bar, Figure


TITLE = "Pretraining and embedding on a GPU"
NEEDS_GPU = True
STEPS, UNTIMED = 10, 4
BOTH_WAYS = 512
MODELS = {
    "4-4-4": {"kmer_size": 4, "num_hidden_layers": 4, "num_attention_heads": 4},
    "8-4-4": {"kmer_size": 8, "num_hidden_layers": 4, "num_attention_heads": 4},
    "4-12-12": {"kmer_size": 4, "num_hidden_layers": 12, "num_attention_heads": 12},
}
WAYS = {
    "original, 16 barcodes": (
        f"fp32, stock BertForTokenClassification, eager attention, {BASES} bases padded to 660, loss over all k-mers, "
        "AdamW; batches of 16 barcodes, as the authors"
    ),
    "original, 256 barcodes": "the same with batches of 256 barcodes, which keep a GPU busy",
    "ours, bf16": (
        f"bf16 autocast, fused attention of torch, loss at the masked half, fused AdamW, no padding; batches of "
        f"{BOTH_WAYS} barcodes"
    ),
    "ours, bf16, compiled": "the same with torch.compile, as `compile: true` in a recipe",
}
BARS = {"4-4-4": 4.0, "8-4-4": 8.0}
MFU_BAR = 0.5
PEAK = {"H100": 989e12, "H200": 989e12}
"""Dense bf16 operations a second, from the vendor's data sheet of the SXM parts."""

PASS_TOKENS = 7e9
"""Tokens of the published pretraining (facts of the BIOSCAN-5M paper)."""


def run(bench: Bench) -> Iterator[Figure]:
    """Measure steps of three sizes, then embeddings."""
    for model in MODELS:
        found = measure.call("gpu:step_rates", home=bench.home, model=model, repeats=bench.repeats).result
        rates = found["rates"]
        for way, note in WAYS.items():
            yield Figure(f"{model}: {way}", "tokens/s", rates[way], note=note)
        best = max(list(WAYS)[:2], key=lambda way: sorted(rates[way])[len(rates[way]) // 2])
        for way in list(WAYS)[2:]:
            bar = Bar(">=", BARS[model]) if model in BARS and way.endswith("compiled") else None
            yield Figure(f"{model}: {way} ÷ {best}", "×", ratios(rates[way], rates[best]), bar)
        for way in list(WAYS)[2:]:
            share = [rate * found["operations"] / peak_of(found["device"]) for rate in rates[way]]
            bar = Bar(">=", MFU_BAR) if model == "4-12-12" else None
            name = f"{model}: {way}: model FLOP utilisation"
            yield Figure(name, "of peak", share, bar, note=UTILISATION, why=WHY_UTILISATION)
            hours = [PASS_TOKENS / rate / 3600 for rate in rates[way]]
            yield Figure(f"{model}: {way}: GPU-hours per 7 B tokens", "h", hours)
        for way, memory in found["memory"].items():
            yield Figure(f"{model}: {way}: memory", "GB", [memory / 1e9], note="peak of torch's allocator")
    rates = measure.call("gpu:embedding_rates", home=bench.home, repeats=bench.repeats).result
    for way, values in rates.items():
        yield Figure(f"embedding: {way}", "barcodes/s", values, note=EMBED)
    ways = list(rates)
    yield Figure(f"embedding: {ways[1]} ÷ {ways[0]}", "×", ratios(rates[ways[1]], rates[ways[0]]))


UTILISATION = (
    "multiplications and additions of forward and backward pass: 6 for each weight of the layers and a token, 12 × "
    "layers × width × length for attention, 6 for each weight of the head and a masked token; over 989 TFLOP/s of "
    "dense bf16"
)
WHY_UTILISATION = (
    "a step that is not compiled cannot pass 0.49 on this card: half of its least time goes to kernels that only move "
    "bytes (counted; the next table has it, and what residuals in bf16 or no dropout would allow). Why torch.compile, "
    "which joins such kernels, is slower with 4-mers was not found before the time on a GPU was over"
)
EMBED = "BarcodeEncoder of a 4-4-4 model; barcodes of 200 to 658 bases"


def peak_of(device: str) -> float:
    """Give the peak rate of a card.

    Raises:
        ValueError: it is not in `PEAK`.
    """
    for name, rate in PEAK.items():
        if name in device:
            return rate
    raise ValueError(f"no peak rate is known of {device!r}: add it to PEAK, with its source")


def operations(model: str) -> float:
    """Count the model's operations for a token of a training step, as `UTILISATION` says."""
    size, width, feed = MODELS[model], 768, 3072
    tokens = BASES // size["kmer_size"]
    layers = size["num_hidden_layers"]
    weights = layers * (4 * width * width + 2 * width * feed)
    head = (width * width + width * (4 ** size["kmer_size"] + 3)) * RATIO
    return 6.0 * (weights + head) + 12.0 * layers * width * tokens


def step_rates(model: str, repeats: int) -> dict[str, Any]:
    """Give the tokens that steps take in a second, round by round, and their memory."""
    import torch

    rates: dict[str, list[float]] = {}
    memory: dict[str, float] = {}
    for way in WAYS:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        task = timed(model, way)
        rates |= in_turn({way: task}, repeats)
        memory[way] = torch.cuda.max_memory_allocated()
    device = torch.cuda.get_device_name()
    return {"rates": rates, "memory": memory, "operations": operations(model), "device": device}


def timed(model: str, way: str) -> Callable[[], float]:
    """Make a function that takes steps and gives tokens per second; the untimed steps are taken now."""
    import torch

    from bioscan5m_hf.dna import encode_kmers

    torch.manual_seed(SEED)
    original = way.startswith("original")
    size = int(way.split()[1]) if original else BOTH_WAYS
    k = MODELS[model]["kmer_size"]
    layout = "original" if original else "standard"
    ids, mask = encode_kmers(random_barcodes(size), k, layout, length=660 // k if original else None)
    step = original_step(model) if original else our_step(model, "compiled" in way)
    tokens = torch.from_numpy(ids).long().cuda()
    attended = torch.from_numpy(mask).cuda()
    count = int(mask.sum())
    for _ in range(UNTIMED):
        step(tokens, attended)

    def rate() -> float:
        torch.cuda.synchronize()
        start = time.perf_counter()
        for _ in range(STEPS):
            step(tokens, attended)
        torch.cuda.synchronize()
        return count * STEPS / (time.perf_counter() - start)

    return rate


def original_step(model: str) -> Callable[[Any, Any], None]:
    """Make the step as the facts describe the original's."""
    import torch
    from transformers import BertConfig, BertForTokenClassification

    size = MODELS[model]
    labels = 4 ** size["kmer_size"]
    config = BertConfig(
        vocab_size=labels + 2,
        num_hidden_layers=size["num_hidden_layers"],
        num_attention_heads=size["num_attention_heads"],
        num_labels=labels,
        output_hidden_states=True,
        attn_implementation="eager",
    )
    net = BertForTokenClassification(config).train().cuda()
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0)

    def step(tokens: Any, attended: Any) -> None:
        known = tokens > 1
        hidden = known & (torch.rand(tokens.shape, device=tokens.device) < RATIO)
        logits = net(tokens.masked_fill(hidden, 0), attention_mask=attended.int()).logits
        loss = torch.nn.functional.cross_entropy(logits[known], tokens[known] - 2)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        loss.item()

    return step


def our_step(model: str, compiled: bool) -> Callable[[Any, Any], None]:
    """Make the step of our training script: what it shows the model is made beforehand, by another thread."""
    import torch

    from bioscan5m_hf.learning.meter import compile_model
    from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM, packed_positions

    net = BarcodeBertForMaskedLM(BarcodeBertConfig(**MODELS[model])).train().cuda()
    if compiled:
        compile_model(net)
    optimizer = torch.optim.AdamW(net.parameters(), lr=1e-4, weight_decay=0.0, fused=True)
    shown: list[tuple[Any, Any, Any]] = []

    def step(tokens: Any, attended: Any) -> None:
        if not shown:
            hidden = torch.rand(tokens.shape, device=tokens.device).argsort(1).argsort(1) < tokens.shape[1] * RATIO
            places = packed_positions(hidden.cpu(), 8).cuda()
            shown.append((tokens.masked_fill(hidden, 2), tokens.masked_fill(~hidden, -100), places))
        seen, labels, places = shown[0]
        with torch.autocast("cuda", torch.bfloat16):
            loss = net(seen, labels=labels, predicted=places).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()

    return step


def embedding_rates(repeats: int) -> dict[str, list[float]]:
    """Give the barcodes embedded in a second, way by way."""
    import torch

    from bioscan5m_hf.dna import STANDARD
    from bioscan5m_hf.embedding.encoder import BarcodeEncoder
    from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel

    torch.manual_seed(SEED)
    ways: dict[str, Callable[[], float]] = {}
    for name, precision, size in (
        ("one at a time, fp32", torch.float32, 1),
        ("batches by length, fp32", torch.float32, 512),
        ("batches by length, bf16", torch.bfloat16, 512),
    ):
        net = BarcodeBertModel(BarcodeBertConfig(**MODELS["4-4-4"]), add_pooling_layer=False)
        encoder = BarcodeEncoder(net.to("cuda", precision), k=4, layout=STANDARD)
        barcodes = random_barcodes(256 if size == 1 else 16_384, 200)
        encoder.embed(barcodes[:1024], size)
        ways[name] = lambda encoder=encoder, barcodes=barcodes, size=size: embedding_rate(encoder, barcodes, size)
    return in_turn(ways, repeats)


def embedding_rate(encoder: Any, barcodes: list[str], size: int) -> float:
    """Give the barcodes embedded in a second."""
    start = time.perf_counter()
    encoder.embed(barcodes, size)
    return len(barcodes) / (time.perf_counter() - start)
