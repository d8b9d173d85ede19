"""How queries and keys of several modalities are best compared: chosen on validation specimens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from .gap import ARROW, KINDS, Floats, Gap, centre_of, centres_of, present
from .labels import class_codes
from .search import Search
from .sides import Side, joined


_RATIOS = ((1.0, 0.0), (1.0, 1.0), (1.0, 0.5), (0.5, 1.0), (0.0, 1.0))


def declared_weights(kind: str) -> tuple[dict[str, float], ...]:
    """List the weights among which `fit_gap` chooses, the simplest first.

    A query with one modality is compared with its own, with both, or with the other; a query with both compares each
    with its own in three proportions, then each with the other, too, at a half and at the full weight.

    Args:
        kind: what queries have.

    Examples:
        >>> declared_weights("dna")[1], len(declared_weights("image+dna"))
        ({'dna→dna': 1.0, 'dna→image': 1.0}, 9)
    """
    if kind in ("image", "dna"):
        other = "dna" if kind == "image" else "image"
        return tuple({f"{kind}{ARROW}{kind}": own, f"{kind}{ARROW}{other}": cross} for own, cross in _RATIOS)
    return tuple(
        {
            f"image{ARROW}image": image,
            f"dna{ARROW}dna": dna,
            f"image{ARROW}dna": cross * (image + dna) / 2,
            f"dna{ARROW}image": cross * (image + dna) / 2,
        }
        for cross in (0.0, 1.0, 0.5)
        for image, dna in _RATIOS[1:4]
    )


@dataclass(frozen=True)
class FittedGap:
    """What was chosen, and how every choice fared.

    Args:
        gap: how to compare.
        accuracies: kind → what was tried, in words → mean over the groups of queries of the share named rightly.
    """

    gap: Gap
    accuracies: Mapping[str, Mapping[str, float]] = field(default_factory=dict)


def fit_gap(
    keys: Side,
    queries: Sequence[Side],
    rank: str = "species",
    *,
    search: Search | None = None,
    most: int = 2000,
    seed: int = 0,
) -> FittedGap:
    """Choose, for each kind of query, whether to centre and how to weigh, by how often the nearest name is right.

    Args:
        keys: labelled specimens; those without a name at the rank, or without the modality, are not found.
        queries: validation specimens in groups that count alike, such as `val` and `val_unseen`, whose species are
            among the keys.
        rank: at which names are compared.
        search: sizes of blocks, precision and device.
        most: queries of each group that are asked, drawn by `seed`.
        seed: what they are drawn by.

    Returns:
        The choice among `declared_weights`, of equally good ones the simplest, uncentred before centred. A kind that
        no query has, or whose modalities the keys lack, is left out.

    Raises:
        ValueError: no key has a name at the rank.

    Examples:
        >>> side = Side({"dna": np.eye(2)}, {"species": ["Aus bus", "Aus cus"]})
        >>> fit_gap(side, [side]).gap.weights
        {'dna': {'dna→dna': 1.0}}
    """
    names = class_codes(joined([side.labels[rank] for side in (keys, *queries)]))
    known, rest = names[: len(keys)], names[len(keys) :]
    if not (known >= 0).any():
        raise ValueError(f"no key has a name at the rank {rank}: there is nothing to choose by")
    centres = centres_of(keys.vectors)
    groups, start = [], 0
    for number, side in enumerate(queries):
        for name, each in side.vectors.items():  # a modality that no key has is centred by the queries
            if name not in centres and (centre := centre_of(each)) is not None:
                centres[name] = centre
        groups.append(_drawn(side, rest[start : start + len(side)], most, seed + number))
        start += len(side)
    weights: dict[str, dict[str, float]] = {}
    uncentred, accuracies = set(), {}
    for kind in KINDS:
        tried = _tried(kind, keys, known, groups, centres, search or Search())
        if tried:
            best = max(tried, key=lambda name: tried[name][0])  # of equal ones the first
            accuracies[kind] = {name: accuracy for name, (accuracy, _, _) in tried.items()}
            weights[kind] = tried[best][2]
            if not tried[best][1]:
                uncentred.add(kind)
    return FittedGap(Gap(centres, weights, frozenset(uncentred)), accuracies)


_Group = tuple[dict[str, Floats], npt.NDArray[np.int64]]


def _drawn(side: Side, codes: npt.NDArray[np.int64], most: int, seed: int) -> _Group:
    """Draw queries that have a name."""
    named = np.flatnonzero(codes >= 0)
    chosen = named if len(named) <= most else np.sort(np.random.default_rng(seed).permutation(named)[:most])
    return {name: np.asarray(each[chosen], np.float32) for name, each in side.vectors.items()}, codes[chosen]


def _tried(
    kind: str,
    keys: Side,
    known: npt.NDArray[np.int64],
    groups: Sequence[_Group],
    centres: Mapping[str, Floats],
    search: Search,
) -> dict[str, tuple[float, bool, dict[str, float]]]:
    """Try every choice of one kind of query: in words → accuracy, whether centred, weights."""
    asked = []
    for vectors, codes in groups:
        if all(name in vectors for name in kind.split("+")):
            rows = np.logical_and.reduce([vectors[name].any(axis=1) for name in kind.split("+")])
            if rows.any():
                asked.append(({name: each[rows] for name, each in vectors.items()}, codes[rows]))
    tried: dict[str, tuple[float, bool, dict[str, float]]] = {}
    has = {name: present(each) for name, each in keys.vectors.items()}
    for centring in (False, True):
        for declared in declared_weights(kind):
            weights = {pair: one for pair, one in declared.items() if one and pair.partition(ARROW)[2] in has}
            said = f"{'centred' if centring else 'not centred'}, {', '.join(f'{p} {w:g}' for p, w in weights.items())}"
            if not asked or not weights or said in tried:
                continue
            gap = Gap(centres if centring else {}, {kind: weights})
            reached = (known >= 0) & np.logical_or.reduce([has[name] for name in gap.held(kind)])
            if not reached.any():
                continue
            bars = np.where(reached, -1, 0)
            shares = []
            for vectors, codes in asked:
                found = gap.nearest(kind, vectors, keys.vectors, 1, search, apart=[(np.zeros_like(codes), bars)])
                shares.append(float((known[found.place[:, 0]] == codes).mean()))
            tried[said] = float(np.mean(shares)), centring, weights
    return tried
