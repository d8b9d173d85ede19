"""`load_specimens`, `load_taxonomy` and `with_class_labels`: what they promise, streaming and not."""

from __future__ import annotations

import contextlib
import io
import json

import datasets
import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from datasets.distributed import split_dataset_by_node
from folders import EDGE, md5, write_folder, write_odd
from PIL import Image
from torch.utils.data import DataLoader

from bioscan5m_hf import Bioscan5M, load_specimens, load_taxonomy, with_class_labels
from bioscan5m_hf.data import selection, sources
from bioscan5m_hf.data.schema import COLUMN_NAMES
from bioscan5m_hf.data.selection import KeySet
from bioscan5m_hf.data.streaming import SpecimenStream
from bioscan5m_hf.splits import METASPLITS, SPLIT_NAMES
from bioscan5m_hf.taxonomy import is_filler


BOTH = pytest.mark.parametrize("streaming", [False, True], ids=["prepared", "streaming"])


def table(dataset, config, *splits, columns=None):
    files = [file for split in splits for file in sorted((dataset / config).glob(f"{split}-*.parquet"))]
    return [row for file in files for row in pq.read_table(file, columns=columns).to_pylist()]


@pytest.fixture(scope="module")
def odd(tmp_path_factory):
    return write_odd(tmp_path_factory.mktemp("odd") / "bioscan-5m")


def expected_ids(dataset, splits, max_nucleotides=None):
    """Choose one specimen per barcode, the slow way."""
    rows = table(dataset, "metadata", *splits, columns=["processid", "dna_barcode"])
    first = {}
    for row in sorted(rows, key=lambda row: md5(row["processid"])):
        key = (row["dna_barcode"] or "")[:max_nucleotides].strip("N")
        first.setdefault(key or row["processid"], row["processid"])
    chosen = set(first.values())
    return [row["processid"] for row in rows if row["processid"] in chosen]


@BOTH
@pytest.mark.parametrize("split", ["val", "validation", "seen", "unseen", "all", "pretrain + seen", "test+train"])
def test_gives_the_rows_of_the_splits_in_order(dataset, split, streaming):
    names = {"val": ["val"], "validation": ["val"], "all": SPLIT_NAMES, "test+train": ["test", "train"]}
    wanted = names.get(split) or (["pretrain", *METASPLITS["seen"]] if "+" in split else METASPLITS[split])
    loaded = load_specimens(dataset, split=split, columns=["processid", "split"], streaming=streaming)
    assert list(loaded) == table(dataset, "metadata", *wanted, columns=["processid", "split"])
    assert isinstance(loaded, datasets.IterableDataset if streaming else datasets.Dataset)


@BOTH
def test_gives_all_columns_of_the_default_photographs(dataset, streaming):
    loaded = load_specimens(dataset, split="val", streaming=streaming)
    assert loaded.column_names == ["image", *COLUMN_NAMES]
    for given, row in zip(loaded, table(dataset, "cropped_256", "val"), strict=True):
        photograph = given.pop("image")
        assert np.array_equal(photograph, Image.open(io.BytesIO(row.pop("image")["bytes"])))
        assert given == row


@BOTH
def test_chosen_config_columns_label_and_length(dataset, streaming):
    columns = ("dna_barcode", "image")
    given = {"config": "original_256", "columns": columns, "label": "family", "max_nucleotides": 50}
    loaded = load_specimens(str(dataset), split="train", streaming=streaming, **given)
    assert loaded.column_names == [*columns, "label"]
    assert loaded.features["label"] == datasets.Value("int64")
    taxonomy = load_taxonomy(dataset)
    rows = table(dataset, "original_256", "train", columns=["dna_barcode", "family"])
    for given, row in zip(loaded, rows, strict=True):
        assert given["image"].height == 256
        assert given["dna_barcode"] == row["dna_barcode"][:50]
        assert taxonomy.name("family", [given["label"]]) == [row["family"]]


@BOTH
def test_a_label_alone_is_enough(odd, streaming):
    assert len(list(load_specimens(odd, columns=[], label="order", streaming=streaming))) == 10


