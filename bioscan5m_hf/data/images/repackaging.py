"""Original photographs and their boxes → the three derived packages of the release, in parts that a stop keeps."""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from zipfile import ZIP_STORED, ZipFile

import PIL
from PIL import Image

from ... import __version__
from ...errors import OutputError, ReleaseError
from ...splits import SPLIT_NAMES
from ..archives import Member, open_archive, read_members, read_photograph
from ..checks import Rejection
from ..manifest import digest, write_rejected, write_text
from ..release import Release
from ..workers import executor, ordered_map
from ..writing import PART, PhotographArchives
from .boxes import SHORTER, Box, read_boxes
from .cropping import QUALITY
from .photographs import PhotographError, open_photograph
from .window import FIVE_MILLION, CropRule, shorter_side


DERIVED = ("cropped", "original_256", "cropped_256")
SOURCE = "original_full"
WORK, REJECTED = ".repackage", "repackage-rejected.csv"
ASKED, JOINING = "asked", "joining"
MADE = "repackage.json"
"""Files in the working folder: what its parts were made by, and that they are all there and being joined."""

AT_ONCE = 64
"""Photographs of a part: what is lost at most where the work is stopped."""


@dataclass(frozen=True)
class Repackaged:
    """What came of it.

    Args:
        photographs: package → photographs in it.
        rejected: originals without a crop, or that cannot be read, and why.
        earlier: parts that an earlier run had made.
    """

    photographs: dict[str, int]
    rejected: list[Rejection] = field(default_factory=list)
    earlier: int = 0


@dataclass(frozen=True)
class Job:
    """Some photographs of one archive; may be sent to another process.

    Args:
        archive: the zip.
        members: split, process id, place in the archive, and box of each; None where it has none.
        part: file that gets the derived photographs.
        rule: how a box becomes a crop.
        quality: of the JPEGs.
    """

    archive: str
    members: tuple[tuple[str, str, Member, Box | None], ...]
    part: Path
    rule: CropRule
    quality: int


def repackage(
    release: str | Path,
    boxes: str | Path,
    out: str | Path | None = None,
    *,
    rule: CropRule = FIVE_MILLION,
    quality: int = QUALITY,
    workers: int | None = None,
    scheduler: str | None = None,
    progress: bool = False,
) -> Repackaged:
    """Make `cropped`, `original_256` and `cropped_256` from `original_full`; goes on where it was stopped.

    They are zips in the official layout, stored, the same bytes whenever they are made from the same photographs with
    the same libraries. A photograph without a box, or whose box is wrong, is in `original_256` only, and listed in
    `repackage-rejected.csv` beside the zips; `repackage.json` has rule, quality, boxes and versions.

    Args:
        release: folder with the zips of `original_full`.
        boxes: their table of boxes.
        out: folder of the new zips; by default the release's.
        rule: how a box becomes a crop.
        quality: of the JPEGs, 1 to 95.
        workers: local processes.
        scheduler: address of a Dask scheduler to use instead; its workers must see the same files.
        progress: show a bar, in a terminal.

    Raises:
        ReleaseError: originals or boxes cannot be read.
        OutputError: the folder has such zips already.
    """
    from tqdm import tqdm

    folder = Path(out or release)
    known = {box.processid: box for box in read_boxes(boxes)}
    work = folder / WORK
    of_boxes = hashlib.sha256(Path(boxes).read_bytes()).hexdigest()
    asked = digest(of_boxes, asdict(rule), quality, AT_ONCE)
    _check(folder, quality, asked)
    _begin(work, asked)
    jobs, rejected = _jobs(Release.open(release), known, work, rule, quality)
    earlier = sum(_report(job).exists() for job in jobs)
    total = sum(len(job.members) for job in jobs)
    bar = tqdm(total=total, unit=" photographs", disable=None if progress else True)
    with executor(workers, scheduler) as pool, bar:
        for job, told in zip(jobs, ordered_map(pool, make_part, jobs), strict=True):
            bar.update(len(job.members))
            rejected += [Rejection(Path(job.archive).name, None, processid, reason) for processid, reason in told]
    write_text(work / JOINING, "")
    counts = {package: _join(folder, package, [job.part for job in jobs]) for package in DERIVED}
    write_rejected(folder / REJECTED, rejected)
    said = {"rule": asdict(rule), "quality": quality, "boxes_sha256": of_boxes, "bioscan5m_hf": __version__}
    write_text(folder / MADE, json.dumps({**said, "pillow": PIL.__version__, "photographs": counts}, indent=2) + "\n")
    shutil.rmtree(work)
    return Repackaged(counts, rejected, earlier)


