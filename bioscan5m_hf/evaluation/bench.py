"""A model and a dataset at one table: rows are read once, inputs embedded once, and each task makes a record."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from .. import __version__
from ..data.manifest import digest
from ..data.sources import Source, read_tables
from ..errors import Bioscan5mError, EncoderError, TaskError
from ..provenance import code_version, command, forget_peak, hardware, peak_memory
from ..splits import SPLIT_NAMES
from .embeddings import Processes, Store
from .encoder import Vectors, able, identity, pretrained_on, settings_of
from .inputs import Embedded, Photographs
from .jobs import Job, prepared
from .protocols import FURTHER, PROTOCOLS
from .results import Outcome, Result
from .run import Run
from .specimens import read_specimens, revision_of


@dataclass
class Bench:
    """A model and a dataset, and all that tasks share.

    Args:
        model: what is measured.
        source: the dataset, opened.
        embedded: its vectors.
        identity: name and revision of the model.
        revision: of the dataset.
        pretrain_bins: BINs of the split `pretrain`, and of the splits that the model was pretrained on where these are
            others; as far as the dataset has them.
        processes: that embed together.
    """

    model: Any
    source: Source
    embedded: Embedded
    identity: Mapping[str, str]
    revision: str
    pretrain_bins: Mapping[str, pa.Array]
    processes: Processes

    @classmethod
    def open(
        cls,
        model: Any,  # noqa: ANN401
        source: Source,
        jobs: Sequence[Job],
        cache: Path,
        part: int,
        processes: Processes,
        progress: bool,
        package: str | None,
    ) -> Bench:
        """Read the rows that some tasks need, and look whether the model answers alike."""
        for job in jobs:
            job.check_splits(list(source.files), source.path)
        first = next(split for split in SPLIT_NAMES if split in source.files and split != "pretrain")
        needed = {first, *(split for job in jobs for split in job.task.splits)}
        splits = [split for split in SPLIT_NAMES if split in needed and split in source.files]
        try:
            rows = read_specimens(source, splits)
        except Bioscan5mError as error:
            raise TaskError(f"task {', '.join(dict.fromkeys(job.task.name for job in jobs))}: {error}") from error
        store = Store(cache, {}, part, processes, progress and not processes.rank)
        photographs = partial(Photographs.of, source.path, package, source.revision)
        revision = revision_of(source)
        embedded = Embedded(model, store, rows, photographs, revision)
        for job in jobs:
            prepared(job, rows, source.path)  # what cannot be done is said before anything is embedded
        answers = _answers(embedded, jobs, first)
        said = identity(model, answers) if answers is not None else _named(model)
        store.model = said | {"settings": digest(dict(settings_of(model))), "package": __version__}
        return cls(model, source, embedded, said, revision, _bins(source, pretrained_on(model)), processes)

    def record(self, job: Job, queries: int | None) -> dict[str, Any]:
        """Give what a record says before anything is measured, and the key that tells whether it has been."""
        specimens = prepared(job, self.embedded.rows, self.source.path)
        path = Path(self.source.path)
        record: dict[str, Any] = {
            "task": job.task.name,
            "task_revision": job.task.revision,
            "modality": job.modality,
            "main": job.main,
            "model": self.identity["name"],
            "model_revision": self.identity["revision"],
            "data": path.name if path.is_dir() else self.source.path,
            "data_revision": self.revision,
            "data_fingerprint": specimens.fingerprint(),
            "seed": job.task.seed,
        }
        chosen = [dict(job.settings), dict(settings_of(self.model)), queries, *self._package(job).values()]
        chosen += [splits for splits in self.pretrain_bins if splits != "pretrain"]
        return record | {"key": digest(record, chosen)}

    def fill(self, job: Job, queries: int | None) -> None:
        """Compute the vectors that a task needs and that are not there yet, together with the other processes."""
        if not job.by_vectors(self.model):
            return
        try:
            for part in job.parts(self.model):
                self.embedded.fill(part, job.splits(list(self.source.files)))
            if job.task.name in FURTHER:
                for what, barcodes in FURTHER[job.task.name](self.run(job, queries)):
                    self.embedded.fill_barcodes(barcodes, what)
        except EncoderError as error:
            raise EncoderError(f"task {job.task.name}: {error}") from error

    def run(self, job: Job, queries: int | None) -> Run:
        """Make a task ready to be computed."""
        return Run(
            job.task,
            prepared(job, self.embedded.rows, self.source.path),
            job.settings,
            job.task.seed,
            job.modality,
            self.embedded,
            self.model,
            self.pretrain_bins,
            queries,
        )

    def measure(self, job: Job, record: Mapping[str, Any], queries: int | None) -> Result:
        """Do a task.

        Args:
            job: the task and modality.
            record: what `record` gave.
            queries: that are asked, at most.
        """
        run = self.run(job, queries)
        self.embedded.used.clear()
        forget_peak()
        begun = time.perf_counter()
        outcome = _computed(job, run)
        scoring = time.perf_counter() - begun
        told = {name: value for name, value in record.items() if name != "key"}
        seconds = {"embedding": sum(self.embedded.used.values()), "scoring": scoring}
        return Result(
            **told,
            pretrained_on=pretrained_on(self.model),
            scores=outcome.scores,
            counts=outcome.counts,
            settings=job.said(outcome, settings_of(self.model), queries, list(self.source.files)) | self._package(job),
            extras=dict(outcome.extras) | {"key": record["key"], "seconds": seconds},
            code=code_version(),
            device=hardware(self.processes.count),
            seconds=sum(seconds.values()),
            peak_memory=peak_memory(),
            command=command(),
            created=datetime.now(UTC).date().isoformat(),
        )

    def _package(self, job: Job) -> dict[str, str]:
        """Say which photographs are looked at, if any are."""
        return {"package": self.embedded.package()} if "image" in job.parts(self.model) else {}


def _computed(job: Job, run: Run) -> Outcome:
    try:
        return PROTOCOLS[job.task.name](run)
    except Bioscan5mError:
        raise
    except ValueError as error:
        raise TaskError(f"task {job.task.name}, {', '.join(job.task.queries)}: {error}") from error


def _answers(embedded: Embedded, jobs: Sequence[Job], split: str) -> Vectors | None:
    """Look whether a model answers alike for each modality; give its answers for the first that it can do."""
    needed = {part: job for job in jobs if job.by_vectors(embedded.model) for part in job.parts(embedded.model)}
    found: dict[str, Vectors] = {}
    for part in dict.fromkeys([*able(embedded.model)[:1], *needed]) if needed else []:
        try:
            found[part] = embedded.probe(part, split)
        except EncoderError as error:
            raise EncoderError(f"task {needed.get(part, jobs[0]).task.name}: {error}") from error
    return next(iter(found.values()), None)


def _named(model: object) -> dict[str, str]:
    name = getattr(model, "name", None) or type(model).__name__
    return {"name": str(name), "revision": str(getattr(model, "revision", None) or "not told")}


def _bins(source: Source, seen: Sequence[str]) -> dict[str, pa.Array]:
    """Give the BINs of the split `pretrain`, and of those that a model has seen; no other column is read."""
    if "dna_bin" not in source.features:
        return {}
    wanted = [tuple(split for split in SPLIT_NAMES if split in some and split in source.files)
              for some in (("pretrain",), seen)]  # fmt: skip
    return {"+".join(splits): _bins_of(source, splits) for splits in dict.fromkeys(wanted) if splits}


def _bins_of(source: Source, splits: Sequence[str]) -> pa.Array:
    files = (file for split in splits for file in source.files[split])
    tables = (table for file in files for table in read_tables(str(file), ["dna_bin"]))
    found = pa.chunked_array([table["dna_bin"].unique() for table in tables], pa.string())
    return pc.unique(found.drop_null())
