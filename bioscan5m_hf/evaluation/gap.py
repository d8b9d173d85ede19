"""Vectors of several modalities compared in one search that allows for the gap between the modalities.

In a contrastive space photographs and barcodes lie in different cones (Liang et al. 2022, arXiv 2203.02053): whatever
it shows, a photograph is nearer to photographs than to barcodes. So each modality is brought to mean 0 first.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from .fusion import unit
from .search import Groups, Nearest, Search, Vectors
from .sides import UNFUSED


Floats = npt.NDArray[np.float32]

KINDS = ("image", "dna", "image+dna")
"""What a query may have."""

ARROW = "→"
_AT_ONCE = 8192


@dataclass(frozen=True)
class Gap:
    """How queries and keys with photographs, barcodes or both are compared.

    The cosine of a query's modality a with a key's modality b is taken after the centres of a and b have been
    subtracted, and counts with the weight w of `a→b`. The score of a key is the sum of w·cosine over the pairs of
    which the key has b, divided by √(sum of w²) over the same pairs: so many unrelated cosines together spread as
    widely as one, and a key that lacks a modality is found neither more often by chance nor less (Stouffer's rule for
    adding up evidence). It is scaled so that a key that lacks nothing has the weighted mean of its cosines; one with
    one of two modalities of equal weight reaches 0.71.

    Args:
        centres: modality → mean of the keys' vectors at length 1, shape (width,); without one, nothing is subtracted.
        weights: what the query has (`image`, `dna`, `image+dna`) → `a→b` → weight, not negative.
        uncentred: of `weights`, where nothing is subtracted.

    Raises:
        ValueError: an unknown modality, a pair that a query has not, a negative weight, or none above 0.

    Examples:
        >>> gap = Gap({}, {"dna": {"dna→dna": 1.0}})
        >>> gap.nearest("dna", {"dna": np.array([[2.0, 0]])}, {"dna": np.array([[0, 1.0], [3, 0]])}).place.tolist()
        [[1]]
    """

    centres: Mapping[str, Floats]
    weights: Mapping[str, Mapping[str, float]]
    uncentred: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        for kind, pairs in self.weights.items():
            for pair, weight in pairs.items():
                asked, _, held = pair.partition(ARROW)
                if asked not in kind.split("+") or held not in UNFUSED:
                    raise ValueError(f"{pair!r} is no pair of {kind!r}: write such as 'image{ARROW}dna', asked first")
                if not 0 <= weight < float("inf"):
                    raise ValueError(f"the weight of {pair} is {weight}: use 0 or more")
            if not any(pairs.values()):
                raise ValueError(f"all weights of {kind!r} are 0: nothing would be compared")

    def held(self, kind: str) -> tuple[str, ...]:
        """List the modalities of keys that a kind of query is compared with.

        Raises:
            ValueError: there are no weights of this kind.

        Examples:
            >>> Gap({}, {"image": {"image→image": 1.0, "image→dna": 0.0}}).held("image")
            ('image',)
        """
        if kind not in self.weights:
            raise ValueError(f"there are no weights of queries with {kind!r}, only with {', '.join(self.weights)}")
        pairs = self.weights[kind]
        return tuple(name for name in UNFUSED if any(pairs.get(f"{one}{ARROW}{name}") for one in kind.split("+")))

    def keys(self, kind: str, vectors: Mapping[str, Vectors]) -> Blocks:
        """Give keys as they are searched, made where they are read; of two, both may lie in files.

        Args:
            kind: what queries have.
            vectors: modality → vectors of the same specimens, shape (m, width), zeros where a specimen lacks it.

        Raises:
            ValueError: the keys have none of the modalities, or different numbers of them.
        """
        there = {name: vectors[name] for name in self.held(kind) if name in vectors}
        if not there:
            raise ValueError(f"the keys have {', '.join(vectors)}, and {kind!r} is compared with {self.held(kind)}")
        sizes = {each.shape for each in there.values()}
        if len(sizes) > 1:
            raise ValueError(f"keys of shapes {sorted(sizes)}: all modalities need one vector for each specimen")
        return Blocks(there, {name: self._centre(kind, name) for name in there}, self._spread(kind))

    def queries(self, kind: str, vectors: Mapping[str, Vectors], held: Sequence[str] | None = None) -> Floats:
        """Give queries that fit the keys.

        Args:
            kind: what they have.
            vectors: modality → vectors of the same specimens, shape (n, width).
            held: modalities of the keys, by default all that have a weight.

        Returns:
            Shape (n, width · modalities of the keys).
        """
        asked = {
            name: centred(np.asarray(vectors[name][:], np.float32), self._centre(kind, name))
            for name in kind.split("+")
        }
        pairs, spread = self.weights[kind], self._spread(kind)
        blocks = []
        for name in self.held(kind) if held is None else held:
            terms = [pairs.get(f"{one}{ARROW}{name}", 0.0) / spread[name] * each for one, each in asked.items()]
            blocks.append(np.sum(terms, axis=0, dtype=np.float32))
        return np.concatenate(blocks, axis=1)

    def nearest(
        self,
        kind: str,
        queries: Mapping[str, Vectors],
        keys: Mapping[str, Vectors],
        k: int = 1,
        search: Search | None = None,
        *,
        apart: Groups = (),
    ) -> Nearest:
        """Find the keys with the highest scores.

        A key that has nothing a query is compared with has the score 0; bar it by `apart` where there are such.

        Args:
            kind: what the queries have.
            queries: modality → vectors, shape (n, width); those of `kind` are read.
            keys: modality → vectors, shape (m, width), zeros where a specimen lacks it.
            k: keys for each query.
            search: sizes of blocks, precision and device.
            apart: as in `Search.nearest`.

        Returns:
            Places, and scores in place of cosines.
        """
        held = self.keys(kind, keys)
        asked = self.queries(kind, queries, tuple(held.vectors))
        found = (search or Search()).nearest(asked, held, k, apart=apart)
        scale = np.linalg.norm(asked, axis=1, keepdims=True) * self._scale(kind)
        return Nearest(found.place, np.asarray(found.similarity * scale, np.float32))

    def to_dict(self) -> dict[str, Any]:
        """Give what JSON can hold; `from_dict` gives the same back.

        Examples:
            >>> gap = Gap({"dna": np.array([0.5, 0.1], np.float32)}, {"dna": {"dna→dna": 1.0}})
            >>> bool((Gap.from_dict(gap.to_dict()).centres["dna"] == gap.centres["dna"]).all())
            True
        """
        return {
            "centres": {name: [float(number) for number in centre] for name, centre in self.centres.items()},
            "weights": {kind: dict(pairs) for kind, pairs in self.weights.items()},
            "uncentred": sorted(self.uncentred),
        }

    @classmethod
    def from_dict(cls, given: Mapping[str, Any]) -> Gap:
        """Read what `to_dict` gave."""
        centres = {name: np.asarray(centre, np.float32) for name, centre in given["centres"].items()}
        return cls(centres, given["weights"], frozenset(given.get("uncentred", ())))

    def _centre(self, kind: str, modality: str) -> Floats | None:
        return None if kind in self.uncentred else self.centres.get(modality)

    def _spread(self, kind: str) -> dict[str, float]:
        """Give, for each modality of the keys, √(sum of w²): how widely its part of an unrelated score spreads."""
        pairs = self.weights[kind]
        return {
            name: float(np.linalg.norm([pairs.get(f"{one}{ARROW}{name}", 0.0) for one in kind.split("+")]))
            for name in self.held(kind)
        }

    def _scale(self, kind: str) -> float:
        weights = np.array(list(self.weights[kind].values()))
        return float(np.linalg.norm(weights) / weights.sum())


@dataclass(frozen=True)
class Blocks:
    """Keys with their modalities side by side, centred and weighed where they are read.

    Args:
        vectors: modality → vectors of the same specimens, arrays or files, shape (m, width).
        centres: modality → what is subtracted, or None.
        spread: modality → length of its block.
    """

    vectors: Mapping[str, Vectors]
    centres: Mapping[str, Floats | None]
    spread: Mapping[str, float]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of keys and width of all blocks."""
        sizes = [each.shape for each in self.vectors.values()]
        return sizes[0][0], sum(size[1] for size in sizes)

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> Floats:
        blocks = [
            self.spread[name] * centred(np.asarray(each[rows], np.float32), self.centres[name])
            for name, each in self.vectors.items()
        ]
        return np.concatenate(blocks, axis=1, dtype=np.float32)


