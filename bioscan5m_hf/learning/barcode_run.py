"""A run over barcodes: its steps, prepared one ahead, and what is learnt in each."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..data.reading import ahead
from .batches import Sampler, Share
from .command import Watching
from .inputs import Inputs, count_predicted
from .meter import Meter, NotFinite, explain
from .run import Run, set_schedule


if TYPE_CHECKING:
    from accelerate import Accelerator


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
class BarcodeRun(Run):
    """A run whose model returns a loss: the sum over what counts, divided by `num_items_in_batch`.

    Args:
        sampler: gives the batches.
    """

    sampler: Sampler

    @classmethod
    def of(
        cls,
        folder: Path,
        recipe: Any,  # noqa: ANN401
        watching: Watching,
        accelerator: Accelerator,
        model: torch.nn.Module,
        optimizer: torch.optim.Optimizer,
        sampler: Sampler,
        steps: int,
    ) -> BarcodeRun:
        """Make a run whose epochs and data are those of its sampler; see `Run`."""
        digest = str(sampler.table.about["digest"])
        return cls(folder, recipe, watching, accelerator, model, optimizer, steps, sampler.steps, digest, sampler)

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
