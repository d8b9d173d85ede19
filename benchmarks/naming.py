"""Memory of `embed` and `predict` at growing numbers of reads: a block of reads is held, whatever their number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import measure
from encoding import random_reads
from material import SEED, Bench
from records import Bar, Figure


TITLE = "Memory of embedding and naming"
READS, FACTOR = 25_000, 4
KEYS, SPECIES, WIDTH = 2_000, 500, 64
QUICK = 10
WAYS = {
    "embed": f"vectors of {WIDTH} numbers to a Parquet file",
    "predict": f"{SPECIES} invented species, 3 candidates of each read, to a CSV file",
    "predict --keys": f"nearest of {KEYS:,} keys, aligned, to a CSV file",
}
CHANGED = 0.05
NOTE = (
    f"different reads of 658 bases from a FASTA file, invented barcodes of which {CHANGED:.0%} of the bases are drawn "
    "anew; a random model of one layer: peak PSS of the process, sampled every 50 ms, less its PSS after the imports"
)
FLAT = (
    "four times the reads may take half as much again: a block of 8,192 reads is held, and allocators keep what the "
    "first blocks took"
)


def run(bench: Bench) -> Iterator[Figure]:
    """Measure each way at two numbers of reads."""
    reads = READS if bench.rows >= 100_000 else READS // QUICK  # a quick run
    folder = bench.work / "naming"
    measure.call("naming:make", home=bench.home, folder=folder, reads=reads)
    for way, note in WAYS.items():
        peaks: dict[int, list[float]] = {reads: [], FACTOR * reads: []}
        for _ in range(bench.repeats):
            for number, found in peaks.items():
                given = {"way": way, "folder": folder, "reads": number}
                ran = measure.call("naming:name", home=bench.home, memory=True, **given)
                found.append((ran.peak - ran.result) / 1e6)
        for number, found in peaks.items():
            yield Figure(f"{way}, {number:,} reads", "MB", found, note=f"{note}; {NOTE}")
        grown = measure.ratios(peaks[FACTOR * reads], peaks[reads])
        yield Figure(f"{way}: {FACTOR * reads:,} reads ÷ {reads:,} reads", "×", grown, Bar("<=", 1.5), FLAT)


def make(folder: str, reads: int) -> None:
    """Invent reads, keys with labels, an encoder and a classifier, once."""
    import torch
    from transformers import BertConfig, BertModel

    from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification

    place = Path(folder)
    place.mkdir(parents=True, exist_ok=True)
    barcodes = random_reads(KEYS)
    texts = changed(barcodes, FACTOR * reads)
    for number in (reads, FACTOR * reads):
        with (place / f"{number}.fasta").open("w") as file:
            file.writelines(f">R{row}\n{text}\n" for row, text in enumerate(texts[:number]))
    labels = [f"Aus species{row % SPECIES}" for row in range(KEYS)]
    with (place / "keys.fasta").open("w") as file:
        file.writelines(
            f">K{row} order=Diptera;genus=Aus;species={label}\n{text}\n"
            for row, (label, text) in enumerate(zip(labels, barcodes, strict=True))
        )
    torch.manual_seed(SEED)
    size = {"hidden_size": WIDTH, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": WIDTH}
    BertModel(BertConfig(vocab_size=4**6 + 3, **size)).save_pretrained(place / "encoder")
    config = BarcodeBertConfig(kmer_size=6, labels={"species": sorted(set(labels))}, **size)
    BarcodeBertForSequenceClassification(config).save_pretrained(place / "classifier")


def changed(barcodes: list[str], reads: int) -> list[str]:
    """Draw reads: barcodes of which some bases are drawn anew."""
    import numpy as np

    generator = np.random.default_rng(SEED)
    letters = np.frombuffer("".join(barcodes).encode(), np.uint8).reshape(len(barcodes), -1)
    drawn = letters[generator.integers(0, len(barcodes), reads)]
    places = generator.random(drawn.shape, np.float32) < CHANGED
    drawn[places] = np.frombuffer(b"ACGT", np.uint8)[generator.integers(0, 4, int(places.sum()))]
    return [row.tobytes().decode() for row in drawn]


def name(way: str, folder: str, reads: int) -> int:
    """Do what the command does; give the memory after the imports and the model's first barcode."""
    from bioscan5m_hf.embedding.classification import Classification
    from bioscan5m_hf.embedding.classifier import BarcodeClassifier
    from bioscan5m_hf.embedding.encoder import BarcodeEncoder
    from bioscan5m_hf.embedding.inputs import open_input
    from bioscan5m_hf.embedding.keys import embed_keys
    from bioscan5m_hf.embedding.matching import Matching
    from bioscan5m_hf.embedding.results import write_names
    from bioscan5m_hf.embedding.vectors import write_parquet

    place = Path(folder)
    given, out = open_input(place / f"{reads}.fasta"), place / "out"
    if way == "predict":
        classifier = BarcodeClassifier.from_pretrained(place / "classifier", device="cpu")
        classifier.logits(["ACGTACGTACGT"])
        before = measure.pss()
        write_names(out, Classification(classifier, "species", top=3), given)
        return before
    encoder = BarcodeEncoder.from_pretrained(place / "encoder", device="cpu")
    if way == "embed":
        encoder.embed(["ACGTACGTACGT"])
        before = measure.pss()
        write_parquet(out, encoder.embed_batches(given.batches()), encoder.origin())
        return before
    keys = embed_keys(encoder, open_input(place / "keys.fasta"), place / "keys.parquet")
    before = measure.pss()
    write_names(out, Matching(encoder, keys, "species"), given)
    return before
