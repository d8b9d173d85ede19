"""Where keys were found: what that says of a name is told or weighed, and removes no key.

That a library has no specimen of a species from a place does not say that the species is absent there.
"""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .index import Index, column_of
from .specimens import COUNTRY, LATITUDE, LONGITUDE


EARTH = 6371.0088
"""Mean radius of the earth in km (IUGG; Moritz 2000, doi:10.1007/s001900050278)."""

ELSEWHERE = 0.5
"""What the vote of a key counts that is known to be from another country, or from farther away than asked."""

FAR = 1000.0
"""From so many km on a key is far away, where nothing else is asked."""


class Placing(StrEnum):
    """What is done about places."""

    FLAG = "flag"
    WEIGH = "weigh"


@dataclass(frozen=True)
class Place:
    """Where specimens come from, where that is asked for all of them.

    Args:
        country: of the specimens.
        latitude: in degrees, WGS84.
        longitude: in degrees, WGS84.
        far: distance in km from which on a key is far away.

    Raises:
        ValueError: no such place.
    """

    country: str | None = None
    latitude: float | None = None
    longitude: float | None = None
    far: float = FAR

    def __post_init__(self) -> None:
        for value, limit in ((self.latitude, 90), (self.longitude, 180)):
            if value is not None and not abs(value) <= limit:
                raise ValueError(f"{value} degrees: latitudes reach from -90 to 90, longitudes from -180 to 180")
        if not self.far > 0:
            raise ValueError(f"a distance of {self.far} km: use a number above 0")


def parse_near(text: str) -> tuple[float, float, float]:
    """Read `LAT,LON` or `LAT,LON,KM`.

    Raises:
        ValueError: it is not of this form.

    Examples:
        >>> parse_near("10.3,-84.1,250")
        (10.3, -84.1, 250.0)
    """
    try:
        numbers = [float(part) for part in text.split(",")]
    except ValueError:
        numbers = []
    if len(numbers) not in (2, 3):
        raise ValueError(f"near {text!r}: write latitude,longitude in degrees, and if need be ,km: 10.3,-84.1,250")
    return numbers[0], numbers[1], numbers[2] if len(numbers) == 3 else FAR


