"""Photographs of invented specimens: a well under the microscope, one animal, a caption, and the official crops."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from random import Random

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter, ImageFont

from ..data.images.window import FIVE_MILLION
from . import winged, wingless
from .looks import Look
from .pen import OVERSAMPLING, Pen, oval
from .rows import HEIGHT, WIDTH


CAPTION = "INVENTED"
QUALITY = 75
FILL = FIVE_MILLION.fill
"""What lies outside the original, as in official crops."""
PLANS: Mapping[str, Callable[[Pen, Look], None]] = {
    plan.__name__: plan
    for plan in (
        *(winged.fly, winged.wasp, winged.bug, winged.beetle, winged.moth, winged.caddisfly, winged.lacewing),
        *(winged.barklouse, winged.mayfly, winged.dragonfly, wingless.thrips, wingless.cockroach, wingless.cricket),
        *(wingless.earwig, wingless.silverfish, wingless.stick, wingless.spider, wingless.harvestman, wingless.mite),
        *(wingless.pseudoscorpion, wingless.springtail, wingless.globular_springtail, wingless.amphipod),
        *(wingless.woodlouse, wingless.millipede, wingless.centipede, wingless.waterflea),
    )
}
PACKAGES = ("cropped_256", "original_256", "cropped", "original_full")
_REACH = {
    **dict.fromkeys(("harvestman",), 2.7),
    **dict.fromkeys(("barklouse", "caddisfly", "cockroach", "cricket", "spider"), 1.65),
    **dict.fromkeys(("fly", "lacewing", "mayfly", "silverfish", "moth"), 1.35),
    **dict.fromkeys(("thrips", "woodlouse", "millipede", "amphipod", "stick", "globular_springtail"), 0.9),
}
"""How far legs, wings and antennae reach from the body's middle, in body lengths; 1.1 for the other plans."""
_EXIF_DESCRIPTION = 0x010E

Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class Photograph:
    """A drawn original.

    Args:
        picture: the original, 1024×768 RGB, without a caption.
        box: tight box of the animal: x0, y0, x1, y1, the last two exclusive.
        pixels: area of the animal.
    """

    picture: Image.Image
    box: Box
    pixels: int


def take(look: Look) -> Photograph:
    """Draw a specimen in a well.

    Args:
        look: how it looks; its source of chance is used up on the way.

    Examples:
        >>> from .looks import look
        >>> photograph = take(look("beetle", 0, 1, 1, 1, 1))
        >>> photograph.picture.size, photograph.pixels > 1000
        ((1024, 768), True)
    """
    pose = look.pose
    picture = _background(pose.randrange(_BACKGROUNDS), pose)
    half = int(look.length * _REACH.get(look.plan, 1.1)) + 24
    centre = _spot(look, pose)
    patch = (centre[0] - half, centre[1] - half, centre[0] + half, centre[1] + half)
    inside = (max(0, patch[0]), max(0, patch[1]), min(WIDTH, patch[2]), min(HEIGHT, patch[3]))
    size = (inside[2] - inside[0], inside[3] - inside[1])
    middle = (centre[0] - inside[0], centre[1] - inside[1])
    turn = pose.uniform(0, 6.283)
    sketch = (pose.getstate(), turn, pose.choice((-1, 1)))
    before = picture.crop(inside)
    large = before.resize((size[0] * OVERSAMPLING, size[1] * OVERSAMPLING), Image.Resampling.NEAREST)
    mask = Image.new("L", size)
    PLANS[look.plan](Pen(large, mask, middle, look.length, turn, sketch[2]), look)
    drawn = large.reduce(OVERSAMPLING)
    drawn.paste(ImageChops.add(drawn, _grain().crop((0, 0, *size)), 1, -128), mask=mask)
    picture.paste(ImageChops.subtract(drawn, _shadow(before, mask, look.length)), inside[:2])
    found = mask.getbbox() or (0, 0, *size)
    box = (found[0] + inside[0], found[1] + inside[1], found[2] + inside[0], found[3] + inside[1])
    return Photograph(picture, box, mask.histogram()[255])


