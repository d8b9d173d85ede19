"""A `datasets` builder that reads the official release files as they are: no extraction, no Parquet made first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import datasets
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from datasets.builder import Key
from datasets.utils.logging import get_logger

from ..errors import ReleaseError
from ..splits import SPLIT_NAMES
from .archives import read_members
from .build import build_metadata, build_taxonomy, identity
from .card import DESCRIPTIONS
from .kinds import ABOUT, Kind
from .manifest import Manifest, digest, locked
from .origins import read_origin
from .packages import IMAGE_PACKAGES, METADATA, SAMPLE, TAXONOMY
from .pairing import Pairs, pair
from .parquet import take_rows
from .release import Release
from .sample import choose_sample
from .schema import features, specimen_fields, specimen_schema, taxonomy_fields
from .shards import SHARD_BYTES, ImageJob, bounds, image_tables
from .workers import executor
from .workshop import Options, Workshop


VERSION = "1.0.0"
DATASET_NAME = "bioscan-5m"
PHOTOGRAPH_BYTES = 20_000
"""Rough size of a photograph, to divide a split among readers before its archive is opened."""


@dataclass
class Bioscan5MConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """One config of the dataset: an image package, `metadata`, `taxonomy` or `sample`."""


@dataclass(frozen=True)
class Span:
    """Rows of a split that one reader reads.

    Args:
        package: the image package.
        split: official split name.
        archives: the zips that may hold its photographs.
        metadata: shards of the split's metadata.
        start: first row of the metadata.
        stop: row after the last.
    """

    package: str
    split: str
    archives: tuple[str, ...]
    metadata: tuple[Path, ...]
    start: int
    stop: int

    def job(self) -> ImageJob:
        """Find the photographs of the rows.

        Raises:
            ReleaseError: a record has no photograph, or a photograph has no record.
        """
        pairs = paired(self.package, self.split, self.archives, self.metadata)
        low, high = np.searchsorted(pairs.rows, [self.start, self.stop])
        return image_job(self, pairs, np.arange(low, high))


class Bioscan5M(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """Specimens straight from the release.

    The metadata are read once and kept, sorted by split and MD5(processid), as Parquet in the cache of `datasets`;
    photographs are read in place from their zips, local or remote. Rows and order are those of `bioscan5m build`.

    `download_and_prepare()` fills the cache under the name `bioscan-5m`, so that `load_dataset("bioscan-5m", config)`
    works offline in any process and folder afterwards.

    Args:
        data_dir: the release: a folder or an address.
        config_name: an image package (default `cropped_256`), `metadata`, `taxonomy` or `sample`.
        **kwargs: as for any `datasets.DatasetBuilder`.

    Examples:
        >>> sorted(Bioscan5M.builder_configs)[:3]
        ['cropped', 'cropped_256', 'metadata']
    """

    BUILDER_CONFIG_CLASS = Bioscan5MConfig
    BUILDER_CONFIGS = [  # noqa: RUF012
        Bioscan5MConfig(name=name, version=datasets.Version(VERSION), description=text)
        for name, text in DESCRIPTIONS.items()
    ]
    DEFAULT_CONFIG_NAME = "cropped_256"

    def __init__(self, *args: Any, data_dir: str | Path | None = None, **kwargs: Any) -> None:  # noqa: ANN401
        if data_dir is None:
            raise ReleaseError("no release given", hint="say data_dir=FOLDER, where the official zips are")
        self.release = Release.open(data_dir)
        self.source = self.release.metadata()
        self.source_identity = identity(self.source.path, self.source.member)
        config = kwargs.get("config_name") or self.DEFAULT_CONFIG_NAME
        kwargs.setdefault("dataset_name", DATASET_NAME)
        kwargs.setdefault("hash", digest(self.source_identity, config, self._archive_identities(config)))
        super().__init__(*args, **kwargs)

    def _info(self) -> datasets.DatasetInfo:
        name = self.config.name
        fields = taxonomy_fields(SPLIT_NAMES) if name == TAXONOMY else specimen_fields(image=name != METADATA)
        kind = self.release.kind()
        invented = "Everything in this dataset is invented: no organism, record or picture is real."
        return datasets.DatasetInfo(
            description=invented if kind is Kind.INVENTED else "",
            features=features(fields),
            license=ABOUT[kind].licence_name,
        )

    def _archive_identities(self, config: str) -> list[str]:
        """Say which archives the rows of a config come from: others make another cache."""
        present = self.release.image_packages()
        packages = {SAMPLE: present[:1]}.get(config, tuple(name for name in present if name == config))
        paths = [archive.path for package in packages for archive in self.release.archives(package)]
        return [f"{path} {identity(path)}" for path in paths]

    def _split_generators(self, _: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        state = self._index()
        name = self.config.name
        if name == TAXONOMY:
            return [_generator("train", state.files(TAXONOMY, "train"))]
        if name == METADATA:
            files = {split: state.files(METADATA, split) for split in SPLIT_NAMES}
            return [_generator(split, found) for split, found in files.items() if found]
        package = self._default_package() if name == SAMPLE else name
        spans = {split: found for split in SPLIT_NAMES if (found := self._spans(state, package, split))}
        if name == SAMPLE:
            return [_generator(split, [job]) for split, job in _sample_jobs(spans).items()]
        return [_generator(split, found) for split, found in spans.items()]

    def _generate_shards(self, parts: list[Any]) -> Iterator[Any]:
        yield from (part.metadata[0] if isinstance(part, Span | ImageJob) else part for part in parts)

    def _generate_tables(self, parts: list[Any]) -> Iterator[tuple[Key, pa.Table]]:
        for index, part in enumerate(parts):
            for number, table in enumerate(_tables(part)):
                yield Key(index, number), table

    def _index(self) -> Manifest:
        """Read the metadata of the release, once for all configs and sessions."""
        name = digest(self.source_identity, self.source.path)
        folder = Path(self._cache_dir_root) / f"{DATASET_NAME}-releases" / name
        with locked(folder, wait=True):
            state = Manifest.load(folder)
            done = TAXONOMY in state.configs and state.configs[TAXONOMY].complete
            if not done:
                get_logger(__name__).warning(f"reading {self.source.path} once; it is kept in {folder}")
                with executor(1) as pool:
                    shop = Workshop(folder, state, pool, Options(), lambda _: None, ())
                    build_metadata(shop, self.source)
                    build_taxonomy(shop)
        return state

    def _default_package(self) -> str:
        present = self.release.image_packages()
        if not present:
            self.release.archives(IMAGE_PACKAGES[0])
        return next(name for name in IMAGE_PACKAGES if name in present)

    def _spans(self, state: Manifest, package: str, split: str) -> list[Span]:
        archives = tuple(one.path for one in self.release.archives(package) if split in one.package.splits)
        rows = state.rows(METADATA, split)
        if not archives or not rows:
            return []
        cuts = bounds(np.full(rows, PHOTOGRAPH_BYTES), SHARD_BYTES)
        files = state.files(METADATA, split)
        return [Span(package, split, archives, files, start, stop) for start, stop in cuts]


@cache
def paired(package: str, split: str, archives: tuple[str, ...], metadata: tuple[Path, ...]) -> Pairs:
    """Join records and photographs of a split, once per process.

    Raises:
        ReleaseError: something is left over on either side.
    """
    rows = sum(pq.read_metadata(file).num_rows for file in metadata)
    members = [read_members(path, package) for path in archives]
    origin = read_origin(Manifest.load(metadata[0].parents[1]), split)
    pairs = pair(split, metadata, members, rows, origin)
    bad = next(iter([*(one for found in members for one in found.rejections), *pairs.rejections]), None)
    if bad is not None:
        hint = "correct the release, or `bioscan5m build` it with --on-error skip"
        raise ReleaseError(bad.reason, file=bad.file, row=bad.row, processid=bad.processid, hint=hint)
    return pairs


def image_job(span: Span, pairs: Pairs, chosen: np.ndarray[Any, np.dtype[np.int64]]) -> ImageJob:
    """Make the job that reads chosen pairs of a split; nothing is written, so it has no path."""
    return ImageJob(
        path=Path(),
        schema=specimen_schema(image=True),
        metadata=span.metadata,
        rows=pairs.rows[chosen],
        archives=span.archives,
        archive=pairs.archive[chosen],
        members=pairs.members[chosen],
    )


def _sample_jobs(spans: dict[str, list[Span]]) -> dict[str, ImageJob]:
    first = {split: found[0] for split, found in spans.items()}
    pairs = {split: paired(one.package, split, one.archives, one.metadata) for split, one in first.items()}
    orders = {}
    for split, one in first.items():
        tables = take_rows(one.metadata, pairs[split].rows, ["order"])
        orders[split] = pa.concat_tables(tables)["order"].combine_chunks()
    chosen = choose_sample(orders)
    return {split: image_job(first[split], pairs[split], places) for split, places in chosen.items()}


def _tables(part: Path | Span | ImageJob) -> Iterator[pa.Table]:
    if isinstance(part, Path):
        with pq.ParquetFile(part) as shard:
            for group in range(shard.num_row_groups):
                yield shard.read_row_group(group, use_threads=False)
    else:
        yield from image_tables(part.job() if isinstance(part, Span) else part, [])


def _generator(split: str, parts: Any) -> datasets.SplitGenerator:  # noqa: ANN401
    return datasets.SplitGenerator(name=split, gen_kwargs={"parts": list(parts)})
