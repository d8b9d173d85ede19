"""Ward's clusters: one dendrogram in the memory of its points, cut at every number of clusters that is asked for."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..errors import Bioscan5mError


Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Dendrogram:
    """Which clusters are joined, one after the other.

    Args:
        pairs: the two clusters of each join, shape (n - 1, 2); points are 0 to n - 1, the cluster of join i is n + i.
        heights: Ward's distance of each join, ascending, shape (n - 1,).

    Examples:
        >>> tree = Dendrogram.of(np.array([[0.0], [0.1], [5.0], [5.1]]))
        >>> tree.cut(2).tolist(), tree.cut_at(1.0).tolist()
        ([0, 0, 1, 1], [0, 0, 1, 1])
    """

    pairs: Integers
    heights: npt.NDArray[np.float64]

    @classmethod
    def of(cls, points: npt.NDArray[np.floating]) -> Dendrogram:
        """Join the nearest two clusters until one is left (Ward 1963; Müllner 2013, doi:10.18637/jss.v053.i09).

        Distances are computed from the points when they are needed, so memory grows with the number of points and
        not with its square.

        Args:
            points: shape (n, width), at least one.

        Raises:
            ValueError: no point, or one that is not finite.
            Bioscan5mError: fastcluster is not installed.
        """
        try:
            import fastcluster
        except ImportError as error:
            raise Bioscan5mError("fastcluster is not installed: pip install 'bioscan5m-hf[eval]'") from error
        if points.ndim != 2 or not len(points):
            raise ValueError(f"points have shape {points.shape}: (number, width) is needed, and at least one point")
        finite = np.isfinite(points).all(axis=1)
        if not finite.all():
            raise ValueError(f"point {int((~finite).argmax())} is not finite")
        if len(points) == 1:
            return cls(np.empty((0, 2), np.int64), np.empty(0))
        joins = fastcluster.linkage_vector(np.ascontiguousarray(points, np.float64), "ward")
        return cls(joins[:, :2].astype(np.int64), joins[:, 2])

    def __len__(self) -> int:
        return len(self.heights) + 1

    def cut(self, clusters: int) -> Integers:
        """Give the cluster of each point where so many clusters are left, int64 of shape (n,).

        Clusters are numbered in the order of their first points.

        Args:
            clusters: from 1 to n.

        Raises:
            ValueError: another number.
        """
        if not 1 <= clusters <= len(self):
            raise ValueError(f"{clusters} clusters of {len(self)} points: use a number from 1 to {len(self)}")
        return self._after(len(self) - clusters)

    def cut_at(self, height: float) -> Integers:
        """Give the cluster of each point where clusters nearer than a height are joined, int64 of shape (n,).

        Args:
            height: Ward's distance.
        """
        return self._after(int(np.searchsorted(self.heights, height, "left")))

    def _after(self, joins: int) -> Integers:
        """Give the clusters after the first joins."""
        points = len(self)
        parent = np.arange(points + joins)
        parent[self.pairs[:joins]] = points + np.arange(joins)[:, None]
        while True:  # each turn halves the way to the top
            above = parent[parent]
            if np.array_equal(above, parent):
                break
            parent = above
        _, first, number = np.unique(parent[:points], return_index=True, return_inverse=True)
        rank = np.empty(len(first), np.int64)
        rank[np.argsort(first)] = np.arange(len(first))
        return rank[number]
