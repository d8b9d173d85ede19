"""Memory of the build at growing numbers of rows, and of streaming photographs."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator

import measure
from material import Bench
from records import Bar, Figure


TITLE = "Memory of the build and of streaming"
FACTORS = (1, 2, 4, 10)
BUILD_NOTE = (
    "metadata of a CSV in a zip to Parquet, 2 workers: peak of the PSS summed over all processes, sampled every "
    "50 ms, imports included"
)
TIME_NOTE = "whole process, while its memory was sampled"
CSV_NOTE = (
    "whole build process, its memory sampled meanwhile, against pyarrow.csv.open_csv reading the CSV once through the "
    "zip"
)
WHY = (
    "not met in this run, whose build includes starting and importing three processes and the sampling of their "
    "memory, 20 times a second; the row on building times the same without them"
)
FLAT_NOTE = "flat: ten times the rows may take at most twice the memory (keys of all rows are held, 40 bytes a row)"
STREAM_NOTE = (
    "all photographs of the dataset once, decoded: peak PSS of the process, sampled every 50 ms, less its PSS after "
    "the imports"
)


def run(bench: Bench) -> Iterator[Figure]:
    """Measure the builds and streaming."""
    sizes = sorted({min(bench.max_rows, bench.rows * factor) for factor in FACTORS})
    peaks = []
    for rows in sizes:
        release, folder = bench.metadata(rows), bench.work / f"rows-{rows}" / "bioscan-5m"
        shutil.rmtree(folder, ignore_errors=True)
        given = {"release": release, "folder": folder, "packages": []}
        built = measure.call("material:make_dataset", home=bench.home, memory=True, **given)
        folder.with_name("bioscan-5m.done").touch()
        peaks.append(built.peak / 1e9)
        yield Figure(f"build, {rows:,} rows", "GB", peaks[-1:], Bar("<=", 3), BUILD_NOTE)
        yield Figure(f"build, {rows:,} rows: time", "s", [built.seconds], note=TIME_NOTE)
        if rows == sizes[-1]:
            read = measure.call("memory:read_csv", home=bench.home, release=release).result
            name = f"build, {rows:,} rows: time ÷ pyarrow.csv reading the same zip"
            yield Figure(name, "×", [built.seconds / read], Bar("<=", 5), CSV_NOTE, WHY)
        if rows > 4 * bench.rows:
            shutil.rmtree(folder)
            folder.with_name("bioscan-5m.done").unlink()
    name = f"build: {sizes[-1]:,} rows ÷ {sizes[0]:,} rows"
    yield Figure(name, "×", [peaks[-1] / peaks[0]], Bar("<=", 2), FLAT_NOTE)
    yield from _streaming(bench)


def _streaming(bench: Bench) -> Iterator[Figure]:
    ways = {
        "load_dataset, streaming, all columns": "stream_plain",
        "load_specimens, streaming, image + barcode + label": "stream_specimens",
        "ImageBatches, 2 threads": "stream_batches",
    }
    for name, function in ways.items():
        peaks = []
        for _ in range(bench.repeats):
            ran = measure.call(f"memory:{function}", home=bench.home, memory=True, folder=bench.photograph_dataset())
            peaks.append((ran.peak - ran.result) / 1e6)
        yield Figure(name, "MB", peaks, Bar("<=", 400), STREAM_NOTE)


def read_csv(release: str) -> float:
    """Read the metadata through its zip with pyarrow and forget it."""
    import zipfile
    from pathlib import Path

    import pyarrow.csv as pa_csv
    from material import CSV_MEMBER, METADATA_ZIP

    start = time.perf_counter()
    with zipfile.ZipFile(Path(release, METADATA_ZIP)) as archive, archive.open(CSV_MEMBER) as stream:
        for _ in pa_csv.open_csv(stream, pa_csv.ReadOptions(block_size=16 << 20)):
            pass
    return time.perf_counter() - start


def stream_plain(folder: str) -> int:
    """Stream everything with `load_dataset`; give the memory after the imports."""
    import decoding

    load = decoding.imported()
    before = measure.pss()
    for _ in decoding.plain(load, folder, None):
        pass
    return before


def stream_specimens(folder: str) -> int:
    """Stream with `load_specimens`; give the memory after the imports."""
    import decoding

    decoding.imported()
    before = measure.pss()
    for _ in decoding.specimens(folder):
        pass
    return before


def stream_batches(folder: str) -> int:
    """Pass through `ImageBatches`; give the memory after the imports."""
    import decoding

    decoding.imported()
    before = measure.pss()
    for _ in decoding.batches(folder, threads=2):
        pass
    return before
