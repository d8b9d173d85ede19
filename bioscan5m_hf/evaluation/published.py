"""Figures that others have published, with their sources; they are shown beside ours and never mixed into them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml


FILE = "published.yaml"


@dataclass(frozen=True)
class Column:
    """A column of a published table, and what of ours stands in the same place.

    Args:
        title: as published, in short.
        task: of ours.
        score: name of ours; `{over}` stands for one of the table's `over`.
    """

    title: str
    task: str
    score: str


@dataclass(frozen=True)
class Published:
    """A published table.

    Args:
        name: for files.
        title: what it shows.
        data: it was measured on.
        source: where it stands.
        rule: how it was measured.
        read: `text`, or `chart` for figures that were read off a chart, ± 0.3 points.
        columns: of figures.
        rows: name and figures in per cent as they are shown, None where there is none; `~` marks an uncertain one.
        over: what has a row of its own for each model, such as a pair of query and key.
        modality: of ours that belongs beside it; None for any.
    """

    name: str
    title: str
    data: str
    source: str
    rule: str
    read: str
    columns: tuple[Column, ...]
    rows: tuple[tuple[str, tuple[str | None, ...]], ...]
    over: tuple[str, ...] = ()
    modality: str | None = None

    @property
    def tasks(self) -> frozenset[str]:
        """Tasks of ours that have a place in it."""
        return frozenset(column.task for column in self.columns)


def published() -> tuple[Published, ...]:
    """Read the published tables.

    Examples:
        >>> table = published()[0]
        >>> table.rows[-1]
        ('BLAST', ('99.78', None, '58.74'))
    """
    text = files(__package__).joinpath(FILE).read_text(encoding="utf-8")
    return tuple(_table(**values) for values in yaml.load(text, _AsWritten))


class _AsWritten(yaml.SafeLoader):
    """A loader that leaves numbers as they are written, so that 99.20 stays 99.20."""


_AsWritten.yaml_implicit_resolvers = {
    first: [pair for pair in pairs if pair[0] not in ("tag:yaml.org,2002:float", "tag:yaml.org,2002:int")]
    for first, pairs in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


def _table(
    *,
    columns: Sequence[dict[str, str]],
    rows: dict[str, list[str | None]],
    over: Sequence[str] = (),
    **values: Any,  # noqa: ANN401
) -> Published:
    return Published(
        columns=tuple(Column(**column) for column in columns),
        rows=tuple((str(name), tuple(figures)) for name, figures in rows.items()),
        over=tuple(over),
        **values,
    )
