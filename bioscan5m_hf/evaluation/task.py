"""What a task of the benchmark says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from ..splits import SPLIT_NAMES


MODALITIES = ("dna", "image", "text", "image+dna", "image+text", "dna+text")
"""What can be embedded; `image+dna` puts both vectors of a specimen one behind the other."""


@dataclass(frozen=True)
class Task:
    """One task of the benchmark.

    Args:
        name: it is asked for by.
        revision: raised when the rule changes; scores of different revisions do not compare.
        question: what it measures, in one sentence.
        modalities: what can be embedded for it.
        queries: splits whose specimens are asked for.
        ranks: at which it is scored.
        preprocessing: what is done to rows before they are embedded.
        metric: how answers are scored.
        ties: what happens where two answers are equally good.
        main: name of the main score.
        mains: modality → the main score where it is another.
        reference: where the rule comes from.
        published: what the published rule did differently.
        fit: splits that something is fitted to.
        tune: splits on which settings are chosen.
        keys: splits that answers are taken from.
        also: modalities that are taken as well where a model can embed them.
        one_per_barcode: whether the first specimen of each barcode of a split stands for all.
        where_there: splits that a dataset lacks are done without, as long as there is something to ask.
        by_alignment: an aligner can be asked instead of an encoder.
        needs: what a model must be able to do: `embed` vectors, or give `names`.
        seed: what everything is drawn from.
        settings: what can be chosen, with what is chosen by default.
    """

    name: str
    revision: int
    question: str
    modalities: tuple[str, ...]
    queries: tuple[str, ...]
    ranks: tuple[str, ...]
    preprocessing: str
    metric: str
    ties: str
    main: str
    reference: str
    published: str
    fit: tuple[str, ...] = ()
    tune: tuple[str, ...] = ()
    keys: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    one_per_barcode: bool = True
    where_there: bool = False
    by_alignment: bool = False
    needs: str = "embed"
    mains: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    seed: int = 0
    settings: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))

    @property
    def splits(self) -> tuple[str, ...]:
        """All splits whose rows it needs, in the order of the dataset."""
        wanted = {*self.fit, *self.tune, *self.keys, *self.queries}
        return tuple(name for name in SPLIT_NAMES if name in wanted)

    def choose(self, given: Mapping[str, Any]) -> dict[str, Any]:
        """Give the settings with some of them chosen otherwise.

        Args:
            given: setting → value; a text is read as the kind of value that stands there by default.

        Raises:
            ValueError: there is no such setting, or a value is of another kind.

        Examples:
            >>> from bioscan5m_hf.evaluation.tasks import find_task
            >>> find_task("knn-genus-unseen").choose({"k": "5"})["k"]
            5
        """
        if unknown := [name for name in given if name not in self.settings]:
            allowed = ", ".join(self.settings) or "there are none"
            raise ValueError(f"task {self.name} has no setting {unknown[0]!r}: use some of {allowed}")
        return dict(self.settings) | {name: _as(self, name, value) for name, value in given.items()}


def _as(task: Task, name: str, value: Any) -> Any:  # noqa: ANN401
    """Read a setting as the kind of value that stands there by default."""
    usual = task.settings[name]
    kind = type(usual)
    if isinstance(value, kind) and not (kind is int and isinstance(value, bool)):
        return value
    try:
        if kind is bool and str(value).lower() in ("true", "false"):
            return str(value).lower() == "true"
        if kind is tuple:
            parts = value.split(",") if isinstance(value, str) else list(value)
            return tuple(type(usual[0])(part) for part in parts)
        if kind in (int, float, str) and not isinstance(value, bool):
            read = kind(value)
            if kind is not int or float(value) == read:
                return read
    except (TypeError, ValueError):
        pass
    raise ValueError(f"setting {name} of task {task.name} is {value!r}: give {_kind(usual)}, such as {usual!r}")


def _kind(usual: object) -> str:
    names = {bool: "true or false", int: "a whole number", float: "a number", str: "a word"}
    return names.get(type(usual), "several values joined by commas")
