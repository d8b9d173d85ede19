"""How often names are right: by specimen, by class, among the best few, and for seen and unseen species together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..taxonomy import LABELS, check_rank
from .labels import codes_of


Name = str | int | None
Truths = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Accuracy:
    """How often names are right.

    Args:
        micro: share of the specimens that are named rightly; each specimen counts alike.
        macro: mean over the true classes of their shares; each class counts alike.
        n: specimens with a true name.
        classes: true classes.
    """

    micro: float
    macro: float
    n: int
    classes: int


def accuracy(predictions: Sequence[Name], references: Sequence[Name]) -> Accuracy:
    """Compare names with true names.

    A specimen without a true name does not count; one that was given no name is wrong.

    Args:
        predictions: name given to each specimen, or None; shape (n,).
        references: its true name, or None where it is not known; shape (n,).

    Raises:
        ValueError: different lengths, or no true name.

    Examples:
        >>> accuracy(["a", "a", None, "b"], ["a", "a", "b", None])
        Accuracy(micro=0.6666666666666666, macro=0.5, n=3, classes=2)
    """
    _same_length(predictions, references)
    right = np.array([one == other for one, other in zip(predictions, references, strict=True)], bool)
    return accuracy_of(right, references)


def accuracy_of(right: npt.NDArray[np.bool_], references: Sequence[Name]) -> Accuracy:
    """Average answers that are known to be right or wrong.

    Args:
        right: whether each answer is right, shape (n,).
        references: the true names, None where not known; shape (n,).

    Raises:
        ValueError: no true name.
    """
    codes = codes_of(references)
    known = codes >= 0
    if not known.any():
        raise ValueError("no specimen has a true name at this rank: nothing can be counted")
    _, number = np.unique(codes[known], return_inverse=True)
    counts = np.bincount(number)
    shares = np.bincount(number, weights=right[known]) / counts
    return Accuracy(float(right[known].mean()), float(shares.mean()), int(known.sum()), len(counts))


def taxonomic_accuracy(
    predictions: Sequence[Mapping[str, Name]], references: Sequence[Mapping[str, Name]]
) -> dict[str, Accuracy]:
    """Compare names with true names at every rank that has true names.

    Args:
        predictions: for each specimen, rank (or `dna_bin`) → name; what is missing counts as no name.
        references: the same with true names.

    Returns:
        Rank → accuracy, from wide to narrow.

    Raises:
        ValueError: different lengths, an unknown rank, or no true name at any rank.

    Examples:
        >>> found = taxonomic_accuracy([{"order": "Diptera", "genus": "Megaselia"}], [{"order": "Diptera"}])
        >>> list(found), found["order"].micro
        (['order'], 1.0)
    """
    _same_length(predictions, references)
    for name in {name for given in (predictions, references) for specimen in given for name in specimen}:
        check_rank(name)
    found = {}
    for rank in LABELS:
        true = [specimen.get(rank) for specimen in references]
        if any(name is not None for name in true):
            found[rank] = accuracy([specimen.get(rank) for specimen in predictions], true)
    if not found:
        raise ValueError(f"no specimen has a true name at any rank: give some of {', '.join(LABELS)}")
    return found


def top_accuracy(
    candidates: Sequence[Sequence[Name]], references: Sequence[Name], tops: Sequence[int] = (1, 3, 5)
) -> dict[int, Accuracy]:
    """Tell how often the true name is among the best few candidates, as in retrieval.

    The names of a query's nearest keys count as they come: several of one name fill several places, as in the
    published rule of CLIBD (Gong et al. 2025, arXiv 2405.17537).

    Args:
        candidates: for each query its candidates, best first.
        references: its true name, or None where it is not known.
        tops: how many of the candidates are looked at.

    Returns:
        Number of candidates → accuracy.

    Raises:
        ValueError: different lengths, a number below 1, or no true name.

    Examples:
        >>> found = top_accuracy([["a", "b"], ["b", "b"]], ["b", "a"], tops=(1, 2))
        >>> found[1].micro, found[2].micro
        (0.0, 0.5)
    """
    _same_length(candidates, references)
    if min(tops, default=0) < 1:
        raise ValueError(f"tops is {list(tops)}: use numbers from 1")
    found = {}
    for top in tops:
        among = (true in list(few[:top]) for few, true in zip(candidates, references, strict=True))
        found[top] = accuracy_of(np.fromiter(among, bool, len(references)), references)
    return found


def harmonic_mean(seen: float, unseen: float) -> float:
    """Give the harmonic mean of the accuracies on seen and unseen species (Xian et al. 2017, arXiv 1707.00600, eq. 9).

    Args:
        seen: from 0 to 1 (or to 100).
        unseen: likewise.

    Raises:
        ValueError: a negative number.

    Examples:
        >>> harmonic_mean(0.5, 1.0), harmonic_mean(0.0, 0.0)
        (0.6666666666666666, 0.0)
    """
    if seen < 0 or unseen < 0:
        raise ValueError(f"the accuracies are {seen} and {unseen}: they cannot be negative")
    return 0.0 if seen + unseen == 0 else 2 * seen * unseen / (seen + unseen)


def ranks_apart(prediction: Mapping[str, Name], reference: Mapping[str, Name], rank: str = "species") -> int | None:
    """Tell how grave a mistake is: how many ranks up from the asked one prediction and truth meet.

    Args:
        prediction: rank → name.
        reference: rank → true name.
        rank: the asked one; subspecies and BINs have no place among the ranks.

    Returns:
        0 where the asked rank is right, 1 where the next wider one is, and so on, over the ranks at which the truth
        is known; their number where nothing is right. None where the true name at the asked rank is not known.

    Examples:
        >>> truth = {"order": "Diptera", "family": "Phoridae", "species": "Megaselia scalaris"}
        >>> ranks_apart({"order": "Diptera", "family": "Phoridae", "species": "Megaselia rufa"}, truth)
        1
        >>> ranks_apart({"order": "Hymenoptera"}, truth)
        3
    """
    ranks = [name for name in LABELS if name != "dna_bin"]
    if rank not in ranks:
        raise ValueError(f"rank is {rank!r}: use one of {', '.join(ranks)}")
    if reference.get(rank) is None:
        return None
    upward = [name for name in reversed(ranks[: ranks.index(rank) + 1]) if reference.get(name) is not None]
    for steps, name in enumerate(upward):
        if prediction.get(name) == reference[name]:
            return steps
    return len(upward)


def expected_calibration_error(
    confidences: Sequence[float] | npt.NDArray[np.floating], right: Sequence[bool] | Truths, bins: int = 15
) -> float:
    """Tell how far stated confidences are from the shares that are right (Guo et al. 2017, arXiv 1706.04599, eq. 3).

    Args:
        confidences: from 0 to 1, shape (n,).
        right: whether each answer is right, shape (n,).
        bins: intervals of equal width; a confidence on a bound belongs to the lower one.

    Raises:
        ValueError: different lengths, nothing to count, or a confidence outside 0 to 1.

    Examples:
        >>> expected_calibration_error([0.75, 0.75, 0.75, 0.75], [True, True, True, False])
        0.0
    """
    stated, hits = np.asarray(confidences, np.float64), np.asarray(right, bool)
    if stated.shape != hits.shape or stated.ndim != 1 or not len(stated):
        raise ValueError(f"{stated.shape} confidences and {hits.shape} answers: give one of each for every specimen")
    if not ((stated >= 0) & (stated <= 1)).all():  # NaN is neither
        row = int((~((stated >= 0) & (stated <= 1))).argmax())
        raise ValueError(f"the confidence in row {row} is {stated[row]}: it must lie from 0 to 1")
    if bins < 1:
        raise ValueError(f"bins is {bins}: use a number from 1")
    place = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], stated, side="left")
    gaps = np.bincount(place, weights=stated - hits, minlength=bins)
    return float(np.abs(gaps).sum() / len(stated))


def _same_length(predictions: Sequence[object], references: Sequence[object]) -> None:
    if len(predictions) != len(references):
        raise ValueError(f"{len(predictions)} predictions for {len(references)} references: give one for each")
