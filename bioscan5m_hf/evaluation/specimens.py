"""The rows that tasks are about: specimens of a dataset with barcode, names and split, and a digest of them."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..data.sources import METADATA, Source, open_source, read_tables
from ..dna import strip_n
from ..errors import Bioscan5mError
from ..taxonomy import FILLER, LABELS
from .labels import codes_of


Places = npt.NDArray[np.intp]

PROCESSID, BARCODE, SPLIT = "processid", "dna_barcode", "split"
COLUMNS = (PROCESSID, "sampleid", "country", BARCODE, *LABELS)
FINGERPRINTED = (PROCESSID, BARCODE, *LABELS, SPLIT)


@dataclass(frozen=True)
class Specimens:
    """Specimens, in the order of the dataset.

    Args:
        table: `COLUMNS`, with null for what is missing or a filler, `split`, and `row` in the split, from 1; barcodes
            without the Ns at both ends.

    Examples:
        >>> rows = {"processid": ["A1", "A2"], "dna_barcode": ["AC", "AC"], "split": ["val"] * 2, "row": [1, 2]}
        >>> specimens = Specimens(pa.table(rows))
        >>> len(specimens.one_per_barcode()), specimens.name(1)
        (1, 'split val, row 2, A2')
    """

    table: pa.Table

    def __len__(self) -> int:
        return len(self.table)

    def column(self, name: str) -> pa.Array:
        """Give a column in one piece; all null where there is none of that name."""
        if name not in self.table.column_names:
            return pa.nulls(len(self), pa.string())
        column = self.table[name].combine_chunks()
        return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column

    def take(self, places: Places | npt.NDArray[np.bool_]) -> Specimens:
        """Give some of the specimens, by places or a mask."""
        chosen = np.flatnonzero(places) if places.dtype == bool else places
        return Specimens(self.table.take(pa.array(chosen, pa.int64())))

    def of(self, splits: Sequence[str]) -> Specimens:
        """Give the specimens of some splits."""
        return self.take(np.asarray(pc.is_in(self.column(SPLIT), pa.array(splits, pa.string()))))

    def with_barcode(self) -> Specimens:
        """Leave specimens without a barcode out."""
        return self.take(np.asarray(pc.fill_null(pc.not_equal(self.column(BARCODE), ""), False)))

    def one_per_barcode(self) -> Specimens:
        """Keep, in each split, the first specimen of each barcode."""
        barcode = codes_of(self.column(BARCODE))
        _, first = np.unique(codes_of(self.column(SPLIT)) * (barcode.max(initial=0) + 1) + barcode, return_index=True)
        return self.take(np.sort(first))

    def named(self, rank: str) -> Specimens:
        """Keep the specimens with a name at a rank."""
        return self.take(np.asarray(self.column(rank).is_valid()))

    def labels(self) -> dict[str, pa.Array]:
        """Give rank → names."""
        return {rank: self.column(rank) for rank in LABELS}

    def name(self, place: int) -> str:
        """Say which specimen stands in a place: split, row in it, processid."""
        split, row, processid = (self.table[name][place].as_py() for name in (SPLIT, "row", PROCESSID))
        return f"split {split}, row {row}, {processid}"

    def fingerprint(self) -> str:
        """Give a digest of processids, barcodes, names and splits, in their order."""
        digest = hashlib.sha256()
        for name in FINGERPRINTED:
            column = self.column(name).cast(pa.large_string())
            digest.update(np.asarray(pc.fill_null(pc.binary_length(column), -1)).astype(np.int64).tobytes())
            digest.update("".join(column.drop_null().to_pylist()).encode())
        return digest.hexdigest()[:32]


def read_specimens(source: Source, splits: Sequence[str]) -> Specimens:
    """Read specimens of some splits; no photograph is read.

    Args:
        source: config `metadata` of a dataset, opened.
        splits: official names, which the dataset has.

    Raises:
        Bioscan5mError: a processid stands twice.
    """
    tables = []
    for split in splits:
        wanted = [name for name in COLUMNS if name in source.features]
        parts = [table for file in source.files[split] for table in read_tables(str(file), wanted)]
        table = pa.concat_tables(parts).select(wanted) if parts else pa.table({name: [] for name in wanted})
        table = table.append_column(SPLIT, pa.array([split] * len(table), pa.string()))
        tables.append(table.append_column("row", pa.array(np.arange(1, len(table) + 1))))
    joined = pa.concat_tables(tables, promote_options="permissive").combine_chunks()
    barcode = strip_n(joined[BARCODE].combine_chunks().cast(pa.large_string()))
    joined = joined.set_column(joined.column_names.index(BARCODE), BARCODE, barcode)
    for name in set(LABELS) & set(joined.column_names):
        place = joined.column_names.index(name)
        joined = joined.set_column(place, name, _without_fillers(joined[name].cast(pa.string())))
    specimens = Specimens(joined)
    _check_ids(specimens, source.path)
    return specimens


def open_data(data: str | Path, revision: str | None = None) -> Source:
    """Open the config `metadata` of a dataset.

    Raises:
        Bioscan5mError: there is no such dataset.
    """
    from datasets.exceptions import DatasetNotFoundError

    try:
        return open_source(data, METADATA, revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no dataset {data}: name a dataset folder, or a repository on the Hub"
        ) from error


def revision_of(source: Source) -> str:
    """Give what tells one revision of a dataset from another: the commit on the Hub, or a digest of the files."""
    files = [str(file) for split in sorted(source.files) for file in source.files[split]]
    commits = {file.split("@", 1)[1].split("/", 1)[0] for file in files if file.startswith("hf://") and "@" in file}
    if len(commits) == 1:
        return commits.pop()
    digest = hashlib.sha256()
    for file in files:
        with Path(file).open("rb") as stream:
            digest.update(hashlib.file_digest(stream, "sha256").digest())
    return f"sha256:{digest.hexdigest()[:16]}"


def _without_fillers(names: pa.ChunkedArray) -> pa.ChunkedArray:
    filler = pc.fill_null(pc.match_substring_regex(names, FILLER), False)
    return pc.if_else(filler, pa.scalar(None, pa.string()), names)


def _check_ids(specimens: Specimens, data: str) -> None:
    codes = codes_of(specimens.column(PROCESSID))
    first = np.zeros(codes.max(initial=-1) + 1, np.intp)
    first[codes[::-1]] = np.arange(len(codes))[::-1]
    repeated = np.flatnonzero(first[codes] != np.arange(len(codes)))
    if len(repeated):
        place = int(repeated[0])
        raise Bioscan5mError(
            f"{data}: {specimens.name(place)} stands twice, first as {specimens.name(int(first[codes[place]]))} "
            f"({len(repeated)} such rows): a specimen counts once; build the dataset again"
        )
