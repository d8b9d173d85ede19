"""Accuracies count what they say they count."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.evaluation.accuracy import (
    accuracy,
    expected_calibration_error,
    harmonic_mean,
    ranks_apart,
    taxonomic_accuracy,
    top_accuracy,
)


NAMES = st.sampled_from(["a", "b", "c", None])
PAIRS = st.lists(st.tuples(NAMES, NAMES), min_size=1, max_size=30).filter(lambda rows: any(row[1] for row in rows))


@given(PAIRS)
@settings(deadline=None)
def test_it_is_what_scikit_learn_says(pairs):
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn comes with the extra eval")
    known = [(found or "none", true) for found, true in pairs if true is not None]
    found, true = zip(*known, strict=True)
    ours = accuracy(*zip(*pairs, strict=True))
    assert ours.micro == pytest.approx(metrics.accuracy_score(true, found))
    # recall averaged over the classes that are true somewhere
    assert ours.macro == pytest.approx(metrics.recall_score(true, found, labels=sorted(set(true)), average="macro"))
    assert (ours.n, ours.classes) == (len(known), len(set(true)))


@given(PAIRS, st.permutations(["a", "b", "c"]), st.randoms(use_true_random=False))
def test_neither_order_nor_names_matter(pairs, others, random):
    renamed = dict(zip("abc", others, strict=True)) | {None: None}
    shuffled = [(renamed[found], renamed[true]) for found, true in pairs]
    random.shuffle(shuffled)
    ours, theirs = (accuracy(*zip(*rows, strict=True)) for rows in (pairs, shuffled))
    assert vars(ours) == {name: pytest.approx(value) for name, value in vars(theirs).items()}


def test_ranks_without_true_names_are_left_out():
    truth = [
        {"order": "Diptera", "genus": None, "dna_bin": "BOLD:AAA0001"},
        {"order": "Araneae", "family": "Lycosidae"},
    ]
    found = taxonomic_accuracy([{"order": "Diptera"}, {"order": "Diptera", "family": "Lycosidae"}], truth)
    assert list(found) == ["order", "family", "dna_bin"]
    assert [(each.micro, each.n) for each in found.values()] == [(0.5, 2), (1.0, 1), (0.0, 1)]


def test_candidates_of_one_name_fill_several_places():
    found = top_accuracy([["b", "b", "b", "a"], ["a"]], ["a", "a"], tops=(1, 3, 5))
    assert [each.micro for each in found.values()] == [0.5, 0.5, 1.0]
    assert top_accuracy([[None], ["a"]], [None, "a"], tops=(1,))[1].n == 1


@given(st.floats(0, 1), st.floats(0, 1))
def test_the_harmonic_mean_lies_between_and_nearer_to_the_smaller(seen, unseen):
    mean = harmonic_mean(seen, unseen)
    assert min(seen, unseen) - 1e-12 <= mean <= (seen + unseen) / 2 + 1e-12
    assert mean == harmonic_mean(unseen, seen)


def test_how_grave_a_mistake_is():
    truth = {"order": "Diptera", "family": "Phoridae", "subfamily": None, "genus": "Megaselia", "species": "M. rufa"}
    same = dict(truth)
    assert ranks_apart(same, truth) == 0
    assert ranks_apart(same | {"species": "M. alba"}, truth) == 1
    assert ranks_apart({"family": "Phoridae"}, truth) == 2  # the subfamily, which nobody knows, is no step
    assert ranks_apart({}, truth) == 4
    assert ranks_apart(same, {"order": "Diptera"}) is None
    assert ranks_apart({"order": "Araneae"}, truth, "order") == 1
    with pytest.raises(ValueError, match="rank is 'dna_bin': use one of phylum"):
        ranks_apart(same, truth, "dna_bin")


@given(st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=50))
def test_the_calibration_error_is_the_one_of_a_plain_loop(rows):
    total = 0.0
    bounds = np.linspace(0, 1, 16)
    for number, (low, high) in enumerate(pairwise(bounds)):
        inside = [(stated, hit) for stated, hit in rows if low < stated <= high or (stated == 0 and number == 0)]
        total += abs(sum(stated - hit for stated, hit in inside))
    stated, hits = zip(*rows, strict=True)
    assert expected_calibration_error(stated, hits) == pytest.approx(total / len(rows), abs=1e-9)


def test_confidences_that_are_met_have_no_error():
    random = np.random.default_rng(0)
    stated = random.random(200_000)
    hits = random.random(200_000) < stated
    assert expected_calibration_error(stated, hits) < 0.01
    assert expected_calibration_error(np.ones(10), np.zeros(10, bool)) == 1.0


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: accuracy(["a"], []), "1 predictions for 0 references"),
        (lambda: accuracy(["a"], [None]), "no specimen has a true name at this rank"),
        (lambda: taxonomic_accuracy([{"genera": "A"}], [{"order": "B"}]), "unknown rank 'genera'"),
        (lambda: taxonomic_accuracy([{}], [{}]), "no specimen has a true name at any rank"),
        (lambda: top_accuracy([["a"]], ["a"], tops=(0,)), "use numbers from 1"),
        (lambda: harmonic_mean(-1, 1), "cannot be negative"),
        (lambda: expected_calibration_error([0.5, float("nan")], [True, True]), "the confidence in row 1 is nan"),
        (lambda: expected_calibration_error([0.5], [True, False]), "give one of each"),
        (lambda: expected_calibration_error([0.5], [True], bins=0), "bins is 0"),
    ],
)
def test_what_cannot_be_counted_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
