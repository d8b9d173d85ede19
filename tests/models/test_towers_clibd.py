"""CLIBD begins with pretrained towers of timm, open_clip, BarcodeBERT and BERT; no tensor of them is left drawn."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import open_clip
import pytest
import torch
from transformers import AutoModel, BertConfig, BertForMaskedLM, BertModel

from bioscan5m_hf.dna import encode_kmers
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM, masked_mean
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock
from bioscan5m_hf.models.clibd.export_clibd import clip_tokenizer, make_processor, name_tokenizer
from bioscan5m_hf.models.clibd.open_clip_clibd import name_and_tag, open_clip_tower
from bioscan5m_hf.models.clibd.towers_clibd import CheckpointError, build


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "adapters"))

from tiny_towers import pictures, save_timm


SMALL = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
CLIP = "ViT-S-32-alt"


def save_barcodebert(folder, layout="standard"):
    torch.manual_seed(3)
    config = BarcodeBertConfig(
        kmer_size=3, token_layout=layout, mlm_head="linear", pretrained_on=["pretrain"], **SMALL
    )
    save_stock(BarcodeBertForMaskedLM(config), folder)
    return folder


def save_bert(folder):
    torch.manual_seed(4)
    tokenizer = name_tokenizer(["Diptera Phoridae"])
    BertModel(BertConfig(vocab_size=len(tokenizer), **SMALL)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.mark.parametrize("layout", ["standard", "original"])
def test_a_barcodebert_of_either_layout_gives_the_same_hidden_states(tmp_path, layout):
    folder = save_barcodebert(tmp_path / "dna", layout)
    model, tokenizer = build({"modalities": ["dna"], "projection_dim": 8}, {"dna": str(folder)})
    assert tokenizer is None
    assert model.config.dna_kmer_size == 3
    assert model.config.pretrained_on == ["pretrain"]
    barcodes = ["ACGTACCATAGGT", "ACGNNNTTA"]
    theirs, ours = encode_kmers(barcodes, 3, layout), make_processor(model.config)(dna=barcodes)
    stock = AutoModel.from_pretrained(folder).eval()
    with torch.no_grad():
        mask = torch.from_numpy(theirs.mask)
        expected = masked_mean(stock(torch.from_numpy(theirs.ids).long(), mask.long()).last_hidden_state, mask)
        projected = torch.nn.functional.normalize(model.dna_projection(expected), dim=-1)
        found = model.eval().get_dna_features(ours["dna_input_ids"], ours["dna_attention_mask"])
    torch.testing.assert_close(found, projected, atol=1e-6, rtol=1e-5)


def test_towers_of_timm_and_bert(tmp_path, capfd):
    timm_model = save_timm(tmp_path / "image")
    bert = save_bert(tmp_path / "text")
    towers = {"image": str(tmp_path / "image"), "text": str(bert)}
    model, tokenizer = build({"modalities": ["image", "text"], "projection_dim": 8}, towers)
    assert "UNEXPECTED" not in "".join(capfd.readouterr())
    model.eval()
    processor = make_processor(model.config, tokenizer)
    given = processor(images=pictures(3), text=["Diptera", "Phoridae", "Diptera Phoridae"])
    with torch.no_grad():
        timm_model.reset_classifier(0)
        features = timm_model(given["pixel_values"])
        found = model(**given, return_loss=False)
        expected = torch.nn.functional.normalize(model.image_projection(features), dim=-1)
        torch.testing.assert_close(found.image_embeds, expected, atol=1e-5, rtol=1e-4)
    assert processor.image_processor.crop_size["height"] == timm_model.pretrained_cfg["input_size"][-1]
    text = BertModel.from_pretrained(bert).state_dict()
    own = model.text_model.state_dict()
    assert all(torch.equal(own[name], text[name]) for name in own)


def test_towers_of_open_clip(tmp_path):
    torch.manual_seed(5)
    clip = open_clip.create_model(CLIP, force_custom_text=True)
    folder = tmp_path / "clip"
    folder.mkdir()
    colours = {"mean": [0.5, 0.4, 0.3], "std": [0.2, 0.3, 0.4]}
    config = {"model_cfg": open_clip.get_model_config(CLIP), "preprocess_cfg": colours}
    (folder / "open_clip_config.json").write_text(json.dumps(config))
    from safetensors.torch import save_model

    save_model(clip, str(folder / "open_clip_model.safetensors"))
    place = f"open_clip:local-dir:{folder}"
    model, tokenizer = build({"modalities": ["image", "text"]}, {"image": place, "text": place})
    model.eval()
    clip.eval()
    assert model.config.image_config.architecture == CLIP
    processor = make_processor(model.config, tokenizer)
    assert list(processor.image_processor.image_mean) == colours["mean"]
    given = processor(images=pictures(1), text=["Diptera Phoridae"])
    with torch.no_grad():
        found = model(**given, return_loss=False)
        for name, theirs in (
            ("image", clip.encode_image(given["pixel_values"])),
            ("text", clip.encode_text(open_clip.get_tokenizer(CLIP)(["Diptera Phoridae"]))),
        ):
            projected = getattr(model, f"{name}_projection")(theirs)
            expected = torch.nn.functional.normalize(projected, dim=-1)
            torch.testing.assert_close(found[f"{name}_embeds"], expected, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("name", ["ViT-B-32", "ViT-B/32"])
def test_an_architecture_of_open_clip_may_be_written_with_slashes(monkeypatch, name):
    assert name_and_tag(f"{name}/openai", open_clip.list_models()) == ("ViT-B-32", "openai")
    assert name_and_tag(name, open_clip.list_models()) == ("ViT-B-32", "")
    made = []

    def create(architecture, pretrained, **how):
        made.append((architecture, pretrained))
        raise RuntimeError("seen")

    monkeypatch.setattr(open_clip, "create_model", create)
    with pytest.raises(CheckpointError, match=f"{name}/openai cannot be opened by open_clip: seen"):
        open_clip_tower(f"open_clip:{name}/openai", "image")
    assert made == [("ViT-B-32", "openai")]
    for tagless in (name, f"{name}/none"):
        with pytest.raises(CheckpointError, match="names no weights, as open_clip:NAME/TAG does: use one of openai"):
            open_clip_tower(f"open_clip:{tagless}", "image")


@pytest.mark.parametrize(
    "text",
    [
        "Diptera Phoridae Megaselia Megaselia rufa",
        "Diptera sp. 12 BOLD:AAA1234",
        "l'été naïve",
        "",
        "Bus (s.l.)  #5 a_b",
    ],
)
def test_the_tokenizer_of_open_clip_is_equal_to_theirs(text):
    ours = clip_tokenizer()(text, padding="max_length", max_length=77, truncation=True)["input_ids"]
    assert ours == open_clip.get_tokenizer("ViT-B-32")([text])[0].tolist()


@pytest.mark.parametrize("pooling", ["logits_mean", "softmax_mean"])
def test_the_transform_of_a_masked_model_comes_along(tmp_path, pooling):
    torch.manual_seed(3)
    config = BarcodeBertConfig(kmer_size=3, mlm_head="bert", **SMALL)
    whole = BarcodeBertForMaskedLM(config)
    with torch.no_grad():
        for each in whole.parameters():
            each.uniform_(-1, 1)
    save_stock(whole, tmp_path / "dna")
    model, _ = build({"modalities": ["dna"], "dna_pooling": pooling}, {"dna": str(tmp_path / "dna")})
    stock = BertForMaskedLM.from_pretrained(tmp_path / "dna").cls.predictions.transform.state_dict()
    assert all(torch.equal(each, stock[name]) for name, each in model.dna_transform.state_dict().items())
    linear = save_barcodebert(tmp_path / "linear")
    with pytest.raises(CheckpointError, match=r"lacks cls\.predictions\.transform"):
        build({"modalities": ["dna"], "dna_pooling": pooling}, {"dna": str(linear)})


def test_photographs_are_normalised_as_the_weights_want(tmp_path):
    save_timm(tmp_path / "image")
    config = json.loads((tmp_path / "image" / "config.json").read_text())
    config["pretrained_cfg"] |= {"mean": [0.1, 0.2, 0.3], "std": [0.4, 0.5, 0.6]}
    (tmp_path / "image" / "config.json").write_text(json.dumps(config))
    model, _ = build({"modalities": ["image"]}, {"image": str(tmp_path / "image")})
    images = make_processor(model.config).image_processor
    assert [list(images.image_mean), list(images.image_std)] == [[0.1, 0.2, 0.3], [0.4, 0.5, 0.6]]


def test_a_model_of_open_clip_without_weights_or_with_other_words_is_refused(tmp_path):
    config = {"model_cfg": open_clip.get_model_config(CLIP), "preprocess_cfg": {}}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="cannot be opened by open_clip"):
        build({"modalities": ["image"]}, {"image": f"open_clip:local-dir:{tmp_path}"})
    siglip = {"model_type": "open_clip_tower", "architecture": "ViT-B-16-SigLIP", "tower": "text"}
    with pytest.raises(ValueError, match=r"its text tower reads the words of .*, not CLIP's"):
        build({"modalities": ["text"], "text_config": siglip}, {})


def test_fresh_towers_know_the_words_of_the_names():
    text = {"model_type": "bert", **SMALL}
    model, tokenizer = build({"modalities": ["text"], "text_config": text}, {}, ["Diptera Phoridae", "Diptera"])
    assert tokenizer.tokenize("Diptera phoridae") == ["diptera", "phoridae"]
    assert model.config.text_config.vocab_size == len(tokenizer)
    _, small = build({"modalities": ["text"], "text_config": text | {"vocab_size": 80}}, {}, ["Diptera Phoridae"])
    assert len(small) <= 80


def test_what_is_no_tower_is_refused(tmp_path):
    dna, bert = save_barcodebert(tmp_path / "dna"), save_bert(tmp_path / "text")
    save_timm(tmp_path / "pickled", pickled=True)
    for towers, message in [
        ({"image": str(dna)}, "is a model of 'bert', not of timm"),
        ({"dna": str(bert)}, "ids: that is no vocabulary of k-mers"),
        ({"text": str(tmp_path / "absent")}, "absent cannot be opened as a model of BERT"),
        ({"image": str(tmp_path / "pickled")}, "cannot be opened as a model of timm"),
        ({"image": "open_clip:ViT-Z/x"}, "cannot be opened by open_clip"),
        ({"image": f"open_clip:{CLIP}"}, "names no weights, as open_clip:NAME/TAG does"),
    ]:
        with pytest.raises(CheckpointError, match=message):
            build({}, towers)
    (dna / "model.safetensors").write_bytes(b"torn")
    with pytest.raises(CheckpointError, match="cannot be opened as a model of BarcodeBERT"):
        build({}, {"dna": str(dna)})
    for architecture, towers, message in [
        ({"modalities": ["dna"]}, {"image": "x"}, "there is a pretrained tower for 'image': use some of dna"),
        ({"dna_config": {}}, {"dna": "x"}, "is pretrained .x. and described: leave dna_config out"),
        ({"dna_poolings": "cls"}, {}, "unknown field .dna_poolings.; did you mean dna_pooling"),
    ]:
        with pytest.raises(ValueError, match=message):
            build(architecture, towers)


def test_weights_that_lack_a_tensor_are_refused(tmp_path):
    from safetensors.numpy import load_file, save_file

    folder = save_barcodebert(tmp_path / "dna")
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if name.endswith("query.weight"))
    save_file(
        {key: np.ascontiguousarray(value) for key, value in weights.items() if key != name},
        folder / "model.safetensors",
        {"format": "pt"},
    )
    with pytest.raises(CheckpointError, match=r"lacks weights: .*query\.weight"):
        build({}, {"dna": str(folder)})
