"""The census: which species stands in which split with how many specimens, and who they are, row by row."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

import numpy as np
import numpy.typing as npt

from ..splits import SPLIT_NAMES
from .barcodes import HAPLOTYPES
from .names import Namer
from .orders import ORDERS, SEEN_SHARES, UNSEEN_SHARES
from .places import Sites, country_shares, make_sites
from .shares import by_order, deal, species_of, split_sizes
from .taxa import Pool, Tree, abundances, grow


Numbers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Census:
    """All specimens of a release, one entry each in every array; a few bytes a specimen.

    Args:
        seed: what everything is drawn from.
        tree: the taxa.
        sites: the collection sites.
        species: number of the species in `tree`.
        split: number of the split in `SPLIT_NAMES`.
        haplotype: number of the barcode among those of the species; no two splits share one.
        site: number of the site in `sites`, -1 where unknown.
        serial: running number at the site, from 1.
        in_1m: row in BIOSCAN-1M, -1 where it is not part of it.
    """

    seed: int
    tree: Tree
    sites: Sites
    species: npt.NDArray[np.int32]
    split: npt.NDArray[np.uint8]
    haplotype: npt.NDArray[np.int16]
    site: npt.NDArray[np.int16]
    serial: npt.NDArray[np.int32]
    in_1m: npt.NDArray[np.int32]

    def __len__(self) -> int:
        return self.species.size


def take_census(specimens: int, seed: int) -> Census:
    """Invent all specimens of a release, without their barcodes and pictures.

    Args:
        specimens: how many.
        seed: equal seeds give equal specimens.

    Raises:
        ValueError: there are too few specimens.

    Examples:
        >>> census = take_census(200, 0)
        >>> len(census), len(np.unique(census.split))
        (200, 8)
    """
    sizes = split_sizes(specimens)
    random, chance = Random(f"taxa {seed}"), np.random.default_rng([seed, 1])
    counts, rows = _species_counts(sizes)
    tree = grow(counts, random=random, chance=chance)
    cells = _cells(tree, sizes, rows, chance)
    species, split, haplotype = _specimens(cells, chance)
    sites = make_sites(int(min(600, max(60, specimens // 40))), namer=Namer(random), chance=chance)
    site = _choose_sites(species, len(tree.species), sites, chance)
    return Census(seed, tree, sites, species, split, haplotype, site, _serials(site), _index_1m(tree, species, chance))


def _species_counts(sizes: dict[str, int]) -> tuple[Numbers, Numbers]:
    """Give the number of species (order, pool), and of pretrain, train and other_heldout specimens (order, 3)."""
    rows = np.stack(
        [
            by_order(sizes["pretrain"]),
            by_order(sizes["train"], SEEN_SHARES),
            by_order(sizes["other_heldout"], SEEN_SHARES),
        ],
        axis=1,
    )
    unseen_rows = sum(sizes[name] for name in ("key_unseen", "val_unseen", "test_unseen"))
    counts = np.zeros((len(ORDERS), len(Pool)), np.int64)
    for pool, column, power in ((Pool.HIDDEN, 0, 0.75), (Pool.SEEN, 1, 0.745), (Pool.HELDOUT, 2, 0.8177)):
        wanted = species_of(int(rows[:, column].sum()), power)
        dealt = np.maximum(deal(wanted, rows[:, column]), 1)
        counts[:, pool] = np.minimum(rows[:, column], dealt)
    weights = [
        UNSEEN_SHARES.get(order.name, 0.0) * (n > 0) for order, n in zip(ORDERS, counts[:, Pool.SEEN], strict=True)
    ]
    counts[:, Pool.UNSEEN] = deal(max(2, min(unseen_rows // 12, species_of(unseen_rows, 0.6266))), weights)
    return counts, rows


def _cells(tree: Tree, sizes: dict[str, int], rows: Numbers, chance: np.random.Generator) -> Numbers:
    """Give the number of specimens of each species in each split, shape (species, 8)."""
    pool = np.array(tree.species_pool)
    order = np.array(tree.family_order)[np.array(tree.genus_family)[np.array(tree.species_genus)]]
    common = abundances(pool.size, chance)
    cells = np.zeros((pool.size, len(SPLIT_NAMES)), np.int64)
    column = {name: cells[:, number] for number, name in enumerate(SPLIT_NAMES)}
    for number in range(len(ORDERS)):
        here = order == number
        for name, wanted, among in (
            ("train", rows[number, 1], here & (pool == Pool.SEEN)),
            ("other_heldout", rows[number, 2], here & (pool == Pool.HELDOUT)),
        ):
            if wanted:
                column[name][among] = deal(int(wanted), common[among] ** (1.0 if name == "train" else 0.5), least=1)
        if rows[number, 0]:
            column["pretrain"][here] = _pretrain(int(rows[number, 0]), pool[here], common[here])
    _evaluation(column, np.flatnonzero(pool == Pool.SEEN), sizes, common)
    _unseen(column, np.flatnonzero(pool == Pool.UNSEEN), sizes, common)
    return cells


def _pretrain(wanted: int, pool: Numbers, common: npt.NDArray[np.float64]) -> Numbers:
    """Deal the pretrain specimens of an order out: three quarters to hidden species, which all occur."""
    hidden = pool == Pool.HIDDEN
    dealt = np.zeros(pool.size, np.int64)
    known = 0 if hidden.all() else min(wanted - int(hidden.sum()), wanted // 4)
    dealt[hidden] = deal(wanted - known, common[hidden], least=1)
    if known:
        dealt[~hidden] = deal(known, common[~hidden])
    return dealt


def _evaluation(
    column: dict[str, Numbers], seen: Numbers, sizes: dict[str, int], common: npt.NDArray[np.float64]
) -> None:
    """Fill val (like train) and test (flattened) from the most common seen species."""
    ranked = seen[np.argsort(-column["train"][seen], kind="stable")]
    for name, power in (("val", 1.0), ("test", 0.3)):
        chosen = ranked[: max(2, min(round(0.29 * seen.size) + 2, sizes[name]))]
        column[name][chosen] = deal(sizes[name], common[chosen] ** power, least=1)


def _unseen(
    column: dict[str, Numbers], unseen: Numbers, sizes: dict[str, int], common: npt.NDArray[np.float64]
) -> None:
    """Fill the three unseen splits: evaluation evenly, keys by abundance, all species among the keys."""
    for name in ("val_unseen", "test_unseen"):
        column[name][unseen] = deal(sizes[name], common[unseen] ** 0.2)
    least = max(1, min(6, sizes["key_unseen"] // unseen.size))
    column["key_unseen"][unseen] = deal(sizes["key_unseen"], common[unseen], least=least)


def _specimens(
    cells: Numbers, chance: np.random.Generator
) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.uint8], npt.NDArray[np.int16]]:
    """Turn the cells into shuffled rows with haplotypes: about half as many as rows, each in one split only."""
    of_species, of_split = np.nonzero(cells)
    size = cells[of_species, of_split]
    kinds = np.clip(np.ceil(0.5 * size**0.92), 1, HAPLOTYPES // len(SPLIT_NAMES)).astype(np.int64)
    before = np.cumsum(kinds) - kinds
    new_species = np.concatenate([[True], of_species[1:] != of_species[:-1]])
    first = before - np.maximum.accumulate(np.where(new_species, before, 0))
    cell = np.repeat(np.arange(size.size), size)
    nth = np.arange(cell.size) - np.repeat(np.cumsum(size) - size, size)
    repeated = (kinds[cell] * chance.random(cell.size) ** 2.5).astype(np.int64)
    haplotype = first[cell] + np.where(nth < kinds[cell], nth, repeated)
    shuffled = chance.permutation(cell.size)
    cell = cell[shuffled]
    return of_species[cell].astype(np.int32), of_split[cell].astype(np.uint8), haplotype[shuffled].astype(np.int16)


def _choose_sites(
    species: npt.NDArray[np.int32], many: int, sites: Sites, chance: np.random.Generator
) -> npt.NDArray[np.int16]:
    """Choose sites: seven in eight specimens of a species come from its home country; a few have lost their label."""
    shares = country_shares()
    home = chance.choice(shares.size, many, p=shares)[species]
    abroad = np.flatnonzero(chance.random(species.size) < 1 / 8)
    home[abroad] = chance.choice(shares.size, abroad.size, p=shares)
    width = np.diff(sites.first)[home]
    site = (sites.first[home] + (chance.random(species.size) ** 1.5 * width).astype(np.int64)).astype(np.int16)
    site[chance.choice(species.size, max(1, round(species.size * 1.6e-6)), replace=False)] = -1
    return site


def _serials(site: npt.NDArray[np.int16]) -> npt.NDArray[np.int32]:
    """Number the specimens of each site from 1 on, in row order."""
    order = np.argsort(site, kind="stable")
    ordered = site[order]
    start = np.concatenate([[True], ordered[1:] != ordered[:-1]])
    place = np.arange(site.size)
    serial = np.empty(site.size, np.int32)
    serial[order] = place - np.maximum.accumulate(np.where(start, place, 0)) + 1
    return serial


def _index_1m(tree: Tree, species: npt.NDArray[np.int32], chance: np.random.Generator) -> npt.NDArray[np.int32]:
    """Number the specimens that stand in BIOSCAN-1M as well: 22 % of the insects."""
    insect = np.array([ORDERS[order].class_name == "Insecta" for order in tree.family_order])
    of_species = insect[np.array(tree.genus_family)[np.array(tree.species_genus)]]
    inside = np.flatnonzero(of_species[species] & (chance.random(species.size) < 0.22))
    index = np.full(species.size, -1, np.int32)
    index[inside] = chance.permutation(inside.size)
    return index
