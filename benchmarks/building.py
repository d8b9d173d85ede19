"""`build` against copying the same bytes, reading the zips, and reading the CSV; Arrow tables against Python rows."""

from __future__ import annotations

import os
import shutil
import time
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
from material import CSV_MEMBER, METADATA_ZIP, PACKAGE, Bench, archives, members
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Building the dataset"
SPLIT, ROWS_AT_ONCE = "pretrain", 500
BUILD = (
    "build(..., Options(workers=2)) of cropped_256: metadata, taxonomy, photographs, sample, card; seconds after "
    "imports, starting the workers included"
)
STAGE = "the same call once metadata and taxonomy are there: photographs, sample, card; starting the workers included"
COPY = "shutil.copyfile of the zips that are built from, one after the other; with fsync, which the build does not do"
COPY_CACHED = "shutil.copyfile of the same zips without fsync, as the build writes: into the page cache"
UNZIP = "zipfile reading every member of the image zips, one process, nothing written"
METADATA = "build of a release without photographs (metadata, taxonomy, card), 2 workers; seconds after imports"
CSV = "pyarrow.csv.read_csv of the extracted CSV, all columns, all cores"
CSV_ZIP = "pyarrow.csv.read_csv of the CSV through zipfile; the bar is on the file as it is released, in its zip"
BUILDER = (
    f"streaming {SPLIT} straight from the zips, undecoded; the ArrowBasedBuilder is Bioscan5M, the "
    "GeneratorBasedBuilder yields the rows of the same tables; opening and pairing excluded. In batches the first "
    "gives Arrow tables; the second Python lists, because `datasets` cannot join Arrow tables of untyped rows"
)
ONE_PROCESS = "the same with Options(workers=1): no workers to start"
MANY = 5
WHY = (
    "not met: a copy moves the bytes at the speed of memory, while `zipfile` alone, which only reads and checks them, "
    "is far from it; a photograph of 7.6 kB costs about 25 µs to list, read, check and pair. Tried: one process; five "
    "times the photographs, so that starting counts less; Parquet pages without checksums (12 % of writing)"
)
KINDS = ("ArrowBasedBuilder", "GeneratorBasedBuilder")
BUILDER_WAYS = {"row by row": False, f"batches of {ROWS_AT_ONCE}": True}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure photographs, metadata alone, and the two kinds of builder."""
    yield from _photographs(bench)
    yield from _many_photographs(bench)
    yield from _metadata(bench)
    yield from _builders(bench)


def _photographs(bench: Bench) -> Iterator[Figure]:
    release, folder = bench.photographs(), bench.work / "built"
    size = sum(path.stat().st_size for path in [*archives(release), release / METADATA_ZIP])
    child = _child(bench, release=release, folder=folder)
    tasks = {
        "build": child("building:time_build"),
        "one process": child("building:time_build", workers=1),
        "photographs": child("building:time_photographs"),
        "copy": child("building:time_copy", fsync=True),
        "copy cached": child("building:time_copy", fsync=False),
        "unzip": child("building:time_unzip"),
    }
    print(f"  {bench.images:,} photographs", flush=True)
    seconds = in_turn(tasks, bench.repeats)
    for unit, amount in {"rows/s = images/s": bench.images, "MB/s": size / 1e6}.items():
        yield Figure("build", unit, [amount / one for one in seconds["build"]], note=BUILD)
        yield Figure("build, photographs only", unit, [amount / one for one in seconds["photographs"]], note=STAGE)
    yield Figure("build, one process", "MB/s", [size / 1e6 / one for one in seconds["one process"]], note=ONE_PROCESS)
    peers = {"copy": ("copy with fsync", COPY), "copy cached": ("copy", COPY_CACHED), "unzip": ("zipfile", UNZIP)}
    for key, (name, note) in peers.items():
        yield Figure(name, "MB/s", [size / 1e6 / one for one in seconds[key]], note=note)
    stages = {"build": "build", "one process": "build, one process", "photographs": "build, photographs only"}
    for stage, name in stages.items():
        for key, (other, note) in peers.items():
            bar = Bar(">=", 0.25) if (stage, key) == ("build", "copy") else None
            yield Figure(
                f"{name}: share of the speed of {other}", "×", ratios(seconds[key], seconds[stage]), bar, note, WHY
            )


def _many_photographs(bench: Bench) -> Iterator[Figure]:
    images = MANY * bench.images
    child = _child(bench, release=bench.photographs(MANY), folder=bench.work / "built")
    tasks = {"photographs": child("building:time_photographs"), "copy": child("building:time_copy", fsync=True)}
    print(f"  {images:,} photographs", flush=True)
    seconds = in_turn(tasks, bench.repeats)
    label = f"{images:,} photographs"
    rates = [images / one for one in seconds["photographs"]]
    yield Figure(f"{label}: build, photographs only", "images/s", rates, note=STAGE)
    share = ratios(seconds["copy"], seconds["photographs"])
    name = f"{label}: build, photographs only: share of the speed of copy with fsync"
    yield Figure(name, "×", share, note=COPY)


def _metadata(bench: Bench) -> Iterator[Figure]:
    release, tree = bench.metadata(bench.rows), bench.metadata_tree(bench.rows)
    child = _child(bench, release=release, folder=bench.work / "built", tree=tree)
    tasks = {
        "build": child("building:time_build"),
        "csv": child("building:time_csv"),
        "csv in zip": child("building:time_csv_in_zip"),
    }
    print(f"  {bench.rows:,} rows of metadata", flush=True)
    seconds = in_turn(tasks, bench.repeats)
    label = f"metadata of {bench.rows:,} rows"
    yield Figure(f"{label}: build", "s", seconds["build"], note=METADATA)
    yield Figure(f"{label}: build", "rows/s", [bench.rows / one for one in seconds["build"]], note=METADATA)
    yield Figure(f"{label}: pyarrow.csv", "s", seconds["csv"], note=CSV)
    yield Figure(f"{label}: pyarrow.csv through the zip", "s", seconds["csv in zip"], note=CSV_ZIP)
    yield Figure(f"{label}: build ÷ pyarrow.csv", "×", ratios(seconds["build"], seconds["csv"]), note=CSV)
    through = ratios(seconds["build"], seconds["csv in zip"])
    yield Figure(f"{label}: build ÷ pyarrow.csv through the zip", "×", through, Bar("<=", 5), CSV_ZIP)


def _builders(bench: Bench) -> Iterator[Figure]:
    tasks: dict[str, Callable[[], float]] = {}
    for kind in KINDS:
        for way, batches in BUILDER_WAYS.items():
            child = _child(bench, release=bench.photographs(), kind=kind, batches=batches)
            tasks[f"{kind}, {way}"] = child("building:rate_builder")
    print("  builders", flush=True)
    rates = in_turn(tasks, bench.repeats)
    for name, found in rates.items():
        yield Figure(name, "rows/s", found, note=BUILDER)
    for way in BUILDER_WAYS:
        above, below = (rates[f"{kind}, {way}"] for kind in KINDS)
        yield Figure(f"{' ÷ '.join(KINDS)}, {way}", "×", ratios(above, below), note=BUILDER)


def _child(bench: Bench, **given: Any) -> Callable[..., Callable[[], float]]:
    def make(function: str, **more: Any) -> Callable[[], float]:
        return lambda: float(measure.call(function, home=bench.home, **given, **more).result)

    return make


def time_build(release: str, folder: str, tree: str = "", workers: int = 2) -> float:
    """Build everything from nothing."""
    from bioscan5m_hf.data.build import Options, build

    shutil.rmtree(folder, ignore_errors=True)
    start = time.perf_counter()
    build(release, folder, options=Options(workers=workers))
    return time.perf_counter() - start


def time_photographs(release: str, folder: str) -> float:
    """Build the photographs where the metadata have been built."""
    from bioscan5m_hf.data.build import Options, build

    shutil.rmtree(folder, ignore_errors=True)
    build(release, folder, packages=[], options=Options(workers=2))
    start = time.perf_counter()
    build(release, folder, packages=[PACKAGE], options=Options(workers=2))
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


def time_copy(release: str, folder: str, fsync: bool) -> float:
    """Copy all zips of a release."""
    shutil.rmtree(folder, ignore_errors=True)
    Path(folder).mkdir()
    start = time.perf_counter()
    for path in Path(release).glob("*.zip"):
        target = Path(folder, path.name)
        shutil.copyfile(path, target)
        if fsync:
            with target.open("rb") as written:
                os.fsync(written.fileno())
    seconds = time.perf_counter() - start
    shutil.rmtree(folder)
    return seconds


def time_unzip(release: str, folder: str) -> float:
    """Read every photograph with `zipfile`."""
    start = time.perf_counter()
    for path in archives(Path(release)):
        for _ in members(path):
            pass
    return time.perf_counter() - start


def time_csv(release: str, folder: str, tree: str) -> float:
    """Read the extracted CSV with pyarrow."""
    import pyarrow.csv as pa_csv

    start = time.perf_counter()
    pa_csv.read_csv(Path(tree, CSV_MEMBER))
    return time.perf_counter() - start


def time_csv_in_zip(release: str, folder: str, tree: str) -> float:
    """Read the CSV in its zip with pyarrow."""
    import pyarrow.csv as pa_csv

    start = time.perf_counter()
    with zipfile.ZipFile(Path(release, METADATA_ZIP)) as archive, archive.open(CSV_MEMBER) as stream:
        pa_csv.read_csv(stream)
    return time.perf_counter() - start


def rate_builder(release: str, kind: str, batches: bool) -> float:
    """Stream a split from the zips with one kind of builder."""
    from builders import Rows

    from bioscan5m_hf import Bioscan5M

    builder = Bioscan5M if kind == KINDS[0] else Rows
    stream = builder(data_dir=release, config_name=PACKAGE).as_streaming_dataset(split=SPLIT).decode(False)
    next(iter(stream))  # reads and pairs the directories, once per process
    if batches and kind == KINDS[0]:
        stream = stream.with_format("arrow")
    start = time.perf_counter()
    count = sum(
        len(part["processid"]) if batches else 1 for part in (stream.iter(ROWS_AT_ONCE) if batches else stream)
    )
    return count / (time.perf_counter() - start)
