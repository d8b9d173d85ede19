"""Statistics of the whole release beside what is published about it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ...splits import OFFICIAL_SPECIMENS, SPLITS
from ..published import ATTRIBUTES, COUNTRIES, DIVERSITY, ORDERS
from .result import Statistics


def published_differences(statistics: Statistics) -> list[str] | None:
    """Tell where the statistics of BIOSCAN-5M are not those that are published.

    Ratios are published as integers, means and deviations rounded or cut off, and Shannon's index with two decimals:
    a number that gives the published one in either way is the same.

    Args:
        statistics: of a dataset.

    Returns:
        A line for each number that differs; None where it is not the whole release, by the number of its specimens, or
        where everything in it is invented.

    Examples:
        >>> published_differences(Statistics({"name": "made", "specimens": 3, "invented": None}, {})) is None
        True
    """
    if statistics.dataset["specimens"] != OFFICIAL_SPECIMENS or statistics.dataset.get("invented"):
        return None
    return [
        f"{what}: {_said(found)} here, {_said(expected)} published"
        for what, found, expected in _compared(statistics)
        if not _same(found, expected)
    ]


def _compared(statistics: Statistics) -> Iterator[tuple[str, Any, Any]]:
    """Give what is compared, what was found, and what is published."""
    attributes = {row["attribute"]: row for row in statistics["attributes"]}
    for name, attribute in ATTRIBUTES.items():
        for column, expected in attribute._asdict().items():
            yield f"{name}, {column}", attributes.get(name, {}).get(column), expected
    splits = {row["split"]: row for row in statistics["splits"]}
    for split in SPLITS:
        for column in ("specimens", "barcodes", "species"):
            found = splits.get(split.name, {}).get(column)
            yield f"split {split.name}, {column}", found, getattr(split, column) or 0
    diversity = {row["rank"]: row for row in statistics["diversity"]}
    for rank, line in DIVERSITY.items():
        for column, expected in line._asdict().items():
            if expected is not None:
                yield f"diversity of {rank}, {column}", diversity.get(rank, {}).get(column), expected
    orders = {(row["class"], row["order"]): row["specimens"] for row in statistics["orders"]}
    for name, inside in ORDERS.items():
        for order, expected in inside.items():
            yield f"order {order} of {name}", orders.get((name, order)), expected
    countries = {row["country"]: row["specimens"] for row in statistics["countries"]}
    for country, expected in COUNTRIES.items():
        yield f"country {country}", countries.get(country), expected


def _same(found: int | float | None, expected: int | float) -> bool:
    if found is None:
        return False
    digits = 2 if isinstance(expected, float) else 0
    scaled, wanted = found * 10**digits, round(expected * 10**digits)
    return wanted in (int(scaled + 1e-9), round(scaled))


def _said(number: float | None) -> str:
    return "unknown" if number is None else f"{number:,.2f}".removesuffix(".00")
