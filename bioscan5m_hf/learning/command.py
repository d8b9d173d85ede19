"""The command line of a training script: its recipe, how the run is watched, and its errors."""

from __future__ import annotations

import argparse
import dataclasses
import importlib.util
import logging
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from ..errors import Bioscan5mError
from .recipe import RecipeError, add_flags, from_flags


if TYPE_CHECKING:
    from accelerate import Accelerator


@dataclass(frozen=True)
class Watching:
    """How a run is watched, and where it goes afterwards; no part of its recipe.

    Args:
        log_every: steps between lines of the log.
        log_with: trackers of accelerate, besides the log file.
        push_to_hub: repository the finished model is pushed to.
        license: of the finished weights, as the Hub spells it.
    """

    log_every: int = 25
    log_with: tuple[str, ...] = ()
    push_to_hub: str | None = None
    license: str = "mit"


R = TypeVar("R")


def read_arguments(kind: type[R], description: str, arguments: Sequence[str] | None = None) -> tuple[R, Watching]:
    """Read a recipe, and how the run is watched, from a command line.

    Args:
        kind: the recipe's dataclass.
        description: what the command does.
        arguments: of the command; by default this process's.

    Raises:
        RecipeError: an unknown entry, or a value that cannot be meant.

    Examples:
        >>> from bioscan5m_hf.learning.pretraining import PretrainingRecipe
        >>> recipe, watching = read_arguments(PretrainingRecipe, "train", ["--epochs", "1", "--log-every", "5"])
        >>> recipe.epochs, watching.log_every
        (1.0, 5)
    """
    parser = argparse.ArgumentParser(description=description, allow_abbrev=False)
    add_flags(parser, kind)
    parser.add_argument("--log-every", type=int, default=25, help="steps between lines of log.jsonl (default: 25)")
    trackers = ("trackio", "tensorboard", "wandb")
    parser.add_argument("--log-with", nargs="*", choices=trackers, default=[], help="log there, too")
    parser.add_argument("--push-to-hub", metavar="ORG/NAME", help="push the finished model to this repository")
    parser.add_argument("--license", default="mit", help="of your weights, for their card (default: mit)")
    flags = parser.parse_args(arguments)
    if flags.log_every < 1:
        parser.error(f"--log-every is {flags.log_every}: use a number from 1")
    return from_flags(kind, flags), Watching(flags.log_every, tuple(flags.log_with), flags.push_to_hub, flags.license)


def command_line(script: Callable[[], None]) -> None:
    """Run a script's main function; errors that are meant for the user end it without a traceback.

    Args:
        script: the main function.

    Examples:
        >>> command_line(lambda: None)
    """
    try:
        script()
    except (Bioscan5mError, ValueError) as error:
        raise SystemExit(f"error: {error}") from error


def start_accelerator(precision: str, watching: Watching, folder: Path) -> Accelerator:
    """Start accelerate, and logging that tells what this package does.

    Args:
        precision: `fp32` or `bf16`.
        watching: names the trackers.
        folder: of the model, where trackers write.

    Raises:
        RecipeError: a tracker is not installed.
    """
    from accelerate import Accelerator
    from transformers.utils import logging as transformers_logging

    from ..provenance import code_version

    code_version()  # records of this run say what it started from
    absent = [name for name in watching.log_with if importlib.util.find_spec(name) is None]
    if absent:
        raise RecipeError(f"--log-with {absent[0]}: it is not installed; pip install {' '.join(absent)}")
    accelerator = Accelerator(
        mixed_precision={"fp32": "no"}.get(precision, precision),
        log_with=list(watching.log_with) or None,
        project_dir=str(folder),
    )
    logging.basicConfig(format="%(message)s")
    logging.getLogger("accelerate").setLevel(logging.ERROR)
    if not sys.stderr.isatty():  # bars would fill a log
        transformers_logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    logging.getLogger("bioscan5m_hf").setLevel(logging.INFO if accelerator.is_main_process else logging.WARNING)
    return accelerator


def describe(value: object) -> dict[str, Any]:
    """Give a dataclass as a flat mapping that trackers take.

    Args:
        value: the dataclass.

    Examples:
        >>> describe(Watching())
        {'log_every': 25, 'log_with': '()', 'push_to_hub': 'None', 'license': 'mit'}
    """
    given = dataclasses.asdict(value)  # type: ignore[call-overload]
    return {name: each if isinstance(each, int | float | str) else str(each) for name, each in given.items()}
