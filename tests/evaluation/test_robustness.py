"""Robustness: queries are damaged, keys are not, and differences are those of the same queries."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.evaluation.counts import count_kmers
from bioscan5m_hf.evaluation.damage import DAMAGES, damage
from bioscan5m_hf.evaluation.left_out import left_out_queries, nearest_other_species
from bioscan5m_hf.evaluation.robustness import Base, by_nearest, other_species, robustness


CHANCE = random.Random(0)


def mutated(barcode, count):
    letters = list(barcode)
    for place in CHANCE.sample(range(len(letters)), count):
        letters[place] = CHANCE.choice("ACGT")
    return "".join(letters)


ANCESTORS = ["".join(CHANCE.choices("ACGT", k=600)) for _ in range(8)]
ROWS = []
for number in range(8):
    for kind in range(3):
        species = mutated(ANCESTORS[number], 60)
        ROWS += [(f"G{number}", f"G{number} s{kind}", mutated(species, 6)) for _ in range(3)]
GENUS, SPECIES, BARCODE = ([row[column] for row in ROWS] for column in range(3))
QUERIES = np.arange(0, len(ROWS), 2)


def embed(barcodes):
    return count_kmers(barcodes, 4)


def take(values, rows):
    return [values[row] for row in rows]


def left_out_base():
    asked = [take(values, QUERIES) for values in (GENUS, SPECIES, BARCODE)]
    apart = other_species(SPECIES, BARCODE, asked[1], asked[2])
    answer = by_nearest(embed, embed(BARCODE), GENUS, asked[0], apart=apart)
    return Base("left-out species", asked[2], asked[0], asked[1], answer, {"Linnaean": np.arange(len(QUERIES)) < 9})


def test_untouched_queries_are_answered_as_by_the_task_itself():
    columns = [pa.array(values) for values in (GENUS, SPECIES, BARCODE)]
    places = left_out_queries(columns[0], columns[1], np.isin(np.arange(len(ROWS)), QUERIES))
    expected = nearest_other_species(embed(BARCODE), *columns, places)
    base = left_out_base()
    assert np.array_equal(base.answer(base.barcodes), expected.right)
    found = robustness([base], damages=["errors-2", "unread-60"])
    assert found.scores["genus/left-out species, untouched/micro"].value == pytest.approx(expected.right.mean())


def test_a_damage_is_scored_against_the_same_queries_untouched():
    base = left_out_base()
    found = robustness([base], damages=["reverse-complement", "errors-1"], seed=3)
    plain = base.answer(base.barcodes)
    for name in ("reverse-complement", "errors-1"):
        right = base.answer(damage(name).apply(base.barcodes, seed=3))
        part = f"genus/left-out species, {name}"
        assert found.scores[f"{part}/micro"].value == pytest.approx(right.mean())
        assert found.scores[f"{part}, Linnaean/micro"].value == pytest.approx(right[:9].mean())
        cost = found.scores[f"{part}/micro less untouched"]
        assert cost.value == pytest.approx(right.mean() - plain.mean())
        assert cost.low <= cost.value <= cost.high
    assert found.scores["genus/left-out species, reverse-complement/micro less untouched"].high < 0
    harmless = found.scores["genus/left-out species, errors-1/micro less untouched"]
    lone = found.scores["genus/left-out species, errors-1/micro"]
    assert harmless.high - harmless.low < lone.high - lone.low or lone.high == lone.low  # pairs tell more
    assert found.counts["left-out species, errors-1: barcodes changed"] == len(QUERIES)
    assert found.settings["damages"]["errors-1"] == DAMAGES["errors-1"].what


def test_means_are_over_damages_and_then_over_parts():
    names = ["indel", "reverse-complement", "last-313"]
    one = left_out_base()
    keys = [row for row, kind in enumerate(SPECIES) if kind.endswith("s0")]
    rows = [row for row, kind in enumerate(SPECIES) if kind.endswith("s1")]
    answer = by_nearest(embed, embed(take(BARCODE, keys)), take(GENUS, keys), take(GENUS, rows))
    two = Base("test_unseen", take(BARCODE, rows), take(GENUS, rows), take(SPECIES, rows), answer)
    found = robustness([one, two], damages=names).scores
    means = [np.mean([found[f"genus/{part}, {name}/micro"].value for name in names]) for part in (one.part, two.part)]
    assert found["mean of damages, left-out species"].value == pytest.approx(means[0])
    assert found["mean of damages, test_unseen"].value == pytest.approx(means[1])
    score = found["mean of damages"]
    assert score.value == pytest.approx(np.mean(means))
    assert score.low < score.value < score.high


def test_all_damages_are_asked_and_equal_barcodes_are_embedded_once():
    asked = []

    def watched(barcodes):
        asked.append(len(barcodes))
        assert len(set(barcodes)) == len(barcodes)
        return embed(barcodes)

    barcodes = [BARCODE[0]] * 5 + [BARCODE[9]]
    genus = [GENUS[0]] * 5 + [GENUS[9]]
    base = Base("test", barcodes, genus, ["x"] * 6, by_nearest(watched, embed(BARCODE), GENUS, genus))
    found = robustness([base])
    assert [f"genus/test, {name}/micro" in found.scores for name in DAMAGES] == [True] * len(DAMAGES)
    assert asked == [2] * (len(DAMAGES) + 1)


def test_queries_and_keys_without_a_genus_do_not_count():
    genus = [None, *GENUS[1:]]
    answer = by_nearest(embed, embed(BARCODE), genus, ["G0", None])
    assert answer([BARCODE[0], BARCODE[1]]).tolist() == [True, False]  # by its sister, since row 0 is no key
    base = Base("test", BARCODE[:2], ["G0", None], SPECIES[:2], answer)
    assert robustness([base], damages=["indel"]).scores["mean of damages"].n == 1
    with pytest.raises(ValueError, match="a base has no query with a genus"):
        robustness([Base("test", BARCODE[:1], [None], ["x"], lambda given: np.array([True]))], damages=["indel"])


def test_what_cannot_be_asked_is_named():
    base = Base("test", BARCODE[:2], GENUS[:2], SPECIES[:2], lambda given: np.array([True]))
    with pytest.raises(ValueError, match=r"test: \(1,\) answers for 2 queries"):
        robustness([base])
    with pytest.raises(ValueError, match="there is no damage 'rust'"):
        robustness([left_out_base()], damages=["rust"])
    with pytest.raises(ValueError, match="nothing to ask"):
        robustness([])
