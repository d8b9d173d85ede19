"""Image towers of timm and open_clip as encoders."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from io import BytesIO
from pathlib import Path
from pickle import UnpicklingError
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..embedding.checkpoint import CheckpointError, read_json
from ..errors import Bioscan5mError
from .base import Adapted


if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

PREPROCESSING = ("library", "paper")
"""`library`: size, crop, mean and deviation as the model's own configuration says. `paper`: the shorter side to the
model's size (224), then the square in the middle, as the zero-shot clustering of the BIOSCAN-5M paper did; with
ImageNet's mean and deviation, or a CLIP's own."""

IMAGENET = {"mean": (0.485, 0.456, 0.406), "std": (0.229, 0.224, 0.225)}

WEIGHTS = {
    "timm": ("model.safetensors", "pytorch_model.bin"),
    "open_clip": ("open_clip_model.safetensors", "open_clip_pytorch_model.bin"),
}
"""Library → files of weights, in the order of preference."""

UNFIT = (RuntimeError, ValueError, KeyError, TypeError, OSError, UnpicklingError)
"""What the libraries raise of a folder that they cannot open."""


class ImageError(Bioscan5mError, ValueError):
    """An image cannot be read; says which."""


@dataclass
class ImageEncoder(Adapted):
    """An image tower.

    Args:
        model: takes pixels, (n, 3, height, width), and gives features, (n, width).
        transform: makes pixels, (3, height, width), of a PIL image.
        device: where it computes.
        dtype: what it computes in.
    """

    model: Callable[[torch.Tensor], torch.Tensor]
    transform: Callable[[Image], torch.Tensor]
    _: KW_ONLY
    device: torch.device
    dtype: torch.dtype

    def embed_images(self, images: Sequence[Image | bytes], batch_size: int = 64) -> NDArray[np.float32]:
        """Give the features of images, in their order.

        Args:
            images: n PIL images, or the bytes of JPEG files or others that Pillow reads.
            batch_size: images computed together.

        Returns:
            float32, shape (n, width).

        Raises:
            ImageError: an image cannot be read; says which.
        """
        from PIL import Image

        if not len(images):
            return self.embed_images([Image.new("RGB", (8, 8))])[:0]
        parts = []
        for start in range(0, len(images), batch_size):
            opened = [_read(image, start + at) for at, image in enumerate(images[start : start + batch_size])]
            parts.append(self._compute(opened))
        return np.concatenate(parts)

    def _compute(self, images: Sequence[Image]) -> NDArray[np.float32]:
        import torch

        with torch.inference_mode():
            pixels = torch.stack([self.transform(image) for image in images])
            given: NDArray[np.float32] = self.model(pixels.to(self.device, self.dtype)).float().cpu().numpy()
        return given


def open_timm(folder: Path, preprocessing: str) -> tuple[Any, Callable[[Image], torch.Tensor], dict[str, Any]]:
    """Build a model of timm without classifier from a folder with its `config.json` and weights.

    Returns:
        The model, the transform of its images, and what decides the latter.

    Raises:
        CheckpointError: timm knows no such architecture, or the weights are not its.
    """
    timm = _library("timm", "timm")
    try:
        # With `num_classes=0` timm would load what fits and leave the rest as it was drawn.
        model = timm.create_model(f"local-dir:{folder}", pretrained=True).eval()
    except UNFIT as error:
        raise CheckpointError(f"{folder} cannot be opened by timm: {_short(error)}") from error
    model.reset_classifier(0)
    data = timm.data.resolve_model_data_config(model)
    if preprocessing == "paper":
        colours = {} if tuple(data["mean"]) == timm.data.OPENAI_CLIP_MEAN else IMAGENET
        data |= colours | {"crop_pct": 1.0, "crop_mode": "center"}
    return model, timm.data.create_transform(**data, is_training=False), data


def open_open_clip(folder: Path, preprocessing: str) -> tuple[Any, Callable[[Image], torch.Tensor], dict[str, Any]]:
    """Build the image tower of a CLIP, with its projection, from a folder with `open_clip_config.json` and weights.

    Its own transform (shorter side to size, middle square, its mean and deviation) is the paper's rule, too.

    Returns:
        The tower, the transform of its images, and what decides the latter.

    Raises:
        CheckpointError: open_clip cannot build it, or the weights are not its.
    """
    open_clip = _library("open_clip", "open_clip_torch")
    text = read_json(folder / "open_clip_config.json", str(folder)).get("model_cfg", {}).get("text_cfg", {})
    if "hf_model_name" in text:
        raise CheckpointError(
            f"{folder} has a text tower of another repository, {text['hf_model_name']}, which is not fetched: take a "
            "CLIP with a text tower of its own"
        )
    try:
        tower = open_clip.create_model(f"local-dir:{folder}", device="cpu", pretrained_text=False).visual.eval()
    except UNFIT as error:
        raise CheckpointError(f"{folder} cannot be opened by open_clip: {_short(error)}") from error
    data = dict(tower.preprocess_cfg)
    preparing = open_clip.transform
    return tower, preparing.image_transform_v2(preparing.PreprocessCfg(**data), is_train=False), data


OPENERS: Mapping[str, Callable[[Path, str], tuple[Any, Callable[[Image], torch.Tensor], dict[str, Any]]]]
OPENERS = {"timm": open_timm, "open_clip": open_open_clip}


def _read(image: Image | bytes, place: int) -> Image:
    from PIL import Image as images
    from PIL import UnidentifiedImageError

    try:
        opened = images.open(BytesIO(image)) if isinstance(image, bytes) else image
        return opened.convert("RGB")
    except (UnidentifiedImageError, OSError, AttributeError) as error:
        raise ImageError(f"image {place} cannot be read ({_short(error)}): give PIL images or JPEG bytes") from error


def _library(module: str, package: str) -> Any:  # noqa: ANN401
    from importlib import import_module

    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        raise ModuleNotFoundError(f"this model needs {package}: pip install 'bioscan5m-hf[eval]'") from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:400]