def centred(vectors: npt.NDArray[np.floating], centre: Floats | None) -> Floats:
    """Bring vectors to length 1, subtract a centre, and bring them to length 1 again; a vector of zeros stays.

    Args:
        vectors: shape (n, width).
        centre: shape (width,); None subtracts nothing.

    Examples:
        >>> centred(np.array([[2.0, 2.0], [0, 0]]), np.array([0.7071, 0.0], np.float32)).round(2).tolist()
        [[0.0, 1.0], [0.0, 0.0]]
    """
    plain = unit(vectors)
    if centre is None:
        return plain
    there = plain.any(axis=1, keepdims=True)
    return unit(np.where(there, plain - centre, 0))


def centre_of(vectors: Vectors) -> Floats | None:
    """Average vectors at length 1, read in blocks; those of zeros do not count.

    Args:
        vectors: shape (n, width).

    Returns:
        Shape (width,); None where there is none.

    Examples:
        >>> centre_of(np.array([[2.0, 0], [0, 5.0], [0, 0]])).tolist()
        [0.5, 0.5]
    """
    total, count = np.zeros(vectors.shape[1]), 0
    for start in range(0, vectors.shape[0], _AT_ONCE):
        block = unit(np.asarray(vectors[start : start + _AT_ONCE], np.float32))
        total += block.sum(axis=0, dtype=np.float64)
        count += int(block.any(axis=1).sum())
    return (total / count).astype(np.float32) if count else None


def centres_of(vectors: Mapping[str, Vectors]) -> dict[str, Floats]:
    """Give the centre of each modality that has any vector.

    Args:
        vectors: modality → vectors, shape (n, width).
    """
    found = {name: centre_of(each) for name, each in vectors.items()}
    return {name: centre for name, centre in found.items() if centre is not None}


def present(vectors: Vectors) -> npt.NDArray[np.bool_]:
    """Tell which specimens have a vector, read in blocks.

    Args:
        vectors: shape (n, width), zeros where a specimen has none.

    Examples:
        >>> present(np.array([[2.0, 0], [0, 0]])).tolist()
        [True, False]
    """
    starts = range(0, vectors.shape[0], _AT_ONCE)
    return np.concatenate([np.asarray(vectors[start : start + _AT_ONCE]).any(axis=1) for start in starts])
