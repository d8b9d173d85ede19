"""The best of long rows are those of a sort, whichever way they are found."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.best import first_best, some_best


WIDTHS = [1, 5, 16, 300, 1024, 2048]  # the last two are looked through in groups, where few are wanted


@given(st.sampled_from(WIDTHS), st.integers(1, 9), st.sampled_from([2, 30, 10**6]), st.integers(0, 99))
@settings(deadline=None)
def test_of_equal_ones_the_first_are_given(width, k, different, seed):
    k = min(k, width)
    chance = torch.Generator().manual_seed(seed)
    scores = torch.randint(different, (7, width), generator=chance).float()
    scores[0] = -torch.inf
    expected = scores.sort(dim=1, descending=True, stable=True)
    best, place = first_best(scores, k)
    assert torch.equal(best, expected.values[:, :k])
    assert torch.equal(place, expected.indices[:, :k])


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("width", WIDTHS)
def test_some_best_are_as_good_as_the_best(width, dtype):
    scores = torch.randn((9, width), generator=torch.Generator().manual_seed(width)).to(dtype)
    for k in {1, min(3, width), min(40, width)}:
        best, place = some_best(scores, k)
        assert torch.equal(scores.gather(1, place), best)
        assert torch.equal(best.sort(dim=1, descending=True).values, scores.sort(dim=1, descending=True).values[:, :k])
        assert all(len(set(row)) == k for row in place.tolist())
