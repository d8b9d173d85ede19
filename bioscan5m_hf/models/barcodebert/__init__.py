"""BarcodeBERT: tokenizer, models, conversion of the authors' checkpoints, export."""

from .configuration_barcodebert import TOKEN_LAYOUTS, BarcodeBertConfig, TokenLayout, check_fit
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
    "BarcodeBertForMaskedLM",
    "BarcodeBertForSequenceClassification",
    "BarcodeBertMaskedLMOutput",
    "BarcodeBertModel",
    "BarcodeBertPreTrainedModel",
    "KmerTokenizer",
    "TokenLayout",
    "check_fit",
    "kmer_tokenizer",
    "masked_mean",
    "packed_positions",
]
