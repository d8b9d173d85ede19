"""`bioscan5m tasks` and `evaluate` as a user types them: folders of models, reference lines, several processes."""

import csv
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from encoders import Counts
from typer.testing import CliRunner

from bioscan5m_hf import load_taxonomy
from bioscan5m_hf.cli import app
from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.embedding.lineage import Lineages
from bioscan5m_hf.evaluation import evaluate_model
from bioscan5m_hf.evaluation.references import REFERENCES, installed
from bioscan5m_hf.evaluation.results import read_result
from bioscan5m_hf.evaluation.specimens import open_data, read_specimens
from bioscan5m_hf.evaluation.tasks import TASKS
from bioscan5m_hf.models.barcode_cnn import BarcodeCNN
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification
from bioscan5m_hf.synthetic import synthesize


ROOT = Path(__file__).resolve().parents[1]
SIZE = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 16}
KNN = "knn-genus-unseen,knn-genus-left-out-species"


def run(*words):
    done = CliRunner().invoke(app, [str(word) for word in words])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


@pytest.fixture(scope="module")
def classifier(tmp_path_factory, dataset):
    """Give the folder of a model with heads for order and species."""
    folder = tmp_path_factory.mktemp("models") / "classifier"
    labels = {rank: load_taxonomy(dataset).names(rank) for rank in ("order", "species")}
    torch.manual_seed(0)
    BarcodeBertForSequenceClassification(BarcodeBertConfig(kmer_size=4, labels=labels, **SIZE)).eval().save_pretrained(
        folder
    )
    Lineages.from_dataset(dataset, labels).save(folder)
    return folder


def test_tasks_are_listed_and_one_is_shown_whole():
    shown = run("tasks")
    for task in TASKS.values():
        assert task.name in shown
        assert task.main in shown
    assert "shrinkages = 0.001,0.003" in run("tasks", "linear-probe-species")
    with pytest.raises(ValueError, match="no task 'knn': use some of finetune-species"):
        run("tasks", "knn")


def test_a_fine_tuned_model_is_measured_as_encoder_and_by_its_names(classifier, dataset, tmp_path):
    words = ("evaluate", classifier, "--data", dataset, "--out", tmp_path / "out", "--cache", tmp_path / "cache")
    shown = run(*words, "--tasks", f"finetune-species,{KNN}", "--set", "knn-genus-unseen.k=3")
    assert "species/test/micro" in shown
    assert f"bioscan5m report {tmp_path / 'out'}/*.json" in shown
    records = {path.stem.rsplit("--", 1)[1]: read_result(path) for path in (tmp_path / "out").glob("*.json")}
    assert set(records) == {"finetune-species", *KNN.split(",")}
    assert records["knn-genus-unseen"].settings["k"] == 3
    assert records["knn-genus-unseen"].settings["encoder"]["kmer_size"] == 4
    named = records["finetune-species"]
    assert {name.split("/")[0] for name in named.scores} >= {"order", "family", "genus", "species"}
    assert named.model_revision == records["knn-genus-unseen"].model_revision
    assert "finetune-species: done before" in run(*words, "--tasks", "finetune-species")


def test_names_are_those_that_predict_gives(classifier, dataset, tmp_path):
    from bioscan5m_hf.adapters import load_encoder
    from bioscan5m_hf.adapters.naming import with_names

    rows = read_specimens(open_data(dataset), ["test"])
    model = with_names(load_encoder(classifier, device="cpu"))
    for rank in ("order", "genus", "species"):
        out = tmp_path / f"{rank}.csv"
        run("predict", dataset, "--model", classifier, "--split", "test", "--rank", rank, "--out", out)
        with out.open() as stream:
            told = {row["processid"]: row["candidate"] for row in csv.DictReader(stream)}
        names = model.names(rows.column("dna_barcode").to_pylist(), rank)
        assert names == [told[processid] for processid in rows.column("processid").to_pylist()]


