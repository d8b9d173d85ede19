"""Queries apart by what could make them easy: a BIN that pretraining saw, or a name that was made from the barcode."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .left_out import is_linnaean


Mask = npt.NDArray[np.bool_]
Names: TypeAlias = pa.Array | pa.ChunkedArray | Sequence[str | None]

STRATA = ("Linnaean", "placeholder", "BIN in pretrain", "BIN not in pretrain")
"""Barcodes are disjoint between splits, BINs are not; placeholder species were often named from the barcode. A model
that was pretrained on other splits has strata of their BINs beside these: those of one name hold the same rows."""


def strata(species: Names, dna_bin: Names | None = None, bins: Mapping[str, Names] | None = None) -> dict[str, Mask]:
    """Tell which specimens belong to which stratum; the strata of one kind exclude each other.

    A specimen without a species is neither Linnaean nor a placeholder, one without a BIN in neither of the other two.

    Args:
        species: species of each specimen, None where it has none; shape (n,).
        dna_bin: its Barcode Index Number, shape (n,).
        bins: splits that models are pretrained on, such as `pretrain` or `pretrain+train` → the BINs that occur in
            their rows, in any order; None where they are not known, which leaves the strata of BINs out.

    Returns:
        Name of the stratum → whether each specimen belongs to it, shape (n,).

    Raises:
        ValueError: columns of different lengths.

    Examples:
        >>> found = strata(["Apis mellifera", "Apis sp. 3"], ["BOLD:AAA1", None], {"pretrain": ["BOLD:AAA1"]})
        >>> {name: mask.tolist() for name, mask in found.items()}["BIN in pretrain"]
        [True, False]
        >>> list(strata(["Apis mellifera"]))
        ['Linnaean', 'placeholder']
    """
    names = _whole(species)
    binomina = [name for name in names.unique().to_pylist() if name and is_linnaean(name)]
    linnaean = np.asarray(pc.is_in(names, pa.array(binomina, pa.string())))
    found = {"Linnaean": linnaean, "placeholder": np.asarray(pc.is_valid(names)) & ~linnaean}
    if dna_bin is None or bins is None:
        return found
    own = _whole(dna_bin)
    if len(own) != len(names):
        raise ValueError(f"{len(names)} species and {len(own)} BINs: give one of each for every specimen")
    for splits, seen in bins.items():
        known = np.asarray(pc.is_in(own, _whole(seen).drop_null()))
        found |= {f"BIN in {splits}": known, f"BIN not in {splits}": np.asarray(pc.is_valid(own)) & ~known}
    return found


def parts(name: str, masks: Mapping[str, Mask], size: int) -> dict[str, Mask]:
    """Give the parts of a split that are scored apart: all of it, then each stratum that has a specimen.

    Args:
        name: of the split.
        masks: what `strata` gives for its specimens.
        size: specimens of the split.

    Examples:
        >>> list(parts("test_unseen", strata(["Apis mellifera", "Apis cana"]), 2))
        ['test_unseen', 'test_unseen, Linnaean']
    """
    found = {name: np.ones(size, bool)}
    return found | {f"{name}, {stratum}": mask for stratum, mask in masks.items() if mask.any()}


def _whole(names: Names) -> pa.Array:
    array = names if isinstance(names, pa.Array | pa.ChunkedArray) else pa.array(names, pa.string())
    return (array.combine_chunks() if isinstance(array, pa.ChunkedArray) else array).cast(pa.string())
