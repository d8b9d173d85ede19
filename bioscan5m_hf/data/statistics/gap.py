"""The barcode gap: the largest distance within each species against the nearest other species."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from ...taxonomy import is_filler
from .distances import parents
from .groups import counted
from .pairs import Marks, p_distances
from .scan import Coded
from .sequences import Groups, Sequences


Row = dict[str, Any]
Floats = npt.NDArray[np.float64]
BLOCK = 1_000


def barcode_gap(coded: Coded, groups: Groups, sequences: Sequences) -> Iterator[Row]:
    """Give the gap of each species: nearest distance to another species, less the largest distance within.

    Distances are p-distances of different barcodes, over 300 overlapping bases or more; all barcodes are compared. The
    nearest other species is sought among all barcodes of the species' family; where that is unknown, has no other
    species, or none of them overlaps, among all of its order, and at last among all there are. Within a species with
    one barcode the largest distance is 0 if several specimens have it, and unknown if it is one specimen's. A filler
    is no species.

    Args:
        coded: the rows.
        groups: all barcodes of the species.
        sequences: these barcodes.
    """
    names, size = coded.names["species"], len(coded.names["species"])
    with_barcode = coded.codes["species"][coded.barcode >= 0] if coded.barcode is not None else coded.codes["species"]
    specimens = counted(with_barcode, size)
    above = {rank: parents(coded, "species", rank) for rank in ("genus", "family", "order")}
    kept = [place for place, code in enumerate(groups.groups.tolist()) if not is_filler(names[code])]
    owner = np.concatenate([np.full(len(groups.of(place)), groups.groups[place]) for place in kept] or [_NONE])
    codes = np.concatenate([groups.of(place) for place in kept] or [_NONE])
    rows = sequences.places(codes)
    distance, nearest = np.full(size, np.inf), np.full(size, -1, np.int64)
    for rank in ("family", "order", None):
        wide = np.array(["all" if rank is None else above[rank][code] for code in owner.tolist()], object)
        lacking = np.isinf(distance[owner])
        for name in sorted({one for one in wide[lacking] if one is not None}):
            inside = np.flatnonzero(wide == name)
            asked = inside[lacking[inside]]
            _search(sequences, rows, owner, asked, inside, distance, nearest)
    for place in kept:
        code, barcodes = int(groups.groups[place]), groups.of(place)
        within = _largest(Marks.of(sequences.rows[sequences.places(barcodes)]))
        if len(barcodes) == 1 and specimens[code] > 1:
            within = 0.0
        other = float(distance[code]) if np.isfinite(distance[code]) else None
        yield {
            "species": names[code],
            **{rank: above[rank][code] for rank in above},
            **{"specimens": int(specimens[code]), "barcodes": len(barcodes)},
            **{"largest_within": within, "nearest_other": other},
            "nearest_species": None if other is None else names[nearest[code]],
            "gap": None if within is None or other is None else other - within,
        }


_NONE = np.empty(0, np.int32)


def _search(
    sequences: Sequences,
    rows: npt.NDArray[np.intp],
    owner: npt.NDArray[np.int32],
    asked: npt.NDArray[np.intp],
    inside: npt.NDArray[np.intp],
    distance: Floats,
    nearest: npt.NDArray[np.int64],
) -> None:
    """Find the nearest barcode of another species for all that are asked, and keep the least of each species."""
    if len(np.unique(owner[inside])) < 2:
        return
    for first in range(0, len(asked), BLOCK):
        left = asked[first : first + BLOCK]
        marks = Marks.of(sequences.rows[rows[left]])
        for second in range(0, len(inside), BLOCK):
            right = inside[second : second + BLOCK]
            found = p_distances(marks, Marks.of(sequences.rows[rows[right]]))
            found[np.isnan(found) | (owner[left][:, None] == owner[right])] = np.inf
            best = found.argmin(axis=1)
            least = found[np.arange(len(left)), best]
            of_best = owner[right][best]
            for species, value, other in zip(owner[left].tolist(), least.tolist(), of_best.tolist(), strict=True):
                if value < distance[species] or (value == distance[species] < np.inf and other < nearest[species]):
                    distance[species], nearest[species] = value, other


def _largest(marks: Marks) -> float | None:
    """Give the largest distance of a pair; None where no pair overlaps."""
    size, largest = len(marks.known), None
    for first in range(0, size, BLOCK):
        for second in range(first, size, BLOCK):
            found = p_distances(marks.part(slice(first, first + BLOCK)), marks.part(slice(second, second + BLOCK)))
            if first == second:
                np.fill_diagonal(found, np.nan)
            known = found[~np.isnan(found)]
            if len(known):
                largest = max(largest or 0.0, float(known.max()))
    return largest


def gap_summary(rows: Iterable[Row]) -> list[Row]:
    """Count the species whose gap is known, those with a gap (above 0), and those at no distance from another one.

    Args:
        rows: rows of `barcode_gap`.

    Examples:
        >>> gap_summary([{"gap": 0.02, "nearest_other": 0.05}, {"gap": -0.01, "nearest_other": 0.0}])
        [{'species': 2, 'known': 2, 'with_gap': 1, 'share': 0.5, 'at_no_distance': 1}]
    """
    rows = list(rows)
    known = [row["gap"] for row in rows if row["gap"] is not None]
    with_gap = sum(gap > 0 for gap in known)
    alike = sum(row["nearest_other"] == 0 for row in rows)
    share = with_gap / len(known) if known else None
    return [{"species": len(rows), "known": len(known), "with_gap": with_gap, "share": share, "at_no_distance": alike}]
