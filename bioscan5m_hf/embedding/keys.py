"""Key specimens: labelled barcodes, embedded once into a Parquet file, from which they are streamed."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..data.parquet import take_rows
from ..errors import Bioscan5mError, OutputError
from ..taxonomy import LABELS
from .encoder import EMBEDDING, BarcodeEncoder, as_lists
from .files import BARCODE, PROCESSID
from .inputs import Input
from .lineage import check_known
from .quality import prepare
from .vectors import read_origin, write_parquet


HELD_BYTES = 2 << 30
"""Vectors up to this size are held in memory (700,000 keys of 768 numbers); more are read again for each block."""

BLOCK = 8192
CONTENT = "keys with fingerprints"
"""What the file says it holds."""

_BOUND = ("weights", "frame_offsets", "dtype", "records", "content")
"""In what a file of embeddings must agree with what is asked for."""


@dataclass
class KeySet:
    """Key specimens, opened.

    Args:
        path: the Parquet file with `processid`, `dna_barcode`, the labels and `embedding`.
        names: rank → its names, sorted.
        codes: rank → name of each key, -1 where it has none; shape (keys,).
        allowed: whether a key may be found, shape (keys,).
        origin: what made the file.
        held_bytes: size of vectors up to which they are held in memory.
    """

    path: Path
    names: dict[str, list[str]]
    codes: dict[str, NDArray[np.int32]]
    allowed: NDArray[np.bool_]
    origin: dict[str, str] = field(default_factory=dict)
    held_bytes: int = HELD_BYTES
    _held: list[NDArray[np.float32]] | None = field(default=None, init=False, repr=False)

    @classmethod
    def open(cls, path: Path) -> KeySet:
        """Open a file that `embed_keys` wrote; the labels are read, the vectors stay where they are."""
        names: dict[str, list[str]] = {}
        codes: dict[str, NDArray[np.int32]] = {}
        for rank in LABELS:
            column = pq.read_table(path, columns=[rank])[rank].combine_chunks()
            known = pc.unique(column.drop_null())
            known = known.take(pc.array_sort_indices(known))
            found = pc.fill_null(pc.index_in(column, value_set=known), -1)
            names[rank], codes[rank] = known.to_pylist(), np.asarray(found).astype(np.int32)
        return cls(path, names, codes, np.ones(len(codes[LABELS[0]]), bool), read_origin(path))

    def __len__(self) -> int:
        return len(self.allowed)

    def restrict(self, within: Mapping[str, Sequence[str]]) -> None:
        """Let only keys within some taxa be found; a key without a name at such a rank is left out.

        Args:
            within: rank → names; one of the names of every rank must hold.

        Raises:
            ValueError: no key has such a name, or nothing is left.
        """
        for rank, wanted in within.items():
            check_known(rank, wanted, self.names[rank], "the keys")
            chosen = [code for code, name in enumerate(self.names[rank]) if name in wanted]
            self.allowed = self.allowed & np.isin(self.codes[rank], chosen)
        if not self.allowed.any():
            raise ValueError("no key lies within all these taxa: restrict less")

    def counts(self, rank: str) -> NDArray[np.int64]:
        """Count the keys of each name, shape (names,)."""
        codes = self.codes[rank][self.allowed]
        return np.bincount(codes[codes >= 0], minlength=len(self.names[rank]))

    def blocks(self) -> Iterator[tuple[int, NDArray[np.float32]]]:
        """Give the vectors of unit length in blocks, each with the place of its first key."""
        width = pq.read_schema(self.path).field(EMBEDDING).type.list_size
        if self._held is None and 4 * width * len(self) <= self.held_bytes:
            self._held = list(self._read(width))
        place = 0
        for block in self._read(width) if self._held is None else self._held:
            yield place, block
            place += len(block)

    def rows(self, places: NDArray[np.int64]) -> list[dict[str, str | None]]:
        """Read processid, barcode and labels of keys.

        Args:
            places: shape (n,), in any order, with repetitions.
        """
        columns = [PROCESSID, BARCODE, *LABELS]
        wanted, back = np.unique(places, return_inverse=True)
        tables = list(take_rows([self.path], wanted, columns))
        if not tables:
            return []
        rows: list[dict[str, str | None]] = pa.concat_tables(tables).to_pylist()
        return [rows[place] for place in back]

    def _read(self, width: int) -> Iterator[NDArray[np.float32]]:
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(BLOCK, columns=[EMBEDDING]):
                yield unit(np.asarray(batch.column(0).flatten()).reshape(-1, width))


def unit(vectors: NDArray[np.float32]) -> NDArray[np.float32]:
    """Scale vectors to length one; a vector of zeros stays as it is.

    Args:
        vectors: shape (n, width).

    Examples:
        >>> unit(np.array([[3, 4], [0, 0]], np.float32)).tolist()
        [[0.6000000238418579, 0.800000011920929], [0.0, 0.0]]
    """
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: NDArray[np.float32] = (vectors / np.maximum(length, 1e-12)).astype(np.float32)
    return scaled


def embed_keys(
    encoder: BarcodeEncoder,
    keys: Input,
    cache: Path | None = None,
    *,
    offsets: Sequence[int] = (0,),
    batch_size: int = 512,
    progress: bool = False,
) -> KeySet:
    """Embed key specimens, or open the file in which this was done before.

    The file's metadata say what made it; `fingerprints` are digests of what the keys say, one for each split.

    Keys that say nothing (empty, mostly N, no nucleotides) and keys without any name are left out.

    Args:
        encoder: the model.
        keys: labelled records.
        cache: file of the embeddings; by default one in the cache of the Hub's libraries, named by model and keys.
        offsets: as in `BarcodeEncoder.embed`.
        batch_size: as in `BarcodeEncoder.embed`.
        progress: show a bar, in a terminal.

    Raises:
        OutputError: the file holds something else.
        Bioscan5mError: no key has a name.
    """
    origin = encoder.origin(offsets) | {
        "source": keys.name,
        "split": keys.split or "",
        "records": keys.identity(),
        "content": CONTENT,
    }
    path = _default_cache(origin) if cache is None else Path(cache)
    if path.exists():
        there = read_origin(path)
        differs = [name for name in _BOUND if there.get(name) != origin[name]]
        if not differs:
            return KeySet.open(path)
        raise OutputError(
            f"{path} holds something else ({', '.join(f'{name} differs' for name in differs)}): remove it, or name "
            "another file for these keys"
        )
    batches = _key_batches(encoder, keys, offsets, batch_size, progress)
    first = next(batches, None)
    if first is None:
        raise Bioscan5mError(
            f"{keys.name} holds no key with a usable barcode and a name: a table needs columns such as "
            "'genus' and 'species', and a FASTA file headers such as '>ID genus=Megaselia;species=Megaselia scalaris'"
        )
    # A second reading, a matter of seconds: what the keys say, split by split, is what thresholds are bound to.
    fingerprints = " ".join(part.fingerprint(LABELS) for part in keys.parts())
    write_parquet(path, _chained(first, batches), origin | {"fingerprints": fingerprints})
    return KeySet.open(path)


def _key_batches(
    encoder: BarcodeEncoder, keys: Input, offsets: Sequence[int], batch_size: int, progress: bool
) -> Iterator[pa.RecordBatch]:
    from tqdm import tqdm

    with tqdm(total=keys.count(), unit=" keys", disable=None if progress else True, leave=False) as bar:
        for batch in keys.batches(labels=LABELS):
            prepared = prepare(batch.column(BARCODE), encoder.k)
            named = np.zeros(len(batch), bool)
            for rank in LABELS:
                named |= np.asarray(batch.column(rank).is_valid())
            places = pa.array(np.flatnonzero(prepared.usable & named))
            if len(places):
                barcodes = prepared.barcodes.take(places)
                vectors = encoder.embed(barcodes, batch_size, offsets=offsets)
                chosen = batch.take(places)
                columns = [chosen.column(PROCESSID), barcodes, *(chosen.column(rank) for rank in LABELS)]
                yield pa.record_batch([*columns, as_lists(vectors)], names=[PROCESSID, BARCODE, *LABELS, EMBEDDING])
            bar.update(len(batch))


def _chained(first: pa.RecordBatch, others: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    yield first
    yield from others


def _default_cache(origin: Mapping[str, str]) -> Path:
    from huggingface_hub.constants import HF_HOME

    parts = [origin[name] for name in (*_BOUND, "package_version")]
    digest = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:24]
    return Path(os.path.expanduser(HF_HOME)) / "bioscan5m" / f"keys-{digest}.parquet"
