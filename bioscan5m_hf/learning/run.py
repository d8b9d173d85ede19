"""A run: its folder, its steps, and going on where it was stopped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from .checkpoints import CheckpointError, Checkpoints
from .command import Watching, describe
from .journal import Journal
from .recipe import read_recipe, to_public, write_recipe
from .schedules import SCHEDULES


if TYPE_CHECKING:
    from accelerate import Accelerator

RECIPE, LOG, CHECKPOINTS = "recipe.yaml", "log.jsonl", ".checkpoints"
"""Files of a run's folder. Checkpoints are hidden: they are not pushed to the Hub."""

_MAY_CHANGE = frozenset({"output", "micro_batch_size", "compile", "gradient_checkpointing", "streaming"})
"""Fields of a recipe that a resumed run may have otherwise, as they change rounding errors at most; a recipe may have
`MAY_CHANGE` of its own."""


@dataclass(frozen=True)
class Run:
    """A run, with what it keeps in its folder.

    Args:
        folder: of the model.
        recipe: how it is trained.
        watching: how it is watched.
        accelerator: that prepared model and optimiser.
        model: that learns.
        optimizer: AdamW.
        steps: of the whole run.
        steps_of_epoch: steps of a pass over the data.
        data: digest of what is learnt from; a run goes on with the same only.
    """

    folder: Path
    recipe: Any
    watching: Watching
    accelerator: Accelerator
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    steps: int
    steps_of_epoch: int
    data: str

    @property
    def journal(self) -> Journal:
        """The log."""
        return Journal(self.folder / LOG, self.accelerator.is_main_process)

    @property
    def checkpoints(self) -> Checkpoints:
        """The checkpoints."""
        return Checkpoints(self.folder / CHECKPOINTS, self.accelerator)

    def resume(self) -> dict[str, Any]:
        """Go on from the newest checkpoint, or start.

        Returns:
            The progress that was saved; `step` counts the steps that are done.

        Raises:
            CheckpointError: the folder belongs to a run with another recipe, or the data have changed.
        """
        check_recipe(self.folder, self.recipe)
        newest = self.checkpoints.newest()
        progress = {"step": 0}
        if newest is not None:
            progress = self.checkpoints.load(newest, **self._identity)
        self.accelerator.wait_for_everyone()
        if self.watching.log_with:
            self.accelerator.init_trackers("bioscan5m", config=describe(self.recipe))
        if self.accelerator.is_main_process:
            (self.folder / CHECKPOINTS).mkdir(parents=True, exist_ok=True)
            write_recipe(self.recipe, self.folder / RECIPE)
        self.journal.rewind(progress["step"])
        self.accelerator.wait_for_everyone()
        return progress

    def save(self, step: int, **progress: object) -> None:
        """Write a checkpoint.

        Args:
            step: number of steps that are done.
            **progress: what else the run has to know.
        """
        self.checkpoints.save(step, {**self._identity, **progress})

    @property
    def _identity(self) -> dict[str, object]:
        return {"barcodes": self.data, "steps": self.steps}

    def bar(self, start: int) -> tqdm:
        """Give the progress bar; it is silent in other processes, and where there is no terminal.

        Args:
            start: steps that are done.
        """
        silent = None if self.accelerator.is_main_process else True
        return tqdm(total=self.steps, initial=start, unit="step", disable=silent, smoothing=0.05)

    def log(self, done: int, values: Mapping[str, float]) -> None:
        """Write a line of the log, and tell the trackers.

        Args:
            done: steps that are done.
            values: what was measured.
        """
        self.journal.write({"step": done, "epoch": done / self.steps_of_epoch, **values})
        self.accelerator.log(dict(values), step=done)


def check_recipe(folder: Path, recipe: Any) -> None:  # noqa: ANN401
    """Refuse to go on in the folder of a run with another recipe.

    Args:
        folder: of the model.
        recipe: of this run.

    Raises:
        CheckpointError: its recipe is another one.
    """
    if not (folder / RECIPE).exists():
        return
    before, now = to_public(read_recipe(type(recipe), folder / RECIPE)), to_public(recipe)
    allowed = getattr(recipe, "MAY_CHANGE", _MAY_CHANGE)
    changed = [name for name in now if before[name] != now[name] and name not in allowed]
    if changed:
        said = ", ".join(f"{name} was {before[name]!r} and is {now[name]!r}" for name in changed)
        raise CheckpointError(
            f"{folder} holds a run with another recipe ({said}): give another --output, or remove the folder"
        )


def set_schedule(optimizer: torch.optim.Optimizer, recipe: Any, step: int, steps: int) -> None:  # noqa: ANN401
    """Set learning rate and momentum of a step.

    Args:
        optimizer: AdamW.
        recipe: has `schedule` and `peak_learning_rate`.
        step: from 0.
        steps: of the run.
    """
    setting = SCHEDULES[recipe.schedule](step, steps)
    for group in optimizer.param_groups:
        group["lr"] = setting.factor * recipe.peak_learning_rate
        group["betas"] = (setting.beta1, group["betas"][1])
