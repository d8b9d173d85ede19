"""An invented release in the official layout: evolved barcodes, drawn insects, seeded; the embedded default."""

from __future__ import annotations

from .photograph import CAPTION, PACKAGES, caption_box, crop_window
from .release import synthesize
from .shares import MINIMUM, split_sizes


__all__ = ["CAPTION", "MINIMUM", "PACKAGES", "caption_box", "crop_window", "split_sizes", "synthesize"]
