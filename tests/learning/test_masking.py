"""Draws depend on their counters only, are spread evenly, and hide the share of k-mers that was asked for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.learning.masking import MASK, OFFSET, Framing, Masking, below, draw, mix, uniform


ROWS, TOKENS = np.arange(200), np.full(200, 164)
KNOWN = np.ones((200, 164), bool)


def splitmix64(state):
    """The generator as published, one number at a time."""
    state = (state + 0x9E3779B97F4A7C15) % 2**64
    z = state
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9 % 2**64
    z = (z ^ (z >> 27)) * 0x94D049BB133111EB % 2**64
    return z ^ (z >> 31)


@given(st.integers(0, 2**64 - 1))
def test_the_hash_is_splitmix64(state):
    given_state = np.array([(state + 0x9E3779B97F4A7C15) % 2**64], np.uint64)
    assert int(mix(given_state)[0]) == splitmix64(state)


@given(st.integers(0, 2**32), st.integers(0, 100), st.lists(st.integers(0, 10**7), min_size=1, max_size=5))
def test_a_draw_does_not_depend_on_what_is_drawn_with_it(seed, epoch, rows):
    together = draw(seed, MASK, epoch, np.array(rows)[:, None], np.arange(3))
    alone = [draw(seed, MASK, epoch, row, np.arange(3)) for row in rows]
    assert (together == np.array(alone)).all()


def test_seeds_purposes_epochs_rows_and_positions_draw_differently():
    places = np.arange(1000)
    draws = [draw(0, MASK, 0, places), draw(1, MASK, 0, places), draw(0, OFFSET, 0, places), draw(0, MASK, 1, places)]
    assert len(np.unique(np.concatenate(draws))) == 4000
    grid = draw(0, MASK, 0, places[:, None], places)
    assert len(np.unique(grid)) == grid.size  # (row, position) and (position, row) differ, too


def test_draws_are_even_and_do_not_go_together():
    grid = uniform(draw(3, MASK, 0, np.arange(500)[:, None], np.arange(500)))
    assert abs(grid.mean() - 0.5) < 0.005
    assert np.abs(np.histogram(grid, 16, (0, 1))[0] / grid.size - 1 / 16).max() < 0.002
    assert abs(np.corrcoef(grid[:-1].ravel(), grid[1:].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(grid[:, :-1].ravel(), grid[:, 1:].ravel())[0, 1]) < 0.01
    drawn = below(draw(3, OFFSET, 0, np.arange(10_000)), 5)
    assert (np.bincount(drawn, minlength=5) > 1800).all()


@given(
    st.integers(2, 8),
    st.booleans(),
    st.none() | st.tuples(st.integers(16, 400), st.integers(400, 700)),
    st.lists(st.integers(0, 1500), min_size=1, max_size=20),
    st.integers(0, 5),
)
def test_windows_lie_within_their_barcodes(k, random_offset, crop, lengths, epoch):
    bases = np.array(lengths)
    windows = Framing(k, random_offset, crop).windows(0, epoch, np.arange(len(bases)), bases)
    assert (windows.starts >= 0).all()
    assert (windows.tokens >= 0).all()
    inside = windows.tokens > 0
    assert (windows.starts + windows.tokens * k <= bases)[inside].all()
    assert (windows.tokens * k <= 660).all()
    if crop is not None:
        assert (windows.tokens * k <= crop[1]).all()


def test_every_frame_and_every_length_of_a_crop_occurs():
    rows = np.arange(4000)
    windows = Framing(4, crop=(200, 210)).windows(0, 0, rows, np.full(4000, 658))
    assert set(np.unique(windows.starts % 4)) == {0, 1, 2, 3}
    assert windows.starts.max() > 440
    assert set(np.unique(windows.tokens)) == {49, 50, 51, 52}
    plain = Framing(4, random_offset=False).windows(0, 0, rows, np.full(4000, 658))
    assert (plain.starts == 0).all()
    assert (plain.tokens == 164).all()


@pytest.mark.parametrize("ratio", [0.15, 0.5, 0.9])
def test_the_asked_share_is_hidden(ratio):
    assert abs(Masking(ratio).choose(0, 0, ROWS, KNOWN, TOKENS).mean() - ratio) < 0.01
    exact = Masking(ratio, exact=True).choose(0, 0, ROWS, KNOWN, TOKENS)
    assert (exact.sum(axis=1) == round(ratio * 164)).all()


@given(st.integers(0, 12), st.integers(0, 100), st.floats(0.01, 0.99))
def test_unknown_kmers_and_padding_are_never_hidden(unknown, epoch, ratio):
    known = np.ones((3, 12), bool)
    known[:, :unknown] = False
    known[1] = False
    tokens = np.array([12, 12, 12])
    for exact in (False, True):
        chosen = Masking(ratio, exact=exact).choose(1, epoch, np.arange(3), known, tokens)
        assert not (chosen & ~known).any()
        if exact:
            assert (chosen.sum(axis=1) == np.minimum(known.sum(axis=1), np.rint(ratio * 12))).all()


def test_masks_change_with_the_epoch_and_not_with_the_batch():
    masking = Masking(0.5)
    first = masking.choose(0, 0, ROWS, KNOWN, TOKENS)
    assert (masking.choose(0, 0, ROWS[50:60], KNOWN[50:60], TOKENS[50:60]) == first[50:60]).all()
    assert (masking.choose(0, 1, ROWS, KNOWN, TOKENS) != first).mean() > 0.4


def test_rows_without_tokens_are_left_alone():
    nothing = np.zeros((2, 0), bool)
    for exact in (False, True):
        assert Masking(0.5, exact=exact).choose(0, 0, np.arange(2), nothing, np.zeros(2, int)).shape == (2, 0)


def test_hidden_kmers_become_mask_random_or_stay_in_the_asked_shares():
    ids = np.full((200, 164), 7)
    chosen = Masking(0.5).choose(0, 0, ROWS, KNOWN, TOKENS)
    all_masked = Masking(0.5).replace(0, 0, ROWS, ids, chosen, 2, (3, 259))
    assert (all_masked == np.where(chosen, 2, 7)).all()
    shown = Masking(0.5, (0.8, 0.1, 0.1)).replace(0, 0, ROWS, ids, chosen, 2, (3, 259))
    assert (shown[~chosen] == 7).all()
    hidden = shown[chosen]
    assert abs((hidden == 2).mean() - 0.8) < 0.01
    assert abs(((hidden != 2) & (hidden != 7)).mean() - 0.1) < 0.01
    assert hidden.min() >= 2
    assert hidden.max() < 259
