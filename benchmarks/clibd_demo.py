"""The table of models/clibd-demo: what each alignment gives on invented specimens, from its records.

python benchmarks/clibd_demo.py           # writes the table into the card
python benchmarks/clibd_demo.py --check   # only tells whether it stands there

The records are those of `bioscan5m evaluate MODEL --data bioscan-5m --tasks cross-modal-retrieval`, without the scores
that are not in the table.
"""

from __future__ import annotations

import argparse
import json
import re
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
RESULTS, CARD = HERE / "clibd_demo" / "results", HERE.parent / "models" / "clibd-demo" / "README.md"
MODELS = {
    "clibd-demo-untrained": "untrained",
    "clibd-demo-image-text": "I+T",
    "clibd-demo-image-dna": "I+D",
    "clibd-demo": "I+D+T",
}
WAYS = ("dna→dna", "image→image", "image→dna", "image→text")
RANKS = ("order", "family", "genus", "species")
PARTS = ("test", "test_unseen", "harmonic mean")
SLOT = re.compile(r"(<!-- alignment -->\n)(.*?)(<!-- /alignment -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    given = parser.parse_args()
    card = CARD.read_text(encoding="utf-8")
    made = SLOT.sub(lambda found: found[1] + table(read()) + found[3], card)
    if not given.check:
        CARD.write_text(made, encoding="utf-8")
    elif made != card:
        raise SystemExit(f"{CARD} does not show the records: python benchmarks/clibd_demo.py")


def read() -> dict[str, dict[str, Any]]:
    """Give model → its scores."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return {record["model"]: record["scores"] for record in records}


def table(scores: dict[str, dict[str, Any]]) -> str:
    """Write the table: seen, unseen and their harmonic mean, macro top-1."""
    lines = [f"| rank, query → key | {' | '.join(MODELS.values())} |", f"|---|{'--:|' * len(MODELS)}"]
    for rank in RANKS:
        for way in WAYS:
            cells = [cell(scores[model], rank, way) for model in MODELS]
            lines.append(f"| {rank}, {way} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def cell(scores: dict[str, Any], rank: str, way: str) -> str:
    """Write one cell."""
    found = [scores.get(name(rank, part, way)) for part in PARTS]
    return "–" if None in found else " / ".join(f"{100 * one['value']:.1f}" for one in found)


def name(rank: str, part: str, way: str) -> str:
    """Give the name of a score."""
    return f"{rank}/{part}, {way}/top-1 macro"


if __name__ == "__main__":
    main()
