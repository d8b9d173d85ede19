"""Every recipe that comes along can be read and builds a model; the smallest one is trained."""

from __future__ import annotations

import json
from dataclasses import fields

import pytest
import torch
import yaml
from scripts import ROOT, log_of, train

from bioscan5m_hf.learning.pretraining import PretrainingRecipe
from bioscan5m_hf.learning.recipe import read_recipe
from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
)


CONFIGS = sorted((ROOT / "training" / "configs").glob("*.yaml"))
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


def test_the_smallest_recipe_is_trained(dataset, tmp_path):
    recipe = ROOT / "training" / "configs" / "debug.yaml"
    train("pretrain_barcodebert", "--config", recipe, "--dataset", dataset, "--output", tmp_path)
    assert json.loads((tmp_path / "results.json").read_text())
    assert log_of(tmp_path)[-1]["epoch"] == 2
