"""The recipe of a fine-tuning run, its labels, and how well names are given."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch

from ..taxonomy import LABELS, Taxonomy
from .batches import Sampler, Share
from .inputs import IGNORED, Cut, Inputs
from .masking import Framing, Integers
from .recipe import RecipeError, check_choice, check_range, option
from .tables import BarcodeTable, TableError


if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class FinetuningRecipe:
    """How a classifier is trained on a pretrained BarcodeBERT; `help` of each field says what it is.

    Examples:
        >>> FinetuningRecipe(rank=("genus", "species")).rank
        ('genus', 'species')
    """

    model: str = option("barcodebert", "folder or Hub id of the pretrained model")
    rank: tuple[str, ...] = option(("species",), "ranks to name; several share the encoder")
    dataset: str = option("bioscan-5m", "dataset folder, Hub id, or name in the prepared cache of `datasets`")
    train: str = option("train", "splits to learn from, joined by +; their names are the classes")
    validation: str = option("val", "splits that decide when to stop")
    test: str | None = option("test", "splits that are measured at the end")
    calibration: str | None = option(
        "val+val_unseen", "splits on which is fitted how sure a name has to be; some species must be unseen"
    )
    streaming: bool = option(False, "read the dataset as a stream, without preparing it on disk")
    output: str = option("barcodebert-finetuned", "folder of the model; a run that was stopped goes on there")
    freeze: bool = option(False, "leave the encoder as it is: linear heads")
    random_offset: bool = option(True, "drop 0 … k-1 leading bases at random")
    crop: tuple[int, int] | None = option(None, "least and greatest number of bases of a random piece")
    dropout: float = option(0.1, "between pooling and head")
    epochs: int = option(35, "passes over the barcodes, at most")
    patience: int = option(5, "epochs without a better validation after which to stop")
    batch_size: int = option(64, "barcodes of an optimiser step, over all processes")
    micro_batch_size: int | None = option(
        None, "barcodes a process takes at once; steps are accumulated to batch_size"
    )
    learning_rate: float = option(1e-4, "peak of AdamW, per 64 barcodes of a batch")
    schedule: Literal["onecycle", "cosine", "wsd"] = option("onecycle", "how the learning rate goes up and down")
    weight_decay: float = option(0.0, "of AdamW, on matrices")
    clip: float | None = option(None, "greatest norm of the gradient")
    precision: Literal["fp32", "bf16"] = option("fp32", "fp32, or bf16 autocast with fp32 weights")
    compile: bool = option(False, "torch.compile")
    seed: int = option(0, "of heads, dropout, order, offsets and crops")

    def __post_init__(self) -> None:
        if not self.rank or len(set(self.rank)) < len(self.rank):
            raise RecipeError(f"rank is {list(self.rank)}: name one or more, each once")
        for rank in self.rank:
            check_choice("rank", rank, LABELS)
        for name in ("epochs", "patience", "batch_size"):
            check_range(name, getattr(self, name), 1)
        check_range("dropout", self.dropout, 0, 1)
        check_range("seed", self.seed, 0)
        if not self.learning_rate > 0:
            raise RecipeError(f"learning_rate is {self.learning_rate}: use a positive number")

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the schedule's peak."""
        return self.learning_rate * self.batch_size / 64


def class_names(table: BarcodeTable, ranks: Sequence[str]) -> dict[str, list[str]]:
    """Give the names of each rank that specimens have, sorted; a filler (`unassigned …`) is no name.

    Args:
        table: made with `labels=ranks`.
        ranks: the ranks.

    Raises:
        TableError: a rank has fewer than two names.
    """
    names = {}
    for rank in ranks:
        given = table.rows[rank].unique().to_pylist()
        names[rank] = Taxonomy.from_labels({rank: given}).names(rank)
        if len(names[rank]) < 2:
            raise TableError(
                f"the specimens to learn from have {len(names[rank])} names at the rank {rank}: two are needed"
            )
    return names


