"""Image towers of timm and open_clip: what they are given, what they give, and what is refused."""

import json

import numpy as np
import pytest
import timm
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from tiny_towers import OWN, jpeg, pictures, save_clip, save_timm

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.adapters.images import ImageError
from bioscan5m_hf.embedding.checkpoint import CheckpointError


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "vit"
    folder.mkdir()
    return folder, save_timm(folder)


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    folder = tmp_path_factory.mktemp("adapters") / "clip"
    return folder, save_clip(folder)


def test_a_tower_of_timm_gives_its_features_before_the_classifier(vit):
    folder, model = vit
    some = pictures()
    pixels = torch.stack([by_hand(picture, 160, 168, mean=(0.5,) * 3, std=(0.5,) * 3) for picture in some])
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(pixels), pre_logits=True).numpy()
    found = load_encoder(folder, device="cpu").embed_images(some)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=2e-5)


def test_the_papers_preprocessing_scales_to_size_and_takes_imagenets_colours(vit):
    folder, model = vit
    some = pictures()
    pixels = torch.stack(
        [by_hand(picture, 160, 160, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)) for picture in some]
    )
    with torch.inference_mode():
        expected = model.forward_head(model.forward_features(pixels), pre_logits=True).numpy()
    encoder = load_encoder(folder, device="cpu", preprocessing="paper")
    np.testing.assert_allclose(encoder.embed_images(some), expected, atol=2e-5)
    assert encoder.settings["preprocessing"] == "paper"
    assert encoder.settings["transform"]["crop_pct"] == 1.0


