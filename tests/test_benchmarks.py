"""The benchmarks run, their records are whole, and the README shows the recorded figures; no figure is judged here."""

import importlib.util
import json
import math
import subprocess
import sys
from pathlib import Path

import pytest


BENCHMARKS = Path(__file__).resolve().parent.parent / "benchmarks"
KEYS = {
    *("row", "name", "value", "unit", "repeats", "range", "bar", "met", "note", "why"),
    *("command", "sizes", "machine", "versions", "code", "date"),
}


@pytest.fixture(scope="module")
def records():
    spec = importlib.util.spec_from_file_location("benchmark_records", BENCHMARKS / "records.py")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def run(*words):
    command = [sys.executable, str(BENCHMARKS / "run.py"), *map(str, words)]
    return subprocess.run(command, capture_output=True, text=True)


def check(record):
    assert set(record) == KEYS
    assert math.isfinite(record["value"])
    assert record["range"][0] <= record["value"] <= record["range"][1]
    assert (record["bar"] is None) == (record["met"] is None)
    assert {"cpu", "cores", "memory_gib", "system", "python"} == set(record["machine"]) - {"gpu"}
    assert {"datasets", "pyarrow", "torch"} <= set(record["versions"])


@pytest.mark.slow
def test_a_tiny_run_makes_whole_records(tmp_path, release, dataset):
    inputs = tmp_path / "work" / "photographs"
    inputs.mkdir(parents=True)
    for name, folder in (("release", release), ("bioscan-5m", dataset)):
        (inputs / name).symlink_to(folder)
        (inputs / f"{name}.done").touch()
    results = tmp_path / "results.json"
    done = run("--quick", "--only", "first_sample", "--work", inputs.parent, "--results", results)
    assert done.returncode == 0, done.stderr
    found = json.loads(results.read_text())
    for record in found:
        check(record)
    assert {record["row"] for record in found} == {"first_sample"}
    assert {record["unit"] for record in found} == {"s", "MB", "requests"}
    assert str(tmp_path) not in results.read_text()


def test_quick_figures_do_not_replace_the_published_ones():
    done = run("--quick")
    assert done.returncode == 1
    assert "measures nothing worth keeping" in done.stderr


def test_a_row_that_is_measured_again_replaces_its_own_records_only(records, tmp_path):
    context = records.Context("python benchmarks/run.py", {"rows": 1}, {}, {}, "abc", "2026-01-01 00:00")
    figures = {row: records.Figure(row, "s", [3.0, 1.0, 2.0], records.Bar("<=", 2)) for row in ("a", "b", "c")}
    path = tmp_path / "results.json"
    for row, rows in (("b", "abc"), ("c", "abc"), ("a", "abc"), ("b", "ab")):  # "c" was a row once
        records.save(path, row, [records.record(row, figures[row], context)], rows)
    found = records.load(path)
    assert [(one["row"], one["value"], one["range"], one["met"]) for one in found] == [
        ("a", 2.0, [1.0, 3.0], True),
        ("b", 2.0, [1.0, 3.0], True),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["results.json"]


def test_numbers_are_written_with_three_digits(records):
    shown = {0.0: "0", 0.012345: "0.0123", 1.5: "1.5", 123.4: "123", 8612.0: "8,610", 0.0000123: "1.23e-05"}
    assert {value: records.number(value) for value in shown} == shown


def test_published_records_are_whole_and_the_readme_shows_them(records):
    if not records.RESULTS.exists():
        pytest.skip("no benchmarks/results.json: `make bench` writes it")
    found = records.load(records.RESULTS)
    for record in found:
        check(record)
    done = run("--table", "--check")
    assert done.returncode == 0, done.stderr


def test_a_counted_step_has_the_operations_that_utilisation_is_computed_with():
    code = (
        "import torch, gpu, roofline\n"
        "for model in ('4-4-4', '4-12-12'):\n"
        "    tokens = gpu.BOTH_WAYS * (gpu.BASES // gpu.MODELS[model]['kmer_size'])\n"
        "    plain = roofline.count_step(model)\n"
        "    assert abs(plain.operations / (gpu.operations(model) * tokens) - 1) < 0.01, plain.operations\n"
        "    quicker = roofline.count_step(model, norms=torch.bfloat16, dropout=0.0)\n"
        "    assert quicker.operations == plain.operations\n"
        "    assert quicker.seconds < plain.seconds\n"
        "with torch.device('meta'):\n"
        "    left, right = torch.empty(64, 32), torch.empty(32, 16)\n"
        "with roofline.Count(peak=1e3, memory=1e6) as count:\n"
        "    (left @ right).add_(1.0)\n"
        "assert count.operations == 2 * 64 * 32 * 16\n"
        "assert abs(count.seconds - (count.operations / 1e3 + 2 * 64 * 16 * 4 / 1e6)) < 1e-9, count.times\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=BENCHMARKS, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
