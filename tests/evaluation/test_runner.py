"""`evaluate_model`: inputs embedded once, stopped runs go on, records of what was done, clear words of what cannot."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from encoders import Counts, OfItsBatch, TooFew, Whole, WithNan

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.errors import Bioscan5mError, EncoderError, OutputError, ResultError, TaskError
from bioscan5m_hf.evaluation import Encoder, evaluate_model
from bioscan5m_hf.evaluation.knn import knn
from bioscan5m_hf.evaluation.references import Chance
from bioscan5m_hf.evaluation.results import read_result
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.evaluation.specimens import open_data, read_specimens
from bioscan5m_hf.hub.push import push
from bioscan5m_hf.synthetic import synthesize


TASKS = "linear-probe-species,knn-genus-unseen,knn-genus-left-out-species"
SPLITS = ("train", "val", "test", "key_unseen", "val_unseen", "test_unseen", "other_heldout")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    synthesize(folder / "release", specimens=700, seed=1, metadata_only=True, jsonld=False, workers=1)
    build(folder / "release", folder / "bioscan-5m", options=Options(workers=1))
    return folder / "bioscan-5m"


def changed(data, folder, **changes):
    """Copy a dataset with other rows: split → what makes them of a table; as plain Parquet."""
    import shutil

    shutil.copytree(data, folder)
    for split, change in changes.items():
        files = sorted((folder / "metadata").glob(f"{split}-*"))
        table = change(pa.concat_tables([pq.read_table(file) for file in files]))
        for file in files[1:]:
            file.unlink()
        pq.write_table(table, files[0])
    readme = folder / "README.md"
    import yaml

    front = yaml.safe_load(readme.read_text().split("---")[1])
    front = {"configs": front["configs"]}
    for config in front["configs"]:
        for one in config["data_files"]:
            one["path"] = (
                f"{config['config_name']}/{one['split']}-*" if config["config_name"] == "metadata" else one["path"]
            )
    readme.write_text(f"---\n{yaml.safe_dump(front)}---\n")
    return folder


def test_scores_are_those_of_the_protocol_and_records_say_everything(data, tmp_path):
    encoder = Counts()
    assert isinstance(encoder, Encoder)
    found = evaluate_model(encoder, TASKS, data, tmp_path / "out", cache=tmp_path / "cache")
    assert [one.task for one in found] == TASKS.split(",")
    rows = read_specimens(open_data(data), SPLITS).with_barcode().one_per_barcode()
    keys, queries = rows.of(["train"]), rows.of(["test_unseen"])
    vectors = [Counts().embed(some.column("dna_barcode").to_pylist()) for some in (queries, keys)]
    expected = knn(vectors[0], queries.labels(), vectors[1], keys.labels(), part="test_unseen", ranks=["genus"])
    name = "genus/test_unseen/micro"
    assert found[1].scores[name] == expected.scores[name]
    assert (found[1].main, found[1].model, found[1].model_revision) == (name, "counts", "1")
    assert found[1].settings["splits"] == {"keys": ["train"], "queries": ["test_unseen"]}
    assert found[1].data == "bioscan-5m"
    assert found[1].data_revision.startswith("sha256:")
    assert found[1].seconds > 0
    assert found[1].peak_memory > 10_000_000
    assert any("BIN in pretrain" in part for part in found[1].scores)
    for one in found:
        assert read_result(tmp_path / "out" / f"counts--{one.task}.json").scores == one.scores


def test_each_distinct_barcode_is_embedded_once_for_all_tasks(data, tmp_path):
    encoder = Counts()
    evaluate_model(encoder, TASKS, data, cache=tmp_path)
    rows = read_specimens(open_data(data), SPLITS).with_barcode().one_per_barcode()
    assert sorted(encoder.embedded) == sorted(rows.column("dna_barcode").to_pylist())


def test_what_was_done_is_not_done_again_unless_asked(data, tmp_path):
    first = evaluate_model(Counts(), TASKS, data, tmp_path / "out", cache=tmp_path / "cache")
    encoder, said = Counts(), []
    again = evaluate_model(encoder, TASKS, data, tmp_path / "out", cache=tmp_path / "cache", say=said.append)
    assert again == first
    assert said == [f"{name}: done before" for name in TASKS.split(",")]
    assert len(encoder.calls) == 2  # the probe
    other = {"knn-genus-unseen": {"k": 3}}
    third = evaluate_model(encoder, TASKS, data, tmp_path / "out", settings=other, cache=tmp_path / "cache")
    assert third[0] == first[0]
    assert third[1].settings["k"] == 3
    assert len(encoder.calls) == 4  # vectors are there
    forced = evaluate_model(Counts(), TASKS, data, tmp_path / "out", again=True, cache=tmp_path / "cache")
    assert forced[0].scores == first[0].scores
    assert forced[1].settings["k"] == 1


def test_keys_are_compared_in_the_precision_that_was_chosen(data, tmp_path, monkeypatch):
    used = []
    nearest = Search.nearest
    monkeypatch.setattr(
        Search, "nearest", lambda self, *given, **rest: used.append(self.precision) or nearest(self, *given, **rest)
    )
    names = ("knn-genus-unseen", "knn-genus-left-out-species", "novelty")
    chosen = {name: {"precision": "bfloat16"} for name in names}
    found = evaluate_model(Counts(), names, data, settings=chosen, cache=tmp_path)
    assert set(used) == {"bfloat16"}
    assert {one.settings["precision"] for one in found} == {"bfloat16"}
    exact = evaluate_model(Counts(), names, data, cache=tmp_path)
    for one, other in zip(found, exact, strict=True):
        assert one.scores[one.main].value == pytest.approx(other.scores[other.main].value, abs=0.02)
    with pytest.raises(TaskError, match="task novelty: precision is 'half': use float32 or bfloat16"):
        evaluate_model(Counts(), "novelty", data, settings={"novelty": {"precision": "half"}}, cache=tmp_path)


def test_an_encoder_without_revision_is_another_when_its_answers_are(data, tmp_path):
    class Mine:
        factor = 1.0

        def embed(self, barcodes):
            return Counts().embed(barcodes) ** self.factor

    one = evaluate_model(Mine(), "knn-genus-unseen", data, tmp_path / "out", cache=tmp_path / "cache")[0]
    Mine.factor = 2.0
    other = evaluate_model(Mine(), "knn-genus-unseen", data, tmp_path / "out", cache=tmp_path / "cache")[0]
    assert one.model == other.model == "Mine"
    assert one.model_revision != other.model_revision
    assert one.model_revision.startswith("answers:")


SLOW = """
import sys, time
sys.path.insert(0, {here!r})
from encoders import Counts
from bioscan5m_hf.evaluation import evaluate_model
class Slow(Counts):
    def embed(self, barcodes):
        time.sleep(0.3 if len(barcodes) > 9 else 0)
        return super().embed(barcodes)
