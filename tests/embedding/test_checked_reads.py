"""Reads made ready: cleaned, turned to the forward strand, and unusable ones found."""

import sys

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.dna import reverse_complement
from bioscan5m_hf.embedding.alignment import Likeness, compare
from bioscan5m_hf.embedding.naming import read_strands
from bioscan5m_hf.embedding.quality import CHECKS, prepare


def draw(rng, length):
    return "".join(rng.choice(list("ACGT"), length))


@pytest.fixture(scope="module")
def barcodes(dataset):
    from bioscan5m_hf import load_specimens

    rows = load_specimens(dataset, split="train", columns=["dna_barcode"], streaming=True)
    return [row["dna_barcode"] for row in rows if row["dna_barcode"]][:20]


def test_reverse_reads_are_turned(barcodes):
    given = pa.array([*barcodes, *reverse_complement(barcodes).to_pylist()])
    prepared = prepare(given, 4)
    strand = prepared.checks["strand"].to_pylist()
    for place, (text, sign) in enumerate(zip(prepared.barcodes.to_pylist(), strand, strict=True)):
        expected = given[place].as_py() if sign != "-" else reverse_complement(given[place : place + 1])[0].as_py()
        assert text == expected
    forward = [sign for sign in strand[:20] if sign]
    assert forward
    assert set(forward) == {"+"}
    assert prepared.checks.column_names == list(CHECKS)


def test_reads_of_unclear_or_reversed_strand_are_doubtful(barcodes):
    given = pa.array([barcodes[0], reverse_complement(barcodes[:1])[0].as_py(), "ACGTACGT", "", "N" * 90])
    prepared = prepare(given, 4)
    assert prepared.checks["strand"].to_pylist() == ["+", "-", "+", None, None]
    assert prepared.doubtful.tolist() == [False, True, True, False, False]
    assert "strand_unclear" in prepared.checks["warnings"][2].as_py()
    turned = prepared.turned(np.array([1, 2]))
    assert turned.barcodes.to_pylist() == [barcodes[0], given[1].as_py(), "ACGTACGT", "", "N" * 90]
    assert turned.checks["strand"].to_pylist() == ["+", "+", "-", None, None]
    assert turned.checks["warnings"] == prepared.checks["warnings"]
    assert prepared.turned(np.array([], int)) is prepared


class Weighing:
    """A way of naming that only weighs: each text has the strength that was set for it."""

    def __init__(self, weights):
        self.weights = weights

    def rows(self, barcodes):
        return np.array([[self.weights.get(text, 0)] for text in barcodes.to_pylist()], np.float32)

    def strength(self, rows):
        return rows[:, 0]


@pytest.mark.parametrize(("ahead", "strand"), [(-0.1, "-"), (0, "-"), (0.2, "-"), (0.3, "+")])
def test_only_decisive_evidence_overrules_the_strand_that_the_check_finds(barcodes, ahead, strand):
    given = reverse_complement(barcodes[:1])[0].as_py()
    namer = Weighing({barcodes[0]: 0.5, given: 0.5 + ahead, barcodes[1]: 0.7})
    prepared, rows = read_strands(namer, prepare(pa.array(["", given, barcodes[1]]), 4))
    assert prepared.checks["strand"].to_pylist() == [None, strand, "+"]
    assert prepared.barcodes.to_pylist() == ["", given if strand == "+" else barcodes[0], barcodes[1]]
    assert rows[:, 0].tolist() == pytest.approx([0.5 + ahead if strand == "+" else 0.5, 0.7])


def test_of_an_unclear_read_the_stronger_strand_is_taken():
    for weights, strand in (({"AACG": 0.5, "CGTT": 0.6}, "-"), ({"AACG": 0.6, "CGTT": 0.5}, "+"), ({}, "+")):
        prepared, _ = read_strands(Weighing(weights), prepare(pa.array(["AACG"]), 4))
        assert prepared.checks["strand"].to_pylist() == [strand]


@pytest.mark.parametrize(
    ("read", "usable"),
    [("ACGTACGT", True), ("acgu-acgu", True), ("ACGTNNN", True), ("ACGTNNNNN", False), ("N" * 90, False), ("A", False),
     ("", False), (None, False), ("MKVLAAGIVGLPLLFEQPACGT", False), ("éééé", False), ("R" * 50, False)],
)  # fmt: skip
def test_reads_that_say_nothing_are_unusable(read, usable):
    assert prepare(pa.array([read, "ACGT"], pa.string()), 4).usable.tolist() == [usable, True]


def test_identity_and_overlap():
    rng = np.random.default_rng(0)
    whole = draw(rng, 658)
    other = "".join(
        {"A": "C", "C": "G", "G": "T", "T": "A"}[base] if place % 47 == 5 else base for place, base in enumerate(whole)
    )
    differences = sum(one != two for one, two in zip(whole, other, strict=True))
    assert compare(whole, whole) == Likeness(100, 658)
    assert compare(whole, other) == compare(other, whole) == Likeness(100 * (658 - differences) / 658, 658)
    assert compare(whole, whole[100:500]) == Likeness(100, 400)
    assert compare(whole[:500], whole[100:]) == Likeness(100, 400)
    assert compare(whole, whole[:300] + whole[303:]) == Likeness(100 * 655 / 658, 655)
    assert compare(whole[:20] + "NRY" + whole[23:], whole) == Likeness(100, 655)
    assert compare("NNNN", "ACGT") == Likeness(None, 0)
    assert compare("é", "ACGT").overlap == 0
    assert compare(whole + "".join(map(chr, range(256, 556))), whole) == Likeness(100, 658)
    assert compare("", "").identity is None


def test_unlike_barcodes_are_far_from_identical():
    rng = np.random.default_rng(1)
    assert compare(draw(rng, 300), draw(rng, 658)).identity < 75


def test_alignment_without_edlib_gives_the_pip_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "edlib", None)
    with pytest.raises(ModuleNotFoundError, match=r"edlib: pip install 'bioscan5m-hf\[models\]'"):
        compare("ACGT", "ACGT")
