"""A dataset folder as its files say it is: card, shards with their footers, and the manifest where there is one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from ..errors import Bioscan5mError
from ..splits import SPLIT_NAMES
from .card import DESCRIPTIONS
from .kinds import ABOUT, Kind
from .manifest import FOLDER
from .packages import IMAGE_PACKAGES
from .schema import specimen_fields, taxonomy_fields


DAMAGE = (OSError, ValueError, KeyError, MemoryError, pa.ArrowException)
"""What pyarrow raises at a damaged Parquet file."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_SHARD = re.compile(r"(?P<config>[^/]+)/(?P<split>\w+)-(?P<index>\d{5})-of-(?P<count>\d{5})\.parquet")


@dataclass
class Shard:
    """A Parquet file of a dataset folder.

    Args:
        path: where it is.
        file: its name inside the folder.
        config: the config it belongs to.
        split: the split it belongs to.
        index: its number among the split's shards.
        count: how many shards its name says there are.
        bytes: its size.
        footer: the Parquet footer; None where it cannot be read.
        schema: the Arrow schema; None where it cannot be read.
        problem: why not.
    """

    path: Path
    file: str
    config: str
    split: str
    index: int
    count: int
    bytes: int
    footer: Any = None
    schema: Any = None
    problem: str | None = None

    @property
    def rows(self) -> int:
        """Number of rows by the footer; 0 where it cannot be read."""
        return 0 if self.footer is None else int(self.footer.num_rows)


