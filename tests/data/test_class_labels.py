"""`with_class_labels`: names of a rank become classes, with indices that agree everywhere."""

from __future__ import annotations

import datasets
import pytest
from folders import write_odd

from bioscan5m_hf import load_specimens, load_taxonomy, with_class_labels


BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streaming"])


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return write_odd(tmp_path_factory.mktemp("odd") / "bioscan-5m")


@BOTH
def test_class_labels_stand_in_place_of_the_names(odd, streaming):
    plain = load_specimens(odd, split="train+val", streaming=streaming)
    labelled = with_class_labels(plain, "subfamily")
    assert labelled.column_names == plain.column_names
    assert labelled.features["subfamily"] == datasets.ClassLabel(names=["Metopininae"])
    filler = with_class_labels(plain, "subfamily", load_taxonomy(odd, keep_filler=True))
    for row, label, kept in zip(plain, labelled, filler, strict=True):
        name = row.pop("subfamily")
        assert label.pop("subfamily") == {"Metopininae": 0}.get(name)
        assert kept.pop("subfamily") == {"Metopininae": 0, "unassigned Phoridae": 1}.get(name)
        assert row == label == kept


@BOTH
def test_class_labels_agree_with_label_and_work_on_any_dataset(dataset, streaming):
    loaded = datasets.load_dataset(str(dataset), "metadata", split="test", streaming=streaming)
    labelled = with_class_labels(loaded, "species", load_taxonomy(dataset))
    expected = load_specimens(dataset, split="test", columns=[], label="species")
    assert [row["species"] for row in labelled] == list(expected["label"])
    if not streaming:
        assert with_class_labels(loaded.select([3, 1]), "species", load_taxonomy(dataset))["species"][:] == [
            expected[3]["label"],
            expected[1]["label"],
        ]


def test_class_labels_need_the_column_a_taxonomy_and_known_names(odd):
    rows = load_specimens(odd, columns=["order"])
    with pytest.raises(ValueError, match="no column 'genus': the dataset has order"):
        with_class_labels(rows, "genus")
    with pytest.raises(ValueError, match="unknown rank 'tribe'"):
        with_class_labels(rows, "tribe")
    stranger = datasets.Dataset.from_dict({"order": ["Mantodea"]})
    with pytest.raises(ValueError, match="say taxonomy=load_taxonomy"):
        with_class_labels(stranger, "order")
    with pytest.raises(LookupError, match="unknown order 'Mantodea'"):
        with_class_labels(stranger, "order", load_taxonomy(odd))
