"""Distances within groups, the barcode gap and the frame: on barcodes whose distances are known, and on real ones."""

import math

import numpy as np
import pyarrow as pa
import pytest
from data.folders import write_folder

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.statistics import statistics
from bioscan5m_hf.data.statistics.count import open_rows
from bioscan5m_hf.data.statistics.distances import choose
from bioscan5m_hf.data.statistics.frame import learn_region, place
from bioscan5m_hf.data.statistics.pairs import Marks, p_distances
from bioscan5m_hf.data.statistics.scan import scan
from bioscan5m_hf.data.statistics.sequences import read_sequences
from bioscan5m_hf.dna.words import NO_BASE


LENGTH = 400
RANDOM = np.random.default_rng(7)
BASE = "".join(RANDOM.choice(list("ACGT"), LENGTH))
TRANSITION = dict(zip("ACGT", "GTAC", strict=True))
TRANSVERSION = dict(zip("ACGT", "CATG", strict=True))


def changed(places, by=TRANSITION, text=BASE):
    letters = list(text)
    for at in places:
        letters[at] = by[letters[at]]
    return "".join(letters)


def row(number, barcode, **values):
    return {"processid": f"MADE{number:03d}-26", "dna_barcode": barcode, **values}


NAMES = {"class": "Insecta", "order": "Diptera", "family": "Phoridae"}
FAR = changed(range(0, 200, 5), TRANSVERSION)
"""40 transversions from the base."""


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    bus, dus, eus = ({**NAMES, "genus": "Aus", "species": f"Aus {name}us"} for name in "bde")
    rows = [
        row(1, BASE, **bus),
        row(2, changed([3, 9, 50, 80]), **bus),
        row(3, "NN" + BASE[2:-1] + "N", **bus),
        row(4, FAR, **dus),
        row(5, FAR, **dus),
        row(6, changed([201], text=FAR), **eus),
        row(7, changed(range(250), TRANSVERSION)[:250], **{**NAMES, "species": "Cus fus"}),
    ]
    return write_folder(tmp_path_factory.mktemp("known") / "made", {"train": rows})


@pytest.fixture(scope="module")
def found(made):
    return statistics(made, distances=True, reference=True)


def one(rows, **wanted):
    (row,) = [row for row in rows if all(row[name] == value for name, value in wanted.items())]
    return row


def test_p_distances_of_a_species_are_those_of_its_different_barcodes(found):
    within = one(found["distances"], measure="p", name="Aus bus")
    assert (within["barcodes"], within["pairs"], within["minimum"]) == (3, 3, 0)
    assert within["maximum"] == pytest.approx(4 / 397)  # Ns are not compared
    assert within["mean"] == pytest.approx((4 / 400 + 4 / 397) / 3)
    assert (within["class"], within["order"]) == ("Insecta", "Diptera")


def test_kimuras_distance_is_that_of_the_formula(found):
    transitions, transversions = 3 / 400, 40 / 400  # of the second and the sixth specimen
    expected = -0.5 * math.log((1 - 2 * transitions - transversions) * math.sqrt(1 - 2 * transversions))
    assert one(found["distances"], measure="K2P", name="Aus")["maximum"] == pytest.approx(expected, rel=1e-5)


def test_a_pair_that_overlaps_too_little_is_none(found):
    family = one(found["distances"], measure="p", name="Phoridae")
    assert family["barcodes"] == 6
    assert family["pairs"] == 10  # the one of 250 bases has none


def test_gap_is_nearest_other_less_largest_within(found):
    gap = {row["species"]: row for row in found["barcode_gap"]}
    assert gap["Aus bus"]["largest_within"] == pytest.approx(4 / 397)
    assert gap["Aus bus"]["nearest_species"] == "Aus dus"
    assert gap["Aus bus"]["nearest_other"] == pytest.approx(39 / 397)  # one of the forty is an N
    assert (gap["Aus dus"]["largest_within"], gap["Aus dus"]["specimens"], gap["Aus dus"]["barcodes"]) == (0, 2, 1)
    assert gap["Aus dus"]["gap"] == pytest.approx(1 / 400)
    assert gap["Aus eus"]["largest_within"] is None
    assert gap["Aus eus"]["gap"] is None
    assert gap["Cus fus"]["nearest_other"] is None
    assert found["barcode_gap_summary"] == [
        {"species": 4, "known": 2, "with_gap": 2, "share": 1.0, "at_no_distance": 0}
    ]


