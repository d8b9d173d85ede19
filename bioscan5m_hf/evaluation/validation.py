"""How well a model of several modalities names specimens while it is trained: one number for each way of asking.

`retrieval` measures the same with intervals and strata; here only the nearest key counts, so that it is quick.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from .accuracy import accuracy_of, harmonic_mean
from .answers import array
from .fusion import Stacked
from .gap import ARROW, KINDS
from .gap_fit import FittedGap, fit_gap
from .labels import codes_of
from .retrieval import ALL
from .search import Integers, Search, Vectors
from .sides import FUSED, UNFUSED, Side, joined


MEAN = "mean top-1"
RANKS = ("order", "family", "genus", "species")
"""Ranks that the mean is taken over, as in CLIBD's choice of the best weights (code of Gong et al. 2025)."""

HARMONIC = "harmonic mean"
GAP = "centred and weighed"


@dataclass(frozen=True)
class Validated:
    """What was measured.

    Args:
        scores: `MEAN`, and `rank/part, direction/average` → from 0 to 1.
        gap: how image and DNA are best compared, fitted on all queries; None where that was not asked for.
    """

    scores: Mapping[str, float]
    gap: FittedGap | None


def score_names_of(modalities: Sequence[str], parts: Sequence[str]) -> list[str]:
    """List the scores that `validate` gives of a model without fitting, where queries have names at all ranks.

    Args:
        modalities: that the model has.
        parts: of the queries.

    Examples:
        >>> score_names_of(["image", "text"], ["val"])[:3]
        ['mean top-1', 'order/val, image→image/micro', 'order/val, image→image/macro']
    """
    asked = [name for name in ("image", "dna") if name in modalities]
    held = [*asked, *(["text"] if "text" in modalities else [])]
    if len(asked) == 2:
        asked, held = [*asked, *FUSED], [*held, *FUSED, ALL]
    alone = "concatenated"
    ways = [f"{one}{ARROW}{other}" for one in asked for other in held
            if (alone in (one, other)) == (one == other == alone)]  # fmt: skip
    named = [*parts, *([HARMONIC] if len(parts) == 2 else [])]
    averages = ("micro", "macro")
    return [MEAN, *(f"{r}/{part}, {way}/{a}" for r in RANKS for part in named for way in ways for a in averages)]


def validate(
    keys: Side,
    queries: Mapping[str, Side],
    texts: Side | None = None,
    *,
    fits: bool = False,
    search: Search | None = None,
) -> Validated:
    """Name queries by their nearest key, in every way.

    `MEAN` is over every kind of query by every kind of key (photographs, barcodes and names, image and DNA averaged or
    side by side, and both in one index), each rank, by specimen and by class, of each part. CLIBD's code chooses its
    weights by such a mean, in which texts ask, too (that of a query is its answer), keys have a text each, and what
    has no name counts as one of the name `not_classified`. Here a query without a name of a rank does not count there,
    and a key without one fills its place.

    Args:
        keys: of seen and unseen species.
        queries: part, such as `val` and `val_unseen` → specimens that ask, with photographs, barcodes or both; of two
            parts, the harmonic mean is given, too.
        texts: the names of the keys as vectors, each once: photographs and barcodes are named by the nearest, which is
            naming without any photograph or barcode of the species.
        fits: find out how image and DNA are best compared, too, which takes longer: on half of the queries, to be
            measured on the other half, and the other way round; the comparison that is given is fitted on all.
        search: sizes of blocks, precision and device.

    Raises:
        ValueError: no query has a name, or nothing can be compared.

    Examples:
        >>> eye = np.eye(2, dtype=np.float32)
        >>> side = Side({"image": eye, "dna": eye[::-1]}, {"species": ["Aus bus", "Aus cus"]})
        >>> scores = validate(side, {"val": side}).scores
        >>> scores["species/val, image→image/micro"], scores["species/val, image→dna/micro"]
        (1.0, 0.0)
    """
    search = search or Search()
    scores: dict[str, float] = {}
    for part, side in queries.items():
        for direction, place, held in _answers(side, keys, texts, search):
            scores |= _scored(f"{part}, {direction}", place, held, side)
    if not scores:
        raise ValueError("no query has a name at any of the ranks that its keys have: nothing can be counted")
    mean = float(np.mean([scores[name] for name in scores]))
    gap = None
    if fits and {"image", "dna"} <= keys.vectors.keys():
        scores |= _fused(keys, queries, search)
        gap = fit_gap(keys, list(queries.values()), search=search)
    if len(queries) == 2:
        scores |= _harmonic(scores, *queries)
    return Validated({MEAN: mean, **scores}, gap)


