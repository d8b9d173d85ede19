"""Tasks are data: complete, consistent with the dataset's declarations, and asked for by name."""

import dataclasses
import re
from pathlib import Path

import pytest

from bioscan5m_hf.evaluation import clustering, novelty, retrieval, robustness
from bioscan5m_hf.evaluation.protocols import FURTHER, PROTOCOLS
from bioscan5m_hf.evaluation.task import MODALITIES
from bioscan5m_hf.evaluation.tasks import TASKS, find_task, find_tasks
from bioscan5m_hf.splits import SPLIT_NAMES
from bioscan5m_hf.taxonomy import LABELS


@pytest.mark.parametrize("task", TASKS.values(), ids=list(TASKS))
def test_a_task_says_everything_about_itself(task):
    for field in ("question", "preprocessing", "metric", "ties", "main", "reference", "published"):
        assert getattr(task, field)
    assert task.question.endswith("?")
    assert set(task.modalities) <= set(MODALITIES)
    assert task.modalities
    assert set(task.fit + task.tune + task.keys + task.queries) == set(task.splits) <= set(SPLIT_NAMES)
    assert task.queries
    assert set(task.ranks) <= set(LABELS)
    assert "pretrain" not in task.splits
    with pytest.raises(dataclasses.FrozenInstanceError):
        task.name = "other"
    with pytest.raises(TypeError):
        task.settings["other"] = 1


def test_novelty_is_tuned_on_no_split_that_it_reports():
    task = find_task("novelty")
    assert not set(task.tune) & set(task.queries)
    assert "other_heldout" not in task.splits


def test_every_task_has_a_protocol_that_gives_its_main_score():
    assert set(PROTOCOLS) == set(TASKS)
    assert set(FURTHER) <= set(TASKS)
    modules = {
        "zero-shot-clustering": clustering, "cross-modal-retrieval": retrieval, "novelty": novelty,
        "robustness": robustness,
    }  # fmt: skip
    assert {name: TASKS[name].main for name in modules} == {name: module.MAIN for name, module in modules.items()}


def test_tasks_are_found_by_name_list_group_and_modality():
    assert [task.name for task in find_tasks(["novelty", "novelty", " robustness"])] == ["novelty", "robustness"]
    assert len(find_tasks("all")) == len(TASKS)
    assert {task.name for task in find_tasks("image")} == {t.name for t in TASKS.values() if "image" in t.modalities}


@pytest.mark.parametrize("names", ["knn", "dna,knn", "", ","])
def test_wrong_names_answer_with_the_right_ones(names):
    with pytest.raises(ValueError, match=r"finetune-species, .*robustness, or dna, image, all"):
        find_tasks(names)


def test_settings_are_read_as_what_they_are():
    probe = find_task("linear-probe-species")
    chosen = probe.choose({"epochs": "3", "learning_rate": "1", "shrinkages": "0.5,1", "solver": "sgd"})
    assert (chosen["epochs"], chosen["learning_rate"], chosen["shrinkages"]) == (3, 1.0, (0.5, 1.0))
    assert chosen["momentum"] == probe.settings["momentum"]
    with pytest.raises(ValueError, match="no setting 'neighbors': use some of k, weights, temperature"):
        find_task("knn-genus-unseen").choose({"neighbors": 1})
    for wrong in ("x", "1.5", True, None):
        with pytest.raises(ValueError, match=r"setting k of task knn-genus-unseen is .*: give a whole number"):
            find_task("knn-genus-unseen").choose({"k": wrong})


def test_the_readme_lists_every_task_with_its_question():
    readme = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `([\w-]+)` \| (.*\?)", readme, re.MULTILINE))
    questions = {task.name: task.question[0].lower() + task.question[1:] for task in TASKS.values()}
    assert {name: rows.get(name) for name in questions} == questions