def test_species_of_a_family_of_their_own_are_compared_within_their_order(tmp_path):
    rows = [
        row(1, BASE, **NAMES, species="Aus bus"),
        row(2, FAR, **NAMES | {"family": "Muscidae"}, species="Cus dus"),
        row(3, BASE, **NAMES | {"order": "Araneae", "family": None}, species="Eus fus"),
    ]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}), distances=True)
    gap = {row["species"]: row["nearest_species"] for row in found["barcode_gap"]}
    assert gap == {"Aus bus": "Cus dus", "Cus dus": "Aus bus", "Eus fus": "Aus bus"}


def test_species_without_family_and_order_are_compared_with_all(tmp_path):
    rows = [
        row(1, BASE, species="Aus bus"),
        row(2, FAR, species="Cus dus"),
        row(3, changed([3]), **NAMES, species="E f"),
    ]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}), distances=True)
    gap = {row["species"]: row["nearest_species"] for row in found["barcode_gap"]}
    assert gap == {"Aus bus": "E f", "Cus dus": "Aus bus", "E f": "Aus bus"}
    assert found["barcode_gap_summary"][0]["species"] == 3


def test_a_barcode_that_two_species_share_leaves_no_gap(tmp_path):
    rows = [row(1, BASE, **NAMES, species="Aus bus"), row(2, BASE, **NAMES, species="Aus bus")]
    rows += [row(3, BASE, **NAMES, species="Cus dus")]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}), distances=True)
    assert found["barcode_gap"][0]["nearest_other"] == 0
    assert found["barcode_gap_summary"][0]["at_no_distance"] == 2


def test_the_published_rule_needs_more_than_four_and_leaves_equal_texts_out(tmp_path):
    several = [changed(range(count)) for count in range(5)]
    rows = [row(number, text, **NAMES, species="Aus bus") for number, text in enumerate([*several, several[0] + "N"])]
    rows += [row(20 + number, text, **NAMES, species="Cus dus") for number, text in enumerate(several[:4])]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}), reference=True)
    species = [row for row in found["distances"] if row["rank"] == "species"]
    assert [row["name"] for row in species] == ["Aus bus"]
    assert (species[0]["measure"], species[0]["barcodes"], species[0]["pairs"]) == ("OSA", 6, 14)
    expected = [abs(one - other) for one in range(5) for other in range(one)] + [1, 2, 3, 4]
    assert species[0]["mean"] == pytest.approx(np.mean(expected))
    assert one(found["distance_ranks"], rank="species")["mean"] == species[0]["mean"]


def test_edits_swap_neighbours_at_the_cost_of_one(tmp_path):
    at = BASE.index("AC")
    swapped = BASE[:at] + "CA" + BASE[at + 2 :]
    rows = [
        row(number, text, **NAMES, species="Aus bus")
        for number, text in enumerate([BASE, swapped, *(changed([place]) for place in (350, 360, 370))])
    ]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}), reference=True)
    osa = one(found["distances"], rank="species")
    assert (osa["minimum"], osa["maximum"]) == (1, 2)


def test_large_groups_are_drawn_from_by_seed_and_species_are_not(made):
    source = open_rows(made)
    coded = scan(source, source.choose_splits("all"))
    drawn, again, other = (choose(coded, seed, most=3) for seed in (0, 0, 5))
    assert len(drawn["family"].of(0)) == 3
    assert drawn["family"].barcodes.tolist() == again["family"].barcodes.tolist()
    assert any(drawn[rank].barcodes.tolist() != other[rank].barcodes.tolist() for rank in ("class", "order", "family"))
    assert drawn["species"].barcodes.tolist() == choose(coded)["species"].barcodes.tolist()


@pytest.mark.parametrize(
    "values",
    [{"dna_barcode": None, "species": "Aus bus"}, {"dna_barcode": "NNN", "species": "Aus bus"}, {"dna_barcode": BASE}],
)
def test_without_barcodes_or_names_there_are_no_distances_and_it_is_said(tmp_path, values):
    folder = write_folder(tmp_path / "made", {"train": [{"processid": "MADE001-26", **values}] * 2})
    found = statistics(folder, distances=True, reference=True)
    assert found["distances"] == found["barcode_gap"] == []
    assert any("no distances" in note for note in found.notes)


