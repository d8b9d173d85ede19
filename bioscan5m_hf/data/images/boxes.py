"""Boxes of specimens in their original photographs: the official table, what it says, and what it may not say."""

from __future__ import annotations

import csv
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from ...errors import ReleaseError
from ..checks import shown
from ..manifest import write_text


COLUMNS = ("processid", "width_original", "height_original", "x0", "y0", "x1", "y1", "scale_factor", "area_fraction")
"""Columns of `BIOSCAN_5M_Insect_bbox.tsv`; corners are top left and bottom right, in pixels of the original."""

SHORTER = 256
"""Pixels of the shorter side in the packages `cropped_256` and `original_256`."""

MILLIMETRES = 0.008296875
"""Millimetres of a pixel, of photographs 1,024 pixels wide: the fixed scale of the microscope (BIOSCAN browser)."""


@dataclass(frozen=True)
class Box:
    """The box of a specimen in its photograph, turned upright.

    Args:
        processid: the specimen.
        width: of the photograph, pixels.
        height: of the photograph, pixels.
        x0: left edge, pixels from the left.
        y0: upper edge, pixels from the top.
        x1: right edge; the box ends before it.
        y1: lower edge; the box ends before it.

    Examples:
        >>> box = Box("CRCBB46471-23", 1024, 768, 339, 208, 533, 493)
        >>> box.area_fraction, box.scale_factor
        (0.0703, 0.7578)
    """

    processid: str
    width: int
    height: int
    x0: float
    y0: float
    x1: float
    y1: float

    @property
    def corners(self) -> tuple[float, float, float, float]:
        """Left, upper, right and lower edge."""
        return self.x0, self.y0, self.x1, self.y1

    @property
    def size(self) -> tuple[float, float]:
        """Width and height of the box."""
        return self.x1 - self.x0, self.y1 - self.y0

    @property
    def area_fraction(self) -> float:
        """Share of the photograph that the tight box takes (the crop that is saved is larger), to four places."""
        return round(self.size[0] * self.size[1] / (self.width * self.height), 4)

    @property
    def scale_factor(self) -> float:
        """Shorter side of the box ÷ 256, to four places."""
        return round(min(self.size) / SHORTER, 4)

    @property
    def problem(self) -> str | None:
        """What is wrong with the box, or None."""
        if not all(map(math.isfinite, self.corners)):
            return "corners are no numbers"
        if self.width < 1 or self.height < 1:
            return f"the photograph is said to be {self.width}×{self.height} pixels"
        if self.x1 < self.x0 or self.y1 < self.y0:
            return "corners are swapped: left must be before right, and upper before lower"
        if self.x1 == self.x0 or self.y1 == self.y0:
            return "the box has no area"
        if self.x0 < 0 or self.y0 < 0 or self.x1 > self.width or self.y1 > self.height:
            return f"the box lies outside the photograph of {self.width}×{self.height} pixels"
        return None

    def in_photograph(self, width: int, height: int) -> Box:
        """Give the box in a photograph of another size and the same shape.

        Args:
            width: of the photograph at hand.
            height: of the photograph at hand.

        Raises:
            ValueError: the shapes differ by more than a pixel's worth, so that nobody knows where the box is, or the
                photograph that it is of has no size.

        Examples:
            >>> Box("P", 1024, 768, 512, 384, 1024, 768).in_photograph(512, 384).corners
            (256.0, 192.0, 512.0, 384.0)
        """
        if (width, height) == (self.width, self.height):
            return self
        if self.width < 1 or self.height < 1:
            raise ValueError(self.problem)
        across, down = width / self.width, height / self.height
        if abs(across - down) * max(self.width, self.height) > 1.5:
            raise ValueError(
                f"the box is of a photograph of {self.width}×{self.height} pixels, this one has {width}×{height}: "
                "another shape"
            )
        corners = (  # multiplied first, so that an edge of one photograph is an edge of the other
            *(self.x0 * width / self.width, self.y0 * height / self.height),
            *(self.x1 * width / self.width, self.y1 * height / self.height),
        )
        return Box(self.processid, width, height, *corners)


def area_mm2(pixels: float, width: int = 1024) -> float:
    """Give the area of an organism from its pixels.

    Args:
        pixels: of the organism, `image_measurement_value`.
        width: of the photograph it was measured in, pixels.

    Returns:
        mm², by the fixed scale of the microscope.

    Examples:
        >>> round(area_mm2(8605), 4)
        0.5924
    """
    return pixels * (MILLIMETRES * 1024 / width) ** 2


def read_boxes(path: str | Path) -> Iterator[Box]:
    """Read a table of boxes, the official one or one of `bioscan5m crop`.

    Args:
        path: TSV with the columns of `COLUMNS`; the last two are computed anew.

    Yields:
        The boxes in their order; one with a `problem` is given as it is.

    Raises:
        ReleaseError: the table lacks a column, a value is no number, or a specimen has two boxes.
    """
    path = Path(path)
    if not path.is_file():
        raise ReleaseError("no such table of boxes", file=str(path))
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _boxes(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE), path)
    except (csv.Error, UnicodeDecodeError) as error:
        raise ReleaseError(f"no table of boxes: {error}", file=str(path)) from error


def write_boxes(boxes: Iterable[Box], path: str | Path) -> None:
    """Write a table of boxes in the official form.

    Args:
        boxes: in any order.
        path: TSV file to write, beside and renamed.
    """
    lines = ["\t".join(COLUMNS)]
    for box in boxes:
        values = (
            box.processid,
            box.width,
            box.height,
            *map(_number, box.corners),
            box.scale_factor,
            box.area_fraction,
        )
        lines.append("\t".join(map(str, values)))
    write_text(Path(path), "\n".join(lines) + "\n")


def _boxes(reader: csv.DictReader[str], path: Path) -> Iterator[Box]:
    if missing := [name for name in COLUMNS[:7] if name not in (reader.fieldnames or ())]:
        there = ", ".join(reader.fieldnames or ()) or "nothing"
        raise ReleaseError(f"no column {', '.join(missing)}: there is {shown(there)[1:-1]}", file=str(path))
    seen: dict[str, int] = {}
    for row, given in enumerate(reader, 1):
        processid = (given["processid"] or "").strip()
        if processid in seen:
            hint = f"it has one in row {seen[processid]}: leave one of them out"
            raise ReleaseError("a second box", file=str(path), row=row, processid=processid, hint=hint)
        seen[processid] = row
        yield _box(processid, given, path, row)


def _box(processid: str, given: dict[str, str], path: Path, row: int) -> Box:
    if not processid:
        raise ReleaseError("no processid", file=str(path), row=row)
    try:
        width, height = (int(float(given[name])) for name in COLUMNS[1:3])
        corners = [float(given[name]) for name in COLUMNS[3:7]]
    except (TypeError, ValueError, OverflowError) as error:
        said = {name: given[name] for name in COLUMNS[1:7]}
        raise ReleaseError(
            f"a size or corner is no number: {said}", file=str(path), row=row, processid=processid
        ) from error
    return Box(processid, width, height, *corners)


def _number(value: float) -> float | int:
    return int(value) if value == int(value) else round(value, 2)
