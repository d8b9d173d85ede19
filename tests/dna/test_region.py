"""A region is learnt from barcodes, and each is put in its place."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna.region import Region


RANDOM = np.random.default_rng(2)
ANCESTOR = RANDOM.integers(0, 4, 300)
CHANGED = RANDOM.random((60, 300)) < np.where(np.arange(300) % 3 == 1, 0.4, 0.05)
CODES = ((ANCESTOR + CHANGED * RANDOM.integers(1, 4, (60, 300))) % 4).astype(np.uint8)
REGION = Region.fit([CODES[:20], CODES[20:]])


def test_shares_are_what_was_counted():
    counted = np.stack([(base == CODES).mean(0) for base in range(4)], 1)
    assert np.allclose(REGION.share, (counted + 0.01) / 1.04, atol=1e-6)
    assert REGION.free_phase == 1
    assert len(REGION) == 300


@given(st.integers(0, 59), st.integers(0, 200), st.integers(60, 300), st.integers(0, 40))
def test_a_piece_is_put_where_it_was_cut(row, start, length, foreign):
    piece = CODES[row, start : start + length]
    before = np.full(foreign, 4, np.uint8)
    placed = REGION.place(np.concatenate([before, piece])[None])[0]
    expected = np.full(300, 4)
    expected[start : start + len(piece)] = piece
    assert REGION.shifts(np.concatenate([before, piece])[None]).tolist() == [start - foreign]
    assert np.array_equal(placed, expected)


def test_what_lies_outside_is_cut_off():
    longer = np.concatenate([np.full((1, 9), 2), CODES[:1], np.full((1, 9), 1)], 1)
    assert np.array_equal(REGION.place(longer), CODES[:1])


def test_barcodes_of_other_lengths_are_learnt_from_too():
    short = CODES[30:, 100:]
    region = Region.fit([CODES[:30], CODES[:5], short])
    assert len(region) == 300
    counted = np.stack([(base == np.concatenate([CODES, CODES[:5]])).mean(0) for base in range(4)], 1)
    assert np.allclose(region.share[100:], (counted[100:] + 0.01) / 1.04, atol=1e-6)
    assert set(region.shifts(short).tolist()) == {100}


def test_no_base_no_region():
    with pytest.raises(ValueError, match="no barcode holds a base"):
        Region.fit([np.full((3, 5), 4)])
    with pytest.raises(ValueError, match="no barcode holds a base"):
        Region.fit([])
    assert REGION.place(np.full((2, 7), 4)).shape == (2, 300)
    assert REGION.place(np.empty((0, 7), np.uint8)).shape == (0, 300)
    assert REGION.shifts(np.empty((2, 0), np.uint8)).tolist() == [0, 0]
