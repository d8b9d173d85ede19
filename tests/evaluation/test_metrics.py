"""The metrics load with `evaluate`, compute what the package computes, and are complete as Spaces."""

from __future__ import annotations

import ast
import contextlib
import io
import re

import pytest
import yaml


evaluate = pytest.importorskip("evaluate", reason="it comes with the extra eval")

from bioscan5m_hf.evaluation.metric_base import FOLDER, METRICS, metric_path  # noqa: E402


def load(name):
    return evaluate.load(metric_path(name))


def test_a_wrong_name_is_answered_with_the_right_ones():
    with pytest.raises(
        ValueError, match="there is no metric 'accuracy': use one of calibration_error, clustering_agr"
    ):
        metric_path("accuracy")


@pytest.mark.parametrize("name", METRICS)
def test_a_folder_is_complete_as_a_space(name):
    folder = FOLDER / name
    assert {path.name for path in folder.iterdir() if path.is_file()} == {
        f"{name}.py", "README.md", "app.py", "requirements.txt"}  # fmt: skip
    _, front, _ = (folder / "README.md").read_text(encoding="utf-8").split("---\n", 2)
    card = yaml.safe_load(front)
    assert (card["sdk"], card["app_file"]) == ("gradio", "app.py")
    assert {"evaluate", "metric"} <= set(card["tags"])
    assert f'"{name}.py"' in (folder / "app.py").read_text(encoding="utf-8")
    # `evaluate` reads imports line by line, and takes "import a, b" for one name
    for node in ast.walk(ast.parse((folder / f"{name}.py").read_text(encoding="utf-8"))):
        assert not isinstance(node, ast.Import) or len(node.names) == 1


@pytest.mark.parametrize("name", METRICS)
def test_the_example_of_a_readme_prints_what_it_says(name):
    text = (FOLDER / name / "README.md").read_text(encoding="utf-8")
    (code,), (printed,) = (re.findall(rf"```{kind}\n(.*?)```", text, re.DOTALL) for kind in ("python", "text"))
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        exec(code, {})
    assert said.getvalue() == printed


def test_ranks_may_be_missing_and_come_in_pieces():
    metric = load("taxonomic_accuracy")
    metric.add(predictions={"genus": "Aus"}, references={"genus": "Aus", "order": "Diptera"})
    metric.add_batch(predictions=[{"order": "Diptera"}], references=[{"order": "Diptera"}])
    found = metric.compute()
    assert found == {
        "order_micro": 0.5, "order_macro": 0.5, "order_n": 2, "order_classes": 1,
        "genus_micro": 1.0, "genus_macro": 1.0, "genus_n": 1, "genus_classes": 1,
    }  # fmt: skip
    with pytest.raises(ValueError, match="unknown rank 'genera'"):
        load("taxonomic_accuracy").compute(predictions=[{"genera": "Aus"}], references=[{"genus": "Aus"}])


def test_clusters_are_compared_with_names():
    found = load("clustering_agreement").compute(predictions=[1, 1, 2], references=["a", "a", None], missing="class")
    assert (found["ami"], found["n"], found["classes"]) == (1.0, 3, 2)


def test_mistakes_within_a_genus_weigh_less():
    truth = [{"order": "Diptera", "genus": "Aus", "species": "Aus a"}] * 2 + [{"order": "Diptera"}]
    near, far, unknown = {"genus": "Aus", "species": "Aus b"}, {"order": "Diptera"}, {}
    found = load("taxonomic_distance").compute(predictions=[near, far, unknown], references=truth)
    assert found == {"ranks_apart": 1.5, "of_mistakes": 1.5, "mistakes": 2, "n": 2}
    with pytest.raises(ValueError, match="no specimen has a true species"):
        load("taxonomic_distance").compute(predictions=[{}], references=[{"order": "Diptera"}])


def test_a_missing_name_may_come_first():
    found = load("taxonomic_accuracy").compute(predictions=[None, "a"], references=["a", "a"])
    assert found == {"micro": 0.5, "macro": 0.5, "n": 2, "classes": 1}
    found = load("retrieval_accuracy").compute(predictions=[[None], ["a"]], references=[None, "a"])
    assert (found["top1_micro"], found["n"]) == (1.0, 1)
    assert load("clustering_agreement").compute(predictions=[1, 2], references=[None, "a"])["n"] == 1


def test_unknown_names_do_not_count_for_calibration():
    given = {"predictions": ["a", "a"], "references": ["a", None], "confidences": [0.75, 0.1]}
    assert load("calibration_error").compute(**given) == {"expected_calibration_error": 0.25, "n": 1}


def test_the_metrics_of_a_namespace_load_by_their_names(hub, tmp_path, monkeypatch, fresh_python):
    from typer.testing import CliRunner

    from bioscan5m_hf.cli import app

    runner = CliRunner()
    done = runner.invoke(app, ["push-metrics", "tester"])
    assert done.exit_code == 0, done.output
    assert done.output.count("4 files uploaded, 0 unchanged") == len(METRICS)
    assert f"{hub.url}/spaces/tester/taxonomic_accuracy:" in done.output
    again = runner.invoke(app, ["push-metrics", "tester"])
    assert again.output.count("0 files uploaded, 4 unchanged") == len(METRICS)
    code = (
        "import evaluate\n"
        "metric = evaluate.load('tester/taxonomic_accuracy')\n"
        "print(metric.compute(predictions=['Aus', None], references=['Aus', 'Bus'])['micro'])"
    )
    assert fresh_python(code, HF_HOME=str(tmp_path)).split()[-1] == "0.5"
