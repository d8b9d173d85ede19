"""CLIBD learns, resumes exactly, does not depend on processes or pieces, and leaves a model that loads and is used."""

from __future__ import annotations

import contextlib
import json
import random
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest
import torch
import yaml
from scripts import ROOT, TIMES, load, start, train, weights_of
from transformers import AutoModel

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.evaluation import evaluate_model, validation
from bioscan5m_hf.evaluation.gap import Gap
from bioscan5m_hf.evaluation.validation import MEAN, validate
from bioscan5m_hf.learning.checkpoints import CheckpointError
from bioscan5m_hf.learning.meter import LossError
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.models.clibd import ClibdModel


SCRIPT = "train_clibd"
SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 64}
STILL = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
IMAGE = {
    "model_type": "timm_wrapper",
    "architecture": "vit_tiny_patch16_224",
    "num_classes": 0,
    "model_args": {"img_size": 32, "patch_size": 8, "depth": 1, "embed_dim": 48, "num_heads": 2},
}
RECIPE = {
    "split": "pretrain+train",
    "architecture": {
        "projection_dim": 16,
        "image_config": IMAGE,
        "dna_config": {"model_type": "bert", "vocab_size": 67, **SMALL},
        "dna_kmer_size": 3,
        "text_config": {"model_type": "bert", **SMALL},
    },
    "epochs": 4,
    "batch_size": 16,
    "learning_rate": 0.1,
    "precision": "fp32",
}
NOT_COMPARED = TIMES | {"specimens_per_second"}


def recipe_of(folder, still=False, **changes):
    """Write a recipe, and give its path."""
    made = RECIPE | {name: value for name, value in changes.items() if name != "architecture"}
    made["architecture"] = RECIPE["architecture"] | changes.get("architecture", {})
    if still:
        for name in ("dna_config", "text_config"):
            if name in made["architecture"]:
                made["architecture"] = made["architecture"] | {name: made["architecture"][name] | STILL}
    path = folder / "recipe-given.yaml"
    path.write_text(yaml.safe_dump(made))
    return path


def log_of(folder):
    lines = (folder / "log.jsonl").read_text().splitlines()
    return [{name: value for name, value in json.loads(line).items() if name not in NOT_COMPARED} for line in lines]


def clibd(dataset, folder, *arguments, still=False, **changes):
    """Train, and give the model's folder."""
    folder.mkdir(exist_ok=True)
    recipe = recipe_of(folder, still, **changes)
    output = folder / "clibd"
    train(SCRIPT, "--config", recipe, "--dataset", dataset, "--output", output, "--log-every", 1, *arguments)
    return output


def assert_equal(one, other):
    assert one.keys() == other.keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


def farthest(one, other):
    return max(float((one[name] - other[name]).abs().max()) for name in one)


@pytest.fixture(scope="module")
def finished(dataset, tmp_path_factory):
    """A run with dropout that nobody disturbed."""
    return clibd(dataset, tmp_path_factory.mktemp("undisturbed"), "--save-every", 3, validation={"every": 2})


def test_it_learns_and_says_how_well(finished):
    log = log_of(finished)
    losses = [line["loss"] for line in log if "loss" in line]
    assert [line["step"] for line in log if "loss" in line] == list(range(1, len(losses) + 1))
    assert sum(losses[-5:]) < 0.97 * sum(losses[:5])
    assert {"step", "epoch", "lr", "loss", "scale"} <= set(log[0])
    validations = [line for line in log if "validation" in line]
    assert [line["epoch"] for line in validations] == [1, 3, 4]
    assert all(line["validation"] == line[MEAN] for line in validations)
    assert max(line["validation"] for line in validations[1:]) > validations[0]["validation"]
    assert {"species/val, image→dna/macro", "species/val_unseen, image→text/macro"} <= set(validations[0])
    records = {each["metric"]: each for each in json.loads((finished / "results.json").read_text())}
    assert records[MEAN]["value"] == max(line["validation"] for line in validations)  # of the best weights
    assert "genus/harmonic mean, image+dna, centred and weighed/macro" in records
    assert {"data_revision", "seed", "hardware", "code", "command"} <= set(records[MEAN])


def test_the_folder_is_a_model_of_the_benchmark(finished, dataset, tmp_path):
    encoder = load_encoder(str(finished))
    assert encoder.pretrained_on == ("pretrain", "train")
    (made,) = evaluate_model(encoder, "cross-modal-retrieval", dataset, cache=tmp_path)
    assert 0 <= made.scores["species/test_unseen, image→dna/top-1 macro"].value <= 1


