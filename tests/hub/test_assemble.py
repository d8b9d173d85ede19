"""A model repository is put together from card and weights; its code blocks run; nothing wrong gets into it."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.hub.assemble import assemble
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM
from bioscan5m_hf.models.barcodebert.export_barcodebert import save_stock
from bioscan5m_hf.models.clibd import ClibdConfig


MODELS = Path(__file__).resolve().parents[2] / "models"
ALL = sorted(path.name for path in MODELS.iterdir() if path.is_dir())
CARDS = [name for name in ALL if name.startswith("barcodebert")]
RECORD = {"task": "masked k-mers", "metric": "accuracy", "value": 0.25, "data": "val"}


SMALL = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def make_weights(folder, kmer_size):
    """Give a model folder as training leaves it, of the class that is trained, with random weights."""
    torch.manual_seed(0)
    model = BarcodeBertForMaskedLM(BarcodeBertConfig(kmer_size=kmer_size, **SMALL))
    save_stock(model, folder, card="# from training\n")
    (folder / "results.json").write_text(json.dumps([RECORD]))
    (folder / "log.jsonl").write_text("{}\n")
    (folder / "checkpoints").mkdir()
    (folder / "checkpoints" / "optimizer.bin").write_bytes(b"never")
    return folder


def make_source(folder, name):
    """Give a card of ours with an architecture as small as the weights."""
    shutil.copytree(MODELS / name, folder)
    declared = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(declared | SMALL))
    return folder


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    return make_weights(tmp_path_factory.mktemp("weights"), 4)


@pytest.fixture
def source(tmp_path):
    return make_source(tmp_path / "source", "barcodebert-5m")


def test_the_repository_has_the_card_the_weights_and_the_records(source, weights, tmp_path):
    repository = assemble(source, weights, tmp_path / "repository")
    files = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    assert {"README.md", "config.json", "model.safetensors", "tokenizer.json", "modules.json", "log.jsonl"} <= files
    assert not [name for name in files if name.endswith(".bin") or "checkpoints" in name]
    card = (repository / "README.md").read_text()
    assert "| masked k-mers | accuracy | 0.25 | val |" in card
    front = yaml.safe_load(card.split("---\n")[1])
    metric = front["model-index"][0]["results"][0]["metrics"][0]
    assert (metric["type"], metric["value"]) == ("accuracy", 0.25)
    assert front["library_name"] == "transformers"
    again = assemble(source, weights, repository)
    assert (again / "README.md").read_text() == card


@pytest.mark.parametrize("name", CARDS)
def test_every_code_block_of_the_card_runs_on_the_repository(name, tmp_path, hub, monkeypatch):
    """Three ways of use, one embedding; where the card names a repository of the Hub, it is one."""
    monkeypatch.chdir(tmp_path)
    source = make_source(tmp_path / "source", name)
    weights = make_weights(tmp_path / "weights", json.loads((source / "config.json").read_text())["kmer_size"])
    repository = assemble(source, weights, tmp_path / name)
    text = (repository / "README.md").read_text()
    if f'"ORG/{name}"' in text:
        push(repository, f"ORG/{name}", repo_type="model")
        shutil.rmtree(repository)
    blocks = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    found = []
    for block in blocks:
        names: dict[str, object] = {}
        exec(block, names)
        found.append(np.asarray(names["embeddings"]))
    ours, plain = found.pop(), found[0]
    assert ours.shape == (2, 32)
    for block, way in zip(blocks, ("AutoModel", "SentenceTransformer", "BarcodeEncoder"), strict=True):
        assert way in block
    assert np.linalg.norm(ours[0] - ours[1]) > 1e-3
    np.testing.assert_allclose(plain, ours, atol=1e-5)
    np.testing.assert_allclose(found[1], ours[: len(found[1])], atol=1e-5)


@pytest.mark.parametrize("name", ALL)
def test_every_card_declares_an_architecture_and_says_what_it_must(name):
    card = (MODELS / name / "README.md").read_text()
    front = yaml.safe_load(card.split("---\n")[1])
    needed = {"library_name", "pipeline_tag", "license", "model_name", "tags", "datasets", "metrics"}
    assert needed <= front.keys()
    assert front["model_name"] == name
    assert ("base_model" in front) == ("base_model_relation" in front)
    assert ("model-index" in front) == (MODELS / name / "results.json").exists()
    own = "## Pooling" if name in CARDS else "## Input"
    assert {"## Use", own, "## Training", "## Results", "## Limits"} <= set(card.splitlines())
    declared = json.loads((MODELS / name / "config.json").read_text())
    kind = ClibdConfig if declared.pop("model_type") == "clibd" else BarcodeBertConfig
    config = kind(**declared)
    assert all(getattr(config, key) == value for key, value in declared.items() if not key.endswith("_config"))


def test_the_public_card_names_the_data_revisions_of_its_records():
    records = json.loads((MODELS / "barcodebert-public" / "results.json").read_text())
    card = (MODELS / "barcodebert-public" / "README.md").read_text()
    said = set(re.findall(r"`([0-9a-f]{16,20})`", card.split("## Data")[1].split("## Training")[0]))
    assert said == {record["data_revision"] for record in records}


def test_records_beside_the_card_count_where_they_tell_of_these_weights(source, weights, tmp_path):
    measured = RECORD | {"task": "barcodebert-5m", "metric": "genus", "value": 0.75}
    (source / "results.json").write_text(json.dumps([RECORD, measured]))
    repository = assemble(source, weights, tmp_path / "repository")
    assert json.loads((repository / "results.json").read_text()) == [RECORD, measured]
    assert figures(repository) == [0.25, 0.75]
    (source / "results.json").write_text(json.dumps([RECORD | {"value": 0.5}, measured]))
    other = assemble(source, weights, tmp_path / "other")
    assert json.loads((other / "results.json").read_text()) == [RECORD]
    assert figures(other) == [0.25]


def figures(repository):
    """Give the values of a card's `model-index`."""
    index = yaml.safe_load((repository / "README.md").read_text().split("---\n")[1])["model-index"]
    return [metric["value"] for result in index[0]["results"] for metric in result["metrics"]]


