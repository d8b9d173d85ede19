"""What a partition must not let through: species that are said to be apart, and queries without keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..splits import METASPLITS
from .assignment import HELDOUT
from .placeholders import encode


_BENCHMARKS = ("seen", "unseen")
APART: Mapping[str, Sequence[str]] = {**{name: METASPLITS[name] for name in _BENCHMARKS}, HELDOUT: (HELDOUT,)}
KEYS: Mapping[str, Sequence[str]] = {METASPLITS[name][0]: METASPLITS[name][1:] for name in _BENCHMARKS}
"""Groups of splits that share no species, and the keys in which every species of other splits is found."""

Present = Mapping[str, NDArray[np.bool_]]
"""Split → which species stand in it, shape (species,)."""


@dataclass(frozen=True)
class Leak:
    """Species that stand where they must not.

    Args:
        text: how many, and where.
        species: their names.
    """

    text: str
    species: list[str]

    def __str__(self) -> str:
        return f"{len(self.species):,} species {self.text}, such as {self.species[0]}"


def presence(species: pa.Array | pa.ChunkedArray, splits: Sequence[str]) -> tuple[pa.Array, Present]:
    """Tell which species stand in which splits.

    Args:
        species: of each specimen; missing where unknown.
        splits: of each specimen.

    Returns:
        The names, and for each split that occurs which of them stand in it.

    Examples:
        >>> names, present = presence(pa.array(["Aus bus", "Aus bus", None]), ["train", "val", "pretrain"])
        >>> names.to_pylist(), {split: there.tolist() for split, there in present.items()}
        (['Aus bus'], {'pretrain': [False], 'train': [True], 'val': [True]})
    """
    coded = encode(species)
    codes = np.asarray(coded.indices.fill_null(-1))
    where = np.asarray(splits)
    present = {}
    for split in sorted(set(splits)):
        there = np.zeros(len(coded.dictionary), bool)
        there[codes[(where == split) & (codes >= 0)]] = True
        present[split] = there
    return coded.dictionary, present


def species_in_two(names: pa.Array | pa.ChunkedArray, present: Present) -> list[Leak]:
    """Find species that stand in two of seen, unseen and other_heldout.

    Args:
        names: of the species.
        present: which of them stand in each split; a split that is not there has none.

    Examples:
        >>> leak = species_in_two(pa.array(["Aus bus"]), {"val": np.array([True]), "test_unseen": np.array([True])})
        >>> print(leak[0])
        1 species in seen and unseen, such as Aus bus
    """
    stands = {name: _any(present, splits, len(names)) for name, splits in APART.items()}
    pairs = (("seen", "unseen"), ("seen", HELDOUT), ("unseen", HELDOUT))
    return _leaks(names, ((f"in {one} and {other}", stands[one] & stands[other]) for one, other in pairs))


def species_without_keys(names: pa.Array | pa.ChunkedArray, present: Present) -> list[Leak]:
    """Find species of queries that none of their keys has.

    Args:
        names: of the species.
        present: which of them stand in each split; a split that is not there has none.

    Examples:
        >>> print(species_without_keys(pa.array(["Aus bus"]), {"val": np.array([True])})[0])
        1 species of val are not in train, such as Aus bus
    """
    pairs = ((query, keys) for keys, queries in KEYS.items() for query in queries)
    found = (
        (f"of {query} are not in {keys}", _any(present, [query], len(names)) & ~_any(present, [keys], len(names)))
        for query, keys in pairs
    )
    return _leaks(names, found)


def groups(present: Present, species: int) -> dict[str, int]:
    """Count the species of seen, unseen and other_heldout."""
    return {name: int(_any(present, splits, species).sum()) for name, splits in APART.items()}


def _any(present: Present, splits: Sequence[str], species: int) -> NDArray[np.bool_]:
    nowhere = np.zeros(species, bool)
    return np.asarray(np.logical_or.reduce([present.get(split, nowhere) for split in splits]))


def _leaks(names: pa.Array | pa.ChunkedArray, found: Iterable[tuple[str, NDArray[np.bool_]]]) -> list[Leak]:
    return [Leak(text, names.filter(pa.array(there)).to_pylist()) for text, there in found if there.any()]
