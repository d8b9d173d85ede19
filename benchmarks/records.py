"""Records of measurements, their file, and the table that is made from them."""

from __future__ import annotations

import datetime
import importlib.metadata
import json
import os
import platform
import shutil
import statistics
import subprocess
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
RESULTS, README = HERE / "results.json", HERE / "README.md"
BEGIN, END = "<!-- table: made by run.py --table -->", "<!-- end of table -->"
PACKAGES = (
    *("bioscan5m-hf", "bioscan-dataset", "datasets", "pyarrow", "pandas", "numpy", "torch", "simplejpeg", "pillow"),
    "h5py",
)


@dataclass(frozen=True)
class Bar:
    """What a figure should reach.

    Args:
        sign: `>=` or `<=`.
        limit: the limit, in the figure's unit.
    """

    sign: str
    limit: float

    def met(self, value: float) -> bool:
        """Tell whether a figure reaches it."""
        return value >= self.limit if self.sign == ">=" else value <= self.limit

    def __str__(self) -> str:
        return f"{'≥' if self.sign == '>=' else '≤'} {number(self.limit)}"


@dataclass(frozen=True)
class Figure:
    """One measured quantity with its repeats.

    Args:
        name: what was measured.
        unit: its unit; `×` for a ratio.
        values: one value per repeat.
        bar: what it should reach, if anything.
        note: how it was measured, where that is not plain.
        why: the reason, if the bar should not be met; found by profiling, not guessed.
    """

    name: str
    unit: str
    values: Sequence[float]
    bar: Bar | None = None
    note: str = ""
    why: str = ""


@dataclass(frozen=True)
class Context:
    """Where and how measurements were made; the same for all of a run.

    Args:
        command: the command line.
        sizes: sizes of the inputs.
        machine: processor, cores, memory, system, GPU.
        versions: package → version.
        code: git commit, with `+` where files differ from it.
        date: UTC.
    """

    command: str
    sizes: dict[str, Any]
    machine: dict[str, Any] = field(default_factory=lambda: describe_machine())
    versions: dict[str, str] = field(default_factory=lambda: describe_versions())
    code: str = field(default_factory=lambda: describe_code())
    date: str = field(default_factory=lambda: datetime.datetime.now(datetime.UTC).strftime("%Y-%m-%d %H:%M"))


def record(row: str, figure: Figure, context: Context) -> dict[str, Any]:
    """Make the record of a figure."""
    value = statistics.median(figure.values)
    missed = figure.bar is not None and not figure.bar.met(value)
    return {
        "row": row,
        "name": figure.name,
        "value": value,
        "unit": figure.unit,
        "repeats": len(figure.values),
        "range": [min(figure.values), max(figure.values)],
        "bar": str(figure.bar) if figure.bar else None,
        "met": figure.bar.met(value) if figure.bar else None,
        "note": figure.note,
        "why": figure.why if missed else "",
        **asdict(context),
    }


def save(path: Path, row: str, records: Iterable[dict[str, Any]], order: Sequence[str]) -> None:
    """Replace the records of a row; the file is written beside and renamed.

    Args:
        path: the file.
        row: name of the row.
        records: its new records.
        order: names of all rows; records of others are forgotten.
    """
    known = [one for one in load(path) if one["row"] != row and one["row"] in order] + list(records)
    known.sort(key=lambda one: order.index(one["row"]))
    beside = path.with_name(f".{path.name}.part")
    beside.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(beside, path)


def load(path: Path) -> list[dict[str, Any]]:
    """Read the records; none where there is no file."""
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else []


def table(records: Sequence[dict[str, Any]], titles: dict[str, str]) -> str:
    """Write the records as tables, one for each row of the benchmark, and say where they were made."""
    text = []
    for row, title in titles.items():
        found = [one for one in records if one["row"] == row]
        if not found:
            continue
        text += [f"### {title}", "", _conditions(found), ""]
        text += ["| | median | range | repeats | bar | met |", "|---|---:|---:|---:|---:|---|"]
        notes: list[str] = []
        text += [_line(one, notes) for one in found]
        text += ["", *(f"{number}. {note}" for number, note in enumerate(notes, 1)), ""]
    return "\n".join(text).replace("\n\n\n", "\n\n").strip()


def fill(readme: str, records: Sequence[dict[str, Any]], titles: dict[str, str]) -> str:
    """Put the table into the text of the README, between its two marks."""
    before, _, rest = readme.partition(BEGIN)
    after = rest.partition(END)[2]
    return f"{before}{BEGIN}\n\n{table(records, titles)}\n\n{END}{after}"


def number(value: float) -> str:
    """Write a figure with three digits that count."""
    if value == 0 or 0.001 <= abs(value) < 1000:
        return f"{value:.3g}"
    return f"{float(f'{value:.3g}'):,.0f}" if abs(value) >= 1000 else f"{value:.2e}"


def describe_machine() -> dict[str, Any]:
    """Say what the machine is: processor, cores, memory, system, and a GPU if there is one; nothing that names it."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), "unknown")
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "cpu": " ".join(model.split()),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gib": round(memory, 1),
        "system": platform.system(),
        "python": platform.python_version(),
        **({"gpu": gpu} if (gpu := find_gpu()) else {}),
    }


def find_gpu() -> str | None:
    """Name the first GPU that the driver shows."""
    if shutil.which("nvidia-smi") is None:
        return None
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    lines = subprocess.run(command, capture_output=True, text=True).stdout.splitlines()
    return lines[0].strip() if lines else None


def describe_versions() -> dict[str, str]:
    """Give the versions of what was measured."""
    installed = {distribution.metadata["Name"] for distribution in importlib.metadata.distributions()}
    return {name: importlib.metadata.version(name) for name in PACKAGES if name in installed}


def describe_code() -> str:
    """Give the commit, and `+` where the package or the benchmarks differ from it."""
    git = ("git", "-C", str(HERE))
    asked = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], capture_output=True, text=True)
    if asked.returncode:
        return "unknown"
    paths = [":/bioscan5m_hf", ":/benchmarks/*.py"]
    changed = subprocess.run([*git, "status", "--porcelain", "--", *paths], capture_output=True, text=True)
    return asked.stdout.strip() + ("+" if changed.stdout.strip() else "")


def _line(one: dict[str, Any], notes: list[str]) -> str:
    name = one["name"]
    for note in filter(None, (one["note"], one["why"])):
        if note not in notes:
            notes.append(note)
        name += f" [{notes.index(note) + 1}]"
    low, high = (number(value) for value in one["range"])
    shown = f"{low} … {high}" if one["repeats"] > 1 else ""
    met = {None: "", True: "yes", False: "**no**"}[one["met"]]
    return (
        f"| {name} | {number(one['value'])} {one['unit']} | {shown} | {one['repeats']} | {one['bar'] or ''} | {met} |"
    )


def _conditions(found: Sequence[dict[str, Any]]) -> str:
    first = found[0]
    machine, versions = first["machine"], first["versions"]
    packages = ", ".join(f"{name} {version}" for name, version in versions.items() if name != "bioscan5m-hf")
    sizes = ", ".join(f"{name.replace('_', ' ')} {size:,}" for name, size in first["sizes"].items())
    gpu = f"{machine['gpu']}; " if "gpu" in machine else ""
    return (
        f"`{first['command']}`, {first['date']} UTC, code {first['code']}; {sizes}. {gpu}{machine['cpu']}, "
        f"{machine['cores']} cores, {machine['memory_gib']} GiB, {machine['system']}, Python {machine['python']}; "
        f"{packages}."
    )
