"""What the statistics of a dataset are: named tables, each a list of rows, and what columns they have."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


Row = dict[str, Any]
TABLES: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "attributes": (
        "Attributes; a missing value is no category, a filler (`unassigned …`) is one",
        (
            *("attribute", "categories", "labelled", "share", "imbalance_ratio"),
            *("largest", "largest_name", "smallest", "smallest_name", "fillers", "with_filler"),
        ),
    ),
    "splits": (
        "Splits; barcodes are compared letter by letter as they are",
        (
            *("split", "specimens", "barcodes", "species", "genera"),
            *("families", "orders", "bins", "countries"),
        ),
    ),
    "orders": ("Classes and orders", ("class", "order", "specimens")),
    "split_orders": ("Orders of each split", ("split", "order", "specimens")),
    "families": ("Families", ("class", "order", "family", "specimens")),
    "species_frequency": ("Species with so many specimens", ("specimens", "species")),
    "countries": ("Countries", ("country", "specimens", "provinces", "sites")),
    "provinces": ("Provinces and states", ("country", "province_state", "specimens", "sites")),
    "sites": ("Sites: pairs of coordinates", ("latitude", "longitude", "country", "specimens")),
    "sizes": (
        "Sizes of organisms",
        (
            *("column", "labelled", "minimum", "quartile_1", "median", "quartile_3"),
            *("maximum", "mean", "std"),
        ),
    ),
    "size_histograms": ("Specimens by size", ("column", "low", "high", "specimens")),
    "barcode_lengths": ("Lengths of barcodes, in letters", ("length", "specimens")),
    "letters": ("Letters of barcodes", ("letter", "count", "share")),
    "trimmed_barcodes": ("Different barcodes", ("compared", "barcodes")),
    "diversity": (
        "Different barcodes within groups, and Shannon's index in bits",
        ("rank", "groups", "barcodes", "mean", "median", "std", "shannon"),
    ),
    "distance_ranks": (
        "Distances within groups, averaged over the groups of each rank",
        ("measure", "rank", "groups", "pairs", "mean", "std"),
    ),
    "distances": (
        "Distances within groups: p-distance, Kimura's (K2P), and edits by the published rule (OSA)",
        (
            *("measure", "rank", "name", "class", "order", "barcodes", "pairs", "mean", "std"),
            *("minimum", "p5", "quartile_1", "median", "quartile_3", "p95", "maximum"),
        ),
    ),
    "barcode_gap_summary": (
        "Species with a barcode gap",
        ("species", "known", "with_gap", "share", "at_no_distance"),
    ),
    "barcode_gap": (
        "Barcode gap: p-distance to the nearest other species, less the largest within",
        (
            *("species", "genus", "family", "order", "specimens", "barcodes"),
            *("largest_within", "nearest_other", "nearest_species", "gap"),
        ),
    ),
    "bin_summary": ("Species in BINs", ("kind", "species", "share")),
    "bins": ("Species and their BINs", ("species", "specimens", "dna_bins", "kind", "names")),
}
"""Table → title and columns, in the order in which they are told."""


@dataclass(frozen=True)
class Statistics:
    """The statistics of a dataset.

    Args:
        dataset: `name`, `splits`, `specimens`, `repeated_processids`, `invented` (None where nothing says it).
        tables: name of `TABLES` → rows, in their order; what is unknown is None.
        notes: what a reader should know of these data.

    Examples:
        >>> letters = [{"letter": "A", "count": 1, "share": 1.0}]
        >>> made = Statistics({"name": "made", "specimens": 1}, {"letters": letters})
        >>> made["letters"][0]["count"], made["sites"], made.to_dict()["dataset"]["specimens"]
        (1, [], 1)
    """

    dataset: Row
    tables: Mapping[str, list[Row]]
    notes: tuple[str, ...] = field(default=())

    def __getitem__(self, table: str) -> list[Row]:
        if table not in TABLES:
            raise KeyError(f"no table {table!r}: there are {', '.join(TABLES)}")
        return self.tables.get(table, [])

    def to_dict(self) -> dict[str, Any]:
        """Give everything as what JSON can write: `dataset`, `notes`, and each table as a list of rows."""
        return {"dataset": self.dataset, "notes": list(self.notes), **{name: self[name] for name in TABLES}}
