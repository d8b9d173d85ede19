"""Outlines of countries: Natural Earth 1:110m, public domain, as `countries-110m.json` of world-atlas 2.0.2."""
