"""What a finished run leaves beside the weights: records of its numbers, and a card made from them."""

from __future__ import annotations

import json
import logging
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any, Literal

import jinja2
import yaml

from ..data.manifest import write_text
from ..provenance import code_version, command, hardware
from .recipe import to_public


logger = logging.getLogger(__name__)
RESULTS = "results.json"

Way = Literal["encoder", "classifier", "cnn", "clibd", "detector"]
"""Which `use_*.md.jinja` a card shows."""


@dataclass(frozen=True)
class Record:
    """A number, and what is needed to get it again.

    Args:
        task: what was measured.
        metric: how.
        value: the number.
        data: what it was measured on.
        data_revision: digest of the barcodes it was learnt from.
        seed: of the run.
        hardware: it ran on.
        code: version of this package.
        command: that was typed.

    Examples:
        >>> Record("masked k-mers", "accuracy", 0.5, "val", "0ecac9", 0, "CPU", "0.1", "train").value
        0.5
    """

    task: str
    metric: str
    value: float
    data: str
    data_revision: str
    seed: int
    hardware: str
    code: str
    command: str


def make_records(
    task: str, values: Mapping[str, float], *, data: str, data_revision: str, seed: int, processes: int
) -> list[Record]:
    """Make records of some numbers measured together, here and now.

    Args:
        task: what was measured.
        values: metric → number.
        data: what it was measured on.
        data_revision: digest of the barcodes it was learnt from.
        seed: of the run.
        processes: that took part.

    Examples:
        >>> make_records("t", {"accuracy": 1.0}, data="d", data_revision="0", seed=0, processes=1)[0].metric
        'accuracy'
    """
    place = (data_revision, seed, hardware(processes), code_version(), command())
    return [Record(task, metric, value, data, *place) for metric, value in values.items()]


def write_results(folder: Path, records: Sequence[Record]) -> None:
    """Write the records as JSON, beside and renamed.

    Args:
        folder: of the model.
        records: its numbers.
    """
    write_text(folder / RESULTS, json.dumps([asdict(record) for record in records], indent=2))


def make_card(title: str, front: Mapping[str, Any], recipe: object, *, way: Way, place: str, **values: object) -> str:
    """Make the card of a model from `card.md.jinja`.

    Args:
        title: its heading.
        front: the YAML at its top, with the licence.
        recipe: it was trained by.
        way: whose use it shows: `encoder`, `cnn`, `detector`, `classifier`, which needs its finest `rank`, too, or
            `clibd`, which needs its `modalities`.
        place: folder or Hub id the model is loaded from.
        **values: what the template names.
    """
    environment = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FunctionLoader(lambda name: files(__package__).joinpath(name).read_text(encoding="utf-8")),
    )
    values |= {"way": way, "place": json.dumps(place, ensure_ascii=False), "folder": shlex.quote(place)}
    values |= {"license": front["license"], "code": code_version()}
    header = yaml.safe_dump(dict(front), sort_keys=False, allow_unicode=True)
    said = yaml.safe_dump(to_public(recipe), sort_keys=False, default_flow_style=None, width=100)
    return environment.get_template("card.md.jinja").render(title=title, front=header, recipe=said, **values)
