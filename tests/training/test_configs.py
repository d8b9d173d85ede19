"""Every recipe that comes along can be read and builds a model; the smallest one is trained."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch
import yaml
from scripts import ROOT, log_of, train

from bioscan5m_hf.learning.contrastive import ContrastiveRecipe
from bioscan5m_hf.learning.pretraining import PretrainingRecipe
from bioscan5m_hf.learning.recipe import read_recipe
from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
)
from bioscan5m_hf.models.clibd import ClibdConfig, ClibdModel


ALL = sorted((ROOT / "training" / "configs").glob("*.yaml"))
CONFIGS = [path for path in ALL if not path.stem.startswith(("clibd", "croptool"))]
CONTRASTIVE = [path for path in ALL if path.stem.startswith("clibd")]
PUBLISHED = ("clibd-5m", "clibd-5m-fifth", "clibd-5m-lora")
CLIBD_PARAMETERS = 203_117_572 - 12 * 4 * 4 * 768 - 1027 - (512 * 512 + 512)
"""Of CLIBD's I+D+T: the authors', without what is unused or merged: low-rank matrices, a bias, and a pooler."""
MILLIONS = {"barcodebert-4-4-4": 29_142_784, "barcodebert-8-4-4": 129_478_144, "barcodebert-4-12-12": 85_845_760}
"""Parameters of the published models, head included (their state dicts and configurations)."""


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_recipe_can_be_read_and_builds_a_model(path):
    recipe = read_recipe(PretrainingRecipe, path)
    assert recipe.output == path.stem or path.stem in ("debug", "demo")
    config = BarcodeBertConfig(**recipe.architecture)
    with torch.device("meta"):
        kind = BarcodeBertForMaskedAutoencoding if recipe.objective == "autoencoder" else BarcodeBertForMaskedLM
        model = kind(config)
    if path.stem in MILLIONS:
        assert sum(each.numel() for each in model.parameters()) == MILLIONS[path.stem]
        # what the papers say is all in the file, so that a later default changes nothing of it
        unsaid = {field.name for field in fields(recipe)} - set(yaml.safe_load(path.read_text()))
        assert unsaid <= {"dataset", "extra", "streaming", "micro_batch_size", "gradient_checkpointing"}


@pytest.mark.parametrize("path", CONTRASTIVE, ids=lambda path: path.stem)
def test_a_recipe_of_clibd_can_be_read_and_builds_a_model(path):
    recipe = read_recipe(ContrastiveRecipe, path)
    assert recipe.output == path.stem
    config = ClibdConfig(**recipe.architecture)
    with torch.device("meta"):
        model = ClibdModel(config)
    if path.stem in PUBLISHED:
        released = ClibdConfig.released()
        differing = {name for name in recipe.architecture if getattr(config, name) != getattr(released, name)}
        assert differing == set()
        said = set(yaml.safe_load(path.read_text()))
        assert {field.name for field in fields(recipe)} - said == {
            "dataset",
            "package",
            "streaming",
            "micro_batch_size",
        }
        assert sum(each.numel() for each in model.parameters()) == CLIBD_PARAMETERS


def test_published_recipes_of_clibd_say_what_their_code_says():
    whole, fifth, lora = (read_recipe(ContrastiveRecipe, ROOT / f"training/configs/{name}.yaml") for name in PUBLISHED)
    assert whole.peak_learning_rate == pytest.approx(2e-4)
    assert (fifth.share, fifth.epochs, fifth.batch_size) == (0.2, 120, 2000)
    assert (lora.epochs, lora.batch_size, lora.lora["r"], lora.peak_learning_rate) == (
        4,
        1600,
        4,
        pytest.approx(3.2e-3),
    )
    assert [epoch for epoch in range(1, 21) if whole.validating.due(epoch, 20)] == list(range(11, 21))


def test_the_smallest_recipe_of_clibd_is_trained(dataset, tmp_path):
    recipe = ROOT / "training" / "configs" / "clibd-debug.yaml"
    train("train_clibd", "--config", recipe, "--dataset", dataset, "--output", tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())


def test_the_smallest_recipe_is_trained(dataset, tmp_path):
    recipe = ROOT / "training" / "configs" / "debug.yaml"
    train("pretrain_barcodebert", "--config", recipe, "--dataset", dataset, "--output", tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())
    assert log_of(tmp_path)[-1]["epoch"] == 2
