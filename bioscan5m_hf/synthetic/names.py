"""Invented names that read like Latin: families, subfamilies, genera, epithets, placeholders, provinces."""

from __future__ import annotations

from collections.abc import Callable
from random import Random


_ONSETS = [
    *("b", "br", "c", "cl", "cr", "d", "dr", "f", "fl", "g", "gl", "gr", "h", "l", "m", "n"),
    *("p", "ph", "pl", "pr", "qu", "r", "s", "sc", "sp", "st", "t", "th", "tr", "v", "x", "z"),
]
_VOWELS = ["a", "e", "i", "o", "u", "a", "e", "i", "o", "y", "ae", "eu"]
_CODAS = ["l", "m", "n", "r", "s", "x", "rn", "st", "nd", "rt", "mb"]
_GENUS_ENDS = ["a", "ia", "us", "ella", "oma", "opsis", "ina", "ura", "odes", "ium", "yia", "is"]
_EPITHET_ENDS = ["a", "ata", "ensis", "oides", "iana", "ella", "ula", "ina", "ica", "osa", "alis", "aria"]
_PROVINCE_ENDS = ["ara", "ena", "oria", "una", "avel", "istan", "ovia", "ador"]


class Namer:
    """Gives names that it has not given before.

    Args:
        random: source of chance; the same state gives the same names.

    Examples:
        >>> namer = Namer(Random(0))
        >>> namer.family().endswith("idae"), namer.epithet().islower()
        (True, True)
    """

    def __init__(self, random: Random) -> None:
        self.random = random
        self._given: set[str] = set()

    def family(self) -> str:
        """Give the name of a family, ending in -idae as zoological families do."""
        return self._new(lambda: self._stem(2).capitalize() + "idae")

    def subfamily(self) -> str:
        """Give the name of a subfamily, ending in -inae."""
        return self._new(lambda: self._stem(2).capitalize() + "inae")

    def genus(self) -> str:
        """Give the name of a genus."""
        return self._new(lambda: self._stem(self.random.choice((1, 2, 2))).capitalize() + self._end(_GENUS_ENDS))

    def province(self) -> str:
        """Give the name of a province or state."""
        return self._new(lambda: self._stem(1).capitalize() + self._end(_PROVINCE_ENDS))

    def epithet(self) -> str:
        """Give a species epithet; the same one may come again, in another genus."""
        return self._stem(self.random.choice((1, 2))) + self._end(_EPITHET_ENDS)

    def species(self, genus: str) -> str:
        """Give the binomial of a described species."""
        return self._new(lambda: f"{genus} {self.epithet()}")

    def placeholder(self, genus: str) -> str:
        """Give the interim name of an undescribed species; it holds a digit or a dot, which no binomial does.

        Examples:
            >>> Namer(Random(2)).placeholder("Aus")
            'Aus sp. 8INV'
        """
        return self._new(lambda: f"{genus} {self._interim()}")

    def _interim(self) -> str:
        chance, number = self.random.random(), self.random.randint(1, 9999)
        if chance < 0.4:
            return f"Malaise{number:04d}"
        if chance < 0.96:
            return f"sp. {number % 40 + 1}" + ("" if chance < 0.7 else "INV")
        return f"cf. {self.epithet()}"

    def _stem(self, syllables: int) -> str:
        pick = self.random.choice
        stem = "".join(pick(_ONSETS) + pick(_VOWELS) for _ in range(syllables))
        return stem + pick(_CODAS)

    def _end(self, ends: list[str]) -> str:
        return self.random.choice(ends)

    def _new(self, make: Callable[[], str]) -> str:
        name = make()
        for tries in range(1000):
            if name not in self._given:
                break
            name = make() if tries < 50 else name + self.random.choice("aeiou") + self.random.choice("lmnrst")
        self._given.add(name)
        return name
