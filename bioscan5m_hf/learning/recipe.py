"""Recipes: a frozen dataclass, a YAML file and the flags of a command say the same."""

from __future__ import annotations

import argparse
import dataclasses
import difflib
import types
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import yaml

from ..errors import Bioscan5mError
from ..provenance import without_folder


class RecipeError(Bioscan5mError, ValueError):
    """A recipe has an unknown entry, or a value that cannot be meant.

    Examples:
        >>> issubclass(RecipeError, ValueError)
        True
    """


def option(default: Any, help: str) -> Any:  # noqa: ANN401
    """Declare a field of a recipe.

    Args:
        default: its value where a file and the flags say nothing; a mapping is copied for each recipe.
        help: what it is, in one phrase.

    Examples:
        >>> @dataclasses.dataclass(frozen=True)
        ... class Small:
        ...     epochs: float = option(35.0, "passes over the barcodes")
        >>> Small().epochs
        35.0
    """
    if isinstance(default, dict):
        return dataclasses.field(default_factory=lambda: dict(default), metadata={"help": help})
    return dataclasses.field(default=default, metadata={"help": help})


R = TypeVar("R")


def make(kind: type[R], values: Mapping[str, Any], source: str = "the recipe") -> R:
    """Make a recipe from plain values, such as a YAML file has.

    Args:
        kind: the dataclass.
        values: field → value; fields that are not named keep their defaults.
        source: where the values are from, for messages.

    Raises:
        RecipeError: an unknown field, or a value of another type than the field's.

    Examples:
        >>> from bioscan5m_hf.learning.pretraining import PretrainingRecipe
        >>> make(PretrainingRecipe, {"epochs": 3}).epochs
        3.0
        >>> make(PretrainingRecipe, {"epoch": 3})
        Traceback (most recent call last):
        ...
        bioscan5m_hf.learning.recipe.RecipeError: the recipe: unknown entry 'epoch'; did you mean 'epochs'?
    """
    hints = get_type_hints(kind)
    for name in values:
        if name not in hints:
            near = difflib.get_close_matches(str(name), hints, n=3)
            said = f"did you mean {' or '.join(map(repr, near))}?" if near else f"use some of {', '.join(hints)}"
            raise RecipeError(f"{source}: unknown entry {name!r}; {said}")
    typed = {name: _typed(hints[name], value, f"{source}: {name}") for name, value in values.items()}
    try:
        return kind(**typed)
    except RecipeError as error:
        raise RecipeError(f"{source}: {error}") from error


def read_recipe(kind: type[R], path: Path | str) -> R:
    """Read a recipe from a YAML file.

    Args:
        kind: the dataclass.
        path: the file.

    Raises:
        RecipeError: there is no such file, it is not YAML, or see `make`.
    """
    return make(kind, _read(path), str(path))


def write_recipe(recipe: Any, path: Path | str) -> None:  # noqa: ANN401
    """Write a recipe as YAML, with every field and its meaning; the file may be published: see `to_public`.

    Args:
        recipe: the dataclass.
        path: the file, replaced at once.
    """
    path = Path(path)
    lines = []
    values = to_public(recipe)
    for field in dataclasses.fields(recipe):
        value = yaml.safe_dump([values[field.name]], default_flow_style=True, width=10**6)
        lines.append(f"# {field.metadata['help']}\n{field.name}: {value.strip()[1:-1]}\n")
    beside = path.with_name(path.name + ".new")
    beside.write_text("".join(lines), encoding="utf-8")
    beside.replace(path)


def to_public(recipe: Any) -> dict[str, Any]:  # noqa: ANN401
    """Give the fields as plain values that YAML and JSON know, without folders: of an absolute path its last name.

    Args:
        recipe: the dataclass.
    """
    return {field.name: _without_folders(_plain(getattr(recipe, field.name))) for field in dataclasses.fields(recipe)}


