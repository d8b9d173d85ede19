"""Distances between the different barcodes of each group, rank by rank."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from ...taxonomy import RANKS, is_filler
from .groups import combinations
from .pairs import Marks, compare
from .scan import Coded
from .sequences import Groups, Sequences, groups_of, sampled


Row = dict[str, Any]
MOST = 1_000
"""Barcodes of a group that are compared, at most; of a species all are (barcode statistics of BIOSCAN-5M)."""

PERCENTILES = (0, 5, 25, 50, 75, 95, 100)
_NAMES = ("minimum", "p5", "quartile_1", "median", "quartile_3", "p95", "maximum")
_BLOCK = 1_000


def choose(coded: Coded, seed: int = 0, most: int = MOST) -> dict[str, Groups]:
    """Choose the barcodes that are compared, at each rank: all of a group, or `most` drawn ones where it has more.

    Args:
        coded: the rows.
        seed: what is drawn from.
        most: barcodes of a group, at most; of a species all are taken.
    """
    chosen = {}
    for number, rank in enumerate(RANKS):
        if rank in coded.codes and coded.barcode is not None:
            limit = None if rank == "species" else most
            chosen[rank] = sampled(groups_of(coded, rank), limit, seed, number)
    return chosen


def distances(coded: Coded, chosen: Mapping[str, Groups], sequences: Sequences) -> Iterator[Row]:
    """Summarise p-distances and Kimura's distances of all pairs of the chosen barcodes of each group.

    A pair counts where 300 bases overlap; bases are compared where both barcodes have one of A, C, G and T. Fillers
    are no groups. A group without such a pair has no row.

    Args:
        coded: the rows.
        chosen: rank → the barcodes of its groups.
        sequences: these barcodes.
    """
    for groups in chosen.values():
        above = lineage(coded, groups.rank)
        for place, group in enumerate(groups.groups.tolist()):
            name = coded.names[groups.rank][group]
            codes = groups.of(place)
            if len(codes) < 2 or is_filler(name):
                continue
            marks = Marks.of(sequences.rows[sequences.places(codes)])
            found = list(_pairs(marks))
            for measure, values in zip(("p", "K2P"), map(np.concatenate, zip(*found, strict=True)), strict=True):
                known = values[~np.isnan(values)]
                if len(known):
                    about = {"measure": measure, "rank": groups.rank, "name": name, **above[group]}
                    yield {**about, "barcodes": len(codes), "pairs": len(known), **spread(known)}


def _pairs(marks: Marks) -> Iterator[tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]]:
    """Give both distances of all unordered pairs, a block at a time."""
    size = len(marks.known)
    for start in range(0, size, _BLOCK):
        for other in range(start, size, _BLOCK):
            found = compare(marks.part(slice(start, start + _BLOCK)), marks.part(slice(other, other + _BLOCK)))
            pair = np.triu_indices(len(found.overlap), 1) if start == other else (slice(None), slice(None))
            yield found.p_distance()[pair].ravel(), found.k2p()[pair].ravel()


def spread(values: npt.NDArray[np.floating]) -> dict[str, float]:
    """Summarise distances: mean, standard deviation of the population, and percentiles, interpolated linearly.

    Args:
        values: at least one.

    Examples:
        >>> spread(np.array([0.0, 1.0, 2.0]))["median"], spread(np.array([0.0, 1.0, 2.0]))["p95"]
        (1.0, 1.9)
    """
    values = values.astype(np.float64)
    found = dict(zip(_NAMES, np.percentile(values, PERCENTILES).tolist(), strict=True))
    return {"mean": float(values.mean()), "std": float(values.std()), **found}


def by_rank(rows: Iterable[Row]) -> list[Row]:
    """Average means and standard deviations over the groups of each rank, as the published table of distances does.

    Args:
        rows: rows of `distances`.

    Examples:
        >>> rows = [{"measure": "p", "rank": "genus", "pairs": 3, "mean": mean, "std": 0.0} for mean in (0.1, 0.2)]
        >>> [(row["groups"], row["pairs"], round(row["mean"], 3)) for row in by_rank(rows)]
        [(2, 6, 0.15)]
    """
    kept: dict[tuple[str, str], list[Row]] = {}
    for row in rows:
        kept.setdefault((row["measure"], row["rank"]), []).append(row)
    return [
        {
            **{"measure": measure, "rank": rank, "groups": len(of), "pairs": sum(row["pairs"] for row in of)},
            **{name: float(np.mean([row[name] for row in of])) for name in ("mean", "std")},
        }
        for (measure, rank), of in kept.items()
    ]


def lineage(coded: Coded, rank: str) -> list[Row]:
    """Give class and order of each name of a rank, by most of its rows; None where they have none.

    Args:
        coded: the rows.
        rank: the rank.
    """
    wide = ("class", "order")
    return [
        dict(zip(wide, names, strict=True)) for names in zip(*(parents(coded, rank, one) for one in wide), strict=True)
    ]


def parents(coded: Coded, rank: str, wide: str) -> list[str | None]:
    """Give the commonest name at a wider rank of each name of a rank; None where its rows have none.

    Args:
        coded: the rows.
        rank: the rank.
        wide: the wider rank; where it is not wider than `rank`, no name is given.
    """
    found: list[str | None] = [None] * len(coded.names[rank])
    if wide not in coded.codes or RANKS.index(wide) > RANKS.index(rank) or not coded.rows:
        return found
    pairs, rows = combinations([coded.codes[rank], coded.codes[wide]])
    most: dict[int, int] = {}
    for (name, parent), count in zip(pairs.tolist(), rows.tolist(), strict=True):
        if name >= 0 and parent >= 0 and count > most.get(name, 0):
            most[name], found[name] = count, coded.names[wide][parent]
    return found
