"""The convolutional baseline of the BarcodeBERT papers."""

from .modeling_barcode_cnn import BarcodeCNN, one_hot


__all__ = ["BarcodeCNN", "one_hot"]