def _without_folders(value: Any) -> Any:  # noqa: ANN401
    if isinstance(value, dict):
        return {name: _without_folders(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_without_folders(each) for each in value]
    return without_folder(value) if isinstance(value, str) else value


def add_flags(parser: argparse.ArgumentParser, kind: type[Any]) -> None:
    """Add `--config FILE` and one flag per field; flags that are not given say nothing.

    Args:
        parser: the command's parser.
        kind: the dataclass.
    """
    parser.add_argument("--config", metavar="FILE", help="YAML recipe; flags come before what it says")
    hints = get_type_hints(kind)
    for field in dataclasses.fields(kind):
        names = ["--" + field.name.replace("_", "-")]
        default = field.default if field.default is not dataclasses.MISSING else {}
        parser.add_argument(
            *names,
            dest=field.name,
            default=argparse.SUPPRESS,
            help=f"{field.metadata['help']} (default: {_shown(default)})".replace("%", "%%"),
            **_flag(hints[field.name], field.name),
        )


def from_flags(kind: type[R], flags: argparse.Namespace) -> R:
    """Make a recipe from parsed flags: defaults, then the file of `--config`, then the flags.

    Args:
        kind: the dataclass.
        flags: what the parser of `add_flags` gave.

    Raises:
        RecipeError: see `make`.

    Examples:
        >>> from bioscan5m_hf.learning.pretraining import PretrainingRecipe
        >>> parser = argparse.ArgumentParser()
        >>> add_flags(parser, PretrainingRecipe)
        >>> given = ["--epochs", "2", "--architecture", "num_hidden_layers=2"]
        >>> from_flags(PretrainingRecipe, parser.parse_args(given)).architecture
        {'num_hidden_layers': 2}
    """
    names = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    values = dict(_read(flags.config)) if flags.config else {}
    given = {name: getattr(flags, name) for name in names if hasattr(flags, name)}
    for name, value in given.items():
        if isinstance(value, list) and value and isinstance(value[0], _Pair):
            given[name] = {**(values.get(name) or {}), **dict(value)}
    make(kind, values, flags.config or "the recipe")
    return make(kind, values | given, "flags")


def check_choice(name: str, value: object, choices: Sequence[object]) -> None:
    """Refuse a value that is none of the choices.

    Args:
        name: the field.
        value: what was given.
        choices: what is allowed.

    Raises:
        RecipeError: it is none of them.

    Examples:
        >>> check_choice("schedule", "linear", ("onecycle", "cosine"))
        Traceback (most recent call last):
        ...
        bioscan5m_hf.learning.recipe.RecipeError: schedule is 'linear': use one of onecycle, cosine
    """
    if value not in choices:
        raise RecipeError(f"{name} is {value!r}: use one of {', '.join(map(str, choices))}")


def check_range(name: str, value: float, low: float, high: float = float("inf")) -> None:
    """Refuse a number outside a closed range.

    Args:
        name: the field.
        value: what was given.
        low: the least that is allowed.
        high: the most that is allowed.

    Raises:
        RecipeError: it lies outside.

    Examples:
        >>> check_range("mask_ratio", 1.5, 0, 1)
        Traceback (most recent call last):
        ...
        bioscan5m_hf.learning.recipe.RecipeError: mask_ratio is 1.5: use a number from 0 to 1
    """
    if not low <= value <= high:
        upper = "" if high == float("inf") else f" to {high}"
        raise RecipeError(f"{name} is {value}: use a number from {low}{upper}")


class _Pair(tuple[str, Any]):
    """An entry of a mapping, given as `key=value`."""

    @classmethod
    def parse(cls, text: str) -> _Pair:
        key, sign, value = text.partition("=")
        if not sign or not key:
            raise argparse.ArgumentTypeError(f"{text!r} is no entry: write key=value")
        return cls((key, yaml.safe_load(value)))


def _read(path: Path | str) -> dict[str, Any]:
    try:
        values = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RecipeError(f"no file {path}: the recipes that come along are in training/configs/") from None
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise RecipeError(f"{path} cannot be read as YAML: {error}") from error
    if values is None:
        return {}
    if not isinstance(values, dict):
        raise RecipeError(f"{path} holds a {type(values).__name__}: a recipe is a mapping of names to values")
    return values


def _flag(hint: Any, name: str) -> dict[str, Any]:  # noqa: ANN401
    """Say how argparse reads a field of this type."""
    kind, optional = _without_none(hint)
    if kind is bool:
        return {"action": argparse.BooleanOptionalAction}
    if get_origin(kind) is Literal:
        return {"choices": get_args(kind)}
    if get_origin(kind) is dict:
        return {"nargs": "+", "type": _Pair.parse, "metavar": "KEY=VALUE"}
    if get_origin(kind) is tuple:
        inner = get_args(kind)
        repeated = len(inner) == 2 and inner[1] is Ellipsis
        kinds = {"type": inner[0], "metavar": name.upper()}
        return kinds | ({"nargs": "*", "action": "extend"} if repeated else {"nargs": len(inner)})
    return {"type": _none_or(kind) if optional else kind, "metavar": name.upper()}


def _none_or(kind: Any) -> Any:  # noqa: ANN401
    def read(text: str) -> Any:  # noqa: ANN401
        return None if text == "none" else kind(text)

    read.__name__ = kind.__name__
    return read


def _typed(hint: Any, value: Any, where: str) -> Any:  # noqa: ANN401
    """Bring a plain value into a field's type, or say that it does not fit."""
    kind, optional = _without_none(hint)
    if value is None and optional:
        return None
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal and value in inner:
        return value
    if origin is dict and isinstance(value, dict):
        return {str(key): entry for key, entry in value.items()}
    if origin is tuple and isinstance(value, list | tuple):
        repeated = len(inner) == 2 and inner[1] is Ellipsis
        if repeated or len(value) == len(inner):
            kinds = [inner[0]] * len(value) if repeated else inner
            return tuple(_typed(each, entry, where) for each, entry in zip(kinds, value, strict=True))
    if kind is float and not isinstance(value, bool):
        try:
            return float(value)  # YAML 1.1 reads 1e-4 as a text
        except (TypeError, ValueError):
            pass
    if kind in (int, str, bool) and type(value) is kind:
        return value
    raise RecipeError(f"{where} is {value!r}: use {_named(hint)}")


def _without_none(hint: Any) -> tuple[Any, bool]:  # noqa: ANN401
    if get_origin(hint) in (Union, types.UnionType):
        kinds = [kind for kind in get_args(hint) if kind is not type(None)]
        return kinds[0], len(kinds) < len(get_args(hint))
    return hint, False


def _named(hint: Any) -> str:  # noqa: ANN401
    kind, optional = _without_none(hint)
    origin, inner = get_origin(kind), get_args(kind)
    if origin is Literal:
        name = "one of " + ", ".join(map(str, inner))
    elif origin is tuple:
        name = f"a list of {inner[0].__name__}" + ("" if Ellipsis in inner else f", {len(inner)} long")
    else:
        name = {int: "a whole number", float: "a number", str: "a text", bool: "true or false"}.get(kind, "a mapping")
    return name + (" or null" if optional else "")


def _shown(value: object) -> str:
    return "none" if value is None or value == () or value == {} else str(_plain(value))


def _plain(value: object) -> object:
    return list(value) if isinstance(value, tuple) else value
