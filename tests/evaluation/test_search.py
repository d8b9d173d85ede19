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


@given(st.integers(1, 30), st.integers(1, 40), st.integers(1, 6), st.sampled_from(["float32", "bfloat16"]))
@settings(deadline=None)
def test_a_query_does_not_find_keys_of_its_own_groups(queries, keys, k, precision):
    random = np.random.default_rng(queries * 41 + keys)
    asked, held = (random.standard_normal((size, 4)).astype(np.float32) for size in (queries, keys))
    groups = [(random.integers(-1, 3, queries), random.integers(-1, 3, keys)) for _ in range(2)]
    found = Search(7, 11, precision).nearest(asked, held, k, apart=groups)
    scores = (asked / np.linalg.norm(asked, axis=1, keepdims=True)) @ (held / np.linalg.norm(held, axis=1)[:, None]).T
    for one, other in groups:
        scores[(one[:, None] == other[None]) & (one >= 0)[:, None]] = -np.inf
    expected = -np.sort(-scores, axis=1)[:, :k]
    assert np.allclose(found.similarity[:, :keys], expected, atol=1e-5)
    for row, (places, free) in enumerate(zip(found.place, np.isfinite(scores), strict=True)):
        assert (places >= 0).sum() == min(k, free.sum())
        assert free[places[places >= 0]].all(), row


def test_many_equal_keys_are_found_in_their_order_in_any_block():
    keys = np.repeat(RANDOM.standard_normal((6, 4)).astype(np.float32), 300, axis=0)
    found = Search(5, 450).nearest(keys[::300], keys, 40)
    assert np.array_equal(found.place, np.arange(0, 1800, 300)[:, None] + np.arange(40))


def test_keys_in_a_file_are_read_in_blocks(tmp_path):
    keys = RANDOM.standard_normal((500, 6)).astype(np.float16)
    np.save(tmp_path / "keys.npy", keys)
    held = np.load(tmp_path / "keys.npy", mmap_mode="r")
    read = []

    class Watched:
        shape = held.shape

        def __getitem__(self, rows):
            read.append(len(held[rows]))
            return held[rows]

    for precision in ("float32", "bfloat16"):
        found = Search(64, 100, precision).nearest(keys[:70], Watched(), 3)
        assert np.array_equal(found.place, Search().nearest(keys[:70], keys, 3).place)
    assert max(read[:5]) == 100
    assert sum(read[:5]) == 500


def test_what_all_keys_share_does_not_blur_half_precision():
    around = 20 * np.eye(32, dtype=np.float32)[0]
    keys = around + RANDOM.standard_normal((4000, 32)).astype(np.float32)  # cosines of 0.9 and more
    queries = around + RANDOM.standard_normal((200, 32)).astype(np.float32)
    exact = Search().nearest(queries, keys).place
    assert (Search(precision="bfloat16").nearest(queries, keys).place == exact).mean() > 0.98


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
        (
            np.ones((2, 3)),
            np.ones((1, 3)),
            {"apart": [(np.zeros(2), np.zeros(2))]},
            r"groups of shapes \(2,\) and \(2,\)",
        ),
        (np.array([[1.0], [np.nan]]), np.ones((2, 1)), {}, "the vector of query 1 is not finite"),
        (np.ones((2, 1)), np.array([[np.inf], [1.0]]), {}, "the vector of key 0 is not finite"),
    ],
)
def test_what_cannot_be_searched_is_named(queries, keys, options, message):
    with pytest.raises(ValueError, match=message):
        Search().nearest(queries.astype(np.float32), keys.astype(np.float32), **options)


def test_no_query_finds_nothing():
    assert Search().nearest(np.empty((0, 3), np.float32), np.ones((4, 3), np.float32), 2).place.shape == (0, 2)
