"""Names and label indices: stable, total over what is known, and never a class for what is missing."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.data.taxa import count_lineages, taxonomy_table
from bioscan5m_hf.splits import SPLIT_NAMES
from bioscan5m_hf.taxonomy import LABELS, RANKS, Taxonomy, check_rank, is_filler


names = st.sampled_from(["Aus", "Bus", "cus", "Ägidae", "unassigned Aus", "unassigned", "unassignedly", ""])


def lineage(**labels):
    return {**dict.fromkeys(LABELS), "split": "train", **labels}


def taxonomy(rows, **options):
    schema = pa.schema([pa.field(name, pa.string()) for name in (*LABELS, "split")])
    return Taxonomy(taxonomy_table([count_lineages(pa.Table.from_pylist(rows, schema=schema))]), **options)


@pytest.fixture
def small():
    return [
        lineage(order="Diptera", family="Phoridae", subfamily="unassigned Phoridae", genus="Aus"),
        lineage(order="Diptera", family="Phoridae", subfamily="Metopininae", genus="Aus", split="val"),
        lineage(order="Diptera", family="Phoridae", subfamily="Metopininae", genus="Bus"),
        lineage(order="Araneae", family="Agelenidae", genus="Aus", species="Aus unus"),
        lineage(order="Araneae", genus="Bus"),
        lineage(),
    ]


@given(st.lists(st.none() | names, max_size=20))
@pytest.mark.parametrize("keep", [False, True])
def test_indices_are_places_in_code_point_order(keep, labels):
    given = Taxonomy.from_labels({"genus": labels}, keep_filler=keep)
    expected = sorted({name for name in labels if name and (keep or not is_filler(name))})
    assert given.names("genus") == expected
    indices = given.index("genus", labels)
    assert indices == [expected.index(name) if name in expected else None for name in labels]
    assert given.name("genus", indices) == [name if name in expected else None for name in labels]


def test_ranks_are_those_of_the_release():
    assert (*RANKS, "dna_bin") == LABELS
    assert [check_rank(rank) for rank in LABELS] == list(LABELS)
    with pytest.raises(ValueError, match="unknown rank 'kingdom': use one of phylum, "):
        check_rank("kingdom")


@pytest.mark.parametrize(
    ("name", "filler"),
    [("unassigned Phoridae", True), ("unassigned", True), ("unclassified Diptera", True), ("Unassigned", False),
     ("unassignedly", False), ("Phoridae unassigned", False)],
)  # fmt: skip
def test_fillers(name, filler):
    assert is_filler(name) is filler


def test_the_built_table_and_labels_alone_agree(small):
    built = taxonomy(small)
    for rank in LABELS:
        labels = [row[rank] for row in small]
        assert built.names(rank) == Taxonomy.from_labels({rank: labels}).names(rank)
    index = {row["name"]: row["index"] for row in built.table.to_pylist() if row["rank"] == "subfamily"}
    assert index == {"Metopininae": 0, "unassigned Phoridae": None}


def test_keeping_fillers_gives_the_indices_of_the_peer(small):
    given = taxonomy(small, keep_filler=True)
    assert given.names("subfamily") == ["Metopininae", "unassigned Phoridae"]
    assert given.index("subfamily", ["unassigned Phoridae", None]) == [1, None]


def test_missing_labels_have_no_index_and_are_no_name(small):
    given = taxonomy(small)
    assert given.index("subfamily", ["unassigned Phoridae", None, "", "unassigned Sciaridae"]) == [None] * 4
    assert None not in given.names("subfamily")
    assert "unassigned Phoridae" not in given.names("subfamily")


def test_unknown_names_are_an_error_or_none_by_choice(small):
    given = taxonomy(small)
    with pytest.raises(LookupError, match=r"unknown genus 'Cus', 'Dus': not among the 2 names .* use unknown=None"):
        given.index("genus", ["Aus", "Cus", "Dus", "Cus"])
    assert given.index("genus", ["Aus", "Cus", None], unknown=None) == [0, None, None]
    with pytest.raises(LookupError, match="unknown subfamily 'unassigned Sciaridae'"):
        taxonomy(small, keep_filler=True).index("subfamily", ["unassigned Sciaridae"])
    with pytest.raises(ValueError, match="unknown rank"):
        given.index("tribe", [])


@pytest.mark.parametrize(
    "make", [pa.array, lambda names: pa.chunked_array([names[:1], names[1:]], pa.string()), list, tuple]
)
def test_any_sequence_of_names_will_do(small, make):
    found = taxonomy(small).index_array("genus", make(["Bus", None, "Aus"]))
    assert found.type == pa.int64()
    assert found.to_pylist() == [1, None, 0]


def test_indices_become_names(small):
    given = taxonomy(small)
    assert given.name("genus", np.array([1, -1, 0])) == ["Bus", None, "Aus"]
    assert given.name("genus", []) == []
    for bad in (2, -2):
        with pytest.raises(LookupError, match=f"no genus has index {bad}: use 0 … 1, or None"):
            given.name("genus", [0, bad])


def test_a_name_under_several_parents_keeps_one_index_and_lists_them(small):
    given = taxonomy(small)
    assert given.names("genus") == ["Aus", "Bus"]
    # a filler is no parent: the first Aus stands under its family, but a subfamily is named for the second
    assert given.parents("genus", "Aus") == ["Metopininae"]
    assert given.parents("family", "Phoridae") == ["Diptera"]
    two = taxonomy([lineage(family=name, genus="Aus") for name in ("Phoridae", "Agelenidae", "Agelenidae")])
    assert two.parents("genus", "Aus") == ["Agelenidae", "Phoridae"]
    assert two.index("genus", ["Aus"]) == [0]
    assert given.parents("order", "Diptera") == []
    with pytest.raises(LookupError, match="unknown genus 'Cus'"):
        given.parents("genus", "Cus")


def test_records_are_counted_by_split(small):
    counts = taxonomy(small).counts("genus", "Aus")
    assert counts == {**dict.fromkeys(SPLIT_NAMES, 0), "train": 2, "val": 1}
    with pytest.raises(LookupError, match="unknown order 'Mantodea'"):
        taxonomy(small).counts("order", "Mantodea")


def test_the_built_dataset_has_the_names_of_its_rows(dataset):
    import pyarrow.parquet as pq

    rows = pa.concat_tables(pq.read_table(file) for file in (dataset / "metadata").glob("*.parquet"))
    given = Taxonomy(pq.read_table(next((dataset / "taxonomy").glob("*.parquet"))))
    for rank in LABELS:
        assert given.names(rank) == Taxonomy.from_labels({rank: rows[rank].to_pylist()}).names(rank)
