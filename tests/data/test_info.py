"""Looking into a dataset: the numbers are those of the files, and the text fits a terminal."""

from __future__ import annotations

import shutil
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hub_server import HubServer

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.info import info, render
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.hub.push import push


def test_numbers_are_those_of_the_files(dataset: Path) -> None:
    found = info(dataset)
    assert found.configs[0].name == "cropped_256"
    assert [config.default for config in found.configs] == [True] + [False] * (len(found.configs) - 1)
    for config in found.configs:
        files = list((dataset / config.name).glob("*.parquet"))
        assert config.shards == len(files)
        assert config.bytes == sum(file.stat().st_size for file in files)
        assert config.rows == sum(pq.read_metadata(file).num_rows for file in files)
    assert found.licence
    assert found.built_by.startswith("bioscan5m-hf ")
    assert any("metadata" in file for file, _ in found.inputs)


def test_labels_are_counted_without_fillers(dataset: Path) -> None:
    metadata = pq.read_table(dataset / "metadata", partitioning=None).to_pylist()
    for rank in info(dataset).ranks:
        labels = [
            row[rank.rank] for row in metadata if row[rank.rank] and not row[rank.rank].startswith("unassigned ")
        ]
        assert (rank.names, rank.labelled) == (len(set(labels)), len(labels))
        assert rank.share == pytest.approx(len(labels) / len(metadata))


def test_first_specimens_have_sizes_instead_of_bytes(dataset: Path) -> None:
    specimens = info(dataset).specimens
    rows = pq.read_table(next((dataset / "cropped_256").glob("train-*")), partitioning=None).to_pylist()
    assert [one["processid"] for one in specimens] == [row["processid"] for row in rows[:3]]
    assert min(specimens[0]["image"]["width"], specimens[0]["image"]["height"]) == 256
    assert specimens[0]["image"]["bytes"] == len(rows[0]["image"]["bytes"])


@pytest.mark.parametrize("width", [80, 100, 120])
def test_text_fits_the_terminal(dataset: Path, width: int) -> None:
    text = render(info(dataset), width=width)
    tables = text.split("\n\n", 1)[1]
    assert max(map(len, tables.splitlines())) <= max(width, 93)
    specimens = text.split("\n\n")[-1].splitlines()
    assert max(map(len, specimens)) <= width
    barcode = next(line for line in specimens if line.startswith("dna_barcode"))
    assert "…" in barcode
    assert "(658)" in barcode
    assert "index_bioscan_1M_insect  –" in text


def test_text_without_specimens(dataset: Path) -> None:
    assert "specimen 1" not in render(info(dataset), specimens=0)


def test_a_repository_on_a_hub(release: Path, hub: HubServer, repo_id: str, tmp_path: Path) -> None:
    folder = tmp_path / "bioscan-5m"
    build(release, folder, ["cropped_256"], Options(workers=1))
    push(folder, repo_id)
    local, remote = info(folder), info(repo_id)
    assert remote.configs == local.configs
    assert remote.ranks == local.ranks
    assert remote.specimens == local.specimens
    assert render(remote).startswith(f"{repo_id}: ")


def test_no_dataset(tmp_path: Path, hub: HubServer) -> None:
    for path, text in ((tmp_path, "README.md"), ("nobody/nothing", "on the Hub"), ("no such", "neither a folder")):
        with pytest.raises(Bioscan5mError, match=text):
            info(path)


def test_a_damaged_file(dataset: Path, tmp_path: Path) -> None:
    for name in ("metadata", "taxonomy"):
        shutil.copytree(dataset / name, tmp_path / name)
    shutil.copy(dataset / "README.md", tmp_path)
    assert len(info(tmp_path).specimens) == 3
    (file,) = (tmp_path / "taxonomy").glob("*.parquet")
    file.write_bytes(b"PAR1 no more PAR1")
    with pytest.raises(Bioscan5mError, match="is damaged"):
        info(tmp_path)


def test_what_is_not_there_is_left_out(dataset: Path, tmp_path: Path) -> None:
    folder = tmp_path / "bioscan-5m"
    shutil.copytree(dataset / "cropped_256", folder / "cropped_256")
    shutil.copy(dataset / "README.md", folder)
    path = next((folder / "cropped_256").glob("train-*"))
    table = pq.read_table(path, partitioning=None)
    rows = table.to_pylist()
    rows[0]["image"] = None
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)
    found = info(folder)
    assert found.ranks == ()
    assert found.specimens[0]["image"] is None
    assert "image                    –" in render(found)
