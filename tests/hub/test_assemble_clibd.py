"""A repository of CLIBD is put together from card and weights, and loads by its own code and by the package."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.hub.assemble import assemble
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.models.clibd.export_clibd import save_clibd


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from clibds import clibd


SOURCE = Path(__file__).resolve().parents[2] / "models" / "clibd-5m"
RECORD = {"task": "validation", "metric": "mean top-1", "value": 0.25, "data": "val"}
WAYS = {
    "package": ("import bioscan5m_hf.models", {}),
    "trust": ("sys.modules['bioscan5m_hf'] = None", {"trust_remote_code": True}),
}
FRESH = """
import json, sys
{first}
from transformers import AutoModel, AutoProcessor
from PIL import Image
model = AutoModel.from_pretrained(sys.argv[1], **{options}).eval()
processor = AutoProcessor.from_pretrained(sys.argv[1], **{options})
given = processor(images=[Image.new("RGB", (40, 30), "red")], dna=["ACGTACGTTT"], taxonomy=[{{"order": "Diptera"}}])
output = model(**given)
print(type(model).__module__)
print(json.dumps([output.image_embeds.tolist(), output.dna_embeds.tolist(), output.text_embeds.tolist()]))
"""


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A model folder as training leaves it."""
    folder = tmp_path_factory.mktemp("weights") / "clibd"
    declared = json.loads((SOURCE / "config.json").read_text())
    model, processor = clibd(**{name: value for name, value in declared.items() if name != "model_type"})
    save_clibd(model, processor, folder, card="# from training\n")
    further = RECORD | {"metric": "genus/val, image→dna/macro", "value": 0.5}
    (folder / "results.json").write_text(json.dumps([RECORD, further]))
    (folder / ".checkpoints").mkdir()
    (folder / ".checkpoints" / "optimizer.bin").write_bytes(b"never")
    return folder


@pytest.fixture(scope="module")
def repository(weights, tmp_path_factory):
    return assemble(SOURCE, weights, tmp_path_factory.mktemp("assembled") / "clibd-5m")


def test_it_has_card_weights_code_and_tokenizers(repository):
    files = {path.relative_to(repository).as_posix() for path in repository.rglob("*") if path.is_file()}
    code = {f"{name}_clibd.py" for name in ("configuration", "modeling", "processing", "loss")}
    assert {"README.md", "config.json", "model.safetensors", "processor_config.json", "tokenizer.json"} | code <= files
    assert "dna_tokenizer/tokenizer.json" in files
    assert not [name for name in files if "checkpoint" in name or name.endswith(".bin")]
    card = (repository / "README.md").read_text()
    assert "| validation | mean top-1 | 0.25 | val |" in card
    (result,) = yaml.safe_load(card.split("---\n")[1])["model-index"][0]["results"]
    said = [(metric["name"], metric["value"]) for metric in result["metrics"]]
    assert said == [
        ("name of the nearest key, mean over ways of asking", 0.25),
        ("genus of the nearest key, val, image→dna, mean over names", 0.5),
    ]


def test_a_fresh_process_loads_it_both_ways(repository):
    found, homes = {}, {}
    for way, (first, options) in WAYS.items():
        code = FRESH.format(first=first, options=options)
        done = subprocess.run(
            [sys.executable, "-c", code, str(repository)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, (way, done.stderr)
        homes[way], vectors = done.stdout.splitlines()[-2:]
        found[way] = json.loads(vectors)
    assert homes["package"] == "bioscan5m_hf.models.clibd.modeling_clibd"
    assert homes["trust"].startswith("transformers_modules.")
    assert found["package"] == found["trust"]
    assert [len(vectors) for vectors in found["package"]] == [1, 1, 1]


def test_the_blocks_of_its_card_run_from_the_hub(repository, hub):
    push(repository, "ORG/clibd-5m", repo_type="model")
    names: dict[str, object] = {}
    for block in re.findall(r"```python\n(.*?)```", (repository / "README.md").read_text(), re.DOTALL):
        exec(block.replace(", trust_remote_code=True", ""), names)
    assert names["output"].dna_embeds.shape == names["output"].image_embeds.shape


def test_weights_of_another_recipe_are_refused(weights, tmp_path):
    other = shutil.copytree(weights, tmp_path / "other")
    config = json.loads((other / "config.json").read_text())
    (other / "config.json").write_text(json.dumps(config | {"dna_pooling": "softmax_mean"}))
    with pytest.raises(OutputError, match="dna_pooling is 'softmax_mean', declared is 'mean'"):
        assemble(SOURCE, other, tmp_path / "repository")
