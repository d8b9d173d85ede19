"""Whose specimens a release or dataset holds: those of BIOSCAN-5M, invented ones, or somebody's own."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    """Whose specimens they are."""

    OFFICIAL = "official"
    INVENTED = "invented"
    OWN = "own"


MARKS: Mapping[Kind, str] = {Kind.INVENTED: "INVENTED.txt", Kind.OWN: "OWN_SPECIMENS.txt"}
"""A release with such a file beside its packages, or in its metadata zip, is of that kind; datasets of it say so."""


@dataclass(frozen=True)
class About:
    """What a card says of a kind.

    Args:
        name: the dataset's, by which its kind is told again.
        title: of the card.
        licence: id on the Hub.
        licence_name: in words.
        annotations: who labelled the specimens, an id on the Hub.
    """

    name: str
    title: str
    licence: str
    licence_name: str
    annotations: str


ABOUT: Mapping[Kind, About] = {
    Kind.OFFICIAL: About("BIOSCAN-5M", "BIOSCAN-5M", "cc-by-3.0", "CC BY 3.0 Unported", "expert-generated"),
    Kind.INVENTED: About(
        "BIOSCAN-5M (invented)", "BIOSCAN-5M, invented specimens", "cc0-1.0", "CC0 1.0", "machine-generated"
    ),
    Kind.OWN: About(
        "Specimens in the form of BIOSCAN-5M", "Specimens in the form of BIOSCAN-5M", "unknown", "not stated", "found"
    ),
}
