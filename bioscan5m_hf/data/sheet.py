"""A contact sheet: specimens with their names, as one would show them to a colleague."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from typing import Any

from PIL import Image, ImageDraw, ImageFont, ImageOps


TILE = (192, 144)
MARGIN = 12
CAPTION = 58
INK, PALE, PAPER = (28, 32, 38), (104, 112, 122), (255, 255, 255)


def contact_sheet(specimens: Iterable[Mapping[str, Any]], *, columns: int = 6, title: str = "") -> Image.Image:
    """Draw photographs in a grid, each with its finest name, order and family, and place.

    Args:
        specimens: rows with `image` (a PIL image, or JPEG bytes) and the columns of the metadata.
        columns: photographs in a line.
        title: a line above the grid.

    Returns:
        An RGB image, 192×144 pixels a photograph.

    Raises:
        ValueError: there is no specimen.

    Examples:
        >>> row = {"image": Image.new("RGB", (341, 256)), "taxon": "Diptera", "processid": "AACTA1040-20"}
        >>> contact_sheet([row], columns=1).size
        (216, 226)
    """
    rows = list(specimens)
    if not rows:
        raise ValueError("no specimens to draw: give at least one")
    columns = min(columns, len(rows))
    lines = -(-len(rows) // columns)
    head = 40 if title else 0
    width, height = TILE[0] + MARGIN, TILE[1] + CAPTION + MARGIN
    size = (MARGIN + columns * width, head + MARGIN + lines * height)
    sheet = Image.new("RGB", size, PAPER)
    pen = ImageDraw.Draw(sheet)
    if title:
        pen.text((MARGIN, 14), title, INK, _font(18))
    for index, row in enumerate(rows):
        left, top = MARGIN + index % columns * width, head + MARGIN + index // columns * height
        sheet.paste(ImageOps.pad(_photograph(row), TILE, color=PAPER), (left, top))
        for offset, text, ink, points in zip((4, 22, 38), captions(row), (INK, PALE, PALE), (14, 12, 12), strict=True):
            pen.text((left, top + TILE[1] + offset), _fitted(text, _font(points)), ink, _font(points))
    return sheet


def captions(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Name a specimen in three lines: finest name; order and family; process id and country.

    Examples:
        >>> captions({"species": "Tuta absoluta", "order": "Lepidoptera", "family": None, "processid": "A1"})
        ('Tuta absoluta', 'Lepidoptera', 'A1')
    """
    name = row.get("species") or row.get("taxon") or "no name"
    middle = " · ".join(part for part in (row.get("order"), row.get("family")) if part)
    return str(name), middle, " · ".join(part for part in (row.get("processid"), row.get("country")) if part)


def _photograph(row: Mapping[str, Any]) -> Image.Image:
    image = row["image"]
    return (Image.open(io.BytesIO(image)) if isinstance(image, bytes) else image).convert("RGB")


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(text: str, font: ImageFont.FreeTypeFont | ImageFont.ImageFont) -> str:
    """Shorten a text to the width of a photograph."""
    if font.getlength(text) <= TILE[0]:
        return text
    while text and font.getlength(text + "…") > TILE[0]:
        text = text[:-1]
    return text.rstrip() + "…"
