"""A run: its folder, its steps, and going on where it was stopped."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from tqdm import tqdm

from ..data.reading import ahead
from .batches import Sampler, Share
from .checkpoints import CheckpointError, Checkpoints
from .command import Watching, describe
from .inputs import Inputs, count_predicted
from .journal import Journal
from .meter import Meter, NotFinite, explain
from .recipe import read_recipe, to_public, write_recipe
from .schedules import SCHEDULES


if TYPE_CHECKING:
    from accelerate import Accelerator

RECIPE, LOG, CHECKPOINTS = "recipe.yaml", "log.jsonl", ".checkpoints"
"""Files of a run's folder. Checkpoints are hidden: they are not pushed to the Hub."""

_MAY_CHANGE = {"output", "micro_batch_size", "compile", "gradient_checkpointing", "streaming"}
"""Fields of a recipe that a resumed run may have otherwise: they change rounding errors at most."""


class Steps(Iterator[tuple[int, list[Inputs]]]):
    """The steps of a run from some step on, prepared one ahead in another thread.

    Args:
        sampler: gives the batches.
        inputs: makes what the model is shown of a share, in an epoch.
        start: the first step, from 0.
        stop: one past the last.
        process: which process this is.
    """

    def __init__(
        self, sampler: Sampler, inputs: Callable[[Share, int], Inputs], start: int, stop: int, process: int
    ) -> None:
        self.sampler, self.inputs, self.process = sampler, inputs, process
        self.planned = sampler.epoch(start // sampler.steps)
        self.number = start // sampler.steps
        self.pool = ThreadPoolExecutor(1)
        self.items = ahead(self.pool, self.make, range(start, stop))

    def make(self, step: int) -> tuple[int, list[Inputs]]:
        """Give a step's number and what this process does in it."""
        epoch, place = divmod(step, self.sampler.steps)
        if epoch != self.number:
            self.planned, self.number = self.sampler.epoch(epoch), epoch
        return step, [self.inputs(share, epoch) for share in self.planned.shares(place, self.process)]

    def __next__(self) -> tuple[int, list[Inputs]]:
        try:
            return next(self.items)
        except StopIteration:
            self.pool.shutdown()
            raise


@dataclass(frozen=True)
class Run:
    """A run, with what it keeps in its folder.

    Args:
        folder: of the model.
        recipe: how it is trained.
        watching: how it is watched.
        accelerator: that prepared model and optimiser.
        model: returns a loss: the sum over what counts, divided by `num_items_in_batch`.
        optimizer: AdamW.
        sampler: gives the batches.
        steps: of the whole run.
    """

    folder: Path
    recipe: Any
    watching: Watching
    accelerator: Accelerator
    model: torch.nn.Module
    optimizer: torch.optim.Optimizer
    sampler: Sampler
    steps: int

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
            CheckpointError: the folder belongs to a run with another recipe, or the barcodes have changed.
        """
        check_recipe(self.folder, self.recipe)
        newest = self.checkpoints.newest()
        progress = {"step": 0}
        if newest is not None:
            progress = self.checkpoints.load(newest, **self._identity)
        self.accelerator.wait_for_everyone()
        if self.watching.log_with:
            self.accelerator.init_trackers("barcodebert", config=describe(self.recipe))
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
        return {"barcodes": self.sampler.table.about["digest"], "steps": self.steps}

    def bar(self, start: int) -> tqdm:
        """Give the progress bar; it is silent in other processes, and where there is no terminal.

        Args:
            start: steps that are done.
        """
        silent = None if self.accelerator.is_main_process else True
        return tqdm(total=self.steps, initial=start, unit="step", disable=silent, smoothing=0.05)

    def steps_from(self, start: int, stop: int, inputs: Callable[[Share, int], Inputs]) -> Steps:
        """Give some steps, each with what this process does in it.

        Args:
            start: the first step, from 0.
            stop: one past the last.
            inputs: makes what the model is shown of a share, in an epoch.
        """
        return Steps(self.sampler, inputs, start, stop, self.accelerator.process_index)

    def learn(self, step: int, pieces: Sequence[Inputs], heads: Sequence[str] = ()) -> torch.Tensor:
        """Take one step of the optimiser from the pieces of a global batch that are this process's.

        Args:
            step: from 0.
            pieces: accumulated, on the model's device.
            heads: names of the model's heads, if there are several counts.

        Returns:
            This process's part of the loss of the global batch.
        """
        set_schedule(self.optimizer, self.recipe, step, self.steps)
        totals = count_predicted(self.accelerator, pieces)
        count = dict(zip(heads, totals, strict=True)) if heads else totals[0]
        parts = []
        for number, piece in enumerate(pieces, 1):
            last = number == len(pieces)
            with nullcontext() if last else self.accelerator.no_sync(self.model):
                loss = self.model(**piece.tensors, num_items_in_batch=count).loss * piece.counts
                # gradients are averaged over processes; the count has already divided by all of them
                self.accelerator.backward(loss * self.accelerator.num_processes)
            parts.append(loss.detach())
        if self.recipe.clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return torch.stack(parts).sum()

    def read(self, meter: Meter, done: int) -> dict[str, float]:
        """Read the meter, for a line of the log.

        Args:
            meter: what was measured since the last line.
            done: steps that are done.

        Raises:
            LossError: the loss of a step is not a finite number; its specimens are named.
        """
        try:
            return {"lr": self.optimizer.param_groups[0]["lr"], **meter.read()}
        except NotFinite as bad:
            epoch, place = divmod(done - bad.ago, self.sampler.steps)
            processids = self.sampler.epoch(epoch).processids(place)
            raise explain(done - bad.ago + 1, bad.loss, processids) from None

    def log(self, done: int, values: Mapping[str, float]) -> None:
        """Write a line of the log, and tell the trackers.

        Args:
            done: steps that are done.
            values: what was measured.
        """
        self.journal.write({"step": done, "epoch": done / self.sampler.steps, **values})
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
    changed = [name for name in now if before[name] != now[name] and name not in _MAY_CHANGE]
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
