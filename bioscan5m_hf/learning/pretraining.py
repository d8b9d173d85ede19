"""The recipe of a pretraining run, and what a model is shown in a step of it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, cast, get_args

import numpy as np
import torch

from ..dna import LAYOUTS, MAX_NUCLEOTIDES, vocabulary_size
from ..models.barcodebert import packed_positions
from .batches import Sampler, Share
from .inputs import IGNORED, Cut, Inputs, Tensors
from .masking import Framing, Masking
from .profiles import Halves
from .recipe import RecipeError, check_choice, check_range, option
from .schedules import SCHEDULES
from .tables import BarcodeTable


if TYPE_CHECKING:
    from accelerate import Accelerator


Objective = Literal["mlm", "autoencoder", "profile"]
EVERYWHERE = "all_positions"


@dataclass(frozen=True)
class PretrainingRecipe:
    """How a BarcodeBERT is pretrained; `help` of each field says what it is.

    Examples:
        >>> PretrainingRecipe(batch_size=128).peak_learning_rate
        0.0002
    """

    dataset: str = option("bioscan-5m", "dataset folder, Hub id, or name in the prepared cache of `datasets`")
    split: str = option("pretrain+train", "splits to learn from, joined by +")
    validation: str | None = option("val", "splits for masked accuracy on a fixed mask; their barcodes are not learnt")
    extra: tuple[str, ...] = option((), "Parquet files of further reads (column dna_barcode)")
    streaming: bool = option(False, "read the dataset as a stream, without preparing it on disk")
    output: str = option("barcodebert", "folder of the model; a run that was stopped goes on there")
    architecture: dict[str, Any] = option({}, "fields of BarcodeBertConfig: kmer_size, …")  # noqa: RUF009
    objective: Objective = option(  # noqa: RUF009
        "mlm", "mlm; autoencoder: the encoder sees visible k-mers only; profile: its mean tells the barcode's, too"
    )
    mask_ratio: float = option(0.5, "share of k-mers to be predicted")
    replacements: tuple[float, float, float] = option((1.0, 0.0, 0.0), "shares of these: [MASK], random k-mer, kept")
    random_offset: bool = option(True, "drop 0 … k-1 leading bases at random")
    crop: tuple[int, int] | None = option(None, "least and greatest number of bases of a random piece")
    epochs: float = option(35.0, "passes over the barcodes")
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
    gradient_checkpointing: bool = option(False, "recompute activations: less memory, a third more time")
    seed: int = option(0, "of weights, dropout, order, masks, offsets and crops")
    save_every: int = option(1000, "steps between checkpoints")

    def __post_init__(self) -> None:
        for name, allowed in (("objective", get_args(Objective)), ("schedule", tuple(SCHEDULES))):
            check_choice(name, getattr(self, name), allowed)
        check_range("mask_ratio", self.mask_ratio, 0.01, 0.99)
        for name in ("batch_size", "save_every"):
            check_range(name, getattr(self, name), 1)
        check_range("seed", self.seed, 0)
        if self.micro_batch_size is not None:
            check_range("micro_batch_size", self.micro_batch_size, 1)
        if not self.epochs > 0 or not self.learning_rate > 0:
            raise RecipeError(f"epochs is {self.epochs}, learning_rate {self.learning_rate}: use positive numbers")
        if min(self.replacements) < 0 or abs(sum(self.replacements) - 1) > 1e-6:
            raise RecipeError(f"replacements is {list(self.replacements)}: use three shares that sum to 1")
        if self.everywhere and self.objective != "mlm":
            raise RecipeError(
                f"loss_positions is 'all_positions', objective {self.objective!r}: use the objective mlm"
            )
        if self.crop is not None and not 16 <= self.crop[0] <= self.crop[1]:
            raise RecipeError(f"crop is {list(self.crop)}: use the least and the greatest length, from 16 bases")

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the schedule's peak."""
        return self.learning_rate * self.batch_size / 64

    @property
    def everywhere(self) -> bool:
        """Whether padding is attended to and predicted, as in the code of the BIOSCAN-5M paper."""
        return self.architecture.get("loss_positions") == EVERYWHERE

    @property
    def masking(self) -> Masking:
        """How k-mers are hidden; the auto-encoder hides the same share of each row, so that rows pack."""
        return Masking(self.mask_ratio, self.replacements, exact=self.objective == "autoencoder")

    def framing(self, k: int) -> Framing:
        """How the part of a barcode that is read is chosen.

        Args:
            k: bases of a k-mer.
        """
        return Framing(k, self.random_offset, self.crop)


