"""The partition: which split each specimen belongs to."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .placeholders import Names, encode, is_placeholder
from .selector import TEST, VAL, VAL_UNSEEN, Share, choose


UNSEEN_ROWS = 8
"""Specimens that make a placeholder species one of the unseen ones."""

LONG_TAIL = 0.05
LONG_TAIL_ROWS = range(7, 20)
"""Of the species with few specimens, the share that `val` gets by single specimens, and how many such species have."""

SEEDS = {"test": 1, "val": 3, "test_unseen": 5, "val_unseen": 7}
PRETRAIN, TRAIN, HELDOUT = "pretrain", "train", "other_heldout"
_SPLITS = (PRETRAIN, "seen", "unseen", TRAIN, "val", "test", "key_unseen", "val_unseen", "test_unseen", HELDOUT)
_CODE = {name: code for code, name in enumerate(_SPLITS)}


def partition(species: Names, genus: Names, barcodes: Names, *, seed: int = 0) -> list[str]:
    """Assign specimens to the eight splits by the published procedure.

    The procedure is that of the script `bioscan_split.py` in bioscan-ml/BIOSCAN-5M (2024-05-30). It sorts a species'
    barcodes by their number with an unstable sort; here those of one number stand in alphabetical order, so that every
    machine gives the same answer. Nothing depends on the order of the rows. Barcodes count as equal when they are so
    in capitals and without the N at their ends.

    Args:
        species: names; missing where unknown.
        genus: names of the same specimens.
        barcodes: nucleotides of the same specimens; an empty or missing one is no key of a group.
        seed: added to the four published seeds of the choices.

    Returns:
        The official name of each specimen's split.

    Raises:
        ValueError: the columns are of different lengths.

    Examples:
        >>> names = pa.array([None, "Aus bus", "Aus bus", "Aus sp. 1"])
        >>> partition(names, pa.array([None, "Aus", "Aus", "Aus"]), pa.array(["ACGT", "CCGT", "CCGA", "GGGG"]))
        ['pretrain', 'train', 'train', 'other_heldout']
    """
    if len({len(species), len(genus), len(barcodes)}) > 1:
        raise ValueError(
            f"{len(species)} species, {len(genus)} genera and {len(barcodes)} barcodes: one of each a specimen"
        )
    table = _Specimens.of(species, genus, barcodes)
    table.split_seen_and_unseen(is_placeholder(species, genus), genus)
    table.keep_single_specimens()
    table.take("test", "seen", TEST, seed)
    table.take("val", "seen", VAL, seed)
    table.rename("seen", TRAIN)
    table.take("test_unseen", "unseen", TEST, seed)
    table.take("val_unseen", "unseen", VAL_UNSEEN, seed)
    table.rename("unseen", "key_unseen")
    table.set_aside()
    return [_SPLITS[code] for code in table.split.tolist()]


@dataclass
class _Specimens:
    """Specimens while they are assigned.

    Args:
        species: number of each specimen's species in alphabetical order, -1 where it has none.
        barcode: number of its barcode in alphabetical order, -1 where it has none.
        split: number of its split.
    """

    species: NDArray[np.int64]
    barcode: NDArray[np.int64]
    split: NDArray[np.int8]

    @classmethod
    def of(cls, species: Names, genus: Names, barcodes: Names) -> _Specimens:
        chunks = barcodes.chunks if isinstance(barcodes, pa.ChunkedArray) else [barcodes]
        keys = pa.chunked_array(map(comparable, chunks), pa.large_string())
        start = np.full(len(species), _CODE[PRETRAIN], np.int8)
        return cls(_numbered(species), _numbered(keys), start)

    def split_seen_and_unseen(self, placeholder: NDArray[np.bool_], genus: Names) -> None:
        """Published names are seen; placeholders with enough specimens in their genera are unseen, all of a name.

        As in the script, no genus is a known one where a published name lacks its genus, too.
        """
        named = self.species >= 0
        self.split[named & ~placeholder] = _CODE["seen"]
        genera = _numbered(genus)
        known = np.zeros(genera.max(initial=-1) + 2, bool)  # the last place is that of specimens without a genus
        known[genera[self.split == _CODE["seen"]]] = True
        pool = named & placeholder & known[genera]
        many = self._rows_of_species(pool) >= UNSEEN_ROWS
        self.split[named & many[self.species]] = _CODE["unseen"]

    def keep_single_specimens(self) -> None:
        """A species of which one specimen is seen is trained on, with all specimens of that name."""
        single = self._rows_of_species(self.split == _CODE["seen"]) == 1
        self.single = int(single.sum())
        self.split[(self.species >= 0) & single[self.species]] = _CODE[TRAIN]

    def take(self, into: str, out_of: str, share: Share, seed: int) -> None:
        """Move barcodes of each species, with all specimens that have them, into a split."""
        random = np.random.default_rng(seed + SEEDS[into])
        chosen: list[int] = []
        for _, keys, sizes in self._groups(out_of):
            chosen += keys[choose(sizes, share, random)].tolist()
        if into == "val":
            chosen += self._long_tail()
        marked = np.zeros(self.barcode.max(initial=-1) + 2, bool)
        marked[np.array(chosen, np.int64)] = True
        marked[-1] = False
        self.split[marked[self.barcode]] = _CODE[into]

    def rename(self, old: str, new: str) -> None:
        """What is left of a group becomes a split."""
        self.split[self.split == _CODE[old]] = _CODE[new]

    def set_aside(self) -> None:
        """Specimens with a name that no split has taken are kept apart."""
        self.split[(self.split == _CODE[PRETRAIN]) & (self.species >= 0)] = _CODE[HELDOUT]

    def _rows_of_species(self, rows: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Count the rows of each species among some that have one; the last place, of no species, is 0."""
        return np.bincount(self.species[rows], minlength=self.species.max(initial=-1) + 2)

    def _groups(self, of: str) -> Iterator[tuple[int, NDArray[np.int64], NDArray[np.int64]]]:
        """Give species in alphabetical order, each with its barcodes and their numbers of rows, ascending."""
        rows = (self.split == _CODE[of]) & (self.barcode >= 0)
        width = self.barcode.max(initial=-1) + 1
        pairs, sizes = np.unique(self.species[rows] * width + self.barcode[rows], return_counts=True)
        species, keys = np.divmod(pairs, width) if width else (pairs, pairs)
        starts = np.flatnonzero(np.diff(species, prepend=-1))
        for start, stop in pairwise([*starts.tolist(), len(species)]):
            order = start + np.argsort(sizes[start:stop], kind="stable")
            yield int(species[start]), keys[order], sizes[order]

    def _long_tail(self) -> list[int]:
        """Choose single specimens of species that are too small for a share of their own."""
        seen = self.species[self.split == _CODE["seen"]]
        rows = np.bincount(seen, minlength=self.species.max(initial=-1) + 1)
        tested = np.bincount(self.species[(self.split == _CODE["test"]) & (self.species >= 0)], minlength=len(rows))
        goal = round(LONG_TAIL * (self.single + int(rows[rows < LONG_TAIL_ROWS.stop].sum())))
        chosen: list[int] = []
        for species, keys, sizes in self._groups("seen"):
            count, gone = int(rows[species]), int(tested[species])
            if count in LONG_TAIL_ROWS and gone <= TEST.target(count + gone) and sizes[0] == 1:
                chosen.append(int(keys[0]))
                if len(chosen) >= goal:  # after the first at the earliest, as in the script
                    break
        return chosen