def test_a_trained_network_names_at_its_rank(dataset, tmp_path):
    torch.manual_seed(0)
    names = load_taxonomy(dataset).names("species")
    BarcodeCNN(labels=names, channels=(4, 4, 4), features=8).save_pretrained(tmp_path / "cnn")
    out = tmp_path / "out"
    run("evaluate", tmp_path / "cnn", "--data", dataset, "--tasks", "finetune-species", "--out", out,
        "--cache", tmp_path / "cache")  # fmt: skip
    record = read_result(next(out.glob("*.json")))
    assert {name.split("/")[0] for name in record.scores} == {"species"}


def test_every_reference_line_is_measured_and_said_where_it_cannot(dataset, tmp_path, monkeypatch):
    out = tmp_path / "out"
    words = ("evaluate", "--references", "--data", dataset, "--out", out, "--cache", tmp_path / "cache")
    run(*words, "--tasks", f"{KNN},linear-probe-species")
    found = {(one.model, one.task) for one in map(read_result, out.glob("*.json"))}
    vectors = {f"reference:{name}" for name in ("random", "4-mers", "6-mers", "cnn-untrained")}
    aligned = {"reference:megablast"} if installed() else set()
    assert found == {(model, task) for model in vectors for task in (*KNN.split(","), "linear-probe-species")} | {
        (model, task) for model in aligned for task in KNN.split(",")
    }
    monkeypatch.setenv("PATH", "/nowhere")
    shown = run(*words, "--tasks", "knn-genus-unseen", "--out", tmp_path / "other")
    assert "reference:megablast: left out, BLAST+ is not installed" in shown


def test_reference_lines_are_of_barcodes_only(dataset, tmp_path):
    out = tmp_path / "out"
    words = ("evaluate", "--references", "--data", dataset, "--out", out, "--cache", tmp_path / "cache")
    left_out = "reference lines: left out, they are of barcodes"
    assert left_out in run(*words, "--tasks", "image")
    assert left_out in run(*words, "--tasks", KNN, "--modality", "image")
    assert not out.exists()
    assert left_out not in run(*words, "--tasks", "image,knn-genus-unseen", "--queries", 5)
    assert {read_result(path).task for path in out.glob("*.json")} == {"knn-genus-unseen"}


@pytest.mark.skipif(not installed(), reason="BLAST+ is not installed")
def test_alignment_finds_the_nearest_key(dataset, tmp_path):
    made = evaluate_model(REFERENCES["reference:megablast"](), KNN, dataset, cache=tmp_path)
    assert made[0].model_revision
    assert made[0].scores["order/test_unseen/micro"].value > 0.5
    assert made[1].settings["similarity"] == "bit score"
    assert made[0].counts["queries without a hit"] < made[0].counts["queries"]


@pytest.mark.skipif(not installed(), reason="BLAST+ is not installed")
def test_settings_are_of_the_models_that_do_the_task(dataset, tmp_path):
    out = tmp_path / "out"
    run("evaluate", "reference:megablast", "reference:4-mers", "--data", dataset, "--tasks", "dna", "--queries", 9,
        "--set", "zero-shot-clustering.method=none", "--set", "robustness.damages=indel", "--out", out,
        "--cache", tmp_path / "cache")  # fmt: skip
    found = {(one.model, one.task): one for one in map(read_result, out.glob("*.json"))}
    assert ("reference:megablast", "knn-genus-unseen") in found
    clustered = found["reference:4-mers", "zero-shot-clustering"]
    assert clustered.settings["reduction"] == {"method": "none"}


