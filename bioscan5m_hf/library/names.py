"""Names for specimens by the nearest keys: the deepest rank they support, candidates, and what the keys are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..embedding.files import PROCESSID
from ..embedding.naming import lineage_columns, ranks_up
from ..embedding.quality import CHECKS
from ..evaluation.search import Nearest
from ..taxonomy import LABELS
from .agreement import Votes, vote
from .calibration import Calibration, KindCalibration
from .index import key_rows
from .neighbours import Keys
from .novelty import familiarity
from .places import Origins, Place, Placing, Sites, has_pair, names_of_countries
from .specimens import MODALITIES, Batch
from .vectors import Embedded, Embedder


SURE = 0.9
"""A name is given from this confidence on."""

LISTED = 5
"""Nearest keys that are listed."""

TEMPERATURE = 0.05
"""Of votes, where none has been fitted; candidates are listed with it, no name is given."""

_BELOW_NEW = ("species", "dna_bin")
_UNFITTED = KindCalibration(TEMPERATURE)


@dataclass
class LibraryNaming:
    """Naming by the nearest keys of a reference library.

    Without a calibration no names are given, but candidates, and all that is known of the nearest keys.

    Args:
        keys: what may be found.
        embedder: the model.
        calibration: of the index; None gives no names.
        rank: the narrowest rank at which a name is given, and the one of the candidates.
        top: candidates.
        sure: a name is given from this confidence on.
        place: where the specimens come from, where they do not say it themselves.
        placing: whether places are told, or weigh votes, too.
        block: specimens in memory at a time.

    Raises:
        ValueError: no key has a name at the rank, or a share outside 0 to 1.
    """

    keys: Keys
    embedder: Embedder
    calibration: Calibration | None = None
    rank: str = "species"
    top: int = LISTED
    sure: float = SURE
    place: Place = field(default_factory=Place)
    placing: Placing = Placing.FLAG
    block: int = 1024
    problems: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.sure <= 1:
            raise ValueError(f"sure is {self.sure}: use a share above 0 and up to 1, such as {SURE}")
        index = self.keys.index
        self._names: dict[str, list[str]] = {}
        self._codes: dict[str, NDArray[np.int64]] = {}
        for rank in ranks_up(self.rank):
            names, codes = index.coded(rank)
            if (codes[self.keys.allowed] >= 0).any():
                self._names[rank], self._codes[rank] = names.to_pylist(), codes
        self.embedder = replace(self.embedder, strength=self._strength)
        if self.rank not in self._names:
            raise ValueError(f"no key has a name at the rank {self.rank}: ask for another rank")
        self.sites = Sites.of(index)
        self._pairs = {rank: names_of_countries(self.sites, codes) for rank, codes in self._codes.items()}

    @property
    def columns(self) -> list[str]:
        """The columns of the table of names."""
        numbers = range(1, self.top + 1)
        return [
            *(PROCESSID, "modalities", "rank", "name", "confidence"),
            *lineage_columns(self.rank),
            *("new_species", "familiarity"),
            *(column for number in numbers for column in (f"candidate_{number}", f"share_{number}")),
            *("nearest_name", "nearest_processids", "nearest_similarities"),
            *("nearest_country", "nearest_km", "seen_in_country"),
            *CHECKS,
            "problem",
        ]

    def names(self, batch: Batch) -> Iterator[dict[str, Any]]:
        """Name the specimens of a batch: a row for each, in their order.

        Args:
            batch: some specimens.
        """
        embedded = self.embedder.embed(batch)
        rows: list[dict[str, Any]] = [{} for _ in range(len(batch))]
        origins = Origins.of(batch.table, self.sites, self.place)
        own = self.keys.index.places_of(batch.table[PROCESSID].combine_chunks())
        for kind in self.embedder.kinds:
            places = embedded.of_kind(kind)
            if len(places):
                asked = self.asked_as(kind)
                answers = self._answers(asked, embedded, places, origins.take(places), own[places])
                for place, answer in zip(places.tolist(), answers, strict=True):
                    rows[place] = {"modalities": asked, **answer}
        ids = batch.table[PROCESSID].to_pylist()
        for place, identity in enumerate(ids):
            yield {PROCESSID: identity, **rows[place], **self._about(batch, embedded, place)}

    def asked_as(self, kind: str) -> str:
        """Give what specimens of a kind are asked by: all they have, or the part of it for which there is a fit.

        Args:
            kind: what they have, such as `image+dna`.
        """
        fitted = {} if self.calibration is None else self.calibration.kinds
        parts = [name for name in ("dna", "image") if name in kind.split("+") and name in fitted]
        return kind if kind in fitted or not parts else parts[0]

    def notes(self) -> list[str]:
        """Say for which specimens no name can be given, though there is a calibration."""
        if self.calibration is None:
            return []
        said = []
        for kind in self.embedder.kinds:
            found = self.calibration.kinds.get(self.asked_as(kind))
            if found is None:
                said.append(f"specimens with {kind} get no names: nothing was fitted for them")
            elif self.asked_as(kind) != kind:
                said.append(f"specimens with {kind} are asked by {self.asked_as(kind)}: nothing was fitted for both")
            elif self.rank not in found.ranks:
                said.append(f"specimens with {kind} get no name of {self.rank}: too few were there to fit one on")
        return said

    def _strength(self, rows: NDArray[np.float32]) -> NDArray[np.floating]:
        """Tell how near the nearest key of barcodes is."""
        return self.keys.nearest("dna", {"dna": rows}, 1).similarity[:, 0]

    def _about(self, batch: Batch, embedded: Embedded, place: int) -> dict[str, Any]:
        """Say how a barcode was read, and what is wrong with a photograph."""
        given = bool(batch.table["dna_barcode"][place].as_py())
        about = embedded.checks[place] if given and "dna" in embedded.vectors else {}
        problem = embedded.problems[place]
        if problem is None and batch.photographs[place] is not None and "image" not in embedded.vectors:
            problem = "the model sees no photographs"
        nothing = not any(embedded.vectors[name][place].any() for name in MODALITIES if name in embedded.vectors)
        if problem is None and nothing:
            problem = "the barcode cannot be used" if given else "there is neither a photograph nor a barcode"
        self.problems += problem is not None
        return {**about, "problem": problem}

    def _answers(
        self,
        kind: str,
        embedded: Embedded,
        places: NDArray[np.intp],
        origins: Origins,
        own: NDArray[np.int64],
    ) -> list[dict[str, Any]]:
        """Say what is known of the specimens of one kind; who is a key is not found by itself."""
        found = self.keys.nearest(kind, {name: each[places] for name, each in embedded.vectors.items()}, own=own)
        fitted = _UNFITTED if self.calibration is None else self.calibration.kinds.get(kind, _UNFITTED)
        factors = None
        if self.placing is Placing.WEIGH:
            factors = origins.factors(self.sites, found.place, self.place.far)
        votes = {rank: vote(found, codes, fitted.temperature, factors) for rank, codes in self._codes.items()}
        new, familiar = self._novelty(fitted, found)
        sure = {
            rank: fitted.ranks[rank].of(each.features()) if rank in fitted.ranks else np.zeros(len(places))
            for rank, each in votes.items()
        }
        distances = self.sites.distances(origins.latitude, origins.longitude, found.place[:, :1])[:, 0]
        known = self._rows(found, votes)
        answers = []
        for row in range(len(places)):
            answer = self._nearest(found, row, known) | self._candidates(votes[self.rank], row)
            answer["nearest_km"] = None if np.isnan(distances[row]) else round(float(distances[row]), 1)
            rank = self._supported(votes, sure, row, new is not None and bool(new[row]), known)
            if rank is not None:
                answer |= self._name(rank, votes[rank], row, known) | {"confidence": float(sure[rank][row])}
            answer["seen_in_country"] = self._seen(votes, rank, origins, row)
            if new is not None:
                answer |= {"new_species": "yes" if new[row] else "no", "familiarity": float(familiar[row])}
            answers.append(answer)
        return answers

    def _novelty(
        self, fitted: KindCalibration, found: Nearest
    ) -> tuple[NDArray[np.bool_] | None, NDArray[np.float64]]:
        if fitted.novelty is None:
            return None, np.zeros(0)
        familiar = familiarity(fitted.novelty.measure, found)
        return familiar < fitted.novelty.threshold, familiar

    def _supported(
        self,
        votes: Mapping[str, Votes],
        sure: Mapping[str, NDArray[np.float64]],
        row: int,
        new: bool,
        known: Mapping[int, dict[str, Any]],
    ) -> str | None:
        """Give the deepest rank at which the best name is sure, and all that stands above it as well.

        What may be a new species has none of a species.
        """
        best = {rank: self._best(rank, each, row) for rank, each in votes.items()}
        for rank, each in votes.items():
            if best[rank] is None or sure[rank][row] < self.sure or (new and rank in _BELOW_NEW):
                continue
            lineage = known[int(each.places[row, each.best[row]])]
            above = [wider for wider in ranks_up(rank)[1:] if wider in votes and lineage[wider] is not None]
            if all(lineage[wider] == best[wider] and sure[wider][row] >= self.sure for wider in above):
                return rank
        return None

    def _best(self, rank: str, votes: Votes, row: int) -> str | None:
        """Give the name with the most votes, None where no neighbour has one."""
        code = int(votes.codes[row, votes.best[row]])
        return self._names[rank][code] if code >= 0 else None

    def _rows(self, found: Nearest, votes: Mapping[str, Votes]) -> dict[int, dict[str, Any]]:
        """Read the keys that are told of, all at once: the nearest of each specimen, and of each best name."""
        told = [found.place[:, :LISTED].ravel(), *(each.top(each.places) for each in votes.values())]
        places = np.unique(np.concatenate(told))
        places = places[places >= 0]
        return dict(zip(places.tolist(), key_rows(self.keys.index, places), strict=True))

    def _name(self, rank: str, votes: Votes, row: int, known: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
        """Give a name with what stands above it, as its nearest key has them."""
        lineage = known[int(votes.places[row, votes.best[row]])]
        return {**{above: lineage[above] for above in ranks_up(rank)}, "rank": rank, "name": lineage[rank]}

    def _candidates(self, votes: Votes, row: int) -> dict[str, Any]:
        answer: dict[str, Any] = {}
        for number, (column, share) in enumerate(votes.candidates(row, self.top), 1):
            answer[f"candidate_{number}"] = self._names[self.rank][int(votes.codes[row, column])]
            answer[f"share_{number}"] = share
        return answer

    def _nearest(self, found: Nearest, row: int, known: Mapping[int, dict[str, Any]]) -> dict[str, Any]:
        places = found.place[row][found.place[row] >= 0][:LISTED]
        if not len(places):
            return {}
        rows = [known[place] for place in places.tolist()]
        return {
            "nearest_processids": ";".join(one[PROCESSID] for one in rows),
            "nearest_similarities": ";".join(f"{score:.4f}" for score in found.similarity[row, : len(places)]),
            "nearest_name": next((rows[0][rank] for rank in reversed(LABELS[:-1]) if rows[0][rank]), None),
            "nearest_country": rows[0]["country"],
        }

    def _seen(self, votes: Mapping[str, Votes], rank: str | None, origins: Origins, row: int) -> str | None:
        """Tell whether the name, or else the best candidate, has a key from the specimen's country, if known."""
        country, at = int(origins.country[row]), rank or self.rank
        code = int(votes[at].top(votes[at].codes)[row])
        if country == -1 or code < 0:
            return None
        return "yes" if has_pair(self.sites, self._pairs[at], code, country) else "no"


def restriction_note(keys: Keys, calibration: Calibration | None) -> list[str]:
    """Say how many keys are left, and what a restriction does to confidences.

    Args:
        keys: what may be found.
        calibration: of the index.
    """
    said = [f"{len(keys):,} of {len(keys.index):,} keys left"]
    if len(keys) < len(keys.index) and calibration is not None:
        said.append(
            "note: confidences were fitted without a restriction; they hold for specimens that do belong to these "
            "taxa, others get a name among them all the same, and may be flagged as new"
        )
    return said
