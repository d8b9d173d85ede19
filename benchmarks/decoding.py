"""Decoded samples per second: the decoders' own limit, the peer, plain `datasets`, and ours."""

from __future__ import annotations

import io
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import measure
from material import PACKAGE, Bench, archives, members
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Decoded samples per second"
SIDE, BATCH = 256, 256
COLUMNS = ["image", "dna_barcode", "species"]
ONE = (
    "one process, one sample at a time, each a decoded PIL image; files in the page cache; from the first sample "
    "asked for to the last, imports and opening excluded"
)
TWO = (
    f"DataLoader, 2 workers (fork), batches of {BATCH} uint8 images cropped to {SIDE}×{SIDE}; from the first batch "
    "asked for to the last, so starting the workers is included"
)
BATCHES = (
    f"batches of {BATCH} uint8 images cropped to {SIDE}×{SIDE} with species labels; from iter() to the last batch"
)
LIMIT_PIL = "Pillow decoding JPEG bytes that are in memory, one thread, nothing else"
LIMIT_TURBO = "simplejpeg (libjpeg-turbo) decoding JPEG bytes that are in memory into the same pixels again and again"
PEER = "peer: bioscan-dataset 1.3.0, integrity check overridden, over extracted files; "
WAYS = {
    "limit: Pillow, bytes in memory": ("time_limit_pillow", LIMIT_PIL),
    "load_specimens, streaming, image + barcode + label": ("time_specimens", ONE),
    "load_dataset, streaming, 3 columns": ("time_plain_three", ONE),
    "load_dataset, streaming, all columns": ("time_plain_all", ONE),
    "peer, 1 process": ("time_peer", PEER + ONE),
    "peer, 2 workers": ("time_peer_workers", PEER + TWO),
    "load_specimens, streaming, 2 workers": ("time_specimens_workers", TWO),
    "limit: simplejpeg, bytes in memory, 1 thread": ("time_limit_turbo_1", LIMIT_TURBO),
    "limit: simplejpeg, bytes in memory, 2 threads": ("time_limit_turbo_2", LIMIT_TURBO),
    "ImageBatches, 2 threads": ("time_batches", BATCHES),
    "ImageBatches in a DataLoader, 2 workers": ("time_batches_workers", BATCHES),
}
RATIOS = (
    ("load_specimens, streaming, image + barcode + label", "limit: Pillow, bytes in memory", Bar(">=", 0.9)),
    ("load_dataset, streaming, 3 columns", "limit: Pillow, bytes in memory", None),
    ("load_dataset, streaming, all columns", "limit: Pillow, bytes in memory", None),
    ("peer, 1 process", "limit: Pillow, bytes in memory", None),
    ("ImageBatches, 2 threads", "limit: simplejpeg, bytes in memory, 2 threads", Bar(">=", 0.9)),
    ("ImageBatches, 2 threads", "peer, 2 workers", Bar(">=", 3.5)),
    ("ImageBatches in a DataLoader, 2 workers", "peer, 2 workers", None),
    ("load_specimens, streaming, 2 workers", "peer, 2 workers", None),
)


def run(bench: Bench) -> Iterator[Figure]:
    """Measure each way in a fresh process, in turn."""
    release, folder, tree = bench.photographs(), bench.photograph_dataset(), bench.photograph_tree()

    def rate(function: str) -> Callable[[], float]:
        def once() -> float:
            given = {"release": release, "folder": folder, "tree": tree}
            seconds, samples = measure.call(f"decoding:{function}", home=bench.home, **given).result
            if samples != bench.images:
                raise ValueError(f"{function} gave {samples} of {bench.images} samples")
            return float(samples / seconds)

        return once

    rates = in_turn({name: rate(function) for name, (function, _) in WAYS.items()}, bench.repeats)
    seen = f"{bench.images:,} photographs, {bench.different:,} different ones"
    for name, (_, note) in WAYS.items():
        yield Figure(name, "samples/s", rates[name], note=f"{seen}; {note}")
    why = lone_core(
        *(rates[f"limit: simplejpeg, bytes in memory, {threads}"] for threads in ("1 thread", "2 threads"))
    )
    for above, below, bar in RATIOS:
        yield Figure(f"{above} ÷ {below}", "×", ratios(rates[above], rates[below]), bar, why=why)


def lone_core(one: Sequence[float], two: Sequence[float]) -> str:
    """Say how much a second thread of the bare decoder gained."""
    gain = statistics.median(two) / statistics.median(one)
    return (
        f"two threads of the bare decoder gave {gain:.2f} times one thread in this run; and beside 220-250 µs of "
        "decoding, a photograph costs about 25 µs for its crop in the batch, 7 for Parquet and 5 for Python"
    )


def imported() -> Callable[..., Any]:
    """Import what streaming uses, so that it is neither timed nor counted as memory of streaming."""
    import datasets
    import PIL.JpegImagePlugin  # noqa: F401
    import torch.utils.data  # noqa: F401  # `datasets` imports it when a stream is first read

    from bioscan5m_hf import ImageBatches, load_specimens  # noqa: F401

    return datasets.load_dataset


def plain(load: Callable[..., Any], folder: str, columns: list[str] | None) -> Iterator[Any]:
    """Stream all splits with `load_dataset`, one after the other."""
    for split in load(folder, PACKAGE, streaming=True, columns=columns).values():
        yield from split