def make_part(job: Job) -> list[tuple[str, str]]:
    """Make the derived photographs of a part, unless they are there; give what could not be made, and why.

    Args:
        job: the part.
    """
    if _report(job).exists():
        return [(one, reason) for one, reason in json.loads(_report(job).read_text(encoding="utf-8"))]
    told: list[tuple[str, str]] = []
    beside = job.part.with_name(job.part.name + PART)
    with open_archive(job.archive) as reader, ZipFile(beside, "w", ZIP_STORED) as archive:
        for split, processid, member, box in job.members:
            try:
                original = open_photograph(read_photograph(reader, f"{Path(job.archive).name}!{processid}", member))
                pictures = {"original_256": shorter_side(original, SHORTER, reduced=True)}
            except (ReleaseError, PhotographError, ValueError) as error:
                told.append((processid, str(error)))
                continue
            reason = _crop(original, box, job.rule, pictures)
            if reason:
                told.append((processid, reason))
            for package, picture in pictures.items():
                archive.writestr(f"{package}/{split}/{processid}", _jpeg(picture, job.quality))
    os.replace(beside, job.part)
    write_text(_report(job), json.dumps(told))
    return told


def _crop(original: Image.Image, box: Box | None, rule: CropRule, pictures: dict[str, Image.Image]) -> str:
    """Add the crops to the pictures; give what is wrong with the box."""
    if box is None:
        return "no box: not cropped"
    try:
        fitted = box.in_photograph(*original.size)
        if fitted.problem:
            return f"{fitted.problem}: not cropped"
        cropped = rule.cut(original, fitted.corners)
        small = shorter_side(cropped, SHORTER)
    except ValueError as error:
        return f"{error}: not cropped"
    pictures |= {"cropped": cropped, "cropped_256": small}
    return ""


def _check(folder: Path, quality: int, asked: str) -> None:
    """Refuse a folder that has derived packages, unless this work was stopped while it joined them."""
    if not 1 <= quality <= 95:
        raise ValueError(f"quality {quality}: use 1 to 95")
    folder.mkdir(parents=True, exist_ok=True)
    if (folder / WORK / JOINING).exists() and _asked(folder / WORK) == asked:
        return
    there = [path.name for package in DERIVED for path in sorted(folder.glob(f"BIOSCAN_5M_{package}[._]*zip"))]
    if there:
        raise OutputError(f"{folder} has {there[0]} already: name another folder with --out, or remove it")


def _begin(work: Path, asked: str) -> None:
    """Keep the parts of an earlier run where it was asked the same; begin anew where not."""
    if _asked(work) != asked:
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir(parents=True)
        write_text(work / ASKED, asked)


def _asked(work: Path) -> str:
    mark = work / ASKED
    return mark.read_text(encoding="utf-8") if mark.exists() else ""


def _jobs(
    release: Release, known: Mapping[str, Box], work: Path, rule: CropRule, quality: int
) -> tuple[list[Job], list[Rejection]]:
    """Divide the originals into parts."""
    jobs: list[Job] = []
    rejected: list[Rejection] = []
    seen: set[str] = set()
    for archive in release.archives(SOURCE):
        members = read_members(archive.path, SOURCE)
        rejected += members.rejections
        chosen = []
        numbers = members.numbers.tolist()
        for place, processid in enumerate(members.processids.to_pylist()):
            if processid in seen:
                name = Path(archive.path).name
                rejected.append(Rejection(name, None, processid, "a second photograph of this specimen"))
                continue
            seen.add(processid)
            split = SPLIT_NAMES[int(members.split[place])]
            chosen.append((split, processid, Member(*numbers[place]), known.get(processid)))
        for start in range(0, len(chosen), AT_ONCE):
            part = work / f"part-{len(jobs):06d}-{members.identity}.zip"
            jobs.append(Job(archive.path, tuple(chosen[start : start + AT_ONCE]), part, rule, quality))
    if not jobs:
        raise ReleaseError(f"no photographs in {SOURCE}", file=release.root)
    return jobs, rejected


def _join(folder: Path, package: str, parts: list[Path]) -> int:
    """Put the photographs of all parts, in their order, into the official archives of a package."""
    count = 0
    with PhotographArchives(folder, package) as archives:
        for part in parts:
            with ZipFile(part) as archive:
                for name in archive.namelist():
                    found, split, processid = name.split("/")
                    if found == package:
                        archives.add(split, processid, archive.read(name))
                        count += 1
    return count


def _report(job: Job) -> Path:
    return job.part.with_suffix(".json")


def _jpeg(picture: Image.Image, quality: int) -> bytes:
    made = io.BytesIO()
    picture.save(made, "JPEG", quality=quality)
    return made.getvalue()
