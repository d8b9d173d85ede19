"""Boxes are scored as COCO does it; what happens to a photograph happens to its box."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from bioscan5m_hf.data.images.boxes import Box
from bioscan5m_hf.learning.detection import Detection, detection_scores, is_held_out, overlap
from bioscan5m_hf.learning.detection_photographs import augmented
from bioscan5m_hf.learning.detection_run import schedule


BOXES = [Box(f"A-{number}", 1024, 768, 10 * number, 20, 10 * number + 100, 90) for number in range(5)]


def found(boxes, grow=0.0, score=0.5):
    return {box.processid: Detection((box.x0, box.y0, box.x1 + grow * box.size[0], box.y1), score) for box in boxes}


def test_perfect_boxes_have_perfect_scores():
    assert detection_scores(found(BOXES), BOXES) == dict.fromkeys(
        ("ap", "ap_50", "ap_75", "ar", "mean_iou", "iou_50", "iou_75"), pytest.approx(1.0)
    ) | {"score_of_95_percent": 0.5}


def test_nineteen_of_twenty_specimens_have_the_score_that_is_told():
    boxes = [Box(f"A-{number}", 10, 10, 1, 1, 5, 5) for number in range(40)]
    scores = {box.processid: Detection(box.corners, 0.01 * (number + 1)) for number, box in enumerate(boxes)}
    told = detection_scores(scores, boxes)["score_of_95_percent"]
    assert sum(one.score >= told for one in scores.values()) >= 38
    assert told == pytest.approx(0.02)
    del scores["A-0"], scores["A-1"]
    assert detection_scores(scores, boxes)["score_of_95_percent"] == 0.0


def test_boxes_that_are_a_quarter_too_wide_pass_where_they_overlap_by_four_fifths():
    scores = detection_scores(found(BOXES, grow=0.25), BOXES)
    assert scores["mean_iou"] == pytest.approx(0.8)
    assert scores["ap_75"] == pytest.approx(1.0)
    assert scores["ar"] == pytest.approx(0.65, abs=0.06)  # .50, .55 … .75; .80 is a matter of rounding


def test_missed_boxes_count_and_so_do_finds_in_empty_dishes():
    scores = detection_scores(found(BOXES[:4]), BOXES)
    assert (scores["mean_iou"], scores["ar"]) == (pytest.approx(0.8), pytest.approx(0.8))
    fewer = detection_scores(found(BOXES) | {"empty": Detection((0, 0, 9, 9), 0.9)}, BOXES)
    assert fewer["ap"] < 1
    assert fewer["ar"] == pytest.approx(1.0)
    assert detection_scores({}, BOXES)["ap"] == 0


def test_without_known_boxes_nothing_is_measured():
    with pytest.raises(ValueError, match="no known boxes"):
        detection_scores(found(BOXES), [])


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 20), min_size=8, max_size=8))
def test_overlap_is_that_of_counted_pixels(edges):
    one, other = (sorted_box(edges[:4]), sorted_box(edges[4:]))
    pixels = np.zeros((2, 21, 21), bool)
    for place, (x0, y0, x1, y1) in enumerate((one, other)):
        pixels[place, y0:y1, x0:x1] = True
    union = pixels.any(0).sum()
    assert overlap(one, other) == pytest.approx(pixels.all(0).sum() / union if union else 0.0)


def sorted_box(edges):
    (x0, x1), (y0, y1) = sorted(edges[:2]), sorted(edges[2:])
    return x0, y0, x1, y1


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 10_000), st.floats(0, 0.5))
def test_a_box_stays_around_what_it_was_drawn_around(seed, shift):
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[20:31, 15:41] = 255
    box = Box("A-1", 80, 60, 15, 20, 41, 31)
    picture, moved = augmented(Image.fromarray(pixels), box, np.random.default_rng(seed), flips=True, shift=shift)
    rows, columns = np.nonzero(np.asarray(picture)[:, :, 0])
    assert (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1) == moved.corners
    assert moved.problem is None


def test_held_out_photographs_are_those_whose_digest_ends_so():
    names = [f"INVENTED{number}-26" for number in range(200)]
    held = {name for name in names if is_held_out(name, 8)}
    assert held == {name for name in names if hashlib.md5(name.encode()).hexdigest()[-1] in "01234567"}


def test_rates_rise_and_fall():
    rates = [schedule(step, 100, warm_up=10) for step in range(100)]
    assert max(rates) == rates[10] == 1
    assert rates[:11] == sorted(rates[:11])
    assert rates[10:] == sorted(rates[10:], reverse=True)
    assert rates[0] > 0
    assert rates[-1] < 0.001
