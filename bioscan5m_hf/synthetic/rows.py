"""The metadata rows of a census, chunk by chunk, as text exactly as the official CSV writes it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .. import splits
from ..data.schema import COLUMN_NAMES
from .barcodes import read, vary
from .census import Census
from .orders import ORDERS
from .places import COUNTRIES


CHUNK = 50_000
"""Specimens of one chunk; part of the invention: chance is drawn chunk by chunk."""
WIDTH, HEIGHT = 1024, 768
_KEPT = {"class": 0.9992, "order": 0.9975, "family": 0.9585, "subfamily": 0.27, "genus": 0.17}
"""How often a pretrain specimen that is labelled at the rank above, or by family (genus), is labelled at this one."""
_SHORT = {"Hymenoptera": 1.6, "Hemiptera": 1.3, "Thysanoptera": 1.4, "Araneae": 0.7, "Lepidoptera": 0.6}
_ROWS = "ABCDEFGH"

Strings = npt.NDArray[np.object_]


@dataclass(frozen=True)
class Measured:
    """What the photographs of a chunk show, one entry for each specimen.

    Args:
        boxes: tight boxes x0, y0, x1, y1 in the original, shape (n, 4).
        pixels: area of the organism, shape (n,).
    """

    boxes: npt.NDArray[np.int64]
    pixels: npt.NDArray[np.int64]

    def area_fraction(self) -> npt.NDArray[np.float64]:
        """Give the boxes' share of the original, to four places."""
        sides = self.boxes[:, 2:] - self.boxes[:, :2]
        shares: npt.NDArray[np.float64] = np.round(sides.prod(axis=1) / (WIDTH * HEIGHT), 4)
        return shares

    def scale_factor(self) -> npt.NDArray[np.float64]:
        """Give the boxes' shorter sides divided by 256, to four places."""
        factors: npt.NDArray[np.float64] = np.round((self.boxes[:, 2:] - self.boxes[:, :2]).min(axis=1) / 256, 4)
        return factors


def chunks(census: Census) -> list[slice]:
    """Cut a census into chunks.

    Examples:
        >>> from .census import take_census
        >>> chunks(take_census(100, 0))
        [slice(0, 100, None)]
    """
    return [slice(start, min(start + CHUNK, len(census))) for start in range(0, len(census), CHUNK)]


def processids(census: Census, rows: slice) -> list[str]:
    """Give the process ids of some specimens: site code, running number, year.

    Examples:
        >>> from .census import take_census
        >>> processids(take_census(100, 0), slice(0, 1))[0].startswith("INV")
        True
    """
    return [
        f"{_code(census, site)}{serial:05d}-{21 + (site % 6)}"
        if site % 3 == 0
        else f"{_code(census, site)}{serial}-{21 + (site % 6)}"
        for site, serial in zip(census.site[rows].tolist(), census.serial[rows].tolist(), strict=True)
    ]


def table(census: Census, rows: slice, *, measured: Measured | None = None) -> pa.Table:
    """Write out one chunk of specimens.

    Args:
        census: the specimens.
        rows: one of `chunks(census)`.
        measured: what the photographs show; None where there are none, then sizes are drawn.

    Returns:
        The 23 official columns, all text; an empty cell is null.

    Examples:
        >>> from .census import take_census
        >>> table(take_census(100, 0), slice(0, 100)).num_columns
        23
    """
    chance = np.random.default_rng([census.seed, 2, rows.start])
    names = processids(census, rows)
    measured = measured or guess(census, rows)
    split_names = [splits.SPLIT_NAMES[number] for number in census.split[rows].tolist()]
    columns = {
        "processid": names,
        "sampleid": _sampleids(census, rows),
        **_labels(census, rows, chance),
        "dna_barcode": _barcodes(census, rows, chance),
        **_places(census, rows, chance),
        "image_measurement_value": [f"{value}.0" for value in measured.pixels.tolist()],
        "area_fraction": list(map(repr, measured.area_fraction().tolist())),
        "scale_factor": list(map(repr, measured.scale_factor().tolist())),
        "split": split_names,
        "index_bioscan_1M_insect": [None if i < 0 else f"{i}.0" for i in census.in_1m[rows].tolist()],
        "chunk": list(map(splits.chunk, names, split_names)),
    }
    return pa.table({name: pa.array(columns[name], pa.string()) for name in COLUMN_NAMES})


def guess(census: Census, rows: slice) -> Measured:
    """Draw sizes and boxes where no photographs are drawn; species have their sizes here as well.

    Examples:
        >>> from .census import take_census
        >>> bool((guess(take_census(100, 0), slice(0, 100)).pixels > 0).all())
        True
    """
    chance = np.random.default_rng([census.seed, 3, rows.start])
    many = rows.stop - rows.start
    of_species = np.random.default_rng([census.seed, 4]).normal(0, 0.45, len(census.tree.species))
    length = np.clip(np.exp(5.3 + of_species[census.species[rows]] + chance.normal(0, 0.12, many)), 50, 640)
    turn = chance.random(many) * np.pi
    breadth = length * chance.uniform(0.35, 0.9, many)
    width = np.hypot(length * np.cos(turn), breadth * np.sin(turn)).astype(np.int64)
    height = np.hypot(length * np.sin(turn), breadth * np.cos(turn)).astype(np.int64)
    left = (chance.random(many) * (WIDTH - width)).astype(np.int64)
    top = (chance.random(many) * (HEIGHT - height)).astype(np.int64)
    pixels = (width * height * chance.uniform(0.18, 0.5, many)).astype(np.int64)
    return Measured(np.stack([left, top, left + width, top + height], axis=1), pixels)


