"""A new species? Told from how near the nearest keys are, at a stated rate of false alarms."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..evaluation.search import Nearest


MEASURES = {"nearest key": 1, "five nearest keys": 5}
"""How known a specimen looks, as in `evaluation.familiarity`: the mean score of so many nearest keys."""

FALSE_ALARMS = 0.05
"""Share of specimens of known species that may be taken for new ones."""

LEAST = 20


@dataclass(frozen=True)
class Novelty:
    """From when on a specimen is asked about as a new species.

    Args:
        measure: of `MEASURES`.
        threshold: a specimen that looks less known than this is asked about.
        known: specimens of known species it was fitted on.
        false_alarms: share of these that is asked about.
        new: specimens of species without keys.
        found: share of these that is asked about; None without any.
        auroc: share of pairs of a new and a known specimen in which the new one looks newer; None without any.
    """

    measure: str
    threshold: float
    known: int
    false_alarms: float
    new: int
    found: float | None
    auroc: float | None

    def __str__(self) -> str:
        """Say what is asked about, and how well this tells new species."""
        told = f"{self.false_alarms:.1%} of {self.known:,} of known species"
        caught = (
            "" if self.found is None else f", {self.found:.1%} of {self.new:,} of new ones, AUROC {self.auroc:.3f}"
        )
        return f"below {self.threshold:.4f} by the {self.measure}: {told}{caught}"


def familiarity(measure: str, found: Nearest) -> NDArray[np.float64]:
    """Tell how known specimens look.

    Args:
        measure: of `MEASURES`.
        found: their nearest keys, shape (n, k).

    Returns:
        Shape (n,); -inf where there is no key.

    Examples:
        >>> found = Nearest(np.array([[0, 1]]), np.array([[0.5, 0.25]], np.float32))
        >>> familiarity("five nearest keys", found).tolist()
        [0.375]
    """
    scores = found.similarity[:, : MEASURES[measure]].astype(np.float64)
    there = np.isfinite(scores)
    total = np.where(there, scores, 0).sum(axis=1)
    return np.where(there.any(axis=1), total / np.maximum(there.sum(axis=1), 1), -np.inf)


def fit_novelty(found: Nearest, known: NDArray[np.bool_], new: NDArray[np.bool_]) -> Novelty | None:
    """Choose the measure that tells new species best, and a threshold that `FALSE_ALARMS` of known ones do not reach.

    Args:
        found: nearest keys of labelled specimens, shape (n, k).
        known: whether the species of each has keys, shape (n,).
        new: whether it has none, shape (n,); a specimen without a species is neither.

    Returns:
        None where there are fewer than `LEAST` specimens of known species.
    """
    from ..evaluation.novelty import auroc

    if known.sum() < LEAST:
        return None
    values = {name: familiarity(name, found) for name in MEASURES}
    told = known | new
    aurocs = {name: auroc(new[told], -each[told]) for name, each in values.items()} if new.any() else {}
    best = max(aurocs, key=lambda name: aurocs[name]) if aurocs else next(iter(MEASURES))
    familiar = values[best]
    threshold = float(np.quantile(familiar[known], FALSE_ALARMS, method="lower"))
    return Novelty(
        best,
        threshold,
        int(known.sum()),
        float((familiar[known] < threshold).mean()),
        int(new.sum()),
        float((familiar[new] < threshold).mean()) if new.any() else None,
        aurocs.get(best),
    )
