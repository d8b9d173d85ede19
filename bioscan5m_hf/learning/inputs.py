"""What a model is shown at once."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch

from .batches import Share
from .masking import Integers, Truths
from .tables import BarcodeTable


if TYPE_CHECKING:
    from accelerate import Accelerator

IGNORED = -100
"""Label of what does not count in a loss, as everywhere in transformers."""

Tensors = dict[str, "torch.Tensor | dict[str, torch.Tensor] | bool"]
"""Arguments of a forward pass: tensors, labels by rank, and switches."""


class Inputs(NamedTuple):
    """What a model is shown at once.

    Args:
        tensors: arguments of its forward pass.
        predicted: what counts in the loss, for each head: masked positions, or names.
        tokens: tokens that are no padding; 0 where the share does not count.
        places: tokens and padding; 0 where the share does not count.
        counts: 0.0 for a share that does not count, else 1.0.
    """

    tensors: Tensors
    predicted: tuple[int, ...]
    tokens: int
    places: int
    counts: float

    def to(self, device: torch.device) -> Inputs:
        """Give the same on a device.

        Args:
            device: of the model.
        """
        return self._replace(tensors={name: _moved(each, device) for name, each in self.tensors.items()})


class Cut(NamedTuple):
    """Rows cut into k-mers.

    Args:
        ids: shape (n, length), padded.
        real: where there is a token, shape (n, length).
    """

    ids: Integers
    real: Truths

    @classmethod
    def of(cls, table: BarcodeTable, share: Share, k: int, layout: str) -> Cut:
        """Cut the rows of a share.

        Args:
            table: the barcodes.
            share: the rows.
            k: bases of a k-mer.
            layout: `standard` or `original`.
        """
        ids = table.ids(share.rows, share.windows, k, layout)
        return cls(ids, np.arange(ids.shape[1]) < share.windows.tokens[:, None])

    def filled(self, length: int, pad: int) -> Cut:
        """Give the same with rows of another, greater length.

        Args:
            length: tokens and padding of a row.
            pad: id of padding.
        """
        missing = ((0, 0), (0, length - self.ids.shape[1]))
        return Cut(np.pad(self.ids, missing, constant_values=pad), np.pad(self.real, missing))

    def inputs(
        self, share: Share, predicted: Sequence[int], tensors: Tensors, *, attends_padding: bool = False
    ) -> Inputs:
        """Put together what the model is shown.

        Args:
            share: the rows.
            predicted: for each head, what counts in the loss.
            tensors: arguments of the forward pass; the attention mask is added.
            attends_padding: leave the attention mask out.
        """
        if not self.real.all() and not attends_padding:  # without a mask, attention takes its fastest path
            tensors = tensors | {"attention_mask": torch.from_numpy(self.real).long()}
        if not share.counts:
            return Inputs(tensors, (0,) * len(predicted), 0, 0, 0.0)
        return Inputs(tensors, tuple(predicted), int(self.real.sum()), self.real.size, 1.0)


def count_predicted(accelerator: Accelerator, pieces: Sequence[Inputs]) -> torch.Tensor:
    """Count what counts in the loss of a global batch, at least 1, shape (heads,); all processes call it together.

    Args:
        accelerator: of the run.
        pieces: of this process.
    """
    own = torch.tensor([piece.predicted for piece in pieces], device=accelerator.device).sum(0)
    total: torch.Tensor = accelerator.reduce(own, "sum").clamp(min=1)
    return total


def _moved(value: Any, device: torch.device) -> Any:  # noqa: ANN401
    if isinstance(value, bool):
        return value
    if isinstance(value, dict):
        return {name: _moved(each, device) for name, each in value.items()}
    if device.type == "cuda" and value.device.type == "cpu":  # pragma: no cover  # no GPU in the tests
        return value.pin_memory().to(device, non_blocking=True)
    return value.to(device)
