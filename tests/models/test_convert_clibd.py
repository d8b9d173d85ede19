"""The authors' checkpoints of CLIBD map completely, give their numbers, and nothing in a file is run."""

from __future__ import annotations

import contextlib
import json
import pickle
import zlib

import numpy as np
import pytest
import torch
from clibds import SMALL
from transformers import AutoModel, AutoProcessor
from typer.testing import CliRunner

import bioscan5m_hf.models  # noqa: F401  # registers
from bioscan5m_hf.cli import app
from bioscan5m_hf.models.clibd import ClibdConfig, ClibdModel
from bioscan5m_hf.models.clibd.convert_clibd import (
    CheckpointError,
    configuration,
    convert,
    load_original,
    merged,
    renamed,
)
from bioscan5m_hf.models.clibd.export_clibd import make_processor, name_tokenizer


DECODER = "dna_encoder.base_dna_encoder.cls.predictions.decoder"
VARIANTS = ("idt_fullft", "idt_lora", "id_fullft", "id_lora", "it_fullft", "it_lora")


@pytest.fixture(scope="module")
def keys(parity):
    return json.loads((parity / "clibd" / "keys.json").read_text())


def invented(name, shape):
    """Draw a tensor as the fixture says."""
    if name == "logit_scale":
        return torch.tensor(1 / 0.07).log()
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape).astype(np.float32) * 0.02
    return torch.from_numpy(np.asarray(values + ("norm" in name.lower() and name.endswith("weight")), np.float32))


def of_meta(model):
    return {name: tuple(value.shape) for name, value in model.state_dict().items()}


@pytest.mark.parametrize("variant", VARIANTS)
def test_every_tensor_of_every_variant_has_its_place(keys, variant):
    with torch.device("meta"):
        state = renamed({key["name"]: torch.zeros(key["shape"]) for key in keys["variants"][variant]["keys"]})
        model = ClibdModel(configuration(state))
    assert {name: tuple(value.shape) for name, value in state.items()} == of_meta(model)


def test_checkpoints_of_2024_have_other_prefixes(keys):
    old = {new: legacy for legacy, new in keys["legacy_prefix_map"].items()}
    given = {}
    for key in keys["variants"]["idt_lora"]["keys"]:
        prefix = next((new for new in old if key["name"].startswith(new)), "")
        name = old.get(prefix, "") + key["name"].removeprefix(prefix)
        given[f"module.{name}"] = torch.zeros(key["shape"], device="meta")
    now = {key["name"]: torch.zeros(key["shape"], device="meta") for key in keys["variants"]["idt_lora"]["keys"]}
    assert list(renamed(given)) == list(renamed(now))


def test_the_numbers_are_the_authors(keys, parity):
    expected = json.loads((parity / "clibd" / "forward.json").read_text())
    given = {key["name"]: invented(key["name"], key["shape"]) for key in keys["variants"]["idt_fullft"]["keys"]}
    state = renamed(given)
    with torch.device("meta"):
        model = ClibdModel(configuration(state)).eval()
    model.load_state_dict(state, assign=True)
    for module in model.modules():  # buffers that are no part of the state
        for name, buffer in module.named_buffers(recurse=False):
            if buffer.is_meta:
                fresh = torch.arange(buffer.shape[-1])[None] if "position" in name else torch.zeros(buffer.shape)
                module.register_buffer(name, fresh.to(buffer.dtype), persistent=False)
    pixels = np.random.default_rng(7).random((2, 3, 224, 224), dtype=np.float32)
    with torch.no_grad():
        output = model(
            pixel_values=torch.from_numpy(pixels),
            dna_input_ids=torch.tensor(expected["dna_tokens"]),
            input_ids=torch.tensor(expected["text_input_ids"]),
            attention_mask=torch.tensor(expected["text_attention_mask"]),
        )
    for name in ("image", "dna", "text"):
        assert torch.allclose(output[f"{name}_embeds"], torch.tensor(expected[f"{name}_output"]), atol=1e-5), name
    assert output.logit_scale.item() == pytest.approx(expected["logit_scale_exp"])


def test_barcodes_become_the_authors_tokens(parity):
    expected = json.loads((parity / "clibd" / "dna_tokens.json").read_text())
    processor = make_processor(ClibdConfig.released(modalities=["dna"]))
    for case in expected["cases"].values():
        assert processor(dna=case["sequence"])["dna_input_ids"][0].tolist() == case["tokens"]
        assert "dna_attention_mask" not in processor(dna=case["sequence"])


