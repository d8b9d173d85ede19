"""Cropping and repackaging original photographs, beside Pillow's own decoding and encoding of the same pixels."""

from __future__ import annotations

import io
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import measure
from material import SEED, Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Cropping and repackaging"
PHOTOGRAPHS = 200
WHY = (
    "more than half of the time is Pillow's bicubic resizing, by which the packages of 256 pixels are made; the limit "
    "has none: 2.5 ms for the crop, 4.8 for the photograph, beside 2.4 for decoding and 1.4 for encoding all three. "
    "Means of 2×2 pixels first halve the latter and are used; decoding at half size takes as long. "
    "The crop's would no longer be the official rule's. Beside Pillow with resizing, see the next line"
)
BOXES = "BIOSCAN_5M_Insect_bbox.tsv"


def run(bench: Bench) -> Iterator[Figure]:
    """Time each way in turn, in one process on one core."""
    count = 100 if bench.rows < 100_000 else PHOTOGRAPHS
    ran = measure.call("cropping:ways", home=bench.home, count=count, repeats=bench.repeats)
    notes = {
        "crop": "data.images.cropping.crop with known boxes: file to file",
        "decode + encode a crop": "Pillow decodes the file and encodes the crop that was made, into memory",
        "repackage": "data.images.repackaging.make_part: zip to a part with the three derived packages",
        "decode + encode the three": "Pillow decodes the photograph and encodes the three that were made, into memory",
        "decode + resize + encode the three": "the same, and it resizes photograph and crop to 256 pixels",
    }
    rates = {name: [count / seconds for seconds in ran.result[name]] for name in notes}
    for name, values in rates.items():
        yield Figure(name, "photographs/s", values, note=f"{count} invented ones of 1024×768; {notes[name]}; one core")
    crops, parts, resized = rates["crop"], rates["repackage"], rates["decode + resize + encode the three"]
    yield Figure("crop ÷ decode + encode a crop", "×", ratios(crops, rates["decode + encode a crop"]), Bar(">=", 0.8))
    three = ratios(parts, rates["decode + encode the three"])
    yield Figure("repackage ÷ decode + encode the three", "×", three, Bar(">=", 0.8), why=WHY)
    yield Figure("repackage ÷ decode + resize + encode the three", "×", ratios(parts, resized))


def ways(count: int, repeats: int) -> dict[str, list[float]]:
    """Give the seconds of each way."""
    import numpy as np
    from PIL import Image

    from bioscan5m_hf.data.images import FIVE_MILLION, read_boxes, shorter_side
    from bioscan5m_hf.data.images.cropping import Job, Making, crop
    from bioscan5m_hf.data.images.repackaging import DERIVED, _jobs, make_part
    from bioscan5m_hf.data.release import Release
    from bioscan5m_hf.synthetic import synthesize

    with tempfile.TemporaryDirectory(prefix="bioscan5m-bench-") as name:
        folder = Path(name)
        synthesize(folder / "release", specimens=count, seed=SEED, packages=["original_full"], workers=1)
        boxes = {box.processid: box for box in read_boxes(folder / "release" / BOXES)}
        photographs = dict(_photographs(folder / "release"))
        for processid, data in photographs.items():
            (folder / f"{processid}.jpg").write_bytes(data)
        rounds = iter(range(10**6))

        def crops() -> None:
            out = folder / f"crops-{next(rounds)}"
            for processid, box in boxes.items():
                file = f"{processid}.jpg"
                crop(Job(folder / file, file, out / file, box), Making())

        def parts() -> None:
            work = folder / f"parts-{next(rounds)}"
            work.mkdir()
            for job in _jobs(Release.open(folder / "release"), boxes, work, FIVE_MILLION, 75)[0]:
                make_part(job)

        crops()
        parts()
        made = {path.stem: _pixels(path.read_bytes()) for path in sorted((folder / "crops-0").glob("*.jpg"))}
        derived = _derived(folder / "parts-1", DERIVED)
        assert set(made) == set(boxes) == set(derived)

        def encode(pictures: Callable[[str], list[Any]]) -> None:
            for processid, data in photographs.items():
                np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).shape  # noqa: B018
                for picture in pictures(processid):
                    picture.save(io.BytesIO(), "JPEG", quality=75)

        def resize() -> None:
            for processid, data in photographs.items():
                picture, cut = Image.open(io.BytesIO(data)).convert("RGB"), made[processid]
                small = [shorter_side(picture, 256, reduced=True), shorter_side(cut, 256)]
                for one in (cut, *small):
                    one.save(io.BytesIO(), "JPEG", quality=75)

        tasks = {
            "crop": crops,
            "decode + encode a crop": lambda: encode(lambda one: [made[one]]),
            "repackage": parts,
            "decode + encode the three": lambda: encode(lambda one: derived[one]),
            "decode + resize + encode the three": resize,
        }
        return in_turn({task: lambda task=task: _seconds(tasks[task]) for task in tasks}, repeats)  # type: ignore[misc]


def _seconds(task: Callable[[], None]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def _photographs(release: Path) -> Iterator[tuple[str, bytes]]:
    from zipfile import ZipFile

    for path in sorted(release.glob("BIOSCAN_5M_original_full*.zip")):
        with ZipFile(path) as archive:
            for name in archive.namelist():
                yield Path(name).stem, archive.read(name)


def _derived(work: Path, packages: tuple[str, ...]) -> dict[str, list[Any]]:
    from zipfile import ZipFile

    found: dict[str, list[Any]] = {}
    for path in sorted(work.glob("*.zip")):
        with ZipFile(path) as archive:
            for name in archive.namelist():
                assert name.split("/")[0] in packages
                found.setdefault(Path(name).name, []).append(_pixels(archive.read(name)))
    return found


def _pixels(data: bytes) -> Any:
    from PIL import Image

    return Image.open(io.BytesIO(data)).convert("RGB")
