"""Names by the nearest keys: what does an embedding put beside a specimen?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from .answers import Columns, Mask, array, score_names
from .encoder import Vectors
from .labels import codes_of
from .results import Outcome
from .search import Nearest, Search


Integers = npt.NDArray[np.int64]
WEIGHTS = ("uniform", "similarity")
_VOTES_AT_ONCE = 1 << 24


@dataclass(frozen=True)
class Neighbours:
    """How the nearest keys name a query.

    Args:
        k: keys that vote.
        weights: `uniform`, or `similarity`: exp(cosine / temperature), as Caron et al. (2021, arXiv 2104.14294) weigh.
        temperature: of these weights.
        search: how keys are searched.

    Raises:
        ValueError: an impossible number, or other weights.

    Examples:
        >>> Neighbours(k=5, weights="similarity").temperature
        0.02
    """

    k: int = 1
    weights: str = "uniform"
    temperature: float = 0.02
    search: Search = field(default_factory=Search)

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ValueError(f"k is {self.k}: use a number from 1")
        if self.weights not in WEIGHTS:
            raise ValueError(f"weights is {self.weights!r}: use one of {', '.join(WEIGHTS)}")
        if not self.temperature > 0:
            raise ValueError(f"temperature is {self.temperature}: use a positive number")

    def names(self, queries: Vectors, keys: Vectors, labels: Columns, ranks: Sequence[str]) -> dict[str, pa.Array]:
        """Name queries at each rank by the nearest of the keys that have a name there.

        Of equally near keys the one that comes first is nearer. Of names with equal weight that of the nearest key
        wins.

        Args:
            queries: shape (n, width).
            keys: shape (m, width).
            labels: rank → name of each key, None where it has none; shape (m,).
            ranks: at which names are given; one at which no key has a name is left out.

        Returns:
            Rank → name of each query, shape (n,).
        """
        found: dict[bytes, tuple[Nearest, Integers]] = {}
        given = {}
        for rank in ranks:
            names = array(labels[rank]).dictionary_encode()
            codes = np.asarray(names.indices.fill_null(-1)).astype(np.int64)
            named = np.flatnonzero(codes >= 0)
            if not len(named):
                continue
            if (same := named.tobytes()) not in found:
                chosen = keys if len(named) == len(keys) else keys[named]
                found[same] = self.search.nearest(queries, chosen, min(self.k, len(named))), named
            nearest, places = found[same]
            voted = vote(codes[places[nearest.place]], self._weigh(nearest.similarity))
            given[rank] = names.dictionary.take(pa.array(voted))
        return given

    def _weigh(self, similarity: Vectors) -> npt.NDArray[np.float64]:
        if self.weights == "uniform":
            return np.ones(similarity.shape)
        nearer = similarity.astype(np.float64) - similarity[:, :1]  # the same for every name, and it cannot overflow
        return np.exp(nearer / self.temperature)


def vote(names: Integers, weights: npt.NDArray[np.float64]) -> Integers:
    """Give each query the name whose keys weigh most together; of equal ones that of the nearest key.

    Args:
        names: name of each key, nearest first, shape (n, k).
        weights: of each key, shape (n, k).

    Returns:
        Shape (n,).

    Examples:
        >>> vote(np.array([[7, 3, 3], [7, 3, 5]]), np.ones((2, 3))).tolist()
        [3, 7]
    """
    n, k = names.shape
    rows = max(1, _VOTES_AT_ONCE // (k * k))
    chosen = np.empty(n, np.int64)
    for start in range(0, n, rows):
        part = names[start : start + rows]
        same = part[:, :, None] == part[:, None, :]
        total = (same * weights[start : start + rows, None, :]).sum(axis=2)
        chosen[start : start + rows] = total.argmax(axis=1)
    return names[np.arange(n), chosen]


def knn(
    queries: Vectors,
    true: Columns,
    keys: Vectors,
    labels: Columns,
    *,
    part: str,
    ranks: Sequence[str],
    how: Neighbours | None = None,
    masks: Mapping[str, Mask] | None = None,
    seed: int = 0,
) -> Outcome:
    """Name queries by their nearest keys, and score the names.

    Args:
        queries: embeddings, shape (n, width).
        true: rank → true name of each query, with `species`; shape (n,).
        keys: embeddings, shape (m, width).
        labels: rank → name of each key, shape (m,).
        part: what the queries are called, such as their split.
        ranks: at which names are given.
        how: settings; by default one nearest key.
        masks: name of a stratum → whether each query belongs to it, shape (n,).
        seed: what the intervals are drawn from.

    Raises:
        ValueError: vectors that cannot be compared, or no names.

    Examples:
        >>> found = knn(np.array([[1, 0.1]], np.float32), {"genus": ["Apis"], "species": ["Apis a"]},
        ...             np.eye(2, dtype=np.float32), {"genus": ["Apis", "Aus"]}, part="test", ranks=["genus"])
        >>> found.scores["genus/test/micro"].value
        1.0
    """
    how = how or Neighbours()
    named = how.names(queries, keys, labels, ranks)
    found = score_names(named, true, part=part, masks=masks, learnt=labels, seed=seed)
    counts = {"keys": len(keys), "queries": len(queries)} | dict(found.counts)
    settings: dict[str, object] = {"k": how.k, "weights": how.weights, **how.search.settings}
    if how.weights != "uniform":
        settings["temperature"] = how.temperature
    return replace(found, counts=counts, settings=settings)


def names_of_hits(
    hits: Mapping[int, Sequence[tuple[int, float]]], queries: Sequence[int], labels: Columns, ranks: Sequence[str]
) -> dict[str, pa.Array]:
    """Name queries by the best hit of an alignment that has a name at the rank; without a hit there is no name.

    Args:
        hits: place of a query → places of rows and scores, best first.
        queries: their places.
        labels: rank → name of each row.
        ranks: at which names are given.

    Examples:
        >>> names_of_hits({0: [(1, 9.0)]}, [0, 2], {"genus": ["Aus", "Apis", None]}, ["genus"])["genus"].to_pylist()
        ['Apis', None]
    """
    given = {}
    for rank in ranks:
        names = array(labels[rank])
        codes = codes_of(names)
        best = [next((key for key, _ in hits.get(query, ()) if codes[key] >= 0), None) for query in queries]
        given[rank] = names.take(pa.array(best, pa.int64()))
    return given
