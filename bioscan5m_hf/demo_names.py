"""The demonstration's photographs: taken out of the dataset, named by key specimens, and drawn beside these."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from .data.sheet import contact_sheet


ASKED = {"test": 4, "test_unseen": 4}
"""Split → specimens that are asked for; every other one by its photograph alone."""

NEAREST = 3
"""Keys that are drawn beside each."""

PACKAGE = "cropped_256"


def choose(dataset: Path, photos: Path, fasta: Path) -> list[dict[str, Any]]:
    """Write photographs of some named specimens into a folder, and barcodes of every other one into a FASTA file.

    Args:
        dataset: dataset folder.
        photos: folder, made if missing.
        fasta: file.

    Returns:
        The rows of the specimens.
    """
    rows = []
    for split, count in ASKED.items():
        table = pa.concat_tables(pq.read_table(file) for file in _files(dataset, split))
        rows += table.filter(table["species"].is_valid()).slice(0, count).to_pylist()
    photos.mkdir(exist_ok=True)
    for row in rows:
        (photos / f"{row['processid']}.jpg").write_bytes(row["image"]["bytes"])
    fasta.write_text("".join(f">{row['processid']}\n{row['dna_barcode']}\n" for row in rows[1::2]), encoding="utf-8")
    return rows


def told(rows: Sequence[Mapping[str, Any]], names: Path) -> list[str]:
    """Say, for each specimen, what it is and how it was named, in lines.

    Args:
        rows: of `choose`.
        names: the CSV file that `bioscan5m predict` wrote.
    """
    lines = []
    for row, named in zip(rows, _named(rows, names), strict=True):
        by = "photograph and barcode" if named["modalities"] == "image+dna" else "photograph"
        new = ", may be a new species" if named["new_species"] == "yes" else ""
        nearest = named["nearest_processids"].split(";")[0]
        lines.append(f"{row['processid']:<14} {row['species']}; by {by}:")
        lines.append(f"    {_given(named)}{new}; nearest {nearest} ({named['nearest_name']})")
    return lines


def draw(rows: Sequence[Mapping[str, Any]], names: Path, dataset: Path, splits: Sequence[str], picture: Path) -> None:
    """Draw each specimen and the keys that are nearest to it, a specimen a line.

    Args:
        rows: of `choose`.
        names: the CSV file that `bioscan5m predict` wrote.
        dataset: dataset folder.
        splits: of the keys.
        picture: PNG file.
    """
    answers = _named(rows, names)
    wanted = {key for named in answers for key in named["nearest_processids"].split(";")[:NEAREST]}
    keys: dict[str, dict[str, Any]] = {}
    for split in splits:
        for file in _files(dataset, split):
            table = pq.read_table(file)
            found = table.filter(pc.is_in(table["processid"], pa.array(sorted(wanted), pa.string())))
            keys |= {row["processid"]: row for row in found.to_pylist()}
    tiles: list[dict[str, Any]] = []
    for row, named in zip(rows, answers, strict=True):
        by = "photograph + barcode" if named["modalities"] == "image+dna" else "photograph"
        asked = {"species": f"{row['species']} ?", "order": f"by {by}", "family": "", "processid": _given(named)}
        tiles.append(_tile(row) | asked | {"country": ""})
        tiles += [_tile(keys[key]) for key in named["nearest_processids"].split(";")[:NEAREST]]
    title = "Invented specimens (left), and the keys nearest to them"
    contact_sheet([_opened(tile) for tile in tiles], columns=1 + NEAREST, title=title).save(picture)


def _named(rows: Sequence[Mapping[str, Any]], names: Path) -> list[dict[str, str]]:
    with names.open(encoding="utf-8", newline="") as stream:
        found = {row["processid"]: row for row in csv.DictReader(stream)}
    return [found[row["processid"]] for row in rows]


def _given(named: Mapping[str, str]) -> str:
    return f"{named['name']} ({float(named['confidence']):.0%} sure)" if named["name"] else "no name is sure enough"


def _files(dataset: Path, split: str) -> list[Path]:
    return sorted((dataset / PACKAGE).glob(f"{split}-*.parquet"))


def _tile(row: Mapping[str, Any]) -> dict[str, Any]:
    return {**row, "image": row["image"]["bytes"]}


def _opened(tile: dict[str, Any]) -> dict[str, Any]:
    from PIL import Image

    return tile | {"image": Image.open(io.BytesIO(tile["image"]))}