def _fused(keys: Side, queries: Mapping[str, Side], search: Search) -> dict[str, float]:
    """Score queries that are compared as was best for the other half of them."""
    halves = {part: np.arange(len(side)) % 2 for part, side in queries.items()}
    fitted = [fit_gap(keys, [_taken(side, np.flatnonzero(halves[part] != half)) for part, side in queries.items()],
                      search=search).gap for half in (0, 1)]  # fmt: skip
    scores: dict[str, float] = {}
    for part, side in queries.items():
        for kind in KINDS:
            if not all(kind in gap.weights for gap in fitted):
                continue
            place = np.zeros(len(side), np.int64)
            for half, gap in enumerate(fitted):
                rows = np.flatnonzero(halves[part] == half)
                if len(rows):
                    asked = {name: each[rows] for name, each in side.vectors.items()}
                    place[rows] = gap.nearest(kind, asked, keys.vectors, 1, search).place[:, 0]
            scores |= _scored(f"{part}, {kind}, {GAP}", place, keys, side)
    return scores


def _taken(side: Side, rows: Integers) -> Side:
    labels = {rank: array(names).take(pa.array(rows)) for rank, names in side.labels.items()}
    return Side({name: each[rows] for name, each in side.vectors.items()}, labels)


def _answers(side: Side, keys: Side, texts: Side | None, search: Search) -> list[tuple[str, Integers, Side]]:
    """Give, for every direction, the place of each query's nearest key, and the keys."""
    found: list[tuple[str, Integers, Side]] = []
    asked, held = side.views(), keys.views()
    kinds: list[tuple[str, Vectors, Side]] = [(name, each, keys) for name, each in held.items() if name != "text"]
    if texts is not None:
        kinds.append(("text", texts.vectors["text"], texts))
    elif "text" in held:
        kinds.append(("text", held["text"], keys))
    every = [keys.vectors[name] for name in UNFUSED if name in keys.vectors]
    if len(every) > 1 and len({each.shape[1] for each in every}) == 1:
        kinds.append((ALL, Stacked(tuple(every)), keys))
    for one, given in asked.items():
        for other, vectors, owner in kinds:
            alone = ("concatenated" in (one, other)) != (one == other == "concatenated")
            if alone or given.shape[1] != vectors.shape[1]:
                continue
            place = search.nearest(given, vectors).place[:, 0] % len(owner)
            found.append((f"{one}{ARROW}{other}", place, owner))
    return found


def _scored(name: str, place: Integers, held: Side, side: Side) -> dict[str, float]:
    scores: dict[str, float] = {}
    for rank in RANKS:
        if rank not in held.labels or rank not in side.labels:
            continue
        true = array(side.labels[rank])
        if not len(true.drop_null()):
            continue
        codes = codes_of(joined([array(held.labels[rank]), true]))
        own = codes[len(held) :]
        found = accuracy_of(np.asarray((codes[: len(held)][place] == own) & (own >= 0)), true.to_pylist())
        scores |= {f"{rank}/{name}/micro": found.micro, f"{rank}/{name}/macro": found.macro}
    return scores


def _harmonic(scores: Mapping[str, float], seen: str, unseen: str) -> dict[str, float]:
    found = {}
    for name, value in scores.items():
        rank, part, average = name.split("/")
        other = f"{rank}/{unseen}{part.removeprefix(seen)}/{average}"
        if part.startswith(f"{seen}, ") and other in scores:
            found[f"{rank}/{HARMONIC}{part.removeprefix(seen)}/{average}"] = harmonic_mean(value, scores[other])
    return found


def distinct_texts(labels: Mapping[str, Sequence[str | None]]) -> pa.Table:
    """Give the distinct combinations of names of specimens that have a species, in order of first occurrence.

    Args:
        labels: rank → name of each specimen, None for none, with `RANKS`; shape (n,).

    Examples:
        >>> labels = {"order": ["Diptera"] * 3, "family": [None] * 3, "genus": ["Aus"] * 3,
        ...           "species": ["Aus bus", "Aus bus", None]}
        >>> distinct_texts(labels).to_pylist()
        [{'order': 'Diptera', 'family': None, 'genus': 'Aus', 'species': 'Aus bus'}]
    """
    table = pa.table({rank: array(labels[rank]) for rank in RANKS})
    known = table.filter(table["species"].is_valid())
    return known.group_by(list(RANKS), use_threads=False).aggregate([])
