"""The nearest keys of queries by cosine: exact, in blocks, so that memory depends on neither number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
import numpy.typing as npt


if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]

_MORE = 32
"""Further candidates of the search in bfloat16 that are compared again in float32."""


@dataclass(frozen=True)
class Nearest:
    """The nearest keys of each query, nearest first.

    Args:
        place: their places among the keys, int64 of shape (n, k); -1 where there is no further key.
        similarity: their cosines, float32 of shape (n, k); -inf where there is no further key.
    """

    place: Integers
    similarity: Floats


@dataclass(frozen=True)
class Search:
    """How keys are searched.

    Of equally near keys the one that comes first among the keys is nearer, as in FAISS's flat index.

    Args:
        queries_at_once: queries of a block.
        keys_at_once: keys of a block; a block of similarities holds their product in float32.
        precision: `float32` compares exactly. `bfloat16` finds candidates in half the memory traffic and compares
            those in float32; a nearest key is missed where more than 32 others lie within the rounding of bfloat16.
        device: where it is computed.

    Examples:
        >>> keys = np.array([[1, 0], [0, 2], [1, 1]], np.float32)
        >>> Search().nearest(np.array([[3, 1]], np.float32), keys, 2).place.tolist()
        [[0, 2]]
    """

    queries_at_once: int = 1024
    keys_at_once: int = 16_384
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"

    def nearest(self, queries: Floats, keys: Floats, k: int = 1, *, barred: Integers | None = None) -> Nearest:
        """Find the nearest keys.

        Args:
            queries: vectors of any length, shape (n, width).
            keys: vectors of any length, shape (m, width).
            k: keys for each query, at least 1.
            barred: place of one key that a query may not find, such as itself, shape (n,); -1 for none.

        Raises:
            ValueError: shapes that do not fit, no key, k below 1, or a vector that is not finite.
        """
        import torch

        _check(queries, keys, k, barred)
        dtype = torch.bfloat16 if self.precision == "bfloat16" else torch.float32
        wanted = k if dtype == torch.float32 else k + _MORE
        found = Nearest(np.full((len(queries), k), -1, np.int64), np.full((len(queries), k), -np.inf, np.float32))
        with torch.inference_mode():
            whole = _unit(torch.from_numpy(np.ascontiguousarray(keys, np.float32)).to(self.device))
            fast = whole.to(dtype)
            for start in range(0, len(queries), self.queries_at_once):
                part = slice(start, start + self.queries_at_once)
                block = np.ascontiguousarray(queries[part], np.float32)
                given = _unit(torch.from_numpy(block).to(self.device))
                index, similarity = self._candidates(
                    given.to(dtype), fast, wanted, None if barred is None else barred[part]
                )
                if dtype != torch.float32:
                    index, similarity = _compared_again(given, whole, index, similarity)
                index, similarity = _in_order(index, similarity)
                kept = min(k, index.shape[1])
                found.place[part, :kept] = index[:, :kept].cpu().numpy()
                found.similarity[part, :kept] = similarity[:, :kept].cpu().numpy()
        found.place[np.isneginf(found.similarity)] = -1
        return found

    def _candidates(
        self, queries: torch.Tensor, keys: torch.Tensor, k: int, barred: Integers | None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Give the k nearest keys of a block of queries, from the blocks of keys one after the other."""
        import torch

        index = torch.empty((len(queries), 0), dtype=torch.int64, device=self.device)
        similarity = torch.empty((len(queries), 0), device=self.device)
        for start in range(0, len(keys), self.keys_at_once):
            block = keys[start : start + self.keys_at_once]
            scores = (queries @ block.T).float()
            if barred is not None:
                rows = np.flatnonzero((barred >= start) & (barred < start + len(block)))
                scores[torch.from_numpy(rows), torch.from_numpy(barred[rows] - start)] = -torch.inf
            best, place = _top(scores, min(k, len(block)))
            joined = torch.cat([similarity, best], 1)
            similarity, chosen = _top(joined, min(k, joined.shape[1]))
            index = torch.cat([index, place + start], 1).gather(1, chosen)
        return index, similarity


def _top(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the k best of each row and their places; of equal ones some may be lost to others further behind.

    The last place of `topk` may go to any of several equal scores. Rows in which that happens are sorted as a whole.
    """
    import torch

    best, place = scores.topk(min(k + 1, scores.shape[1]), dim=1)
    if best.shape[1] > k:
        tied = (best[:, k] == best[:, k - 1]).nonzero().squeeze(1)
        best, place = best[:, :k].contiguous(), place[:, :k].contiguous()
        if len(tied):
            ordered = scores[tied].sort(dim=1, descending=True, stable=True)
            best[tied], place[tied] = ordered.values[:, :k], ordered.indices[:, :k]
    order = torch.argsort(place, dim=1)
    best, place = best.gather(1, order), place.gather(1, order)
    order = torch.argsort(best, dim=1, descending=True, stable=True)
    return best.gather(1, order), place.gather(1, order)


def _in_order(index: torch.Tensor, similarity: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Sort by similarity, and equal ones by place."""
    import torch

    order = torch.argsort(index, dim=1)
    index, similarity = index.gather(1, order), similarity.gather(1, order)
    order = torch.argsort(similarity, dim=1, descending=True, stable=True)
    return index.gather(1, order), similarity.gather(1, order)


def _compared_again(
    queries: torch.Tensor, keys: torch.Tensor, index: torch.Tensor, similarity: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the cosines of candidates in float32; barred ones stay where they were."""
    import torch

    exact = torch.einsum("nd,nkd->nk", queries, keys[index])
    return index, exact.masked_fill(torch.isneginf(similarity), -torch.inf)


def _unit(vectors: torch.Tensor) -> torch.Tensor:
    unit: torch.Tensor = vectors / vectors.norm(dim=1, keepdim=True).clamp(min=1e-12)
    return unit


def _check(queries: Floats, keys: Floats, k: int, barred: Integers | None) -> None:
    if queries.ndim != 2 or keys.ndim != 2 or queries.shape[1] != keys.shape[1]:
        raise ValueError(f"queries have shape {queries.shape} and keys {keys.shape}: both need (number, width)")
    if not len(keys):
        raise ValueError("there is no key to be found")
    if k < 1:
        raise ValueError(f"k is {k}: use a number from 1")
    if barred is not None and barred.shape != (len(queries),):
        raise ValueError(f"barred has shape {barred.shape} for {len(queries)} queries: give one place for each, or -1")
    for name, vectors in (("query", queries), ("key", keys)):
        finite = np.isfinite(vectors).all(axis=1)
        if not finite.all():
            raise ValueError(f"the vector of {name} {int((~finite).argmax())} is not finite")
