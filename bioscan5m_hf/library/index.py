"""The index: keys of a reference library in a folder, their vectors in files that are read where they lie."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from ..embedding.files import PROCESSID
from ..embedding.lineage import check_known
from ..errors import OutputError
from ..evaluation.gap import ARROW, KINDS, Gap, centres_of
from ..evaluation.search import Vectors
from ..taxonomy import LABELS


INDEX, SPECIMENS = "index.json", "specimens.parquet"
FORMAT = 1
PRECISIONS = ("float32", "float16")
"""What vectors are kept in; float16 takes half of the room and changes cosines by about 0.0003 at most."""


@dataclass(frozen=True)
class Index:
    """Keys of a reference library, opened.

    A folder holds `specimens.parquet` (processid, labels, place, split, `has_image`, `has_dna`), `image.npy` and
    `dna.npy` (vectors of length 1, zeros where a key has none) and `index.json`, which is written last.

    Args:
        folder: of the index.
        about: what `index.json` says: model, revision, settings, source, splits, counts, and an `id` of the content.
        table: the keys without vectors; an m-row table.
        vectors: modality → memory-mapped vectors, shape (m, width).

    Examples:
        >>> is_index("no/such/folder")
        False
    """

    folder: Path
    about: Mapping[str, Any]
    table: pa.Table
    vectors: Mapping[str, Vectors]

    def __len__(self) -> int:
        return len(self.table)

    @classmethod
    def open(cls, folder: str | Path, encoder: Any = None) -> Index:  # noqa: ANN401
        """Open an index.

        Args:
            folder: where it lies.
            encoder: the model whose vectors are to be compared with it, as `adapters.load_encoder` gives.

        Raises:
            OutputError: no index, one that is not whole, or of another model or revision, which is named.
        """
        folder = Path(folder)
        about = read_about(folder)
        if encoder is not None:
            check_model(folder, about, encoder)
        try:
            table = pq.read_table(folder / SPECIMENS)
            vectors = {name: np.load(folder / f"{name}.npy", mmap_mode="r") for name in about["modalities"]}
        except (OSError, ValueError, pa.ArrowInvalid) as error:
            raise OutputError(f"{folder} is damaged ({error}): remove it and index again") from error
        if wrong := [name for name, each in vectors.items() if each.shape != (about["keys"], about["width"])]:
            raise OutputError(f"{folder} is damaged ({wrong[0]}.npy is of another size): remove it and index again")
        if len(table) != about["keys"]:
            raise OutputError(f"{folder} is damaged ({SPECIMENS} has another length): remove it and index again")
        return cls(folder, about, table, vectors)

    def places_of(self, processids: pa.Array) -> NDArray[np.int64]:
        """Give the place of each specimen that is a key, -1 for the others; shape (n,)."""
        found = pc.index_in(processids, value_set=column_of(self.table, PROCESSID))
        return np.asarray(pc.fill_null(found, -1)).astype(np.int64)

    def names(self, rank: str) -> pa.Array:
        """Give the name of each key at a rank, null where it has none."""
        return column_of(self.table, rank)

    def coded(self, rank: str) -> tuple[pa.Array, NDArray[np.int64]]:
        """Give the names of a rank, as they come, and the number of each key's among them, -1 for none; shape (m,)."""
        encoded = self.names(rank).dictionary_encode()
        return encoded.dictionary, np.asarray(encoded.indices.fill_null(-1)).astype(np.int64)

    def has(self, modality: str) -> NDArray[np.bool_]:
        """Tell which keys have a vector of a modality, shape (m,)."""
        name = f"has_{modality}"
        if name not in self.table.column_names:
            return np.zeros(len(self), bool)
        return np.asarray(column_of(self.table, name))

    def within(self, taxa: Mapping[str, Sequence[str]]) -> NDArray[np.bool_]:
        """Tell which keys lie within some taxa; a key without a name at such a rank does not.

        Args:
            taxa: rank → names; one of the names of every rank must hold.

        Returns:
            Shape (m,).

        Raises:
            ValueError: no key has such a name, or none lies within all.
        """
        allowed = np.ones(len(self), bool)
        for rank, wanted in taxa.items():
            names = self.names(rank)
            check_known(rank, wanted, names.drop_null().unique().to_pylist(), "the keys")
            allowed &= np.asarray(pc.fill_null(pc.is_in(names, value_set=pa.array(wanted, pa.string())), False))
        if not allowed.any():
            raise ValueError("no key lies within all these taxa: restrict less")
        return allowed

    def of_split(self, split: str) -> NDArray[np.bool_]:
        """Tell which keys come from a split; all of them where none does. Shape (m,)."""
        found = np.asarray(pc.fill_null(pc.equal(column_of(self.table, "split"), split), False))
        return found if found.any() else np.ones(len(self), bool)

    def gap(self) -> Gap:
        """Give how to compare where nothing has been fitted, as `default_gap` does."""
        return Gap.from_dict(self.about["gap"])


