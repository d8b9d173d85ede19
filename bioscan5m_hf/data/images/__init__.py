"""Photographs of specimens: boxes, crops, sizes, and the derived packages."""

from .boxes import Box, read_boxes, write_boxes


__all__ = ["Box", "read_boxes", "write_boxes"]
