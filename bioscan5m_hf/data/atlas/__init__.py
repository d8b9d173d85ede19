"""Outlines of countries: Natural Earth 1:110m, public domain, the file `countries-110m.json` of world-atlas 2.0.2."""

from .names import known_as
from .outlines import Outline, outlines


__all__ = ["Outline", "known_as", "outlines"]