def test_what_is_wrong_is_said(dataset, tmp_path):
    with pytest.raises(ValueError, match="name a model, or say --references"):
        run("evaluate", "--data", dataset)
    with pytest.raises(ValueError, match="--revision v1 is that of one model"):
        run("evaluate", "me/one", "me/other", "--revision", "v1", "--data", dataset)
    for wrong in ("k=5", "knn-genus-unseen.k", ".k=5"):
        with pytest.raises(ValueError, match=r"write TASK.SETTING=VALUE"):
            run("evaluate", "reference:random", "--data", dataset, "--set", wrong)
    with pytest.raises(ValueError, match="--set novelty: this task is none of those that are asked for"):
        run("evaluate", "reference:random", "--data", dataset, "--tasks", KNN, "--set", "novelty.k=5")
    with pytest.raises(ValueError, match="no setting 'neighbours': use some of k, weights"):
        run("evaluate", "reference:random", "--data", dataset, "--set", "knn-genus-unseen.neighbours=5")


@pytest.fixture(scope="module")
def larger(tmp_path_factory):
    folder = tmp_path_factory.mktemp("larger")
    synthesize(folder / "release", specimens=600, seed=2, metadata_only=True, jsonld=False, workers=1)
    build(folder / "release", folder / "bioscan-5m", options=Options(workers=1))
    return folder / "bioscan-5m"


def launch(*words):
    """Start two processes, as `accelerate launch` does."""
    launcher = ["-m", "torch.distributed.run", "--nproc_per_node", "2", "--master_port", "0", "--standalone"]
    here = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    given = os.environ | {"ACCELERATE_USE_CPU": "true", "OMP_NUM_THREADS": "1", "PYTHONPATH": here}
    command = [sys.executable, *launcher, *map(str, words)]
    done = subprocess.run(command, env=given, capture_output=True, text=True, timeout=240)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


SHARED = """
import os, sys
from pathlib import Path
from encoders import Counts
from bioscan5m_hf.evaluation import evaluate_model
encoder = Counts()
data, folder, part = sys.argv[1:]
made = evaluate_model(encoder, "knn-genus-unseen", data, folder + "/out", cache=folder + "/cache", part=int(part))
print("records", len(made))
Path(folder, "embedded-" + os.environ["RANK"]).write_text("\\n".join(encoder.embedded))
"""


def test_two_processes_embed_seven_parts_and_nothing_is_lost_or_done_twice(larger, tmp_path):
    rows = read_specimens(open_data(larger), ["train", "test_unseen"]).with_barcode().one_per_barcode()
    train = len(rows.of(["train"]))
    part = next(size for size in range(1, train) if -(-train // size) == 7)
    script = tmp_path / "shared.py"
    script.write_text(SHARED)
    shown = launch(script, larger, tmp_path, part)
    assert sorted(line for line in shown.splitlines() if "records" in line) == ["records 0", "records 1"]
    each = [(tmp_path / f"embedded-{rank}").read_text().split("\n") for rank in (0, 1)]
    assert min(map(len, each)) > len(rows) / 4
    assert sorted(each[0] + each[1]) == sorted(rows.column("dna_barcode").to_pylist())
    assert len(list((tmp_path / "cache").rglob("part-*-of-00007.parquet"))) == 7
    alone = evaluate_model(Counts(), "knn-genus-unseen", larger, cache=tmp_path / "alone", part=part)[0]
    together = read_result(next((tmp_path / "out").glob("*.json")))
    assert together.scores == alone.scores
    assert together.device.startswith("2 process(es)")


def test_the_command_runs_in_two_processes_and_speaks_once(larger, tmp_path):
    asked = ["evaluate", "reference:4-mers", "--data", larger, "--part", 50, "--tasks", "knn-genus-unseen"]
    shown = launch("-m", "bioscan5m_hf.cli", *asked, "--out", tmp_path / "two", "--cache", tmp_path / "cache")
    assert shown.count("knn-genus-unseen: genus/test_unseen/micro") == 1
    run(*asked, "--out", tmp_path / "one", "--cache", tmp_path / "other")
    scores = [read_result(next((tmp_path / folder).glob("*.json"))).scores for folder in ("one", "two")]
    assert scores[0] == scores[1]
