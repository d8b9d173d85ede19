"""The best of long rows of scores, and which of equal ones."""

from __future__ import annotations

from typing import TYPE_CHECKING


if TYPE_CHECKING:
    import torch

_ROWS_AT_ONCE = 128
_GROUP = 16


def first_best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the k best of each row and their places, in order; of equal ones the first.

    The last place of `topk` may go to any of several equal scores. Rows in which that happens are looked at again.

    Args:
        scores: shape (n, width).
        k: at most width.

    Returns:
        Scores and places, each of shape (n, k).

    Examples:
        >>> import torch
        >>> first_best(torch.tensor([[0.5, 0.9, 0.5]]), 2)[1].tolist()
        [[1, 0]]
    """
    import torch

    best, place = some_best(scores, min(k + 1, scores.shape[1]))
    best, order = best.sort(dim=1, descending=True)
    place = place.gather(1, order)
    if best.shape[1] > k:
        tied = (best[:, k] == best[:, k - 1]).nonzero().squeeze(1)
        best, place = best[:, :k].contiguous(), place[:, :k].contiguous()
        for first in range(0, len(tied), _ROWS_AT_ONCE):
            rows = tied[first : first + _ROWS_AT_ONCE]
            place[rows] = _first_of_equals(scores[rows], best[rows, -1:], k)
            best[rows] = scores[rows[:, None], place[rows]]
    order = torch.argsort(place, dim=1)
    best, place = best.gather(1, order), place.gather(1, order)
    order = torch.argsort(best, dim=1, descending=True, stable=True)
    return best.gather(1, order), place.gather(1, order)


def _first_of_equals(scores: torch.Tensor, last: torch.Tensor, k: int) -> torch.Tensor:
    """Give the places of the k best of each row where several equal the k-th best: of those the first."""
    import torch

    better, equal = scores > last, scores == last
    free = k - better.sum(dim=1, keepdim=True)
    chosen = better | (equal & (equal.cumsum(dim=1, dtype=torch.int32) <= free))
    return chosen.nonzero()[:, 1].view(len(scores), k)


def some_best(scores: torch.Tensor, k: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Give the k best of each row and their places, in any order; of several equal ones any.

    Of few in a long row, each is in one of the k groups of 16 whose best are the k best of all groups; that is less to
    look through.

    Args:
        scores: shape (n, width).
        k: at most width.

    Returns:
        Scores and places, each of shape (n, k).

    Examples:
        >>> import torch
        >>> sorted(some_best(torch.tensor([[0.5, 0.9, 0.1]]), 2)[1][0].tolist())
        [0, 1]
    """
    import torch

    groups = scores.shape[1] // _GROUP
    if scores.shape[1] % _GROUP or groups < _GROUP * k:
        best, place = scores.topk(k, dim=1, sorted=False)
        return best, place
    leading = scores.view(len(scores), _GROUP, groups).amax(dim=1).topk(k, dim=1, sorted=False).indices
    member = torch.arange(0, scores.shape[1], groups, device=scores.device)
    candidates = (leading[:, None] + member[:, None]).flatten(1)
    best, chosen = scores.gather(1, candidates).topk(k, dim=1, sorted=False)
    return best, candidates.gather(1, chosen)
