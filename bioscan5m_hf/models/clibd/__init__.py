"""CLIBD: photographs, barcodes and names of specimens in one space."""

from .loss_clibd import TARGETS, contrastive_loss


__all__ = ["TARGETS", "contrastive_loss"]
