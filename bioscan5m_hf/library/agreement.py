"""How far the nearest keys agree on a name: shares of their votes, and how sure these make it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..evaluation.search import Nearest
from .neighbours import NEIGHBOURS


TEMPERATURES = (0.01, 0.02, 0.05, 0.1, 0.2)
"""Among which one is chosen: a key's vote is exp(score / temperature)."""

LEAST = 20
"""Labelled specimens of a bin, and of a rank, at least: of fewer, a share right means little."""

BINS = 15
_LISTS = ("coefficients", "levels", "shares")
_AT_ONCE = 4096
_CONSTANT, _ROUNDING = 1e-9, 1e-6


@dataclass(frozen=True)
class Votes:
    """What the nearest keys with a name at one rank vote for.

    Args:
        codes: names of the neighbours, nearest first, -1 for none; shape (n, k).
        places: the neighbours' places among the keys, -1 for none; shape (n, k).
        scores: of the neighbours, -inf for none; shape (n, k).
        shares: share of all votes that each neighbour's name gets, shape (n, k).
    """

    codes: NDArray[np.int64]
    places: NDArray[np.int64]
    scores: NDArray[np.float64]
    shares: NDArray[np.float64]

    @property
    def best(self) -> NDArray[np.int64]:
        """Column of the best name's nearest key, of equal ones the nearest; shape (n,)."""
        return np.asarray(self.shares.argmax(axis=1))

    def top(self, column: NDArray[Any]) -> NDArray[Any]:
        """Give what a column says of the best name's nearest key, shape (n,)."""
        return np.take_along_axis(column, self.best[:, None], 1)[:, 0]

    def features(self) -> NDArray[np.float64]:
        """Give what confidence is made of: share of the best name, its lead, and the score of its nearest key.

        Returns:
            Shape (n, 3); zeros where no neighbour has a name.
        """
        share, code = self.top(self.shares), self.top(self.codes)
        others = np.where(self.codes == code[:, None], 0, self.shares).max(axis=1, initial=0)
        score = self.top(self.scores)
        found = np.stack([share, share - others, score], axis=1)
        return np.where((code >= 0)[:, None], found, 0)

    def candidates(self, row: int, number: int) -> list[tuple[int, float]]:
        """Give the best names of a specimen: column of the nearest key, and share."""
        order = np.argsort(-self.shares[row], kind="stable")
        found: dict[int, tuple[int, float]] = {}
        for column in order.tolist():
            if (code := int(self.codes[row, column])) >= 0:
                found.setdefault(code, (column, float(self.shares[row, column])))
        return list(found.values())[:number]


def vote(
    found: Nearest,
    codes: NDArray[np.int64],
    temperature: float,
    factors: NDArray[np.float64] | None = None,
    k: int = NEIGHBOURS,
) -> Votes:
    """Let the nearest keys with a name vote.

    Args:
        found: nearest keys, shape (n, more than k).
        codes: name of each key, -1 for none; shape (m,).
        temperature: a key's vote is exp(score / temperature), so the nearest count most.
        factors: votes are multiplied by, shape of `found`.
        k: keys that vote.

    Examples:
        >>> found = Nearest(np.array([[0, 1, 2]]), np.array([[0.9, 0.9, 0.9]], np.float32))
        >>> [(column, round(share, 2)) for column, share in vote(found, np.array([4, 7, 7]), 0.1).candidates(0, 2)]
        [(1, 0.67), (0, 0.33)]
    """
    named = np.where(found.place >= 0, codes[found.place], -1)
    order = np.argsort(named < 0, axis=1, kind="stable")[:, :k]
    names = np.take_along_axis(named, order, 1)
    places = np.where(names >= 0, np.take_along_axis(found.place, order, 1), -1)
    scores = np.where(names >= 0, np.take_along_axis(found.similarity, order, 1).astype(np.float64), -np.inf)
    highest = scores.max(axis=1, keepdims=True, initial=-np.inf)
    weights = np.exp(
        np.where(np.isfinite(scores), scores - np.where(np.isfinite(highest), highest, 0), -np.inf) / temperature
    )
    if factors is not None:
        weights = weights * np.take_along_axis(factors, order, 1)
    weights = weights / np.maximum(weights.sum(axis=1, keepdims=True), 1e-300)
    shares = np.empty_like(weights)
    for start in range(0, len(names), _AT_ONCE):
        some = slice(start, start + _AT_ONCE)
        same = names[some, :, None] == names[some, None, :]
        shares[some] = np.minimum(np.einsum("nij,nj->ni", same, weights[some]), 1)
    return Votes(names, places, scores, np.where(names >= 0, shares, 0))


