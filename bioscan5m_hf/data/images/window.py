"""Which part of a photograph is cut out around a box, and what is put where the photograph ends."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image


Corners = tuple[int, int, int, int]
"""Left, upper, right and lower edge in pixels; the last two exclusive."""

LONGEST = 65_500
"""Pixels of a side that a JPEG can have (libjpeg)."""


@dataclass(frozen=True)
class CropRule:
    """How a box becomes a crop.

    The published tool (bioscan-ml/bioscan-croptool, `equal_extend`) grows both sides of a box by as many pixels, half
    at each end, and cuts each corner off to a whole pixel by itself. The padding to 4:3 is that of the grown window,
    its halves rounded to even. What the tool pads the photograph with lies outside the window.

    Args:
        ratio: the longer side grows by this factor, the other one by as many pixels.
        four_to_three: the window is padded to 4:3.
        turn: a window that is taller than wide is turned by 90° counter-clockwise, before it is padded.
        fill: colour of what lies outside the photograph.

    Examples:
        >>> CropRule().window((100, 100, 200, 150))
        (80, 72, 220, 178)
        >>> ONE_MILLION.window((100, 100, 200, 150))
        (80, 80, 220, 170)
    """

    ratio: float = 1.4
    four_to_three: bool = True
    turn: bool = True
    fill: tuple[int, int, int] = (204, 218, 243)

    def window(self, box: Corners, width: int = 0) -> Corners:
        """Give the window around a box; parts of it may lie outside the photograph.

        Args:
            box: in whole pixels of the photograph.
            width: of the photograph, which turns the other way round what is counted from its right edge; it matters
                only by half a pixel, where the padding of a turned window is rounded.
        """
        x0, y0, x1, y1 = self._grown(box)
        if not self.four_to_three:
            return x0, y0, x1, y1
        if not self.turns(box):
            return _padded((x0, y0, x1, y1))
        left, upper, right, lower = _padded((y0, width - x1, y1, width - x0))
        return width - lower, left, width - upper, right

    def turns(self, box: Corners) -> bool:
        """Tell whether the crop of a box is turned."""
        x0, y0, x1, y1 = self._grown(box)
        return self.turn and y1 - y0 > x1 - x0

    def cut(self, photograph: Image.Image, box: tuple[float, float, float, float]) -> Image.Image:
        """Cut the window of a box out of a photograph.

        Args:
            photograph: upright, RGB.
            box: left, upper, right and lower edge in its pixels, rounded to whole ones.

        Raises:
            ValueError: the crop would be too large for a JPEG.
        """
        whole = (round(box[0]), round(box[1]), round(box[2]), round(box[3]))
        x0, y0, x1, y1 = self.window(whole, photograph.width)
        check_sides(x1 - x0, y1 - y0)
        inside = (max(0, x0), max(0, y0), min(photograph.width, x1), min(photograph.height, y1))
        if inside == (x0, y0, x1, y1):
            crop = photograph.crop(inside)
        else:
            crop = Image.new("RGB", (x1 - x0, y1 - y0), self.fill)
            crop.paste(photograph.crop(inside), (inside[0] - x0, inside[1] - y0))
        return crop.transpose(Image.Transpose.ROTATE_90) if self.turns(whole) else crop

    def _grown(self, box: Corners) -> Corners:
        x0, y0, x1, y1 = box
        half = (self.ratio - 1) * max(x1 - x0, y1 - y0) / 2
        return int(x0 - half), int(y0 - half), int(x1 + half), int(y1 + half)


FIVE_MILLION = CropRule()
ONE_MILLION = CropRule(four_to_three=False, turn=False, fill=(240, 240, 240))
"""Rules of the cropping tool for BIOSCAN-5M and for BIOSCAN-1M (bioscan-ml/bioscan-croptool)."""

RULES = {"5M": FIVE_MILLION, "1M": ONE_MILLION}


def _padded(box: Corners) -> Corners:
    """Pad a window to 4:3, half of it to each side."""
    x0, y0, x1, y1 = box
    wider, higher = (y1 - y0) / 3 * 4 - (x1 - x0), (x1 - x0) / 4 * 3 - (y1 - y0)
    if wider > 0:
        return round(x0 - wider / 2), y0, round(x1 + wider / 2), y1
    return x0, round(y0 - max(0.0, higher) / 2), x1, round(y1 + max(0.0, higher) / 2)


def check_sides(width: int, height: int) -> None:
    """Refuse what no JPEG can hold.

    Raises:
        ValueError: a side is too long.
    """
    if max(width, height) > LONGEST:
        raise ValueError(f"{width}×{height} pixels: a JPEG has at most {LONGEST:,} on a side")


def shorter_side(photograph: Image.Image, pixels: int, *, reduced: bool = False) -> Image.Image:
    """Resize a photograph so that its shorter side has so many pixels; the other one is rounded down.

    The filter is Pillow's default, bicubic, as in the tool that made `cropped_256`.

    Args:
        photograph: any.
        pixels: of the shorter side, at least 1.
        reduced: take means of whole pixels first, as far as two thirds of the way: faster, and not quite equal.
            (The official `original_256` was made by another program: nothing here is equal to it anyway.)

    Raises:
        ValueError: fewer than 1 pixel, or a longer side that no JPEG can have.

    Examples:
        >>> shorter_side(Image.new("RGB", (1024, 768)), 256).size, shorter_side(Image.new("RGB", (30, 40)), 256).size
        ((341, 256), (256, 341))
    """
    if pixels < 1:
        raise ValueError(f"a shorter side of {pixels} pixels: use 1 or more")
    width, height = photograph.size
    size = (pixels, int(pixels * height / width)) if width <= height else (int(pixels * width / height), pixels)
    check_sides(*size)
    return photograph.resize(size, reducing_gap=1.5 if reduced else None)
