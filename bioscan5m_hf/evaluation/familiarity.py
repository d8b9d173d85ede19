"""How known a specimen looks beside keys of known species, by its embedding alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .fusion import unit
from .search import Integers, Nearest, Search, Vectors


Floats = npt.NDArray[np.float64]

_SEVERAL = 5


@dataclass(frozen=True)
class Keys:
    """Keys of known species, searched in one way.

    Args:
        vectors: shape (m, width).
        species: number of each key's species, shape (m,).
        search: how they are searched.
    """

    vectors: npt.NDArray[np.floating]
    species: Integers
    search: Search

    def centres(self) -> npt.NDArray[np.float32]:
        """Give the mean direction of each species."""
        order = np.argsort(self.species, kind="stable")
        _, first = np.unique(self.species[order], return_index=True)
        return unit(np.add.reduceat(unit(self.vectors)[order].astype(np.float64), first, axis=0))


def familiarities(keys: Keys, queries: Vectors) -> dict[str, Floats]:
    """Measure how known specimens look, in every way.

    Args:
        keys: of known species.
        queries: vectors of the specimens, shape (n, width).

    Returns:
        Name of the measure → its values, larger where a specimen looks more known; shape (n,).

    Examples:
        >>> keys = Keys(np.eye(2), np.array([0, 1]), Search())
        >>> familiarities(keys, np.array([[1.0, 0.0]]))["lead over other species"].tolist()
        [1.0]
    """
    found = keys.search.nearest(queries, keys.vectors, min(_SEVERAL, len(keys.vectors)))
    return {name: measure(keys, queries, found) for name, measure in FAMILIARITIES.items()}


def nearest_key(keys: Keys, queries: Vectors, found: Nearest) -> Floats:
    """Give the cosine with the nearest key."""
    return found.similarity[:, 0].astype(np.float64)


def several_keys(keys: Keys, queries: Vectors, found: Nearest) -> Floats:
    """Give the mean of the cosines with the five nearest keys."""
    return np.asarray(found.similarity.mean(axis=1, dtype=np.float64))


def lead(keys: Keys, queries: Vectors, found: Nearest) -> Floats:
    """Give how much nearer the nearest key is than the nearest of another species: a new species leans to none."""
    own = keys.species[found.place[:, 0]]
    other = keys.search.nearest(queries, keys.vectors, apart=[(own, keys.species)])
    rest = np.maximum(other.similarity[:, 0], -1).astype(np.float64)  # -inf where the keys are of one species
    return found.similarity[:, 0] - rest


def centre(keys: Keys, queries: Vectors, found: Nearest) -> Floats:
    """Give the cosine with the nearest mean direction of a species."""
    return keys.search.nearest(queries, keys.centres()).similarity[:, 0].astype(np.float64)


FAMILIARITIES: Mapping[str, Callable[[Keys, Vectors, Nearest], Floats]] = {
    "nearest key": nearest_key,
    "five nearest keys": several_keys,
    "lead over other species": lead,
    "nearest centre of a species": centre,
}
"""How known a specimen looks; which of these is used is chosen on other specimens than those it is reported on."""
