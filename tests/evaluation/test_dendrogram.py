"""Ward's clusters are scikit-learn's, at every number of them, from one dendrogram."""

from __future__ import annotations

import sys

import numpy as np
import pytest


pytest.importorskip("fastcluster", reason="it comes with the extra eval")

from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.evaluation.agreement import compare
from bioscan5m_hf.evaluation.dendrogram import Dendrogram


POINTS = np.random.default_rng(0).standard_normal((300, 5)) + np.random.default_rng(1).integers(0, 4, (300, 1)) * 3


@pytest.mark.parametrize("clusters", [1, 2, 7, 60, 299, 300])
def test_it_is_what_scikit_learn_finds(clusters):
    cluster = pytest.importorskip("sklearn.cluster")
    expected = cluster.AgglomerativeClustering(clusters, linkage="ward").fit_predict(POINTS)
    found = Dendrogram.of(POINTS).cut(clusters)
    assert compare(expected.astype(np.int64), found).ari == 1
    assert len(set(found.tolist())) == clusters
    assert found.dtype == np.int64


def test_cuts_are_nested_and_numbered_by_their_first_points():
    tree = Dendrogram.of(POINTS)
    coarse = tree.cut(5)
    fine = tree.cut(40)
    assert all(len(set(coarse[fine == number])) == 1 for number in range(40))
    assert [int((fine == number).argmax()) for number in range(40)] == sorted(
        int((fine == number).argmax()) for number in range(40)
    )


def test_a_height_gives_the_clusters_between_two_joins():
    tree = Dendrogram.of(POINTS)
    height = (tree.heights[-3] + tree.heights[-2]) / 2
    assert np.array_equal(tree.cut_at(height), tree.cut(3))
    assert np.array_equal(tree.cut_at(0), np.arange(300))
    assert not tree.cut_at(np.inf).any()


def test_equal_points_and_one_point():
    assert Dendrogram.of(np.zeros((4, 2))).cut(2).max() == 1
    one = Dendrogram.of(np.zeros((1, 2)))
    assert (len(one), one.cut(1).tolist(), one.cut_at(3.0).tolist()) == (1, [0], [0])


@pytest.mark.parametrize(
    ("points", "message"),
    [
        (np.zeros((0, 3)), r"points have shape \(0, 3\)"),
        (np.zeros(3), r"points have shape \(3,\)"),
        (np.array([[0.0], [np.nan]]), "point 1 is not finite"),
    ],
)
def test_what_cannot_be_clustered_is_named(points, message):
    with pytest.raises(ValueError, match=message):
        Dendrogram.of(points)


def test_impossible_numbers_are_refused():
    with pytest.raises(ValueError, match="0 clusters of 300 points: use a number from 1 to 300"):
        Dendrogram.of(POINTS).cut(0)


def test_without_fastcluster_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "fastcluster", None)
    with pytest.raises(Bioscan5mError, match=r"pip install 'bioscan5m-hf\[eval\]'"):
        Dendrogram.of(POINTS)
