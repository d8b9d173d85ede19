"""Statistics as files: `statistics.json`, and each table as CSV and as Markdown."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from ...errors import OutputError
from ..card import plain
from ..manifest import write_text
from .result import TABLES, Statistics


SHOWN = 50
"""Rows of a table in Markdown; the CSV has all."""


def write_tables(statistics: Statistics, folder: str | Path) -> list[Path]:
    """Write `statistics.json`, and `tables/NAME.csv` and `tables/NAME.md` of each table.

    Args:
        statistics: the statistics.
        folder: new or existing; files of these names are replaced.

    Returns:
        The files.

    Raises:
        OutputError: the folder cannot be written to.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> letters = [{"letter": "A", "count": 1, "share": 1.0}]
        >>> made = Statistics({"name": "made", "specimens": 1}, {"letters": letters})
        >>> with TemporaryDirectory() as folder:
        ...     files = write_tables(made, folder)
        ...     print((Path(folder) / "tables" / "letters.csv").read_text())
        letter,count,share
        A,1,1.0
        <BLANKLINE>
    """
    folder = Path(folder)
    check_folder(folder)
    written = []
    for path, text in _texts(statistics, folder):
        try:
            write_text(path, text)
        except OSError as error:
            raise OutputError(f"cannot write {path} ({error.strerror or error}): name another folder") from error
        written.append(path)
    return written


def check_folder(folder: Path) -> None:
    """Make sure that tables can be written to a folder, before minutes are spent on them.

    Args:
        folder: new or existing.

    Raises:
        OutputError: it is a file, or it cannot be made.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder} is a file: name a folder")
    try:
        (folder / "tables").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"cannot write to {folder} ({error.strerror or error}): name another folder") from error


def _texts(statistics: Statistics, folder: Path) -> Iterator[tuple[Path, str]]:
    for name, (title, columns) in TABLES.items():
        yield folder / "tables" / f"{name}.csv", as_csv(statistics[name], columns)
        yield folder / "tables" / f"{name}.md", _document(statistics, name, title, columns)
    yield folder / "statistics.json", json.dumps(statistics.to_dict(), indent=1, ensure_ascii=False, allow_nan=False)


def as_csv(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> str:
    r"""Write rows as CSV; what is unknown is an empty cell.

    Examples:
        >>> as_csv([{"order": None, "specimens": 3}], ["order", "specimens"])
        'order,specimens\n,3\n'
    """
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue()


def as_markdown(rows: Sequence[dict[str, Any]], columns: Sequence[str], shown: int = SHOWN) -> str:
    r"""Write the first rows as a Markdown table; names mean what they say, whatever letters they hold.

    Args:
        rows: the rows.
        columns: the columns.
        shown: the most rows; a line under the table says how many are left out.

    Examples:
        >>> print(as_markdown([{"name": "a|b_c", "share": 0.25, "count": 1234}], ["name", "share", "count"]))
        | name | share | count |
        |---|---:|---:|
        | a&#124;b\_c | 0.25 | 1,234 |
    """
    numeric = [any(isinstance(row.get(column), int | float) for row in rows) for column in columns]
    lines = [_line(columns), "|" + "|".join("---:" if right else "---" for right in numeric) + "|"]
    lines += [_line([_cell(column, row.get(column)) for column in columns]) for row in rows[:shown]]
    if len(rows) > shown:
        lines += ["", f"{len(rows) - shown:,} more rows are in the CSV file of this table."]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cells) + " |"


def _document(statistics: Statistics, name: str, title: str, columns: Sequence[str]) -> str:
    about = statistics.dataset
    of = f"{plain(str(about['name']))}, {about['specimens']:,} specimens" + (
        "; everything in it is invented" if about.get("invented") else ""
    )
    rows = statistics[name]
    body = as_markdown(rows, columns) if rows else "Nothing is known of this."
    return f"# {title}\n\n{of}.\n\n{body}\n" + "".join(f"\nNote: {plain(note)}.\n" for note in statistics.notes)


def _cell(column: str, value: object) -> str:
    """Write a value: what is unknown as a dash, coordinates in full, other numbers with four digits."""
    if value is None:
        return "–"
    if isinstance(value, bool | str):
        return plain(str(value)).replace("_", r"\_").replace("*", r"\*")
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, float) and column not in ("latitude", "longitude"):
        return f"{value:,.0f}" if abs(value) >= 10_000 else f"{value:,.4g}"
    return str(value)


__all__ = ["SHOWN", "as_csv", "as_markdown", "check_folder", "write_tables"]
