"""Which tasks a model does with which modality, and the rows of each, looked at before anything is embedded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from ..errors import TaskError
from .encoder import able
from .inputs import NAMING
from .results import Outcome
from .specimens import SPLIT, Specimens
from .task import MODALITIES, Task
from .tasks import EVERY_ROW, find_task, find_tasks


@dataclass(frozen=True)
class Job:
    """A task with one modality.

    Args:
        task: its declaration.
        modality: what is embedded.
        settings: what was chosen.
    """

    task: Task
    modality: str
    settings: Mapping[str, Any] = field(default_factory=dict, compare=False)

    def __str__(self) -> str:
        return self.task.name if self.modality == "dna" else f"{self.task.name} ({self.modality})"

    def parts(self, model: object) -> list[str]:
        """Give the modalities that are embedded for it: its own, and those that it takes where a model has them."""
        also = (name for name in self.task.also if name in able(model))
        return list(dict.fromkeys([*self.modality.split("+"), *also]))

    @property
    def main(self) -> str:
        """Name of the main score."""
        return self.task.mains.get(self.modality, self.task.main)

    def by_vectors(self, model: object) -> bool:
        """Tell whether a model's vectors are needed."""
        return self.task.needs == "embed" and not hasattr(model, "align")

    def splits(self, there: Sequence[str]) -> list[str]:
        """Give those of the task's splits that a dataset has."""
        return [split for split in self.task.splits if split in there]

    def check_splits(self, there: Sequence[str], data: str) -> None:
        """Make sure that a dataset has the splits that are needed.

        Raises:
            TaskError: it has not.
        """
        lost = [split for split in self.task.splits if split not in there]
        if lost and (not self.task.where_there or not set(self.task.queries) & set(there)):
            raise TaskError(
                f"task {self.task.name}: {data} has no split {', '.join(lost)} (it has {', '.join(there)}): choose "
                "tasks that do without (`bioscan5m tasks`)"
            )

    def preprocessing(self) -> str:
        """Say what `prepared` does to the rows."""
        if "dna" not in self.modality.split("+"):
            return "none"
        return EVERY_ROW if self.task.one_per_barcode and self.modality != "dna" else self.task.preprocessing

    def said(
        self, outcome: Outcome, model: Mapping[str, Any], queries: int | None, there: Sequence[str]
    ) -> dict[str, Any]:
        """Give all settings of a record: of the protocol, the data and the model."""
        splits = {
            name: [split for split in getattr(self.task, name) if split in there]
            for name in ("fit", "tune", "keys", "queries")
            if getattr(self.task, name)
        }
        data: dict[str, Any] = {
            "splits": splits,
            "preprocessing": self.preprocessing(),
        }
        data |= {} if queries is None else {"queries at most, drawn at random": queries}
        return dict(outcome.settings) | data | ({"encoder": dict(model)} if model else {})


def choose_jobs(
    tasks: str | Sequence[str],
    modality: str | None,
    model: object,
    settings: Mapping[str, Mapping[str, Any]],
    say: Callable[[str], object],
) -> list[Job]:
    """Choose what a model does.

    Args:
        tasks: as in `find_tasks`.
        modality: one of `MODALITIES`, or None for all that the model can.
        model: what is measured.
        settings: name of a task → settings that are chosen otherwise.
        say: is told which tasks of a group are left out, and why.

    Raises:
        ValueError: no such task, modality or setting.
        TaskError: the model cannot do a task that was named, or none at all.
    """
    words = [word.strip() for word in (tasks.split(",") if isinstance(tasks, str) else tasks)]
    groups = [word for word in words if word in MODALITIES]
    if modality is not None and modality not in MODALITIES:
        raise ValueError(f"there is no modality {modality!r}: use one of {', '.join(MODALITIES)}")
    chosen = {name: find_task(name).choose(given) for name, given in settings.items()}
    jobs, reasons = [], []
    for task in find_tasks(tasks):
        wanted = [modality] if modality else groups if groups and task.name not in words else task.modalities
        found = [name for name in task.modalities if name in wanted and can_do(model, task, name)]
        jobs += [Job(task, name, chosen.get(task.name, dict(task.settings))) for name in found]
        if not found:
            reason = f"task {task.name} ({', '.join(task.modalities)}): {_lacks(model, task)}"
            if task.name in words:
                raise TaskError(reason)
            reasons.append(reason)
    if not jobs:
        raise TaskError("; ".join(reasons))
    for reason in reasons:
        say(f"left out: {reason}")
    if unused := [name for name in settings if name not in {job.task.name for job in jobs}]:
        raise ValueError(f"settings of task {unused[0]} are given, and it is none of those that are done")
    return jobs


def can_do(model: object, task: Task, modality: str) -> bool:
    """Tell whether a model can do a task with a modality.

    Examples:
        >>> from bioscan5m_hf.evaluation.references import Chance
        >>> can_do(Chance(), find_task("novelty"), "dna"), can_do(Chance(), find_task("novelty"), "image")
        (True, False)
    """
    if hasattr(model, "align"):
        return task.by_alignment and modality == "dna"
    if task.needs == "names":
        return callable(getattr(model, NAMING.get(modality, ""), None))
    return modality in able(model)


def prepared(job: Job, rows: Specimens, data: str) -> Specimens:
    """Give the rows of a task, as it wants them.

    Args:
        job: the task and modality.
        rows: all that were read.
        data: what the dataset is called in messages.

    Raises:
        TaskError: a split without specimens, or with one species only where several have to be told apart.
    """
    task = job.task
    specimens = rows.of(task.splits)
    if "dna" in job.modality.split("+"):
        specimens = specimens.with_barcode()
    if job.modality == "dna" and task.one_per_barcode:
        specimens = specimens.one_per_barcode()
    there = set(specimens.column(SPLIT).unique().to_pylist())
    empty = [split for split in task.splits if split not in there]
    if (empty and not task.where_there) or not there & set(task.queries):
        raise TaskError(f"task {task.name}: split {', '.join(empty)} of {data} has no specimen that can be asked")
    for splits in {task.fit, task.keys or task.queries} - {()}:
        species = pc.unique(specimens.of(splits).column("species").drop_null())
        if len(species) < 2:
            named = f"one species only ({species[0]})" if len(species) else "no species"
            raise TaskError(
                f"task {task.name}: {', '.join(splits)} of {data} has {named}: there is nothing to tell apart"
            )
    return specimens


def _lacks(model: object, task: Task) -> str:
    if hasattr(model, "align"):
        return "an aligner cannot do it"
    if task.needs == "names":
        return "it is for classifiers, which have `names(barcodes, rank)`; this model gives vectors"
    can = able(model)
    return f"the model embeds {' and '.join(can)} only" if can else "the model has no method `embed`"
