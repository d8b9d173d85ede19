"""Checks count what a loop counts, find the strand of real barcodes, and never reject anything."""

from __future__ import annotations

import csv
import io
import zipfile

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna import IUPAC, STOP_CODONS, WARNINGS, check, clean, quality, reverse_complement
from bioscan5m_hf.dna.reading import COMPOSITION


COI = (
    "AACTTTATATTTTATTTTTGGAATTTGAGCAGGAATAGTAGGAACTTCTTTAAGTTTATTAATTCGAGCAGAATTAGGAAACCCAGGATC"
    "ATTAATTGGAGATGATCAAATTTATAATACTATTGTTACAGCTCATGCATTTATTATAATTTTTTTTATAGTTATACCTATTATAATTGGAGGATTTGGAAATTGATTAGTACCTTTA"
)


def frames(text):
    """Count stop codons in the frames of both strands."""
    strands = text, reverse_complement([text])[0].as_py()
    return [
        [sum(one[at : at + 3] in STOP_CODONS for at in range(frame, len(one) - 2, 3)) for frame in range(3)]
        for one in strands
    ]


def warnings(texts, **limits):
    return check(texts, **limits)["warnings"].to_pylist()


@given(st.lists(st.none() | st.text("ACGT" * 6 + "TTAAGacgtuN-Réx", max_size=90), max_size=8))
def test_columns_are_what_a_loop_finds(texts):
    table = check(texts, min_length=30, max_length=60, max_n_share=0.05)
    assert table.num_rows == len(texts)
    for text, row in zip(clean(texts).to_pylist(), table.to_pylist(), strict=True):
        length = None if text is None else len(text)
        assert row["length"] == length
        assert row["n_share"] == (text.count("N") / length if text else None)
        assert row["foreign_letters"] == (None if text is None else "".join(sorted(set(text) - set(IUPAC))))
        many_n = text and text.count("N") / length > 0.05 and "protein" not in row["warnings"]
        assert ("many_n" in row["warnings"]) == bool(many_n)
        assert ("short" in row["warnings"], "long" in row["warnings"]) == (0 < (length or 0) < 30, (length or 0) > 60)
        assert ("empty" in row["warnings"]) == (not text)
        assert ("foreign_letters" in row["warnings"]) == bool(row["foreign_letters"])
        assert [name for name in WARNINGS if name in row["warnings"]] == row["warnings"]
        if row["strand"] is None:
            assert row["frame"] is None
            assert row["stop_codons"] is None
        else:
            stops = frames(text)
            best = stops["+-".index(row["strand"])]
            assert best[row["frame"]] == row["stop_codons"] == min(map(min, stops))
            assert ("stop_codons" in row["warnings"]) == (row["stop_codons"] > 0)
            assert ("reverse_complement" in row["warnings"]) == (row["strand"] == "-")


@pytest.mark.parametrize("frame", [0, 1, 2])
@pytest.mark.parametrize("cut", [0, 1, 2])
def test_strand_and_frame_of_a_barcode_and_of_its_reverse_complement(frame, cut):
    text = COI[(1 - frame) % 3 : len(COI) - cut]
    turned = reverse_complement([text])[0].as_py()
    expected = {"length": len(text), "n_share": 0.0, "foreign_letters": "", "frame": frame, "stop_codons": 0}
    assert check([text, turned]).to_pylist() == [
        {**expected, "strand": "+", "warnings": []},
        {**expected, "strand": "-", "warnings": ["reverse_complement"]},
    ]


def test_tga_aga_and_agg_are_no_stops_in_invertebrate_mitochondria():
    assert STOP_CODONS == ("TAA", "TAG")
    row = check(["ATTGGATGAAGAAGGTTTATTCGATGAGGATTTATTCCT" * 6]).to_pylist()[0]
    assert (row["frame"], row["stop_codons"], row["strand"]) == (0, 0, "+")


def test_a_stop_codon_and_a_shifted_frame_are_noted():
    stop = COI[:100] + "TAA" + COI[103:]
    shifted = COI[:150] + COI[151:]
    assert warnings([COI, stop, shifted]) == [[], ["stop_codons"], ["stop_codons"]]


