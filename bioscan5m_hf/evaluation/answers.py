"""Names that were given, compared with true names: by specimen and by class, with intervals, all and apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .accuracy import accuracy_of
from .intervals import resampled
from .results import Outcome, Score, score_name
from .strata import parts


Mask = npt.NDArray[np.bool_]
Names: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str | None]
Columns = Mapping[str, Names]


def score_names(
    predicted: Columns,
    true: Columns,
    *,
    part: str,
    masks: Mapping[str, Mask] | None = None,
    learnt: Columns | None = None,
    seed: int = 0,
) -> Outcome:
    """Score the names that queries were given.

    A query without a true name at a rank does not count there; one that was given no name is wrong. A true name that
    was not learnt counts as wrong, too: it is counted apart.

    Args:
        predicted: rank → name given to each query, None for none; shape (n,).
        true: rank → true name of each query, None where not known; with `species`, for the intervals; shape (n,).
        part: what the queries are called, such as their split.
        masks: name of a stratum → whether each query belongs to it, shape (n,).
        learnt: rank → names that could have been given.
        seed: what the intervals are drawn from.

    Raises:
        ValueError: no query has a true name at any of the ranks.

    Examples:
        >>> found = score_names({"genus": ["Apis", "Aus"]}, {"genus": ["Apis", "Apis"], "species": ["Apis a"] * 2},
        ...                     part="test")
        >>> found.scores["genus/test/micro"].value, found.counts["genus: queries with a name"]
        (0.5, 2)
    """
    scores: dict[str, Score] = {}
    counts: dict[str, int] = {}
    for rank, given in predicted.items():
        truth = array(true[rank])
        known = np.asarray(truth.is_valid())
        if not known.any():
            continue
        same = np.asarray(pc.fill_null(pc.equal(array(given), truth), False))
        scores |= score_answers(rank, same, truth, true["species"], part=part, masks=masks, seed=seed)
        counts[f"{rank}: queries with a name"] = int(known.sum())
        if learnt is not None:
            there = np.asarray(pc.is_in(truth, array(learnt[rank]).drop_null()))
            counts[f"{rank}: of these, names that were not learnt"] = int((known & ~there).sum())
    if not scores:
        raise ValueError(f"no query of {part} has a name at any of the ranks {', '.join(predicted)}")
    extras = {"confusion": confusion(predicted["order"], true["order"])} if "order" in predicted else {}
    return Outcome(scores, counts, {}, {name: value for name, value in extras.items() if value["labels"]})


def score_answers(
    rank: str,
    right: Mask,
    names: Names,
    species: Names,
    *,
    part: str,
    masks: Mapping[str, Mask] | None = None,
    seed: int = 0,
) -> dict[str, Score]:
    """Score answers that are known to be right or wrong, by specimen and by class, all and in each stratum.

    Args:
        rank: it was asked for.
        right: whether each answer is right, shape (n,).
        names: the true name of each query at the rank, None where it is not known; shape (n,).
        species: of each query, for the intervals; shape (n,).
        part: what the queries are called.
        masks: name of a stratum → whether each query belongs to it, shape (n,).
        seed: what the intervals are drawn from.

    Examples:
        >>> list(score_answers("genus", np.array([True]), ["Apis"], ["Apis mellifera"], part="test"))
        ['genus/test/micro', 'genus/test/macro']
    """
    truth, kinds = array(names), array(species)
    known = np.asarray(truth.is_valid())
    scores: dict[str, Score] = {}
    for name, mask in parts(part, masks or {}, len(right)).items():
        kept = np.flatnonzero(mask & known)
        if not len(kept):
            continue
        classes, kind = truth.take(pa.array(kept)), kinds.take(pa.array(kept))
        found = accuracy_of(right[kept], classes)
        for average, value, group in (("micro", found.micro, None), ("macro", found.macro, classes)):
            low, high = resampled(right[kept], kind, group, seed=seed)
            scores[score_name(rank, name, average)] = Score(value, low, high, found.n)
    return scores


def confusion(predicted: Names, true: Names) -> dict[str, Any]:
    """Count how often each order was named as each other: rows are true, columns given names; no name is the last.

    Args:
        predicted: given names, shape (n,).
        true: true names, shape (n,); queries without one do not count.

    Examples:
        >>> confusion(["Diptera", None], ["Diptera", "Diptera"])["counts"]
        [[1, 1], [0, 0]]
    """
    truth, given = array(true), array(predicted)
    known = np.asarray(truth.is_valid())
    labels = sorted({*truth.drop_null().to_pylist(), *given.filter(pa.array(known)).drop_null().to_pylist()})
    if not labels:
        return {"rank": "order", "labels": [], "counts": []}
    values = pa.array(labels, pa.string())
    row = np.asarray(pc.index_in(truth, values).fill_null(-1))[known]
    column = np.asarray(pc.index_in(given, values).fill_null(len(labels)))[known]
    counts = np.zeros((len(labels) + 1, len(labels) + 1), int)
    np.add.at(counts, (row, column), 1)
    unnamed = ["no name"] if counts[:, -1].any() else []
    size = len(labels) + len(unnamed)
    return {"rank": "order", "labels": labels + unnamed, "counts": counts[:size, :size].tolist()}


def array(names: Names) -> pa.Array:
    """Give names as one Arrow array of strings."""
    given = names if isinstance(names, pa.Array | pa.ChunkedArray) else pa.array(names, pa.string())
    return (given.combine_chunks() if isinstance(given, pa.ChunkedArray) else given).cast(pa.string())
