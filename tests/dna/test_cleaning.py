"""Cleaning and the other strand agree with plain Python, and are what they are called."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna import IUPAC, clean, cleaning, reverse_complement


CODES = "ACGTRYSWKMBDHVN"
TEXTS = st.lists(
    st.none() | st.text("ACGTUacgtu" * 3 + "Nnryé🧬Ａß \t\r\n\v\f-.\u00a0\u2028\ufeff\u200bX*", max_size=30),
    max_size=8,
)
BLANK = " \t\r\n\v\f\u00a0\u2028\ufeff\u200b-."


def cleaned(text):
    upper = text.translate({ord(low): low.upper() for low in "abcdefghijklmnopqrstuvwxyz"}).replace("U", "T")
    return "".join(letter for letter in upper if letter not in BLANK)


@given(TEXTS, st.integers(0, 3), st.integers(0, 8))
def test_clean_folds_case_and_rna_and_drops_gaps_and_blanks(texts, first, length):
    expected = [None if text is None else cleaned(text) for text in texts]
    assert clean(texts).to_pylist() == expected
    part = pa.array(texts, pa.string()).slice(first, length)
    assert clean(part).to_pylist() == expected[first : first + length]
    assert clean(pa.chunked_array([part, part], pa.string())).to_pylist() == 2 * expected[first : first + length]
    assert clean(clean(texts)).equals(clean(texts))


def test_what_is_made_of_blocks_is_whole(monkeypatch):
    texts = [None, "", "ac-gu" * 40, "é" * 90, "ACGTN"] * 20
    whole, turned = clean(texts), reverse_complement(texts)
    monkeypatch.setattr(cleaning, "BLOCK", 64)
    assert clean(texts).equals(whole)
    assert reverse_complement(texts).equals(turned)


@given(st.lists(st.none() | st.text(CODES + CODES.lower() + "-é*", max_size=30), max_size=8))
def test_the_other_strand_of_the_other_strand_is_the_first(texts):
    assert reverse_complement(reverse_complement(texts)).to_pylist() == texts
    lengths = [None if text is None else len(text) for text in reverse_complement(texts).to_pylist()]
    assert lengths == [None if text is None else len(text) for text in texts]


def test_complements_of_ambiguous_codes_mean_the_complements_of_their_bases():
    bases_of = ("A", "C", "G", "T", "AG", "CT", "CG", "AT", "GT", "AC", "CGT", "AGT", "ACT", "ACG", "ACGT")
    meaning = dict(zip(CODES, bases_of, strict=True))
    named = {frozenset(bases): code for code, bases in meaning.items()}
    for code, bases in meaning.items():
        other = named[frozenset(dict(zip("ACGT", "TGCA", strict=True))[base] for base in bases)]
        assert reverse_complement([code, code.lower()]).to_pylist() == [other, other.lower()]
    assert set(CODES) | set("U-") == set(IUPAC)
    assert reverse_complement(["UUAu"]).to_pylist() == ["aTAA"]


@pytest.mark.parametrize("function", [clean, reverse_complement])
def test_nothing_gives_nothing_and_numbers_an_error(function):
    assert function([]).to_pylist() == []
    assert function(pa.chunked_array([], pa.string())).to_pylist() == []
    assert function([None]).to_pylist() == [None]
    with pytest.raises(ValueError, match="strings are needed"):
        function(pa.array([1]))
    with pytest.raises(ValueError, match="one str was given"):
        function("ACGT")
