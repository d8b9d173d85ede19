"""Writes the release's files: metadata as CSV and JSON-LD, boxes as TSV, zips that are the same whenever written."""

from __future__ import annotations

import io
import json
import posixpath
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import IO
from zipfile import ZIP_DEFLATED, ZipFile

import pyarrow as pa
import pyarrow.csv as pa_csv

from ..data.kinds import MARKS, Kind
from ..data.schema import COLUMN_NAMES
from ..data.writing import member
from .rows import HEIGHT, WIDTH, Measured


METADATA_ZIP = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
CSV_MEMBER = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
JSONLD_MEMBER = "bioscan5m/metadata/jsonld/BIOSCAN_5M_Insect_Dataset_metadata.jsonld"
INVENTED_TEXT = "Everything in this release is invented: names, barcodes, places, sizes and pictures.\n"
BOXES_TSV = "BIOSCAN_5M_Insect_bbox.tsv"
BOX_COLUMNS = (
    *("processid", "width_original", "height_original", "x0", "y0", "x1", "y1", "scale_factor", "area_fraction"),
)
_RECORD = "    {\n" + ",\n".join(f"        {json.dumps(name)}: %s" for name in COLUMN_NAMES) + "\n    }"


def csv_bytes(table: pa.Table) -> bytes:
    r"""Write rows as the official CSV does: no quotes, an empty cell for null; without a header.

    Examples:
        >>> csv_bytes(pa.table({"a": ["x y", None], "b": ["1.0", "2"]}))
        b'x y,1.0\n,2\n'
    """
    stream = io.BytesIO()
    pa_csv.write_csv(table, stream, pa_csv.WriteOptions(include_header=False, quoting_style="none"))
    return stream.getvalue()


def json_bytes(table: pa.Table) -> bytes:
    """Write rows as members of the official JSON array: flat objects of strings, "" for null, indent 4."""
    columns = [[json.dumps(value or "") for value in column.to_pylist()] for column in table.columns]
    return ",\n".join(_RECORD % row for row in zip(*columns, strict=True)).encode()


def box_bytes(processids: Iterable[str], measured: Measured) -> bytes:
    """Write rows of the table of boxes."""
    fields = zip(
        processids,
        measured.boxes.tolist(),
        measured.scale_factor().tolist(),
        measured.area_fraction().tolist(),
        strict=True,
    )
    lines = (
        "\t".join(map(str, (processid, WIDTH, HEIGHT, *box, scale, area))) + "\n"
        for processid, box, scale, area in fields
    )
    return "".join(lines).encode()


def write_metadata(folder: Path, pieces: Iterable[tuple[pa.Table, Measured]], *, jsonld: bool) -> None:
    """Write the metadata zip and the table of boxes in one pass over the rows.

    Args:
        folder: where the release grows.
        pieces: rows as text with what was measured, in order.
        jsonld: write the JSON-LD variant too; it is held in a temporary file meanwhile, as a zip takes one
            member at a time.
    """
    with ExitStack() as stack:
        archive = stack.enter_context(ZipFile(folder / METADATA_ZIP, "w", ZIP_DEFLATED, compresslevel=1))
        archive.writestr(
            member(f"{posixpath.dirname(CSV_MEMBER)}/{MARKS[Kind.INVENTED]}"), INVENTED_TEXT, ZIP_DEFLATED
        )
        boxes = stack.enter_context((folder / BOXES_TSV).open("wb"))
        boxes.write(("\t".join(BOX_COLUMNS) + "\n").encode())
        waiting = folder / "metadata.jsonld.part"
        held: IO[bytes] | None = stack.enter_context(waiting.open("wb")) if jsonld else None
        with archive.open(CSV_MEMBER, "w", force_zip64=True) as csv:
            csv.write((",".join(COLUMN_NAMES) + "\n").encode())
            for number, (table, measured) in enumerate(pieces):
                csv.write(csv_bytes(table))
                boxes.write(box_bytes(table["processid"].to_pylist(), measured))
                if held is not None:
                    held.write((b",\n" if number else b"[\n") + json_bytes(table))
        if held is not None:
            held.write(b"\n]")
            held.close()
            with waiting.open("rb") as source, archive.open(JSONLD_MEMBER, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, 1 << 20)
            waiting.unlink()
