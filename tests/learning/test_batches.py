"""Batches depend on seed and epoch only, hold each row once, are packed by length, and are shared out evenly."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from invented_tables import table_of

from bioscan5m_hf.learning.batches import Sampler, plan_batches
from bioscan5m_hf.learning.masking import Framing
from bioscan5m_hf.learning.tables import TableError


LENGTHS = st.lists(st.integers(1, 200), min_size=1, max_size=60).map(np.array)


@given(LENGTHS, st.integers(1, 9), st.integers(0, 10), st.integers(0, 10))
def test_every_row_is_in_one_batch_and_only_the_last_is_not_full(tokens, size, seed, epoch):
    batches = plan_batches(tokens, size, seed, epoch)
    assert sorted(np.concatenate(batches)) == list(range(len(tokens)))
    assert {len(batch) for batch in batches[:-1]} <= {size}
    assert 1 <= len(batches[-1]) <= size
    again = plan_batches(tokens, size, seed, epoch)
    assert all((one == other).all() for one, other in zip(batches, again, strict=True))


def test_epochs_and_seeds_shuffle():
    tokens = np.full(1000, 164)
    first = np.concatenate(plan_batches(tokens, 10, 0, 0))
    assert (np.concatenate(plan_batches(tokens, 10, 0, 1)) != first).mean() > 0.9
    assert (np.concatenate(plan_batches(tokens, 10, 1, 0)) != first).mean() > 0.9
    assert abs(np.corrcoef(first, np.arange(1000))[0, 1]) < 0.1


def test_batches_hold_rows_of_similar_length():
    tokens = np.random.default_rng(0).integers(50, 165, 6400)
    batches = plan_batches(tokens, 64, 0, 0)
    padded = sum(len(batch) * tokens[batch].max() for batch in batches)
    assert 1 - tokens.sum() / padded < 0.01
    assert np.corrcoef(np.arange(100), [tokens[batch].mean() for batch in batches])[0, 1] < 0.3  # in no order


@pytest.fixture
def table(tmp_path):
    letters = np.random.default_rng(0).choice(list("ACGT"), (22, 60))
    return table_of(tmp_path, ["".join(row[: 20 + 2 * place]) for place, row in enumerate(letters)])


@pytest.mark.parametrize(("processes", "micro"), [(1, None), (1, 3), (2, None), (2, 2), (3, 1), (4, 100)])
def test_processes_share_each_batch_and_take_equal_steps(table, processes, micro):
    one = Sampler(table, Framing(4), 0, 8).epoch(0)
    sampler = Sampler(table, Framing(4), 0, 8, micro, processes)
    shared = sampler.epoch(0)
    for step in range(sampler.steps):
        shares = [shared.shares(step, process) for process in range(processes)]
        assert len({len(each) for each in shares}) == 1
        assert all(len(share.rows) <= (micro or 8) for each in shares for share in each)
        rows = [row for each in shares for share in each if share.counts for row in share.rows]
        (whole,) = one.shares(step, 0)
        assert sorted(rows) == sorted(whole.rows)
        assert {tuple(share.rows) for each in shares for share in each if not share.counts} <= {(whole.rows[0],)}


def test_a_process_without_rows_repeats_one_that_does_not_count(table):
    sampler = Sampler(table, Framing(4), 0, 4, processes=4)
    last = [sampler.epoch(0).shares(sampler.steps - 1, process)[0] for process in range(4)]
    assert [share.counts for share in last] == [True, True, False, False]


def test_windows_go_with_their_rows(table):
    sampler = Sampler(table, Framing(4, crop=(16, 24)), 5, 8)
    windows = sampler.framing.windows(5, 3, np.arange(22), table.lengths)
    for step in range(sampler.steps):
        (share,) = sampler.epoch(3).shares(step, 0)
        assert (share.windows.starts == windows.starts[share.rows]).all()
        assert (share.windows.tokens == windows.tokens[share.rows]).all()


def test_short_barcodes_and_rows_that_are_not_chosen_stay_out(tmp_path):
    table = table_of(tmp_path, ["ACGTACG", "ACGTAC", "ACGTACGT"])
    sampler = Sampler(table, Framing(4), 0, 2)
    assert sampler.rows.tolist() == [0, 2]
    assert sampler.steps == 1
    assert sorted(sampler.epoch(0).processids(0)) == ["P-0", "P-2"]
    chosen = np.array([True, True, False])
    assert Sampler(table, Framing(4), 0, 2, chosen=chosen).rows.tolist() == [0]
    with pytest.raises(TableError, match="none is of use"):
        Sampler(table, Framing(8), 0, 2)