def kilometres(
    latitude: NDArray[np.floating] | float,
    longitude: NDArray[np.floating] | float,
    to_latitude: NDArray[np.floating] | float,
    to_longitude: NDArray[np.floating] | float,
) -> NDArray[np.float64]:
    """Give great-circle distances in km by the haversine formula (Sinnott 1984, Sky and Telescope 68:159).

    Args:
        latitude: in degrees, any shape; NaN where not known.
        longitude: in degrees.
        to_latitude: in degrees, of a shape that fits.
        to_longitude: in degrees.

    Examples:
        >>> kilometres(0.0, 0.0, 0.0, 180.0).round().tolist()
        20015.0
    """
    one, other = np.radians(latitude), np.radians(to_latitude)
    across, along = other - one, np.radians(to_longitude) - np.radians(longitude)
    half = np.sin(across / 2) ** 2 + np.cos(one) * np.cos(other) * np.sin(along / 2) ** 2
    return np.asarray(2 * EARTH * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


@dataclass(frozen=True)
class Sites:
    """Where the keys of an index were found.

    Args:
        countries: all that occur.
        country: number of each key's country, -1 where not known; shape (m,).
        latitude: of each key, NaN where not known; shape (m,).
        longitude: likewise.
    """

    countries: tuple[str, ...]
    country: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]

    @classmethod
    def of(cls, index: Index) -> Sites:
        """Read where keys were found."""
        names = column_of(index.table, COUNTRY).dictionary_encode()
        codes = np.asarray(names.indices.fill_null(-1)).astype(np.int64)
        degrees = (np.asarray(pc.fill_null(column_of(index.table, one), np.nan)) for one in (LATITUDE, LONGITUDE))
        return cls(tuple(names.dictionary.to_pylist()), codes, *degrees)

    def codes(self, countries: pa.Array) -> NDArray[np.int64]:
        """Number the countries of specimens as the keys' are; -1 where not known, -2 where no key is from there."""
        found = pc.index_in(countries, value_set=pa.array(self.countries, pa.string()))
        return np.where(countries.is_null(), -1, np.asarray(pc.fill_null(found, -2))).astype(np.int64)

    def distances(
        self, latitude: NDArray[np.float64], longitude: NDArray[np.float64], places: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Give the distance of specimens and keys in km.

        Args:
            latitude: of the specimens, shape (n,).
            longitude: likewise.
            places: keys of each specimen, shape (n, k); -1 for none.

        Returns:
            Shape (n, k), NaN where one of the two places is not known.
        """
        there = (
            np.where(places >= 0, self.latitude[places], np.nan),
            np.where(places >= 0, self.longitude[places], np.nan),
        )
        return kilometres(latitude[:, None], longitude[:, None], *there)


@dataclass(frozen=True)
class Origins:
    """Where specimens of a batch come from.

    Args:
        country: number among `Sites.countries`, -1 where not known, -2 for another one; shape (n,).
        latitude: shape (n,), NaN where not known.
        longitude: shape (n,), NaN where not known.
    """

    country: NDArray[np.int64]
    latitude: NDArray[np.float64]
    longitude: NDArray[np.float64]

    @classmethod
    def of(cls, table: pa.Table, sites: Sites, place: Place) -> Origins:
        """Take what each specimen says of itself, and else what was said for all."""
        asked: dict[str, object] = {COUNTRY: place.country, LATITUDE: place.latitude, LONGITUDE: place.longitude}
        columns = {}
        for name, value in asked.items():
            column = column_of(table, name)
            columns[name] = column if value is None else pc.fill_null(column, pa.scalar(value, column.type))
        degrees = (np.asarray(pc.fill_null(columns[name], np.nan)) for name in (LATITUDE, LONGITUDE))
        return cls(sites.codes(columns[COUNTRY]), *degrees)

    def take(self, rows: NDArray[np.intp]) -> Origins:
        """Give some of them."""
        return Origins(self.country[rows], self.latitude[rows], self.longitude[rows])

    def factors(self, sites: Sites, places: NDArray[np.int64], far: float) -> NDArray[np.float64]:
        """Give what votes are multiplied by: `ELSEWHERE` for another country, and again for a far key; else 1.

        Args:
            sites: of the keys.
            places: keys of each specimen, shape (n, k); -1 for none.
            far: km from which on a key is far away.
        """
        other = np.where(places >= 0, sites.country[places], -1)
        abroad = (self.country[:, None] != -1) & (other >= 0) & (other != self.country[:, None])
        distant = sites.distances(self.latitude, self.longitude, places) > far
        return np.where(abroad, ELSEWHERE, 1.0) * np.where(distant, ELSEWHERE, 1.0)


def place_notes(sites: Sites, place: Place, placing: Placing) -> list[str]:
    """Say what a user should know of the places that were given.

    Args:
        sites: of the keys.
        place: where specimens come from.
        placing: what is done about it.
    """
    said = []
    if place.country is not None and place.country not in sites.countries:
        near = difflib.get_close_matches(place.country, sites.countries, n=3, cutoff=0.5)
        same = [name for name in sites.countries if name.casefold() == place.country.casefold()]
        hint = f"; did you mean {' or '.join(same or near)}?" if same or near else ""
        said.append(f"no key is from {place.country!r}, as far as countries are known{hint}")
    if placing is Placing.WEIGH:
        said.append("confidences were fitted without weighing places: they say less of names that these decide")
    return said


def names_of_countries(sites: Sites, codes: NDArray[np.int64]) -> NDArray[np.int64]:
    """Give, as pairs in one number each, which names have keys from which countries.

    Args:
        sites: of the keys.
        codes: name of each key, -1 for none; shape (m,).

    Returns:
        Ascending numbers `name · countries + country`; ask with `has_pair`.
    """
    known = (codes >= 0) & (sites.country >= 0)
    return np.unique(codes[known] * max(1, len(sites.countries)) + sites.country[known])


def has_pair(sites: Sites, pairs: NDArray[np.int64], code: int, country: int) -> bool:
    """Tell whether a name has a key from a country.

    Args:
        sites: of the keys.
        pairs: of `names_of_countries`.
        code: the name.
        country: number of the country.
    """
    wanted = code * max(1, len(sites.countries)) + country
    place = int(np.searchsorted(pairs, wanted))
    return country >= 0 and place < len(pairs) and int(pairs[place]) == wanted
