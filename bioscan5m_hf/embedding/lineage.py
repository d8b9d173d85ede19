"""Which name stands under which: sums probabilities upward, and says which classes lie within a taxon."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from ..data.manifest import write_text
from ..data.sources import METADATA, open_source, read_tables
from ..data.taxa import count_lineages
from ..errors import Bioscan5mError
from ..taxonomy import LABELS, check_rank
from .inputs import without_fillers


FILE = "taxonomy.json"
_FORMAT = 1


@dataclass(frozen=True)
class Lineages:
    """What stands above names: at each higher rank the name that most of their records have.

    In a model's folder they are `taxonomy.json`: `{"format": 1, "source": "bioscan-5m", "ranks": ["phylum", …],
    "lineages": {"species": {"Aus bus": ["Arthropoda", "Insecta", "Diptera", "Aidae", null, "Aus"], …}, …}}`, where a
    name has one entry for each of `ranks` above its own, null where no record is labelled.

    Args:
        lineages: rank → name → the names above it, by the order of `LABELS`.
        source: the dataset they come from.

    Examples:
        >>> rows = pa.table({"order": ["Diptera"], "genus": ["Aus"], "species": ["Aus bus"]})
        >>> Lineages.from_tables([rows], {"species": ["Aus bus"]}).above("species", "Aus bus")
        {'species': 'Aus bus', 'genus': 'Aus', 'order': 'Diptera'}
    """

    lineages: Mapping[str, Mapping[str, Sequence[str | None]]] = field(default_factory=dict)
    source: str = ""

    @classmethod
    def from_tables(
        cls, tables: Iterable[pa.Table], labels: Mapping[str, Sequence[str]], source: str = ""
    ) -> Lineages:
        """Learn lineages from labelled records.

        Args:
            tables: with some of the columns of `LABELS`, and `records` where a row stands for several.
            labels: rank → names whose lineages are wanted; those of the names above them are kept as well.
            source: where the records come from.
        """
        counted = _count(tables)
        wanted = {check_rank(rank): set(names) for rank, names in labels.items()}
        found: dict[str, dict[str, list[str | None]]] = {}
        for place, rank in reversed(list(enumerate(LABELS))):
            names = sorted(wanted.get(rank, ()))
            columns = [_most_common(counted, rank, names, above) for above in LABELS[:place]]
            if names:
                found[rank] = {name: [column.get(name) for column in columns] for name in names}
            for above, column in zip(LABELS, columns, strict=False):
                wanted.setdefault(above, set()).update(column.values())
        return cls(found, source)

    @classmethod
    def from_dataset(
        cls, path: str | Path, labels: Mapping[str, Sequence[str]], *, revision: str | None = None
    ) -> Lineages:
        """Learn lineages from all records of a dataset.

        Args:
            path: dataset folder, Hub id, or name in the prepared cache.
            labels: rank → names whose lineages are wanted.
            revision: branch, tag or commit on the Hub.
        """
        source = open_source(path, METADATA, revision)
        files = [str(file) for split in source.files for file in source.files[split]]
        tables = (table for file in files for table in read_tables(file, [*LABELS, "split"]))
        return cls.from_tables((count_lineages(table) for table in tables), labels, str(path))

    @classmethod
    def load(cls, path: Path) -> Lineages:
        """Read `taxonomy.json`.

        Raises:
            Bioscan5mError: it is damaged, or of another format.
        """
        try:
            read = json.loads(path.read_text(encoding="utf-8"))
            if read["format"] != _FORMAT or read["ranks"] != list(LABELS):
                raise ValueError("another format")
            lineages: dict[str, dict[str, list[str | None]]] = read["lineages"]
            for rank, names in lineages.items():
                length = LABELS.index(check_rank(rank))
                for name, above in names.items():
                    if len(above) != length or not all(one is None or isinstance(one, str) for one in above):
                        raise ValueError(f"{rank} {name!r} has not {length} names above it")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise Bioscan5mError(f"{path} is no table of lineages ({error}): save or fetch the model again") from error
        return cls(lineages, str(read.get("source", "")))

    def save(self, folder: Path) -> None:
        """Write `taxonomy.json` into a model's folder, beside and renamed."""
        state = {"format": _FORMAT, "source": self.source, "ranks": LABELS, "lineages": self.lineages}
        write_text(folder / FILE, json.dumps(state, ensure_ascii=False) + "\n")

    def above(self, rank: str, name: str) -> dict[str, str]:
        """Give the name and all that stand above it, narrowest first."""
        higher = self.lineages.get(rank, {}).get(name, ())
        known = {above: one for above, one in zip(LABELS, higher, strict=False) if one is not None}
        return {rank: name, **dict(reversed(known.items()))}


def _count(tables: Iterable[pa.Table]) -> pa.Table:
    """Add up records with the same labels; fillers count as missing."""
    parts = []
    for table in tables:
        given = {name: table[name].cast(pa.string()) for name in LABELS if name in table.column_names}
        columns = {name: given.get(name, pa.nulls(len(table), pa.string())) for name in LABELS}
        plain = {name: without_fillers(column) for name, column in columns.items()}
        records = table["records"] if "records" in table.column_names else pa.array(np.ones(len(table), np.int64))
        parts.append(pa.table({**plain, "records": records}))
    whole = pa.concat_tables(parts).group_by(list(LABELS), use_threads=False).aggregate([("records", "sum")])
    return whole.rename_columns([*LABELS, "records"])


def _most_common(counted: pa.Table, rank: str, names: Sequence[str], above: str) -> dict[str, str]:
    """Find the name that most records of each name have at a higher rank; of equal ones the first in code points."""
    wanted = pc.and_(pc.is_in(counted[rank], pa.array(names, pa.string())), pc.is_valid(counted[above]))
    pairs = counted.filter(wanted).group_by([rank, above], use_threads=False).aggregate([("records", "sum")])
    pairs = pairs.sort_by([("records_sum", "ascending"), (above, "descending")])
    return dict(zip(pairs[rank].to_pylist(), pairs[above].to_pylist(), strict=True))


@dataclass(frozen=True)
class Groups:
    """The classes of a head, grouped at one rank.

    Args:
        names: of the groups, sorted.
        codes: group of each class, -1 where its name at this rank is not known; shape (classes,).
    """

    names: tuple[str, ...]
    codes: NDArray[np.int64]

    def sums(self, probabilities: NDArray[np.float32]) -> NDArray[np.float32]:
        """Sum probabilities upward.

        Args:
            probabilities: shape (n, classes).

        Returns:
            Shape (n, groups); classes without a group are left out.

        Examples:
            >>> Groups(("Aus", "Bus"), np.array([1, 0, 1, -1])).sums(np.array([[0.1, 0.2, 0.3, 0.4]]))
            array([[0.2, 0.4]])
        """
        order = np.argsort(self.codes, kind="stable")
        order = order[self.codes[order] >= 0]
        if not len(order):
            return np.zeros((len(probabilities), 0), probabilities.dtype)
        starts = np.searchsorted(self.codes[order], np.arange(len(self.names)))
        return np.add.reduceat(probabilities[:, order], starts, axis=1)


def group_classes(lineages: Lineages, rank: str, names: Sequence[str], at: str) -> Groups:
    """Group the classes of a head at its own or a higher rank.

    Args:
        lineages: what stands above the names.
        rank: of the classes.
        names: of the classes.
        at: rank of the groups.
    """
    found = [lineages.above(rank, name).get(at) for name in names]
    known = tuple(sorted({name for name in found if name is not None}))
    place = {name: code for code, name in enumerate(known)}
    return Groups(known, np.array([-1 if name is None else place[name] for name in found], np.int64))


def parse_within(given: Iterable[str]) -> dict[str, list[str]]:
    """Read restrictions `RANK=NAME`: several names of a rank are alternatives, several ranks must all hold.

    Raises:
        ValueError: not of this form, or no such rank.

    Examples:
        >>> parse_within(["order=Diptera", "order=Hymenoptera"])
        {'order': ['Diptera', 'Hymenoptera']}
    """
    within: dict[str, list[str]] = {}
    for text in given:
        rank, equals, name = text.partition("=")
        if not equals or not name.strip():
            raise ValueError(f"restriction {text!r}: write it as RANK=NAME, such as order=Diptera")
        within.setdefault(check_rank(rank.strip()), []).append(name.strip())
    return within


def check_known(rank: str, wanted: Iterable[str], known: Iterable[str], where: str) -> None:
    """Refuse names that nobody has.

    Raises:
        ValueError: says which names are near.
    """
    names = set(known)
    for name in wanted:
        if name not in names:
            near = difflib.get_close_matches(name, sorted(names), n=3)
            hint = f"did you mean {', '.join(near)}?" if near else f"there are {len(names)} names at this rank"
            raise ValueError(f"{where} have no {rank} {name!r}: {hint}")
