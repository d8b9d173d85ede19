"""A pen that draws body parts in the animal's own coordinates, shaded, onto a photograph and onto its mask."""

from __future__ import annotations

import colorsys
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from PIL import Image, ImageDraw


Point = tuple[float, float]
Colour = tuple[int, int, int]
OVERSAMPLING = 2


def hsv(hue: float, saturation: float, value: float) -> Colour:
    """Give a colour; every argument is pressed into 0 … 1, the hue goes round.

    Examples:
        >>> hsv(0.0, 0.0, 1.0), hsv(1.5, 2.0, 1.0)
        ((255, 255, 255), (0, 255, 255))
    """
    red, green, blue = colorsys.hsv_to_rgb(hue % 1.0, min(1.0, max(0.0, saturation)), min(1.0, max(0.0, value)))
    return round(red * 255), round(green * 255), round(blue * 255)


def mix(one: Colour, other: Colour, share: float) -> Colour:
    """Mix two colours; `share` is the second one's.

    Examples:
        >>> mix((0, 0, 0), (200, 100, 50), 0.5)
        (100, 50, 25)
    """
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(one, other, strict=True))
    return red, green, blue


def oval(
    centre: Point,
    across: float,
    along: float,
    *,
    power: float = 2.0,
    taper: float = 0.0,
    turn: float = 0.0,
    steps: int = 40,
) -> list[Point]:
    """Give the outline of a rounded body part.

    Args:
        centre: its middle.
        across: half its breadth.
        along: half its length.
        power: 2 for an ellipse, more for a box with round corners.
        taper: positive makes the tail end narrower, negative the head end.
        turn: rotation in radians.
        steps: number of points.

    Examples:
        >>> [(round(x), round(y)) for x, y in oval((0, 0), 1, 2, steps=4)]
        [(1, 0), (0, 2), (-1, 0), (0, -2)]
    """
    points = []
    cos, sin = math.cos(turn), math.sin(turn)
    for step in range(steps):
        angle = 2 * math.pi * step / steps
        c, s = math.cos(angle), math.sin(angle)
        x = math.copysign(abs(c) ** (2 / power), c) * across * (1 - taper * s)
        y = math.copysign(abs(s) ** (2 / power), s) * along
        points.append((centre[0] + x * cos - y * sin, centre[1] + x * sin + y * cos))
    return points


def curve(points: Sequence[Point], steps: int = 6) -> list[Point]:
    """Lay a smooth line through points (Catmull-Rom).

    Examples:
        >>> curve([(0, 0), (1, 1)], steps=2)
        [(0.0, 0.0), (0.5, 0.5), (1, 1)]
    """
    smooth: list[Point] = []
    for i in range(len(points) - 1):
        a, b, c, d = points[max(i - 1, 0)], points[i], points[i + 1], points[min(i + 2, len(points) - 1)]
        for step in range(steps):
            t = step / steps
            smooth.append(
                (_spline(a[0], b[0], c[0], d[0], t), _spline(a[1], b[1], c[1], d[1], t)),
            )
    return [*smooth, points[-1]]


def _spline(a: float, b: float, c: float, d: float, t: float) -> float:
    return 0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t * t + (3 * b - a - 3 * c + d) * t**3)


@dataclass
class Pen:
    """Draws in body coordinates: the body lies along y from head (about -0.5) to tail (about 0.5), x is across.

    Args:
        picture: oversampled RGB picture to draw on.
        mask: mask of the same view without oversampling; drawn parts become 255.
        centre: the body's middle in the mask's pixels.
        length: pixels of one body length in the mask.
        turn: rotation of the body, in radians.
        mirror: 1 or -1.
    """

    picture: Image.Image
    mask: Image.Image
    centre: Point
    length: float
    turn: float
    mirror: int = 1

    def __post_init__(self) -> None:
        self._ink = ImageDraw.Draw(self.picture, "RGBA")
        self._shape = ImageDraw.Draw(self.mask)
        self._cos, self._sin = math.cos(self.turn) * self.length, math.sin(self.turn) * self.length

    def area(self, points: Iterable[Point], colour: Colour, *, opacity: float = 1.0, counts: bool = True) -> None:
        """Fill an outline flatly; `counts` tells whether it belongs to the organism's area."""
        placed = self._place(points)
        self._ink.polygon(_scaled(placed), (*colour, round(255 * opacity)))
        if counts:
            self._shape.polygon(placed, 255)

    def solid(self, points: Sequence[Point], colour: Colour, *, gloss: float = 0.25) -> None:
        """Fill an outline as a rounded body: dark rim, lighter towards the light, which comes from the upper left."""
        placed = self._place(points)
        self._shape.polygon(placed, 255)
        middle = (sum(x for x, _ in placed) / len(placed), sum(y for _, y in placed) / len(placed))
        radius = max(math.dist(middle, point) for point in placed)
        self._ink.polygon(_scaled(placed), mix(colour, (20, 12, 8), 0.55))
        layers = ((0.93, 0.18), (0.84, 0.0), (0.68, -0.5 * gloss), (0.48, -gloss), (0.24, -1.7 * gloss))
        for size, depth in layers:
            shift = (1 - size) * 0.32 * min(radius, self.length * 0.16)
            tint = mix(colour, (20, 12, 8), depth) if depth > 0 else mix(colour, (255, 250, 240), -depth)
            inner = [
                (middle[0] + (x - middle[0]) * size - shift, middle[1] + (y - middle[1]) * size - shift)
                for x, y in placed
            ]
            self._ink.polygon(_scaled(inner), tint)

    def line(self, points: Sequence[Point], width: float, colour: Colour, *, opacity: float = 1.0) -> None:
        """Draw a line of even width (in body lengths)."""
        placed = self._place(points)
        pixels = max(1.0, width * self.length)
        self._ink.line(
            _scaled(placed), (*colour, round(255 * opacity)), width=max(1, round(pixels * OVERSAMPLING)), joint="curve"
        )
        self._shape.line(placed, 255, width=max(1, round(pixels)))

    def vein(self, points: Sequence[Point], colour: Colour, *, opacity: float = 0.6, width: float = 0.004) -> None:
        """Draw a fine line on top of something drawn already."""
        pixels = max(1, round(width * self.length * OVERSAMPLING))
        self._ink.line(_scaled(self._place(points)), (*colour, round(255 * opacity)), width=pixels)

    def limb(self, joints: Sequence[Point], width: float, colour: Colour) -> None:
        """Draw a jointed limb that gets thinner from segment to segment."""
        for number, (start, end) in enumerate(pairwise(joints)):
            thick = width * (1 - 0.55 * number / max(1, len(joints) - 2))
            self.line((start, end), thick, mix(colour, (20, 12, 8), 0.25))
            self.vein((start, end), mix(colour, (255, 245, 230), 0.2), opacity=0.7, width=thick * 0.35)

    def _place(self, points: Iterable[Point]) -> list[Point]:
        cos, sin, (left, top) = self._cos, self._sin, self.centre
        return [(left + x * self.mirror * cos - y * sin, top + x * self.mirror * sin + y * cos) for x, y in points]


def _scaled(points: Iterable[Point]) -> list[Point]:
    return [(x * OVERSAMPLING, y * OVERSAMPLING) for x, y in points]