def _spot(look: Look, pose: Random) -> tuple[int, int]:
    """Choose a place near the middle of the well, so that the animal is whole or nearly so."""
    free = max(30.0, 330 - 0.55 * look.length)
    return (
        round(WIDTH / 2 + min(260.0, max(-260.0, pose.gauss(0, free * 0.42)))),
        round(HEIGHT / 2 + min(200.0, max(-200.0, pose.gauss(0, free * 0.3)))),
    )


def _shadow(before: Image.Image, mask: Image.Image, length: float) -> Image.Image:
    """Give how much darker the ground is beside the animal, away from the light; 0 on the animal itself."""
    blurred = mask.reduce(8).filter(ImageFilter.GaussianBlur(1.6)).resize(mask.size, Image.Resampling.BILINEAR)
    offset = round(6 + length * 0.02)
    moved = Image.new("L", mask.size)
    moved.paste(blurred, (offset, offset))
    moved.paste(0, mask=mask)
    black = Image.new("RGB", mask.size)
    return Image.composite(before.point([value // 3 for value in range(256)] * 3), black, moved.point(_HALF))


_HALF = [value * 3 // 5 for value in range(256)]
_BACKGROUNDS = 6


@lru_cache(maxsize=_BACKGROUNDS)
def _well(number: int) -> Image.Image:
    """Draw the empty well of a plate: concentric reflections, a bright rim, grain."""
    random = Random(f"well {number}")
    scale = 2
    small = Image.new("RGB", (WIDTH // scale, HEIGHT // scale), (206, 212, 222))
    pen = ImageDraw.Draw(small, "RGBA")
    x, y = WIDTH / 4 + random.uniform(-14, 14), HEIGHT / 4 + random.uniform(-10, 10)
    for radius, tint, opacity in (
        *(
            (260, (226, 230, 240), 255),
            (243, (240, 243, 250), 255),
            (236, (196, 206, 220), 255),
            (231, (212, 219, 229), 255),
        ),
        *(
            (190, (206, 214, 226), 160),
            (150, (216, 223, 232), 160),
            (112, (224, 229, 237), 130),
            (96, (208, 216, 227), 170),
        ),
        *((58, (222, 228, 236), 120), (40, (212, 219, 229), 150)),
    ):
        edge = oval((x, y), radius * random.uniform(0.97, 1.03), radius * random.uniform(0.97, 1.03), steps=120)
        pen.polygon(edge, (*tint, opacity))
    for _ in range(14):
        radius, angle = random.choice((240, 238, 60)), random.uniform(0, 360)
        edge_box = (x - radius, y - radius, x + radius, y + radius)
        pen.arc(
            edge_box,
            angle,
            angle + random.uniform(6, 40),
            (255, 255, 255, random.randint(90, 220)),
            width=random.randint(1, 4),
        )
    smooth = small.filter(ImageFilter.GaussianBlur(3)).resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)
    return ImageChops.add(smooth, _grain(), 1, -128)


@lru_cache(maxsize=1)
def _grain() -> Image.Image:
    """Noise of the camera, around 128."""
    noise = np.random.default_rng(5).normal(128, 2.2, (HEIGHT, WIDTH, 1))
    colour = np.random.default_rng(6).normal(0, 0.9, (*noise.shape[:2], 3))
    return Image.fromarray(np.clip(noise + colour, 0, 255).astype(np.uint8), "RGB")


def _background(number: int, pose: Random) -> Image.Image:
    """Give a well of its own brightness, tint and orientation."""
    well = _well(number)
    if pose.random() < 0.5:
        well = well.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    if pose.random() < 0.5:
        well = well.transpose(Image.Transpose.FLIP_TOP_BOTTOM)
    gain = pose.gauss(0.96, 0.045)
    warm = pose.gauss(0, 0.012)
    tables = (gain * (1 + warm), gain, gain * (1 - warm))
    return well.point([min(255, round(value * factor)) for factor in tables for value in range(256)])


def crop_window(box: Box) -> Box:
    """Give the window of an invented crop: 0.4 of the longer side added to both, then padded to 4:3.

    It is wider than the official one by up to two pixels, and no animal is turned; `data.images.window` has that rule.

    Args:
        box: tight box of the animal.

    Returns:
        x0, y0, x1, y1; parts may lie outside the original.

    Examples:
        >>> crop_window((100, 100, 200, 150))
        (80, 73, 221, 179)
    """
    x0, y0, x1, y1 = box
    grow = int(0.4 * max(x1 - x0, y1 - y0) / 2)
    x0, y0, x1, y1 = x0 - grow, y0 - grow, x1 + grow, y1 + grow
    width, height = x1 - x0, y1 - y0
    if width * 3 < height * 4:
        more = height * 4 // 3 - width
        x0, x1 = x0 - more // 2, x1 + more - more // 2
    else:
        more = width * 3 // 4 - height
        y0, y1 = y0 - more // 2, y1 + more - more // 2
    return x0, y0, x1 + 1, y1 + 1


def caption_box(size: tuple[int, int]) -> Box:
    """Give the place of the caption in a picture of some size: the lower left corner.

    Examples:
        >>> caption_box((1024, 768))
        (0, 704, 320, 768)
    """
    height = size[1] // 12
    return 0, size[1] - height, min(size[0], height * 5), size[1]


def add_caption(picture: Image.Image) -> None:
    """Write into the lower left corner that the picture is invented."""
    x0, y0, _, y1 = caption_box(picture.size)
    letters = max(8, round((y1 - y0) * 0.72))
    pen = ImageDraw.Draw(picture, "RGBA")
    pen.text((x0 + letters // 2, y0 + (y1 - y0 - letters) // 2), CAPTION, font=_font(letters), fill=(60, 66, 84, 230),
             stroke_width=max(1, letters // 14), stroke_fill=(255, 255, 255, 120))  # fmt: skip


@lru_cache(maxsize=256)
def _font(size: int) -> ImageFont.ImageFont | ImageFont.FreeTypeFont:
    return ImageFont.load_default(size)


def packages_of(photograph: Photograph, packages: Iterable[str]) -> dict[str, bytes]:
    """Give the JPEG of each package, with caption and with a comment and EXIF description saying so too.

    Args:
        photograph: the original.
        packages: names among `PACKAGES`.

    Examples:
        >>> from .looks import look
        >>> files = packages_of(take(look("fly", 0, 1, 1, 1, 1)), ["cropped_256"])
        >>> min(Image.open(io.BytesIO(files["cropped_256"])).size)
        256
    """
    wanted = set(packages)
    pictures: dict[str, Image.Image] = {}
    if wanted & {"cropped", "cropped_256"}:
        cut = _cut(photograph.picture, crop_window(photograph.box))
        add_caption(cut)
        pictures["cropped"] = cut
        longer = int(256 * cut.width / cut.height)
        pictures["cropped_256"] = cut.resize((longer, 256), reducing_gap=1.0)
    if wanted & {"original_full", "original_256"}:
        whole = photograph.picture.copy()
        add_caption(whole)
        pictures["original_full"] = whole
        pictures["original_256"] = whole.reduce(3, box=(0, 0, 1023, HEIGHT))
    return {name: _jpeg(pictures[name]) for name in PACKAGES if name in wanted}


def _cut(picture: Image.Image, window: Box) -> Image.Image:
    canvas = Image.new("RGB", (window[2] - window[0], window[3] - window[1]), FILL)
    inside = (max(0, window[0]), max(0, window[1]), min(picture.width, window[2]), min(picture.height, window[3]))
    canvas.paste(picture.crop(inside), (inside[0] - window[0], inside[1] - window[1]))
    return canvas


def _jpeg(picture: Image.Image) -> bytes:
    exif = Image.Exif()
    exif[_EXIF_DESCRIPTION] = "invented: drawn by a program, no photograph of an animal"
    stream = io.BytesIO()
    picture.save(stream, "JPEG", quality=QUALITY, comment=CAPTION.lower(), exif=exif)
    return stream.getvalue()