@BOTH
def test_fillers_and_missing_labels_are_no_class(odd, streaming):
    given = {"columns": ["subfamily"], "label": "subfamily", "streaming": streaming}
    rows = list(load_specimens(odd, **given))
    assert {(row["subfamily"], row["label"]) for row in rows} == {
        (None, None), ("unassigned Phoridae", None), ("Metopininae", 0)
    }  # fmt: skip
    rows = list(load_specimens(odd, **given, keep_filler=True))
    assert {(row["subfamily"], row["label"]) for row in rows} == {
        (None, None), ("unassigned Phoridae", 1), ("Metopininae", 0)
    }  # fmt: skip


@pytest.mark.parametrize("rank", ["order", "subfamily", "dna_bin"])
def test_labels_mean_the_same_in_every_split(dataset, rank):
    known = {}
    for split in ("pretrain", "train", "test_unseen"):
        for row in load_specimens(dataset, split=split, columns=[rank], label=rank, streaming=True):
            assert known.setdefault(row[rank], row["label"]) == row["label"]
    names = sorted(name for name in known if name is not None and not is_filler(name))
    assert all(known[name] == at for at, name in enumerate(load_taxonomy(dataset).names(rank)) if name in known)
    assert len({known[name] for name in names}) == len(names)


def test_a_name_with_several_parents_has_one_index_and_lists_them(odd):
    taxonomy = load_taxonomy(odd)
    assert taxonomy.index("genus", ["Aus"]) == [0]
    assert sorted(taxonomy.parents("genus", "Aus")) == ["Agelenidae", "Phoridae"]


@BOTH
@pytest.mark.parametrize("length", [None, 31, 10])
@pytest.mark.parametrize("split", ["train", "val", "train+val"])
def test_one_per_barcode_is_chosen_within_the_splits(odd, split, length, streaming):
    given = {"columns": ["processid"], "one_per_barcode": True, "max_nucleotides": length}
    loaded = load_specimens(odd, split=split, streaming=streaming, **given)
    assert [row["processid"] for row in loaded] == expected_ids(odd, split.split("+"), length)


def test_a_specimen_is_not_lost_to_another_split(odd):
    """The peer removes repeated barcodes over all splits first, so that one can vanish from the split asked for."""
    alone = load_specimens(odd, split="val", columns=["dna_barcode"], one_per_barcode=True)
    assert len(alone) == 4
    together = load_specimens(odd, split="train+val", columns=["dna_barcode"], one_per_barcode=True)
    assert len(together) < len(alone) + len(load_specimens(odd, columns=["dna_barcode"], one_per_barcode=True))


def test_workers_nodes_and_resumption_give_the_same_set(dataset, odd):
    given = {"columns": ["processid"], "one_per_barcode": True, "streaming": True}
    for folder, split in ((dataset, "all"), (odd, "train+val")):
        whole = [row["processid"] for row in load_specimens(folder, split=split, **given)]
        assert whole == expected_ids(folder, SPLIT_NAMES if split == "all" else split.split("+"))
        loader = DataLoader(load_specimens(folder, split=split, **given), batch_size=None, num_workers=2)
        assert sorted(row["processid"] for row in loader) == sorted(whole)
        nodes = [split_dataset_by_node(load_specimens(folder, split=split, **given), rank, 3) for rank in range(3)]
        assert sorted(row["processid"] for node in nodes for row in node) == sorted(whole)
        assert sorted(row["processid"] for row in load_specimens(folder, split=split, **given).reshard()) == sorted(
            whole
        )
        shuffled = load_specimens(folder, split=split, **given).shuffle(seed=1, buffer_size=20)
        assert sorted(row["processid"] for row in shuffled) == sorted(whole)


@pytest.mark.parametrize("cut", [0, 1, 4, 6, 13])
def test_a_stream_resumes_where_its_state_was_taken(odd, cut):
    given = {"split": "train+val", "columns": ["processid"], "label": "order", "streaming": True}
    whole = list(load_specimens(odd, **given))
    begun = load_specimens(odd, **given)
    rows = iter(begun)
    before = [next(rows) for _ in range(cut)]
    state = json.loads(json.dumps(begun.state_dict()))
    resumed = load_specimens(odd, **given)
    resumed.load_state_dict(state)
    assert before + list(resumed) == whole


