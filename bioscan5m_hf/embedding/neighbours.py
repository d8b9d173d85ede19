"""Nearest key specimens by cosine, exactly, in blocks: overall, and at each rank with the nearest of another taxon."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from .keys import KeySet, unit


if TYPE_CHECKING:
    import torch

QUERIES = 1024
TIE = 1e-6
"""Similarities closer than this are equal: float32 gives equal barcodes of different batches vectors this close."""

TIE_OF_16_BITS = 1e-4
"""The same where a model computes in 16 bits: in bfloat16 vectors have a cosine of 0.99998 to those of float32."""


@dataclass
class Nearest:
    """The nearest key of each query, and the nearest key of another taxon.

    Args:
        place: of the nearest key, -1 where there is none; shape (n,).
        similarity: cosine, -inf where there is none; shape (n,).
        other: place of the nearest key of another taxon.
        other_similarity: its cosine.
        tie: cosines closer than this are equal.
    """

    place: NDArray[np.int64]
    similarity: NDArray[np.float32]
    other: NDArray[np.int64]
    other_similarity: NDArray[np.float32]
    tie: float = TIE

    @classmethod
    def empty(cls, queries: int, tie: float = TIE) -> Nearest:
        """Begin with nothing found."""
        none, far = np.full(queries, -1), np.full(queries, -np.inf, np.float32)
        return cls(none, far, none.copy(), far.copy(), tie)

    @property
    def tied(self) -> NDArray[np.bool_]:
        """Whether another taxon is as near: then the barcode does not tell them apart."""
        with np.errstate(invalid="ignore"):
            return self.similarity - self.other_similarity <= self.tie


def search(
    queries: NDArray[np.float32],
    keys: KeySet,
    ranks: Sequence[str],
    *,
    device: str | torch.device = "cpu",
    tie: float = TIE,
) -> tuple[Nearest, dict[str, Nearest]]:
    """Find the nearest keys of queries among all keys; exact, in blocks of keys and queries.

    Args:
        queries: vectors of any length, shape (n, width).
        keys: key specimens.
        ranks: for each the nearest key that has a name at it, and the nearest one with another name there.
        device: where similarities are computed.
        tie: cosines closer than this are equal.

    Returns:
        The nearest key whatever its labels (its `other` is not filled), and rank → nearest.
    """
    import torch

    overall = Nearest.empty(len(queries), tie)
    found = {rank: Nearest.empty(len(queries), tie) for rank in ranks}
    given = torch.from_numpy(unit(queries)).to(device)
    for start, block in keys.blocks():
        part = slice(start, start + len(block))
        vectors = torch.from_numpy(block).to(device)
        barred = torch.from_numpy(~keys.allowed[part]).to(device)
        codes = {rank: torch.from_numpy(keys.codes[rank][part]).to(device) for rank in ranks}
        for first in range(0, len(queries), QUERIES):
            scores = given[first : first + QUERIES] @ vectors.T
            scores.masked_fill_(barred, -torch.inf)
            best, at = scores.max(dim=1)
            top = best.cpu().numpy()
            _improve(overall, np.arange(first, first + len(top)), top, start + at.cpu().numpy())
            for rank, nearest in found.items():
                # What is no nearer than the nearest of another taxon changes nothing, and this is soon most blocks.
                rows = np.flatnonzero(top > nearest.other_similarity[first : first + QUERIES])
                if len(rows):
                    chosen = scores[torch.from_numpy(rows).to(device)]
                    _improve_rank(nearest, first + rows, chosen, codes[rank], start, keys.codes[rank])
    return overall, found


def _improve(
    nearest: Nearest, rows: NDArray[np.intp], similarity: NDArray[np.float32], place: NDArray[np.int64]
) -> None:
    better = similarity > nearest.similarity[rows]
    nearest.similarity[rows[better]] = similarity[better]
    nearest.place[rows[better]] = place[better]


def _improve_rank(
    nearest: Nearest,
    rows: NDArray[np.intp],
    scores: torch.Tensor,
    codes: torch.Tensor,
    start: int,
    all_codes: NDArray[np.int32],
) -> None:
    """Bring in a block of keys.

    If the nearest taxon changes, the nearest key of before is the nearest one of another taxon among the keys of
    before; else that one stays. The block's nearest key of another taxon than the winner competes with it.
    """
    import torch

    scores = scores.masked_fill(codes < 0, -torch.inf)
    best, at = scores.max(dim=1)
    similarity, place = best.cpu().numpy(), start + at.cpu().numpy()
    better = rows[similarity > nearest.similarity[rows]]
    before = nearest.place.copy()[better], nearest.similarity.copy()[better]
    _improve(nearest, rows, similarity, place)
    changed = (before[0] >= 0) & (all_codes[before[0]] != all_codes[nearest.place[better]])
    nearest.other[better[changed]] = before[0][changed]
    nearest.other_similarity[better[changed]] = before[1][changed]
    winner = np.where(nearest.place[rows] >= 0, all_codes[nearest.place[rows]], -1)
    own = codes.unsqueeze(0) == torch.from_numpy(winner).to(codes.device).unsqueeze(1)
    best, at = scores.masked_fill_(own, -torch.inf).max(dim=1)
    similarity, place = best.cpu().numpy(), start + at.cpu().numpy()
    better_other = similarity > nearest.other_similarity[rows]
    nearest.other_similarity[rows[better_other]] = similarity[better_other]
    nearest.other[rows[better_other]] = place[better_other]
