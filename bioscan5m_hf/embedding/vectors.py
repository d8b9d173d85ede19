"""Files of embeddings: Parquet with a vector for each record, and in its metadata what made them."""

from __future__ import annotations

import os
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from ..errors import OutputError


PREFIX = "bioscan5m."
GROUP = 8192


def write_parquet(path: str | Path, batches: Iterable[pa.RecordBatch], origin: Mapping[str, str]) -> int:
    """Write records with what made them, under a temporary name that is renamed when the file is whole.

    Args:
        path: the file; its folder is made if need be.
        batches: at least one.
        origin: goes into the schema's metadata, each key with `bioscan5m.` before it.

    Returns:
        The number of rows.

    Raises:
        OutputError: there was no batch, or the file cannot be written.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder:
        ...     batch = pa.record_batch({"processid": ["A1"]})
        ...     rows = write_parquet(folder + "/x.parquet", [batch], {"model": "tiny"})
        ...     rows, read_origin(folder + "/x.parquet")
        (1, {'model': 'tiny'})
    """
    path = Path(path)
    if path.is_dir():
        raise OutputError(f"{path} is a folder: name a file")
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    writer, rows = None, 0
    try:
        for batch in batches:
            if writer is None:
                schema = batch.schema.with_metadata({PREFIX + key: value for key, value in origin.items()})
                writer = pq.ParquetWriter(beside, schema, compression="zstd", use_dictionary=False)
            writer.write_batch(batch.cast(schema), row_group_size=GROUP)
            rows += len(batch)
        if writer is None:
            raise OutputError(f"nothing to write to {path}: there was no record")
        writer.close()
        os.replace(beside, path)
    finally:
        if writer is not None:
            writer.close()
        beside.unlink(missing_ok=True)
    return rows


def read_origin(path: str | Path) -> dict[str, str]:
    """Read what made a file of embeddings; empty where it does not say."""
    metadata = pq.read_schema(path).metadata or {}
    given = {key.decode(): value.decode() for key, value in metadata.items() if key.startswith(PREFIX.encode())}
    return {key.removeprefix(PREFIX): value for key, value in given.items()}