def test_a_stream_can_be_used_as_any_other(dataset):
    """Whole rows come by a short cut; what is made of the stream comes as `datasets` makes it."""
    stream = load_specimens(dataset, split="seen", columns=["image", "processid"], label="order", streaming=True)
    assert isinstance(stream, SpecimenStream)
    usual = datasets.IterableDataset(stream._ex_iterable, info=stream.info)
    for ours, theirs in zip(stream, usual, strict=True):
        assert np.array_equal(ours.pop("image"), theirs.pop("image"))
        assert ours == theirs
    ids = [row["processid"] for row in stream]
    assert isinstance(next(iter(stream.decode(False)))["image"]["bytes"], bytes)
    assert [row["processid"] for row in stream.skip(3).take(2)] == ids[3:5]
    lower = stream.map(lambda row: {"processid": row["processid"].lower()})
    assert next(iter(lower))["processid"] == ids[0].lower()
    assert next(stream.with_format("arrow").iter(4))["processid"].to_pylist() == ids[:4]
    assert [row["processid"] for row in stream.filter(lambda row: row["label"] is not None)]
    stream.set_epoch(1)
    assert sorted(row["processid"] for row in stream) == sorted(ids)


def test_photographs_are_turned_as_their_exif_data_say(tmp_path):
    photograph = Image.new("RGB", (6, 4))
    exif = photograph.getexif()
    exif[0x0112] = 6
    stream = io.BytesIO()
    photograph.save(stream, "JPEG", exif=exif)
    rows = {"val": [{"processid": "A-1"}, {"processid": "A-2"}]}
    images = {"val": [{**row, "image": stream.getvalue()} for row in rows["val"]]}
    folder = write_folder(tmp_path / "bioscan-5m", rows, images)
    assert next(iter(load_specimens(folder, split="val", streaming=True)))["image"].size == (4, 6)


@pytest.mark.parametrize(
    "given", [{"columns": ["processid"]}, {"columns": [], "label": "species"}, {"one_per_barcode": True}]
)
def test_projection_reads_no_photographs(dataset, given, monkeypatch):
    read, total = [], sum(file.stat().st_size for file in (dataset / "original_full").glob("train-*"))

    class Counted(io.FileIO):
        def read(self, size=-1):
            data = super().read(size)
            read.append(len(data))
            return data

    @contextlib.contextmanager
    def counted(file):
        with Counted(file) as stream, pq.ParquetFile(stream) as shard:
            yield shard

    monkeypatch.setattr(sources, "open_parquet", counted)
    given = {"columns": ["dna_barcode"], **given}
    assert len(list(load_specimens(dataset, config="original_full", streaming=True, **given))) > 0
    assert 0 < sum(read) < total / 10


def test_without_photographs_only_metadata_are_opened(dataset, monkeypatch):
    opened = []
    monkeypatch.setattr(sources, "open_parquet", lambda file: opened.append(file) or pq.ParquetFile(file))
    list(
        load_specimens(
            dataset, split="all", columns=["dna_barcode"], label="genus", one_per_barcode=True, streaming=True
        )
    )
    assert {file.split("/")[-2] for file in opened} == {"metadata", "taxonomy"}


def test_only_the_splits_asked_for_are_prepared(dataset):
    loaded = load_specimens(dataset, split="val", columns=["image"])
    assert len(loaded) == len(table(dataset, "metadata", "val", columns=["split"]))
    assert sum(len(datasets.Dataset.from_file(file["filename"])) for file in loaded.cache_files) == len(loaded)


def test_barcodes_are_compared_among_the_rows_that_have_a_photograph(tmp_path):
    """A build can leave out specimens with a bad photograph; another specimen then stands for the barcode."""
    jpeg = io.BytesIO()
    Image.new("RGB", (8, 8)).save(jpeg, "JPEG")
    rows = sorted(
        ({"processid": f"A-{at}", "dna_barcode": EDGE} for at in range(4)), key=lambda row: md5(row["processid"])
    )
    folder = write_folder(
        tmp_path / "bioscan-5m", {"val": rows}, {"val": [{**row, "image": jpeg.getvalue()} for row in rows[1:]]}
    )
    given = {"split": "val", "one_per_barcode": True, "streaming": True}
    assert [row["processid"] for row in load_specimens(folder, columns=["processid", "image"], **given)] == [
        rows[1]["processid"]
    ]
    assert [row["processid"] for row in load_specimens(folder, columns=["processid"], **given)] == [
        rows[0]["processid"]
    ]


