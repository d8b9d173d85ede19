"""Agreement of clusters with names is what scikit-learn says, and does not depend on names or order."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.agreement import agreement, compare


metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra eval")
PARTITIONS = st.integers(1, 40).flatmap(
    lambda n: st.tuples(*[st.lists(st.integers(0, 6), min_size=n, max_size=n)] * 2)
)


@given(PARTITIONS)
@settings(deadline=None)
def test_it_is_what_scikit_learn_says(partitions):
    names, clusters = partitions
    found = agreement(names, clusters)
    expected = {
        "ami": metrics.adjusted_mutual_info_score(names, clusters),
        "ami_min": metrics.adjusted_mutual_info_score(names, clusters, average_method="min"),
        "homogeneity": metrics.homogeneity_score(names, clusters),
        "completeness": metrics.completeness_score(names, clusters),
        "v_measure": metrics.v_measure_score(names, clusters),
        "ari": metrics.adjusted_rand_score(names, clusters),
    }
    alone = len(names) in (len(set(names)), len(set(clusters))) or 1 in (len(set(names)), len(set(clusters)))
    if alone and found.ami != 1:  # chance explains all there is: scikit-learn divides rounding errors
        assert found.ami_min == 0
        expected.pop("ami_min")
    for name, value in expected.items():
        assert getattr(found, name) == pytest.approx(value, abs=1e-8), name


def test_many_classes_of_many_sizes():
    random = np.random.default_rng(0)
    names = (random.pareto(1.0, 3000) * 20).astype(int)
    clusters = np.where(random.random(3000) < 0.7, names, random.integers(0, 300, 3000))
    found = compare(names, clusters)
    assert found.ami == pytest.approx(metrics.adjusted_mutual_info_score(names, clusters), abs=1e-9)
    assert found.ari == pytest.approx(metrics.adjusted_rand_score(names, clusters), abs=1e-9)
    assert (found.n, found.classes, found.clusters) == (3000, len(set(names)), len(set(clusters)))


@given(PARTITIONS, st.randoms(use_true_random=False))
@settings(deadline=None)
def test_neither_order_nor_names_of_clusters_matter(partitions, random):
    names, clusters = partitions
    order = list(range(len(names)))
    random.shuffle(order)
    renamed = {cluster: f"cluster {9 - cluster}" for cluster in set(clusters)}
    other = agreement([names[place] for place in order], [renamed[clusters[place]] for place in order])
    found = agreement(names, clusters)
    assert vars(other) == {name: pytest.approx(value, abs=1e-9) for name, value in vars(found).items()}


def test_perfect_and_random_clusters():
    random = np.random.default_rng(1)
    names = random.integers(0, 30, 5000)
    perfect = compare(names, names)
    assert (perfect.ami, perfect.ami_min, perfect.homogeneity, perfect.completeness, perfect.ari) == (1, 1, 1, 1, 1)
    assert abs(compare(names, random.permutation(names)).ami) < 0.01
    assert compare(names, np.arange(5000)).homogeneity == pytest.approx(1)


def test_specimens_without_a_name_are_left_out_or_one_class():
    names, clusters = ["a", "a", None, None, "b"], [1, 1, 2, 2, 3]
    assert agreement(names, clusters).n == 3
    counted = agreement(names, clusters, missing="class")
    assert (counted.n, counted.classes, counted.ami) == (5, 3, 1.0)


@pytest.mark.parametrize(
    ("names", "clusters", "message"),
    [
        (["a"], [1, 2], "1 names and 2 clusters"),
        (["a", "b"], [1, None], "the specimen in row 1 has no cluster"),
        ([None, None], [1, 2], "no specimen has a name"),
        ([], [], "no specimen has a name"),
    ],
)
def test_what_cannot_be_compared_is_named(names, clusters, message):
    with pytest.raises(ValueError, match=message):
        agreement(names, clusters)
    with pytest.raises(ValueError, match="use 'leave_out' or 'class'"):
        agreement(["a"], [1], missing="drop")
