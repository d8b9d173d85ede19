"""Models by their names: folders, the Hub, open_clip's tags, reference lines; and names that lead nowhere."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_towers import pictures, save_clip, save_timm
from transformers import BertConfig, BertForTokenClassification

from bioscan5m_hf.adapters import ADAPTERS, load_encoder
from bioscan5m_hf.adapters.places import find
from bioscan5m_hf.adapters.table import page, table
from bioscan5m_hf.embedding.checkpoint import CheckpointError
from bioscan5m_hf.embedding.encoder import BarcodeEncoder
from bioscan5m_hf.evaluation.encoder import Encoder, able, probe
from bioscan5m_hf.models.barcode_cnn import BarcodeCNN, one_hot


ROOT = Path(__file__).resolve().parents[2]
BARCODES = ["ACGT" * 160 + "ACG", "ttgaca" * 50, "ACGTNNACGT" * 60, None, ""]


@pytest.fixture(scope="module")
def kmer_bert(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "authors"
    torch.manual_seed(0)
    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
    BertForTokenClassification(BertConfig(vocab_size=258, num_labels=256, **size)).save_pretrained(folder)
    return folder


def test_a_bert_over_kmers_is_embedded_as_the_package_does(kmer_bert):
    encoder = load_encoder(str(kmer_bert), device="cpu")
    known = BarcodeEncoder.from_pretrained(kmer_bert, device="cpu")
    np.testing.assert_array_equal(encoder.embed(BARCODES), known.embed(BARCODES))
    assert (encoder.name, encoder.revision) == (str(kmer_bert), known.revision)
    assert encoder.revision.startswith("sha256:")
    assert encoder.pretrained_on == ("not declared",)
    assert encoder.settings["kmer_size"] == 4


def test_a_model_can_say_itself_what_it_was_pretrained_on(kmer_bert, tmp_path):
    for file in kmer_bert.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text()) | {"pretrained_on": ["pretrain", "train"]}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert load_encoder(tmp_path, device="cpu").pretrained_on == ("pretrain", "train")


def test_a_repository_on_the_hub_is_read_at_one_commit_and_none_of_its_code_is_fetched(kmer_bert, hub, monkeypatch):
    files = {path.name: path.read_bytes() for path in kmer_bert.iterdir()}
    hub.seed("bioscan-ml/BarcodeBERT", files | {"tokenizer.py": b"raise SystemExit('remote code was run')"}, "model")
    encoder = load_encoder("bioscan-ml/BarcodeBERT", device="cpu")
    np.testing.assert_array_equal(encoder.embed(BARCODES), load_encoder(kmer_bert, device="cpu").embed(BARCODES))
    assert encoder.revision == hub.history("bioscan-ml/BarcodeBERT", "model")[-1].oid
    assert encoder.pretrained_on == ("CANADA-1.5M",)
    assert not hub.requested("GET", r"/resolve/.*\.py")


@pytest.mark.parametrize(("save", "name"), [(save_timm, "timm"), (save_clip, "open_clip")])
def test_image_towers_come_from_the_hub_too(save, name, hub, repo_id, tmp_path):
    save(tmp_path)
    files = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    hub.seed(repo_id, files | {"modeling.py": b"raise SystemExit"}, "model")
    expected = load_encoder(tmp_path, device="cpu").embed_images(pictures())
    for asked in (repo_id, f"{name}:{repo_id}"):
        encoder = load_encoder(asked, device="cpu")
        np.testing.assert_array_equal(encoder.embed_images(pictures()), expected)
        assert (encoder.name, encoder.settings["adapter"]) == (asked, name)
        assert encoder.revision == hub.history(repo_id, "model")[-1].oid
    assert not hub.requested("GET", r"/resolve/.*\.py")


def test_an_older_revision_can_be_asked_for(hub, repo_id, tmp_path):
    for seed in (1, 2):
        (tmp_path / str(seed)).mkdir()
        save_timm(tmp_path / str(seed), seed=seed)
        hub.seed(repo_id, {path.name: path.read_bytes() for path in (tmp_path / str(seed)).iterdir()}, "model")
    first = hub.history(repo_id, "model")[-2].oid
    found = load_encoder(repo_id, first, device="cpu")
    expected = load_encoder(tmp_path / "1", device="cpu")
    np.testing.assert_array_equal(found.embed_images(pictures()), expected.embed_images(pictures()))
    assert found.revision == first


def test_names_and_tags_of_open_clip_lead_to_its_repositories(hub, tmp_path):
    assert find("open_clip:ViT-B-32/laion2b_s34b_b79k").source == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    assert find("open_clip:ViT-B/32/laion2b_s34b_b79k").source == "laion/CLIP-ViT-B-32-laion2B-s34B-b79K"
    save_clip(tmp_path)
    hub.seed("timm/resnet50_clip.openai", {path.name: path.read_bytes() for path in tmp_path.iterdir()}, "model")
    encoder = load_encoder("open_clip:RN50/openai", device="cpu")
    assert encoder.pretrained_on == ("WebImageText-400M",)
    with pytest.raises(CheckpointError, match=r"no weights 'mine' of RN50 on the Hub: use one of .*openai"):
        load_encoder("open_clip:RN50/mine", device="cpu")


def test_a_folder_with_both_kinds_of_towers_is_read_by_the_one_that_is_named(tmp_path):
    save_timm(tmp_path)
    save_clip(tmp_path)
    assert load_encoder(f"open_clip:{tmp_path}", device="cpu").embed_images(pictures(1)).shape == (1, 12)
    assert load_encoder(f"timm:{tmp_path}", device="cpu").embed_images(pictures(1)).shape == (1, 64)
    assert load_encoder(tmp_path, device="cpu").settings["adapter"] == "timm"


def test_the_untrained_network_is_the_same_each_time_and_leaves_the_generator_alone():
    state = torch.get_rng_state()
    encoder, again = (load_encoder("reference:cnn-untrained", device="cpu") for _ in range(2))
    assert torch.equal(state, torch.get_rng_state())
    vectors = encoder.embed(BARCODES)
    np.testing.assert_array_equal(vectors, again.embed(BARCODES))
    np.testing.assert_allclose(vectors, np.concatenate([encoder.embed([one]) for one in BARCODES]), atol=1e-5)
    with torch.inference_mode():
        expected = encoder.model.features(one_hot(["TTGACA" * 50])).numpy()
    np.testing.assert_allclose(vectors[1:2], expected, atol=1e-5)
    assert vectors.shape == (5, 500)


def test_a_trained_network_is_read_whole_or_not_at_all(tmp_path):
    torch.manual_seed(1)
    model = BarcodeCNN(labels=["Diptera", "Hemiptera"], features=20, max_nucleotides=90)
    model(
        one_hot(["ACGT" * 20, "TTGA" * 15], 90)
    ).sum().backward()  # statistics of normalisations are no longer 0 and 1
    model.eval().save_pretrained(tmp_path)
    encoder = load_encoder(tmp_path, device="cpu")
    assert encoder.settings["adapter"] == "BarcodeCNN"
    np.testing.assert_array_equal(encoder.embed(BARCODES), model.embed(BARCODES).numpy())
    weights = load_file(tmp_path / "model.safetensors")
    del weights["blocks.2.running_mean"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"1 missing \(blocks.2.running_mean\)"):
        load_encoder(tmp_path, device="cpu")
    config = json.loads((tmp_path / "config.json").read_text()) | {"kernel_width": 2}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="kernel_width must be 1 or 3"):
        load_encoder(tmp_path, device="cpu")


def test_what_is_loaded_is_an_encoder_of_the_benchmark(tmp_path):
    encoder = load_encoder("reference:cnn-untrained", device="cpu")
    assert isinstance(encoder, Encoder)
    assert able(encoder) == ("dna",)
    some = ["ACGT" * 100, "TTGA" * 90, "GGCA" * 30]
    assert probe(encoder.embed, some, str).shape == (3, 500)
    save_timm(tmp_path)
    assert able(load_encoder(tmp_path, device="cpu")) == ("image",)


def test_the_readme_and_the_page_show_what_is_declared():
    assert table() in (ROOT / "README.md").read_text()
    again = "write it again: python -m bioscan5m_hf.adapters.table > docs/adapters.md"
    assert page() == (ROOT / "docs" / "adapters.md").read_text(), again


def test_each_fact_of_a_family_is_declared_and_has_a_source():
    assert len({adapter.name for adapter in ADAPTERS}) == len(ADAPTERS)
    for adapter in ADAPTERS:
        facts = (*adapter.settings.values(), *adapter.sources)
        assert all(facts)
        assert adapter.models
        assert adapter.sources
        assert adapter.pretrained_on("somebody/else") == ("not declared",)
    names = [name for adapter in ADAPTERS for name in adapter.models]
    assert len(set(names)) == len(names)


def test_the_package_of_adapters_is_light(fresh_python):
    code = (
        "import sys, bioscan5m_hf.adapters; print([n for n in ('torch', 'transformers', 'timm') if n in sys.modules])"
    )
    assert fresh_python(code).strip() == "[]"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("no/such-model", "no folder no/such-model, and no such repository"),
        ("no such name!", "no name of a repository"),
        ("reference:blast", "no reference line 'reference:blast': use reference:cnn-untrained"),
        ("open_clip:ViT-B-16", "no folder ViT-B-16"),
    ],
)
def test_names_that_lead_nowhere(name, message, hub):
    with pytest.raises(CheckpointError, match=message):
        load_encoder(name, device="cpu")


def test_folders_that_hold_something_else(tmp_path):
    with pytest.raises(CheckpointError, match=r"holds no config.json or open_clip_config.json"):
        load_encoder(tmp_path, device="cpu")
    (tmp_path / "config.json").write_text('{"model_type": "t5"}')
    with pytest.raises(CheckpointError, match="a model of 't5': it can be evaluated if it is of timm, open_clip, DNA"):
        load_encoder(tmp_path, device="cpu")
    with pytest.raises(CheckpointError, match="has no revision 'main'"):
        load_encoder(tmp_path, "main", device="cpu")
    save_timm(tmp_path)
    with pytest.raises(CheckpointError, match="if it is of open_clip"):
        load_encoder(f"open_clip:{tmp_path}", device="cpu")


def test_settings_that_do_not_exist(kmer_bert):
    with pytest.raises(ValueError, match="preprocessing 'mine': use one of library, paper"):
        load_encoder(kmer_bert, preprocessing="mine")
    with pytest.raises(ValueError, match="dtype 'int8'"):
        load_encoder(kmer_bert, dtype="int8")
    with pytest.raises(ValueError, match="device 'tpu:9'"):
        load_encoder(kmer_bert, device="tpu:9")
