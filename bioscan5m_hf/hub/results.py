"""Results of the benchmark on a model's card: in its `model-index` and in `.eval_results/`; all else of it stays."""

from __future__ import annotations

import shlex
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import CommitOperationAdd, HfApi
from huggingface_hub.hf_api import RepoFile

from .. import __version__
from ..errors import OutputError
from ..evaluation.results import Result, comparable, read_result, score_parts, write_result
from ..evaluation.tasks import TASKS
from ..provenance import without_folder
from .cards import Figure, eval_results, join_card, model_index, public_name, split_card
from .push import CARD, PushReport, bars
from .repository import Repository, explained, is_same


ENTRIES = ".eval_results/bioscan5m.yaml"
RECORDS = ".eval_results/records"
"""Where entries and records go; hidden, so that `push` of a model folder leaves them alone."""

KINDS = {"ami": "adjusted_mutual_information", "AUROC": "roc_auc"}
"""How a measure is called on the Hub; all others are accuracies."""


def push_results(
    results: Path | str | Sequence[Path | str],
    repo_id: str,
    *,
    model: str | None = None,
    benchmark: str | None = None,
    create_pr: bool = False,
    token: str | None = None,
    message: str | None = None,
    progress: bool = True,
) -> PushReport:
    """Write the results of a model on its card on the Hub.

    The card's `model-index` gets the main scores and those of the same kind at other ranks; a figure of the same task,
    dataset and metric is replaced, and all else of the card stays. The main scores go to `.eval_results/` as well, if
    the dataset's id on the Hub is known, and the records beside them, without folders of this machine.

    Args:
        results: folder of results, or files; all on the same data.
        repo_id: `namespace/name` of the model on the Hub, which must be there with its card.
        model: whose results they are, where there are several models' and none is called `repo_id`.
        benchmark: id of the dataset on the Hub; by default the one in the results, if it is an id.
        create_pr: propose the change as a pull request, which needs no right to write.
        token: instead of the one of `hf auth login` or HF_TOKEN.
        message: the commit's summary.
        progress: show a progress bar, if there is a terminal.

    Returns:
        What was done; nothing where the card said so already.

    Raises:
        ResultError: a result cannot be read, or two do not compare.
        OutputError: there is no result of the model, there are those of several revisions of it, or the card's YAML
            is not what it has to be.
        HubError: the Hub refused, or there is no such model.

    Examples:
        >>> push_results("no-such-folder", "me/model")
        Traceback (most recent call last):
        ...
        bioscan5m_hf.errors.OutputError: no-such-folder holds no results: give what `bioscan5m evaluate --out` wrote
    """
    chosen = _of_model([read_result(file) for file in _files(results)], repo_id, model)
    comparable(chosen)
    api = HfApi(token=token, library_name="bioscan5m-hf", library_version=__version__)
    repository = Repository(api, repo_id, "model")
    with explained(repo_id, api, token), bars(progress):
        head, remote = _there(repository)
        written = _contents(chosen, repository, benchmark, head, remote)
        repository.check_card(written[CARD].decode(), f"the card of {repo_id}")
        additions = [CommitOperationAdd(path, content) for path, content in written.items()]
        new = [one for one in additions if not is_same(one, remote.get(one.path_in_repo))]
        repository.upload(new, create_pr, progress)
        summary = message or f"Results by bioscan5m-hf {__version__}"
        url, commits = repository.commit([(list(new), summary)], head, create_pr)
    uploaded = tuple(one.path_in_repo for one in new)
    unchanged = tuple(path for path in written if path not in uploaded)
    return PushReport(url, commits, uploaded, (), unchanged, sum(one.upload_info.size for one in new))


def result_figures(result: Result, benchmark: str | None = None, source: str | None = None) -> list[Figure]:
    """Give a result as figures of a card: the main score, then those of its kind at other ranks.

    Args:
        result: what was measured.
        benchmark: id of the dataset on the Hub; by default that of the result, if it is one.
        source: address of the record.

    Returns:
        The main score, which alone has a task of the benchmark, and the others.
    """
    parts = score_parts(result.main)
    alike = [name for name in result.scores if parts and (score_parts(name) or ())[1:] == parts[1:]]
    return [_figure(result, name, benchmark, source) for name in dict.fromkeys([result.main, *alike])]


