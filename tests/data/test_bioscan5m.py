"""The builder that reads the release as it is."""

import shutil
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from datasets import load_dataset

from bioscan5m_hf import Bioscan5M
from bioscan5m_hf.data.build import CONFIGS
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.splits import SPLIT_NAMES
from bioscan5m_hf.synthetic import synthesize


def rows(dataset):
    return list(dataset.decode(False) if hasattr(dataset, "decode") else dataset)


@pytest.fixture
def builder(release, tmp_path):
    return lambda config, root=release: Bioscan5M(data_dir=root, config_name=config, cache_dir=str(tmp_path / "cache"))


@pytest.mark.parametrize("config", sorted(CONFIGS))
def test_streams_the_rows_of_the_built_dataset_in_the_same_order(builder, dataset, config):
    streamed = builder(config).as_streaming_dataset()
    built = load_dataset(str(dataset), config, streaming=True)
    assert list(streamed) == list(built)
    split = "train" if config == "taxonomy" else "test_unseen"
    assert rows(streamed[split]) == rows(built[split])


def test_photographs_are_decoded(builder):
    specimen = next(iter(builder("cropped_256").as_streaming_dataset(split="val")))
    assert specimen["image"].format == "JPEG"
    assert min(specimen["image"].size) == 256


def test_the_metadata_are_read_once_for_all_configs(builder, monkeypatch):
    builder("metadata").as_streaming_dataset(split="val")
    monkeypatch.setattr("bioscan5m_hf.data.bioscan5m.build_metadata", pytest.fail)
    assert len(rows(builder("sample").as_streaming_dataset(split="val")))


def test_a_split_can_be_read_where_only_its_archive_is_there(release, builder, tmp_path):
    root = tmp_path / "part"
    root.mkdir()
    for name in ("BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip", "BIOSCAN_5M_cropped_256_train.zip"):
        shutil.copy(release / name, root)
    assert list(builder("cropped_256", root).as_streaming_dataset()) == ["train"]


def test_a_prepared_cache_is_found_by_name_in_another_process(release, fresh_python, tmp_path):
    cache = str(tmp_path / "cache")
    prepare = (
        "from bioscan5m_hf import Bioscan5M\n"
        f"for name in ('metadata', 'sample'):\n"
        f"    Bioscan5M(data_dir={str(release)!r}, config_name=name).download_and_prepare()"
    )
    fresh_python(prepare, HF_DATASETS_CACHE=cache, HF_HUB_OFFLINE="1")
    load = (
        "import sys\nfrom datasets import load_dataset\n"
        "a = load_dataset('bioscan-5m', 'metadata'); b = load_dataset('bioscan-5m', 'sample', streaming=True)\n"
        "print(list(a), next(iter(b['train']))['image'].format, 'bioscan5m_hf' in sys.modules)"
    )
    printed = fresh_python(load, HF_DATASETS_CACHE=cache, HF_HUB_OFFLINE="1")
    assert printed.strip() == f"{list(SPLIT_NAMES)} JPEG False"


def test_more_archives_have_another_cache(release, builder, tmp_path):
    root = tmp_path / "part"
    root.mkdir()
    for name in ("BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip", "BIOSCAN_5M_cropped_256_train.zip"):
        shutil.copy(release / name, root)
    before = builder("cropped_256", root).cache_dir
    shutil.copy(release / "BIOSCAN_5M_cropped_256_eval.zip", root)
    assert builder("cropped_256", root).cache_dir != before


def test_the_invented_says_so(builder):
    info = builder("metadata").info
    assert "invented" in info.description
    assert info.license == "CC0 1.0"


def test_the_cache_goes_by_the_content_of_the_release(release, builder, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(release, other)
    assert builder("metadata").cache_dir == builder("metadata", other).cache_dir
    synthesize(tmp_path / "another", specimens=100, seed=1, metadata_only=True)
    assert builder("metadata").cache_dir != builder("metadata", tmp_path / "another").cache_dir


def test_a_missing_photograph_is_named(release, builder, tmp_path):
    root = tmp_path / "broken"
    root.mkdir()
    shutil.copy(release / "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip", root)
    name = "BIOSCAN_5M_cropped_256_train.zip"
    with zipfile.ZipFile(release / name) as whole, zipfile.ZipFile(root / name, "w") as part:
        lost, *kept = [member for member in whole.namelist() if member.endswith(".jpg")]
        for member in kept:
            part.writestr(member, whole.read(member))
    with pytest.raises(ReleaseError, match=f"{Path(lost).stem}: record of train without a photograph"):
        rows(builder("cropped_256", root).as_streaming_dataset(split="train"))


def test_needs_a_release():
    with pytest.raises(ReleaseError, match="data_dir"):
        Bioscan5M(config_name="metadata")


def test_shards_of_a_split_can_be_shared_by_workers(builder, dataset, monkeypatch):
    monkeypatch.setattr("bioscan5m_hf.data.shards.ROWS_PER_READER", 1)
    streamed = builder("cropped_256").as_streaming_dataset(split="pretrain")
    assert streamed.num_shards == 8
    parts = [[row["processid"] for row in streamed.shard(8, index).decode(False)] for index in range(8)]
    files = sorted((dataset / "cropped_256").glob("pretrain-*.parquet"))
    built = [name for file in files for name in pq.read_table(file)["processid"].to_pylist()]
    assert [name for part in parts for name in part] == built
