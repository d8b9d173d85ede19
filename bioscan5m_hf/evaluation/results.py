"""Records of what was measured: one JSON file for each model and task, with all that is needed to measure it again."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, asdict, dataclass, fields
from pathlib import Path
from typing import Any

from ..data.manifest import write_text
from ..errors import ResultError
from .scores import Outcome, Score, score_name, score_parts


__all__ = [
    "FORMAT", "Outcome", "Result", "Score", "comparable", "read_result", "result_path", "score_name", "score_parts",
    "upgraded", "write_result",
]  # fmt: skip

FORMAT = 1
Step = Callable[[dict[str, Any]], dict[str, Any]]
STEPS: dict[int, Step] = {}
"""Format → what brings the values of such a file to the next format. A step is added whenever `FORMAT` is raised."""

_JSON = {"str": str, "int": int, "float": (int, float), "tuple[str, ...]": list}
_SAME_DATA = ("data_revision",)
_SAME_TASK = ("task_revision", "data_fingerprint")


@dataclass(frozen=True)
class Result:
    """What one model scored on one task.

    Args:
        task: its name.
        task_revision: revision of its rule; scores of different revisions do not compare.
        modality: what was embedded, such as `dna`.
        main: name of the main score.
        model: folder, or id on the Hub.
        model_revision: commit, or digest of the weights.
        pretrained_on: splits that the model has seen.
        data: name of the dataset.
        data_revision: commit, or digest, of the dataset.
        data_fingerprint: digest of the very rows that were used.
        scores: as in `Outcome`.
        counts: as in `Outcome`.
        settings: as in `Outcome`.
        extras: as in `Outcome`.
        seed: what everything was drawn from.
        code: version of this package.
        device: it ran on.
        seconds: it took.
        peak_memory: in bytes.
        command: that was typed.
        created: ISO date.
        format: of the file.

    Raises:
        ResultError: the main score is not among the scores.
    """

    task: str
    task_revision: int
    modality: str
    main: str
    model: str
    model_revision: str
    pretrained_on: tuple[str, ...]
    data: str
    data_revision: str
    data_fingerprint: str
    scores: Mapping[str, Score]
    counts: Mapping[str, int]
    settings: Mapping[str, Any]
    extras: Mapping[str, Any]
    seed: int
    code: str
    device: str
    seconds: float
    peak_memory: int
    command: str
    created: str
    format: int = FORMAT

    def __post_init__(self) -> None:
        if self.main not in self.scores:
            raise ResultError(
                f"{self.model} on {self.task}: the main score {self.main!r} is not among its scores "
                f"({', '.join(self.scores) or 'none'})"
            )


def result_path(folder: Path | str, model: str, task: str, modality: str = "dna") -> Path:
    """Give the file of a model's result on a task.

    Args:
        folder: of results.
        model: folder, or id on the Hub; a slash becomes `--` as in the Hub's own cache.
        task: its name.
        modality: named in the file where it is not DNA.

    Examples:
        >>> result_path("results", "me/barcodebert", "knn").name
        'me--barcodebert--knn.json'
    """
    parts = [model.strip("/.").replace("/", "--"), task] + ([modality] if modality != "dna" else [])
    return Path(folder) / (re.sub(r"[^\w.+-]+", "_", "--".join(parts)) + ".json")


def write_result(folder: Path | str, result: Result) -> Path:
    """Write a result into a folder, beside and renamed; an older one of the same model and task is replaced.

    Args:
        folder: of results; made if there is none.
        result: what was measured.

    Returns:
        The file.

    Raises:
        ResultError: a value is none that JSON can hold.
    """
    path = result_path(folder, result.model, result.task, result.modality)
    try:
        text = json.dumps(asdict(result), indent=1, ensure_ascii=False, allow_nan=False, default=_plain)
    except (TypeError, ValueError) as error:
        raise ResultError(f"the result of {result.model} on {result.task} cannot be written: {error}") from error
    write_text(path, text + "\n")
    return path


def read_result(path: Path | str) -> Result:
    """Read a result of this or of an older format.

    Args:
        path: what `write_result` wrote.

    Raises:
        ResultError: it is cut short, of a newer format, or a field is missing or impossible.

    Examples:
        >>> read_result("no-such-file.json")
        Traceback (most recent call last):
        ...
        bioscan5m_hf.errors.ResultError: no-such-file.json cannot be read: No such file or directory
    """
    try:
        values = json.loads(Path(path).read_text(encoding="utf-8"))
    except OSError as error:
        raise ResultError(f"{path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ResultError(f"{path} is no whole JSON file ({error}): it was cut short; evaluate again") from error
    if not isinstance(values, dict) or "format" not in values:
        raise ResultError(f"{path} has no field 'format', so it is no result that `bioscan5m evaluate` wrote")
    try:
        return _result(upgraded(values))
    except ResultError as error:
        raise ResultError(f"{path}: {error}") from error


def upgraded(values: dict[str, Any], steps: Mapping[int, Step] = STEPS, newest: int = FORMAT) -> dict[str, Any]:
    """Bring the values of a file to the newest format, step by step.

    Args:
        values: what the file holds, with its `format`.
        steps: format → what brings values to the next one.
        newest: format that is wanted.

    Raises:
        ResultError: the format is newer, or none of ours.

    Examples:
        >>> upgraded({"format": 1, "seconds": 60}, {1: lambda old: {"minutes": old["seconds"] / 60}}, newest=2)
        {'minutes': 1.0, 'format': 2}
    """
    while (found := values["format"]) != newest:
        if isinstance(found, int) and found > newest:
            raise ResultError(f"its format is {found}, this version reads up to {newest}: update bioscan5m-hf")
        if found not in steps:
            raise ResultError(f"its format is {found!r}: this version reads {', '.join(map(str, [*steps, newest]))}")
        values = steps[found](values) | {"format": found + 1}
    return values


def comparable(results: Iterable[Result]) -> dict[tuple[str, str], tuple[Result, ...]]:
    """Group results by task and modality, and make sure that those of a group compare.

    Args:
        results: of several models.

    Returns:
        (Task, modality) → results, in the order in which they came.

    Raises:
        ResultError: two are of different revisions of the data (wherever it lay), of different revisions or rows of
            a task, or the same model was measured twice; the text names both.
    """
    given = list(results)
    groups: dict[tuple[str, str], tuple[Result, ...]] = {}
    for result in given:
        place = (result.task, result.modality)
        groups[place] = (*groups.get(place, ()), result)
    _must_agree(given, _SAME_DATA)
    for group in groups.values():
        _must_agree(group, _SAME_TASK)
        seen: set[tuple[str, str]] = set()
        for result in group:
            if (result.model, result.model_revision) in seen:
                raise ResultError(f"{_named(result)} was given twice: leave one of its files out")
            seen.add((result.model, result.model_revision))
    return groups


def _must_agree(results: Iterable[Result], names: Iterable[str]) -> None:
    first: Result | None = None
    for result in results:
        first = first or result
        for name in names:
            one, other = getattr(first, name), getattr(result, name)
            if one != other:
                raise ResultError(
                    f"{_named(first)} and {_named(result)} do not compare: {name} is {one!r} and {other!r}; "
                    "report them apart"
                )


def _named(result: Result) -> str:
    return f"{result.model} ({result.model_revision}) on {result.task} ({result.modality})"


def _result(values: dict[str, Any]) -> Result:
    known = {each.name: each for each in fields(Result)}
    for name, each in known.items():
        if name not in values and each.default is MISSING:
            raise ResultError(f"field {name!r} is missing")
        if not isinstance(values[name], kind := _JSON.get(str(each.type), dict)):  # type: ignore[arg-type]
            raise ResultError(f"field {name!r} is {values[name]!r}, which is no {kind}")
    if strange := values.keys() - known.keys():
        raise ResultError(f"fields {', '.join(sorted(strange))} are none of format {FORMAT}")
    scores = {name: _score(name, score) for name, score in values["scores"].items()}
    return Result(**values | {"scores": scores, "pretrained_on": tuple(values["pretrained_on"])})


def _score(name: str, values: Any) -> Score:  # noqa: ANN401
    try:
        return Score(**values | {"seeds": tuple(values.get("seeds", ()))})
    except (TypeError, AttributeError, ResultError) as error:
        raise ResultError(f"field 'scores', {name!r}: {error}") from error


def _plain(value: object) -> object:
    """Give NumPy's numbers and arrays as JSON's."""
    if hasattr(value, "tolist"):
        return value.tolist()
    raise TypeError(f"{value!r} is none that JSON can hold")
