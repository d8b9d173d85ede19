"""The contrastive loss between the modalities of specimens, on one process or over several.

Of every pair of modalities, each specimen's vector in one has to find its own among those of the other, by cosine
times a scale. CLIBD (Gong et al. 2025, arXiv 2405.17537) takes every other specimen of the batch for a wrong answer,
also one of the same species. With labels, these are right, too, and what nothing is known of is no answer at all.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, distributed
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


TARGETS = ("identity", "label", "label_raw")
"""What is right: the specimen itself; all of its kind, whose shares sum to 1; or, as CLIBD's code has it with labels,
all of its kind with a share of 1 each, so that a specimen with three of its kind weighs three times as much."""


_LARGE = 2**22
"""Cosines of a pair of modalities from which on they are computed again for the gradients instead of being kept:
those of 4,096 specimens in three modalities would take as much memory as many a tower."""


def contrastive_loss(
    embeddings: Mapping[str, Tensor],
    scale: Tensor | float,
    *,
    targets: str = "identity",
    labels: Tensor | None = None,
    joins: Tensor | None = None,
    joins_of: Mapping[str, Tensor] | None = None,
    present: Mapping[str, Tensor] | None = None,
    bind_to: str | None = None,
    gather: str | None = None,
) -> Tensor:
    """Give the loss: over pairs of modalities the mean of the cross-entropies in both directions.

    Args:
        embeddings: modality → vectors of any length but zero, shape (n, width), in the same order of specimens.
        scale: what cosines are multiplied with: 1 / temperature.
        targets: one of `TARGETS`.
        labels: of specimens, such as species and BIN, int64 of shape (n,) or (n, kinds), negative where there is none.
            Two specimens are of one kind if they share a label of any column, and different if both have one in some
            column and share none; specimens of which neither is known are no answers to each other. Only for the
            targets `label` and `label_raw`.
        joins: likewise, but a difference says nothing: barcodes may differ within a species.
        joins_of: modality → joins that count in the pairs that hold it only, such as equal texts: by its text alone no
            specimen can tell them apart, though its barcode may.
        present: modality → which specimens have it, bool of shape (n,); by default all. The others neither ask nor
            answer in that modality.
        bind_to: take only the pairs that hold this modality.
        gather: with several processes, `global` computes the whole loss in each, `local` only its own rows (of n
            times all instead of all times all numbers). Each process has to give as many specimens. The mean of the
            gradients over the processes, which DistributedDataParallel takes, is that of one process with all
            specimens. None stays with this process's specimens.

    Returns:
        Scalar, float32. With `local`, this process's part: the mean over the processes is the loss.

    Raises:
        ValueError: fewer than two modalities, other options than the allowed ones, shapes that do not fit, processes
            with different numbers of specimens, or no specimen with two modalities.

    Examples:
        >>> eye = torch.eye(2)
        >>> round(contrastive_loss({"image": eye, "dna": eye}, 10.0).item(), 6)
        4.5e-05
        >>> contrastive_loss({"image": eye, "dna": eye}, 10.0, targets="label", labels=torch.tensor([1, 1])).item()
        5.0...
    """
    kind = next(iter(embeddings.values())).device.type if embeddings else "cpu"
    with torch.autocast(kind, enabled=False):
        return _loss(embeddings, scale, targets, (labels, joins, joins_of or {}), present, bind_to, gather)


def _loss(
    embeddings: Mapping[str, Tensor],
    scale: Tensor | float,
    targets: str,
    kinds: tuple[Tensor | None, Tensor | None, Mapping[str, Tensor]],
    present: Mapping[str, Tensor] | None,
    bind_to: str | None,
    gather: str | None,
) -> Tensor:
    pairs, (labels, joins, given_of) = _pairs(list(embeddings), bind_to), kinds
    size = _check(embeddings, targets, labels, joins, present, gather, given_of)
    unit = {name: functional.normalize(given.float(), dim=-1) for name, given in embeddings.items()}
    device = next(iter(unit.values())).device
    joins_of = {name: given.to(device) for name, given in given_of.items() if name in unit}
    there = {name: given.to(device) for name, given in (present or {}).items()}
    world = distributed.get_world_size() if gather is not None and distributed.is_initialized() else 1
    every, own = unit, torch.arange(size * world, device=device)
    if world > 1:
        _check_sizes(size, device)
        every = {name: _Gather.apply(given) for name, given in unit.items()}
        # what one process lacks another may have: all have to gather the same
        there = {name: _gathered(there.get(name, _all_of(given))) for name, given in unit.items()}
        labels, joins = (None if given is None else _gathered(given.to(device)) for given in (labels, joins))
        joins_of = {name: _gathered(given) for name, given in joins_of.items()}
        if gather == "local":
            own = own[size * distributed.get_rank() :][:size]
    usual = None if targets == "identity" else _alike(labels, joins, own, size * world)
    losses, counts = [], []
    for one, other in pairs:
        alike = usual
        for name in (one, other):
            if usual is not None and name in joins_of:
                alike = _alike(labels, _columns(joins, joins_of[name]), own, size * world)
        both = _both(there.get(one), there.get(other))
        count = torch.tensor(size * world, device=device) if both is None else both.sum()
        for asks, answers in ((one, other), (other, one)):
            terms = every[asks][own], every[answers], scale, own, alike, both, targets == "label_raw"
            large = len(own) * size * world > _LARGE and torch.is_grad_enabled() and not torch.compiler.is_compiling()
            given = checkpoint(_compared, *terms, use_reentrant=False) if large else _compared(*terms)
            losses.append(given * (size * world / len(own)) / count.clamp(min=1))
            counts.append(count)
    used = (torch.stack(counts) > 0).sum()
    if there and not torch.compiler.is_compiling() and not used:
        raise ValueError("no specimen has two of the modalities: there is nothing to compare")
    return torch.stack(losses).sum() / used.clamp(min=1)


def _compared(
    asking: Tensor,
    answering: Tensor,
    scale: Tensor | float,
    own: Tensor,
    alike: tuple[Tensor, Tensor] | None,
    both: Tensor | None,
    raw: bool,
) -> Tensor:
    """Sum the cross-entropies of all rows that ask."""
    return _entropies(scale * asking @ answering.T, own, alike, both, raw=raw).sum()


def _entropies(
    scores: Tensor, own: Tensor, alike: tuple[Tensor, Tensor] | None, both: Tensor | None, *, raw: bool
) -> Tensor:
    """Give the cross-entropy of each row that asks, 0 for one that lacks a modality."""
    if alike is None and both is None:
        return functional.cross_entropy(scores, own, reduction="none")
    itself = own[:, None] == torch.arange(scores.shape[1], device=scores.device)
    right, compared = (itself, torch.ones_like(itself)) if alike is None else alike
    if both is not None:
        right, compared = right & both, compared & both
    logs = scores.masked_fill(~(compared | itself), -torch.inf).log_softmax(dim=1)
    found = -logs.masked_fill(~right, 0).sum(dim=1)
    if not raw:
        found = found / right.sum(dim=1).clamp(min=1)
    return found if both is None else found * both[own]


def _alike(labels: Tensor | None, joins: Tensor | None, own: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Tell which specimens are of one kind with each row that asks, and which are that or known to be different."""
    right = own[:, None] == torch.arange(size, device=own.device)
    known = right
    for columns, tells in ((labels, True), (joins, False)):
        for column in () if columns is None else columns.to(own.device).reshape(size, -1).unbind(dim=1):
            given = (column[own] >= 0)[:, None] & (column >= 0)
            right = right | (given & (column[own, None] == column))
            known = known | given if tells else known
    return right, known | right


