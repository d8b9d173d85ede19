"""The nearest names of queries: keys of one name count once, whatever their number."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np

from .search import Barred, Groups, Integers, Search, Vectors


if TYPE_CHECKING:
    import torch


def nearest_names(
    queries: Vectors, keys: Vectors, names: Mapping[str, Integers], k: int, search: Search, *, apart: Groups = ()
) -> dict[str, Integers]:
    """Find the k nearest different names at several ranks, where a name is as near as the nearest of its keys.

    It is exact in float32, whatever the precision of the search. Of equally near names the one that comes first
    among the keys is nearer.

    Args:
        queries: vectors of any length, shape (n, width).
        keys: vectors of any length, shape (m, width).
        names: rank → name of each key as a number, -1 for none; shape (m,).
        k: names for each query.
        search: sizes of blocks, and the device.
        apart: groups of queries and keys that do not find each other, as in `Search.nearest`.

    Returns:
        Rank → names, nearest first, int64 of shape (n, k); -1 where there is no further name.

    Examples:
        >>> keys = np.array([[1, 0], [1, 0.1], [0, 1]], np.float32)
        >>> names = {"genus": np.array([7, 7, 3])}
        >>> nearest_names(keys[:1], keys, names, 3, Search())["genus"].tolist()
        [[7, 3, -1]]
    """
    import torch

    numbered = {rank: _numbered(codes) for rank, codes in names.items()}
    found = {rank: np.full((queries.shape[0], k), -1, np.int64) for rank in names}
    with torch.inference_mode():
        for first in range(0, queries.shape[0], search.queries_at_once):
            part = slice(first, min(first + search.queries_at_once, queries.shape[0]))
            best = _best(queries, keys, part, numbered, search, Barred(None, apart))
            for rank, scores in best.items():
                different = numbered[rank][1]
                kept = min(k, len(different))
                near = scores[:, : len(different)].sort(dim=1, descending=True, stable=True)
                chosen = different[near.indices[:, :kept].cpu().numpy()]
                found[rank][part, :kept] = np.where(near.values[:, :kept].isneginf().cpu().numpy(), -1, chosen)
    return found


def _best(
    queries: Vectors,
    keys: Vectors,
    part: slice,
    numbered: Mapping[str, tuple[Integers, Integers]],
    search: Search,
    barred: Barred,
) -> dict[str, torch.Tensor]:
    """Give the largest cosine of some queries with the keys of each name; the last column is of keys without one."""
    import torch

    given = search.unit(queries, part, "query")
    best = {
        rank: torch.full((len(given), len(different) + 1), -torch.inf, device=search.device)
        for rank, (_, different) in numbered.items()
    }
    for start in range(0, keys.shape[0], search.keys_at_once):
        held = slice(start, min(start + search.keys_at_once, keys.shape[0]))
        scores = given @ search.unit(keys, held, "key").T
        barred.of(part, held).bar(scores)
        for rank, (number, _) in numbered.items():
            column = torch.from_numpy(number[held]).to(search.device).expand(len(given), -1)
            best[rank].scatter_reduce_(1, column, scores, "amax")
    return best


def _numbered(codes: Integers) -> tuple[Integers, Integers]:
    """Number the names in the order of their first keys, none as the last; give the numbers, and the names."""
    different, first, inverse = np.unique(codes, return_index=True, return_inverse=True)
    order = np.argsort(np.where(different < 0, len(codes), first))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return rank[inverse], different[order][different[order] >= 0]
