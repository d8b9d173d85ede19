"""The recipe of the convolutional baseline, and what it is shown."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from ..dna import BASES
from ..models.barcode_cnn import one_hot
from ..taxonomy import LABELS
from .finetuning import NamingTask
from .inputs import IGNORED
from .profiles import bases
from .recipe import RecipeError, check_choice, check_range, option


_LETTERS = np.frombuffer(f"{BASES}N".encode(), np.uint8)


@dataclass(frozen=True)
class ConvolutionalRecipe:
    """How the convolutional baseline is trained; `help` of each field says what it is.

    Epochs, batches and optimiser are those of the authors' code (`baselines/cnn` of BarcodeBERT); the learning rate is
    Adam's usual one, which they leave as it is.

    Examples:
        >>> ConvolutionalRecipe(rank="genus").epochs
        20
    """

    rank: str = option("species", "rank to name")
    dataset: str = option("bioscan-5m", "dataset folder, Hub id, or name in the prepared cache of `datasets`")
    train: str = option("train", "splits to learn from, joined by +; their names are the classes")
    validation: str = option("val", "splits that are measured after each epoch")
    test: str | None = option("test", "splits that are measured at the end")
    streaming: bool = option(False, "read the dataset as a stream, without preparing it on disk")
    output: str = option("barcode-cnn", "folder of the model")
    kernel_width: int = option(1, "columns that a convolution spans: 1 as in BarcodeBERT's code, 3 as in BIOSCAN-5M's")
    epochs: int = option(20, "passes over the barcodes")
    batch_size: int = option(128, "barcodes of an optimiser step, over all processes")
    learning_rate: float = option(1e-3, "of Adam")
    precision: Literal["fp32", "bf16"] = option("fp32", "fp32, or bf16 autocast with fp32 weights")
    seed: int = option(0, "of weights and order")

    def __post_init__(self) -> None:
        check_choice("rank", self.rank, LABELS)
        check_choice("kernel_width", self.kernel_width, (1, 3))
        check_range("epochs", self.epochs, 1)
        check_range("batch_size", self.batch_size, 2)  # batch norm needs two
        check_range("seed", self.seed, 0)
        if not self.learning_rate > 0:
            raise RecipeError(f"learning_rate is {self.learning_rate}: use a positive number")


def named_rows(task: NamingTask, rank: str) -> list[int]:
    """Give the rows whose name at a rank is a class.

    Args:
        task: barcodes and their names.
        rank: the rank.
    """
    rows: list[int] = np.flatnonzero(task.targets[rank] != IGNORED).tolist()
    return rows


def texts(task: NamingTask, rows: list[int]) -> list[str]:
    """Give the barcodes of some rows as they are written, their first `MAX_NUCLEOTIDES` at most; no base is N.

    Args:
        task: barcodes and their names.
        rows: of its table.
    """
    places = np.asarray(rows, np.int64)
    codes = bases(task.table, places)
    letters = _LETTERS[np.where(codes < 0, len(BASES), codes)]
    lengths = task.table.lengths[places].tolist()
    return [row[:length].tobytes().decode() for row, length in zip(letters, lengths, strict=True)]


def pictures(task: NamingTask, rank: str, rows: list[int]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Give some rows as pictures, see `one_hot`, the classes of their names, int64 of shape (n,), and the rows.

    Args:
        task: barcodes and their names.
        rank: of the names.
        rows: of its table.
    """
    return one_hot(texts(task, rows)), torch.from_numpy(task.targets[rank][rows]), torch.tensor(rows)
