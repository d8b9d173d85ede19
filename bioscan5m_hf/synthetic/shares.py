"""How many: specimens in each split, species in each pool, rows dealt by weight."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from ..splits import OFFICIAL_SPECIMENS, SPLITS
from .orders import MAJOR, ORDERS


MINIMUM = 100
"""Fewest specimens of a release: all eight splits and all major orders find room."""
_SMALL = 20_000


def deal(total: int, weights: npt.ArrayLike, *, least: int = 0) -> npt.NDArray[np.int64]:
    """Deal a total out by weight, in whole numbers (largest remainders).

    Args:
        total: what is dealt out.
        weights: at least one, none negative, not all 0.
        least: what each gets at least, as far as the total goes (heavier ones first).

    Examples:
        >>> deal(10, [6, 3, 1]).tolist(), deal(10, [60, 1, 1], least=2).tolist()
        ([6, 3, 1], [6, 2, 2])
    """
    weight = np.asarray(weights, dtype=np.float64)
    dealt = np.zeros(weight.size, np.int64)
    if total < least * weight.size:
        dealt[np.argsort(-weight, kind="stable")[: total // least]] = least
        dealt[np.argmax(weight)] += total - dealt.sum()
        return dealt
    exact = (total - least * weight.size) * weight / weight.sum()
    dealt[:] = np.floor(exact)
    rest = round(float(exact.sum())) - int(dealt.sum())
    dealt[np.argsort(dealt - exact, kind="stable")[:rest]] += 1
    return dealt + least


def split_sizes(specimens: int) -> dict[str, int]:
    """Give the number of specimens in each split.

    The official shares are raised to a power and renormalised: to 1/2 up to 20,000 specimens (59 % pretrain
    instead of 91 %, so that small splits are not empty), rising with the logarithm of the size to 1 at the
    official 5,150,850, where the official numbers come out.

    Args:
        specimens: size of the release, at least `MINIMUM`.

    Raises:
        ValueError: there are too few specimens.

    Examples:
        >>> split_sizes(2000)["pretrain"], split_sizes(5_150_850)["val"]
        (1171, 14757)
    """
    if specimens < MINIMUM:
        raise ValueError(f"too few specimens: {specimens}; an invented release needs at least {MINIMUM}")
    grown = math.log(max(specimens, _SMALL) / _SMALL) / math.log(OFFICIAL_SPECIMENS / _SMALL)
    weights = [split.specimens ** (0.5 + 0.5 * min(1.0, grown)) for split in SPLITS]
    least = 2 if specimens < _SMALL else 0
    return dict(zip((split.name for split in SPLITS), deal(specimens, weights, least=least).tolist(), strict=True))


def by_order(total: int, shares: Mapping[str, float] | None = None) -> npt.NDArray[np.int64]:
    """Deal specimens or species out to the 55 orders.

    Args:
        total: what is dealt out.
        shares: share of each order that has one; None for the shares of BIOSCAN-5M, with one for each major order.

    Examples:
        >>> [int(by_order(1000)[i]) for i in (0, 1, 2)]
        [708, 111, 52]
    """
    if shares is not None:
        return deal(total, [shares.get(order.name, 0.0) for order in ORDERS])
    present = np.array([order.name in MAJOR for order in ORDERS], np.int64)
    if total < present.sum():
        return deal(total, [order.records for order in ORDERS])
    return present + deal(total - int(present.sum()), [order.records for order in ORDERS])


def species_of(rows: int, power: float) -> int:
    """Give the number of species among a number of rows.

    Args:
        rows: number of specimens.
        power: fitted to the published counts, such as 11,846 species of 289,203 specimens: 0.745.

    Examples:
        >>> species_of(289_203, 0.745)
        11711
    """
    return max(1, round(math.pow(rows, power)))
