"""Names for one specimen: by the keys of an index, or by a fine-tuned model; and its nearest keys."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from ..embedding.files import BARCODE, PROCESSID
from ..errors import Bioscan5mError, OutputError
from ..library.index import Index
from ..library.neighbours import Keys
from ..library.specimens import SCHEMA, Batch
from ..taxonomy import RANKS


if TYPE_CHECKING:
    from ..embedding.classification import Classification
    from ..library.names import LibraryNaming

CANDIDATES = 5
NEIGHBOURS = 6
_ASKED = "asked"


@dataclass(frozen=True)
class Answer:
    """What is said of a specimen.

    Args:
        name: at the deepest rank that is sure; None where none is.
        rank: of the name.
        confidence: of the name, 0 to 1.
        lineage: the ranks down to the name.
        candidates: names at the narrowest rank, best first, and their share or probability.
        neighbours: processids of the nearest keys, and how similar they are.
        notes: what else a user should know.
    """

    name: str | None = None
    rank: str | None = None
    confidence: float | None = None
    lineage: dict[str, str] = field(default_factory=dict)
    candidates: Sequence[tuple[str, float]] = ()
    neighbours: Sequence[tuple[str, float]] = ()
    notes: Sequence[str] = ()


@dataclass
class Library:
    """An index, and the model it was made with, if that was given.

    Args:
        index: keys.
        naming: by its keys; None without a model.
    """

    index: Index
    naming: LibraryNaming | None = None
    _lock: Any = field(default_factory=threading.Lock, init=False)

    @property
    def able(self) -> tuple[str, ...]:
        """What can be named: `image`, `dna`, both or nothing."""
        return () if self.naming is None else self.naming.embedder.able

    @property
    def described(self) -> str:
        """What names are given by."""
        return f"the nearest of {len(self.index):,} keys of an index, as {self.index.about['model']} sees them"

    def name(self, barcode: str, photograph: bytes | None) -> Answer:
        """Name a specimen by what there is of it."""
        assert self.naming is not None
        with self._lock:
            row = next(self.naming.names(_batch({PROCESSID: _ASKED, BARCODE: barcode}, photograph)))
        notes = []
        if self.naming.calibration is None:
            notes.append("The index is not calibrated, so that no name is sure: bioscan5m calibrate does this.")
        if row.get("new_species") == "yes":
            notes.append("It may be of a species that is not among the keys.")
        if row.get("problem"):
            notes.append(str(row["problem"]))
        numbered = [(row.get(f"candidate_{at}"), row.get(f"share_{at}")) for at in range(1, self.naming.top + 1)]
        return Answer(
            **_named(row, row.get("confidence")),
            candidates=[(name, share) for name, share in numbered if name and share],
            neighbours=_listed(row.get("nearest_processids"), row.get("nearest_similarities")),
            notes=notes,
        )

    def neighbours(self, row: dict[str, Any], photograph: bytes | None) -> list[tuple[str, float]]:
        """Find the keys nearest to a specimen of the dataset: by its own vectors if it is a key, else by the model.

        Args:
            row: with `processid`, `dna_barcode` and labels.
            photograph: of it, if there is one.

        Raises:
            Bioscan5mError: it is no key, and there is no model.
        """
        with self._lock:
            place = int(self.index.places_of(pa.array([row[PROCESSID]], pa.string()))[0])
            if place >= 0:
                return self._near_key(place)
            if self.naming is None:
                raise Bioscan5mError(
                    f"{row[PROCESSID]} is not among the keys of the index: start with --model "
                    f"{self.index.about['model']}, too, to embed it"
                )
            found = next(self.naming.names(_batch(row, photograph)))
        return _listed(found.get("nearest_processids"), found.get("nearest_similarities"))

    def about(self, processids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """Give what the index says of keys: labels, place and split."""
        places = self.index.places_of(pa.array(processids, pa.string()))
        rows = self.index.table.take(pa.array(places[places >= 0])).to_pylist()
        return {row[PROCESSID]: row for row in rows}

    def _near_key(self, place: int) -> list[tuple[str, float]]:
        if self.naming is None:
            keys = Keys(self.index, self.index.gap(), np.ones(len(self.index), bool))
        else:
            keys = self.naming.keys
        queries = {name: np.asarray(each[place : place + 1], np.float32) for name, each in self.index.vectors.items()}
        queries = {name: vector for name, vector in queries.items() if vector.any()}
        kind = "+".join(name for name in ("image", "dna") if name in queries)
        found = keys.nearest(kind, queries, NEIGHBOURS, own=np.array([place]))
        places = found.place[0][found.place[0] >= 0]
        ids = self.index.table[PROCESSID].take(pa.array(places)).to_pylist()
        return list(zip(ids, found.similarity[0][: len(ids)].tolist(), strict=True))


@dataclass
class Classifier:
    """A fine-tuned model of barcodes.

    Args:
        naming: by its classes.
        reason: why there are no thresholds; empty where there are.
    """

    naming: Classification
    reason: str
    able = ("dna",)
    _lock: Any = field(default_factory=threading.Lock, init=False)

    @property
    def described(self) -> str:
        """What names are given by."""
        return (
            f"{self.naming.classifier.name}, fine-tuned on {self.naming.classifier.width:,} {self.naming.rank} names"
        )

    def name(self, barcode: str, photograph: bytes | None) -> Answer:
        """Name a barcode; a photograph is not looked at."""
        batch = pa.RecordBatch.from_pylist([{PROCESSID: _ASKED, BARCODE: barcode}])
        with self._lock:
            rows = list(self.naming.names(batch))
        notes = [] if photograph is None else ["This model sees no photographs: only the barcode was used."]
        if self.reason:
            notes.append(f"No name is sure: {self.reason}.")
        candidates = [(row["candidate"], row["candidate_probability"]) for row in rows if row.get("candidate")]
        return Answer(**_named(rows[0], rows[0].get("probability")), candidates=candidates, notes=notes)


def load_naming(
    model: str | None, index: str | Path | None, revision: str | None = None
) -> tuple[Library | None, Library | Classifier | None]:
    """Load what names and neighbours are found by.

    Args:
        model: folder or Hub id: of a fine-tuned model, or the one an index was made with.
        index: folder of the index, or the id of a dataset repository on the Hub that holds one.
        revision: of the model on the Hub.

    Returns:
        The index, and what gives names; None for what was not asked for.

    Raises:
        Bioscan5mError: no such model or index, or they do not belong together.
    """
    if index is None:
        return None, None if model is None else _classifier(model, revision)
    if model is None:
        return Library(Index.open(index_folder(index))), None
    from ..adapters import load_encoder
    from ..evaluation.search import Search
    from ..library.calibration import own_calibration
    from ..library.names import LibraryNaming
    from ..library.vectors import Embedder

    embedder = Embedder(load_encoder(model, revision))
    opened = Index.open(index_folder(index), embedder.encoder)
    calibration = own_calibration(opened)
    gap = opened.gap() if calibration is None else calibration.gap
    keys = Keys(opened, gap, np.ones(len(opened), bool), Search(device=embedder.device))
    ranks = [rank for rank in reversed(RANKS) if opened.names(rank).null_count < len(opened)]
    if not ranks:
        raise Bioscan5mError(f"no key of {index} has a name: index specimens with names")
    library = Library(opened, LibraryNaming(keys, embedder, calibration, ranks[0], CANDIDATES))
    return library, library


def index_folder(index: str | Path) -> Path:
    """Give the folder of an index; one on the Hub is fetched, its own files only.

    Raises:
        OutputError: it is neither here nor on the Hub.

    Examples:
        >>> index_folder(".")
        PosixPath('.')
    """
    if Path(index).is_dir():
        return Path(index)
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        return Path(
            snapshot_download(str(index), repo_type="dataset", allow_patterns=["*.json", "*.parquet", "*.npy"])
        )
    except (HFValidationError, HfHubHTTPError, LocalEntryNotFoundError) as error:
        raise OutputError(
            f"there is no index {index}: name a folder that `bioscan5m index` wrote, or a dataset repository on the "
            "Hub that holds one"
        ) from error


def _classifier(model: str, revision: str | None) -> Classifier:
    from ..embedding.classification import Classification
    from ..embedding.classifier import BarcodeClassifier

    try:
        loaded = BarcodeClassifier.from_pretrained(model, revision)
    except Bioscan5mError as error:
        raise Bioscan5mError(
            f"{error}. A model that is not fine-tuned names by the nearest keys: make an index with `bioscan5m index "
            f"bioscan-5m --model {model} --out keys`, and give it with --index keys"
        ) from error
    naming = Classification(loaded, loaded.head, top=CANDIDATES)
    return Classifier(naming, naming.use(None))


def _batch(row: dict[str, Any], photograph: bytes | None) -> Batch:
    known = {name: row.get(name) for name in SCHEMA.names} | {BARCODE: row.get(BARCODE) or ""}
    return Batch(pa.Table.from_pylist([known], schema=SCHEMA), [photograph])


def _named(row: dict[str, Any], confidence: float | None) -> dict[str, Any]:
    if not row.get("name"):
        return {}
    lineage = {rank: row[rank] for rank in RANKS if row.get(rank)}
    return {"name": row["name"], "rank": row["rank"], "confidence": confidence, "lineage": lineage}


def _listed(ids: str | None, similarities: str | None) -> list[tuple[str, float]]:
    if not ids or not similarities:
        return []
    return list(zip(ids.split(";"), map(float, similarities.split(";")), strict=True))