@dataclass
class DatasetFolder:
    """A local dataset folder: built here, or downloaded from a Hub.

    Args:
        path: the folder.

    Raises:
        Bioscan5mError: it is no folder.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as path:
        ...     DatasetFolder(Path(path)).shards
        []
    """

    path: Path
    strays: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not self.path.is_dir():
            raise Bioscan5mError(f"{self.path} is no folder: name one that `bioscan5m build` made")

    @cached_property
    def names(self) -> list[str]:
        """All files, by their names inside the folder; what the Hub's client keeps for itself is left out."""
        found = (path.relative_to(self.path).as_posix() for path in self.path.rglob("*") if not path.is_dir())
        return sorted(name for name in found if not name.startswith((".git/", ".cache/", f"{FOLDER}/")))

    @cached_property
    def shards(self) -> list[Shard]:
        """The Parquet files whose name says their config and split, in the order of configs, splits and numbers."""
        found = []
        for name in self.names:
            match = _SHARD.fullmatch(name)
            if match is None or not _known(match["config"], match["split"]):
                self.strays += [name] if name.endswith(".parquet") else []
                continue
            path = self.path / name
            size = path.stat().st_size if path.exists() else 0
            shard = Shard(path, name, match["config"], match["split"], int(match["index"]), int(match["count"]), size)
            try:
                with pq.ParquetFile(path) as file:
                    shard.footer, shard.schema = file.metadata, file.schema_arrow
            except DAMAGE as problem:
                shard.problem = one_line(problem)
            found.append(shard)
        rank = {name: place for place, name in enumerate([*DESCRIPTIONS, *SPLIT_NAMES])}
        return sorted(found, key=lambda shard: (rank[shard.config], rank[shard.split], shard.file))

    @cached_property
    def layout(self) -> dict[str, dict[str, list[Shard]]]:
        """Config → split → shards, by file names."""
        found: dict[str, dict[str, list[Shard]]] = {}
        for shard in self.shards:
            found.setdefault(shard.config, {}).setdefault(shard.split, []).append(shard)
        return found

    @cached_property
    def card(self) -> dict[str, Any]:
        """The YAML of README.md.

        Raises:
            ValueError: there is none, or it cannot be read.
        """
        path = self.path / "README.md"
        if not path.exists():
            raise ValueError("there is no README.md: without it nobody knows which file belongs to which split")
        return front_matter(path.read_text(encoding="utf-8"))

    @cached_property
    def manifest(self) -> dict[str, Any] | None:
        """The builder's manifest; None in a downloaded copy.

        Raises:
            ValueError: it cannot be read.
        """
        path = self.path / FOLDER / "manifest.json"
        if not path.exists():
            return None
        try:
            state = json.loads(path.read_text(encoding="utf-8"))
            return {name: dict(config) for name, config in state["configs"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as problem:
            raise ValueError(f"{FOLDER}/manifest.json cannot be read: {one_line(problem)}") from problem

    def entries(self, section: str) -> dict[str, dict[str, Any]]:
        """Give the entries of the card's `configs` or `dataset_info` by config; none where the card is broken."""
        try:
            given = self.card.get(section)
        except ValueError:
            return {}
        given = [given] if isinstance(given, dict) else given
        entries = [entry for entry in given if isinstance(entry, dict)] if isinstance(given, list) else []
        return {str(entry.get("config_name", "default")): entry for entry in entries}

    def globs(self, config: str) -> Iterator[tuple[str, str]]:
        """Give split and file pattern of each of the card's `data_files` of a config."""
        files = self.entries("configs").get(config, {}).get("data_files")
        for entry in files if isinstance(files, list) else []:
            if isinstance(entry, dict):
                patterns = entry.get("path", [])
                for pattern in [patterns] if isinstance(patterns, str) else patterns:
                    yield str(entry.get("split", "train")), str(pattern)

    def of(self, config: str) -> list[Shard]:
        """List the shards of a config, in order."""
        return [shard for shards in self.layout.get(config, {}).values() for shard in shards]


def front_matter(readme: str) -> dict[str, Any]:
    r"""Read the YAML at the beginning of a card.

    Args:
        readme: the text of README.md.

    Raises:
        ValueError: there is none, or it cannot be read.

    Examples:
        >>> front_matter("---\nlicense: cc-by-3.0\n---\n# Title")
        {'license': 'cc-by-3.0'}
    """
    parts = readme.split("---\n", 2)
    if len(parts) < 3 or parts[0].strip("\ufeff\n "):
        raise ValueError("README.md does not begin with YAML between two lines of '---'")
    try:
        card = yaml.load(parts[1], Loader=_LOADER)
    except yaml.YAMLError as problem:
        raise ValueError(f"the YAML of README.md cannot be read: {one_line(problem)}") from problem
    if not isinstance(card, dict):
        raise ValueError("the YAML of README.md is no mapping")
    return card


def kind_of(dataset: str | Path, revision: str | None = None) -> Kind | None:
    """Tell whose specimens a dataset holds, by the name in its card; None where there is no card, or another name.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        revision: branch, tag or commit on the Hub.
    """
    path = Path(dataset) / "README.md"
    try:
        if not Path(dataset).is_dir():
            if not re.fullmatch(r"[\w.-]+/[\w.-]+", str(dataset)):
                return None
            from huggingface_hub import hf_hub_download

            path = Path(hf_hub_download(str(dataset), "README.md", repo_type="dataset", revision=revision))
        name = str(front_matter(path.read_text(encoding="utf-8")).get("pretty_name", ""))
    except (OSError, ValueError):
        return None
    if "invented" in name:
        return Kind.INVENTED
    return next((kind for kind, about in ABOUT.items() if about.name == name), None)


def declared_fields(config: str) -> list[pa.Field]:
    """Give the Arrow fields of a config.

    Examples:
        >>> len(declared_fields("metadata")), len(declared_fields("cropped_256")), declared_fields("taxonomy")[0].name
        (23, 24, 'rank')
    """
    if config == "taxonomy":
        return taxonomy_fields(SPLIT_NAMES)
    return specimen_fields(image=config != "metadata")


def image_configs(folder: DatasetFolder) -> Sequence[str]:
    """List the configs that hold photographs of all specimens of their splits."""
    return [name for name in IMAGE_PACKAGES if name in folder.layout]


def one_line(problem: BaseException) -> str:
    r"""Give the first line of an error's text.

    Examples:
        >>> one_line(ValueError("bad page\nin file"))
        'bad page'
    """
    return next(iter(str(problem).strip().splitlines()), type(problem).__name__)


def _known(config: str, split: str) -> bool:
    return config in DESCRIPTIONS and split in (("train",) if config == "taxonomy" else SPLIT_NAMES)
