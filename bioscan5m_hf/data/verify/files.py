"""Checks of a dataset folder that need no more than names, the card, the manifest and the Parquet footers."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import Any

from ..card import DESCRIPTIONS
from ..folder import DatasetFolder, Shard, declared_fields
from ..manifest import FOLDER, REJECTED, read_rejected
from ..schema import IMAGE, arrow_schema, features
from ..shards import shard_name
from .findings import Finding, conclude, error, warning


SHARD_LIMIT = 500_000_000
ROW_GROUP_LIMIT = 30_000_000
_CODE = (".py", ".pyc", ".ipynb", ".sh")
_BLIND = warning("not checked, because README.md names no configs")
_LEFTOVER = (".part", ".incomplete", ".tmp", ".lock")


def check_card(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that README.md begins with YAML that names configs and their files."""
    try:
        configs = folder.card.get("configs")
    except ValueError as problem:
        return [error(str(problem))]
    named = folder.entries("configs")
    if not named or not isinstance(configs, list) or len(named) < len(configs):
        return [error("the YAML of README.md has no list `configs` with a name for each config")]
    bare = [name for name in named if not list(folder.globs(name))]
    return conclude(
        (error(f"config {name} has no `data_files` with a split and a path") for name in bare),
        f"README.md declares {', '.join(named)}",
    )


