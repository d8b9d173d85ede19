"""The cards that training leaves: their YAML is made from the records, and every code block in them runs."""

from __future__ import annotations

import contextlib
import json
import re
import shlex
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
from datasets import load_dataset
from huggingface_hub import ModelCard
from scripts import ROOT, train
from typer.testing import CliRunner

from bioscan5m_hf.cli import app


DEBUG = ROOT / "training" / "configs" / "debug.yaml"


@pytest.fixture(scope="module")
def workplace(dataset, tmp_path_factory):
    """Give a folder in which `encoder` was pretrained, and `names` and `names-2` (two ranks) were fine-tuned on it."""
    folder = tmp_path_factory.mktemp("workplace")
    named = ("--dataset", dataset, "--model", "encoder", "--epochs", 1, "--batch-size", 16)
    with contextlib.chdir(folder):
        train("pretrain_barcodebert", "--config", DEBUG, "--dataset", dataset, "--output", "encoder", "--epochs", 1)
        train("finetune_barcodebert", *named, "--output", "names", "--rank", "order", "--license", "cc-by-4.0")
        train("finetune_barcodebert", *named, "--output", "names-2", "--rank", "order", "genus")
    return folder


def blocks_of(card, language="python"):
    return re.findall(rf"```{language}\n(.*?)```", card.read_text(), re.DOTALL)


def run(block):
    names: dict[str, object] = {}
    exec(block, names)
    return names


def test_an_encoder_is_used_in_three_ways_that_agree(workplace, monkeypatch):
    monkeypatch.chdir(workplace)
    blocks = blocks_of(workplace / "encoder" / "README.md")
    for block, way in zip(blocks, ("AutoModel", "SentenceTransformer", "BarcodeEncoder"), strict=True):
        assert way in block
    plain, sentence, ours = (np.asarray(run(block)["embeddings"]) for block in blocks)
    assert ours.shape == (2, 32)
    assert np.linalg.norm(ours[0] - ours[1]) > 1e-3
    np.testing.assert_allclose(plain, ours, atol=1e-5)
    np.testing.assert_allclose(sentence, ours, atol=1e-5)


@pytest.mark.parametrize(("name", "ranks"), [("names", ["order"]), ("names-2", ["order", "genus"])])
def test_a_classifier_is_used_in_three_ways_that_agree(workplace, monkeypatch, name, ranks):
    """The way that needs `transformers` alone is run where this package cannot be imported."""
    monkeypatch.chdir(workplace)
    blocks = blocks_of(workplace / name / "README.md")
    assert len(blocks) == 3
    ours, embedded = run(blocks[0]), run(blocks[2])
    plain = scores_without_this_package(blocks[1])
    labels = json.loads((workplace / name / "config.json").read_text())["labels"]
    assert list(ours["scores"]) == list(plain) == ranks
    for rank in ranks:
        scores = ours["scores"][rank].numpy()
        np.testing.assert_allclose(scores, plain[rank], atol=1e-5)
        assert ours["names"][rank] == [labels[rank][best] for best in scores.argmax(1)]
    assert np.asarray(embedded["embeddings"]).shape == (2, 32)


def scores_without_this_package(block):
    code = (
        f"import sys; sys.path.append({sysconfig.get_paths()['purelib']!r})\n{block}\nimport json\n"
        "assert 'bioscan5m_hf' not in sys.modules\n"
        "print(json.dumps({rank: found.tolist() for rank, found in scores.items()}))"
    )
    done = subprocess.run(
        [sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_a_classifier_is_used_on_the_command_line(workplace, dataset, monkeypatch):
    monkeypatch.chdir(workplace)
    (command,) = blocks_of(workplace / "names" / "README.md", "console")
    rows = load_dataset(str(dataset), "metadata", split="train").select(range(3))
    (workplace / "reads.fasta").write_text("".join(f">{row['processid']}\n{row['dna_barcode']}\n" for row in rows))
    words = shlex.split(command.strip().removeprefix("$ bioscan5m "))
    done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, done.output
    assert len((workplace / "names.csv").read_text().splitlines()) == 4


@pytest.mark.parametrize("name", ["encoder", "names", "names-2"])
def test_the_yaml_states_the_records_and_what_the_hub_sorts_by(workplace, name):
    card = ModelCard.load(workplace / name / "README.md")
    assert card.data.library_name == "transformers"
    assert card.data.license == ("cc-by-4.0" if name == "names" else "mit")
    assert f"The weights: `{card.data.license}`" in card.text
    assert card.data.pipeline_tag == ("feature-extraction" if name == "encoder" else "text-classification")
    assert card.data.metrics == ["accuracy"]
    assert card.data.model_name == name
    records = json.loads((workplace / name / "results.json").read_text())
    stated = {(one.dataset_type, one.dataset_name, one.metric_value) for one in card.data.eval_results}
    measured = [one for one in records if "loss" not in one["metric"]]
    assert stated == {("bioscan-5m", one["data"], round(one["value"], 6)) for one in measured}
    assert not [one for one in card.data.eval_results if one.dataset_revision]  # the records know what was learnt from
    for record in records:
        assert "/" not in record["data"]  # where a folder is, is nobody's business
        assert f"Barcodes: digest `{record['data_revision']}`" in card.text
        assert f"| {record['metric']} | {record['value']:.4f} | {record['data']} |" in card.text


def test_a_model_of_the_hub_is_named_as_the_one_it_was_fine_tuned_from(workplace, dataset, hub, repo_id, monkeypatch):
    from bioscan5m_hf.hub.push import push

    push(workplace / "encoder", repo_id, repo_type="model")
    monkeypatch.chdir(workplace)
    named = ("--dataset", dataset, "--model", repo_id, "--epochs", 1, "--batch-size", 16, "--rank", "order")
    train("finetune_barcodebert", *named, "--output", "further", "--test", "none")
    data = ModelCard.load(workplace / "further" / "README.md").data
    assert (data.base_model, data.to_dict()["base_model_relation"]) == (repo_id, "finetune")


def test_folders_of_this_machine_are_not_told(workplace, dataset):
    for model in ("encoder", "names"):
        for file in ("README.md", "results.json"):
            text = (workplace / model / file).read_text()
            assert str(Path(dataset).parent) not in text
            assert str(workplace) not in text
    assert f"dataset: {Path(dataset).name}" in (workplace / "encoder" / "README.md").read_text()
