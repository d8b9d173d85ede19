"""The recipe of CLIBD: how photographs, barcodes and names of specimens are brought into one space."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

from ..models.clibd import MODALITIES
from .recipe import RecipeError, check_choice, check_range, make, option


BATCH = 500
"""Specimens that the learning rate is said for, as in CLIBD's code."""


@dataclass(frozen=True)
class Validating:
    """How a run is validated: queries of seen and of unseen species are named by keys that hold both.

    Examples:
        >>> Validating(every=5).keys
        'train+key_unseen'
    """

    keys: str = option("train+key_unseen", "splits of the keys")
    seen: str = option("val", "splits of queries whose species were learnt from")
    unseen: str | None = option("val_unseen", "splits of queries whose species were not; null where there are none")
    score: str = option("mean top-1", "what decides which weights are kept")
    every: int = option(1, "epochs between validations")
    begin: int = option(1, "first epoch after which there is one")
    patience: int | None = option(None, "validations without a better score after which to stop; null for all epochs")
    most: int | None = option(None, "about so many specimens of each, drawn by MD5(processid); null for all")

    def __post_init__(self) -> None:
        for name in ("every", "begin"):
            check_range(f"validation: {name}", getattr(self, name), 1)
        for name in ("patience", "most"):
            if (value := getattr(self, name)) is not None:
                check_range(f"validation: {name}", value, 1)

    @property
    def splits(self) -> tuple[str, ...]:
        """Splits of the keys and of the queries."""
        return tuple(split for split in (self.keys, self.seen, self.unseen) if split is not None)

    def due(self, epoch: int, epochs: int) -> bool:
        """Tell whether there is a validation after an epoch.

        Args:
            epoch: that is done, from 1.
            epochs: of the run; after the last there always is one.

        Examples:
            >>> [epoch for epoch in range(1, 11) if Validating(every=3, begin=4).due(epoch, 10)]
            [4, 7, 10]
        """
        return epoch == epochs or (epoch >= self.begin and (epoch - self.begin) % self.every == 0)


@dataclass(frozen=True)
class ContrastiveRecipe:
    """How a CLIBD is trained; `help` of each field says what it is.

    Examples:
        >>> ContrastiveRecipe(batch_size=2000).peak_learning_rate
        0.0002
    """

    MAY_CHANGE: ClassVar[frozenset[str]] = frozenset({"output", "micro_batch_size", "compile", "save_every"})
    """What a resumed run may have otherwise; not `streaming`, since a stream has another order."""

    dataset: str = option("bioscan-5m", "dataset folder, Hub id, or name in the prepared cache of `datasets`")
    package: str | None = option(None, "image package; by default the dataset's first")
    split: str = option("pretrain+train", "splits to learn from, joined by +")
    share: float = option(1.0, "share of their specimens, drawn by MD5(processid)")
    validation: dict[str, Any] = option({}, "how it is validated, see `Validating`; {splits: none} for not at all")  # noqa: RUF009
    streaming: bool = option(True, "read Parquet as a stream and shuffle near rows; else prepare on disk, any order")
    output: str = option("clibd", "folder of the model; a run that was stopped goes on there")
    architecture: dict[str, Any] = option({}, "fields of ClibdConfig")  # noqa: RUF009
    towers: dict[str, Any] = option({}, "modality: folder or id of a pretrained tower")  # noqa: RUF009
    freeze: tuple[str, ...] = option((), "towers that do not learn; their projections do")
    lora: dict[str, Any] = option(  # noqa: RUF009
        {}, "fields of peft's LoraConfig: towers learn by these matrices only, merged at the end"
    )
    augment: bool = option(True, "see photographs in another way each epoch")
    epochs: int = option(20, "passes over the specimens")
    batch_size: int = option(2000, "specimens that are compared with each other, over all processes")
    micro_batch_size: int | None = option(
        None, "specimens a process holds activations of; gradients of the whole batch are cached"
    )
    learning_rate: float = option(5e-5, f"peak of AdamW, per {BATCH} specimens of a batch")
    schedule: Literal["onecycle_of_the_rate", "onecycle", "cosine", "wsd"] = option(
        "onecycle_of_the_rate", "how the learning rate goes up and down"
    )
    weight_decay: float = option(0.01, "of AdamW")
    decays: Literal["matrices", "everything"] = option("matrices", "what weight decay is for")
    clip: float | None = option(1.0, "greatest norm of the gradient")
    precision: Literal["fp32", "bf16"] = option("bf16", "fp32, or bf16 autocast with fp32 weights")
    compile: bool = option(False, "torch.compile")
    save_every: int = option(2000, "steps between checkpoints; there is one after each epoch, too")
    seed: int = option(0, "of fresh weights, dropout, order and augmentation")

    def __post_init__(self) -> None:
        for name in ("epochs", "batch_size", "save_every"):
            check_range(name, getattr(self, name), 1)
        if self.batch_size < 2:
            raise RecipeError(f"batch_size is {self.batch_size}: a specimen is compared with others, so use 2 or more")
        if self.micro_batch_size is not None:
            check_range("micro_batch_size", self.micro_batch_size, 1)
        check_range("seed", self.seed, 0)
        if not 0 < self.share <= 1:
            raise RecipeError(f"share is {self.share}: use a number above 0 and up to 1")
        if not self.learning_rate > 0:
            raise RecipeError(f"learning_rate is {self.learning_rate}: use a positive number")
        if len(self.modalities) < 2:
            raise RecipeError(f"modalities is {list(self.modalities)}: two are needed to be compared")
        for name in (*self.towers, *self.freeze):
            check_choice("a tower", name, self.modalities)
        _ = self.validating

    @property
    def modalities(self) -> tuple[str, ...]:
        """Towers that there are."""
        return tuple(self.architecture.get("modalities") or MODALITIES)

    @property
    def peak_learning_rate(self) -> float:
        """The learning rate at the schedule's peak."""
        return self.learning_rate * self.batch_size / BATCH

    @property
    def validating(self) -> Validating | None:
        """How it is validated; None for not at all."""
        given: Mapping[str, Any] = self.validation
        if given.get("splits", "") in (None, "none"):
            return None
        return make(Validating, given, "validation")