def check_default(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that the first config of the declaration is the one default."""
    named = folder.entries("configs")
    if not named:
        return [_BLIND]
    marked = [name for name, entry in named.items() if entry.get("default")]
    wanted = next((name for name in DESCRIPTIONS if name in named), None)
    if marked != [wanted]:
        said = f"the defaults are {', '.join(marked)}" if marked else "no config is marked as the default"
        return [error(f"{said}: {wanted} should be, alone")] if wanted else [error("there is no config of ours")]
    return conclude([], f"{wanted} is what load_dataset gives without a config name")


def check_files(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that every pattern of the card matches files of its split, and every Parquet file is matched once."""
    if not folder.entries("configs"):
        return [_BLIND]
    needed = [name for name in ("metadata", "taxonomy") if name not in folder.layout]
    problems = [error(f"there is no config {name}: every dataset of ours has it") for name in needed]
    matched: dict[str, list[tuple[str, str]]] = {}
    names = [name for name in folder.names if name.endswith(".parquet")]
    for config in folder.entries("configs"):
        for split, pattern in folder.globs(config):
            found = [name for name in names if fnmatchcase(name, pattern)]
            if not found:
                problems.append(error(f"{config}: no file matches {pattern!r}, so `load_dataset` would fail"))
            for name in found:
                matched.setdefault(name, []).append((config, split))
    owner = {shard.file: (shard.config, shard.split) for shard in folder.shards}
    for name in names:
        owners = matched.get(name, [])
        if name not in owner:
            problems.append(error(f"{name} belongs to no config and split of ours: remove it"))
        elif owners != [owner[name]]:
            said = " and ".join(f"{config}/{split}" for config, split in owners) or "nothing"
            problems.append(error(f"{name}: README.md counts it to {said}, its name to {'/'.join(owner[name])}"))
    return conclude(problems, f"{len(names)} Parquet files, each in one config and split")


def check_code(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that the repository holds no code: `datasets` ≥ 4 refuses a repository with a loading script."""
    code = [name for name in folder.names if name.endswith(_CODE)]
    return conclude((error(f"{name} is code: remove it") for name in code), "no code")


def check_leftovers(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that nothing half-written lies about."""
    inside = (path.relative_to(folder.path).as_posix() for path in (folder.path / FOLDER).rglob("*.part"))
    parts = [name for name in folder.names if name.endswith(_LEFTOVER)] + sorted(inside)
    spill = [f"{FOLDER}/{name}" for name in ("spill", "cache") if (folder.path / FOLDER / name).exists()]
    return conclude(
        (error(f"{name} is left over from an interrupted run: build again, or remove it") for name in parts + spill),
        "nothing half-written",
    )


def check_finished(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that the last build came to its end."""
    if (folder.path / FOLDER / "building").exists():
        return [error("a build is under way or was interrupted: run the same `bioscan5m build` again")]
    try:
        manifest = folder.manifest
    except ValueError as problem:
        return [error(str(problem))]
    if manifest is None:
        return conclude([], "no manifest: a downloaded copy")
    open_configs = [name for name, config in manifest.items() if not config.get("complete")]
    return conclude((error(f"{name} is not finished: build again") for name in open_configs), "the build is finished")


def check_schema(folder: DatasetFolder) -> Iterable[Finding]:
    """Check the columns, types and features of every shard, and the features in the card."""
    problems = []
    readable = [shard for shard in folder.shards if shard.schema is not None]
    wanted = {config: arrow_schema(declared_fields(config)) for config in folder.layout}
    for shard in readable:
        if not shard.schema.equals(wanted[shard.config], check_metadata=False):
            problems.append(error(f"{shard.file}: {_difference(shard.schema, wanted[shard.config])}"))
        elif (shard.schema.metadata or {}).get(b"huggingface") != wanted[shard.config].metadata[b"huggingface"]:
            problems.append(
                error(f"{shard.file}: the features in its `huggingface` metadata are not the declared ones")
            )
    infos = folder.entries("dataset_info")
    for config in folder.entries("configs"):
        declared = features(declared_fields(config))._to_yaml_list() if config in folder.layout else None
        if declared is not None and infos.get(config, {}).get("features") != declared:
            problems.append(error(f"README.md: the features of {config} are not the declared ones"))
    return conclude(problems, f"columns, types and features of {len(readable)} shards and the card as declared")


def check_counts(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that card, manifest and footers agree on the number of rows, and on the bytes."""
    problems = list(_card_counts(folder))
    readable = {shard.file: shard for shard in folder.shards if shard.footer is not None}
    for config, state in _manifest(folder).items():
        for file, entry in state.get("shards", {}).items():
            shard = readable.get(file)
            if shard is None and entry["rows"] and file not in {one.file for one in folder.shards}:
                problems.append(error(f"{file} is in the manifest and not in the folder"))
            elif shard is not None and entry["rows"] != shard.rows:
                problems.append(error(f"{file} has {shard.rows:,} rows, the manifest says {entry['rows']:,}"))
            elif shard is not None and entry["bytes"] != shard.bytes:
                problems.append(error(f"{file} has {shard.bytes:,} bytes, the manifest says {entry['bytes']:,}"))
        rows = sum(shard.rows for shard in folder.of(config))
        told = state.get("counts", {}).get("rows", rows)
        if told != rows and not any(shard.problem for shard in folder.of(config)):
            problems.append(error(f"{config} has {rows:,} rows, the manifest's counts say {told:,}"))
    rows = sum(shard.rows for shard in readable.values() if shard.config == "metadata")
    return conclude(problems, f"{rows:,} specimens; card, footers{' and manifest' if _manifest(folder) else ''} agree")


def check_sizes(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that shards and row groups are small enough to stream."""
    problems = [
        error(f"{shard.file} has {shard.bytes:,} bytes; at most {SHARD_LIMIT:,} are promised")
        for shard in folder.shards
        if shard.bytes > SHARD_LIMIT
    ]
    largest = 0
    for shard, group, size in _row_groups(folder):
        largest = max(largest, size)
        if size > ROW_GROUP_LIMIT:
            problems.append(
                error(f"{shard.file}: row group {group} has {size:,} bytes; at most {ROW_GROUP_LIMIT:,} are promised")
            )
    shards = max((shard.bytes for shard in folder.shards), default=0)
    return conclude(problems, f"shards up to {shards / 1e6:.1f} MB, row groups up to {largest / 1e6:.1f} MB")


def check_page_index(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that every column can be filtered by page; JPEG bytes have no minimum and maximum, only page places."""
    problems = []
    for shard in folder.shards:
        for group in range(shard.footer.num_row_groups if shard.footer else 0):
            columns = [shard.footer.row_group(group).column(place) for place in range(shard.footer.num_columns)]
            bare = [
                column.path_in_schema
                for column in columns
                if not column.has_offset_index
                or not (column.has_column_index or column.path_in_schema == f"{IMAGE}.bytes")
            ]
            if bare:
                problems.append(error(f"{shard.file}: no page index for {', '.join(bare[:4])} in row group {group}"))
                break
    return conclude(problems, "page index in every row group")


def check_shard_names(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that shards are numbered without holes; a shard whose rows were all left out has no file."""
    problems = []
    entries = (entry for state in _manifest(folder).values() for entry in state.get("shards", {}).items())
    empty = {file for file, entry in entries if not entry["rows"]}
    for config, by_split in folder.layout.items():
        for split, shards in by_split.items():
            counts = {shard.count for shard in shards}
            names = {shard_name(config, split, index, max(counts)) for index in range(max(counts))}
            missing = sorted(names - {shard.file for shard in shards} - empty)
            if len(counts) > 1:
                totals = ", ".join(map(str, sorted(counts)))
                problems.append(error(f"{config}/{split}: shards of several builds lie together (of {totals})"))
            elif missing:
                problems.append(
                    error(
                        f"{', '.join(missing)} is missing"
                        if len(missing) < 3
                        else f"{len(missing)} of {max(counts)} shards of {config}/{split} are missing"
                    )
                )
    return conclude(problems, f"{len(folder.shards)} shards numbered without holes")


def check_rejected(folder: DatasetFolder) -> Iterable[Finding]:
    """Check that what was left out is listed, and that the counts add up to the input's."""
    try:
        rejected = read_rejected(folder.path / REJECTED)
        parts = {path.stem: read_rejected(path) for path in (folder.path / FOLDER / "rejected").glob("*.csv")}
    except (ValueError, KeyError, TypeError, OSError) as problem:
        return [error(f"{REJECTED} cannot be read ({type(problem).__name__}: {problem})")]
    problems = []
    if _manifest(folder) and len(rejected) != sum(map(len, parts.values())):
        total = sum(map(len, parts.values()))
        problems.append(error(f"{REJECTED} lists {len(rejected):,} records, the build left out {total:,}"))
    for config, state in _manifest(folder).items():
        counts = state.get("counts", {})
        if {"records", "rows", "rejected"} <= counts.keys():
            if counts["records"] != counts["rows"] + counts["rejected"]:
                problems.append(
                    error("{0}: {records:,} records ≠ {rows:,} rows + {rejected:,} left out".format(config, **counts))
                )
            elif config in parts and len(parts[config]) != counts["rejected"]:
                listed = len(parts[config])
                problems.append(error(f"{config}: {counts['rejected']:,} were left out, {listed:,} are listed"))
    return conclude(problems, f"{len(rejected):,} records left out and listed" if rejected else "nothing was left out")


def _manifest(folder: DatasetFolder) -> dict[str, Any]:
    try:
        return folder.manifest or {}
    except ValueError:
        return {}


def _card_counts(folder: DatasetFolder) -> Iterator[Finding]:
    for config, entry in folder.entries("dataset_info").items():
        by_split = folder.layout.get(config, {})
        if any(shard.problem for shards in by_split.values() for shard in shards):
            continue
        told = {str(split.get("name")): split.get("num_examples") for split in entry.get("splits") or []}
        for split in sorted({*told, *by_split}):
            rows = sum(shard.rows for shard in by_split.get(split, []))
            if told.get(split) != rows:
                yield error(f"{config}/{split} has {rows:,} rows, README.md says {told.get(split, 'nothing')}")
        size = sum(shard.bytes for shards in by_split.values() for shard in shards)
        if entry.get("download_size", size) != size:
            yield error(f"{config} has {size:,} bytes, README.md says {entry['download_size']}")


def _row_groups(folder: DatasetFolder) -> Iterator[tuple[Shard, int, int]]:
    for shard in folder.shards:
        for group in range(shard.footer.num_row_groups if shard.footer else 0):
            yield shard, group, shard.footer.row_group(group).total_byte_size


def _difference(found: Any, wanted: Any) -> str:  # noqa: ANN401
    missing = [name for name in wanted.names if name not in found.names]
    extra = [name for name in found.names if name not in wanted.names]
    if missing or extra:
        return "; ".join(
            f"{word} {', '.join(names)}" for word, names in (("lacks", missing), ("has also", extra)) if names
        )
    for name in wanted.names:
        if found.field(name).type != wanted.field(name).type:
            return f"{name} is {found.field(name).type}, declared is {wanted.field(name).type}"
    return "the columns stand in another order, or differ in nullability"
