"""Photographs cut to their specimens: boxes given or found, what is left out listed, resumable."""

from __future__ import annotations

import csv
import functools
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

from ...errors import OutputError, ReleaseError
from ..manifest import write_text
from ..workers import executor, ordered_map
from .background import EMPTY, Finding, find_specimen
from .boxes import Box, read_boxes, write_boxes
from .comments import FOREIGN, is_foreign, made_so, make_comment, read_comment
from .photographs import PhotographError, find_photographs, open_photograph
from .window import FIVE_MILLION, CropRule, shorter_side


if TYPE_CHECKING:
    from .detector import Detector

BOXES, SKIPPED = "boxes.tsv", "skipped.csv"
QUALITY = 75
"""Of JPEGs: Pillow's default, with which the official crops were saved."""

AT_ONCE = 8
"""Photographs that a detector sees together."""

SURE = 0.5
"""Score of a detector below which a photograph is listed rather than cropped."""


@dataclass(frozen=True)
class Skipped:
    """A photograph that was not cropped.

    Args:
        file: within the folder.
        reason: why.
        score: of the detector or the fallback, where one was asked.
    """

    file: str
    reason: str
    score: float | None = None


@dataclass(frozen=True)
class Cropped:
    """What cropping a folder gave.

    Args:
        boxes: of the photographs that were cropped, in order.
        there: of these, the ones that were there from an earlier run.
        skipped: photographs that were not cropped.
    """

    boxes: list[Box]
    there: int
    skipped: list[Skipped]


@dataclass(frozen=True)
class Making:
    """How crops are made.

    Args:
        rule: how a box becomes a crop.
        short_side: pixels of the crop's shorter side; None as it is cut.
        quality: of the JPEG.
        by: what gives the boxes: `boxes`, `background`, or the name of a detector.
        sure: score below which a photograph is listed, where boxes are found.
    """

    rule: CropRule = FIVE_MILLION
    short_side: int | None = None
    quality: int = QUALITY
    by: str = "boxes"
    sure: float = EMPTY


@dataclass(frozen=True)
class Job:
    """One photograph to crop; may be sent to another process.

    Args:
        source: the photograph.
        file: its name within the folder.
        target: the crop.
        box: its box; None to look for it by the fallback.
        score: of the detector that gave the box.
    """

    source: Path
    file: str
    target: Path
    box: Box | None = None
    score: float | None = None


@dataclass(frozen=True)
class Done:
    """A crop that is there: the box it was made by, where it is, and whether it was there before."""

    box: Box
    target: Path
    there: bool = False


def crop_folder(
    folder: str | Path,
    out: str | Path,
    *,
    boxes: str | Path | None = None,
    detector: Detector | None = None,
    sure: float | None = None,
    rule: CropRule = FIVE_MILLION,
    short_side: int | None = None,
    quality: int = QUALITY,
    workers: int | None = None,
    progress: bool = False,
) -> Cropped:
    """Crop the photographs of a folder; goes on where it was stopped.

    A crop keeps its place in the folder and its name, as JPEG; its comment says of which photograph, and by which box,
    rule and quality it was made. `boxes.tsv` has the boxes, in pixels of the photograph turned upright, `skipped.csv`
    what was not cropped; a crop that an earlier run made of such a photograph is removed.

    Args:
        folder: of photographs, with folders in it.
        out: folder to write.
        boxes: table of known boxes.
        detector: finds boxes where no table is given; without either, the fallback does.
        sure: score below which a photograph is listed; by default what the detector says, 0.5 where it says
            nothing, and `background.EMPTY` for the fallback.
        rule: how a box becomes a crop.
        short_side: pixels of the crops' shorter side; None as they are cut.
        quality: of the JPEGs, 1 to 95.
        workers: local processes.
        progress: show a bar, in a terminal.

    Raises:
        ReleaseError: the folder or the table of boxes cannot be read.
        OutputError: the output is the folder itself, one of the two lies in the other, or the table of boxes would be
            written over.
        ValueError: a quality that JPEG does not have.
    """
    from tqdm import tqdm

    folder, out = Path(folder), Path(out)
    check_folders(folder, out, quality)
    if boxes is not None and Path(boxes).resolve() == (out / BOXES).resolve():
        raise OutputError(f"{boxes} would be written over: copy it to another place first")
    known = None if boxes is None else {box.processid: box for box in read_boxes(boxes)}
    by = "boxes" if known is not None else "background" if detector is None else detector.name
    making = Making(rule, short_side, quality, by, _sure(sure, detector))
    sources, skipped = photographs_of(folder)
    places = [Job(source, file, out / Path(file).with_suffix(".jpg")) for file, source in sources.items()]
    jobs: Iterator[Job | Skipped] = iter(places)
    if known is not None:
        jobs = _with_known(places, known)
    elif detector is not None:
        jobs = _detected(places, detector, making)
    made: list[Done] = []
    bar = tqdm(total=len(places), unit=" photographs", disable=None if progress else True)
    with executor(workers) as pool, bar:
        for done in ordered_map(pool, functools.partial(crop, making=making), jobs):
            bar.update()
            if isinstance(done, Skipped):
                skipped.append(done)
            else:
                made.append(done)
    _remove_stale(skipped, out, {done.target for done in made})
    write_boxes([done.box for done in made], out / BOXES)
    write_skipped(skipped, out / SKIPPED)
    return Cropped([done.box for done in made], sum(done.there for done in made), skipped)


