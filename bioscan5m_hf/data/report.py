"""What is in a dataset as plain text: aligned tables for a terminal."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from ..splits import BY_NAME
from .card import readable_bytes
from .schema import COLUMN_NAMES, IMAGE


if TYPE_CHECKING:
    from .info import Info

MISSING = "–"
_NARROW, _WIDE = 80, 120


def render(info: Info, *, width: int | None = None, specimens: int = 3) -> str:
    """Write what is in a dataset as text.

    Args:
        info: from `bioscan5m_hf.data.info.info`.
        width: columns to use; by default those of the terminal, but 80 to 120.
        specimens: how many specimens to show at most.

    Examples:
        >>> from bioscan5m_hf.data.info import Info
        >>> print(render(Info("bioscan-5m", "BIOSCAN-5M", "cc-by-3.0", False, "", (), (), (), ())))
        bioscan-5m: BIOSCAN-5M, cc-by-3.0
    """
    width = width or min(max(shutil.get_terminal_size().columns, _NARROW), _WIDE)
    blocks = ["\n".join(_head(info))]
    if info.configs:
        blocks += [_configs(info), _splits(info)]
    if info.ranks:
        blocks.append(_labels(info))
    if info.specimens[:specimens]:
        blocks.append(_specimens(info.specimens[:specimens], width))
    return "\n\n".join(blocks)


def table(rows: Sequence[Sequence[str]], *, right: Iterable[int] = ()) -> str:
    """Align cells; the first row is the head, with a line under it.

    Args:
        rows: cells as text, all rows of one length.
        right: columns whose cells are set to the right.

    Examples:
        >>> print(table([["rank", "names"], ["order", "55"]], right=[1]))
        rank   names
        ────────────
        order     55
    """
    right = set(right)
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    lines = [
        "  ".join(
            cell.rjust(wide) if place in right else cell.ljust(wide)
            for place, (cell, wide) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([lines[0], "─" * (sum(widths) + 2 * len(widths) - 2), *lines[1:]])


def shorten(text: str, width: int) -> str:
    """Cut a text to a width; `…` stands for what is left out.

    Examples:
        >>> shorten("Ceratopogonidae", 8), shorten("Diptera", 8)
        ('Ceratop…', 'Diptera')
    """
    return text if len(text) <= width else text[: max(0, width - 1)] + "…"


def shorten_barcode(barcode: str, width: int) -> str:
    """Cut a barcode to a width and say how long it is.

    Examples:
        >>> shorten_barcode("ACGT" * 200, 14)
        'ACGTACG… (800)'
    """
    length = f" ({len(barcode)})"
    return shorten(barcode, max(1, width - len(length))) + length


def _head(info: Info) -> Iterable[str]:
    yield ", ".join(part for part in (f"{info.place}: {info.title}", info.licence) if part)
    if info.invented:
        yield "Everything in it is invented."
    if info.built_by or info.inputs:
        files = ", ".join(file for file, _ in info.inputs[:2])
        more = f" and {len(info.inputs) - 2} more files" if len(info.inputs) > 2 else ""
        yield " ".join(
            ["built", f"by {info.built_by}" if info.built_by else "", f"from {files}{more}" if files else ""]
        )


def _configs(info: Info) -> str:
    rows = [["config", "rows", "shards", "size", ""]]
    for config in info.configs:
        size = readable_bytes(config.bytes)
        rows.append([config.name, f"{config.rows:,}", f"{config.shards:,}", size, "default" if config.default else ""])
    return table(rows, right=(1, 2, 3))


def _splits(info: Info) -> str:
    """Rows of each split in each config of specimens."""
    configs = [config for config in info.configs if config.name != "taxonomy"]
    rows = [["split", "part of", *(config.name for config in configs)]]
    counts = {config.name: {split.name: split.rows for split in config.splits} for config in configs}
    for name, split in BY_NAME.items():
        cells = [counts[config.name].get(name) for config in configs]
        if any(cells):
            rows.append([name, split.metasplit or "", *(f"{cell:,}" if cell else MISSING for cell in cells)])
    return table(rows, right=range(2, len(configs) + 2))


def _labels(info: Info) -> str:
    rows = [["rank", "names", "labelled", "share"]]
    for rank in info.ranks:
        rows.append([rank.rank, f"{rank.names:,}", f"{rank.labelled:,}", f"{100 * rank.share:.1f} %"])
    return table(rows, right=(1, 2, 3))


def _specimens(specimens: Sequence[dict[str, Any]], width: int) -> str:
    """One column for each specimen, one line for each of its values."""
    names = [name for name in (IMAGE, *COLUMN_NAMES) if name in specimens[0]]
    first = max(map(len, names))
    room = min(40, (width - first) // len(specimens) - 2)
    rows = [[name, *(_cell(name, specimen[name], room) for specimen in specimens)] for name in names]
    head = ["", *(f"specimen {number}" for number in range(1, len(specimens) + 1))]
    return table([head, *rows])


def _cell(name: str, value: object, room: int) -> str:
    if value is None:
        return MISSING
    if isinstance(value, dict):
        return shorten(f"{value['width']}×{value['height']}, {readable_bytes(value['bytes'])}", room)
    if name == "dna_barcode":
        return shorten_barcode(str(value), room)
    return shorten(str(value), room)
