"""Robustness: what is left of an answer when the query's barcode is cut, shifted, misread or turned round?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .answers import Mask, Names, array, score_answers
from .damage import DAMAGES, damage
from .intervals import resampled, resampled_statistic
from .labels import class_codes, codes_of
from .results import Outcome, Score, score_name
from .search import Groups, Search, Vectors
from .sides import joined


Floats = npt.NDArray[np.float64]
Embed = Callable[[list[str]], npt.NDArray[np.floating]]
Answer = Callable[[list[str]], Mask]

MAIN, UNTOUCHED = "mean of damages", "untouched"
_RANK = "genus"


@dataclass(frozen=True)
class Base:
    """A task whose queries are damaged; its keys stay as they are.

    Args:
        part: what its queries are called in the names of scores, such as `test_unseen`.
        barcodes: of the queries, untouched.
        genus: of each query, shape (n,); queries without one do not count.
        species: of each query, for the intervals, shape (n,).
        answer: barcodes of all queries, in their order → whether the genus that each is given is right, shape (n,).
        masks: name of a stratum → whether each query belongs to it, shape (n,).
    """

    part: str
    barcodes: list[str]
    genus: Names
    species: Names
    answer: Answer
    masks: Mapping[str, Mask] = field(default_factory=dict)


def robustness(bases: Sequence[Base], *, damages: Sequence[str] = tuple(DAMAGES), seed: int = 0) -> Outcome:
    """Ask the same queries with each damage.

    Args:
        bases: the tasks.
        damages: names out of `damage.DAMAGES`.
        seed: of the damages and of the intervals.

    Returns:
        Accuracies such as `genus/test_unseen, indel/micro`, those of the untouched barcodes likewise, and of each
        damage `…/micro less untouched` with the interval of the paired difference; `mean of damages, <part>` and,
        over the parts, `mean of damages`, the mean micro accuracies. Counts tell how many barcodes a damage changed.

    Raises:
        ValueError: no base, an unknown damage, or an answer of another length.

    Examples:
        >>> base = Base("test", ["ACGT"], ["Apis"], ["Apis mellifera"], lambda given: np.array([given == ["ACGT"]]))
        >>> scores = robustness([base], damages=["reverse-complement", "errors-2"]).scores
        >>> scores["genus/test, untouched/micro"].value, scores["mean of damages"].value
        (1.0, 1.0)
    """
    chosen = [damage(name) for name in damages]
    if not bases or not chosen:
        raise ValueError("there is nothing to ask: give at least one base and one damage")
    scores: dict[str, Score] = {}
    counts: dict[str, int] = {}
    means = []
    for base in bases:
        plain = _right(base, base.barcodes)
        scores |= _scores(base, UNTOUCHED, plain, seed)
        each = []
        for one in chosen:
            given = one.apply(base.barcodes, seed=seed)
            changed = sum(before != after for before, after in zip(base.barcodes, given, strict=True))
            counts[f"{base.part}, {one.name}: barcodes changed"] = changed
            right = _right(base, given)
            scores |= _scores(base, one.name, right, seed) | _less(base, one.name, right, plain, seed)
            each.append(right)
        means.append(np.mean(each, axis=0))
        counts[f"queries of {base.part}"] = len(base.barcodes)
    what = {one.name: one.what for one in chosen}
    return Outcome(scores | _means(bases, means, seed), counts, {"damages": what, "seed": seed})


def by_nearest(
    embed: Embed, keys: Vectors, key_genus: Names, genus: Names, *, apart: Groups = (), search: Search | None = None
) -> Answer:
    """Answer with the genus of the nearest key; equal barcodes are embedded once.

    Args:
        embed: barcodes → vectors, shape (n, width).
        keys: vectors of untouched barcodes, shape (m, width).
        key_genus: of each key; those without one are no keys; shape (m,).
        genus: of each query, shape (n,).
        apart: groups of queries and keys that do not find each other, as in `Search.nearest`; see `other_species`.
        search: how keys are searched.

    Examples:
        >>> embed = lambda barcodes: np.array([[b.count("A"), b.count("C")] for b in barcodes], np.float32)
        >>> answer = by_nearest(embed, embed(["AAC", "CCA"]), ["Apis", "Aus"], ["Apis", "Apis"])
        >>> answer(["AAA", "CCC"]).tolist()
        [True, False]
    """
    codes = class_codes(joined([key_genus, genus]))
    key_codes, true = codes[: len(key_genus)], codes[len(key_genus) :]
    named = np.flatnonzero(key_codes >= 0)
    kept = keys if len(named) == len(key_codes) else keys[named]
    groups = [(asked, held[named]) for asked, held in apart]

    def answer(barcodes: list[str]) -> Mask:
        different = list(dict.fromkeys(barcodes))
        place = {barcode: number for number, barcode in enumerate(different)}
        vectors = np.asarray(embed(different))[[place[barcode] for barcode in barcodes]]
        found = (search or Search()).nearest(vectors, kept, apart=groups).place[:, 0]
        right = key_codes[named][found] == true
        return np.asarray(right & (found >= 0) & (true >= 0))

    return answer


def other_species(
    key_species: Names, key_barcodes: Names, species: Names, barcodes: Names
) -> list[tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Keep queries apart from keys of their species, and from those that hold their very barcode under another name.

    Args:
        key_species: of each key, shape (m,).
        key_barcodes: of each key, shape (m,).
        species: of each query, shape (n,).
        barcodes: of each query, untouched, shape (n,).

    Returns:
        Groups of queries and of keys: the rule of `left_out.nearest_other_species`, for queries that are damaged.

    Examples:
        >>> species, barcode = other_species(["Aus bus", "Aus cus"], ["AC", "AG"], ["Aus cus"], ["AC"])
        >>> [each.tolist() for each in (*species, *barcode)]
        [[1], [0, 1], [0], [0, 1]]
    """
    pairs = ((key_species, species), (key_barcodes, barcodes))
    both = [(codes_of(joined([held, asked])), len(held)) for held, asked in pairs]
    return [(codes[size:], codes[:size]) for codes, size in both]


