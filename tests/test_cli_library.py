"""An index is made, calibrated and asked, as it is typed."""

from __future__ import annotations

import csv
import json
import shlex
import shutil
import sys
from pathlib import Path

import pytest

from bioscan5m_hf import cli
from bioscan5m_hf.library.specimens import open_dataset
from bioscan5m_hf.models.clibd.export_clibd import save_clibd


sys.path.insert(0, str(Path(__file__).parent / "models"))

from clibds import clibd


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    return save_clibd(*clibd(), tmp_path_factory.mktemp("clibd") / "clibd-tiny")


@pytest.fixture(scope="module")
def keys(tmp_path_factory, dataset, model):
    """Give an index of the keys, not calibrated."""
    folder = tmp_path_factory.mktemp("index") / "keys"
    words = ["index", str(dataset), "--model", str(model), "--out", str(folder), "--no-calibrate"]
    with pytest.raises(SystemExit) as ended:
        cli.app(words)
    assert not ended.value.code
    return folder


@pytest.fixture
def asked(tmp_path, dataset):
    """Give photographs of three specimens and a FASTA file of three, of which two are the same."""
    batch = next(open_dataset(dataset, "all").batches(rows=4))
    (tmp_path / "photos").mkdir()
    rows = batch.table.to_pylist()
    for row, photograph in zip(rows[:3], batch.photographs, strict=False):
        (tmp_path / "photos" / f"{row['processid']}.jpg").write_bytes(photograph)
    reads = "".join(f">{row['processid']}\n{row['dna_barcode']}\n" for row in rows[1:])
    (tmp_path / "barcodes.fasta").write_text(reads)
    return [row["processid"] for row in rows], (tmp_path / "photos", tmp_path / "barcodes.fasta")


def read(path):
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))


def test_index_takes_train_and_key_unseen_and_goes_on(bioscan5m, keys, dataset, model):
    about = json.loads((keys / "index.json").read_text())
    expected = open_dataset(dataset, "train+key_unseen").count()
    assert (about["split"], about["keys"], about["with"]) == (
        "train+key_unseen",
        expected,
        {"image": expected, "dna": expected},
    )
    before = (keys / "image.npy").stat().st_mtime_ns
    status, printed, _ = bioscan5m("index", dataset, "--model", model, "--out", keys, "--no-calibrate")
    assert status == 0
    assert f"{expected} keys" in printed
    assert (keys / "image.npy").stat().st_mtime_ns == before


def test_specimens_with_photograph_barcode_or_both_are_asked_once(bioscan5m, keys, model, asked, tmp_path):
    ids, given = asked
    out = tmp_path / "names.csv"
    status, printed, _ = bioscan5m("predict", *given, "--model", model, "--keys", keys, "--top", 2, "--out", out)
    assert status == 0
    count = json.loads((keys / "index.json").read_text())["keys"]
    assert f"{count} of {count} keys left" in printed
    assert "all names are left empty" in printed
    rows = read(out)
    assert [(row["processid"], row["modalities"]) for row in rows] == [
        (ids[1], "image+dna"),
        (ids[2], "image+dna"),
        (ids[3], "dna"),
        (ids[0], "image"),
    ]
    assert {"candidate_2", "share_2", "nearest_km", "new_species"} <= rows[0].keys()
    assert "candidate_3" not in rows[0]
    assert {row["name"] for row in rows} == {""}
    command = next(line.strip() for line in printed.splitlines() if line.startswith("    bioscan5m calibrate "))
    assert shlex.split(command)[-2:] == ["--keys", str(keys)]


def test_calibrate_then_names_where_they_are_sure(bioscan5m, keys, model, dataset, asked, tmp_path):
    folder = shutil.copytree(keys, tmp_path / "keys")
    status, printed, _ = bioscan5m(
        "calibrate", dataset, "--model", model, "--keys", folder, "--split", "val+val_unseen+test+test_unseen"
    )
    assert status == 0
    assert "calibration error" in printed
    assert (folder / "calibration.json").is_file()
    out = tmp_path / "names.csv"
    words = ("--keys", folder, "--sure", 0.3, "--country", "Canada", "--near", "45,-75,500", "--place", "weigh")
    status, printed, _ = bioscan5m("predict", *asked[1], "--model", model, *words, "--out", out)
    assert status == 0
    assert "not calibrated" not in printed
    assert any(row["name"] == row[row["rank"]] != "" for row in read(out) if row["rank"])
    assert all(float(row["confidence"]) >= 0.3 for row in read(out) if row["name"])
    assert all(row["nearest_km"] or not row["nearest_country"] for row in read(out))
    order = next(row["candidate_1"] for row in read(out))
    status, printed, _ = bioscan5m(
        "predict", *asked[1], "--model", model, "--keys", folder, "--within", f"species={order}", "--out", out
    )
    assert status == 0
    assert "fitted without a restriction" in printed
    assert {row["candidate_1"] for row in read(out)} == {order}


