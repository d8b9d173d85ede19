"""One's own specimens as a release in the official form, so that every tool here works on them."""

from __future__ import annotations

import io
import itertools
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from ...errors import OutputError, ReleaseError
from ...partition import partition as partition_of
from ...splits import BY_NAME, SPLIT_NAMES, chunk
from ..archives import MAX_BYTES, check_jpeg
from ..checks import Rejection, shown, violations
from ..images.photographs import find_photographs, open_photograph
from ..keys import md5_keys
from ..kinds import Kind
from ..manifest import write_rejected
from ..packages import IMAGE_PACKAGES
from ..schema import COLUMN_NAMES, COLUMNS
from ..writing import PART, PhotographArchives, write_metadata
from .darwin_core import META, read_darwin_core
from .reading import FASTA, TABLES, Found, read_fasta, read_table
from .rows import deepest


JPEGS = (".jpg", ".jpeg")
REJECTED = "rejected.csv"
QUALITY = 95
"""Of a JPEG that is made from a photograph in another form."""

SCHEMA = pa.schema([pa.field(column.name, column.type) for column in COLUMNS])
TOGETHER = 20_000
"""Records that are typed and checked at a time: as texts they take some kilobytes each."""

FASTA_NOTE = "of FASTA headers only the ids are taken over: names come from a table"


