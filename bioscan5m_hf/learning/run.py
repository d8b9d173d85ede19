"""A run: its folder, its steps, and going on where it was stopped."""

from __future__ import annotations

import argparse
import dataclasses
import logging
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import torch

from ..data.reading import ahead
from ..errors import Bioscan5mError
from .batches import Sampler, Share
from .checkpoints import CheckpointError, Checkpoints
from .journal import Journal
from .recipe import add_flags, from_flags, read_recipe, to_mapping, write_recipe
from .schedules import SCHEDULES


if TYPE_CHECKING:
    from accelerate import Accelerator

RECIPE, LOG, CHECKPOINTS = "recipe.yaml", "log.jsonl", ".checkpoints"
"""Files of a run's folder. Checkpoints are hidden: they are not pushed to the Hub."""

_MAY_CHANGE = {"output", "micro_batch_size", "compile", "gradient_checkpointing", "streaming"}
"""Fields of a recipe that a resumed run may have otherwise: they change rounding errors at most."""


@dataclass(frozen=True)
class Watching:
    """How a run is watched, and where it goes afterwards; no part of its recipe.

    Args:
        log_every: steps between lines of the log.
        log_with: trackers of accelerate, besides the log file.
        push_to_hub: repository the finished model is pushed to.
    """

    log_every: int = 25
    log_with: tuple[str, ...] = ()
    push_to_hub: str | None = None


R = TypeVar("R")


def read_arguments(kind: type[R], description: str, arguments: Sequence[str] | None = None) -> tuple[R, Watching]:
    """Read a recipe, and how the run is watched, from a command line.

    Args:
        kind: the recipe's dataclass.
        description: what the command does.
        arguments: of the command; by default this process's.

    Raises:
        RecipeError: an unknown entry, or a value that cannot be meant.

    Examples:
        >>> from bioscan5m_hf.learning.pretraining import PretrainingRecipe
        >>> recipe, watching = read_arguments(PretrainingRecipe, "train", ["--epochs", "1", "--log-every", "5"])
        >>> recipe.epochs, watching.log_every
        (1.0, 5)
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    add_flags(parser, kind)
    parser.add_argument("--log-every", type=int, default=25, help="steps between lines of log.jsonl (default: 25)")
    trackers = ("trackio", "tensorboard", "wandb")
    parser.add_argument("--log-with", nargs="*", choices=trackers, default=[], help="log there, too")
    parser.add_argument("--push-to-hub", metavar="ORG/NAME", help="push the finished model to this repository")
    flags = parser.parse_args(arguments)
    if flags.log_every < 1:
        parser.error(f"--log-every is {flags.log_every}: use a number from 1")
    return from_flags(kind, flags), Watching(flags.log_every, tuple(flags.log_with), flags.push_to_hub)


def command_line(script: Callable[[], None]) -> None:
    """Run a script's main function; errors that are meant for the user end it without a traceback.

    Args:
        script: the main function.

    Examples:
        >>> command_line(lambda: None)
    """
    try:
        script()
    except (Bioscan5mError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error


def start_accelerator(precision: str, watching: Watching, folder: Path) -> Accelerator:
    """Start accelerate, and logging that tells what this package does.

    Args:
        precision: `fp32` or `bf16`.
        watching: names the trackers.
        folder: of the model, where trackers write.
    """
    from accelerate import Accelerator

    accelerator = Accelerator(
        mixed_precision={"fp32": "no"}.get(precision, precision),
        log_with=list(watching.log_with) or None,
        project_dir=str(folder),
    )
    logging.basicConfig(format="%(message)s")
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    logging.getLogger("bioscan5m_hf").setLevel(logging.INFO if accelerator.is_main_process else logging.WARNING)
    return accelerator


class Inputs(Protocol):
    """What a model is shown at once; see `pretraining.Inputs`."""

    tensors: dict[str, Any]

    @property
    def counts(self) -> float:
        """0.0 for a share that does not count."""

    @property
    def tokens(self) -> int:
        """Tokens that are no padding."""

    @property
    def places(self) -> int:
        """Tokens and padding."""


I = TypeVar("I")  # noqa: E741


class Steps(Iterator[tuple[int, list[I]]]):
    """The steps of a run from some step on, prepared one ahead in another thread.

    Args:
        sampler: gives the batches.
        inputs: makes what the model is shown of a share, in an epoch.
        start: the first step, from 0.
        stop: one past the last.
        process: which process this is.
    """

    def __init__(
        self, sampler: Sampler, inputs: Callable[[Share, int], I], start: int, stop: int, process: int
    ) -> None:
        self.sampler, self.inputs, self.process = sampler, inputs, process
        self.planned = sampler.epoch(start // sampler.steps)
        self.number = start // sampler.steps
        self.pool = ThreadPoolExecutor(1)
        self.items = ahead(self.pool, self.make, range(start, stop))

    def make(self, step: int) -> tuple[int, list[I]]:
        """Give a step's number and what this process does in it."""
        epoch, place = divmod(step, self.sampler.steps)
        if epoch != self.number:
            self.planned, self.number = self.sampler.epoch(epoch), epoch
        return step, [self.inputs(share, epoch) for share in self.planned.shares(place, self.process)]

    def __next__(self) -> tuple[int, list[I]]:
        try:
            return next(self.items)
        except StopIteration:
            self.pool.shutdown()
            raise


