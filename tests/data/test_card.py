"""The card: its YAML is the loader, its numbers come from what was built."""

import csv
import re
from pathlib import Path

import pytest
import yaml
from datasets import load_dataset, load_dataset_builder

from bioscan5m_hf import splits
from bioscan5m_hf.data.build import CONFIGS, Options, build
from bioscan5m_hf.data.card import DESCRIPTIONS, official_card, readable_bytes
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.data.schema import COLUMNS, features, specimen_fields


ROOT = Path(__file__).resolve().parents[2]


def front_matter(text):
    return yaml.safe_load(text.split("---")[1])


@pytest.fixture(scope="module")
def card(dataset):
    return (dataset / "README.md").read_text()


def test_all_configs_are_declared_and_the_default_comes_first(card):
    configs = front_matter(card)["configs"]
    assert [config["config_name"] for config in configs] == list(DESCRIPTIONS)
    assert set(DESCRIPTIONS) == set(CONFIGS)
    assert [config.get("default", False) for config in configs] == [True] + [False] * (len(configs) - 1)


def test_the_default_is_the_first_package_built_else_the_metadata(release, tmp_path):
    state = build(release, tmp_path / "a", ["original_256"])
    assert front_matter((state.folder / "README.md").read_text())["configs"][0]["config_name"] == "original_256"
    state = build(release, tmp_path / "b", [])
    assert front_matter((state.folder / "README.md").read_text())["configs"][0]["config_name"] == "metadata"


def test_a_package_added_later_renews_the_card(release, tmp_path):
    build(release, tmp_path / "a", ["original_256"])
    build(release, tmp_path / "a", ["cropped_256"])
    configs = front_matter((tmp_path / "a" / "README.md").read_text())["configs"]
    assert [config["config_name"] for config in configs][:2] == ["cropped_256", "original_256"]


def test_features_and_split_sizes_of_the_yaml_are_those_of_the_files(card, dataset):
    for entry in front_matter(card)["dataset_info"]:
        builder = load_dataset_builder(str(dataset), entry["config_name"])
        loaded = load_dataset(str(dataset), entry["config_name"], streaming=True)
        for split in entry["splits"]:
            assert sum(1 for _ in loaded[split["name"]].decode(False)) == split["num_examples"]
        if entry["config_name"] in ("cropped_256", "sample"):
            assert builder.info.features == features(specimen_fields(image=True))


def test_explicit_data_files_are_typed_as_well(dataset):
    loaded = load_dataset(str(dataset), data_files={"train": "cropped_256/train-*.parquet"}, streaming=True)
    assert next(iter(loaded["train"]))["image"].format == "JPEG"


def test_the_invented_says_so(card):
    assert "Everything in this dataset is invented" in card
    assert "invented" in front_matter(card)["pretty_name"]


@pytest.mark.parametrize("text", ["official", "built"])
def test_says_what_a_user_has_to_know(card, text):
    card = official_card() if text == "official" else card
    for fact in (
        "Missing values are null",
        "in a code that was never published",
        "placeholder names",
        "BINs cross split borders",
        "137,479",
        "112,032",
        "How much is fetched",
        '"coord-lat"',
        "pl.scan_parquet",
        "hf://datasets/",
        "Malaise traps",
        "gharaee2024bioscan5m",
    ):
        assert fact in card
    assert ("Report a bad record" in card) == (text == "official")
    assert all(f"| `{column.name}` |" in card for column in COLUMNS)


def test_no_line_of_a_table_is_broken(card):
    for text in (card, official_card()):
        body = text.split("---\n", 2)[2]
        for table in re.findall(r"(?:^\|.*\n)+", body, re.MULTILINE):
            lines = table.splitlines()
            assert len({line.count("|") for line in lines}) == 1, lines[0]
            assert set(lines[1]) <= set("|-: "), lines[:2]


def test_the_official_card_is_the_one_in_the_repository():
    assert (ROOT / "loading_script" / "README.md").read_text() == official_card()


def test_the_official_card_has_the_published_numbers():
    matter = front_matter(official_card())
    sizes = {entry["config_name"]: entry.get("splits", []) for entry in matter["dataset_info"]}
    assert sum(split["num_examples"] for split in sizes["cropped_256"]) == splits.OFFICIAL_SPECIMENS == 5_150_850
    assert matter["license"] == "cc-by-3.0"
    assert matter["size_categories"] == ["1M<n<10M"]


def test_the_official_yaml_loads_a_folder_of_that_shape(dataset, tmp_path):
    folder = tmp_path / "bioscan-5m"
    folder.mkdir()
    for item in dataset.iterdir():
        if item.name not in ("README.md", ".bioscan5m"):
            (folder / item.name).symlink_to(item)
    (folder / "README.md").write_text(official_card())
    specimen = next(iter(load_dataset(str(folder), streaming=True)["train"]))
    assert specimen["image"].format == "JPEG"
    assert next(iter(load_dataset(str(folder), "taxonomy", streaming=True)["train"]))["rank"] == "phylum"


def test_what_was_left_out_is_counted(release, tmp_path):
    from zipfile import ZipFile

    broken = tmp_path / "release"
    broken.mkdir()
    name = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
    member = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
    with ZipFile(release / name) as whole, ZipFile(broken / name, "w") as changed:
        header, first, *rest = whole.read(member).decode().splitlines(keepends=True)
        changed.writestr(member, "".join([header, first.replace(",pretrain,", ",nowhere,"), first, *rest]))
    state = build(broken, tmp_path / "out", [], Options(policy=Policy(skip=True)))
    card = (tmp_path / "out" / "README.md").read_text()
    with (tmp_path / "out" / "rejected.csv").open() as stream:
        rejected = list(csv.DictReader(stream))
    counts = state.configs["metadata"].counts
    assert counts["records"] == counts["rows"] + counts["rejected"]
    assert counts["rejected"] == len(rejected)
    assert f"| `metadata` | left out | {len(rejected)} |" in card
    assert "`rejected.csv`" in card


def test_words_of_a_release_are_no_markup(release, tmp_path):
    from zipfile import ZipFile

    root = tmp_path / "release"
    root.mkdir()
    name = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
    member = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
    with ZipFile(release / name) as whole, ZipFile(root / name, "w") as changed:
        header, *rest = whole.read(member).decode().splitlines()
        lines = [f"{header},</li><img src=x>![](http://y)", *(f"{line}," for line in rest)]
        changed.writestr(member, "\n".join(lines))
    build(root, tmp_path / "out", [])
    card = (tmp_path / "out" / "README.md").read_text()
    assert "is not official and was left out" in card
    assert "<img" not in card
    assert "![](" not in card


@pytest.mark.parametrize(("size", "text"), [(0, "0 B"), (999, "999 B"), (1_500, "1.5 kB"), (2 * 10**12, "2.0 TB")])
def test_sizes_are_written_for_people(size, text):
    assert readable_bytes(size) == text
