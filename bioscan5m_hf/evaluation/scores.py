"""Scores: a number with its interval and its seeds, and the name that says what was measured at which rank."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import ResultError
from ..taxonomy import check_rank


@dataclass(frozen=True)
class Score:
    """A number, and how far it can be trusted.

    Args:
        value: what was measured; the median over the seeds, where there are several.
        low: lower end of the 95 % interval from resampling species; None where none was computed.
        high: upper end of it.
        n: specimens (or barcodes) that it was measured on.
        seeds: what each seed gave, where there are several.

    Raises:
        ResultError: a number is not finite, or one end of the interval is missing or above the other.

    Examples:
        >>> Score(0.5, low=0.4, high=0.6, n=120).value
        0.5
    """

    value: float
    low: float | None = None
    high: float | None = None
    n: int = 0
    seeds: tuple[float, ...] = ()

    def __post_init__(self) -> None:
        for name, numbers in {"value": (self.value,), "interval": self.interval, "seeds": self.seeds}.items():
            if not all(math.isfinite(number) for number in numbers):
                raise ResultError(f"{name} of a score is {numbers}: it must be finite; leave out what is not defined")
        if (self.low is None) != (self.high is None) or list(self.interval) != sorted(self.interval):
            raise ResultError(f"the interval is {self.low} to {self.high}: give both ends, the lower one first")

    @property
    def interval(self) -> tuple[float, ...]:
        """Lower and upper end, or nothing."""
        return tuple(end for end in (self.low, self.high) if end is not None)


@dataclass(frozen=True)
class Outcome:
    """What a protocol gives.

    Args:
        scores: name (see `score_name`) → score.
        counts: what was asked, left out and so on; name → number.
        settings: everything that was chosen, such as those of a reduction.
        extras: what a report draws: `confusion` (`rank`, `labels`, `counts`) and `scatter` (`x`, `y`, `order`).
    """

    scores: Mapping[str, Score]
    counts: Mapping[str, int] = field(default_factory=dict)
    settings: Mapping[str, Any] = field(default_factory=dict)
    extras: Mapping[str, Any] = field(default_factory=dict)


def score_name(rank: str, part: str, average: str) -> str:
    """Name a score.

    Args:
        rank: it was measured at.
        part: a split, or a subset such as `test_unseen, BIN in pretrain`.
        average: `micro` or `macro`, or a measure that is no average.

    Raises:
        ValueError: there is no such rank, or the average holds a slash.

    Examples:
        >>> score_name("genus", "test_unseen", "micro")
        'genus/test_unseen/micro'
    """
    if not part or not average or "/" in average:
        raise ValueError(f"a score has a part and an average without a slash, not {part!r} and {average!r}")
    return f"{check_rank(rank)}/{part}/{average}"


def score_parts(name: str) -> tuple[str, str, str] | None:
    """Read a score's name as `score_name` writes it.

    Returns:
        Rank, part and average; None for another name.

    Examples:
        >>> score_parts("genus/test_unseen/micro"), score_parts("AUROC")
        (('genus', 'test_unseen', 'micro'), None)
    """
    if name.count("/") < 2:
        return None
    rank, rest = name.split("/", 1)
    part, average = rest.rsplit("/", 1)
    return rank, part, average
