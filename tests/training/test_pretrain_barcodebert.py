"""Pretraining learns, resumes exactly, does not depend on the number of processes, and leaves a model that loads."""

from __future__ import annotations

import importlib.util
import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
import torch
import transformers
from scripts import TINY, load, log_of, start, train, weights_of

from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.learning.checkpoints import CheckpointError
from bioscan5m_hf.learning.meter import LossError
from bioscan5m_hf.learning.recipe import RecipeError


SCRIPT = "pretrain_barcodebert"
OBJECTIVES = ("mlm", "autoencoder", "profile")
SMALL = ("--architecture", *TINY, "--batch-size", 16, "--learning-rate", 4e-3, "--clip", 1, "--log-every", 1)


def pretrain(dataset, output, *arguments):
    train(SCRIPT, "--dataset", dataset, "--output", output, *SMALL, *arguments)


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """A run with dropout that nobody disturbed."""
    folder = tmp_path_factory.mktemp("pretraining") / "undisturbed"
    pretrain(dataset, folder, "--epochs", 12, "--save-every", 7)
    return folder


def test_it_learns_and_says_how_well(finished):
    log = log_of(finished)
    losses = [line["loss"] for line in log if "loss" in line]
    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])
    assert [line["step"] for line in log if "loss" in line] == list(range(1, len(losses) + 1))
    assert {"step", "epoch", "loss", "lr", "masked_accuracy", "padding_share"} <= set(log[0])
    assert {"tokens_per_second", "memory_mb"} <= set(json.loads((finished / "log.jsonl").read_text().splitlines()[0]))
    validations = [line for line in log if "validation_loss" in line]
    assert [line["step"] % 7 for line in validations[:-1]] == [0] * (len(validations) - 1)
    assert validations[-1]["validation_loss"] < validations[0]["validation_loss"]
    records = json.loads((finished / "results.json").read_text())
    assert {record["metric"]: record["value"] for record in records} == {
        name: value for name, value in validations[-1].items() if name.startswith("validation")
    }
    assert {"task", "data", "data_revision", "seed", "hardware", "code", "command"} <= set(records[0])


def test_the_model_is_stock_bert_with_its_tokenizer(finished):
    model, about = transformers.AutoModel.from_pretrained(finished, output_loading_info=True)
    tokenizer = transformers.AutoTokenizer.from_pretrained(finished)
    assert type(model).__name__ == "BertModel"
    assert not about["missing_keys"]
    hidden = model(**tokenizer(["ACGTACGTACGT"], return_tensors="pt")).last_hidden_state
    assert hidden.shape == (1, 4, 32)
    config = json.loads((finished / "config.json").read_text())
    assert config["kmer_size"] == 3
    assert config["pretrained_on"] == ["pretrain", "train"]
    card = (finished / "README.md").read_text()
    assert "pipeline_tag: feature-extraction" in card
    assert "validation_masked_accuracy" in card
    assert not list(finished.glob("*.pkl"))


def test_old_checkpoints_go(finished):
    kept = sorted(path.name for path in (finished / ".checkpoints").iterdir())
    assert len(kept) == 2
    assert all(name.startswith("step-") for name in kept)


def test_a_finished_run_only_writes_its_model_again(finished, dataset, tmp_path):
    again = shutil.copytree(finished, tmp_path / "undisturbed")
    for name in ("model.safetensors", "results.json"):
        (again / name).unlink()
    recipe = (again / "recipe.yaml").read_text().replace(str(finished), str(again))
    (again / "recipe.yaml").write_text(recipe)
    pretrain(dataset, again, "--epochs", 12, "--save-every", 7)
    assert log_of(again) == log_of(finished)
    assert_equal(weights_of(again), weights_of(finished))


def test_a_killed_run_goes_on_exactly(finished, dataset, tmp_path):
    output = tmp_path / "killed"
    arguments = ("--dataset", dataset, "--output", output, *SMALL, "--epochs", 12, "--save-every", 7)
    last = log_of(finished)[-1]["step"]
    # any step from the first checkpoint to a few before the end, so that there is something to kill
    wanted = random.randrange(8, last - 10)
    process = start(SCRIPT, *arguments)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (output / "log.jsonl").exists() and (output / "log.jsonl").read_text().count("\n") >= wanted:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, process.stdout.read()
    assert not (output / "model.safetensors").exists()
    pretrain(dataset, output, "--epochs", 12, "--save-every", 7)
    assert log_of(output) == log_of(finished), f"killed after line {wanted}"
    assert_equal(weights_of(output), weights_of(finished))


