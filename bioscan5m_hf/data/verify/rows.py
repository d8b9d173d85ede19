"""Checks of the specimens of the `metadata` config, and of the taxonomy that is made from them."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from ...partition.leaks import Present, groups, species_in_two, species_without_keys
from ...splits import OFFICIAL_SPECIMENS, SPLIT_NAMES, SPLITS
from ..folder import DAMAGE, one_line
from ..keys import Keys, equal_neighbours, order
from ..schema import taxonomy_fields
from .findings import Finding, conclude, error, ok, warning
from .inspection import Inspection
from .overlaps import Overlap, shared_barcodes, shared_names
from .scan import RULES


def check_readable(folder: Inspection) -> Iterable[Finding]:
    """Check that every footer and all columns of the metadata can be read."""
    if not folder.shards:
        return [error("there are no Parquet files of ours")]
    return conclude(map(error, folder.damage()), f"{len(folder.shards)} Parquet files")


def by_rule(name: str, otherwise: str) -> Callable[[Inspection], Iterable[Finding]]:
    """Make the check that tells of the rules of this name.

    Args:
        name: `check` of the rules.
        otherwise: what to say when none is broken.

    Examples:
        >>> by_rule("chunks", "fine").__name__
        'check_chunks'
    """

    def check(folder: Inspection) -> Iterable[Finding]:
        problems = []
        for place, rule in enumerate(RULES):
            broken = [found.broken[place] for found in folder.scans.values() if place in found.broken]
            if rule.check == name and broken:
                rows = sum(count for count, _ in broken)
                example = next(text for _, examples in broken for text in examples)
                text = f"{_rows(rows)}, such as {example}"
                problems.append(error(text) if rule.severe or folder.official else warning(text))
        return conclude(problems, otherwise)

    check.__name__ = f"check_{name}"
    return check


def check_order(folder: Inspection) -> Iterable[Finding]:
    """Check that the rows of each split stand in MD5 order over its shards."""
    problems = []
    for split, found in folder.scans.items():
        backwards = falls(found.keys)
        if len(backwards):
            where = folder.locate(split, int(backwards[0]))
            problems.append(error(f"{split}: {_rows(len(backwards))} out of MD5(processid) order, first {where}"))
    return conclude(problems, "MD5(processid), within and over shards")


def check_unique(folder: Inspection) -> Iterable[Finding]:
    """Check that no process id stands twice, in one split or in two."""
    keys = folder.all_keys("keys")
    by_key = order(keys)
    again = by_key[equal_neighbours(keys[by_key])]
    if len(again):
        return [error(f"process ids that stand twice: {len(again):,}, such as {folder.locate_any(int(again.min()))}")]
    return [ok(f"{len(keys):,} process ids, each once")]


def check_unlabelled(folder: Inspection) -> Iterable[Finding]:
    """Check that `pretrain` has no species, as in the official release."""
    species = _species(folder)
    labelled = pc.sum(species["pretrain"]).as_py() or 0
    if not labelled:
        return [ok("no record of pretrain has a species")]
    example = species.filter(pc.greater(species["pretrain"], 0))["name"][0]
    text = f"{labelled:,} records of pretrain have a species, such as {example}; officially none has"
    return [_serious(folder, text)]


def check_disjoint(folder: Inspection) -> Iterable[Finding]:
    """Check that no species stands in two of seen, unseen and other_heldout."""
    species, present = _species(folder), _presence(folder)
    problems = [_serious(folder, str(leak)) for leak in species_in_two(species["name"], present)]
    counts = ", ".join(f"{name} {count:,}" for name, count in groups(present, len(species)).items())
    return conclude(problems, f"species in one of: {counts}")


def check_nested(folder: Inspection) -> Iterable[Finding]:
    """Check that val and test hold only species of train, and the unseen queries only species of their keys."""
    leaks = species_without_keys(_species(folder)["name"], _presence(folder))
    problems = [_serious(folder, str(leak)) for leak in leaks]
    return conclude(problems, "every species that is asked for can be found")


def check_taxonomy(folder: Inspection) -> Iterable[Finding]:
    """Check that the taxonomy config equals one made anew from the metadata."""
    wanted = folder.taxonomy
    fields = pa.schema(taxonomy_fields(SPLIT_NAMES))
    obstacle = folder.obstacle("taxonomy")
    if obstacle:
        return [error(obstacle)]
    try:
        paths = [shard.path for shard in folder.of("taxonomy")]
        found = pa.concat_tables([pq.read_table(path, partitioning=None).cast(fields) for path in paths])
        found.validate(full=True)
    except DAMAGE as problem:
        return [error(f"{folder.of('taxonomy')[0].file} is damaged: {one_line(problem)}")]
    if len(found) != len(wanted):
        return [error(f"the taxonomy has {_rows(len(found))}, the metadata give {len(wanted):,}")]
    wrong = [name for name in fields.names if not found[name].equals(wanted[name])]
    return conclude(
        (_taxonomy_problem(found, wanted, name) for name in wrong),
        f"{len(found):,} names, indices, parents and counts as the metadata give them",
    )


def check_overlaps(folder: Inspection) -> Iterable[Finding]:
    """Report which barcodes, BINs and species stand in several splits; only for barcodes is that unusual."""
    barcodes = shared_barcodes(folder.all_keys("barcodes"), folder.codes)
    problems = [ok(f"no barcode stands in two splits ({barcodes.distinct:,} distinct)")]
    if barcodes.shared:
        where = folder.locate_any(barcodes.example)
        text = f"{barcodes}; such as that of {where}"
        problems = [error(text, barcodes.matrix()) if folder.official else warning(text, barcodes.matrix())]
    names = [shared_names("BIN", folder.taxonomy, "dna_bin"), shared_names("species", folder.taxonomy, "species")]
    return [*problems, *(ok(str(one), one.matrix() if one.shared else ()) for one in names)]


def check_official(folder: Inspection) -> Iterable[Finding]:
    """Compare specimens, distinct barcodes and species of each split with the published numbers."""
    barcodes: Overlap = shared_barcodes(folder.all_keys("barcodes"), folder.codes)
    species = _species(folder)
    problems = []
    for code, split in enumerate(SPLITS):
        found = {
            "specimens": (len(folder.scans[split.name].keys), split.specimens),
            "barcodes": (barcodes.of(code), split.barcodes),
            "species": (int(_present(species, split.name).sum()), split.species or 0),
        }
        wrong = [f"{here:,} {what} (officially {there:,})" for what, (here, there) in found.items() if here != there]
        if wrong:
            problems.append(error(f"{split.name} has {', '.join(wrong)}"))
    return conclude(problems, f"{OFFICIAL_SPECIMENS:,} specimens in eight splits, as published")


def falls(keys: Keys) -> np.ndarray[tuple[int], np.dtype[np.intp]]:
    """Find the rows whose key is smaller than the one before.

    Examples:
        >>> falls(np.array([[1, 5], [1, 4], [2, 0]], np.uint64)).tolist()
        [1]
    """
    high, low = keys[:, 0], keys[:, 1]
    return np.flatnonzero((high[1:] < high[:-1]) | ((high[1:] == high[:-1]) & (low[1:] < low[:-1]))) + 1


def _rows(count: int) -> str:
    return f"{count:,} row{'' if count == 1 else 's'}"


def _serious(folder: Inspection, text: str) -> Finding:
    return error(text) if folder.official else warning(text)


def _species(folder: Inspection) -> pa.Table:
    table = folder.taxonomy
    return table.filter(pc.and_(pc.equal(table["rank"], "species"), pc.invert(table["filler"]))).combine_chunks()


def _present(species: pa.Table, split: str) -> np.ndarray[tuple[int], np.dtype[np.bool_]]:
    present: np.ndarray[tuple[int], np.dtype[np.bool_]] = species[split].to_numpy() > 0
    return present


def _presence(folder: Inspection) -> Present:
    species = _species(folder)
    return {split: _present(species, split) for split in SPLIT_NAMES}


def _taxonomy_problem(found: pa.Table, wanted: pa.Table, column: str) -> Finding:
    pairs = enumerate(zip(found[column].to_pylist(), wanted[column].to_pylist(), strict=True))
    row, (here, there) = next((row, pair) for row, pair in pairs if pair[0] != pair[1])
    rank, name = wanted["rank"][row], wanted["name"][row]
    return error(f"taxonomy, {rank} {name}: {column} is {here!r}, the metadata give {there!r}")
