"""Names by a fine-tuned model: the deepest rank that is sure enough, and the candidates at the asked rank."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .classifier import BarcodeClassifier, softmax
from .files import BARCODE, PROCESSID
from .lineage import Groups
from .naming import (
    Evidence,
    check_columns,
    lineage_columns,
    ranks_below,
    ranks_up,
    read_strands,
    supported,
    supported_below,
)
from .quality import CHECKS, prepare
from .thresholds import Mode, Thresholds, choose_thresholds


BLOCK_SCORES = 8_000_000
"""Scores in memory at a time: with 11,846 species, those of 675 reads."""


@dataclass
class Classification:
    """Naming by a classifier.

    A name is given at the deepest rank, from the asked one upward, whose probability reaches its threshold. Without
    thresholds (see `use`) no names are given, but the candidates at the asked rank with their probabilities.

    Args:
        classifier: the fine-tuned model.
        rank: of the candidates, and the narrowest at which a name is given.
        within: rank → names of the taxa that are allowed; probabilities of candidates are those among them.
        top: candidates of a read, most probable first.
        offsets: frame offsets that are averaged over.
        batch_size: reads computed together.
    """

    classifier: BarcodeClassifier
    rank: str
    within: Mapping[str, Sequence[str]] = field(default_factory=dict)
    top: int = 1
    offsets: Sequence[int] = (0,)
    batch_size: int = 512
    mode: Mode = field(default="classifier", init=False)
    thresholds: Thresholds | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        if self.top < 1:
            raise ValueError(f"top is {self.top}: ask for one candidate or more")
        self.classifier.choose_head(self.rank)
        groups = {rank: self.classifier.groups(rank) for rank in ranks_up(self.rank)}
        self.groups: dict[str, Groups] = {rank: found for rank, found in groups.items() if found.names}
        self.below: dict[str, Groups] = {}
        self._asked: dict[str, NDArray[np.int64]] = {}
        self.block = min(8192, max(64, BLOCK_SCORES // self.classifier.width))
        self.allowed = self.classifier.allowed(self.within) if self.within else None

    def use(self, thresholds: Thresholds | None) -> str:
        """Use these thresholds, or by default those in the model's folder.

        Returns:
            Why there are none; empty where there are some.

        Raises:
            ValueError: they were fitted for something else.
        """
        folder = self.classifier.folder
        self.thresholds, reason = choose_thresholds(thresholds, folder, self.origin, self.mode)
        found = {rank: self.classifier.groups(rank) for rank in ranks_below(self.rank, self.thresholds)}
        self.below = {rank: groups for rank, groups in found.items() if groups.names}
        self._asked = {rank: self._asked_of(rank, groups.names) for rank, groups in self.below.items()}
        return reason

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return self.classifier.k

    @property
    def origin(self) -> dict[str, str]:
        """What names are given with."""
        return self.classifier.origin(self.offsets) | {"head": self.classifier.head}

    @property
    def columns(self) -> list[str]:
        """The columns of the table of names."""
        within = ["probability_within"] if self.within else []
        named = ["rank", "name", "probability", "share_right", *lineage_columns(self.rank)]
        return [PROCESSID, *named, "place", "candidate_rank", "candidate", "candidate_probability", *within, *CHECKS]

    def rows(self, barcodes: pa.Array) -> NDArray[np.float32]:
        """Give the scores of the classes of the chosen head.

        Args:
            barcodes: usable ones, shape (n,).
        """
        return self.classifier.logits(barcodes, self.batch_size, offsets=self.offsets, cleaned=False)

    def strength(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        """Give the probability of the best name at the asked rank.

        Args:
            rows: scores, shape (n, classes).
        """
        return self.weigh(rows)[self.rank].scores

    def weigh(self, rows: NDArray[np.float32]) -> Mapping[str, Evidence]:
        """Give the most probable name at the asked rank and at all above it.

        Args:
            rows: scores, shape (n, classes).
        """
        return self._evidence(self.groups, *self._sums(self.groups, rows))

    def names(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        """Name the reads of a batch: a row for each read and candidate, in the order of the reads.

        Args:
            batch: with `processid` and `dna_barcode`.
        """
        prepared, logits = read_strands(self, prepare(batch.column(BARCODE), self.k))
        groups = self.below | self.groups
        sums, inside = self._sums(groups, logits)
        evidence = self._evidence(groups, sums, inside)
        sources = self._sources(evidence, len(logits))
        best = most_probable(sums[self.rank], self.top)
        row_of = {int(place): row for row, place in enumerate(np.flatnonzero(prepared.usable))}
        ids, checks = batch.column(PROCESSID).to_pylist(), check_columns(prepared)
        for place, (identity, about) in enumerate(zip(ids, checks, strict=True)):
            common = {PROCESSID: identity, "candidate_rank": self.rank, **about}
            row = row_of.get(place)
            if row is None:
                yield {**common, "place": 1}
                continue
            common["probability_within"] = float(inside[row])
            common |= self._name(evidence, sources[row], row)
            for candidate in self._candidates(sums[self.rank][row], best[row]):
                yield {**common, **candidate}

    def _asked_of(self, rank: str, names: Sequence[str]) -> NDArray[np.int64]:
        """Tell to which name at the asked rank each name of a narrower one belongs, -1 where that is not known."""
        code = {name: place for place, name in enumerate(self.groups[self.rank].names)}
        above = (self.classifier.lineages.above(rank, name).get(self.rank, "") for name in names)
        return np.array([code.get(name, -1) for name in above], np.int64)

    def _candidates(self, probabilities: NDArray[np.float32], best: NDArray[np.int64]) -> Iterator[dict[str, Any]]:
        names = self.groups[self.rank].names
        for place, code in enumerate(best, 1):
            probability = float(probabilities[code])
            if place == 1 or probability > 0:
                yield {"place": place, "candidate": names[code], "candidate_probability": probability}

    def _sources(self, evidence: Mapping[str, Evidence], reads: int) -> list[str | None]:
        """Tell which rank's threshold each read reaches: the narrowest; it may be narrower than the asked one."""
        own = {rank: evidence[rank] for rank in self.groups}
        below = {rank: (evidence[rank], self._asked[rank][evidence[rank].codes]) for rank in self.below}
        first = supported_below(below, own[self.rank], self.thresholds)
        deepest = supported(own, self.thresholds, reads)
        at = np.where(first >= 0, first, np.where(deepest >= 0, deepest + len(below), -1))
        ranks = (*below, *own)
        return [ranks[place] if place >= 0 else None for place in at]

    def _sums(
        self, groups: Mapping[str, Groups], logits: NDArray[np.float32]
    ) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Sum probabilities upward, and tell which share of the unrestricted ones the allowed classes hold."""
        probabilities = softmax(logits, self.allowed)
        everything = np.ones(len(logits), np.float32)
        inside = everything if self.allowed is None else softmax(logits)[:, self.allowed].sum(axis=1)
        return {rank: one.sums(probabilities) for rank, one in groups.items()}, inside

    def _evidence(
        self, groups: Mapping[str, Groups], sums: Mapping[str, NDArray[np.float32]], inside: NDArray[np.float32]
    ) -> dict[str, Evidence]:
        """Give the best names with their probabilities among all classes: a restriction makes no name surer."""
        found = {}
        for rank, one in groups.items():
            codes = sums[rank].argmax(axis=1)
            found[rank] = Evidence(one.names, codes, sums[rank][np.arange(len(codes)), codes] * inside)
        return found

    def _name(self, evidence: Mapping[str, Evidence], source: str | None, row: int) -> dict[str, Any]:
        """Give the name at the deepest rank that is supported, with its lineage; nothing where none is."""
        if source is None or self.thresholds is None:
            return {}
        rank = source if source in self.groups else self.rank
        found = evidence[rank]
        name, probability = found.names[found.codes[row]], float(found.scores[row])
        share = self.thresholds.ranks[source].share_right(float(evidence[source].scores[row]))
        lineage = self.classifier.lineages.above(rank, name)
        return {**lineage, "rank": rank, "name": name, "probability": probability, "share_right": share}


def most_probable(probabilities: NDArray[np.float32], top: int) -> NDArray[np.int64]:
    """Find the highest numbers of each row, highest first, and of equal ones the first.

    Args:
        probabilities: shape (n, names).
        top: how many.

    Returns:
        Their places, shape (n, at most top).

    Examples:
        >>> most_probable(np.array([[0.1, 0.4, 0.3, 0.2]], np.float32), 2).tolist()
        [[1, 2]]
    """
    top = min(top, probabilities.shape[1])
    found = np.sort(np.argpartition(-probabilities, top - 1, axis=1)[:, :top], axis=1)
    order = np.argsort(-np.take_along_axis(probabilities, found, axis=1), axis=1, kind="stable")
    return np.take_along_axis(found, order, axis=1)
