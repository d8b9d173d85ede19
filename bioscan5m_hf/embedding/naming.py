"""What both ways of naming share: evidence per rank, the deepest rank it supports, and the fitting of thresholds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..dna import reverse_complement
from ..errors import Bioscan5mError
from ..provenance import without_folder
from ..taxonomy import LABELS, RANKS, check_rank
from .calibration import LEAST, SHARE, Scored, check_share, fit_thresholds
from .files import BARCODE
from .inputs import Input
from .quality import CHECKS, Prepared, prepare
from .thresholds import Mode, Thresholds


DECISIVE = 0.25
"""So much stronger (cosine or probability) is what overrules the strand that `dna.check` finds.

For 466 pieces of 100 bases of real barcodes the check named a strand, the right one but for one piece. On the other
strand half of them had a higher cosine to the nearest of 27,000 keys, but none was more than 0.244 higher.
"""


@dataclass(frozen=True)
class Evidence:
    """The best name of each read at one rank.

    Args:
        names: all names of the rank.
        codes: the best one of each read, -1 where there is none; shape (n,).
        scores: how good it is; -inf where there is none, or where another is as good; shape (n,).
    """

    names: Sequence[str]
    codes: NDArray[np.int64]
    scores: NDArray[np.floating]


class Namer(Protocol):
    """A way of naming reads."""

    mode: Mode
    block: int

    @property
    def k(self) -> int:
        """Bases that a read must have."""

    @property
    def origin(self) -> dict[str, str]:
        """What names are given with: model, weights, frames, keys."""

    def rows(self, barcodes: pa.Array) -> NDArray[np.float32]:
        """Give what the model computes of usable barcodes, shape (n, width)."""

    def strength(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        """Tell how much speaks for the best answer to each read, whatever it is; shape (n,)."""

    def weigh(self, rows: NDArray[np.float32]) -> Mapping[str, Evidence]:
        """Give the evidence at the asked rank and all above it, from narrow to wide."""


def ranks_up(rank: str) -> tuple[str, ...]:
    """List a rank and those above it, from narrow to wide.

    Examples:
        >>> ranks_up("order")
        ('order', 'class', 'phylum')
    """
    check_rank(rank)
    return tuple(reversed(LABELS[: LABELS.index(rank) + 1]))


class Reader(Protocol):
    """What can tell which strand of a read is nearer to what is known."""

    @property
    def strength(self) -> Any:  # noqa: ANN401
        """Tell how much speaks for the best answer to each read: takes rows of shape (n, width), gives shape (n,)."""

    def rows(self, barcodes: pa.Array) -> NDArray[np.float32]:
        """Give what the model computes of usable barcodes, shape (n, width)."""


def read_strands(namer: Reader, prepared: Prepared) -> tuple[Prepared, NDArray[np.float32]]:
    """Compute usable reads; doubtful ones on both strands, of which the one with the stronger evidence is kept.

    Where the check finds a read reversed, this is evidence, too: the read as it was given must be `DECISIVE` ahead.

    Args:
        namer: how names are given.
        prepared: the reads.

    Returns:
        The reads on the strands that were taken, and the model's rows of the usable ones, in their order.
    """
    usable = np.flatnonzero(prepared.usable)
    reads = prepared.barcodes.take(pa.array(usable))
    rows = namer.rows(reads)
    doubtful = np.flatnonzero(prepared.doubtful[usable])
    if not len(doubtful):
        return prepared, rows
    other = namer.rows(reverse_complement(reads.take(pa.array(doubtful))))
    found_reversed = np.asarray(pc.equal(prepared.checks["strand"], "-").combine_chunks().take(pa.array(usable)))
    ahead = np.where(found_reversed[doubtful], DECISIVE, 0)
    better = namer.strength(other) > namer.strength(rows[doubtful]) + ahead
    rows[doubtful[better]] = other[better]
    return prepared.turned(usable[doubtful[better]]), rows


def supported(evidence: Mapping[str, Evidence], thresholds: Thresholds | None, reads: int) -> NDArray[np.int64]:
    """Find the deepest rank at which each read can be named.

    Args:
        evidence: rank → evidence, from narrow to wide.
        thresholds: None supports nothing.
        reads: n.

    Returns:
        Place of the rank in `evidence`, -1 where no rank is supported; shape (n,).
    """
    deepest = np.full(reads, -1, np.int64)
    if thresholds is None:
        return deepest
    for place, (rank, found) in enumerate(evidence.items()):
        good = (found.codes >= 0) & thresholds.accepts(rank, found.scores)
        deepest[(deepest < 0) & good] = place
    return deepest


def ranks_below(rank: str, thresholds: Thresholds | None) -> tuple[str, ...]:
    """List the ranks below one at which thresholds give names, from narrow to wide.

    Examples:
        >>> from bioscan5m_hf.embedding.calibration import RankThreshold
        >>> ranks = {rank: RankThreshold(0.9, 9, 9, 9) for rank in ("genus", "species")}
        >>> ranks_below("family", Thresholds("neighbours", 0.95, ranks))
        ('species', 'genus')
    """
    fitted = {} if thresholds is None else thresholds.ranks
    below = reversed(LABELS[LABELS.index(rank) + 1 :])
    return tuple(name for name in below if name in fitted and fitted[name].threshold is not None)


def supported_below(
    below: Mapping[str, tuple[Evidence, NDArray[np.int64]]], asked: Evidence, thresholds: Thresholds | None
) -> NDArray[np.int64]:
    """Find the best names of the asked rank that follow from a name of a narrower one.

    The threshold of a rank is fitted on the reads that no narrower one names. Where thresholds were fitted for
    narrower ranks than the asked one, the reads that these name must not fall to that threshold.

    Args:
        below: rank → evidence, and to which name of the asked rank each read's best name belongs (-1 where that is
            not known), from narrow to wide.
        asked: evidence at the asked rank.
        thresholds: None supports nothing.

    Returns:
        Place of the narrowest such rank in `below`, -1 where there is none; shape (n,).
    """
    narrowest = np.full(len(asked.codes), -1, np.int64)
    alone = (asked.codes >= 0) & np.isfinite(asked.scores)
    for place, (rank, (found, codes)) in enumerate(below.items()):
        if thresholds is not None:
            good = (found.codes >= 0) & thresholds.accepts(rank, found.scores)
            narrowest[(narrowest < 0) & good & alone & (codes == asked.codes)] = place
    return narrowest


def calibrate(
    namer: Namer, labelled: Input, *, share: float = SHARE, least: int = LEAST, progress: bool = False
) -> Thresholds:
    """Fit thresholds on labelled specimens that the model and the keys do not know.

    A specimen counts at the ranks at which it has a name. To learn how species without keys fare, some of them must
    be of such species: fit on `val+val_unseen` with the keys of `train`.

    Args:
        namer: how names are given.
        labelled: records with labels.
        share: which share of the given names has to be right.
        least: names that are needed for a threshold.
        progress: show a bar, in a terminal.

    Raises:
        Bioscan5mError: no record has a usable barcode and a name.
        ValueError: a share outside of 0 … 1.
    """
    from tqdm import tqdm

    check_share(share)
    collected: dict[str, list[Scored]] = {}
    with tqdm(total=labelled.count(), unit=" reads", disable=None if progress else True, leave=False) as bar:
        for batch in labelled.batches(labels=LABELS, rows=namer.block):
            prepared = prepare(batch.column(BARCODE), namer.k)
            usable = pa.array(np.flatnonzero(prepared.usable))
            if len(usable):
                for rank, found in namer.weigh(read_strands(namer, prepared)[1]).items():
                    collected.setdefault(rank, []).append(_scored(found, batch.column(rank).take(usable)))
            bar.update(len(batch))
    scored = {rank: _joined(parts) for rank, parts in collected.items()}
    if not any(one.known.any() for one in scored.values()):
        raise Bioscan5mError(f"{labelled.name} holds no record with a usable barcode and a name: nothing to fit on")
    made = namer.origin | {"fitted_on": labelled.name, "split": labelled.split or ""}
    origin = {key: without_folder(value) for key, value in made.items()}  # the file may be published
    return Thresholds(namer.mode, share, fit_thresholds(scored, share=share, least=least), origin)


def check_columns(prepared: Prepared) -> list[dict[str, Any]]:
    """Give the columns about each read, as they are written."""
    rows: list[dict[str, Any]] = prepared.checks.select(CHECKS).to_pylist()
    for row in rows:
        row["warnings"] = " ".join(row["warnings"])
    return rows


def lineage_columns(rank: str) -> list[str]:
    """List the columns of a lineage from wide to the asked rank."""
    return [name for name in (*RANKS, *LABELS[len(RANKS) :]) if LABELS.index(name) <= LABELS.index(rank)]


def _scored(found: Evidence, truth: pa.Array) -> Scored:
    code = {name: place for place, name in enumerate(found.names)}
    right = np.array([code.get(name, -2) for name in truth.to_pylist()], np.int64) == found.codes
    return Scored(found.scores, right, np.asarray(truth.is_valid()))


def _joined(parts: Sequence[Scored]) -> Scored:
    return Scored(*(np.concatenate(columns) for columns in zip(*parts, strict=True)))
