"""How long until the first sample is there, from a folder and over HTTP, and how many bytes that takes."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from material import PACKAGE, Bench
from measure import in_turn
from records import Bar, Figure


TITLE = "Time to the first sample"
SPLIT = "train"
LOCAL = "first decoded sample of train; fresh process, empty HF_HOME; seconds after imports"
ZIPS = f"{LOCAL}; cold: the metadata are first read and kept; then: in another process"
PEER = "peer, integrity check overridden, over extracted files; first decoded sample of train; seconds after imports"
HTTP = (
    "load_dataset(repository, streaming=True) or load_specimens from a loopback server that speaks the Hub's API; "
    "fresh process, empty HF_HOME; seconds after imports, bytes that the server sent; no latency, all bandwidth"
)
REPOSITORY = "bench/bioscan-5m"
WAYS = {
    "load_dataset, streaming, all columns": "first_plain",
    "load_specimens, streaming, image + barcode + label": "first_specimens",
}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure locally, then over HTTP."""
    yield from _local(bench)
    yield from _http(bench)


def _local(bench: Bench) -> Iterator[Figure]:
    def ours(function: str, where: Path, *, fresh: bool = True) -> float:
        home = bench.fresh_home() if fresh else bench.work / "fresh-home"
        return float(measure.call(f"first_sample:{function}", home=home, where=where).result)

    folder, release, tree = bench.photograph_dataset(), bench.photographs(), bench.photograph_tree()
    tasks = {f"folder: {name}": lambda function=function: ours(function, folder) for name, function in WAYS.items()}
    tasks |= {
        "zips: Bioscan5M, cold": lambda: ours("first_builder", release),
        "zips: Bioscan5M, then": lambda: ours("first_builder", release, fresh=False),
        "files: peer": lambda: ours("first_peer", tree),
    }
    for name, seconds in in_turn(tasks, bench.repeats).items():
        kind = name.partition(":")[0]
        bar = Bar("<=", 1.0) if kind == "folder" else None
        yield Figure(name, "s", seconds, bar, {"folder": LOCAL, "zips": ZIPS, "files": PEER}[kind])


def _http(bench: Bench) -> Iterator[Figure]:
    sys.path.append(str(Path(__file__).resolve().parent.parent / "tests"))
    from hub_server import HubServer

    with HubServer(bench.work / "hub") as hub:
        hub.seed(REPOSITORY, _files(bench.photograph_dataset()))
        env = {"HF_ENDPOINT": hub.url, "HF_HUB_OFFLINE": "0"}
        sent: dict[str, list[float]] = {name: [] for name in WAYS}
        requests: dict[str, list[float]] = {name: [] for name in WAYS}

        def fetch(name: str) -> float:
            hub.fresh()
            given = {"where": REPOSITORY}
            ran = measure.call(f"first_sample:{WAYS[name]}", home=bench.fresh_home(), env=env, **given)
            sent[name].append(sum(one.sent for one in hub.log) / 1e6)
            requests[name].append(len(hub.log))
            return float(ran.result)

        tasks = {name: lambda name=name: fetch(name) for name in WAYS}
        for name, seconds in in_turn(tasks, bench.repeats).items():
            yield Figure(f"HTTP: {name}", "s", seconds, note=HTTP)
            yield Figure(f"HTTP: {name}: fetched", "MB", sent[name], note=HTTP)
            yield Figure(f"HTTP: {name}: requests", "requests", requests[name], note=HTTP)


def _files(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    names = {path.relative_to(folder).as_posix(): path for path in paths}
    return {name: path.read_bytes() for name, path in names.items() if not re.match(r"\.", name)}


def first_plain(where: str) -> float:
    """Take the first sample from `load_dataset`."""
    import decoding

    load = decoding.imported()
    start = time.perf_counter()
    sample = next(iter(load(where, PACKAGE, streaming=True)[SPLIT]))
    return _seconds(start, sample)


def first_specimens(where: str) -> float:
    """Take the first sample from `load_specimens`."""
    import decoding

    from bioscan5m_hf import load_specimens

    decoding.imported()
    start = time.perf_counter()
    given = {"columns": ("image", "dna_barcode"), "label": "species", "streaming": True}
    return _seconds(start, next(iter(load_specimens(where, split=SPLIT, **given))))


def first_builder(where: str) -> float:
    """Take the first sample straight from the zips."""
    import decoding

    from bioscan5m_hf import Bioscan5M

    decoding.imported()
    start = time.perf_counter()
    builder = Bioscan5M(data_dir=where, config_name=PACKAGE)
    return _seconds(start, next(iter(builder.as_streaming_dataset(split=SPLIT))))


def first_peer(where: str) -> float:
    """Take the first sample from the peer."""
    import peer
    from decoding import _loaded

    start = time.perf_counter()
    specimens = peer.Peer(where, split=SPLIT, modality=("image", "dna"), target_type="species", transform=_loaded)
    return _seconds(start, {"image": specimens[0][0]})


def _seconds(start: float, sample: dict[str, Any]) -> float:
    sample["image"].load()
    return time.perf_counter() - start
