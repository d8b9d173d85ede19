"""Which country a name means: names of ISO 3166-1 as pycountry has them, those of the atlas, and a few others."""

from __future__ import annotations

import unicodedata
from functools import cache

from .outlines import outlines


OTHERS = {
    "Burma": "104",
    "Cape Verde": "132",
    "Congo, Republic of the": "178",
    "Democratic Republic of the Congo": "180",
    "East Timor": "626",
    "Great Britain": "826",
    "Ivory Coast": "384",
    "Micronesia": "583",
    "Republic of the Congo": "178",
    "Russia": "643",
    "Swaziland": "748",
    "The Bahamas": "044",
    "The Gambia": "270",
    "Turkey": "792",
    "UK": "826",
    "USA": "840",
    "Vatican City": "336",
}
"""Names that BOLD or the English language uses and ISO 3166-1 does not → numeric code."""


def known_as(name: str) -> str | None:
    """Find a country by its name; capitals, accents and the spaces around it do not matter.

    Args:
        name: of a country, in English.

    Returns:
        Its ISO 3166-1 numeric code, three digits; for one without, the atlas's name; None if nobody knows it. The
        atlas need not have an outline of it.

    Raises:
        ModuleNotFoundError: pycountry is not installed.

    Examples:
        >>> known_as("Costa Rica"), known_as("Antigua and Barbuda"), known_as("Atlantis")
        ('188', '028', None)
    """
    return _codes().get(_folded(name))


@cache
def _codes() -> dict[str, str]:
    import pycountry

    found = {_folded(outline.name): code for code, outline in outlines().items()}
    for country in pycountry.countries:
        for kind in ("official_name", "common_name", "name"):
            if text := getattr(country, kind, None):
                found[_folded(text)] = country.numeric
    return found | {_folded(name): code for name, code in OTHERS.items()}


def _folded(name: str) -> str:
    letters = unicodedata.normalize("NFKD", name).casefold()
    return " ".join("".join(letter for letter in letters if not unicodedata.combining(letter)).split())
