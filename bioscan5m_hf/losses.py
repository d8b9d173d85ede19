"""Contrastive losses, and large batches in small memory."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import torch
from torch import Tensor

from .models.clibd.loss_clibd import TARGETS, contrastive_loss


__all__ = ["TARGETS", "cached_backward", "contrastive_loss"]

Piece = TypeVar("Piece")


def cached_backward(
    encode: Callable[[Piece], Mapping[str, Tensor]],
    pieces: Sequence[Piece],
    loss: Callable[[dict[str, Tensor]], Tensor],
    backward: Callable[[Tensor], object] = torch.Tensor.backward,
) -> Tensor:
    """Compute a loss over all pieces of a batch, and its gradients, with the activations of one piece in memory.

    Every piece is encoded twice: without gradients for the embeddings of the whole batch, and once more, with the same
    random numbers, to hand each piece the gradients that its embeddings got (Gao et al. 2021, arXiv 2101.06983).

    Args:
        encode: gives modality → embeddings, shape (rows of the piece, width); the same modalities for all pieces.
        pieces: of the batch.
        loss: of the embeddings of all pieces, joined in order.
        backward: takes a scalar and computes gradients, such as `accelerator.backward`. Under DistributedDataParallel
            keep `no_sync` around all but the last call.

    Returns:
        The loss, detached; gradients stand in the parameters.

    Raises:
        ValueError: no piece.

    Examples:
        >>> weight = torch.nn.Parameter(torch.ones(2))
        >>> pieces = [torch.eye(2), torch.eye(2).flip(0)]
        >>> loss = cached_backward(lambda piece: {"image": piece * weight, "dna": piece.abs()}, pieces,
        ...                        lambda given: contrastive_loss(given, 2.0))
        >>> weight.grad is not None
        True
    """
    if not pieces:
        raise ValueError("there is no piece to learn from")
    states, given = [], []
    for piece in pieces:
        states.append(_Random())
        with torch.no_grad():
            given.append(dict(encode(piece)))
    held = {name: [part[name].detach().requires_grad_() for part in given] for name in given[0]}
    value = loss({name: torch.cat(parts) for name, parts in held.items()})
    backward(value)
    for number, (piece, state) in enumerate(zip(pieces, states, strict=True)):
        with state:
            found = encode(piece)
        gradients = {name: parts[number].grad for name, parts in held.items() if found[name].requires_grad}
        terms = [(found[name] * each).sum() for name, each in gradients.items() if each is not None]
        if terms:
            backward(torch.stack(terms).sum())
    return value.detach()


class _Random:
    """The state of torch's generators now, to which a `with` block goes back; afterwards they are as before it."""

    def __init__(self) -> None:
        self.cpu = torch.get_rng_state()
        self.gpus = torch.cuda.get_rng_state_all() if torch.cuda.is_available() else []

    def __enter__(self) -> None:
        self.after = _Random()
        self.set()

    def __exit__(self, *error: object) -> None:
        self.after.set()

    def set(self) -> None:
        """Go back to this state."""
        torch.set_rng_state(self.cpu)
        if self.gpus:
            torch.cuda.set_rng_state_all(self.gpus)
