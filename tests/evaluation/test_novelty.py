"""Novelty: measures are what they say, the choice is made on other specimens, and strata are kept apart."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.familiarity import FAMILIARITIES, Keys, familiarities
from bioscan5m_hf.evaluation.fusion import unit
from bioscan5m_hf.evaluation.novelty import EmbeddedSpecimens, auroc, best_threshold, false_alarms, novelty
from bioscan5m_hf.evaluation.search import Search


metrics = pytest.importorskip("sklearn.metrics")

CENTRES = np.random.default_rng(0).standard_normal((60, 6))


def embedded(species, seed, spread=0.4, **more):
    """Invent specimens scattered around the centres of their species."""
    random = np.random.default_rng(seed)
    vectors = CENTRES[species] + spread * random.standard_normal((len(species), 6))
    return EmbeddedSpecimens(vectors.astype(np.float32), [f"S{each}" for each in species], **more)


KNOWN, NEW = np.arange(30), np.arange(30, 60)
KEYS = embedded(np.repeat(KNOWN, 6), 1)
TUNE = (embedded(np.repeat(KNOWN, 2), 2), embedded(np.repeat(NEW[:15], 4), 3))
ASKED = (embedded(np.repeat(KNOWN, 3), 4), embedded(np.repeat(NEW[15:], 3), 5))


def test_measures_are_what_a_plain_computation_gives():
    species = np.repeat(KNOWN, 6)
    keys, queries = Keys(KEYS.vectors, species, Search(7, 11)), ASKED[1].vectors
    cosine = unit(queries) @ unit(KEYS.vectors).T
    order = -np.sort(-cosine, axis=1)
    best = species[cosine.argmax(axis=1)]
    other = np.where(best[:, None] == species[None], -np.inf, cosine).max(axis=1)
    centres = unit(np.stack([unit(KEYS.vectors)[species == each].mean(axis=0) for each in KNOWN]))
    expected = {
        "nearest key": order[:, 0],
        "five nearest keys": order[:, :5].mean(axis=1),
        "lead over other species": order[:, 0] - other,
        "nearest centre of a species": (unit(queries) @ centres.T).max(axis=1),
    }
    found = familiarities(keys, queries)
    assert FAMILIARITIES.keys() == found.keys() == expected.keys()
    for name, values in expected.items():
        assert np.allclose(found[name], values, atol=1e-5)


def test_keys_of_one_species_leave_no_other_to_lead_over():
    keys = Keys(KEYS.vectors[:6], np.zeros(6, np.int64), Search())
    for values in familiarities(keys, ASKED[0].vectors).values():
        assert np.isfinite(values).all()


def test_the_choice_and_the_threshold_come_from_the_specimens_for_tuning():
    found = novelty(KEYS, TUNE, ASKED)
    chosen, threshold = found.settings["measure"], found.settings["threshold"]
    aurocs = found.settings["AUROC on the specimens that it was chosen on"]
    assert chosen == max(aurocs, key=aurocs.get)
    keys = Keys(KEYS.vectors, np.repeat(KNOWN, 6), Search())
    familiar = familiarities(keys, np.concatenate([each.vectors for each in ASKED]))[chosen]
    new = np.repeat([False, True], [90, 45])
    assert found.scores["AUROC"].value == pytest.approx(metrics.roc_auc_score(new, -familiar))
    assert found.scores["AUROC"].value == found.scores[f"AUROC of {chosen}"].value
    assert found.scores["accuracy"].value == pytest.approx(((familiar < threshold) == new).mean())
    assert found.scores["accuracy on new"].value == pytest.approx((familiar < threshold)[new].mean())
    score = found.scores["AUROC"]
    assert 0.5 < score.low < score.value < score.high <= 1
    other = novelty(KEYS, (TUNE[0], embedded(np.repeat(NEW[:15], 4), 9)), ASKED)
    assert other.scores[f"AUROC of {chosen}"] == found.scores[f"AUROC of {chosen}"]


def test_false_alarms_are_counted_where_95_per_cent_are_found():
    random = np.random.default_rng(0)
    new = random.random(400) < 0.5
    novel = np.round(random.standard_normal(400) + new, 1)
    shares = [(novel >= cut)[~new].mean() for cut in np.unique(novel) if (novel >= cut)[new].mean() >= 0.95]
    assert false_alarms(new, novel) == pytest.approx(min(shares))


@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=2).filter(
        lambda rows: len({r[0] for r in rows}) == 2
    )
)
def test_no_other_threshold_is_right_more_often(rows):
    new, familiar = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)

    def right(threshold):
        return ((familiar < threshold)[new].mean() + (familiar >= threshold)[~new].mean()) / 2

    assert right(best_threshold(new, familiar)) == pytest.approx(max(right(cut) for cut in np.arange(-0.5, 11)))


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 9)), min_size=1))
def test_the_area_is_the_share_of_pairs(rows):
    new, novel = np.array([row[0] for row in rows]), np.array([row[1] for row in rows], float)
    pairs = (novel[new][:, None] > novel[~new]) + 0.5 * (novel[new][:, None] == novel[~new])
    assert auroc(new, novel) == pytest.approx(pairs.mean() if pairs.size else np.nan, nan_ok=True)
    if pairs.size:
        assert auroc(~new, novel) == pytest.approx(1 - auroc(new, novel))
        assert auroc(new, np.exp(novel)) == pytest.approx(auroc(new, novel))


def test_strata_compare_specimens_of_one_stratum():
    masks = [
        {"Linnaean": np.arange(size) % 2 == 0, "placeholder": np.arange(size) < few}
        for size, few in ((90, 9), (45, 0))
    ]
    asked = tuple(EmbeddedSpecimens(each.vectors, each.species, mask) for each, mask in zip(ASKED, masks, strict=True))
    found = novelty(KEYS, TUNE, asked)
    half = tuple(EmbeddedSpecimens(each.vectors[::2], each.species[::2]) for each in ASKED)
    alone = novelty(KEYS, TUNE, half)
    for name in ("AUROC", "FPR at 95 % TPR", "accuracy"):
        assert found.scores[f"{name}, Linnaean"] == alone.scores[name]
    assert not any("placeholder" in name for name in found.scores)  # none of the new ones is


def test_specimens_that_are_not_what_they_are_said_to_be_are_left_out():
    known = EmbeddedSpecimens(
        np.concatenate([ASKED[0].vectors, ASKED[1].vectors[:2]]), [*ASKED[0].species, "S50", None]
    )
    new = EmbeddedSpecimens(np.concatenate([ASKED[1].vectors, ASKED[0].vectors[:1]]), [*ASKED[1].species, "S0"])
    found, plain = novelty(KEYS, TUNE, (known, new)), novelty(KEYS, TUNE, ASKED)
    assert found.scores == plain.scores
    assert {name: count for name, count in found.counts.items() if name.startswith("testing")} == {
        "testing: known": 90,
        "testing: known, left out": 2,
        "testing: new": 45,
        "testing: new, left out": 1,
    }
    with pytest.raises(ValueError, match="testing has no specimen of a new species"):
        novelty(KEYS, TUNE, (ASKED[0], ASKED[0]))
    with pytest.raises(ValueError, match="no key has a species"):
        novelty(EmbeddedSpecimens(KEYS.vectors, [None] * len(KEYS.species)), TUNE, ASKED)