def _right(base: Base, barcodes: list[str]) -> Mask:
    right = np.asarray(base.answer(barcodes), bool)
    if right.shape != (len(barcodes),):
        raise ValueError(f"{base.part}: {right.shape} answers for {len(barcodes)} queries: give one for each")
    return right


def _scores(base: Base, name: str, right: Mask, seed: int) -> dict[str, Score]:
    part = f"{base.part}, {name}"
    return score_answers(_RANK, right, base.genus, base.species, part=part, masks=base.masks, seed=seed)


def _known(base: Base) -> npt.NDArray[np.intp]:
    return np.flatnonzero(np.asarray(array(base.genus).is_valid()))


def _less(base: Base, name: str, right: Mask, plain: Mask, seed: int) -> dict[str, Score]:
    """Give what a damage costs, with the interval of the difference of answers to the same query."""
    rows = _known(base)
    if not len(rows):
        return {}
    cost = right[rows].astype(np.float64) - plain[rows]
    low, high = resampled(cost, array(base.species).take(pa.array(rows)), seed=seed)
    title = score_name(_RANK, f"{base.part}, {name}", f"micro less {UNTOUCHED}")
    return {title: Score(float(cost.mean()), low, high, len(rows))}


def _means(bases: Sequence[Base], means: Sequence[Floats], seed: int) -> dict[str, Score]:
    """Average over damages, in each base and over them."""
    rows = [_known(base) for base in bases]
    values = np.concatenate([mean[row] for mean, row in zip(means, rows, strict=True)])
    number = np.repeat(np.arange(len(bases)), [len(row) for row in rows])
    species = joined([array(base.species).take(pa.array(row)) for base, row in zip(bases, rows, strict=True)])
    if not all(len(row) for row in rows):
        raise ValueError("a base has no query with a genus: nothing can be counted")

    def mean(chosen: npt.NDArray[Any]) -> float:
        sizes = np.bincount(number[chosen], minlength=len(bases))
        sums = np.bincount(number[chosen], weights=values[chosen], minlength=len(bases))
        return float((sums / sizes).mean()) if sizes.all() else float("nan")

    low, high = resampled_statistic(species, mean, repeats=1000, seed=seed)
    scores = {MAIN: Score(mean(np.arange(len(values))), low, high, len(values))}
    for place, base in enumerate(bases):
        own = np.flatnonzero(number == place)
        low, high = resampled(values[own], species.take(pa.array(own)), seed=seed)
        scores[f"{MAIN}, {base.part}"] = Score(float(values[own].mean()), low, high, len(own))
    return scores
