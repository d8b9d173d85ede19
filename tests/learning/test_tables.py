"""Barcodes are encoded once, each once, and cut into the k-mers that `encode_kmers` gives."""

from __future__ import annotations

import os

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invented_tables import rows_of, table_of

from bioscan5m_hf.dna import encode_kmers
from bioscan5m_hf.learning.masking import Framing, Windows
from bioscan5m_hf.learning.tables import BarcodeTable, TableError, make_table


def whole(table, k, offset=0):
    framing = Framing(k, random_offset=False)
    rows = np.arange(len(table))
    windows = framing.windows(0, 0, rows, np.maximum(table.lengths - offset, 0))
    return rows, Windows(windows.starts + offset, windows.tokens)


HOSTILE = st.text("ACGT", min_size=1, max_size=60) | st.text("ACGTNacgtUu-RY é𝔸\t", min_size=1, max_size=60)


@settings(max_examples=60)
@given(
    st.lists(HOSTILE, min_size=1, max_size=6, unique=True),
    st.integers(2, 8),
    st.integers(0, 3),
    st.sampled_from(["standard", "original"]),
)
def test_kmers_are_those_of_the_encoder(tmp_path_factory, barcodes, k, offset, layout):
    strip = "Nn" if layout == "standard" else "N"
    stripped = [barcode.rstrip(strip) for barcode in barcodes if barcode.rstrip(strip)]
    if not stripped:
        return
    table = table_of(tmp_path_factory.mktemp("table"), stripped, layout)
    kept = [int(name.removeprefix("P-")) for name in table.processids(np.arange(len(table)))]
    expected = encode_kmers([stripped[row] for row in kept], k, layout, offsets=offset).ids
    assert table.ids(*whole(table, k, offset), k, layout).tolist() == expected.tolist()


def test_a_long_read_is_cut_and_a_last_barcode_does_not_run_over_the_end(tmp_path):
    barcodes = ["ACGT" * 2500, "ACGTACGTAC"]
    table = table_of(tmp_path, barcodes)
    ids = table.ids(*whole(table, 4), 4, "standard")
    assert ids.tolist() == encode_kmers(barcodes, 4).ids.tolist()
    assert ids.shape == (2, 165)


def test_of_equal_barcodes_the_first_stays_and_ns_at_the_end_do_not_count(tmp_path):
    barcodes = ["ACGTACGT", "ACGTACGTNN", "acgtacgt", "NACGTACGT", None, "", "NNN", "ACGTACGA"]
    table = table_of(tmp_path, barcodes)
    assert table.processids(np.arange(len(table))) == ["P-0", "P-3", "P-7"]
    about = table.about
    assert (about["specimens"], about["barcodes"], about["without_barcode"], about["repeated"]) == (8, 3, 3, 2)
    assert about["bases"] == 8 + 9 + 8


def test_the_original_layout_takes_lower_case_for_unknown(tmp_path):
    table = table_of(tmp_path, ["ACGT", "acgt"], "original")
    assert len(table) == 2
    assert table.ids(*whole(table, 4), 4, "original").tolist() == [[29], [1]]


def test_equal_barcodes_with_other_labels_stay(tmp_path):
    genus = ["Aus", "Bus", "Aus", None]
    table = table_of(tmp_path, ["ACGT"] * 4, given={"genus": genus})
    assert table.rows.to_pydict() == {"processid": ["P-0", "P-1", "P-3"], "genus": ["Aus", "Bus", None]}


def test_barcodes_of_another_table_are_left_out(tmp_path):
    held_out = table_of(tmp_path, ["ACGTACGT", "CCCC"])
    table = table_of(tmp_path, ["ACGTACGTN", "GGGG", "cccc"], without=held_out)
    assert table.processids(np.arange(len(table))) == ["P-1"]


def test_a_second_call_reuses_what_is_there(tmp_path):
    first = table_of(tmp_path, ["ACGTACGT"])
    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    again = make_table(iter(()), tmp_path, layout="standard", inputs=first.about["inputs"] and inputs_of(["ACGTACGT"]))
    assert again.about == first.about
    assert written == {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*")}
    table_of(tmp_path, ["ACGTACGG"])
    table_of(tmp_path, ["ACGTACGT"], "original")
    assert len(list(tmp_path.iterdir())) == 3


def inputs_of(barcodes):
    return {"barcodes": barcodes, "given": {}}


def test_an_interrupted_encoding_leaves_nothing_that_would_be_opened(tmp_path):
    def broken():
        yield rows_of(["ACGT"])
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        make_table(broken(), tmp_path, layout="standard", inputs={})
    assert list(tmp_path.iterdir()) == []


def test_another_process_may_have_been_faster(tmp_path, monkeypatch):
    done = table_of(tmp_path, ["ACGTACGT"])
    place = next(tmp_path.iterdir())
    hidden = place.rename(tmp_path / "elsewhere")

    def rows():
        yield rows_of(["ACGTACGT"])
        hidden.rename(place)

    again = make_table(rows(), tmp_path, layout="standard", inputs=inputs_of(["ACGTACGT"]))
    assert again.about == done.about
    assert [path.name for path in tmp_path.iterdir()] == [place.name]


@pytest.mark.parametrize("barcodes", [[], [None, ""], ["NNNN"]])
def test_no_barcode_is_an_error(tmp_path, barcodes):
    with pytest.raises(TableError, match="no barcode to learn from"):
        table_of(tmp_path, barcodes)
    assert not any(path.is_dir() for path in tmp_path.iterdir())


def test_a_folder_that_cannot_be_named_is_an_error(tmp_path, monkeypatch):
    def rows():
        (folder,) = tmp_path.iterdir()
        (tmp_path / folder.name.split(".")[1]).touch()
        yield rows_of(["ACGT"])

    with pytest.raises(OSError, match="Not a directory"):
        make_table(rows(), tmp_path, layout="standard", inputs={})


def test_many_blocks_are_joined(tmp_path):
    barcodes = ["ACGT" * n for n in range(1, 8)]
    parts = [rows_of(barcodes[:3]), rows_of([None]), rows_of(barcodes[3:]).slice(1), rows_of([])]
    table = make_table(parts, tmp_path, layout="standard", inputs={})
    assert table.lengths.tolist() == [4, 8, 12, 20, 24, 28]
    assert len(np.unique(table.keys, axis=0)) == 6
    assert isinstance(BarcodeTable.open(next(tmp_path.iterdir())).packed, np.memmap)
    whole_barcodes = [barcodes[place] for place in (0, 1, 2, 4, 5, 6)]
    assert table.ids(*whole(table, 4), 4, "standard").tolist() == encode_kmers(whole_barcodes, 4).ids.tolist()


def test_no_rows_and_empty_windows_give_no_ids(tmp_path):
    table = table_of(tmp_path, ["ACG"])
    rows = np.array([0])
    assert table.ids(rows, Windows(np.zeros(1, int), np.zeros(1, int)), 4, "standard").shape == (1, 0)
    assert os.listdir(tmp_path)
