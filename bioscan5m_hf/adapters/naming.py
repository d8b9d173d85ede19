"""Fine-tuned models: encoders that name specimens, too."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import KW_ONLY, dataclass, field, fields
from typing import Any

import numpy as np
import pyarrow as pa

from ..embedding.classifier import BarcodeClassifier, softmax
from ..taxonomy import LABELS
from .base import Adapted
from .kmers import CnnEncoder, KmerEncoder


@dataclass
class KmerNamer(KmerEncoder):
    """A fine-tuned BERT over k-mers.

    Args:
        classifier: what names.
    """

    _: KW_ONLY
    classifier: BarcodeClassifier
    _named: dict[str, dict[str, list[str | None]]] = field(default_factory=dict, init=False, repr=False)

    def names(self, barcodes: Sequence[str], rank: str) -> list[str | None]:
        """Give the most probable name of each barcode at a rank, probabilities summed upward; None for an empty one.

        Args:
            barcodes: n strings.
            rank: one that the model has a head for, or that stands above such a one.

        Raises:
            ValueError: the model cannot name this rank.
        """
        self.classifier.choose_head(rank)
        key = hashlib.sha256("\n".join(barcodes).encode()).hexdigest()
        if key not in self._named:  # all ranks at once: the same barcodes are asked at each
            self._named[key] = self._at_all_ranks(barcodes)
        return self._named[key][rank]

    def _at_all_ranks(self, barcodes: Sequence[str]) -> dict[str, list[str | None]]:
        found: dict[str, list[str | None]] = {}
        probabilities: dict[str, Any] = {}
        for rank in LABELS:
            try:
                head = self.classifier.choose_head(rank)
            except ValueError:
                continue
            if head not in probabilities:
                probabilities[head] = softmax(self.classifier.logits(barcodes))
            groups = self.classifier.groups(rank)
            best = groups.sums(probabilities[head]).argmax(axis=1).tolist()
            found[rank] = [groups.names[code] if text else None for code, text in zip(best, barcodes, strict=True)]
        return found


@dataclass
class CnnNamer(CnnEncoder):
    """The convolutional baseline, trained."""

    def names(self, barcodes: Sequence[str], rank: str) -> list[str | None]:
        """Give the most probable name of each barcode at the rank that the network was trained for.

        Raises:
            ValueError: it is another one.
        """
        import torch

        from ..models.barcode_cnn import one_hot

        if rank != self.model.rank:
            raise ValueError(f"{self.name} names {self.model.rank} only, not {rank}")
        device = next(self.model.parameters()).device
        best: list[np.ndarray[Any, Any]] = []
        with torch.inference_mode():
            for start in range(0, len(barcodes), 512):
                pictures = one_hot(list(barcodes[start : start + 512]), self.model.max_nucleotides).to(device)
                best.append(self.model(pictures).argmax(dim=1).cpu().numpy())
        return pa.array(self.model.labels, pa.string()).take(pa.array(np.concatenate(best))).to_pylist()  # type: ignore[no-any-return]


def with_names(encoder: Adapted, taxonomy: str | None = None) -> Adapted:
    """Give an encoder that names specimens, too, if the model was fine-tuned; else the same one.

    Args:
        encoder: what `load_encoder` gave.
        taxonomy: dataset that says what stands above the names, where the model does not say it itself.
    """
    given = {each.name: getattr(encoder, each.name) for each in fields(encoder) if each.init}
    if type(encoder) is CnnEncoder and encoder.model.labels != ["untrained"]:
        return CnnNamer(**given)
    if type(encoder) is not KmerEncoder or not (folder := encoder.encoder.folder):
        return encoder
    from ..embedding.checkpoint import open_checkpoint
    from ..embedding.lineage import FILE

    if not open_checkpoint(folder).config.get("labels"):
        return encoder
    model = encoder.encoder.model
    beside = None if (folder / FILE).is_file() else taxonomy
    classifier = BarcodeClassifier.from_pretrained(folder, device=model.device, dtype=model.dtype, taxonomy=beside)
    return KmerNamer(**given, classifier=classifier)
