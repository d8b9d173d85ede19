"""Random access, `ds[i]`: ours from the prepared cache, the peer, and HDF5 laid out as CLIBD does."""

from __future__ import annotations

import io
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
from material import PACKAGE, Bench
from measure import in_turn, ratios
from records import Figure


TITLE = "Random access, `ds[i]`"
SPLIT, ACCESSES = "pretrain", 3000
HOW = (
    f"{ACCESSES:,} random places of {SPLIT}, the same in all; each a decoded PIL image and the columns named; one "
    "process, files in the page cache, opening excluded"
)
OURS = f"{HOW}; load_dataset or load_specimens without streaming, prepared before"
PEER = f"{HOW}; integrity check overridden"
HDF5 = (
    f"{HOW}; one group per split, `image` uint8 rows of zero-padded JPEG bytes, `image_mask` their lengths, "
    "`barcode`, `species`; "
)
CHUNKS = {
    "HDF5 as CLIBD, resizable (h5py's own chunks)": "resizable, as CLIBD writes it, so h5py chooses the chunks",
    "HDF5 as CLIBD, a row a chunk": "chunks of one row, the best case",
}
WAYS = {
    "load_dataset, all columns": "rate_all",
    "load_dataset, select_columns(image, dna_barcode, species)": "rate_three",
    "load_specimens, image + barcode + label": "rate_specimens",
    "peer": "rate_peer",
}


def run(bench: Bench) -> Iterator[Figure]:
    """Prepare all, then measure in turn."""
    folder, tree = bench.photograph_dataset(), bench.photograph_tree()
    home = bench.work / "prepared-home"
    files = dict(zip(CHUNKS, (bench.work / "resizable.h5", bench.work / "by-row.h5"), strict=True))
    for path in files.values():
        measure.call("random_access:write_hdf5", home=home, folder=folder, path=path, by_row="by-row" in path.name)

    def rate(function: str, **given: Path) -> Callable[[], float]:
        return lambda: float(measure.call(f"random_access:{function}", home=home, **given).result)

    tasks = {name: rate(function, folder=folder, tree=tree) for name, function in WAYS.items()}
    tasks |= {name: rate("rate_hdf5", path=path) for name, path in files.items()}
    tasks["load_dataset, all columns"]()  # the first call prepares the cache; the others find it
    tasks["load_specimens, image + barcode + label"]()
    rates = in_turn(tasks, bench.repeats)
    for name, found in rates.items():
        note = HDF5 + CHUNKS[name] if name in CHUNKS else PEER if name == "peer" else OURS
        yield Figure(name, "samples/s", found, note=note)
    best = rates["load_specimens, image + barcode + label"]
    for name in ("peer", *CHUNKS):
        yield Figure(f"load_specimens ÷ {name}", "×", ratios(best, rates[name]))
    yield Figure("load_dataset, all columns ÷ peer", "×", ratios(rates["load_dataset, all columns"], rates["peer"]))
    for name, path in files.items():
        yield Figure(f"{name}: file", "MB", [path.stat().st_size / 1e6], note=HDF5 + CHUNKS[name])


def write_hdf5(folder: str, path: str, by_row: bool) -> None:
    """Write a split as CLIBD does."""
    import h5py
    import numpy as np
    import pyarrow.parquet as pq

    columns = ["image", "dna_barcode", "species"]
    files = sorted(Path(folder, PACKAGE).glob(f"{SPLIT}-*.parquet"))
    rows = [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]
    images = [np.frombuffer(row["image"]["bytes"], np.uint8) for row in rows]
    lengths = np.array([len(image) for image in images], np.int64)
    width = int(lengths.max())
    layout: dict[str, Any] = {"chunks": (1, width)} if by_row else {"maxshape": (None, None)}
    text = h5py.string_dtype()
    with h5py.File(path, "w") as file:
        group = file.create_group(SPLIT)
        group["image_mask"] = lengths
        for name, column in (("barcode", "dna_barcode"), ("species", "species")):
            group.create_dataset(name, data=[row[column] or "" for row in rows], dtype=text)
        padded = group.create_dataset("image", (len(rows), width), np.uint8, **layout)
        for start in range(0, len(rows), 512):
            block = np.zeros((len(images[start : start + 512]), width), np.uint8)
            for place, image in enumerate(images[start : start + 512]):
                block[place, : len(image)] = image
            padded[start : start + 512] = block


def rate_hdf5(path: str) -> float:
    """Read places of the HDF5 file."""
    import h5py
    from PIL import Image

    with h5py.File(path, "r") as file:
        group = file[SPLIT]
        lengths, images = group["image_mask"][:], group["image"]
        barcodes, species = group["barcode"], group["species"]

        def sample(place: int) -> Any:
            data = images[place][: lengths[place]].tobytes()
            return Image.open(io.BytesIO(data)).convert("RGB"), barcodes[place], species[place]

        return _rate(sample, len(lengths))


def rate_all(folder: str, tree: str) -> float:
    """Read places of a prepared dataset with all columns."""
    dataset = _prepared(folder)
    return _rate(dataset.__getitem__, len(dataset))


def rate_three(folder: str, tree: str) -> float:
    """Read places of a prepared dataset with three columns."""
    dataset = _prepared(folder).select_columns(["image", "dna_barcode", "species"])
    return _rate(dataset.__getitem__, len(dataset))


def rate_specimens(folder: str, tree: str) -> float:
    """Read places of prepared specimens."""
    from bioscan5m_hf import load_specimens

    dataset: Any = load_specimens(folder, split=SPLIT, columns=("image", "dna_barcode"), label="species")
    return _rate(dataset.__getitem__, len(dataset))


def rate_peer(folder: str, tree: str) -> float:
    """Read places of the peer's dataset."""
    from decoding import _loaded, peer

    dataset = peer(tree, _loaded, SPLIT)
    return _rate(dataset.__getitem__, len(dataset))


def _prepared(folder: str) -> Any:
    from datasets import load_dataset

    return load_dataset(folder, PACKAGE, split=SPLIT)


def _rate(sample: Callable[[int], Any], length: int) -> float:
    drawn = random.Random(0)
    places = [drawn.randrange(length) for _ in range(ACCESSES)]
    for place in places[:100]:
        sample(place)
    start = time.perf_counter()
    for place in places:
        sample(place)
    return ACCESSES / (time.perf_counter() - start)
