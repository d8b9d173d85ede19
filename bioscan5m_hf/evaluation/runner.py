"""`evaluate_model`: the tasks of the benchmark, done by one model on one dataset, each with a record."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError
from ..provenance import code_version
from .bench import Bench
from .embeddings import PART, Processes, default_folder
from .jobs import choose_jobs
from .results import Result, read_result, result_path, write_result
from .specimens import open_data


Say = Callable[[str], object]


def evaluate_model(
    encoder: object,
    tasks: str | Sequence[str] = "dna",
    data: str | Path = "bioscan-5m",
    out: str | Path | None = None,
    *,
    modality: str | None = None,
    settings: Mapping[str, Mapping[str, Any]] | None = None,
    queries: int | None = None,
    data_revision: str | None = None,
    package: str | None = None,
    again: bool = False,
    cache: str | Path | None = None,
    part: int = PART,
    progress: bool = False,
    say: Say | None = None,
) -> list[Result]:
    """Do tasks of the benchmark with a model.

    Each distinct input is embedded once for all tasks, in parts that are kept on disk, so that a run that was stopped
    goes on where it was. A task whose record in `out` is of the same model, data and settings is not done again.
    Started by `accelerate launch`, all processes embed together; the first one does the rest.

    Args:
        encoder: any object with `embed(list of barcodes)` → array (n, width); see `encoder.Encoder`. `embed_images`
            and `embed_texts` do the other modalities, `names(barcodes, rank)` the task of classifiers, and `align`
            (see `references.Alignment`) those of neighbours without vectors.
        tasks: names joined by commas, or in a list; `all`; or a modality, for all that can be done with it.
        data: dataset folder, or repository on the Hub.
        out: folder of records; None writes none.
        modality: what is embedded, where a task can do several; by default all that the model can.
        settings: name of a task → settings that are chosen otherwise (see `bioscan5m tasks NAME`).
        queries: queries of a task, at most, drawn at random.
        data_revision: branch, tag or commit of a dataset on the Hub.
        package: image package, by default the first of the dataset.
        again: do tasks again whose record is there.
        cache: folder of embeddings; by default in the cache of the Hub's libraries.
        part: inputs of a part.
        progress: show bars, in a terminal.
        say: is told what is done, skipped and found.

    Returns:
        A record for each task and modality; in other processes than the first, none.

    Raises:
        ValueError: no such task, setting or split.
        EncoderError: vectors that cannot be used.
        TaskError: a task that cannot be done on this data or with this model, or a duplicate processid.
        OutputError: `out` holds the record of another dataset under the same name.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.evaluation.references import Counts
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=200, metadata_only=True, jsonld=False)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     made = evaluate_model(Counts(4), "knn-genus-unseen", folder + "/bioscan-5m", cache=folder + "/cache")
        >>> made[0].model, 0 <= made[0].scores[made[0].main].value <= 1
        ('reference:4-mers', True)
    """
    code_version()
    if queries is not None and queries < 1:
        raise ValueError(f"queries is {queries}: use a number from 1, or None for all")
    processes, tell = Processes.launched(), say or (lambda text: None)
    if processes.rank:
        tell = _nothing
    jobs = choose_jobs(tasks, modality, encoder, settings or {}, tell)
    source = open_data(data, data_revision)
    bench = Bench.open(encoder, source, jobs, Path(cache or default_folder()), part, processes, progress, package)
    asked = [(job, bench.record(job, queries)) for job in jobs]
    found: dict[str, Result] = {}
    for job, record in asked:
        if out is not None and not again and (there := _finished(Path(out), record)):
            tell(f"{job}: done before")
            found[str(job)] = there
    left = [(job, record) for job, record in asked if str(job) not in found]
    for job, _ in left:
        bench.fill(job, queries)
    processes.wait()
    if processes.rank:
        return []
    for job, record in left:
        made = found[str(job)] = bench.measure(job, record, queries)
        if out is not None:
            write_result(out, made)
        tell(f"{job}: {_line(made)}")
    return [found[str(job)] for job in jobs]


def _finished(out: Path, record: Mapping[str, Any]) -> Result | None:
    """Read the record of a task, if it is of the same model, data and settings."""
    path = result_path(out, record["model"], record["task"], record["modality"])
    if not path.exists():
        return None
    there = read_result(path)
    if there.extras.get("key") == record["key"]:
        return there
    if (there.data, there.data_revision) != (record["data"], record["data_revision"]):
        raise OutputError(
            f"{path} is of {there.data} ({there.data_revision}), not of {record['data']} ({record['data_revision']}): "
            "name another folder, or replace it (--again)"
        )
    return None


def _line(result: Result) -> str:
    score = result.scores[result.main]
    between = "" if score.low is None else f" ({100 * score.low:.1f} to {100 * (score.high or 0):.1f})"
    return f"{result.main} {100 * score.value:.1f} %{between}, {result.seconds:.0f} s"


def _nothing(text: str) -> None:
    return
