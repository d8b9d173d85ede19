"""The builder's memory: which shard was made from which inputs, so that an interrupted build goes on."""

from __future__ import annotations

import csv
import fcntl
import hashlib
import io
import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .checks import Rejection
from .kinds import Kind


FOLDER = ".bioscan5m"
FORMAT = 2
"""Part of every shard's key: raise it when the same inputs give other files."""

REJECTED = "rejected.csv"


@dataclass
class Config:
    """What is known of one config.

    Args:
        key: digest of everything its shards depend on.
        inputs: file → identity.
        counts: what was read, kept and left out; adds up.
        shards: file → rows, bytes and key.
        notes: what a user should be told.
        complete: all shards of the plan are there.
    """

    key: str
    inputs: dict[str, str]
    counts: dict[str, int] = field(default_factory=dict)
    shards: dict[str, dict[str, Any]] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    complete: bool = False


@dataclass
class Manifest:
    """The state of a dataset folder; saved whole, beside and renamed, after every shard.

    Args:
        folder: the dataset folder.
        configs: name → what is known of it.
        kind: whose specimens they are.
        repository: where it will be on the Hub, for the card; None where nobody has said it.
    """

    folder: Path
    configs: dict[str, Config] = field(default_factory=dict)
    kind: Kind = Kind.OFFICIAL
    repository: str | None = None

    @classmethod
    def load(cls, folder: Path) -> Manifest:
        """Read the manifest of a dataset folder; an empty one where nothing was built yet.

        Raises:
            OutputError: the folder holds something, and it is not a dataset of ours.
        """
        path = folder / FOLDER / "manifest.json"
        if path.exists():
            try:
                state = json.loads(path.read_text())
                if state["format"] == FORMAT:
                    configs = {name: Config(**config) for name, config in state["configs"].items()}
                    return cls(folder, configs, Kind(state["kind"]), state.get("repository"))
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise OutputError(f"{path} is damaged ({error}): remove {folder} and build again") from error
            raise OutputError(f"{folder} was built by another version of this package: build into a new folder")
        if folder.exists() and not folder.is_dir():
            raise OutputError(f"{folder} is a file: name a new or empty folder")
        foreign = [] if not folder.exists() else sorted(item.name for item in folder.iterdir() if item.name != FOLDER)
        if foreign:
            raise OutputError(
                f"{folder} is not empty and was not built by this program (it holds {', '.join(foreign[:5])}): "
                "name a new or empty folder"
            )
        return cls(folder)

    def save(self) -> None:
        """Write the manifest, beside and renamed."""
        configs = {name: vars(config) for name, config in self.configs.items()}
        state = {"format": FORMAT, "kind": self.kind, "repository": self.repository, "configs": configs}
        write_text(self.folder / FOLDER / "manifest.json", json.dumps(state))

    def done(self, config: str, file: str, key: str) -> bool:
        """Tell whether a shard was made from these inputs and is still there as it was."""
        entry = self.configs[config].shards.get(file) if config in self.configs else None
        path = self.folder / file
        return entry is not None and entry["key"] == key and _size(path) == (entry["bytes"] or None)

    def files(self, config: str, split: str) -> tuple[Path, ...]:
        """List the shards of a split, in order."""
        prefix = f"{config}/{split}-"
        shards = self.configs[config].shards if config in self.configs else {}
        names = sorted(name for name, entry in shards.items() if name.startswith(prefix) and entry["rows"])
        return tuple(self.folder / name for name in names)

    def rows(self, config: str, split: str) -> int:
        """Count the rows of a split."""
        return sum(
            self.configs[config].shards[str(file.relative_to(self.folder))]["rows"]
            for file in self.files(config, split)
        )


def digest(*parts: object) -> str:
    """Make a key from anything that JSON can write.

    Examples:
        >>> digest("a", 1) == digest("a", 1), digest("a") == digest("b")
        (True, False)
    """
    return hashlib.sha256(json.dumps([FORMAT, *parts], sort_keys=True).encode()).hexdigest()[:32]


def write_text(path: Path, text: str) -> None:
    """Write a text file beside and rename it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        beside.write_text(text, encoding="utf-8", newline="")
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def write_rejected(path: Path, rejections: Iterable[Rejection]) -> None:
    """Write a table of rejections (processid, file, row, reason); no file where there are none."""
    rows = [[one.processid or "", one.file, "" if one.row is None else one.row, one.reason] for one in rejections]
    if not rows:
        path.unlink(missing_ok=True)
        return
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["processid", "file", "row", "reason"])
    writer.writerows(rows)
    write_text(path, stream.getvalue())


def read_rejected(path: Path) -> list[Rejection]:
    """Read a table of rejections; none where there is no file."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return [
            Rejection(row["file"], int(row["row"]) if row["row"] else None, row["processid"] or None, row["reason"])
            for row in csv.DictReader(stream)
        ]


@contextmanager
def locked(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Hold a dataset folder for one build; a file `building` that says it is not finished goes when it is.

    Args:
        folder: the dataset folder.
        wait: wait for another process that holds it, instead of raising.

    Raises:
        OutputError: another process builds into it.
    """
    work = folder / FOLDER
    work.mkdir(parents=True, exist_ok=True)
    with (work / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError as error:
            raise OutputError(f"another build is writing to {folder}: wait for it, or stop it") from error
        yield
        (work / "building").unlink(missing_ok=True)


def _size(path: Path) -> int | None:
    return path.stat().st_size if path.exists() else None
