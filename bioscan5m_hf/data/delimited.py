"""Tables as people have them: CSV, TSV and Parquet, read and written so that every cell stays as it stands."""

from __future__ import annotations

import codecs
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pv
import pyarrow.parquet as pq

from ..errors import OutputError, ReleaseError


DELIMITERS = {".csv": ",", ".tsv": "\t", ".txt": "\t"}
PARQUET = ".parquet"
_SEPARATORS = r"[\t\n\r]"
_ROWS_IN_ONE = r"(?s)\t.*\n|\n.*\t"
_ROWS, _HEADER = 1 << 16, 1 << 20


def ending(path: Path) -> str:
    """Give the ending that says what kind of table a file is, without that of gzip.

    Args:
        path: the file.

    Raises:
        OutputError: no table ends so.

    Examples:
        >>> ending(Path("specimens.tsv.gz"))
        '.tsv'
    """
    kind = path.with_suffix("").suffix if path.suffix == ".gz" else path.suffix
    if kind not in (*DELIMITERS, PARQUET) or (path.suffix == ".gz" and kind == PARQUET):
        allowed = ", ".join((*DELIMITERS, PARQUET))
        raise OutputError(f"{path}: unknown kind of table {path.suffix!r}: use one of {allowed}")
    return kind


def read_table(path: Path) -> pa.Table:
    """Read a table; of CSV and TSV all columns are texts.

    The delimiter is a comma, semicolon or tab, whichever the header has most of. Cells of a CSV may be quoted, and
    hold line breaks then. In a TSV a quote is a letter like any other, as in those of BOLD and GBIF; only where its
    rows are of different lengths that way, its cells are taken as quoted.

    Args:
        path: CSV or TSV with a header, either of them perhaps compressed with gzip, or Parquet.

    Raises:
        ReleaseError: the table cannot be read, or a column stands in it twice.
        OutputError: no table ends so.
    """
    kind = ending(path)
    if not path.is_file():
        raise ReleaseError("no such table", file=str(path))
    try:
        if kind == PARQUET:
            return pq.read_table(path, partitioning=None)
        delimiter = delimiter_of(path)
        _check_encoding(path)
        return _read_tsv(path) if delimiter == "\t" else _read_csv(path, delimiter)
    except (pa.ArrowInvalid, OSError, UnicodeDecodeError) as error:
        said = str(error).splitlines()[0]
        hint = "save it in UTF-8, such as `iconv -f LATIN1 -t UTF-8` does" if "UTF" in said else None
        raise ReleaseError(f"cannot be read as a table: {said}", file=str(path), hint=hint) from error


def delimiter_of(path: Path) -> str:
    """Tell what parts the cells of a CSV or TSV: what its header has most of, or what its ending says.

    Args:
        path: the file.
    """
    with pa.input_stream(path) as stream:
        first = bytes(stream.read(_HEADER)).partition(b"\n")[0].decode(errors="replace")
    found: str = max((DELIMITERS[ending(path)], *",;\t"), key=first.count)
    return found


def write_table(table: pa.Table, path: Path, delimiter: str | None = None) -> None:
    """Write a table in the form that the file's ending says, beside and renamed.

    Cells of a TSV are quoted where one of them holds a tab or a line break, and as they stand elsewhere.

    Args:
        table: the table.
        path: the file.
        delimiter: of a CSV; by default a comma.

    Raises:
        OutputError: a column is no text and the form has nothing else, or no table ends so.
    """
    kind = ending(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f"{path.name}.part")
    try:
        if kind == PARQUET:
            pq.write_table(table, beside)
        else:
            with pa.output_stream(beside, compression="gzip" if path.suffix == ".gz" else None) as stream:
                _write_texts(
                    _as_texts(table, path), stream, (delimiter if kind == ".csv" else None) or DELIMITERS[kind]
                )
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def _check_encoding(path: Path) -> None:
    with pa.input_stream(path) as stream:
        if bytes(stream.read(2)) in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE):
            hint = "save it in UTF-8, such as `iconv -f UTF-16 -t UTF-8` does"
            raise ReleaseError("is UTF-16", file=str(path), hint=hint)


def _read_csv(path: Path, delimiter: str, *, quoted: bool = True) -> pa.Table:
    parse = pv.ParseOptions(delimiter=delimiter, quote_char='"' if quoted else False, newlines_in_values=quoted)
    with pa.input_stream(path) as stream:
        header = pv.open_csv(stream, parse_options=parse).schema.names
    if len(set(header)) < len(header):
        raise ReleaseError(f"a column stands twice in {', '.join(header)}", file=str(path))
    convert = pv.ConvertOptions(column_types=dict.fromkeys(header, pa.string()), strings_can_be_null=False)
    with pa.input_stream(path) as stream:
        return pv.read_csv(stream, parse_options=parse, convert_options=convert)


def _read_tsv(path: Path) -> pa.Table:
    try:
        return _read_csv(path, "\t", quoted=False)
    except pa.ArrowInvalid as plain:
        try:
            table = _read_csv(path, "\t")
        except pa.ArrowInvalid:
            raise plain from None
        for name in table.column_names:
            if pc.any(pc.match_substring_regex(table[name], _ROWS_IN_ONE)).as_py():  # after a quote that nothing ends
                raise
        return table


def _as_texts(table: pa.Table, path: Path) -> pa.Table:
    columns = {}
    for name in table.column_names:
        try:
            columns[name] = table[name].cast(pa.large_string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise OutputError(
                f"{path}: column {name} of type {table[name].type} is no text: write a .parquet"
            ) from None
    return pa.table(columns)


def _write_texts(table: pa.Table, stream: pa.NativeFile, delimiter: str) -> None:
    names = pa.array(table.column_names, pa.large_string())
    if delimiter != "\t" or any(_needs_quotes(column) for column in (names, *table.columns)):
        options = pv.WriteOptions(delimiter=delimiter, quoting_style="needed", quoting_header="needed")
        pv.write_csv(table, stream, options)
        return
    stream.write(("\t".join(table.column_names) + "\n").encode())
    tab = pa.scalar("\t", pa.large_string())
    for batch in table.to_batches(max_chunksize=_ROWS):
        lines = pc.binary_join_element_wise(*(pc.fill_null(column, "") for column in batch.columns), tab)
        stream.write("".join(f"{line}\n" for line in lines.to_pylist()).encode())


def _needs_quotes(column: pa.Array | pa.ChunkedArray) -> bool:
    return bool(pc.any(pc.match_substring_regex(column, _SEPARATORS)).as_py())
