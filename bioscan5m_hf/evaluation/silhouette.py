"""Silhouettes: how much nearer a point is to its own cluster than to the next, whatever the names are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt


if TYPE_CHECKING:
    from scipy.sparse import csr_array

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]

_CELLS_AT_ONCE = 1 << 23


def silhouettes(
    points: npt.NDArray[np.floating], clusterings: Mapping[str, Integers], *, sample: int = 5000, seed: int = 0
) -> tuple[Integers, dict[str, Floats]]:
    """Give the silhouettes of points in clusterings (Rousseeuw 1987, doi:10.1016/0377-0427(87)90125-7), Euclidean.

    Where there are more points than the sample, a sample of them is asked, each compared with all points: a
    silhouette within the sample would lose most members of small clusters. Distances are computed once for all
    clusterings, in blocks of 64 MB.

    Args:
        points: shape (n, width).
        clusterings: name → cluster of each point, numbered from 0, shape (n,).
        sample: points that are asked, at most.
        seed: what they are drawn from.

    Returns:
        The points that were asked, shape (m,), and name → their silhouettes, from -1 to 1, shape (m,). Clusterings
        into one cluster, or into one for each point, have none.

    Examples:
        >>> points = np.array([[0.0], [1.0], [10.0], [11.0]])
        >>> asked, found = silhouettes(points, {"two": np.array([0, 0, 1, 1])})
        >>> found["two"].round(2).tolist()
        [0.9, 0.89, 0.89, 0.9]
    """
    from sklearn.metrics import pairwise_distances

    defined = {name: found for name, found in clusterings.items() if 1 < len(np.unique(found)) < len(points)}
    members = {name: _members(found) for name, found in defined.items()}
    asked = np.arange(len(points))
    if sample < len(points):
        asked = np.sort(np.random.default_rng(seed).choice(len(points), sample, replace=False))
    values: dict[str, list[Floats]] = {name: [] for name in defined}
    step = max(1, _CELLS_AT_ONCE // len(points))
    for start in range(0, len(asked), step):
        part = asked[start : start + step]
        distances = pairwise_distances(points[part], points).astype(np.float64)
        for name, found in defined.items():
            values[name].append(_of(distances @ members[name], found[part], np.bincount(found)))
    return asked, {name: np.concatenate(each) for name, each in values.items()}


def _members(found: Integers) -> csr_array:
    from scipy.sparse import csr_array

    return csr_array((np.ones(len(found)), (np.arange(len(found)), found)))


def _of(distance: Floats, own: Integers, sizes: Integers) -> Floats:
    """Give the silhouettes of points from the sums of their distances to the members of each cluster."""
    row = np.arange(len(own))
    inside = distance[row, own] / np.maximum(sizes[own] - 1, 1)
    mean = distance / np.maximum(sizes, 1)
    mean[:, sizes == 0] = np.inf
    mean[row, own] = np.inf
    outside = mean.min(axis=1)
    longer = np.maximum(inside, outside)
    apart = np.divide(outside - inside, longer, out=np.zeros_like(longer), where=longer > 0)
    return np.where(sizes[own] > 1, apart, 0.0)  # alone in its cluster: 0, as Rousseeuw sets it