@BOTH
def test_reads_a_repository_on_the_hub(dataset, hub, repo_id, streaming):
    client = huggingface_hub.HfApi(token="hf_token")
    client.create_repo(repo_id, repo_type="dataset")
    client.upload_folder(
        folder_path=dataset, repo_id=repo_id, repo_type="dataset", ignore_patterns=[".*", "original*"]
    )
    given = {"split": "val", "label": "order", "one_per_barcode": True, "streaming": streaming}
    columns = ["processid", "dna_barcode"]
    there = load_specimens(repo_id, columns=columns, revision="main", **given)
    assert list(there) == list(load_specimens(dataset, columns=columns, **given))
    assert load_taxonomy(repo_id, revision="main").names("genus") == load_taxonomy(dataset).names("genus")
    classes = with_class_labels(load_specimens(repo_id, split="val", columns=["order"], revision="main"), "order")
    assert classes.features["order"].names == load_taxonomy(dataset).names("order")


@BOTH
def test_reads_the_prepared_cache_by_name(release, dataset, elsewhere, streaming):
    for config in ("metadata", "taxonomy"):
        Bioscan5M(data_dir=release, config_name=config).download_and_prepare()
    given = {"split": "seen", "columns": ["processid", "dna_barcode"], "label": "family", "config": "metadata"}
    given |= {"one_per_barcode": True, "streaming": streaming}
    assert list(load_specimens("bioscan-5m", **given)) == list(load_specimens(dataset, **given))
    assert load_taxonomy("bioscan-5m").names("family") == load_taxonomy(dataset).names("family")
    stream = load_specimens("bioscan-5m", **{**given, "streaming": True})
    assert stream.reshard().num_shards == stream.num_shards


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"split": "test"}, r"no split test in config 'metadata' of .*\(split='test'\): it has train, val$"),
        ({"split": "seen"}, "no split test in"),
        ({"split": "all+test"}, "no split test in"),
        ({"columns": ["colour"]}, "unknown column 'colour' in config 'metadata': use some of processid, sampleid"),
        ({"columns": ["image"]}, "has no photographs: its configs are metadata, taxonomy"),
        ({"columns": []}, "no column is asked for"),
        ({"label": "tribe"}, "unknown rank 'tribe'"),
        ({"config": "taxonomy", "label": "order"}, "'taxonomy' holds names, not specimens"),
        ({"config": "cropped_256"}, "cropped_256"),
        ({"max_nucleotides": 0}, "max_nucleotides is 0"),
    ],
)
def test_says_what_is_wrong(odd, given, message):
    with pytest.raises(ValueError, match=message):
        load_specimens(odd, streaming=True, **given)


def test_small_batches_of_an_arrow_file_are_taken_together(tmp_path):
    table = pa.table({"processid": [str(at) for at in range(2500)], "order": ["Diptera"] * 2500})
    with pa.ipc.new_stream(tmp_path / "a.arrow", table.schema) as stream:
        stream.write_table(table, max_chunksize=300)
    parts = list(sources.read_tables(str(tmp_path / "a.arrow"), ["processid"]))
    assert [len(part) for part in parts] == [1200, 1200, 100]
    assert pa.concat_tables(parts) == table.select(["processid"])


def test_all_means_what_is_there(odd):
    assert len(load_specimens(odd, split="all", columns=["split"])) == 14


def test_a_set_of_keys_holds_what_it_was_given():
    random = np.random.default_rng(0)
    keys = random.integers(0, 8, (40, 2), np.uint64)
    inside, asked = keys[:20], keys[20:]
    expected = [any((key == other).all() for other in inside) for key in asked]
    assert KeySet(inside).holds(asked).tolist() == expected
    empty = KeySet(np.empty((0, 2), np.uint64))
    assert len(empty) == 0
    assert not empty.holds(keys).any()
    assert selection.cut(["A"], None) == ["A"]


def test_real_barcodes_one_each(shared_data, tmp_path):
    from bioscan5m_hf.data.build import build

    build(shared_data / "real_barcodes", tmp_path / "bioscan-5m")
    given = {"columns": ["processid"], "one_per_barcode": True, "max_nucleotides": 660, "streaming": True}
    ids = [row["processid"] for row in load_specimens(tmp_path / "bioscan-5m", split="seen", **given)]
    assert ids == expected_ids(tmp_path / "bioscan-5m", METASPLITS["seen"], 660)
