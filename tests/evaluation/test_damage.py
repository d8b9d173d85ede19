"""Damages do what they say, alike in every run, and to each barcode apart."""

from __future__ import annotations

import random

import pytest

from bioscan5m_hf.evaluation.damage import DAMAGES, damage


CHANCE = random.Random(0)
BARCODES = ["".join(CHANCE.choices("ACGT", k=658)) for _ in range(200)]


def differing(one, other):
    return sum(a != b for a, b in zip(one, other, strict=True))


@pytest.mark.parametrize("name", DAMAGES)
def test_it_depends_on_the_barcode_and_the_seed_only(name):
    found = damage(name).apply(BARCODES[:20])
    assert damage(name).apply(BARCODES[19::-1])[::-1] == found
    assert all(barcode != damaged for barcode, damaged in zip(BARCODES, found, strict=False))
    if name not in ("last-313", "last-421", "reverse-complement"):
        assert damage(name).apply(BARCODES[:20], seed=1) != found


@pytest.mark.parametrize("name", DAMAGES)
def test_empty_and_short_barcodes_are_borne(name):
    empty, short, unknown = damage(name).apply(["", "ACG", "NNN"])
    assert len(empty) <= 1
    assert 2 <= len(short) <= 4
    assert 2 <= len(unknown) <= 4


def test_amplicons_end_where_the_barcode_ends():
    for length in (313, 421):
        assert damage(f"last-{length}").apply(BARCODES) == [barcode[-length:] for barcode in BARCODES]
    pieces = damage("any-313").apply(BARCODES)
    assert {len(piece) for piece in pieces} == {313}
    starts = {barcode.index(piece) for barcode, piece in zip(BARCODES, pieces, strict=True)}
    assert len(starts) > 100
    assert max(starts) <= 345


def test_one_base_is_too_many_or_too_few():
    found = damage("indel").apply(BARCODES)
    assert {len(barcode) for barcode in found} == {657, 659}
    for barcode, damaged in zip(BARCODES, found, strict=True):
        longer, shorter = sorted((barcode, damaged), key=len, reverse=True)
        assert any(longer[:place] + longer[place + 1 :] == shorter for place in range(len(longer)))


@pytest.mark.parametrize("percent", ["0.5", "1", "2"])
def test_about_so_many_bases_are_misread(percent):
    found = damage(f"errors-{percent}").apply(BARCODES)
    wrong = sum(differing(barcode, damaged) for barcode, damaged in zip(BARCODES, found, strict=True))
    assert wrong / (200 * 658) == pytest.approx(float(percent) / 100, rel=0.1)
    assert set("".join(found)) == set("ACGT")


@pytest.mark.parametrize("length", [20, 60])
def test_a_run_is_unread(length):
    for barcode, damaged in zip(BARCODES, damage(f"unread-{length}").apply(BARCODES), strict=True):
        assert "N" * length in damaged
        assert damaged.count("N") == length
        assert differing(barcode, damaged) == length


def test_the_other_strand_turned_again_is_the_barcode():
    turn = damage("reverse-complement")
    assert turn.apply(turn.apply(BARCODES)) == BARCODES
    assert turn.apply(["AACGN"]) == ["NCGTT"]


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(ValueError, match="there is no damage 'rust': use one of last-313, last-421"):
        damage("rust")
