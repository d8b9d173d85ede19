"""Tiny image towers in the formats of their libraries, with random weights, and invented pictures."""

import io
import json

import numpy as np
import open_clip
import timm
import torch
from PIL import Image
from safetensors.torch import save_file
from timm.models import save_for_hf


CLIP = {
    "embed_dim": 12,
    "vision_cfg": {"image_size": 32, "layers": 1, "width": 32, "head_width": 16, "patch_size": 16},
    "text_cfg": {"context_length": 8, "vocab_size": 64, "width": 16, "heads": 2, "layers": 1},
}
OWN = {"mean": [0.4, 0.5, 0.6], "std": [0.2, 0.3, 0.25], "interpolation": "bicubic", "resize_mode": "shortest"}


def save_timm(folder, *, pickled=False, seed=0):
    """Save timm's `test_vit`, 0.3 million parameters, with a classifier of seven classes."""
    torch.manual_seed(seed)
    model = timm.create_model("test_vit", pretrained=False, num_classes=7)
    save_for_hf(model, str(folder), safe_serialization=not pickled)
    return model.eval()


def save_clip(folder, *, pickled=False, seed=0):
    """Save a CLIP as open_clip does."""
    torch.manual_seed(seed)
    model = open_clip.CLIP(**CLIP).eval()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "open_clip_config.json").write_text(json.dumps({"model_cfg": CLIP, "preprocess_cfg": OWN}))
    if pickled:
        torch.save(model.state_dict(), folder / "open_clip_pytorch_model.bin")
    else:
        save_file(model.state_dict(), folder / "open_clip_model.safetensors")
    return model


def pictures(count=5, seed=0):
    """Draw pictures of various sizes: smooth noise."""
    generator = np.random.default_rng(seed)
    found = []
    for at in range(count):
        coarse = generator.integers(0, 256, (6, 7, 3), dtype=np.uint8)
        found.append(Image.fromarray(coarse).resize((200 + 13 * at, 180 + 7 * at), Image.Resampling.BILINEAR))
    return found


def jpeg(picture):
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=95)
    return stream.getvalue()
