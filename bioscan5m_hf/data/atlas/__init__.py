"""Outlines of countries: Natural Earth 1:110m, public domain, as `countries-110m.json` of world-atlas 2.0.2."""

from .outlines import Country, find_country, outlines


__all__ = ["Country", "find_country", "outlines"]