def test_the_folder_loads_with_and_without_this_package(finished):
    plain = AutoModel.from_pretrained(finished)
    assert isinstance(plain, ClibdModel)
    assert not (finished / "best.safetensors").exists()
    code = (
        "import sys; sys.modules['bioscan5m_hf'] = None\n"
        "from transformers import AutoModel, AutoProcessor\n"
        f"model = AutoModel.from_pretrained({str(finished)!r}, trust_remote_code=True)\n"
        f"processor = AutoProcessor.from_pretrained({str(finished)!r}, trust_remote_code=True)\n"
        "given = processor(dna=['ACGTACGTTT'], taxonomy=[{'order': 'Diptera'}])\n"
        "print(round(model(**given).loss.item(), 6), model.num_parameters())"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["0.0", str(plain.num_parameters())]


def test_the_blocks_of_its_card_run(finished):
    card = (finished / "README.md").read_text()
    names: dict[str, object] = {}
    with contextlib.chdir(finished.parent):
        for block in re.findall(r"```python\n(.*?)```", card, re.DOTALL):
            exec(block.replace(", trust_remote_code=True", ""), names)
    assert names["output"].image_embeds.shape == names["output"].text_embeds.shape == (1, 16)
    assert "- clibd\n" in card
    assert "sentence-transformers" not in card
    assert "The weights are those with the best `mean top-1` on val, val_unseen" in card
    gap = Gap.from_dict(json.loads((finished / "gap.json").read_text()))
    assert set(gap.weights) == {"image", "dna", "image+dna"}


def test_a_killed_run_goes_on_exactly(finished, dataset, tmp_path):
    given = recipe_of(tmp_path, validation={"every": 2})
    output, last = tmp_path / "clibd", log_of(finished)[-1]["step"]
    arguments = ("--config", given, "--dataset", dataset, "--output", output, "--log-every", 1, "--save-every", 3)
    wanted = random.randrange(4, last - 2)
    process = start(SCRIPT, *arguments)
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if (output / "log.jsonl").exists() and (output / "log.jsonl").read_text().count("\n") >= wanted:
            process.send_signal(signal.SIGKILL)
            break
        time.sleep(0.002)
    assert process.wait() == -signal.SIGKILL, process.stdout.read()
    train(SCRIPT, *arguments)
    assert log_of(output) == log_of(finished), f"killed after line {wanted}"
    assert_equal(weights_of(output), weights_of(finished))


def test_a_finished_run_only_writes_its_model_again(finished, dataset):
    before, log = weights_of(finished), log_of(finished)
    (finished / "model.safetensors").unlink()
    clibd(dataset, finished.parent, "--save-every", 3, validation={"every": 2})
    assert log_of(finished) == log
    assert_equal(weights_of(finished), before)


@pytest.mark.parametrize(("gather", "piece"), [("local", None), ("global", 3)])
def test_two_processes_learn_what_one_learns(dataset, tmp_path, gather, piece):
    changes = {"architecture": {"gather": gather, "targets": "label"}, "epochs": 2, "validation": {"begin": 2}}
    one = clibd(dataset, tmp_path / "one", still=True, **changes)
    given = recipe_of(tmp_path, True, **changes, micro_batch_size=piece)
    two = tmp_path / "two"
    process = start(SCRIPT, "--config", given, "--dataset", dataset, "--output", two, "--log-every", 1, processes=2)
    said, _ = process.communicate(timeout=240)
    assert process.returncode == 0, said
    assert farthest(weights_of(one), weights_of(two)) < 5e-4  # a wrong gradient moves a weight by 3e-3 in each step
    for a, b in zip(log_of(one), log_of(two), strict=True):
        assert a.keys() == b.keys()
        for name in a.keys() - {"step"}:
            assert a[name] == pytest.approx(b[name], abs=1e-3 if name in ("loss", "lr", "scale") else 0.25)


def test_a_batch_in_pieces_learns_what_one_in_one_piece_learns(dataset, tmp_path):
    changes = {"epochs": 1, "validation": {"splits": "none"}, "architecture": {"targets": "label"}}
    whole = clibd(dataset, tmp_path / "whole", still=True, **changes)
    pieces = clibd(dataset, tmp_path / "pieces", still=True, micro_batch_size=5, **changes)
    assert farthest(weights_of(whole), weights_of(pieces)) < 1e-4
    assert json.loads((whole / "results.json").read_text()) == []
    assert "Nothing was measured" in (whole / "README.md").read_text()


def test_from_a_prepared_dataset_in_bf16_without_augmentation(dataset, tmp_path):
    arguments = ("--no-streaming", "--no-augment", "--precision", "bf16", "--epochs", 2)
    made = clibd(dataset, tmp_path, *arguments, "--batch-size", 12, validation={"begin": 2, "most": 20})
    assert all(torch.isfinite(each).all() for each in weights_of(made).values())
    assert log_of(made)[-1]["validation"] > 0


def test_low_rank_matrices_learn_and_are_merged(dataset, tmp_path):
    made = clibd(dataset, tmp_path, lora={"r": 2}, epochs=1, validation={"splits": "none"})
    learnt = weights_of(made)
    fresh = fresh_weights(dataset, tmp_path)
    assert learnt.keys() == fresh.keys()
    changed = {name for name in learnt if not torch.equal(learnt[name], fresh[name])}
    towers = {name for name in changed if "_model." in name}
    assert towers
    assert all(re.search(r"\.(qkv|query|value)\.weight$", name) for name in towers), towers
    assert {"logit_scale", "image_projection.weight", "dna_projection.bias", "text_projection.weight"} <= changed
    assert torch.linalg.matrix_rank(next(learnt[name] - fresh[name] for name in towers)) <= 2
    with pytest.raises(RecipeError, match=r"lora is {'rank': 2}"):
        clibd(dataset, tmp_path / "wrong", lora={"rank": 2})


@pytest.mark.parametrize("lora", [{}, {"r": 2}])
def test_a_tower_can_stay_as_it_is(dataset, tmp_path, lora):
    made = clibd(dataset, tmp_path, freeze=["dna"], lora=lora, epochs=1, validation={"splits": "none"})
    learnt, fresh = weights_of(made), fresh_weights(dataset, tmp_path)
    same = {name for name in learnt if torch.equal(learnt[name], fresh[name])}
    assert {name for name in learnt if name.startswith("dna_model.")} <= same
    assert not {name for name in learnt if name.startswith("image_model.") and name.endswith("qkv.weight")} & same


def test_a_tower_that_stays_has_no_dropout_and_keeps_its_statistics(dataset, tmp_path):
    image = {"model_type": "timm_wrapper", "architecture": "test_resnet", "num_classes": 0}
    architecture = {"image_config": image, "image_size": 32}
    given = {"freeze": ["image"], "epochs": 2, "architecture": architecture, "validation": {"every": 1}}
    learnt = weights_of(clibd(dataset, tmp_path, **given))
    fresh = fresh_weights(dataset, tmp_path, **architecture)
    tower = {name for name in fresh if name.startswith("image_model.")}
    assert any("running_mean" in name for name in tower)
    assert all(torch.equal(learnt[name], fresh[name]) for name in tower)


def fresh_weights(dataset, folder, **architecture):
    """Give the weights that a run begins with."""
    from accelerate.utils import set_seed

    from bioscan5m_hf.learning.contrastive import ContrastiveRecipe
    from bioscan5m_hf.learning.recipe import make
    from bioscan5m_hf.models.clibd.towers_clibd import build

    script = load(SCRIPT)
    recipe = make(ContrastiveRecipe, RECIPE | {"dataset": str(dataset)})
    set_seed(0)
    model, _ = build(recipe.architecture | architecture, {}, script.names_of(recipe))
    return model.state_dict()


def test_it_stops_when_the_validation_gets_no_better(dataset, tmp_path):
    made = clibd(dataset, tmp_path, epochs=6, learning_rate=1e-9, validation={"patience": 2})
    assert [line["epoch"] for line in log_of(made) if "validation" in line] == [1, 2, 3]
    card = (made / "README.md").read_text()
    assert "3 epochs of" in card
    again = log_of(made)
    clibd(dataset, tmp_path, epochs=6, learning_rate=1e-9, validation={"patience": 2})
    assert log_of(made) == again


@pytest.mark.parametrize(("stated", "epochs", "best"), [("genus/val, image→dna/macro", 3, 0), (None, 4, 3)])
def test_the_stated_score_decides_when_it_stops_and_what_is_kept(dataset, tmp_path, monkeypatch, stated, epochs, best):
    genus, measured = "genus/val, image→dna/macro", []

    def worse_at_genera(*given, fits, **how):
        found = validate(*given, fits=fits, **how)
        if fits:  # the last one, of the weights that were kept
            return found
        measured.append(found.scores)
        count = len(measured)
        return replace(found, scores=found.scores | {genus: 0.9 - 0.1 * count, MEAN: 0.1 * count})

    monkeypatch.setattr(validation, "validate", worse_at_genera)
    chosen = {} if stated is None else {"score": stated}
    made = clibd(dataset, tmp_path, epochs=4, validation={"patience": 2, **chosen})
    lines = [line for line in log_of(made) if "validation" in line]
    assert [line["epoch"] for line in lines] == list(range(1, epochs + 1))
    assert all(line["validation"] == line[stated or MEAN] for line in lines)
    assert len({scores[MEAN] for scores in measured}) > 1
    kept = {each["metric"]: each["value"] for each in json.loads((made / "results.json").read_text())}
    assert (kept[MEAN], kept[genus]) == pytest.approx((measured[best][MEAN], measured[best][genus]))
    assert f"The weights are those with the best `{stated or MEAN}`" in (made / "README.md").read_text()


@pytest.mark.parametrize("modalities", [["image", "dna"], ["image", "text"], ["dna", "text"]])
def test_two_modalities(dataset, tmp_path, modalities):
    kept = {f"{name}_config" for name in modalities} | {"projection_dim", "dna_kmer_size"}
    architecture = {name: value for name, value in RECIPE["architecture"].items() if name in kept}
    recipe = RECIPE | {"architecture": architecture | {"modalities": modalities}, "epochs": 1}
    (tmp_path / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    train(SCRIPT, "--config", tmp_path / "recipe.yaml", "--dataset", dataset, "--output", tmp_path / "clibd")
    card = (tmp_path / "clibd" / "README.md").read_text()
    assert f"# CLIBD: {', '.join(modalities)}" in card
    assert "image_embeds" in card if "image" in modalities else "Image.new" not in card


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 5000}, "has fewer than the 5000 specimens of a batch: give a smaller batch_size"),
        ({"validation": {"score": "species"}}, "there is no score 'species': use one of mean top-1, order/"),
        ({"validation": {"pace": 1}}, "validation: unknown entry 'pace'; did you mean 'patience'"),
        ({"validation": {"unseen": "key_seen"}}, "unknown split 'key_seen'"),
        ({"architecture": {"modalities": ["dna"]}}, "modalities is .*: two are needed to be compared"),
        ({"towers": {"sound": "x"}}, "a tower is 'sound': use one of image, dna, text"),
        ({"split": "dev"}, "unknown split"),
        ({"batch_size": 1}, "batch_size is 1: a specimen is compared with others"),
        ({"share": 0.0}, "share is 0.0: use a number above 0"),
        ({"architecture": {"projection_dim": "wide"}}, "the architecture cannot be built: .*projection_dim"),
    ],
)
def test_what_cannot_be_done_is_said(dataset, tmp_path, changes, message):
    with pytest.raises((RecipeError, ValueError), match=message):
        clibd(dataset, tmp_path, **changes)
    assert not (tmp_path / "clibd" / "log.jsonl").exists()  # said before anything is learnt


