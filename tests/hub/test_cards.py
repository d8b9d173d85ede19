"""Figures reach a card's YAML whole, under their own names, in forms that the Hub's client reads back."""

import json
import shutil
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, parse_eval_result_entries
from typer.testing import CliRunner

from bioscan5m_hf.cli import app
from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.hub.cards import Figure, eval_results, front_matter, join_card, model_index, split_card
from bioscan5m_hf.hub.records import read_records, record_figures, with_figures


PUBLIC = Path(__file__).resolve().parents[2] / "models" / "barcodebert-public"
CARD = "---\nlicense: mit\nmodel_name: tiny\n---\n# Tiny\n"
OWN = {"task": "tiny", "metric": "genus", "value": 0.75, "data": "test", "data_revision": "0a1b"}


def read_back(index):
    """Give what the Hub's client finds in a card: (task, data, metric) → value."""
    card = ModelCard(join_card({"license": "mit", "model-index": index}, "# Tiny\n"))
    return {(one.task_name, one.dataset_name, one.metric_name): one.metric_value for one in card.data.eval_results}


def test_figures_of_different_tasks_and_data_keep_their_names():
    asked = [(task, data) for task in ("nearest specimens", "mean of frames") for data in ("test", "test_unseen")]
    figures = [Figure(task, "accuracy", number / 10, data) for number, (task, data) in enumerate(asked)]
    figures += [Figure("nearest specimens", "mean over genera", 0.9, "test", revision="0a1b")]
    index = model_index("tiny", figures)
    assert read_back(index) == {(one.task, one.data, one.metric): one.value for one in figures}
    assert len(index[0]["results"]) == 5
    assert index[0]["results"][4]["dataset"]["revision"] == "0a1b"
    assert model_index("tiny", []) == []


def test_figures_of_one_task_and_data_stand_together():
    index = model_index("tiny", [Figure("a", "one", 0.1, "test"), Figure("a", "two", 0.2, "test")])
    (result,) = index[0]["results"]
    assert [metric["name"] for metric in result["metrics"]] == ["one", "two"]


def test_a_registered_benchmark_gets_entries_that_can_be_read_back():
    said = {"dataset": "me/bioscan-5m", "revision": "c0ffee", "date": "2026-11-02", "notes": "mean of 8 frames"}
    known = Figure("1-NN", "genus", 0.123456789, "test", task_id="genus", source="https://example.org/r.json", **said)
    others = [Figure("1-NN", "genus", 0.2, "test", task_id="genus"), Figure("1-NN", "genus", 0.3, "test", **said)]
    (entry,) = parse_eval_result_entries(yaml.safe_load(eval_results([known, *others])))
    assert (entry.dataset_id, entry.task_id, entry.value) == ("me/bioscan-5m", "genus", 0.123457)
    assert (entry.dataset_revision, entry.date, entry.notes) == ("c0ffee", "2026-11-02", "mean of 8 frames")
    assert entry.source_url == "https://example.org/r.json"
    assert eval_results(others) == ""


def test_what_a_model_was_compared_with_is_not_its_own_figure():
    others = [OWN | {"task": task} for task in ("counts of 6-mers", "tiny, untrained", "tiny-2", "alignment")]
    bounds = ("genus, low", "genus, high", "genus, mean over genera, low", "genus, Linnaean names, high")
    no_metrics = [OWN | {"metric": metric} for metric in (*bounds, "keys left out")]
    losses = [{**OWN, "task": "masked k-mers", "metric": "validation_loss"}]
    assert record_figures([*others, *no_metrics, *losses], "tiny") == []
    frames, names = OWN | {"task": "tiny, mean of 4 frames"}, OWN | {"task": "names of barcodes"}
    names["metric"] = "genus_balanced_accuracy"
    made = record_figures([OWN, frames, names], "tiny", "some/folder/bioscan-5m")
    assert [one.task for one in made] == [
        "nearest specimens",
        "nearest specimens, mean of 4 frames",
        "names of barcodes",
    ]
    assert [one.pipeline for one in made] == ["feature-extraction", "feature-extraction", "text-classification"]
    assert made[2].metric == "accuracy at the rank genus, mean over names"
    assert [(one.dataset, one.revision) for one in made] == [("bioscan-5m", "0a1b")] * 2 + [("bioscan-5m", None)]