def _columns(joins: Tensor | None, further: Tensor) -> Tensor:
    parts = [each.reshape(len(further), -1).to(further.device) for each in (joins, further) if each is not None]
    return torch.cat(parts, dim=1)


def _all_of(given: Tensor) -> Tensor:
    return torch.ones(len(given), dtype=torch.bool, device=given.device)


def _both(one: Tensor | None, other: Tensor | None) -> Tensor | None:
    return other if one is None else one if other is None else one & other


def _pairs(names: list[str], bind_to: str | None) -> list[tuple[str, str]]:
    if len(names) < 2:
        raise ValueError(f"the loss compares two modalities or more, not {', '.join(names) or 'none'}")
    if bind_to is not None and bind_to not in names:
        raise ValueError(f"bind_to is {bind_to!r}: use one of {', '.join(names)}")
    return [pair for pair in itertools.combinations(names, 2) if bind_to is None or bind_to in pair]


def _check(
    embeddings: Mapping[str, Tensor],
    targets: str,
    labels: Tensor | None,
    joins: Tensor | None,
    present: Mapping[str, Tensor] | None,
    gather: str | None,
    joins_of: Mapping[str, Tensor],
) -> int:
    """Look whether arguments fit; give the number of specimens."""
    shapes = {name: tuple(given.shape) for name, given in embeddings.items()}
    if len(set(shapes.values())) > 1 or len(next(iter(shapes.values()))) != 2:
        raise ValueError(f"embeddings must all be of one shape (n, width), not {shapes}")
    if targets not in TARGETS:
        raise ValueError(f"targets is {targets!r}: use one of {', '.join(TARGETS)}")
    if gather not in (None, "global", "local"):
        raise ValueError(f"gather is {gather!r}: use 'global', 'local' or None")
    if (targets == "identity") != (labels is None and joins is None) or (targets == "identity" and joins_of):
        raise ValueError(f"targets is {targets!r}: labels or joins belong to the targets {' and '.join(TARGETS[1:])}")
    size = next(iter(shapes.values()))[0]
    beside = {
        "labels": labels,
        "joins": joins,
        **{f"joins_of[{name!r}]": given for name, given in joins_of.items()},
        **{f"present[{name!r}]": given for name, given in (present or {}).items()},
    }
    for name, given in beside.items():
        if given is not None and len(given) != size:
            raise ValueError(f"{name} has {len(given)} rows, and there are {size} specimens")
    return size


class _Gather(torch.autograd.Function):
    """The rows of all processes, in the order of their ranks; gradients come back to the process they belong to."""

    @staticmethod
    def forward(ctx: Any, given: Tensor) -> Tensor:
        return _gathered(given)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        total = gradient.contiguous()
        distributed.all_reduce(total)
        return total.chunk(distributed.get_world_size())[distributed.get_rank()]


def _gathered(given: Tensor) -> Tensor:
    parts = [torch.empty_like(given) for _ in range(distributed.get_world_size())]
    distributed.all_gather(parts, given.contiguous())
    return torch.cat(parts)


def _check_sizes(size: int, device: torch.device) -> None:
    sizes = _gathered(torch.tensor([size], device=device)).tolist()
    if len(set(sizes)) > 1:
        raise ValueError(f"processes have {sizes} specimens: each has to give as many, so drop what is left over")
