"""WebDataset: tars of photographs with captions, as the trainer of open_clip reads them."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...taxonomy import RANKS
from ..schema import COLUMN_NAMES, IMAGE
from .rows import Rows


SHARD = 10_000
"""Specimens of a tar."""

CAPTIONED = RANKS[RANKS.index("class") :]


def caption(row: Mapping[str, Any]) -> str:
    """Give the names of a specimen from class to species, as far as they are known.

    Examples:
        >>> caption({"class": "Insecta", "order": "Diptera", "genus": None})
        'Insecta Diptera'
    """
    return " ".join(row[rank] for rank in CAPTIONED if row.get(rank))


def write_webdataset(rows: Rows, folder: Path, shard: int = SHARD) -> int:
    """Write `NNNNNN.tar` and `sizes.json`; each specimen has `.jpg`, `.txt` (its names) and `.json` (all columns).

    A key is the process id with `_` for dots, since a key ends at the first one. JPEG bytes are those of the dataset.

    Args:
        rows: the specimens, with photographs.
        folder: an empty one.
        shard: specimens of a tar.

    Returns:
        How many were written.
    """
    sizes: dict[str, int] = {}
    for number, some in enumerate(_shards(rows, shard)):
        name = f"{number:06d}.tar"
        with tarfile.open(folder / name, "w", format=tarfile.USTAR_FORMAT) as tar:
            for row in some:
                for ending, data in _files(row).items():
                    _add(tar, f"{row['processid'].replace('.', '_')}.{ending}", data)
        sizes[name] = len(some)
    (folder / "sizes.json").write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")
    return sum(sizes.values())


def _shards(rows: Rows, shard: int) -> Iterator[list[dict[str, Any]]]:
    some: list[dict[str, Any]] = []
    for row in rows:
        if not (row.get(IMAGE) or {}).get("bytes"):
            rows.leave_out("without a photograph")
        elif not caption(row):
            rows.leave_out("without a name")
        else:
            some.append(row)
        if len(some) == shard:
            yield some
            some = []
    if some:
        yield some


def _files(row: Mapping[str, Any]) -> dict[str, bytes]:
    known = {name: row[name] for name in COLUMN_NAMES if row.get(name) is not None}
    about = json.dumps(known, ensure_ascii=False, sort_keys=True).encode()
    return {"jpg": row[IMAGE]["bytes"], "txt": caption(row).encode(), "json": about}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # without date and owner, so that equal content gives equal bytes
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))