def test_a_clip_keeps_its_colours_under_the_papers_rule(tmp_path):
    save_timm(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    config["pretrained_cfg"] |= {"mean": timm.data.OPENAI_CLIP_MEAN, "std": timm.data.OPENAI_CLIP_STD}
    (tmp_path / "config.json").write_text(json.dumps(config))
    data = load_encoder(tmp_path, device="cpu", preprocessing="paper").settings["transform"]
    assert tuple(data["mean"]) == timm.data.OPENAI_CLIP_MEAN
    assert data["crop_pct"] == 1.0


def test_a_tower_of_open_clip_gives_its_projection(clip):
    folder, model = clip
    some = pictures()
    pixels = torch.stack([by_hand(picture, 32, 32, OWN["mean"], OWN["std"]) for picture in some])
    with torch.inference_mode():
        expected = model.encode_image(pixels).numpy()
    found = load_encoder(folder, device="cpu").embed_images(some)
    assert found.shape == (5, 12)
    np.testing.assert_allclose(found, expected, atol=2e-5)


def by_hand(picture, size, resized, mean, std):
    """Preprocess with Pillow alone: shorter side, middle square, mean and deviation."""
    width, height = (resized * side // min(picture.size) for side in picture.size)
    shown = picture.resize((width, height), Image.Resampling.BICUBIC)
    left, top = round((width - size) / 2), round((height - size) / 2)
    values = np.asarray(shown.crop((left, top, left + size, top + size)), np.float32) / 255
    return torch.from_numpy((values - np.float32(mean)) / np.float32(std)).permute(2, 0, 1)


@pytest.mark.parametrize("kind", ["vit", "clip"])
def test_batches_order_and_bytes_change_nothing(kind, request):
    encoder = load_encoder(request.getfixturevalue(kind)[0], device="cpu")
    some = pictures(7)
    whole = encoder.embed_images(some)
    np.testing.assert_allclose(encoder.embed_images(some, batch_size=2), whole, atol=1e-5)
    np.testing.assert_allclose(np.concatenate([encoder.embed_images([one]) for one in some]), whole, atol=1e-5)
    np.testing.assert_allclose(encoder.embed_images(some[::-1])[::-1], whole, atol=1e-5)
    files = [jpeg(picture) for picture in some]
    assert np.array_equal(encoder.embed_images(files), encoder.embed_images(files))
    assert encoder.embed_images([]).shape == (0, whole.shape[1])
    assert len({row.tobytes() for row in whole}) == 7


def test_grey_pictures_and_palettes_are_read_as_colours(clip):
    encoder = load_encoder(clip[0], device="cpu")
    grey = Image.new("L", (50, 40), 99)
    np.testing.assert_array_equal(encoder.embed_images([grey]), encoder.embed_images([grey.convert("RGB")]))


@pytest.mark.parametrize("broken", [b"no picture", b"", "a name"])
def test_what_is_no_picture_is_told_by_its_place(clip, broken):
    encoder = load_encoder(clip[0], device="cpu")
    with pytest.raises(ImageError, match="image 2 cannot be read"):
        encoder.embed_images([*pictures(2), broken])
    with pytest.raises(ImageError, match="image 1 cannot be read"):
        encoder.embed_images([pictures(1)[0], jpeg(pictures(1)[0])[:500]])


@pytest.mark.parametrize("save", [save_timm, save_clip])
def test_pickled_weights_are_read_without_unpickling_anything_else(save, tmp_path):
    for name, pickled in (("safe", False), ("pickled", True)):
        (tmp_path / name).mkdir()
        save(tmp_path / name, pickled=pickled)
    safe, pickled = (
        load_encoder(tmp_path / name, device="cpu").embed_images(pictures()) for name in ("safe", "pickled")
    )
    np.testing.assert_array_equal(safe, pickled)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


@pytest.mark.parametrize(
    ("save", "file"), [(save_timm, "pytorch_model.bin"), (save_clip, "open_clip_pytorch_model.bin")]
)
def test_a_pickle_that_would_run_something_is_refused(save, file, tmp_path):
    save(tmp_path, pickled=True)
    torch.save({"state_dict": Bomb()}, tmp_path / file)
    with pytest.raises(CheckpointError, match="cannot be opened by"):
        load_encoder(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("save", "file"), [(save_timm, "model.safetensors"), (save_clip, "open_clip_model.safetensors")]
)
@pytest.mark.parametrize("harm", ["missing", "left over", "shape"])
def test_weights_that_do_not_fit_are_an_error(save, file, harm, tmp_path):
    save(tmp_path)
    weights = load_file(tmp_path / file)
    name = next(name for name, tensor in sorted(weights.items()) if "norm" in name or "ln_" in name)
    if harm == "missing":
        del weights[name]
    elif harm == "left over":
        weights["another.weight"] = torch.zeros(3)
    else:
        weights[name] = torch.zeros(len(weights[name]) + 1)
    save_file(weights, tmp_path / file)
    with pytest.raises(CheckpointError, match=name if harm != "left over" else "another.weight"):
        load_encoder(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("save", "file"), [(save_timm, "model.safetensors"), (save_clip, "open_clip_model.safetensors")]
)
def test_without_weights_there_is_no_model(save, file, tmp_path):
    save(tmp_path)
    (tmp_path / file).unlink()
    with pytest.raises(CheckpointError, match=f"holds no weights: {file}"):
        load_encoder(tmp_path, device="cpu")


def test_a_text_tower_of_another_repository_is_not_fetched(tmp_path):
    save_clip(tmp_path)
    config = json.loads((tmp_path / "open_clip_config.json").read_text())
    config["model_cfg"]["text_cfg"] = {"hf_model_name": "roberta-base", "hf_tokenizer_name": "roberta-base"}
    (tmp_path / "open_clip_config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match="text tower of another repository, roberta-base, which is not fetched"):
        load_encoder(tmp_path, device="cpu")


def test_lower_precision_gives_about_the_same(clip):
    exact = load_encoder(clip[0], device="cpu").embed_images(pictures())
    short = load_encoder(clip[0], device="cpu", dtype="bfloat16").embed_images(pictures())
    assert short.dtype == np.float32
    cosine = (exact * short).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(short, axis=1)
    assert cosine.min() > 0.999
