"""Files of barcodes: FASTA, CSV, TSV and Parquet, read in blocks of bounded size, order kept."""

from __future__ import annotations

import csv
import gzip
import itertools
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import ReleaseError
from ..taxonomy import LABELS


PROCESSID, BARCODE = "processid", "dna_barcode"
ID_NAMES = (PROCESSID, "process_id", "record_id", "id", "seqid")
BARCODE_NAMES = (BARCODE, "barcode", "nucleotides", "nuc", "nucraw", "sequence", "seq")
"""Headers that are understood, the first that is there; `nucleotides` and `nuc` are those of BOLD's own tables."""

ROWS = 8192
MAX_LETTERS = 100_000
"""A COI barcode has about 658 letters and a mitochondrial genome 16,000: what is longer was put in by mistake."""

_LINE = 1 << 16


class SequenceFileError(ReleaseError, ValueError):
    """A file of barcodes cannot be read; says where, with file, row (1 is the first record) and record id."""


@dataclass(frozen=True)
class Format:
    """One kind of file.

    Args:
        name: what it is called.
        suffixes: how its names end, without a `.gz` that may follow.
        read: gives record batches of a path, the labels that are wanted, the rows of a batch, and whether a column
            of barcodes is needed.
    """

    name: str
    suffixes: tuple[str, ...]
    read: Callable[[Path, Sequence[str], int, bool], Iterator[pa.RecordBatch]]


def read_sequences(
    path: str | Path, *, labels: Sequence[str] = (), rows: int = ROWS, barcodes: bool = True
) -> Iterator[pa.RecordBatch]:
    r"""Read a file of barcodes in blocks.

    Sequences are given as they stand in the file, only without the line breaks of FASTA: lower case, gaps and
    letters that are no nucleotides are for `dna.clean` and `dna.check`. A record without sequence is an empty string.

    Args:
        path: a `.fasta`, `.fa`, `.fas`, `.fna`, `.csv` or `.tsv` file, each also with `.gz`, or a `.parquet` file.
            In FASTA the id is the first word after `>`, and labels may follow it as `order=Diptera;genus=Megaselia`.
            In tables the columns are `processid` and `dna_barcode`, or one of their other usual names.
        labels: ranks (or `dna_bin`) to give as well, or other columns of text; of floating numbers, too, which become
            text.
        rows: the most rows of a batch.
        barcodes: a table must have a column of barcodes.

    Yields:
        Record batches with the string columns `processid`, `dna_barcode` and `labels`; null where a label is missing.

    Raises:
        SequenceFileError: no such file, a file of another kind, damaged, or without any record.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     path = Path(folder) / "reads.fasta"
        ...     _ = path.write_text(">A1 genus=Apis\nACGT\nACG\n>A2\n")
        ...     [batch.to_pylist() for batch in read_sequences(path, labels=["genus"])][0][0]
        {'processid': 'A1', 'dna_barcode': 'ACGTACG', 'genus': 'Apis'}
    """
    path = Path(path)
    if not path.is_file():
        raise SequenceFileError("there is no such file", file=str(path), hint="name a FASTA, CSV, TSV or Parquet file")
    total = 0
    try:
        for batch in format_of(path).read(path, tuple(labels), rows, barcodes):
            total += len(batch)
            if len(batch):
                yield batch
    except UnicodeDecodeError as error:
        raise SequenceFileError(
            f"holds bytes that are no UTF-8 text ({error.reason})", file=str(path), hint="save it as UTF-8"
        ) from error
    except (EOFError, gzip.BadGzipFile, pa.ArrowInvalid) as error:
        raise SequenceFileError(f"is damaged ({error})", file=str(path), hint="make or copy it again") from error
    if not total:
        raise SequenceFileError("holds no record", file=str(path), hint="give a file with at least one barcode")


