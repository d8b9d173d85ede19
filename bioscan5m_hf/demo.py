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

from .cli_console import say
from .errors import Bioscan5mError, OutputError


SPECIMENS = 2000
SHEET, MODEL, EMBEDDINGS = "specimens.png", "barcodebert-demo", "test_unseen.parquet"
STATISTICS = "stats"
REPORT, PICTURE = "report", "plots/knn-genus-left-out-species-dna-main.png"
RECIPE, CLIBD_RECIPE = "demo.yaml", "clibd-demo.yaml"
CLIBD, KEYS, PHOTOS, BARCODES, NAMES = "clibd-demo", "keys", "photos", "barcodes.fasta", "names.csv"
NEAREST, KEY_SPLITS = "nearest.png", ("train", "key_unseen")
TASKS = ("linear-probe-species", "knn-genus-unseen", "knn-genus-left-out-species", "zero-shot-clustering", "novelty")
TRAINING = Path(__file__).resolve().parents[1] / "training"
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


def count(folder: Path) -> None:
    """Count and draw what the dataset holds, onto a page."""
    words = ["stats", str(folder / "bioscan-5m"), "--out", str(folder / STATISTICS), "--distances"]
    _python(folder, "-m", "bioscan5m_hf.cli", *words)


def stream(folder: Path) -> None:
    """Stream three specimens as a user does: in a fresh process that does not import this package."""
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8"}
    subprocess.run([sys.executable, "-c", _STREAM], cwd=folder, env=environment, check=True)


def pretrain(folder: Path) -> None:
    """Train a small BarcodeBERT on the barcodes, as a user would start it."""
    words = ["--config", str(TRAINING / "configs" / RECIPE), "--dataset", str(folder / "bioscan-5m")]
    _python(folder, TRAINING / "pretrain_barcodebert.py", *words, "--output", str(folder / MODEL))


def embed(folder: Path) -> None:
    """Embed the barcodes of `test_unseen` into a Parquet file."""
    words = [str(folder / "bioscan-5m"), "--model", str(folder / MODEL), "--split", "test_unseen"]
    _python(folder, "-m", "bioscan5m_hf.cli", "embed", *words, "--out", str(folder / EMBEDDINGS))


def evaluate(folder: Path) -> None:
    """Measure the model by tasks of the benchmark, and the reference lines that it has to beat."""
    words = [str(folder / MODEL), "--references", "--data", str(folder / "bioscan-5m"), "--tasks", ",".join(TASKS)]
    words += ["--set", "zero-shot-clustering.method=pca", "--cache", str(folder / "embeddings")]
    _python(folder, "-m", "bioscan5m_hf.cli", "evaluate", *words, "--out", str(folder / "results"))


def report(folder: Path) -> None:
    """Write the report of the results, and show its first table and where one of its pictures is."""
    files = [str(path) for path in sorted((folder / "results").glob("*.json"))]
    _python(folder, "-m", "bioscan5m_hf.cli", "report", *files, "--out", str(folder / REPORT))
    say((folder / REPORT / "tables" / "summary.md").read_text(encoding="utf-8"))
    say(f"{folder / REPORT / PICTURE}")


def align(folder: Path) -> None:
    """Train a small CLIBD on photographs, barcodes and names, beginning with the BarcodeBERT."""
    words = ["--config", str(TRAINING / "configs" / CLIBD_RECIPE), "--dataset", str(folder / "bioscan-5m")]
    _python(folder, TRAINING / "train_clibd.py", *words, "--output", str(folder / CLIBD))


def name(folder: Path) -> None:
    """Embed key specimens, name photographs by them, and draw these beside each other."""
    from . import demo_names

    model = ["--model", str(folder / CLIBD)]
    dataset, keys, names = folder / "bioscan-5m", folder / KEYS, folder / NAMES
    index = ["index", str(dataset), *model, "--split", "+".join(KEY_SPLITS), "--out", str(keys)]
    _python(folder, "-m", "bioscan5m_hf.cli", *index)
    rows = demo_names.choose(dataset, folder / PHOTOS, folder / BARCODES)
    asked = ["predict", str(folder / PHOTOS), str(folder / BARCODES), *model, "--keys", str(keys), "--out", str(names)]
    _python(folder, "-m", "bioscan5m_hf.cli", *asked)
    for line in demo_names.told(rows, names):
        say(line)
    demo_names.draw(rows, names, dataset, KEY_SPLITS, folder / NEAREST)
    say(f"{folder / NEAREST}")


def _python(folder: Path, *words: object) -> None:
    environment = os.environ | {"HF_HUB_OFFLINE": "1", "PYTHONIOENCODING": "utf-8", "TOKENIZERS_PARALLELISM": "false"}
    done = subprocess.run([sys.executable, *map(str, words)], cwd=folder, env=environment, check=False)
    if done.returncode:
        raise Bioscan5mError(f"{' '.join(map(str, words[:2]))} failed: see above")


def summarise(folder: Path) -> None:
    """Print the split table, and where the files are."""
    from .data.info import info, render

    say(render(info(folder / "bioscan-5m"), specimens=0))
    for made in ("release", "bioscan-5m", SHEET, MODEL, EMBEDDINGS, CLIBD, KEYS, NAMES, NEAREST, REPORT):
        say(f"{folder / made}")
    say(f"{folder / STATISTICS / 'index.html'}")


STAGES = (
    Stage("an invented release: metadata and photographs in the official zips", 60, synthesize),
    Stage("zips + CSV → Parquet dataset repository", 40, build),
    Stage("every promise checked", 25, verify),
    Stage("a contact sheet", 10, draw),
    Stage("bioscan5m stats: tables, pictures, and a page of what is in it", 40, count),
    Stage("load_dataset(\"bioscan-5m\", streaming=True) in a fresh process", 20, stream),
    Stage("a small BarcodeBERT, trained on the barcodes without their labels", 150, pretrain),
    Stage("bioscan5m embed: barcodes → vectors", 40, embed),
    Stage("photographs, barcodes and names in one space: a small CLIBD", 95, align),
    Stage("a picture → a name → the nearest specimens", 25, name),
    Stage("bioscan5m evaluate: the model and the reference lines that it has to beat", 60, evaluate),
    Stage("bioscan5m report: tables and pictures of the results", 30, report),
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
    if not TRAINING.is_dir():
        raise Bioscan5mError("the demonstration trains a model with training/, which is in a clone of the repository")
    folder = folder.resolve()
    folder.mkdir(parents=True, exist_ok=True)
    mark.touch()
    for made in ("release", "bioscan-5m", MODEL, CLIBD, KEYS, PHOTOS, "embeddings", "results", REPORT, STATISTICS):
        shutil.rmtree(folder / made, ignore_errors=True)
    started = time.monotonic()
    for number, stage in enumerate(STAGES, 1):
        say(f"\n[{number}/{len(STAGES)}] {stage.title}")
        begun = time.monotonic()
        stage.run(folder)
        seconds = time.monotonic() - begun
        late = f", over its budget of {stage.budget:.0f} s" if seconds > stage.budget else ""
        say(f"      {seconds:.1f} s{late}")
    say(f"\nAll in {time.monotonic() - started:.0f} s. Everything above is invented, and made by this program.")
