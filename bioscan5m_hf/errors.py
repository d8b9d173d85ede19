"""Errors: what was given, what is allowed, what to do."""

from __future__ import annotations

import functools
from collections.abc import Callable


class Bioscan5mError(Exception):
    """Base of all errors of this package; its text is meant for the user as it is."""


class ReleaseError(Bioscan5mError):
    """A release file is missing, broken or says something impossible.

    Args:
        message: what is wrong, with the value that was given.
        file: the release file (and, after `!`, the member of an archive).
        row: the record in the file; 1 is the first specimen after the header.
        processid: the specimen, where known.
        hint: what to do about it.

    Examples:
        >>> print(ReleaseError("unknown split 'dev'", file="m.csv", row=3, hint="use one of train, val"))
        m.csv, row 3: unknown split 'dev'; use one of train, val
    """

    def __init__(
        self,
        message: str,
        *,
        file: str | None = None,
        row: int | None = None,
        processid: str | None = None,
        hint: str | None = None,
    ) -> None:
        self.message, self.file, self.row, self.processid, self.hint = message, file, row, processid, hint
        super().__init__(message, file, row, processid, hint)

    def __reduce__(self) -> tuple[Callable[[], ReleaseError], tuple[()]]:
        # Exceptions are pickled as class and positional arguments; this one comes from worker processes, too.
        place = {"file": self.file, "row": self.row, "processid": self.processid, "hint": self.hint}
        return functools.partial(type(self), self.message, **place), ()  # type: ignore[arg-type]

    def __str__(self) -> str:
        row = None if self.row is None else f"row {self.row}"
        place = ", ".join(part for part in (self.file, row, self.processid) if part)
        return (f"{place}: " if place else "") + self.message + (f"; {self.hint}" if self.hint else "")


EXTRAS = {
    "models": ("torch", "transformers", "tokenizers", "safetensors", "edlib", "sklearn", "timm"),
    "train": ("accelerate", "peft", "pycocotools"),
    "eval": ("evaluate", "fastcluster", "umap", "matplotlib", "open_clip"),
    "curate": ("rapidfuzz", "squarify", "pycountry", "skimage"),
    "browse": ("gradio",),
    "cluster": ("distributed",),
}
"""Extra of this package → modules that it installs."""


def explain_missing(error: ModuleNotFoundError) -> str:
    """Say what to install where a module is missing that an extra of this package brings.

    Args:
        error: what Python raised.

    Examples:
        >>> explain_missing(ModuleNotFoundError("No module named 'umap'", name="umap"))
        "umap is not installed: pip install 'bioscan5m-hf[eval]'"
    """
    module = (error.name or "").partition(".")[0]
    extra = next((name for name, modules in EXTRAS.items() if module in modules), None)
    return str(error) if extra is None else f"{module} is not installed: pip install 'bioscan5m-hf[{extra}]'"


class OutputError(Bioscan5mError):
    """The output folder cannot be used: it is not ours, or what it holds does not fit the request."""


class ResultError(Bioscan5mError, ValueError):
    """A record of results cannot be read, or records cannot be compared; the text names the file and the field."""


class EncoderError(Bioscan5mError, ValueError):
    """What an encoder gave cannot be used; says what was wrong, and for which specimen."""


class TaskError(Bioscan5mError, ValueError):
    """A task cannot be done on this data, or by this model; says which task, and which split."""
