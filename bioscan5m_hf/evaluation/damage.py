"""What happens to barcodes between a specimen and a file: cut, shifted, misread, turned round."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from ..dna import BASES, reverse_complement


@dataclass(frozen=True)
class Damage:
    """One way in which a barcode is damaged.

    Args:
        name: short, for tables.
        what: what is done, in one phrase.
        change: barcode and source of chance → damaged barcode.
    """

    name: str
    what: str
    change: Callable[[str, Random], str]

    def apply(self, barcodes: Sequence[str], *, seed: int = 0) -> list[str]:
        """Damage barcodes; what happens to each depends on its sequence and the seed, not on the others.

        Args:
            barcodes: sequences in upper case.
            seed: of chance.

        Examples:
            >>> damage("last-313").apply(["A" * 400, "ACGT"])[1]
            'ACGT'
        """
        return [self.change(barcode, Random(f"{seed} {self.name} {barcode}")) for barcode in barcodes]


def damage(name: str) -> Damage:
    """Give a damage by its name.

    Args:
        name: one of `DAMAGES`.

    Raises:
        ValueError: there is no such damage.

    Examples:
        >>> damage("reverse-complement").apply(["AACG"])
        ['CGTT']
    """
    if name not in DAMAGES:
        raise ValueError(f"there is no damage {name!r}: use one of {', '.join(DAMAGES)}")
    return DAMAGES[name]


def last(length: int) -> Callable[[str, Random], str]:
    """Keep the last bases: amplicons of metabarcoding end where the barcode ends, as their reverse primers do."""
    return lambda barcode, chance: barcode[-length:]


def anywhere(length: int) -> Callable[[str, Random], str]:
    """Keep a piece that starts anywhere."""

    def cut(barcode: str, chance: Random) -> str:
        start = chance.randint(0, max(0, len(barcode) - length))
        return barcode[start : start + length]

    return cut


def indel(barcode: str, chance: Random) -> str:
    """Insert a base, or leave one out, at a random place: all that follows is shifted by one."""
    place = chance.randrange(len(barcode)) if barcode else 0
    if chance.random() < 0.5:
        return barcode[:place] + chance.choice(BASES) + barcode[place:]
    return barcode[:place] + barcode[place + 1 :]


def errors(share: float) -> Callable[[str, Random], str]:
    """Misread a share of the bases, each as any of the other three."""

    def misread(barcode: str, chance: Random) -> str:
        return "".join(
            chance.choice(BASES.replace(base, "")) if chance.random() < share and base in BASES else base
            for base in barcode
        )

    return misread


def unread(length: int) -> Callable[[str, Random], str]:
    """Leave a run of bases unread."""

    def blank(barcode: str, chance: Random) -> str:
        run = min(length, len(barcode))
        start = chance.randint(0, len(barcode) - run)
        return barcode[:start] + "N" * run + barcode[start + run :]

    return blank


def turned(barcode: str, chance: Random) -> str:
    """Give the other strand."""
    return str(reverse_complement([barcode])[0].as_py())


DAMAGES = {
    one.name: one
    for one in (
        Damage("last-313", "the last 313 bases (Leray et al. 2013, doi:10.1186/1742-9994-10-34)", last(313)),
        Damage("last-421", "the last 421 bases (Elbrecht and Leese 2017, doi:10.3389/fenvs.2017.00011)", last(421)),
        Damage("any-313", "313 bases from a random start", anywhere(313)),
        Damage("indel", "one base too many or too few, at a random place", indel),
        Damage("errors-0.5", "0.5 % of the bases misread", errors(0.005)),
        Damage("errors-1", "1 % of the bases misread", errors(0.01)),
        Damage("errors-2", "2 % of the bases misread", errors(0.02)),
        Damage("unread-20", "a run of 20 N", unread(20)),
        Damage("unread-60", "a run of 60 N", unread(60)),
        Damage("reverse-complement", "the other strand", turned),
    )
}
"""The damages that robustness is measured with. Both amplicons end with the barcode: their reverse primers bind where
HCO2198 does (its last 20 bases are BR2's). Of a barcode that is shorter, all of it is kept."""
