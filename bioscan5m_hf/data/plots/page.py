"""The page of a dataset's statistics: its tables and pictures in one file that asks no other machine for anything."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..manifest import write_text
from ..statistics.result import TABLES
from .canvas import number, one_line, shown
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
        (
            name,
            title.replace("`", ""),
            columns,
            texts_of(statistics[name]),
            statistics[name][:ROWS],
            len(statistics[name]),
        )
        for name, (title, columns) in TABLES.items()
        if statistics.get(name)
    ]
    page = environment.get_template("statistics.html.jinja").render(
        title=one_line(shown(statistics)),
        notes=statistics["notes"],
        tables=tables,
        pictures=pictures,
        rows=ROWS,
        cell=cell,
        distances=bool(statistics.get("distances")),
    )
    path = Path(folder) / PAGE
    write_text(path, page)
    return path


def texts_of(rows: Sequence[Mapping[str, Any]]) -> set[str]:
    """Tell which columns hold texts.

    Examples:
        >>> texts_of([{"order": None, "specimens": 2}, {"order": "Diptera", "specimens": 1}])
        {'order'}
    """
    return {column for row in rows for column, value in row.items() if isinstance(value, str)}


def cell(value: object, column: str = "") -> str:
    """Write a value for people: coordinates in full, other numbers with three figures.

    Examples:
        >>> cell(5150850), cell(0.123456), cell(2.0), cell(None), cell("Diptera"), cell(-84.0817, "longitude")
        ('5,150,850', '0.123', '2', '–', 'Diptera', '-84.0817')
    """
    if value is None:
        return "–"
    if isinstance(value, float) and column in ("latitude", "longitude"):
        return f"{value:.7g}"
    if isinstance(value, float):
        return number(value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