def comparable(barcodes: pa.Array) -> pa.Array:
    """Write barcodes so that those which count as equal are: in capitals, without the N at their ends; null for none.

    Args:
        barcodes: strings.

    Examples:
        >>> comparable(pa.array(["NACgtN", "ACGT", "NN", None])).to_pylist()
        ['ACGT', 'ACGT', None, None]
    """
    texts = barcodes.cast(pa.large_string())
    if pc.any(pc.match_substring_regex(texts, "[a-z]")).as_py():
        texts = pc.ascii_upper(texts)
    trimmed = pc.utf8_trim(texts, "N")
    return pc.if_else(pc.equal(trimmed, ""), pa.scalar(None, trimmed.type), trimmed)


def _numbered(names: Names) -> NDArray[np.int64]:
    """Number names in the order of their code points, from 0; -1 where there is none."""
    coded = encode(names)
    order = pc.array_sort_indices(coded.dictionary).to_numpy()  # by bytes of UTF-8, which is by code points
    ranks = np.empty(len(order), np.int64)
    ranks[order] = np.arange(len(order))
    places = np.asarray(pc.fill_null(coded.indices, -1).to_numpy(zero_copy_only=False), np.int64)
    return np.where(places >= 0, ranks[places], -1) if len(ranks) else np.full(len(places), -1, np.int64)
