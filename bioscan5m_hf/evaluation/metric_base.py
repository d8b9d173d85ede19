"""What the metrics for `evaluate` share: their inputs, and where they are."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import datasets
import evaluate

from ..taxonomy import LABELS, check_rank


NAME = datasets.Value("string")
ONE_NAME = {"predictions": NAME, "references": NAME}
BY_RANK = {"predictions": dict.fromkeys(LABELS, NAME), "references": dict.fromkeys(LABELS, NAME)}
"""Inputs of a metric: a name for each specimen, or rank → name."""

FOLDER = Path(__file__).parent / "metrics"
METRICS = tuple(sorted(path.name for path in FOLDER.iterdir() if (path / f"{path.name}.py").is_file()))
"""Names of the metrics; each is a folder that is complete as a Space on the Hub."""


def metric_path(name: str) -> str:
    """Give the folder of a metric, for `evaluate.load`.

    Args:
        name: one of `METRICS`.

    Raises:
        ValueError: there is no such metric.

    Examples:
        >>> evaluate.load(metric_path("taxonomic_accuracy")).compute(predictions=["a"], references=["a"])["micro"]
        1.0
    """
    if name not in METRICS:
        raise ValueError(f"there is no metric {name!r}: use one of {', '.join(METRICS)}")
    return str(FOLDER / name)


class NameMetric(evaluate.Metric):  # type: ignore[misc]
    """A metric of names, or of mappings of ranks to names, any of which may be missing.

    A metric implements `score`, which is given what was added, None where there is no name. (`evaluate` refuses None
    in the first example, so names travel as texts, the empty one for None; and it takes the first class of metrics
    that it finds in a file, so import this module, not the class.)
    """

    def add(self, **given: Any) -> None:  # noqa: ANN401
        """Add one specimen, as `evaluate.Metric.add` does."""
        super().add(**{name: _text(value) for name, value in given.items()})

    def add_batch(self, **given: Any) -> None:  # noqa: ANN401
        """Add several specimens, as `evaluate.Metric.add_batch` does."""
        super().add_batch(**{name: [_text(value) for value in values] for name, values in given.items()})

    def _compute(self, **given: Any) -> Any:  # noqa: ANN401
        names = ("predictions", "references")
        return self.score(**{key: _name(value) if key in names else value for key, value in given.items()})

    def score(self, **given: Any) -> dict[str, float]:  # noqa: ANN401
        """Compute the metric."""
        raise NotImplementedError


def _text(given: Any) -> Any:  # noqa: ANN401
    """Write missing names as empty texts, and name every rank."""
    if isinstance(given, dict):
        for rank in given:
            check_rank(rank)
        return {rank: _text(given.get(rank)) for rank in LABELS}
    if isinstance(given, list | tuple):
        return [_text(one) for one in given]
    return "" if given is None else given


def _name(given: Any) -> Any:  # noqa: ANN401
    """Read empty texts as missing names."""
    if isinstance(given, dict):
        return {rank: _name(name) for rank, name in given.items()}
    if isinstance(given, list):
        return [_name(one) for one in given]
    return None if given == "" else given
