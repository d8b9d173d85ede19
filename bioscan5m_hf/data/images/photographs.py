"""Photographs as they are found: files of several kinds, any mode and size, opened upright and in RGB."""

from __future__ import annotations

import io
import os
import struct
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageOps, UnidentifiedImageError

from ...errors import Bioscan5mError


if TYPE_CHECKING:
    from PIL.Image import Image as Picture

SUFFIXES = (".jpg", ".jpeg", ".png", ".tif", ".tiff", ".bmp", ".webp", ".gif")
FORMATS = ("JPEG", "PNG", "TIFF", "BMP", "WEBP", "GIF")
"""What is opened, whatever a file is called."""

LARGE = 16_000_000
"""Pixels above which a JPEG may be read at a half, a quarter or an eighth of its size, down to 1,024 on a side."""

_SHORTER = 1024
_DAMAGES = (
    *(SyntaxError, ValueError, EOFError, ArithmeticError, LookupError, TypeError, RuntimeError),
    *(struct.error, zlib.error, Image.DecompressionBombError),
)
"""What Pillow's readers raise on damaged files, beside OSError."""

_JPEG = b"\xff\xd8\xff"

Photograph = Path | bytes
"""A file, or what is in one."""


class PhotographError(Bioscan5mError, ValueError):
    """A photograph cannot be read; the text says why, without the name of the file."""


def open_photograph(photograph: Photograph, *, reduced: bool = False) -> Picture:
    """Open a photograph: upright, in RGB, transparent parts white.

    Args:
        photograph: a file, or its bytes.
        reduced: a JPEG of more than `LARGE` pixels is read at a part of its size, for what makes it small anyway.

    Raises:
        PhotographError: no image, a damaged one, or one of more pixels than Pillow thinks safe that is no JPEG.

    Examples:
        >>> from PIL import Image
        >>> made = io.BytesIO()
        >>> Image.new("L", (3, 2), 9).save(made, "PNG")
        >>> open_photograph(made.getvalue()).mode
        'RGB'
    """
    try:
        data = photograph if isinstance(photograph, bytes) else photograph.read_bytes()
        return upright(_read(data, reduced))
    except OSError as error:
        if isinstance(photograph, Path) and not photograph.is_file():
            raise PhotographError("there is no such file") from error
        raise PhotographError(f"it is no photograph that can be read ({_short(error)})") from error
    except _DAMAGES as error:
        raise PhotographError(f"it cannot be read ({_short(error)})") from error


def find_photographs(folder: Path) -> Iterator[tuple[Path, bool]]:
    """Walk through a folder, in the order of names.

    Args:
        folder: with folders in it.

    Yields:
        Each file, and whether it is called as a photograph is. Hidden ones are passed over.
    """
    for where, folders, files in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            if not name.startswith("."):
                yield Path(where, name), Path(name).suffix.lower() in SUFFIXES


def upright(photograph: Picture) -> Picture:
    """Turn a photograph as its EXIF data say, and give it in RGB, transparent parts white.

    Raises:
        ValueError: its file is damaged.

    Examples:
        >>> upright(Image.new("RGBA", (2, 1))).getpixel((0, 0))
        (255, 255, 255)
    """
    try:
        turned = ImageOps.exif_transpose(photograph)
        if turned.mode in ("RGBA", "LA", "PA") or "transparency" in turned.info:
            clear = turned.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear).convert("RGB")
        return turned.convert("RGB")
    except OSError as error:
        raise ValueError(_short(error)) from error


def _read(data: bytes, reduced: bool) -> Picture:
    if not data:
        raise OSError("the file is empty")
    limit = Image.MAX_IMAGE_PIXELS
    if data.startswith(_JPEG):
        # Pillow refuses large photographs by their pixels before it can be asked to decode a part of them.
        photograph: Picture = _jpeg(data)
        if reduced and photograph.width * photograph.height > LARGE:
            shorter = min(photograph.size)
            goal = min(1.0, _SHORTER / shorter)
            photograph.draft("RGB", (int(goal * photograph.width) + 1, int(goal * photograph.height) + 1))
        if limit is not None and photograph.width * photograph.height > 2 * limit:
            raise OSError(f"{photograph.width}×{photograph.height} pixels are too many")
        return photograph
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        found: Picture = Image.open(io.BytesIO(data), formats=FORMATS)
        found.load()
    if found.mode in ("I", "F"):
        raise OSError(
            f"pixels of 32 bits (mode {found.mode}), of which nobody knows what is white: save it with 8 bits"
        )
    if found.mode.startswith("I"):  # 16 bits; Pillow would cut them off at 255
        return found.point(lambda level: level / 256).convert("L")
    return found


def _jpeg(data: bytes) -> Any:  # noqa: ANN401
    from PIL.JpegImagePlugin import JpegImageFile

    return JpegImageFile(io.BytesIO(data))


def _short(error: BaseException) -> str:
    if isinstance(error, UnidentifiedImageError):
        return "of no known kind"
    return " ".join(str(error).split())[:120] or type(error).__name__
