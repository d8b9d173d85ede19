"""The crop tool's detector learns boxes of invented photographs, and goes on exactly where it was stopped."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch
import yaml
from PIL import Image
from scripts import ROOT, load, log_of, train, weights_of

from bioscan5m_hf.data.images import Detector, crop_folder
from bioscan5m_hf.data.images.boxes import Box, read_boxes, write_boxes
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.learning.checkpoints import CheckpointError
from bioscan5m_hf.learning.detection import DetectionRecipe, detection_scores, is_held_out
from bioscan5m_hf.learning.detection_photographs import find_photographs, make_examples, readable
from bioscan5m_hf.learning.detection_run import accepted, find_boxes, inputs, make_detector, parameter_groups
from bioscan5m_hf.learning.recipe import RecipeError, read_recipe
from bioscan5m_hf.synthetic import synthesize


SCRIPT = "train_croptool"
DEBUG = ROOT / "training" / "configs" / "croptool-debug.yaml"
TIMES = {"specimens_per_second"}


@pytest.fixture(scope="module")
def invented(tmp_path_factory):
    return synthesize(
        tmp_path_factory.mktemp("invented") / "release",
        specimens=100,
        packages=["original_full"],
        jsonld=False,
        workers=1,
    )


@pytest.fixture(scope="module")
def folder(invented, tmp_path_factory):
    """Twelve photographs as files, and their boxes."""
    folder = tmp_path_factory.mktemp("photographs")
    boxes = {box.processid: box for box in read_boxes(invented / "BIOSCAN_5M_Insect_bbox.tsv")}
    examples = make_examples(find_photographs(invented), boxes.values())[:12]
    (folder / "some" / "deeper").mkdir(parents=True)
    for one in examples:
        one.open()[0].save(folder / "some" / "deeper" / f"{one.processid}.jpg")
    write_boxes([boxes[one.processid] for one in examples], folder / "boxes.tsv")
    return folder


def given(folder, output, *more):
    return ("--config", DEBUG, "--images", folder, "--boxes", folder / "boxes.tsv", "--output", output, *more)


def lines(folder):
    return [{name: value for name, value in line.items() if name not in TIMES} for line in log_of(folder)]


@pytest.fixture(scope="module")
def finished(folder, tmp_path_factory):
    output = tmp_path_factory.mktemp("detector") / "croptool"
    train(SCRIPT, *given(folder, output))
    return output


def test_photographs_are_found_in_folders_and_in_official_zips(invented, folder):
    in_zips, in_folders = find_photographs(invented), find_photographs(folder)
    assert len(in_zips) == 100
    assert len(in_folders) == 12
    assert set(in_folders) < set(in_zips)
    (archive, *_) = sorted(invented.glob("*original_full*.zip"))
    assert set(find_photographs(archive)) <= set(in_zips)
    picture, box = make_examples(in_zips, read_boxes(folder / "boxes.tsv"))[0].open()
    assert picture.size == (1024, 768)
    assert box is not None


def test_what_is_held_out_is_measured_and_told(finished, folder):
    boxes = list(read_boxes(folder / "boxes.tsv"))
    held = [box for box in boxes if is_held_out(box.processid, 8)]
    assert 0 < len(held) < len(boxes)
    log = lines(finished)
    assert [line["step"] for line in log if "mean_iou" in line] == [2, 4]
    records = json.loads((finished / "results.json").read_text())
    assert {record["metric"]: record["value"] for record in records}["mean_iou"] == log[-1]["mean_iou"]
    assert records[0]["data"].startswith(f"{len(held)} photographs")


def test_the_saved_detector_gives_the_figures_of_its_card(finished, folder):
    from transformers import AutoImageProcessor, AutoModelForObjectDetection

    model = AutoModelForObjectDetection.from_pretrained(finished)
    assert model.config.id2label == {0: "specimen"}
    processor = AutoImageProcessor.from_pretrained(finished, backend="pil")
    examples = make_examples(find_photographs(folder), read_boxes(folder / "boxes.tsv"))
    held = [one for one in examples if is_held_out(one.processid, 8)]
    scores = detection_scores(find_boxes(model, processor, held, batch_size=3), [one.box for one in held])
    told = {record["metric"]: record["value"] for record in json.loads((finished / "results.json").read_text())}
    assert scores == pytest.approx(told, abs=1e-5)
    assert f"| mean_iou | {told['mean_iou']:.4f} |" in (finished / "README.md").read_text()


def test_the_block_of_its_card_runs(finished):
    card = (finished / "README.md").read_text()
    (block,) = re.findall(r"```python\n(.*?)```", card, re.DOTALL)
    names: dict[str, object] = {}
    exec(block, names)
    assert set(names["box"]) == {"xmin", "ymin", "xmax", "ymax"}
    assert "pipeline_tag: object-detection" in card
    assert "arcode" not in card


def test_a_run_that_was_stopped_goes_on_exactly(finished, folder, tmp_path, monkeypatch):
    script = load(SCRIPT)

    class Stopped(Exception):
        pass

    def stop(self, step, **progress):
        original(self, step, **progress)
        raise Stopped

    original = script.DetectionRun.save
    monkeypatch.setattr("bioscan5m_hf.learning.detection_run.DetectionRun.save", stop)
    output = tmp_path / "croptool"
    with pytest.raises(Stopped):
        train(SCRIPT, *given(folder, output))
    monkeypatch.undo()
    assert not (output / "model.safetensors").exists()
    train(SCRIPT, *given(folder, output))
    one, two = weights_of(finished), weights_of(output)
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert lines(finished) == lines(output)


def test_a_finished_run_is_not_learnt_again_but_with_another_recipe_refused(finished, folder):
    before = lines(finished)
    train(SCRIPT, *given(folder, finished))
    assert lines(finished) == before
    with pytest.raises(CheckpointError, match="steps was 4 and is 5"):
        train(SCRIPT, *given(folder, finished, "--steps", 5))


def test_other_boxes_are_not_learnt_in_the_folder_of_a_run(finished, folder, tmp_path):
    boxes = list(read_boxes(folder / "boxes.tsv"))
    write_boxes([replace(boxes[0], x1=boxes[0].x1 - 1), *boxes[1:]], tmp_path / "boxes.tsv")
    with pytest.raises(CheckpointError, match="made with photographs"):
        train(SCRIPT, *given(folder, finished, "--boxes", tmp_path / "boxes.tsv"))


def test_one_batch_can_be_learnt_by_heart(folder):
    architecture = {"model_type": "yolos", "hidden_size": 64, "num_hidden_layers": 3, "num_attention_heads": 4}
    architecture |= {"intermediate_size": 128, "image_size": [96, 128], "num_detection_tokens": 1}
    architecture |= {"initializer_range": 0.1, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    recipe = replace(read_debug(folder), architecture=architecture, learning_rate=1e-3)
    torch.manual_seed(0)
    model, processor = make_detector(recipe)
    model.train()
    examples = make_examples(find_photographs(folder), read_boxes(folder / "boxes.tsv"))[:3]
    pictures, boxes = zip(*(one.open() for one in examples), strict=True)
    batch = accepted(model, inputs(processor, pictures, boxes), torch.device("cpu"))
    optimizer = torch.optim.AdamW(parameter_groups(model, recipe))
    losses = []
    for _ in range(400):
        loss = model(**batch).loss
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    assert losses[-1] < 0.25 * losses[0]
    assert detection_scores(find_boxes(model, processor, examples), boxes)["mean_iou"] > 0.7


def test_boxes_found_in_smaller_photographs_are_in_pixels_of_the_originals(finished, folder, tmp_path):
    model, processor = make_detector(replace(read_debug(folder), architecture={}, model=str(finished)))
    examples = make_examples(find_photographs(folder), read_boxes(folder / "boxes.tsv"))[:3]
    for one in examples:
        one.open()[0].resize((256, 192)).save(tmp_path / f"{one.processid}.png")
    small = make_examples(find_photographs(tmp_path), read_boxes(folder / "boxes.tsv"))
    whole, halved = (find_boxes(model, processor, each) for each in (examples, small))
    assert all(np.allclose(whole[name].corners, halved[name].corners, atol=8) for name in whole)
    assert max(halved[examples[0].processid].corners) > 256


def test_the_published_recipe_is_the_published_one(folder):
    given = yaml.safe_load((ROOT / "training" / "configs" / "croptool.yaml").read_text())
    recipe = DetectionRecipe(images=str(folder), boxes="boxes.tsv", **given | {"output": "croptool"})
    assert recipe == DetectionRecipe(images=str(folder), boxes="boxes.tsv", size=given["size"])
    assert (recipe.model, recipe.steps, recipe.batch_size, recipe.clip) == ("facebook/detr-resnet-50", 6000, 8, 0.1)
    assert (recipe.learning_rate, recipe.backbone_learning_rate, recipe.weight_decay) == (1e-4, 1e-5, 1e-4)


def test_the_small_recipe_builds_a_detector_of_its_size(folder):
    given = yaml.safe_load((ROOT / "training" / "configs" / "croptool-small.yaml").read_text())
    model, processor = make_detector(DetectionRecipe(images=str(folder), boxes="boxes.tsv", **given))
    assert model.config.model_type == "rt_detr"
    assert sum(each.numel() for each in model.parameters()) < 1_000_000
    (label,) = inputs(processor, [Image.new("RGB", (1024, 768))], [None])["labels"]
    assert label["size"].tolist() == [192, 256]


def test_only_the_backbone_has_its_own_rate(folder):
    recipe = read_debug(folder)
    model, _ = make_detector(recipe)
    inside, outside = parameter_groups(model, recipe)
    assert (inside["peak"], outside["peak"]) == (1e-5, 1e-4)
    backbone = {id(each) for name, each in model.named_parameters() if "backbone" in name}
    assert {id(each) for each in inside["params"]} <= backbone
    assert not {id(each) for each in outside["params"]} & backbone


def test_a_detector_that_has_learnt_before_goes_on_with_all_but_its_stem_and_first_stage(finished, folder):
    model, _ = make_detector(replace(read_debug(folder), architecture={}, model=str(finished)))
    frozen = {name for name, each in model.named_parameters() if not each.requires_grad}
    assert frozen
    assert all("embedder" in name or ".stages.0." in name for name in frozen)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": None}, "neither a model to begin with"),
        ({"architecture": {"model_type": "detr"}}, "say model: null"),
        ({"held_out": 16}, "held_out is 16"),
        ({"shift": 0.7}, "shift is 0.7"),
        ({"clip": 0.0}, "clip is 0.0"),
        ({"warm_up": 6000}, "warm_up is 6000"),
    ],
)
def test_values_of_a_detector_that_cannot_be_meant_are_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        DetectionRecipe(**{"images": "photographs", "boxes": "boxes.tsv"} | values)


def test_detectors_that_do_not_exist_are_refused(folder):
    with pytest.raises(RecipeError, match=r"no-such-folder cannot be loaded as a detector"):
        make_detector(replace(read_debug(folder), architecture={}, model="./no-such-folder"))
    with pytest.raises(RecipeError, match="architecture makes no detector"):
        make_detector(replace(read_debug(folder), architecture={"model_type": "bert"}))
    with pytest.raises(RecipeError, match="architecture makes no detector"):
        make_detector(replace(read_debug(folder), architecture={"model_type": "no-such"}))


def test_photographs_and_boxes_that_cannot_be_used_are_told(folder, tmp_path):
    boxes = list(read_boxes(folder / "boxes.tsv"))
    with pytest.raises(ReleaseError, match="no such folder of photographs"):
        find_photographs(tmp_path / "none")
    with pytest.raises(ReleaseError, match="no photographs"):
        find_photographs(tmp_path)
    for name in ("A-1.jpg", "A-1.png"):
        Image.new("RGB", (8, 6)).save(tmp_path / name)
    with pytest.raises(ReleaseError, match="a second photograph"):
        find_photographs(tmp_path)
    (tmp_path / "A-1.png").unlink()
    photographs = find_photographs(tmp_path)
    with pytest.raises(ReleaseError, match="no photograph has a box"):
        make_examples(photographs, boxes)
    with pytest.raises(ReleaseError, match=r"A-1: corners are swapped"):
        make_examples(photographs, [Box("A-1", 8, 6, 5, 5, 1, 1)])
    (other,) = make_examples(photographs, [Box("A-1", 80, 20, 1, 1, 5, 5)])
    with pytest.raises(ReleaseError, match="another shape"):
        other.open()
    (tmp_path / "A-1.jpg").write_bytes(b"no photograph")
    (broken,) = make_examples(photographs, [Box("A-1", 8, 6, 1, 1, 5, 5)])
    with pytest.raises(ReleaseError, match="A-1"):
        broken.open()


def test_a_box_is_the_same_beside_photographs_of_another_shape(folder):
    _, processor = make_detector(read_debug(folder))
    wide, tall = Image.new("RGB", (1024, 768)), Image.new("RGB", (768, 1024))
    boxes = [Box("A-1", 1024, 768, 256, 192, 768, 576), Box("A-2", 768, 1024, 0, 256, 384, 768)]
    made = inputs(processor, [wide, tall, wide], [*boxes, None])
    found = [np.asarray(label["boxes"]).round(4).tolist() for label in made["labels"]]
    assert found == [[[0.5, 0.5, 0.5, 0.5]], [[0.25, 0.5, 0.5, 0.5]], []]
    (alone,) = inputs(processor, [wide], boxes[:1])["labels"]
    assert np.asarray(alone["boxes"]).round(4).tolist() == found[0]


def test_unreadable_photographs_are_left_out_and_told_before_the_first_step(folder, tmp_path):
    photographs = tmp_path / "photographs"
    shutil.copytree(folder, photographs)
    boxes = list(read_boxes(folder / "boxes.tsv"))
    broken = next(path for path in photographs.rglob(f"{boxes[0].processid}.*"))
    broken.write_bytes(broken.read_bytes()[:2000])
    examples, problems = readable(make_examples(find_photographs(photographs), boxes))
    assert len(examples) == len(boxes) - 1
    assert boxes[0].processid in problems[0]
    output = tmp_path / "croptool"
    train(SCRIPT, *given(photographs, output))
    assert (output / "model.safetensors").exists()


def test_crop_asks_for_the_score_that_nearly_all_specimens_reach(finished, folder, tmp_path):
    detector = Detector(str(finished), device="cpu")
    told = {record["metric"]: record["value"] for record in json.loads((finished / "results.json").read_text())}
    assert detector.sure == told["score_of_95_percent"] > 0
    assert f"a score of {detector.sure:.3f} or more" in (finished / "README.md").read_text()
    held = [path for path in folder.rglob("*.jpg") if is_held_out(path.stem, 8)]
    (tmp_path / "few").mkdir()
    for path in held:
        shutil.copy(path, tmp_path / "few")
    done = crop_folder(tmp_path / "few", tmp_path / "crops", detector=detector, workers=1)
    assert len(done.boxes) == len(held)


def test_a_photograph_that_the_detector_cannot_take_is_listed(finished, tmp_path):
    photographs = tmp_path / "photographs"
    photographs.mkdir()
    for name, size in {"A-1": (64, 48), "A-2": (3, 2000), "A-3": (48, 64), "A-4": (64, 48)}.items():
        Image.effect_noise(size, 90).convert("RGB").save(photographs / f"{name}.png")
    detector = Detector(str(finished), device="cpu")
    done = crop_folder(photographs, tmp_path / "crops", detector=detector, sure=0.0, workers=1)
    listed = {one.file: one.reason for one in done.skipped}
    assert "A-2.png" in listed
    assert "3×2000" in listed["A-2.png"]
    assert {box.processid for box in done.boxes} >= {"A-1", "A-3", "A-4"} - {name[:3] for name in listed}


def test_empty_dishes_are_learnt_from_if_asked_to(folder, tmp_path):
    boxes = list(read_boxes(folder / "boxes.tsv"))
    photographs = find_photographs(folder)
    assert len(make_examples(photographs, boxes[1:])) == 11
    with_empty = make_examples(photographs, boxes[1:], empty=True)
    assert [one.processid for one in with_empty if one.box is None] == [boxes[0].processid]
    _, processor = make_detector(read_debug(folder))
    picture = Image.new("RGB", (64, 48))
    (label,) = inputs(processor, [picture], [None])["labels"]
    assert np.asarray(label["boxes"]).shape == (0, 4)


def read_debug(folder):
    given = yaml.safe_load(DEBUG.read_text())
    return DetectionRecipe(images=str(folder), boxes=str(folder / "boxes.tsv"), **given)


def test_without_photographs_nothing_begins(tmp_path):
    with pytest.raises(RecipeError, match="nothing to learn from: name --images"):
        train(SCRIPT, "--config", DEBUG, "--output", tmp_path)


def test_the_debug_recipe_can_be_read(tmp_path):
    path = tmp_path / "recipe.yaml"
    path.write_text(DEBUG.read_text() + "images: photographs\nboxes: boxes.tsv\n")
    assert read_recipe(DetectionRecipe, path).output == "croptool-debug"
