"""CLIBD embeds what it is given of three modalities, and compares it; any subset will do."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from clibds import IMAGE, clibd, config_of
from huggingface_hub.errors import StrictDataclassError
from PIL import Image
from transformers import AutoConfig, AutoModel, AutoProcessor
from transformers.dynamic_module_utils import get_imports

import bioscan5m_hf.models  # noqa: F401  # registers
from bioscan5m_hf.models.clibd import ClibdConfig, ClibdModel, contrastive_loss, export_clibd
from bioscan5m_hf.models.clibd.export_clibd import CODE, save_clibd


RANDOM = np.random.default_rng(0)
PHOTOS = [Image.fromarray(RANDOM.integers(0, 256, (40, 50, 3), np.uint8)) for _ in range(3)]
BARCODES = ["".join(RANDOM.choice(list("ACGT"), 60)) for _ in range(3)]
TAXA = [{"order": "Diptera", "family": "Phoridae"}, {"order": "Diptera", "genus": "Bradysia"}, {"order": "Diptera"}]


@pytest.fixture(scope="module")
def model_and_processor():
    return clibd()


@pytest.fixture
def model(model_and_processor):
    return model_and_processor[0]


@pytest.fixture
def given(model_and_processor):
    return model_and_processor[1](images=PHOTOS, dna=BARCODES, taxonomy=TAXA)


def test_vectors_have_length_one_and_are_those_of_each_tower(model, given):
    output = model(**given)
    for name in ("image", "dna", "text"):
        assert torch.allclose(output[f"{name}_embeds"].norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.equal(output.image_embeds, model.get_image_features(given["pixel_values"]))
    assert torch.equal(output.dna_embeds, model.get_dna_features(given["dna_input_ids"], given["dna_attention_mask"]))
    assert torch.equal(output.text_embeds, model.get_text_features(given["input_ids"], given["attention_mask"]))
    embeds = {name: output[f"{name}_embeds"] for name in ("image", "dna", "text")}
    assert output.loss.item() == pytest.approx(contrastive_loss(embeds, output.logit_scale).item())


@pytest.mark.parametrize("kept", [("image",), ("dna",), ("text",), ("image", "dna"), ("dna", "text")])
def test_any_subset_of_modalities(model_and_processor, given, kept):
    model, processor = model_and_processor
    parts = {"image": {"images": PHOTOS}, "dna": {"dna": BARCODES}, "text": {"taxonomy": TAXA}}
    output = model(**processor(**{key: value for name in kept for key, value in parts[name].items()}))
    whole = model(**given)
    for name in ("image", "dna", "text"):
        if name in kept:
            assert torch.allclose(output[f"{name}_embeds"], whole[f"{name}_embeds"], atol=1e-6)
        else:
            assert getattr(output, f"{name}_embeds") is None
    assert (output.loss is None) == (len(kept) < 2)


def test_padding_changes_nothing_and_a_barcode_without_k_mers_is_zeros(model_and_processor):
    model, processor = model_and_processor
    together = model(**processor(dna=[BARCODES[0], BARCODES[1][:20], "", "acgu" * 5]))
    assert torch.isfinite(together.dna_embeds).all()
    assert not together.dna_embeds[2].any()
    for place, barcode in ((0, BARCODES[0]), (1, BARCODES[1][:20]), (3, "ACGT" * 5)):
        alone = model(**processor(dna=barcode)).dna_embeds[0]
        assert torch.allclose(together.dna_embeds[place], alone, atol=1e-5)


def test_what_a_specimen_lacks_does_not_count(model_and_processor):
    model, processor = model_and_processor
    some = model(**processor(images=[PHOTOS[0], None, PHOTOS[2]], dna=BARCODES, taxonomy=[None, *TAXA[1:]]))
    present = {"image": torch.tensor([1, 0, 1]).bool(), "text": torch.tensor([0, 1, 1]).bool()}
    embeds = {name: some[f"{name}_embeds"] for name in ("image", "dna", "text")}
    expected = contrastive_loss(embeds, some.logit_scale, present=present)
    assert some.loss.item() == pytest.approx(expected.item())


def test_the_scale_is_clamped_unless_asked_otherwise(given):
    for limit, expected in ((100.0, 100.0), (None, torch.tensor(9.0).exp().item())):
        model, _ = clibd(logit_scale_max=limit)
        with torch.no_grad():
            model.logit_scale.fill_(9.0)
        assert model(**given).logit_scale.item() == pytest.approx(expected, rel=1e-5)


def test_labels_are_used_where_the_configuration_says_so(given):
    model, _ = clibd(targets="label")
    labels = torch.tensor([4, 4, -1])
    output = model(**given, labels=labels)
    embeds = {name: output[f"{name}_embeds"] for name in ("image", "dna", "text")}
    expected = contrastive_loss(embeds, output.logit_scale, targets="label", labels=labels)
    assert output.loss.item() == pytest.approx(expected.item())


def test_without_labels_only_each_specimen_itself_is_right(given):
    model, _ = clibd(targets="label")
    assert model(**given).loss.item() == pytest.approx(clibd()[0](**given).loss.item())


def test_without_the_modality_that_others_are_bound_to_there_is_no_loss(given):
    model, processor = clibd(bind_to="image")
    assert model(**processor(dna=BARCODES, taxonomy=TAXA)).loss is None
    assert model(**given).loss.item() > 0


@pytest.mark.parametrize("pooling", ["mean", "cls", "logits_mean", "softmax_mean"])
def test_poolings_of_barcodes(given, pooling):
    model, _ = clibd(dna_pooling=pooling)
    ids, mask = given["dna_input_ids"], given["dna_attention_mask"]
    hidden = model.dna_model(ids, attention_mask=mask).last_hidden_state
    if pooling in ("mean", "cls"):
        found = model.dna_projection(hidden.mean(1) if pooling == "mean" else hidden[:, 0])
    else:
        logits = model.dna_projection(model.dna_transform(hidden))
        found = (logits.softmax(-1) if pooling == "softmax_mean" else logits).mean(1)
    expected = found / found.norm(dim=1, keepdim=True)
    assert torch.allclose(model(**given).dna_embeds, expected, atol=1e-5)


def test_every_weight_learns_with_and_without_gradient_checkpointing(given):
    grads = []
    for checkpointing in (False, True):
        model, _ = clibd()
        if checkpointing:
            model.gradient_checkpointing_enable()
        torch.manual_seed(0)
        model.train()
        model(**given).loss.backward()
        grads.append({name: each.grad for name, each in model.named_parameters()})
    assert all(grad is not None for grad in grads[0].values())
    for name, grad in grads[0].items():
        assert torch.allclose(grad, grads[1][name], atol=1e-5), name


def test_it_compiles_into_one_graph(given):
    model, _ = clibd()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    assert compiled(**given).loss.item() == pytest.approx(model(**given).loss.item(), rel=1e-5)
    some = dict(given) | {"text_present": torch.tensor([True, False, True])}
    assert compiled(**some).loss.item() == pytest.approx(model(**some).loss.item(), rel=1e-5)


def test_a_batch_of_one(model_and_processor):
    model, processor = model_and_processor
    output = model(**processor(images=PHOTOS[0], dna=BARCODES[0], taxonomy=TAXA[0]))
    assert output.loss.item() == pytest.approx(0)


def test_what_is_not_there_is_said(model, given):
    with pytest.raises(ValueError, match="nothing is given: use pixel_values, dna_input_ids or input_ids"):
        model()
    with pytest.raises(ValueError, match=r"input for image has shape \(3, 32, 32\): give 4 dimensions"):
        model(pixel_values=given["pixel_values"][0])
    with pytest.raises(ValueError, match="input for image is on meta and the model on cpu"):
        model(pixel_values=given["pixel_values"].to("meta"))
    pair, _ = clibd(modalities=["image", "dna"])
    with pytest.raises(ValueError, match="no tower for text: it has image, dna"):
        pair(input_ids=given["input_ids"])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"modalities": ["sound"]}, r"modalities is \['sound'\]: use some of image, dna, text"),
        ({"modalities": []}, "use some of"),
        ({"dna_kmer_size": 4}, "dna_config has 1027 ids, and 4-mers need 259"),
        ({"bind_to": "sound"}, "bind_to is 'sound'"),
        ({"logit_scale_max": -1.0}, "logit_scale_max is -1"),
        ({"dna_pooling": "max"}, "dna_pooling"),
        ({"image_config": {"architecture": "x"}}, "a tower needs a model_type"),
    ],
)
def test_configurations_that_cannot_be_meant(changes, message):
    with pytest.raises(Exception, match=message):
        config_of(**changes)


def test_usual_towers_are_those_of_the_published_models():
    config = ClibdConfig()
    assert config.image_config.architecture == "vit_base_patch16_224"
    assert (config.dna_config.num_hidden_layers, config.text_config.hidden_size) == (12, 512)
    released = ClibdConfig.released(modalities=["dna"])
    assert (released.dna_padding, released.logit_scale_max, released.image_config) == ("unknown", None, None)


@pytest.mark.parametrize("architecture", ["lcnet_035", "mobilenetv4_conv_small_035", "test_resnet", "test_vit"])
def test_towers_of_timm_of_any_width(architecture):
    model, processor = clibd(
        modalities=["image"],
        image_size=32 if architecture != "test_vit" else None,
        image_config={"model_type": "timm_wrapper", "architecture": architecture, "num_classes": 0},
    )
    given = processor(images=[Image.new("RGB", (70, 50), "red")] * 2)
    assert model(**given).image_embeds.shape == (2, 8)
    assert given["pixel_values"].shape[-1] == (160 if architecture == "test_vit" else 32)


def test_photographs_have_a_size():
    with pytest.raises(StrictDataclassError, match="image_size is 0: use a positive number"):
        ClibdConfig(image_size=0)


def test_towers_of_open_clip(given):
    towers = {
        "image_config": {"model_type": "open_clip_tower", "architecture": "ViT-S-32-alt", "tower": "image"},
        "text_config": {"model_type": "open_clip_tower", "architecture": "ViT-S-32-alt", "tower": "text"},
    }
    pytest.importorskip("open_clip")
    model, _ = clibd(**towers)
    output = model(pixel_values=torch.rand(2, 3, 224, 224), input_ids=torch.randint(1, 99, (2, 77)))
    assert output.image_embeds.shape == output.text_embeds.shape == (2, 8)
    output.loss.backward()
    with pytest.raises(ValueError, match="open_clip has no architecture 'ViT-Z'"):
        clibd(image_config={"model_type": "open_clip_tower", "architecture": "ViT-Z"})


# -- folders


@pytest.fixture(scope="module")
def folder(model_and_processor, tmp_path_factory):
    return save_clibd(*model_and_processor, tmp_path_factory.mktemp("clibd") / "clibd-tiny")


def test_a_folder_gives_the_same_model_and_processor(model, given, folder):
    again, info = AutoModel.from_pretrained(folder, output_loading_info=True)
    assert isinstance(again, ClibdModel)
    assert not info["missing_keys"]
    assert not info["unexpected_keys"]
    processor = AutoProcessor.from_pretrained(folder)
    fresh = processor(images=PHOTOS, dna=BARCODES, taxonomy=TAXA)
    assert all(torch.equal(fresh[name], value) for name, value in given.items())
    assert torch.equal(again.eval()(**fresh).loss, model(**given).loss)
    assert AutoConfig.from_pretrained(folder).image_config.model_args == IMAGE["model_args"]


def test_nobody_has_to_install_what_only_some_towers_need():
    """`trust_remote_code` refuses code with an import that is not installed, wherever in a file it stands."""
    needed = {name for file in CODE for name in get_imports(Path(export_clibd.__file__).with_name(file))}
    assert needed - set(sys.stdlib_module_names) <= {"huggingface_hub", "torch", "transformers", "PIL"}


def test_a_tower_whose_library_is_missing_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "open_clip", None)
    towers = {"image_config": {"model_type": "open_clip_tower", "architecture": "ViT-S-32-alt"}}
    with pytest.raises(ModuleNotFoundError, match="pip install open_clip_torch"):
        ClibdModel(ClibdConfig(modalities=["image"], **towers))


OUTSIDE = """
import json, sys
from huggingface_hub.errors import StrictDataclassError
from PIL import Image
from transformers import AutoModel, AutoProcessor

