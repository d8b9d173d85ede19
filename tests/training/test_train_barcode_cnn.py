"""The convolutional baseline learns the names it is shown, and is a model of the benchmark afterwards."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from datasets import load_dataset
from scripts import load, log_of, start, train, weights_of

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.dna import STANDARD
from bioscan5m_hf.learning import convolution
from bioscan5m_hf.learning.checkpoints import CheckpointError
from bioscan5m_hf.learning.convolution import ConvolutionalRecipe, named_rows, pictures, texts
from bioscan5m_hf.learning.finetuning import NamingTask, class_names
from bioscan5m_hf.learning.meter import LossError
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.learning.sources import load_table
from bioscan5m_hf.learning.tables import TableError
from bioscan5m_hf.models.barcode_cnn import BarcodeCNN, one_hot


SCRIPT = "train_barcode_cnn"


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("cnn") / "barcode-cnn"
    train(SCRIPT, "--dataset", dataset, "--output", folder, "--rank", "order", "--epochs", 6, "--batch-size", 32)
    return folder


@pytest.fixture(scope="module")
def task(dataset):
    table = load_table(str(dataset), "train", layout=STANDARD.name, labels=("genus",))
    return NamingTask.of(table, 1, STANDARD.name, class_names(table, ("genus",)))


def test_it_learns_and_is_measured(finished):
    log = log_of(finished)
    assert [line["epoch"] for line in log] == [1, 2, 3, 4, 5, 6]
    assert log[-1]["loss"] < 0.5 * log[0]["loss"]
    records = json.loads((finished / "results.json").read_text())
    assert [(record["data"].split()[-1], record["metric"]) for record in records] == [
        ("val", "order_accuracy"),
        ("test", "order_accuracy"),
    ]
    assert records[0]["value"] == log[-1]["validation_accuracy"]
    assert records[1]["value"] > 0.6


def test_the_accuracy_is_that_of_the_saved_weights(finished, dataset):
    rows = load_dataset(str(dataset), "metadata", split="test")
    model = BarcodeCNN.from_pretrained(finished).eval()
    named = dict(zip(rows["dna_barcode"], rows["order"], strict=True))
    asked = {barcode: name for barcode, name in named.items() if barcode and name in model.labels}
    best = model(one_hot(list(asked))).argmax(-1).tolist()
    right = np.mean([model.labels[place] == name for place, name in zip(best, asked.values(), strict=True)])
    assert json.loads((finished / "results.json").read_text())[1]["value"] == pytest.approx(right)


def test_it_is_a_model_of_the_benchmark_that_says_what_it_has_seen(finished):
    encoder = load_encoder(str(finished))
    assert encoder.pretrained_on == ("train",)
    assert encoder.embed(["ACGT" * 100]).shape == (1, 500)


def test_the_block_of_its_card_runs(finished):
    card = (finished / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    assert len(names["names"]) == 2
    assert names["embeddings"].shape == (2, 500)
    assert "library_name: bioscan5m-hf" in card


def test_the_same_command_gives_the_same_weights(dataset, tmp_path):
    arguments = ("--dataset", dataset, "--rank", "order", "--epochs", 1)
    for name in ("one", "two"):
        train(SCRIPT, *arguments, "--output", tmp_path / name)
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert all((one[name] == two[name]).all() for name in one)


def test_two_processes_learn_together(dataset, tmp_path):
    process = start(
        SCRIPT, "--dataset", dataset, "--rank", "order", "--epochs", 6, "--output", tmp_path / "cnn", processes=2
    )
    said, _ = process.communicate()
    assert process.returncode == 0, said
    assert log_of(tmp_path / "cnn")[-1]["loss"] < 0.7 * log_of(tmp_path / "cnn")[0]["loss"]


def test_pictures_are_of_the_barcodes_that_have_a_name(task, dataset):
    rows = named_rows(task, "genus")
    given = load_dataset(str(dataset), "metadata", split="train")
    barcode_of = dict(zip(given["processid"], given["dna_barcode"], strict=True))
    written = [barcode_of[processid][:660] for processid in task.table.processids(np.array(rows))]
    found = texts(task, rows)
    assert found == [re.sub("[^ACGT]", "N", barcode.strip("N")) for barcode in written]
    shown, classes, places = pictures(task, "genus", rows[:3])
    assert shown.shape == (3, 1, 660, 5)
    assert classes.tolist() == task.targets["genus"][rows[:3]].tolist()
    assert places.tolist() == rows[:3]


def test_a_loss_that_is_no_number_names_the_specimens(dataset, tmp_path, monkeypatch, task):
    script = load(SCRIPT)
    monkeypatch.setattr(convolution, "one_hot", lambda barcodes: one_hot(barcodes) * float("nan"))
    with pytest.raises(LossError, match=r"the loss of step 1 is nan; its batch was \S+, \S+"):
        script.main(["--dataset", str(dataset), "--rank", "order", "--output", str(tmp_path / "cnn")])


def test_splits_without_a_known_name_are_refused(dataset, tmp_path):
    with pytest.raises(TableError, match="no barcode of val_unseen has a species that train has: name other splits"):
        train(SCRIPT, "--dataset", dataset, "--output", tmp_path / "cnn", "--validation", "val_unseen")


def test_trackers_are_told(dataset, tmp_path):
    pytest.importorskip("tensorboard")
    arguments = ("--dataset", dataset, "--rank", "order", "--epochs", 1, "--log-with", "tensorboard")
    train(SCRIPT, *arguments, "--output", tmp_path / "cnn")
    assert list((tmp_path / "cnn").rglob("events.out.tfevents*"))


def test_another_recipe_in_the_same_folder_is_refused(finished, dataset):
    with pytest.raises(CheckpointError, match="rank was 'order' and is 'genus'"):
        train(SCRIPT, "--dataset", dataset, "--output", finished, "--rank", "genus")


@pytest.mark.parametrize(
    ("values", "message"),
    [({"rank": "tribe"}, "tribe"), ({"batch_size": 1}, "batch_size is 1"), ({"kernel_width": 2}, "kernel_width is 2")],
)
def test_values_that_cannot_be_meant_are_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        ConvolutionalRecipe(**values)
