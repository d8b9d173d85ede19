"""Nearest different names are what sorting all keys gives."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.nearest_names import nearest_names
from bioscan5m_hf.evaluation.search import Search


def plain(queries, keys, codes, k, barred):
    """Sort all keys, and pass over those whose name was there before."""
    scores = (queries / np.linalg.norm(queries, axis=1, keepdims=True)) @ (
        keys / np.linalg.norm(keys, axis=1)[:, None]
    ).T
    scores[barred] = -np.inf
    found = np.full((len(queries), k), -1)
    for row, order in enumerate(np.argsort(-scores, axis=1, kind="stable")):
        names = [codes[key] for key in order if codes[key] >= 0 and np.isfinite(scores[row, key])]
        different = list(dict.fromkeys(names))[:k]
        found[row, : len(different)] = different
    return found


@given(st.integers(1, 20), st.integers(1, 40), st.integers(1, 5), st.integers(1, 9), st.integers(1, 13))
@settings(deadline=None)
def test_it_is_what_sorting_all_keys_gives(queries, keys, k, queries_at_once, keys_at_once):
    random = np.random.default_rng(queries * 43 + keys)
    asked, held = (random.standard_normal((size, 5)).astype(np.float32) for size in (queries, keys))
    codes = {"genus": random.integers(-1, 6, keys), "species": random.integers(-1, 30, keys)}
    groups = (random.integers(-1, 3, queries), random.integers(-1, 3, keys))
    barred = (groups[0][:, None] == groups[1][None]) & (groups[0] >= 0)[:, None]
    found = nearest_names(asked, held, codes, k, Search(queries_at_once, keys_at_once), apart=[groups])
    for rank, names in codes.items():
        assert np.array_equal(found[rank], plain(asked, held, names, k, barred))


def test_of_equally_near_names_the_one_that_comes_first_is_nearer():
    keys = np.array([[0, 1], [1, 0], [1, 0], [2, 0]], np.float32)
    found = nearest_names(keys[1:2], keys, {"genus": np.array([5, 9, 2, 5])}, 3, Search())
    assert found["genus"].tolist() == [[5, 9, 2]]
