"""Retrieval and clustering at the sizes of BIOSCAN-5M, once each: what they take on a small machine."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from material import SEED, Bench
from records import Bar, Figure


TITLE = "Retrieval and clusters at full size"
WIDTH = 768
QUERIES, KEYS = 47_260, 325_668
"""Specimens of `test` and `test_unseen`, and of `train` and `key_unseen`."""

POINTS, DIMENSIONS = 47_260, 50
CLUSTERINGS = {
    "fastcluster": "fastcluster.linkage_vector alone",
    "ours": "evaluation.dendrogram.Dendrogram.of and cuts at 40 numbers of clusters",
}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure each once, in a process of its own; memory is sampled meanwhile."""
    small = bench.rows < 100_000  # a quick run
    queries, keys, points = (size // 100 if small else size for size in (QUERIES, KEYS, POINTS))
    size = f"5 of {keys:,} keys for {queries:,} queries, width {WIDTH}, both in files; made vectors, imports excluded"
    for precision in ("float32", "bfloat16"):
        given = {"precision": precision, "queries": queries, "keys": keys}
        ran = measure.call("full_size:retrieve", home=bench.home, memory=True, **given)
        yield Figure(f"retrieval, {precision}", "s", [ran.result["seconds"]], note=size)
        yield Figure(f"retrieval, {precision}: memory", "GB", [(ran.peak - ran.result["before"]) / 1e9], note=MEMORY)
    seconds, peaks = {}, {}
    for way, what in CLUSTERINGS.items():
        ran = measure.call("full_size:cluster", home=bench.home, memory=True, way=way, points=points)
        seconds[way], peaks[way] = ran.result["seconds"], (ran.peak - ran.result["before"]) / 1e9
        note = f"{what}; {points:,} points of {DIMENSIONS} numbers in mixed clouds, imports excluded"
        yield Figure(f"Ward's clusters: {way}", "s", [seconds[way]], note=note)
    yield Figure("Ward's clusters: ours ÷ fastcluster", "×", [seconds["ours"] / seconds["fastcluster"]])
    yield Figure("Ward's clusters: ours: memory", "GB", [peaks["ours"]], Bar("<=", 1), note=MEMORY)
    ran = measure.call("full_size:reduce", home=bench.home, memory=True, points=points)
    note = f"UMAP of the paper, {points:,} points from {WIDTH} to {DIMENSIONS} numbers, one seed; imports excluded"
    yield Figure("UMAP", "s", [ran.result["seconds"]], note=note)
    yield Figure("UMAP: memory", "GB", [(ran.peak - ran.result["before"]) / 1e9], note=MEMORY)


MEMORY = "peak PSS of the process, less its PSS when inputs and imports were there"


def clouds(points: int, width: int) -> Any:
    """Make points in mixed clouds, float32."""
    import numpy as np

    random = np.random.default_rng(SEED)
    centres = 3 * random.standard_normal((max(2, points // 50), width), np.float32)
    return centres[random.integers(0, len(centres), points)] + random.standard_normal((points, width), np.float32)


def retrieve(precision: str, queries: int, keys: int) -> dict[str, Any]:
    """Retrieve from files."""
    import numpy as np

    from bioscan5m_hf.evaluation.search import Search

    random = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="bioscan5m-bench-") as folder:
        files = {}
        for name, size in {"queries": queries, "keys": keys}.items():
            made = np.lib.format.open_memmap(Path(folder) / f"{name}.npy", "w+", np.float32, (size, WIDTH))
            for start in range(0, size, 10_000):
                made[start : start + 10_000] = random.standard_normal((min(10_000, size - start), WIDTH), np.float32)
            made.flush()
            files[name] = np.load(Path(folder) / f"{name}.npy", mmap_mode="r")
            del made
        Search().nearest(files["queries"][:2], files["keys"][:2])
        before, start_time = measure.pss(), time.perf_counter()
        Search(precision=precision).nearest(files["queries"], files["keys"], 5)
        return {"seconds": time.perf_counter() - start_time, "before": before}


def cluster(way: str, points: int) -> dict[str, Any]:
    """Cluster in one way."""
    import fastcluster
    import numpy as np

    from bioscan5m_hf.evaluation.dendrogram import Dendrogram

    given = clouds(points, DIMENSIONS).astype(np.float64)
    before, start = measure.pss(), time.perf_counter()
    if way == "fastcluster":
        fastcluster.linkage_vector(given, "ward")
    else:
        tree = Dendrogram.of(given)
        for number in np.linspace(2, points // 10, 40).astype(int).tolist():
            tree.cut(number)
    return {"seconds": time.perf_counter() - start, "before": before}


def reduce(points: int) -> dict[str, Any]:
    """Reduce as the paper does."""
    import umap  # noqa: F401  # before the memory is read

    from bioscan5m_hf.evaluation.reduction import Reduction

    given = clouds(points, WIDTH)
    before, start = measure.pss(), time.perf_counter()
    Reduction("umap").reduce(given, 0)
    return {"seconds": time.perf_counter() - start, "before": before}
