"""The main job from end to end on an invented release, with a time budget for every stage."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from .errors import Bioscan5mError, OutputError


SPECIMENS = 2000
SHEET = "specimens.png"
MARK = ".bioscan5m-demo"

_STREAM = """
from datasets import load_dataset

ds = load_dataset("bioscan-5m", streaming=True)
for specimen in ds["train"].take(3):
    barcode = specimen["dna_barcode"]
    print(f"{specimen['processid']:<14} {specimen['species'] or specimen['taxon']}")
    print(f"  {specimen['image'].format} {specimen['image'].size[0]}×{specimen['image'].size[1]} pixels, "
          f"{specimen['order']}, {specimen['family']}, {specimen['country']}")
    print(f"  {barcode[:60]}… ({len(barcode)} bases)")
"""
"""What a user types: plain `datasets` in a fresh process, in the folder beside the dataset."""


@dataclass(frozen=True)
class Stage:
    """One stage of the demonstration.

    Args:
        title: what it does.
        budget: seconds it may take on two cores.
        run: takes the working folder.
    """

    title: str
    budget: float
    run: Callable[[Path], None]


def synthesize(folder: Path) -> None:
    """Write an invented release."""
    from .synthetic import synthesize as write

    write(folder / "release", specimens=SPECIMENS, seed=0, packages=["cropped_256"], progress=True)


def build(folder: Path) -> None:
    """Build the dataset folder from the release."""
    from .data.build import Options
    from .data.build import build as make
    from .data.workers import default_workers

    make(folder / "release", folder / "bioscan-5m", options=Options(workers=default_workers(), progress=True), say=say)


def verify(folder: Path) -> None:
    """Check every promise of the dataset folder."""
    from .data.verify import verify as check

    findings = list(check(folder / "bioscan-5m"))
    for finding in findings:
        say(str(finding))
    if any(finding.status == "error" for finding in findings):
        raise Bioscan5mError("the dataset that was built breaks a promise: see above")


def draw(folder: Path) -> None:
    """Draw a contact sheet of the sample."""
    from datasets import load_dataset

    from .data.sheet import contact_sheet

    sample = load_dataset(str(folder / "bioscan-5m"), "sample", streaming=True)
    rows = [row for split in ("train", "test_unseen", "pretrain") for row in sample[split].take(10)]
    contact_sheet(rows, columns=6, title="Invented specimens in the form of BIOSCAN-5M").save(folder / SHEET)


def stream(folder: Path) -> None:
    """Stream three specimens as a user does: in a fresh process that does not import this package."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    subprocess.run([sys.executable, "-c", _STREAM], cwd=folder, env=environment, check=True)


def summarise(folder: Path) -> None:
    """Print the split table, and where the files are."""
    from .data.info import info, render

    say(render(info(folder / "bioscan-5m"), specimens=0))
    for name in ("release", "bioscan-5m", SHEET):
        say(f"{folder / name}")


STAGES = (
    Stage("an invented release: metadata and photographs in the official zips", 60, synthesize),
    Stage("zips + CSV → Parquet dataset repository", 40, build),
    Stage("every promise checked", 30, verify),
    Stage("a contact sheet", 10, draw),
    Stage("load_dataset(\"bioscan-5m\", streaming=True) in a fresh process", 20, stream),
    Stage("what is there now", 5, summarise),
)  # fmt: skip


def run(folder: Path | str) -> None:
    """Run all stages in an empty folder; says so where one takes longer than its budget.

    Args:
        folder: working folder, new or empty; what an earlier demonstration left there is removed.

    Raises:
        OutputError: the folder holds something else.
    """
    folder = Path(folder)
    mark = folder / MARK
    if folder.exists() and not mark.exists() and any(folder.iterdir()):
        raise OutputError(f"{folder} is not empty and holds no earlier demonstration: name a new or empty folder")
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for name in ("release", "bioscan-5m"):
        shutil.rmtree(folder / name, ignore_errors=True)
    started = time.monotonic()
    for number, stage in enumerate(STAGES, 1):
        say(f"\n[{number}/{len(STAGES)}] {stage.title}")
        begun = time.monotonic()
        stage.run(folder)
        seconds = time.monotonic() - begun
        late = f", over its budget of {stage.budget:.0f} s" if seconds > stage.budget else ""
        say(f"      {seconds:.1f} s{late}")
    say(f"\nAll in {time.monotonic() - started:.0f} s. Everything above is invented, and made by this program.")


def say(text: str) -> None:
    """Print a line past any progress bar, before what a child process prints."""
    from tqdm import tqdm

    tqdm.write(text)
    sys.stdout.flush()
