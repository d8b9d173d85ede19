"""Edit distances within groups by the published rule, beside which the release's own table can be laid."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ...dna.words import NO_BASE
from ...taxonomy import is_filler
from .distances import lineage, spread
from .frame import Bases
from .scan import Coded
from .sequences import Groups, Sequences


Row = dict[str, Any]
POSITIONS = 625
MORE_THAN = 4
"""Different barcodes that a group must have more of (code of BIOSCAN-5M's barcode statistics; the README differs)."""

_BLOCK = 500


def edit_distances(coded: Coded, chosen: Mapping[str, Groups], sequences: Sequences) -> Iterator[Row]:
    """Summarise optimal string alignment distances (edits, and swaps of neighbours) of the pairs of each group.

    As published: groups with more than 4 different barcodes, at most 1,000 drawn ones of each (of a species all),
    aligned texts of 625 positions with `-` where there is nothing, unordered pairs of different texts. Not as
    published: texts are aligned to one frame of all barcodes (see `frame`) where the original runs MAFFT on each
    group, what is inserted is left out, any letter but A, C, G and T is `-`, and the draw is seeded.

    Args:
        coded: the rows.
        chosen: rank → the barcodes of its groups, from `distances.choose`.
        sequences: these barcodes.

    Raises:
        ModuleNotFoundError: rapidfuzz is not installed.
    """
    from rapidfuzz.distance import OSA
    from rapidfuzz.process import cdist

    for groups in chosen.values():
        above = lineage(coded, groups.rank)
        for place, group in enumerate(groups.groups.tolist()):
            name, codes = coded.names[groups.rank][group], groups.of(place)
            if len(codes) <= MORE_THAN or is_filler(name):
                continue
            texts = aligned_texts(sequences.rows[sequences.places(codes)])
            parts = []
            for start in range(0, len(texts), _BLOCK):
                left = texts[start : start + _BLOCK]
                found = cdist(left, texts[start:], scorer=OSA.distance, dtype=np.uint16, workers=-1)
                parts.append(found[np.triu_indices(len(left), 1, len(texts) - start)])
            values = np.concatenate(parts)
            values = values[values > 0]
            if len(values):
                about = {"measure": "OSA", "rank": groups.rank, "name": name, **above[group]}
                yield {**about, "barcodes": len(codes), "pairs": len(values), **spread(values)}


def aligned_texts(rows: Bases) -> list[str]:
    """Write placed barcodes as texts of 625 letters, `-` where there is no base.

    Args:
        rows: shape (barcodes, places).

    Examples:
        >>> text, = aligned_texts(np.array([[0, 1, 4, 2, 3]], np.uint8))
        >>> text[:6], len(text)
        ('AC-GT-', 625)
    """
    padded = np.full((len(rows), POSITIONS), NO_BASE, np.uint8)
    width = min(POSITIONS, rows.shape[1])
    padded[:, :width] = rows[:, :width]
    letters = np.frombuffer(b"ACGT-", np.uint8)[padded]
    return [line.tobytes().decode() for line in letters]
