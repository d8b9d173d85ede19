"""Cross-modal retrieval: does a photograph find the barcodes, or the names, of its taxon, and the other way round?"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .accuracy import harmonic_mean
from .answers import Mask, Names, array, score_answers
from .fusion import Stacked
from .intervals import PERCENTILES, resampled_means
from .labels import codes_of
from .nearest_names import nearest_names
from .results import Outcome, Score, score_name
from .search import Groups, Search, Vectors
from .sides import FUSED, UNFUSED, Side, joined, plates


ALL = "all"
"""Keys of all modalities in one index."""

RANKS = ("order", "family", "genus", "species", "dna_bin")
HARMONIC, OTHER_PLATES = "harmonic mean", "other plates"
MAIN = score_name("species", "test_unseen, image→dna", "top-1 macro")

_BY_COUNTRY = ("genus", "species")


@dataclass(frozen=True)
class Retrieval:
    """How keys are retrieved and counted; the rule of CLIBD (Gong et al. 2025, arXiv 2405.17537) by default.

    Args:
        tops: among how many nearest keys a true name is looked for.
        ranks: each judged apart.
        directions: such as `image→dna`; none for all that can be compared.
        distinct: take the nearest different names instead of the nearest keys, of which several may share one, and
            some have none.
        missing: leave queries without a name of a rank out, or, as published, take `not_classified` for a name.
        least: queries of a country that is scored apart.
        search: how keys are searched.
        seed: what intervals are drawn from.

    Examples:
        >>> Retrieval(directions=("image→dna",)).tops
        (1, 3, 5)
    """

    tops: tuple[int, ...] = (1, 3, 5)
    ranks: tuple[str, ...] = RANKS
    directions: tuple[str, ...] = ()
    distinct: bool = False
    missing: Literal["leave_out", "name"] = "leave_out"
    least: int = 50
    search: Search = field(default_factory=Search)
    seed: int = 0

    def __post_init__(self) -> None:
        if min(self.tops, default=0) < 1:
            raise ValueError(f"tops is {list(self.tops)}: use numbers from 1")
        if self.missing not in ("leave_out", "name"):
            raise ValueError(f"missing is {self.missing!r}: use 'leave_out' or 'name'")


def retrieve(
    queries: Mapping[str, Side],
    keys: Side | Sequence[Side],
    *,
    seen: str = "test",
    unseen: str = "test_unseen",
    how: Retrieval | None = None,
) -> Outcome:
    """Retrieve keys of every kind by queries of every kind, and tell how often a true name is among the nearest.

    One set of keys holds seen and unseen species together. A query is right at a rank if its name is that of one of
    its nearest keys; a key without a name fills its place and is wrong.

    Args:
        queries: part, such as a split → specimens that ask.
        keys: specimens that are found, of one split or of several.
        seen: the part of seen species.
        unseen: the part of unseen ones; both together give harmonic means.
        how: settings.

    Returns:
        Scores such as `species/test_unseen, image→dna/top-1 macro` and `species/harmonic mean, image→dna/top-1 macro`;
        `image→image` also with `, other plates`, where keys of the query's own plate were left out. The strata and
        countries of the queries have top-1 scores.

    Raises:
        ValueError: nothing to compare, or a direction that there is not.

    Examples:
        >>> eye = np.eye(2, dtype=np.float32)
        >>> names = {"species": ["Aus bus", "Aus cus"]}
        >>> side = Side({"image": eye, "dna": eye[::-1]}, names)
        >>> how = Retrieval(tops=(1, 2), ranks=("species",), directions=("image→dna",))
        >>> {name: score.value for name, score in retrieve({"test": side}, side, how=how).scores.items()
        ...     if "micro" in name}
        {'species/test, image→dna/top-1 micro': 0.0, 'species/test, image→dna/top-2 micro': 1.0}
    """
    how = how or Retrieval()
    held = Side.together([keys] if isinstance(keys, Side) else list(keys))
    found = held.views()
    widths = {held.vectors[name].shape[1] for name in held.vectors}
    if len(held.vectors) > 1 and len(widths) == 1:
        found[ALL] = Stacked(tuple(held.vectors.values()))
    scores: dict[str, Score] = {}
    answers: dict[tuple[str, str], _Answers] = {}
    chosen = _directions({name for side in queries.values() for name in side.views()}, found, queries, how)
    for asked, kind in chosen:
        for part, side in queries.items():
            for name, apart in _rules(part, f"{asked}→{kind}", side, held):
                given = _given(side.views()[asked], found[kind], held, side, apart, how)
                by_country = asked in UNFUSED and kind in UNFUSED and not apart
                scores |= _scores(name, given, side, by_country, how)
                answers |= {(name, rank): (hits, given.names[rank], side) for rank, hits in given.hits.items()}
    if not scores:
        raise ValueError(f"no query has a name at any of the ranks {', '.join(how.ranks)}: nothing can be counted")
    scores |= _harmonic(scores, answers, (seen, unseen), how)
    counts = {"keys": len(held)} | {f"queries of {part}": len(side) for part, side in queries.items()}
    return Outcome(scores, counts, _settings(how, chosen))


def _directions(
    asked: set[str], found: Mapping[str, Vectors], queries: Mapping[str, Side], how: Retrieval
) -> list[tuple[str, str]]:
    """Give the pairs of kinds that are compared: those of one width, or those that were named."""
    views = [side.views() for side in queries.values()]
    kinds = [kind for kind in (*UNFUSED, *FUSED) if kind in asked and all(kind in each for each in views)]
    possible = [
        (kind, other)
        for kind in kinds
        for other in found
        if all(each[kind].shape[1] == found[other].shape[1] for each in views)
        and ("concatenated" in (kind, other)) == (kind == other == "concatenated")
    ]
    names = [f"{kind}→{other}" for kind, other in possible]
    if wrong := [name for name in how.directions if name not in names]:
        raise ValueError(f"there is no direction {wrong[0]!r}: use some of {', '.join(names) or '(none)'}")
    if not possible:
        raise ValueError("queries and keys have no kind of vectors of one width: nothing can be compared")
    return [pair for pair, name in zip(possible, names, strict=True) if name in how.directions or not how.directions]


def _rules(part: str, direction: str, side: Side, keys: Side) -> Iterator[tuple[str, Groups]]:
    """Give the names under which a direction is scored, and the groups that are kept apart for each."""
    yield f"{part}, {direction}", ()
    if direction == "image→image" and side.sampleid is not None and keys.sampleid is not None:
        codes = codes_of(joined([plates(side.sampleid), plates(keys.sampleid)]))
        yield f"{part}, {direction}, {OTHER_PLATES}", [(codes[: len(side)], codes[len(side) :])]


@dataclass(frozen=True)
class _Given:
    """Rank → whether each of the nearest keys or names is right, shape (n, k), and the names that count."""

    hits: Mapping[str, npt.NDArray[np.bool_]]
    names: Mapping[str, pa.Array]


def _given(queries: Vectors, keys: Vectors, held: Side, side: Side, apart: Groups, how: Retrieval) -> _Given:
    k, times = max(how.tops), keys.shape[0] // len(held)
    apart = [(one, np.tile(other, times)) for one, other in apart]
    names, true, codes = {}, {}, {}
    for rank in (rank for rank in how.ranks if rank in held.labels and rank in side.labels):
        names[rank] = _counted(side.labels[rank], how)
        both = codes_of(joined([_counted(held.labels[rank], how), names[rank]]))
        codes[rank], true[rank] = both[: len(held)], both[len(held) :, None]
    if how.distinct:
        repeated = {rank: np.tile(each, times) for rank, each in codes.items()}
        near = nearest_names(queries, keys, repeated, k, how.search, apart=apart)
    else:
        place = how.search.nearest(queries, keys, k, apart=apart).place
        near = {rank: np.where(place < 0, -1, each[place % len(held)]) for rank, each in codes.items()}
    return _Given({rank: (near[rank] == true[rank]) & (true[rank] >= 0) for rank in codes}, names)


def _counted(names: Names, how: Retrieval) -> pa.Array:
    return array(names).fill_null("not_classified") if how.missing == "name" else array(names)


def _scores(part: str, given: _Given, side: Side, by_country: bool, how: Retrieval) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    countries = _countries(side, how) if by_country else {}
    for rank, hits in given.hits.items():
        names, species = given.names[rank], side.labels["species"]
        for top in how.tops:
            right = np.asarray(hits[:, :top].any(axis=1))
            masks = dict(side.masks) | (countries if rank in _BY_COUNTRY else {}) if top == 1 else {}
            found = score_answers(rank, right, names, species, part=part, masks=masks, seed=how.seed)
            for name, score in found.items():
                before, average = name.rsplit("/", 1)
                scores[f"{before}/top-{top} {average}"] = score
    return scores


def _countries(side: Side, how: Retrieval) -> dict[str, Mask]:
    """Give the countries with enough queries."""
    if side.country is None:
        return {}
    names = array(side.country)
    counted = names.drop_null().value_counts().to_pylist()
    large = sorted(each["values"] for each in counted if each["counts"] >= how.least)
    return {f"country {name}": np.asarray(pc.fill_null(pc.equal(names, name), False)) for name in large}


_Answers = tuple[npt.NDArray[np.bool_], pa.Array, Side]
"""Whether each of the nearest is right, shape (n, k), the names of the queries, and the queries."""


def _harmonic(
    scores: Mapping[str, Score], answers: Mapping[tuple[str, str], _Answers], parts: tuple[str, str], how: Retrieval
) -> dict[str, Score]:
    """Join each score of seen species with that of unseen ones; their species are drawn independently."""
    seen, unseen = parts
    found = {}
    for name, rank in answers:
        other = f"{unseen}{name.removeprefix(seen)}"
        if not name.startswith(f"{seen}, ") or (other, rank) not in answers:
            continue
        for top, average in itertools.product(how.tops, ("micro", "macro")):
            one, two = (scores.get(f"{rank}/{part}/top-{top} {average}") for part in (name, other))
            if one is None or two is None:
                continue
            drawn = zip(
                _drawn(answers[name, rank], top, average, how.seed),
                _drawn(answers[other, rank], top, average, how.seed + 1),
                strict=True,
            )
            low, high = np.percentile([harmonic_mean(*pair) for pair in drawn], PERCENTILES)
            value = harmonic_mean(one.value, two.value)
            joined_name = f"{rank}/{HARMONIC}{name.removeprefix(seen)}/top-{top} {average}"
            found[joined_name] = Score(value, float(low), float(high), one.n + two.n)
    return found


def _drawn(answers: _Answers, top: int, average: str, seed: int) -> list[float]:
    hits, names, side = answers
    known = np.flatnonzero(names.is_valid())
    right, kinds = np.asarray(hits[known, :top].any(axis=1)), array(side.labels["species"]).take(pa.array(known))
    group = names.take(pa.array(known)) if average == "macro" else None
    drawn: list[float] = resampled_means(right, kinds, group, seed=seed).tolist()
    return drawn


def _settings(how: Retrieval, chosen: Sequence[tuple[str, str]]) -> dict[str, Any]:
    missing = {"leave_out": "queries without a name do not count", "name": "'not_classified' is a name"}
    return {
        **how.search.settings,
        "tops": list(how.tops),
        "top-k": "nearest different names" if how.distinct else "names of the nearest keys, with repetitions",
        "missing names": missing[how.missing],
        "directions": [f"{asked}→{kind}" for asked, kind in chosen],
        OTHER_PLATES: "keys with the query's sample id up to the well are left out",
    }
