"""Retrieval follows the published rule, keeps plates apart where it says so, and reads keys where they lie."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bioscan5m_hf.evaluation.accuracy import harmonic_mean, top_accuracy
from bioscan5m_hf.evaluation.fusion import averaged, concatenated
from bioscan5m_hf.evaluation.retrieval import MAIN, Retrieval, retrieve
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.evaluation.sides import Side, plates


RANDOM = np.random.default_rng(0)
CENTRES = RANDOM.standard_normal((24, 8))
ONLY = Retrieval(directions=("image→dna",))


def side(species, seed, **more):
    """Invent specimens: photographs, barcodes and texts scattered around the centres of their species."""
    random = np.random.default_rng(seed)
    spread = {"image": 1.2, "dna": 0.4, "text": 0.2}
    vectors = {
        name: (CENTRES[species] + width * random.standard_normal((len(species), 8))).astype(np.float32)
        for name, width in spread.items()
    }
    labels = {
        "order": ["Diptera" if each < 12 else None for each in species],
        "genus": [f"G{each // 3}" for each in species],
        "species": [f"G{each // 3} s{each}" for each in species],
    }
    return Side(vectors, labels, **more)


KEYS = (side(np.arange(96) % 16, 1), side(16 + np.arange(40) % 8, 2))
SEEN, UNSEEN = side(np.arange(60) % 16, 3), side(16 + np.arange(45) % 8, 4)
PARTS = {"test": SEEN, "test_unseen": UNSEEN}


def test_it_is_what_the_published_code_gave(parity):
    case = json.loads((parity / "clibd" / "retrieval.json").read_text())

    def of(vectors, taxa):
        names = {rank: [case["taxa"][taxon][rank] for taxon in case[taxa]] for rank in case["taxa"][0]}
        return Side({"image": np.array(case[vectors], np.float32)}, names)

    how = Retrieval(ranks=("order", "family", "genus", "species"))
    found = retrieve({"test": of("queries", "query_taxon")}, of("keys", "key_taxon"), how=how).scores
    for top in (1, 3, 5):
        for rank in how.ranks:
            for average in ("micro", "macro"):
                score = found[f"{rank}/test, image→image/top-{top} {average}"]
                assert score.value == pytest.approx(case[average][str(top)][rank])


@pytest.mark.parametrize(
    "direction", ["image→dna", "dna→image", "averaged→text", "concatenated→concatenated", "text→all"]
)
def test_every_direction_is_scored_as_top_accuracy_does(direction):
    found = retrieve(PARTS, KEYS, how=Retrieval(directions=(direction,))).scores

    def view(of, name):
        pair = [of.vectors["image"], of.vectors["dna"]]
        if name == "all":
            return np.concatenate(list(of.vectors.values()))
        return (
            {"averaged": averaged, "concatenated": concatenated}[name](pair)
            if name not in of.vectors
            else of.vectors[name]
        )

    asked, kind = direction.split("→")
    keys = Side.together(KEYS)
    held = {name: vectors[0:136] for name, vectors in keys.vectors.items()}
    nearest = Search().nearest(view(UNSEEN, asked), view(Side(held, keys.labels), kind), 5).place % 136
    for rank in ("genus", "species"):
        names = keys.labels[rank].to_pylist()
        expected = top_accuracy([[names[place] for place in row] for row in nearest], UNSEEN.labels[rank])
        for top, one in expected.items():
            score = found[f"{rank}/test_unseen, {direction}/top-{top} micro"]
            assert (score.value, score.n) == (pytest.approx(one.micro), one.n)
            assert score.low <= score.value <= score.high
            assert found[f"{rank}/test_unseen, {direction}/top-{top} macro"].value == pytest.approx(one.macro)


def test_all_kinds_of_one_width_are_compared():
    outcome = retrieve(PARTS, KEYS, how=Retrieval(ranks=("species",), tops=(1,)))
    directions = outcome.settings["directions"]
    single = ["image", "dna", "text", "averaged"]
    expected = {f"{one}→{other}" for one in single for other in [*single, "all"]} | {"concatenated→concatenated"}
    assert set(directions) == expected
    assert len(directions) == 21
    assert MAIN in outcome.scores
    assert outcome.counts == {"keys": 136, "queries of test": 60, "queries of test_unseen": 45}


def test_seen_and_unseen_are_joined_by_their_harmonic_mean():
    found = retrieve(PARTS, KEYS, how=ONLY).scores
    for rank, top, average in (("genus", 1, "micro"), ("species", 5, "macro")):
        parts = [found[f"{rank}/{part}, image→dna/top-{top} {average}"] for part in PARTS]
        score = found[f"{rank}/harmonic mean, image→dna/top-{top} {average}"]
        assert score.value == pytest.approx(harmonic_mean(parts[0].value, parts[1].value))
        assert score.n == 105
        assert score.low < score.value < score.high
        assert score.low >= harmonic_mean(*(part.low for part in parts)) - 0.01
        assert score.high <= harmonic_mean(*(part.high for part in parts)) + 0.01
    assert not any("harmonic" in name for name in retrieve({"test": SEEN}, KEYS, how=ONLY).scores)


def test_queries_and_keys_without_a_name():
    found = retrieve(PARTS, KEYS, how=ONLY).scores
    assert found["order/test, image→dna/top-1 micro"].n == sum(name is not None for name in SEEN.labels["order"])
    assert "order/test_unseen, image→dna/top-1 micro" not in found  # none has an order
    as_names = retrieve(PARTS, KEYS, how=Retrieval(directions=("image→dna",), missing="name")).scores
    assert as_names["order/test, image→dna/top-1 micro"].n == 60
    assert as_names["order/test_unseen, image→dna/top-1 micro"].n == 45
    bare = Side({"dna": np.eye(2, dtype=np.float32)}, {"species": [None, "Aus bus"]})
    query = Side({"dna": np.eye(2, dtype=np.float32)[:1]}, {"species": ["Aus bus"]})
    one = retrieve({"test": query}, bare, how=Retrieval(tops=(1, 2))).scores
    assert [one[f"species/test, dna→dna/top-{top} micro"].value for top in (1, 2)] == [0, 1]  # it fills its place


def test_keys_of_the_own_plate_are_left_out():
    ids = [f"BIOUG{number % 3}-A{number % 12 + 1:02d}" for number in range(45)]
    own = Side(UNSEEN.vectors, UNSEEN.labels, sampleid=ids)
    key_ids = [f"BIOUG{number % 4}-H{number % 12 + 1:02d}" for number in range(136)]
    both = Side.together(KEYS)
    vectors = {"image": both.vectors["image"][0:136]}
    keys = Side(vectors, both.labels, sampleid=key_ids)
    how = Retrieval(ranks=("species",), tops=(1,), directions=("image→image",))
    found = retrieve({"test_unseen": own}, keys, how=how).scores
    right = []
    for row in range(45):
        others = np.array([plates([key])[0] != plates([ids[row]])[0] for key in key_ids])
        place = np.flatnonzero(others)[
            Search().nearest(own.vectors["image"][[row]], vectors["image"][others]).place[0, 0]
        ]
        right.append(both.labels["species"][int(place)].as_py() == own.labels["species"][row])
    name = "species/test_unseen, image→image, other plates/top-1 micro"
    assert found[name].value == pytest.approx(np.mean(right))
    plain = retrieve({"test_unseen": UNSEEN}, KEYS, how=how).scores
    assert plain["species/test_unseen, image→image/top-1 micro"].value == pytest.approx(
        found["species/test_unseen, image→image/top-1 micro"].value
    )
    assert not any("other plates" in name for name in plain)


def test_countries_and_strata_have_top_1_scores_of_their_own():
    country = ["Costa Rica" if number % 3 else "Canada" for number in range(45)]
    masks = {"Linnaean": np.arange(45) % 2 == 0}
    asked = Side(UNSEEN.vectors, UNSEEN.labels, country=country, masks=masks)
    found = retrieve({"test_unseen": asked}, KEYS, how=Retrieval(directions=("image→dna",), least=20)).scores
    apart = [name for name in found if name.startswith("species/") and "micro" in name and "top-1" in name]
    assert apart == [
        "species/test_unseen, image→dna/top-1 micro",
        "species/test_unseen, image→dna, Linnaean/top-1 micro",
        "species/test_unseen, image→dna, country Costa Rica/top-1 micro",  # Canada has too few
    ]
    assert [found[name].n for name in apart] == [45, 23, 30]


def test_different_names_are_counted_by_option():
    one = retrieve(PARTS, KEYS, how=ONLY).scores
    other = retrieve(PARTS, KEYS, how=Retrieval(directions=("image→dna",), distinct=True)).scores
    for name, score in ((name, score) for name, score in one.items() if not name.startswith("order/")):
        if "top-1" in name and "macro" in name:
            assert other[name].value == pytest.approx(score.value)
        elif "/harmonic" not in name:
            assert other[name].value >= score.value - 1e-12
    assert other["species/test, image→dna/top-5 micro"].value > one["species/test, image→dna/top-5 micro"].value


def test_what_cannot_be_compared_is_named():
    with pytest.raises(ValueError, match="there is no direction 'image→sound': use some of image→image"):
        retrieve(PARTS, KEYS, how=Retrieval(directions=("image→sound",)))
    with pytest.raises(ValueError, match="numbers of specimens differ: dna 2, species 3"):
        Side({"dna": np.eye(2)}, {"species": ["a", "b", "c"]})
    with pytest.raises(ValueError, match="unknown modality 'sound': use some of image, dna, text"):
        Side({"sound": np.eye(2)}, {"species": ["a", "b"]})
    narrow = Side({"dna": np.eye(2, dtype=np.float32)}, {"species": ["a", "b"]})
    with pytest.raises(ValueError, match="no kind of vectors of one width"):
        retrieve({"test": narrow}, KEYS)
    nameless = Side(narrow.vectors, {"species": [None, None]})
    with pytest.raises(ValueError, match="no query has a name at any of the ranks order, family"):
        retrieve({"test": nameless}, narrow)
