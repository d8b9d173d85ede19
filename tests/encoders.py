"""Encoders that tests of evaluation share: simple, real, and each wrong in its own way."""

import numpy as np
import torch

from bioscan5m_hf.evaluation.counts import count_kmers


class Counts:
    """A sound encoder: counts of 3-mers; remembers what it was given."""

    name, revision, pretrained_on = "counts", "1", ()

    def __init__(self):
        self.calls = []

    def embed(self, barcodes):
        self.calls.append(list(barcodes))
        return count_kmers(barcodes, 3)

    @property
    def embedded(self):
        """Barcodes it was given, without the first calls, which look whether it answers alike."""
        return [barcode for call in self.calls[2:] for barcode in call]


class WithNan(Counts):
    def embed(self, barcodes):
        vectors = super().embed(barcodes)
        vectors[[barcode == self.bad for barcode in barcodes], 1] = np.nan
        return vectors


class TooFew(Counts):
    def embed(self, barcodes):
        return super().embed(barcodes)[1:]


class Whole(Counts):
    def embed(self, barcodes):
        return super().embed(barcodes).astype(np.int64)


class Dropout(Counts):
    def embed(self, barcodes):
        return torch.dropout(torch.from_numpy(super().embed(barcodes)), 0.1, train=True)


class OfItsBatch(Counts):
    def embed(self, barcodes):
        vectors = super().embed(barcodes)
        return vectors - vectors.mean(axis=0)


WRONG = {"shape": TooFew, "type int64": Whole, "different vectors for the same input": OfItsBatch}
