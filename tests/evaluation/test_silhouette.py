"""Silhouettes are scikit-learn's, also where they are those of a sample."""

from __future__ import annotations

import numpy as np
import pytest

from bioscan5m_hf.evaluation import silhouette
from bioscan5m_hf.evaluation.silhouette import silhouettes


metrics = pytest.importorskip("sklearn.metrics")

RANDOM = np.random.default_rng(0)
POINTS = RANDOM.standard_normal((200, 4)) + 4 * RANDOM.integers(0, 3, (200, 1))
CLUSTERINGS = {
    "few": RANDOM.integers(0, 3, 200),
    "many": RANDOM.integers(0, 120, 200),  # some alone in their cluster, some numbers without a point
    "gaps": 7 * RANDOM.integers(0, 5, 200),
}


@pytest.mark.parametrize("cells", [1 << 23, 1000, 1])
def test_it_is_what_scikit_learn_finds(monkeypatch, cells):
    monkeypatch.setattr(silhouette, "_CELLS_AT_ONCE", cells)
    asked, found = silhouettes(POINTS, CLUSTERINGS)
    assert asked.tolist() == list(range(200))
    for name, clusters in CLUSTERINGS.items():
        assert np.allclose(found[name], metrics.silhouette_samples(POINTS, clusters), atol=1e-9)


def test_a_sample_is_compared_with_all_points():
    asked, found = silhouettes(POINTS, CLUSTERINGS, sample=40, seed=3)
    drawn = np.sort(np.random.default_rng(3).choice(200, 40, replace=False))
    assert np.array_equal(asked, drawn)
    for name, clusters in CLUSTERINGS.items():
        assert np.allclose(found[name], metrics.silhouette_samples(POINTS, clusters)[drawn], atol=1e-9)
    assert np.array_equal(silhouettes(POINTS, {}, sample=40, seed=3)[0], asked)
    assert not np.array_equal(silhouettes(POINTS, {}, sample=40, seed=4)[0], asked)


def test_one_cluster_and_clusters_of_one_have_none():
    assert silhouettes(POINTS, {"one": np.zeros(200, np.int64), "each": np.arange(200)})[1] == {}


def test_equal_points_are_between_clusters():
    assert silhouettes(np.zeros((4, 2)), {"two": np.array([0, 0, 1, 1])})[1]["two"].tolist() == [0.0] * 4
