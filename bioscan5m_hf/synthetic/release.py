"""An invented release in the official layout: the same files, columns and addresses, and nothing in it is real."""

from __future__ import annotations

import logging
import os
import shutil
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar
from zipfile import ZipFile

import numpy as np
import pyarrow as pa
from tqdm import tqdm

from .. import splits
from ..data.kinds import MARKS, Kind
from ..data.packages import archive_name
from ..data.writing import member
from ..errors import OutputError
from .census import Census, take_census
from .looks import look
from .orders import ORDERS
from .photograph import PACKAGES, packages_of, take
from .rows import Measured, chunks, guess, processids, table
from .writing import INVENTED_TEXT, write_metadata


logger = logging.getLogger(__name__)
_BATCH = 16
_README = """# An invented release

Everything in this folder is invented: names below the rank of order, barcodes, places, sizes and pictures were made
by a program ({specimens:,} specimens, seed {seed}). Nothing here was collected, sequenced or photographed, and any
likeness of a name to a real one is chance. The files have the layout of the official BIOSCAN-5M release, for tests
and examples; every picture is captioned INVENTED. Do not use it as data about animals.
"""

T = TypeVar("T")


def synthesize(
    root: Path | str,
    *,
    specimens: int = 2000,
    seed: int = 0,
    packages: Sequence[str] = PACKAGES,
    jsonld: bool = True,
    metadata_only: bool = False,
    progress: bool = False,
    workers: int | None = None,
) -> Path:
    """Write an invented release in the official layout.

    The same arguments give the same bytes, whatever the number of workers; the metadata does not depend on
    `packages` or `jsonld`. Split sizes follow `shares.split_sizes`.

    Args:
        root: folder to write; it must not exist, or be empty.
        specimens: number of specimens, at least 100.
        seed: what everything is drawn from.
        packages: image packages to write.
        jsonld: write the JSON-LD variant of the metadata beside the CSV.
        metadata_only: write no images; sizes and boxes are then drawn from distributions, which takes a few
            minutes for millions of specimens and less than 1 GB of memory.
        progress: show a progress bar.
        workers: processes that draw; None for one per processor. More than one needs the usual guard
            `if __name__ == "__main__":` in scripts; 1 draws in this process.

    Returns:
        The folder.

    Raises:
        ValueError: a package is unknown, or there are too few specimens.
        OutputError: the folder has something in it.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     root = synthesize(folder + "/release", specimens=100, metadata_only=True)
        ...     sorted(path.name for path in root.iterdir())[:2]
        ['BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip', 'BIOSCAN_5M_Insect_bbox.tsv']
    """
    unknown = [name for name in packages if name not in PACKAGES]
    if unknown:
        raise ValueError(f"unknown image package {unknown[0]!r}: use {', '.join(PACKAGES)}")
    root = Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise OutputError(f"{root} exists and is not empty: choose another folder, or delete it first")
    census = take_census(specimens, seed)
    part = root.with_name(f".{root.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        with tqdm(total=specimens, unit=" specimens", disable=None if progress else True) as bar:
            if metadata_only:
                _write_rows(part, census, jsonld, bar)
            else:
                _write_images(part, census, list(dict.fromkeys(packages)), jsonld, workers, bar)
        (part / "README.md").write_text(_README.format(specimens=specimens, seed=seed), encoding="utf-8")
        (part / MARKS[Kind.INVENTED]).write_text(INVENTED_TEXT, encoding="utf-8")
        if root.exists():
            root.rmdir()
        part.rename(root)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    logger.info("wrote an invented release of %d specimens to %s", specimens, root)
    return root


def _write_rows(root: Path, census: Census, jsonld: bool, bar: Any) -> None:  # noqa: ANN401  # tqdm is untyped
    """Write the metadata while the next chunk is made in a thread."""

    def pieces() -> Iterator[tuple[pa.Table, Measured]]:
        with ThreadPoolExecutor(1) as thread:
            for made in _in_order(thread, partial(_rows, census), chunks(census), ahead=2):
                yield made
                bar.update(made[0].num_rows)

    write_metadata(root, pieces(), jsonld=jsonld)


def _rows(census: Census, rows: slice) -> tuple[pa.Table, Measured]:
    measured = guess(census, rows)
    return table(census, rows, measured=measured), measured


def _write_images(
    root: Path, census: Census, packages: list[str], jsonld: bool, workers: int | None, bar: Any  # noqa: ANN401
) -> None:  # fmt: skip
    """Draw all specimens in processes, put their pictures into the archives, then write what was measured."""
    boxes = np.zeros((len(census), 4), np.int64)
    pixels = np.zeros(len(census), np.int64)
    archives: dict[str, ZipFile] = {}
    workers = workers or os.cpu_count() or 1
    with ExitStack() as stack:
        jobs = _jobs(census, packages)
        if workers == 1:
            batches: Iterator[list[Drawing]] = map(_draw, jobs)
        else:
            pool = stack.enter_context(ProcessPoolExecutor(workers, mp_context=get_context("spawn")))
            batches = _in_order(pool, _draw, jobs, ahead=4 * workers)
        for first, drawn in enumerate(batches):
            for row, (box, area, files) in enumerate(drawn, first * _BATCH):
                boxes[row], pixels[row] = box, area
                for archive, name, content in files:
                    if archive not in archives:
                        archives[archive] = stack.enter_context(ZipFile(root / archive, "w"))
                    archives[archive].writestr(member(name), content)
            bar.update(len(drawn))
    measured = ((rows, Measured(boxes[rows], pixels[rows])) for rows in chunks(census))
    write_metadata(root, ((table(census, rows, measured=seen), seen) for rows, seen in measured), jsonld=jsonld)


Drawing = tuple[tuple[int, int, int, int], int, list[tuple[str, str, bytes]]]
Job = list[tuple[str, str, tuple[str, int, int, int, int, int], list[str]]]


def _jobs(census: Census, packages: list[str]) -> Iterator[Job]:
    """Give what a process needs to draw a batch: a few numbers for each specimen."""
    tree = census.tree
    for start in range(0, len(census), _BATCH):
        rows = slice(start, min(start + _BATCH, len(census)))
        job: Job = []
        for offset, processid in enumerate(processids(census, rows)):
            species = int(census.species[start + offset])
            genus = tree.species_genus[species]
            family = tree.genus_family[genus]
            plan = ORDERS[tree.family_order[family]].plan
            split = splits.SPLIT_NAMES[census.split[start + offset]]
            job.append((processid, split, (plan, census.seed, family, genus, species, start + offset), packages))
        yield job


def _draw(job: Job) -> list[Drawing]:
    drawn: list[Drawing] = []
    for processid, split, traits, packages in job:
        photograph = take(look(*traits))
        files = [
            (archive_name(package, split, processid), splits.image_path(package, split, processid), content)
            for package, content in packages_of(photograph, packages).items()
        ]
        drawn.append((photograph.box, photograph.pixels, files))
    return drawn


def _in_order(pool: Executor, work: Callable[[Any], T], jobs: Iterator[Any] | list[Any], *, ahead: int) -> Iterator[T]:
    """Run jobs in a pool, a few ahead of the reader, and give the results in the order of the jobs."""
    waiting: deque[Future[T]] = deque()
    for job in jobs:
        waiting.append(pool.submit(work, job))
        if len(waiting) > ahead:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()
