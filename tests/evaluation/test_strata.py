"""Strata: who belongs where, and that nobody belongs to two of one kind."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.left_out import is_linnaean
from bioscan5m_hf.evaluation.strata import STRATA, parts, strata


SPECIES = ["Apis mellifera", "Apis sp. 3", None, "Megaselia BOLD:AAA1", "Apis cana"]
BINS = ["BOLD:AAA1", "BOLD:AAA2", "BOLD:AAA1", None, "BOLD:AAA3"]
MAYBE = st.lists(st.tuples(st.sampled_from([*SPECIES, "Aus bus"]), st.sampled_from(BINS)), max_size=30)


def test_names_and_bins_are_told_apart():
    found = strata(SPECIES, BINS, {"pretrain": ["BOLD:AAA1", "BOLD:AAA9", None]})
    assert {name: np.flatnonzero(mask).tolist() for name, mask in found.items()} == {
        "Linnaean": [0, 4],
        "placeholder": [1, 3],
        "BIN in pretrain": [0, 2],
        "BIN not in pretrain": [1, 4],
    }
    assert tuple(found) == STRATA
    assert {mask.dtype for mask in found.values()} == {np.dtype(bool)}


@given(MAYBE, st.sets(st.sampled_from(BINS)))
def test_every_named_specimen_is_in_one_stratum_of_each_kind(rows, pretrain):
    species, bins = [row[0] for row in rows], [row[1] for row in rows]
    found = strata(species, bins, {"pretrain": list(pretrain)})
    named = [name is not None for name in species]
    assert (found["Linnaean"] ^ found["placeholder"]).tolist() == named
    assert not (found["Linnaean"] & found["placeholder"]).any()
    assert found["Linnaean"].tolist() == [bool(name) and is_linnaean(name) for name in species]
    assert (found["BIN in pretrain"] ^ found["BIN not in pretrain"]).tolist() == [name is not None for name in bins]
    assert found["BIN in pretrain"].tolist() == [name is not None and name in pretrain for name in bins]


def test_arrow_columns_in_chunks_are_taken():
    chunked = pa.chunked_array([SPECIES[:2], SPECIES[2:]], pa.string())
    plain = strata(SPECIES, BINS, {"pretrain": BINS[:1]})
    for name, mask in strata(chunked, pa.array(BINS), {"pretrain": pa.chunked_array([BINS[:1]])}).items():
        assert np.array_equal(mask, plain[name])


def test_without_the_bins_of_pretraining_nothing_is_said_of_them():
    assert list(strata(SPECIES, BINS)) == ["Linnaean", "placeholder"]
    assert not strata(SPECIES, BINS, {"pretrain": []})["BIN in pretrain"].any()


def test_parts_are_all_and_the_strata_that_hold_something():
    masks = strata(["Apis mellifera", "Apis cana"], ["BOLD:AAA1", "BOLD:AAA2"], {"pretrain": ["BOLD:AAA1"]})
    found = parts("test_unseen", masks, 2)
    assert {name: mask.tolist() for name, mask in found.items()} == {
        "test_unseen": [True, True],
        "test_unseen, Linnaean": [True, True],
        "test_unseen, BIN in pretrain": [True, False],
        "test_unseen, BIN not in pretrain": [False, True],
    }


def test_columns_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="2 species and 1 BINs: give one of each"):
        strata(["Apis mellifera", None], ["BOLD:AAA1"], {"pretrain": []})
