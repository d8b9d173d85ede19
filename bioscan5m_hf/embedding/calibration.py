"""From which score on a name is given: a threshold per rank, fitted so that a stated share of given names is right."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.manifest import write_text
from ..errors import Bioscan5mError
from ..taxonomy import check_rank


Mode: TypeAlias = Literal["classifier", "neighbours"]
FILE = "thresholds.json"
SHARE = 0.95
LEAST = 20
"""Given names from which a threshold is fitted, at least: of fewer, a share right means little."""

BINS = 10
_NOISE = 1e-6
"""Scores this far below a threshold reach it: float32 sums of other batches differ by about as much."""

_FORMAT = 1
_BOUND = {"weights": "another model", "frame_offsets": "other frame offsets", "head": "another head"}


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
        asked: labelled specimens that were asked for.
        accepted: names that the threshold gives them.
        right: how many of these are right.
        curve: the calibration curve, bins of about equal count by rising score.
    """

    threshold: float | None
    asked: int
    accepted: int
    right: int
    curve: tuple[Bin, ...] = ()

    def share_right(self, score: float) -> float | None:
        """Tell which share of names with about this score was right; None where nothing like it was seen.

        Examples:
            >>> RankThreshold(0.5, 4, 2, 2, (Bin(0.1, 0.4, 2, 1), Bin(0.6, 0.9, 2, 2))).share_right(0.7)
            1.0
        """
        if not self.curve or not score >= self.curve[0].low:
            return None
        found = [one for one in self.curve if one.low <= score][-1]
        return found.right / found.count


@dataclass(frozen=True)
class Thresholds:
    """Thresholds of all ranks, with what they were fitted for.

    The JSON file has the keys `format`, `mode`, `share`, `origin` and `ranks`: rank → `threshold`, `asked`,
    `accepted`, `right` and `curve`, a list of `low`, `high`, `count`, `right`.

    Args:
        mode: `classifier`: scores are probabilities; `neighbours`: scores are cosines to the nearest key.
        share: which share of given names was to be right.
        ranks: rank → threshold.
        origin: model, weights, keys, splits and package that they were fitted with.
    """

    mode: Mode
    share: float
    ranks: Mapping[str, RankThreshold]
    origin: Mapping[str, str] = field(default_factory=dict)

    def save(self, path: str | Path) -> None:
        """Write the JSON file, beside and renamed."""
        write_text(Path(path), json.dumps({"format": _FORMAT, **asdict(self)}, indent=1, ensure_ascii=False) + "\n")

    @classmethod
    def load(cls, path: str | Path) -> Thresholds:
        """Read the JSON file.

        Raises:
            Bioscan5mError: it is absent, damaged, or of another format.
        """
        try:
            read: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
            if read.pop("format") != _FORMAT:
                raise ValueError("another format")
            ranks = {}
            for rank, given in read.pop("ranks").items():
                curve = tuple(Bin(**one) for one in given.pop("curve"))
                ranks[check_rank(rank)] = RankThreshold(**given, curve=curve)
            return cls(ranks=ranks, **read)
        except FileNotFoundError as error:
            raise Bioscan5mError(f"there is no {path}: make it with `bioscan5m calibrate`") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Bioscan5mError(
                f"{path} holds no thresholds ({error}): make it with `bioscan5m calibrate`"
            ) from error

    def check(self, origin: Mapping[str, str], mode: Mode) -> None:
        """Refuse thresholds of another model, of another kind of score, or of other frames.

        Args:
            origin: what the names are given with.
            mode: how they are given.

        Raises:
            ValueError: they were fitted for something else.
        """
        if self.mode != mode:
            raise ValueError(f"these thresholds are for {self.mode}, not for {mode}: make others with calibrate")
        for key, what in _BOUND.items():
            if self.origin.get(key) != origin.get(key):
                raise ValueError(
                    f"these thresholds were fitted with {what} ({self.origin.get('model')}, {self.origin.get(key)!r} "
                    f"and not {origin.get(key)!r}): make others with calibrate"
                )

    @classmethod
    def beside(cls, folder: Path | None, origin: Mapping[str, str], mode: Mode) -> Thresholds | None:
        """Read `thresholds.json` of a model's folder, if there is one that fits what names are given with."""
        if folder is None or not (folder / FILE).is_file():
            return None
        found = cls.load(folder / FILE)
        fits = found.mode == mode and all(found.origin.get(key) == origin.get(key) for key in _BOUND)
        return found if fits else None

    def accepts(self, rank: str, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which scores are good enough for a name at a rank; none where the rank was not fitted.

        Args:
            rank: of the names.
            scores: shape (n,).
        """
        threshold = self.ranks[rank].threshold if rank in self.ranks else None
        return np.zeros(len(scores), bool) if threshold is None else scores.astype(np.float64) >= threshold - _NOISE


Scored: TypeAlias = tuple[NDArray[np.floating], NDArray[np.bool_]]


def fit_thresholds(
    scored: Mapping[str, Scored], *, share: float = SHARE, least: int = LEAST
) -> dict[str, RankThreshold]:
    """Fit, for each rank, the lowest score from which on at least `share` of the names are right.

    Args:
        scored: rank → scores and whether the name was right, each of shape (n,); -inf where no name was found or two
            were equally good, which is never accepted.
        share: which share of accepted names has to be right.
        least: accepted names that are needed; with fewer, the rank gets no threshold.

    Raises:
        ValueError: a share outside of 0 … 1.

    Examples:
        >>> scores, right = np.array([0.9, 0.8, 0.7, 0.6]), np.array([True, True, False, True])
        >>> fitted = fit_thresholds({"genus": (scores, right)}, share=0.9, least=1)["genus"]
        >>> fitted.threshold, fitted.accepted, fitted.right
        (0.8, 2, 2)
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: use a number above 0 and up to 1, such as {SHARE}")
    return {
        rank: _fit(np.asarray(scores, np.float64), right, share, least) for rank, (scores, right) in scored.items()
    }


def check_share(share: float) -> None:
    """Refuse what is no share.

    Raises:
        ValueError: it lies outside of 0 … 1.
    """
    if not 0 < share <= 1:
        raise ValueError(f"share is {share}: use a number above 0 and up to 1, such as {SHARE}")


def _fit(scores: NDArray[np.float64], right: NDArray[np.bool_], share: float, least: int) -> RankThreshold:
    order = np.argsort(-scores, kind="stable")
    order = order[np.isfinite(scores[order])]
    falling, good = scores[order], right[order]
    # Equal scores are accepted together, so only the last of them can be where a threshold lies.
    ends = np.flatnonzero(np.append(falling[1:] != falling[:-1], True)) if len(falling) else np.zeros(0, np.intp)
    accepted, hits = ends + 1, np.cumsum(good)[ends]
    fitting = np.flatnonzero((hits >= share * accepted) & (accepted >= least))
    curve = _curve(falling[::-1], good[::-1])
    if not len(fitting):
        return RankThreshold(None, len(scores), 0, 0, curve)
    last = fitting[-1]
    return RankThreshold(float(falling[ends[last]]), len(scores), int(accepted[last]), int(hits[last]), curve)


def _curve(rising: NDArray[np.float64], right: NDArray[np.bool_]) -> tuple[Bin, ...]:
    """Divide into bins of about equal count; equal scores stay together."""
    cuts = {0, len(rising)}
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
