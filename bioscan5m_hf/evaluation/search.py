"""The nearest keys of queries by cosine: exact, in blocks, so that memory depends on neither number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from .best import first_best, some_best


if TYPE_CHECKING:
    import torch

Floats = npt.NDArray[np.float32]
Integers = npt.NDArray[np.int64]
Groups = Sequence[tuple[Integers, Integers]]
PRECISIONS = ("float32", "bfloat16")
"""What keys are compared in; the first is exact."""

_MORE = 32
"""Further candidates of the search in bfloat16 that are compared again in float32."""
_COMPARED_AT_ONCE = 128


class Vectors(Protocol):
    """Vectors that are read in parts: an array, one in a file (`numpy.memmap`), or what `fusion` makes of several."""

    @property
    def shape(self) -> tuple[Any, ...]:
        """Their number and width."""

    def __getitem__(self, rows: Any, /) -> Any:  # noqa: ANN401
        """Give some of them, by a slice or by whole numbers."""


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
class Barred:
    """What queries may not find.

    Args:
        key: place of one key for each query, such as itself, shape (n,); -1 for none. None bars no such key.
        groups: pairs of arrays, the group of each query (n,) and of each key (m,), such as plates; a query does not
            find keys of its own group. -1 is no group.
    """

    key: Integers | None = None
    groups: Groups = ()

    def of(self, queries: slice, keys: slice) -> Barred:
        """Give the same for a block of queries and one of keys."""
        own = None if self.key is None else self.key[queries] - keys.start
        return Barred(own, [(asked[queries], held[keys]) for asked, held in self.groups])

    def bar(self, scores: torch.Tensor) -> None:
        """Set the similarities of what is barred to -inf, those of a block of queries and one of keys."""
        import torch

        if self.key is not None:
            rows = np.flatnonzero((self.key >= 0) & (self.key < scores.shape[1]))
            scores[torch.from_numpy(rows), torch.from_numpy(self.key[rows])] = -torch.inf
        for asked, held in self.groups:
            one, other = (torch.from_numpy(np.ascontiguousarray(each)).to(scores.device) for each in (asked, held))
            scores.masked_fill_((one[:, None] == other[None]) & (one >= 0)[:, None], -torch.inf)


@dataclass(frozen=True)
class Search:
    """How keys are searched.

    Of equally near keys the one that comes first among the keys is nearer, as in FAISS's flat index.

    Args:
        queries_at_once: queries of a block.
        keys_at_once: keys of a block; a block of similarities holds their product in float32.
        precision: `float32` compares exactly. `bfloat16` finds candidates with faster products and compares those in
            float32; a nearest key is missed where more than 32 others lie within the rounding of bfloat16.
        device: where it is computed.

    Examples:
        >>> keys = np.array([[1, 0], [0, 2], [1, 1]], np.float32)
        >>> Search().nearest(np.array([[3, 1]], np.float32), keys, 2).place.tolist()
        [[0, 2]]
    """

    queries_at_once: int = 1024
    keys_at_once: int = 8192
    precision: Literal["float32", "bfloat16"] = "float32"
    device: str = "cpu"

    @property
    def settings(self) -> dict[str, str]:
        """What a record says of a search."""
        return {"similarity": "cosine", "precision": self.precision}

    def nearest(
        self, queries: Vectors, keys: Vectors, k: int = 1, *, barred: Integers | None = None, apart: Groups = ()
    ) -> Nearest:
        """Find the nearest keys.

        A block of keys is brought to length 1 and compared with all queries before the next is read, so nothing of
        the size of the keys is held beside them, and keys may lie in a file.

        Args:
            queries: vectors of any length, shape (n, width).
            keys: vectors of any length, shape (m, width).
            k: keys for each query, at least 1.
            barred: place of one key that a query may not find, such as itself, shape (n,); -1 for none.
            apart: pairs of arrays, the group of each query (n,) and of each key (m,), such as plates; a query does
                not find keys of its own group. -1 is no group.

        Raises:
            ValueError: shapes that do not fit, no key, k below 1, or a vector that is not finite.
        """
        import torch

        bars = Barred(barred, apart)
        _check(queries, keys, k, bars)
        place, similarity = torch.zeros((queries.shape[0], 0), dtype=torch.int64), torch.zeros((queries.shape[0], 0))
        wanted = k if self.precision == "float32" else k + _MORE
        with torch.inference_mode():
            for start in range(0, keys.shape[0], self.keys_at_once):
                place, similarity = self._joined(queries, keys, start, wanted, bars, place, similarity)
            if self.precision == "bfloat16":
                self._compare_again(queries, keys, place, similarity)
        return _padded(place, similarity, k)

    def unit(self, vectors: Vectors, rows: slice | Integers, name: str = "vector") -> torch.Tensor:
        """Give some vectors at length 1, float32, on the device.

        Args:
            vectors: of any length, shape (n, width).
            rows: a slice with a start, or whole numbers.
            name: what a vector is called in messages.

        Raises:
            ValueError: one is not finite.
        """
        import torch

        block = torch.from_numpy(np.array(vectors[rows], np.float32, order="C")).to(self.device)
        length = block.norm(dim=1, keepdim=True)
        if not length.isfinite().all():
            place = int((~length.isfinite()).int().argmax())
            place = place + rows.start if isinstance(rows, slice) else int(rows[place])
            raise ValueError(f"the vector of {name} {place} is not finite")
        return block.div_(length.clamp_(min=1e-12))

    def _joined(
        self,
        queries: Vectors,
        keys: Vectors,
        start: int,
        wanted: int,
        barred: Barred,
        place: torch.Tensor,
        similarity: torch.Tensor,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Join the nearest keys of one block to those of the blocks before it."""
        import torch

        best_of = first_best if self.precision == "float32" else some_best
        held = slice(start, min(start + self.keys_at_once, keys.shape[0]))
        block = _Block.of(self.unit(keys, held, "key"), self.precision)
        room = block.room(min(self.queries_at_once, len(place)))
        kept = min(wanted, held.stop)
        joined = torch.empty((len(place), kept), dtype=torch.int64), torch.empty((len(place), kept))
        for first in range(0, len(place), self.queries_at_once):
            part = slice(first, min(first + self.queries_at_once, len(place)))
            given = self.unit(queries, part, "query")
            scores = block.scores(given, room)
            barred.of(part, held).bar(scores)
            best, where = best_of(scores, min(wanted, scores.shape[1]))
            best = block.similarities(given, best)
            best = torch.cat([similarity[part].to(self.device), best], 1)
            where = torch.cat([place[part].to(self.device), where + start], 1)
            best, chosen = best_of(best, kept)
            joined[0][part], joined[1][part] = where.gather(1, chosen).cpu(), best.cpu()
        return joined

    def _compare_again(self, queries: Vectors, keys: Vectors, place: torch.Tensor, similarity: torch.Tensor) -> None:
        """Put candidates in the order of their cosines in float32; barred ones stay where they were."""
        import torch

        for first in range(0, len(place), _COMPARED_AT_ONCE):
            part = slice(first, min(first + _COMPARED_AT_ONCE, len(place)))
            near = place[part].sort(dim=1)
            held = self.unit(keys, near.values.flatten().numpy()).view(*near.values.shape, -1)
            cosine = torch.einsum("nd,nkd->nk", self.unit(queries, part), held).cpu()
            cosine.masked_fill_(torch.isneginf(similarity[part].gather(1, near.indices)), -torch.inf)
            ordered = cosine.sort(dim=1, descending=True, stable=True)
            place[part], similarity[part] = near.values.gather(1, ordered.indices), ordered.values