def test_lora_is_added_to_what_it_stands_beside():
    torch.manual_seed(0)
    fused = {f"a.qkv.{name}.weight": torch.randn(2, 6) for name in ("linear_a_q", "linear_a_v")}
    fused |= {f"a.qkv.{name}.weight": torch.randn(6, 2) for name in ("linear_b_q", "linear_b_v")}
    fused |= {"a.qkv.qkv.weight": torch.randn(18, 6), "a.qkv.qkv.bias": torch.randn(18)}
    apart = {"b.query.w.weight": torch.randn(6, 6), "b.query.w_a.weight": torch.randn(2, 6)}
    apart |= {"b.query.w_b.weight": torch.randn(6, 2), "c.weight": torch.randn(3)}
    found = merged(fused | apart)
    assert sorted(found) == ["a.qkv.bias", "a.qkv.weight", "b.query.weight", "c.weight"]
    given = torch.randn(4, 6)
    plain = given @ fused["a.qkv.qkv.weight"].T
    plain[:, :6] += given @ fused["a.qkv.linear_a_q.weight"].T @ fused["a.qkv.linear_b_q.weight"].T
    plain[:, 12:] += given @ fused["a.qkv.linear_a_v.weight"].T @ fused["a.qkv.linear_b_v.weight"].T
    assert torch.allclose(given @ found["a.qkv.weight"].T, plain, atol=1e-5)
    for lost, kept in (("w_b", "w_a"), ("w_a", "w_b")):
        with pytest.raises(CheckpointError, match=rf"{kept}\.weight stands without b\.query\.{lost}\.weight"):
            merged({name: value for name, value in apart.items() if lost not in name})


def small(modalities=("dna", "text")):
    """Give a checkpoint of small towers under the authors' names."""
    torch.manual_seed(0)
    towers = {
        "dna_config": {"model_type": "bert", "vocab_size": 1027, **SMALL, "hidden_size": 64, "num_attention_heads": 1},
        "text_config": {"model_type": "bert", "vocab_size": 90, **SMALL, "hidden_size": 64, "num_attention_heads": 1},
    }
    model = ClibdModel(ClibdConfig.released(modalities=list(modalities), projection_dim=8, **towers)).eval()
    theirs = {
        "dna_model.": "dna_encoder.base_dna_encoder.bert.",
        "dna_transform.": "dna_encoder.base_dna_encoder.cls.predictions.transform.",
        "dna_projection.": "dna_encoder.base_dna_encoder.cls.predictions.decoder.",
        "text_model.": "language_encoder.base_language_encoder.",
        "text_projection.": "language_encoder.proj.",
    }
    state = {}
    for name, value in model.state_dict().items():
        ours = next((prefix for prefix in theirs if name.startswith(prefix)), "")
        state[theirs.get(ours, "") + name.removeprefix(ours)] = value
    return model, state


def test_a_file_becomes_a_folder_that_auto_classes_load(tmp_path):
    model, state = small()
    torch.save(
        state | {"language_encoder.base_language_encoder.pooler.dense.bias": torch.ones(64)}, tmp_path / "best.pth"
    )
    name_tokenizer(["Diptera Phoridae"]).save_pretrained(str(tmp_path / "words"))
    words = [tmp_path / "best.pth", tmp_path / "out", "--tokenizer", tmp_path / "words"]
    done = CliRunner().invoke(app, ["convert", "clibd", *map(str, words)])
    assert done.exit_code == 0, done.output
    again = AutoModel.from_pretrained(tmp_path / "out").eval()
    processor = AutoProcessor.from_pretrained(tmp_path / "out")
    given = processor(dna=["ACGTACCGT", "acgtn"], taxonomy=[{"order": "Diptera"}, {}])
    assert given["input_ids"].shape == (2, 20)
    assert given["dna_input_ids"].shape == (2, 133)
    assert torch.equal(again(**given).dna_embeds, model(**given).dna_embeds)
    assert again.config.dna_pooling == "softmax_mean"
    wrong = CliRunner().invoke(app, ["convert", "clibd", *map(str, words), "--heads", "2"])
    assert "--heads, --kmer-size and --labels are for barcodebert" in str(wrong.exception)


def test_what_is_no_checkpoint_of_clibd(tmp_path):
    _, state = small()
    for change, message in (
        ({"sound_encoder.weight": torch.ones(2)}, "there is no sound_encoder.weight in a checkpoint of CLIBD"),
        (
            {"dna_encoder.base_dna_encoder.cls.predictions.decoder.bias": torch.ones(9)},
            "weights are missing, too many",
        ),
    ):
        torch.save(state | change, tmp_path / "best.pth")
        with pytest.raises(CheckpointError, match=message):
            load_original(tmp_path / "best.pth")
    torch.save({"logit_scale": torch.ones(())}, tmp_path / "best.pth")
    with pytest.raises(CheckpointError, match="no tower for photographs, barcodes or names"):
        load_original(tmp_path / "best.pth")
    torch.save(state, tmp_path / "best.pth")
    with pytest.raises(ValueError, match="the model has a text tower: give its tokenizer"):
        convert(tmp_path / "best.pth", tmp_path / "out")
    assert not (tmp_path / "out").exists()
    content = (tmp_path / "best.pth").read_bytes()
    (tmp_path / "best.pth").write_bytes(content[: len(content) // 2])
    with pytest.raises(CheckpointError, match=r"best\.pth"):
        load_original(tmp_path / "best.pth")


class Mischief:
    """An object whose pickle writes a file."""

    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return (open, (str(self.marker), "w"))


def test_nothing_in_a_file_is_run(tmp_path):
    _, state = small()
    pickle.loads(pickle.dumps(Mischief(tmp_path / "marker"))).close()
    (tmp_path / "marker").unlink()  # which the pickle has made
    torch.save(state | {"extra": Mischief(tmp_path / "marker")}, tmp_path / "best.pth")
    with contextlib.suppress(CheckpointError):
        load_original(tmp_path / "best.pth")
    assert not (tmp_path / "marker").exists()