@pytest.mark.parametrize(
    ("changed", "message"), [(("--seed", 1), "seed was 0 and is 1"), (("--no-streaming",), "streaming was True")]
)
def test_another_recipe_in_the_same_folder_is_refused(finished, dataset, changed, message):
    with pytest.raises(CheckpointError, match=message):
        clibd(dataset, finished.parent, "--save-every", 3, *changed, validation={"every": 2})


def test_weights_are_not_saved_before_their_losses_are_seen(dataset, tmp_path):
    with pytest.raises(LossError, match="the loss of step"):
        train(
            *(SCRIPT, "--config", recipe_of(tmp_path, learning_rate=1e30, clip=None), "--dataset", dataset),
            *("--output", tmp_path / "clibd", "--log-every", 25, "--save-every", 2),
        )
    assert not list((tmp_path / "clibd" / ".checkpoints").glob("step-*"))


def test_there_need_be_no_unseen_species(dataset, tmp_path):
    made = clibd(dataset, tmp_path, epochs=1, validation={"unseen": None, "keys": "train"})
    assert "on val, which the results" in (made / "README.md").read_text()


def test_a_loss_that_is_no_number_names_the_specimens(dataset, tmp_path):
    with pytest.raises(LossError, match=r"the loss of step \d+ is (nan|inf); its batch was \S+, \S+"):
        clibd(dataset, tmp_path, learning_rate=1e30, clip=None)


def test_from_the_command_line_an_error_is_one_line(dataset, tmp_path):
    given = recipe_of(tmp_path, batch_size=5000)
    process = start(SCRIPT, "--config", given, "--dataset", dataset, "--output", tmp_path / "clibd")
    said, _ = process.communicate(timeout=120)
    assert process.returncode == 1
    assert said.strip().splitlines()[-1].startswith("error: pretrain+train of ")
    assert "Traceback" not in said


def test_a_tracker_is_told_and_the_model_pushed(dataset, tmp_path, repo_id):
    made = clibd(dataset, tmp_path, "--log-with", "tensorboard", "--push-to-hub", repo_id, epochs=1)
    assert list(made.rglob("events.out.tfevents*"))
    model = AutoModel.from_pretrained(repo_id)
    assert_equal(model.state_dict(), weights_of(made))
    assert ROOT.name not in (made / "README.md").read_text().split("```yaml")[0]
