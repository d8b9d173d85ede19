"""Several modalities in one search that allows for the gap between them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from bioscan5m_hf.evaluation.fusion import averaged, unit
from bioscan5m_hf.evaluation.gap import KINDS, Gap, centre_of, centres_of, present
from bioscan5m_hf.evaluation.gap_fit import declared_weights, fit_gap
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.evaluation.sides import Side


WIDTH, SPECIES = 16, 30
WEIGHTS = {
    "image": {"image→image": 1.0, "image→dna": 0.5},
    "dna": {"dna→dna": 1.0, "dna→image": 0.25},
    "image+dna": {"image→image": 1.0, "dna→dna": 0.5, "image→dna": 0.2, "dna→image": 0.3},
}


def drawn(seed=0, each=4, noise=(0.4, 0.2), offset=3.0):
    """Give vectors of specimens of invented species, in two cones, and their names."""
    rng = np.random.default_rng(seed)
    species = np.random.default_rng(99).standard_normal((SPECIES, WIDTH))
    cones = np.random.default_rng(98).standard_normal((2, WIDTH)) * offset
    codes = np.repeat(np.arange(SPECIES), each)
    made = (
        species[codes] + cone + spread * rng.standard_normal((len(codes), WIDTH))
        for cone, spread in zip(cones, noise, strict=True)
    )
    vectors = dict(zip(("image", "dna"), (one.astype(np.float32) for one in made), strict=True))
    return vectors, [f"Aus b{code}" for code in codes]


def brute_force(gap, kind, queries, keys):
    """Score every key by the formula, a pair at a time."""
    centre = {} if kind in gap.uncentred else gap.centres

    def moved(name, rows):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) - centre.get(name, 0)
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    total = np.zeros((len(queries[kind.split("+")[0]]), len(keys["image"])))
    squares = np.zeros(len(keys["image"]))
    for pair, weight in gap.weights[kind].items():
        one, other = pair.split("→")
        there = keys[other].any(axis=1)
        total[:, there] += weight * moved(one, queries[one]) @ moved(other, keys[other][there]).T
        squares[there] += weight**2
    weights = np.array(list(gap.weights[kind].values()))
    return total / np.sqrt(squares) * np.sqrt((weights**2).sum()) / weights.sum()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("uncentred", [frozenset(), frozenset(KINDS)])
def test_one_search_equals_the_formula_also_for_keys_that_lack_a_modality(kind, uncentred):
    keys, queries = drawn(0)[0], drawn(1)[0]
    keys["image"][::3], keys["dna"][1::3] = 0, 0
    gap = Gap(centres_of(keys), WEIGHTS, uncentred)
    found = gap.nearest(kind, queries, keys, 7, Search(queries_at_once=11, keys_at_once=13))
    scores = brute_force(gap, kind, queries, keys)
    assert np.allclose(found.similarity, -np.sort(-scores, axis=1)[:, :7], atol=1e-5)
    assert np.allclose(np.take_along_axis(scores, found.place, 1), found.similarity, atol=1e-5)


def test_a_key_with_everything_scores_the_weighted_mean_of_its_cosines():
    vectors = drawn()[0]
    gap = Gap({}, {"image+dna": {"image→image": 1.0, "dna→dna": 1.0}})
    found = gap.nearest("image+dna", vectors, vectors)
    assert np.allclose(found.similarity, 1, atol=1e-5)
    half = {"image": vectors["image"], "dna": np.zeros_like(vectors["dna"])}
    assert np.allclose(gap.nearest("image+dna", vectors, half).similarity, np.sqrt(0.5), atol=1e-5)


def test_unrelated_keys_with_one_modality_are_found_about_as_often_as_those_with_both():
    rng = np.random.default_rng(3)
    keys, queries = (
        {name: rng.standard_normal((number, 256)).astype(np.float32) for name in ("image", "dna")}
        for number in (2000, 500)
    )
    keys["image"][:1000] = 0
    gap = Gap({}, {"image+dna": {"image→image": 1.0, "dna→dna": 1.0}})
    share = (gap.nearest("image+dna", queries, keys).place < 1000).mean()
    assert 0.35 < share < 0.65  # a mean of the cosines would give 0.99, their sum 0.01


def test_centring_closes_a_gap_that_averaging_does_not():
    keys, names = drawn(0, offset=12.0)
    queries, asked = drawn(1, offset=12.0)
    keys["image"][::2], keys["dna"][1::2] = 0, 0
    shared = {"image+dna": dict.fromkeys(("image→image", "dna→dna", "image→dna", "dna→image"), 1.0)}
    gap = Gap(centres_of(keys), shared)
    right = {}
    right["centred"] = gap.nearest("image+dna", queries, keys).place[:, 0]
    fused = {name: averaged([side["image"], side["dna"]]) for name, side in (("keys", keys), ("queries", queries))}
    right["averaged"] = Search().nearest(fused["queries"], fused["keys"]).place[:, 0]
    shares = {
        name: np.mean([names[place] == one for place, one in zip(places, asked, strict=True)])
        for name, places in right.items()
    }
    assert shares["centred"] > shares["averaged"] + 0.1


def test_the_fit_finds_the_gap_and_the_better_modality():
    keys, names = drawn(0, offset=12.0, noise=(3.0, 0.2))
    sides = [Side(drawn(seed, offset=12.0, noise=(3.0, 0.2))[0], {"species": drawn(seed)[1]}) for seed in (1, 2)]
    fitted = fit_gap(Side(keys, {"species": names}), sides)
    assert set(fitted.gap.weights) == set(KINDS)
    assert "image" not in fitted.gap.uncentred
    assert fitted.gap.weights["image+dna"].get("dna→dna", 0) > fitted.gap.weights["image+dna"].get("image→image", 0)
    best = {kind: max(tried.values()) for kind, tried in fitted.accuracies.items()}
    for kind in KINDS:
        shares = []
        for side in sides:
            place = fitted.gap.nearest(kind, side.vectors, keys).place[:, 0]
            shares.append(
                np.mean([names[one] == name for one, name in zip(place, side.labels["species"], strict=True)])
            )
        assert np.isclose(np.mean(shares), best[kind])


def test_of_equal_choices_the_simplest_is_taken():
    side = Side({"image": np.eye(4), "dna": np.eye(4)}, {"species": list("abcd")})
    fitted = fit_gap(side, [side])
    assert fitted.gap.uncentred == set(KINDS)
    assert fitted.gap.weights["image"] == {"image→image": 1.0}
    assert fitted.gap.weights["image+dna"] == {"image→image": 1.0, "dna→dna": 1.0}


def test_keys_without_name_or_modality_are_not_chosen_by():
    eye = np.eye(3, dtype=np.float32)
    keys = Side(
        {"dna": np.vstack([eye, eye]), "image": np.vstack([np.zeros((3, 3)), eye])},
        {"species": [None] * 3 + list("abc")},
    )
    fitted = fit_gap(keys, [Side({"dna": eye}, {"species": list("abc")})])
    assert set(fitted.gap.weights) == {"dna"}
    assert max(fitted.accuracies["dna"].values()) == 1
    with pytest.raises(ValueError, match="no key has a name"):
        fit_gap(Side({"dna": eye}, {"species": [None] * 3}), [Side({"dna": eye}, {"species": list("abc")})])


def test_keys_lie_in_a_file_and_a_gap_in_json(tmp_path: Path):
    keys, queries = drawn(0)[0], drawn(1)[0]
    for name, each in keys.items():
        np.save(tmp_path / f"{name}.npy", each)
    mapped = {name: np.load(tmp_path / f"{name}.npy", mmap_mode="r") for name in keys}
    gap = Gap(centres_of(mapped), WEIGHTS, frozenset({"image"}))
    again = Gap.from_dict(json.loads(json.dumps(gap.to_dict())))
    for kind in KINDS:
        one, other = gap.nearest(kind, queries, keys, 3), again.nearest(kind, queries, mapped, 3)
        assert np.array_equal(one.place, other.place)
        assert np.array_equal(one.similarity, other.similarity)


def test_a_centre_is_the_mean_of_what_is_there():
    vectors = drawn()[0]["image"]
    vectors[::2] = 0
    assert np.allclose(centre_of(vectors), unit(vectors[1::2]).mean(axis=0), atol=1e-6)
    assert centre_of(np.zeros((3, 2))) is None
    assert present(vectors).tolist() == [False, True] * (len(vectors) // 2)


@pytest.mark.parametrize(
    ("weights", "said"),
    [
        ({"image": {"dna→dna": 1.0}}, "no pair of 'image'"),
        ({"image": {"image": 1.0}}, "no pair"),
        ({"image": {"image→image": -1.0}}, "use 0 or more"),
        ({"image": {"image→image": 0.0}}, "nothing would be compared"),
    ],
)
def test_weights_that_make_no_sense_are_refused(weights, said):
    with pytest.raises(ValueError, match=said):
        Gap({}, weights)


def test_what_cannot_be_compared_is_refused():
    gap = Gap({}, WEIGHTS)
    with pytest.raises(ValueError, match="only with image, dna"):
        gap.held("text")
    with pytest.raises(ValueError, match="is compared with"):
        gap.keys("image", {"text": np.eye(2)})
    with pytest.raises(ValueError, match="one vector for each specimen"):
        gap.keys("image", {"image": np.eye(2), "dna": np.eye(3)})
    assert len(declared_weights("image")) == 5