def evolved(count, random):
    """Give barcodes that descend from each other, whole and in one frame; and as they are read.

    Some lost or gained a codon inside, some have Ns, and each was cut off somewhere: those places are 4 in the frame.
    """
    whole = [random.choice(4, 658, p=[0.31, 0.16, 0.15, 0.38]).astype(np.uint8)]
    while len(whole) < count:
        child = whole[random.integers(len(whole))].copy()
        child[random.choice(658, random.integers(2, 25), replace=False)] = random.integers(0, 4)
        whole.append(child)
    read = []
    for row in whole:
        first, last = random.integers(0, 40, 2)
        row[:first], row[658 - last :] = 4, 4
        kind, at = random.integers(5), int(random.integers(150, 450))
        row[at : at + 3] = 4 if kind < 2 else row[at : at + 3]
        text = np.frombuffer(b"ACGTN", np.uint8)[row].tobytes().decode()
        text = text[:at] + text[at + 3 :] if kind == 0 else text
        text = text[: at + 9] + "ATT" + text[at + 9 :] if kind == 2 else text
        read.append(text.strip("N"))
    return np.stack(whole), read


def test_distances_in_the_frame_are_those_of_how_the_barcodes_evolved():
    from bioscan5m_hf.embedding.alignment import compare as align

    whole, texts = evolved(60, np.random.default_rng(3))
    barcodes = pa.array(texts)
    true = p_distances(Marks.of(whole), Marks.of(whole))
    marks = Marks.of(place(barcodes, learn_region(barcodes)))
    found = p_distances(marks, marks)
    assert np.median(np.abs(found - true)) < 0.0005
    assert np.abs(found - true).max() < 0.02
    pairs = np.random.default_rng(4).integers(0, len(texts), (300, 2))
    aligned = np.array([1 - align(texts[left], texts[right]).identity / 100 for left, right in pairs])
    left, right = pairs.T
    assert np.abs(found[left, right] - true[left, right]).mean() < np.abs(aligned - true[left, right]).mean()
    assert np.abs(found[left, right] - aligned).max() < 0.03  # there, each letter of a gap counts as a difference


def test_a_barcode_of_n_alone_is_no_model_for_others():
    random = np.random.default_rng(0)
    base = "".join(random.choice(list("ACGT"), 600))
    odd = base[:200] + "".join(random.choice(list("ACGT"), 40)) + base[200:]
    barcodes = pa.array(["N" * 600, base, odd, base, "N" * 30])
    placed = place(barcodes, learn_region(barcodes))
    assert (placed[[0, 4]] == NO_BASE).all()
    assert (placed[1] != NO_BASE).all()
    alone = pa.array(["N" * 600, odd])
    assert place(alone, learn_region(barcodes)).shape == (2, 600)


@pytest.mark.slow
def test_distances_of_real_barcodes_are_those_of_pairwise_alignments(shared_data, tmp_path):
    from bioscan5m_hf.embedding.alignment import compare as align

    build(shared_data / "real_barcodes", tmp_path / "real", options=Options(workers=1))
    source = open_rows(tmp_path / "real")
    coded = scan(source, ("val", "test"))
    chosen = choose(coded)
    sequences = read_sequences(source, coded, chosen)
    random = np.random.default_rng(0)
    groups = chosen["species"]
    apart = []
    for number in random.choice(np.flatnonzero(np.diff(groups.starts) > 1), 200):
        left, right = random.choice(sequences.places(groups.of(number)), 2, replace=False)
        marks = Marks.of(sequences.rows[[left, right]])
        pair = align(sequences.texts[int(left)].as_py(), sequences.texts[int(right)].as_py())
        apart.append(p_distances(marks, marks)[0, 1] - 1 + pair.identity / 100)
    apart = np.abs(apart)
    assert np.isnan(apart).mean() < 0.02  # fewer than 300 bases overlap
    apart = apart[~np.isnan(apart)]
    assert np.median(apart) < 0.0005
    assert np.mean(apart < 0.01) > 0.9
