"""What a dataset holds, counted: on rows whose counts are known, and on tables that lack nearly everything."""

import csv
import itertools
import json
import shutil

import huggingface_hub
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from data.folders import write_folder

from bioscan5m_hf.data.statistics import TABLES, statistics, write_tables
from bioscan5m_hf.data.statistics.scan import short_keys
from bioscan5m_hf.errors import Bioscan5mError, OutputError


def row(number, **values):
    named = {name.replace("coord_", "coord-"): value for name, value in values.items()}
    return {"processid": f"MADE{number:03d}-26", **named}


@pytest.fixture(scope="module")
def known(tmp_path_factory):
    """Seven specimens whose statistics a person can count."""
    fly = {"phylum": "Arthropoda", "class": "Insecta", "order": "Diptera", "family": "Phoridae"}
    here = {"country": "Costa Rica", "province_state": "Heredia", "coord_lat": 10.5, "coord_lon": -84.0}
    rows = {
        "pretrain": [
            row(1, **fly, **here, dna_barcode="ACGT", dna_bin="BOLD:AAA0001", image_measurement_value=100),
            row(2, **fly, **here, dna_barcode="ACGTN", dna_bin="BOLD:AAA0001", image_measurement_value=300),
            row(3, **fly | {"family": None}, dna_barcode="ACGA", country="Peru", image_measurement_value=200),
            row(4, **{"class": "Arachnida"}, dna_barcode="NACGA", coord_lat=1.0),
        ],
        "train": [
            row(5, **fly, **here, genus="Aus", species="Aus bus", dna_barcode="GGGG"),
            row(6, **fly, **here, genus="Aus", species="Aus bus", dna_barcode="GGGG"),
            row(7, **fly, genus="Cus", species="Cus dus", subfamily="unassigned Phoridae", dna_barcode="TT"),
        ],
    }
    return write_folder(tmp_path_factory.mktemp("known") / "made", rows)


@pytest.fixture(scope="module")
def counted(known):
    return statistics(known)


def by(rows, column):
    return {row[column]: row for row in rows}


def test_attributes_leave_missing_values_out_and_tell_fillers(counted):
    found = by(counted["attributes"], "attribute")
    order = found["order"]
    assert (order["categories"], order["labelled"], order["share"]) == (1, 6, pytest.approx(6 / 7))
    assert (order["largest"], order["largest_name"], order["imbalance_ratio"]) == (6, "Diptera", 1.0)
    assert (found["class"]["imbalance_ratio"], found["class"]["smallest_name"]) == (6.0, "Arachnida")
    assert (found["species"]["categories"], found["species"]["labelled"]) == (2, 3)
    assert (found["subfamily"]["categories"], found["subfamily"]["fillers"], found["subfamily"]["with_filler"]) == (
        1,
        1,
        1,
    )
    assert (found["dna_barcode"]["categories"], found["dna_barcode"]["largest_name"]) == (6, None)
    assert (found["sites"]["categories"], found["sites"]["labelled"], found["sites"]["largest_name"]) == (
        1,
        4,
        "10.5, -84.0",
    )


def test_splits_count_different_values_and_add_up_in_all(counted):
    found = by(counted["splits"], "split")
    assert list(found) == ["pretrain", "train", "all"]
    assert found["pretrain"] == {
        "split": "pretrain", "specimens": 4, "barcodes": 4, "species": 0, "genera": 0, "families": 1,
        "orders": 1, "bins": 1, "countries": 2,
    }  # fmt: skip
    assert (found["train"]["barcodes"], found["train"]["species"], found["all"]["barcodes"]) == (2, 2, 6)
    assert (found["all"]["specimens"], found["all"]["families"], found["all"]["countries"]) == (7, 1, 2)


def test_taxa_have_a_row_for_those_without_a_label(counted):
    assert counted["orders"] == [
        {"class": "Insecta", "order": "Diptera", "specimens": 6},
        {"class": "Arachnida", "order": None, "specimens": 1},
    ]
    assert counted["families"][1] == {"class": "Arachnida", "order": None, "family": None, "specimens": 1}
    assert counted["species_frequency"] == [{"specimens": 1, "species": 1}, {"specimens": 2, "species": 1}]


def test_places(counted):
    assert counted["countries"] == [
        {"country": "Costa Rica", "specimens": 4, "provinces": 1, "sites": 1},
        {"country": "Peru", "specimens": 1, "provinces": 0, "sites": 0},
    ]
    assert counted["provinces"] == [{"country": "Costa Rica", "province_state": "Heredia", "specimens": 4, "sites": 1}]
    assert counted["sites"] == [{"latitude": 10.5, "longitude": -84.0, "country": "Costa Rica", "specimens": 4}]


