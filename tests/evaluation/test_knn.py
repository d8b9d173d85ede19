"""Names by the nearest keys: as scikit-learn gives them, ties by a rule, every query counted."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import KNeighborsClassifier

from bioscan5m_hf.evaluation.knn import Neighbours, knn, names_of_hits, vote


RANDOM = np.random.default_rng(0)
KEYS = RANDOM.normal(size=(400, 12)).astype(np.float32)
QUERIES = RANDOM.normal(size=(90, 12)).astype(np.float32)
GENUS = [f"G{code}" for code in RANDOM.integers(0, 15, 400)]


@pytest.mark.parametrize("k", [1, 7])
@pytest.mark.parametrize("weights", ["uniform", "similarity"])
def test_names_are_those_of_scikit_learn(k, weights):
    weigh = "uniform" if weights == "uniform" else lambda distance: np.exp((1 - distance) / 0.02)
    peer = KNeighborsClassifier(k, metric="cosine", algorithm="brute", weights=weigh).fit(KEYS, GENUS)
    names = Neighbours(k, weights).names(QUERIES, KEYS, {"genus": GENUS}, ["genus"])["genus"].to_pylist()
    probabilities = np.sort(peer.predict_proba(QUERIES), axis=1)
    clear = probabilities[:, -1] - probabilities[:, -2] > 1e-9  # a tie goes to the first class there
    assert clear.sum() > 40
    assert np.array(names)[clear].tolist() == peer.predict(QUERIES)[clear].tolist()


def test_equal_weights_are_won_by_the_nearest_key():
    assert vote(np.array([[4, 2, 2, 4]]), np.ones((1, 4))).tolist() == [4]
    assert vote(np.array([[4, 2, 2, 9]]), np.array([[1.0, 0.5, 0.5, 0.9]])).tolist() == [4]
    assert vote(np.array([[4, 2, 2]]), np.array([[1.0, 0.6, 0.5]])).tolist() == [2]


@given(st.permutations(range(6)))
def test_names_do_not_depend_on_the_order_of_queries(order):
    queries, order = QUERIES[:6], np.array(order)
    names = Neighbours(3).names(queries, KEYS, {"genus": GENUS}, ["genus"])["genus"]
    turned = Neighbours(3).names(queries[order], KEYS, {"genus": GENUS}, ["genus"])["genus"]
    assert turned.to_pylist() == names.take(pa.array(order)).to_pylist()


def test_keys_without_a_name_at_a_rank_are_passed_over_there():
    keys = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32)
    labels = {"genus": ["Apis", "Aus", "Bus"], "subfamily": [None, "Apinae", None], "phylum": [None] * 3}
    names = Neighbours().names(np.array([[1, 0]], np.float32), keys, labels, ["genus", "subfamily", "phylum"])
    assert {rank: given.to_pylist() for rank, given in names.items()} == {"genus": ["Apis"], "subfamily": ["Apinae"]}


def test_more_neighbours_than_keys_ask_all_of_them():
    names = Neighbours(50).names(QUERIES[:2], KEYS[:3], {"genus": ["A", "B", "B"]}, ["genus"])
    assert names["genus"].to_pylist() == ["B", "B"]


def test_scores_count_absent_names_as_wrong_and_say_so():
    keys = np.eye(2, dtype=np.float32)
    true = {"genus": ["Apis", "Aus", "Cus", None], "species": ["Apis a", "Aus b", "Cus c", None]}
    queries = np.array([[1, 0], [0, 1], [0, 1], [1, 0]], np.float32)
    masks = {"Linnaean": np.array([True, True, False, False]), "placeholder": np.zeros(4, bool)}
    labels = {"genus": ["Apis", "Aus"], "species": ["Apis x", "Aus x"]}
    found = knn(queries, true, keys, labels, part="test_unseen", ranks=["genus", "species"], masks=masks)
    values = {name: score.value for name, score in found.scores.items()}
    assert values["genus/test_unseen/micro"] == values["genus/test_unseen/macro"] == pytest.approx(2 / 3)
    assert values["genus/test_unseen, Linnaean/micro"] == 1
    assert values["species/test_unseen/micro"] == 0
    assert not any("placeholder" in name for name in values)
    assert found.scores["genus/test_unseen/micro"].n == 3
    assert found.counts["genus: of these, names that were not learnt"] == 1
    assert found.counts["species: of these, names that were not learnt"] == 3
    assert (found.counts["keys"], found.counts["queries"]) == (2, 4)


def test_intervals_hold_the_value_and_orders_are_confused():
    order = ["Diptera" if name < "G3" else "Araneae" for name in GENUS]
    true = {"genus": GENUS[:90], "order": order[:90], "species": GENUS[:90]}
    found = knn(KEYS[:90] + 0.7, true, KEYS, {"genus": GENUS, "order": order}, part="t", ranks=["order", "genus"])
    for score in found.scores.values():
        assert score.low <= score.value <= score.high
    counts = np.array(found.extras["confusion"]["counts"])
    assert counts.sum() == 90
    assert counts.trace() / 90 == found.scores["order/t/micro"].value


def test_a_hit_without_a_name_is_passed_over_and_no_hit_is_no_name():
    labels = {"genus": ["Aus", None, "Bus"]}
    hits = {5: [(1, 9.0), (2, 8.0)], 6: [(1, 9.0)]}
    assert names_of_hits(hits, [5, 6, 7], labels, ["genus"])["genus"].to_pylist() == ["Bus", None, None]


@pytest.mark.parametrize(("wrong", "message"), [({"k": 0}, "k is 0"), ({"weights": "x"}, "uniform, similarity")])
def test_impossible_settings_say_what_is_possible(wrong, message):
    with pytest.raises(ValueError, match=message):
        Neighbours(**wrong)
