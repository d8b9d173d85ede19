"""BERTs over k-mers, ours and the authors', and the untrained network that is a reference line."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..embedding.encoder import BarcodeEncoder
from ..embedding.kmer_model import Barcodes, as_texts
from ..models.barcode_cnn import BarcodeCNN
from .base import Adapted


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
class UntrainedEncoder(Adapted):
    """A convolutional network as it is before it is trained: what its shape alone gives.

    Args:
        model: the network, in evaluation mode.
    """

    model: BarcodeCNN

    def embed(self, barcodes: Sequence[str | None], batch_size: int = 512) -> NDArray[np.float32]:
        """Give the features of barcodes, in their order: float32, shape (n, 500)."""
        texts = as_texts(barcodes, cleaned=True).to_pylist()
        found: NDArray[np.float32] = self.model.embed(texts, batch_size).numpy()
        return found


def untrained_cnn(seed: int = 0) -> BarcodeCNN:
    """Draw the convolutional baseline's weights from a seed; the state of torch's generator is kept.

    Examples:
        >>> untrained_cnn().embed(["ACGT"]).shape
        torch.Size([1, 500])
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return BarcodeCNN(labels=["untrained"]).eval()
