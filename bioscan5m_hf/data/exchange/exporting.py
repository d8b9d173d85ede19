"""A dataset in the form of others: written beside and renamed, what is left out counted."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ...errors import OutputError
from ..statistics.count import is_invented
from ..writing import PART
from .fasta import HEADERS, write_fasta
from .formats import check_format
from .rows import Rows, open_rows
from .tables import write_bcdm, write_darwin_core
from .webdataset import write_webdataset


@dataclass(frozen=True)
class Exported:
    """What an export gave.

    Args:
        files: what was written.
        written: specimens.
        left_out: reason → specimens that were not.
    """

    files: list[Path]
    written: int
    left_out: dict[str, int]


def export(
    dataset: str | Path,
    out: str | Path,
    format: str,
    *,
    split: str = "all",
    within: Mapping[str, Sequence[str]] | None = None,
    revision: str | None = None,
) -> Exported:
    """Write specimens of a dataset in the form of others.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        out: file to write; a new folder for `webdataset`.
        format: name of `FORMATS`.
        split: splits, joined by `+`.
        within: rank → names that are let in.
        revision: branch, tag or commit on the Hub.

    Raises:
        ValueError: there is no such format, split or rank.
        Bioscan5mError: there is no such dataset.
        OutputError: the output folder is not empty.
    """
    form, out = check_format(format), Path(out)
    rows = open_rows(dataset, split, photographs=form.photographs, within=within, revision=revision)
    if form.folder:
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OutputError(f"{out} is not empty: name a new or empty folder")
    elif out.is_dir():
        raise OutputError(f"{out} is a folder: name a file, such as {out / format}")
    out.parent.mkdir(parents=True, exist_ok=True)
    beside = out.with_name(f".{out.name}{PART}")
    more = [out.with_name(f"{_stem(out)}.taxonomy.tsv")] if format == "fasta-qiime2" else []
    try:
        if form.folder:
            shutil.rmtree(beside, ignore_errors=True)
            beside.mkdir()
            written = write_webdataset(rows, beside)
        else:
            written = _write(rows, beside, more, format, dataset, revision)
        if form.folder and out.exists():
            out.rmdir()
        for path in more:
            os.replace(_beside(path), path)
        os.replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True) if beside.is_dir() else beside.unlink(missing_ok=True)
        for path in more:
            _beside(path).unlink(missing_ok=True)
    return Exported([out, *more], written, dict(rows.left_out))


def _write(
    rows: Rows, path: Path, more: Sequence[Path], format: str, dataset: str | Path, revision: str | None
) -> int:
    if format == "darwin-core":
        invented = bool(is_invented(dataset, revision))
        return write_darwin_core(rows, path, title=Path(dataset).name, invented=invented)
    with path.open("w", encoding="utf-8", newline="\n") as stream:
        if format == "bcdm":
            return write_bcdm(rows, stream)
        if not more:
            return write_fasta(rows, HEADERS[format], stream)
        with _beside(more[0]).open("w", encoding="utf-8", newline="\n") as names:
            return write_fasta(rows, HEADERS[format], stream, names)


def _beside(path: Path) -> Path:
    return path.with_name(f".{path.name}{PART}")


def _stem(path: Path) -> str:
    return path.name.removesuffix(path.suffix)
