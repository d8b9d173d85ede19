"""The barcodes that distances are measured between: chosen by their codes, and read in a second pass."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..selection import BARCODE
from ..sources import Source, read_tables
from .frame import Bases, agree, learn_region, place
from .groups import combinations
from .scan import Coded, Codes


ALIKE_WITHIN = ("family", "genus", "species")


@dataclass(frozen=True)
class Groups:
    """The different barcodes of each group of a rank.

    Args:
        rank: the rank.
        groups: codes of the groups, ascending, shape (groups,).
        starts: where each group begins in `barcodes`, and their end, shape (groups + 1,).
        barcodes: codes of barcodes, group by group.
    """

    rank: str
    groups: npt.NDArray[np.int32]
    starts: npt.NDArray[np.int64]
    barcodes: Codes

    def __len__(self) -> int:
        return len(self.groups)

    def of(self, place: int) -> Codes:
        """Give the codes of a group's barcodes, by its place in `groups`."""
        return self.barcodes[self.starts[place] : self.starts[place + 1]]


def groups_of(coded: Coded, rank: str) -> Groups:
    """Gather the different barcodes of each group of a rank; rows without a name or a barcode are left out.

    Args:
        coded: the rows.
        rank: a rank that the dataset has.
    """
    assert coded.barcode is not None
    pairs, _ = combinations([coded.codes[rank], coded.barcode])
    pairs = pairs[(pairs >= 0).all(axis=1)]
    groups, first = np.unique(pairs[:, 0], return_index=True)
    return Groups(rank, groups, np.append(first, len(pairs)).astype(np.int64), np.ascontiguousarray(pairs[:, 1]))


def sampled(groups: Groups, most: int | None, seed: int, number: int) -> Groups:
    """Draw so many barcodes of each group that has more; which ones depends on nothing but the data and the seed.

    Args:
        groups: the groups of a rank.
        most: barcodes of a group, at most; None for all.
        seed: what is drawn from.
        number: of the rank.
    """
    if most is None or not len(groups) or int(np.diff(groups.starts).max()) <= most:
        return groups
    kept = []
    for place_, group in enumerate(groups.groups.tolist()):
        codes = groups.of(place_)
        if len(codes) > most:
            random = np.random.default_rng([seed, number, group])
            codes = np.sort(random.choice(codes, most, replace=False))
        kept.append(codes)
    starts = np.concatenate([[0], np.cumsum([len(codes) for codes in kept])]).astype(np.int64)
    return Groups(groups.rank, groups.groups, starts, np.concatenate(kept))


@dataclass(frozen=True)
class Sequences:
    """Some barcodes, in a common frame.

    Args:
        codes: their codes, ascending, shape (barcodes,).
        texts: as the dataset has them.
        rows: placed in the frame, shape (barcodes, places).
    """

    codes: Codes
    texts: pa.Array
    rows: Bases

    def places(self, codes: Codes) -> npt.NDArray[np.intp]:
        """Find barcodes by their codes; each must be there."""
        return np.searchsorted(self.codes, codes)


def read_sequences(source: Source, coded: Coded, chosen: Mapping[str, Groups]) -> Sequences:
    """Read barcodes and place them in the frame that is learnt from them, alike within each family, genus and species.

    Args:
        source: the opened config.
        coded: its rows.
        chosen: rank → the barcodes of its groups.

    Raises:
        ValueError: no barcode holds a base.
        ModuleNotFoundError: a barcode has to be aligned, and edlib is not installed.
    """
    codes = np.unique(np.concatenate([np.empty(0, np.int32), *(groups.barcodes for groups in chosen.values())]))
    assert coded.first is not None
    rows = coded.first[codes]
    by_row = np.argsort(rows)
    ordered, parts, start = rows[by_row], [], 0
    for split in coded.splits:
        for file in source.files[split]:
            for table in read_tables(str(file), [BARCODE]):
                low, high = np.searchsorted(ordered, [start, start + len(table)])
                parts.append(table[BARCODE].combine_chunks().take(pa.array(ordered[low:high] - start)))
                start += len(table)
    texts = pa.concat_arrays(parts) if parts else pa.array([], pa.string())
    texts = texts.take(pa.array(np.argsort(by_row)))
    region = learn_region(texts)
    sequences = Sequences(codes, texts, place(texts, region))
    for groups in (chosen[rank] for rank in ALIKE_WITHIN if rank in chosen):
        for place_ in range(len(groups)):
            if len(groups.of(place_)) > 1:
                agree(sequences.rows, texts, sequences.places(groups.of(place_)), region)
    return sequences
