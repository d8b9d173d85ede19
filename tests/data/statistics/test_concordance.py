"""Species and Barcode Index Numbers: the four ways in which they lie in each other."""

import pytest
from data.folders import write_folder

from bioscan5m_hf.data.statistics import statistics


def found_in(tmp_path, pairs):
    rows = [
        {"processid": f"MADE{number:03d}-26", "species": species, "dna_bin": name}
        for number, (species, name) in enumerate(pairs)
    ]
    return statistics(write_folder(tmp_path / "made", {"train": rows}))


def test_match_split_merge_and_mixture(tmp_path):
    pairs = [
        ("Match one", "B1"), ("Match one", "B1"), ("Match one", None),
        ("Split two", "B2"), ("Split two", "B3"),
        ("Merge three", "B4"), ("Merge four", "B4"),
        ("Mixture five", "B5"), ("Mixture five", "B6"), ("Merge six", "B6"),
        ("No bin", None), (None, "B1"), ("unassigned Aus", "B1"),
    ]  # fmt: skip
    found = found_in(tmp_path, pairs)
    assert {row["species"]: row["kind"] for row in found["bins"]} == {
        "Match one": "match",
        "Split two": "split",
        "Merge three": "merge",
        "Merge four": "merge",
        "Mixture five": "mixture",
        "Merge six": "merge",
    }
    assert found["bins"][0] == {"species": "Match one", "specimens": 2, "dna_bins": 1, "kind": "match", "names": "B1"}
    assert [(row["kind"], row["species"]) for row in found["bin_summary"]] == [
        ("match", 1), ("split", 1), ("merge", 3), ("mixture", 1),
    ]  # fmt: skip
    assert found["bin_summary"][2]["share"] == pytest.approx(0.5)


def test_no_species_and_no_bins_are_no_concordance(tmp_path):
    found = found_in(tmp_path, [(None, "B1"), ("Aus bus", None)])
    assert found["bins"] == []
    assert {row["share"] for row in found["bin_summary"]} == {None}
