"""Speed and memory beside the peer: measures, writes `results.json`, and makes the table of the README from it.

python benchmarks/run.py                    # everything, 20 to 30 minutes on two quiet cores
python benchmarks/run.py --only decoding    # one row
python benchmarks/run.py --quick            # everything, tiny, as a test: the figures mean nothing
python benchmarks/run.py --table            # the table again, from the results
"""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import tempfile
import time
from pathlib import Path

import records
from material import Bench


ROWS = (
    "val_columns",
    "decoding",
    "building",
    "memory",
    "first_sample",
    "random_access",
    "encoding",
    "pretraining",
    "naming",
    "gpu",
    "roofline",
    "evaluation",
    "full_size",
    "contrastive",
    "large_batches",
    "indexing",
    "curating",
    "cropping",
)
NO_MATERIAL = (
    "encoding",
    "pretraining",
    "naming",
    "gpu",
    "roofline",
    "evaluation",
    "full_size",
    "large_batches",
    "indexing",
    "cropping",
)
"""Rows that need no release."""

QUICK = {"images": 200, "different": 100, "rows": 1000, "max_rows": 2000, "repeats": 1}
FULL = {"images": 20_000, "different": 2000, "rows": 500_000, "max_rows": 5_000_000, "repeats": 3}


def main() -> None:
    given = parse()
    if not given.table:
        results = given.results or (given.work / "results.json" if given.quick and given.work else records.RESULTS)
        chosen = given.only or [row for row in ROWS if possible(row)]
        if given.quick and results == records.RESULTS:
            raise SystemExit("--quick measures nothing worth keeping: say --results FILE or --work DIR")
        if given.work:
            given.work.mkdir(parents=True, exist_ok=True)
            measure_rows(given, given.work, results, chosen)
        else:
            with tempfile.TemporaryDirectory(prefix="bioscan5m-bench-") as folder:
                measure_rows(given, Path(folder), results, chosen)
        if results != records.RESULTS:
            print(f"results are in {results}")
            return
    write_table(check=given.check)


def possible(row: str) -> bool:
    """Tell whether a row can be measured here: some need a GPU."""
    return not getattr(importlib.import_module(row), "NEEDS_GPU", False) or records.find_gpu() is not None


def write_table(*, check: bool) -> None:
    """Make the table of the README from the results, or only tell whether it is so."""
    readme = records.README.read_text(encoding="utf-8")
    made = records.fill(readme, records.load(records.RESULTS), titles())
    if not check:
        records.README.write_text(made, encoding="utf-8")
    elif readme != made:
        raise SystemExit(
            "benchmarks/README.md does not show benchmarks/results.json: python benchmarks/run.py --table"
        )
    print("benchmarks/README.md shows benchmarks/results.json")


def parse() -> argparse.Namespace:
    """Read the command line; sizes that are not given are those of a full or a quick run."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=ROWS, action="append", help="measure this row; may be repeated")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one repeat")
    parser.add_argument("--table", action="store_true", help="make the table only")
    parser.add_argument("--check", action="store_true", help="with --table: only tell whether the README has it")
    parser.add_argument("--work", type=Path, help="folder for inputs, kept for another run; else a temporary one")
    parser.add_argument("--results", type=Path, help="file of records; by default results.json beside this script")
    parser.add_argument("--images", type=int, help="specimens with photographs (20000)")
    parser.add_argument("--different", type=int, help="photographs that are drawn, the others repeat them (2000)")
    parser.add_argument("--rows", type=int, help="rows of metadata (500000)")
    parser.add_argument("--max-rows", type=int, help="rows of the largest release (5000000)")
    parser.add_argument("--repeats", type=int, help="of each measurement (3)")
    given = parser.parse_args()
    for name, value in (QUICK if given.quick else FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    given.different = min(given.different, given.images)
    return given


def measure_rows(given: argparse.Namespace, work: Path, results: Path, chosen: list[str]) -> None:
    """Measure rows one after the other; each is saved when it is finished."""
    sizes = {name: getattr(given, name) for name in ("images", "different", "rows", "max_rows")}
    material = any(row not in NO_MATERIAL for row in chosen)
    needed = material * (2000 * given.max_rows + 150_000 * given.images)  # bytes: releases, datasets, trees, caches
    if shutil.disk_usage(work).free < needed:
        raise SystemExit(
            f"{needed / 1e9:.0f} GB are needed in {work}: name another folder with --work, or smaller sizes"
        )
    bench = Bench(work.resolve(), **sizes, repeats=given.repeats)
    context = records.Context(command_line(given, sizes), {"repeats": given.repeats, **sizes})
    # The build's memory is measured first: the other rows use what it built, and the largest is deleted early.
    for row in sorted(chosen, key=lambda name: name != "memory"):
        start = time.perf_counter()
        print(f"{row}: load {os.getloadavg()[0]:.1f}", flush=True)
        made = []
        for figure in importlib.import_module(row).run(bench):
            made.append(records.record(row, figure, context))
            one = made[-1]
            met = {None: "", True: "  met", False: "  NOT MET"}[one["met"]]
            print(
                f"  {one['name']}: {records.number(one['value'])} {one['unit']}  {one['bar'] or ''}{met}", flush=True
            )
        records.save(results, row, made, ROWS)
        print(f"{row}: {time.perf_counter() - start:.0f} s", flush=True)


def command_line(given: argparse.Namespace, sizes: dict[str, int]) -> str:
    """Give the command again, without the folders of this machine."""
    changed = {name: size for name, size in sizes.items() if size != FULL[name]}
    if given.repeats != FULL["repeats"]:
        changed["repeats"] = given.repeats
    words = [f"--only {row}" for row in given.only or ()]
    words += [f"--{name.replace('_', '-')} {size}" for name, size in changed.items()]
    return " ".join(["python benchmarks/run.py", *words])


def titles() -> dict[str, str]:
    """Give the title of each row."""
    return {row: importlib.import_module(row).TITLE for row in ROWS}


if __name__ == "__main__":
    main()
