"""BERTs over k-mers, ours and the authors', and the convolutional baseline, trained or not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..embedding.checkpoint import CheckpointError, read_weights
from ..embedding.encoder import BarcodeEncoder
from ..embedding.kmer_model import Barcodes, as_texts
from ..models.barcode_cnn import BarcodeCNN
from .base import Adapted
from .weights import fill


CNN_CONFIG = ("labels", "rank", "max_nucleotides", "channels", "features", "kernel_width")
"""What `BarcodeCNN` writes into a `config.json`."""


@dataclass
class KmerEncoder(Adapted):
    """A BERT over k-mers.

    Args:
        encoder: what computes the vectors, and can do more: frames, streams of records.
    """

    encoder: BarcodeEncoder

    def embed(self, barcodes: Barcodes, batch_size: int = 512) -> NDArray[np.float32]:
        """Give the vectors of barcodes, in their order: float32, shape (n, width)."""
        return self.encoder.embed(barcodes, batch_size)


@dataclass
class CnnEncoder(Adapted):
    """The convolutional baseline: its features before the hyperbolic tangent.

    Args:
        model: the network, in evaluation mode.
    """

    model: BarcodeCNN

    def embed(self, barcodes: Sequence[str | None], batch_size: int = 512) -> NDArray[np.float32]:
        """Give the features of barcodes, in their order: float32, shape (n, width)."""
        texts = as_texts(barcodes, cleaned=True).to_pylist()
        found: NDArray[np.float32] = self.model.embed(texts, batch_size).numpy()
        return found


def trained_cnn(folder: Path, config: Mapping[str, Any], name: str) -> BarcodeCNN:
    """Open a network that `BarcodeCNN.save_pretrained` wrote.

    Raises:
        CheckpointError: it cannot be built, or a tensor is missing or left over.
    """
    try:
        model = BarcodeCNN(**{key: config[key] for key in CNN_CONFIG if key in config})
    except (TypeError, ValueError) as error:
        raise CheckpointError(f"{name}: config.json describes no network that can be built: {error}") from error
    fill(model, read_weights(folder), name)
    return model.eval()


def untrained_cnn(seed: int = 0) -> BarcodeCNN:
    """Draw the baseline's weights from a seed: what its shape alone gives. The state of torch's generator is kept.

    Examples:
        >>> untrained_cnn().embed(["ACGT"]).shape
        torch.Size([1, 500])
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BarcodeCNN(labels=["untrained"]).eval()
