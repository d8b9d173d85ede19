"""Drawn specimens: every body plan, and looks that follow the taxonomy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from bioscan5m_hf.synthetic import photograph, shares
from bioscan5m_hf.synthetic.looks import Look, look
from bioscan5m_hf.synthetic.orders import ORDERS, SEEN_SHARES


def difference(one: Look, other: Look) -> float:
    colours = (np.array([*it.body, *it.second, *it.limbs], float) / 255 for it in (one, other))
    shapes = (np.array([it.form, it.slender, it.legs, it.wings]) for it in (one, other))
    first, second = (np.concatenate(parts) for parts in zip(colours, shapes, strict=True))
    return float(np.abs(first - second).mean())


def test_there_is_a_body_plan_for_every_order() -> None:
    assert {order.plan for order in ORDERS} == set(photograph.PLANS)
    assert len(ORDERS) == 55


@pytest.mark.parametrize("plan", photograph.PLANS)
def test_every_plan_is_drawn_inside_the_picture(plan: str) -> None:
    for family in range(5):
        shot = photograph.take(look(plan, 1, family, family, family, family))
        x0, y0, x1, y1 = shot.box
        assert 0 <= x0 < x1 <= 1024
        assert 0 <= y0 < y1 <= 768
        assert 300 < shot.pixels <= (x1 - x0) * (y1 - y0)


@pytest.mark.parametrize("plan", ["fly", "wasp", "bug", "beetle", "moth", "spider"])
@pytest.mark.parametrize("form", [0.1, 0.5, 0.95])
def test_every_form_and_pattern_of_a_plan_is_drawn(plan: str, form: float) -> None:
    for pattern in (0.1, 0.45, 0.7):
        assert photograph.take(replace(look(plan, 0, 1, 1, 1, 1), form=form, pattern=pattern)).pixels > 300


@pytest.mark.parametrize("plan", ["fly", "beetle", "moth"])
def test_relatives_look_alike(plan: str) -> None:
    def average(make: object) -> float:
        return float(np.mean([difference(*make(number)) for number in range(60)]))  # type: ignore[operator]

    siblings = average(lambda n: (look(plan, 0, n, n, n, 1), look(plan, 0, n, n, n, 2)))
    congeners = average(lambda n: (look(plan, 0, n, n, n, 1), look(plan, 0, n, n, n + 100, 2)))
    cousins = average(lambda n: (look(plan, 0, n, n, n, 1), look(plan, 0, n, n + 100, n + 100, 2)))
    strangers = average(lambda n: (look(plan, 0, n, n, n, 1), look(plan, 0, n + 100, n + 100, n + 100, 2)))
    assert 0 < siblings < congeners < cousins < strangers


def test_individuals_of_a_species_differ() -> None:
    one, other = (photograph.take(look("beetle", 0, 1, 1, 1, individual)) for individual in (1, 2))
    assert one.box != other.box
    assert one.picture.tobytes() != other.picture.tobytes()


def test_the_crop_window_is_four_by_three_and_holds_the_grown_box() -> None:
    for box in ((400, 300, 500, 350), (400, 300, 450, 500), (0, 0, 1024, 768), (10, 20, 15, 22)):
        x0, y0, x1, y1 = photograph.crop_window(box)
        grow = int(0.4 * max(box[2] - box[0], box[3] - box[1]) / 2)
        assert x0 <= box[0] - grow
        assert y0 <= box[1] - grow
        assert x1 > box[2] + grow
        assert y1 > box[3] + grow
        assert (x1 - x0 - 1) / (y1 - y0 - 1) == pytest.approx(4 / 3, rel=0.15)


def test_dealing_gives_the_total_even_where_it_does_not_go_round() -> None:
    assert shares.deal(5, [1.0, 3.0, 2.0], least=2).tolist() == [0, 3, 2]
    assert shares.by_order(5).sum() == 5
    assert shares.by_order(17, SEEN_SHARES).sum() == 17
