"""Boxes by a trained detector: any model of `AutoModelForObjectDetection`, the box of which it is surest."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

from PIL import Image

from ...errors import Bioscan5mError
from ...provenance import without_folder
from .background import Finding


class Detector:
    """A detector of specimens.

    `sure` is the score that a specimen has to reach, where the model says one.

    Args:
        model: folder, or repository on the Hub.
        device: where it computes; by default a GPU where there is one.
        revision: branch, tag or commit on the Hub.

    Raises:
        Bioscan5mError: there is no such model, or it detects no objects.
        ModuleNotFoundError: the extra `models` is not installed.
    """

    def __init__(self, model: str, *, device: str | None = None, revision: str | None = None) -> None:
        import torch
        from transformers import AutoImageProcessor, AutoModelForObjectDetection

        try:
            self.processor: Any = AutoImageProcessor.from_pretrained(model, revision=revision)  # type: ignore[no-untyped-call]
            self.model: Any = AutoModelForObjectDetection.from_pretrained(
                model, revision=revision, use_safetensors=True
            )
        except (OSError, ValueError) as error:
            said = " ".join(str(error).split())[:200]
            raise Bioscan5mError(f"{model} cannot be opened as a detector of objects: {said}") from error
        self.sure: float | None = getattr(self.model.config, "specimen_score", None)
        self.name = f"{without_folder(model)}@{self._weights()}"
        self.device = device or ("cuda" if torch.cuda.is_available() else "cpu")
        self.model.to(self.device).eval()

    def __call__(self, photographs: Sequence[Image.Image]) -> list[Finding | None]:
        """Find the specimen in each photograph.

        Args:
            photographs: upright, RGB.

        Returns:
            The box with the highest score of each, cut at the photograph's edges; None where none has an area.

        Raises:
            ValueError, RuntimeError: the model or its processor cannot take one of them.
        """
        found: list[Finding | None] = [None] * len(photographs)
        sizes = [photograph.size for photograph in photographs]
        for size in dict.fromkeys(sizes):  # photographs of one size are not padded
            places = [place for place, one in enumerate(sizes) if one == size]
            for place, finding in zip(places, self._find([photographs[place] for place in places]), strict=True):
                found[place] = finding
        return found

    def _find(self, photographs: Sequence[Image.Image]) -> list[Finding | None]:
        import torch

        inputs = self.processor(images=list(photographs), return_tensors="pt").to(self.device)
        with torch.inference_mode():
            outputs = self.model(**inputs)
        sizes = [(photograph.height, photograph.width) for photograph in photographs]
        found = self.processor.post_process_object_detection(outputs, threshold=0.0, target_sizes=sizes)
        return [self._best(one, photograph) for one, photograph in zip(found, photographs, strict=True)]

    def _weights(self) -> str:
        """Tell these weights from others of the same name: 16 hexadecimal digits of their SHA-256."""
        import torch

        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.cpu().contiguous().reshape(-1).view(torch.uint8).numpy().data)
        return digest.hexdigest()[:16]

    def _best(self, found: dict[str, Any], photograph: Image.Image) -> Finding | None:
        if not len(found["scores"]):
            return None
        at = int(found["scores"].argmax())
        x0, y0, x1, y1 = (float(edge) for edge in found["boxes"][at])
        box = (max(0.0, x0), max(0.0, y0), min(float(photograph.width), x1), min(float(photograph.height), y1))
        if box[2] - box[0] < 1 or box[3] - box[1] < 1:
            return None
        return Finding(box, float(found["scores"][at]))
