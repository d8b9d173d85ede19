"""CLIBD: photographs, barcodes and names of specimens in one space."""

from .configuration_clibd import MODALITIES, ClibdConfig, OpenClipConfig
from .loss_clibd import TARGETS, contrastive_loss
from .modeling_clibd import ClibdModel, ClibdOutput
from .processing_clibd import ClibdProcessor


__all__ = [
    "MODALITIES",
    "TARGETS",
    "ClibdConfig",
    "ClibdModel",
    "ClibdOutput",
    "ClibdProcessor",
    "OpenClipConfig",
    "contrastive_loss",
]
