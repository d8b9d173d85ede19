"""Exports: every door of transformers, opened twice in a process that does not have this package."""

import json
import subprocess
import sys
import sysconfig

import pytest
import torch

from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertModel,
    KmerTokenizer,
    masked_mean,
    save_stock,
)
from bioscan5m_hf.models.barcodebert.export_barcodebert import CODE, INCOMING


SEQUENCES = ["ACGTTGCAGGTA", "ACGTNNTTGACCAGTA", "acgttgcaggua", "ACTTGA", "A"]
LABELS = {"genus": ["Aus", "Bus", "Cus"], "species": ["Aus aus", "Bus bus"]}
DOORS = (
    "AutoModel",
    "AutoModelForPreTraining",
    "AutoModelForMaskedLM",
    "AutoModelForCausalLM",
    "AutoModelForTokenClassification",
    "AutoModelForSequenceClassification",
    "AutoModelForNextSentencePrediction",
    "AutoModelForQuestionAnswering",
    "AutoModelForMultipleChoice",
)

OPEN = """
import sys
sys.path.append({packages!r})
import importlib.util, json
assert importlib.util.find_spec("bioscan5m_hf") is None
import torch, transformers
transformers.logging.set_verbosity_error()
transformers.logging.disable_progress_bar()
sequences, doors, folders = json.loads({given!r})
found = {{}}
for name, (folder, remote) in folders.items():
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    inputs = tokenizer(sequences, return_tensors="pt", padding=True)
    for door in doors:
        weights, outputs = [], []
        try:
            for seed in (0, 1):
                torch.manual_seed(seed)
                cls = getattr(transformers, door)
                model, info = cls.from_pretrained(folder, trust_remote_code=remote, output_loading_info=True)
                weights.append(model.state_dict())
                with torch.no_grad():
                    several = "MultipleChoice" in door
                    outputs.append(model(**{{n: v[None] if several else v for n, v in inputs.items()}}))
        except Exception as error:
            found[name + " " + door] = {{"error": type(error).__name__, "opened": len(weights), "classes": None}}
            continue
        tensors = [{{n: v for n, v in output.items() if isinstance(v, torch.Tensor)}} for output in outputs]
        if isinstance(outputs[0].get("logits"), dict):
            tensors = [output["logits"] for output in outputs]
        drawn = [n for n, v in weights[0].items() if not torch.equal(v, weights[1][n])]
        differ = [n for n in tensors[0] if not torch.equal(tensors[0][n], tensors[1][n])]
        torch.save({{"inputs": dict(inputs), "outputs": tensors[0]}}, f"{{sys.argv[1]}}/{{name}} {{door}}.pt")
        found[name + " " + door] = {{
            "drawn": drawn, "differ": differ,
            "missing": sorted(info["missing_keys"]),
        }}
print(json.dumps(found))
"""


