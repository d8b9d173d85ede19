"""CLIBD as an encoder of photographs, barcodes and names; of the towers that it has."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import KW_ONLY, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ..embedding.checkpoint import CheckpointError
from .base import Adapted


if TYPE_CHECKING:
    import torch
    from PIL.Image import Image

FILES = ("config.json", "processor_config.json", "model.safetensors", "tokenizer*.json", "dna_tokenizer/*.json")
NOT_CLASSIFIED = "not_classified"
"""What the benchmark's texts say of a rank that is not known."""


@dataclass
class ClibdEncoder(Adapted):
    """A model of CLIBD. It has a method for each of its towers, and None in place of the others.

    Args:
        model: in evaluation mode.
        processor: that fits it.
    """

    model: Any
    processor: Any
    _: KW_ONLY
    batch_size: int = 64

    def __post_init__(self) -> None:
        towers = self.model.config.modalities
        self.embed: Callable[[Sequence[str]], NDArray[np.float32]] | None = self._dna if "dna" in towers else None
        self.embed_images: Callable[[Sequence[Image]], NDArray[np.float32]] | None
        self.embed_images = self._images if "image" in towers else None
        self.embed_texts: Callable[[Sequence[str]], NDArray[np.float32]] | None
        self.embed_texts = self._texts if "text" in towers else None

    @property
    def k(self) -> int:
        """Bases of a k-mer."""
        return int(self.model.config.dna_kmer_size)

    def _dna(self, barcodes: Sequence[str]) -> NDArray[np.float32]:
        def ordered(some: Sequence[str]) -> Any:  # noqa: ANN401
            return self.model.get_dna_features(**self._given(self.processor.barcodes(some)))

        lengths = np.array([len(barcode or "") for barcode in barcodes])
        return self._computed(barcodes, ordered, np.argsort(lengths, kind="stable"), 8 * self.batch_size)

    def _images(self, images: Sequence[Image]) -> NDArray[np.float32]:
        def seen(some: Sequence[Image]) -> Any:  # noqa: ANN401
            return self.model.get_image_features(**self._given(self.processor.images(some)))

        return self._computed(images, seen, np.arange(len(images)), self.batch_size)

    def _texts(self, texts: Sequence[str]) -> NDArray[np.float32]:
        def read(some: Sequence[str]) -> Any:  # noqa: ANN401
            return self.model.get_text_features(**self._given(self.processor.texts(some)))

        known = list(texts)
        if self.processor.missing_rank_token != NOT_CLASSIFIED:
            missing = self.processor.missing_rank_token or ""
            known = [" ".join(text.replace(NOT_CLASSIFIED, missing).split()) for text in texts]
        return self._computed(known, read, np.arange(len(known)), 8 * self.batch_size)

    def _given(self, made: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        place = self.model.logit_scale
        return {
            name: value.to(place.device, place.dtype if value.is_floating_point() else None)
            for name, value in made.items()
            if not name.endswith("_present")
        }

    def _computed(
        self, inputs: Sequence[Any], method: Callable[[Sequence[Any]], Any], order: NDArray[np.intp], size: int
    ) -> NDArray[np.float32]:
        import torch

        found = np.empty((len(inputs), self.model.config.projection_dim), np.float32)
        with torch.inference_mode():
            for start in range(0, len(order), size):
                rows = order[start : start + size]
                found[rows] = method([inputs[row] for row in rows]).float().cpu().numpy()
        return found


def open_clibd(folder: Path, name: str) -> tuple[Any, Any]:
    """Open a model and its processor by this package's code; the repository's is not run.

    Args:
        folder: with `FILES`.
        name: of the model, for messages.

    Raises:
        CheckpointError: a file is missing or damaged, or the weights do not fit.
    """
    from safetensors import SafetensorError

    from ..models.clibd import ClibdModel, ClibdProcessor

    try:
        loaded: Any = ClibdModel.from_pretrained(folder, output_loading_info=True)
        processor = ClibdProcessor.from_pretrained(folder)
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, SafetensorError) as error:
        raise CheckpointError(f"{name} cannot be opened as CLIBD: {' '.join(str(error).split())[:300]}") from error
    model, info = loaded
    if wrong := sorted([*info["missing_keys"], *info["unexpected_keys"]]):
        raise CheckpointError(f"{name}: weights are missing or left over: {', '.join(map(str, wrong[:3]))}, …")
    return model.eval(), processor
