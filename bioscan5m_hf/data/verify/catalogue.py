"""The list of checks, and how they are run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path

from ...errors import Bioscan5mError
from ..packages import METADATA
from ..workers import executor
from . import files, images, rows
from .findings import Finding, signed, warning
from .inspection import Inspection


SMALL = 200_000
"""Folders with fewer rows are read faster in this process than by others that have to start first."""


@dataclass(frozen=True)
class Check:
    """One promise of a dataset folder.

    Args:
        name: one word.
        question: what is asked.
        function: inspection → findings, at least one.
        rows: it reads the metadata rows, so all of them must be readable.
        official: it is asked only of the official release.
    """

    name: str
    question: str
    function: Callable[[Inspection], Iterable[Finding]]
    rows: bool = False
    official: bool = False


CHECKS = (
    Check("card", "Does README.md's YAML name every config and its files?", files.check_card),
    Check("default", "Is there one default config, the first of those declared?", files.check_default),
    Check("files", "Does every pattern match files, and every Parquet file belong to one split?", files.check_files),
    Check("code", "Is the repository free of code?", files.check_code),
    Check("leftovers", "Is nothing half-written left?", files.check_leftovers),
    Check("finished", "Did the last build come to its end?", files.check_finished),
    Check("readable", "Can every Parquet file be opened, and all metadata be read?", rows.check_readable),
    Check("schema", "Are columns, types and features those declared?", files.check_schema),
    Check("counts", "Do card, manifest and footers agree on rows and bytes?", files.check_counts),
    Check("rejected", "Is everything that was left out listed, and does it add up?", files.check_rejected),
    Check("sizes", "Are shards at most 500 MB and row groups at most 30 MB?", files.check_sizes),
    Check("page-index", "Does every column have a page index?", files.check_page_index),
    Check("shard-names", "Are shards numbered without holes?", files.check_shard_names),
    Check(
        "split",
        "Does the column `split` say the split of the file?",
        rows.by_rule("split", "as the files' names"),
        True,
    ),
    Check("order", "Do rows stand in MD5(processid) order over all shards of a split?", rows.check_order, True),
    Check(
        "processids", "Is every process id a file stem?", rows.by_rule("processids", "all usable as file names"), True
    ),
    Check("unique", "Does every process id stand once in all splits?", rows.check_unique, True),
    Check(
        "chunks",
        "Is `chunk` the first digits of MD5(processid)?",
        rows.by_rule("chunks", "as the official rule gives them"),
        True,
    ),
    Check(
        "barcodes",
        "Are barcodes upper-case IUPAC letters?",
        rows.by_rule("barcodes", "upper-case IUPAC letters"),
        True,
    ),
    Check(
        "coordinates", "Are coordinates on the globe?", rows.by_rule("coordinates", "in degrees, on the globe"), True
    ),
    Check(
        "values",
        "Are sizes in range, and texts without line breaks?",
        rows.by_rule("values", "sizes in range, texts on one line"),
        True,
    ),
    Check(
        "missing",
        "Is a missing value null, and is nothing required missing?",
        rows.by_rule("missing", "null, and only where allowed"),
        True,
    ),
    Check("unlabelled", "Is `pretrain` without species?", rows.check_unlabelled, True),
    Check("disjoint", "Does no species stand in two of seen, unseen and other_heldout?", rows.check_disjoint, True),
    Check(
        "nested",
        "Are the species of val and test in train, of the unseen queries in their keys?",
        rows.check_nested,
        True,
    ),
    Check("taxonomy", "Is the taxonomy what the metadata give?", rows.check_taxonomy, True),
    Check(
        "images", "Do image configs hold the rows of the metadata, unchanged and in order?", images.check_images, True
    ),
    Check("photographs", "Can photographs be decoded?", images.check_photographs),
    Check("image-sizes", "Are photographs as large as their package says?", images.check_image_sizes),
    Check("overlaps", "Which barcodes, BINs and species stand in several splits?", rows.check_overlaps, True),
    Check(
        "official", "Are there as many specimens, barcodes and species as published?", rows.check_official, True, True
    ),
)
"""All checks, in the order they are run."""


def verify(
    path: str | Path,
    *,
    full: bool = False,
    official: bool = False,
    workers: int | None = None,
    progress: bool = False,
) -> Iterator[Finding]:
    """Check every promise of a local dataset folder, built here or downloaded, by its files alone.

    Args:
        path: the folder.
        full: decode every photograph; by default a sample, evenly spread over the shards.
        official: it is said to be the official release: compare the published numbers, and take for an error what
            is otherwise only unusual (a barcode in two splits, a species in `pretrain`).
        workers: local processes; by default the processor's cores, or 1 for a small folder.
        progress: show progress bars on a terminal.

    Returns:
        Findings as they are made, at least one for each of `CHECKS` that applies.

    Raises:
        Bioscan5mError: there is no such folder, or a worker process was killed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     print(next(verify(folder)).status)
        error
    """
    inspection = Inspection(Path(path), full, official, progress=progress)
    if workers is None and not full and sum(shard.rows for shard in inspection.shards) < SMALL:
        workers = 1
    return _run(inspection, workers)


def _run(inspection: Inspection, workers: int | None) -> Iterator[Finding]:
    try:
        with executor(workers) as pool:
            inspection.pool = pool
            for check in CHECKS:
                if inspection.official or not check.official:
                    yield from signed(check.name, _findings(check, inspection))
    except BrokenProcessPool as problem:
        raise Bioscan5mError("a worker process was killed (memory?): use fewer workers") from problem


def _findings(check: Check, inspection: Inspection) -> Iterable[Finding]:
    obstacle = inspection.obstacle(METADATA) if check.rows else None
    return [warning(obstacle)] if obstacle else check.function(inspection)
