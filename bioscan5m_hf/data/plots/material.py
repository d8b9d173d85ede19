"""Specimens with photographs for pictures: those of the sample, or of the first shards; and boxes on originals."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..packages import IMAGE_PACKAGES, SAMPLE


FIRST = 400
"""Specimens that are looked at where a dataset has no sample."""

BOXES = 8
"""Photographs whose boxes are drawn."""


def with_photographs(dataset: str | Path, wanted: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Read specimens with their photographs; none where the dataset has no photographs.

    Args:
        dataset: dataset folder, or repository on the Hub.
        wanted: process ids that must be among them; all shards are gone through until they are found.
    """
    from datasets import get_dataset_config_names

    configs = get_dataset_config_names(str(dataset))
    rows = list(_rows(dataset, SAMPLE)) if SAMPLE in configs else []
    package = next((name for name in IMAGE_PACKAGES if name in configs), None)
    if package and not rows:
        rows = list(itertools.islice(_rows(dataset, package), FIRST))
    missing = set(wanted) - {row["processid"] for row in rows}
    if package and missing:
        for row in _rows(dataset, package):
            if row["processid"] in missing:
                rows.append(row)
                missing.discard(row["processid"])
                if not missing:
                    break
    return rows


def _rows(dataset: str | Path, config: str) -> Iterator[dict[str, Any]]:
    from datasets import load_dataset

    for split in load_dataset(str(dataset), config, streaming=True).values():
        yield from split


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
    found = (
        (row["processid"], row["image"], boxes[row["processid"]])
        for row in _rows(dataset, "original_full")
        if row["processid"] in boxes
    )
    return list(itertools.islice(found, count))
