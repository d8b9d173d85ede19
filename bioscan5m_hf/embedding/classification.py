"""Names by a fine-tuned model: the most probable ones at a rank, and the deepest rank that is sure enough."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .calibration import Mode, Thresholds
from .classifier import BarcodeClassifier, softmax
from .files import BARCODE, PROCESSID
from .lineage import Groups
from .naming import Evidence, check_columns, lineage_columns, ranks_up, supported
from .quality import CHECKS, prepare


BLOCK_SCORES = 8_000_000
"""Scores in memory at a time: with 11,846 species, those of 675 reads."""


@dataclass
class Classification:
    """Naming by a classifier.

    With thresholds (see `use`) there are also columns of the deepest rank that is sure enough, and its lineage.

    Args:
        classifier: the fine-tuned model.
        rank: at which names are given.
        within: rank → names of the taxa that are allowed; probabilities are those among them.
        top: names of a read, most probable first.
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
            raise ValueError(f"top is {self.top}: ask for one name or more")
        self.classifier.choose_head(self.rank)
        groups = {rank: self.classifier.groups(rank) for rank in ranks_up(self.rank)}
        self.groups: dict[str, Groups] = {rank: found for rank, found in groups.items() if found.names}
        self.block = min(8192, max(64, BLOCK_SCORES // self.classifier.width))
        self.allowed = self.classifier.allowed(self.within) if self.within else None

    def use(self, thresholds: Thresholds | None) -> None:
        """Use these thresholds, or by default those in the model's folder.

        Raises:
            ValueError: they were fitted for something else.
        """
        if thresholds is not None:
            thresholds.check(self.origin, self.mode)
        self.thresholds = thresholds or Thresholds.beside(self.classifier.folder, self.origin, self.mode)

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
        sure = [] if self.thresholds is None else ["supported_rank", *lineage_columns(self.rank)]
        return [PROCESSID, "place", "rank", "name", "probability", *within, *sure, *CHECKS]

    def weigh(self, barcodes: pa.Array) -> Mapping[str, Evidence]:
        """Give the most probable name at the asked rank and at all above it.

        Args:
            barcodes: usable ones, shape (n,).
        """
        return self._evidence(*self._sums(barcodes))

    def names(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        """Name the reads of a batch: a row for each read and place, in the order of the reads.

        Args:
            batch: with `processid` and `dna_barcode`.
        """
        prepared = prepare(batch.column(BARCODE), self.k)
        usable = np.flatnonzero(prepared.usable)
        sums, inside = self._sums(prepared.barcodes.take(pa.array(usable)))
        here, names = sums[self.rank], self.groups[self.rank].names
        best = most_probable(here, self.top)
        evidence = self._evidence(sums, inside)
        deepest = supported(evidence, self.thresholds, len(usable))
        row_of = {int(place): row for row, place in enumerate(usable)}
        ids, checks = batch.column(PROCESSID).to_pylist(), check_columns(prepared)
        for place, (identity, about) in enumerate(zip(ids, checks, strict=True)):
            common = {PROCESSID: identity, "rank": self.rank, **about}
            row = row_of.get(place)
            if row is None:
                yield {**common, "place": 1}
                continue
            common["probability_within"] = float(inside[row])
            sure = self._supported(evidence, int(deepest[row]), row)
            for number, code in enumerate(best[row], 1):
                if number == 1 or here[row, code] > 0:
                    one = {"place": number, "name": names[code], "probability": float(here[row, code])}
                    yield {**common, **one, **sure}

    def _sums(self, barcodes: pa.Array) -> tuple[dict[str, NDArray[np.float32]], NDArray[np.float32]]:
        """Sum probabilities upward, and tell which share of the unrestricted ones the allowed classes hold."""
        logits = self.classifier.logits(barcodes, self.batch_size, offsets=self.offsets, cleaned=False)
        probabilities = softmax(logits, self.allowed)
        everything = np.ones(len(logits), np.float32)
        inside = everything if self.allowed is None else softmax(logits)[:, self.allowed].sum(axis=1)
        return {rank: groups.sums(probabilities) for rank, groups in self.groups.items()}, inside

    def _evidence(self, sums: Mapping[str, NDArray[np.float32]], inside: NDArray[np.float32]) -> dict[str, Evidence]:
        """Give the best names with their probabilities among all classes: a restriction makes no name surer."""
        found = {}
        for rank, groups in self.groups.items():
            codes = sums[rank].argmax(axis=1)
            found[rank] = Evidence(groups.names, codes, sums[rank][np.arange(len(codes)), codes] * inside)
        return found

    def _supported(self, evidence: Mapping[str, Evidence], deepest: int, row: int) -> dict[str, str]:
        if deepest < 0:
            return {}
        rank = list(evidence)[deepest]
        name = evidence[rank].names[evidence[rank].codes[row]]
        return {"supported_rank": rank, **self.classifier.lineages.above(rank, name)}


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
