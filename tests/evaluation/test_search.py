"""The search finds what a plain one finds, in whatever blocks, and what FAISS found for the published code."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.accuracy import top_accuracy
from bioscan5m_hf.evaluation.search import Search


RANDOM = np.random.default_rng(0)


def plain(queries, keys, k):
    unit = [vectors / np.linalg.norm(vectors, axis=1, keepdims=True) for vectors in (queries, keys)]
    scores = unit[0].astype(np.float64) @ unit[1].astype(np.float64).T
    return np.argsort(-scores, axis=1, kind="stable")[:, :k], -np.sort(-scores, axis=1)[:, :k]


@pytest.mark.parametrize("blocks", [(1024, 16_384), (7, 13), (1, 1), (3, 200)])
def test_it_finds_what_a_plain_search_finds(blocks):
    queries, keys = (RANDOM.standard_normal((size, 9)).astype(np.float32) for size in (50, 120))
    found = Search(*blocks).nearest(queries, keys, 5)
    index, similarity = plain(queries, keys, 5)
    assert np.array_equal(found.place, index)
    assert np.allclose(found.similarity, similarity, atol=1e-6)
    assert (found.place.dtype, found.similarity.dtype) == (np.int64, np.float32)


@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 25), st.integers(1, 8), st.integers(1, 8))
@settings(deadline=None)
def test_equally_near_keys_come_in_their_order(queries, keys, k, queries_at_once, keys_at_once):
    random = np.random.default_rng(queries * 31 + keys)
    axes = np.eye(3, dtype=np.float32)  # cosines of 0 and 1 only, so nearly all are equal
    asked, given_keys = axes[random.integers(0, 3, queries)], axes[random.integers(0, 3, keys)]
    found = Search(queries_at_once, keys_at_once).nearest(asked, given_keys, k)
    index, _ = plain(asked, given_keys, k)
    assert np.array_equal(found.place[:, : index.shape[1]], index)
    assert (found.place[:, keys:] == -1).all()
    assert np.isneginf(found.similarity[:, keys:]).all()


def test_a_query_does_not_find_a_key_that_is_barred():
    keys = RANDOM.standard_normal((40, 6)).astype(np.float32)
    own = np.arange(40)
    assert np.array_equal(Search().nearest(keys, keys).place[:, 0], own)
    for blocks in ((64, 64), (5, 7)):
        found = Search(*blocks).nearest(keys, keys, 40, barred=own)
        assert all(number not in row for number, row in enumerate(found.place))
        assert (found.place[:, -1] == -1).all()
        assert np.array_equal(found.place[:, 0], plain(keys, keys, 2)[0][:, 1])
    some = np.where(own % 2, own, -1)
    found = Search(5, 7).nearest(keys, keys, barred=some)
    assert np.array_equal(found.place[::2, 0], own[::2])


def test_half_precision_finds_nearly_all():
    centres = RANDOM.standard_normal((300, 64)).astype(np.float32)
    keys = np.repeat(centres, 10, 0) + 0.3 * RANDOM.standard_normal((3000, 64)).astype(np.float32)
    queries = centres + 0.3 * RANDOM.standard_normal((300, 64)).astype(np.float32)
    exact = Search().nearest(queries, keys, 5)
    fast = Search(100, 1000, precision="bfloat16").nearest(queries, keys, 5)
    assert (exact.place == fast.place).mean() > 0.99
    assert np.allclose(exact.similarity, fast.similarity, atol=1e-5)


def test_it_finds_what_faiss_found(parity):
    case = json.loads((parity / "clibd" / "retrieval.json").read_text())
    queries, keys = (np.array(case[name], np.float32) for name in ("queries", "keys"))
    found = Search().nearest(queries, keys, 5)
    assert np.array_equal(found.place, case["top5_indices"])
    assert np.allclose(found.similarity, case["top5_similarity"], atol=1e-6)
    for rank in ("order", "family", "genus", "species"):
        names = [case["taxa"][taxon][rank] for taxon in case["key_taxon"]]
        true = [case["taxa"][taxon][rank] for taxon in case["query_taxon"]]
        scores = top_accuracy([[names[place] for place in row] for row in found.place], true)
        for top, one in scores.items():
            assert one.micro == pytest.approx(case["micro"][str(top)][rank])
            assert one.macro == pytest.approx(case["macro"][str(top)][rank])


@pytest.mark.parametrize(
    ("queries", "keys", "options", "message"),
    [
        (np.ones((2, 3)), np.ones((2, 4)), {}, r"queries have shape \(2, 3\) and keys \(2, 4\)"),
        (np.ones((2, 3)), np.ones((0, 3)), {}, "there is no key"),
        (np.ones((2, 3)), np.ones((2, 3)), {"k": 0}, "k is 0"),
        (np.ones((2, 3)), np.ones((2, 3)), {"barred": np.array([1])}, "barred has shape"),
        (np.array([[1.0], [np.nan]]), np.ones((2, 1)), {}, "the vector of query 1 is not finite"),
        (np.ones((2, 1)), np.array([[np.inf], [1.0]]), {}, "the vector of key 0 is not finite"),
    ],
)
def test_what_cannot_be_searched_is_named(queries, keys, options, message):
    with pytest.raises(ValueError, match=message):
        Search().nearest(queries.astype(np.float32), keys.astype(np.float32), **options)


def test_no_query_finds_nothing():
    assert Search().nearest(np.empty((0, 3), np.float32), np.ones((4, 3), np.float32), 2).place.shape == (0, 2)
