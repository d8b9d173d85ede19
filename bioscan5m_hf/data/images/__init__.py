"""Photographs of specimens: boxes, crops, sizes, and the derived packages."""

from .background import Finding, find_specimen
from .boxes import Box, area_mm2, read_boxes, write_boxes
from .cropping import Cropped, crop_folder
from .detector import Detector
from .repackaging import Repackaged, repackage
from .resizing import Resized, resize_folder
from .window import FIVE_MILLION, ONE_MILLION, CropRule, shorter_side


__all__ = [
    "FIVE_MILLION",
    "ONE_MILLION",
    "Box",
    "CropRule",
    "Cropped",
    "Detector",
    "Finding",
    "Repackaged",
    "Resized",
    "area_mm2",
    "crop_folder",
    "find_specimen",
    "read_boxes",
    "repackage",
    "resize_folder",
    "shorter_side",
    "write_boxes",
]