def is_index(path: str | Path) -> bool:
    """Tell whether a folder is an index, or one that is being built."""
    return (Path(path) / INDEX).is_file() or (Path(path) / BUILDING).is_dir()


BUILDING = ".building"


def read_about(folder: Path) -> dict[str, Any]:
    """Read `index.json`.

    Raises:
        OutputError: there is none, or it is damaged or of another format.
    """
    path = folder / INDEX
    if not path.is_file():
        if (folder / BUILDING).is_dir():
            raise OutputError(f"{folder} is not whole: give the same `bioscan5m index` again, and it goes on")
        raise OutputError(f"{folder} is no index: make one with `bioscan5m index`")
    try:
        about: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        if about["format"] != FORMAT:
            raise OutputError(f"{folder} was made by another version of this package: index again")
        Gap.from_dict(about["gap"])
        for name in ("model", "revision", "settings", "modalities", "keys", "width", "id"):
            about[name]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise OutputError(f"{path} is damaged ({error}): remove {folder} and index again") from error
    return about


def check_model(folder: Path, about: Mapping[str, Any], encoder: Any) -> None:  # noqa: ANN401
    """Refuse vectors of another model.

    A folder may have moved, so it is the revision, which for a folder is a digest of its weights, that has to agree,
    and the settings, but for the type that is computed in.

    Raises:
        OutputError: another model, revision, or settings; says which.
    """
    given, made = dict(encoder.settings), dict(about["settings"])
    given.pop("dtype", None)
    made.pop("dtype", None)
    if about["revision"] == encoder.revision and made == json.loads(json.dumps(given, default=str)):
        return
    if about["revision"] != encoder.revision:
        what = f"revision {encoder.revision}"
    else:
        what = f"revision {encoder.revision} with other settings ({_differing(made, given)})"
    raise OutputError(
        f"{folder} holds keys of {about['model']}, revision {about['revision']}, and the model is {encoder.name}, "
        f"{what}: vectors of different models cannot be compared; name that model, or index into another folder"
    )


def default_gap(vectors: Mapping[str, Vectors]) -> Gap:
    """Compare each modality with its own, alike; with the other where keys have not their own.

    Args:
        vectors: modality → vectors of the keys, shape (m, width).

    Examples:
        >>> default_gap({"dna": np.eye(2)}).weights["image+dna"]
        {'dna→dna': 1.0}
    """
    weights: dict[str, dict[str, float]] = {}
    for kind in KINDS:
        own = [name for name in kind.split("+") if name in vectors]
        pairs = [(name, name) for name in own] or [(kind, name) for name in vectors]
        weights[kind] = {f"{one}{ARROW}{other}": 1.0 for one, other in pairs}
    return Gap(centres_of(vectors), weights)


def column_of(table: pa.Table, name: str) -> pa.Array:
    """Give a column in one piece."""
    column = table[name].combine_chunks()
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def key_rows(index: Index, places: NDArray[np.int64]) -> list[dict[str, Any]]:
    """Give processid, labels and place of keys.

    Args:
        index: the keys.
        places: shape (n,), in any order.
    """
    wanted = [PROCESSID, *LABELS, "country", "coord-lat", "coord-lon"]
    rows: list[dict[str, Any]] = index.table.select(wanted).take(pa.array(places)).to_pylist()
    return rows


def _differing(made: Mapping[str, Any], given: Mapping[str, Any]) -> str:
    names = sorted(name for name in made.keys() | given.keys() if made.get(name) != given.get(name))
    return ", ".join(f"{name} {made.get(name)!r}, not {given.get(name)!r}" for name in names)