def _sure(given: float | None, detector: Detector | None) -> float:
    if given is not None:
        return given
    if detector is None:
        return EMPTY
    return SURE if detector.sure is None else detector.sure


def check_folders(folder: Path, out: Path, quality: int) -> None:
    """Refuse what would write into the photographs themselves.

    Raises:
        ReleaseError: there is no such folder.
        OutputError: the output is the folder itself, or one of the two lies in the other.
        ValueError: a quality that JPEG does not have.
    """
    if not folder.is_dir():
        raise ReleaseError("there is no such folder of photographs", file=str(folder))
    if not 1 <= quality <= 95:
        raise ValueError(f"quality {quality}: use 1 to 95")
    one, other = folder.resolve(), out.resolve()
    if one == other or one in other.parents or other in one.parents:
        raise OutputError(f"{out} and {folder} lie in each other: name another folder, so that no photograph is lost")
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file: name a folder")


def photographs_of(folder: Path, *, alike: bool = False) -> tuple[dict[str, Path], list[Skipped]]:
    """Find the photographs of a folder by their names in it; a second one of one stem, and other files, are told.

    Args:
        folder: of photographs, with folders in it.
        alike: photographs of one stem in different folders are different ones.

    Raises:
        ReleaseError: there is none.
    """
    found: dict[str, Path] = {}
    stems: dict[str, str] = {}
    skipped = []
    for path, photograph in find_photographs(folder):
        file = str(path.relative_to(folder))
        if not file.isprintable():
            skipped.append(Skipped(ascii(file)[1:-1], "a name that no table can hold: rename it"))
        elif not photograph:
            skipped.append(Skipped(file, "no photograph by its name"))
        elif (name := str(Path(file).with_suffix("")) if alike else path.stem) in stems:
            skipped.append(Skipped(file, f"called like {stems[name]}: a specimen has one photograph"))
        else:
            found[file] = path
            stems[name] = file
    if not found:
        raise ReleaseError("a folder without photographs", file=str(folder))
    return found, skipped


def crop(job: Job | Skipped, making: Making) -> Done | Skipped:
    """Crop one photograph, unless it is there.

    Args:
        job: the photograph; one that is skipped is given back.
        making: how.
    """
    if isinstance(job, Skipped):
        return job
    if earlier := _earlier(job, making):
        return Done(earlier, job.target, there=True)
    if is_foreign(job.target, "crop"):
        return Skipped(job.file, FOREIGN)
    try:
        photograph = open_photograph(job.source)
        box, score = (job.box, job.score) if job.box else _found(photograph, job.source.stem)
        if box is None or (job.box is None and (score or 0) < making.sure):
            return Skipped(job.file, "an empty dish", score)
        box = box.in_photograph(*photograph.size)
        if box.problem:
            return Skipped(job.file, box.problem, score)
        picture = making.rule.cut(photograph, box.corners)
        if making.short_side:
            picture = shorter_side(picture, making.short_side)
    except (PhotographError, ValueError) as error:
        return Skipped(job.file, str(error))
    said = {"box": box.corners, "photograph": [box.width, box.height], "score": score and round(score, 4)}
    save_jpeg(picture, job.target, making.quality, make_comment(job.source, **said, **_settings(making)))
    return Done(box, job.target)