def _code(census: Census, site: int) -> str:
    return census.sites.code[site] if site >= 0 else "INVZZ"


def _sampleids(census: Census, rows: slice) -> list[str]:
    """Number plates and wells; the last well of a plate stays empty as a control, as in real plates."""
    names = []
    for site, serial in zip(census.site[rows].tolist(), census.serial[rows].tolist(), strict=True):
        plate, well = divmod(serial - 1, 95)
        names.append(f"INV-{_code(census, site)[3:]}{plate + 1:05d}-{_ROWS[well // 12]}{well % 12 + 1:02d}")
    return names


def _labels(census: Census, rows: slice, chance: np.random.Generator) -> dict[str, pa.Array]:
    """Name the taxa, with holes: nested ones in pretrain, few below genus elsewhere."""
    tree, species = census.tree, census.species[rows]
    genus = np.array(tree.species_genus)[species]
    family = np.array(tree.genus_family)[genus]
    order = np.array(tree.family_order)[family]
    subfamily = np.array(tree.genus_subfamily)[genus]
    free = chance.random((6, species.size))
    known = census.split[rows] != splits.SPLIT_NAMES.index("pretrain")
    classed = known | (free[0] < _KEPT["class"])
    ordered = known | (classed & (free[1] < _KEPT["order"]))
    familied = known | (ordered & (free[2] < _KEPT["family"]))
    genused = known | (familied & (free[3] < _KEPT["genus"]))
    finer = np.where(genused, 0.9, (_KEPT["subfamily"] - _KEPT["genus"] * 0.9) / (1 - _KEPT["genus"]))
    subbed = familied & (free[4] < finer) & (genused | (subfamily >= 0))
    own = np.array([*tree.subfamily, ""], object)[subfamily]
    fillers = np.array([f"unassigned {name}" for name in tree.family], object)[family]
    labels = {
        "phylum": pa.array(["Arthropoda"] * species.size, pa.string()),
        "class": _where(classed, np.array([item.class_name for item in ORDERS], object)[order]),
        "order": _where(ordered, np.array([item.name for item in ORDERS], object)[order]),
        "family": _where(familied, np.array(tree.family, object)[family]),
        "subfamily": _where(subbed, np.where(subfamily >= 0, own, fillers)),
        "genus": _where(genused, np.array(tree.genus, object)[genus]),
        "species": _where(known, np.array(tree.species, object)[species]),
    }
    named = _where(subbed & (subfamily >= 0), own)
    taxon = pc.coalesce(
        labels["species"], labels["genus"], named, *(labels[rank] for rank in ("family", "order", "class", "phylum"))
    )
    binned = _where(free[5] < 0.9974, np.array(tree.bin, object)[species])
    inferred = np.where(genused & ~known & (chance.random(species.size) < 0.06), "4", "0")
    inferred = np.where(known & (chance.random(species.size) < 0.004), "1", inferred)
    return {
        "taxon": taxon,
        **labels,
        "dna_bin": binned,
        "inferred_ranks": pa.array(inferred.astype(object), pa.string()),
    }


def _where(labelled: npt.NDArray[np.bool_], names: Strings) -> pa.Array:
    return pa.array(names, pa.string(), mask=~labelled)


def _barcodes(census: Census, rows: slice, chance: np.random.Generator) -> pa.Array:
    tree, species = census.tree, census.species[rows]
    family = np.array(tree.genus_family)[np.array(tree.species_genus)[species]]
    inclined = np.array([_SHORT.get(order.name, 1.0) for order in ORDERS])
    sequences = tree.sequences[species]
    vary(sequences, census.haplotype[rows], species.astype(np.int64))
    short = inclined[np.array(tree.family_order)[family]]
    return read(sequences, tails=tree.tails, tail=family, short=short, chance=chance)


def _places(census: Census, rows: slice, chance: np.random.Generator) -> dict[str, pa.Array]:
    sites, site = census.sites, census.site[rows].astype(np.int64)
    lost = site < 0
    located = ~lost & (chance.random(site.size) < 0.995)
    country = np.array([place[0] for place in COUNTRIES], object)[sites.country]
    latitude, longitude = (
        np.array(list(map(repr, degrees.tolist())), object) for degrees in (sites.latitude, sites.longitude)
    )
    return {
        "country": _where(~lost, country[site]),
        "province_state": _where(~lost, np.array(sites.province, object)[site]),
        "coord-lat": _where(located, latitude[site]),
        "coord-lon": _where(located, longitude[site]),
    }
