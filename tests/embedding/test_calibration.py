"""Thresholds: the stated share of accepted names is right, ties and tiny samples are never accepted."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.embedding.calibration import RankThreshold, Scored, fit_thresholds
from bioscan5m_hf.embedding.thresholds import Thresholds, choose_thresholds
from bioscan5m_hf.errors import Bioscan5mError


ORIGIN = {"model": "tiny", "weights": "abc", "frame_offsets": "0", "keys": "mine", "key_fingerprints": "k1 k2"}


def scored(scores, right):
    """Give reads that all have a name at the rank."""
    return Scored(np.asarray(scores), np.asarray(right, bool), np.ones(len(scores), bool))


@given(
    st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.50001, 0.9, 1.0, -np.inf]), st.booleans()), max_size=60),
    st.floats(0.05, 1),
    st.integers(1, 10),
)
def test_it_is_the_lowest_score_that_keeps_the_share(pairs, share, least):
    scores = np.array([score for score, _ in pairs], float)
    right = np.array([good for _, good in pairs], bool)
    found = fit_thresholds({"genus": scored(scores, right)}, share=share, least=least)["genus"]
    kept = {}
    falling = right[np.argsort(-scores, kind="stable")]
    for cut in sorted(set(scores[np.isfinite(scores)])):
        chosen = falling[: (scores >= cut).sum()]
        if len(chosen) >= least and chosen.sum() >= share * len(chosen) and 2 * chosen[-least:].sum() >= least:
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
    found = fit_thresholds({"order": scored(scores, right)}, share=0.9)["order"]
    assert found.threshold == pytest.approx(0.8, abs=0.06)
    assert len(found.curve) == 11
    assert found.threshold in {one.low for one in found.curve}
    for score in (0.15, 0.55, 0.95):
        assert found.share_right(score) == pytest.approx(score, abs=0.08)
    assert found.share_right(found.threshold - 1e-7) == found.share_right(found.threshold)
    assert found.share_right(-1) is None
    assert found.share_right(float("nan")) is None


def test_at_a_wider_rank_only_reads_without_a_narrower_name_count():
    """Ten reads named at species are right at genus too; of the ten others half are, and only from 0.7 on."""
    species = scored(np.r_[np.full(10, 0.9), np.full(10, 0.1)], [True] * 10 + [False] * 10)
    genus = scored(np.r_[np.full(10, 0.6), np.full(5, 0.7), np.full(5, 0.5)], [True] * 15 + [False] * 5)
    fitted = fit_thresholds({"species": species, "genus": genus}, share=0.9, least=5)
    assert (fitted["species"].threshold, fitted["species"].accepted) == (0.9, 10)
    assert (fitted["genus"].threshold, fitted["genus"].asked, fitted["genus"].accepted) == (0.7, 10, 5)
    alone = fit_thresholds({"genus": genus}, share=0.75, least=5)["genus"]
    assert (alone.threshold, alone.asked, alone.accepted) == (0.6, 20, 15)  # of the five least sure none is right


def test_where_too_few_are_left_all_reads_count():
    sure = scored(np.full(30, 0.9), [True] * 30)
    fitted = fit_thresholds({"species": sure, "genus": sure}, least=5)
    assert (fitted["genus"].asked, fitted["genus"].threshold) == (30, 0.9)


def test_the_few_that_are_left_are_not_outvoted():
    """Of four reads without species two have the wrong genus, with low scores; thirty others are right."""
    species = scored(np.r_[np.full(30, 0.9), np.full(4, 0.1)], [True] * 30 + [False] * 4)
    genus = scored(np.r_[np.full(30, 0.95), 0.8, 0.7, 0.6, 0.5], [True] * 32 + [False] * 2)
    fitted = fit_thresholds({"species": species, "genus": genus}, share=0.9, least=5)["genus"]
    assert (fitted.asked, fitted.threshold, fitted.accepted) == (34, 0.7, 32)


def test_a_read_without_a_name_at_a_rank_does_not_count_there():
    half = Scored(np.full(20, 0.9), np.array([True] * 10 + [False] * 10), np.arange(20) < 10)
    found = fit_thresholds({"species": half}, least=5)["species"]
    assert (found.asked, found.accepted, found.right) == (10, 10, 10)


def test_thresholds_are_kept_exactly(tmp_path):
    given = {
        "species": scored(np.ones(3), [False] * 3),
        "genus": scored(np.float32([0.9, 0.7, 0.1]), [True, True, False]),
    }
    thresholds = Thresholds("neighbours", 0.95, fit_thresholds(given, least=1), ORIGIN)
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
    with pytest.raises(ValueError, match="fitted with another head"):
        thresholds.check(ORIGIN | {"head": "genus"}, "neighbours")


@pytest.mark.parametrize(
    ("fitted", "there", "fits"),
    [("k1 k2", "k1 k2", True), ("k1", "k1 k2", True), ("k1 k2", "k1", False), ("k1", "k3", False), ("", "k1", False)],
)
def test_keys_must_hold_those_that_thresholds_were_fitted_with(fitted, there, fits):
    thresholds = Thresholds("neighbours", 0.95, {}, ORIGIN | {"key_fingerprints": fitted, "key_split": "train"})
    differs = thresholds.mismatch(ORIGIN | {"key_fingerprints": there}, "neighbours")
    assert differs.startswith("were fitted with other key specimens (mine train, of which") is not fits
    assert bool(differs) is not fits


def test_of_a_models_own_thresholds_the_first_that_fit_are_taken(tmp_path):
    def saved(name, mode, **origin):
        thresholds = Thresholds(mode, 0.95, {"genus": RankThreshold(0.5, 9, 9, 9)}, ORIGIN | origin)
        thresholds.save(tmp_path / name)
        return thresholds

    own = saved("thresholds.json", "classifier", head="species")
    wide = saved("thresholds-order.json", "classifier", head="order")
    keys = saved("thresholds-keys.json", "neighbours")
    for expected, head, mode in ((own, "species", "classifier"), (wide, "order", "classifier")):
        assert choose_thresholds(None, tmp_path, ORIGIN | {"head": head}, mode) == (expected, "")
    assert choose_thresholds(None, tmp_path, ORIGIN, "neighbours") == (keys, "")
    found, reason = choose_thresholds(None, tmp_path, ORIGIN | {"key_fingerprints": "k9"}, "neighbours")
    assert (found, "other key specimens" in reason or "are for classifier" in reason) == (None, True)
    assert choose_thresholds(None, tmp_path / "absent", ORIGIN, "neighbours") == (None, "the model has no thresholds")
    assert choose_thresholds(keys, tmp_path, ORIGIN, "neighbours") == (keys, "")
    with pytest.raises(ValueError, match="another model"):
        choose_thresholds(own, tmp_path, ORIGIN | {"weights": "x"}, "classifier")


WHOLE = json.dumps(
    {
        "format": 1,
        "mode": "classifier",
        "share": 0.9,
        "origin": {"model": "tiny"},
        "ranks": {
            "genus": {
                "threshold": 0.5,
                "asked": 9,
                "accepted": 8,
                "right": 7,
                "curve": [{"low": 0.25, "high": 1.0, "count": 9, "right": 7}],
            }
        },
    }
)
DAMAGE = {
    "0.5": '"0.5"',
    "0.25": "null",
    '"count": 9': '"count": 0',
    '"tiny"': "1",
    "genus": "tribe",
    '"asked": 9,': "",
}


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', *(WHOLE.replace(good, bad) for good, bad in DAMAGE.items())]
)
def test_damaged_files_say_so(tmp_path, text):
    (tmp_path / "whole.json").write_text(WHOLE)
    assert Thresholds.load(tmp_path / "whole.json").ranks["genus"].threshold == 0.5
    (tmp_path / "t.json").write_text(text)
    with pytest.raises(Bioscan5mError, match=r"t\.json holds no thresholds"):
        Thresholds.load(tmp_path / "t.json")
    with pytest.raises(Bioscan5mError, match="bioscan5m calibrate"):
        Thresholds.load(tmp_path / "absent.json")


def test_a_share_is_a_share():
    with pytest.raises(ValueError, match="share is 95"):
        fit_thresholds({}, share=95)
