"""Filters on coded columns, rows by their place, and pasted barcodes, without a page."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.browse.catalogue import Filter, read_catalogue, source_tables
from bioscan5m_hf.browse.collection import open_collection
from bioscan5m_hf.browse.drawing import pin, world_svg
from bioscan5m_hf.browse.pasted import BarcodeError, read_pasted
from bioscan5m_hf.browse.shards import LostError, Photographs, Shards
from bioscan5m_hf.data.sources import METADATA, open_source, read_tables
from bioscan5m_hf.errors import Bioscan5mError


@pytest.fixture(scope="module")
def light(dataset):
    return open_source(dataset, METADATA)


@pytest.fixture(scope="module")
def rows(light):
    """Give all rows, read plainly."""
    return [
        {**row, "split": split}
        for split in light.choose_splits("all")
        for file in light.files[split]
        for table in read_tables(str(file))
        for row in table.to_pylist()
    ]


@pytest.fixture(scope="module")
def catalogue(light):
    return read_catalogue(source_tables(light))


@pytest.mark.parametrize("column", ["order", "family", "species", "dna_bin"])
def test_every_name_finds_its_rows(catalogue, rows, column):
    for name, count in zip(catalogue.columns[column].names, catalogue.columns[column].counts, strict=True):
        expected = [number for number, row in enumerate(rows) if row[column] == name]
        assert catalogue.find(Filter(column, name)).tolist() == expected
        assert count == len(expected)


def test_fillers_are_no_names(catalogue, rows):
    assert any((row["subfamily"] or "").startswith("unassigned") for row in rows)
    assert not [name for name in catalogue.columns["subfamily"].names if name.startswith("unassigned")]


def test_filters_hold_together(catalogue, rows):
    country = rows[0]["country"]
    expected = [
        number
        for number, row in enumerate(rows)
        if row["order"] == "Diptera" and row["country"] == country and row["split"] in ("train", "val", "test")
    ]
    assert expected
    assert catalogue.find(Filter("order", "Diptera", "seen", country)).tolist() == expected
    for number in expected:
        split, place = catalogue.place(number)
        before = sum(row["split"] != split for row in rows[:number])
        assert (split, place) == (rows[number]["split"], number - before)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Filter("order", "Dipterra"), "did you mean Diptera"),
        (Filter("rank", "Diptera"), "unknown rank 'rank'"),
        (Filter(split="dev"), "there is no split 'dev': use one of"),
        (Filter(country="Atlantis"), "no specimen has the country 'Atlantis'"),
        (Filter(processid="INV"), "there is no specimen 'INV'"),
    ],
)
def test_what_is_not_there_is_an_error(catalogue, wanted, said):
    with pytest.raises(ValueError, match=said):
        catalogue.find(wanted)


@pytest.mark.parametrize("names", [1, 127, 128, 129, 40_000])
def test_codes_are_as_small_as_their_names_allow(names):
    table = pa.table({"processid": [str(n) for n in range(names)], "species": [f"Aus b{n}" for n in range(names)]})
    coded = read_catalogue({"train": [table]}).columns["species"]
    assert coded.codes.dtype == (np.int8 if names <= 128 else np.int16 if names <= 32768 else np.int32)
    assert sorted(coded.codes.tolist()) == list(range(names))


def test_no_rows_and_no_columns_are_fine():
    catalogue = read_catalogue({"train": [pa.table({"processid": pa.array([], pa.string())})], "val": []})
    assert (len(catalogue), catalogue.ranks, catalogue.countries) == (0, (), [])
    assert catalogue.find(Filter()).tolist() == []


def test_rows_and_photographs_are_those_of_the_place(dataset, light, rows):
    shards = Shards(light)
    photographs = Photographs(Shards(open_source(dataset, "cropped_256")))
    own = [row for row in rows if row["split"] == "pretrain"]
    for place in (0, 40, len(own) - 1):
        assert shards.rows("pretrain", [place], ["processid"])[place] == {"processid": own[place]["processid"]}
        assert photographs.get("pretrain", place, own[place]["processid"]).startswith(b"\xff\xd8\xff")
    with pytest.raises(LostError, match="build the dataset again"):
        photographs.get("pretrain", 0, own[1]["processid"])
    with pytest.raises(LostError, match="has no row"):
        shards.rows("pretrain", [len(own)], ["processid"])


def test_a_dataset_or_index_that_is_none_is_an_error(tmp_path, dataset):
    with pytest.raises(Bioscan5mError, match="there is no dataset"):
        open_collection(tmp_path / "nothing")
    with pytest.raises(Bioscan5mError, match="is no index"):
        open_collection(dataset, index=tmp_path)


def test_headers_lines_and_cases_of_a_pasted_barcode_do_not_matter():
    barcode = "AACTTTATATTTTATTTTTGGAATTTGAGCAGGAATAGTAGGAACTTCTTTAAGTTTATTAATTCGAGC"
    pasted = read_pasted(f"\n>A1|COI\n{barcode[:30].lower()}\n {barcode[30:]} \n")
    assert pasted.barcode == barcode
    assert [name for name, _ in pasted.warnings] == ["short", "changed"]
    assert pasted.checks["strand"] == "+"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "there is no barcode"),
        (">only a header", "there is no barcode"),
        ("----", "nothing is left of it but gaps"),
        ("ACGÜ", "the first at 4"),
        ("ACGT" * 6000, "24,000 characters"),
    ],
)
def test_what_is_no_barcode_is_refused(text, said):
    with pytest.raises(BarcodeError, match=said):
        read_pasted(text)


def test_the_map_lies_within_its_frame_where_it_is_seen():
    svg = world_svg()
    assert "NaN" not in svg
    assert pin(0, -180) == (0.0, round(100 * 84 / 142, 2))
    assert pin(10.0, 200.0) is None
    assert pin(None, 3.0) is None
    assert pin(float("nan"), 3.0) is None