def test_bad_input_gives_numbers_nulls_and_warnings():
    given = {
        "null": (None, ["empty"]),
        "empty": ("", ["empty"]),
        "gaps only": ("--- -", ["empty", "changed"]),
        "one letter": ("A", ["short", "strand_unclear"]),
        "all N": ("N" * 658, ["many_n", "strand_unclear"]),
        "protein": ("MKVLAAGIVGLPLLFWQEHISTRDNCYPVMAGA" * 10, ["foreign_letters", "protein"]),
        "10 kb": (COI * 50, ["long"]),
        "lower case and RNA": (COI.lower().replace("t", "u"), ["changed"]),
        "aligned": ("---" + COI[:90] + "---" + COI[90:] + "\r\n", ["changed"]),
        "other alphabets": ("дНК" * 80, ["foreign_letters", "strand_unclear"]),
        "an emoji": (COI + "🧬", ["foreign_letters"]),
        "IUPAC codes": ("R" + COI[1:] + "YKMSWBDHV", []),
    }
    table = check([text for text, _ in given.values()])
    for name, row, (_, expected) in zip(given, table.to_pylist(), given.values(), strict=True):
        # How many stops the joined pieces of 10 kb have says nothing here.
        assert [one for one in row["warnings"] if one != "stop_codons"] == expected, name
    rows = dict(zip(given, table.to_pylist(), strict=True))
    assert rows["null"] == dict.fromkeys(rows["null"]) | {"warnings": ["empty"]}
    assert rows["empty"]["length"] == 0
    assert rows["protein"]["strand"] is None
    assert rows["protein"]["foreign_letters"] == "EFILPQ"
    assert rows["an emoji"]["length"] == len(COI) + 1
    assert rows["an emoji"]["foreign_letters"] == "🧬"


@pytest.mark.parametrize("nothing", [[], pa.chunked_array([], pa.string()), pa.array([], pa.null())])
def test_no_barcodes_give_a_table_without_rows(nothing):
    table = check(nothing)
    assert table.num_rows == 0
    assert table.schema == quality.SCHEMA


def test_what_is_checked_in_blocks_is_whole(monkeypatch):
    texts = [None, "", COI, "é" * 90, reverse_complement([COI])[0].as_py(), "NNN"] * 20
    whole = check(pa.chunked_array([texts, texts[1:]], pa.string()))
    monkeypatch.setattr(quality, "BLOCK", 3000)
    assert check(texts + texts[1:]).combine_chunks() == whole.combine_chunks()


@pytest.fixture(scope="module")
def real(shared_data):
    """Give different real barcodes, some ten thousand."""
    folder = shared_data / "real_barcodes"
    with zipfile.ZipFile(next(folder.glob("*.zip"))) as archive:
        lines = io.StringIO(archive.read(next(name for name in archive.namelist() if name.endswith(".csv"))).decode())
    return sorted({row["dna_barcode"] for row in csv.DictReader(lines)})


def test_the_strand_of_real_barcodes_and_of_their_parts_is_found(real):
    some = real[::16]
    generator = np.random.default_rng(0)
    for length, right in ((700, 0.999), (200, 0.99), (100, 0.97)):
        starts = [int(generator.integers(0, max(1, len(text) - length + 1))) for text in some]
        parts = [text[start : start + length] for text, start in zip(some, starts, strict=True)]
        forward, reverse = check(parts), check(reverse_complement(parts))
        assert forward["frame"].equals(reverse["frame"])
        strands = np.array(forward["strand"].to_pylist(), object)
        assert (strands == "+").sum() >= right * (strands != None).sum()  # noqa: E711
        assert (strands != None).sum() >= (0.9 if length == 100 else 0.99) * len(strands)  # noqa: E711


def test_the_composition_is_that_of_real_barcodes(real):
    table = check(real)
    counts = np.zeros((3, 4))
    for text, frame in zip(real, table["frame"].to_pylist(), strict=True):
        for place in range(3):
            part = text[(frame or 0) + place :: 3]
            counts[place] += [part.count(base) for base in "ACGT"]
    assert np.abs(counts / counts.sum(1, keepdims=True) - COMPOSITION).max() < 0.001
