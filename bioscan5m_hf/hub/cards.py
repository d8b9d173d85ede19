"""What cards of models say to machines: their YAML, and figures in the two forms that the Hub reads.

A `Figure` takes neutral values, so that records of training and of evaluation become cards by one way. `model-index`
is the older form, and the only one for datasets that are no registered benchmark of the Hub; `.eval_results/*.yaml` is
the newer one.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml
from huggingface_hub import EvalResult, EvalResultEntry, eval_result_entries_to_yaml
from huggingface_hub.repocard_data import eval_results_to_model_index

from ..errors import OutputError


UNPUBLISHED = "unpublished"
"""In place of a dataset's name, where it has none that is known to others."""

TAGS = ("biology", "dna", "dna-barcode", "insects", "biodiversity", "bioscan-5m")


@dataclass(frozen=True)
class Figure:
    """A value that a card states.

    Args:
        task: what was measured, in words.
        metric: how, in words.
        value: the number.
        data: what it was measured on, in words.
        dataset: id on the Hub, or another name.
        revision: of the dataset: a commit, or our digest of it.
        kind: id of the metric on the Hub.
        pipeline: id of the task on the Hub.
        task_id: the task of a registered benchmark of the Hub; without it, there is no entry in `.eval_results`.
        date: when it was measured, ISO 8601.
        source: address of the record.
        notes: what else a reader has to know.

    Examples:
        >>> Figure("masked k-mers", "masked accuracy", 0.5, "val").kind
        'accuracy'
    """

    task: str
    metric: str
    value: float
    data: str
    dataset: str = UNPUBLISHED
    revision: str | None = None
    kind: str = "accuracy"
    pipeline: str = "feature-extraction"
    task_id: str | None = None
    date: str | None = None
    source: str | None = None
    notes: str | None = None


def model_index(name: str, figures: Iterable[Figure]) -> list[dict[str, Any]]:
    """Give figures as the `model-index` of a card.

    Args:
        name: of the model.
        figures: in the order in which they are to stand; those of one task on the same data become one result.

    Returns:
        The list that stands in the YAML; empty without figures.

    Examples:
        >>> index = model_index("tiny", [Figure("masked k-mers", "masked accuracy", 0.5, "val")])
        >>> index[0]["results"][0]["metrics"]
        [{'type': 'accuracy', 'value': 0.5, 'name': 'masked accuracy'}]
    """
    # The library merges results without looking at the names of task and dataset, so it is given one group at a time.
    groups: dict[tuple[object, ...], list[EvalResult]] = {}
    for one in figures:
        place = (one.pipeline, one.task, one.dataset, one.data, one.revision, one.source)
        groups.setdefault(place, []).append(_result(one))
    made = [eval_results_to_model_index(name, group) for group in groups.values()]
    results = list(itertools.chain.from_iterable(index[0]["results"] for index in made))
    return [{"name": name, "results": results}] if results else []


def eval_results(figures: Iterable[Figure]) -> str:
    """Give figures as the text of a file `.eval_results/<name>.yaml`.

    Args:
        figures: those without a dataset on the Hub and a task of its benchmark are left out; the Hub would refuse
            them.

    Returns:
        YAML; empty where no figure is left.

    Examples:
        >>> one = Figure("1-NN", "genus", 0.5, "test", dataset="me/bioscan-5m", task_id="genus_1nn", date="2026-11-02")
        >>> print(eval_results([one]))
        - dataset:
            id: me/bioscan-5m
            task_id: genus_1nn
          value: 0.5
          date: '2026-11-02'
        <BLANKLINE>
    """
    entries = [
        EvalResultEntry(
            dataset_id=one.dataset,
            task_id=one.task_id,
            value=_rounded(one.value),
            dataset_revision=one.revision,
            date=one.date,
            source_url=one.source,
            notes=one.notes,
        )
        for one in figures
        if one.task_id is not None and is_hub_id(one.dataset)
    ]
    return yaml.safe_dump(eval_result_entries_to_yaml(entries), sort_keys=False, allow_unicode=True) if entries else ""


