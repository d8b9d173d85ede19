"""The builder: a release in, a dataset folder out; goes on where it was stopped."""

from __future__ import annotations

import errno
import functools
import re
import shutil
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path

import fsspec
import numpy as np
import pyarrow as pa

from ..errors import Bioscan5mError, OutputError, ReleaseError
from ..splits import SPLIT_NAMES
from . import manifest, shards
from .archives import Members, read_members
from .checks import Rejection
from .intake import take_in
from .manifest import Manifest
from .origins import Origin, read_origin, write_origin
from .packages import CONFIGS, IMAGE_PACKAGES, METADATA, SAMPLE, TAXONOMY
from .pairing import ROW_BYTES, Pairs, pair
from .parquet import grouped, shard_rows, take_rows, write_shard
from .release import Archive, Release, Source
from .remote import connection
from .sample import choose_sample
from .schema import arrow_schema, specimen_schema, taxonomy_fields
from .shards import ImageJob, MetadataJob, Outcome, write_images, write_metadata
from .taxa import lineages, taxonomy_table
from .workers import executor, ordered_map
from .workshop import Options, Workshop, begin, close_config, open_config, record, run_jobs, write_rejections


def build(
    release: Release | str | Path,
    folder: str | Path,
    packages: Sequence[str] | None = None,
    options: Options | None = None,
    say: Callable[[str], None] = lambda _: None,
) -> Manifest:
    """Build a dataset folder, or go on with it, or add packages to it.

    Args:
        release: the official files: a folder, an address, or an open `Release`.
        folder: the dataset folder: new, empty, or built before.
        packages: image packages to build; by default all that the release has.
        options: how it is done.
        say: is told what a user should know, a line at a time.

    Returns:
        The state of the folder.

    Raises:
        ReleaseError: something is wrong with the release; what is finished stays, and the same call goes on.
        OutputError: the folder cannot be used.
        ValueError: an option says something impossible.
    """
    options = options or Options()
    _check_repository(options.repository)
    release = release if isinstance(release, Release) else Release.open(release)
    packages = release.image_packages() if packages is None else packages
    folder = Path(folder)
    Manifest.load(folder)
    source = release.metadata(options.metadata_format)
    archives = {package: release.archives(package) for package in packages}
    try:
        with manifest.locked(folder), executor(options.workers, options.scheduler) as pool:
            state = Manifest.load(folder)
            state.kind = release.kind()
            state.repository = options.repository or state.repository
            shop = Workshop(folder, state, pool, options, say, tuple(archives))
            build_metadata(shop, source)
            build_taxonomy(shop)
            for package, found in archives.items():
                build_images(shop, package, found, release.missing_parts(package))
            build_sample(shop)
            finish(shop)
    except BrokenProcessPool as error:
        raise Bioscan5mError("a worker process was killed (memory?): run the same command to go on") from error
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            raise OutputError(
                f"no room left on the device of {folder} ({error.strerror}); what is finished is kept: "
                "make room and run the same command to go on"
            ) from error
        raise
    return state


