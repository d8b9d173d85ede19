"""A reference library of specimens: an index of keys, and names for photographs and barcodes by the nearest."""
