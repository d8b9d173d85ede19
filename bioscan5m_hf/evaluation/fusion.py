"""Vectors of several modalities as one: averaged, or side by side."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from .labels import codes_of
from .search import Vectors


Floats = npt.NDArray[np.float32]


def unit(vectors: npt.NDArray[np.floating]) -> Floats:
    """Bring vectors to length 1; a vector of zeros stays.

    Args:
        vectors: shape (n, width).

    Examples:
        >>> unit(np.array([[3.0, 4.0]])).round(1).tolist()
        [[0.6000000238418579, 0.800000011920929]]
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    return (vectors / np.maximum(length, 1e-12)).astype(np.float32)  # type: ignore[no-any-return]


def averaged(modalities: Sequence[npt.NDArray[np.floating]]) -> Floats:
    """Average the vectors that the modalities of a specimen were given, each at length 1; the mean is, too.

    It is the fused query and key of CLIBD (Gong et al. 2025, arXiv 2405.17537).

    Args:
        modalities: for each modality the vectors of the same specimens, all of shape (n, width).

    Raises:
        ValueError: no modality, or shapes that do not fit.

    Examples:
        >>> averaged([np.array([[2.0, 0.0]]), np.array([[0.0, 5.0]])]).round(3).tolist()
        [[0.7070000171661377, 0.7070000171661377]]
    """
    shapes = {vectors.shape for vectors in modalities}
    if len(shapes) != 1:
        raise ValueError(f"vectors of shapes {sorted(shapes)} cannot be averaged: they must be of one shape")
    return unit(np.mean([unit(vectors) for vectors in modalities], axis=0))


def concatenated(modalities: Sequence[npt.NDArray[np.floating]]) -> Floats:
    """Put the vectors of a specimen side by side, each at length 1, so that no modality outweighs another.

    Args:
        modalities: for each modality the vectors of the same specimens, shape (n, its width).

    Raises:
        ValueError: no modality, or different numbers of specimens.

    Examples:
        >>> concatenated([np.array([[2.0, 0.0]]), np.array([[5.0]])]).tolist()
        [[1.0, 0.0, 1.0]]
    """
    sizes = {len(vectors) for vectors in modalities}
    if len(sizes) != 1:
        raise ValueError(f"vectors of {sorted(sizes)} specimens cannot stand side by side: give one of each for all")
    return np.concatenate([unit(vectors) for vectors in modalities], axis=1)


def standardised(vectors: npt.NDArray[np.floating], split: Sequence[str] | None = None) -> Floats:
    """Bring every dimension to mean 0 and variance 1, as the published clustering of image and DNA does.

    There it is done for each modality apart, and for each split apart, before vectors stand side by side.

    Args:
        vectors: of one modality, shape (n, width).
        split: the split of each specimen, shape (n,); None for all at once.

    Examples:
        >>> standardised(np.array([[1.0], [3.0], [7.0]]), ["test", "test", "test_unseen"]).tolist()
        [[-1.0], [1.0], [0.0]]
    """
    done = np.empty(vectors.shape, np.float32)
    codes = np.zeros(len(vectors), np.int64) if split is None else codes_of(split)
    for code in np.unique(codes):
        rows = codes == code
        spread = vectors[rows].std(axis=0)
        done[rows] = (vectors[rows] - vectors[rows].mean(axis=0)) / np.where(spread > 0, spread, 1)
    return done


@dataclass(frozen=True)
class Fused:
    """Vectors of several modalities that are joined where they are read, so that nothing of their size is held.

    Args:
        modalities: vectors of the same specimens, arrays or files, each of shape (n, its width).
        join: `averaged` or `concatenated`.

    Examples:
        >>> both = Fused((np.array([[2.0, 0.0]]), np.array([[0.0, 5.0]])), concatenated)
        >>> both.shape, both[0:1].tolist()
        ((1, 4), [[1.0, 0.0, 0.0, 1.0]])
    """

    modalities: tuple[Vectors, ...]
    join: Callable[[Sequence[npt.NDArray[np.floating]]], Floats]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of specimens and width."""
        return self.modalities[0].shape[0], self[:1].shape[1]

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> Floats:
        return self.join([np.asarray(vectors[rows]) for vectors in self.modalities])


@dataclass(frozen=True)
class Stacked:
    """Vectors one behind the other, such as those of several splits, read where they lie.

    Args:
        parts: arrays or files, each of shape (its number, width).

    Examples:
        >>> both = Stacked((np.array([[1.0], [2.0]]), np.array([[3.0]])))
        >>> both.shape, both[1:3].tolist(), both[np.array([2, 0])].tolist()
        ((3, 1), [[2.0], [3.0]], [[3.0], [1.0]])
    """

    parts: tuple[Vectors, ...]

    @property
    def shape(self) -> tuple[int, int]:
        """Number of vectors and width."""
        return sum(part.shape[0] for part in self.parts), self.parts[0].shape[1]

    def __getitem__(self, rows: slice | npt.NDArray[np.integer]) -> Floats:
        wanted = np.arange(self.shape[0])[rows]
        found = np.empty((len(wanted), self.shape[1]), np.float32)
        start = 0
        for part in self.parts:
            here = np.flatnonzero((wanted >= start) & (wanted < start + part.shape[0]))
            if len(here):
                found[here] = part[wanted[here] - start]
            start += part.shape[0]
        return found
