"""The README is executed: its commands in order, its Python in the folder they leave, its printed output compared."""

import csv
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from bioscan5m_hf import splits
from bioscan5m_hf.embedding.quality import CHECKS
from bioscan5m_hf.models.clibd.export_clibd import save_clibd
from bioscan5m_hf.taxonomy import RANKS


sys.path.insert(0, str(Path(__file__).resolve().parent / "models"))

from clibds import clibd


ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text()
FENCES = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
MARK = "=== next block ==="


@pytest.fixture(scope="module")
def folder(tmp_path_factory, whole_hub):
    folder = tmp_path_factory.mktemp("readme")
    seed_authors_model(whole_hub, tmp_path_factory.mktemp("authors"))
    seed_clibd(whole_hub, tmp_path_factory.mktemp("clibd"))
    commands = [
        line[2:] for kind, text in FENCES if kind == "console" for line in text.splitlines() if line[:2] == "$ "
    ]
    for command in commands:
        words = shlex.split(command, comments=True)
        if words[0] == "bioscan5m":
            subprocess.run([sys.executable, "-m", "bioscan5m_hf.cli", *words[1:]], cwd=folder, check=True, timeout=120)
    return folder


@pytest.mark.slow
def test_python_prints_what_the_readme_shows(folder, fresh_python):
    blocks = [text for kind, text in FENCES if kind == "python"]
    shown = [FENCES[at + 1][1] for at, (kind, _) in enumerate(FENCES) if kind == "python"]
    printed = fresh_python(f"print({MARK!r})\n".join(blocks), cwd=folder, HF_HUB_OFFLINE="0")
    assert [text.rstrip("\n") for text in printed.split(MARK + "\n")] == [text.rstrip("\n") for text in shown]


@pytest.mark.slow
def test_names_are_given_where_thresholds_support_them(folder):
    """The commands above have run: the README's table shows all columns of their CSV, and names are given."""
    with (folder / "names.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    described = set(re.findall(r"`(\w+)`", README.partition("| column |")[2].partition("\n\n")[0]))
    assert set(rows[0]) <= described | set(RANKS)
    assert {row["rank"] for row in rows} <= {*RANKS, ""}
    assert any(row["name"] for row in rows)


def test_the_columns_of_names_are_described():
    described = set(re.findall(r"`(\w+)`", README.partition("| column |")[2].partition("\n\n")[0]))
    assert {*CHECKS, "candidate", "candidate_rank", "candidate_probability", "probability_within"} <= described


def seed_authors_model(hub, folder):
    """Put a model of the shape of the authors' on the Hub of the tests: stock weights, remote code as tokenizer."""
    from transformers import BertConfig, BertForTokenClassification

    config = BertConfig(vocab_size=258, num_labels=256, num_hidden_layers=1, num_attention_heads=4)
    BertForTokenClassification(config).save_pretrained(folder / "model")
    (folder / "model" / "tokenizer.py").write_text("raise SystemExit('remote code was run')")
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    hub.seed("bioscan-ml/BarcodeBERT", files, "model")


def seed_clibd(hub, folder):
    """Put a small, untrained model of CLIBD on the Hub of the tests, with photographs of 32 pixels."""
    save_clibd(*clibd(projection_dim=512), folder)
    files = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    hub.seed("ORG/clibd-5m", files, "model")


def test_the_first_code_comes_on_the_first_screen():
    lines = README.splitlines()
    assert lines.index("```python") < 25
    assert next(at for at, line in enumerate(lines) if line.startswith("```")) < 25


def test_every_link_leads_somewhere():
    for target in re.findall(r"\]\((?!https?://)([^)#]+)", README):
        assert (ROOT / target).exists(), target


def test_the_split_table_is_the_declaration():
    for split in splits.SPLITS:
        assert f"| `{split.name}` | {split.metasplit or ''} | {split.specimens:,} | {split.role} |" in README


def test_every_command_exists():
    from bioscan5m_hf.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert set(re.findall(r"bioscan5m ([a-z]+) ", README)) <= known
