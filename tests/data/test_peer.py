"""The package `bioscan-dataset` reads from a release what we read from it."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from bioscan5m_hf.splits import METASPLITS, SPLIT_NAMES
from bioscan5m_hf.taxonomy import LABELS, Taxonomy


bioscan_dataset = pytest.importorskip("bioscan_dataset")


class Unpinned(bioscan_dataset.BIOSCAN5M):
    """The peer without its check that the CSV is the published one and that some published photographs are there."""

    def _check_integrity(self, verbose: int = 1) -> bool:
        return True


@pytest.fixture(scope="module")
def extracted(release, tmp_path_factory) -> Path:
    """Give the release as the peer wants it: all zips unpacked over each other."""
    folder = tmp_path_factory.mktemp("peer")
    for path in release.rglob("*.zip"):
        if "cropped_256" in path.name or "metadata" in path.name:
            with zipfile.ZipFile(path) as archive:
                archive.extractall(folder)
    return folder


def ours(dataset: Path, split: str) -> dict[str, dict[str, object]]:
    files = sorted((dataset / "cropped_256").glob(f"{split}-*.parquet"))
    return {row["processid"]: row for file in files for row in pq.read_table(file).to_pylist()}


@pytest.mark.parametrize("split", SPLIT_NAMES)
def test_rows_barcodes_labels_and_photographs_agree(split, extracted, dataset):
    peer = Unpinned(
        str(extracted),
        split=split,
        modality=("image", "dna", "processid"),
        max_nucleotides=None,
        target_type=list(LABELS),
        output_format="dict",
    )
    rows = ours(dataset, split)
    assert len(peer) == len(rows) > 0
    table = pq.read_table(next((dataset / "taxonomy").glob("*.parquet")))
    taxonomy = Taxonomy(table, keep_filler=True)
    for at in range(len(peer)):
        theirs = peer[at]
        row = rows.pop(theirs["processid"])
        assert Path(theirs["image"].filename).read_bytes() == row["image"]["bytes"]
        assert theirs["dna"] == row["dna_barcode"]
        for rank in LABELS:
            text = theirs[rank] if isinstance(theirs[rank], str) else None
            (index,) = taxonomy.index(rank, [row[rank]])
            assert (text, theirs[f"{rank}_index"]) == (row[rank], -1 if index is None else index)


@pytest.mark.parametrize("metasplit", METASPLITS)
def test_sizes_of_metasplits_agree(metasplit, extracted, dataset):
    peer = Unpinned(str(extracted), split=metasplit, modality="dna", target_type="species")
    assert len(peer) == sum(len(ours(dataset, split)) for split in METASPLITS[metasplit])


def test_text_and_numbers_agree_in_every_column(extracted, dataset):
    frame = Unpinned(str(extracted), split="all", modality="dna").metadata.set_index("processid")
    for split in SPLIT_NAMES:
        for processid, row in ours(dataset, split).items():
            for name in frame.columns.intersection(list(row)):
                theirs, mine = frame.at[processid, name], row[name]
                theirs = None if theirs != theirs else theirs
                theirs = theirs[:660] if name == "dna_barcode" else theirs
                mine = mine[:660] if name == "dna_barcode" else mine
                assert theirs == mine, (processid, name)
