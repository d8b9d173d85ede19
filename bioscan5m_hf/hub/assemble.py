"""A model repository from its two halves: the card and architecture in `models/<name>/`, and trained weights."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import OutputError
from .cards import join_card, split_card
from .records import read_json, read_records, with_figures


CARD, CONFIG, RESULTS = "README.md", "config.json", "results.json"
DATA = (".safetensors", ".json", ".jsonl", ".yaml", ".csv", ".md", ".png", ".txt")
"""Files of the weights' folder that are taken over; nothing that has to be unpickled is among them."""

PICKLES = (".bin", ".pt", ".pth", ".pkl", ".ckpt")
_SLOT = re.compile(r"(<!-- results -->\n)(.*?)(<!-- /results -->)", re.DOTALL)
_NOTHING = "Nothing has been measured with these weights.\n"


def assemble(source: Path | str, weights: Path | str, target: Path | str) -> Path:
    """Make the folder that is pushed to the Hub.

    The card comes from `source`, its table of results and its `model-index` from the records of the weights; weights,
    tokenizer and log come from `weights`, whose architecture must be the declared one. Where the records beside the
    card hold those of the weights, it is these weights that they tell of: then all of them count, and come along.

    Args:
        source: `models/<name>`: `README.md` and `config.json` with what is declared of the architecture.
        weights: what training or conversion left.
        target: folder to write, new, empty, or assembled before.

    Returns:
        The target.

    Raises:
        OutputError: something is missing, does not fit, or would be overwritten.

    Examples:
        >>> assemble("models/other", "out", "repository")
        Traceback (most recent call last):
        ...
        bioscan5m_hf.errors.OutputError: models/other has no README.md: give a folder such as models/barcodebert-5m
    """
    source, weights, target = Path(source), Path(weights), Path(target)
    for name in (CARD, CONFIG):
        if not (source / name).is_file():
            raise OutputError(f"{source} has no {name}: give a folder such as models/barcodebert-5m")
    files = _weight_files(weights)
    _check_architecture(read_json(source / CONFIG), read_json(weights / CONFIG), source, weights)
    _check_target(target)
    records, known = _records(weights), _records(source)
    theirs = bool(records) and all(one in known for one in records)
    text = fill_card((source / CARD).read_text(encoding="utf-8"), records, known if theirs else records)
    beside = target.with_name(f".{target.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        for file in files:
            place = beside / file.relative_to(weights)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)
        for file in source.glob("results*.json") if theirs else ():
            shutil.copyfile(file, beside / file.name)
        (beside / CARD).write_text(text, encoding="utf-8")
        shutil.rmtree(target, ignore_errors=True)
        os.replace(beside, target)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return target


def fill_card(
    text: str, records: Sequence[Mapping[str, Any]], stated: Sequence[Mapping[str, Any]] | None = None
) -> str:
    r"""Write records into a card: a table between `<!-- results -->` marks, and a `model-index` in its YAML.

    Args:
        text: the card; what it had of both is replaced.
        records: dicts with `task`, `metric`, `value` and `data`, for the table.
        stated: the same, for the `model-index`; None for `records`.

    Raises:
        OutputError: the card has no front matter, or no place for results.

    Examples:
        >>> card = "---\nlicense: mit\n---\n# Model\n<!-- results -->\n<!-- /results -->\n"
        >>> print(fill_card(card, []).splitlines()[5])
        Nothing has been measured with these weights.
    """
    values, body = split_card(text)
    if not _SLOT.search(body):
        raise OutputError("the card has no place for results: <!-- results --> and <!-- /results -->")
    table = _table(records) if records else _NOTHING
    filled = join_card(values, _SLOT.sub(lambda found: found[1] + table + found[3], body))
    return with_figures(filled, records if stated is None else stated)


def _table(records: Sequence[Mapping[str, Any]]) -> str:
    lines = ["| task | metric | value | on |", "|---|---|--:|---|"]
    lines += [f"| {one['task']} | {one['metric']} | {float(one['value']):.4g} | {one['data']} |" for one in records]
    return "\n".join(lines) + "\n"


def _records(folder: Path) -> list[dict[str, Any]]:
    return read_records(folder / RESULTS) if (folder / RESULTS).exists() else []


def _weight_files(weights: Path) -> list[Path]:
    """Give the files of a model folder that go to the Hub: data of the model itself, not checkpoints of the run."""
    if not (weights / CONFIG).is_file() or not list(weights.glob("model*.safetensors")):
        raise OutputError(f"{weights} holds no model: config.json and model.safetensors, as training leaves them")
    pickled = sorted(path.name for path in weights.iterdir() if path.suffix in PICKLES)
    if pickled:
        raise OutputError(
            f"{weights} holds {', '.join(pickled)}, which would have to be unpickled: convert it to safetensors first"
        )
    code = ("configuration_", "modeling_", "heads_", "tokenization_", "processing_", "loss_")
    files = [path for path in weights.iterdir() if path.is_file() and path.suffix in DATA]
    files += [path for path in weights.glob("*.py") if path.name.startswith(code)]
    files += [path for folder in ("1_Pooling", "dna_tokenizer") for path in weights.glob(f"{folder}/*.json")]
    return sorted(path for path in files if not path.name.startswith(".") and path.name != CARD)


def _check_architecture(declared: Mapping[str, Any], found: Mapping[str, Any], source: Path, weights: Path) -> None:
    wrong = [
        f"{name} is {found.get(name)!r}, declared is {value!r}"
        for name, value in declared.items()
        if found.get(name) != value
    ]
    if wrong:
        raise OutputError(f"{weights} does not fit {source / CONFIG}: {'; '.join(wrong)}")


def _check_target(target: Path) -> None:
    if target.is_dir() and any(target.iterdir()) and not (target / CONFIG).exists():
        raise OutputError(f"{target} is not empty and holds no model: name a new folder")
    if target.exists() and not target.is_dir():
        raise OutputError(f"{target} is a file: name a new folder")