@dataclass(frozen=True)
class Task:
    """Masked k-mers, as a recipe wants them.

    Args:
        table: the barcodes.
        k: bases of a k-mer.
        layout: `standard` or `original`.
        masking: how k-mers are hidden.
        autoencoder: give the model whole rows and say what is hidden, instead of hiding it.
        loss_positions: of the configuration: what is predicted. With `all_positions` rows are padded to full length,
            no attention mask is given, and what is no k-mer, padding or not, is labelled as the k-mer whose number
            among k-mers is the id of `[UNK]`. (The code of the BIOSCAN-5M paper subtracted the special ids from the
            ids of k-mers only.)
        profiles: of the table's barcodes, to be given to the model, or None.
    """

    table: BarcodeTable
    k: int
    layout: str
    masking: Masking
    autoencoder: bool = False
    loss_positions: str = "masked"
    profiles: Halves | None = None

    @property
    def heads(self) -> tuple[str, ...]:
        """Names of what is counted apart in the loss, if there is more than one thing."""
        return () if self.profiles is None else ("kmers", "profiles")

    def inputs(self, share: Share, seed: int, epoch: int) -> Inputs:
        """Give what the model is shown.

        Args:
            share: the rows.
            seed: the run's seed.
            epoch: from 0.
        """
        meaning, rows = LAYOUTS[self.layout], share.rows
        cut, everywhere = Cut.of(self.table, share, self.k, self.layout), self.loss_positions == EVERYWHERE
        if everywhere:
            cut = cut.filled(MAX_NUCLEOTIDES // self.k, meaning.pad)
        known = cut.ids >= meaning.first
        chosen = self.masking.choose(seed, epoch, rows, known, share.windows.tokens)
        asked = chosen if self.loss_positions == "masked" or self.autoencoder else known | everywhere
        tensors: Tensors = {"predicted": packed_positions(torch.from_numpy(asked), _PACKED)}
        if self.autoencoder:
            visible = packed_positions(torch.from_numpy(cut.real & ~chosen))
            tensors |= {"input_ids": torch.from_numpy(cut.ids), "masked": torch.from_numpy(chosen)}
            tensors |= {"visible": visible, "visible_padded": bool((visible < 0).any())}
        else:
            kmers = (meaning.first, vocabulary_size(self.k, self.layout))
            shown = self.masking.replace(seed, epoch, rows, cut.ids, chosen, meaning.mask, kmers)
            named = np.where(known, cut.ids, meaning.first + meaning.unknown)
            labels = torch.from_numpy(np.where(asked, named, IGNORED))
            tensors |= {"input_ids": torch.from_numpy(shown), "labels": labels}
        if self.profiles is None:
            return cut.inputs(share, [int(asked.sum())], tensors, attends_padding=everywhere)
        tensors["profile"] = torch.from_numpy(self.profiles[rows].astype(np.float32))
        return cut.inputs(share, [int(asked.sum()), len(rows)], tensors)


_PACKED = 8
"""Predicted positions are padded to a multiple of this, so that a compiled model meets few shapes."""

VALIDATION_SEED = 5_150_850
"""Seed of the fixed mask; the number of specimens of BIOSCAN-5M, and no run's seed by accident."""


@dataclass(frozen=True)
class Validation:
    """Masked accuracy on a fixed mask: the same for every recipe with the same k, ratio and barcodes.

    Whole barcodes from their first base; an exact share of each row's k-mers is hidden, all of them behind `[MASK]`
    (or from the encoder).

    Args:
        task: the barcodes and how they are hidden.
        sampler: their batches.
    """

    task: Task
    sampler: Sampler

    @classmethod
    def of(cls, recipe: PretrainingRecipe, table: BarcodeTable, k: int, layout: str, processes: int) -> Validation:
        """Prepare the validation of a recipe.

        Args:
            recipe: whose mask ratio and batch sizes are taken.
            table: the barcodes.
            k: bases of a k-mer.
            layout: `standard` or `original`.
            processes: that share the work.
        """
        masking = Masking(recipe.mask_ratio, exact=True)
        positions = EVERYWHERE if recipe.everywhere else "masked"  # rows are shown as in training
        task = Task(table, k, layout, masking, recipe.objective == "autoencoder", positions)
        framing = Framing(k, random_offset=False)
        size = recipe.batch_size, recipe.micro_batch_size
        return cls(task, Sampler(table, framing, VALIDATION_SEED, *size, processes=processes))

    def measure(self, accelerator: Accelerator, model: torch.nn.Module) -> dict[str, float]:
        """Give `validation_loss` and `validation_masked_accuracy`; all processes call it together.

        Args:
            accelerator: of the run.
            model: its model.
        """
        epoch, mask = self.sampler.epoch(0), LAYOUTS[self.task.layout].mask
        shares = (
            share for step in range(self.sampler.steps) for share in epoch.shares(step, accelerator.process_index)
        )
        pieces = (_hidden_only(self.task.inputs(share, VALIDATION_SEED, 0), mask) for share in shares)
        found = score(accelerator, model, pieces)
        loss, right, predicted = accelerator.reduce(found, "sum").tolist()
        return {
            "validation_loss": loss / max(1, predicted),
            "validation_masked_accuracy": right / max(1, predicted),
        }

    @property
    def predicted(self) -> str:
        """What is measured, for records."""
        ratio = self.task.masking.ratio
        return f"{len(self.sampler.rows)} barcodes, {100 * ratio:g} % of {self.task.k}-mers hidden"


def score(accelerator: Accelerator, model: torch.nn.Module, pieces: Iterable[Inputs]) -> torch.Tensor:
    """Sum losses, right guesses and predicted positions of this process, without dropout; float32, shape (3,).

    Args:
        accelerator: of the run.
        model: its model.
        pieces: what it is shown.
    """
    inner, was_training = accelerator.unwrap_model(model), model.training
    model.eval()
    total = torch.zeros(3, dtype=torch.float64)
    with torch.inference_mode(), accelerator.autocast():
        for piece in pieces:
            if piece.counts and piece.predicted[0]:
                output = inner.forward(**piece.to(accelerator.device).tensors)  # not compiled: many lengths, few steps
                sums = (output.loss.item() * piece.predicted[0], output.correct.item(), piece.predicted[0])
                total += torch.tensor(sums, dtype=torch.float64)
    model.train(was_training)
    return total.to(accelerator.device, torch.float32 if accelerator.device.type == "mps" else torch.float64)


def masked_accuracy(accelerator: Accelerator, model: torch.nn.Module, pieces: Iterable[Inputs], mask: int) -> float:
    """Give the share of hidden k-mers of a batch that the model guesses now; all processes call it together.

    Args:
        accelerator: of the run.
        model: its model.
        pieces: of this process; where visible k-mers are predicted too, only those behind `[MASK]` count.
        mask: id of `[MASK]`.
    """
    _, right, predicted = accelerator.reduce(
        score(accelerator, model, (_hidden_only(piece, mask) for piece in pieces)), "sum"
    ).tolist()
    return float(right / max(1, predicted))


def _hidden_only(piece: Inputs, mask: int) -> Inputs:
    if "labels" not in piece.tensors:
        return piece
    labels, shown = cast(torch.Tensor, piece.tensors["labels"]), cast(torch.Tensor, piece.tensors["input_ids"])
    hidden = shown == mask
    if not bool(((labels != IGNORED) & ~hidden).any()):
        return piece
    hidden &= labels != IGNORED
    tensors = piece.tensors | {"labels": labels.masked_fill(~hidden, IGNORED)}
    tensors["predicted"] = packed_positions(hidden, _PACKED)
    return piece._replace(tensors=tensors, predicted=(int(hidden.sum()), *piece.predicted[1:]))
