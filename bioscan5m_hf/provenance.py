"""Where a number comes from: this package's version, the machine, the command, and the memory that was taken."""

from __future__ import annotations

import functools
import os
import platform
import resource
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

from . import __version__


@functools.cache
def code_version() -> str:
    """Give this package's version, the commit of its checkout if it runs from one, and whether files have changed.

    The first answer stays: call it when a run starts, since the checkout may move on meanwhile.
    """
    folder = Path(__file__).resolve().parents[1]
    if not (folder / ".git").exists() or shutil.which("git") is None:
        return __version__
    asked = ["git", "-C", str(folder), "rev-parse", "--short", "HEAD"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    if done.returncode:
        return __version__
    changed = subprocess.run([*asked[:3], "status", "--porcelain"], capture_output=True, text=True, check=False).stdout
    return f"{__version__}+{done.stdout.strip()}{'.changed' if changed.strip() else ''}"


def hardware(processes: int = 1) -> str:
    """Name what this process computes on: the GPU, where torch has been loaded and has one, or the cores.

    Args:
        processes: how many do.
    """
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_available():  # pragma: no cover  # no GPU in the tests
        return f"{processes} × {torch.cuda.get_device_name()}"
    return f"{processes} process(es) on {os.cpu_count()} {platform.machine()} cores"


def command() -> str:
    """Give the command this process was started with, without the folders of this machine."""
    return shlex.join([Path(sys.argv[0]).name, *map(without_folder, sys.argv[1:])])


def without_folder(word: str) -> str:
    """Take the folders of this machine off a word of a command or recipe; what is relative stays.

    Examples:
        >>> without_folder("--out=/home/me/results"), without_folder("~/bioscan-5m"), without_folder("me/bioscan-5m")
        ('--out=results', 'bioscan-5m', 'me/bioscan-5m')
    """
    option, equals, value = word.partition("=") if word.startswith("--") else ("", "", word)
    return option + equals + (Path(value).name if value.startswith(("/", "~")) else value)


def forget_peak() -> None:
    """Begin the peak of this process's memory anew, where the system can (Linux)."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:  # pragma: no cover  # another system: the peak stays that of the whole process
        return


def peak_memory() -> int:
    """Give the most memory that this process held since `forget_peak`, in bytes.

    Examples:
        >>> peak_memory() > 1_000_000
        True
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text(encoding="ascii", errors="replace").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss  # pragma: no cover  # not Linux
    return peak * (1 if sys.platform == "darwin" else 1024)  # pragma: no cover
