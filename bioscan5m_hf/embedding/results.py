"""The table of names: CSV, a block of reads in memory at a time, in the order of the reads."""

from __future__ import annotations

import csv
import os
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Protocol

from ..errors import OutputError


class Records(Protocol):
    """Reads or specimens that are named, as far as a table needs them."""

    def count(self) -> int | None:
        """Tell their number, where it is known."""

    def batches(self, *, rows: int) -> Iterator[Any]:
        """Give them in their order, in batches that have a length."""


class Naming(Protocol):
    """A way of naming reads, as far as a table needs it."""

    block: int

    @property
    def columns(self) -> list[str]:
        """The columns of the table."""

    def names(self, batch: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401
        """Give the rows of a batch of reads."""


def write_names(
    path: str | Path, naming: Naming, reads: Records, *, progress: bool = False, unit: str = "reads"
) -> int:
    """Name all reads and write the table, under a temporary name that is renamed when it is whole.

    Values stand as they are, quoted as CSV wants it: an id that begins with `=`, `+`, `-` or `@` is not changed, since
    a program that joins tables by it would not find it again. Who opens such a file in a spreadsheet imports it as
    text.

    Args:
        path: the CSV file.
        naming: how names are given.
        reads: the records.
        progress: show a bar, in a terminal.
        unit: what a record is called there.

    Returns:
        The number of reads.

    Raises:
        OutputError: the path is a folder.
    """
    from tqdm import tqdm

    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    columns, count = naming.columns, 0
    try:
        with (
            beside.open("w", encoding="utf-8", newline="") as stream,
            tqdm(total=reads.count(), unit=f" {unit}", disable=None if progress else True, leave=False) as bar,
        ):
            writer = csv.writer(stream, lineterminator="\n")
            writer.writerow(columns)
            for batch in reads.batches(rows=naming.block):
                writer.writerows(_cells(row, columns) for row in naming.names(batch))
                count += len(batch)
                bar.update(len(batch))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    return count


def _cells(row: dict[str, Any], columns: Sequence[str]) -> list[str]:
    return ["" if (value := row.get(name)) is None else _text(value) for name in columns]


def _text(value: object) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)