def merged_index(old: object, new: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Put figures into a `model-index`; those of the same task, dataset and metric are replaced, all others stay.

    Args:
        old: the card's, or None.
        new: what `cards.model_index` gave.

    Raises:
        OutputError: the old one is no `model-index`.

    Examples:
        >>> new = model_index("tiny", [Figure("1-NN", "genus", 0.5, "test")])
        >>> merged_index(merged_index(None, new), new) == new
        True
    """
    if not old:
        return [dict(one) for one in new]
    try:
        taken = {place for one in new for result in one["results"] for place in _places(result)}
        first, *rest = [_without(one, taken) for one in old]  # type: ignore[attr-defined]
    except (TypeError, KeyError, AttributeError) as error:
        raise OutputError(
            f"the card's model-index is not what it has to be ({error!r}): repair or remove it"
        ) from error
    return [first | {"results": first["results"] + [result for one in new for result in one["results"]]}, *rest]


def merged_entries(old: str, new: str) -> str:
    """Put entries of `.eval_results` into a file; those of the same dataset and task are replaced, all others stay.

    Args:
        old: text of the file, empty where there is none.
        new: what `cards.eval_results` gave.

    Raises:
        OutputError: the old one cannot be read.
    """
    try:
        fresh = yaml.safe_load(new) or []
        taken = {(one["dataset"]["id"], one["dataset"]["task_id"]) for one in fresh}
        kept = [
            one for one in yaml.safe_load(old) or [] if (one["dataset"]["id"], one["dataset"]["task_id"]) not in taken
        ]
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise OutputError(f"{ENTRIES} is not what it has to be ({error!r}): repair or remove it") from error
    return yaml.safe_dump(kept + fresh, sort_keys=False, allow_unicode=True) if kept + fresh else ""


def _files(results: Path | str | Sequence[Path | str]) -> list[Path]:
    """List files of results: those of a folder, or the given ones."""
    given = [results] if isinstance(results, Path | str) else results
    files = [file for one in map(Path, given) for file in (sorted(one.glob("*.json")) if one.is_dir() else [one])]
    if not files or not all(file.is_file() for file in files):
        named = ", ".join(map(str, given)) or "nothing"
        raise OutputError(f"{named} holds no results: give what `bioscan5m evaluate --out` wrote")
    return files


def _of_model(results: Sequence[Result], repo_id: str, model: str | None) -> list[Result]:
    """Choose the results of one model: the named one, the one that is called as its repository, or the only one."""
    names = list(dict.fromkeys(one.model for one in results))
    wanted = model or (repo_id if repo_id in names else names[0])
    if wanted not in names or (model is None and wanted != repo_id and len(names) > 1):
        raise OutputError(f"the results are of {', '.join(names)}: say by --model which of them {repo_id} is")
    chosen = [one for one in results if one.model == wanted]
    revisions = {one.model_revision: one.task for one in chosen}
    if len(revisions) > 1:
        told = ", ".join(f"{revision} ({task})" for revision, task in revisions.items())
        raise OutputError(f"the results of {wanted} are of several revisions of it, {told}: give those of one")
    return chosen


def _there(repository: Repository) -> tuple[str, Mapping[str, RepoFile]]:
    """Give the newest commit of a model, which must be there, and its files."""
    head = str(repository.api.repo_info(repository.id, repo_type="model", revision="main").sha)
    remote = repository.files(head)
    if CARD not in remote:
        raise OutputError(f"{repository.id} has no {CARD}: push the model first (`bioscan5m push`), then its results")
    return head, remote


def _contents(
    results: Sequence[Result], repository: Repository, benchmark: str | None, head: str, remote: Mapping[str, RepoFile]
) -> dict[str, bytes]:
    """Make the files to write: records, entries, and the card, whose body and other values stay as they are."""
    written, figures = {}, []
    for result in results:
        name, content = _record(result, repository.id)
        written[f"{RECORDS}/{name}"] = content
        source = f"{repository.api.endpoint}/{repository.id}/blob/main/{RECORDS}/{name}"
        figures += result_figures(result, benchmark, source)
    card = _text(repository, CARD, head)
    values, body = split_card(card) if card.startswith("---\n") else ({}, card)
    name = str(values.get("model_name") or repository.id.split("/")[1])
    values["model-index"] = merged_index(values.get("model-index"), model_index(name, figures))
    old = _text(repository, ENTRIES, head) if ENTRIES in remote else ""
    if entries := merged_entries(old, eval_results(figures)):
        written[ENTRIES] = entries.encode()
    return written | {CARD: join_card(values, body).encode()}


def _text(repository: Repository, path: str, head: str) -> str:
    return Path(repository.api.hf_hub_download(repository.id, path, revision=head)).read_text(encoding="utf-8")


def _record(result: Result, repo_id: str) -> tuple[str, bytes]:
    """Give the name and content of a record that may be published: without the folders of this machine."""
    names = {result.model: repo_id, result.data: public_name(result.data)}
    words = [names.get(word, without_folder(word)) for word in shlex.split(result.command)]
    public = replace(result, model=repo_id, data=names[result.data], command=shlex.join(words))
    with tempfile.TemporaryDirectory() as folder:
        path = write_result(folder, public)
        return path.name, path.read_bytes()


def _figure(result: Result, name: str, benchmark: str | None, source: str | None) -> Figure:
    score, dataset = result.scores[name], benchmark or public_name(result.data)
    rank, part, average = score_parts(name) or ("", "", name)
    interval = f"95 % interval {score.low:.4f} to {score.high:.4f}" if score.interval else "no interval"
    splits = ", ".join(result.pretrained_on) or "nothing of the dataset"
    return Figure(
        task=f"{result.task} ({result.modality})",
        metric=f"{rank}, {average}" if rank else name,
        value=score.value,
        data=f"{dataset}: {part}" if part else dataset,
        dataset=dataset,
        revision=result.data_revision,
        kind=KINDS.get(average, "accuracy"),
        pipeline=_pipeline(result),
        task_id=_task_id(result) if name == result.main else None,
        date=result.created,
        source=source,
        notes=f"{name}, {result.modality}; {interval}; n = {score.n}; pretrained on {splits}",
    )


def _task_id(result: Result) -> str:
    return result.task if result.modality == "dna" else f"{result.task}-{result.modality.replace('+', '-')}"


def _pipeline(result: Result) -> str:
    named = result.task in TASKS and TASKS[result.task].needs == "names"
    if result.modality == "image":
        return "image-classification" if named else "image-feature-extraction"
    return "text-classification" if named else "feature-extraction"


def _places(result: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Name each figure of a `model-index` by task, dataset and metric."""
    task, dataset = result["task"], result["dataset"]
    where = (task["type"], task.get("name"), dataset["type"], dataset["name"])
    return [(*where, metric["type"], metric.get("name")) for metric in result["metrics"]]


def _without(model: Mapping[str, Any], taken: set[tuple[object, ...]]) -> dict[str, Any]:
    """Leave figures out, and results that have none left."""
    kept = []
    for result in model["results"]:
        pairs = zip(result["metrics"], _places(result), strict=True)
        if metrics := [metric for metric, place in pairs if place not in taken]:
            kept.append({**result, "metrics": metrics})
    return {**model, "results": kept}
