"""A dataset in the form of others: written beside and renamed, what is left out counted."""

from __future__ import annotations

import gzip
import io
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from ...errors import OutputError
from ..schema import COLUMN_NAMES, IMAGE
from ..writing import PART
from .fasta import COLUMNS, HEADERS, write_fasta
from .formats import check_format
from .rows import Rows, open_rows
from .tables import write_bcdm, write_darwin_core
from .webdataset import SHARD, write_webdataset


GZIP = ".gz"


@dataclass(frozen=True)
class Exported:
    """What an export gave.

    Args:
        files: what was written.
        written: specimens.
        left_out: reason → specimens that were not.
        changed: what the format made some lose → specimens that did.
    """

    files: list[Path]
    written: int
    left_out: dict[str, int]
    changed: dict[str, int] = field(default_factory=dict)


def export(
    dataset: str | Path,
    out: str | Path,
    format: str,
    *,
    split: str = "all",
    within: Mapping[str, Sequence[str]] | None = None,
    revision: str | None = None,
    shard: int = SHARD,
    rights: str = "",
    address: str = "",
) -> Exported:
    """Write specimens of a dataset in the form of others, a row group at a time.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        out: file to write, compressed where FASTA or BCDM ends in `.gz`; a new folder for `webdataset`.
        format: name of `FORMATS`.
        split: splits, joined by `+`.
        within: rank → names that are let in.
        revision: branch, tag or commit on the Hub.
        shard: specimens of a tar of `webdataset`.
        rights: holder and licence for `darwin-core`; those of BIOSCAN-5M where it is empty and the specimens are its.
        address: of photographs on the web, for `darwin-core`: see `terms.multimedia`.

    Raises:
        ValueError: there is no such format, split or rank, or the address is none.
        Bioscan5mError: there is no such dataset.
        OutputError: the output folder is not empty, or nothing can be written.
    """
    form, out = check_format(format), Path(out)
    if shard < 1:
        raise ValueError(f"{shard} specimens of a tar: use 1 or more")
    wanted = (*COLUMN_NAMES, IMAGE) if form.photographs else COLUMNS if format in HEADERS else COLUMN_NAMES
    rows = open_rows(dataset, split, columns=wanted, within=within, revision=revision)
    if form.folder and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise OutputError(f"{out} is not empty: name a new or empty folder")
    if not form.folder and out.is_dir():
        raise OutputError(f"{out} is a folder: name a file, such as {out / format}")
    out.parent.mkdir(parents=True, exist_ok=True)
    files = [out]
    if format in HEADERS and HEADERS[format].taxonomy is not None:
        files.append(out.with_name(f"{out.name.removesuffix(GZIP).rpartition('.')[0] or out.name}.taxonomy.tsv"))
    try:
        if form.folder:
            _remove(_beside(out))
            _beside(out).mkdir()
            written = write_webdataset(rows, _beside(out), shard)
        elif format == "darwin-core":
            written = write_darwin_core(rows, _beside(out), title=_title(dataset), rights=rights, address=address)
        else:
            written = _write_texts(rows, format, files)
        if not written:
            reasons = ", ".join(f"{count:,} {reason}" for reason, count in rows.left_out.items())
            raise OutputError(f"{out}: no specimen can be written ({reasons or 'none is chosen'})")
        if form.folder and out.exists():
            out.rmdir()
        for path in reversed(files):
            os.replace(_beside(path), path)
    finally:
        for path in files:
            _remove(_beside(path))
    return Exported(files, written, dict(rows.left_out), dict(rows.changed))


def _write_texts(rows: Rows, format: str, files: Sequence[Path]) -> int:
    with ExitStack() as stack:
        streams = [stack.enter_context(_create(path)) for path in files]
        return write_bcdm(rows, streams[0]) if format == "bcdm" else write_fasta(rows, HEADERS[format], *streams)


@contextmanager
def _create(path: Path) -> Iterator[IO[str]]:
    with ExitStack() as stack:
        binary: Any = stack.enter_context(_beside(path).open("wb"))
        if path.name.endswith(GZIP):  # without name and date, so that equal content gives equal bytes
            binary = stack.enter_context(gzip.GzipFile("", "wb", 6, binary, mtime=0))
        yield stack.enter_context(io.TextIOWrapper(binary, encoding="utf-8", newline="\n"))


def _title(dataset: str | Path) -> str:
    return Path(dataset).resolve().name if Path(dataset).is_dir() else str(dataset)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _remove(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
