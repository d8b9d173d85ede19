"""BarcodeBERT: tokenizer, models, conversion of the authors' checkpoints, export."""

from .autoencoder_barcodebert import BarcodeBertForMaskedAutoencoding
from .configuration_barcodebert import TOKEN_LAYOUTS, BarcodeBertConfig, TokenLayout, check_fit
from .convert_barcodebert import CheckpointError, convert, load_original, read_checkpoint
from .export_barcodebert import save_stock
from .heads_barcodebert import BarcodeBertMaskedLMOutput, masked_mean, packed_positions
from .modeling_barcodebert import (
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertModel,
    BarcodeBertPreTrainedModel,
)
from .tokenization_kmer import KmerTokenizer, kmer_tokenizer


__all__ = [
    "TOKEN_LAYOUTS",
    "BarcodeBertConfig",
    "BarcodeBertForMaskedAutoencoding",
    "BarcodeBertForMaskedLM",
    "BarcodeBertForSequenceClassification",
    "BarcodeBertMaskedLMOutput",
    "BarcodeBertModel",
    "BarcodeBertPreTrainedModel",
    "CheckpointError",
    "KmerTokenizer",
    "TokenLayout",
    "check_fit",
    "convert",
    "kmer_tokenizer",
    "load_original",
    "masked_mean",
    "packed_positions",
    "read_checkpoint",
    "save_stock",
]
