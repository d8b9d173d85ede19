"""Measuring: functions run in fresh processes, their seconds and peak memory, repeats that take turns."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
SAMPLED_EVERY = 0.05
QUIET = {
    "HF_HUB_DISABLE_XET": "1",
    "HF_HUB_DISABLE_TELEMETRY": "1",
    "HF_HUB_DISABLE_UPDATE_CHECK": "1",
    "HF_HUB_DISABLE_PROGRESS_BARS": "1",
    "HF_UPDATE_DOWNLOAD_COUNTS": "0",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
}


@dataclass(frozen=True)
class Ran:
    """What came of a function that ran in a fresh process.

    Args:
        result: what it returned.
        seconds: wall time of the whole process, its start and imports included.
        peak: largest memory of the process and its descendants, in bytes; 0 where it was not asked for.
    """

    result: Any
    seconds: float
    peak: int


def call(
    function: str, *, home: Path, memory: bool = False, env: Mapping[str, str] | None = None, **given: Any
) -> Ran:
    """Run a function of a benchmark module in a fresh process.

    Args:
        function: `module:name`.
        home: `HF_HOME` of the process; an empty or new folder for a cold start.
        memory: sample the memory of the process and its descendants.
        env: more environment variables; None as a value is not possible, "" is.
        **given: arguments of the function, as JSON (paths as text).
    """
    command = [sys.executable, str(HERE / "child.py"), function, json.dumps(given, default=str)]
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HF_", "HUGGING"))}
    start = time.perf_counter()
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=inherited | QUIET | {"HF_HOME": str(home)} | dict(env or {}),
    ) as process:
        watch = Watch(process.pid) if memory else None
        output, errors = process.communicate()
        seconds = time.perf_counter() - start
        peak = watch.stop() if watch else 0
    if process.returncode:
        raise RuntimeError(f"{function} failed ({process.returncode}) with {given}:\n{errors[-4000:]}")
    return Ran(json.loads(output.splitlines()[-1]), seconds, peak)


class Watch:
    """Samples the memory of a process tree in a thread: the sum of PSS, so that shared pages count once."""

    def __init__(self, pid: int) -> None:
        self.pid, self.peak = pid, 0
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> int:
        """End sampling and give the peak in bytes."""
        self.ended.set()
        self.thread.join()
        return self.peak

    def _watch(self) -> None:
        while not self.ended.wait(SAMPLED_EVERY):
            self.peak = max(self.peak, sum(pss(pid) for pid in family(self.pid)))


def family(pid: int) -> list[int]:
    """Give a process and all its descendants."""
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += map(int, task.read_text().split())
            except OSError:  # the thread has just ended
                continue
    return found


def pss(pid: int | str = "self") -> int:
    """Give the proportional set size of a process in bytes; 0 where it has just ended."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    lines = (line.split() for line in text.splitlines())
    return next((int(words[1]) * 1024 for words in lines if words[0] == "Pss:"), 0)


def in_turn(tasks: Mapping[str, Callable[[], float]], repeats: int) -> dict[str, list[float]]:
    """Repeat tasks in turn, so that what disturbs the machine disturbs all of them.

    Args:
        tasks: name → function that gives its own figure.
        repeats: rounds.

    Returns:
        The figures of each, round by round.
    """
    figures: dict[str, list[float]] = {name: [] for name in tasks}
    for round_ in range(repeats):
        for name, task in tasks.items():
            figures[name].append(task())
            print(f"    {round_ + 1}/{repeats}  {name}: {figures[name][-1]:,.4g}", flush=True)
    return figures


def ratios(above: list[float], below: list[float]) -> list[float]:
    """Divide figures round by round."""
    return [one / other for one, other in zip(above, below, strict=True)]
