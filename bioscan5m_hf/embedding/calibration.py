"""From which score on a name is given: a threshold per rank, fitted so that a stated share of given names is right."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray


SHARE = 0.95
LEAST = 20
"""Given names from which a threshold is fitted, at least: of fewer, a share right means little."""

LOWEST_SHARE = 0.5
"""Of the least sure given names so many must be right: none is given that is wrong more often than not."""

BINS = 10
_NOISE = 1e-6
"""Scores this far below a threshold reach it: float32 sums of other batches differ by about as much."""


@dataclass(frozen=True)
class Bin:
    """Names with scores from `low` to `high`: how many there were, and how many of them were right."""

    low: float
    high: float
    count: int
    right: int


@dataclass(frozen=True)
class RankThreshold:
    """What is known of the scores at one rank.

    Args:
        threshold: the lowest score at which a name is given; None where no score is good enough.
        asked: labelled specimens that were asked for: those that no narrower rank names.
        accepted: names that the threshold gives them.
        right: how many of these are right.
        curve: the calibration curve, bins of about equal count by rising score, none of them across the threshold.
    """

    threshold: float | None
    asked: int
    accepted: int
    right: int
    curve: tuple[Bin, ...] = ()

    def __str__(self) -> str:
        """Say from when on names are given, how many were, and how many of them were right."""
        if self.threshold is None:
            return f"never given, of {self.asked:,}"
        right = f", {100 * self.right / self.accepted:.1f} % right" if self.accepted else ""
        return f"from {self.threshold:.4f} on, {self.accepted:,} of {self.asked:,} named{right}"

    def accepts(self, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which scores reach the threshold.

        Args:
            scores: shape (n,).

        Examples:
            >>> RankThreshold(0.5, 2, 1, 1).accepts(np.array([0.4, 0.5])).tolist()
            [False, True]
        """
        if self.threshold is None:
            return np.zeros(len(scores), bool)
        reached: NDArray[np.bool_] = scores.astype(np.float64) >= self.threshold - _NOISE
        return reached

    def share_right(self, score: float) -> float | None:
        """Tell which share of names with about this score was right; None where nothing like it was seen.

        Examples:
            >>> RankThreshold(0.5, 4, 2, 2, (Bin(0.1, 0.4, 2, 1), Bin(0.6, 0.9, 2, 2))).share_right(0.7)
            1.0
        """
        seen = [one for one in self.curve if score >= one.low - _NOISE]
        if not seen:
            return None
        found = seen[-1]
        return found.right / found.count


class Scored(NamedTuple):
    """What became of labelled reads at one rank.

    Args:
        scores: of the best name of each read, shape (n,); -inf where none was found or two were equally good, which is
            never accepted.
        right: whether that name is the read's own, shape (n,).
        known: whether the read has a name at this rank, shape (n,).
    """

    scores: NDArray[np.floating]
    right: NDArray[np.bool_]
    known: NDArray[np.bool_]


def fit_thresholds(
    scored: Mapping[str, Scored], *, share: float = SHARE, least: int = LEAST
) -> dict[str, RankThreshold]:
    """Fit, for each rank, the lowest score from which on at least `share` of the names given at it are right.

    A read is named at the narrowest rank whose threshold it reaches. So at a wider rank only the reads count that no
    narrower one names: the easy ones, which are right at every rank, would hide how the others fare. Where fewer than
    `least` are left, all count, and those that are left must keep the share by themselves, too.

    Many sure names could carry a tail of poor ones; so of the `least` names with the lowest scores at least half must
    be right, too.

    Args:
        scored: rank → the same n reads at this rank, from narrow to wide.
        share: which share of accepted names has to be right.
        least: accepted names that are needed; with fewer, the rank gets no threshold.

    Raises:
        ValueError: a share outside of 0 … 1.

    Examples:
        >>> scores, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
        >>> scored = {"genus": Scored(scores, right, np.ones(4, bool))}
        >>> fitted = fit_thresholds(scored, share=0.9, least=1)["genus"]
        >>> fitted.threshold, fitted.accepted, fitted.right
        (0.8, 2, 2)
    """
    check_share(share)
    fitted: dict[str, RankThreshold] = {}
    unnamed: NDArray[np.bool_] | None = None
    for rank, (scores, right, known) in scored.items():
        exact = np.asarray(scores, np.float64)
        unnamed = np.ones(len(exact), bool) if unnamed is None else unnamed
        counting = known & unnamed if (known & unnamed).sum() >= least else known
        fitted[rank] = _fit(exact[counting], right[counting], unnamed[counting], share, least)
        unnamed = unnamed & ~fitted[rank].accepts(exact)
    return fitted


def check_share(share: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: it lies outside of 0 … 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: use a number above 0 and up to 1, such as {SHARE}")


def _fit(
    scores: NDArray[np.float64], right: NDArray[np.bool_], unnamed: NDArray[np.bool_], share: float, least: int
) -> RankThreshold:
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    falling, good, left = scores[order], right[order], unnamed[order]
    # Equal scores are accepted together, so only the last of them can be where a threshold lies.
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(falling) else np.zeros(0, np.intp)
    accepted, hits = ends + 1, np.cumsum(good)[ends]
    before = np.concatenate([np.zeros(least + 1, np.int64), np.cumsum(good)])[accepted]
    poorest = (hits - before) / least  # share of right ones among the last `least` that are accepted
    enough = (hits >= share * accepted) & (np.cumsum(good & left)[ends] >= share * np.cumsum(left)[ends])
    fitting = np.flatnonzero(enough & (accepted >= least) & (poorest >= LOWEST_SHARE))
    if not len(fitting):
        return RankThreshold(None, len(scores), 0, 0, _curve(falling[::-1], good[::-1]))
    last = fitting[-1]
    curve = _curve(falling[::-1], good[::-1], len(falling) - int(accepted[last]))
    return RankThreshold(float(falling[ends[last]]), len(scores), int(accepted[last]), int(hits[last]), curve)


def _curve(rising: NDArray[np.float64], right: NDArray[np.bool_], at: int = 0) -> tuple[Bin, ...]:
    """Divide into bins of about equal count, and at the threshold; equal scores stay together."""
    cuts = {0, at, len(rising)}
    for number in range(1, BINS):
        place = len(rising) * number // BINS
        if 0 < place < len(rising):
            cuts.add(int(np.searchsorted(rising, rising[place])))
    edges = sorted(cuts)
    pairs = [(start, stop) for start, stop in itertools.pairwise(edges) if stop > start]
    return tuple(
        Bin(float(rising[start]), float(rising[stop - 1]), stop - start, int(right[start:stop].sum()))
        for start, stop in pairs
    )
