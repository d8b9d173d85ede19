"""How a specimen looks: traits inherited from order, family, genus and species, with individual variation."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from random import Random

from .pen import Colour, hsv


_BROWN, _BLACK, _YELLOW, _GREEN, _RED, _PALE, _GREY = (
    (0.075, 0.62, 0.42),
    (0.07, 0.45, 0.16),
    (0.115, 0.68, 0.72),
    (0.23, 0.5, 0.62),
    (0.035, 0.75, 0.48),
    (0.11, 0.3, 0.82),
    (0.09, 0.18, 0.45),
)
_PALETTES = {
    "fly": (_BROWN, _BLACK, _BLACK, _YELLOW, _BROWN, _GREY),
    "wasp": (_BLACK, _BLACK, _BROWN, _YELLOW, _RED, _BLACK),
    "bug": (_GREEN, _YELLOW, _BROWN, _GREEN, _BLACK, _PALE),
    "beetle": (_BLACK, _RED, _BROWN, _RED, _BLACK, _YELLOW),
    "moth": (_BROWN, _GREY, _PALE, _BROWN, _YELLOW, _GREY),
    "spider": (_BROWN, _YELLOW, _PALE, _GREY),
    "mite": (_RED, _BROWN, _YELLOW, _PALE),
    "springtail": (_PALE, _GREY, _YELLOW, (0.68, 0.35, 0.4)),
    "globular_springtail": (_YELLOW, (0.7, 0.4, 0.35), _PALE, _GREEN),
    "lacewing": (_GREEN, _BROWN, _PALE),
    "cricket": (_GREEN, _BROWN, _YELLOW),
    "stick": (_GREEN, _BROWN),
    "waterflea": (_PALE, _YELLOW),
    "amphipod": (_PALE, _GREY),
}
_ANY = (_BROWN, _YELLOW, _BLACK, _PALE)
_SIZES = {
    "fly": 190,
    "wasp": 190,
    "bug": 250,
    "beetle": 300,
    "moth": 300,
    "barklouse": 190,
    "thrips": 150,
    "caddisfly": 330,
    "lacewing": 350,
    "cockroach": 400,
    "cricket": 420,
    "mayfly": 330,
    "silverfish": 400,
    "earwig": 430,
    "dragonfly": 560,
    "stick": 600,
    "spider": 210,
    "mite": 110,
    "pseudoscorpion": 190,
    "harvestman": 130,
    "springtail": 170,
    "globular_springtail": 110,
    "amphipod": 300,
    "woodlouse": 300,
    "millipede": 380,
    "waterflea": 150,
    "centipede": 480,
}
"""Usual body length in pixels of the 1024×768 original."""


@dataclass(frozen=True)
class Look:
    """The traits of one specimen; numbers are between 0 and 1 unless said otherwise.

    Args:
        plan: name of the body plan.
        form: chooses among the forms of the plan; the same in a family.
        slender: proportions.
        legs: length of the legs.
        wings: size of the wings.
        pattern: chooses bands, spots, stripes; the same in a species.
        marks: how many.
        body: main colour.
        second: colour of the pattern.
        limbs: colour of legs and antennae.
        veil: colour of the wings.
        length: pixels of the body.
        pose: the specimen's own source of chance.
    """

    plan: str
    form: float
    slender: float
    legs: float
    wings: float
    pattern: float
    marks: float
    body: Colour
    second: Colour
    limbs: Colour
    veil: Colour
    length: float
    pose: Random


def look(plan: str, seed: int, family: int, genus: int, species: int, individual: int) -> Look:
    """Work out how a specimen looks.

    Args:
        plan: body plan of its order.
        seed: seed of the release.
        family: number of its family.
        genus: number of its genus.
        species: number of its species.
        individual: number of the specimen itself.

    Examples:
        >>> one, two = (look("fly", 0, 1, 1, 1, individual) for individual in (1, 2))
        >>> one.form == two.form, one.length == two.length
        (True, False)
    """
    at_family, at_genus, at_species = (
        _traits(seed, plan, rank, number) for rank, number in (("f", family), ("g", genus), ("s", species))
    )
    own = Random(f"{seed} {plan} i {individual}")

    def trait(number: int, genus_share: float = 0.5, species_share: float = 0.3) -> float:
        raw = at_family[number] + genus_share * (at_genus[number] - 0.5) + species_share * (at_species[number] - 0.5)
        return min(1.0, max(0.0, raw + own.gauss(0, 0.02)))

    palette = _PALETTES.get(plan, _ANY)
    hue, saturation, value = palette[int(at_family[6] * len(palette))]
    hue += 0.035 * (at_genus[6] - 0.5) + 0.025 * (at_species[6] - 0.5) + own.gauss(0, 0.002)
    saturation += 0.25 * (at_genus[7] - 0.5) + 0.15 * (at_species[7] - 0.5) + own.gauss(0, 0.02)
    value += 0.22 * (at_genus[8] - 0.5) + 0.16 * (at_species[8] - 0.5) + own.gauss(0, 0.02)
    contrast = 0.18 + 0.25 * at_species[9]
    second = value + contrast if value < 0.5 else value - contrast
    size = _SIZES[plan] * math.exp(
        0.7 * (at_family[10] - 0.5) + 0.5 * (at_genus[10] - 0.5) + 0.3 * (at_species[10] - 0.5)
    )
    return Look(
        plan=plan,
        form=at_family[0],
        slender=trait(1),
        legs=trait(2),
        wings=trait(3),
        pattern=at_species[4],
        marks=at_species[5],
        body=hsv(hue, saturation, value),
        second=hsv(hue + 0.05 * (at_species[11] - 0.5), saturation * 0.9 + 0.1, second),
        limbs=hsv(hue + 0.01, saturation, value + 0.3 * (at_genus[12] - 0.35)),
        veil=hsv(0.09, 0.12 + 0.35 * at_genus[13], 0.72 - 0.4 * at_family[13] ** 2),
        length=min(640.0, max(60.0, size * math.exp(own.gauss(0, 0.06)))),
        pose=own,
    )


@lru_cache(maxsize=4096)
def _traits(seed: int, plan: str, rank: str, number: int) -> tuple[float, ...]:
    random = Random(f"{seed} {plan} {rank} {number}")
    return tuple(random.random() for _ in range(14))
