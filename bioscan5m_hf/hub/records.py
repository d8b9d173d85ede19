"""Records that training and measuring scripts leave, as figures of a model's card."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .cards import UNPUBLISHED, Figure, join_card, model_index, public_name, split_card


PIPELINES = {
    "masked k-mers": "fill-mask",
    "names of barcodes": "text-classification",
    "validation": "feature-extraction",
}
"""Task of a record of training → task on the Hub. All else is asked of embeddings.

The revision in a record of training is that of the barcodes learnt from, and no revision of what it was measured on.
"""

METRICS = {
    "accuracy": "accuracy",
    "validation_masked_accuracy": "masked accuracy",
    "species": "species of the nearest specimen",
    "genus": "genus of the nearest specimen of another species",
    "mean top-1": "name of the nearest key, mean over ways of asking",
}
"""Metric of a record → what it is, in words; all are accuracies on the Hub."""

_BY_RANK = re.compile(r"([a-z_]+?)_(balanced_)?accuracy")
_BY_WAY = re.compile(r"([a-z]+)/([^/]+)/(micro|macro)")
_BOUNDS = ("low", "high")


def record_figures(records: Iterable[Mapping[str, Any]], name: str, dataset: str = UNPUBLISHED) -> list[Figure]:
    """Give the figures in the records of a training or measuring script that are the model's own.

    What the model was compared with, ends of intervals, counts and losses stay in `results.json`.

    Args:
        records: dicts with `task`, `metric`, `value`, `data` and, if known, `data_revision`.
        name: of the model, which is the task of what was asked of its embeddings.
        dataset: they were measured on.

    Examples:
        >>> record = {"task": "counts of 4-mers", "metric": "genus", "value": 0.5, "data": "test"}
        >>> [one.task for one in record_figures([record, record | {"task": "tiny"}], "tiny")]
        ['nearest specimens']
    """
    made = []
    for one in records:
        task, words = _own_task(str(one["task"]), name), _words(str(one["metric"]))
        if task is not None and words is not None:
            made.append(
                Figure(
                    task,
                    words,
                    float(one["value"]),
                    str(one["data"]),
                    dataset=public_name(dataset),
                    revision=None if task in PIPELINES else one.get("data_revision"),
                    pipeline=PIPELINES.get(task, "feature-extraction"),
                )
            )
    return made


def with_figures(text: str, records: Iterable[Mapping[str, Any]]) -> str:
    """Give a card the `model-index` that records say, and no other.

    Args:
        text: the card; `model_name` in its YAML is the name by which records know the model, and `datasets`, where it
            is one, what they were measured on.
        records: see `record_figures`.

    Raises:
        OutputError: there is no YAML at its top.
    """
    values, body = split_card(text)
    values.pop("model-index", None)
    name, datasets = str(values.get("model_name", "model")), values.get("datasets") or []
    dataset = str(datasets[0]) if len(datasets) == 1 else UNPUBLISHED
    if index := model_index(name, record_figures(records, name, dataset)):
        values["model-index"] = index
    return join_card(values, body)


def read_records(path: Path | str) -> list[dict[str, Any]]:
    """Read the records that a training or measuring script wrote.

    Args:
        path: a `results.json`.

    Raises:
        OutputError: it cannot be read, or holds something that is no record.
    """
    records = read_json(Path(path))
    needed = {"task", "metric", "value", "data"}
    if not isinstance(records, list) or not all(isinstance(one, dict) and needed <= one.keys() for one in records):
        raise OutputError(f"{path} holds something that is no record: it needs {', '.join(sorted(needed))}")
    return records


def read_json(path: Path) -> Any:  # noqa: ANN401
    """Read a JSON file.

    Args:
        path: the file.

    Raises:
        OutputError: it cannot be read.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(f"{path} cannot be read: {error}") from error


def _own_task(task: str, name: str) -> str | None:
    """Say in words what was measured, or nothing where it was not this model that was measured."""
    if task in PIPELINES:
        return task
    if task == name or task.startswith(f"{name}, mean of "):
        return f"nearest specimens{task.removeprefix(name)}"
    return None


def _words(metric: str) -> str | None:
    """Say in words what a metric is, or nothing where it is no metric of the Hub."""
    first, _, rest = metric.partition(", ")
    if first in METRICS:
        bound = rest.rpartition(", ")[2] in _BOUNDS
        return None if bound else metric.replace(first, METRICS[first], 1)
    if found := _BY_WAY.fullmatch(metric):
        return f"{found[1]} of the nearest key, {found[2]}{', mean over names' if found[3] == 'macro' else ''}"
    if found := _BY_RANK.fullmatch(metric):
        return f"accuracy at the rank {found[1]}{', mean over names' if found[2] else ''}"
    return None
