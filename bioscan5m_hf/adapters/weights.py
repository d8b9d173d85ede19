"""Published tensors into a module: all of them, and nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from ..embedding.checkpoint import CheckpointError


if TYPE_CHECKING:
    from torch import Tensor, nn


def bare(
    weights: Mapping[str, Tensor], prefixes: Sequence[str], mark: str, idle: Sequence[str], name: str
) -> dict[str, Tensor]:
    """Take an encoder's tensors out of a checkpoint, under the names of the encoder alone.

    Args:
        weights: names → tensors.
        prefixes: what may stand before the encoder's names, such as `bert.`.
        mark: a tensor that every encoder of the family has.
        idle: beginnings of names, with their prefix, of parts that vectors do not pass through: heads, poolers.
        name: the model's, for messages.

    Raises:
        CheckpointError: there is no such encoder.
    """
    prefix = next((prefix for prefix in prefixes if prefix + mark in weights), None)
    if prefix is None:
        some = ", ".join(sorted(weights)[:3]) or "none"
        raise CheckpointError(f"{name} holds the weights of another architecture ({some}): {mark} is needed")
    unused = tuple(idle) + tuple(prefix + part for part in idle)
    return {key.removeprefix(prefix): tensor for key, tensor in weights.items() if not key.startswith(unused)}


def fill(model: nn.Module, weights: Mapping[str, Tensor], name: str, computed: Sequence[str] = ()) -> None:
    """Put tensors into a module.

    Args:
        model: is changed.
        weights: under the module's own names.
        name: the model's, for messages.
        computed: buffers that need not be among them, because their values follow from the configuration.

    Raises:
        CheckpointError: a tensor is missing, left over, of another shape, or not finite.
    """
    wanted = model.state_dict()
    missing = sorted(wanted.keys() - weights.keys() - set(computed))
    left = sorted(weights.keys() - wanted.keys())
    other = [
        f"{key} is {tuple(weights[key].shape)} instead of {tuple(wanted[key].shape)}"
        for key in sorted(wanted.keys() & weights.keys())
        if weights[key].shape != wanted[key].shape
    ]
    wrong = [key for key in sorted(weights) if weights[key].is_floating_point() and not weights[key].isfinite().all()]
    found = {"missing": missing, "left over": left, "of another shape": other, "not finite": wrong}
    said = "; ".join(f"{len(keys)} {kind} ({', '.join(keys[:4])})" for kind, keys in found.items() if keys)
    if said:
        raise CheckpointError(f"{name}: the weights are not those of the model that config.json describes: {said}")
    model.load_state_dict(dict(weights), strict=False)
