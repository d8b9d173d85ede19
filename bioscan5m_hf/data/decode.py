"""Photographs of any size to pixels of one size: libjpeg-turbo through `simplejpeg`, or Pillow where it is missing."""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image


try:
    import simplejpeg
except ImportError:  # pragma: no cover  # a required package; some platforms have no wheel of it
    simplejpeg = None

Pixels = npt.NDArray[np.uint8]
_PLAIN = ("YCbCr", "RGB", "Gray")
"""Colour spaces that libjpeg-turbo turns into RGB; the others (CMYK) are left to Pillow."""
_ROOM = 4_000_000
"""Bytes of scratch memory to begin with: a photograph of `original_full` takes 2.4 million."""
_scratch = threading.local()


@dataclass(frozen=True)
class Frame:
    """The common size of photographs: each is cropped at its centre, or padded around.

    Args:
        size: height and width.
        resize: first scale the photograph so that its shorter side has this length.
        fill: colour of the padding: red, green, blue.

    Examples:
        >>> pixels = np.full((2, 2, 3), 9, np.uint8)
        >>> Frame(size=(1, 4)).place(pixels, np.zeros((1, 4, 3), np.uint8))[0, :, 0].tolist()
        [0, 9, 9, 0]
    """

    size: tuple[int, int] = (256, 256)
    resize: int | None = None
    fill: tuple[int, int, int] = (0, 0, 0)

    def __post_init__(self) -> None:
        if min(*self.size, 1 if self.resize is None else self.resize) < 1:
            raise ValueError(f"size {self.size}, resize {self.resize}: use positive numbers of pixels")
        if not all(0 <= level <= 255 for level in self.fill):
            raise ValueError(f"fill {self.fill}: use red, green and blue from 0 to 255")

    def place(self, pixels: Pixels, target: Pixels) -> Pixels:
        """Copy the centre of a photograph to the centre of a target.

        Args:
            pixels: any size, shape (h, w, 3).
            target: is written to, shape (*size, 3).

        Returns:
            The target.
        """
        (top, above, tall), (left, before, wide) = map(_overlap, pixels.shape, self.size)
        if (tall, wide) != self.size:
            target[:] = self.fill
        target[above : above + tall, before : before + wide] = pixels[top : top + tall, left : left + wide]
        return target


def decode_turbo(data: bytes | memoryview, frame: Frame, target: Pixels) -> None:
    """Decode a JPEG into a target with libjpeg-turbo.

    Args:
        data: the JPEG.
        frame: the size.
        target: is written to, contiguous, shape (*size, 3).

    Raises:
        ValueError: the JPEG is broken or far too large.
    """
    try:
        pixels = _turbo(data, frame.resize)
    except ValueError:
        height, width, space, _ = simplejpeg.decode_jpeg_header(data)
        _check_pixels(height, width)
        if space not in _PLAIN:
            decode_pillow(data, frame, target)
            return
        if height * width * 3 <= len(_room()):
            raise
        _room(height * width * 3)
        pixels = _turbo(data, frame.resize)
    if frame.resize is not None:
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        new = _resized(height, width, frame.resize)
        pixels = np.asarray(Image.fromarray(pixels).resize(new[::-1], Image.Resampling.BICUBIC))
    frame.place(pixels, target)


def decode_pillow(data: bytes | memoryview, frame: Frame, target: Pixels) -> None:
    """Do the same as `decode_turbo` with Pillow.

    Raises:
        ValueError: the JPEG is broken or far too large.
    """
    try:
        with Image.open(io.BytesIO(data), formats=["JPEG"]) as photograph:
            _check_pixels(photograph.height, photograph.width)
            new = _resized(photograph.height, photograph.width, frame.resize)
            least = min(new[0], photograph.height), min(new[1], photograph.width)
            if frame.resize is not None:
                photograph.draft("RGB", least[::-1])
            pixels = photograph.convert("RGB")
    except (OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise ValueError(str(error)) from error
    if (pixels.height, pixels.width) != new:
        pixels = pixels.resize(new[::-1], Image.Resampling.BICUBIC)
    frame.place(np.asarray(pixels), target)


def decoder() -> Callable[[bytes | memoryview, Frame, Pixels], None]:
    """Give the fastest decoder that is installed."""
    return decode_pillow if simplejpeg is None else decode_turbo


def _overlap(have: int, want: int) -> tuple[int, int, int]:
    """Give first place in the photograph, first place in the target, and length of what they share."""
    return max(0, (have - want) // 2), max(0, (want - have) // 2), min(have, want)


def _resized(height: int, width: int, shorter: int | None) -> tuple[int, int]:
    if shorter is None:
        return height, width
    factor = shorter / min(height, width)
    return max(shorter, round(height * factor)), max(shorter, round(width * factor))


def _turbo(data: bytes | memoryview, least: int | None) -> Pixels:
    """Decode into this thread's scratch memory, where it stays in the processor's cache until it is cropped."""
    pixels: Pixels = simplejpeg.decode_jpeg(data, min_height=least or 0, min_width=least or 0, buffer=_room())
    return pixels


def _room(length: int = 0) -> Pixels:
    """Give scratch memory of this thread."""
    room: Pixels | None = getattr(_scratch, "room", None)
    if room is None or len(room) < length:
        room = _scratch.room = np.empty(max(length, _ROOM), np.uint8)
    return room


def _check_pixels(height: int, width: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        raise ValueError(f"{width}×{height} pixels are more than the {limit} that Pillow thinks safe")
