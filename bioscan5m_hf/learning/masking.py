"""Chance that is a function: each draw depends on (seed, purpose, epoch, row, position) and on nothing else.

Masks, frame offsets and crops are hashes of counters (Salmon et al. 2011, "Parallel random numbers: as easy as
1, 2, 3"), so a row is treated alike in whatever batch, process or resumed run it appears.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt


Bits = npt.NDArray[np.uint64]
Integers = npt.NDArray[np.int64]
Truths = npt.NDArray[np.bool_]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
"""Constants of SplitMix64 (Steele, Lea and Flood 2014, doi:10.1145/2660193.2660195; variant 13 of Stafford)."""

ORDER, BATCHES, OFFSET, CROP_LENGTH, CROP_START, MASK, REPLACEMENT, RANDOM_KMER, PROFILE = range(9)
"""Purposes: two of them never share a draw."""


def mix(counters: npt.ArrayLike) -> Bits:
    """Hash 64-bit counters with the finaliser of SplitMix64, in which every bit reaches every other.

    Args:
        counters: uint64 of any shape.

    Returns:
        uint64 of the same shape.

    Examples:
        >>> [hex(int(bits)) for bits in mix(np.array([0x9E3779B97F4A7C15], np.uint64))]  # the generator's first from 0
        ['0xe220a8397b1dcdaf']
    """
    bits = np.array(counters, np.uint64)
    with np.errstate(over="ignore"):
        bits ^= bits >> np.uint64(30)
        bits *= _FIRST
        bits ^= bits >> np.uint64(27)
        bits *= _SECOND
        bits ^= bits >> np.uint64(31)
    return bits


def draw(seed: int, purpose: int, *counters: int | npt.NDArray[np.integer]) -> Bits:
    """Draw 64 random bits for each combination of counters.

    Args:
        seed: the run's seed.
        purpose: one of the constants above.
        counters: whole numbers from 0, or arrays of them that broadcast: epoch, rows, positions.

    Returns:
        uint64, of the broadcast shape.

    Examples:
        >>> rows = np.arange(5)
        >>> bool((draw(0, MASK, 1, rows)[3] == draw(0, MASK, 1, 3)).all())
        True
        >>> draw(0, MASK, 1, rows[:, None], np.arange(7)).shape
        (5, 7)
    """
    key = mix(np.uint64(seed))
    with np.errstate(over="ignore"):
        for counter in (purpose, *counters):
            key = mix(key + _GOLDEN * (np.asarray(counter).astype(np.uint64) + np.uint64(1)))
    return key


def uniform(bits: Bits) -> npt.NDArray[np.float64]:
    """Turn bits into numbers in [0, 1), multiples of 2⁻⁵³.

    Examples:
        >>> uniform(np.array([0, 2**63], np.uint64)).tolist()
        [0.0, 0.5]
    """
    return (bits >> np.uint64(11)).astype(np.float64) * 2.0**-53


def below(bits: Bits, bounds: int | npt.NDArray[np.integer]) -> Integers:
    """Turn bits into whole numbers from 0 to below a bound (Lemire 2019: no division, bias under bound / 2³²).

    Args:
        bits: any shape.
        bounds: at least 1, below 2³²; broadcasts.

    Examples:
        >>> below(np.array([0, 2**63, 2**64 - 1], np.uint64), 4).tolist()
        [0, 2, 3]
    """
    return ((bits >> np.uint64(32)) * np.asarray(bounds).astype(np.uint64) >> np.uint64(32)).astype(np.int64)


class Windows(NamedTuple):
    """Which part of each barcode is read.

    Args:
        starts: first base, shape (n,).
        tokens: number of k-mers, shape (n,).
    """

    starts: Integers
    tokens: Integers


@dataclass(frozen=True)
class Framing:
    """How the part of a barcode that is read is chosen.

    Args:
        k: bases of a k-mer.
        random_offset: leave out 0 … k-1 leading bases at random, so that the model sees every reading frame.
        crop: least and greatest number of bases of a piece cut out of each barcode at random, or None.
        max_nucleotides: bases read at most, after the offset (660 as in the original).

    Examples:
        >>> Framing(4, random_offset=False).windows(0, 0, np.arange(2), np.array([658, 10]))
        Windows(starts=array([0, 0]), tokens=array([164,   2]))
    """

    k: int
    random_offset: bool = True
    crop: tuple[int, int] | None = None
    max_nucleotides: int = 660

    def windows(self, seed: int, epoch: int, rows: Integers, lengths: Integers) -> Windows:
        """Choose for some rows.

        Args:
            seed: the run's seed.
            epoch: from 0.
            rows: shape (n,).
            lengths: their bases, shape (n,).
        """
        starts, bases = np.zeros(len(rows), np.int64), lengths.astype(np.int64)
        if self.crop is not None:
            low, high = self.crop
            wanted = low + below(draw(seed, CROP_LENGTH, epoch, rows), high - low + 1)
            kept = np.minimum(wanted, bases)
            starts += below(draw(seed, CROP_START, epoch, rows), bases - kept + 1)
            bases = kept
        if self.random_offset:
            offsets = below(draw(seed, OFFSET, epoch, rows), self.k)
            starts, bases = starts + offsets, np.maximum(bases - offsets, 0)
        return Windows(starts, np.minimum(bases, self.max_nucleotides) // self.k)


@dataclass(frozen=True)
class Masking:
    """How k-mers are hidden.

    Args:
        ratio: share of the k-mers to be predicted.
        replacements: of these, the shares that become `[MASK]`, become a random k-mer, and stay as they are.
        exact: hide exactly round(ratio × tokens) of each row, as far as it has that many k-mers without unknown
            bases; otherwise each k-mer is hidden with the probability `ratio`, as in the original.

    Examples:
        >>> known = np.ones((1, 10), bool)
        >>> Masking(0.5, exact=True).choose(0, 0, np.array([7]), known, np.array([10])).sum()
        np.int64(5)
    """

    ratio: float = 0.5
    replacements: tuple[float, float, float] = (1.0, 0.0, 0.0)
    exact: bool = False

    def choose(self, seed: int, epoch: int, rows: Integers, known: Truths, tokens: Integers) -> Truths:
        """Choose the positions to be predicted, shape (n, length).

        Args:
            seed: the run's seed.
            epoch: from 0.
            rows: shape (n,).
            known: where a k-mer stands that has an id of its own, shape (n, length).
            tokens: number of tokens of each row, shape (n,).
        """
        bits = draw(seed, MASK, epoch, rows[:, None], np.arange(known.shape[1]))
        if not self.exact:
            return known & (bits < np.uint64(min(int(self.ratio * 2.0**64), 2**64 - 1)))
        bits[~known] = np.iinfo(np.uint64).max
        wanted = np.rint(self.ratio * tokens).astype(np.int64)
        if not bits.size:
            return known
        last = np.take_along_axis(np.sort(bits, axis=1), np.maximum(wanted - 1, 0)[:, None], axis=1)
        chosen: Truths = known & (bits <= last) & (wanted > 0)[:, None]
        return chosen

    def replace(
        self, seed: int, epoch: int, rows: Integers, ids: Integers, chosen: Truths, mask: int, kmers: tuple[int, int]
    ) -> Integers:
        """Give the ids with the chosen positions hidden, shape (n, length).

        Args:
            seed: the run's seed.
            epoch: from 0.
            rows: shape (n,).
            ids: shape (n, length).
            chosen: positions to be predicted, shape (n, length).
            mask: id of `[MASK]`.
            kmers: first id of a k-mer, and one past the last.
        """
        masked, random, _ = self.replacements
        if masked == 1.0:
            return np.where(chosen, mask, ids)
        places = np.arange(ids.shape[1])
        chance = uniform(draw(seed, REPLACEMENT, epoch, rows[:, None], places))
        others = kmers[0] + below(draw(seed, RANDOM_KMER, epoch, rows[:, None], places), kmers[1] - kmers[0])
        hidden = np.where(chosen & (chance < masked), mask, ids)
        return np.where(chosen & (chance >= masked) & (chance < masked + random), others, hidden)
