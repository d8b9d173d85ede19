"""The page of a dataset's statistics: its tables and pictures in one file that asks no other machine for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..manifest import write_text
from ..statistics.result import TABLES
from .canvas import number, shown
from .catalogue import Picture


ROWS = 15
"""Rows of a table that the page shows; the file has all."""

PAGE = "index.html"


def write_page(statistics: Mapping[str, Any], pictures: Sequence[Picture], folder: str | Path) -> Path:
    """Write `index.html` beside tables and pictures.

    Args:
        statistics: as `Statistics.to_dict` gives them.
        pictures: what `draw` drew, in `plots/` of the folder.
        folder: with `tables/` and `plots/`.

    Returns:
        The file.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    loader = PackageLoader("bioscan5m_hf.data", ".")
    environment = Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    tables = [
        (name, title, columns, statistics[name][:ROWS], len(statistics[name]))
        for name, (title, columns) in TABLES.items()
        if statistics.get(name)
    ]
    page = environment.get_template("statistics.html.jinja").render(
        title=shown(statistics), notes=statistics["notes"], tables=tables, pictures=pictures, rows=ROWS, cell=cell
    )
    path = Path(folder) / PAGE
    write_text(path, page)
    return path


def cell(value: object) -> str:
    """Write a value for people.

    Examples:
        >>> cell(5150850), cell(0.123456), cell(2.0), cell(None), cell("Diptera")
        ('5,150,850', '0.123', '2', '', 'Diptera')
    """
    if value is None:
        return ""
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
