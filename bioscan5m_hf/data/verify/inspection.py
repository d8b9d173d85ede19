"""What the checks of a dataset folder share: the folder, how thorough to be, and one parallel pass over the rows."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from tqdm.auto import tqdm

from ...splits import SPLIT_NAMES
from ..folder import DatasetFolder, Shard, declared_fields
from ..keys import Keys
from ..packages import METADATA
from ..parquet import take_rows
from ..schema import taxonomy_fields
from ..taxa import taxonomy_table
from ..workers import InProcess, ordered_map
from .photographs import Look
from .scan import EXAMPLES, Scan, ScanJob, scan


Job = TypeVar("Job")
Result = TypeVar("Result")


@dataclass
class Inspection(DatasetFolder):
    """A dataset folder under inspection.

    Args:
        path: the folder.
        full: decode every photograph.
        official: compare with the official release.
        pool: where shards are read.
        progress: show progress bars on a terminal.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as path:
        ...     Inspection(Path(path)).obstacle("metadata")
        'there is no config metadata'
    """

    path: Path
    full: bool = False
    official: bool = False
    pool: Executor = field(default_factory=InProcess)
    progress: bool = False
    looks: list[tuple[Shard, Look]] | None = field(default=None, init=False)

    def run(self, function: Callable[[Job], Result], jobs: Sequence[Job], name: str) -> Iterator[Result]:
        """Run jobs in order, with a progress bar."""
        results = ordered_map(self.pool, function, jobs)
        return iter(tqdm(results, name, len(jobs), unit=" shards", disable=None if self.progress else True))

    @cached_property
    def scanned(self) -> list[tuple[Shard, Scan]]:
        """The readable metadata shards, and what was read from each."""
        shards = [shard for shard in self.of(METADATA) if self.is_sound(shard)]
        jobs = [ScanJob(shard.path, shard.file, shard.split) for shard in shards]
        return list(zip(shards, self.run(scan, jobs, "reading metadata"), strict=True))

    @cached_property
    def scans(self) -> dict[str, Scan]:
        """What was read of each split."""
        return {split: _merge(found for shard, found in self.scanned if shard.split == split) for split in SPLIT_NAMES}

    @cached_property
    def taxonomy(self) -> pa.Table:
        """The taxonomy of all metadata rows, made anew."""
        lineages = [table for found in self.scans.values() for table in found.lineages]
        return taxonomy_table(lineages) if lineages else pa.schema(taxonomy_fields(SPLIT_NAMES)).empty_table()

    @cached_property
    def codes(self) -> npt.NDArray[np.uint8]:
        """The split of every metadata row, as its place in `SPLIT_NAMES`, shape (n,)."""
        return np.repeat(np.arange(8, dtype=np.uint8), [len(self.scans[split].keys) for split in SPLIT_NAMES])

    def all_keys(self, name: str) -> Keys:
        """Give `keys` or `barcodes` of every metadata row, shape (n, 2)."""
        return np.concatenate([getattr(self.scans[split], name) for split in SPLIT_NAMES])

    def is_sound(self, shard: Shard) -> bool:
        """Tell whether a shard's footer can be read and has the declared columns and types."""
        declared = pa.schema(declared_fields(shard.config))
        return shard.schema is not None and bool(shard.schema.equals(declared, check_metadata=False))

    def obstacle(self, config: str) -> str | None:
        """Say why the rows of a config cannot be checked; None where they can."""
        if config not in self.layout:
            return f"there is no config {config}"
        bad = next((shard for shard in self.of(config) if not self.is_sound(shard)), None)
        if bad is None and config == METADATA:
            bad = next((shard for shard, found in self.scanned if found.problem), None)
        return f"not checked, because {bad.file} cannot be read or has other columns" if bad else None

    def locate(self, split: str, place: int) -> str:
        """Name a metadata row: file, row and process id."""
        files = self.of(METADATA)
        for shard in [shard for shard in files if shard.split == split]:
            if place < shard.rows:
                table = next(take_rows([shard.path], np.array([place]), ["processid"]))
                return f"{shard.file}, row {place}, {table['processid'][0]}"
            place -= shard.rows
        raise LookupError(f"{split} has no row {place}")

    def locate_any(self, place: int) -> str:
        """Name a metadata row by its place among all splits."""
        for split in SPLIT_NAMES:
            rows = len(self.scans[split].keys)
            if place < rows:
                return self.locate(split, place)
            place -= rows
        raise LookupError(f"there is no row {place}")

    def damage(self) -> Iterator[str]:
        """Name the shards that cannot be read, and why; page damage of the metadata is found by reading it."""
        for shard in self.shards:
            if shard.problem:
                yield f"{shard.file} is damaged: {shard.problem}"
        yield from (found.problem for _, found in self.scanned if found.problem)


def _merge(scans: Iterable[Scan]) -> Scan:
    merged, keys, barcodes = Scan(), [np.empty((0, 2), np.uint64)], [np.empty((0, 2), np.uint64)]
    for found in scans:
        keys.append(found.keys)
        barcodes.append(found.barcodes)
        merged.lineages += found.lineages
        for place, (count, examples) in found.broken.items():
            before, known = merged.broken.get(place, (0, []))
            merged.broken[place] = (before + count, [*known, *examples][:EXAMPLES])
    merged.keys, merged.barcodes = np.concatenate(keys), np.concatenate(barcodes)
    return merged