def build(cls, **values):
    torch.manual_seed(7)
    small = {"kmer_size": 3, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
    model = cls(BarcodeBertConfig(**small, intermediate_size=32, initializer_range=0.3, **values)).eval()
    with torch.no_grad():
        for name, weight in model.named_parameters():  # as after training: scales and shifts are not 1 and 0
            if "LayerNorm" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    return model


@pytest.fixture(scope="module")
def models():
    return {
        "masked": build(BarcodeBertForMaskedLM),
        "linear": build(BarcodeBertForMaskedLM, mlm_head="linear"),
        "original": build(BarcodeBertForMaskedLM, mlm_head="linear", token_layout="original"),
        "encoder": build(BarcodeBertModel),
        "autoencoder": build(BarcodeBertForMaskedAutoencoding, mlm_head="linear"),
        "classifier": build(BarcodeBertForSequenceClassification, labels=LABELS),
        "one": build(BarcodeBertForSequenceClassification, labels={"genus": LABELS["genus"]}),
    }


@pytest.fixture(scope="module")
def folders(models, tmp_path_factory):
    base = tmp_path_factory.mktemp("exports")
    return {name: save_stock(model, base / name) for name, model in models.items()}


@pytest.fixture(scope="module")
def opened(folders, tmp_path_factory):
    """Give what a process without this package found behind each door, and the folder of its outputs."""
    out = tmp_path_factory.mktemp("outputs")
    remote = {name: (str(folder), name in ("classifier", "one")) for name, folder in folders.items()}
    given = json.dumps([SEQUENCES[:4], DOORS, remote])
    code = OPEN.format(packages=sysconfig.get_paths()["purelib"], given=given)
    done = subprocess.run([sys.executable, "-S", "-I", "-c", code, str(out)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1]), out


def outputs(opened, name, door):
    saved = torch.load(opened[1] / f"{name} {door}.pt", weights_only=True)
    return saved["inputs"], saved["outputs"]


STOCK = ("masked", "linear", "original", "encoder", "autoencoder")


@pytest.mark.parametrize("door", DOORS)
@pytest.mark.parametrize("name", [*STOCK, "classifier", "one"])
def test_no_door_opens_onto_random_weights(opened, name, door):
    found = opened[0][f"{name} {door}"]
    if "error" in found:
        return
    assert found["missing"] == []
    assert found["drawn"] == []
    assert found["differ"] == []


def test_which_doors_open(opened):
    shut = {
        name: [door for door in DOORS if "error" in opened[0][f"{name} {door}"]] for name in (*STOCK, "classifier")
    }
    assert all(found["opened"] == 0 for found in opened[0].values() if found.get("error") == "RuntimeError")
    always = ["AutoModelForQuestionAnswering", "AutoModelForMultipleChoice"]
    assert {name: shut[name] for name in STOCK} == dict.fromkeys(STOCK, always)
    assert set(DOORS) - set(shut["classifier"]) == {"AutoModel", "AutoModelForSequenceClassification"}


@pytest.mark.parametrize("name", [*STOCK, "classifier"])
def test_the_hidden_states_are_those_of_the_package(opened, models, name):
    inputs, found = outputs(opened, name, "AutoModel")
    encoder = models[name] if name == "encoder" else models[name].bert
    with torch.no_grad():
        hidden = encoder(**inputs).last_hidden_state
    assert torch.allclose(found["last_hidden_state"], hidden, atol=1e-6)
    if name in STOCK:
        assert torch.allclose(found["pooler_output"], hidden[:, 0].tanh(), atol=1e-6)


@pytest.mark.parametrize("name", ["masked", "linear", "original"])
def test_the_masked_head_gives_the_logits_of_the_package(opened, models, name):
    inputs, found = outputs(opened, name, "AutoModelForMaskedLM")
    model = models[name]
    with torch.no_grad():
        logits = model(**inputs).logits
    assert torch.allclose(found["logits"][..., model.first_logit :], logits, atol=1e-4)
    if name != "masked":
        assert (found["logits"][..., : model.first_logit] == -1e4).all()
        assert torch.allclose(outputs(opened, name, "AutoModelForTokenClassification")[1]["logits"], logits, atol=1e-6)


@pytest.mark.parametrize("name", ["encoder", "autoencoder"])
def test_an_encoder_finds_all_k_mers_equally_likely(opened, name):
    assert (outputs(opened, name, "AutoModelForMaskedLM")[1]["logits"] == 0).all()


@pytest.mark.parametrize("name", ["masked", "encoder"])
@pytest.mark.parametrize("door", ["AutoModelForSequenceClassification", "AutoModelForTokenClassification"])
def test_a_model_without_labels_has_no_outputs_for_labels(opened, name, door):
    assert outputs(opened, name, door)[1]["logits"].shape[-1] == 0


@pytest.mark.parametrize("name", ["classifier", "one"])
def test_the_classifier_gives_the_logits_of_the_package(opened, models, name):
    inputs, found = outputs(opened, name, "AutoModelForSequenceClassification")
    with torch.no_grad():
        logits = models[name](**inputs).logits
    logits = logits if name == "classifier" else {"logits": logits}
    assert set(found) == set(logits)
    assert all(torch.allclose(found[rank], logits[rank], atol=1e-6) for rank in logits)


def test_a_fresh_head_has_to_be_asked_for(folders):
    from transformers import AutoModelForSequenceClassification as Door

    with pytest.raises(RuntimeError, match="ignore_mismatched_sizes"):
        Door.from_pretrained(folders["encoder"], num_labels=4)
    model = Door.from_pretrained(folders["encoder"], num_labels=4, ignore_mismatched_sizes=True)
    assert model(torch.tensor([[3, 4]])).logits.shape == (1, 4)


@pytest.mark.parametrize("name", STOCK)
def test_sentence_transformers_gives_the_masked_mean(folders, models, name):
    sentence_transformers = pytest.importorskip("sentence_transformers")
    folder, model = folders[name], models[name]
    encoder = model if name == "encoder" else model.bert
    theirs = sentence_transformers.SentenceTransformer(str(folder), device="cpu")
    inputs = KmerTokenizer.from_pretrained(folder)(SEQUENCES, return_tensors="pt", padding=True)
    with torch.no_grad():
        ours = masked_mean(encoder(**inputs).last_hidden_state, inputs["attention_mask"])
    found = torch.from_numpy(theirs.encode(SEQUENCES))
    assert torch.allclose(found, ours, atol=1e-6)
    assert (found[-1] == 0).all()  # shorter than a k-mer
    assert theirs.max_seq_length == 220


def test_fill_mask_names_k_mers(folders):
    from transformers import pipeline

    for name in ("masked", "linear"):
        best = pipeline("fill-mask", model=str(folders[name]), device="cpu")("ACG[MASK]TTA", top_k=3)
        assert all(len(guess["token_str"]) == 3 and set(guess["token_str"]) <= set("ACGT") for guess in best), name


def test_text_classification_names_classes(folders):
    from transformers import pipeline

    import bioscan5m_hf.models  # noqa: F401

    found = pipeline("text-classification", model=str(folders["one"]), device="cpu")("ACGTTGACC")
    assert found[0]["label"] in LABELS["genus"]


# -- saving


def test_a_save_that_is_interrupted_leaves_nothing_that_loads(tmp_path, models, monkeypatch):
    save_stock(models["masked"], tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(KmerTokenizer, "save_pretrained", stop)
        with pytest.raises(KeyboardInterrupt):
            save_stock(models["encoder"], tmp_path)
    assert (tmp_path / "model.safetensors").read_bytes() == before
    BarcodeBertForMaskedLM.from_pretrained(tmp_path)

    import os

    replace, moved = os.replace, []

    def move_two(source, target):
        moved.append(source)
        if len(moved) > 2:
            raise KeyboardInterrupt
        replace(source, target)

    with monkeypatch.context() as patch:
        patch.setattr("bioscan5m_hf.models.barcodebert.export_barcodebert.os.replace", move_two)
        with pytest.raises(KeyboardInterrupt):
            save_stock(models["encoder"], tmp_path)
    with pytest.raises(ValueError, match="interrupted"):
        BarcodeBertModel.from_pretrained(tmp_path)
    save_stock(models["encoder"], tmp_path)
    BarcodeBertModel.from_pretrained(tmp_path)
    assert not (tmp_path / INCOMING).exists()


def test_what_another_kind_of_model_had_is_removed_and_other_files_stay(tmp_path, models):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "log.jsonl").write_text("{}\n")
    save_stock(models["classifier"], tmp_path, card="# first\n")
    assert all((tmp_path / name).exists() for name in CODE)
    save_stock(models["masked"], tmp_path)
    names = {path.name for path in tmp_path.iterdir()}
    assert not names & set(CODE)
    assert {"checkpoints", "log.jsonl", "modules.json", "1_Pooling", "README.md", "tokenizer.json"} <= names
    save_stock(models["classifier"], tmp_path)
    assert not {"modules.json", "1_Pooling"} & {path.name for path in tmp_path.iterdir()}
    assert (tmp_path / "README.md").read_text() == "# first\n"


def test_another_architecture_is_not_written_over(tmp_path, models):
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(ValueError, match="holds a model of type 'clip'"):
        save_stock(models["encoder"], tmp_path)
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file"):
        save_stock(models["encoder"], tmp_path / "file")


def test_the_code_that_travels_imports_nothing_of_this_package(folders):
    for name in CODE:
        assert "bioscan5m_hf" not in (folders["classifier"] / name).read_text()


def test_half_precision_is_saved_as_such(tmp_path, models):
    from transformers import AutoModel

    model = build(BarcodeBertModel).to(torch.bfloat16)
    assert AutoModel.from_pretrained(save_stock(model, tmp_path)).dtype == torch.bfloat16
