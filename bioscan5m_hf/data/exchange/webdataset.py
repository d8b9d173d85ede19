"""WebDataset: tars of photographs with captions, as the trainer of open_clip reads them."""

from __future__ import annotations

import io
import itertools
import json
import tarfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...taxonomy import RANKS
from ..kinds import Kind
from ..schema import COLUMN_NAMES, IMAGE
from .rows import Row, Rows


SHARD = 10_000
"""Specimens of a tar."""

README = "README.txt"
_INVENTED = "Everything in these tars is invented: names, barcodes, places, sizes and pictures.\n"

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

    A key is the process id with `~` for dots, since a key ends at the first one. JPEG bytes are those of the dataset.

    Args:
        rows: the specimens, with photographs.
        folder: an empty one.
        shard: specimens of a tar.

    Returns:
        How many were written.
    """
    sizes: dict[str, int] = {}
    captioned = _captioned(rows)
    for first in captioned:
        name = f"{len(sizes):06d}.tar"
        sizes[name] = 0
        with tarfile.open(folder / name, "w", format=tarfile.GNU_FORMAT) as tar:
            for row in itertools.chain([first], itertools.islice(captioned, shard - 1)):
                for ending, data in _files(row).items():
                    _add(tar, f"{key(row['processid'])}.{ending}", data)
                sizes[name] += 1
    (folder / "sizes.json").write_text(json.dumps(sizes, indent=1) + "\n", encoding="utf-8")
    if rows.kind is Kind.INVENTED:
        (folder / README).write_text(_INVENTED, encoding="utf-8")
    return sum(sizes.values())


def key(processid: str) -> str:
    """Give the key of a specimen, which holds no dot; no two process ids have the same.

    Examples:
        >>> key("A.1-20")
        'A~1-20'
    """
    return processid.replace(".", "~")


def _captioned(rows: Rows) -> Iterator[Row]:
    for row in rows:
        if not (row.get(IMAGE) or {}).get("bytes"):
            rows.left_out["without a photograph"] += 1
        elif not caption(row):
            rows.left_out["without a name for a caption"] += 1
        else:
            yield row


def _files(row: Row) -> dict[str, bytes]:
    known = {name: row[name] for name in COLUMN_NAMES if row.get(name) is not None}
    known |= {"invented": True} if row["invented"] else {}
    about = json.dumps(known, ensure_ascii=False, sort_keys=True).encode()
    return {"jpg": row[IMAGE]["bytes"], "txt": caption(row).encode(), "json": about}


def _add(tar: tarfile.TarFile, name: str, data: bytes) -> None:
    info = tarfile.TarInfo(name)  # without date and owner, so that equal content gives equal bytes
    info.size, info.mode = len(data), 0o644
    tar.addfile(info, io.BytesIO(data))
