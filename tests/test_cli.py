"""The command, as it is typed."""

import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from bioscan5m_hf.errors import EXTRAS


ROOT = Path(__file__).resolve().parent.parent


def test_synthesize_build_verify_info(bioscan5m, tmp_path):
    release, dataset = tmp_path / "release", tmp_path / "bioscan-5m"
    words = ("--specimens", 100, "--seed", 3, "--package", "cropped_256", "--workers", 1)
    status, out, _ = bioscan5m("synthesize", release, *words)
    assert (status, "invented release of 100 specimens" in out) == (0, True)
    status, out, _ = bioscan5m(
        *("build", release, dataset, "--package", "cropped_256", "--workers", 1, "--check", "decode"),
        *("--repository", "insects/bioscan-5m"),
    )
    assert status == 0
    assert "metadata: 100 records = 100 rows + 0 left out" in out
    assert "cropped_256: 100 records = 100 rows + 0 left out; 100 photographs = 100 rows + 0 left out" in out
    assert "hf://datasets/insects/bioscan-5m/metadata" in (dataset / "README.md").read_text()
    assert "cropped_256" in out
    assert "test_unseen" in out
    status, out, _ = bioscan5m("verify", dataset, "--workers", 1)
    assert status == 0
    assert " 0 errors" in out
    status, out, _ = bioscan5m("info", dataset)
    assert status == 0
    assert "INV" in out


def test_verify_fails_where_a_promise_is_broken(bioscan5m, dataset, tmp_path):
    broken = tmp_path / "bioscan-5m"
    shutil.copytree(dataset, broken)
    next((broken / "cropped_256").glob("train-*")).unlink()
    status, out, _ = bioscan5m("verify", broken, "--workers", 1)
    assert status == 1
    assert "error" in out


def test_push(bioscan5m, dataset, hub, repo_id):
    hub.users["hf_secret"] = [repo_id.split("/")[0]]
    os.environ["HF_TOKEN"] = "hf_secret"
    try:
        status, out, err = bioscan5m("push", dataset, repo_id)
    finally:
        del os.environ["HF_TOKEN"]
    assert status == 0
    assert f"{hub.url}/datasets/{repo_id}" in out
    assert "hf_secret" not in out + err
    assert "README.md" in hub.files(repo_id)


def test_assemble_and_push_a_model(bioscan5m, hub, repo_id, tmp_path):
    from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel
    from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock

    size = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
    save_stock(BarcodeBertModel(BarcodeBertConfig(kmer_size=2, **size)), tmp_path / "weights")
    source = tmp_path / "source"
    shutil.copytree(ROOT / "models" / "barcodebert-5m", source)
    (source / "config.json").write_text('{"model_type": "bert", "kmer_size": 2}')
    status, out, _ = bioscan5m("assemble", source, "--weights", tmp_path / "weights", "--to", tmp_path / "repository")
    assert (status, "bioscan5m push" in out) == (0, True)
    status, out, _ = bioscan5m("push", tmp_path / "repository", repo_id)
    assert status == 0
    assert f"{hub.url}/{repo_id}" in out
    assert {"config.json", "model.safetensors", "README.md"} <= set(hub.files(repo_id, "model"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("build", "nowhere", "out"), "there is no release folder nowhere"),
        (("build", "{release}", "{home}"), "is not empty and was not built by this program"),
        (("build", "{release}", "{home}/new", "--repository", "bioscan"), "give `namespace/name`"),
        (("info", "{home}"), "README.md"),
        (("synthesize", "{home}"), "is not empty"),
        (("synthesize", "{home}/new", "--specimens", "3"), "too few specimens"),
        (("download", "release", "--package", "cropped"), "Google Drive"),
        (("card", "{home}/README.md", "--check"), "run `bioscan5m card"),
    ],
)
def test_errors_are_one_line_and_say_what_to_do(bioscan5m, elsewhere, release, tmp_path, words, message):
    home = tmp_path / "home"
    home.mkdir()
    (home / "thesis.txt").write_text("mine")
    status, _, err = bioscan5m(*(word.format(release=release, home=home) for word in words))
    assert status == 1
    assert message in err
    assert "Traceback" not in err
    assert len(err.strip().splitlines()) == 1
    assert [item.name for item in home.iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize(
    ("words", "module", "extra"),
    [
        (("predict", "reads.fasta", "--model", "model", "--out", "names.csv"), "transformers", "models"),
        (("evaluate", "model"), "torch", "models"),
        (("convert", "barcodebert", "reads.fasta", "out"), "torch", "models"),
        (("report", "results.json", "--out", "report"), "matplotlib", "eval"),
    ],
)
def test_what_has_to_be_installed_is_said(tmp_path, words, module, extra):
    (tmp_path / "reads.fasta").write_text(">A-1\nACGT\n")
    shutil.copy(ROOT / "tests" / "evaluation" / "results" / "format_1.json", tmp_path / "results.json")
    program = f"import sys; sys.modules[{module!r}] = None; from bioscan5m_hf.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", program, *words], cwd=tmp_path, capture_output=True, text=True)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].endswith(f"pip install 'bioscan5m-hf[{extra}]'"), done.stderr
    assert module in done.stderr
    assert "Traceback" not in done.stderr


def test_each_extra_brings_the_modules_that_are_missed_without_it():
    brought = {name: set() for name in EXTRAS}
    for line in importlib.metadata.requires("bioscan5m-hf"):
        for name in EXTRAS:
            if f'extra == "{name}"' in line:
                brought[name].add(re.split(r"[^\w.-]", line)[0].lower().replace("_", "-"))
    homes = importlib.metadata.packages_distributions()
    for name, modules in EXTRAS.items():
        for module in modules:
            assert {home.lower().replace("_", "-") for home in homes[module]} & brought[name], (name, module)


def test_wrong_words_are_answered_with_the_right_ones(bioscan5m):
    status, _, err = bioscan5m("build", "release", "out", "--package", "cropped_512")
    assert status == 2
    assert "cropped_256" in err


def test_download_asks_before_gigabytes(bioscan5m, elsewhere, monkeypatch):
    asked = []
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: True))
    monkeypatch.setattr("typer.confirm", lambda question: bool(asked.append(question)))
    status, out, _ = bioscan5m("download", "release", "--package", "cropped_256", "--split", "train", "--split", "val")
    assert status == 0
    assert "5.8 GB" in out
    assert asked == ["Fetch them?"]
    assert not list(elsewhere.rglob("*.zip"))


def test_download_where_nobody_can_be_asked_says_so(bioscan5m, elsewhere, monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(isatty=lambda: False))
    monkeypatch.setattr("shutil.disk_usage", lambda _: SimpleNamespace(free=10**12))  # 41 GB are needed
    status, _, err = bioscan5m("download", "release", "--package", "cropped_256")
    assert (status, "say --yes" in err) == (1, True)
    assert not list(elsewhere.rglob("*.zip"))


def test_the_thin_script_of_the_dataset_repository_builds(release, tmp_path):
    command = [sys.executable, str(ROOT / "loading_script" / "build.py"), str(release), str(tmp_path / "out")]
    subprocess.run([*command, "--package", "original_256", "--workers", "1"], check=True, capture_output=True)
    assert list((tmp_path / "out" / "original_256").glob("*.parquet"))


def test_an_interrupt_ends_without_a_traceback(bioscan5m, monkeypatch, release, tmp_path):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr("bioscan5m_hf.data.build.build", interrupted)
    status, _, err = bioscan5m("build", release, tmp_path / "out", "--workers", 1)
    assert status in (1, 130)
    assert "Traceback" not in err
