"""The commands that need a model, as they are typed."""

import csv
import json
import shlex

import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
from transformers import BertConfig, BertModel

from bioscan5m_hf import load_specimens, load_taxonomy
from bioscan5m_hf.embedding.encoder import BarcodeEncoder
from bioscan5m_hf.embedding.lineage import Lineages
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForSequenceClassification
from bioscan5m_hf.taxonomy import RANKS


SIZE = {"hidden_size": 32, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


@pytest.fixture(scope="module")
def encoder_folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("encoder")
    torch.manual_seed(0)
    BertModel(BertConfig(vocab_size=259, initializer_range=0.3, **SIZE)).save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def classifier_folder(tmp_path_factory, dataset):
    folder = tmp_path_factory.mktemp("classifier")
    labels = {"species": load_taxonomy(dataset).names("species")}
    torch.manual_seed(0)
    config = BarcodeBertConfig(kmer_size=4, labels=labels, initializer_range=0.3, **SIZE)
    BarcodeBertForSequenceClassification(config).eval().save_pretrained(folder)
    Lineages.from_dataset(dataset, labels).save(folder)
    return folder


@pytest.fixture
def fasta(tmp_path, dataset):
    """Give a FASTA file of key specimens, under other ids."""
    rows = list(load_specimens(dataset, split="train", columns=["processid", "dna_barcode"], streaming=True))[:6]
    path = tmp_path / "sequences.fasta"
    path.write_text("".join(f">Q-{row['processid']}\n{row['dna_barcode']}\n" for row in rows))
    return path


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_embed_writes_what_the_encoder_gives_and_what_made_it(bioscan5m, encoder_folder, dataset, tmp_path):
    out = tmp_path / "test.parquet"
    status, printed, _ = bioscan5m("embed", dataset, "--model", encoder_folder, "--split", "test", "--out", out)
    assert status == 0
    assert "embeddings of 32 numbers" in printed
    table = pq.read_table(out)
    assert table.column_names == ["processid", "embedding"]
    rows = list(load_specimens(dataset, split="test", columns=["processid", "dna_barcode"], streaming=True))
    assert table["processid"].to_pylist() == [row["processid"] for row in rows]
    encoder = BarcodeEncoder.from_pretrained(encoder_folder)
    expected = encoder.embed([row["dna_barcode"] for row in rows])
    np.testing.assert_allclose(np.stack(table["embedding"].to_numpy(zero_copy_only=False)), expected, atol=1e-5)
    made = {key.decode(): value.decode() for key, value in table.schema.metadata.items()}
    assert made["bioscan5m.model"] == str(encoder_folder)
    assert made["bioscan5m.model_revision"] == encoder.revision
    assert made["bioscan5m.pooling"] == "masked mean"
    assert made["bioscan5m.split"] == "test"
    assert made["bioscan5m.package_version"]


def test_embed_takes_files_and_averages_frames(bioscan5m, encoder_folder, fasta, tmp_path):
    out = tmp_path / "out.parquet"
    words = ("--average-frames", "--batch-size", 2, "--dtype", "bfloat16", "--device", "cpu")
    assert bioscan5m("embed", fasta, "--model", encoder_folder, "--out", out, *words)[0] == 0
    assert pq.read_metadata(out).num_rows == 6
    assert pq.read_schema(out).metadata[b"bioscan5m.frame_offsets"] == b"0 1 2 3"


def test_predict_by_a_fine_tuned_model(bioscan5m, classifier_folder, dataset, fasta, tmp_path):
    order = load_taxonomy(dataset).names("order")[0]
    out = tmp_path / "names.csv"
    words = ("--rank", "genus", "--within", f"order={order}", "--top", 2, "--out", out)
    status, printed, _ = bioscan5m("predict", fasta, "--model", classifier_folder, *words)
    assert status == 0
    assert "6 reads" in printed
    rows = read(out)
    assert {row["candidate_rank"] for row in rows} == {"genus"}
    assert list(dict.fromkeys(row["processid"] for row in rows)) == [
        line[1:] for line in fasta.read_text().splitlines() if line.startswith(">")
    ]
    lineages = Lineages.load(classifier_folder / "taxonomy.json").lineages["species"].values()
    assert {row["candidate"] for row in rows} <= {above[5] for above in lineages if above[2] == order}
    assert all(0 <= float(row["candidate_probability"]) <= 1 for row in rows)


def test_a_classifier_without_thresholds_forces_no_name_and_says_how_to_get_some(
    bioscan5m, classifier_folder, dataset, fasta, tmp_path
):
    out = tmp_path / "names.csv"
    words = ("--model", classifier_folder, "--rank", "genus", "--average-frames")
    status, printed, _ = bioscan5m("predict", fasta, *words, "--out", out)
    assert status == 0
    assert "the model has no thresholds: candidates are listed, and all names are left empty" in printed
    for row in read(out):
        assert row["candidate"]
        assert {row[column] for column in ("rank", "name", "probability", "share_right", *RANKS[:-1])} == {""}
    command = next(line.strip() for line in printed.splitlines() if line.startswith("    bioscan5m calibrate "))
    shown = shlex.split(command)
    assert shown[-2:] == ["--out", str(classifier_folder / "thresholds.json")]
    try:
        shown[2] = dataset  # "bioscan-5m" lies where the README builds it
        assert bioscan5m(*shown[1:], "--share", 0.01, "--least", 1)[0] == 0
        status, printed, _ = bioscan5m("predict", fasta, *words, "--out", out)
        assert (status, "thresholds" in printed) == (0, False)
        assert all(row["name"] == row[row["rank"]] != "" for row in read(out))
        _, printed, _ = bioscan5m("predict", fasta, *words[:4], "--out", out)
        assert "the thresholds in thresholds.json were fitted with other frame offsets" in printed
        assert {row["name"] for row in read(out)} == {""}
    finally:
        (classifier_folder / "thresholds.json").unlink(missing_ok=True)


def test_calibrate_then_predict_by_keys(bioscan5m, encoder_folder, dataset, fasta, tmp_path):
    thresholds, out, cache = tmp_path / "thresholds.json", tmp_path / "names.csv", tmp_path / "keys.parquet"
    model = ("--model", encoder_folder, "--keys", dataset)
    status, printed, _ = bioscan5m(
        "calibrate", dataset, *model, "--out", thresholds, "--share", 0.5, "--least", 1, "--cache", cache
    )
    assert status == 0
    assert "named" in printed
    fitted = json.loads(thresholds.read_text())
    assert (fitted["mode"], fitted["origin"]["key_split"], fitted["origin"]["split"]) == (
        "neighbours", "train", "val+val_unseen",
    )  # fmt: skip
    assert cache.is_file()
    status, printed, _ = bioscan5m("predict", fasta, *model, "--thresholds", thresholds, "--out", out)
    assert (status, "no thresholds" in printed) == (0, False)
    rows = read(out)
    assert [float(row["identity"]) for row in rows] == [100] * 6
    assert all(int(row["overlap"]) > 100 and row["nearest_bin"].startswith("BOLD:") for row in rows)
    status, printed, _ = bioscan5m("predict", fasta, *model, "--key-split", "train", "--out", out, "--rank", "genus")
    assert (status, "no thresholds: nearest specimens are listed" in printed) == (0, True)
    assert {row["name"] for row in read(out)} == {""}
    assert all(row["nearest_processid"] for row in read(out))
    # Fitted with the keys of train, the thresholds serve train+key_unseen, above; keys of another split they refuse.
    words = ("--key-split", "key_unseen", "--thresholds", thresholds, "--out", out)
    status, _, err = bioscan5m("predict", fasta, *model, *words)
    assert (status, "fitted with other key specimens" in err) == (1, True)


def test_calibrate_says_when_no_name_will_be_given(bioscan5m, classifier_folder, dataset, tmp_path):
    words = ("--model", classifier_folder, "--out", tmp_path / "t.json")
    _, printed, _ = bioscan5m("calibrate", dataset, *words, "--least", 1000)
    assert "no name will be given: no rank has 1,000 names of which 95% are right" in printed
    _, printed, _ = bioscan5m("calibrate", dataset, *words, "--least", 1, "--share", 0.01)
    assert "no name will be given" not in printed


def test_thresholds_beside_the_model_are_used(bioscan5m, classifier_folder, dataset, fasta, tmp_path):
    own = classifier_folder / "thresholds.json"
    words = ("--model", classifier_folder, "--rank", "genus")
    assert bioscan5m("calibrate", dataset, *words, "--out", own, "--share", 0.01, "--least", 1)[0] == 0
    out = tmp_path / "names.csv"
    try:
        assert bioscan5m("predict", fasta, *words, "--out", out)[0] == 0
    finally:
        own.unlink()
    assert {row["rank"] for row in read(out)} <= {"genus", "subfamily", "family", "order", "class", "phylum"}
    assert all(row["phylum"] for row in read(out))


@pytest.mark.parametrize("name", ["k4", "k6"])
def test_a_converted_model_embeds_as_the_original_pools(bioscan5m, parity, tmp_path, name):
    out = tmp_path / "model"
    status, printed, _ = bioscan5m("convert", "barcodebert", parity / "barcodebert" / f"original_{name}.pt", out)
    assert (status, str(out) in printed) == (0, True)
    items = json.loads((parity / "barcodebert" / f"io_{name}.json").read_text())["items"].values()
    expected = [item for item in items if "masked_mean_pool" in item]
    encoder = BarcodeEncoder.from_pretrained(out)
    vectors = encoder.embed([item["sequence"] for item in expected], cleaned=False)
    assert len(expected) > 5
    np.testing.assert_allclose(vectors, [item["masked_mean_pool"] for item in expected], atol=2e-5)


def test_convert_takes_what_a_file_does_not_say(bioscan5m, parity, tmp_path):
    checkpoint = parity / "barcodebert" / "original_v1_k4.pt"
    assert "give heads=" in bioscan5m("convert", "barcodebert", checkpoint, tmp_path / "model")[2]
    assert bioscan5m("convert", "barcodebert", checkpoint, tmp_path / "model", "--heads", 2)[0] == 0
    assert BarcodeEncoder.from_pretrained(tmp_path / "model").layout.name == "standard"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ("embed", "absent.fasta", "--model", "{encoder}", "--out", "x"),
            "there is no file and no dataset absent.fasta",
        ),
        (("embed", "{fasta}", "--model", "no/model", "--out", "x"), "there is no folder no/model"),
        (("embed", "{fasta}", "--model", "{encoder}", "--out", "x", "--split", "test"), "which has no split 'test'"),
        (("embed", "{fasta}", "--model", "{encoder}", "--out", "."), "is a folder: name a file"),
        (("predict", "{fasta}", "--model", "{encoder}", "--out", "x"), "it is not fine-tuned"),
        (("predict", "{fasta}", "--model", "{classifier}", "--out", "x", "--within", "Diptera"), "RANK=NAME"),
        (("predict", "{fasta}", "--model", "{classifier}", "--out", "x", "--within", "order=Dipter"), "have no order"),
        (
            ("predict", "{fasta}", "--model", "{classifier}", "--out", "x", "--rank", "dna_bin"),
            "nothing as fine as dna_bin",
        ),
        (
            ("predict", "{fasta}", "--model", "{classifier}", "--out", "x", "--key-split", "train"),
            "give these as well",
        ),
        (("predict", "{fasta}", "--model", "{encoder}", "--out", "x", "--keys", "{fasta}", "--top", "2"), "--top"),
        (
            ("predict", "{fasta}", "--model", "{encoder}", "--out", "x", "--keys", "{fasta}"),
            "no key with a usable barcode",
        ),
        (("predict", "{empty}", "--model", "{classifier}", "--out", "x"), "holds no record"),
        (("predict", "{fasta}", "--model", "{classifier}", "--out", "x", "--thresholds", "t.json"), "make it with"),
        (("calibrate", "{fasta}", "--model", "{classifier}", "--out", "x"), "nothing to fit on"),
        (("calibrate", "{fasta}", "--model", "{classifier}", "--out", "x", "--share", "95"), "share is 95"),
        (("convert", "barcodebert", "absent.pt", "out"), "there is no file absent.pt"),
        (("convert", "barcodebert", "{fasta}", "out"), "sequences.fasta"),
    ],
)
def test_errors_are_one_line_and_say_what_to_do(
    bioscan5m, elsewhere, encoder_folder, classifier_folder, fasta, words, message
):
    empty = elsewhere / "empty.fasta"
    empty.write_text("")
    given = {"encoder": encoder_folder, "classifier": classifier_folder, "fasta": fasta, "empty": empty}
    status, _, err = bioscan5m(*(word.format(**given) for word in words))
    lines = [line for line in err.strip().splitlines() if line.startswith("bioscan5m:")]
    assert status == 1
    assert message in lines[0]
    assert "Traceback" not in err
    assert [path.name for path in elsewhere.iterdir()] == ["empty.fasta"]


def test_help_needs_no_model_library(fresh_python):
    code = (
        "import sys; sys.argv = ['bioscan5m', '--help']\n"
        "from bioscan5m_hf import cli\n"
        "try: cli.main()\n"
        "except SystemExit: print([name for name in ('torch', 'transformers', 'datasets') if name in sys.modules])"
    )
    printed = fresh_python(code)
    assert "predict" in printed
    assert printed.strip().endswith("[]")