def test_sizes_in_pixels_and_square_millimetres(counted):
    found = by(counted["sizes"], "column")
    pixels = found["image_measurement_value"]
    assert (pixels["labelled"], pixels["minimum"], pixels["median"], pixels["mean"]) == (3, 100, 200, 200)
    assert pixels["std"] == pytest.approx((2 * 100**2 / 3) ** 0.5)
    assert found["area_mm2"]["maximum"] == pytest.approx(300 * 0.008296875**2)
    assert found["area_fraction"] == {"column": "area_fraction", "labelled": 0, **dict.fromkeys(list(pixels)[2:])}
    intervals = [row for row in counted["size_histograms"] if row["column"] == "area_mm2"]
    assert sum(row["specimens"] for row in intervals) == 3
    assert all(one["high"] == other["low"] for one, other in itertools.pairwise(intervals))


def test_lengths_letters_and_what_trimming_makes_equal(counted):
    assert counted["barcode_lengths"] == [
        {"length": length, "specimens": count} for length, count in ((2, 1), (4, 4), (5, 2))
    ]
    assert by(counted["letters"], "letter")["N"] == {"letter": "N", "count": 2, "share": pytest.approx(2 / 28)}
    assert [row["barcodes"] for row in counted["trimmed_barcodes"]] == [6, 5, 4]


def test_diversity_is_that_of_barcodes_within_labelled_groups(counted):
    found = by(counted["diversity"], "rank")
    assert found["species"] == {
        "rank": "species", "groups": 2, "barcodes": 2, "mean": 1.0, "median": 1.0, "std": 0.0,
        "shannon": pytest.approx(0, abs=1e-9),
    }  # fmt: skip
    genus = found["family"]  # ACGT, ACGTN, 2 × GGGG and TT
    assert (genus["groups"], genus["barcodes"], genus["mean"]) == (1, 4, 4.0)
    assert genus["shannon"] == pytest.approx(3 * 0.2 * 2.321928 + 0.4 * 1.321928, abs=1e-6)
    assert found["class"]["std"] == pytest.approx(2.0)  # 5 and 1


def test_a_split_alone(known):
    found = statistics(known, split="train")
    assert (found.dataset["specimens"], found.dataset["splits"]) == (3, ["train"])
    with pytest.raises(ValueError, match="no split val"):
        statistics(known, split="val")


@pytest.mark.parametrize(
    "rows",
    [
        [row(1)],
        [row(1, dna_barcode=""), row(2, species="")],
        [row(1, species="Aus sp. 1", genus="Aus", dna_barcode="NNNN"), row(2, species="Aus Malaise1", genus="Aus")],
        [],
    ],
    ids=["one row that says nothing", "empty texts", "placeholders only", "no row"],
)
def test_next_to_nothing_gives_tables_without_numbers_that_are_none(tmp_path, rows):
    folder = write_folder(tmp_path / "made", {"train": rows})
    found = statistics(folder)
    write_tables(found, tmp_path / "out")
    text = (tmp_path / "out" / "statistics.json").read_text()
    assert json.loads(text)["dataset"]["specimens"] == len(rows)
    assert "NaN" not in text
    assert "Infinity" not in text
    for path in (tmp_path / "out" / "tables").iterdir():
        assert not {"nan", "inf", "None"} & set(path.read_text().replace("|", " ").replace(",", " ").split())


def test_repeated_processids_are_said(tmp_path):
    folder = write_folder(tmp_path / "made", {"train": [row(1), row(1), row(2)]})
    found = statistics(folder)
    assert found.dataset["repeated_processids"] == 1
    assert "1 of 3 rows repeat a processid" in found.notes[0]


def test_a_coordinate_without_end_is_no_site_and_every_file_is_written(tmp_path):
    rows = [row(1, coord_lat=float("inf"), coord_lon=2.0), row(2, coord_lat=1.0, coord_lon=2.0), row(3, coord_lat=1.0)]
    found = statistics(write_folder(tmp_path / "made", {"train": rows}))
    assert [(site["latitude"], site["specimens"]) for site in found["sites"]] == [(1.0, 1)]
    write_tables(found, tmp_path / "out")
    assert json.loads((tmp_path / "out" / "statistics.json").read_text())["dataset"]["specimens"] == 3


def test_splits_of_other_names_are_said_and_nothing_else_is_no_dataset(tmp_path):
    pq.write_table(pa.table({"processid": ["P1"]}), tmp_path / "train.parquet")
    pq.write_table(pa.table({"processid": ["P2", "P3"]}), tmp_path / "field_season.parquet")
    files = {"train": "train.parquet", "field_season": "field_season.parquet"}

    def declare(names):
        entries = [{"split": name, "path": files[name]} for name in names]
        card = yaml.safe_dump({"configs": [{"config_name": "metadata", "data_files": entries}]})
        (tmp_path / "README.md").write_text(f"---\n{card}---\n")

    declare(files)
    found = statistics(tmp_path)
    assert found.dataset["specimens"] == 1
    assert "not counted, since these are no splits of BIOSCAN-5M: field_season" in found.notes
    declare(["field_season"])
    with pytest.raises(ValueError, match=r"has none of the splits pretrain, .*only field_season"):
        statistics(tmp_path)