def save_jpeg(picture: Image.Image, target: Path, quality: int, comment: str = "") -> None:
    """Save a JPEG beside its place, then rename it."""
    target.parent.mkdir(parents=True, exist_ok=True)
    beside = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        picture.save(beside, "JPEG", quality=quality, comment=comment.encode())
        os.replace(beside, target)
    finally:
        beside.unlink(missing_ok=True)


def _with_known(places: Sequence[Job], known: Mapping[str, Box]) -> Iterator[Job | Skipped]:
    for job in places:
        box = known.get(job.source.stem)
        yield Skipped(job.file, "no box") if box is None else Job(job.source, job.file, job.target, box)


def _detected(places: Sequence[Job], detector: Detector, making: Making) -> Iterator[Job | Skipped]:
    """Ask a detector, several photographs at once; what is cropped already is not asked again."""
    for start in range(0, len(places), AT_ONCE):
        opened: list[tuple[Job, Image.Image]] = []
        for job in places[start : start + AT_ONCE]:
            if _earlier(job, making):
                yield job
                continue
            try:
                opened.append((job, open_photograph(job.source)))
            except PhotographError as error:
                yield Skipped(job.file, str(error))
        findings = _found_by(detector, [photograph for _, photograph in opened]) if opened else []
        for (job, photograph), found in zip(opened, findings, strict=True):
            if isinstance(found, str):
                yield Skipped(job.file, found)
            elif found is None or found.score < making.sure:
                yield Skipped(job.file, "an empty dish, or not sure enough", found.score if found else None)
            else:
                box = Box(job.source.stem, *photograph.size, *map(round, found.box))
                yield Job(job.source, job.file, job.target, box, found.score)


def _found_by(detector: Detector, photographs: Sequence[Image.Image]) -> list[Finding | str | None]:
    """Ask a detector; where it cannot take photographs together, one by one, and tell of which it can take none."""
    try:
        return list(detector(photographs))
    except (ValueError, RuntimeError) as error:
        if len(photographs) == 1:
            said = " ".join(str(error).split())[:200]
            return [f"the detector cannot take a photograph of {'×'.join(map(str, photographs[0].size))}: {said}"]
        return [found for one in photographs for found in _found_by(detector, [one])]


def _found(photograph: Image.Image, processid: str) -> tuple[Box | None, float]:
    found = find_specimen(photograph)
    if found is None:
        return None, 0.0
    return Box(processid, *photograph.size, *map(round, found.box)), found.score


def _settings(making: Making) -> dict[str, Any]:
    return {
        **{"made": "crop", "rule": asdict(making.rule), "short_side": making.short_side},
        **{"quality": making.quality, "by": making.by},
    }


def _earlier(job: Job, making: Making) -> Box | None:
    """Give the box of a crop that is there and was made in the same way, of the photograph as it is now."""
    said = made_so(job.target, job.source, _settings(making))
    if said is None:
        return None
    try:
        box = Box(job.source.stem, *said["photograph"], *said["box"])
        if making.by != "boxes":
            return box if (said["score"] or 0) >= making.sure else None
        same = job.box is not None and job.box.in_photograph(box.width, box.height).corners == box.corners
    except (KeyError, TypeError, ValueError):
        return None
    return box if same else None


def _remove_stale(skipped: Sequence[Skipped], out: Path, made: set[Path]) -> None:
    """Remove crops of an earlier run whose photographs are not cropped any more."""
    for one in skipped:
        target = out / Path(one.file).with_suffix(".jpg")
        if target not in made and read_comment(target).get("made") == "crop":
            target.unlink()


def write_skipped(skipped: Sequence[Skipped], path: Path) -> None:
    """Write what was left out, and why, beside and renamed."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(["file", "reason", "score"])
    writer.writerows([one.file, one.reason, "" if one.score is None else f"{one.score:.4f}"] for one in skipped)
    write_text(path, stream.getvalue())
