"""What barcodes come from: a split of a dataset, or a file of one's own; both as one stream of records."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from ..data.sources import METADATA, Source, open_source, read_tables
from ..dna.arrays import content
from ..errors import Bioscan5mError
from ..taxonomy import FILLER
from .files import BARCODE, PROCESSID, ROWS, count_records, read_sequences


@dataclass(frozen=True)
class Input:
    """Records with barcodes.

    Args:
        name: the dataset or file, as it was given.
        split: the split expression; None for a file.
        source: the opened dataset; None for a file.
    """

    name: str
    split: str | None = None
    source: Source | None = None

    def batches(self, *, labels: Sequence[str] = (), rows: int = ROWS) -> Iterator[pa.RecordBatch]:
        """Give the records in their order: `processid`, `dna_barcode` (never null) and `labels`, all strings.

        A filler (`unassigned Sciaridae`) stands for a missing label and is given as null.

        Args:
            labels: ranks (or `dna_bin`) to give as well.
            rows: the most rows of a batch.
        """
        for batch in self._read(labels, rows):
            texts = [batch.column(name).cast(pa.string()) for name in batch.schema.names]
            texts[1] = pc.fill_null(texts[1], "")
            texts[2:] = [without_fillers(names) for names in texts[2:]]
            yield pa.record_batch(texts, names=batch.schema.names)

    def _read(self, labels: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
        if self.source is None:
            yield from read_sequences(self.name, labels=labels, rows=rows)
            return
        columns = [PROCESSID, BARCODE, *labels]
        for file in self._files(self.source):
            for table in read_tables(file, columns):
                yield from table.select(columns).combine_chunks().to_batches(rows)

    def count(self) -> int | None:
        """Tell the number of records, where it is known without reading them."""
        if self.source is None:
            return count_records(Path(self.name))
        counts = [self.source.rows.get(split) for split in self._splits(self.source)]
        return None if None in counts else sum(filter(None, counts))

    def identity(self) -> str:
        """Give a digest that changes when the records may have changed: of names, sizes and dates of the files."""
        if self.source is None:
            path = Path(self.name).resolve()
            seen: list[object] = [str(path), path.stat().st_size, path.stat().st_mtime_ns]
        else:
            splits = self._splits(self.source)
            origins = [getattr(self.source.files[split], "origin_metadata", None) for split in splits]
            seen = [self.source.path, splits, self._files(self.source), origins]
        return hashlib.sha256(json.dumps(seen, default=str).encode()).hexdigest()[:32]

    def parts(self) -> list[Input]:
        """Give each split of a dataset by itself; a file is one part."""
        return [self] if self.source is None else [replace(self, split=name) for name in self._splits(self.source)]

    def fingerprint(self, labels: Sequence[str] = ()) -> str:
        r"""Give a digest of what the records say, in their order, wherever they lie.

        Args:
            labels: ranks (or `dna_bin`) that count as well.

        Examples:
            >>> from tempfile import TemporaryDirectory
            >>> with TemporaryDirectory() as folder:
            ...     one, other = Path(folder) / "one.fasta", Path(folder) / "other.csv"
            ...     _ = one.write_text(">A1 genus=Apis\nACGT\n"), other.write_text("id,seq,genus\nA1,ACGT,Apis\n")
            ...     digests = [Input(str(path)).fingerprint(["genus"]) for path in (one, other)]
            >>> digests[0] == digests[1], len(digests[0])
            (True, 16)
        """
        digest = hashlib.sha256()
        end, tab = pa.scalar("\n", pa.large_string()), pa.scalar("\t", pa.large_string())
        for batch in self.batches(labels=labels):
            columns = [column.cast(pa.large_string()) for column in batch.columns]
            lines = pc.binary_join_element_wise(*columns, end, tab, null_handling="replace", null_replacement="")
            data, ends = content(lines)
            digest.update(data[ends[0] : ends[-1]].data)
        return digest.hexdigest()[:16]

    def _splits(self, source: Source) -> tuple[str, ...]:
        return source.choose_splits(self.split or "all")

    def _files(self, source: Source) -> list[str]:
        return [str(file) for split in self._splits(source) for file in source.files[split]]


def open_input(path: str | Path, split: str | None = None, *, revision: str | None = None) -> Input:
    """Open a file of barcodes, or a dataset.

    Args:
        path: a FASTA, CSV, TSV or Parquet file; or a dataset folder, a Hub id, or a name in the prepared cache.
        split: splits of the dataset, joined by `+`; by default all it has. A file has none.
        revision: branch, tag or commit of a dataset on the Hub.

    Raises:
        ValueError: a split of a file, or one that the dataset lacks.
        Bioscan5mError: there is neither such a file nor such a dataset.
    """
    from datasets.exceptions import DatasetNotFoundError

    if Path(path).is_file():
        if split is not None:
            raise ValueError(f"{path} is a file, which has no split {split!r}: leave the split out")
        return Input(str(path))
    try:
        source = open_source(path, METADATA, revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no file and no dataset {path}: name a FASTA, CSV, TSV or Parquet file, a dataset folder, or a "
            "repository on the Hub"
        ) from error
    opened = Input(str(path), split or "all", source)
    source.choose_splits(opened.split or "all")
    return opened


def without_fillers(names: pa.Array | pa.ChunkedArray) -> pa.Array | pa.ChunkedArray:
    """Give null for fillers, which stand for missing labels.

    Examples:
        >>> without_fillers(pa.array(["unassigned Sciaridae", "Apinae", None])).to_pylist()
        [None, 'Apinae', None]
    """
    filler = pc.fill_null(pc.match_substring_regex(names, FILLER), False)
    return pc.if_else(filler, pa.scalar(None, pa.string()), names)
