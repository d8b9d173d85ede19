"""A run of CLIBD: its batches, and what is learnt from each, with activations of a piece of it in memory."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from ..data.loader import ImageBatches
from ..data.reading import ahead
from ..losses import cached_backward, contrastive_loss
from ..models.clibd import ClibdConfig
from .meter import explain, memory_mb
from .run import Run, set_schedule
from .shown import PROCESSID, Shown, Tensors, moved, pieces_of


if TYPE_CHECKING:
    from accelerate import Accelerator

_OF_LOSS = ("labels", "joins", "text_joins", "image_present", "dna_present", "text_present")


class Step(NamedTuple):
    """What one process does in a step.

    Args:
        number: from 0.
        tensors: arguments of the model, on the CPU.
        processids: of the specimens.
    """

    number: int
    tensors: Tensors
    processids: list[str]


@dataclass(frozen=True)
class ContrastiveRun(Run):
    """A run of CLIBD.

    Args:
        batches: of all processes together.
        shown: makes tensors of them.
        config: of the model.
    """

    batches: ImageBatches
    shown: Shown
    config: ClibdConfig

    def steps_from(self, start: int) -> Iterator[Step]:
        """Give the steps from some step on, prepared one ahead in another thread.

        Args:
            start: from 0.
        """
        with ExitStack() as stack:
            pool = stack.enter_context(ThreadPoolExecutor(1))
            stack.callback(pool.shutdown, wait=False, cancel_futures=True)
            yield from ahead(pool, self._step, self._numbered(start))

    def learn(self, step: Step) -> torch.Tensor:
        """Take one step of the optimiser.

        Args:
            step: what this process does in it.

        Returns:
            The loss of the batch of all processes together, or this process's part of it (`gather: local`), whose mean
            over the processes that is.
        """
        set_schedule(self.optimizer, self.recipe, step.number, self.steps)
        tensors = moved(step.tensors, self.accelerator.device)
        pieces = pieces_of(tensors, self.recipe.micro_batch_size)
        if len(pieces) == 1:
            loss: torch.Tensor = self.model(**self.shown.ready(tensors)).loss
            self.accelerator.backward(loss)
        else:
            loss = self._learn_in_pieces(tensors, pieces)
        if self.recipe.clip is not None:
            self.accelerator.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        self.optimizer.step()
        self.optimizer.zero_grad()
        return loss.detach()

    def _learn_in_pieces(self, tensors: Tensors, pieces: Sequence[Tensors]) -> torch.Tensor:
        """Compute the gradients of the whole batch; processes share them after the last piece, as after one."""
        given = {name: value for name, value in tensors.items() if name in _OF_LOSS}
        inner = self.accelerator.unwrap_model(self.model)
        encoded = 0
        with ExitStack() as alone:
            alone.enter_context(self.accelerator.no_sync(self.model))

            def encode(piece: Tensors) -> dict[str, torch.Tensor]:
                nonlocal encoded
                encoded += 1
                if encoded == 2 * len(pieces):  # each is encoded twice
                    alone.close()
                towers = {name: value for name, value in piece.items() if name not in _OF_LOSS}
                found = self.model(**self.shown.ready(towers), return_loss=False)
                # the scale has its gradient already, and has to take part in what the processes share
                return {name: each + 0 * found.logit_scale for name, each in embeddings_of(found).items()}

            value: torch.Tensor = cached_backward(
                encode,
                pieces,
                lambda found: loss_of(found, inner.scale(), self.config, given),
                self.accelerator.backward,
            )
            return value

    def _numbered(self, start: int) -> Iterator[tuple[int, Mapping[str, Any]]]:
        first = start // self.steps_of_epoch
        for epoch in range(first, self.steps // self.steps_of_epoch):
            skipped = start % self.steps_of_epoch if epoch == first else 0
            self.batches.set_epoch(epoch, skipped)
            for place, batch in enumerate(self.batches, skipped):
                yield epoch * self.steps_of_epoch + place, batch

    def _step(self, given: tuple[int, Mapping[str, Any]]) -> Step:
        number, batch = given
        return Step(number, self.shown(batch), batch[PROCESSID])


def embeddings_of(output: Any) -> dict[str, torch.Tensor]:  # noqa: ANN401
    """Give what a model's output holds: modality → vectors.

    Args:
        output: a `ClibdOutput`.
    """
    found = {name: getattr(output, f"{name}_embeds") for name in ("image", "dna", "text")}
    return {name: each for name, each in found.items() if each is not None}


def loss_of(
    embeddings: Mapping[str, torch.Tensor], scale: torch.Tensor, config: ClibdConfig, given: Mapping[str, torch.Tensor]
) -> torch.Tensor:
    """Compute the loss of a whole batch as `ClibdModel` does.

    Args:
        embeddings: modality → vectors, shape (n, width).
        scale: of cosines.
        config: of the model.
        given: `labels`, `joins`, `text_joins`, and `image_present` and the like, as far as there are.
    """
    kinds: dict[str, Any] = {name: given[name] for name in ("labels", "joins") if name in given}
    same_text = {"text": given["text_joins"]} if "text" in embeddings and "text_joins" in given else {}
    return contrastive_loss(
        embeddings,
        scale,
        targets=config.targets if kinds else "identity",
        present={name: given[f"{name}_present"] for name in embeddings if f"{name}_present" in given},
        bind_to=config.bind_to,
        gather=config.gather,
        **(kinds | {"joins_of": same_text} if kinds and config.targets != "identity" else {}),
    )


class SpecimenMeter:
    """Losses, specimens and time since the last line of the log.

    Args:
        accelerator: over whose processes they are averaged.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.losses: list[torch.Tensor] = []
        self.steps: list[tuple[int, list[str]]] = []
        self.started = time.perf_counter()

    def add(self, loss: torch.Tensor, step: Step) -> None:
        """Note a step of this process.

        Args:
            loss: of it, scalar.
            step: what was done.
        """
        self.losses.append(loss)
        self.steps.append((step.number, step.processids))

    def read(self) -> dict[str, float]:
        """Give the averages over steps and processes, and start anew; all processes call it together.

        Returns:
            `loss`, `specimens_per_second` and `memory_mb` (of this process: of its GPU, or resident).

        Raises:
            LossError: the loss of a step is not a finite number; its specimens are named.
        """
        from accelerate.utils import gather_object

        losses = self.accelerator.reduce(torch.stack(self.losses).float(), "mean").tolist()
        seconds, count = time.perf_counter() - self.started, sum(len(names) for _, names in self.steps)
        for loss, (number, names) in zip(losses, self.steps, strict=True):
            if not abs(loss) < float("inf"):
                raise explain(number + 1, loss, gather_object(names))
        self.clear()
        return {
            "loss": sum(losses) / len(losses),
            "specimens_per_second": round(count * self.accelerator.num_processes / seconds, 1),
            "memory_mb": round(memory_mb(), 1),
        }
