"""Building an index: a part at a time, so that a build that is stopped goes on, then all parts together."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from .. import __version__
from ..data.manifest import write_text
from ..embedding.encoder import as_lists
from ..embedding.files import BARCODE, PROCESSID
from ..embedding.vectors import write_parquet
from ..errors import Bioscan5mError, OutputError
from ..provenance import without_folder
from ..taxonomy import LABELS
from .index import BUILDING, FORMAT, INDEX, PRECISIONS, SPECIMENS, Index, check_model, default_gap, read_about
from .specimens import SCHEMA, Batch, Specimens
from .vectors import Embedded, Embedder


PART = 1024
"""Specimens of a part: what is lost at most where a build is stopped."""

_KEPT = [name for name in SCHEMA.names if name != BARCODE]
_STATE = "building.json"


def build_index(
    folder: str | Path,
    embedder: Embedder,
    specimens: Specimens,
    *,
    precision: str = "float32",
    part: int = PART,
    progress: bool = False,
) -> Index:
    """Embed specimens into an index; goes on where it was stopped, and opens an index that is there already.

    Left out, and counted, are specimens without any name, and those with neither a photograph nor a barcode that can
    be used.

    Args:
        folder: new, empty, or with an index of the same model and specimens.
        embedder: the model.
        specimens: labelled.
        precision: what vectors are kept in.
        part: specimens of a part.
        progress: show a bar, in a terminal.

    Raises:
        OutputError: the folder holds something else, or an index of another model, revision or source.
        Bioscan5mError: no specimen is left, or one stands twice.
    """
    folder = Path(folder)
    if precision not in PRECISIONS:
        raise ValueError(f"precision {precision!r}: use one of {', '.join(PRECISIONS)}")
    asked = _asked(embedder, specimens, precision, part)
    if (folder / INDEX).is_file():
        about = read_about(folder)
        check_model(folder, about, embedder.encoder)
        _check_same(folder, about["asked"], asked)
        shutil.rmtree(folder / BUILDING, ignore_errors=True)
        return Index.open(folder, embedder.encoder)
    _begin(folder, asked, embedder)
    counts = _embed_parts(folder / BUILDING, embedder, specimens, part, progress)
    _join(folder, embedder, specimens, asked, counts)
    return Index.open(folder, embedder.encoder)


def _asked(embedder: Embedder, specimens: Specimens, precision: str, part: int) -> dict[str, Any]:
    encoder = embedder.encoder
    return {
        "model": without_folder(str(encoder.name)),
        "revision": encoder.revision,
        "settings": json.loads(json.dumps(dict(encoder.settings), default=str)),
        "modalities": list(embedder.able),
        "precision": precision,
        "part": part,
        "specimens": specimens.identity(),
    }


def _begin(folder: Path, asked: Mapping[str, Any], embedder: Embedder) -> None:
    """Make the folder of parts, or go on with one of the same build."""
    state = folder / BUILDING / _STATE
    if state.is_file():
        try:
            there = json.loads(state.read_text(encoding="utf-8"))
            check_model(folder, there, embedder.encoder)
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise OutputError(f"{state} is damaged ({error}): remove {folder} and index again") from error
        _check_same(folder, there, asked)
        return
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} is not empty and no index: name a new or empty folder")
    (folder / BUILDING).mkdir(parents=True, exist_ok=True)
    write_text(state, json.dumps(asked))


def _check_same(folder: Path, there: Mapping[str, Any], asked: Mapping[str, Any]) -> None:
    words = {
        "modalities": "of other modalities",
        "precision": "in another precision",
        "specimens": "of other specimens, or of files that have changed",
        "part": "in parts of another size",
    }
    wrong = [said for name, said in words.items() if there.get(name) != asked[name]]
    if wrong:
        raise OutputError(f"{folder} holds an index {' and '.join(wrong)}: remove it, or name another folder")


def _embed_parts(folder: Path, embedder: Embedder, specimens: Specimens, part: int, progress: bool) -> dict[str, int]:
    """Embed what has not been embedded yet; give what was left out, by reason."""
    from tqdm import tqdm

    total = specimens.count()
    left_out: dict[str, int] = {}
    with tqdm(total=total, unit=" keys", disable=None if progress else True, leave=False) as bar:
        for number, batch in enumerate(_parts(specimens, part)):
            path = folder / f"part-{number:06d}.parquet"
            if not path.exists():
                kept, counted = _kept(batch, embedder)
                write_parquet(path, [kept], {"left_out": json.dumps(counted)})
            said = pq.read_schema(path).metadata[b"bioscan5m.left_out"]
            for reason, count in json.loads(said).items():
                left_out[reason] = left_out.get(reason, 0) + count
            bar.update(len(batch))
    return left_out


def _parts(specimens: Specimens, part: int) -> Iterator[Batch]:
    """Give specimens in parts of one size, however the batches of their source fall."""
    tables: list[pa.Table] = []
    photographs: list[Any] = []
    for batch in specimens.batches(rows=part):
        start = 0
        while start < len(batch):
            stop = min(len(batch), start + part - len(photographs))
            tables.append(batch.table.slice(start, stop - start))
            photographs += batch.photographs[start:stop]
            start = stop
            if len(photographs) == part:
                yield Batch(pa.concat_tables(tables).combine_chunks(), photographs)
                tables, photographs = [], []
    if photographs:
        yield Batch(pa.concat_tables(tables).combine_chunks(), photographs)


def _kept(batch: Batch, embedder: Embedder) -> tuple[pa.RecordBatch, dict[str, int]]:
    """Embed the named specimens of a batch; those with a vector are kept."""
    named = np.zeros(len(batch), bool)
    for rank in LABELS:
        named |= np.asarray(batch.table[rank].combine_chunks().is_valid())
    rows = np.flatnonzero(named)
    some = Batch(batch.table.take(pa.array(rows)), [batch.photographs[row] for row in rows.tolist()])
    embedded: Embedded = embedder.embed(some)
    there = np.logical_or.reduce([embedded.has(name) for name in embedded.vectors])
    counted = {
        "without a name": int((~named).sum()),
        "without photograph or barcode that can be used": int((~there).sum()),
        "photographs that cannot be read": sum(problem is not None for problem in embedded.problems),
    }
    table = some.table.select(_KEPT).filter(pa.array(there)).combine_chunks()
    columns = {name: table[name].combine_chunks() for name in _KEPT}
    for name, vectors in embedded.vectors.items():
        columns[f"has_{name}"] = pa.array(embedded.has(name)[there])
        columns[name] = as_lists(np.ascontiguousarray(vectors[there]))
    return pa.record_batch(columns), {reason: count for reason, count in counted.items() if count}


def _join(
    folder: Path, embedder: Embedder, specimens: Specimens, asked: Mapping[str, Any], left_out: Mapping[str, int]
) -> None:
    """Put the parts together; `index.json` is written last."""
    building = folder / BUILDING
    parts = sorted(building.glob("part-*.parquet"))
    keys = sum(pq.read_metadata(path).num_rows for path in parts)
    if not keys:
        raise Bioscan5mError(
            f"{specimens.name} holds no key with a name and a photograph or barcode that can be used: tables need "
            "columns such as 'genus' and 'species', FASTA headers such as '>ID genus=Megaselia'"
        )
    width = pq.read_schema(parts[0]).field(embedder.able[0]).type.list_size
    for name in embedder.able:
        _join_vectors(folder, name, parts, (keys, width), asked["precision"])
    table = pa.concat_tables([pq.read_table(path, columns=[*_KEPT, *_flags(embedder.able)]) for path in parts])
    ids = table[PROCESSID].to_pylist()
    if len(set(ids)) < len(ids):
        seen: set[str] = set()
        twice = next(one for one in ids if one in seen or seen.add(one))  # type: ignore[func-returns-value]
        raise Bioscan5mError(f"{specimens.name}: {twice} stands twice: a specimen counts once")
    write_parquet(folder / SPECIMENS, table.replace_schema_metadata(None).combine_chunks().to_batches(), {})
    vectors = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in embedder.able}
    about = {
        "format": FORMAT,
        **{name: asked[name] for name in ("model", "revision", "settings", "modalities", "precision")},
        "package_version": __version__,
        "source": "+".join(without_folder(name) for name in specimens.name.split("+")),
        "split": specimens.split,
        "keys": keys,
        "width": width,
        "with": {name: int(np.asarray(table[f"has_{name}"]).sum()) for name in embedder.able},
        "left_out": dict(left_out),
        "gap": default_gap(vectors).to_dict(),
        "id": _content(table, vectors, asked),
        "asked": dict(asked),
    }
    write_text(folder / INDEX, json.dumps(about, indent=1, ensure_ascii=False) + "\n")
    shutil.rmtree(building)


def _join_vectors(folder: Path, name: str, parts: Sequence[Path], shape: tuple[int, int], precision: str) -> None:
    beside = folder / BUILDING / f"{name}.npy"
    joined = np.lib.format.open_memmap(beside, "w+", np.dtype(precision), shape)
    start = 0
    for path in parts:
        column = pq.read_table(path, columns=[name])[name].combine_chunks()
        block = np.asarray(column.flatten()).reshape(-1, shape[1])
        joined[start : start + len(block)] = block
        start += len(block)
    joined.flush()
    del joined
    os.replace(beside, folder / f"{name}.npy")


def _flags(modalities: Sequence[str]) -> list[str]:
    return [f"has_{name}" for name in modalities]


def _content(table: pa.Table, vectors: Mapping[str, NDArray[np.floating]], asked: Mapping[str, Any]) -> str:
    """Give a digest of the keys: what is fitted on them belongs to them alone."""
    digest = hashlib.sha256(json.dumps([asked["revision"], asked["settings"], list(vectors)]).encode())
    for name in (PROCESSID, *LABELS):
        digest.update(json.dumps(table[name].to_pylist()).encode())
    for each in vectors.values():
        for start in range(0, len(each), PART):
            digest.update(np.ascontiguousarray(each[start : start + PART]).tobytes())
    return digest.hexdigest()[:32]