def front_matter(
    name: str,
    pipeline: str,
    *,
    dataset: str,
    license: str,
    base_model: str | None = None,
    figures: Sequence[Figure] = (),
    family: str = "barcodebert",
) -> dict[str, Any]:
    """Give the YAML at the top of a trained model's card.

    Args:
        name: of the model.
        pipeline: task on the Hub.
        dataset: what it learnt from; named if it is an id on the Hub.
        license: of the weights, as the Hub spells it.
        base_model: what it was fine-tuned from; named if it is an id on the Hub.
        figures: what was measured.
        family: `barcodebert`, or `clibd`.

    Examples:
        >>> front = front_matter("tiny", "feature-extraction", dataset="me/bioscan-5m", license="mit")
        >>> front["datasets"], front["license"]
        (['me/bioscan-5m'], 'mit')
    """
    front: dict[str, Any] = {"library_name": "transformers", "pipeline_tag": pipeline, "license": license}
    front |= {"model_name": name, "datasets": [dataset] if is_hub_id(dataset) else []}
    if base_model is not None and is_hub_id(base_model):
        front |= {"base_model": base_model, "base_model_relation": "finetune"}
    encodes = pipeline == "feature-extraction" and family == "barcodebert"
    further = ["sentence-transformers"] if encodes else ["multimodal", "images"] if family == "clibd" else []
    front |= {"tags": [*TAGS, family, *further], "metrics": sorted({one.kind for one in figures})}
    return front | ({"model-index": model_index(name, figures)} if figures else {})


def split_card(text: str) -> tuple[dict[str, Any], str]:
    r"""Take a card apart into the values of its YAML and its body.

    Args:
        text: the card.

    Raises:
        OutputError: there is no YAML at its top.

    Examples:
        >>> split_card("---\nlicense: mit\n---\n# Model\n")
        ({'license': 'mit'}, '# Model\n')
    """
    if not text.startswith("---\n") or "\n---\n" not in text:
        raise OutputError("the card has no YAML between --- lines at its top")
    front, body = text[4:].split("\n---\n", 1)
    try:
        values = yaml.safe_load(front) or {}
    except yaml.YAMLError as error:
        raise OutputError(f"the card's YAML cannot be read: {error}") from error
    if not isinstance(values, dict):
        raise OutputError(f"the card's YAML is a {type(values).__name__}: it has to be a mapping of names to values")
    return values, body


def join_card(values: Mapping[str, Any], body: str) -> str:
    r"""Put a card together.

    Args:
        values: of its YAML.
        body: what stands below.

    Examples:
        >>> join_card({"license": "mit"}, "# Model\n")
        '---\nlicense: mit\n---\n# Model\n'
    """
    written = yaml.safe_dump(dict(values), sort_keys=False, allow_unicode=True, width=120)
    return f"---\n{written}---\n{body}"


def is_hub_id(name: str) -> bool:
    """Tell whether a name can only be meant as a repository of the Hub: `owner/name`, and no folder here.

    Examples:
        >>> is_hub_id("bioscan-ml/BarcodeBERT"), is_hub_id("bioscan-5m")
        (True, False)
    """
    return re.fullmatch(r"[\w.-]+/[\w.-]+", name) is not None and not Path(name).exists()


def public_name(dataset: str) -> str:
    """Give the name of a dataset that may be published: its id on the Hub, or that of a folder without where it is.

    Examples:
        >>> public_name("me/bioscan-5m"), public_name("/home/me/bioscan-5m")
        ('me/bioscan-5m', 'bioscan-5m')
    """
    return dataset if is_hub_id(dataset) else Path(dataset).name


def _result(one: Figure) -> EvalResult:
    return EvalResult(
        task_type=one.pipeline,
        task_name=one.task,
        dataset_type=one.dataset,
        dataset_name=one.data,
        dataset_revision=one.revision,
        metric_type=one.kind,
        metric_name=one.metric,
        metric_value=_rounded(one.value),
        source_url=one.source,
    )


def _rounded(value: float) -> float:
    return round(float(value), 6)