def specimens(folder: str) -> Any:
    """Open all splits with `load_specimens`."""
    from bioscan5m_hf import load_specimens

    return load_specimens(folder, split="all", columns=("image", "dna_barcode"), label="species", streaming=True)


def batches(folder: str, threads: int) -> Any:
    """Open all splits with `ImageBatches`."""
    from bioscan5m_hf import ImageBatches

    return ImageBatches(path=folder, split="all", batch_size=BATCH, label="species", threads=threads)


def jpegs(release: str) -> list[bytes]:
    """Read all photographs of a release into memory."""
    return [data for path in archives(Path(release)) for _, data in members(path)]


def time_limit_pillow(release: str, **_: str) -> tuple[float, int]:
    from PIL import Image

    data = jpegs(release)
    start = time.perf_counter()
    for one in data:
        Image.open(io.BytesIO(one)).load()
    return time.perf_counter() - start, len(data)


def time_limit_turbo_1(release: str, **_: str) -> tuple[float, int]:
    return _limit_turbo(jpegs(release), 1)


def time_limit_turbo_2(release: str, **_: str) -> tuple[float, int]:
    return _limit_turbo(jpegs(release), 2)


def _limit_turbo(data: list[bytes], threads: int) -> tuple[float, int]:
    import numpy as np
    import simplejpeg

    largest = max(height * width * 3 for height, width, *_ in map(simplejpeg.decode_jpeg_header, data))

    def decode(share: list[bytes]) -> None:
        pixels = np.empty(largest, np.uint8)
        for one in share:
            simplejpeg.decode_jpeg(one, buffer=pixels)

    with ThreadPoolExecutor(threads) as pool:
        start = time.perf_counter()
        list(pool.map(decode, [data[first::threads] for first in range(threads)]))
        return time.perf_counter() - start, len(data)


def time_peer(tree: str, **_: str) -> tuple[float, int]:
    dataset = peer(tree, _loaded)
    return _timed(dataset[index] for index in range(len(dataset)))


def time_plain_all(folder: str, **_: str) -> tuple[float, int]:
    return _timed(plain(imported(), folder, None))


def time_plain_three(folder: str, **_: str) -> tuple[float, int]:
    return _timed(plain(imported(), folder, COLUMNS))


def time_specimens(folder: str, **_: str) -> tuple[float, int]:
    imported()
    return _timed(specimens(folder))


def time_peer_workers(tree: str, **_: str) -> tuple[float, int]:
    return _timed_batches(peer(tree, cropped), tuple)


def time_specimens_workers(folder: str, **_: str) -> tuple[float, int]:
    imported()
    return _timed_batches(specimens(folder), _cropped_sample)


def time_batches(folder: str, **_: str) -> tuple[float, int]:
    imported()
    return _counted(batches(folder, threads=2))


def time_batches_workers(folder: str, **_: str) -> tuple[float, int]:
    from torch.utils.data import DataLoader

    imported()
    loader = DataLoader(batches(folder, threads=1), batch_size=None, num_workers=2, multiprocessing_context="fork")
    return _counted(loader)


def peer(tree: str, transform: Callable[[Any], Any], split: str = "all") -> Any:
    """Open splits with the peer."""
    from peer import Peer

    return Peer(tree, split=split, modality=("image", "dna"), target_type="species", transform=transform)


def cropped(image: Any) -> Any:
    """Decode a photograph and take its centre."""
    import numpy as np

    left, top = (image.width - SIDE) // 2, (image.height - SIDE) // 2
    return np.asarray(image.crop((left, top, left + SIDE, top + SIDE)))


def _loaded(image: Any) -> Any:
    image.load()
    return image


def _cropped_sample(sample: dict[str, Any]) -> tuple[Any, str, int]:
    return cropped(sample["image"]), sample["dna_barcode"], -1 if sample["label"] is None else sample["label"]


def _timed(samples: Iterable[Any]) -> tuple[float, int]:
    start = time.perf_counter()
    count = sum(1 for _ in samples)
    return time.perf_counter() - start, count


def _timed_batches(dataset: Any, prepare: Callable[[Any], tuple[Any, ...]]) -> tuple[float, int]:
    from torch.utils.data import DataLoader

    together = partial(collate, prepare)
    loader = DataLoader(dataset, batch_size=BATCH, num_workers=2, collate_fn=together, multiprocessing_context="fork")
    return _counted({"image": images} for images, *_ in loader)


def _counted(found: Iterable[Any]) -> tuple[float, int]:
    start = time.perf_counter()
    count = 0
    for batch in found:
        if tuple(batch["image"].shape[1:]) != (SIDE, SIDE, 3):
            raise ValueError(f"a batch of shape {tuple(batch['image'].shape)}")
        count += len(batch["image"])
    return time.perf_counter() - start, count


def collate(prepare: Callable[[Any], tuple[Any, ...]], samples: list[Any]) -> tuple[Any, ...]:
    """Stack images and labels into tensors, as the default does, and leave barcodes as a list."""
    import numpy as np
    import torch

    images, barcodes, labels = zip(*map(prepare, samples), strict=True)
    return torch.from_numpy(np.stack(images)), list(barcodes), torch.tensor([int(label) for label in labels])
