"""The nearest keys of specimens with photographs, barcodes or both, among those that may be found."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from ..evaluation.gap import Gap
from ..evaluation.search import Nearest, Search, Vectors
from .index import Index


NEIGHBOURS = 20
"""Nearest keys with a name at a rank that vote there."""

FOUND = 50
"""Nearest keys that are looked at, named at a rank or not."""


@dataclass(frozen=True)
class Some:
    """Some of many vectors, read where they lie.

    Args:
        vectors: shape (m, width).
        places: of those that count, ascending, shape (n,).

    Examples:
        >>> some = Some(np.array([[1.0], [2.0], [3.0]]), np.array([0, 2]))
        >>> some.shape, some[1:2].tolist()
        ((2, 1), [[3.0]])
    """

    vectors: Vectors
    places: NDArray[np.intp]

    @property
    def shape(self) -> tuple[int, int]:
        """Their number and width."""
        return len(self.places), self.vectors.shape[1]

    def __getitem__(self, rows: slice | NDArray[np.integer]) -> NDArray[np.floating]:
        return np.asarray(self.vectors[self.places[rows]])


@dataclass
class Keys:
    """Keys that may be found.

    Args:
        index: all of them.
        gap: how they are compared.
        allowed: which may be found, shape (m,).
        search: sizes of blocks, precision and device.
    """

    index: Index
    gap: Gap
    allowed: NDArray[np.bool_]
    search: Search = field(default_factory=Search)

    def __len__(self) -> int:
        return int(self.allowed.sum())

    def reached(self, kind: str) -> NDArray[np.bool_]:
        """Tell which of the allowed keys have something that a kind of query is compared with, shape (m,)."""
        has = [self.index.has(name) for name in self.gap.held(kind)]
        return np.asarray(self.allowed & np.logical_or.reduce(has))

    def nearest(
        self, kind: str, queries: Mapping[str, Vectors], k: int = FOUND, own: NDArray[np.int64] | None = None
    ) -> Nearest:
        """Find the nearest keys.

        Args:
            kind: what the queries have, such as `image+dna`.
            queries: modality → vectors, shape (n, width).
            k: keys for each.
            own: place of the key that each query itself is, which it does not find; -1 for none; shape (n,).

        Returns:
            Places among all keys of the index, nearest first, and scores as `Gap` defines them; shape (n, k), -1 and
            -inf where there is no further key.
        """
        reached = self.reached(kind)
        number = next(iter(queries.values())).shape[0]
        if not reached.any():
            return Nearest(np.full((number, k), -1, np.int64), np.full((number, k), -np.inf, np.float32))
        vectors: Mapping[str, Vectors] = self.index.vectors
        places = np.flatnonzero(reached)
        if len(places) < len(self.index):
            vectors = {name: Some(each, places) for name, each in vectors.items()}
        apart = [] if own is None or (own < 0).all() else [(own, places.astype(np.int64))]
        found = self.gap.nearest(kind, queries, vectors, k, self.search, apart=apart)
        return Nearest(np.where(found.place >= 0, places[found.place], -1), found.similarity)
