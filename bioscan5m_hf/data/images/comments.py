"""What is said in the comment of a JPEG that was made here: of which photograph, and how; so that work goes on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from PIL import Image


MARK = "bioscan5m "
FOREIGN = "a file that was not made here stands in the place of its result: move one of the two"
"""Why a photograph is left out whose result would be written over somebody's file."""


def make_comment(source: Path, **said: Any) -> str:  # noqa: ANN401
    """Write what is said: size and date of the photograph, and how it was treated.

    Args:
        source: the photograph.
        said: what JSON can hold.
    """
    return MARK + json.dumps({"source": _identity(source), **said})


def read_comment(target: Path) -> dict[str, Any]:
    """Read what a JPEG says; nothing where it is not there, cannot be read, or was not made here."""
    try:
        with Image.open(target) as there:
            comment = there.info.get("comment", b"").decode()
        said = json.loads(comment.removeprefix(MARK)) if comment.startswith(MARK) else {}
    except (OSError, ValueError):
        return {}
    return said if isinstance(said, dict) else {}


def made_so(target: Path, source: Path, wanted: Mapping[str, Any]) -> dict[str, Any] | None:
    """Give what a JPEG says, if it was made of the photograph as it is now, and as is wanted; else None."""
    said = read_comment(target)
    if not said or said.get("source") != _identity(source):
        return None
    same = all(said.get(name) == value for name, value in json.loads(json.dumps(dict(wanted))).items())
    return said if same else None


def is_foreign(target: Path, made: str) -> bool:
    """Tell whether a file is there that was not made here in the same way, and must stay as it is.

    Args:
        target: the file.
        made: what its comment would say, `crop` or `resize`.
    """
    return target.exists() and read_comment(target).get("made") != made


def _identity(source: Path) -> list[int]:
    about = source.stat()
    return [about.st_size, about.st_mtime_ns]
