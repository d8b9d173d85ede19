"""Novelty: does an embedding tell that a specimen's species is none of those that the keys hold?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from .answers import Mask, Names
from .familiarity import Keys, familiarities
from .intervals import resampled, resampled_statistic
from .labels import class_codes
from .results import Outcome, Score
from .search import Integers, Search, Vectors
from .sides import joined


Floats = npt.NDArray[np.float64]

MAIN = "AUROC"
FOUND = 0.95
"""Share of new specimens at which false alarms are counted, as Liang et al. do (2018, arXiv 1706.02690)."""

_REPEATS = 200


@dataclass(frozen=True)
class EmbeddedSpecimens:
    """Specimens as a model sees them, with what novelty asks about.

    Args:
        vectors: shape (n, width).
        species: of each, None where it has none; shape (n,).
        masks: name of a stratum → whether each belongs to it, shape (n,).
    """

    vectors: Vectors
    species: Names
    masks: Mapping[str, Mask] = field(default_factory=dict)


def novelty(
    keys: EmbeddedSpecimens,
    tune: tuple[EmbeddedSpecimens, EmbeddedSpecimens],
    asked: tuple[EmbeddedSpecimens, EmbeddedSpecimens],
    *,
    search: Search | None = None,
    seed: int = 0,
) -> Outcome:
    """Choose a measure of familiarity and a threshold on some specimens, and report both on others.

    A specimen of a new species is what is to be found, one of a known species that is taken for new a false alarm.
    Equal measures count half in AUROC, and fall on one side of a threshold together.

    Args:
        keys: of known species, such as `train`; those without a species are no keys.
        tune: of known and of new species, such as `val` and `val_unseen`.
        asked: likewise, such as `test` and `test_unseen`; with strata, whose scores compare known and new specimens
            of one stratum.
        search: how keys are searched.
        seed: what the intervals are drawn from.

    Returns:
        `AUROC`, `FPR at 95 % TPR` and `accuracy` at the chosen threshold with its two sides, all and by stratum, and
        `AUROC of <measure>` for each, with intervals from resampling species. Counts tell what was left out: new
        specimens whose species is among the keys, known ones whose species is not, and those without a species.

    Raises:
        ValueError: no key with a species, or known or new specimens are missing.

    Examples:
        >>> keys = EmbeddedSpecimens(np.eye(3, dtype=np.float32), ["Aus bus", "Aus cus", "Aus dus"])
        >>> known = EmbeddedSpecimens(np.array([[1, 0.1, 0], [0.1, 1, 0]], np.float32), ["Aus bus", "Aus cus"])
        >>> new = EmbeddedSpecimens(np.array([[1, 1, 0.1], [0.9, 1, 1]], np.float32), ["Aus eus", "Aus fus"])
        >>> outcome = novelty(keys, (known, new), (known, new))
        >>> outcome.scores["AUROC"].value, outcome.settings["measure"]
        (1.0, 'nearest key')
    """
    table = _Table.of(keys, search or Search())
    tuned, told = table.questions(tune, "tuning"), table.questions(asked, "testing")
    measured, familiar = familiarities(table.keys, tuned.vectors), familiarities(table.keys, told.vectors)
    aurocs = {name: auroc(tuned.new, -values) for name, values in measured.items()}
    chosen = max(aurocs, key=lambda name: aurocs[name])  # of equal ones the first
    threshold = best_threshold(tuned.new, measured[chosen])
    scores = _scores(told, familiar[chosen], threshold, seed)
    for name, values in familiar.items():
        low, high = _interval(auroc, told.new, -values, told.species, seed)
        scores[f"AUROC of {name}"] = Score(auroc(told.new, -values), low, high, len(told.new))
    settings: dict[str, Any] = {"measure": chosen, "threshold": threshold, **table.keys.search.settings}
    settings["AUROC on the specimens that it was chosen on"] = aurocs
    return Outcome(scores, {"keys": len(table.keys.vectors), **tuned.counts, **told.counts}, settings)


def auroc(new: Mask, novel: Floats) -> float:
    """Give the share of pairs of a new and a known specimen in which the new one looks newer; NaN without both.

    Args:
        new: what is to be found, shape (n,).
        novel: how new each looks, shape (n,).

    Examples:
        >>> auroc(np.array([True, True, False]), np.array([3.0, 1.0, 1.0]))
        0.75
    """
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(new, novel)) if 0 < new.sum() < len(new) else float("nan")


def false_alarms(new: Mask, novel: Floats, found: float = FOUND) -> float:
    """Give the share of known specimens that are taken for new where so many new ones are found; NaN without both.

    Args:
        new: what is to be found, shape (n,).
        novel: how new each looks, shape (n,).
        found: share of the new ones.

    Examples:
        >>> false_alarms(np.array([True, True, False, False]), np.array([3.0, 1.0, 2.0, 0.0]))
        0.5
    """
    from sklearn.metrics import roc_curve

    if not 0 < new.sum() < len(new):
        return float("nan")
    fpr, tpr, _ = roc_curve(new, novel, drop_intermediate=False)
    return float(fpr[np.flatnonzero(tpr >= found)[0]])


def best_threshold(new: Mask, familiar: Floats) -> float:
    """Choose the familiarity below which a specimen is taken for new, so that both sides are right most often.

    Args:
        new: what is to be found, shape (n,).
        familiar: how known each looks, shape (n,).

    Returns:
        Halfway between two values, where the mean of the shares of new and of known specimens that are told rightly
        is largest (Youden 1950, doi:10.1002/1097-0142(1950)3:1<32::AID-CNCR2820030106>3.0.CO;2-3).

    Examples:
        >>> best_threshold(np.array([True, False, False]), np.array([0.2, 0.6, 0.9]))
        0.4
    """
    values, place = np.unique(familiar, return_inverse=True)
    found = np.bincount(place, weights=new) / new.sum()
    alarms = np.bincount(place, weights=~new) / (~new).sum()
    best = int(np.concatenate([[0.0], np.cumsum(found - alarms)]).argmax())
    if best == 0:
        return float(values[0])
    return float(values[-1]) + 1e-6 if best == len(values) else float(values[best - 1] + values[best]) / 2


@dataclass(frozen=True)
class _Questions:
    """Known and new specimens together."""

    vectors: npt.NDArray[np.float32]
    new: Mask
    species: Integers
    masks: Mapping[str, Mask]
    counts: Mapping[str, int]


@dataclass(frozen=True)
class _Table:
    """Keys, and the names of their species."""

    keys: Keys
    names: Names

    @classmethod
    def of(cls, keys: EmbeddedSpecimens, search: Search) -> _Table:
        codes = class_codes(keys.species)
        named = np.flatnonzero(codes >= 0)
        if not len(named):
            raise ValueError("no key has a species: nothing is known that a specimen could be new to")
        return cls(Keys(np.asarray(keys.vectors[named]), codes[named], search), joined([keys.species]).take(named))

    def questions(self, pair: tuple[EmbeddedSpecimens, EmbeddedSpecimens], what: str) -> _Questions:
        """Join known and new specimens; leave out those that are not what they are said to be."""
        kept: list[npt.NDArray[np.intp]] = []
        counts: dict[str, int] = {}
        for specimens, new, name in zip(pair, (False, True), ("known", "new"), strict=True):
            codes = class_codes(joined([self.names, specimens.species]))
            among = np.isin(codes[len(self.names) :], codes[: len(self.names)])
            good = (codes[len(self.names) :] >= 0) & (among != new)
            if not good.any():
                raise ValueError(f"{what} has no specimen of a {name} species: both known and new ones are needed")
            kept.append(np.flatnonzero(good))
            counts |= {f"{what}: {name}": len(kept[-1]), f"{what}: {name}, left out": int((~good).sum())}
        vectors = np.concatenate([np.asarray(each.vectors[rows]) for each, rows in zip(pair, kept, strict=True)])
        species = class_codes(
            joined([joined([each.species]).take(rows) for each, rows in zip(pair, kept, strict=True)])
        )
        masks = {
            name: np.concatenate([each.masks[name][rows] for each, rows in zip(pair, kept, strict=True)])
            for name in pair[0].masks.keys() & pair[1].masks.keys()
        }
        ordered = {name: masks[name] for name in pair[1].masks if name in masks}
        return _Questions(vectors, np.repeat([False, True], [len(rows) for rows in kept]), species, ordered, counts)


def _scores(asked: _Questions, familiar: Floats, threshold: float, seed: int) -> dict[str, Score]:
    scores: dict[str, Score] = {}
    for name, mask in {"": np.ones(len(asked.new), bool), **asked.masks}.items():
        new, species, novel = asked.new[mask], asked.species[mask], -familiar[mask]
        if not 0 < new.sum() < len(new):
            continue
        suffix = f", {name}" if name else ""
        for title, statistic in ((MAIN, auroc), ("FPR at 95 % TPR", false_alarms)):
            low, high = _interval(statistic, new, novel, species, seed)
            scores[title + suffix] = Score(statistic(new, novel), low, high, len(new))
        right = (novel > -threshold) == new
        for title, rows in (("accuracy", slice(None)), ("accuracy on new", new), ("accuracy on known", ~new)):
            low, high = resampled(right[rows], species[rows], seed=seed)
            scores[title + suffix] = Score(float(right[rows].mean()), low, high, len(right[rows]))
    return scores


def _interval(
    statistic: Callable[[Mask, Floats], float], new: Mask, novel: Floats, species: Sequence[int] | Integers, seed: int
) -> tuple[float, float]:
    return resampled_statistic(species, lambda rows: statistic(new[rows], novel[rows]), repeats=_REPEATS, seed=seed)
