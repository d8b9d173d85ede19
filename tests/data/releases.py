"""Tiny hand-made releases in the official layout, to which any defect can be given."""

from __future__ import annotations

import csv
import functools
import hashlib
import io
import json
import tempfile
import zipfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow.parquet as pq
from PIL import Image

from bioscan5m_hf import splits
from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.data.manifest import Manifest
from bioscan5m_hf.data.packages import METADATA_MEMBERS
from bioscan5m_hf.data.schema import COLUMN_NAMES


Row = dict[str, str]
METADATA = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
IMAGES = "BIOSCAN_5M_cropped_256.zip"
COUNTS = {"pretrain": 3, "train": 4, "val": 3}
ORDERS = ("Diptera", "Hymenoptera", "Araneae")


def jpeg(seed: int = 0, size: tuple[int, int] = (40, 30)) -> bytes:
    """Give the bytes of a small JPEG of one colour."""
    stream = io.BytesIO()
    Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 120)).save(stream, "JPEG", quality=80)
    return stream.getvalue()


def record(processid: str, split: str = "train", **values: str) -> Row:
    """Give a good record; `values` replace some of it (a dash in a name is written `_`: `coord_lat`)."""
    number = int(hashlib.md5(processid.encode()).hexdigest()[:6], 16)
    order = ORDERS[number % 3]
    row = dict.fromkeys(COLUMN_NAMES, "") | {
        "processid": processid,
        "sampleid": f"BIOUG{number}-A01",
        "taxon": order,
        "phylum": "Arthropoda",
        "class": "Arachnida" if order == "Araneae" else "Insecta",
        "order": order,
        "dna_barcode": "".join("ACGT"[number >> 2 * place & 3] for place in range(12)) * 20,
        "country": "Costa Rica",
        "coord-lat": "10.327",
        "coord-lon": "-84.08",
        "image_measurement_value": "8605.0",
        "area_fraction": "0.0703",
        "scale_factor": "0.7578",
        "inferred_ranks": "0",
        "split": split,
        "index_bioscan_1M_insect": f"{number}.0",
        "chunk": splits.chunk(processid, split) or "" if split in splits.BY_NAME else "",
    }
    return row | {name.replace("coord_", "coord-"): value for name, value in values.items()}


def records(counts: Mapping[str, int] = COUNTS) -> list[Row]:
    """Give good records, so many of each split."""
    names = [split for split, count in counts.items() for _ in range(count)]
    return [record(f"TINY{number:05d}-26", split) for number, split in enumerate(names)]


def csv_bytes(rows: Iterable[Row], header: Iterable[str] = COLUMN_NAMES, end: str = "\n") -> bytes:
    """Write records as the official CSV."""
    stream = io.StringIO()
    writer = csv.DictWriter(stream, list(header), restval="", extrasaction="ignore", lineterminator=end)
    writer.writeheader()
    writer.writerows(rows)
    return stream.getvalue().encode()


def photographs(rows: Iterable[Row], package: str = "cropped_256") -> dict[str, bytes]:
    """Give a photograph of each record: name in the archive → bytes."""
    return {
        splits.image_path(package, row["split"], row["processid"]): jpeg(number) for number, row in enumerate(rows)
    }


def write_metadata(folder: Path, table: bytes | Iterable[Row] | None, form: str = "csv") -> Path:
    """Write the metadata package, with a CSV (bytes as they are, or records) or a JSON-LD."""
    if not isinstance(table, bytes):
        rows = list(table or [])
        table = csv_bytes(rows) if form == "csv" else json.dumps(rows, indent=4).encode()
    return write_zip(folder / METADATA, {METADATA_MEMBERS[form]: table}, zipfile.ZIP_DEFLATED)


def write_zip(
    path: Path, members: Mapping[str, bytes] | Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_STORED
) -> Path:
    """Write a zip; pairs instead of a mapping may hold a name twice."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pairs = members.items() if isinstance(members, Mapping) else members
    with zipfile.ZipFile(path, "w", method) as archive:
        for name, data in pairs:
            archive.writestr(zipfile.ZipInfo(name, (2024, 6, 14, 0, 0, 0)), data, method)
    return path


def write_release(folder: Path, rows: Iterable[Row] | None = None, package: str = "cropped_256") -> Path:
    """Write a good release: metadata, and one archive with the photographs of all splits."""
    rows = records() if rows is None else list(rows)
    write_metadata(folder, rows)
    write_zip(folder / f"BIOSCAN_5M_{package}.zip", photographs(rows, package))
    return folder


def make(release: Path, folder: Path, *, skip: bool = False, workers: int = 1, **options: object) -> Manifest:
    """Build all of a release."""
    policy = {name: options.pop(name) for name in ("upper_case", "official") if name in options}
    packages, say = options.pop("packages", None), options.pop("say", lambda _: None)
    return build(release, folder, packages, Options(workers, policy=Policy(skip, **policy), **options), say)


def tree(folder: Path) -> dict[str, str]:
    """Hash the files of a dataset folder, but for the lock."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name != "lock"
    }


@functools.cache
def undisturbed() -> dict[str, str]:
    """Hash the dataset `bioscan-5m` that the good release gives when nothing happens to the build."""
    with tempfile.TemporaryDirectory() as folder:
        make(write_release(Path(folder) / "release"), Path(folder) / "bioscan-5m")
        return tree(Path(folder) / "bioscan-5m")


def shards(files: dict[str, str], *more: str) -> dict[str, str]:
    """Choose the Parquet files, and `more` by name (the card tells the inputs' identities)."""
    return {name: digest for name, digest in files.items() if name.endswith(".parquet") or name in more}


def column(folder: Path, split: str, name: str = "processid", config: str = "metadata") -> list[object]:
    """Read a column of a split."""
    files = sorted((folder / config).glob(f"{split}-*.parquet"))
    return [value for file in files for value in pq.read_table(file)[name].to_pylist()]


def assert_nothing_half_done(folder: Path) -> None:
    """A build that was stopped leaves whole shards or none, no temporary files and no card."""
    names = [path.name for path in folder.rglob("*")]
    assert [name for name in names if name.endswith(".part")] == []
    assert "README.md" not in names
    for path in folder.rglob("*.parquet"):
        pq.read_table(path)


def rejected(folder: Path) -> list[Row]:
    """Read `rejected.csv`; an empty list where there is none."""
    path = folder / "rejected.csv"
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.DictReader(stream))
