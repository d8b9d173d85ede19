"""Checks of the configs with photographs: the same rows as `metadata`, and JPEGs that decode."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ..folder import DAMAGE, Shard, image_configs
from ..keys import Keys, md5_keys
from ..manifest import REJECTED, read_rejected
from ..packages import METADATA
from .findings import Finding, conclude, error, ok, warning
from .inspection import Inspection
from .photographs import CompareJob, Look, LookJob, compare, look, read_keys


SAMPLE = "sample"
SHORTER_SIDE = {"cropped_256": 256, "original_256": 256, "original_full": 768}
LONGER_SIDE = {"original_full": 1024}


def check_images(folder: Inspection) -> Iterable[Finding]:
    """Check that image configs hold the rows of the metadata: all that were not left out, equal, in order."""
    configs = [name for name in (*image_configs(folder), SAMPLE) if name in folder.layout]
    if not configs:
        return [ok("there are no photographs")]
    shards = [shard for name in configs for shard in folder.of(name) if folder.is_sound(shard)]
    read = list(folder.run(read_keys, [shard.path for shard in shards], "reading process ids"))
    problems = [
        error(f"{shard.file} is damaged: {keys}")
        for shard, keys in zip(shards, read, strict=True)
        if isinstance(keys, str)
    ]
    rejected = _rejected_keys(folder)
    jobs: list[CompareJob] = []
    for config in configs:
        for split in folder.layout[config]:
            pairs = [
                (shard, keys)
                for shard, keys in zip(shards, read, strict=True)
                if (shard.config, shard.split) == (config, split) and not isinstance(keys, str)
            ]
            whole = len(pairs) == len(folder.layout[config][split]) and config != SAMPLE
            problems += _compare_split(folder, split, pairs, rejected if whole else None, jobs)
    for differences in folder.run(compare, jobs, "comparing columns"):
        problems += map(error, differences)
    rows = sum(len(job.rows) for job in jobs)
    return conclude(problems, f"{rows:,} rows of {', '.join(configs)} as in the metadata")


def check_photographs(folder: Inspection) -> Iterable[Finding]:
    """Check that photographs are whole JPEGs with their specimen's name; a sample, or all of them."""
    problems: list[Finding] = []
    decoded = total = 0
    for shard, seen in _looks(folder):
        decoded += seen.decoded
        total += shard.rows
        problems += map(error, seen.problems)
        if seen.bad > len(seen.problems):
            problems.append(error(f"{shard.file}: {seen.bad - len(seen.problems)} more photographs are bad"))
    if not total:
        return [ok("there are no photographs")]
    most = "" if decoded == total else "; all with --full"
    return conclude(problems, f"{decoded:,} of {total:,} decoded{most}")


def check_image_sizes(folder: Inspection) -> Iterable[Finding]:
    """Check that photographs have the size of their package."""
    sizes: dict[str, Counter[tuple[int, int]]] = {}
    for shard, seen in _looks(folder):
        if shard.config != SAMPLE:
            sizes.setdefault(shard.config, Counter()).update(seen.sizes)
    problems = []
    for config, counted in sizes.items():
        odd = {size: count for size, count in counted.items() if not _plausible(config, *size)}
        if odd:
            (width, height), _ = max(odd.items(), key=lambda item: item[1])
            text = f"{sum(odd.values()):,} of {counted.total():,} photographs, such as {width}×{height} pixels"
            problems.append(warning(f"{config}: {text}; {_wanted(config)} is usual"))
    return conclude(problems, "; ".join(_told(config, counted) for config, counted in sizes.items()) or "none")


def _looks(folder: Inspection) -> list[tuple[Shard, Look]]:
    if folder.looks is None:
        configs = (*image_configs(folder), SAMPLE)
        shards = [shard for name in configs for shard in folder.of(name) if folder.is_sound(shard)]
        jobs = [LookJob(shard.path, shard.file, folder.full) for shard in shards]
        folder.looks = list(zip(shards, folder.run(look, jobs, "decoding photographs"), strict=True))
    return folder.looks


def _compare_split(
    folder: Inspection,
    split: str,
    pairs: list[tuple[Shard, Keys]],
    rejected: Keys | None,
    jobs: list[CompareJob],
) -> Iterator[Finding]:
    """Find the rows of a split of an image config among the metadata, and plan their comparison."""
    metadata = folder.scans[split].keys
    files = tuple(shard.path for shard in folder.layout[METADATA].get(split, []))
    seen = np.zeros(len(metadata), bool)
    last = -1
    for shard, keys in pairs:
        rows, found = find(metadata, keys)
        if not found.all():
            strange = int(np.flatnonzero(~found)[0])
            count = int((~found).sum())
            yield error(f"{shard.file}: {count:,} rows are not in the metadata of {split}, the first is row {strange}")
        elif (np.diff(rows, prepend=last) <= 0).any():
            yield error(f"{shard.file}: rows stand twice, or not in the order of the metadata")
        else:
            jobs.append(CompareJob(shard.path, shard.file, files, rows))
        seen[rows[found]] = True
        last = int(rows[-1]) if len(rows) else last
    if rejected is not None and pairs:
        missing = np.flatnonzero(~seen)
        unexplained = missing[~find(rejected, metadata[missing])[1]]
        if len(unexplained):
            where = folder.locate(split, int(unexplained[0]))
            config = pairs[0][0].config
            yield error(
                f"{config} lacks {len(unexplained):,} specimens of {split} that are not in {REJECTED}, such as {where}"
            )


def find(table: Keys, keys: Keys) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.bool_]]:
    """Find keys in a table of keys: the place of each, and whether it is there.

    Args:
        table: shape (m, 2), in any order.
        keys: shape (n, 2).

    Examples:
        >>> place, found = find(np.array([[7, 1], [9, 2]], np.uint64), np.array([[9, 2], [9, 3]], np.uint64))
        >>> place[0].item(), found.tolist()
        (1, [True, False])
    """
    if not len(table):
        return np.zeros(len(keys), np.int64), np.zeros(len(keys), bool)
    by_key = np.argsort(table[:, 0], kind="stable")
    place = by_key[np.minimum(np.searchsorted(table[by_key, 0], keys[:, 0]), len(table) - 1)]
    return place, (table[place] == keys).all(axis=1)


def _rejected_keys(folder: Inspection) -> Keys:
    try:
        names = [one.processid or "" for one in read_rejected(folder.path / REJECTED)]
    except DAMAGE:
        names = []
    return md5_keys(pa.array(names, pa.string()))


def _plausible(config: str, width: int, height: int) -> bool:
    short, long = min(width, height), max(width, height)
    return short == SHORTER_SIDE.get(config, short) and long == LONGER_SIDE.get(config, long)


def _wanted(config: str) -> str:
    side = f"{SHORTER_SIDE[config]} pixels"
    return f"{LONGER_SIDE[config]}×{side}" if config in LONGER_SIDE else f"a shorter side of {side}"


def _told(config: str, counted: Mapping[tuple[int, int], int]) -> str:
    if not counted:
        return f"{config}: none seen"
    widths, heights = zip(*counted, strict=True)
    spread = [f"{min(side)}" if min(side) == max(side) else f"{min(side)}–{max(side)}" for side in (widths, heights)]
    return f"{config} {spread[0]}×{spread[1]}"