@dataclass(frozen=True)
class Confidence:
    """How probable it is that the best name at one rank is right.

    A logistic model of the features gives an order, and monotone steps give that order its probabilities: the shares
    right of bins of labelled specimens, pooled where they fall (isotonic regression; Zadrozny and Elkan 2002,
    doi:10.1145/775047.775151). Between the bins' means it is interpolated. Nothing is known of a name whose
    nearest key is farther than any was in the fit, such as that of noise: its confidence is 0.

    Args:
        coefficients: of share, lead and score.
        levels: means of the logistic model in the bins, ascending.
        shares: share right of each, ascending.
        lowest: least score that it was fitted on.
        specimens: it was fitted on.
        right: of them.
    """

    coefficients: tuple[float, ...]
    levels: tuple[float, ...]
    shares: tuple[float, ...]
    lowest: float
    specimens: int
    right: int

    def of(self, features: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give probabilities.

        Args:
            features: of `Votes.features`, shape (n, 3).

        Examples:
            >>> fitted = Confidence((1.0, 0.0, 0.0), (0.0, 1.0), (0.1, 0.9), 0.2, 40, 20)
            >>> fitted.of(np.array([[0.5, 0.1, 0.7], [0.5, 0.1, 0.1]])).tolist()
            [0.5, 0.0]
        """
        level = features @ np.array(self.coefficients)
        return np.where(features[:, 2] >= self.lowest - _ROUNDING, np.interp(level, self.levels, self.shares), 0.0)

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Confidence:
        """Read what `dataclasses.asdict` gave."""
        coefficients, levels, shares = (tuple(map(float, given[name])) for name in _LISTS)
        lowest, specimens, right = float(given["lowest"]), int(given["specimens"]), int(given["right"])
        return cls(coefficients, levels, shares, lowest, specimens, right)


def fit_confidence(features: NDArray[np.float64], right: NDArray[np.bool_]) -> Confidence | None:
    """Fit confidence on specimens whose names are known.

    Args:
        features: of `Votes.features`, shape (n, 3).
        right: whether the best name of each is right, shape (n,).

    Returns:
        None where there are fewer than `LEAST` specimens.
    """
    from sklearn.isotonic import isotonic_regression
    from sklearn.linear_model import LogisticRegression

    if len(right) < LEAST:
        return None
    coefficients = np.array([1.0, 0.0, 0.0])
    if 0 < right.sum() < len(right):
        spread = features.std(axis=0)  # brought to 1, else scores, which lie close together, would hardly count
        spread = np.where(spread > _CONSTANT, spread, 1)
        model = LogisticRegression(C=10.0, max_iter=1000).fit((features - features.mean(axis=0)) / spread, right)
        coefficients = model.coef_[0] / spread
    level = features @ coefficients
    order = np.argsort(level, kind="stable")
    bins = np.array_split(order, max(1, min(BINS, len(order) // LEAST)))
    # Half an answer of each kind is added to a bin: of twenty names that are all right, the next need not be.
    shares = np.array([(right[rows].sum() + 0.5) / (len(rows) + 1) for rows in bins])
    rising = isotonic_regression(shares, sample_weight=np.array([len(rows) for rows in bins], np.float64))
    levels = np.array([level[rows].mean() for rows in bins])
    steps = tuple(levels.tolist()), tuple(rising.tolist())
    return Confidence(tuple(coefficients.tolist()), *steps, float(features[:, 2].min()), len(right), int(right.sum()))
