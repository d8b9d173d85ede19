"""Undecoded rows on their way to a batch: shares of row groups, read ahead, shuffled, cut to length."""

from __future__ import annotations

import itertools
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from typing import NamedTuple, TypeVar

import numpy as np
import pyarrow as pa

from .schema import IMAGE
from .selection import Recipe
from .sources import read_tables


T = TypeVar("T")
R = TypeVar("R")


class Unit(NamedTuple):
    """What is read at a time: a share of a row group.

    Args:
        file: the file.
        group: number of the row group.
        part: which share.
        parts: number of shares.
    """

    file: str
    group: int
    part: int = 0
    parts: int = 1


@dataclass(frozen=True)
class Rows:
    """Undecoded rows.

    Args:
        photographs: JPEGs, as views of Arrow memory.
        columns: the other columns.
    """

    photographs: list[memoryview]
    columns: pa.Table

    def __len__(self) -> int:
        return len(self.photographs)

    def cut(self, start: int, stop: int) -> Rows:
        """Give some of the rows."""
        return Rows(self.photographs[start:stop], self.columns.slice(start, stop - start))

    def shuffled(self, random: np.random.Generator) -> Rows:
        """Give all rows in another order; photographs are not copied."""
        places = random.permutation(len(self))
        return Rows([self.photographs[place] for place in places.tolist()], self.columns.take(pa.array(places)))


def share(units: Sequence[Unit], reader: int, readers: int) -> list[Unit]:
    """Give one of several readers its units; where there are too few, every reader gets a share of each.

    Examples:
        >>> share([Unit("a", 0), Unit("a", 1), Unit("b", 0)], 1, 2)
        [Unit(file='a', group=1, part=0, parts=1)]
        >>> share([Unit("a", 0)], 1, 2)
        [Unit(file='a', group=0, part=1, parts=2)]
    """
    if len(units) < readers:
        return [unit._replace(part=reader, parts=readers) for unit in units]
    return list(units[reader::readers])


def read_units(recipe: Recipe, units: Sequence[Unit]) -> Rows:
    """Read and prepare the rows of some units.

    Args:
        recipe: how rows are prepared; gives the `image` column.
        units: what to read.
    """
    tables = []
    for unit in units:
        read = pa.concat_tables(read_tables(unit.file, recipe.reads, [unit.group]))
        first, last = (len(read) * cut // unit.parts for cut in (unit.part, unit.part + 1))
        tables.append(recipe.apply(read.slice(first, last - first)))
    return rows_of(pa.concat_tables(tables))


def rows_of(table: pa.Table) -> Rows:
    """Take the photographs out of a table; they are not copied.

    Args:
        table: has the column `image`.
    """
    views = [view for chunk in table[IMAGE].chunks for view in _views(chunk.field("bytes"))]
    return Rows(views, table.drop_columns([IMAGE]).combine_chunks())


def ahead(pool: Executor, work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Map in another thread, one item ahead of the reader."""
    waiting: Future[R] | None = None
    for item in items:
        following = pool.submit(work, item)
        if waiting is not None:
            yield waiting.result()
        waiting = following
    if waiting is not None:
        yield waiting.result()


def delayed(items: Iterable[T], count: int) -> Iterator[T]:
    """Give items when `count` more have been made.

    Examples:
        >>> list(delayed("abc", 1))
        ['a', 'b', 'c']
    """
    made: deque[T] = deque()
    for item in items:
        made.append(item)
        if len(made) > count:
            yield made.popleft()
    yield from made


def rebatched(parts: Iterable[Rows], size: int, drop_last: bool) -> Iterator[Rows]:
    """Cut rows into batches of one length.

    Args:
        parts: rows in any division.
        size: length of a batch.
        drop_last: leave out a last batch that is shorter.
    """
    rest: Rows | None = None
    for part in parts:
        rows = part if rest is None else _joined(rest, part)
        full = len(rows) - len(rows) % size
        for start in range(0, full, size):
            yield rows.cut(start, start + size)
        rest = rows.cut(full, len(rows))
    if rest is not None and len(rest) and not drop_last:
        yield rest


def _joined(first: Rows, second: Rows) -> Rows:
    if not len(first):
        return second
    columns = pa.concat_tables([first.columns, second.columns])
    return Rows(first.photographs + second.photographs, columns)


def _views(jpegs: pa.Array) -> list[memoryview]:
    """Give views of the values of a binary array; an empty one for a null."""
    width = np.int64 if pa.types.is_large_binary(jpegs.type) else np.int32
    _, offsets, data = jpegs.buffers()
    ends = np.frombuffer(offsets, width)[jpegs.offset : jpegs.offset + len(jpegs) + 1].tolist() if len(jpegs) else []
    whole = memoryview(data if data is not None else b"").cast("B")
    return [whole[start:stop] for start, stop in itertools.pairwise(ends)]
