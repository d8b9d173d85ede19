"""Barcodes to ids of k-mers: the vectorised encoder, the original's loop over reads, and the `tokenizers` object."""

from __future__ import annotations

import importlib.metadata
import statistics
import time
from collections.abc import Callable, Iterator
from itertools import product
from typing import Any

import measure
from material import SEED, Bench
from measure import ratios
from records import Bar, Figure


TITLE = "Barcodes encoded per second"
BASES, N_SHARE, MAX_LENGTH = 658, 0.002, 660
READS, SLOW_SHARE, BLOCK = 50_000, 10, 1000
ROUNDS = 5
ALONE = {"OMP_NUM_THREADS": "1", "RAYON_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
WAYS = {
    "encode_kmers, Arrow": "an Arrow array in, int32 ids and mask of all reads out",
    "encode_kmers, Python strings": "a list of strings in, the rest as above",
    "loop of the original": "written anew: for each read cut or pad the text with N, make the mask, slice the "
    "k-mers, look each up, and make tensors of ids and mask; nothing is stacked to batches",
    "loop of the original, lists only": "the same without mask and tensors: slices and look-ups in a dict",
    "tokenizers object": f"`encode_batch_fast` of {BLOCK} reads each, and the list of ids of each read",
}
FAST = ("encode_kmers, Arrow", "encode_kmers, Python strings")
RATIOS = (
    ("encode_kmers, Arrow", "loop of the original", Bar(">=", 30)),
    ("encode_kmers, Python strings", "loop of the original", None),
    ("encode_kmers, Arrow", "loop of the original, lists only", None),
    ("encode_kmers, Arrow", "tokenizers object", None),
)


def run(bench: Bench) -> Iterator[Figure]:
    """Measure all ways in turn in one process, once for each k and repeat."""
    reads = min(READS, bench.rows)
    version = importlib.metadata.version("tokenizers")
    seen = (
        f"{reads:,} random reads of {BASES} bases, one base of {1 / N_SHARE:.0f} an N, a tenth of them for the slow "
        f"ways; one thread, imports and the table of k-mers excluded; median of {ROUNDS} rounds in turn; layout "
        f"`original`, tokenizers {version}"
    )
    for k in (4, 8):
        rates: dict[str, list[float]] = {name: [] for name in WAYS}
        for _ in range(bench.repeats):
            for name, rate in measure.call(
                "encoding:time_all", home=bench.home, env=ALONE, reads=reads, k=k
            ).result.items():
                rates[name].append(rate)
        for name, note in WAYS.items():
            yield Figure(f"k={k}: {name}", "reads/s", rates[name], note=f"{note}; {seen}")
        for above, below, bar in RATIOS:
            yield Figure(f"k={k}: {above} ÷ {below}", "×", ratios(rates[above], rates[below]), bar)


def time_all(reads: int, k: int) -> dict[str, float]:
    """Give the reads per second of each way, after a look whether all give the same ids."""
    import numpy as np
    import pyarrow as pa

    from bioscan5m_hf.dna import encode_kmers

    texts = random_reads(reads)
    few = texts[: max(1, reads // SLOW_SHARE)]
    array = pa.array(texts)
    original, lists_only, tokenizer = loop(k), bare_loop(k), tokenizers_object(k)
    expected = encode_kmers(few, k, "original").ids
    for other in ([ids.numpy() for ids, _ in original(few)], lists_only(few), tokenizer(few)):
        if not np.array_equal(np.array(other), expected):
            raise ValueError(f"the ways differ at k={k}")
    ways: dict[str, Callable[[], Any]] = {
        "encode_kmers, Arrow": lambda: encode_kmers(array, k, "original"),
        "encode_kmers, Python strings": lambda: encode_kmers(texts, k, "original"),
        "loop of the original": lambda: original(few),
        "loop of the original, lists only": lambda: lists_only(few),
        "tokenizers object": lambda: tokenizer(few),
    }
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            start = time.perf_counter()
            way()
            seconds[name].append(time.perf_counter() - start)
    return {name: len(texts if name in FAST else few) / statistics.median(taken) for name, taken in seconds.items()}


def random_reads(reads: int) -> list[str]:
    """Make reads as long as a whole barcode."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    shares = [(1 - N_SHARE) / 4] * 4 + [N_SHARE]
    letters = np.frombuffer(b"ACGTN", np.uint8)[generator.choice(5, reads * BASES, p=shares)]
    return [row.tobytes().decode() for row in letters.reshape(reads, BASES)]


def ids_of_kmers(k: int) -> dict[str, int]:
    """Give the original's table: `[MASK]` 0, `[UNK]` 1, then the k-mers."""
    return {kmer: number for number, kmer in enumerate(("[MASK]", "[UNK]", *map("".join, product("ACGT", repeat=k))))}


def loop(k: int) -> Callable[[list[str]], list[tuple[Any, Any]]]:
    """Do what the original's data set does for each read."""
    import torch

    table = ids_of_kmers(k)

    def one(text: str) -> tuple[Any, Any]:
        mask = torch.ones(MAX_LENGTH // k, dtype=torch.int32)
        if len(text) > MAX_LENGTH:
            text = text[:MAX_LENGTH]
        else:
            mask[len(text) // k :] = 0
            text += "N" * (MAX_LENGTH - len(text))
        kmers = [text[start : start + k] for start in range(0, len(text) - k + 1, k)]
        ids = torch.tensor([table.get(kmer, 1) for kmer in kmers], dtype=torch.int64)
        return ids[: BASES // k], mask

    return lambda texts: [one(text) for text in texts]


def bare_loop(k: int) -> Callable[[list[str]], list[list[int]]]:
    """Slice and look up, nothing else."""
    table = ids_of_kmers(k)
    return lambda texts: [
        [table.get(text[start : start + k], 1) for start in range(0, len(text) - k + 1, k)] for text in texts
    ]


def tokenizers_object(k: int) -> Callable[[list[str]], list[list[int]]]:
    """Use what is in `tokenizer.json`."""
    from bioscan5m_hf.models.barcodebert.tokenization_kmer import kmer_tokenizer

    tokenizer = kmer_tokenizer(k, "original")

    def encode(texts: list[str]) -> list[list[int]]:
        blocks = (texts[start : start + BLOCK] for start in range(0, len(texts), BLOCK))
        return [one.ids for block in blocks for one in tokenizer.encode_batch_fast(block)]

    return encode