def test_weights_of_another_shape_are_refused(weights, tmp_path):
    with pytest.raises(OutputError, match="hidden_size is 32, declared is 768"):
        assemble(MODELS / "barcodebert-5m", weights, tmp_path / "repository")
    assert not (tmp_path / "repository").exists()


def test_pickles_are_refused(source, weights, tmp_path):
    copy = tmp_path / "weights"
    shutil.copytree(weights, copy)
    (copy / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(OutputError, match=r"pytorch_model\.bin, which would have to be unpickled"):
        assemble(source, copy, tmp_path / "repository")


def test_a_folder_of_something_else_is_left_alone(source, weights, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("mine")
    with pytest.raises(OutputError, match="holds no model"):
        assemble(source, weights, tmp_path / "mine")
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "mine"


def test_without_weights_it_says_what_is_missing(source, tmp_path):
    with pytest.raises(OutputError, match="holds no model"):
        assemble(source, tmp_path, tmp_path / "repository")


def test_a_process_without_this_package_gives_the_embeddings_of_the_package(source, weights, tmp_path):
    """Clean barcodes, lower case, RNA, a rest that is no k-mer, unequal lengths."""
    from bioscan5m_hf import BarcodeEncoder

    repository = assemble(source, weights, tmp_path / "repository")
    reads = ["ACGTTGCAACGTAC", "acgttgcaacgtac", "ACGUUGCAACGUAC", "TTTTACGNACGT", "GATTACAGATTACAGATTACA"]
    code = (
        f"import sys; sys.path.append({sysconfig.get_paths()['purelib']!r})\n"
        "import json, torch\n"
        "from transformers import AutoModel, AutoTokenizer\n"
        f"tokenizer, model = (kind.from_pretrained({str(repository)!r}) for kind in (AutoTokenizer, AutoModel))\n"
        f"tokens = tokenizer({reads!r}, padding=True, return_tensors='pt')\n"
        "with torch.no_grad(): hidden = model(**tokens).last_hidden_state\n"
        "mask = tokens['attention_mask'][..., None]\n"
        "print(json.dumps([((hidden * mask).sum(1) / mask.sum(1)).tolist(), 'bioscan5m_hf' in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    found, ours_was_there = json.loads(done.stdout.splitlines()[-1])
    assert not ours_was_there
    assert np.allclose(found, BarcodeEncoder.from_pretrained(str(repository)).embed(reads), atol=1e-5)
    assert np.allclose(found[0], found[1])
    assert np.allclose(found[0], found[2])
