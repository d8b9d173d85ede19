"""What is measured while a model learns, without waiting for the device at every step."""

from __future__ import annotations

import resource
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from ..errors import Bioscan5mError
from .inputs import Inputs


if TYPE_CHECKING:
    from accelerate import Accelerator


class LossError(Bioscan5mError):
    """The loss is not a finite number.

    Examples:
        >>> issubclass(LossError, Bioscan5mError)
        True
    """


class Meter:
    """Losses, tokens and time since the last line of the log.

    Args:
        accelerator: over whose processes they are summed.
    """

    def __init__(self, accelerator: Accelerator) -> None:
        self.accelerator = accelerator
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.losses: list[torch.Tensor] = []
        self.tokens, self.places, self.started = 0, 0, time.perf_counter()

    def add(self, loss: torch.Tensor, pieces: Sequence[Inputs]) -> None:
        """Note a step of this process.

        Args:
            loss: its part of the step's loss, scalar.
            pieces: what it did.
        """
        self.losses.append(loss.detach())
        self.tokens += sum(piece.tokens for piece in pieces)
        self.places += sum(piece.places for piece in pieces)

    def read(self) -> dict[str, float]:
        """Give the averages over steps and processes, and start anew; all processes call it together.

        Returns:
            `loss`, `tokens_per_second`, `padding_share` and `memory_mb` (of this process: of its GPU, or resident).

        Raises:
            NotFinite: the loss of a step is not a finite number.
        """
        losses = self.accelerator.reduce(torch.stack(self.losses), "sum").tolist()
        counts = torch.tensor([self.tokens, self.places], device=self.accelerator.device)
        tokens, places = self.accelerator.reduce(counts, "sum").tolist()
        seconds = time.perf_counter() - self.started
        self.clear()
        for step, loss in enumerate(losses):
            if not abs(loss) < float("inf"):
                raise NotFinite(len(losses) - step, loss)
        return {
            "loss": sum(losses) / len(losses),
            "tokens_per_second": round(tokens / seconds, 1),
            "padding_share": 1 - tokens / max(1, places),
            "memory_mb": round(memory_mb(), 1),
        }


class NotFinite(Exception):
    """The loss of a step since the last reading is not finite.

    Args:
        ago: how many steps there have been since, itself included.
        loss: its value.
    """

    def __init__(self, ago: int, loss: float) -> None:
        super().__init__(ago, loss)
        self.ago, self.loss = ago, loss


def explain(step: int, loss: float, processids: list[str]) -> LossError:
    """Say which specimens a loss that is not finite came from.

    Args:
        step: of the run, from 1.
        loss: its value.
        processids: the specimens of the global batch.

    Examples:
        >>> print(explain(7, float("nan"), ["A-1", "A-2"]))
        the loss of step 7 is nan; its batch was A-1, A-2. Look at these barcodes, lower the learning rate, or set clip
    """
    named = ", ".join(processids[:50]) + (f" and {len(processids) - 50} more" if len(processids) > 50 else "")
    return LossError(
        f"the loss of step {step} is {loss}; its batch was {named}. "
        "Look at these barcodes, lower the learning rate, or set clip"
    )


def memory_mb() -> float:
    """Give the greatest memory so far, in MB (10⁶ bytes): of the GPU if there is one, else resident memory.

    Examples:
        >>> memory_mb() > 1
        True
    """
    if torch.cuda.is_available():  # pragma: no cover  # no GPU in the tests
        return torch.cuda.max_memory_allocated() / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def choose_attention(model: torch.nn.Module, device: torch.device) -> None:
    """Take eager attention on a CPU, where it is the faster one for rows as short as barcodes.

    The backward pass of the fused kernel is what is slow there: for 110 tokens and a width of 256, a whole step takes
    1.3 to 1.6 times as long with it. (For the published sizes, whose heads are wide, it makes no difference:
    `benchmarks/README.md`.)

    Args:
        model: of transformers.
        device: it learns on.
    """
    if device.type == "cpu":
        model.set_attn_implementation("eager")  # type: ignore[operator]


def compile_model(model: torch.nn.Module) -> None:
    """Compile a model in place; its names and classes stay.

    Args:
        model: the model.
    """
    # lengths, rests of epochs and batches with padding are graphs of their own; beyond the limit torch falls back to
    # the plain model without a word
    torch._dynamo.config.recompile_limit = 64
    model.compile()


def grouped(model: torch.nn.Module, weight_decay: float, *, everything: bool = False) -> list[dict[str, object]]:
    """Group the parameters that learn for AdamW: matrices decay, biases and norms do not.

    Args:
        model: the model.
        weight_decay: of the matrices.
        everything: biases, norms and scalars decay as well.

    Examples:
        >>> [len(group["params"]) for group in grouped(torch.nn.Linear(2, 2), 0.1)]
        [1, 1]
    """
    learning = [parameter for parameter in model.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in learning if parameter.ndim > 1]
    others = [parameter for parameter in learning if parameter.ndim < 2]
    return [
        {"params": matrices, "weight_decay": weight_decay},
        {"params": others, "weight_decay": weight_decay * everything},
    ]
