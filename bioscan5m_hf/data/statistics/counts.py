"""How many: labels of each attribute, contents of each split, specimens of taxa and places."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from ...taxonomy import LABELS, is_filler
from ..selection import BARCODE
from .groups import combinations, counted, how_many
from .scan import COUNTRY, PROVINCE, TEXTS, Coded, Codes


Row = dict[str, Any]
SITES = "sites"
OF_SPLIT = {
    "species": "species",
    "genera": "genus",
    "families": "family",
    "orders": "order",
    "bins": "dna_bin",
    "countries": COUNTRY,
}
"""Column of the table of splits → attribute whose different values it counts."""


def attributes(coded: Coded) -> Iterator[Row]:
    """Tell how well each attribute is labelled and how unevenly; a missing value is no category.

    The imbalance ratio is specimens of the largest category over those of the smallest (facts of the README of
    `bioscan-ml/BIOSCAN-5M`). Fillers (`unassigned <Family>`) are categories here as they are there, and counted in
    columns of their own.

    Args:
        coded: the rows.
    """
    for name in (*LABELS, BARCODE, *TEXTS[len(LABELS) :], SITES):
        codes = codes_of(coded, name)
        row: Row = {"attribute": name, **dict.fromkeys(_ATTRIBUTE)}
        if codes is None:
            yield row
            continue
        sizes = counted(codes, int(codes.max(initial=-1)) + 1)
        labelled = int(sizes.sum())
        row |= {"categories": len(sizes), "labelled": labelled, "share": labelled / coded.rows if coded.rows else None}
        if len(sizes):
            largest, smallest = int(sizes.argmax()), int(sizes.argmin())
            row |= {
                "imbalance_ratio": float(sizes[largest] / sizes[smallest]),
                "largest": int(sizes[largest]),
                "largest_name": _name(coded, name, largest),
                "smallest": int(sizes[smallest]),
                "smallest_name": _name(coded, name, smallest),
            }
        if name in coded.names:
            fillers = [place for place, text in enumerate(coded.names[name]) if name in LABELS and is_filler(text)]
            row |= {"fillers": len(fillers), "with_filler": int(sizes[fillers].sum())}
        yield row


_ATTRIBUTE = (
    *("categories", "labelled", "share", "imbalance_ratio", "largest", "largest_name"),
    *("smallest", "smallest_name", "fillers", "with_filler"),
)


def splits(coded: Coded) -> Iterator[Row]:
    """Count the different values in each split, and in all of them together."""
    size = len(coded.splits)
    specimens = counted(coded.split.astype(np.int32), size)
    columns = {"barcodes": codes_of(coded, BARCODE)} | {
        column: codes_of(coded, name) for column, name in OF_SPLIT.items()
    }
    inside = {
        column: None if codes is None else how_many(coded.split.astype(np.int32), codes, size)
        for column, codes in columns.items()
    }
    for place, split in enumerate(coded.splits):
        values = {column: None if found is None else int(found[place]) for column, found in inside.items()}
        yield {"split": split, "specimens": int(specimens[place]), **values}
    everything = {
        column: None if codes is None else int(codes.max(initial=-1)) + 1 for column, codes in columns.items()
    }
    yield {"split": "all", "specimens": coded.rows, **everything}


def taxa(coded: Coded, ranks: Sequence[str]) -> list[Row]:
    """Count the specimens of each combination of names, most first; None stands for no label.

    Args:
        coded: the rows.
        ranks: from wide to narrow.
    """
    if not coded.rows:
        return []
    missing = np.full(coded.rows, -1, np.int32)
    codes, rows = combinations([coded.codes.get(rank, missing) for rank in ranks])
    names = [[*coded.names.get(rank, ()), None] for rank in ranks]
    found = [
        {rank: names[place][code] for place, (rank, code) in enumerate(zip(ranks, line, strict=True))}
        | {"specimens": count}
        for line, count in zip(codes.tolist(), rows.tolist(), strict=True)
    ]
    return sorted(found, key=lambda row: -row["specimens"])


def split_orders(coded: Coded) -> list[Row]:
    """Count the specimens of each order in each split; None stands for no label."""
    if not coded.rows:
        return []
    orders = coded.codes.get("order", np.full(coded.rows, -1, np.int32))
    codes, rows = combinations([coded.split.astype(np.int32), orders])
    names = [*coded.names.get("order", ()), None]
    return [
        {"split": coded.splits[split], "order": names[order], "specimens": count}
        for (split, order), count in sorted(
            zip(codes.tolist(), rows.tolist(), strict=True), key=lambda pair: (pair[0][0], -pair[1])
        )
    ]


def species_frequency(coded: Coded) -> list[Row]:
    """Count the species that have so many specimens."""
    if "species" not in coded.codes:
        return []
    sizes, species = np.unique(counted(coded.codes["species"], len(coded.names["species"])), return_counts=True)
    return [
        {"specimens": size, "species": count} for size, count in zip(sizes.tolist(), species.tolist(), strict=True)
    ]


def countries(coded: Coded) -> list[Row]:
    """Count specimens, provinces and sites of each country, most specimens first."""
    if COUNTRY not in coded.codes:
        return []
    names, codes = coded.names[COUNTRY], coded.codes[COUNTRY]
    inside = {
        "specimens": counted(codes, len(names)),
        "provinces": _how_many(codes, coded.codes.get(PROVINCE), len(names)),
        "sites": _how_many(codes, coded.site, len(names)),
    }
    found = [
        {"country": name, **{column: None if of is None else int(of[place]) for column, of in inside.items()}}
        for place, name in enumerate(names)
    ]
    return sorted(found, key=lambda row: -row["specimens"])


def provinces(coded: Coded) -> list[Row]:
    """Count specimens and sites of each province of a country, most specimens first."""
    if PROVINCE not in coded.codes or not coded.rows:
        return []
    missing = np.full(coded.rows, -1, np.int32)
    site = missing if coded.site is None else coded.site
    codes, rows = combinations([coded.codes.get(COUNTRY, missing), coded.codes[PROVINCE], site])
    named = [*coded.names.get(COUNTRY, ()), None]
    found: dict[tuple[int, int], Row] = {}
    for (country, province, where), count in zip(codes.tolist(), rows.tolist(), strict=True):
        if province < 0:
            continue
        empty = {"country": named[country], "province_state": coded.names[PROVINCE][province]}
        row = found.setdefault((country, province), {**empty, "specimens": 0, "sites": 0})
        row["specimens"] += count
        row["sites"] += where >= 0
    for row in found.values():
        row["sites"] = None if coded.site is None else row["sites"]
    return sorted(found.values(), key=lambda row: -row["specimens"])


def sites(coded: Coded) -> list[Row]:
    """Count the specimens of each pair of coordinates, most first; its country is that of most of its specimens."""
    if coded.site is None or not coded.rows:
        return []
    missing = np.full(coded.rows, -1, np.int32)
    codes, rows = combinations([coded.site, coded.codes.get(COUNTRY, missing)])
    named = [*coded.names.get(COUNTRY, ()), None]
    found: dict[int, Row] = {}
    most: dict[int, int] = {}
    for (site, country), count in zip(codes.tolist(), rows.tolist(), strict=True):
        if site < 0:
            continue
        latitude, longitude = coded.sites[site].tolist()
        empty = {"latitude": latitude, "longitude": longitude, "country": None, "specimens": 0}
        row = found.setdefault(site, empty)
        row["specimens"] += count
        if country >= 0 and count > most.get(site, 0):
            most[site], row["country"] = count, named[country]
    return sorted(found.values(), key=lambda row: (-row["specimens"], row["latitude"], row["longitude"]))


def codes_of(coded: Coded, attribute: str) -> Codes | None:
    """Give the codes of an attribute; None where the dataset has no such column."""
    if attribute == BARCODE:
        return coded.barcode
    return coded.site if attribute == SITES else coded.codes.get(attribute)


def _name(coded: Coded, attribute: str, code: int) -> str | None:
    """Name a category; a barcode has no name but itself, which is no part of a statistic."""
    if attribute == SITES:
        return ", ".join(map(str, coded.sites[code].tolist()))
    return coded.names[attribute][code] if attribute in coded.names else None


def _how_many(groups: Codes, values: Codes | None, size: int) -> npt.NDArray[np.int64] | None:
    return None if values is None else how_many(groups, values, size)
