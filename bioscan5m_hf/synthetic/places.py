"""Collection sites: the countries of BIOSCAN-5M with their real shares, and invented provinces and sites in them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from ..data import published
from .names import Namer


_MIDDLES = (
    ("Costa Rica", 10.0, -84.1, 0.9),
    ("South Africa", -28.5, 25.5, 4.5),
    ("United States", 39.5, -98.5, 8.0),
    ("Thailand", 15.5, 101.0, 2.5),
    ("Pakistan", 31.5, 71.5, 3.0),
    ("Canada", 51.5, -100.0, 6.0),
    ("Tanzania", -5.5, 35.0, 2.8),
    ("Ecuador", -1.2, -78.5, 1.2),
    ("Australia", -26.0, 134.0, 8.0),
    ("Suriname", 4.3, -55.9, 0.9),
    ("Norway", 62.0, 9.5, 2.5),
    ("Mexico", 21.0, -101.0, 3.0),
    ("Ghana", 7.8, -1.1, 1.6),
    ("Colombia", 4.4, -73.3, 2.6),
    ("Sweden", 61.0, 15.5, 2.5),
    ("Lebanon", 33.9, 35.9, 0.3),
    ("Peru", -10.5, -75.0, 2.8),
    ("Portugal", 39.7, -8.0, 1.0),
    ("Philippines", 12.5, 122.5, 2.5),
    ("Argentina", -33.0, -65.0, 5.0),
    ("Finland", 63.0, 26.5, 2.5),
    ("Egypt", 27.0, 30.5, 2.2),
    ("Vietnam", 16.0, 107.5, 2.5),
    ("Bangladesh", 23.8, 90.3, 1.1),
    ("New Zealand", -41.5, 173.0, 2.2),
    ("Mozambique", -17.5, 35.5, 3.0),
    ("Gabon", -0.7, 11.7, 1.2),
    ("Germany", 50.8, 10.3, 1.8),
    ("Montenegro", 42.7, 19.2, 0.3),
    ("Namibia", -22.0, 17.0, 2.5),
    ("Georgia", 42.0, 43.5, 0.6),
    ("Brazil", -12.0, -51.0, 6.0),
    ("Madagascar", -19.0, 46.8, 2.2),
    ("Austria", 47.5, 14.0, 0.7),
    ("Italy", 43.0, 12.3, 1.6),
    ("Czech Republic", 49.8, 15.5, 0.6),
    ("Albania", 41.0, 20.1, 0.5),
    ("United Kingdom", 52.8, -1.6, 1.5),
    ("Russia", 57.0, 50.0, 5.0),
    ("Antigua and Barbuda", 17.1, -61.8, 0.05),
    ("Sao Tome and Principe", 0.2, 6.6, 0.08),
    ("Spain", 40.2, -3.6, 1.8),
    ("Chile", -35.0, -71.2, 3.5),
    ("France", 46.6, 2.4, 2.0),
    ("Cameroon", 5.7, 12.6, 1.8),
    ("Bulgaria", 42.7, 25.3, 0.7),
    ("Japan", 36.2, 138.3, 1.5),
)
"""Country, middle latitude and longitude, and spread in degrees."""

COUNTRIES = tuple((name, published.COUNTRIES[name], *middle) for name, *middle in _MIDDLES)
"""Country, records in BIOSCAN-5M, middle latitude and longitude, and spread in degrees."""


@dataclass(frozen=True)
class Sites:
    """Collection sites, one entry each in every field; `first[c]:first[c + 1]` are those of country `c`."""

    code: list[str]
    country: npt.NDArray[np.int16]
    province: list[str | None]
    latitude: npt.NDArray[np.float64]
    longitude: npt.NDArray[np.float64]
    first: npt.NDArray[np.int64]


def make_sites(count: int, *, namer: Namer, chance: np.random.Generator) -> Sites:
    """Invent collection sites, at least one in each country; about one in twenty has no province.

    Args:
        count: rough number of sites.
        namer: gives the provinces' names.
        chance: random number generator.

    Examples:
        >>> from random import Random
        >>> sites = make_sites(100, namer=Namer(Random(0)), chance=np.random.default_rng(0))
        >>> len(sites.first) - 1, sites.code[0], bool(abs(sites.latitude).max() < 90)
        (47, 'INVAA', True)
    """
    share = country_shares()
    per_country = np.maximum(1, np.round(count * share**0.6 / (share**0.6).sum())).astype(int)
    country = np.repeat(np.arange(len(COUNTRIES), dtype=np.int16), per_country)
    middle = np.array([place[2:] for place in COUNTRIES])[country]
    offset = np.clip(chance.normal(0, 0.5, (len(country), 2)), -1, 1) * middle[:, 2:]
    provinces = [[namer.province() for _ in range(1 + many // 4)] for many in per_country]
    missing = chance.random(len(country)) < 0.05
    pick = chance.random(len(country))
    province = [
        None if lost else provinces[where][int(p * len(provinces[where]))]
        for where, lost, p in zip(country, missing, pick, strict=True)
    ]
    return Sites(
        code=["INV" + chr(65 + index // 26) + chr(65 + index % 26) for index in range(len(country))],
        country=country,
        province=province,
        latitude=np.round(middle[:, 0] + offset[:, 0], 3),
        longitude=np.round(middle[:, 1] + offset[:, 1], 3),
        first=np.concatenate([[0], np.cumsum(per_country)]),
    )


def country_shares() -> npt.NDArray[np.float64]:
    """Give each country's share of the records.

    Examples:
        >>> round(float(country_shares()[0]), 3)
        0.632
    """
    records = np.array([place[1] for place in COUNTRIES], dtype=np.float64)
    shares: npt.NDArray[np.float64] = records / records.sum()
    return shares
