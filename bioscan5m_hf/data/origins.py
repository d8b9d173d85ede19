"""Which row of the metadata file each record of a folder came from: for messages, which must name it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from .manifest import FOLDER, Manifest


class Origin(NamedTuple):
    """Where the records of a split came from.

    Args:
        file: the metadata file (and, after `!`, the member of an archive).
        rows: row in it of each record in shard order, 1 for the first specimen; uint32, shape (n,).
    """

    file: str
    rows: npt.NDArray[np.uint32]


def write_origin(folder: Path, split: str, origin: Origin) -> None:
    """Keep where a split's records came from beside the manifest.

    Args:
        folder: the dataset folder.
        split: official split name.
        origin: their file and rows.
    """
    path = _path(folder, split)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.part")
    try:
        with beside.open("wb") as stream:
            np.savez(stream, name=np.array(origin.file), rows=origin.rows)
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)


def read_origin(state: Manifest, split: str) -> Origin | None:
    """Read what `write_origin` kept; None where a folder has nothing of the kind.

    Args:
        state: the manifest of the folder.
        split: official split name.
    """
    path = _path(state.folder, split)
    if not path.exists():
        return None
    with np.load(path, allow_pickle=False) as kept:
        return Origin(str(kept["name"]), kept["rows"])


def _path(folder: Path, split: str) -> Path:
    return folder / FOLDER / "rows" / f"{split}.npz"
