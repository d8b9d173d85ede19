"""Fine-tuning names seen taxa at one rank or several, stops in time, resumes exactly, and keeps the names."""

from __future__ import annotations

import csv
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import transformers
from datasets import load_dataset
from scripts import load, log_of, start, train, weights_of

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.learning.tables import TableError
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock
from bioscan5m_hf.synthetic import synthesize
from bioscan5m_hf.taxonomy import is_filler


SCRIPT = "finetune_barcodebert"
RATE = ("--learning-rate", 2e-2, "--batch-size", 16, "--clip", 1, "--log-every", 1)


@pytest.fixture(scope="module")
def pretrained(tmp_path_factory):
    """An encoder as the pretraining script leaves it, but for the training."""
    torch.manual_seed(0)
    config = BarcodeBertConfig(
        kmer_size=4, hidden_size=32, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64
    )
    return save_stock(BarcodeBertModel(config), tmp_path_factory.mktemp("model") / "pretrained")


def finetune(pretrained, dataset, output, *arguments):
    train(SCRIPT, "--model", pretrained, "--dataset", dataset, "--output", output, *RATE, *arguments)


@pytest.fixture(scope="module")
def finished(pretrained, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("finetuning") / "undisturbed"
    finetune(pretrained, dataset, folder, "--rank", "order", "--rank", "genus", "--epochs", 12, "--patience", 12)
    return folder


def names_in(dataset, rank):
    rows = load_dataset(str(dataset), "metadata", split="train")
    given = {name for name, barcode in zip(rows[rank], rows["dna_barcode"], strict=True) if name and barcode}
    return sorted(name for name in given if not is_filler(name))


def test_the_classes_are_the_names_of_the_training_data(finished, dataset):
    labels = json.loads((finished / "config.json").read_text())["labels"]
    assert labels == {rank: names_in(dataset, rank) for rank in ("order", "genus")}


def test_it_learns_and_the_best_epoch_is_kept(finished):
    log = log_of(finished)
    losses = [line["loss"] for line in log if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]
    found = [
        (line["validation_order_accuracy"] + line["validation_genus_accuracy"]) / 2
        for line in log
        if "validation_order_accuracy" in line
    ]
    assert len(found) == 12
    records = json.loads((finished / "results.json").read_text())
    value = {(record["data"].split()[-1], record["metric"]): record["value"] for record in records}
    assert (value["val", "order_accuracy"] + value["val", "genus_accuracy"]) / 2 == max(found)
    assert ("test", "genus_balanced_accuracy") in value


def test_the_model_gives_scores_for_each_rank(finished):
    import bioscan5m_hf.models  # noqa: F401

    model = transformers.AutoModelForSequenceClassification.from_pretrained(finished)
    tokenizer = transformers.AutoTokenizer.from_pretrained(finished)
    logits = model(**tokenizer(["ACGTACGTACGT"], return_tensors="pt")).logits
    assert {rank: scores.shape[1] for rank, scores in logits.items()} == {
        rank: len(names) for rank, names in model.config.labels.items()
    }
    card = (finished / "README.md").read_text()
    assert "pipeline_tag: text-classification" in card
    assert "genus_accuracy" in card


def test_the_finished_model_names_barcodes_and_what_stands_above_them(finished, dataset, tmp_path):
    rows = load_dataset(str(dataset), "metadata", split="train").select(range(5))
    reads = tmp_path / "reads.fasta"
    lines = (f">{name}\n{barcode}\n" for name, barcode in zip(rows["processid"], rows["dna_barcode"], strict=True))
    reads.write_text("".join(lines))
    words = [sys.executable, "-m", "bioscan5m_hf.cli", "predict", str(reads), "--model", str(finished)]
    subprocess.run([*words, "--rank", "genus", "--out", str(tmp_path / "names.csv")], check=True)
    with (tmp_path / "names.csv").open(newline="") as stream:
        named = list(csv.DictReader(stream))
    assert [row["processid"] for row in named] == rows["processid"]
    genera = json.loads((finished / "config.json").read_text())["labels"]["genus"]
    assert all(row["candidate"] in genera and 0 < float(row["candidate_probability"]) <= 1 for row in named)
    above = json.loads((finished / "taxonomy.json").read_text())["lineages"]["genus"]
    assert set(above) == set(genera)


@pytest.fixture(scope="module")
def learnt(tmp_path_factory):
    """A classifier of 93 invented species, and the dataset it learnt from, some of whose species it never saw."""
    folder = tmp_path_factory.mktemp("learnt")
    synthesize(folder / "release", specimens=3000, seed=0, metadata_only=True, jsonld=False, workers=1)
    build(folder / "release", folder / "bioscan-5m", [], Options(workers=1))
    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
    save_stock(BarcodeBertModel(BarcodeBertConfig(kmer_size=6, **size)), folder / "pretrained")
    words = ("--rank", "species", "--epochs", 20, "--patience", 20, "--learning-rate", 1e-2, "--batch-size", 32)
    given = ("--model", folder / "pretrained", "--dataset", folder / "bioscan-5m", "--output", folder / "model")
    train(SCRIPT, *given, *words, "--clip", 1)
    return folder


def predicted(folder, split, *more):
    """Name a split with the command, and give its rows beside the records'."""
    words = ["predict", folder / "bioscan-5m", "--model", folder / "model", "--split", split, *more]
    words += ["--out", folder / "names.csv"]
    command = [sys.executable, "-m", "bioscan5m_hf.cli", *map(str, words)]
    printed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    with (folder / "names.csv").open(newline="") as stream:
        named = list(csv.DictReader(stream))
    records = load_dataset(str(folder / "bioscan-5m"), "metadata", split=split)
    assert [row["processid"] for row in named] == records["processid"]
    return list(zip(named, records, strict=True)), printed


def test_an_unseen_species_is_named_at_a_higher_rank_and_a_seen_one_by_its_species(learnt):
    fitted = json.loads((learnt / "model" / "thresholds.json").read_text())
    assert (fitted["mode"], fitted["origin"]["split"]) == ("classifier", "val+val_unseen")
    assert fitted["ranks"]["species"]["curve"]
    seen, printed = predicted(learnt, "test")
    assert "thresholds" not in printed
    by_species = [(row, record) for row, record in seen if row["rank"] == "species"]
    assert len(by_species) > len(seen) / 3
    assert sum(row["name"] == record["species"] for row, record in by_species) >= 0.9 * len(by_species)
    unseen, _ = predicted(learnt, "test_unseen")
    empty = [(row, record) for row, record in unseen if not row["species"]]
    assert len(empty) > 0.8 * len(unseen)
    assert all(row["candidate_rank"] == "species" and row["candidate"] for row, _ in empty)
    higher = [(row, record) for row, record in empty if row["rank"] in ("genus", "family", "order")]
    assert len(higher) > len(unseen) / 3
    assert sum(row["name"] == record[row["rank"]] for row, record in higher) >= 0.7 * len(higher)
    assert all(row[row["rank"]] == row["name"] for row, _ in higher)


def test_thresholds_are_said_on_the_card_and_can_be_left_out(learnt, finished, pretrained, dataset, tmp_path, caplog):
    card = (learnt / "model" / "README.md").read_text()
    species = json.loads((learnt / "model" / "thresholds.json").read_text())["ranks"]["species"]
    assert f"species: from {species['threshold']:.4f} on, {species['accepted']} of {species['asked']} named" in card
    assert {path.name for path in finished.glob("thresholds*.json")} == {"thresholds.json", "thresholds-order.json"}
    heads = [
        json.loads((finished / f"thresholds{name}.json").read_text())["origin"]["head"] for name in ("", "-order")
    ]
    assert heads == ["genus", "order"]
    arguments = ("--rank", "order", "--epochs", 1)
    for split, said in (("val+nosuch", "No thresholds could be fitted on `val+nosuch`"), ("none", "as was asked for")):
        finetune(pretrained, dataset, tmp_path / split, *arguments, "--calibration", split)
        assert not list((tmp_path / split).glob("thresholds*.json"))
        assert said in " ".join((tmp_path / split / "README.md").read_text().split())
        assert "bioscan5m calibrate" in caplog.messages[-2]


def test_a_killed_run_goes_on_exactly(finished, pretrained, dataset, tmp_path):
    output = tmp_path / "killed"
    arguments = ("--rank", "order", "--rank", "genus", "--epochs", 12, "--patience", 12)
    process = start(SCRIPT, "--model", pretrained, "--dataset", dataset, "--output", output, *RATE, *arguments)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (output / "log.jsonl").exists() and (output / "log.jsonl").read_text().count("\n") >= 12:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, process.stdout.read()
    finetune(pretrained, dataset, output, *arguments)
    assert log_of(output) == log_of(finished)
    one, other = weights_of(output), weights_of(finished)
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_it_stops_when_the_validation_gets_no_better(pretrained, dataset, tmp_path):
    arguments = ("--rank", "order", "--epochs", 30, "--patience", 2, "--learning-rate", 1e-9, "--test", "none")
    finetune(pretrained, dataset, tmp_path / "still", *arguments)
    assert len([line for line in log_of(tmp_path / "still") if "validation_order_accuracy" in line]) == 3
    before = log_of(tmp_path / "still")
    finetune(pretrained, dataset, tmp_path / "still", *arguments)
    assert log_of(tmp_path / "still") == before


def test_a_frozen_encoder_stays_as_it_was(pretrained, dataset, tmp_path):
    finetune(pretrained, dataset, tmp_path, "--rank", "order", "--epochs", 2, "--freeze")
    before, after = weights_of(pretrained), weights_of(tmp_path)
    encoder = [name for name in after if name.startswith("bert.")]
    assert encoder
    assert all(torch.equal(before[name], after[name]) for name in encoder)
    assert "The encoder was frozen" in (tmp_path / "README.md").read_text()


def test_a_classifier_can_be_trained_further(finished, dataset, tmp_path):
    finetune(finished, dataset, tmp_path, "--rank", "order", "--epochs", 1)
    assert (tmp_path / "model.safetensors").exists()


def test_the_finished_model_goes_to_the_hub(finished, pretrained, dataset, tmp_path, hub, repo_id):
    output = shutil.copytree(finished, tmp_path / "undisturbed")
    arguments = ("--rank", "order", "--rank", "genus", "--epochs", 12, "--patience", 12)
    finetune(pretrained, dataset, output, *arguments, "--push-to-hub", repo_id)
    config = transformers.AutoConfig.from_pretrained(repo_id)
    assert set(config.labels) == {"order", "genus"}


def test_what_cannot_be_trained_is_refused(pretrained, dataset, tmp_path):
    with pytest.raises(RecipeError, match="rank is 'tribe': use one of"):
        finetune(pretrained, dataset, tmp_path / "tribe", "--rank", "tribe")
    with pytest.raises(TableError, match="have 1 names at the rank phylum: two are needed"):
        finetune(pretrained, dataset, tmp_path / "phylum", "--rank", "phylum")
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "roberta"}')
    with pytest.raises(ValueError, match="holds a model of type 'roberta'"):
        finetune(other, dataset, tmp_path / "roberta")


def test_the_script_can_be_read_at_one_sitting():
    assert len(Path(load(SCRIPT).__file__).read_text().splitlines()) <= 300
