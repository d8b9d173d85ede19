"""The columns of a specimen, declared once; Arrow schema, `datasets` features and card table are derived from here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

import pyarrow as pa


if TYPE_CHECKING:
    from datasets import Features


@dataclass(frozen=True)
class Column:
    """One column of the official metadata table.

    Args:
        name: the official name, as in the header of the CSV.
        type: the Arrow type; integers are exact although the CSV writes some of them as `150502.0`.
        meaning: one sentence for the card.
        required: the official release has a value in every row.
        unit: unit of a number, or of what it counts.
        example: a value as the release gives it.
    """

    name: str
    type: pa.DataType
    meaning: str
    required: bool = False
    unit: str = ""
    example: str = ""


COLUMNS = (
    Column("processid", pa.string(), "BOLD process id: unique key, and the photograph's file stem", True, "", "AACTA1040-20"),
    Column("sampleid", pa.string(), "collector's specimen id, plate and well", False, "", "BIOUG84489-A03"),
    Column("taxon", pa.string(), "most specific name given to the record, whatever its rank", False, "", "Megaselia"),
    Column("phylum", pa.string(), "phylum", False, "", "Arthropoda"),
    Column("class", pa.string(), "class", False, "", "Insecta"),
    Column("order", pa.string(), "order", False, "", "Diptera"),
    Column("family", pa.string(), "family", False, "", "Phoridae"),
    Column("subfamily", pa.string(), "subfamily, or the filler `unassigned <Family>`", False, "", "Metopininae"),
    Column("genus", pa.string(), "genus", False, "", "Megaselia"),
    Column("species", pa.string(), "species, or a placeholder such as `Oxysarcodexia Malaise4749`", False, "", "Tuta absoluta"),
    Column("dna_bin", pa.string(), "Barcode Index Number: the BOLD cluster of the barcode", False, "", "BOLD:ACW1968"),
    Column("dna_barcode", pa.string(), "COI barcode, upper-case IUPAC letters, untrimmed", True, "bases", "AACTTTATATTTT…"),
    Column("country", pa.string(), "country of the collection site", False, "", "Costa Rica"),
    Column("province_state", pa.string(), "province or state of the collection site", False, "", "Heredia"),
    Column("coord-lat", pa.float64(), "latitude of the collection site, WGS84", False, "degrees", "10.327"),
    Column("coord-lon", pa.float64(), "longitude of the collection site, WGS84", False, "degrees", "-84.08"),
    Column("image_measurement_value", pa.int64(), "area of the organism in the 1024×768 original", False, "pixels", "8605"),
    Column("area_fraction", pa.float64(), "area of the tight bounding box as a share of the original", False, "1", "0.0703"),
    Column("scale_factor", pa.float64(), "shorter side of the tight bounding box, divided by 256", False, "1", "0.7578"),
    Column("inferred_ranks", pa.uint8(), "code of the ranks whose label was inferred (encoding unpublished)", True, "", "0"),
    Column("split", pa.string(), "official split of the record", True, "", "pretrain"),
    Column("index_bioscan_1M_insect", pa.int64(), "row of the specimen in BIOSCAN-1M, where it is part of it", False, "", "150502"),
    Column("chunk", pa.string(), "image folder: first digits of MD5(processid); always text", False, "", "2e"),
)  # fmt: skip

COLUMN_NAMES = tuple(column.name for column in COLUMNS)
BY_NAME = {column.name: column for column in COLUMNS}
IMAGE = "image"
IMAGE_TYPE = pa.struct([pa.field("bytes", pa.binary()), pa.field("path", pa.string())])
IMAGE_MEANING = "the photograph: JPEG bytes exactly as released"


def specimen_fields(image: bool = False) -> list[pa.Field]:
    """Give the Arrow fields of a specimen, in file order.

    Args:
        image: put the `image` column first.

    Examples:
        >>> len(specimen_fields()), specimen_fields(image=True)[0].name
        (23, 'image')
    """
    fields = [pa.field(column.name, column.type) for column in COLUMNS]
    return [pa.field(IMAGE, IMAGE_TYPE), *fields] if image else fields


TAXONOMY_FIELDS = (
    (pa.field("rank", pa.string()), "rank of the name: phylum … species, or dna_bin"),
    (pa.field("name", pa.string()), "the name"),
    (pa.field("index", pa.int64()), "label index: place among the rank's names in code-point order; null for a filler name"),
    (pa.field("filler", pa.bool_()), "the name is a filler (`unassigned <Family>`), which stands for a missing label"),
    (pa.field("parent_rank", pa.string()), "closest higher rank at which a record of this name is labelled"),
    (pa.field("parents", pa.list_(pa.string())), "its names there, most records first; several for a name with several parents"),
)  # fmt: skip


def taxonomy_fields(splits: Iterable[str]) -> list[pa.Field]:
    """Give the Arrow fields of the `taxonomy` table: what a name is, then its number of records in each split.

    Examples:
        >>> [field.name for field in taxonomy_fields(["train"])][-2:]
        ['parents', 'train']
    """
    return [field for field, _ in TAXONOMY_FIELDS] + [pa.field(split, pa.int64()) for split in splits]


def features(fields: Iterable[pa.Field]) -> Features:
    """Translate Arrow fields into `datasets` features; the `image` column becomes an `Image`.

    Examples:
        >>> features(specimen_fields(image=True))["image"]
        Image(mode=None, decode=True)
    """
    from datasets import Features, Image

    fields = list(fields)
    typed = Features.from_arrow_schema(pa.schema(fields))
    return Features({field.name: Image() if field.type == IMAGE_TYPE else typed[field.name] for field in fields})


@cache
def specimen_schema(image: bool = False) -> pa.Schema:
    """Give the schema of a specimen's shard, with or without the `image` column.

    Examples:
        >>> len(specimen_schema(image=True))
        24
    """
    return arrow_schema(specimen_fields(image))


def arrow_schema(fields: Iterable[pa.Field]) -> pa.Schema:
    """Give the schema a Parquet shard is written with: the fields, and the features in its `huggingface` metadata.

    Examples:
        >>> arrow_schema(specimen_fields()).field("coord-lat").type
        DataType(double)
    """
    return features(fields).arrow_schema