@dataclass(frozen=True)
class _Block:
    """Keys that are compared with many queries.

    In bfloat16 they are compared as differences from their mean: embeddings often point much the same way, and what
    they share would use up the digits.
    """

    turned: torch.Tensor
    mean: torch.Tensor | None

    @classmethod
    def of(cls, keys: torch.Tensor, precision: str) -> _Block:
        if precision == "float32":
            return cls(keys.T, None)
        mean = keys.mean(dim=0)
        return cls(keys.sub_(mean).bfloat16().T, mean)

    def room(self, queries: int) -> torch.Tensor:
        """Give room for the scores of so many queries, which is used again: fresh memory costs a tenth of the time."""
        return self.turned.new_empty((queries, self.turned.shape[1]))

    def scores(self, queries: torch.Tensor, room: torch.Tensor) -> torch.Tensor:
        """Compare queries with all keys: cosines, but for what they share in bfloat16."""
        import torch

        return torch.mm(queries.to(self.turned.dtype), self.turned, out=room[: len(queries)])

    def similarities(self, queries: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Make cosines of scores, shape (n, any)."""
        return scores if self.mean is None else scores.float().add_((queries @ self.mean)[:, None])


def _padded(place: torch.Tensor, similarity: torch.Tensor, k: int) -> Nearest:
    found = Nearest(np.full((len(place), k), -1, np.int64), np.full((len(place), k), -np.inf, np.float32))
    kept = min(k, place.shape[1])
    found.place[:, :kept], found.similarity[:, :kept] = place[:, :kept].numpy(), similarity[:, :kept].numpy()
    found.place[np.isneginf(found.similarity)] = -1
    return found


def _check(queries: Vectors, keys: Vectors, k: int, barred: Barred) -> None:
    asked, held = queries.shape, keys.shape
    if len(asked) != 2 or len(held) != 2 or asked[1] != held[1]:
        raise ValueError(f"queries have shape {asked} and keys {held}: both need (number, width)")
    if not held[0]:
        raise ValueError("there is no key to be found")
    if k < 1:
        raise ValueError(f"k is {k}: use a number from 1")
    if barred.key is not None and barred.key.shape != (asked[0],):
        raise ValueError(f"barred has shape {barred.key.shape} for {asked[0]} queries: give one place for each, or -1")
    for one, other in barred.groups:
        if one.shape != (asked[0],) or other.shape != (held[0],):
            raise ValueError(
                f"groups of shapes {one.shape} and {other.shape} for {asked[0]} queries and {held[0]} keys: give one "
                "group for each, or -1"
            )
