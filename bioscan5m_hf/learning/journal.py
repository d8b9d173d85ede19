"""The log of a run: one JSON object a line, in which a resumed run goes on where its checkpoint was."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


class Journal:
    """A JSONL file with a `step` in each line.

    Args:
        path: the file.
        writes: whether this process writes; the others keep silent.

    Examples:
        >>> import tempfile
        >>> journal = Journal(Path(tempfile.mkdtemp()) / "log.jsonl")
        >>> journal.write({"step": 1, "loss": 6.2}); journal.write({"step": 2, "loss": 6.1})
        >>> journal.rewind(1)
        >>> journal.read()
        [{'step': 1, 'loss': 6.2}]
    """

    def __init__(self, path: Path | str, writes: bool = True) -> None:
        self.path, self.writes = Path(path), writes

    def write(self, line: dict[str, Any]) -> None:
        """Add a line; it is in the file when this returns.

        Args:
            line: has a `step`.
        """
        if self.writes:
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps(line) + "\n")

    def read(self) -> list[dict[str, Any]]:
        """Give all lines; one that was being written when the process was killed is left out."""
        if not self.path.exists():
            return []
        lines = []
        for text in self.path.read_text(encoding="utf-8").splitlines():
            try:
                lines.append(json.loads(text))
            except json.JSONDecodeError:
                continue
        return lines

    def rewind(self, step: int) -> None:
        """Take out what came after a step.

        Args:
            step: the last to stay.
        """
        if self.writes:
            beside = self.path.with_name(self.path.name + ".new")
            kept = [line for line in self.read() if line["step"] <= step]
            beside.write_text("".join(json.dumps(line) + "\n" for line in kept), encoding="utf-8")
            beside.replace(self.path)