@dataclass(frozen=True)
class Run:
    """What a run keeps in its folder.

    Args:
        folder: of the model.
        recipe: how it is trained.
        accelerator: model, optimiser and processes.
        steps: of the whole run.
        table: digest of the barcodes that are learnt.
    """

    folder: Path
    recipe: Any
    accelerator: Accelerator
    steps: int
    table: str

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
            progress = self.checkpoints.load(newest, table=self.table, steps=self.steps)
        self.accelerator.wait_for_everyone()
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
        self.checkpoints.save(step, {"table": self.table, "steps": self.steps, **progress})


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
    before, now = to_mapping(read_recipe(type(recipe), folder / RECIPE)), to_mapping(recipe)
    changed = [name for name in now if before[name] != now[name] and name not in _MAY_CHANGE]
    if changed:
        said = ", ".join(f"{name} was {before[name]!r} and is {now[name]!r}" for name in changed)
        raise CheckpointError(
            f"{folder} holds a run with another recipe ({said}): give another --output, or remove the folder"
        )


def set_schedule(optimizer: torch.optim.Optimizer, recipe: Any, step: int, steps: int) -> float:  # noqa: ANN401
    """Set learning rate and momentum of a step; give the learning rate.

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
    return setting.factor * float(recipe.peak_learning_rate)


def learn(
    accelerator: Accelerator,
    model: torch.nn.Module,
    optimizer: torch.optim.Optimizer,
    pieces: Sequence[Inputs],
    count: torch.Tensor | dict[str, torch.Tensor],
    clip: float | None,
) -> torch.Tensor:
    """Take one step of the optimiser from the pieces of a global batch that are this process's.

    Args:
        accelerator: that prepared model and optimiser.
        model: returns a loss, the sum over its positions divided by `num_items_in_batch`.
        optimizer: AdamW.
        pieces: accumulated, on the model's device.
        count: positions in the loss over all pieces and processes.
        clip: greatest norm of the gradient.

    Returns:
        This process's part of the loss of the global batch.
    """
    parts = []
    for number, piece in enumerate(pieces, 1):
        last = number == len(pieces)
        with nullcontext() if last else accelerator.no_sync(model):
            loss = model(**piece.tensors, num_items_in_batch=count).loss * piece.counts
            # gradients are averaged over processes; the count has already divided by all of them
            accelerator.backward(loss * accelerator.num_processes)
        parts.append(loss.detach())
    if clip is not None:
        accelerator.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()
    optimizer.zero_grad()
    return torch.stack(parts).sum()


def describe(value: object) -> dict[str, Any]:
    """Give a dataclass as a flat mapping that trackers take.

    Args:
        value: the dataclass.

    Examples:
        >>> describe(Watching())
        {'log_every': 25, 'log_with': '()', 'push_to_hub': 'None'}
    """
    given = dataclasses.asdict(value)  # type: ignore[call-overload]
    return {name: each if isinstance(each, int | float | str) else str(each) for name, each in given.items()}
