"""Fitting what an index needs before it gives names, on labelled specimens that are no keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .. import __version__
from ..embedding.files import PROCESSID
from ..errors import Bioscan5mError
from ..evaluation.accuracy import expected_calibration_error
from ..evaluation.gap import KINDS, Gap
from ..evaluation.gap_fit import fit_gap
from ..evaluation.labels import codes_of
from ..evaluation.search import Nearest, Search
from ..evaluation.sides import Side
from ..provenance import without_folder
from ..taxonomy import LABELS
from .agreement import LEAST, TEMPERATURES, Confidence, Votes, fit_confidence, vote
from .calibration import Calibration, KindCalibration
from .index import Index, column_of
from .neighbours import NEIGHBOURS, Keys, Some
from .novelty import fit_novelty
from .specimens import SPLIT, Specimens
from .vectors import Embedder


KNOWN = "train"
"""Split of the keys that confidences are fitted with: species of `val_unseen` have none there, as new species have."""


@dataclass(frozen=True)
class Labelled:
    """Labelled specimens, embedded.

    Args:
        table: what is known of them, n rows.
        vectors: modality → vectors, zeros where one has none; shape (n, width).
    """

    table: pa.Table
    vectors: Mapping[str, NDArray[np.float32]]

    def having(self, kind: str) -> NDArray[np.intp]:
        """List the specimens that have these modalities, and perhaps others."""
        there = [self.vectors[name].any(axis=1) for name in kind.split("+")]
        return np.flatnonzero(np.logical_and.reduce(there))

    @property
    def splits(self) -> NDArray[np.object_]:
        """The split of each, shape (n,)."""
        return np.asarray(pc.fill_null(column_of(self.table, SPLIT), "given").to_pylist(), object)


def calibrate(
    index: Index,
    embedder: Embedder,
    labelled: Specimens,
    *,
    search: Search | None = None,
    rank: str = "species",
    progress: bool = False,
) -> Calibration:
    """Fit how specimens and keys are compared, how sure agreement makes a name, and what looks new.

    How to compare is chosen with all keys, so that the species of `val_unseen` are among them if the index has
    `key_unseen`. All else is fitted with the keys of `train`, where it has these: then `val_unseen` shows how those
    of species without keys fare, which every library will meet. Names are given with all keys, so confidences err on
    the side of caution where these have the species that was missing.

    Args:
        index: the keys; specimens that are asked are not found among them.
        embedder: the model.
        labelled: such as `val+val_unseen`.
        search: sizes of blocks, precision and device.
        rank: at which ways to compare are compared.
        progress: show a bar, in a terminal.

    Raises:
        Bioscan5mError: no specimen has a name and a vector, or no key is left.
    """
    asked = embed_all(embedder, labelled, progress)
    own = pc.is_in(column_of(index.table, PROCESSID), value_set=column_of(asked.table, PROCESSID))
    others = ~np.asarray(own)
    known = others & index.of_split(KNOWN)
    if not known.any():
        raise Bioscan5mError(
            f"no key is left to compare {labelled.name} with: calibrate on specimens that are no keys"
        )
    where = search or Search(device=embedder.device)
    gap, accuracies = _fitted_gap(index, others, asked, rank, where)
    keys = Keys(index, gap, known, where)
    kinds = {}
    for kind in embedder.kinds:
        rows = asked.having(kind)
        if len(rows) >= LEAST and keys.reached(kind).any():
            found = keys.nearest(kind, {name: each[rows] for name, each in asked.vectors.items()})
            kinds[kind] = fit_kind(index, known, found, asked.table.take(pa.array(rows)), asked.splits[rows])
    if not kinds:
        raise Bioscan5mError(
            f"{labelled.name} has fewer than {LEAST} specimens with a name and a photograph or barcode that can be "
            "used: nothing can be fitted on them"
        )
    origin = {
        "model": index.about["model"],
        "revision": index.about["revision"],
        "keys": index.about["source"],
        "key_split": index.about["split"],
        "known": KNOWN if index.of_split(KNOWN).sum() < len(index) else "all",
        "fitted_on": "+".join(without_folder(name) for name in labelled.name.split("+")),
        "split": labelled.split,
        "neighbours": NEIGHBOURS,
        "package_version": __version__,
    }
    return Calibration(index.about["id"], gap, kinds, origin, accuracies)


def embed_all(embedder: Embedder, labelled: Specimens, progress: bool = False) -> Labelled:
    """Embed labelled specimens; vectors of all are held (for `val+val_unseen` of BIOSCAN-5M about 150 MB).

    Raises:
        Bioscan5mError: there is none.
    """
    from tqdm import tqdm

    tables, parts = [], []
    with tqdm(total=labelled.count(), unit=" specimens", disable=None if progress else True, leave=False) as bar:
        for batch in labelled.batches():
            tables.append(batch.table.drop_columns(["dna_barcode"]))
            parts.append(embedder.embed(batch).vectors)
            bar.update(len(batch))
    if not tables:
        raise Bioscan5mError(f"{labelled.name} holds no specimen: nothing can be fitted on it")
    vectors = {name: np.concatenate([part[name] for part in parts]) for name in embedder.able}
    return Labelled(pa.concat_tables(tables).combine_chunks(), vectors)


def fit_kind(
    index: Index,
    known: NDArray[np.bool_],
    found: Nearest,
    table: pa.Table,
    splits: NDArray[np.object_],
) -> KindCalibration:
    """Fit temperature, confidences and novelty of one kind of query.

    The temperature is that with the lowest mean Brier score of the confidences, over the ranks.

    Args:
        index: the keys.
        known: which of them were searched, shape (m,).
        found: nearest keys of the specimens, shape (n, k).
        table: the specimens' names, n rows.
        splits: of the specimens, shape (n,).
    """
    ranks = {rank: _Rank.of(index, known, table, rank, _deeper(table, rank)) for rank in LABELS}
    tried = {temperature: _briers(found, ranks, temperature) for temperature in TEMPERATURES}
    best = min(tried, key=lambda temperature: tried[temperature])
    confidences, errors = {}, {}
    halves = _halves(table)
    for rank, names in ranks.items():
        right, features = names.answers(vote(found, names.codes, best))
        if fitted := fit_confidence(features, right):
            confidences[rank] = fitted
            if error := _errors(features, right, halves[names.named], splits[names.named]):
                errors[rank] = error
    species = ranks["species"]
    novelty = fit_novelty(found, species.truth >= 0, species.truth == -2)
    return KindCalibration(best, confidences, errors, novelty)


@dataclass(frozen=True)
class _Rank:
    """Names at one rank: of each key, and the true ones.

    A true name is -1 where it is not known, -2 where no key has it, and also where the specimen has a narrower name
    but none at this rank: a family without subfamilies, for which any subfamily is wrong.
    """

    codes: NDArray[np.int64]
    truth: NDArray[np.int64]

    @classmethod
    def of(
        cls, index: Index, known: NDArray[np.bool_], table: pa.Table, rank: str, deeper: NDArray[np.bool_]
    ) -> _Rank:
        names, codes = index.coded(rank)
        codes = np.where(known, codes, -1)
        true = column_of(table, rank)
        place = np.asarray(pc.fill_null(pc.index_in(true, value_set=names), -2)).astype(np.int64)
        place = np.where(np.isin(place, codes[codes >= 0]), place, -2)
        return cls(codes, np.where(np.asarray(true.is_null()), np.where(deeper, -2, -1), place))

    @property
    def named(self) -> NDArray[np.intp]:
        """Specimens with a name at this rank."""
        return np.flatnonzero(self.truth != -1)

    def answers(self, votes: Votes) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
        """Tell which best names are right, and what their confidence is made of."""
        right = votes.top(votes.codes) == self.truth
        return right[self.named], votes.features()[self.named]


def _deeper(table: pa.Table, rank: str) -> NDArray[np.bool_]:
    """Tell which specimens have a name at a narrower rank, shape (n,)."""
    ranks = LABELS[LABELS.index(rank) + 1 :]
    named = [np.asarray(column_of(table, name).is_valid()) for name in ranks if name != "dna_bin"]
    return np.asarray(np.logical_or.reduce([np.zeros(len(table), bool), *named]))


def _briers(found: Nearest, ranks: Mapping[str, _Rank], temperature: float) -> float:
    scores = []
    for names in ranks.values():
        right, features = names.answers(vote(found, names.codes, temperature))
        if fitted := fit_confidence(features, right):
            scores.append(float(((fitted.of(features) - right) ** 2).mean()))
    return float(np.mean(scores)) if scores else float("inf")


def _halves(table: pa.Table) -> NDArray[np.int64]:
    """Divide specimens into two halves by species, or BIN; one without both stands for itself."""
    kinds = pc.coalesce(column_of(table, "species"), column_of(table, "dna_bin"))
    species = codes_of(kinds)
    alone = species < 0
    group = np.where(alone, species.max(initial=-1) + 1 + np.cumsum(alone), species)
    sides = np.random.default_rng(0).permutation(int(group.max(initial=-1)) + 1) % 2
    return np.asarray(sides[group], np.int64)


def _errors(
    features: NDArray[np.float64], right: NDArray[np.bool_], halves: NDArray[np.int64], splits: NDArray[np.object_]
) -> dict[str, float]:
    """Fit on the species of each half, and measure on those of the other; empty where a half is too small."""
    stated = np.zeros(len(right))
    for half in (0, 1):
        fitted: Confidence | None = fit_confidence(features[halves != half], right[halves != half])
        if fitted is None:
            return {}
        stated[halves == half] = fitted.of(features[halves == half])
    errors = {"all": expected_calibration_error(stated, right)}
    for split in sorted(set(splits.tolist())):
        errors[split] = expected_calibration_error(stated[splits == split], right[splits == split])
    return errors


def _fitted_gap(
    index: Index, others: NDArray[np.bool_], asked: Labelled, rank: str, search: Search
) -> tuple[Gap, Mapping[str, Mapping[str, float]]]:
    """Choose how to compare; kinds that were not asked stay as they are without a fit."""
    places = np.flatnonzero(others)
    keys = Side(
        {name: Some(each, places) for name, each in index.vectors.items()},
        {rank: index.names(rank).take(pa.array(places)), "species": index.names("species").take(pa.array(places))},
    )
    sides = []
    for split in dict.fromkeys(asked.splits.tolist()):
        rows = np.flatnonzero(asked.splits == split)
        names = asked.table.take(pa.array(rows))
        vectors = {name: each[rows] for name, each in asked.vectors.items()}
        sides.append(Side(vectors, {rank: column_of(names, rank), "species": column_of(names, "species")}))
    default = index.gap()
    if not len(places) or not (codes_of(keys.labels[rank]) >= 0).any():
        return default, {}
    fitted = fit_gap(keys, sides, rank, search=search)
    weights = {kind: fitted.gap.weights.get(kind, default.weights[kind]) for kind in KINDS}
    return Gap(fitted.gap.centres, weights, fitted.gap.uncentred), fitted.accuracies
