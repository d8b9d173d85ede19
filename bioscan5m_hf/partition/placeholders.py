"""Which species names are placeholders: working names of taxa that have no published name yet."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray


Names: TypeAlias = pa.Array | pa.ChunkedArray

IN_SPECIES_OR_GENUS = (
    r"[Mm]+[Aa]+[LlIi]+[Aa]+[IiLl]+[SsZz]+[Ee]",  # the traps, however they are spelt
    r"\baff\b",
    r"\bn[. ]+sp\b",
    r"\bsp[. ]+ex\b",
    r"\bgen\b",
    r"\bsp\b\.?[\s\w]+",
    r"\baffinis [0-9A-Z]",
)
IN_SPECIES = (r"^[a-z]", r"[0-9]", r"[A-Z][A-Z]", r"[^$][A-Z]", r"[_?.]")
IN_GENUS = (r"^[a-z]",)
NO_PLACEHOLDER_GENUS = r"^(unclassified|unassigned)"
"""Patterns of the published partition, in the syntax of RE2 (`bioscan_split.py` of bioscan-ml/BIOSCAN-5M, 2024-05-30).

A published pattern says "end of a word" inside brackets, where it means a backspace: `Aus sp` and `Aus affinis` with
nothing after them are no placeholders there. They are none here either, since the partition would be another one.
"""


def is_placeholder(species: Names, genus: Names) -> NDArray[np.bool_]:
    """Tell which names are placeholders by the rule of the published partition.

    Args:
        species: names of species; missing ones say nothing.
        genus: names of the same specimens' genera.

    Returns:
        Shape (n,); a missing species in a genus with a name like `malaisegenus` is a placeholder as well.

    Examples:
        >>> names = pa.array(["Tuta absoluta", "Megaselia Malaise4749", "Megaselia sp. A", "Bradysia sp", None])
        >>> is_placeholder(names, pa.array(["Tuta", "Megaselia", "Megaselia", "Bradysia", "malaisegenus"])).tolist()
        [False, True, True, False, True]
    """
    in_species = _matches(species, "|".join((*IN_SPECIES_OR_GENUS, *IN_SPECIES)))
    in_genus = _matches(genus, "|".join(IN_SPECIES_OR_GENUS))
    small = _matches(genus, "|".join(IN_GENUS)) & ~_matches(genus, NO_PLACEHOLDER_GENUS)
    return in_species | in_genus | small


def encode(names: Names) -> pa.DictionaryArray:
    """Give names as numbers of the different ones; joined after that, since five million barcodes fill no one array.

    Args:
        names: texts of any type, or a dictionary of them.

    Examples:
        >>> coded = encode(pa.chunked_array([["Aus", None], ["Bus", "Aus"]]))
        >>> coded.dictionary.to_pylist(), coded.indices.to_pylist()
        (['Aus', 'Bus'], [0, None, 1, 0])
    """
    coded = names.cast(pa.large_string()).dictionary_encode()
    return coded.combine_chunks() if isinstance(coded, pa.ChunkedArray) else coded


def _matches(names: Names, pattern: str) -> NDArray[np.bool_]:
    coded = encode(names)
    found = pc.match_substring_regex(coded.dictionary, pattern)
    return np.asarray(pc.fill_null(found.take(coded.indices), fill_value=False).to_numpy(zero_copy_only=False), bool)
