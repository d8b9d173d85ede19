"""Photographs with boxes: where they are, and what happens to them before a detector is shown them."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from ..data.archives import Member, open_archive, read_members, read_photograph
from ..data.images.boxes import Box
from ..errors import ReleaseError
from ..models.clibd.processing_clibd import opened


if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = (".jpg", ".jpeg", ".png")
PACKAGE = "original_full"

Place = Path | tuple[Path, Member]
"""A file, or a member of an archive."""


@dataclass(frozen=True)
class Example:
    """A photograph to learn from, or to measure.

    Args:
        processid: the specimen.
        place: where the photograph is.
        box: of the specimen; None in an empty dish.
    """

    processid: str
    place: Place
    box: Box | None

    def open(self) -> tuple[Picture, Box | None]:
        """Give the photograph upright, and the box in it.

        Raises:
            ReleaseError: the photograph cannot be read, or has another shape than the one the box was drawn in.
        """
        file = str(self.place if isinstance(self.place, Path) else self.place[0])
        try:
            if isinstance(self.place, Path):
                picture = opened(Image.open(self.place))
            else:
                with open_archive(file) as reader:
                    picture = opened(Image.open(io.BytesIO(read_photograph(reader, file, self.place[1]))))
            return picture, None if self.box is None else self.box.in_photograph(*picture.size)
        except (OSError, ValueError, Image.DecompressionBombError) as error:
            raise ReleaseError(str(error), file=file, processid=self.processid) from error


def find_photographs(images: str | Path) -> dict[str, Place]:
    """Find photographs by their processids.

    Args:
        images: a folder of JPEGs or PNGs called by their processid, in any folders, or of the official zips of
            `original_full`; or one of those zips.

    Returns:
        processid → where it is, sorted.

    Raises:
        ReleaseError: there is none, or two have one processid.
    """
    images = Path(images)
    if not images.exists():
        raise ReleaseError("no such folder of photographs", file=str(images))
    files = sorted(path for path in images.rglob("*") if path.is_file()) if images.is_dir() else [images]
    found: dict[str, Place] = {}
    for file in files:
        if file.suffix.lower() in SUFFIXES:
            _add(found, file.stem, file)
        elif file.suffix == ".zip" and (file == images or PACKAGE in file.name):
            members = read_members(str(file), PACKAGE)
            for processid, numbers in zip(members.processids.to_pylist(), members.numbers.tolist(), strict=True):
                _add(found, processid, (file, Member(*numbers)))
    if not found:
        hint = f"they are called PROCESSID.jpg, or lie in official zips of {PACKAGE}"
        raise ReleaseError("no photographs", file=str(images), hint=hint)
    return dict(sorted(found.items()))


def make_examples(photographs: Mapping[str, Place], boxes: Iterable[Box], *, empty: bool = False) -> list[Example]:
    """Bring photographs and boxes together.

    Args:
        photographs: processid → where it is.
        boxes: in any order; those of other photographs are passed over.
        empty: photographs without a box are empty dishes, and stay.

    Returns:
        The examples, sorted by processid.

    Raises:
        ReleaseError: a box cannot be one, or no photograph has a box.
    """
    known = {}
    for box in boxes:
        if box.processid in photographs:
            if box.problem:
                raise ReleaseError(box.problem, file="boxes", processid=box.processid)
            known[box.processid] = box
    if not known:
        some = ", ".join(list(photographs)[:3])
        raise ReleaseError(f"no photograph has a box: photographs are called {some} and so on", file="boxes")
    return [Example(name, place, known.get(name)) for name, place in photographs.items() if empty or name in known]


def readable(examples: Sequence[Example], threads: int = 4) -> tuple[list[Example], list[str]]:
    """Open all photographs once, so that a bad one does not end a run hours later.

    Args:
        examples: to open.
        threads: that open at once.

    Returns:
        Those that can be opened, and what is wrong with the others.
    """
    with ThreadPoolExecutor(threads) as pool:
        problems = list(pool.map(_problem, examples))
    good = [one for one, problem in zip(examples, problems, strict=True) if problem is None]
    return good, [problem for problem in problems if problem is not None]


def _problem(example: Example) -> str | None:
    try:
        example.open()
    except ReleaseError as error:
        return str(error)
    return None


def digest(examples: Iterable[Example]) -> str:
    """Give a digest of processids and boxes: runs go on with the same only."""
    said = "\n".join(f"{one.processid} {one.box}" for one in examples)
    return hashlib.sha256(said.encode()).hexdigest()[:16]


def mirror(picture: Picture, box: Box | None, *, across: bool, down: bool) -> tuple[Picture, Box | None]:
    """Mirror a photograph and its box.

    Args:
        picture: the photograph.
        box: in it.
        across: left to right.
        down: upside down.

    Examples:
        >>> mirror(Image.new("RGB", (10, 8)), Box("A-1", 10, 8, 1, 2, 4, 5), across=True, down=True)[1].corners
        (6, 3, 9, 6)
    """
    if across:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        box = box and replace(box, x0=box.width - box.x1, x1=box.width - box.x0)
    if down:
        picture = picture.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
        box = box and replace(box, y0=box.height - box.y1, y1=box.height - box.y0)
    return picture, box


def shifted(picture: Picture, box: Box | None, right: int, down: int) -> tuple[Picture, Box | None]:
    """Shift a photograph, its edges continued; the box is cut where it leaves the photograph.

    Args:
        picture: the photograph.
        box: in it.
        right: pixels; to the left where negative.
        down: pixels; up where negative.

    Returns:
        Both; as they were where less than half of the box would be left.

    Examples:
        >>> shifted(Image.new("RGB", (10, 8)), Box("A-1", 10, 8, 1, 2, 5, 6), -2, 1)[1].corners
        (0, 3, 3, 7)
    """
    moved = box
    if box is not None:
        (left, across), (upper, below) = (
            _cut(box.x0 + right, box.x1 + right, box.width),
            _cut(box.y0 + down, box.y1 + down, box.height),
        )
        moved = replace(box, x0=left, x1=across, y0=upper, y1=below)
        if (across - left) * (below - upper) < 0.5 * box.size[0] * box.size[1]:
            return picture, box
    pixels = np.asarray(picture)
    rows = np.clip(np.arange(picture.height) - down, 0, picture.height - 1)
    columns = np.clip(np.arange(picture.width) - right, 0, picture.width - 1)
    return Image.fromarray(pixels[rows][:, columns]), moved


def augmented(
    picture: Picture, box: Box | None, random: np.random.Generator, *, flips: bool, shift: float
) -> tuple[Picture, Box | None]:
    """Mirror and shift a photograph at random, and its box with it.

    Args:
        picture: the photograph.
        box: in it.
        random: is asked four times, whatever it answers.
        flips: mirror it in half of the cases, in either direction.
        shift: largest shift, share of width and height.
    """
    across, down = random.random(2) < 0.5
    right, lower = random.uniform(-shift, shift, 2)
    if flips:
        picture, box = mirror(picture, box, across=bool(across), down=bool(down))
    if shift:
        picture, box = shifted(picture, box, round(right * picture.width), round(lower * picture.height))
    return picture, box


def _add(found: dict[str, Place], processid: str, place: Place) -> None:
    if processid in found:
        hint = f"it stands in {_file(found[processid])} already: leave one out"
        raise ReleaseError("a second photograph", file=str(_file(place)), processid=processid, hint=hint)
    found[processid] = place


def _file(place: Place) -> Path:
    return place if isinstance(place, Path) else place[0]


def _cut(start: float, stop: float, size: int) -> tuple[float, float]:
    return min(max(start, 0), size), min(max(stop, 0), size)
