"""Schedules: OneCycle is torch's, the others rise, stay and fall as they say."""

from __future__ import annotations

import pytest
import torch

from bioscan5m_hf.learning.schedules import SCHEDULES, cosine, onecycle, wsd


@pytest.mark.parametrize("steps", [1, 2, 3, 4, 5, 10, 77, 1000])
def test_onecycle_is_that_of_torch(steps):
    optimizer = torch.optim.AdamW([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=0.2, total_steps=steps)
    for step in range(steps):
        (group,) = optimizer.param_groups
        ours = onecycle(step, steps)
        assert 0.2 * ours.factor == pytest.approx(group["lr"], rel=1e-12)
        assert ours.beta1 == pytest.approx(group["betas"][0], rel=1e-12)
        optimizer.step()
        if step + 1 < steps:
            scheduler.step()


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 3, 7, 100, 12345])
def test_the_rate_is_never_negative_nor_above_its_peak(name, steps):
    factors = [SCHEDULES[name](step, steps).factor for step in range(0, steps, max(1, steps // 50))]
    assert all(0 <= factor <= 1 for factor in factors)


def test_cosine_and_wsd_reach_the_peak_and_come_down():
    for schedule in (cosine, wsd):
        assert schedule(0, 100).factor == 0.2
        assert schedule(5, 100).factor == 1.0
        assert schedule(99, 100).factor < 0.05
    assert all(wsd(step, 100).factor == 1.0 for step in range(5, 80))
