"""Names by the nearest key specimens, with what convinces a biologist: which specimen, how alike, and what else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from .alignment import compare
from .encoder import BarcodeEncoder
from .files import BARCODE, PROCESSID
from .keys import KeySet
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
from .neighbours import TIE, TIE_OF_16_BITS, Nearest, search
from .quality import CHECKS, prepare
from .thresholds import Mode, Thresholds, choose_thresholds


@dataclass
class Matching:
    """Naming by the nearest key specimens.

    Without thresholds (see `use`) no names are given, but all that is known of the nearest specimens.

    Args:
        encoder: the model.
        keys: labelled specimens.
        rank: the narrowest rank at which a name is given.
        offsets: frame offsets that are averaged over.
        batch_size: reads computed together.
        block: reads in memory at a time.
    """

    encoder: BarcodeEncoder
    keys: KeySet
    rank: str
    offsets: Sequence[int] = (0,)
    batch_size: int = 512
    block: int = 8192
    mode: Mode = field(default="neighbours", init=False)
    thresholds: Thresholds | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        self.ranks = tuple(rank for rank in ranks_up(self.rank) if self.keys.names[rank])
        if self.rank not in self.ranks:
            raise ValueError(f"no key specimen has a name at the rank {self.rank}: ask for another rank")
        self.restrict({})

    def restrict(self, within: Mapping[str, Sequence[str]]) -> None:
        """Let only keys within some taxa be found, as `KeySet.restrict` does."""
        self.keys.restrict(within)
        self.counts = {rank: self.keys.counts(rank) for rank in self.ranks}

    def use(self, thresholds: Thresholds | None) -> str:
        """Use these thresholds, or by default those in the model's folder.

        Returns:
            Why there are none; empty where there are some.

        Raises:
            ValueError: they were fitted for something else.
        """
        folder = self.encoder.folder
        self.thresholds, reason = choose_thresholds(thresholds, folder, self.origin, self.mode)
        return reason

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return self.encoder.k

    @property
    def origin(self) -> dict[str, str]:
        """What names are given with."""
        return self.encoder.origin(self.offsets) | {
            "keys": self.keys.origin.get("source", ""),
            "key_split": self.keys.origin.get("split", ""),
            "key_fingerprints": self.keys.origin.get("fingerprints", ""),
        }

    @property
    def columns(self) -> list[str]:
        """The columns of the table of names."""
        return [
            *(PROCESSID, "rank", "name", "similarity", "share_right", "key_specimens"),
            *lineage_columns(self.rank),
            *("nearest_processid", "nearest_bin", "nearest_name", "nearest_similarity", "identity", "overlap"),
            *("runner_up", "runner_up_processid", "runner_up_similarity", "equally_near"),
            *CHECKS,
        ]

    def rows(self, barcodes: pa.Array) -> NDArray[np.float32]:
        """Give the vectors of reads.

        Args:
            barcodes: usable ones, shape (n,).
        """
        return self.encoder.embed(barcodes, self.batch_size, offsets=self.offsets, cleaned=False)

    def strength(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        """Give the cosine to the nearest key, whatever its name.

        Args:
            rows: vectors, shape (n, width).
        """
        return self._search(rows, ())[0].similarity

    def weigh(self, rows: NDArray[np.float32]) -> Mapping[str, Evidence]:
        """Give the nearest name at the asked rank and at all above it.

        Args:
            rows: vectors, shape (n, width).
        """
        return self._evidence(self._search(rows, self.ranks)[1])

    def names(self, batch: pa.RecordBatch) -> Iterator[dict[str, Any]]:
        """Name the reads of a batch: a row for each, in their order.

        Args:
            batch: with `processid` and `dna_barcode`.
        """
        prepared, vectors = read_strands(self, prepare(batch.column(BARCODE), self.k))
        usable = np.flatnonzero(prepared.usable)
        reads = prepared.barcodes.take(pa.array(usable))
        below = tuple(rank for rank in ranks_below(self.rank, self.thresholds) if self.keys.names[rank])
        overall, found = self._search(vectors, (*below, *self.ranks))
        sources = self._sources(found, below)
        answers = self._answers(reads.to_pylist(), overall, found, sources)
        row_of = dict(zip(usable.tolist(), answers, strict=True))
        ids, checks = batch.column(PROCESSID).to_pylist(), check_columns(prepared)
        for place, (identity, about) in enumerate(zip(ids, checks, strict=True)):
            yield {PROCESSID: identity, **about, **row_of.get(place, {})}

    def _search(self, vectors: NDArray[np.float32], ranks: Sequence[str]) -> tuple[Nearest, dict[str, Nearest]]:
        model = self.encoder.model
        tie = TIE if model.dtype.itemsize == 4 else TIE_OF_16_BITS
        return search(vectors, self.keys, ranks, device=model.device, tie=tie)

    def _evidence(self, found: Mapping[str, Nearest]) -> dict[str, Evidence]:
        evidence = {}
        for rank, nearest in found.items():
            codes = np.where(nearest.place >= 0, self.keys.codes[rank][nearest.place], -1).astype(np.int64)
            scores = np.where(nearest.tied, -np.inf, nearest.similarity)
            evidence[rank] = Evidence(self.keys.names[rank], codes, scores)
        return evidence

    def _sources(self, found: Mapping[str, Nearest], below: Sequence[str]) -> list[str | None]:
        """Tell which rank's threshold each read reaches: the narrowest; it may be narrower than the asked one."""
        evidence = self._evidence(found)
        own = {rank: evidence[rank] for rank in self.ranks}
        narrower = {}
        for rank in below:
            place = found[rank].place
            codes = np.where(place >= 0, self.keys.codes[self.rank][place], -1).astype(np.int64)
            narrower[rank] = evidence[rank], codes
        first = supported_below(narrower, own[self.rank], self.thresholds)
        deepest = supported(own, self.thresholds, len(first))
        at = np.where(first >= 0, first, np.where(deepest >= 0, deepest + len(below), -1))
        ranks = (*below, *self.ranks)
        return [ranks[place] if place >= 0 else None for place in at]

    def _answers(
        self, reads: Sequence[str], overall: Nearest, found: Mapping[str, Nearest], sources: Sequence[str | None]
    ) -> list[dict[str, Any]]:
        """Say what is known of each usable read."""
        at = [source if source in self.ranks else self.rank for source in sources]
        behind = [found[rank].place[row] for row, rank in enumerate(at)]
        others = [found[rank].other[row] for row, rank in enumerate(at)]
        asked = found[self.rank]
        tied = np.where(asked.tied, asked.other, -1)
        specimens = iter(self._specimens([*overall.place, *behind, *others, *tied]))
        columns = [[next(specimens) for _ in reads] for _ in range(4)]
        answers = []
        for row, (read, rank, nearest, own, other, equal) in enumerate(zip(reads, at, *columns, strict=True)):
            answer = self._specimen(read, nearest, float(overall.similarity[row]))
            answer["equally_near"] = equal.get(self.rank)
            if other:
                similarity = float(found[rank].other_similarity[row])
                answer |= {
                    "runner_up": other[rank],
                    "runner_up_processid": other[PROCESSID],
                    "runner_up_similarity": similarity,
                }
            if source := sources[row]:
                answer |= self._name(rank, own, float(found[rank].similarity[row]))
                answer["share_right"] = self._share_right(source, float(found[source].similarity[row]))
            answers.append(answer)
        return answers

    def _specimens(self, places: Sequence[np.int64]) -> list[dict[str, str | None]]:
        """Read key specimens; an empty one for -1."""
        given = np.array(places, np.int64)
        fetched = iter(self.keys.rows(given[given >= 0]))
        return [next(fetched) if place >= 0 else {} for place in given]

    def _specimen(self, read: str, nearest: Mapping[str, str | None], similarity: float) -> dict[str, Any]:
        alike = compare(read, nearest[BARCODE] or "")
        return {
            "nearest_processid": nearest[PROCESSID],
            "nearest_bin": nearest["dna_bin"],
            "nearest_name": next((nearest[rank] for rank in ranks_up("species") if nearest[rank]), None),
            "nearest_similarity": similarity,
            "identity": alike.identity,
            "overlap": alike.overlap,
        }

    def _name(self, rank: str, own: Mapping[str, str | None], similarity: float) -> dict[str, Any]:
        name = own[rank]
        lineage = {above: own[above] for above in ranks_up(rank)}
        behind = int(self.counts[rank][self.keys.names[rank].index(name)]) if name is not None else None
        return {
            **lineage,
            "rank": rank,
            "name": name,
            "similarity": similarity,
            "key_specimens": behind,
        }

    def _share_right(self, rank: str, similarity: float) -> float | None:
        return None if self.thresholds is None else self.thresholds.ranks[rank].share_right(similarity)
