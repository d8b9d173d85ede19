"""Photographs of any size to pixels of one size: libjpeg-turbo through `simplejpeg`, or Pillow where it is missing.

They stand upright, as their EXIF data say; sizes and crops are those of the upright photograph.
"""

from __future__ import annotations

import io
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt
from PIL import Image

from .orientation import UPRIGHT, orientation_of, turned


try:
    import simplejpeg
except ImportError:  # pragma: no cover  # a required package; some platforms have no wheel of it
    simplejpeg = None

Pixels = npt.NDArray[np.uint8]
Window = tuple[slice, slice]
Place = Callable[[Pixels, Pixels], object]
"""Brings a decoded photograph, shape (h, w, 3), into a target of another shape."""

_SCRATCH = 4_000_000
"""Bytes of scratch memory to begin with: a photograph of `original_full` takes 2.4 million."""
_thread = threading.local()


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
        source, place = _windows(pixels.shape[0], pixels.shape[1], self.size)
        if place is None:
            target[:] = pixels[source]
        else:
            target[:] = self.fill
            target[place] = pixels[source]
        return target


class TurboDecoder:
    """A decoder with libjpeg-turbo, for one thread.

    It decodes into scratch memory, which stays in the processor's cache until the photograph is cropped.

    Args:
        frame: the size of what it gives.
    """

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.scratch = np.empty(_SCRATCH, np.uint8)

    def __call__(self, data: bytes | memoryview, target: Pixels, place: Place | None = None) -> None:
        """Decode a JPEG upright into a target, contiguous, shape (*size, 3); by default as the frame places it.

        Raises:
            ValueError: the JPEG is broken or far too large.
        """
        try:
            pixels = self._decode(data)
        except ValueError:
            height, width, _, _ = simplejpeg.decode_jpeg_header(data)
            _check_pixels(height, width)
            if height * width * 3 <= len(self.scratch):
                raise
            self.scratch = np.empty(height * width * 3, np.uint8)
            pixels = self._decode(data)
        (place or self.frame.place)(_upright(pixels, data), target)

    def _decode(self, data: bytes | memoryview) -> Pixels:
        shorter = self.frame.resize
        if shorter is None:
            pixels: Pixels = simplejpeg.decode_jpeg(data, buffer=self.scratch)
            return pixels
        pixels = simplejpeg.decode_jpeg(data, min_height=shorter, min_width=shorter, buffer=self.scratch)
        height, width, _, _ = simplejpeg.decode_jpeg_header(data)
        new = _resized(height, width, shorter)
        if pixels.shape[:2] == new:
            return pixels
        return np.asarray(Image.fromarray(pixels).resize(new[::-1], Image.Resampling.BICUBIC))


class PillowDecoder:
    """The same with Pillow."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame

    def __call__(self, data: bytes | memoryview, target: Pixels, place: Place | None = None) -> None:
        """Decode a JPEG upright into a target, shape (*size, 3); by default as the frame places it.

        Raises:
            ValueError: the JPEG is broken or far too large.
        """
        try:
            with Image.open(io.BytesIO(data), formats=["JPEG"]) as photograph:
                height, width = photograph.height, photograph.width
                _check_pixels(height, width)
                new = _resized(height, width, self.frame.resize)
                if self.frame.resize is not None:
                    photograph.draft("RGB", (min(new[1], width), min(new[0], height)))
                pixels = photograph.convert("RGB")
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(str(error)) from error
        if (pixels.height, pixels.width) != new:
            pixels = pixels.resize(new[::-1], Image.Resampling.BICUBIC)
        (place or self.frame.place)(_upright(np.asarray(pixels), data), target)


def decoder(frame: Frame) -> TurboDecoder | PillowDecoder:
    """Give this thread's decoder, the fastest that is installed.

    Args:
        frame: the size of what it gives.
    """
    kind = PillowDecoder if simplejpeg is None else TurboDecoder
    known: TurboDecoder | PillowDecoder | None = getattr(_thread, "decoder", None)
    if type(known) is not kind or known.frame != frame:
        known = _thread.decoder = kind(frame)
    return known


def _upright(pixels: Pixels, data: bytes | memoryview) -> Pixels:
    """Turn a decoded photograph as its file says."""
    orientation = orientation_of(data)
    return pixels if orientation == UPRIGHT else np.ascontiguousarray(turned(pixels, orientation))


@lru_cache(maxsize=4096)
def _windows(height: int, width: int, size: tuple[int, int]) -> tuple[Window, Window | None]:
    """Give the part of a photograph that is copied, and the part of the target; None for all of it."""
    shared = [
        (max(0, (have - want) // 2), max(0, (want - have) // 2), min(have, want))
        for have, want in zip((height, width), size, strict=True)
    ]
    (top, above, tall), (left, before, wide) = shared
    source = slice(top, top + tall), slice(left, left + wide)
    place = slice(above, above + tall), slice(before, before + wide)
    return source, None if (tall, wide) == size else place


def _resized(height: int, width: int, shorter: int | None) -> tuple[int, int]:
    if shorter is None:
        return height, width
    factor = shorter / min(height, width)
    return max(shorter, round(height * factor)), max(shorter, round(width * factor))


def _check_pixels(height: int, width: int) -> None:
    limit = Image.MAX_IMAGE_PIXELS
    if limit is not None and height * width > limit:
        raise ValueError(f"{width}×{height} pixels are more than the {limit} that Pillow thinks safe")
