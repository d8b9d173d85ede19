"""The benchmark's tasks, each declared once: what it asks, of which rows, by which rule, and what counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType

from ..splits import SPLIT_NAMES
from ..taxonomy import LABELS
from .damage import DAMAGES
from .encoder import PAIRS
from .results import score_name
from .task import MODALITIES, Task


PAPER_5M = "Gharaee et al. 2024, arXiv 2406.12723"
PAPER_BARCODEBERT = "Millan Arias et al. 2023, arXiv 2311.02401"
PAPER_CLIBD = "Gong et al. 2025, arXiv 2405.17537"
ONE_PER_BARCODE = "Ns off both ends; of equal barcodes of a split the first specimen"
EVERY_ROW = "Ns off both ends; every specimen with a barcode"
_SEARCH = {"precision": "float32"}
"""Or `bfloat16`: faster, and a nearest key among very many equally near ones may be missed."""

LABELLED = tuple(name for name in SPLIT_NAMES if name != "pretrain")


def find_task(name: str) -> Task:
    """Give a task by its name.

    Raises:
        ValueError: there is no such task; says which there are.
    """
    if name not in TASKS:
        raise ValueError(f"there is no task {name!r}: use some of {', '.join(TASKS)}, or dna, image, all")
    return TASKS[name]


def find_tasks(names: str | Sequence[str]) -> tuple[Task, ...]:
    """Give tasks by their names.

    Args:
        names: some of `TASKS`, joined by commas or in a list; `all`; or a modality, for all tasks that it can do.

    Raises:
        ValueError: there is no such task or modality, or none is named.

    Examples:
        >>> [task.name for task in find_tasks("knn-genus-unseen,novelty")]
        ['knn-genus-unseen', 'novelty']
        >>> "cross-modal-retrieval" in [task.name for task in find_tasks("dna")]
        False
    """
    words = names.split(",") if isinstance(names, str) else names
    found: dict[str, Task] = {}
    for word in (word.strip() for word in words):
        if word == "all":
            found |= TASKS
        elif word in MODALITIES:
            found |= {task.name: task for task in TASKS.values() if word in task.modalities}
        elif word:
            found[word] = find_task(word)
    if not found:
        raise ValueError(f"no task is named: use some of {', '.join(TASKS)}, or dna, image, all")
    return tuple(found.values())


_ALL = (
    Task(
        name="finetune-species",
        revision=1,
        question="Does a fine-tuned model name specimens of the species that it was trained on?",
        modalities=("dna", "image"),
        fit=("train",),
        queries=("test",),
        ranks=LABELS,
        preprocessing=ONE_PER_BARCODE,
        metric="share of names that are right, by specimen and by class",
        ties="of equally probable names the first by code points",
        main=score_name("species", "test", "micro"),
        reference=f"{PAPER_5M}, table of DNA results, column of fine-tuned models",
        published="reported the test accuracy of the last epoch; barcodes were equal after Ns at the end were cut",
        needs="names",
    ),
    Task(
        name="linear-probe-species",
        revision=1,
        question="Do frozen embeddings hold the species, so that a linear layer reads it?",
        modalities=("dna", "image"),
        fit=("train",),
        tune=("val",),
        queries=("test",),
        ranks=("species",),
        preprocessing=ONE_PER_BARCODE,
        metric="share of names that are right, by specimen and by class",
        ties="of equally probable names the first by code points",
        main=score_name("species", "test", "micro"),
        reference=f"{PAPER_5M}, table of DNA results, column of linear probes",
        published=(
            "one linear layer by SGD (rate 0.01, momentum 0.9, weight decay 1e-5, batches of 64, 200 epochs) after "
            "one mean and deviation for the whole matrix: solver=sgd; nothing was chosen on val"
        ),
        settings=MappingProxyType(
            {
                "solver": "discriminant",
                "shrinkages": (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1.0),
                "epochs": 200,
                "batch_size": 64,
                "learning_rate": 0.01,
                "momentum": 0.9,
                "weight_decay": 1e-5,
            }
        ),
    ),
    Task(
        name="knn-genus-unseen",
        revision=1,
        question="Is the nearest specimen of a seen species of the same genus as one of an unseen species?",
        modalities=("dna", "image"),
        keys=("train",),
        queries=("test_unseen",),
        ranks=LABELS,
        preprocessing=ONE_PER_BARCODE,
        metric="cosine; share of queries named rightly, by specimen and by class",
        ties="of equally near keys the first in the dataset; of names with equal weight that of the nearest key",
        main=score_name("genus", "test_unseen", "micro"),
        reference=f"{PAPER_5M}, table of DNA results, column 1-NN",
        published="barcodes were equal after Ns at the end were cut; only class, order, family and genus are given",
        by_alignment=True,
        settings=MappingProxyType({"k": 1, "weights": "uniform", "temperature": 0.02, **_SEARCH}),
    ),
    Task(
        name="knn-genus-left-out-species",
        revision=1,
        question="Is the nearest specimen of another species of the same genus?",
        modalities=("dna", "image"),
        keys=LABELLED,
        queries=("test", "test_unseen", "other_heldout"),
        ranks=("genus",),
        preprocessing=EVERY_ROW,
        metric="cosine; share of queries whose nearest key is of their genus, by specimen and by genus",
        ties="of equally near keys the first in the dataset",
        main=score_name("genus", "left-out species", "micro"),
        reference="this project; it needs no unseen split, so it works on any labelled set",
        published="not published; queries are of genera with two species or more, and keys of another species that "
        "hold the query's very barcode are left out and counted",
        one_per_barcode=False,
        where_there=True,
        by_alignment=True,
        settings=MappingProxyType(_SEARCH),
    ),
    Task(
        name="zero-shot-clustering",
        revision=1,
        question="Do clusters of embeddings that no label has touched agree with taxonomy?",
        modalities=("dna", "image", "image+dna"),
        queries=("test", "test_unseen"),
        ranks=LABELS,
        preprocessing=ONE_PER_BARCODE,
        metric="adjusted mutual information and its relatives, of one Ward dendrogram cut at several numbers",
        ties="of equally near clusters those that fastcluster joins first",
        main=score_name("species", "k = species", "ami"),
        reference=f"{PAPER_5M}, figure of zero-shot clustering; Lowe et al. 2024, arXiv 2406.02465",
        published=(
            "one seed of UMAP; missing names were one class (missing=class); the published curve over ranks cannot be "
            "the arithmetic AMI of one partition, so the normaliser `min` and a number of clusters for each rank are "
            "given as well; image and DNA were standardised by split before they were joined (fusion=standardised)"
        ),
        tune=("val", "val_unseen"),
        where_there=True,
        settings=MappingProxyType(
            {
                "method": "umap",
                "dimensions": 50,
                "neighbours": 30,
                "min_dist": 0.0,
                "metric": "euclidean",
                "seeds": (0, 1, 2),
                "missing": "leave_out",
                "unknown_k": True,
                "fusion": "unit",
            }
        ),
    ),
    Task(
        name="cross-modal-retrieval",
        revision=1,
        question="Does a photograph, a barcode or a name find specimens of its taxon by another of these?",
        modalities=PAIRS,
        keys=("train", "key_unseen"),
        queries=("test", "test_unseen"),
        ranks=("order", "family", "genus", "species", "dna_bin"),
        preprocessing="every specimen with a photograph and a barcode",
        metric="share of queries with the true name among those of the 1, 3 and 5 nearest keys, seen and unseen apart",
        ties="of equally near keys the first in the dataset",
        main=score_name("species", "test_unseen, image→dna", "top-1 macro"),
        reference=f"{PAPER_CLIBD}, table 1",
        published="missing names were compared as strings (missing=name); BINs were not scored",
        also=("text",),
        mains=MappingProxyType(
            {
                "image+text": score_name("species", "test_unseen, image→text", "top-1 macro"),
                "dna+text": score_name("species", "test_unseen, dna→text", "top-1 macro"),
            }
        ),
        one_per_barcode=False,
        settings=MappingProxyType(
            {"tops": (1, 3, 5), "distinct": False, "missing": "leave_out", "least": 50, **_SEARCH}
        ),
    ),
    Task(
        name="novelty",
        revision=1,
        question="Does a model know that a specimen's species is none of those that it knows?",
        modalities=("dna", "image"),
        keys=("train",),
        tune=("val", "val_unseen"),
        queries=("test", "test_unseen"),
        ranks=("species",),
        preprocessing=ONE_PER_BARCODE,
        metric="AUROC of the measure that did best on val and val_unseen, false alarms at 95 % found",
        ties="equal scores count half",
        main="AUROC",
        reference="Hendrycks and Gimpel 2017, arXiv 1610.02136, for the measures",
        published="not published; other_heldout is part of the published pretraining set, so nothing is tuned on it",
        settings=MappingProxyType(_SEARCH),
    ),
    Task(
        name="robustness",
        revision=1,
        question="What is left of the nearest genus when barcodes are short, shifted, misread or turned round?",
        modalities=("dna",),
        keys=LABELLED,
        queries=("test", "test_unseen", "other_heldout"),
        ranks=("genus",),
        preprocessing=EVERY_ROW + "; queries damaged, keys as they are; of each task at most `queries`",
        metric="accuracy of knn-genus-unseen and knn-genus-left-out-species with each damage, and what it costs",
        ties="of equally near keys the first in the dataset",
        main="mean of damages",
        reference="this project; windows of Leray et al. 2013 and of Elbrecht and Leese 2017",
        published="not published",
        one_per_barcode=False,
        where_there=True,
        settings=MappingProxyType({"damages": tuple(DAMAGES), "queries": 2000}),
    ),
)

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _ALL})
"""Name → task."""