def format_of(path: Path) -> Format:
    """Tell the kind of a file by its name.

    Raises:
        SequenceFileError: the name ends otherwise.

    Examples:
        >>> format_of(Path("reads.FA.gz")).name
        'FASTA'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes[-1:] == [".gz"]:
        suffixes.pop()
    for known in FORMATS:
        if suffixes and suffixes[-1] in known.suffixes:
            return known
    endings = ", ".join(itertools.chain.from_iterable(known.suffixes for known in FORMATS))
    raise SequenceFileError("is of no known kind", file=str(path), hint=f"its name must end in one of {endings}")


def count_records(path: Path) -> int | None:
    """Count the records of a Parquet file by its footer; None for files that would have to be read."""
    return int(pq.read_metadata(path).num_rows) if format_of(path).name == "Parquet" else None


@dataclass(frozen=True)
class _Record:
    row: int
    identity: str
    barcode: str
    labels: dict[str, str]


def _read_fasta(path: Path, labels: Sequence[str], rows: int, barcodes: bool) -> Iterator[pa.RecordBatch]:
    with _open_text(path) as stream:
        yield from _batches(_fasta_records(stream, str(path)), path, labels, rows)


def _fasta_records(stream: IO[str], file: str) -> Iterator[_Record]:
    pieces: list[str] = []
    header, letters, row = "", 0, 0
    for line in iter(lambda: stream.readline(_LINE), ""):
        text = line.strip()
        if text.startswith(">"):
            if row:
                yield _fasta_record(row, header, pieces)
            header, pieces, letters, row = text[1:], [], 0, row + 1
        elif text and not row:
            hint = "FASTQ has to be turned into FASTA first" if text.startswith("@") else "is it of another kind?"
            raise SequenceFileError(f"begins with {text[:20]!r}, not with '>'", file=file, hint=hint)
        elif text:
            pieces.append(text)
            letters += len(text)
            if letters > MAX_LETTERS:
                raise _too_long(file, row, header.split()[0] if header else None)
    if row:
        yield _fasta_record(row, header, pieces)


def _fasta_record(row: int, header: str, pieces: list[str]) -> _Record:
    identity, _, description = header.strip().partition(" ")
    pairs = re.findall(rf"\b({'|'.join(LABELS)})=([^;|]*)", description)
    return _Record(row, identity, "".join(pieces), {rank: name.strip() for rank, name in pairs})


def _read_csv(path: Path, labels: Sequence[str], rows: int, barcodes: bool) -> Iterator[pa.RecordBatch]:
    yield from _read_delimited(path, labels, rows, ",", barcodes)


def _read_tsv(path: Path, labels: Sequence[str], rows: int, barcodes: bool) -> Iterator[pa.RecordBatch]:
    yield from _read_delimited(path, labels, rows, "\t", barcodes)


def _read_delimited(
    path: Path, labels: Sequence[str], rows: int, delimiter: str, barcodes: bool
) -> Iterator[pa.RecordBatch]:
    with _open_text(path) as stream:
        yield from _batches(_delimited_records(stream, str(path), labels, delimiter, barcodes), path, labels, rows)


def _delimited_records(
    stream: IO[str], file: str, labels: Sequence[str], delimiter: str, barcodes: bool
) -> Iterator[_Record]:
    reader = csv.reader(stream, delimiter=delimiter)
    header = next(reader, [])
    if not header:
        return
    identity, barcode = _columns(header, file, barcodes)
    places = {name: header.index(name) for name in labels if name in header}
    row = 0
    try:
        for cells in reader:
            if not cells:
                continue
            row += 1
            if len(cells) != len(header):
                raise SequenceFileError(
                    f"has {len(cells)} cells, and the header {len(header)}", file=file, row=row, hint="mend that line"
                )
            given = {name: cells[place] for name, place in places.items()}
            sequence = "" if barcode is None else cells[header.index(barcode)]
            yield _Record(row, cells[header.index(identity)], sequence, given)
    except csv.Error as error:
        raise SequenceFileError(str(error), file=file, row=row + 1, hint="mend that line") from error


def _read_parquet(path: Path, labels: Sequence[str], rows: int, barcodes: bool) -> Iterator[pa.RecordBatch]:
    with pq.ParquetFile(path) as table:
        names = table.schema_arrow.names
        identity, barcode = _columns(names, str(path), barcodes)
        present = [name for name in labels if name in names]
        needed = [identity] if barcode is None else [identity, barcode]
        row = 0
        for batch in table.iter_batches(rows, columns=list(dict.fromkeys([*needed, *present]))):
            texts = [_as_text(batch.column(name), name, path, name not in needed) for name in (*needed, *present)]
            _check_ids(texts[0], row, path)
            given = dict(zip(present, texts[len(needed) :], strict=True))
            missing = pa.nulls(len(batch), pa.string())
            sequences = missing if barcode is None else texts[1]
            yield pa.record_batch(
                [texts[0], sequences.fill_null(""), *(given.get(name, missing) for name in labels)],
                names=[PROCESSID, BARCODE, *labels],
            )
            row += len(batch)


def _as_text(column: pa.Array, name: str, path: Path, numbers: bool) -> pa.Array:
    value = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    if numbers and pa.types.is_floating(value):
        return column.cast(pa.string())
    if not (pa.types.is_string(value) or pa.types.is_large_string(value) or pa.types.is_null(value)):
        raise SequenceFileError(f"column {name!r} is of type {value}", file=str(path), hint="it must be text")
    return column.cast(pa.string())


def _check_ids(ids: pa.Array, before: int, path: Path) -> None:
    for place, identity in enumerate(ids.to_pylist(), 1):
        if not identity:
            raise _no_id(str(path), before + place)


def _batches(records: Iterator[_Record], path: Path, labels: Sequence[str], rows: int) -> Iterator[pa.RecordBatch]:
    file = str(path)
    schema = pa.schema([(name, pa.string()) for name in (PROCESSID, BARCODE, *labels)])
    while block := list(itertools.islice(records, rows)):
        for record in block:
            if not record.identity.strip():
                raise _no_id(file, record.row)
            if len(record.barcode) > MAX_LETTERS:
                raise _too_long(file, record.row, record.identity)
        columns: list[list[str | None]] = [
            [record.identity for record in block],
            [record.barcode for record in block],
            *([record.labels.get(name) or None for record in block] for name in labels),
        ]
        yield pa.record_batch([pa.array(values, pa.string()) for values in columns], schema=schema)


def _columns(header: Sequence[str], file: str, barcodes: bool) -> tuple[str, str | None]:
    """Find the columns of ids and barcodes; the latter may be absent where none is needed."""
    found = []
    for what, names, needed in (("record ids", ID_NAMES, True), ("barcodes", BARCODE_NAMES, barcodes)):
        name = next((name for name in names if name in header), None)
        if name is None and needed:
            raise SequenceFileError(
                f"has no column of {what} among {', '.join(map(repr, header[:10]))}",
                file=file,
                hint=f"call it {names[0]!r} (or one of {', '.join(names[1:])})",
            )
        found.append(name)
    return str(found[0]), found[1]


def _too_long(file: str, row: int, identity: str | None) -> SequenceFileError:
    return SequenceFileError(
        f"a sequence of more than {MAX_LETTERS:,} letters is no barcode",
        file=file,
        row=row,
        processid=identity,
        hint="cut the barcode region out, or leave the record out",
    )


def _no_id(file: str, row: int) -> SequenceFileError:
    return SequenceFileError("a record without id", file=file, row=row, hint="give every record an id")


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    opened: Any = gzip.open if path.suffix.lower() == ".gz" else open
    with opened(path, "rt", encoding="utf-8-sig", newline="") as stream:
        yield stream


FORMATS = (
    Format("FASTA", (".fasta", ".fa", ".fas", ".fna", ".ffn"), _read_fasta),
    Format("CSV", (".csv",), _read_csv),
    Format("TSV", (".tsv", ".tab"), _read_tsv),
    Format("Parquet", (".parquet",), _read_parquet),
)