folder, barcode = sys.argv[1:]
model = AutoModel.from_pretrained(folder, trust_remote_code=True).eval()
processor = AutoProcessor.from_pretrained(folder, trust_remote_code=True)
photo = Image.linear_gradient("L").resize((50, 40))
taxa = [{"order": "Diptera", "family": "Phoridae"}]
given = processor(images=[photo], dna=[barcode], taxonomy=taxa, return_tensors="pt")
out = model(**given)
assert not [name for name in sys.modules if name.split(".")[0] == "bioscan5m_hf"]
print(json.dumps([out.image_embeds.tolist(), out.dna_embeds.tolist(), out.text_embeds.tolist(), out.loss.item()]))
"""


def test_a_process_without_the_package_gives_the_same(model_and_processor, folder, tmp_path):
    model, processor = model_and_processor
    done = subprocess.run(
        [sys.executable, "-c", OUTSIDE, str(folder), BARCODES[0]], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    image, dna, text, loss = json.loads(done.stdout.splitlines()[-1])
    photo = Image.linear_gradient("L").resize((50, 40))
    output = model(**processor(images=[photo], dna=[BARCODES[0]], taxonomy=[TAXA[0]]))
    for found, expected in ((image, output.image_embeds), (dna, output.dna_embeds), (text, output.text_embeds)):
        assert torch.allclose(torch.tensor(found), expected, atol=1e-6)
    assert loss == pytest.approx(output.loss.item())


def test_saving_again_leaves_other_files_and_no_remains(model_and_processor, tmp_path):
    (tmp_path / "log.jsonl").write_text("mine")
    for seed in (0, 1):
        model, processor = clibd(seed)
        save_clibd(model, processor, tmp_path, card=f"# Model {seed}\n")
    assert (tmp_path / "log.jsonl").read_text() == "mine"
    assert (tmp_path / "README.md").read_text() == "# Model 1\n"
    assert not (tmp_path / ".incoming").exists()
    again = AutoModel.from_pretrained(tmp_path)
    assert torch.equal(again.dna_projection.weight, model.dna_projection.weight)


def test_weights_of_an_earlier_export_go_and_other_models_stay(model_and_processor, tmp_path):
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"old")
    (tmp_path / "model.safetensors.index.json").write_text("{}")
    save_clibd(*model_and_processor, tmp_path)
    assert [path.name for path in tmp_path.glob("model[.-]*")] == ["model.safetensors"]
    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ValueError, match="holds a model of type 'bert'; save to another folder"):
        save_clibd(*model_and_processor, other)
    assert [path.name for path in other.iterdir()] == ["config.json"]


def test_lora_by_peft(given):
    peft = pytest.importorskip("peft")
    model, _ = clibd()
    before = model(**given).loss.item()
    config = peft.LoraConfig(r=2, target_modules=["query", "value", "qkv"], modules_to_save=["image_projection"])
    adapted = peft.get_peft_model(model, config)
    assert adapted(**given).loss.item() == pytest.approx(before, rel=1e-5)
    learns = sum(each.numel() for each in adapted.parameters() if each.requires_grad)
    assert 0 < learns < sum(each.numel() for each in adapted.parameters()) / 4
    adapted(**given).loss.backward()
    merged = adapted.merge_and_unload()
    assert isinstance(merged, ClibdModel)