def test_a_card_has_the_figures_of_the_records_and_no_older_ones():
    filled = with_figures(CARD, [OWN])
    assert read_back(split_card(filled)[0]["model-index"]) == {
        ("nearest specimens", "test", "genus of the nearest specimen of another species"): 0.75
    }
    assert with_figures(filled, [OWN]) == filled
    assert with_figures(filled, []) == CARD


def test_the_public_models_figures_are_those_of_its_records():
    """After a change of `results.json`, `make fix` writes them."""
    text, records = (PUBLIC / "README.md").read_text(), read_records(PUBLIC / "results.json")
    assert with_figures(text, records) == text
    values = {round(one["value"], 6) for one in records if one["task"].startswith(("barcodebert-public", "masked"))}
    found = read_back(split_card(text)[0]["model-index"])
    assert set(found.values()) <= values
    genus = next(one["value"] for one in records if (one["task"], one["metric"]) == ("barcodebert-public", "genus"))
    assert round(genus, 6) in found.values()


def test_the_command_writes_and_checks(tmp_path):
    shutil.copytree(PUBLIC, tmp_path / "model")
    card, results = tmp_path / "model" / "README.md", tmp_path / "model" / "results.json"
    words = ["card", str(card), "--results", str(results)]
    assert CliRunner().invoke(app, [*words, "--check"]).exit_code == 0
    records = json.loads(results.read_text())
    results.write_text(json.dumps([one | {"value": 0.5} for one in records]))
    refused = CliRunner().invoke(app, [*words, "--check"])
    assert isinstance(refused.exception, OutputError)
    assert f"run `bioscan5m card {card} --results {results}`" in str(refused.exception)
    assert CliRunner().invoke(app, words).exit_code == 0
    assert set(read_back(split_card(card.read_text())[0]["model-index"]).values()) == {0.5}
    assert CliRunner().invoke(app, [*words, "--check"]).exit_code == 0


def test_front_matter_names_only_what_is_on_the_hub():
    front = front_matter("tiny", "text-classification", dataset="me/bioscan-5m", license="mit", base_model="me/base")
    assert (front["base_model"], front["base_model_relation"]) == ("me/base", "finetune")
    assert front["datasets"] == ["me/bioscan-5m"]
    assert "model-index" not in front
    local = front_matter("tiny", "feature-extraction", dataset="/here/bioscan-5m", license="cc0-1.0", base_model="out")
    assert local["datasets"] == []
    assert "base_model" not in local
    assert local["license"] == "cc0-1.0"
    assert "sentence-transformers" in local["tags"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("# Tiny\n", "no YAML between --- lines"),
        ("---\nlicense: mit\n", "no YAML between --- lines"),
        ("---\na: [\n---\n", "cannot be read"),
        ("---\n- a\n---\n", "is a list: it has to be a mapping"),
    ],
)
def test_a_card_without_yaml_is_refused(text, message):
    with pytest.raises(OutputError, match=message):
        split_card(text)


@pytest.mark.parametrize("text", ['[{"task": "a"}]', "{}", "[1]"])
def test_what_is_no_record_is_refused(tmp_path, text):
    (tmp_path / "results.json").write_text(text)
    with pytest.raises(OutputError, match="it needs data, metric, task, value"):
        read_records(tmp_path / "results.json")
    (tmp_path / "results.json").write_text("[")
    with pytest.raises(OutputError, match="cannot be read"):
        read_records(tmp_path / "results.json")
