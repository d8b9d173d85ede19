"""Words of bases are counted as a plain loop counts them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna import base_codes, count_words


CODONS = "11011011"  # first two bases of three codons
PATTERNS = ("1", "11", "101", "11011", CODONS)
READS = st.lists(st.none() | st.text("ACGTacgtuUNn-é", max_size=40), max_size=6)


def counted(read, pattern):
    """Count with a plain loop: the bases that count, joined, where all of them are bases."""
    letters = (read or "").upper().replace("U", "T")
    places = [place for place, sign in enumerate(pattern) if sign == "1"]
    starts = range(len(letters) - len(pattern) + 1)
    words = ("".join(letters[start + place] for place in places) for start in starts)
    return Counter(word for word in words if set(word) <= set("ACGT"))


def number(word):
    return int("".join(str("ACGT".index(letter)) for letter in word), 4)


@given(reads=READS, pattern=st.sampled_from(PATTERNS))
def test_counts_are_those_of_a_plain_loop(reads, pattern):
    counts = count_words(base_codes(reads), pattern)
    assert counts.shape == (len(reads), 4 ** pattern.count("1"))
    assert counts.dtype == np.float32
    for read, row in zip(reads, counts, strict=True):
        expected = {number(word): count for word, count in counted(read, pattern).items()}
        assert {int(place): int(row[place]) for place in np.flatnonzero(row)} == expected


def test_arrow_arrays_in_pieces_and_slices_give_the_same():
    reads = ["ACGTAC", None, "GGNNACGT", "acu", ""]
    whole = base_codes(reads)
    pieces = pa.chunked_array([reads[:2], reads[2:]], pa.large_string())
    assert np.array_equal(base_codes(pieces), whole)
    assert np.array_equal(base_codes(pa.array(["T", *reads]).slice(1)), whole)


def test_only_so_many_characters_are_read():
    assert base_codes(["ACGTAC", "GG"], max_nucleotides=4).tolist() == [[0, 1, 2, 3], [2, 2, 4, 4]]


def test_the_third_base_of_a_codon_does_not_count():
    codes = base_codes(["ATGATGAT", "ATCATAAT", "ATGACGAT"])
    silent, same, changed = count_words(codes, CODONS)
    assert np.array_equal(silent, same)
    assert not np.array_equal(silent, changed)


@pytest.mark.parametrize("pattern", ["", "0", "110", "011", "1x1", "1" * 9])
def test_what_is_no_pattern_is_refused(pattern):
    with pytest.raises(ValueError, match="is no pattern of a word: use 1 for a base that counts"):
        count_words(base_codes(["ACGT"]), pattern)
