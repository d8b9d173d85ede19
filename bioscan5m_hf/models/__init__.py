"""Models of BIOSCAN-5M; importing this package registers their Auto classes.

Examples:
    >>> from transformers import AutoModel
    >>> from bioscan5m_hf.models import BarcodeBertConfig
    >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    >>> type(AutoModel.from_config(config)).__name__
    'BarcodeBertModel'
"""

from transformers import (
    AutoConfig,
    AutoModel,
    AutoModelForMaskedLM,
    AutoModelForSequenceClassification,
    AutoProcessor,
    AutoTokenizer,
)

from .barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertModel,
    KmerTokenizer,
    masked_mean,
)
from .clibd import ClibdConfig, ClibdModel, ClibdProcessor


__all__ = [
    "BarcodeBertConfig",
    "BarcodeBertForMaskedLM",
    "BarcodeBertForSequenceClassification",
    "BarcodeBertModel",
    "ClibdConfig",
    "ClibdModel",
    "ClibdProcessor",
    "KmerTokenizer",
    "masked_mean",
]

AutoConfig.register(BarcodeBertConfig.model_type, BarcodeBertConfig)
AutoModel.register(BarcodeBertConfig, BarcodeBertModel)
AutoModelForMaskedLM.register(BarcodeBertConfig, BarcodeBertForMaskedLM)
AutoModelForSequenceClassification.register(BarcodeBertConfig, BarcodeBertForSequenceClassification)
AutoTokenizer.register(BarcodeBertConfig, tokenizer_class=KmerTokenizer)
AutoConfig.register(ClibdConfig.model_type, ClibdConfig)
AutoModel.register(ClibdConfig, ClibdModel)
AutoProcessor.register(ClibdConfig, ClibdProcessor)
