"""The card of the demonstration's CLIBD shows its records, and says that all is invented."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest


ROOT = Path(__file__).resolve().parent.parent
SCRIPT = ROOT / "benchmarks" / "clibd_demo.py"
FOLDER = ROOT / "benchmarks" / "clibd_demo"
CARD = ROOT / "models" / "clibd-demo" / "README.md"


def test_the_card_shows_the_records():
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    rows = [line.split("|") for line in CARD.read_text().splitlines() if line.startswith("| species, ")]
    assert [row[1].strip() for row in rows] == [
        f"species, {way}" for way in ("dna→dna", "image→image", "image→dna", "image→text")
    ]
    untrained, *_, aligned = (float(cell.split("/")[0]) for cell in rows[2][3:7:3])
    assert aligned > 10 * untrained


@pytest.mark.parametrize("way", ["image→dna", "image→image", "dna→dna"])
def test_the_aligned_model_is_better_than_chance(way):
    record = json.loads((FOLDER / "results" / "clibd-demo--cross-modal-retrieval--image+dna.json").read_text())
    told = json.loads((FOLDER / "keys.json").read_text())
    assert told["data_revision"] == record["data_revision"]
    assert told["keys"] == record["counts"]["keys"]
    for rank, names in told["ranks"].items():
        assert sum(names["keys"].values()) <= told["keys"]
        for part, asked in names["queries"].items():
            right = [names["keys"].get(name, 0) / told["keys"] for name in asked]
            chance = sum(right) / len(right)
            assert 0 < chance < 0.5
            assert record["scores"][f"{rank}/{part}, {way}/top-1 macro"]["low"] > chance, (rank, part)
            (shown,) = (
                line.split("|")[2] for line in CARD.read_text().splitlines() if f"| {rank}, image→dna |" in line
            )
            assert float(shown.split("/")[("test", "test_unseen").index(part)]) == pytest.approx(
                100 * chance, abs=0.051
            )


def test_the_records_say_what_they_need_to():
    records = [
        json.loads(path.read_text()) for path in (ROOT / "benchmarks" / "clibd_demo" / "results").glob("*.json")
    ]
    assert len(records) == 4
    for record in records:
        assert {"task", "data_revision", "model_revision", "seed", "device", "code", "command"} <= record.keys()
        assert not record["code"].endswith(".changed")
        assert "/" not in record["data"]
    assert len({record["data_revision"] for record in records}) == 1


def test_it_says_that_it_is_invented():
    assert "**Every\nspecimen it has seen is invented**" in CARD.read_text()
