"""The table of models/clibd-demo: what each alignment gives on invented specimens, from its records.

python benchmarks/clibd_demo.py                 # writes the table into the card
python benchmarks/clibd_demo.py --check         # only tells whether it stands there
python benchmarks/clibd_demo.py --keys DATASET  # first counts the names of the demonstration's keys and queries anew

The records are those of `bioscan5m evaluate MODEL --data bioscan-5m --tasks cross-modal-retrieval`, without the scores
that are not in the table. Chance is what a key drawn at random gives: a query is right with probability (keys of its
name) / (all keys), and the mean of that is taken over the names of the queries, as macro top-1 does.
"""

from __future__ import annotations

import argparse
import json
import re
from collections import Counter
from pathlib import Path
from typing import Any


HERE = Path(__file__).resolve().parent
RESULTS, CARD = HERE / "clibd_demo" / "results", HERE.parent / "models" / "clibd-demo" / "README.md"
NAMES = HERE / "clibd_demo" / "keys.json"
"""Of the same dataset as the records: how many keys have each name, and the names of the queries."""

MODELS = {
    "clibd-demo-untrained": "untrained",
    "clibd-demo-image-text": "I+T",
    "clibd-demo-image-dna": "I+D",
    "clibd-demo": "I+D+T",
}
WAYS = ("dna→dna", "image→image", "image→dna", "image→text")
RANKS = ("order", "family", "genus", "species")
KEYS, QUERIES = ("train", "key_unseen"), ("test", "test_unseen")
PARTS = (*QUERIES, "harmonic mean")
SLOT = re.compile(r"(<!-- alignment -->\n)(.*?)(<!-- /alignment -->)", re.DOTALL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--keys", type=Path, metavar="DATASET", help="the demonstration's dataset folder")
    given = parser.parse_args()
    if given.keys is not None:
        NAMES.write_text(json.dumps(count(given.keys), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    card = CARD.read_text(encoding="utf-8")
    made = SLOT.sub(lambda found: found[1] + table(read(), chance()) + found[3], card)
    if not given.check:
        CARD.write_text(made, encoding="utf-8")
    elif made != card:
        raise SystemExit(f"{CARD} does not show the records: python benchmarks/clibd_demo.py")


def read() -> dict[str, dict[str, Any]]:
    """Give model → its scores."""
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(RESULTS.glob("*.json"))]
    return {record["model"]: record["scores"] for record in records}


def count(dataset: Path) -> dict[str, Any]:
    """Count the keys of each name, and list the names of the queries, as the task reads them."""
    from bioscan5m_hf.evaluation.specimens import open_data, read_specimens, revision_of

    source = open_data(dataset)
    rows = read_specimens(source, (*KEYS, *QUERIES)).with_barcode()
    keys = rows.of(KEYS)
    ranks = {
        rank: {
            "keys": dict(sorted(Counter(known(keys.column(rank))).items())),
            "queries": {part: sorted(set(known(rows.of([part]).column(rank)))) for part in QUERIES},
        }
        for rank in RANKS
    }
    return {"data_revision": revision_of(source), "keys": len(keys), "ranks": ranks}


def known(names: Any) -> list[str]:
    """Give the names that there are."""
    return [name for name in names.to_pylist() if name is not None]


def chance() -> dict[str, dict[str, float]]:
    """Give rank → part → macro top-1 that is expected of keys drawn at random, whatever the query and the key."""
    told = json.loads(NAMES.read_text(encoding="utf-8"))
    found = {}
    for rank, names in told["ranks"].items():
        shares = {
            part: sum(names["keys"].get(name, 0) for name in asked) / (len(asked) * told["keys"])
            for part, asked in names["queries"].items()
        }
        both = [shares[part] for part in QUERIES]
        found[rank] = shares | {PARTS[-1]: 2 * both[0] * both[1] / sum(both) if sum(both) else 0.0}
    return found


def table(scores: dict[str, dict[str, Any]], drawn: dict[str, dict[str, float]]) -> str:
    """Write the table: seen, unseen and their harmonic mean, macro top-1."""
    lines = [f"| rank, query → key | chance | {' | '.join(MODELS.values())} |", f"|---|{'--:|' * (1 + len(MODELS))}"]
    for rank in RANKS:
        expected = " / ".join(f"{100 * drawn[rank][part]:.1f}" for part in PARTS)
        for way in WAYS:
            cells = [expected, *(cell(scores[model], rank, way) for model in MODELS)]
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
