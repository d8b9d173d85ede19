"""Invented results of invented models, as large as real ones: no number here was measured."""

import numpy as np

from bioscan5m_hf.evaluation.results import Result, Score, score_name
from bioscan5m_hf.evaluation.strata import STRATA
from bioscan5m_hf.evaluation.tasks import TASKS
from bioscan5m_hf.taxonomy import LABELS


MODELS = (
    "invented/barcodebert", "reference:BLAST", "reference:k-mer counts", "reference:random",
    "invented/cnn", "invented/DNABERT-2", "invented/DNABERT-S",
    "invented/hyenadna-tiny-1k-seqlen", "invented/nucleotide-transformer-v2-50m", "/models/mine",
    "invented/barcode-mamba", "invented/caduceus",
)  # fmt: skip
RETRIEVAL = ("image", "dna", "text", "averaged", "concatenated")
ORDERS = (
    "Diptera", "Hymenoptera", "Hemiptera", "Coleoptera", "Lepidoptera", "Thysanoptera", "Psocodea", "Trichoptera",
    "Araneae", "Orthoptera", "Neuroptera", "Blattodea", "Ephemeroptera", "Odonata", "Plecoptera", "Mantodea",
    "Dermaptera", "Strepsiptera", "Archaeognatha", "Embioptera", "Zoraptera", "Phasmatodea", "Mecoptera",
    "Sarcoptiformes",
)  # fmt: skip


def make(task, model, scores, *, number=0, **changes):
    """Make a result of a task of ours with such scores."""
    values = {
        "task": task, "task_revision": TASKS[task].revision, "modality": "dna", "main": TASKS[task].main,
        "model": model, "model_revision": f"{number:040x}",
        "pretrained_on": () if number in (1, 2, 3) else ("pretrain",),
        "data": "invented-5m", "data_revision": "0123456789abcdef0123456789abcdef", "data_fingerprint": task,
        "scores": scores, "counts": {}, "settings": {"k": 1, "pooling": "mean" if number % 2 else "masked mean"},
        "extras": {}, "seed": 0, "code": "0.1", "device": "invented", "seconds": 12.5 + number, "peak_memory": 2**30,
        "command": f"bioscan5m evaluate {model} --tasks {task}", "created": "2026-01-31",
    }  # fmt: skip
    return Result(**values | changes)


def scored(value, n=3401, width=0.03):
    """Make a score with an interval."""
    value = float(np.clip(value, 0, 1))
    return Score(value, max(0.0, value - width), min(1.0, value + width), n)


def knn(number, model):
    """Invent the accuracies of nearest neighbours: high at wide ranks, low at narrow ones."""
    generator = np.random.default_rng(number)
    skill = 0.85 - 0.06 * number
    scores = {}
    for depth, rank in enumerate(LABELS[1:]):
        for part in ("test_unseen", *(f"test_unseen, {name}" for name in STRATA)):
            for average, less in (("micro", 0.0), ("macro", 0.1)):
                value = skill - less - 0.09 * depth + 0.3 * (depth < 3) + 0.04 * generator.random()
                scores[score_name(rank, part, average)] = scored(value)
    sizes = np.geomspace(2000, 1, len(ORDERS)).astype(int)
    counts = np.diag((sizes * skill).astype(int))
    counts[:, 0] += sizes - counts.sum(axis=1)
    extras = {"confusion": {"rank": "order", "labels": list(ORDERS), "counts": counts.tolist()}}
    return make("knn-genus-unseen", model, scores, number=number, extras=extras)


def clustering(number, model, points=4000):
    """Invent agreement of clusters with ranks, and a plane of specimens."""
    generator = np.random.default_rng(number)
    scores = {}
    for depth, rank in enumerate(LABELS[1:]):
        for rule in ("k = species", "k = rank"):
            for measure, more in (("ami", 0.0), ("ami_min", 0.2), ("homogeneity", 0.25)):
                value = min(1.0, 0.1 + 0.11 * depth + more - 0.02 * number)
                seeds = tuple(np.clip(value + np.array([-0.01, 0, 0.012]), 0, 1).tolist())
                scores[score_name(rank, rule, measure)] = Score(
                    value, value - 0.02, min(1, value + 0.02), 21744, seeds
                )
    scores |= {"silhouette/k = species": Score(0.31), "clusters/unknown k": Score(3120.0 + number)}
    order = generator.choice(
        len(ORDERS), size=points, p=np.geomspace(64, 1, len(ORDERS)) / np.geomspace(64, 1, len(ORDERS)).sum()
    )
    center = generator.normal(size=(len(ORDERS), 2)) * 6
    flat = (center[order] + generator.normal(size=(points, 2))).round(3)
    names = [ORDERS[place] if place % 7 else None for place in order]
    extras = {"scatter": {"x": flat[:, 0].tolist(), "y": flat[:, 1].tolist(), "order": names}}
    settings = {"reduction": {"method": "umap", "neighbours": 30 if number else 15}}
    return make("zero-shot-clustering", model, scores, number=number, extras=extras, settings=settings)


def retrieval(number, model):
    """Invent the accuracies of every pair of query and key."""
    scores = {}
    for rank in ("order", "family", "genus", "species", "dna_bin"):
        for part in ("test", "test_unseen", "harmonic mean"):
            for query in RETRIEVAL:
                for key in (*RETRIEVAL, "all keys"):
                    far = abs(RETRIEVAL.index(query) - (RETRIEVAL.index(key) if key in RETRIEVAL else 0))
                    for average in ("top-1 micro", "top-1 macro"):
                        if {query, key} & {"concatenated"} and query != key:
                            continue
                        value = 0.9 - 0.2 * far - 0.1 * number - 0.15 * (part != "test")
                        strata = ("", ", Linnaean", ", country Costa Rica") if part != "harmonic mean" else ("",)
                        rules = (", other plates",) if query == key == "image" else ()
                        for name in (*strata, *rules):
                            scores[score_name(rank, f"{part}, {query}→{key}{name}", average)] = scored(value)
    return make("cross-modal-retrieval", model, scores, number=number, modality="image+dna")


def novelty(number, model):
    """Invent areas under curves."""
    return make("novelty", model, {"AUROC": scored(0.9 - 0.03 * number), "FPR at 95 %": scored(0.3)}, number=number)


def finetune(number, model):
    """Invent the accuracies of fine-tuned models."""
    scores = {score_name(rank, "test", kind): scored(0.99 - 0.002 * number, width=0.004)
              for rank in LABELS for kind in ("micro", "macro")}  # fmt: skip
    return make("finetune-species", model, scores, number=number)


def invented(models=MODELS[:2]):
    """Invent the results of some models on five tasks."""
    kinds = (finetune, knn, clustering, retrieval, novelty)
    return [kind(MODELS.index(model), model) for kind in kinds for model in models]
