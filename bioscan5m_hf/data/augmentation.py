"""Photographs seen in another way each epoch: a part, mirrored and turned, drawn from seed, epoch and specimen."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import xxhash
from PIL import Image

from .decode import Pixels, Place


_ATTEMPTS = 10
"""Parts that are drawn before the whole photograph is taken, as in torchvision's `RandomResizedCrop`."""


@dataclass(frozen=True)
class Augmentation:
    """How photographs are varied: what CLIBD is trained with (Gong et al. 2025, arXiv 2405.17537).

    A part of random area and shape is brought to the wanted size, mirrored along both axes, and turned around its
    centre; what lies outside of the part is black. The pixels are sampled once, bilinearly.

    What is drawn depends on seed, epoch and processid only: not on the order of the specimens, or how many processes
    and threads there are.

    Args:
        seed: of the run.
        epoch: from 0.
        area: least and greatest share of the photograph's area.
        shape: least and greatest width by height; its logarithm is drawn.
        mirror: mirror left and right, and top and bottom, each half of the times.
        degrees: turn by so much at most, either way.

    Raises:
        ValueError: a share outside of 0 … 1, or bounds the wrong way round.

    Examples:
        >>> photograph = np.full((9, 9, 3), 200, np.uint8)
        >>> view = Augmentation(seed=1, degrees=0).view("BIOUG1", 9, 9)
        >>> int(view.place(photograph, np.zeros((4, 4, 3), np.uint8)).min())
        200
    """

    seed: int = 0
    epoch: int = 0
    area: tuple[float, float] = (0.08, 1.0)
    shape: tuple[float, float] = (3 / 4, 4 / 3)
    mirror: bool = True
    degrees: float = 45.0

    def __post_init__(self) -> None:
        if not 0 < self.area[0] <= self.area[1] <= 1 or not 0 < self.shape[0] <= self.shape[1] or self.degrees < 0:
            raise ValueError(
                f"area {self.area}, shape {self.shape}, degrees {self.degrees}: use shares from 0 to 1, the lesser "
                "bound first, and degrees from 0"
            )

    def view(self, processid: str, height: int, width: int) -> View:
        """Draw how a specimen's photograph is seen.

        Args:
            processid: of the specimen.
            height: of the photograph, pixels.
            width: of the photograph, pixels.
        """
        drawn = _numbers(f"{self.seed}/{self.epoch}/{processid}")
        left_right, top_bottom, angle, _ = next(drawn)
        mirrored = (self.mirror and left_right < 0.5, self.mirror and top_bottom < 0.5)
        turned = math.radians(self.degrees) * (2 * angle - 1)
        return View(self._part(drawn, height, width), mirrored, turned)

    def placing(self, processid: str) -> Place:
        """Give what brings a specimen's photograph, whatever its size, into a target as it is seen.

        Args:
            processid: of the specimen.
        """

        def place(pixels: Pixels, target: Pixels) -> Pixels:
            return self.view(processid, *pixels.shape[:2]).place(pixels, target)

        return place

    def _part(self, drawn: Iterator[list[float]], height: int, width: int) -> tuple[int, int, int, int]:
        """Draw a part: top, left, height, width."""
        for _ in range(_ATTEMPTS):
            area, shape, down, right = next(drawn)
            wanted = height * width * _between(area, *self.area)
            ratio = math.exp(_between(shape, math.log(self.shape[0]), math.log(self.shape[1])))
            wide, tall = round(math.sqrt(wanted * ratio)), round(math.sqrt(wanted / ratio))
            if 0 < wide <= width and 0 < tall <= height:
                return int(down * (height - tall + 1)), int(right * (width - wide + 1)), tall, wide
        return 0, 0, height, width


@dataclass(frozen=True)
class View:
    """How one photograph is seen.

    Args:
        part: top, left, height and width, pixels.
        mirrored: left and right; top and bottom.
        turned: radians.
    """

    part: tuple[int, int, int, int]
    mirrored: tuple[bool, bool]
    turned: float

    def place(self, pixels: Pixels, target: Pixels) -> Pixels:
        """Sample the photograph.

        Args:
            pixels: shape (height, width, 3).
            target: is written to, shape (any height, any width, 3).

        Returns:
            The target.
        """
        top, left, tall, wide = self.part
        part = Image.fromarray(np.ascontiguousarray(pixels[top : top + tall, left : left + wide]))
        size = target.shape[1], target.shape[0]
        seen = part.transform(size, Image.Transform.AFFINE, self._affine(size), Image.Resampling.BILINEAR)
        target[:] = np.asarray(seen)
        return target

    def _affine(self, size: tuple[int, int]) -> tuple[float, ...]:
        """Give the six numbers that bring a place of the target to one of the part."""
        _, _, tall, wide = self.part
        x, y = (-1 if each else 1 for each in self.mirrored)
        cos, sin = math.cos(self.turned), math.sin(self.turned)
        across, down = x * wide / size[0], y * tall / size[1]
        a, b, d, e = across * cos, -across * sin, down * sin, down * cos
        centre = size[0] / 2, size[1] / 2
        return a, b, wide / 2 - a * centre[0] - b * centre[1], d, e, tall / 2 - d * centre[0] - e * centre[1]


def _numbers(text: str) -> Iterator[list[float]]:
    """Give four numbers from 0 to 1 at a time that depend on a text only."""
    times = 0
    while True:
        bits = xxhash.xxh3_128_digest(f"{text}/{times}".encode())
        yield [int.from_bytes(bits[start : start + 4], "little") / 2**32 for start in range(0, 16, 4)]
        times += 1


def _between(share: float, low: float, high: float) -> float:
    return low + share * (high - low)