@dataclass(frozen=True)
class NamingTask:
    """Names for barcodes.

    Args:
        table: barcodes with labels.
        k: bases of a k-mer.
        layout: `standard` or `original`.
        targets: rank → index of each row's name, `IGNORED` where it has none or one that is no class, shape (n,).
    """

    table: BarcodeTable
    k: int
    layout: str
    targets: Mapping[str, Integers]

    @classmethod
    def of(cls, table: BarcodeTable, k: int, layout: str, names: Mapping[str, Sequence[str]]) -> NamingTask:
        """Prepare some splits.

        Args:
            table: their barcodes, with labels.
            k: bases of a k-mer.
            layout: `standard` or `original`.
            names: rank → classes.
        """
        targets = {}
        for rank, classes in names.items():
            taxonomy = Taxonomy.from_labels({rank: classes})
            found = taxonomy.index_array(rank, table.rows[rank].combine_chunks(), unknown=None)
            targets[rank] = np.asarray(found.fill_null(IGNORED))
        return cls(table, k, layout, targets)

    def sampler(self, seed: int, batching: tuple[int, int | None, int], framing: Framing) -> Sampler:
        """Give the batches of the specimens that have a name at any of the ranks.

        Args:
            seed: the run's seed.
            batching: rows of a global batch, rows that a process takes at once, processes.
            framing: how the part of a barcode that is read is chosen.
        """
        named = np.any([target != IGNORED for target in self.targets.values()], axis=0)
        return Sampler(self.table, framing, seed, *batching, chosen=named)

    def inputs(self, share: Share) -> Inputs:
        """Give what the model is shown.

        Args:
            share: the rows.
        """
        cut = Cut.of(self.table, share, self.k, self.layout)
        labels = {rank: torch.from_numpy(target[share.rows]) for rank, target in self.targets.items()}
        named = [int((each != IGNORED).sum()) for each in labels.values()]
        return cut.inputs(share, named, {"input_ids": torch.from_numpy(cut.ids), "labels": labels})

    def measure(self, accelerator: Accelerator, model: torch.nn.Module, sampler: Sampler) -> dict[str, float]:
        """Give accuracy, and accuracy averaged over classes, for each rank; all processes call it together.

        Args:
            accelerator: of the run.
            model: a classifier.
            sampler: whole barcodes from their first base.
        """
        inner, was_training = accelerator.unwrap_model(model), model.training
        model.eval()
        right = {rank: torch.zeros(2, len(names)) for rank, names in inner.config.labels.items()}
        epoch = sampler.epoch(0)
        shares = (share for step in range(sampler.steps) for share in epoch.shares(step, accelerator.process_index))
        with torch.inference_mode(), accelerator.autocast():
            for share in shares:
                if share.counts:
                    tensors = self.inputs(share).to(accelerator.device).tensors
                    labels = tensors.pop("labels")
                    _count(right, inner.forward(**tensors).logits, labels)  # not compiled: many lengths
        model.train(was_training)
        measured = {}
        for rank, counts in right.items():
            hits, given = accelerator.reduce(counts.to(accelerator.device), "sum").cpu().double()
            present = given > 0
            measured[f"{rank}_accuracy"] = float(hits.sum() / given.sum().clamp(min=1))
            measured[f"{rank}_balanced_accuracy"] = (
                float((hits[present] / given[present]).mean()) if present.any() else 0.0
            )
        return measured


def mean_accuracy(measured: Mapping[str, float], ranks: Sequence[str]) -> float:
    """Average the accuracies of the ranks: what decides when to stop.

    Args:
        measured: of `NamingTask.measure`.
        ranks: the ranks.

    Examples:
        >>> mean_accuracy({"genus_accuracy": 0.5, "species_accuracy": 0.25}, ["genus", "species"])
        0.375
    """
    return sum(measured[f"{rank}_accuracy"] for rank in ranks) / len(ranks)


def _count(right: dict[str, torch.Tensor], logits: torch.Tensor | dict[str, torch.Tensor], labels: object) -> None:
    """Add to the right guesses and the specimens of each class, shape (2, classes)."""
    assert isinstance(labels, dict)
    scores = logits if isinstance(logits, dict) else {next(iter(right)): logits}
    for rank, counts in right.items():
        label = labels[rank].cpu()
        guess = scores[rank].argmax(-1).cpu()[label != IGNORED]
        label = label[label != IGNORED]
        counts[0] += torch.bincount(label[guess == label], minlength=counts.shape[1])
        counts[1] += torch.bincount(label, minlength=counts.shape[1])
