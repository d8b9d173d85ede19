"""Checkpoints that are whole or absent: written beside, renamed, the older ones removed afterwards."""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..errors import Bioscan5mError


if TYPE_CHECKING:
    from accelerate import Accelerator

_PROGRESS, _RANDOM = "progress.json", "random_{}.pt"


class CheckpointError(Bioscan5mError):
    """A checkpoint does not belong to the run that would go on from it.

    Examples:
        >>> issubclass(CheckpointError, Bioscan5mError)
        True
    """


@dataclass(frozen=True)
class Checkpoints:
    """The checkpoints of a run.

    Args:
        folder: where they are; hidden folders are not pushed to the Hub.
        accelerator: knows model, optimiser and processes.
        keep: how many stay.
    """

    folder: Path
    accelerator: Accelerator
    keep: int = 2

    def save(self, step: int, progress: dict[str, Any]) -> None:
        """Write one; a process killed meanwhile leaves the earlier ones and nothing that looks like one.

        Args:
            step: number of steps that are done.
            progress: what else the run has to know, as JSON knows it.
        """
        place, beside = self.folder / f"step-{step}", self.folder / f".step-{step}.unfinished"
        if self.accelerator.is_main_process:
            shutil.rmtree(beside, ignore_errors=True)
            shutil.rmtree(place, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(beside))
        torch.save(_random_state(), beside / _RANDOM.format(self.accelerator.process_index))
        self.accelerator.wait_for_everyone()
        if self.accelerator.is_main_process:
            (beside / _PROGRESS).write_text(json.dumps({"step": step, **progress}))
            for file in beside.iterdir():
                _to_disk(file)
            beside.rename(place)
            for old in self._finished()[: -self.keep]:
                shutil.rmtree(old)
        self.accelerator.wait_for_everyone()

    def newest(self) -> Path | None:
        """Give the newest finished one."""
        return next(reversed(self._finished()), None)

    def load(self, place: Path, **expected: object) -> dict[str, Any]:
        """Bring model, optimiser and random generators to where they were; give the progress.

        Args:
            place: the checkpoint.
            expected: entries of the progress that must be as they were.

        Raises:
            CheckpointError: they are not.
        """
        progress: dict[str, Any] = json.loads((place / _PROGRESS).read_text())
        for name, value in expected.items():
            if progress.get(name) != value:
                raise CheckpointError(
                    f"{place} was made with {name} {progress.get(name)!r}, this run has {value!r}: "
                    "give another --output, or remove that folder to start anew"
                )
        self.accelerator.load_state(str(place))
        state = place / _RANDOM.format(self.accelerator.process_index)
        if state.exists():  # absent where there were fewer processes
            states = torch.load(state, weights_only=True)
            torch.set_rng_state(states[0])
            if torch.cuda.is_available() and len(states) > 1:  # pragma: no cover  # no GPU in the tests
                torch.cuda.set_rng_state(states[1])
        return progress

    def _finished(self) -> list[Path]:
        found = [path for path in self.folder.glob("step-*") if re.fullmatch(r"step-\d+", path.name)]
        return sorted(found, key=lambda path: int(path.name[5:]))


def _random_state() -> list[torch.Tensor]:
    # accelerate saves them too, but goes on in silence where it cannot read them back
    cuda = [torch.cuda.get_rng_state()] if torch.cuda.is_available() else []
    return [torch.get_rng_state(), *cuda]


def _to_disk(file: Path) -> None:
    with file.open("rb") as opened:
        os.fsync(opened.fileno())