evaluate_model(Slow(), "knn-genus-unseen", {data!r}, {out!r}, cache={cache!r}, part=20)
"""


def test_a_run_that_was_killed_goes_on_without_computing_again(data, tmp_path):
    cache = tmp_path / "cache"
    words = {
        "here": os.path.dirname(os.path.dirname(__file__)),
        "data": str(data),
        "out": str(tmp_path / "out"),
        "cache": str(cache),
    }
    process = subprocess.Popen([sys.executable, "-c", SLOW.format(**words)])
    deadline = time.monotonic() + 60
    while len(list(cache.rglob("part-*.parquet"))) < 3 and time.monotonic() < deadline:
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = {path: path.stat().st_mtime_ns for path in cache.rglob("part-*.parquet")}
    assert len(done) >= 3
    encoder = Counts()
    found = evaluate_model(encoder, "knn-genus-unseen", data, cache=cache, part=20)
    kept = {path: path.stat().st_mtime_ns for path in cache.rglob("part-*.parquet")}
    assert len(kept) > len(done)
    assert all(kept[path] == when for path, when in done.items())
    embedded = sum(pq.read_metadata(path).num_rows for path in kept if path not in done)
    assert len(encoder.embedded) == embedded
    whole = evaluate_model(Counts(), "knn-genus-unseen", data, cache=tmp_path / "other", part=4096)
    assert whole[0].scores == found[0].scores


def test_a_damaged_part_is_named(data, tmp_path):
    evaluate_model(Counts(), "knn-genus-unseen", data, cache=tmp_path)
    path = sorted(tmp_path.rglob("part-*.parquet"))[0]
    path.write_bytes(path.read_bytes()[:50])
    with pytest.raises(OutputError, match=rf"{path.name} is damaged .*remove it and evaluate again"):
        evaluate_model(Counts(), "knn-genus-unseen", data, cache=tmp_path)


@pytest.mark.parametrize(
    ("encoder", "message"),
    [(TooFew, r"shape \(7, 64\) for 8"), (Whole, "type int64"), (OfItsBatch, "different vectors for the same input")],
)
def test_wrong_vectors_are_told_with_the_task(data, tmp_path, encoder, message):
    with pytest.raises(EncoderError, match=rf"task knn-genus-unseen: .*{message}"):
        evaluate_model(encoder(), "knn-genus-unseen", data, cache=tmp_path)


def test_a_vector_that_is_not_finite_is_told_with_task_split_row_and_processid(data, tmp_path):
    rows = read_specimens(open_data(data), ["test_unseen"])
    encoder = WithNan()
    encoder.bad = rows.column("dna_barcode")[4].as_py()
    place = rows.column("dna_barcode").to_pylist().index(encoder.bad)
    processid = rows.column("processid")[place].as_py()
    message = rf"task knn-genus-unseen: .* nan in the vector of split test_unseen, row {place + 1}, {processid} "
    with pytest.raises(EncoderError, match=message):
        evaluate_model(encoder, "knn-genus-unseen", data, cache=tmp_path)


def test_a_split_that_is_empty_or_of_one_species_is_told_before_anything_is_embedded(data, tmp_path):
    def without_barcodes(table):
        place = table.column_names.index("dna_barcode")
        return table.set_column(place, "dna_barcode", pa.array(["NNN"] * len(table)))

    def one_species(table):
        place = table.column_names.index("species")
        return table.set_column(place, "species", pa.array(["Aus bus"] * len(table)))

    encoder = Counts()
    empty = changed(data, tmp_path / "empty", test_unseen=without_barcodes)
    with pytest.raises(TaskError, match=r"task knn-genus-unseen: split test_unseen of .*empty has no specimen"):
        evaluate_model(encoder, "knn-genus-unseen", empty, cache=tmp_path)
    alike = changed(data, tmp_path / "alike", train=one_species)
    with pytest.raises(TaskError, match=r"linear-probe-species: train of .*alike has one species only \(Aus bus\)"):
        evaluate_model(encoder, "linear-probe-species", alike, cache=tmp_path)
    assert encoder.calls == []


def test_a_dataset_without_a_split_can_do_the_tasks_that_need_none(data, tmp_path):
    import yaml

    folder = changed(data, tmp_path / "small")
    front = yaml.safe_load((folder / "README.md").read_text().split("---")[1])
    front["configs"] = [config for config in front["configs"] if config["config_name"] == "metadata"]
    front["configs"][0]["data_files"] = [
        one for one in front["configs"][0]["data_files"] if one["split"] in ("train", "test")
    ]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump(front)}---\n")
    with pytest.raises(TaskError, match=r"task knn-genus-unseen: .* has no split test_unseen \(it has train, test\)"):
        evaluate_model(Counts(), "knn-genus-unseen", folder, cache=tmp_path)
    found = evaluate_model(Counts(), "knn-genus-left-out-species", folder, cache=tmp_path)
    assert found[0].settings["splits"] == {"keys": ["train", "test"], "queries": ["test"]}
    assert not any("pretrain" in name for name in found[0].scores)


def test_duplicate_processids_are_told_with_their_rows(data, tmp_path):
    twice = changed(data, tmp_path / "twice", test_unseen=lambda table: pa.concat_tables([table, table.slice(2, 1)]))
    rows = read_specimens(open_data(data), ["test_unseen"])
    processid, row = rows.column("processid")[2].as_py(), len(rows) + 1
    told = f"row {row}, {processid} stands twice, first as split test_unseen, row 3, {processid}"
    with pytest.raises(TaskError, match=f"task knn-genus-unseen: .*{told}"):
        evaluate_model(Counts(), "knn-genus-unseen", twice, cache=tmp_path)


def test_labels_absent_from_training_are_counted(data, tmp_path):
    found = evaluate_model(Counts(), "knn-genus-unseen", data, cache=tmp_path)[0]
    assert found.counts["species: of these, names that were not learnt"] == found.counts["queries"]


def test_records_of_other_data_newer_or_cut_short_are_not_replaced_silently(data, tmp_path):
    out, cache = tmp_path / "out", tmp_path / "cache"
    evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache)
    path = out / "counts--knn-genus-unseen.json"
    text = path.read_text()
    path.write_text(json.dumps(json.loads(text) | {"data_revision": "other"} | {"extras": {}}))
    with pytest.raises(OutputError, match=r"is of bioscan-5m \(other\), not of bioscan-5m \(sha256:.*--again"):
        evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache)
    path.write_text(text[:200])
    with pytest.raises(ResultError, match="cut short"):
        evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache)
    path.write_text(text.replace('"format": 1', '"format": 99'))
    with pytest.raises(ResultError, match="its format is 99"):
        evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache)
    evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache, again=True)
    assert read_result(path).task == "knn-genus-unseen"


def test_a_model_that_cannot_do_a_task_says_so(data, tmp_path):
    with pytest.raises(TaskError, match=r"finetune-species .*names"):
        evaluate_model(Counts(), "finetune-species", data, cache=tmp_path)
    with pytest.raises(TaskError, match=r"novelty .*embeds dna only"):
        evaluate_model(Counts(), "novelty", data, modality="image", cache=tmp_path)
    with pytest.raises(TaskError, match="no method `embed`"):
        evaluate_model(object(), "novelty", data, cache=tmp_path)
    with pytest.raises(ValueError, match=r"no task 'knn': use some of .*knn-genus-unseen"):
        evaluate_model(Counts(), "knn", data, cache=tmp_path)
    with pytest.raises(ValueError, match="settings of task novelty are given"):
        evaluate_model(Counts(), "knn-genus-unseen", data, settings={"novelty": {}}, cache=tmp_path)
    with pytest.raises(Bioscan5mError, match="there is no dataset nowhere"):
        evaluate_model(Counts(), "knn-genus-unseen", "nowhere", cache=tmp_path)


@pytest.mark.parametrize(
    ("task", "name", "value", "message"),
    [("zero-shot-clustering", "missing", "leave", "missing is 'leave': use 'leave_out' or 'class'"),
     ("zero-shot-clustering", "fusion", "published", "fusion is 'published': use 'unit' or 'standardised'"),
     ("zero-shot-clustering", "seeds", (), "seeds are none"),
     ("robustness", "queries", -3, "queries is -3: use a number from 1, or 0 for all")],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(data, tmp_path, task, name, value, message):
    with pytest.raises((TaskError, ValueError), match=message):
        evaluate_model(Counts(), task, data, settings={task: {name: value}}, cache=tmp_path)


def test_too_few_specimens_to_choose_a_height_on_leave_an_unknown_number_of_clusters_out(data, tmp_path):
    few = changed(data, tmp_path / "few", val=lambda table: table.slice(0, 4), val_unseen=lambda table: table[:3])
    settings = {"zero-shot-clustering": {"neighbours": 5, "dimensions": 8, "seeds": (0,)}}
    found = evaluate_model(Counts(), "zero-shot-clustering", few, settings=settings, cache=tmp_path)[0]
    assert found.settings["height"] is None
    assert not any("unknown k" in name for name in found.scores)


def test_queries_at_most_are_drawn_alike_and_said(data, tmp_path):
    runs = [
        evaluate_model(Chance(), "knn-genus-unseen,knn-genus-left-out-species", data, queries=9, cache=tmp_path)
        for _ in range(2)
    ]
    for one, other in zip(*runs, strict=True):
        assert one.scores == other.scores
        assert one.counts["queries"] == 9
        assert one.settings["queries at most, drawn at random"] == 9
    with pytest.raises(ValueError, match="queries is 0"):
        evaluate_model(Chance(), TASKS, data, queries=0, cache=tmp_path)


def test_a_classifier_is_measured_on_test_at_every_rank_that_it_names(data, tmp_path):
    rows = read_specimens(open_data(data), SPLITS).with_barcode()
    true = dict(zip(rows.column("dna_barcode").to_pylist(), rows.column("species").to_pylist(), strict=True))

    class Oracle:
        name, revision = "oracle", "1"

        def names(self, barcodes, rank):
            if rank not in ("genus", "species"):
                raise ValueError(f"no head for {rank}")
            wanted = [true[barcode] for barcode in barcodes]
            return [None if name is None else name if rank == "species" else name.split()[0] for name in wanted]

    found = evaluate_model(Oracle(), "finetune-species", data, cache=tmp_path)[0]
    assert found.scores["species/test/micro"].value == found.scores["genus/test/macro"].value == 1
    assert not any(name.startswith("family/") for name in found.scores)

    class Short(Oracle):
        def names(self, barcodes, rank):
            return super().names(barcodes, rank)[1:]

    with pytest.raises(EncoderError, match=r"gave \d+ names at rank genus for \d+ specimens"):
        evaluate_model(Short(), "finetune-species", data, cache=tmp_path)


def test_a_classifier_of_photographs_is_measured_by_its_names(dataset, tmp_path):
    rows = read_specimens(open_data(dataset), ["test"])
    most = max(rows.column("order").value_counts().to_pylist(), key=lambda one: one["counts"])

    class Guess:
        name, revision = "guess", "1"

        def names_of_images(self, images, rank):
            assert {image.mode for image in images} == {"RGB"}
            return [most["values"] if rank == "order" else None for _ in images]

    found = evaluate_model(Guess(), "finetune-species", dataset, cache=tmp_path)
    assert [one.modality for one in found] == ["image"]
    assert found[0].scores["order/test/micro"].value == pytest.approx(most["counts"] / len(rows))
    assert found[0].scores["species/test/micro"].value == 0


def test_photographs_are_embedded_in_the_order_of_their_specimens(dataset, tmp_path):
    class Colours:
        name, revision = "colours", "1"

        def embed_images(self, images):
            return np.array([np.asarray(image, np.float32).mean(axis=(0, 1)) for image in images])

    found = evaluate_model(Colours(), "knn-genus-left-out-species", dataset, cache=tmp_path, part=30)
    assert [one.modality for one in found] == ["image"]
    from datasets import load_dataset

    stored = np.concatenate(
        [np.asarray(pq.read_table(path)["embedding"].combine_chunks().flatten()).reshape(-1, 3)
         for path in sorted(tmp_path.rglob("part-*.parquet"), key=str)]
    )  # fmt: skip
    shown = load_dataset(str(dataset), split="train")
    expected = Colours().embed_images([row["image"].convert("RGB") for row in shown])
    places = [np.abs(stored - one).max(axis=1).argmin() for one in expected]
    assert np.allclose(stored[places], expected, atol=1e-3)
    assert sorted(set(places)) == sorted(places)


def test_photographs_of_a_repository_are_those_of_the_folder(dataset, hub, repo_id, tmp_path):
    class Colours:
        name, revision = "colours", "1"

        def embed_images(self, images):
            return np.array([np.asarray(image, np.float32).mean(axis=(0, 1)) for image in images])

    push(dataset, repo_id)
    asked = {"tasks": "knn-genus-left-out-species", "package": "cropped_256"}
    (local,) = evaluate_model(Colours(), data=dataset, cache=tmp_path / "local", **asked)
    (remote,) = evaluate_model(Colours(), data=repo_id, cache=tmp_path / "remote", **asked)
    assert remote.modality == "image"
    assert {name: score.value for name, score in remote.scores.items()} == {
        name: score.value for name, score in local.scores.items()
    }
    assert remote.data_fingerprint == local.data_fingerprint
    assert remote.data_revision != local.data_revision


def test_photographs_of_another_package_are_other_photographs(dataset, tmp_path):
    class Areas:
        name, revision = "areas", "1"

        def embed_images(self, images):
            return np.array([[*image.size, 1] for image in images], np.float32)

    sizes = []
    for package in ("cropped_256", "original_full", "cropped_256"):
        encoder = Areas()
        asked = {"package": package, "cache": tmp_path / "cache"}
        (found,) = evaluate_model(encoder, "knn-genus-left-out-species", dataset, tmp_path / "out", **asked)
        assert (found.settings["package"], found.settings["preprocessing"]) == (package, "none")
        parts = set(tmp_path.rglob("part-*.parquet"))
        sizes.append(len(parts))
    assert sizes[1] == sizes[2] == 2 * sizes[0]


def test_a_model_that_does_not_say_what_it_has_seen_is_said_not_to(data, tmp_path):
    class Silent(Counts):
        pretrained_on = None

    class Plain(Counts):
        pretrained_on = "pretrain"

    for encoder, told in ((Silent(), ("not declared",)), (Plain(), ("pretrain",)), (Counts(), ())):
        assert evaluate_model(encoder, "knn-genus-unseen", data, cache=tmp_path)[0].pretrained_on == told


def test_bins_of_the_splits_that_a_model_has_seen_make_strata_beside_those_of_pretrain(data, tmp_path):
    class Seen(Counts):
        pretrained_on = ("pretrain", "train", "pool.parquet")

    source, out, cache = open_data(data), tmp_path / "out", tmp_path / "cache"
    one = evaluate_model(Counts(), "knn-genus-unseen", data, out, cache=cache)[0]
    other = evaluate_model(Seen(), "knn-genus-unseen", data, out, cache=cache)[0]  # no "done before"
    bins = set(read_specimens(source, ["pretrain", "train"]).column("dna_bin").drop_null().to_pylist())
    queries = read_specimens(source, ["test_unseen"]).with_barcode().one_per_barcode().named("genus")
    known = [name in bins for name in queries.column("dna_bin").drop_null().to_pylist()]
    for part, count in (("BIN in pretrain+train", sum(known)), ("BIN not in pretrain+train", known.count(False))):
        name = f"genus/test_unseen, {part}/micro"
        assert name not in one.scores
        assert (other.scores[name].n if count else 0) == count
    name = "genus/test_unseen, BIN not in pretrain/micro"
    assert one.scores[name] == other.scores[name]


class Together(Counts):
    """Embeds all three modalities with one width."""

    def embed_images(self, images):
        return np.array([np.asarray(image.resize((8, 8)), np.float32)[..., 0].ravel() for image in images])

    def embed_texts(self, texts):
        return np.array([np.bincount([ord(letter) % 64 for letter in text], minlength=64) for text in texts], float)


PCA = {"zero-shot-clustering": {"method": "pca"}, "robustness": {"damages": ("indel", "last-313"), "queries": 30}}


def test_every_task_of_dna_gives_its_main_score(data, tmp_path):
    said = []
    found = evaluate_model(Counts(), "dna", data, settings=PCA, cache=tmp_path, say=said.append)
    assert {one.task for one in found} == {
        "linear-probe-species", "knn-genus-unseen", "knn-genus-left-out-species", "zero-shot-clustering", "novelty",
        "robustness",
    }  # fmt: skip
    assert [text for text in said if text.startswith("left out")] == [
        "left out: task finetune-species (dna, image): it is for classifiers, which have `names(barcodes, rank)`; "
        "this model gives vectors"
    ]
    by_task = {one.task: one for one in found}
    robust, left_out = by_task["robustness"], by_task["knn-genus-left-out-species"]
    assert "genus/left-out species, indel/micro" in robust.scores
    assert robust.scores["genus/left-out species, untouched/micro"].n == 30 < left_out.counts["queries"]
    assert "height" in by_task["zero-shot-clustering"].settings
    assert by_task["zero-shot-clustering"].settings["height"] is not None
    assert any("BIN in pretrain" in name for name in by_task["novelty"].scores)


def test_undamaged_queries_of_robustness_are_the_tasks_own(data, tmp_path):
    every = {"robustness": {"damages": ("indel",), "queries": 0}}
    tasks = "robustness,knn-genus-unseen,knn-genus-left-out-species"
    robust, nearest, left_out = evaluate_model(Counts(), tasks, data, settings=every, cache=tmp_path)
    for part, other in (("test_unseen", nearest), ("left-out species", left_out)):
        assert robust.scores[f"genus/{part}, untouched/micro"] == other.scores[f"genus/{part}/micro"]


def test_a_model_of_three_modalities_does_every_task_of_them(dataset, tmp_path):
    unreduced = {"zero-shot-clustering": {"method": "none"}}
    tasks = "zero-shot-clustering,cross-modal-retrieval"
    found = evaluate_model(Together(), tasks, dataset, settings=unreduced, cache=tmp_path)
    assert [(one.task, one.modality) for one in found] == [
        ("zero-shot-clustering", "dna"),
        ("zero-shot-clustering", "image"),
        ("zero-shot-clustering", "image+dna"),
        ("cross-modal-retrieval", "image+dna"),
    ]
    scores = found[-1].scores
    assert {"species/test, image→dna/top-1 micro", "species/test_unseen, text→image/top-5 macro"} <= set(scores)
    assert [one.settings["preprocessing"] for one in found[1:]] == [
        "none", "Ns off both ends; every specimen with a barcode", "every specimen with a photograph and a barcode"
    ]  # fmt: skip
    by_text = scores["species/test, text→text/top-1 micro"].value
    assert by_text > scores["species/test, image→dna/top-1 micro"].value
