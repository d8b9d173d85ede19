"""Records: what is written is read again, of every format so far; what does not compare is refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from bioscan5m_hf.errors import Bioscan5mError, ResultError
from bioscan5m_hf.evaluation.results import (
    FORMAT,
    Outcome,
    Result,
    Score,
    comparable,
    read_result,
    result_path,
    score_name,
    score_parts,
    upgraded,
    write_result,
)


WRITTEN = Path(__file__).parent / "results"
"""Files as each format so far was written; they are never changed."""


def make_result(**changes):
    """An invented result."""
    values = {
        "task": "knn-genus-unseen",
        "task_revision": 1,
        "modality": "dna",
        "main": "genus/test_unseen/micro",
        "model": "invented/model",
        "model_revision": "0ecac9",
        "pretrained_on": ("pretrain", "train"),
        "data": "bioscan-5m",
        "data_revision": "abc",
        "data_fingerprint": "def",
        "scores": {"genus/test_unseen/micro": Score(0.5, 0.4, 0.6, 120, (0.4, 0.5, 0.6)), "AUROC": Score(0.7)},
        "counts": {"queries": 120},
        "settings": {"k": 1, "umap": {"neighbors": 30}},
        "extras": {"scatter": {"x": [0.5], "y": [1.0], "order": ["Diptera"]}},
        "seed": 0,
        "code": "0.1",
        "device": "invented",
        "seconds": 1.5,
        "peak_memory": 1024,
        "command": "bioscan5m evaluate",
        "created": "2026-01-31",
    }
    return Result(**values | changes)


def test_what_is_written_is_read_again(tmp_path):
    result = make_result()
    path = write_result(tmp_path / "new", result)
    assert path == result_path(tmp_path / "new", "invented/model", "knn-genus-unseen")
    assert path.name == "invented--model--knn-genus-unseen.json"
    assert read_result(path) == result
    assert [file.name for file in path.parent.iterdir()] == [path.name]


def test_files_of_every_format_so_far_are_read():
    files = sorted(WRITTEN.glob("format_*.json"))
    assert [file.stem for file in files] == [f"format_{number}" for number in range(1, FORMAT + 1)]
    for file in files:
        assert read_result(file) == make_result()


def test_numpy_numbers_are_written_as_numbers(tmp_path):
    score = Score(np.float32(0.5), n=np.int64(3))
    result = make_result(scores={"a": score}, main="a", extras={"confusion": {"counts": np.eye(2, dtype=int)}})
    found = read_result(write_result(tmp_path, result))
    assert (found.scores["a"].value, found.scores["a"].n) == (0.5, 3)
    assert found.extras["confusion"]["counts"] == [[1, 0], [0, 1]]


@pytest.mark.parametrize(
    ("model", "task", "modality", "name"),
    [
        ("/home/me/out", "a", "dna", "home--me--out--a.json"),
        ("../out", "a", "dna", "out--a.json"),
        ("k-mer counts: 6", "a", "image", "k-mer_counts_6--a--image.json"),
    ],
)
def test_names_of_files_are_safe_and_tell_modalities_apart(tmp_path, model, task, modality, name):
    path = result_path(tmp_path, model, task, modality)
    assert (path.name, path.parent) == (name, tmp_path)


def test_a_result_that_json_cannot_hold_is_refused_and_the_old_file_stays(tmp_path):
    path = write_result(tmp_path, make_result())
    for bad in (float("nan"), object()):
        with pytest.raises(ResultError, match="invented/model on knn-genus-unseen cannot be written"):
            write_result(tmp_path, make_result(settings={"bad": bad}))
    assert read_result(path) == make_result()


@pytest.mark.parametrize(
    "values",
    [{"value": float("nan")}, {"value": 1, "seeds": (1.0, float("inf"))}, {"value": 1, "low": -np.inf, "high": 2}],
)
def test_numbers_that_are_not_finite_are_refused(values):
    with pytest.raises(ResultError, match="must be finite"):
        Score(**values)


@pytest.mark.parametrize("ends", [{"low": 0.1}, {"high": 0.1}, {"low": 0.6, "high": 0.5}])
def test_intervals_have_two_ends_in_order(ends):
    with pytest.raises(ResultError, match="both ends"):
        Score(0.5, **ends)


def test_the_main_score_is_one_of_the_scores():
    with pytest.raises(ResultError, match=r"'f1' is not among its scores \(genus/test_unseen/micro, AUROC\)"):
        make_result(main="f1")


def change(tmp_path, **changes):
    """Write a result, then change its file as nothing of ours would."""
    path = write_result(tmp_path, make_result())
    values = json.loads(path.read_text())
    values.update(changes)
    path.write_text(
        json.dumps({name: value for name, value in values.items() if value is not ...}, default=lambda _: 0)
    )
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": FORMAT + 1}, f"format is {FORMAT + 1}, this version reads up to {FORMAT}: update"),
        ({"format": "new"}, "format is 'new'"),
        ({"format": -1}, "format is -1"),
        ({"seconds": ...}, "field 'seconds' is missing"),
        ({"format": ...}, "no field 'format'"),
        ({"seconds": "long"}, "field 'seconds' is 'long'"),
        ({"scores": []}, r"field 'scores' is \[\]"),
        ({"scores": {"a": {"value": float("nan")}}}, "field 'scores', 'a': value of a score is"),
        ({"scores": {"a": 1}}, "field 'scores', 'a'"),
        ({"scores": {"a": {}}}, "field 'scores', 'a'"),
        ({"more": 1}, "fields more are none of format"),
        ({"main": "b"}, "the main score 'b'"),
    ],
)
def test_files_that_cannot_be_right_are_refused_by_name(tmp_path, changes, message):
    path = change(tmp_path, **changes)
    with pytest.raises(ResultError, match=message) as caught:
        read_result(path)
    assert str(path) in str(caught.value)
    assert isinstance(caught.value, Bioscan5mError)


def test_a_file_that_was_cut_short_or_holds_something_else_is_refused(tmp_path):
    path = write_result(tmp_path, make_result())
    path.write_text(path.read_text()[:200])
    with pytest.raises(ResultError, match=r"knn-genus-unseen\.json is no whole JSON file"):
        read_result(path)
    path.write_text('[{"task": "masked k-mers", "metric": "accuracy", "value": 0.5}]')
    with pytest.raises(ResultError, match="no result that `bioscan5m evaluate` wrote"):
        read_result(path)


def test_older_formats_come_up_step_by_step():
    steps = {1: lambda old: {"name": old["model"]}, 2: lambda old: {"names": [old["name"]]}}
    assert upgraded({"format": 1, "model": "a"}, steps, 3) == {"names": ["a"], "format": 3}
    assert upgraded({"format": 2, "name": "a"}, steps, 3) == {"names": ["a"], "format": 3}
    with pytest.raises(ResultError, match="format is 0: this version reads 1, 2, 3"):
        upgraded({"format": 0}, steps, 3)


def test_results_are_grouped_by_task_and_modality():
    results = [make_result(model=model, task=task) for task in ("b", "a") for model in ("one", "two")]
    picture = make_result(modality="image")
    groups = comparable([*results, picture])
    assert list(groups) == [("b", "dna"), ("a", "dna"), ("knn-genus-unseen", "image")]
    assert [result.model for result in groups["a", "dna"]] == ["one", "two"]


@pytest.mark.parametrize("name", ["data_revision", "data_fingerprint", "task_revision"])
def test_results_that_do_not_compare_are_refused_by_name(name):
    one, other = make_result(model="one"), make_result(model="two")
    with pytest.raises(
        ValueError, match=rf"one \(0ecac9\) on .* and two \(0ecac9\) on .*: {name} is .* and 7"
    ) as caught:
        comparable([one, replace(other, **{name: 7})])
    assert "report them apart" in str(caught.value)


def test_other_tasks_may_have_other_rows_and_revisions_but_not_other_data():
    one = make_result()
    assert len(comparable([one, replace(one, task="b", data_fingerprint="x", task_revision=9)])) == 2
    with pytest.raises(ResultError, match="data_revision"):
        comparable([one, replace(one, task="b", data_revision="x")])


def test_the_same_data_may_lie_elsewhere():
    one = make_result()
    assert len(comparable([one, replace(one, model="two", data="/elsewhere/bioscan-5m")])) == 1


def test_a_model_counts_once_for_each_revision():
    assert len(comparable([make_result(), make_result(model_revision="2")])) == 1
    with pytest.raises(ResultError, match="given twice"):
        comparable([make_result(), make_result()])


def test_names_of_scores_are_read_as_they_were_written():
    for part in ("test_unseen", "test_unseen, BIN in pretrain", "image→DNA/averaged"):
        assert score_parts(score_name("dna_bin", part, "macro")) == ("dna_bin", part, "macro")
    with pytest.raises(ValueError, match="unknown rank 'tribe'"):
        score_name("tribe", "test", "micro")
    with pytest.raises(ValueError, match="without a slash"):
        score_name("genus", "test", "micro/macro")


def test_an_outcome_needs_scores_only():
    assert Outcome({"a": Score(1.0)}).extras == {}
