"""The validation of training gives what the benchmark's retrieval gives, and names photographs by texts alone."""

from __future__ import annotations

import numpy as np
import pytest

from bioscan5m_hf.evaluation.retrieval import Retrieval, retrieve
from bioscan5m_hf.evaluation.sides import Side
from bioscan5m_hf.evaluation.validation import GAP, MEAN, RANKS, distinct_texts, score_names_of, validate


GENERA = ("Aus", "Bus", "Cus")


def side(count, seed, modalities=("image", "dna"), width=8):
    """Invent specimens: a direction for each species, noise, and another offset for each modality."""
    generator = np.random.default_rng(seed)
    directions = np.random.default_rng(7).normal(size=(9, width))
    offsets = {"image": 2.0, "dna": -1.0, "text": 0.0}
    species = generator.integers(0, 9, count)
    vectors = {
        name: (directions[species] + generator.normal(size=(count, width)) + offsets[name]).astype(np.float32)
        for name in modalities
    }
    named = generator.random(count) < 0.8
    genus = [GENERA[number // 3] for number in species]
    labels = {
        "order": ["Diptera"] * count,
        "family": ["Aidae" if name == "Aus" else "Bidae" for name in genus],
        "genus": genus,
        "species": [
            f"{name} s{number}" if known else None for name, number, known in zip(genus, species, named, strict=True)
        ],
    }
    return Side(vectors, labels)


def test_scores_are_those_of_the_benchmark():
    keys, seen, unseen = side(60, 1), side(30, 2), side(25, 3)
    found = validate(keys, {"val": seen, "val_unseen": unseen}).scores
    how = Retrieval(tops=(1,), ranks=RANKS)
    outcome = retrieve({"val": seen, "val_unseen": unseen}, keys, seen="val", unseen="val_unseen", how=how)
    expected = {name.replace("top-1 ", ""): score.value for name, score in outcome.scores.items()}
    ours = {name: value for name, value in found.items() if name != MEAN}
    assert set(found) == set(score_names_of(("image", "dna"), ("val", "val_unseen")))
    assert ours.keys() == expected.keys()
    for name, value in ours.items():
        assert value == pytest.approx(expected[name]), name
    counted = [value for name, value in ours.items() if "harmonic" not in name]
    assert found[MEAN] == pytest.approx(np.mean(counted))


def test_the_gap_is_allowed_for():
    keys, seen, unseen = side(300, 1), side(300, 2), side(300, 3)
    assert validate(keys, {"val": seen, "val_unseen": unseen}).gap is None
    made = validate(keys, {"val": seen, "val_unseen": unseen}, fits=True)
    assert made.gap is not None
    ways = (f"image+dna, {GAP}", "image→image", "dna→dna", "image→dna")
    fused, *single = (made.scores[f"species/harmonic mean, {way}/micro"] for way in ways)
    assert fused > max(single)
    assert any(name.endswith(f"image, {GAP}/macro") for name in made.scores)


def test_photographs_are_named_by_texts_alone():
    keys, seen = side(60, 1), side(40, 2)
    table = distinct_texts(keys.labels)
    names = table["species"].to_pylist()
    assert len(set(names)) == len(names) == len({name for name in keys.labels["species"] if name})
    generator = np.random.default_rng(7)
    directions = generator.normal(size=(9, 8)) + 2.0  # texts lie in the middle of their photographs
    vectors = np.array([directions[int(name[-1])] for name in names], np.float32)
    texts = Side({"text": vectors}, {rank: table[rank] for rank in RANKS})
    scores = validate(keys, {"val": seen}, texts).scores
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    nearest = [names[place] for place in (seen.vectors["image"] @ unit.T).argmax(axis=1)]
    right = [one == true for one, true in zip(nearest, seen.labels["species"], strict=True) if true]
    assert scores["species/val, image→text/micro"] == pytest.approx(np.mean(right))
    assert scores["species/val, image→text/micro"] > 0.5


def test_what_cannot_be_counted_is_said():
    keys, seen = side(10, 1), side(5, 2)
    nameless = Side(seen.vectors, {rank: [None] * 5 for rank in RANKS})
    with pytest.raises(ValueError, match="no query has a name at any of the ranks"):
        validate(keys, {"val": nameless})
