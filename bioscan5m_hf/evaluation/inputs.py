"""What a model is given: the distinct barcodes of a split, or its photographs; each embedded once, looked up often."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from ..data.packages import IMAGE_PACKAGES
from ..data.parquet import take_rows
from ..data.schema import IMAGE
from ..data.sources import Source, open_source, read_tables
from ..errors import EncoderError, TaskError
from .embeddings import Store
from .encoder import METHODS, PROBE, Vectors, probe
from .fusion import concatenated
from .specimens import BARCODE, PROCESSID, SPLIT, Specimens


_IMAGES_AT_ONCE = 256
_NAMES_AT_ONCE = 4096
NAMING = {"dna": "names", "image": "names_of_images"}
"""Modality → the method of a classifier, which takes inputs and a rank and gives a name, or None, for each."""


@dataclass
class Photographs:
    """The photographs of a dataset.

    Args:
        source: an image package, opened.
    """

    source: Source
    _prepared: dict[str, Any] = field(default_factory=dict, repr=False)
    _places: dict[str, dict[str, int]] = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: str | Path, package: str | None = None, revision: str | None = None) -> Photographs:
        """Open the photographs of a dataset.

        Args:
            data: dataset folder, Hub id, or name in the prepared cache of `datasets`.
            package: one of its image packages; by default the first that it has.
            revision: of a dataset on the Hub.

        Raises:
            TaskError: it has none.
        """
        from datasets import get_dataset_config_names

        there = get_dataset_config_names(str(data), revision=revision)
        wanted = [name for name in (IMAGE_PACKAGES if package is None else [package]) if name in there]
        if not wanted:
            raise TaskError(f"{data} has no photographs ({package or 'of any package'}): it has {', '.join(there)}")
        return cls(open_source(data, wanted[0], revision))

    def images(self, split: str, processids: Sequence[str]) -> list[Any]:
        """Give the photographs of some specimens as PIL images in RGB.

        Raises:
            TaskError: a specimen has none.
        """
        from PIL import Image

        places = self._places.setdefault(split, {})
        if not places:
            files = self.source.files[split]
            shards = (table for file in files for table in read_tables(str(file), [PROCESSID]))
            ids = (name for table in shards for name in table[PROCESSID].to_pylist())
            places |= {name: place for place, name in enumerate(ids)}
        if lost := [name for name in processids if name not in places]:
            raise TaskError(f"split {split} of {self.source.path} has no photograph of {lost[0]}")
        wanted = np.array([places[name] for name in processids], np.int64)
        order = np.argsort(wanted)
        tables = self._rows(split, wanted[order])
        read = [image["bytes"] for table in tables for image in table[IMAGE].to_pylist()]
        found: list[Any] = [None] * len(read)
        for place, given in zip(order.tolist(), read, strict=True):
            found[place] = Image.open(io.BytesIO(given)).convert("RGB")
        return found

    def _rows(self, split: str, places: npt.NDArray[np.int64]) -> Iterable[pa.Table]:
        """Give the photographs at ascending places, from shards in a folder, else as `datasets` prepares them."""
        files = [Path(str(file)) for file in self.source.files[split]]
        if all(file.is_file() and file.suffix == ".parquet" for file in files):
            return take_rows(files, places, [IMAGE])
        if split not in self._prepared:
            from datasets import load_dataset

            source = self.source
            rows = load_dataset(source.path, source.config, split=split, revision=source.revision)
            self._prepared[split] = rows.select_columns([IMAGE]).with_format("arrow")
        return [self._prepared[split][places]]


@dataclass
class Embedded:
    """A model's vectors of a dataset.

    Args:
        model: an encoder.
        store: where vectors are kept.
        rows: all specimens that may be asked for.
        photographs: opens the photographs, where images are embedded.
        revision: of the dataset, which tells photographs of the same names apart.

    What was looked up stands in `used`, with the seconds that computing it took.
    """

    model: Any
    store: Store
    rows: Specimens
    photographs: Callable[[], Photographs] | None = None
    revision: str = ""
    used: dict[Any, float] = field(default_factory=dict, init=False)
    _opened: Photographs | None = field(default=None, init=False, repr=False)
    _held: dict[tuple[str, str], tuple[pa.Array, Vectors, float]] = field(default_factory=dict, init=False, repr=False)

    def package(self) -> str:
        """Give the package that photographs are taken from.

        Raises:
            TaskError: there are none.
        """
        return self._photographs().source.config

    def inputs(self, modality: str, split: str) -> pa.Array:
        """Give the distinct inputs of a split: barcodes, texts, or the processids of photographs."""
        return self._keys(modality, self.rows.of([split])).drop_null().unique()

    def probe(self, modality: str, split: str) -> Vectors:
        """Embed the first inputs of a split several times; see `encoder.probe`."""
        some = self.inputs(modality, split)[:PROBE].to_pylist()
        return probe(self._method(modality, split), some, self._where(modality, split))

    def fill(self, modality: str, splits: Sequence[str]) -> None:
        """Compute what is not there yet of the vectors of some splits."""
        for part in modality.split("+"):
            for split in splits:
                inputs = self.inputs(part, split).to_pylist()
                self.store.fill(self._kind(part), inputs, self._method(part, split), self._where(part, split))

    def vectors(self, modality: str, specimens: Specimens) -> Vectors:
        """Give the vectors of specimens, in their order.

        Args:
            modality: `image+dna` gives both vectors of a specimen at length 1, one behind the other.
            specimens: some of the rows.
        """
        if "+" in modality:
            return concatenated([self.vectors(part, specimens) for part in modality.split("+")])
        keys, split_of = self._keys(modality, specimens), specimens.column(SPLIT)
        found: Vectors | None = None
        for split in split_of.unique().to_pylist():
            inputs, vectors, _ = self._read(modality, split)
            mask = np.asarray(pc.equal(split_of, split))
            places = np.asarray(pc.index_in(keys.filter(pa.array(mask)), inputs))
            if found is None:
                found = np.empty((len(specimens), vectors.shape[1]), np.float32)
            if vectors.shape[1] != found.shape[1]:
                widths = f"{found.shape[1]} and, for split {split}, of {vectors.shape[1]}"
                raise EncoderError(f"the encoder gave vectors of {widths} numbers: all must have one width")
            found[mask] = vectors[places]
        return np.empty((0, 0), np.float32) if found is None else found

    def of_barcodes(self, barcodes: Sequence[str]) -> Vectors:
        """Give the vectors of barcodes: the dataset's own, or those that `fill_barcodes` has computed together."""
        own = self._own(barcodes)
        if own is not None:
            return self.vectors("dna", own)
        vectors, seconds = self.store.read("dna", distinct := list(dict.fromkeys(barcodes)))
        self.used[self.store.place("dna", distinct)] = seconds
        place = {barcode: number for number, barcode in enumerate(distinct)}
        return vectors[[place[barcode] for barcode in barcodes]]

    def fill_barcodes(self, barcodes: Sequence[str], what: str) -> None:
        """Compute the vectors of barcodes that are no dataset's.

        Args:
            barcodes: with repetitions.
            what: they are called in messages.
        """
        distinct = list(dict.fromkeys(barcodes))
        if self._own(distinct) is None:
            self.store.fill("dna", distinct, self.model.embed, lambda place: f"{what}, {distinct[place][:20]}…")

    def names(self, modality: str, specimens: Specimens, rank: str) -> list[str | None]:
        """Give the names that a classifier gives specimens at a rank.

        Raises:
            EncoderError: it gave another number of names.
        """
        method = getattr(self.model, NAMING[modality])
        given: list[str | None] = []
        step = _IMAGES_AT_ONCE if modality == "image" else _NAMES_AT_ONCE
        for start in range(0, len(specimens), step):
            some = specimens.take(np.arange(start, min(len(specimens), start + step)))
            names = list(method(self._given(modality, some), rank))
            if len(names) != len(some) or not all(name is None or isinstance(name, str) for name in names):
                raise EncoderError(
                    f"the classifier gave {len(names)} names at rank {rank} for {len(some)} specimens: give a name, "
                    "or None, for each"
                )
            given += names
        return given

    def _given(self, modality: str, specimens: Specimens) -> list[Any]:
        if modality == "dna":
            barcodes: list[str] = specimens.column(BARCODE).to_pylist()
            return barcodes
        found: list[Any] = []
        for split in specimens.column(SPLIT).unique().to_pylist():  # specimens come split by split
            found += self._photographs().images(split, specimens.of([split]).column(PROCESSID).to_pylist())
        return found

    def _own(self, barcodes: Sequence[str]) -> Specimens | None:
        """Give specimens with these barcodes, where the dataset has them all."""
        places = pc.index_in(pa.array(barcodes, pa.large_string()), self.rows.column(BARCODE))
        return None if places.null_count else self.rows.take(np.asarray(places))

    def _keys(self, modality: str, specimens: Specimens) -> pa.Array:
        """Give what is embedded of each specimen; null where it has nothing."""
        if modality == "image":
            return specimens.column(PROCESSID)
        if modality == "text":
            return texts(specimens)
        barcode = specimens.column(BARCODE)
        return pc.if_else(pc.equal(barcode, ""), None, barcode)

    def _read(self, modality: str, split: str) -> tuple[pa.Array, Vectors, float]:
        if (modality, split) not in self._held:
            inputs = self.inputs(modality, split)
            self._held[modality, split] = (inputs, *self.store.read(self._kind(modality), inputs.to_pylist()))
        held = self._held[modality, split]
        self.used[modality, split] = held[2]
        return held

    def _kind(self, modality: str) -> str:
        """Say what inputs are, for the key of their vectors: a processid does not say which photograph is meant."""
        return f"image of {self.package()}, {self.revision}" if modality == "image" else modality

    def _method(self, modality: str, split: str) -> Callable[[list[str]], object]:
        method = getattr(self.model, METHODS[modality])
        if modality != "image":
            return lambda inputs: method(inputs)

        def of_photographs(processids: list[str]) -> Vectors:
            starts = range(0, len(processids), _IMAGES_AT_ONCE)
            parts = (processids[start : start + _IMAGES_AT_ONCE] for start in starts)
            return np.concatenate([np.asarray(method(self._photographs().images(split, part))) for part in parts])

        return of_photographs

    def _photographs(self) -> Photographs:
        if self._opened is None:
            if self.photographs is None:
                raise TaskError("there are no photographs to embed")
            self._opened = self.photographs()
        return self._opened

    def _where(self, modality: str, split: str) -> Callable[[int], str]:
        def name(place: int) -> str:
            rows = self.rows.of([split])
            wanted = self.inputs(modality, split)[place]
            return rows.name(int(pc.index(self._keys(modality, rows), wanted).as_py()))

        return name


def texts(specimens: Specimens) -> pa.Array:
    """Write order, family, genus and species of specimens as CLIBD does (Gong et al. 2025, arXiv 2405.17537).

    Examples:
        >>> texts(Specimens(pa.table({"order": ["Diptera"], "family": ["Phoridae"]}))).to_pylist()
        ['Diptera Phoridae not_classified not_classified']
    """
    names = (
        pc.fill_null(specimens.column(rank), "not_classified") for rank in ("order", "family", "genus", "species")
    )
    return pc.binary_join_element_wise(*names, " ")