def test_one_s_own_library(bioscan5m, model, asked, tmp_path):
    ids, given = asked
    table = tmp_path / "labels.csv"
    table.write_text("processid,genus,species\n" + "".join(f"{one},Aus,Aus b{n}\n" for n, one in enumerate(ids)))
    status, printed, _ = bioscan5m("index", *given, table, "--model", model, "--out", tmp_path / "own")
    assert status == 0
    assert "4 keys (3 with image, 3 with dna)" in printed
    assert "not calibrated" in printed
    out = tmp_path / "names.csv"
    assert bioscan5m("predict", given[0], "--model", model, "--keys", tmp_path / "own", "--out", out)[0] == 0
    for row in read(out):  # who is a key is not found by itself
        assert row["nearest_processids"]
        assert row["processid"] not in row["nearest_processids"].split(";")
        assert row["candidate_1"] in {f"Aus b{n}" for n, one in enumerate(ids) if one != row["processid"]}


def test_another_model_is_refused_by_name(bioscan5m, keys, asked, tmp_path):
    other = save_clibd(*clibd(1), tmp_path / "clibd-other")
    words = ("--model", other, "--keys", keys, "--out", tmp_path / "names.csv")
    status, _, said = bioscan5m("predict", *asked[1], *words)
    assert status == 1
    assert "holds keys of clibd-tiny, revision sha256:" in said
    assert "clibd-other" in said
    assert not (tmp_path / "names.csv").exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--key-split", "train"), "is an index"),
        (("--thresholds", "x.json"), "is an index"),
        (("--near", "north"), "write latitude,longitude"),
        (("--within", "order=Dipterra"), "the keys have no order 'Dipterra'"),
    ],
)
def test_what_does_not_go_together_is_said(bioscan5m, keys, model, asked, tmp_path, words, said):
    status, _, error = bioscan5m(
        "predict", *asked[1], "--model", model, "--keys", keys, *words, "--out", tmp_path / "names.csv"
    )
    assert status == 1
    assert said in error


def test_without_an_index_there_is_one_input_and_no_place(bioscan5m, model, asked, tmp_path):
    for words in (asked[1], (asked[1][1], "--country", "Canada")):
        status, _, error = bioscan5m("predict", *words, "--model", model, "--out", tmp_path / "names.csv")
        assert status == 1
        assert "make one with `bioscan5m index`" in error
    status, _, error = bioscan5m("calibrate", asked[1][1], "--model", model)
    assert status == 1
    assert "--out thresholds.json" in error


def test_bad_photographs_keep_their_rows(bioscan5m, keys, model, asked, tmp_path):
    (tmp_path / "photos" / "torn.jpg").write_bytes(b"\xff\xd8\xff torn")
    out = tmp_path / "names.csv"
    status, printed, _ = bioscan5m("predict", tmp_path / "photos", "--model", model, "--keys", keys, "--out", out)
    assert status == 0
    assert "1 specimens with a problem" in printed
    torn = next(row for row in read(out) if row["processid"] == "torn")
    assert "torn.jpg" in torn["problem"]
    assert torn["nearest_processids"] == ""
    assert len(read(out)) == 4


def test_index_calibrates_at_once_and_lists_are_read(bioscan5m, dataset, model, tmp_path):
    listed = tmp_path / "list.txt"
    ids = [row for batch in open_dataset(dataset, "train").batches() for row in batch.table["processid"].to_pylist()]
    listed.write_text("\n".join(ids[:5]))
    words = ("--model", model, "--only", listed, "--split", "train", "--modalities", "dna", "--precision", "float16")
    status, printed, _ = bioscan5m("index", dataset, *words, "--out", tmp_path / "few")
    made = json.loads((tmp_path / "few" / "index.json").read_text())
    assert (made["keys"], made["modalities"], made["precision"]) == (5, ["dna"], "float16")
    assert status == 0  # the invented dataset is too small to calibrate on, which is said
    assert "not calibrated: " in printed
    assert "nothing can be fitted" in printed