@dataclass(frozen=True)
class Imported:
    """What an import gave.

    Args:
        specimens: records of the release.
        photographs: photographs of the release.
        rejected: what could not be taken over, and why; also in `rejected.csv` of the release.
        notes: what a reader should know.
    """

    specimens: int
    photographs: int
    rejected: list[Rejection] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def import_release(
    source: str | Path,
    release: str | Path,
    *,
    columns: Mapping[str, str] | None = None,
    photographs: str | Path | None = None,
    package: str = "original_full",
    split: str = "pretrain",
    partition: bool = False,
) -> Imported:
    """Write a release in the official form from specimens in another one.

    Args:
        source: a table (CSV or TSV, also `.gz`; BOLD's BCDM, ours, or any with `columns`), a Darwin Core archive (zip,
            or folder with `meta.xml`), or a folder of photographs, with FASTA files or without.
        release: folder to write; new or empty.
        columns: our columns → those of the table, or terms of the archive, where they are called otherwise.
        photographs: folder of photographs, each called by the processid.
        package: image package that the photographs become.
        split: split of records that say none.
        partition: assign all specimens to splits by the official procedure instead.

    Raises:
        ReleaseError: the source cannot be read, or nothing of it can be taken over.
        OutputError: the release folder is not empty.
        ValueError: there is no such split, package or column.
    """
    source, release = Path(source), Path(release)
    _check(release, split, package)
    folder = Path(photographs) if photographs is not None else source if source.is_dir() else None
    pictures, rejected = _pictures(folder) if folder is not None else ({}, [])
    records, alone = _records(source, columns or {}, pictures)
    read = _typed(records, split)
    table, notes = read.table, read.notes
    rejected += read.rejected
    if not len(table):
        first = f"; the first problem: {rejected[0].reason}" if rejected else ""
        raise ReleaseError(f"no specimen can be taken over{first}", file=str(source))
    table = _with_splits(table, partition)
    if photographs is not None:
        known = set(table["processid"].to_pylist())
        unknown = sorted(set(pictures) - known)
        rejected += [Rejection(str(pictures[name]), None, name, "a photograph without a record") for name in unknown]
    notes += alone
    beside = release.with_name(f".{release.name}{PART}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        write_metadata(beside, table, Kind.INVENTED if read.invented else Kind.OWN)
        count = _write_photographs(beside, package, table, pictures, rejected, notes)
        write_rejected(beside / REJECTED, rejected)
        if release.exists():
            release.rmdir()
        beside.rename(release)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return Imported(len(table), count, rejected, notes)


def _check(release: Path, split: str, package: str) -> None:
    if split not in SPLIT_NAMES:
        raise ValueError(f"unknown split {split!r}: use one of {', '.join(SPLIT_NAMES)}")
    if package not in IMAGE_PACKAGES:
        raise ValueError(f"unknown package {package!r}: use one of {', '.join(IMAGE_PACKAGES)}")
    if release.exists() and (not release.is_dir() or any(release.iterdir())):
        raise OutputError(f"{release} is not empty: name a new or empty folder")


def _records(
    source: Path, columns: Mapping[str, str], pictures: Mapping[str, Path]
) -> tuple[Iterator[Found], list[str]]:
    """Open the source by what it is."""
    if not source.exists():
        raise ReleaseError("there is no such file or folder", file=str(source))
    ending = _ending(source)
    if (source.is_dir() and (source / META).is_file()) or ending == ".zip":
        return read_darwin_core(source, columns), []
    if ending in TABLES and not source.is_dir():
        return read_table(source, columns), []
    if columns:
        raise ValueError("columns are named for tables and Darwin Core archives: FASTA and photographs have none")
    if source.is_dir():
        return _folder(source, pictures)
    if ending in FASTA:
        return read_fasta(source), [FASTA_NOTE]
    allowed = ", ".join((*TABLES, *FASTA, ".zip"))
    raise ReleaseError(f"unknown kind of file {ending!r}: use one of {allowed}, or a folder", file=str(source))


def _ending(path: Path) -> str:
    return (path.with_suffix("") if path.suffix == ".gz" else path).suffix.lower()


def _folder(source: Path, pictures: Mapping[str, Path]) -> tuple[Iterator[Found], list[str]]:
    """Put the barcodes of FASTA files and photographs together by their names."""
    others = [path for path, called in find_photographs(source) if not called]
    files = [path for path in others if _ending(path) in FASTA]
    found = [one for path in files for one in read_fasta(path)]
    if not found and not pictures:
        raise ReleaseError("a folder without photographs, FASTA files and meta.xml", file=str(source))
    named = {one.values.get("processid") for one in found}
    only = [Found(str(path), None, {"processid": name}) for name, path in pictures.items() if name not in named]
    notes = [FASTA_NOTE] if found else []
    if strangers := [path for path in others if path not in files]:
        notes.append(f"{len(strangers):,} files are neither photographs nor FASTA, such as {strangers[0]}")
    if only and found:
        notes.append(f"{len(only):,} photographs have no barcode, such as {only[0].values['processid']}")
    lonely = [name for name in named if name and name not in pictures]
    if lonely and pictures:
        notes.append(f"{len(lonely):,} barcodes have no photograph, such as {min(lonely)}")
    return iter([*found, *only]), notes


def _pictures(folder: Path) -> tuple[dict[str, Path], list[Rejection]]:
    """Find photographs by their stems; of several with one stem the first JPEG is taken, and the others are told."""
    if not folder.is_dir():
        raise ReleaseError("there is no such folder of photographs", file=str(folder))
    found: dict[str, Path] = {}
    rejected = []
    pictures = [path for path, called in find_photographs(folder) if called]
    for path in sorted(pictures, key=lambda path: path.suffix.lower() not in JPEGS):
        if path.stem in found:
            reason = f"a second photograph: there is {found[path.stem]}"
            rejected.append(Rejection(str(path), None, path.stem, reason))
        else:
            found[path.stem] = path
    return found, rejected


@dataclass(frozen=True)
class _Read:
    """What was read: good records in the types of the schema, the others, and what a reader should know."""

    table: pa.Table
    rejected: list[Rejection]
    notes: list[str]
    invented: bool


def _typed(records: Iterator[Found], split: str) -> _Read:
    """Type the records and check them by the rules of the builder, so many at a time."""
    rejected: list[Rejection] = []
    seen: dict[str, str] = {}
    tables = [SCHEMA.empty_table()]
    invented = False
    while some := list(itertools.islice(records, TOGETHER)):
        invented |= any(one.invented for one in some)
        tables.append(_checked(some, split, seen, rejected))
    table = pa.concat_tables(tables)
    without = table["dna_barcode"].null_count
    notes = [f"{without:,} specimens have no barcode"] if without else []
    return _Read(table, rejected, notes, invented)


def _checked(records: Iterable[Found], split: str, seen: dict[str, str], rejected: list[Rejection]) -> pa.Table:
    """Give the good ones of some records; remember their ids, and tell the others."""
    typed: list[dict[str, object]] = []
    places: list[tuple[str, int | None]] = []
    for one in records:
        values, problem = _convert(one)
        if problem:
            rejected.append(Rejection(one.file, one.row, one.values.get("processid"), problem))
            continue
        values["split"] = values.get("split") or split
        typed.append(values)
        places.append((one.file, one.row))
    table = _with_chunks(pa.Table.from_pylist(typed, schema=SCHEMA)).combine_chunks()
    wrong = violations(table, md5_keys(table["processid"].combine_chunks())) if typed else {}
    good = []
    for row, (values, place) in enumerate(zip(typed, places, strict=True)):
        processid = str(values["processid"])
        if row not in wrong and processid in seen:
            wrong[row] = f"the processid stands in {seen[processid]} already"
        if row in wrong:
            rejected.append(Rejection(*place, processid, wrong[row]))
        else:
            seen[processid] = f"row {place[1]}" if place[1] else place[0]
            good.append(row)
    return table.take(pa.array(good, pa.int64()))


def _convert(one: Found) -> tuple[dict[str, object], str]:
    """Give the values of a record in the types of the schema, or what is wrong with them."""
    if one.problem:
        return {}, one.problem
    if not one.values.get("processid"):
        return {}, "no processid"
    values: dict[str, object] = {}
    for column in COLUMNS:
        text = one.values.get(column.name)
        if text is None or column.name == "chunk":
            continue
        if pa.types.is_string(column.type):
            values[column.name] = text
            continue
        try:
            number = pa.scalar(text).cast(pa.float64())
        except pa.ArrowInvalid:
            return {}, f"{column.name} {shown(text)} is no number"
        try:
            values[column.name] = number.cast(column.type).as_py()
        except pa.ArrowInvalid:
            return {}, f"{column.name} {shown(text)} is no whole number from {_range(column.type)}"
    values["dna_barcode"] = str(values["dna_barcode"]).upper() if values.get("dna_barcode") else None
    values.setdefault("inferred_ranks", 0)
    found = deepest(values)
    if found:
        values.setdefault("taxon", found[1])
    return values, ""


def _range(kind: pa.DataType) -> str:
    return "0 to 255" if kind == pa.uint8() else "-2⁶³ to 2⁶³"


def _with_splits(table: pa.Table, partition: bool) -> pa.Table:
    if not partition:
        return table
    names = partition_of(table["species"], table["genus"], table["dna_barcode"])
    place = COLUMN_NAMES.index("split")
    return _with_chunks(table.set_column(place, table.schema.field(place), pa.array(names)))


def _with_chunks(table: pa.Table) -> pa.Table:
    pairs = zip(table["processid"].to_pylist(), table["split"].to_pylist(), strict=True)
    chunks = [chunk(processid, split) if split in BY_NAME else None for processid, split in pairs]
    place = COLUMN_NAMES.index("chunk")
    return table.set_column(place, table.schema.field(place), pa.array(chunks, pa.string()))


def _write_photographs(
    folder: Path,
    package: str,
    table: pa.Table,
    pictures: Mapping[str, Path],
    rejected: list[Rejection],
    notes: list[str],
) -> int:
    """Store the photographs; one that is no JPEG becomes one, and one that cannot be read is told."""
    written = made = 0
    with PhotographArchives(folder, package) as archives:
        for processid, split in zip(table["processid"].to_pylist(), table["split"].to_pylist(), strict=True):
            if processid not in pictures:
                continue
            path = pictures[processid]
            try:
                data = _content(path)
                if not data.startswith(b"\xff\xd8"):
                    data, made = _jpeg(data), made + 1
                check_jpeg(data, path.name)
            except (OSError, ValueError, ReleaseError) as error:
                reason = error.message if isinstance(error, ReleaseError) else str(error)
                rejected.append(Rejection(str(path), None, processid, f"the photograph cannot be read: {reason}"))
                continue
            archives.add(split, processid, data)
            written += 1
    if made:
        notes.append(f"{made:,} photographs were made JPEGs of quality {QUALITY}")
    return written


def _content(path: Path) -> bytes:
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"{path.stat().st_size:,} bytes: no photograph")
    return path.read_bytes()


def _jpeg(data: bytes) -> bytes:
    made = io.BytesIO()
    open_photograph(data).save(made, "JPEG", quality=QUALITY)
    return made.getvalue()
