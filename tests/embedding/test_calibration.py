"""Thresholds: the stated share of accepted names is right, ties and tiny samples are never accepted."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.embedding.calibration import Thresholds, fit_thresholds
from bioscan5m_hf.errors import Bioscan5mError


ORIGIN = {"model": "tiny", "weights": "abc", "frame_offsets": "0"}


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.50001, 0.9, 1.0, -np.inf]), st.booleans()), max_size=60),
    st.floats(0.05, 1),
    st.integers(1, 10),
)
def test_it_is_the_lowest_score_that_keeps_the_share(pairs, share, least):
    scores = np.array([score for score, _ in pairs], float)
    right = np.array([good for _, good in pairs], bool)
    found = fit_thresholds({"genus": (scores, right)}, share=share, least=least)["genus"]
    kept = {}
    for cut in sorted(set(scores[np.isfinite(scores)])):
        chosen = right[scores >= cut]
        if len(chosen) >= least and chosen.sum() >= share * len(chosen):
            kept[cut] = (len(chosen), chosen.sum())
    assert found.threshold == min(kept, default=None)
    assert (found.accepted, found.right) == (kept[found.threshold] if kept else (0, 0))
    assert found.asked == len(pairs)
    assert sum(one.count for one in found.curve) == np.isfinite(scores).sum()
    assert all(one.high < other.low for one, other in zip(found.curve, found.curve[1:], strict=False))


def test_the_curve_tells_the_share_right():
    rng = np.random.default_rng(0)
    scores = rng.random(5000)
    right = rng.random(5000) < scores
    found = fit_thresholds({"order": (scores, right)}, share=0.9)["order"]
    assert found.threshold == pytest.approx(0.8, abs=0.06)
    assert len(found.curve) == 10
    for score in (0.15, 0.55, 0.95):
        assert found.share_right(score) == pytest.approx(score, abs=0.08)
    assert found.share_right(-1) is None
    assert found.share_right(float("nan")) is None


def test_thresholds_are_kept_exactly(tmp_path):
    scored = {
        "genus": (np.float32([0.9, 0.7, 0.1]), np.array([True, True, False])),
        "species": (np.ones(3), np.zeros(3, bool)),
    }
    thresholds = Thresholds("neighbours", 0.95, fit_thresholds(scored, least=1), ORIGIN)
    thresholds.save(tmp_path / "t.json")
    again = Thresholds.load(tmp_path / "t.json")
    assert again == thresholds
    assert again.accepts("genus", np.float32([0.7, 0.6999])).tolist() == [True, False]
    assert again.accepts("species", np.ones(2)).tolist() == [False, False]
    assert again.accepts("order", np.ones(2)).tolist() == [False, False]
    assert set(json.loads((tmp_path / "t.json").read_text())["ranks"]["genus"]["curve"][0]) == {
        "low",
        "high",
        "count",
        "right",
    }


def test_thresholds_of_something_else_are_refused(tmp_path):
    thresholds = Thresholds("neighbours", 0.95, {}, ORIGIN)
    thresholds.check(ORIGIN, "neighbours")
    with pytest.raises(ValueError, match="are for neighbours, not for classifier"):
        thresholds.check(ORIGIN, "classifier")
    with pytest.raises(ValueError, match="fitted with another model"):
        thresholds.check(ORIGIN | {"weights": "xyz"}, "neighbours")
    with pytest.raises(ValueError, match="fitted with other frame offsets"):
        thresholds.check(ORIGIN | {"frame_offsets": "0 1 2 3"}, "neighbours")
    thresholds.save(tmp_path / "thresholds.json")
    assert Thresholds.beside(tmp_path, ORIGIN, "neighbours") == thresholds
    assert Thresholds.beside(tmp_path, ORIGIN, "classifier") is None
    assert Thresholds.beside(tmp_path / "absent", ORIGIN, "neighbours") is None


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "ranks": {"tribe": {"curve": []}}}'])
def test_damaged_files_say_so(tmp_path, text):
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(Bioscan5mError, match=r"t\.json holds no thresholds"):
        Thresholds.load(tmp_path / "t.json")
    with pytest.raises(Bioscan5mError, match="bioscan5m calibrate"):
        Thresholds.load(tmp_path / "absent.json")


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match="share is 95"):
        fit_thresholds({}, share=95)
