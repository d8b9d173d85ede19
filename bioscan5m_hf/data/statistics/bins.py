"""Whether Barcode Index Numbers and species agree: match, split, merge, mixture."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from ...taxonomy import is_filler
from .groups import combinations
from .scan import Coded


Row = dict[str, Any]
MATCH, SPLIT, MERGE, MIXTURE = KINDS = ("match", "split", "merge", "mixture")


def concordance(coded: Coded) -> Iterator[Row]:
    """Tell of each species how it lies in BINs (Ratnasingham & Hebert 2013, doi:10.1371/journal.pone.0066213).

    A match has one BIN that holds no other species; a split has several, none with another species; a merge has one
    that holds other species, too; a mixture has several, of which at least one holds other species. Rows that have
    both a species and a BIN are looked at; a filler is no species.

    Args:
        coded: the rows.
    """
    if "species" not in coded.codes or "dna_bin" not in coded.codes or not coded.rows:
        return
    names, bins = coded.names["species"], coded.names["dna_bin"]
    inside: dict[int, list[int]] = {}
    holds: Counter[int] = Counter()
    specimens: Counter[int] = Counter()
    pairs, rows = combinations([coded.codes["species"], coded.codes["dna_bin"]])
    for (species, number), count in zip(pairs.tolist(), rows.tolist(), strict=True):
        if species < 0 or number < 0 or is_filler(names[species]):
            continue
        inside.setdefault(species, []).append(number)
        holds[number] += 1
        specimens[species] += count
    for species, numbers in inside.items():
        shared = any(holds[number] > 1 for number in numbers)
        several = len(numbers) > 1
        kind = (MIXTURE if shared else SPLIT) if several else (MERGE if shared else MATCH)
        about = {"species": names[species], "specimens": specimens[species], "dna_bins": len(numbers)}
        yield {**about, "kind": kind, "names": " ".join(bins[number] for number in numbers)}


def concordance_summary(rows: Iterable[Row]) -> list[Row]:
    """Count the species of each kind.

    Args:
        rows: rows of `concordance`.

    Examples:
        >>> [row["species"] for row in concordance_summary([{"kind": "match"}, {"kind": "merge"}, {"kind": "merge"}])]
        [1, 0, 2, 0]
    """
    counts = Counter(row["kind"] for row in rows)
    total = counts.total()
    return [
        {"kind": kind, "species": counts[kind], "share": counts[kind] / total if total else None} for kind in KINDS
    ]