def build_metadata(shop: Workshop, source: Source) -> None:
    """Write the `metadata` config: all records, without photographs."""
    policy = shop.options.policy
    inputs = {Path(source.path).name: identity(source.path, source.member)}
    key = manifest.digest(METADATA, inputs, source.format, policy.upper_case)
    _check_stale(shop, key)
    spill = shop.folder / manifest.FOLDER / "spill"
    shutil.rmtree(spill, ignore_errors=True)
    config = open_config(shop, METADATA, key, inputs)
    if config.complete and all(shop.state.done(METADATA, file, key) for file in config.shards):
        return
    begin(shop)
    shop.say(f"reading {Path(source.path).name}")
    spill.mkdir()
    try:
        intake = take_in(source, Path(tempfile.mkdtemp(dir=spill)), shop.pool, policy)
        write_rejections(shop, METADATA, intake.rejections)
        config.counts = {
            "records": intake.records,
            "rows": len(intake.split),
            "rejected": len(intake.rejections),
        }
        config.notes = intake.notes
        jobs: list[tuple[str, MetadataJob]] = []
        row_bytes = max(1, intake.nbytes // max(1, len(intake.split)))
        for split in SPLIT_NAMES:
            first, last = intake.bounds(split)
            write_origin(shop.folder, split, Origin(intake.file, intake.rows[first:last]))
            cuts = shards.bounds(np.full(last - first, row_bytes), shards.METADATA_SHARD_BYTES)
            for index, (start, stop) in enumerate(cuts):
                name = shards.shard_name(METADATA, split, index, len(cuts))
                pieces = intake.pieces(first + start, first + stop)
                jobs.append((name, MetadataJob(shop.folder / name, specimen_schema(), pieces)))
        run_jobs(shop, METADATA, write_metadata, jobs)
        close_config(shop, METADATA, config, [name for name, _ in jobs])
    finally:
        shutil.rmtree(spill, ignore_errors=True)


def build_taxonomy(shop: Workshop) -> None:
    """Write the `taxonomy` config from the shards of the metadata."""
    metadata = shop.state.configs[METADATA]
    key = manifest.digest(TAXONOMY, metadata.key)
    config = open_config(shop, TAXONOMY, key, metadata.inputs)
    name = shards.shard_name(TAXONOMY, "train", 0, 1)
    if not shop.state.done(TAXONOMY, name, key):
        files = [file for split in SPLIT_NAMES for file in shop.state.files(METADATA, split)]
        table = taxonomy_table(ordered_map(shop.pool, lineages, files))
        rows = write_shard(shop.folder / name, arrow_schema(taxonomy_fields(SPLIT_NAMES)), grouped(table))
        record(shop, TAXONOMY, name, Outcome(rows, (shop.folder / name).stat().st_size, []))
    close_config(shop, TAXONOMY, config, [name])


def build_images(shop: Workshop, package: str, archives: Sequence[Archive], missing: Sequence[str]) -> None:
    """Write an image config: the records of the splits its archives hold, with their photographs."""
    options, metadata = shop.options, shop.state.configs[METADATA]
    paths = [archive.path for archive in archives]
    read = functools.partial(read_members, image_package=package)
    shop.say(f"{package}: reading the directories of {len(paths)} archives")
    members = list(ordered_map(shop.pool, read, paths))
    inputs = {one.file: one.identity for one in members}
    key = manifest.digest(package, inputs, metadata.key, options.decode)
    config = open_config(shop, package, key, inputs)
    whole = [archive.package for archive in archives if archive.package.part is None or not missing]
    pairs = _pair_all(shop, members, {split for package in whole for split in package.splits})
    rejections = [bad for one in members for bad in one.rejections]
    rejections += [bad for found in pairs.values() for bad in found.rejections]
    _stop_at(rejections, options.policy.skip, package, missing)
    write_rejections(shop, package, rejections)
    config.notes = [f"{package}: {name} is not there" for name in missing]
    jobs = list(_image_jobs(shop, package, paths, pairs))
    run_jobs(shop, package, write_images, jobs)
    records = sum(shop.state.rows(METADATA, split) for split in pairs)
    photographs = sum(len(one.split) + len(one.rejections) for one in members)
    rows = sum(config.shards[name]["rows"] for name, _ in jobs)
    config.counts = {
        "records": records,
        "photographs": photographs,
        "rows": rows,
        "records_left_out": records - rows,
        "photographs_left_out": photographs - rows,
    }
    close_config(shop, package, config, [name for name, _ in jobs])


def build_sample(shop: Workshop) -> None:
    """Write the `sample` config: a few hundred specimens over all splits and orders, from the default image package.

    Of every order in every split those with the smallest MD5 keys are taken (`sample.choose_sample`).
    """
    configs = shop.state.configs
    package = next((name for name in IMAGE_PACKAGES if name in configs and configs[name].complete), None)
    if package is None:
        return
    source = configs[package]
    key = manifest.digest(SAMPLE, package, source.key)
    config = open_config(shop, SAMPLE, key, source.inputs)
    chosen = choose_sample(_orders(shop, package))
    names = []
    for split, places in chosen.items():
        name = shards.shard_name(SAMPLE, split, 0, 1)
        names.append(name)
        if not shop.state.done(SAMPLE, name, key):
            tables = list(take_rows(shop.state.files(package, split), places))
            rows = write_shard(shop.folder / name, tables[0].schema, grouped(pa.concat_tables(tables)))
            record(shop, SAMPLE, name, Outcome(rows, (shop.folder / name).stat().st_size, []))
    config.counts = {"rows": sum(config.shards[name]["rows"] for name in names)}
    config.notes = [f"the photographs are those of {package}"]
    close_config(shop, SAMPLE, config, names)


def finish(shop: Workshop) -> None:
    """Write what is said of the whole folder: the list of rejections and the card."""
    from .card import write_card

    folder = shop.folder / manifest.FOLDER / "rejected"
    everything = [bad for file in sorted(folder.glob("*.csv")) for bad in manifest.read_rejected(file)]
    manifest.write_rejected(shop.folder / manifest.REJECTED, everything)
    if everything:
        shop.say(f"{len(everything)} records and photographs were left out: see {shop.folder / manifest.REJECTED}")
    for line in sums(shop.state):
        shop.say(line)
    write_card(shop.state)


def sums(state: Manifest) -> Iterator[str]:
    """Say for each config how what was read adds up to what was written and what was left out.

    Args:
        state: the manifest of the folder.
    """
    for name, config in state.configs.items():
        counts = config.counts
        parts = [("records", counts.get("rejected", counts.get("records_left_out")))]
        parts += [("photographs", counts.get("photographs_left_out"))]
        said = [
            f"{counts[what]:,} {what} = {counts['rows']:,} rows + {left:,} left out"
            for what, left in parts
            if left is not None
        ]
        if said:
            yield f"{name}: {'; '.join(said)}"


def identity(path: str, member: str | None = None) -> str:
    """Say what a file is without reading it whole: CRC-32 and size of an archive's member, else size and time.

    Args:
        path: local path or URL.
        member: name inside the zip at `path`.
    """
    with connection(path):
        return _identity(path, member)


def _identity(path: str, member: str | None) -> str:
    if member is not None:
        with fsspec.open(path, "rb") as stream, zipfile.ZipFile(stream) as archive:
            info = archive.getinfo(member)
            return f"{info.CRC:08x}-{info.file_size}"
    system, inner = fsspec.url_to_fs(path)
    info = system.info(inner)
    return "-".join(str(info[name]) for name in ("size", "ETag", "mtime") if name in info)


def _check_repository(name: str | None) -> None:
    if name is not None and not re.fullmatch(r"[\w.-]+/[\w.-]+", name, re.ASCII):
        raise ValueError(f"{name!r} is no name of a repository: give `namespace/name`")


def _check_stale(shop: Workshop, key: str) -> None:
    """Refuse to leave photographs beside metadata they were not built from."""
    known = shop.state.configs.get(METADATA)
    others = [name for name in IMAGE_PACKAGES if name in shop.state.configs and name not in shop.packages]
    if known is not None and known.key != key and others:
        raise OutputError(
            f"{shop.folder} holds {', '.join(others)}, built from other metadata or options: build "
            f"{'them' if len(others) > 1 else 'it'} again in the same call (--package), or name a new folder"
        )


def _pair_all(shop: Workshop, members: Sequence[Members], expected: AbstractSet[str]) -> dict[str, Pairs]:
    """Pair the splits that the archives should hold, and those they hold something of."""
    found = {SPLIT_NAMES[code] for one in members for code in np.unique(one.split).tolist()}
    state = shop.state
    return {
        split: pair(
            split, state.files(METADATA, split), members, state.rows(METADATA, split), read_origin(state, split)
        )
        for split in SPLIT_NAMES
        if split in found | expected
    }


def _stop_at(rejections: Sequence[Rejection], skip: bool, package: str, missing: Sequence[str]) -> None:
    if not rejections or skip:
        return
    bad = rejections[0]
    more = f" (and {len(rejections) - 1} more)" if len(rejections) > 1 else ""
    hint = f"{', '.join(missing)} is missing: fetch it, or " if missing else "correct the files, or "
    hint += "leave such specimens out with --on-error skip"
    reason = f"{package}: {bad.reason}{more}"
    raise ReleaseError(reason, file=bad.file, row=bad.row, processid=bad.processid, hint=hint)


def _image_jobs(
    shop: Workshop, package: str, paths: Sequence[str], pairs: dict[str, Pairs]
) -> Iterable[tuple[str, ImageJob]]:
    for split, found in pairs.items():
        cuts = shards.bounds(found.nbytes, shards.SHARD_BYTES)
        for index, (start, stop) in enumerate(cuts):
            name = shards.shard_name(package, split, index, len(cuts))
            job = ImageJob(
                path=shop.folder / name,
                schema=specimen_schema(image=True),
                metadata=shop.state.files(METADATA, split),
                rows=found.rows[start:stop],
                archives=tuple(paths),
                archive=found.archive[start:stop],
                members=found.members[start:stop],
                skip=shop.options.policy.skip,
                decode=shop.options.decode,
            )
            yield name, job


def _orders(shop: Workshop, package: str) -> dict[str, pa.Array]:
    orders = {}
    for split in SPLIT_NAMES:
        files = shop.state.files(package, split)
        if files:
            tables = take_rows(files, np.arange(shard_rows(files)), ["order"])
            orders[split] = pa.concat_tables(tables)["order"].combine_chunks()
    return orders


__all__ = ["CONFIGS", "ROW_BYTES", "Options", "build"]
