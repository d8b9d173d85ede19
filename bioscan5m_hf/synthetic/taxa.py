"""The invented tree of life: families, subfamilies, genera and species under the real orders, with their genes."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import IntEnum
from random import Random

import numpy as np
import numpy.typing as npt

from .barcodes import Evolution, Sequences, ancestor
from .names import Namer
from .orders import ORDERS


class Pool(IntEnum):
    """What is known of a species, and so in which splits it may stand."""

    HIDDEN = 0
    """known by its barcode cluster only: pretrain"""
    SEEN = 1
    """described: train, val, test"""
    UNSEEN = 2
    """undescribed, in a genus that has seen species: key_unseen, val_unseen, test_unseen"""
    HELDOUT = 3
    """other undescribed ones: other_heldout"""


@dataclass
class Tree:
    """Taxa by rank, from wide to narrow; `x_y[i]` is the number of the y that the i-th x belongs to."""

    family: list[str] = field(default_factory=list)
    family_order: list[int] = field(default_factory=list)
    subfamily: list[str] = field(default_factory=list)
    genus: list[str] = field(default_factory=list)
    genus_family: list[int] = field(default_factory=list)
    genus_subfamily: list[int] = field(default_factory=list)
    species: list[str | None] = field(default_factory=list)
    species_genus: list[int] = field(default_factory=list)
    species_pool: list[Pool] = field(default_factory=list)
    bin: list[str] = field(default_factory=list)
    sequences: Sequences = field(default_factory=lambda: np.empty((0, 0), np.uint8))
    tails: Sequences = field(default_factory=lambda: np.empty((0, 0), np.uint8))


def grow(counts: npt.NDArray[np.int64], *, random: Random, chance: np.random.Generator) -> Tree:
    """Grow a tree with given numbers of species.

    Args:
        counts: number of species of each order in each pool, shape (55, 4).
        random: chance for names and shape.
        chance: chance for sequences.

    Examples:
        >>> counts = np.zeros((55, 4), np.int64)
        >>> counts[0] = 1
        >>> tree = grow(counts, random=Random(0), chance=np.random.default_rng(0))
        >>> len(tree.species), tree.species[0], tree.sequences.shape
        (4, None, (4, 658))
    """
    tree, namer = Tree(), Namer(random)
    for order, of_pool in enumerate(counts.tolist()):
        if sum(of_pool):
            _grow_order(tree, order, of_pool, namer)
    _name_homonyms(tree)
    _name_species(tree, namer)
    _assign_bins(tree, random)
    _evolve(tree, chance)
    return tree


def _grow_order(tree: Tree, order: int, of_pool: list[int], namer: Namer) -> None:
    random, total = namer.random, sum(of_pool)
    families = range(len(tree.family), len(tree.family) + max(1, round(0.8 * total**0.5)))
    subfamilies: dict[int, list[int]] = {}
    for family in families:
        tree.family.append(namer.family())
        tree.family_order.append(order)
        count = 0 if random.random() < 0.25 else random.choice((1, 2, 2, 3))
        subfamilies[family] = list(range(len(tree.subfamily), len(tree.subfamily) + count))
        tree.subfamily.extend(namer.subfamily() for _ in range(count))
    weights = [1 / (rank + 1) for rank in range(len(families))]

    def new_genera(count: int) -> list[int]:
        start = len(tree.genus)
        for family in random.choices(families, weights, k=count):
            tree.genus.append(namer.genus())
            tree.genus_family.append(family)
            tree.genus_subfamily.append(random.choice(subfamilies[family] or [-1]))
        return list(range(start, len(tree.genus)))

    seen = new_genera(-(-of_pool[Pool.SEEN] // 2)) if of_pool[Pool.SEEN] else []
    held = new_genera(-(-of_pool[Pool.HELDOUT] // 4)) if of_pool[Pool.HELDOUT] else []
    hidden = new_genera(-(-of_pool[Pool.HIDDEN] // 3)) if of_pool[Pool.HIDDEN] else []
    homes = {Pool.SEEN: seen, Pool.UNSEEN: seen, Pool.HELDOUT: held + seen, Pool.HIDDEN: hidden * 2 + seen + held}
    for pool in Pool:
        own = {Pool.SEEN: seen, Pool.HELDOUT: held, Pool.HIDDEN: hidden}.get(pool, [])[: of_pool[pool]]
        chosen = own + random.choices(homes[pool], k=of_pool[pool] - len(own)) if of_pool[pool] else []
        tree.species_genus.extend(chosen)
        tree.species_pool.extend([pool] * len(chosen))


def _name_homonyms(tree: Tree) -> None:
    """Give some genera of labelled species the name of a genus in another family, as happens between real ones."""
    used = [g for g, pool in zip(tree.species_genus, tree.species_pool, strict=True) if pool == Pool.SEEN]
    genera = list(dict.fromkeys(used))
    wanted, taken = max(1, len(genera) // 200), 0
    for first, second in zip(genera, reversed(genera), strict=True):
        if first >= second or taken == wanted:
            return
        if tree.genus_family[first] != tree.genus_family[second]:
            tree.genus[second] = tree.genus[first]
            taken += 1


def _name_species(tree: Tree, namer: Namer) -> None:
    for genus, pool in zip(tree.species_genus, tree.species_pool, strict=True):
        name = tree.genus[genus]
        if pool == Pool.HIDDEN:
            tree.species.append(None)
        else:
            tree.species.append(namer.species(name) if pool == Pool.SEEN else namer.placeholder(name))


def _assign_bins(tree: Tree, random: Random) -> None:
    """Give each species its barcode cluster; one in 25 shares that of a congener, as real species do."""
    last: dict[int, str] = {}
    numbers = random.sample(range(26**3 * 10_000), len(tree.species))
    for genus, number in zip(tree.species_genus, numbers, strict=True):
        letters, digits = divmod(number, 10_000)
        text = "".join(chr(65 + letters // 26**place % 26) for place in (2, 1, 0))
        shared = genus in last and random.random() < 0.04
        last[genus] = last[genus] if shared else f"BOLD:{text}{digits:04d}"
        tree.bin.append(last[genus])


def _evolve(tree: Tree, chance: np.random.Generator) -> None:
    """Evolve the genes from a common ancestor through class, order, family and genus to species."""
    evolution = Evolution(chance)
    classes = list(dict.fromkeys(order.class_name for order in ORDERS))

    def descend(parents: Sequences, of: list[int], low: int, high: int, freedom: float) -> Sequences:
        return evolution.branch(parents[np.array(of)], chance.integers(low, high + 1, len(of)), freedom=freedom)

    root = ancestor(chance)[None]
    of_class = descend(root, [0] * len(classes), 45, 60, 2.5)
    of_order = descend(of_class, [classes.index(order.class_name) for order in ORDERS], 55, 75, 2.0)
    of_family = descend(of_order, tree.family_order, 50, 70, 1.4)
    of_genus = descend(of_family, tree.genus_family, 46, 60, 1.0)
    tree.sequences = descend(of_genus, tree.species_genus, 20, 46, 0.8)
    tail = "".join(chance.choice(list("LLLFIIIMSVAGTNPYWKEQHDS"), 281))
    tree.tails = np.stack([ancestor(chance, protein=tail)[1:843] for _ in tree.family])


def abundances(species: int, random: np.random.Generator) -> npt.NDArray[np.float64]:
    """Draw how common species are: a few are very common, most are rare.

    Examples:
        >>> bool(abundances(1000, np.random.default_rng(0)).max() > 20)
        True
    """
    return random.lognormal(0, 1.6, species)
