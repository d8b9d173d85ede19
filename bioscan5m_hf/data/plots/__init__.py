"""Pictures of what a dataset holds, each a function that returns a matplotlib figure, in one style."""

from .card import barcode_bars, record_card
from .world import WorldMap, world_map


__all__ = ["WorldMap", "barcode_bars", "record_card", "world_map"]
