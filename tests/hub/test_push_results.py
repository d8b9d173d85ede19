"""Results on a model's card: read back through the Hub's client, merged with what stands there, pushed once."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import yaml
from huggingface_hub import ModelCard, hf_hub_download, parse_eval_result_entries
from invented_results import clustering, finetune, knn, novelty, retrieval

from bioscan5m_hf.errors import OutputError, ResultError
from bioscan5m_hf.evaluation.results import read_result, write_result
from bioscan5m_hf.hub.repository import HubError
from bioscan5m_hf.hub.results import ENTRIES, RECORDS, merged_entries, merged_index, push_results, result_figures


DATASET = "me/bioscan-5m"
CARD = """---
license: mit
tags:
- dna
model-index:
- name: mine
  results:
  - task:
      type: fill-mask
      name: masked k-mers
    dataset:
      type: unpublished
      name: val
    metrics:
    - type: accuracy
      value: 0.25
      name: masked accuracy
---
# Mine

| a | b |
|---|---|

Ends without a line's end: é"""


@pytest.fixture
def model(hub, repo_id):
    """A model on the Hub, with a card that says something already."""
    hub.seed(repo_id, {"README.md": CARD.encode(), "config.json": b"{}"}, "model")
    return repo_id


def write(folder, *results):
    for one in results:
        write_result(folder, one)
    return folder


def figures_of(repo_id):
    found = ModelCard.load(repo_id).data.eval_results
    return {(one.task_name, one.dataset_name, one.metric_name): one.metric_value for one in found}


def entries_of(repo_id):
    path = hf_hub_download(repo_id, ENTRIES)
    return {one.task_id: one for one in parse_eval_result_entries(yaml.safe_load(Path(path).read_text()))}


def test_the_card_and_the_entries_are_read_back_through_the_client(hub, model, tmp_path):
    one, other = knn(0, "/home/me/mine"), clustering(0, "/home/me/mine", points=5)
    report = push_results(write(tmp_path, one, other), model, benchmark=DATASET, progress=False)
    assert len(report.commits) == 1
    found = figures_of(model)
    data = f"{DATASET}: test_unseen"
    for rank in ("class", "order", "family", "subfamily", "genus", "species", "dna_bin"):
        expected = one.scores[f"{rank}/test_unseen/micro"].value
        assert found["knn-genus-unseen (dna)", data, f"{rank}, micro"] == pytest.approx(expected, abs=1e-6)
    assert ("knn-genus-unseen (dna)", data, "genus, macro") not in found
    assert found["zero-shot-clustering (dna)", f"{DATASET}: k = species", "species, ami"] == pytest.approx(0.65)
    entries = entries_of(model)
    assert set(entries) == {"knn-genus-unseen", "zero-shot-clustering"}
    entry = entries["knn-genus-unseen"]
    assert (entry.dataset_id, entry.dataset_revision, entry.date) == (DATASET, one.data_revision, "2026-01-31")
    assert entry.value == pytest.approx(one.scores[one.main].value, abs=1e-6)
    assert "95 % interval" in entry.notes
    assert "n = 3401; pretrained on pretrain" in entry.notes
    record = entry.source_url.split(f"{model}/blob/main/")[1]
    assert read_result(hf_hub_download(model, record)).scores == one.scores


def test_all_else_of_the_card_stays(hub, model, tmp_path):
    push_results(write(tmp_path, novelty(0, "mine")), model, benchmark=DATASET, progress=False)
    text = hub.files(model, "model")["README.md"].decode()
    assert text.split("\n---\n", 1)[1] == CARD.split("\n---\n", 1)[1]
    card = ModelCard.load(model)
    assert (card.data.license, card.data.tags) == ("mit", ["dna"])
    assert figures_of(model)["masked k-mers", "val", "masked accuracy"] == 0.25
    assert yaml.safe_load(text.split("---\n")[1])["model-index"][0]["name"] == "mine"
    assert hub.files(model, "model")["config.json"] == b"{}"


def test_a_second_push_of_the_same_changes_nothing(hub, model, tmp_path):
    write(tmp_path, knn(0, "mine"), novelty(0, "mine"))
    push_results(tmp_path, model, benchmark=DATASET, progress=False)
    before = hub.files(model, "model")
    report = push_results(tmp_path, model, benchmark=DATASET, progress=False)
    assert (report.commits, report.uploaded) == ((), ())
    assert hub.files(model, "model") == before


def test_newer_figures_replace_the_old_ones_and_others_stay(hub, model, tmp_path):
    old, newer = novelty(0, "mine"), replace(novelty(3, "mine"), data_revision="newer")
    push_results(write(tmp_path / "a", old, knn(0, "mine")), model, benchmark=DATASET, progress=False)
    count = len(figures_of(model))
    push_results(write(tmp_path / "b", newer), model, benchmark=DATASET, progress=False)
    found = figures_of(model)
    assert len(found) == count
    assert found["novelty (dna)", DATASET, "AUROC"] == pytest.approx(0.81)
    entries = entries_of(model)
    assert entries["novelty"].value == pytest.approx(0.81)
    assert entries["novelty"].dataset_revision == "newer"
    assert "knn-genus-unseen" in entries


