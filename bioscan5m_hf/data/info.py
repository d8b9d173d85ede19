"""What is in a dataset: configs, splits, rows, bytes, labels and the first specimens; of a folder, or on a Hub."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import simplejpeg

from ..errors import Bioscan5mError
from ..splits import SPLIT_NAMES
from ..taxonomy import LABELS
from .card import DESCRIPTIONS
from .folder import DAMAGE, DatasetFolder, front_matter, one_line
from .packages import METADATA, TAXONOMY
from .report import render
from .schema import IMAGE


SPECIMENS = 3
_INPUT = re.compile(r"\| `(?P<file>[^`]+)` \| `(?P<identity>[^`]+)` \|")
_BUILDER = re.compile(r"Built by `bioscan5m build` \((?P<version>[^)]+)\)")


@dataclass(frozen=True)
class SplitInfo:
    """One split of a config.

    Args:
        name: its name.
        rows: number of rows.
        bytes: size of its files; None where the Hub does not say.
        shards: number of its files.
    """

    name: str
    rows: int
    bytes: int | None
    shards: int


@dataclass(frozen=True)
class ConfigInfo:
    """One config.

    Args:
        name: its name.
        default: it is what `load_dataset` gives without a config name.
        splits: its splits, in the official order.
    """

    name: str
    default: bool
    splits: tuple[SplitInfo, ...]

    @property
    def rows(self) -> int:
        """Number of rows of all splits."""
        return sum(split.rows for split in self.splits)

    @property
    def bytes(self) -> int:
        """Size of all files."""
        return sum(split.bytes or 0 for split in self.splits)

    @property
    def shards(self) -> int:
        """Number of all files."""
        return sum(split.shards for split in self.splits)


@dataclass(frozen=True)
class RankInfo:
    """How well a rank is labelled; fillers count as missing.

    Args:
        rank: the rank, or `dna_bin`.
        names: number of its names.
        labelled: number of specimens with one.
        share: the same as a share of all specimens.
    """

    rank: str
    names: int
    labelled: int
    share: float


@dataclass(frozen=True)
class Info:
    """What is in a dataset.

    Args:
        place: the folder, or the repository on the Hub.
        title: the card's name for it.
        licence: the card's licence.
        invented: the card says that everything in it is invented.
        built_by: program and version that built it; empty where the card does not say.
        inputs: the files it was built from, and their identities.
        configs: the configs, the default first.
        ranks: how well each rank is labelled; empty where there is no taxonomy.
        specimens: the first specimens of the default config; an image is given as its width, height and bytes.
    """

    place: str
    title: str
    licence: str
    invented: bool
    built_by: str
    inputs: tuple[tuple[str, str], ...]
    configs: tuple[ConfigInfo, ...]
    ranks: tuple[RankInfo, ...]
    specimens: tuple[dict[str, Any], ...]


def info(path: str | Path) -> Info:
    """Look into a dataset: footers, taxonomy and a first row group are read, nothing else.

    Args:
        path: a local folder, or `namespace/name` of a dataset on the Hub.

    Raises:
        Bioscan5mError: it is no dataset of ours.

    Examples:
        >>> info("no/such/folder")
        Traceback (most recent call last):
        bioscan5m_hf.errors.Bioscan5mError: no/such/folder is neither a folder nor `namespace/name` on a Hub
    """
    if Path(path).is_dir():
        return _folder_info(DatasetFolder(Path(path)))
    if re.fullmatch(r"[\w.-]+/[\w.-]+", str(path)):
        return _hub_info(str(path))
    raise Bioscan5mError(f"{path} is neither a folder nor `namespace/name` on a Hub")


def _folder_info(folder: DatasetFolder) -> Info:
    try:
        text = (folder.path / "README.md").read_text(encoding="utf-8")
        card = front_matter(text)
    except (OSError, ValueError) as problem:
        raise Bioscan5mError(f"{folder.path} is no dataset of ours: {one_line(problem)}") from problem
    default = _default(card)
    configs = []
    for name, by_split in folder.layout.items():
        splits = (
            SplitInfo(split, sum(one.rows for one in shards), sum(one.bytes for one in shards), len(shards))
            for split, shards in by_split.items()
        )
        configs.append(ConfigInfo(name, name == default, tuple(splits)))
    shown = default if default in folder.layout else METADATA
    of_split = folder.layout.get(shown, {})
    first = next((of_split[split][0] for split in ("train", *of_split) if split in of_split), None)
    try:
        taxonomy = [pq.read_table(shard.path, partitioning=None) for shard in folder.of(TAXONOMY)]
        specimens = [] if first is None else _first_rows(first.path)
    except DAMAGE as problem:
        raise Bioscan5mError(f"{folder.path} is damaged ({one_line(problem)}): see `bioscan5m verify`") from problem
    return _info(str(folder.path), text, card, configs, taxonomy, specimens)


def _first_rows(path: Path) -> list[dict[str, Any]]:
    with pq.ParquetFile(path) as shard:
        batch = next(shard.iter_batches(SPECIMENS, row_groups=[0]), None) if shard.num_row_groups else None
        return batch.to_pylist() if batch is not None else []


def _hub_info(repo_id: str) -> Info:
    from datasets import Image, load_dataset
    from huggingface_hub import HfApi, hf_hub_download
    from huggingface_hub.errors import HfHubHTTPError, HTTPError

    try:
        found = HfApi().dataset_info(repo_id, files_metadata=True)
        readme = hf_hub_download(repo_id, "README.md", repo_type="dataset", revision=found.sha)
        text = Path(readme).read_text(encoding="utf-8")
        card = front_matter(text)
        sizes = {file.rfilename: file.size for file in found.siblings}
        taxonomy = [
            pq.read_table(hf_hub_download(repo_id, name, repo_type="dataset", revision=found.sha), partitioning=None)
            for name in sizes
            if name.startswith(f"{TAXONOMY}/") and name.endswith(".parquet")
        ]
    except (HfHubHTTPError, HTTPError, OSError, ValueError) as problem:
        raise Bioscan5mError(f"{repo_id} is no dataset of ours on the Hub: {one_line(problem)}") from problem
    configs = _declared_configs(card, sizes)
    specimens: list[dict[str, Any]] = []
    shown = next((config for config in configs if config.default), None)
    if shown is not None and shown.splits:
        names = [split.name for split in shown.splits]
        split = "train" if "train" in names else names[0]
        rows = load_dataset(repo_id, shown.name, split=split, streaming=True, revision=found.sha)
        rows = rows.cast_column(IMAGE, Image(decode=False)) if IMAGE in (rows.column_names or []) else rows
        specimens = list(islice(rows, SPECIMENS))
    return _info(repo_id, text, card, configs, taxonomy, specimens)


def _declared_configs(card: Mapping[str, Any], sizes: Mapping[str, int | None]) -> list[ConfigInfo]:
    """Take rows from the card and bytes from the list of files."""
    configs = []
    declared = card.get("dataset_info") or []
    for entry in declared if isinstance(declared, list) else [declared]:
        name, splits = str(entry.get("config_name", "default")), []
        for split in entry.get("splits") or []:
            shard = re.compile(rf"{re.escape(name)}/{re.escape(split['name'])}-[\d-]+of-\d+\.parquet")
            files = [file for file in sizes if shard.fullmatch(file)]
            splits.append(
                SplitInfo(split["name"], split["num_examples"], sum(sizes[file] or 0 for file in files), len(files))
            )
        configs.append(ConfigInfo(name, name == _default(card), tuple(splits)))
    return configs


def _info(
    place: str,
    text: str,
    card: Mapping[str, Any],
    configs: Iterable[ConfigInfo],
    taxonomy: list[pa.Table],
    specimens: Iterable[dict[str, Any]],
) -> Info:
    rank = {name: position for position, name in enumerate(DESCRIPTIONS)}
    configs = sorted(configs, key=lambda config: (not config.default, rank.get(config.name, len(rank))))
    rows = next((config.rows for config in configs if config.name == METADATA), 0)
    title = str(card.get("pretty_name", "BIOSCAN-5M"))
    builder = _BUILDER.search(text)
    provenance = text.partition("## Provenance")[2].partition("\n## ")[0]
    return Info(
        place=place,
        title=title,
        licence=str(card.get("license", "")),
        invented="invented" in title,
        built_by=builder["version"] if builder else "",
        inputs=tuple((match["file"], match["identity"]) for match in _INPUT.finditer(provenance)),
        configs=tuple(configs),
        ranks=tuple(_ranks(taxonomy, rows)),
        specimens=tuple(_without_bytes(specimen) for specimen in specimens),
    )


def _ranks(taxonomy: list[pa.Table], rows: int) -> Iterable[RankInfo]:
    if not taxonomy:
        return
    table = pa.concat_tables(taxonomy)
    table = table.filter(pc.invert(table["filler"]))
    for rank in LABELS:
        names = table.filter(pc.equal(table["rank"], rank))
        labelled = sum(pc.sum(names[split]).as_py() or 0 for split in SPLIT_NAMES)
        yield RankInfo(rank, len(names), labelled, labelled / rows if rows else 0.0)


def _without_bytes(specimen: dict[str, Any]) -> dict[str, Any]:
    data = (specimen.get(IMAGE) or {}).get("bytes")
    if IMAGE not in specimen:
        return specimen
    if not data:
        return {**specimen, IMAGE: None}
    height, width, *_ = simplejpeg.decode_jpeg_header(data)
    return {**specimen, IMAGE: {"width": width, "height": height, "bytes": len(data)}}


def _default(card: Mapping[str, Any]) -> str | None:
    named = [entry for entry in card.get("configs") or [] if isinstance(entry, dict)]
    marked = [entry.get("config_name") for entry in named if entry.get("default")]
    return next(iter([*marked, *(entry.get("config_name") for entry in named)]), None)


__all__ = ["ConfigInfo", "Info", "RankInfo", "SplitInfo", "info", "render"]
