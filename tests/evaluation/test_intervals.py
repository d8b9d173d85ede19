"""Intervals from drawing species again: against a plain loop, and how often they hold the truth."""

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.evaluation import intervals
from bioscan5m_hf.evaluation.intervals import resampled, resampled_statistic


def invented(species=30, rows=200, genera=8, seed=3):
    generator = np.random.default_rng(seed)
    kind = generator.integers(species, size=rows)
    right = generator.random(rows) < 0.2 + 0.6 * generator.random(species)[kind]
    return right, [f"s{number}" for number in kind], [f"g{number % genera}" for number in kind]


def plain(right, species, statistic, repeats, seed=0):
    """Draw species in a loop, rows one by one."""
    names = list(dict.fromkeys(species))
    rows = {name: np.flatnonzero(np.array(species) == name) for name in names}
    drawn = np.random.default_rng(seed).integers(len(names), size=(repeats, len(names)))
    found = [statistic([names[one] for one in row], rows) for row in drawn]
    return tuple(float(end) for end in np.percentile(found, [2.5, 97.5]))


def test_the_micro_interval_is_that_of_a_plain_loop():
    right, species, _ = invented()
    expected = plain(right, species, lambda names, rows: right[np.concatenate([rows[n] for n in names])].mean(), 300)
    assert resampled(right, species, repeats=300) == pytest.approx(expected, abs=1e-12)


def test_the_macro_interval_is_that_of_a_plain_loop():
    right, species, genus = invented()
    groups = np.array(genus)
    size = {
        name: len({one for one, other in zip(species, genus, strict=True) if other == name}) for name in set(genus)
    }

    def macro(names, rows):
        chosen = np.concatenate([rows[name] for name in names])
        drawn = [groups[rows[name][0]] for name in names]
        parts = [(drawn.count(g) / size[g], right[chosen][groups[chosen] == g].mean()) for g in set(drawn)]
        return sum(weight * mean for weight, mean in parts) / sum(weight for weight, _ in parts)

    expected = plain(right, species, macro, 300)
    assert resampled(right, species, genus, repeats=300) == pytest.approx(expected, abs=1e-12)


def test_when_each_species_is_a_group_the_mean_of_species_is_drawn():
    right, species, _ = invented()
    shares = [right[np.array(species) == name].mean() for name in dict.fromkeys(species)]
    expected = plain(right, species, lambda names, _: np.mean([shares[int(i)] for i in index(names, species)]), 300)
    assert resampled(right, species, species, repeats=300) == pytest.approx(expected, abs=1e-12)


def index(names, species):
    known = list(dict.fromkeys(species))
    return [known.index(name) for name in names]


def test_a_statistic_that_is_the_mean_has_the_interval_of_the_mean():
    right, species, _ = invented()
    found = resampled_statistic(species, lambda rows: float(right[rows].mean()), repeats=250)
    assert found == pytest.approx(resampled(right, species, repeats=250), abs=1e-12)


def test_drawing_in_blocks_changes_nothing(monkeypatch):
    right, species, genus = invented()
    whole = resampled(right, species), resampled(right, species, genus)
    monkeypatch.setattr(intervals, "_DRAWN_AT_ONCE", 7 * 30)
    assert (resampled(right, species), resampled(right, species, genus)) == whole


def test_missing_species_count_each_as_its_own():
    right, _, _ = invented()
    none = resampled(right, pa.nulls(len(right), pa.string()))
    assert none == resampled(right, list(range(len(right))))
    assert none[0] < right.mean() < none[1]


def test_queries_without_a_group_do_not_count():
    right = np.array([True, True, False])
    assert resampled(right, ["a", "b", "c"], ["g", "g", None]) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no query has a group"):
        resampled(right, ["a", "b", "c"], [None, None, None])


@pytest.mark.parametrize("macro", [False, True])
def test_intervals_hold_the_truth_about_as_often_as_they_say(macro):
    generator = np.random.default_rng(0)
    held = 0
    for number in range(200):
        kind = np.repeat(np.arange(60), generator.integers(1, 12, size=60))
        right = generator.random(len(kind)) < generator.beta(2, 2, size=60)[kind]  # each species differs: truth is 0.5
        low, high = resampled(right, kind, kind if macro else None, repeats=300, seed=number)
        held += low <= 0.5 <= high
    assert 0.89 <= held / 200 <= 0.98


def test_resamples_in_which_a_statistic_has_no_value_are_left_out():
    def of_two(rows):
        return 1.0 if len(set(rows.tolist())) == 2 else float("nan")

    assert resampled_statistic(["a", "b"], of_two) == (1.0, 1.0)
    with pytest.raises(ValueError, match="no value in any of 200 resamples of 2 species"):
        resampled_statistic(["a", "b"], lambda rows: float("nan"))


def test_what_cannot_be_drawn_is_refused():
    with pytest.raises(ValueError, match="there is no query"):
        resampled(np.zeros(0, bool), [])
    with pytest.raises(ValueError, match="3 answers and 2 species"):
        resampled(np.zeros(3, bool), ["a", "b"])
    with pytest.raises(ValueError, match="2 answers and 1 groups"):
        resampled(np.zeros(2, bool), ["a", "b"], ["g"])
