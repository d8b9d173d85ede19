"""What the invented specimens are: splits, names, places, barcodes."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from itertools import combinations, pairwise

import numpy as np
import pytest

from bioscan5m_hf import splits
from bioscan5m_hf.synthetic import barcodes, shares
from bioscan5m_hf.synthetic.orders import MAJOR, ORDERS
from bioscan5m_hf.synthetic.places import COUNTRIES
from bioscan5m_hf.taxonomy import RANKS, is_filler


Rows = list[dict[str, str]]
PLACEHOLDER = re.compile(r"[A-Z][a-z]+ (Malaise\d+|sp\. \w+|cf\. [a-z]+)")
BINOMIAL = re.compile(r"[A-Z][a-z]+ [a-z]+")


def by_split(rows: Rows, column: str) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {name: set() for name in splits.SPLIT_NAMES}
    for row in rows:
        found[row["split"]].add(row[column])
    return found


def full_length(rows: Rows) -> list[tuple[dict[str, str], np.ndarray]]:
    return [
        (row, np.frombuffer(row["dna_barcode"].encode(), np.uint8))
        for row in rows
        if len(row["dna_barcode"]) == 658 and "N" not in row["dna_barcode"]
    ]


def share(rows: Rows, column: str) -> float:
    return sum(bool(row[column]) for row in rows) / len(rows)


@pytest.mark.parametrize("specimens", [shares.MINIMUM, 120, 2000, 500_000, 5_150_850])
def test_split_sizes_add_up_and_none_is_empty(specimens: int) -> None:
    sizes = shares.split_sizes(specimens)
    assert sum(sizes.values()) == specimens
    assert min(sizes.values()) > 0
    if specimens == 5_150_850:
        assert sizes == {split.name: split.specimens for split in splits.SPLITS}


def test_a_small_release_has_all_splits_and_all_major_orders(rows: Rows) -> None:
    assert Counter(row["split"] for row in rows) == shares.split_sizes(len(rows))
    assert set(MAJOR) <= {row["order"] for row in rows}


@pytest.mark.parametrize("name", ["rows", "many_rows"])
def test_barcodes_are_in_one_split_only_also_without_their_n(name: str, request: pytest.FixtureRequest) -> None:
    rows: Rows = request.getfixturevalue(name)
    for trim in ("", "N"):
        sets = by_split([{**row, "dna_barcode": row["dna_barcode"].strip(trim)} for row in rows], "dna_barcode")
        assert sum(map(len, sets.values())) == len(set().union(*sets.values()))


@pytest.mark.parametrize("name", ["rows", "many_rows"])
def test_species_keep_to_their_splits(name: str, request: pytest.FixtureRequest) -> None:
    rows: Rows = request.getfixturevalue(name)
    species, genus = by_split(rows, "species"), by_split(rows, "genus")
    assert species["pretrain"] == {""}
    assert species["val"] <= species["train"]
    assert species["test"] <= species["train"]
    assert species["val_unseen"] | species["test_unseen"] <= species["key_unseen"]
    assert not species["train"] & species["key_unseen"]
    assert not species["other_heldout"] & (species["train"] | species["key_unseen"])
    assert genus["key_unseen"] <= genus["train"]
    assert all(BINOMIAL.fullmatch(one) for one in species["train"])
    assert all(PLACEHOLDER.fullmatch(one) for one in species["key_unseen"] | species["other_heldout"])


def test_unseen_species_have_as_many_rows_as_the_official_procedure_asks_for(many_rows: Rows) -> None:
    unseen = Counter(row["species"] for row in many_rows if row["split"].endswith("_unseen"))
    assert min(unseen.values()) >= 6
    assert sum(count >= 8 for count in unseen.values()) / len(unseen) > 0.9


def test_chunks_follow_the_md5_rule_and_ids_are_unique(many_rows: Rows) -> None:
    assert all(row["chunk"] == (splits.chunk(row["processid"], row["split"]) or "") for row in many_rows)
    assert len({row["processid"] for row in many_rows}) == len({row["sampleid"] for row in many_rows}) == 6000
    assert all(re.fullmatch(r"INV[A-Z]{2}\d+-\d\d", row["processid"]) for row in many_rows)
    assert all(re.fullmatch(r"INV-[A-Z]{2}\d{5}-[A-H](0\d|1[0-2])", row["sampleid"]) for row in many_rows)


def test_names_have_holes_at_about_the_real_rates(many_rows: Rows) -> None:
    pretrain = [row for row in many_rows if row["split"] == "pretrain"]
    rest = [row for row in many_rows if row["split"] != "pretrain"]
    assert share(pretrain, "family") == pytest.approx(0.954, abs=0.015)
    assert share(pretrain, "subfamily") == pytest.approx(0.224, abs=0.04)
    assert share(pretrain, "genus") == pytest.approx(0.161, abs=0.02)
    assert share(rest, "species") == share(rest, "family") == 1.0
    assert 0.8 < share(rest, "subfamily") < 1.0
    assert 0.99 < share(many_rows, "dna_bin") < 1.0
    assert 0.85 < share(many_rows, "province_state") < 1.0
    assert 0.98 < share(many_rows, "coord-lat") < 1.0
    assert sum(not row["country"] for row in many_rows) == 1


def test_the_taxon_is_the_finest_name(many_rows: Rows) -> None:
    for row in many_rows:
        names = [row[rank] for rank in RANKS if row[rank] and not is_filler(row[rank])]
        assert row["taxon"] == names[-1]


def test_fillers_stand_where_a_family_has_no_subfamilies(many_rows: Rows) -> None:
    fillers = [row for row in many_rows if is_filler(row["subfamily"])]
    assert fillers
    assert all(row["subfamily"] == f"unassigned {row['family']}" and row["genus"] for row in fillers)
    proper = {row["family"] for row in many_rows if row["subfamily"] and not is_filler(row["subfamily"])}
    assert not proper & {row["family"] for row in fillers}


def test_names_have_one_parent_except_a_few_homonyms(many_rows: Rows) -> None:
    for rank, parent in (("subfamily", "family"), ("family", "order"), ("order", "class"), ("species", "genus")):
        parents = defaultdict(set)
        for row in many_rows:
            if row[rank] and row[parent]:
                parents[row[rank]].add(row[parent])
        assert all(len(found) == 1 for found in parents.values()), rank
    families = defaultdict(set)
    for row in many_rows:
        if row["genus"]:
            families[row["genus"]].add(row["family"])
    assert 1 <= sum(len(found) == 2 for found in families.values()) < 0.05 * len(families)


def test_orders_have_real_names_and_shares(many_rows: Rows) -> None:
    known = {order.name: order.class_name for order in ORDERS}
    assert all(known[row["order"]] == row["class"] for row in many_rows if row["order"])
    pretrain = Counter(row["order"] for row in many_rows if row["split"] == "pretrain")
    assert pretrain["Diptera"] / pretrain.total() == pytest.approx(0.71, abs=0.02)


def test_bins_look_like_bins_and_most_belong_to_one_species(many_rows: Rows) -> None:
    species = defaultdict(set)
    for row in many_rows:
        if row["dna_bin"]:
            assert re.fullmatch(r"BOLD:[A-Z]{3}\d{4}", row["dna_bin"])
            if row["species"]:
                species[row["dna_bin"]].add(row["species"])
    assert sum(len(found) == 1 for found in species.values()) / len(species) > 0.9
    sets = by_split(many_rows, "dna_bin")
    assert (sets["pretrain"] & sets["train"]) - {""}


def test_places_are_in_known_countries(many_rows: Rows) -> None:
    countries = Counter(row["country"] for row in many_rows)
    assert set(countries) - {""} <= {place[0] for place in COUNTRIES}
    assert countries["Costa Rica"] / countries.total() == pytest.approx(0.632, abs=0.1)
    middle = {place[0]: place[2:4] for place in COUNTRIES}
    for row in many_rows:
        if row["country"] and row["coord-lat"]:
            assert abs(float(row["coord-lat"]) - middle[row["country"]][0]) <= 8
            assert abs(float(row["coord-lon"]) - middle[row["country"]][1]) <= 8


def test_numbers_are_written_as_the_official_csv_does(many_rows: Rows) -> None:
    indices = [row["index_bioscan_1M_insect"] for row in many_rows if row["index_bioscan_1M_insect"]]
    assert all(re.fullmatch(r"\d+\.0", index) for index in indices)
    assert len(set(indices)) == len(indices) > 0
    assert all(re.fullmatch(r"\d\.\d{1,4}", row["area_fraction"]) for row in many_rows)
    codes = Counter(row["inferred_ranks"] for row in many_rows)
    assert codes["0"] / codes.total() > 0.95
    assert len(codes) > 1
    assert all(row["species"] for row in many_rows if row["inferred_ranks"] == "1")


def test_barcodes_are_300_to_1500_bases_of_acgtn_and_most_have_658(many_rows: Rows) -> None:
    lengths = Counter(len(row["dna_barcode"]) for row in many_rows)
    assert min(lengths) >= 300
    assert 1000 < max(lengths) <= 1500
    assert 0.6 < lengths[658] / lengths.total() < 0.9
    letters = Counter("".join(row["dna_barcode"] for row in many_rows))
    assert set(letters) == set("ACGTN")
    assert 0.6 < (letters["A"] + letters["T"]) / letters.total() < 0.72
    assert any(row["dna_barcode"].startswith("N") for row in many_rows)
    assert any(row["dna_barcode"].endswith("N") for row in many_rows)
    assert any("N" in row["dna_barcode"].strip("N") for row in many_rows)


def test_barcodes_repeat_within_species(many_rows: Rows) -> None:
    distinct = len({row["dna_barcode"] for row in many_rows})
    assert 0.4 < distinct / len(many_rows) < 0.85


def test_full_barcodes_have_no_stop_codon(many_rows: Rows) -> None:
    texts = [row["dna_barcode"] for row, _ in full_length(many_rows)]
    assert len(texts) > 3000
    assert not [text for text in texts[:1500] if "*" in barcodes.translate(text)]


def test_long_barcodes_go_on_in_frame(many_rows: Rows) -> None:
    long = [row["dna_barcode"] for row in many_rows if len(row["dna_barcode"]) > 900 and "N" not in row["dna_barcode"]]
    assert long
    assert not [text for text in long if "*" in barcodes.translate(text)]


def distances(rows: Rows, column: str, finer: str) -> list[float]:
    groups = defaultdict(list)
    for row, letters in full_length(rows):
        if row[column] and row[finer]:
            groups[row[column], row["family"]].append((row[finer], letters))
    found = []
    for members in groups.values():
        pairs = [(one, other) for one, other in combinations(members[:40], 2) if (one[0] != other[0])]
        found += [float((one[1] != other[1]).mean()) for one, other in pairs[:200]]
    return found


def test_distances_grow_with_the_rank(many_rows: Rows) -> None:
    within = distances(many_rows, "species", "processid")
    congeners = distances(many_rows, "genus", "species")
    cousins = distances(many_rows, "family", "genus")
    assert len(within) > 500
    assert max(within) < 0.02
    assert np.std(within) > 0.002
    assert len(congeners) > 200
    assert min(congeners) >= 0.04
    assert max(congeners) <= 0.15
    assert np.mean(cousins) > np.mean(congeners) + 0.03


def test_codon_positions_change_at_different_rates(many_rows: Rows) -> None:
    changes = np.zeros(3)
    groups = defaultdict(list)
    for row, letters in full_length(many_rows):
        groups[row["family"]].append(letters)
    for members in groups.values():
        for one, other in pairwise(members):
            differ = one != other
            changes += [differ[position::3].sum() for position in range(3)]
    third, first, second = changes / changes.sum()
    assert third > 0.7
    assert third > 4 * first > 4 * second


def test_reads_shorter_than_the_barcode_are_parts_of_a_haplotype() -> None:
    chance = np.random.default_rng(0)
    sequences = np.repeat(barcodes.ancestor(chance)[None], 400, axis=0)
    whole = sequences[0].tobytes().decode()
    tails = np.full((1, 842), ord("A"), np.uint8)
    reads = barcodes.read(
        sequences, tails=tails, tail=np.zeros(400, int), short=np.full(400, 3.0), chance=chance
    ).to_pylist()
    plain = [text for text in reads if "N" not in text and len(text) < 658]
    assert plain
    assert all(text in whole for text in plain)


def test_all_haplotypes_of_a_species_differ_by_less_than_two_percent() -> None:
    chance = np.random.default_rng(0)
    sequences = np.repeat(barcodes.ancestor(chance)[None], barcodes.HAPLOTYPES, axis=0)
    barcodes.vary(sequences, np.arange(barcodes.HAPLOTYPES), np.full(barcodes.HAPLOTYPES, 17))
    assert len({row.tobytes()[180:480] for row in sequences}) == barcodes.HAPLOTYPES
    some = sequences[chance.choice(barcodes.HAPLOTYPES, 200, replace=False)]
    assert max((one != other).sum() for one, other in combinations(some, 2)) < 0.02 * 658
