"""Pictures of a dataset: what the tables of its statistics say, and how its specimens look."""

from .catalogue import PLOTS, Picture, Plot, draw
from .maps import WorldMap, world_map
from .specimens import barcode_bars, boxes_on_photographs, mosaic, record_card


__all__ = [
    "PLOTS",
    "Picture",
    "Plot",
    "WorldMap",
    "barcode_bars",
    "boxes_on_photographs",
    "draw",
    "mosaic",
    "record_card",
    "world_map",
]