def test_what_a_kill_left_of_a_checkpoint_is_not_resumed_from(finished, dataset, tmp_path):
    output = shutil.copytree(finished, tmp_path / "undisturbed")
    (output / "recipe.yaml").unlink()
    newest = sorted((output / ".checkpoints").iterdir(), key=lambda path: int(path.name[5:]))[-1]
    unfinished = newest.with_name(f".{newest.name}.unfinished")
    newest.rename(unfinished)
    (unfinished / "model.safetensors").write_bytes(b"torn")
    with (output / "log.jsonl").open("a") as log:
        log.write('{"step": 9')
    pretrain(dataset, output, "--epochs", 12, "--save-every", 7)
    assert log_of(output) == log_of(finished)
    assert_equal(weights_of(output), weights_of(finished))
    assert not unfinished.exists()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_two_processes_learn_what_one_learns(dataset, tmp_path, objective):
    dropout = ("hidden_dropout_prob=0.0", "attention_probs_dropout_prob=0.0")
    arguments = ("--architecture", *TINY, *dropout, "--objective", objective, "--epochs", 2, "--batch-size", 16)
    arguments += ("--crop", 30, 658, "--learning-rate", 4e-3, "--clip", 1, "--log-every", 1, "--dataset", dataset)
    train(SCRIPT, *arguments, "--output", tmp_path / "one")
    process = start(SCRIPT, *arguments, "--output", tmp_path / "two", "--micro-batch-size", 5, processes=2)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    one, two = weights_of(tmp_path / "one"), weights_of(tmp_path / "two")
    assert farthest(one, two) < 1e-5
    for a, b in zip(log_of(tmp_path / "one"), log_of(tmp_path / "two"), strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() & {"loss", "validation_loss", "lr", "masked_accuracy"}:
            assert a[name] == pytest.approx(b[name], abs=1e-3 if "accuracy" in name else 1e-5)


def test_a_run_with_profiles_that_was_stopped_goes_on_exactly(dataset, tmp_path):
    arguments = ("--objective", "profile", "--epochs", 4, "--save-every", 3)
    pretrain(dataset, tmp_path / "whole", *arguments)
    steps = log_of(tmp_path / "whole")[-1]["step"]
    stopped = shutil.copytree(tmp_path / "whole", tmp_path / "stopped")
    checkpoints = sorted((stopped / ".checkpoints").glob("step-*"), key=lambda path: int(path.name[5:]))
    shutil.rmtree(checkpoints[-1])
    (stopped / "model.safetensors").unlink()
    recipe = (stopped / "recipe.yaml").read_text().replace(str(tmp_path / "whole"), str(stopped))
    (stopped / "recipe.yaml").write_text(recipe)
    assert int(checkpoints[-2].name[5:]) < steps
    pretrain(dataset, stopped, *arguments)
    assert log_of(stopped) == log_of(tmp_path / "whole")
    assert_equal(weights_of(stopped), weights_of(tmp_path / "whole"))
    assert not [name for name in weights_of(stopped) if "profile" in name]
    assert "had to tell how the barcode departs from what is common" in (stopped / "README.md").read_text()


def test_accumulated_steps_learn_what_one_step_learns(dataset, tmp_path):
    dropout = ("hidden_dropout_prob=0.0", "attention_probs_dropout_prob=0.0")
    for name, more in {"whole": (), "pieces": ("--micro-batch-size", 3, "--gradient-checkpointing")}.items():
        arguments = (*SMALL, *more, "--architecture", *TINY, *dropout, "--epochs", 1)
        train(SCRIPT, "--dataset", dataset, "--output", tmp_path / name, *arguments)
    whole, pieces = weights_of(tmp_path / "whole"), weights_of(tmp_path / "pieces")
    assert farthest(whole, pieces) < 1e-5


@pytest.mark.parametrize("positions", ["all_bases", "all_positions"])
def test_the_papers_loss_and_layout_can_be_trained(dataset, tmp_path, positions):
    more = ("token_layout=original", "mlm_head=linear", f"loss_positions={positions}")
    pretrain(dataset, tmp_path, "--architecture", *TINY, *more, "--epochs", 1, "--replacements", 0.8, 0.1, 0.1)
    assert "BertForTokenClassification" in (tmp_path / "config.json").read_text()
    mask = transformers.AutoModel.from_pretrained(tmp_path).embeddings.word_embeddings.weight[0]
    assert not mask.any()
    shares = [line["padding_share"] for line in log_of(tmp_path) if "padding_share" in line]
    assert positions == "all_bases" or min(shares) > 0  # 660 bases are a few more than a barcode has


def test_bf16_streaming_without_validation(dataset, tmp_path):
    pretrain(dataset, tmp_path, "--epochs", 1, "--precision", "bf16", "--streaming", "--validation", "none")
    assert torch.isfinite(weights_of(tmp_path)["bert.embeddings.word_embeddings.weight"]).all()
    assert json.loads((tmp_path / "results.json").read_text()) == []
    assert "Nothing was measured" in (tmp_path / "README.md").read_text()


def test_a_tracker_is_told_too_and_an_absent_one_is_named(dataset, tmp_path):
    pretrain(dataset, tmp_path, "--epochs", 1, "--log-with", "tensorboard")
    assert list(tmp_path.rglob("events.out.tfevents*"))
    if importlib.util.find_spec("wandb") is None:
        with pytest.raises(RecipeError, match="wandb: it is not installed; pip install wandb"):
            pretrain(dataset, tmp_path / "other", "--log-with", "wandb")


@pytest.mark.slow
@pytest.mark.parametrize("objective", OBJECTIVES[:2])  # profiles are compiled in the tests of the models
def test_a_compiled_model_learns_what_a_plain_one_learns(dataset, tmp_path, objective):
    dropout = ("hidden_dropout_prob=0.0", "attention_probs_dropout_prob=0.0")
    for name, more in {"plain": (), "compiled": ("--compile",)}.items():
        arguments = (*SMALL, *more, "--architecture", *TINY, *dropout, "--epochs", 1, "--objective", objective)
        train(SCRIPT, "--dataset", dataset, "--output", tmp_path / name, *arguments)
    assert farthest(weights_of(tmp_path / "plain"), weights_of(tmp_path / "compiled")) < 1e-4


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_specimens(dataset, tmp_path):
    with pytest.raises(LossError, match=r"the loss of step \d+ is (nan|inf); its batch was [A-Z0-9-]+, "):
        pretrain(dataset, tmp_path, "--epochs", 4, "--learning-rate", 1e30, "--clip", "none", "--log-every", 4)
    assert not (tmp_path / "model.safetensors").exists()


def test_a_folder_of_another_run_is_not_gone_on_with(finished, dataset):
    with pytest.raises(
        CheckpointError, match=r"another recipe \(epochs was 12.0 and is 13.0\): give another --output"
    ):
        pretrain(dataset, finished, "--epochs", 13, "--save-every", 7)


def test_barcodes_that_changed_are_not_gone_on_with(finished, dataset, tmp_path):
    output = shutil.copytree(finished, tmp_path / "undisturbed")
    for place in (output / ".checkpoints").iterdir():
        progress = json.loads((place / "progress.json").read_text())
        (place / "progress.json").write_text(json.dumps(progress | {"barcodes": "others"}))
    with pytest.raises(CheckpointError, match="was made with barcodes 'others'"):
        pretrain(dataset, output, "--epochs", 12, "--save-every", 7)


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("--config", "typo.yaml"), RecipeError, "unknown entry 'epoch'; did you mean 'epochs'"),
        (("--architecture", "hiden_size=32"), ValueError, "did you mean 'hidden_size'"),
        (("--split", "dev"), ValueError, "dev"),
        (("--extra", "absent.parquet"), Bioscan5mError, "cannot be read as Parquet"),
    ],
)
def test_typing_errors_are_named(dataset, tmp_path, monkeypatch, arguments, error, message):
    monkeypatch.chdir(tmp_path)
    Path("typo.yaml").write_text("epoch: 3\n")
    with pytest.raises(error, match=message):
        pretrain(dataset, tmp_path / "out", *arguments)


def test_the_finished_model_goes_to_the_hub(finished, dataset, tmp_path, hub, repo_id):
    output = shutil.copytree(finished, tmp_path / "undisturbed")
    pretrain(dataset, output, "--epochs", 12, "--save-every", 7, "--push-to-hub", repo_id)
    model = transformers.AutoModel.from_pretrained(repo_id)
    assert model.config.hidden_size == 32
    assert repo_id in (output / "README.md").read_text()


def test_the_script_can_be_read_at_one_sitting():
    module = load(SCRIPT)
    assert len(Path(module.__file__).read_text().splitlines()) <= 300


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def farthest(one, other):
    """Give the greatest difference of two models' weights, and the tensor it is in."""
    assert one.keys() == other.keys()
    return max(float((one[name] - other[name]).abs().amax()) for name in one if one[name].numel())