def test_records_tell_nothing_of_this_machine(hub, model, tmp_path):
    command = "bioscan5m evaluate /home/me/mine --data /data/invented-5m --out ~/private/results --cache=/home/me/c"
    result = replace(novelty(0, "/home/me/mine"), data="/data/invented-5m", command=command)
    push_results(write(tmp_path, result), model, progress=False)
    files = hub.files(model, "model")
    (path,) = (path for path in files if path.startswith(RECORDS))
    record = json.loads(files[path])
    assert record["command"] == f"bioscan5m evaluate {model} --data invented-5m --out results --cache=c"
    assert (record["model"], record["data"]) == (model, "invented-5m")
    assert not any(b"/home" in content or b"/data/" in content or b"private" in content for content in files.values())
    assert ENTRIES not in files  # there is no dataset on the Hub to name


def test_a_dataset_on_the_hub_is_the_benchmark_by_default(hub, model, tmp_path):
    result = replace(retrieval(0, model), data=DATASET)
    push_results(write(tmp_path, result), model, progress=False)
    assert entries_of(model)["cross-modal-retrieval-image-dna"].dataset_id == DATASET


def test_the_model_is_chosen_by_its_name(hub, model, tmp_path):
    write(tmp_path, novelty(0, "one"), novelty(1, "two"))
    with pytest.raises(OutputError, match="the results are of one, two: say by --model"):
        push_results(tmp_path, model, progress=False)
    with pytest.raises(OutputError, match="the results are of one, two"):
        push_results(tmp_path, model, model="three", progress=False)
    push_results(tmp_path, model, model="two", benchmark=DATASET, progress=False)
    assert figures_of(model)["novelty (dna)", DATASET, "AUROC"] == pytest.approx(0.87)
    write(tmp_path, novelty(2, model))
    push_results(tmp_path, model, benchmark=DATASET, progress=False)
    assert figures_of(model)["novelty (dna)", DATASET, "AUROC"] == pytest.approx(0.84)


def test_results_of_several_revisions_are_not_put_on_one_card(hub, model, tmp_path):
    write(tmp_path, knn(0, "mine"), replace(novelty(0, "mine"), model_revision="older"))
    with pytest.raises(OutputError, match=r"of several revisions of it, .* \(knn-genus-unseen\), older \(novelty\)"):
        push_results(tmp_path, model, progress=False)
    assert len(hub.history(model, "model")) == 2


def test_what_is_not_there_is_said(hub, repo_id, model, tmp_path):
    folder = write(tmp_path / "results", novelty(0, "mine"))
    with pytest.raises(HubError, match="no such repository"):
        push_results(folder, f"{repo_id}-other", progress=False)
    hub.seed(f"{repo_id}-bare", {"config.json": b"{}"}, "model")
    with pytest.raises(OutputError, match=r"has no README\.md: push the model first"):
        push_results(folder, f"{repo_id}-bare", progress=False)
    with pytest.raises(OutputError, match="holds no results"):
        push_results(tmp_path, model, progress=False)
    write(folder, replace(knn(0, "mine"), data_revision="other"))
    with pytest.raises(ResultError, match="data_revision"):
        push_results(folder, model, progress=False)
    assert len(hub.history(model, "model")) == 2


def test_a_card_without_yaml_gets_some(hub, repo_id, tmp_path):
    hub.seed(repo_id, {"README.md": b"# Mine\n"}, "model")
    push_results(write(tmp_path, finetune(0, "mine")), repo_id, benchmark=DATASET, progress=False)
    assert hub.files(repo_id, "model")["README.md"].decode().endswith("---\n# Mine\n")
    assert len(figures_of(repo_id)) == 8


def test_a_pull_request_leaves_the_card_as_it_is(hub, model, tmp_path):
    folder = write(tmp_path, novelty(0, "mine"))
    report = push_results(folder, model, benchmark=DATASET, create_pr=True, progress=False)
    assert "/discussions/" in report.url
    assert hub.files(model, "model")["README.md"].decode() == CARD


def test_figures_name_task_data_and_metric_as_the_hub_does():
    main, *others = result_figures(finetune(0, "mine"), DATASET)
    assert (main.pipeline, main.kind, main.task_id) == ("text-classification", "accuracy", "finetune-species")
    assert (main.metric, main.data) == ("species, micro", f"{DATASET}: test")
    assert len(others) == 7
    assert {one.task_id for one in others} == {None}
    picture = replace(knn(0, "mine"), modality="image")
    assert result_figures(picture)[0].pipeline == "image-feature-extraction"
    assert result_figures(novelty(0, "mine"))[0].kind == "roc_auc"
    assert result_figures(clustering(0, "mine", points=5))[0].kind == "adjusted_mutual_information"


@pytest.mark.parametrize("old", ["text", [{"name": "a"}], [{"name": "a", "results": [{"task": {}}]}], {"name": "a"}])
def test_a_model_index_that_is_none_is_refused(old):
    with pytest.raises(OutputError, match="repair or remove it"):
        merged_index(old, [])


def test_entries_that_cannot_be_read_are_refused():
    with pytest.raises(OutputError, match="repair or remove it"):
        merged_entries("- dataset: 1", "")
    assert merged_entries("", "") == ""
