"""A table: the same cells as Markdown for readers and as CSV for machines."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from .results import Score


Cell: TypeAlias = str | int | float | Score | None

NO_SHARES = ("clusters/", "ranks apart")
"""How names of scores begin that are no shares, so that they are not shown in per cent."""


@dataclass(frozen=True)
class Table:
    """Rows under a heading.

    Args:
        name: for its file.
        title: what it shows.
        head: titles of the columns.
        rows: cells; a score is shown in per cent.
        intervals: show those of scores.
    """

    name: str
    title: str
    head: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    intervals: bool = False

    def markdown(self) -> str:
        r"""Give it as Markdown.

        Examples:
            >>> print(Table("a", "A", ("model", "micro"), (("me|you", Score(0.5)),)).markdown())
            | model | micro |
            |---|--:|
            | me\|you | 50.0 |
        """
        sides = ["--:" if _is_number(column) else "---" for column in zip(*self.rows, strict=True)]
        lines = [self.head, *([self._shown(cell) for cell in row] for row in self.rows)]
        texts = [
            "| " + " | ".join(cell.replace("|", r"\|").replace("\n", " ") for cell in line) + " |" for line in lines
        ]
        return "\n".join([texts[0], "|" + "|".join(sides or ["---"] * len(self.head)) + "|", *texts[1:]])

    def csv(self) -> str:
        r"""Give it as CSV, with scores as they are, from 0 to 1.

        Examples:
            >>> Table("a", "A", ("model", "micro"), (("mine", Score(0.5)), ("yours", None))).csv()
            'model,micro\nmine,0.5\nyours,\n'
        """
        rows = [
            [cell.value if isinstance(cell, Score) else "" if cell is None else cell for cell in r] for r in self.rows
        ]
        return csv_text([self.head, *rows])

    def _shown(self, cell: Cell) -> str:
        if isinstance(cell, Score):
            return shown(cell, interval=self.intervals)
        if isinstance(cell, float):
            return f"{cell:,.0f}" if abs(cell) >= 1000 else f"{cell:.4g}"
        return "–" if cell is None else f"{cell:,}" if isinstance(cell, int) else cell


def shown(score: Score, *, interval: bool = False, share: bool = True) -> str:
    """Write a score for readers.

    Args:
        score: it.
        interval: write its interval, too.
        share: write it in per cent.

    Examples:
        >>> shown(Score(0.4703, 0.45, 0.4912), interval=True), shown(Score(812.0), share=False)
        ('47.0 (45.0 to 49.1)', '812')
    """
    value, *ends = (f"{100 * one:.1f}" if share else f"{one:.4g}" for one in (score.value, *score.interval))
    return f"{value} ({ends[0]} to {ends[1]})" if ends and interval else value


def is_share(name: str) -> bool:
    """Tell whether a score lies from 0 to 1 (or −1 to 1) by its name.

    Examples:
        >>> is_share("genus/test/micro"), is_share("clusters/unknown k")
        (True, False)
    """
    return not name.startswith(NO_SHARES)


def csv_text(rows: Iterable[Sequence[object]]) -> str:
    """Write rows as CSV."""
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _is_number(column: Sequence[Cell]) -> bool:
    return all(not isinstance(cell, str) or cell.lstrip("~").replace(".", "", 1).isdigit() for cell in column)
