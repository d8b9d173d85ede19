"""Thresholds of all ranks: their file, and what they were fitted for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, astuple, dataclass, field
from pathlib import Path
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..data.manifest import write_text
from ..errors import Bioscan5mError
from ..taxonomy import check_rank
from .calibration import Bin, RankThreshold


Mode: TypeAlias = Literal["classifier", "neighbours"]
FILE = "thresholds.json"
FILES = "thresholds*.json"
"""In a model's folder: one file for each head of a classifier, and one for key specimens if need be."""

_FORMAT = 1
_BOUND = {"weights": "another model", "frame_offsets": "other frame offsets", "head": "another head"}
_KEYS = "key_fingerprints"


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
            ranks = {check_rank(rank): _threshold_of(given) for rank, given in read.pop("ranks").items()}
            if not all(isinstance(text, str) for text in dict(read.get("origin", {})).values()):
                raise ValueError("its origin is no mapping of texts")
            return cls(ranks=ranks, **read)
        except FileNotFoundError as error:
            raise Bioscan5mError(f"there is no {path}: make it with `bioscan5m calibrate`") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Bioscan5mError(
                f"{path} holds no thresholds ({error}): make it with `bioscan5m calibrate`"
            ) from error

    def mismatch(self, origin: Mapping[str, str], mode: Mode) -> str:
        """Tell in what these thresholds differ from what names are given with; empty where they fit.

        The keys may be more than those that the thresholds were fitted with, but must hold these unchanged: thresholds
        are fitted with the keys of `train`, so that `val_unseen` stands for species without keys, and used with
        `train+key_unseen`.

        Args:
            origin: what the names are given with.
            mode: how they are given.
        """
        if self.mode != mode:
            return f"are for {self.mode}, not for {mode}"
        for key, what in _BOUND.items():
            if self.origin.get(key) != origin.get(key):
                fitted = f"{self.origin.get('model')}, {self.origin.get(key)!r} and not {origin.get(key)!r}"
                return f"were fitted with {what} ({fitted})"
        fitted_with = set(self.origin.get(_KEYS, "").split())
        if mode == "neighbours" and not (fitted_with and fitted_with <= set(origin.get(_KEYS, "").split())):
            named = f"{self.origin.get('keys')} {self.origin.get('key_split', '')}".strip()
            return f"were fitted with other key specimens ({named}, of which these hold not all, or changed ones)"
        return ""

    def check(self, origin: Mapping[str, str], mode: Mode) -> None:
        """Refuse thresholds of another model, of another kind of score, of other frames or of other keys.

        Args:
            origin: what the names are given with.
            mode: how they are given.

        Raises:
            ValueError: they were fitted for something else.
        """
        if differs := self.mismatch(origin, mode):
            raise ValueError(f"these thresholds {differs}: make others with calibrate")

    def accepts(self, rank: str, scores: NDArray[np.floating]) -> NDArray[np.bool_]:
        """Tell which scores are good enough for a name at a rank; none where the rank was not fitted.

        Args:
            rank: of the names.
            scores: shape (n,).
        """
        return self.ranks[rank].accepts(scores) if rank in self.ranks else np.zeros(len(scores), bool)


def _threshold_of(given: dict[str, Any]) -> RankThreshold:
    """Read what is known of one rank; the file may come from the Hub, so its values are looked at."""
    curve = tuple(Bin(**one) for one in given.pop("curve"))
    found = RankThreshold(**given, curve=curve)
    counts = (found.asked, found.accepted, found.right, *(number for one in curve for number in astuple(one)))
    numbers = counts if found.threshold is None else (found.threshold, *counts)
    if not all(isinstance(number, int | float) for number in numbers) or any(one.count < 1 for one in curve):
        raise ValueError("something else than numbers, or an empty bin")
    return found


def choose_thresholds(
    given: Thresholds | None, folder: Path | None, origin: Mapping[str, str], mode: Mode
) -> tuple[Thresholds | None, str]:
    """Take the thresholds that were given, or else the first in a model's folder (`thresholds*.json`) that fit.

    Args:
        given: these or none.
        folder: of the model.
        origin: what names are given with.
        mode: how they are given.

    Returns:
        The thresholds, and why there are none, which is empty where there are some.

    Raises:
        ValueError: those that were given do not fit.
        Bioscan5mError: a file of the folder is damaged.

    Examples:
        >>> choose_thresholds(None, None, {}, "classifier")
        (None, 'the model has no thresholds')
    """
    if given is not None:
        given.check(origin, mode)
        return given, ""
    reason = "the model has no thresholds"
    for path in [] if folder is None else sorted(folder.glob(FILES), key=lambda path: (len(path.name), path.name)):
        found = Thresholds.load(path)
        differs = found.mismatch(origin, mode)
        if not differs:
            return found, ""
        reason = f"the thresholds in {path.name} {differs}"
    return None, reason
