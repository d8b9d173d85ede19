"""A model of CLIBD is an encoder of all its modalities, and does every task of the benchmark that they allow."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.embedding.checkpoint import CheckpointError
from bioscan5m_hf.evaluation import evaluate_model
from bioscan5m_hf.evaluation.encoder import able
from bioscan5m_hf.evaluation.jobs import choose_jobs
from bioscan5m_hf.evaluation.tasks import TASKS
from bioscan5m_hf.models.clibd.export_clibd import save_clibd


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from clibds import clibd


BARCODES = ["ACGTACCATA" * 20, "ACGTA", "", "acgtt" * 7, "RYN" * 9]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    model, processor = clibd(pretrained_on=["pretrain", "train"])
    return save_clibd(model, processor, tmp_path_factory.mktemp("clibd") / "clibd-tiny")


def test_vectors_are_those_of_the_model_in_order(folder):
    model, processor = clibd()
    encoder = load_encoder(str(folder))
    encoder.batch_size = 2
    photos = [Image.new("RGB", (30 + i, 40), (20 * i, 90, 9)) for i in range(5)]
    names = ["Diptera not_classified Megaselia not_classified", "Diptera Phoridae", "not_classified"]
    with torch.no_grad():
        expected = model(**processor(images=photos, dna=BARCODES))
        texts = model(**processor(text=["Diptera Megaselia", "Diptera Phoridae", ""])).text_embeds
    assert np.allclose(encoder.embed(BARCODES), expected.dna_embeds, atol=1e-5)
    assert np.allclose(encoder.embed_images(photos), expected.image_embeds, atol=1e-5)
    assert np.allclose(encoder.embed_texts(names), texts, atol=1e-5)
    assert encoder.embed([]).shape == (0, 8)
    assert able(encoder) == ("dna", "image", "text", "image+dna")
    assert encoder.pretrained_on == ("pretrain", "train")
    assert encoder.settings["adapter"] == "CLIBD"
    assert encoder.revision.startswith("sha256:")


def test_words_for_missing_ranks_are_the_models_own(tmp_path):
    model, processor = clibd(missing_rank_token="not_classified")
    encoder = load_encoder(str(save_clibd(model, processor, tmp_path / "clibd")))
    with torch.no_grad():
        expected = model(**processor(taxonomy=[{"order": "Diptera"}])).text_embeds
    given = ["Diptera not_classified not_classified not_classified"]
    assert np.allclose(encoder.embed_texts(given), expected, atol=1e-6)


def test_only_the_towers_that_there_are(tmp_path):
    model, processor = clibd(modalities=["image", "dna"])
    assert able(load_encoder(str(save_clibd(model, processor, tmp_path / "clibd")))) == ("dna", "image", "image+dna")


SMALL = {
    "zero-shot-clustering": {"method": "none"},
    "robustness": {"queries": 20},
}
POSSIBLE = [
    (task.name, modality)
    for task in TASKS.values()
    for modality in task.modalities
    if task.needs == "embed" and modality in ("dna", "image", "image+dna")
]


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """Every task takes the vectors that those before it left."""
    return tmp_path_factory.mktemp("cache")


@pytest.mark.parametrize(("task", "modality"), POSSIBLE)
def test_every_task_that_its_modalities_allow_runs_on_it(folder, dataset, cache, task, modality):
    settings = {task: SMALL[task]} if task in SMALL else {}
    given = {"modality": modality, "settings": settings, "cache": cache, "queries": 40}
    (found,) = evaluate_model(load_encoder(str(folder)), task, dataset, **given)
    assert (found.task, found.modality) == (task, modality)
    assert np.isfinite(found.scores[found.main].value)
    assert found.settings["encoder"]["adapter"] == "CLIBD"
    if task == "cross-modal-retrieval":
        assert {"species/test, image→dna/top-1 micro", "species/test, text→image/top-5 macro"} <= set(found.scores)
        assert found.settings["encoder"]["dna_pooling"] == "mean"


def test_these_are_all_that_it_can_do(folder):
    said = []
    jobs = choose_jobs("all", None, load_encoder(str(folder)), {}, said.append)
    assert [(job.task.name, job.modality) for job in jobs] == POSSIBLE
    assert len(POSSIBLE) >= 12
    assert len(said) == 1
    assert "finetune-species" in said[0]  # for classifiers


@pytest.mark.parametrize("pair", ["image+text", "dna+text"])
def test_the_retrieval_task_runs_on_two_towers(dataset, tmp_path, pair):
    modalities = pair.split("+")
    model, processor = clibd(modalities=modalities)
    encoder = load_encoder(str(save_clibd(model, processor, tmp_path / "clibd")))
    assert able(encoder)[-1] == pair
    (found,) = evaluate_model(encoder, "cross-modal-retrieval", dataset, cache=tmp_path, queries=40)
    assert found.modality == pair
    assert found.main == f"species/test_unseen, {modalities[0]}→text/top-1 macro"
    assert found.main in found.scores


def test_damaged_folders_are_named(folder, tmp_path):
    import shutil

    broken = shutil.copytree(folder, tmp_path / "broken")
    (broken / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="broken"):
        load_encoder(str(broken))
    lost = shutil.copytree(folder, tmp_path / "lost")
    (lost / "processor_config.json").unlink()
    (lost / "dna_tokenizer" / "tokenizer.json").unlink()
    with pytest.raises(CheckpointError, match="lost"):
        load_encoder(str(lost))
