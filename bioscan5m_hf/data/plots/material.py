"""Specimens with photographs for pictures: those of the sample, or of the first shards; and boxes on originals."""

from __future__ import annotations

import io
import itertools
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from PIL import Image

from ..packages import IMAGE_PACKAGES, SAMPLE
from ..schema import IMAGE
from ..selection import PROCESSID
from ..sources import METADATA, open_source, read_tables


FIRST = 400
"""Specimens that are looked at where a dataset has no sample."""

BOXES = 8
"""Photographs whose boxes are drawn."""


def with_photographs(dataset: str | Path, wanted: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read some specimens with their photographs; without them where the dataset has none.

    Args:
        dataset: dataset folder, or repository on the Hub.
        wanted: process ids that must be among them, where the dataset has them.
    """
    from datasets import get_dataset_config_names

    configs = get_dataset_config_names(str(dataset))
    package = next((name for name in (*IMAGE_PACKAGES, METADATA) if name in configs), None)
    first = SAMPLE if SAMPLE in configs else package
    if first is None or package is None:
        return []
    rows = list(itertools.islice(_rows(dataset, first), FIRST))
    missing = set(wanted) - {row.get(PROCESSID) for row in rows}
    return [*rows, *find_rows(dataset, package, missing)]


def find_rows(dataset: str | Path, config: str, wanted: Collection[str]) -> Iterator[dict[str, Any]]:
    """Read the specimens of certain process ids; of all others, nothing but these is read.

    Args:
        dataset: dataset folder, or repository on the Hub.
        config: name of the config.
        wanted: process ids; those that the dataset lacks are left out, which are all where it has no such column.

    Yields:
        Rows in the order of the shards, with the bytes of their photographs.
    """
    missing = set(wanted)
    for file in _files(dataset, config):
        for group, table in enumerate(read_tables(file, [PROCESSID])):
            if PROCESSID not in table.column_names:
                break
            here = missing.intersection(table[PROCESSID].to_pylist())
            if here:
                mask = pc.is_in(table[PROCESSID], value_set=pa.array(sorted(here)))
                yield from _group(file, group).filter(mask).to_pylist()
                missing -= here
            if not missing:
                return


def _group(file: str, group: int) -> pa.Table:
    if file.endswith(".arrow"):  # of the prepared cache, mapped to memory
        return next(itertools.islice(read_tables(file), group, None))
    return next(read_tables(file, None, [group]))


def _rows(dataset: str | Path, config: str) -> Iterator[dict[str, Any]]:
    for file in _files(dataset, config):
        for table in read_tables(file):
            yield from table.to_pylist()


def _files(dataset: str | Path, config: str) -> list[str]:
    source = open_source(dataset, config)
    return [str(file) for split in source.choose_splits("all") for file in source.files[split]]


def masks_of(folder: str | Path, photographs: Iterable[tuple[str, Any, Any]]) -> list[NDArray[np.bool_] | None]:
    """Read the masks of photographs: pictures called PROCESSID.png, black where there is no specimen.

    Args:
        folder: of masks.
        photographs: process id, photograph as it is in a dataset, and box of each.

    Returns:
        A mask for each photograph, of its height and width; None where the folder has none.

    Raises:
        ValueError: a mask cannot be read, or has another size than its photograph; or the folder has none of them.
    """
    found: list[NDArray[np.bool_] | None] = []
    names = []
    for processid, photograph, _ in photographs:
        path = Path(folder) / f"{processid}.png"
        names.append(path.name)
        if not path.is_file():
            found.append(None)
            continue
        try:
            with Image.open(path) as picture, Image.open(io.BytesIO(photograph["bytes"])) as whole:
                mask, size = np.asarray(picture.convert("L")) > 0, whole.size
        except OSError as error:
            raise ValueError(f"{path} cannot be read as a mask: {error}") from error
        if mask.shape[::-1] != size:
            sizes = "×".join(map(str, mask.shape[::-1])), "×".join(map(str, size))
            raise ValueError(
                f"{path} has {sizes[0]} pixels, its photograph {sizes[1]}: a mask has those of the original"
            )
        found.append(mask)
    if not any(mask is not None for mask in found):
        raise ValueError(f"{folder} has no mask of the photographs that are drawn, such as {', '.join(names[:3])}")
    return found


def originals_with_boxes(
    dataset: str | Path, boxes: Mapping[str, Sequence[float]], count: int = BOXES
) -> list[tuple[str, Any, Sequence[float] | None]]:
    """Read the first original photographs that have a box.

    Args:
        dataset: dataset folder, or repository on the Hub, with the package `original_full`.
        boxes: processid → left, top, right and bottom in pixels of the original photograph.
        count: how many.

    Raises:
        ValueError: the dataset has no original photographs.
    """
    from datasets import get_dataset_config_names

    if "original_full" not in get_dataset_config_names(str(dataset)):
        raise ValueError(f"{dataset} has no original photographs (original_full) on which boxes could be drawn")
    rows = itertools.islice(find_rows(dataset, "original_full", boxes), count)
    return [(row[PROCESSID], row[IMAGE], boxes[row[PROCESSID]]) for row in rows]
