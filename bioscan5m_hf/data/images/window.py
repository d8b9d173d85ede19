"""Which part of a photograph is cut out around a box, and what is put where the photograph ends."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


Corners = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels; the last two exclusive."""


@dataclass(frozen=True)
class CropRule:
    """How a box becomes a crop.

    Args:
        grow: share of its longer side by which a box grows in both directions (the published crop ratio, less 1).
        four_to_three: the window is padded to 4:3, along the box's longer side.
        turn: a box that is taller than wide is turned by 90° counter-clockwise.
        fill: colour of what lies outside the photograph.

    Examples:
        >>> CropRule().window((100, 100, 200, 150))
        (80, 73, 221, 179)
        >>> ONE_MILLION.window((100, 100, 200, 150))
        (80, 80, 220, 170)
    """

    grow: float = 0.4
    four_to_three: bool = True
    turn: bool = True
    fill: tuple[int, int, int] = (204, 218, 243)

    def window(self, box: Corners) -> Corners:
        """Give the window around a box; parts of it may lie outside the photograph."""
        x0, y0, x1, y1 = box
        grow = int(self.grow * max(x1 - x0, y1 - y0) / 2)
        x0, y0, x1, y1 = x0 - grow, y0 - grow, x1 + grow, y1 + grow
        if not self.four_to_three:
            return x0, y0, x1, y1
        if self.turns(box):
            y0, x0, y1, x1 = _padded((y0, x0, y1, x1))
        else:
            x0, y0, x1, y1 = _padded((x0, y0, x1, y1))
        return x0, y0, x1 + 1, y1 + 1

    def turns(self, box: Corners) -> bool:
        """Tell whether the crop of a box is turned."""
        return self.turn and box[3] - box[1] > box[2] - box[0]

    def cut(self, photograph: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
        """Cut the window of a box out of a photograph.

        Args:
            photograph: upright, RGB.
            box: left, upper, right and lower edge in its pixels, rounded to whole ones.
        """
        whole = (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
        x0, y0, x1, y1 = self.window(whole)
        inside = (max(0, x0), max(0, y0), min(photograph.width, x1), min(photograph.height, y1))
        if inside == (x0, y0, x1, y1):
            crop = photograph.crop(inside)
        else:
            crop = Image.new("RGB", (x1 - x0, y1 - y0), self.fill)
            crop.paste(photograph.crop(inside), (inside[0] - x0, inside[1] - y0))
        return crop.transpose(Image.Transpose.ROTATE_90) if self.turns(whole) else crop


FIVE_MILLION = CropRule()
ONE_MILLION = CropRule(four_to_three=False, turn=False, fill=(240, 240, 240))
"""Rules of the cropping tool for BIOSCAN-5M and for BIOSCAN-1M (bioscan-ml/bioscan-croptool)."""

RULES = {"5M": FIVE_MILLION, "1M": ONE_MILLION}


def _padded(box: Corners) -> Corners:
    """Pad a box to 4:3, half of it to each side."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    if width * 3 < height * 4:
        more = height * 4 // 3 - width
        return x0 - more // 2, y0, x1 + more - more // 2, y1
    more = width * 3 // 4 - height
    return x0, y0 - more // 2, x1, y1 + more - more // 2


def shorter_side(photograph: Image.Image, pixels: int, *, reduced: bool = False) -> Image.Image:
    """Resize a photograph so that its shorter side has so many pixels; the other one is rounded down.

    The filter is Pillow's default, bicubic, as in the tool that made `cropped_256`.

    Args:
        photograph: any.
        pixels: of the shorter side, at least 1.
        reduced: take means of whole pixels first, as far as two thirds of the way: faster, and not quite equal.
            (The official `original_256` was made by another program: nothing here is equal to it anyway.)

    Raises:
        ValueError: fewer than 1 pixel.

    Examples:
        >>> shorter_side(Image.new("RGB", (1024, 768)), 256).size, shorter_side(Image.new("RGB", (30, 40)), 256).size
        ((341, 256), (256, 341))
    """
    if pixels < 1:
        raise ValueError(f"a shorter side of {pixels} pixels: use 1 or more")
    width, height = photograph.size
    size = (pixels, int(pixels * height / width)) if width <= height else (int(pixels * width / height), pixels)
    return photograph.resize(size, reducing_gap=1.5 if reduced else None)
