"""Checks on barcodes agree with plain Python, whatever the array looks like."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna import IUPAC, foreign_letters, only_letters, strip_n


barcodes = st.lists(st.none() | st.text("ACGTN-", max_size=12), max_size=8)


@given(barcodes)
def test_ns_go_from_both_ends_and_nowhere_else(texts):
    expected = [None if text is None else text.strip("N") for text in texts]
    assert strip_n(pa.array(texts, pa.string())).to_pylist() == expected
    assert strip_n(pa.chunked_array([texts, texts], pa.string())).to_pylist() == expected * 2


def test_lower_case_is_not_stripped():
    assert strip_n(pa.array(["nnACGT"])).to_pylist() == ["nnACGT"]


@given(st.lists(st.none() | st.text("ACGTNXn é", max_size=6), max_size=8), st.integers(0, 4), st.integers(0, 4))
@pytest.mark.parametrize("kind", [pa.string(), pa.large_string()])
def test_foreign_letters_are_found_in_any_slice(kind, texts, first, length):
    array = pa.array(texts, kind).slice(first, length)
    given = [text for text in array.to_pylist() if text]
    assert only_letters(array) == all(set(text) <= set(IUPAC) for text in given)
    assert only_letters(array, b"ACGTN") == all(set(text) <= set("ACGTN") for text in given)
    for text in given:
        assert foreign_letters(text) == "".join(sorted(set(text) - set(IUPAC)))
