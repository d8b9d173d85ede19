"""Five columns of `val`: the peer reads the whole CSV, `load_dataset` one Parquet file."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import measure
from material import Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Five columns of `val`, from metadata"
COLUMNS = ("processid", "dna_barcode", "order", "genus", "species")
WARM = 10
WAYS = {
    "folder": 'load_dataset(folder, "metadata", split="val")',
    "files": 'load_dataset("parquet", data_files="metadata/val-*")',
    "specimens": 'load_specimens(folder, split="val")',
}
BARS = {"cold": Bar(">=", 20), "warm": Bar(">=", 300)}
WHY = {
    ("folder", "cold"): "not met because `datasets` prepares all eight splits of a folder, whichever is asked for; "
    "given the split's files it does not",
    (
        "folder",
        "warm",
    ): "not met because `datasets` parses the card's YAML and resolves the files of all splits at each "
    "call, which takes longer than the data; given the split's files it does not",
}
BARRED = ("folder", "files")
PEER_NOTE = (
    "bioscan-dataset 1.3.0, its integrity check overridden because it pins the MD5 of the real CSV; it reads the "
    "whole CSV. Seconds after imports until the five columns are there"
)
OURS_NOTE = (
    "columns=[5], until the five columns are there as an Arrow table, seconds after imports. Cold: fresh process, "
    f"empty HF_HOME; warm: median of {WARM} more calls in that process; again: the first call of another process. "
    "With a folder, `datasets` prepares all splits at the first call whichever is asked for, and parses the card "
    "at each call; given the split's files it does neither; load_specimens prepares the split that is asked for"
)
WHOLE_NOTE = "wall time of the process: start, imports, one call"
PEAK_NOTE = "peak PSS of the process, sampled every 50 ms in a run of its own; imports included"


def run(bench: Bench) -> Iterator[Figure]:
    """Measure at three numbers of rows."""
    sizes = sorted({min(bench.max_rows, rows) for rows in (bench.rows // 5, bench.rows, bench.rows * 4)})
    factors: dict[tuple[str, str], list[list[float]]] = {}
    for rows in sizes:
        label = f"{rows:,} rows"
        seconds, whole = _times(bench, rows)
        yield Figure(f"{label}: peer", "s", seconds["peer"], note=PEER_NOTE)
        for way, name in WAYS.items():
            for kind in ("cold", "warm", "again"):
                yield Figure(f"{label}: {name}, {kind}", "s", seconds[f"{way} {kind}"], note=OURS_NOTE)
        for way, name in WAYS.items():
            for kind, bar in BARS.items():
                found = ratios(seconds["peer"], seconds[f"{way} {kind}"])
                factors.setdefault((way, kind), []).append(found)
                wanted = bar if way in BARRED and rows == bench.rows else None
                yield Figure(f"{label}: peer ÷ {name}, {kind}", "×", found, wanted, why=WHY.get((way, kind), ""))
        for name, found in whole.items():
            yield Figure(f"{label}: {name}, whole process", "s", found, note=WHOLE_NOTE)
        yield from _peaks(bench, rows)
    for (way, kind), found in factors.items():
        name = f"peer ÷ {WAYS[way]}, {kind}: {sizes[-1]:,} rows against {sizes[0]:,} rows"
        yield Figure(name, "×", ratios(found[-1], found[0]), Bar(">=", 1) if way in BARRED else None)


def _times(bench: Bench, rows: int) -> tuple[dict[str, list[float]], dict[str, list[float]]]:
    folder, tree = bench.metadata_dataset(rows), bench.metadata_tree(rows)
    seconds: dict[str, list[float]] = {f"{way} {kind}": [] for way in WAYS for kind in ("warm", "again")}
    whole: dict[str, list[float]] = {"peer": [], f"{WAYS['folder']}, again": []}

    def peer() -> float:
        ran = measure.call("val_columns:time_peer", home=bench.home, root=tree)
        whole["peer"].append(ran.seconds)
        return float(ran.result)

    def ours(way: str) -> float:
        home = bench.fresh_home()
        first, *rest = measure.call("val_columns:time_ours", home=home, folder=folder, way=way, calls=1 + WARM).result
        again = measure.call("val_columns:time_ours", home=home, folder=folder, way=way, calls=1)
        seconds[f"{way} warm"].append(statistics.median(rest))
        seconds[f"{way} again"].append(again.result[0])
        if way == "folder":
            whole[f"{WAYS['folder']}, again"].append(again.seconds)
        return float(first)

    print(f"  {rows:,} rows", flush=True)
    tasks: dict[str, Callable[[], float]] = {"peer": peer}
    tasks |= {f"{way} cold": partial(ours, way) for way in WAYS}
    return seconds | in_turn(tasks, bench.repeats), whole


def _peaks(bench: Bench, rows: int) -> Iterator[Figure]:
    tree, folder = bench.metadata_tree(rows), bench.metadata_dataset(rows)
    peer = measure.call("val_columns:time_peer", home=bench.home, memory=True, root=tree)
    yield Figure(f"{rows:,} rows: peer, memory", "GB", [peer.peak / 1e9], note=PEAK_NOTE)
    for way, name in WAYS.items():
        given = {"folder": folder, "way": way, "calls": 1}
        ran = measure.call("val_columns:time_ours", home=bench.fresh_home(), memory=True, **given)
        yield Figure(f"{rows:,} rows: {name}, cold, memory", "GB", [ran.peak / 1e9], note=PEAK_NOTE)


def time_peer(root: str) -> float:
    """Load `val` with the peer and take five columns."""
    from peer import Peer

    start = time.perf_counter()
    specimens = Peer(root, split="val", modality=("dna",), target_type=["order", "genus", "species"])
    columns = specimens.metadata[list(COLUMNS)]
    seconds = time.perf_counter() - start
    _check(len(columns), root)
    return seconds


def time_ours(folder: str, way: str, calls: int) -> list[float]:
    """Load `val` one way, again and again."""
    load = _way(folder, way)
    seconds = []
    for _ in range(calls):
        start = time.perf_counter()
        columns = load().with_format("arrow")[:]
        seconds.append(time.perf_counter() - start)
        _check(columns.num_rows, folder)
    return seconds


def _way(folder: str, way: str) -> Callable[[], Any]:
    from datasets import load_dataset

    columns = list(COLUMNS)
    if way == "folder":
        return partial(load_dataset, folder, "metadata", split="val", columns=columns)
    if way == "files":
        files = {"val": f"{folder}/metadata/val-*.parquet"}
        return partial(load_dataset, "parquet", data_files=files, split="val", columns=columns)
    from bioscan5m_hf import load_specimens

    return partial(load_specimens, folder, split="val", columns=columns)


def _check(rows: int, where: str) -> None:
    if not rows:
        raise ValueError(f"no rows in {Path(where).name}")
