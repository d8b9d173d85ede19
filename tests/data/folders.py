"""Small dataset folders written row by row, for what an invented release does not have."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from bioscan5m_hf.data import schema
from bioscan5m_hf.data.taxa import lineages, taxonomy_table


Row = Mapping[str, Any]
EDGE = "A" * 30


def write_folder(
    folder: Path, rows: Mapping[str, Sequence[Row]], images: Mapping[str, Sequence[Row]] | None = None
) -> Path:
    """Write a dataset folder.

    Args:
        folder: new.
        rows: split → rows of `metadata`; what a row does not say is null.
        images: split → rows of `cropped_256`, with `image` the bytes of a JPEG.
    """
    configs = {"metadata": (schema.specimen_fields(), rows)}
    if images is not None:
        configs["cropped_256"] = (schema.specimen_fields(image=True), images)
    files = []
    for config, (fields, splits) in configs.items():
        for split, given in splits.items():
            for shard, part in enumerate((given[: len(given) // 2], given[len(given) // 2 :])):
                files.append(_write(folder / config / f"{split}-{shard:05}-of-00002.parquet", fields, split, part))
    table = taxonomy_table([lineages(file) for file in files if file.parent.name == "metadata"])
    (folder / "taxonomy").mkdir()
    pq.write_table(table, folder / "taxonomy" / "train-00000-of-00001.parquet")
    entries = [_entry(config, splits) for config, (_, splits) in configs.items()] + [_entry("taxonomy", ["train"])]
    entries[-2 if images is not None else 0]["default"] = True
    info = [_info(config, fields, splits) for config, (fields, splits) in configs.items()]
    card = yaml.safe_dump({"configs": entries, "dataset_info": info})
    (folder / "README.md").write_text(f"---\n{card}---\n")
    return folder


def write_odd(folder: Path) -> Path:
    """Write rows made for their labels and barcodes; the order of processids is not that of their MD5."""
    barcodes = {
        "train": [EDGE + "C", "NN" + EDGE + "C", EDGE + "CNN", EDGE + "G", EDGE + "T", None, None, "NNNN", "NNNN", ""],
        "val": [EDGE + "C", EDGE + "GN", EDGE + "T" + "A", EDGE + "T" + "C"],
    }
    labels = [
        {"order": "Diptera", "family": "Phoridae", "subfamily": "unassigned Phoridae", "genus": "Aus"},
        {"order": "Araneae", "family": "Agelenidae", "genus": "Aus"},
        {"order": "Diptera", "subfamily": "unassigned Phoridae"},
        {"family": "Phoridae", "subfamily": "Metopininae"},
        {},
    ]
    rows = {}
    for split, given in barcodes.items():
        ids = [{"processid": f"{split.upper()}{at:03}-26", "phylum": "Arthropoda"} for at in range(len(given))]
        full = [{**ids[at], "dna_barcode": barcode, **labels[at % 5]} for at, barcode in enumerate(given)]
        rows[split] = sorted(full, key=lambda row: md5(row["processid"]))
    return write_folder(folder, rows)


def md5(processid: str) -> str:
    return hashlib.md5(processid.encode()).hexdigest()


def _write(path: Path, fields: list[pa.Field], split: str, rows: Sequence[Row]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    full = [{"split": split, "inferred_ranks": 0, **row} for row in rows]
    for row in full:
        if "image" in row:
            row["image"] = {"bytes": row["image"], "path": f"{row['processid']}.jpg"}
    table = pa.Table.from_pylist(full, schema=schema.arrow_schema(fields))
    pq.write_table(table, path, row_group_size=5)
    return path


def _entry(config: str, splits: Any) -> dict[str, Any]:
    files = [{"split": split, "path": f"{config}/{split}-*.parquet"} for split in splits]
    return {"config_name": config, "data_files": files}


def _info(config: str, fields: list[pa.Field], splits: Mapping[str, Sequence[Row]]) -> dict[str, Any]:
    sizes = [{"name": split, "num_bytes": 1, "num_examples": len(rows)} for split, rows in splits.items()]
    return {"config_name": config, "features": schema.features(fields)._to_yaml_list(), "splits": sizes}
