"""Votes, confidences, places, new species, and the table of names."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.embedding.results import write_names
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.evaluation.accuracy import expected_calibration_error
from bioscan5m_hf.evaluation.search import Nearest
from bioscan5m_hf.library.agreement import Confidence, fit_confidence, vote
from bioscan5m_hf.library.building import build_index
from bioscan5m_hf.library.calibration import FILE, Calibration, own_calibration
from bioscan5m_hf.library.fitting import calibrate
from bioscan5m_hf.library.names import LibraryNaming, restriction_note
from bioscan5m_hf.library.neighbours import Keys
from bioscan5m_hf.library.novelty import familiarity, fit_novelty
from bioscan5m_hf.library.places import ELSEWHERE, Place, Placing, Sites, kilometres, parse_near
from bioscan5m_hf.library.vectors import Embedder


sys.path.insert(0, str(Path(__file__).parent))

from invented_library import Given, Seeing, specimens


KNOWN = 6


def asked(number=60, seed=5):
    """Give specimens of species with keys (`val`), and of species without (`val_unseen`)."""
    seen = specimens(number, KNOWN, seed, "V", "val")
    return seen + specimens(number, KNOWN, seed + 1, "U", "val_unseen", first=KNOWN)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("library") / "keys"
    index = build_index(folder, Embedder(Seeing()), Given(specimens(), split="train"))
    calibrate(index, Embedder(Seeing()), Given(asked(), name="/home/me/bioscan-5m")).save(folder / FILE)
    return folder


@pytest.fixture
def library(folder):
    from bioscan5m_hf.library.index import Index

    return Index.open(folder, Seeing())


def naming_of(index, within=None, calibrated=True, **options):
    calibration = own_calibration(index) if calibrated else None
    gap = calibration.gap if calibration else index.gap()
    return LibraryNaming(Keys(index, gap, index.within(within or {})), Embedder(Seeing()), calibration, **options)


def named(naming, rows):
    return [row for batch in Given(rows).batches() for row in naming.names(batch)]


def test_votes_equal_the_formula():
    rng = np.random.default_rng(0)
    codes = rng.integers(-1, 4, 40)
    place = np.array([rng.permutation(40)[:30] for _ in range(12)])
    scores = -np.sort(-rng.random((12, 30)), axis=1).astype(np.float32)
    factors = rng.choice([0.5, 1.0], (12, 30))
    votes = vote(Nearest(place, scores), codes, 0.1, factors, k=10)
    for row in range(12):
        mine = [
            (codes[one], s, f)
            for one, s, f in zip(place[row], scores[row], factors[row], strict=True)
            if codes[one] >= 0
        ][:10]
        weight = {code: sum(f * np.exp(s / 0.1) for one, s, f in mine if one == code) for code, _, _ in mine}
        total = sum(weight.values())
        best = sorted(weight.values(), reverse=True)
        found = votes.candidates(row, 9)
        assert np.allclose([share for _, share in found], [one / total for one in best])
        assert {int(votes.codes[row, column]) for column, _ in found} == set(weight)
        assert np.allclose(
            votes.features()[row, :2], (best[0] / total, (best[0] - (best[1] if len(best) > 1 else 0)) / total)
        )


def test_without_a_named_neighbour_there_is_no_candidate():
    votes = vote(Nearest(np.array([[0, -1]]), np.array([[0.5, -np.inf]], np.float32)), np.array([-1]), 0.1)
    assert votes.candidates(0, 3) == []
    assert votes.features().tolist() == [[0, 0, 0]]


def test_confidence_rises_with_agreement_and_is_calibrated():
    rng = np.random.default_rng(1)
    share = rng.random(6000)
    features = np.stack([share, share / 2, np.full(6000, 0.5)], axis=1)
    right = rng.random(6000) < share**2
    fitted = fit_confidence(features[:3000], right[:3000])
    stated = fitted.of(features[3000:])
    assert expected_calibration_error(stated, right[3000:]) < 0.04
    assert (np.diff(stated[np.argsort(share[3000:])]) >= -1e-9).all()
    assert Confidence.from_dict(json.loads(json.dumps(fitted.__dict__))) == fitted
    assert fit_confidence(features[:19], right[:19]) is None
    always = fit_confidence(features[:40], np.ones(40, bool))
    assert 0.95 < always.of(features[:1])[0] < 1  # of twenty that are all right, the next need not be


def test_calibration_errors_are_those_of_other_species(library):
    """Confidences are fitted and measured once more by hand."""
    from bioscan5m_hf.evaluation.labels import codes_of

    calibration = own_calibration(library)
    rows = asked()
    dna = Embedder(Seeing()).embed(next(Given(rows).batches())).vectors["dna"]
    keys = Keys(library, calibration.gap, np.ones(len(library), bool))
    fitted = calibration.kinds["dna"]
    names, codes = library.coded("species")
    votes = vote(keys.nearest("dna", {"dna": dna}), codes, fitted.temperature)
    best = [names[int(code)].as_py() for code in votes.top(votes.codes)]
    right = np.array([one == row["species"] for one, row in zip(best, rows, strict=True)])
    assert fitted.ranks["species"].right == right.sum()
    assert fitted.ranks["species"].specimens == len(rows)
    species = codes_of([row["species"] for row in rows])
    halves = (np.random.default_rng(0).permutation(species.max() + 1) % 2)[species]
    stated = np.zeros(len(rows))
    for half in (0, 1):
        one = fit_confidence(votes.features()[halves != half], right[halves != half])
        stated[halves == half] = one.of(votes.features()[halves == half])
    seen = np.array([row["split"] == "val" for row in rows])
    assert np.isclose(fitted.errors["species"]["all"], expected_calibration_error(stated, right))
    assert np.isclose(fitted.errors["species"]["val"], expected_calibration_error(stated[seen], right[seen]))
    assert np.isclose(fitted.errors["species"]["val_unseen"], expected_calibration_error(stated[~seen], right[~seen]))


def test_a_calibration_is_bound_to_its_keys_and_names_no_folder(folder, library, tmp_path):
    text = (folder / FILE).read_text()
    assert "/home" not in text
    assert '"fitted_on": "bioscan-5m"' in text
    again = Calibration.load(folder / FILE)
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_text() == text
    with pytest.raises(Bioscan5mError, match="fitted for other keys"):
        replace(again, index="else").check(library)
    (tmp_path / "again.json").write_text("{}")
    with pytest.raises(Bioscan5mError, match="is no calibration"):
        Calibration.load(tmp_path / "again.json")
    with pytest.raises(Bioscan5mError, match="bioscan5m calibrate"):
        Calibration.load(tmp_path / "absent.json")


def test_specimens_that_are_keys_do_not_find_themselves(library):
    with pytest.raises(Bioscan5mError, match="no key is left"):
        calibrate(library, Embedder(Seeing()), Given(specimens()))
    with pytest.raises(Bioscan5mError, match="fewer than 20 specimens"):
        calibrate(library, Embedder(Seeing()), Given(asked(5)))
    with pytest.raises(Bioscan5mError, match="holds no specimen"):
        calibrate(library, Embedder(Seeing()), Given([]))


def test_names_are_given_where_they_are_sure_and_nowhere_else(library):
    rows = named(naming_of(library, sure=0.8), asked(seed=31))
    seen, unseen = rows[:60], rows[60:]
    right = [row.get("species") == f"Aus{place % KNOWN // 2} b{place % KNOWN}" for place, row in enumerate(seen)]
    assert np.mean(right) > 0.65
    assert np.mean([row.get("rank") == "species" for row in unseen]) < 0.2
    for row in rows:
        if row.get("rank"):
            assert row["confidence"] >= 0.8
            assert row["name"] == row[row["rank"]]
        assert "species" not in row or row["rank"] == "species"
    assert not any(row.get("rank") for row in named(naming_of(library, sure=1.0), asked(seed=31)))


def test_new_species_are_flagged_at_the_stated_rate_and_not_named(library):
    rows = named(naming_of(library, sure=0.5), asked(120, seed=41))
    flags = [row["new_species"] for row in rows]
    assert flags[:120].count("yes") / 120 < 0.15
    assert flags[120:].count("yes") > flags[:120].count("yes")
    assert not any(row.get("species") for row in rows if row["new_species"] == "yes")
    novelty = own_calibration(library).kinds["dna"].novelty
    assert (novelty.known, novelty.new) == (60, 60)
    assert novelty.false_alarms <= 0.05
    assert "of known species" in str(novelty)


def test_the_threshold_of_new_species_by_hand():
    similarity = np.concatenate([np.linspace(0.5, 1, 100), np.linspace(0, 0.6, 50)])[:, None].astype(np.float32)
    found, new = Nearest(np.zeros((150, 1), np.int64), similarity), np.arange(150) >= 100
    fitted = fit_novelty(found, ~new, new)
    assert (similarity[:100, 0] < fitted.threshold).sum() <= 5
    assert np.isclose(fitted.found, (similarity[100:, 0] < fitted.threshold).mean())
    assert fit_novelty(found, np.zeros(150, bool), new) is None
    assert familiarity("nearest key", Nearest(np.array([[-1]]), np.array([[-np.inf]]))).tolist() == [-np.inf]


def test_without_a_calibration_candidates_are_listed_and_no_name_is_given(library):
    for row in named(naming_of(library, calibrated=False, top=2), asked(3)):
        assert row["candidate_1"]
        assert 0 < row["share_1"] <= 1
        assert row.get("share_2", 0) <= row["share_1"]
        assert len(row["nearest_processids"].split(";")) == len(row["nearest_similarities"].split(";")) == 5
        assert not {"rank", "name", "species", "new_species"} & row.keys()


def test_a_restriction_leaves_keys_out_and_says_so(library):
    naming = naming_of(library, {"order": ["Diptera"]}, top=3)
    orders = {row["processid"]: row["order"] for row in specimens()}
    for row in named(naming, asked(12)):
        assert {orders[one] for one in row["nearest_processids"].split(";")} == {"Diptera"}
    said = restriction_note(naming.keys, naming.calibration)
    assert said[0] == "60 of 120 keys left"
    assert "fitted without a restriction" in said[1]
    assert restriction_note(naming_of(library).keys, naming.calibration) == ["120 of 120 keys left"]


def test_places_are_told_or_weigh_votes_and_remove_no_key(library):
    rows = [
        row | {"country": None, "coord-lat": None, "coord-lon": None} for row in specimens(30, KNOWN, 8, "Q", None)
    ]
    plain = named(naming_of(library, top=6), rows)
    canada = Place("Canada", 45.0, -75.0)
    told = named(naming_of(library, top=6, place=canada), rows)
    weighed = named(naming_of(library, top=6, place=canada, placing=Placing.WEIGH), rows)
    about = {row["processid"]: row for row in specimens()}
    for one, other, third in zip(plain, told, weighed, strict=True):
        assert one["nearest_processids"] == other["nearest_processids"] == third["nearest_processids"]
        assert [one.get(f"share_{n}") for n in range(1, 7)] == [other.get(f"share_{n}") for n in range(1, 7)]
        assert {one.get(f"candidate_{n}") for n in range(1, 7)} == {third.get(f"candidate_{n}") for n in range(1, 7)}
        assert (one["seen_in_country"], one["nearest_km"]) == (None, None)
        own = [row["country"] for row in specimens() if row["species"] == other.get("name", other["candidate_1"])]
        assert not own or other["seen_in_country"] == ("yes" if "Canada" in own else "no")
        nearest = about[other["nearest_processids"].split(";")[0]]
        assert other["nearest_country"] == nearest["country"]
        assert other["nearest_km"] == {45.0: 0.0, 10.0: pytest.approx(3985, abs=40), None: None}[nearest["coord-lat"]]
    assert any(one["share_1"] != third["share_1"] for one, third in zip(plain, weighed, strict=True))
    nowhere = named(naming_of(library, place=Place("Atlantis")), rows[:3])
    assert {row["seen_in_country"] for row in nowhere} == {"no"}


def test_specimens_say_themselves_where_they_are_from(library):
    rows = specimens(3, KNOWN, 8, "Q", None)
    found = named(naming_of(library), rows)
    assert [row["seen_in_country"] for row in found] == ["yes", "yes", None]


def test_factors_are_those_that_are_documented(library):
    from bioscan5m_hf.library.places import Origins

    sites = Sites.of(library)
    table = next(
        Given([{"processid": "Q", "country": "Costa Rica", "coord-lat": 10.0, "coord-lon": -84.0}]).batches()
    ).table
    factors = Origins.of(table, sites, Place()).factors(sites, np.array([[0, 1, 2, -1]]), 1000)
    assert factors.tolist() == [[1, ELSEWHERE**2, 1, 1]]


def test_distances_on_the_sphere():
    assert kilometres(43.5448, -80.2482, 10.0, -84.0) == pytest.approx(3744, abs=15)
    assert np.isnan(kilometres(np.nan, 0, 0, 0))
    assert parse_near("1,2") == (1, 2, 1000)
    for text in ("1", "a,b", "1,2,3,4"):
        with pytest.raises(ValueError, match="write latitude,longitude"):
            parse_near(text)
    with pytest.raises(ValueError, match="latitudes reach"):
        Place(latitude=100.0)
    with pytest.raises(ValueError, match="above 0"):
        Place(far=0)


def test_barcodes_of_every_kind_have_their_row_in_order(library, tmp_path):
    seq = specimens(1)[0]["dna_barcode"]
    reads = {"plain": seq, "lower": seq.lower(), "rna": seq.replace("T", "U"), "gaps": seq[:9] + "--" + seq[9:]}
    reads |= {"turned": seq[::-1].translate(str.maketrans("ACGT", "TGCA"))}
    bad = {"ns": "N" * 99, "protein": "MKLVFAGRTWQPLESDHIYN", "empty": ""}
    rows = [{"processid": name, "dna_barcode": read} for name, read in (reads | bad).items()]
    naming = naming_of(library)
    assert write_names(tmp_path / "names.csv", naming, Given(rows)) == len(rows)
    lines = (tmp_path / "names.csv").read_text().splitlines()
    assert [line.split(",")[0] for line in lines[1:]] == [*reads, *bad]
    found = named(naming_of(library), rows)
    for row in found[:5]:
        assert row["modalities"] == "dna"
        assert row["nearest_processids"] == found[0]["nearest_processids"]
        assert row["problem"] is None
    assert [row["problem"] for row in found[5:]] == [
        *["the barcode cannot be used"] * 2,
        "there is neither a photograph nor a barcode",
    ]
    assert not any("nearest_processids" in row for row in found[5:])
    assert naming.problems == 3


def test_what_cannot_be_asked_is_refused(library):
    with pytest.raises(ValueError, match="use a share above 0"):
        naming_of(library, sure=0)
    with pytest.raises(ValueError, match="no key has a name at the rank subfamily"):
        naming_of(library, rank="subfamily")


def test_memory_does_not_grow_with_the_number_of_queries(library, tmp_path):
    """A batch at a time is embedded and named; nothing is kept of those before."""
    naming, sizes = naming_of(library, block=8), []
    embed = naming.embedder.encoder.embed
    naming.embedder.encoder.embed = lambda reads: (sizes.append(len(reads)), embed(reads))[1]
    assert write_names(tmp_path / "names.csv", naming, Given(specimens(50, seed=3))) == 50
    assert max(sizes) == 8
    assert isinstance(next(Given(specimens(3)).batches()).table, pa.Table)
