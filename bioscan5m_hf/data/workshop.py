"""What the stages of a build share: options, the state of the folder, and the keeping of the books."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tqdm.auto import tqdm

from . import manifest
from .checks import Rejection
from .intake import Policy
from .manifest import Config, Manifest
from .shards import Outcome
from .workers import completed


@dataclass(frozen=True)
class Options:
    """How a build is done.

    Args:
        workers: local processes; 1 works in this process, more need a script's `if __name__ == "__main__":`.
        scheduler: address of a Dask scheduler to use instead.
        policy: what is done about bad records.
        decode: decode every photograph as a check.
        metadata_format: `csv` or `jsonld`; by default CSV where both are there.
        progress: show progress bars on a terminal.
        repository: `namespace/name` of its place on the Hub, for the card; by default as an earlier build said.
    """

    workers: int = 1
    scheduler: str | None = None
    policy: Policy = field(default_factory=Policy)
    decode: bool = False
    metadata_format: str | None = None
    progress: bool = False
    repository: str | None = None


@dataclass
class Workshop:
    """What the stages of a build share.

    Args:
        folder: the dataset folder.
        state: its manifest.
        pool: where jobs run.
        options: how the build is done.
        say: told what a user should know.
        packages: the image packages of this build.
    """

    folder: Path
    state: Manifest
    pool: Executor
    options: Options
    say: Callable[[str], None]
    packages: Sequence[str]


def begin(shop: Workshop) -> None:
    """Mark the folder as unfinished before anything in it changes."""
    (shop.folder / manifest.FOLDER / "building").touch()


def open_config(shop: Workshop, name: str, key: str, inputs: dict[str, str]) -> Config:
    """Go on with a config, or begin it anew where its inputs or options changed.

    Args:
        shop: the build.
        name: the config.
        key: digest of everything its shards depend on.
        inputs: file → identity.
    """
    known = shop.state.configs.get(name)
    if known is not None and known.key == key:
        return known
    begin(shop)
    if known is not None:
        changed = sorted({file for file in {*known.inputs, *inputs} if known.inputs.get(file) != inputs.get(file)})
        why = f"{', '.join(changed)} changed since the last build" if changed else "the options changed"
        shop.say(f"{name}: {why}; all shards are made anew")
    shop.state.configs[name] = Config(key, inputs, shards=known.shards if known else {})
    shop.state.save()
    return shop.state.configs[name]


def close_config(shop: Workshop, name: str, config: Config, files: Sequence[str]) -> None:
    """Forget and remove the shards of an earlier plan."""
    for file in set(config.shards) - set(files):
        rejected_file(shop, file).unlink(missing_ok=True)
    config.shards = {file: config.shards[file] for file in files}
    wanted = {shop.folder / file for file in files}
    for path in (shop.folder / name).iterdir() if files else ():
        if path not in wanted and path.suffix in (".parquet", ".part"):
            path.unlink()
    config.complete = True
    shop.state.save()


def rejected_file(shop: Workshop, name: str) -> Path:
    """Name the table of rejections of a config or shard."""
    return shop.folder / manifest.FOLDER / "rejected" / f"{name.replace('/', '-')}.csv"


def record(shop: Workshop, config: str, name: str, outcome: Outcome) -> None:
    """Enter a finished shard into the manifest."""
    write_rejections(shop, name, outcome.rejections)
    entry = {"rows": outcome.rows, "bytes": outcome.bytes, "key": shop.state.configs[config].key}
    shop.state.configs[config].shards[name] = entry
    shop.state.save()


def run_jobs(shop: Workshop, config: str, function: Callable[[Any], Outcome], jobs: Sequence[tuple[str, Any]]) -> None:
    """Run the shard jobs of a config that are not done yet, and record each as it finishes."""
    key = shop.state.configs[config].key
    open_jobs = [(name, job) for name, job in jobs if not shop.state.done(config, name, key)]
    if len(open_jobs) < len(jobs):
        shop.say(f"{config}: {len(jobs) - len(open_jobs)} of {len(jobs)} shards are there already")
    if open_jobs:
        begin(shop)
    outcomes = completed(shop.pool, function, [job for _, job in open_jobs])
    shown = tqdm(outcomes, config, len(open_jobs), unit=" shards", disable=None if shop.options.progress else True)
    for index, outcome in shown:
        record(shop, config, open_jobs[index][0], outcome)


def write_rejections(shop: Workshop, name: str, rejections: Iterable[Rejection]) -> None:
    """Keep the rejections of a config or shard until the build is finished."""
    manifest.write_rejected(rejected_file(shop, name), rejections)