def test_columns_that_a_config_lacks_are_unknown_not_nothing(tmp_path):
    folder = write_folder(tmp_path / "made", {"train": [row(1, species="Aus bus"), row(2)]})
    (folder / "README.md").unlink()
    for path in (folder / "metadata").iterdir():
        pq.write_table(pq.read_table(path, partitioning=None).select(["processid", "species"]), path)
    for path in (folder / "taxonomy").iterdir():
        path.unlink()
    found = statistics(folder / "metadata", config="default")
    assert found["splits"][-1]["barcodes"] is None
    assert found["splits"][-1]["species"] == 1
    assert by(found["attributes"], "attribute")["country"]["labelled"] is None
    assert "lacks phylum" in found.notes[0]


def test_names_mean_what_they_say_in_markdown_and_all_rows_are_in_the_csv(tmp_path):
    rows = [row(number, order=f"a|b_{number}", **{"class": "<i>"}) for number in range(60)]
    write_tables(statistics(write_folder(tmp_path / "made", {"train": rows})), tmp_path / "out")
    text = (tmp_path / "out" / "tables" / "orders.md").read_text()
    assert r"| &lt;i&gt; | a&#124;b\_0 | 1 |" in text
    assert "10 more rows are in the CSV" in text
    with (tmp_path / "out" / "tables" / "orders.csv").open(newline="") as stream:
        assert sorted(line["order"] for line in csv.DictReader(stream)) == sorted(f"a|b_{n}" for n in range(60))


def test_ids_of_any_length_are_told_apart():
    texts = ["A" * 15, "A" * 16, "A" * 17, "A" * 14, "", None, "A" * 16]
    keys = np.concatenate([short_keys(pa.array(texts[:3])), short_keys(pa.array(texts[3:]).slice(0))])
    assert len(np.unique(keys, axis=0)) == 5


def test_every_table_is_there_in_each_form(counted, tmp_path):
    write_tables(counted, tmp_path)
    names = {path.name for path in (tmp_path / "tables").iterdir()}
    assert names == {f"{name}.{form}" for name in TABLES for form in ("md", "csv")}
    assert all(set(one) == set(columns) for name, (_, columns) in TABLES.items() for one in counted[name])


def test_shards_in_any_order_and_size_give_the_same(known, counted, tmp_path):
    again = shutil.copytree(known, tmp_path / "made")
    for split in ("pretrain", "train"):
        paths = sorted((again / "metadata").glob(f"{split}-*"))
        tables = [pq.read_table(path, partitioning=None) for path in paths]
        for path, table in zip(paths, reversed(tables), strict=True):
            pq.write_table(table.take(list(range(len(table)))[::-1]), path, row_group_size=1)
    assert statistics(again).to_dict() == counted.to_dict()


def test_the_command_writes_and_tells(bioscan5m, dataset, tmp_path):
    status, out, _ = bioscan5m("stats", dataset, "--out", tmp_path / "out", "--split", "seen")
    assert status == 0
    assert "specimens" in out
    made = json.loads((tmp_path / "out" / "statistics.json").read_text())
    assert made["dataset"]["invented"] is True
    assert made["dataset"]["splits"] == ["train", "val", "test"]
    status, _, said = bioscan5m("stats", tmp_path / "nowhere", "--out", tmp_path / "out")
    assert status != 0
    assert "there is no dataset" in said


def test_an_output_that_is_a_file_is_an_error(counted, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="is a file"):
        write_tables(counted, tmp_path / "file")


def test_a_folder_that_is_no_dataset_is_an_error(tmp_path):
    with pytest.raises(Bioscan5mError, match="there is no dataset"):
        statistics(tmp_path)


@pytest.mark.parametrize("shard", [0, 1])
def test_a_damaged_file_is_named(known, tmp_path, shard):
    folder = shutil.copytree(known, tmp_path / "made")
    path = sorted((folder / "metadata").iterdir())[shard]
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(Bioscan5mError, match=f"{path.name} cannot be read"):
        statistics(folder)


def test_a_repository_on_the_hub_is_counted_without_a_copy(known, counted, hub, repo_id):
    client = huggingface_hub.HfApi(token="hf_token")
    client.create_repo(repo_id, repo_type="dataset")
    client.upload_folder(folder_path=known, repo_id=repo_id, repo_type="dataset")
    found = statistics(repo_id)
    assert found.dataset["name"] == repo_id
    assert found.to_dict() | {"dataset": None} == counted.to_dict() | {"dataset": None}
