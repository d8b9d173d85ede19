"""Specimens to vectors: the photograph and the barcode of each, and what is wrong with them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from ..data.images.photographs import PhotographError, open_photograph
from ..embedding.files import BARCODE, PROCESSID
from ..embedding.naming import check_columns, read_strands
from ..embedding.quality import Prepared, prepare
from ..errors import EncoderError
from ..evaluation.gap import KINDS
from .specimens import MODALITIES, Batch


PIXELS_AT_ONCE = 64_000_000
"""Photographs are opened until they have so many pixels (192 MB), and then computed."""


@dataclass(frozen=True)
class Embedded:
    """A batch, embedded.

    Args:
        vectors: modality → vectors of length 1, zeros where a specimen has none; float32, shape (n, width).
        checks: of each barcode, the columns of `embedding.quality.CHECKS`.
        problems: why a photograph cannot be read; None where nothing is wrong.
    """

    vectors: dict[str, NDArray[np.float32]]
    checks: list[dict[str, Any]]
    problems: list[str | None]

    def has(self, modality: str) -> NDArray[np.bool_]:
        """Tell which specimens have a vector, shape (n,)."""
        return np.asarray(self.vectors[modality].any(axis=1))

    def of_kind(self, kind: str) -> NDArray[np.intp]:
        """List the specimens with exactly these modalities, such as `image+dna`.

        Args:
            kind: one of `evaluation.gap.KINDS`, or empty for those with nothing.
        """
        wanted = kind.split("+") if kind else []
        fits = [self.has(name) == (name in wanted) for name in self.vectors]
        return np.flatnonzero(np.logical_and.reduce(fits))


@dataclass(frozen=True)
class Embedder:
    """Embeds specimens.

    Args:
        encoder: with `embed` or `embed_images` or both, as `adapters.load_encoder` gives.
        modalities: what is looked at.
        strength: tells how near the nearest key of a barcode's vector is; where it is given, a read whose strand is
            doubtful is read on both, and the nearer one is taken.

    Raises:
        EncoderError: the model has none of these towers.
    """

    encoder: Any
    modalities: Sequence[str] = MODALITIES
    strength: Callable[[NDArray[np.float32]], NDArray[np.floating]] | None = None

    def __post_init__(self) -> None:
        if unknown := [name for name in self.modalities if name not in MODALITIES]:
            raise ValueError(f"unknown modality {unknown[0]!r}: use some of {', '.join(MODALITIES)}")
        if not self.able:
            raise EncoderError(f"{self.encoder.name} embeds none of {', '.join(self.modalities)}")

    @property
    def able(self) -> tuple[str, ...]:
        """What is embedded: the modalities that are wanted and that the model has."""
        methods = {"image": "embed_images", "dna": "embed"}
        return tuple(
            name for name in self.modalities if getattr(self.encoder, methods[name], None) is not None
        )  # a model of CLIBD has None in place of a tower that it lacks

    @property
    def kinds(self) -> tuple[str, ...]:
        """What a specimen may be asked by."""
        return tuple(kind for kind in KINDS if set(kind.split("+")) <= set(self.able))

    @property
    def device(self) -> str:
        """Where the model computes; vectors are compared there, too."""
        return str(getattr(getattr(self.encoder, "model", None), "device", "cpu"))

    @property
    def k(self) -> int:
        """Bases that a barcode must have: those of a k-mer."""
        return int(getattr(self.encoder, "k", 1))

    def rows(self, barcodes: pa.Array) -> NDArray[np.float32]:
        """Give vectors of usable barcodes, as `embedding.naming.read_strands` asks for them."""
        return np.asarray(self.encoder.embed(barcodes.to_pylist()), np.float32)

    def embed(self, batch: Batch) -> Embedded:
        """Embed a batch.

        Barcodes that say nothing (empty, mostly N, no nucleotides) and photographs that cannot be read have no vector.

        Raises:
            EncoderError: a vector is not finite.
        """
        prepared = prepare(batch.table[BARCODE].combine_chunks(), self.k)
        problems: list[str | None] = [None] * len(batch)
        vectors = {}
        if "image" in self.able:
            vectors["image"] = self._photographs(batch, problems)
        if "dna" in self.able:
            prepared, rows = self._read(prepared)
            vectors["dna"] = self._placed(batch, "dna", np.flatnonzero(prepared.usable), rows)
        return Embedded(vectors, check_columns(prepared), problems)

    def _read(self, prepared: Prepared) -> tuple[Prepared, NDArray[np.float32]]:
        if self.strength is not None:
            return read_strands(self, prepared)
        return prepared, self.rows(prepared.barcodes.take(pa.array(np.flatnonzero(prepared.usable))))

    def _photographs(self, batch: Batch, problems: list[str | None]) -> NDArray[np.float32]:
        found = [self.encoder.embed_images([])]
        places: list[int] = []
        images: list[Any] = []
        for place, photograph in enumerate(batch.photographs):
            if photograph is None:
                continue
            try:
                images.append(open_photograph(photograph, reduced=True))
                places.append(place)
            except PhotographError as error:
                name = photograph if isinstance(photograph, Path) else "its photograph"
                problems[place] = f"{name}: {error}"
            if sum(image.width * image.height for image in images) >= PIXELS_AT_ONCE:
                found.append(self.encoder.embed_images(images))
                images = []
        found.append(self.encoder.embed_images(images))
        return self._placed(batch, "image", np.array(places, np.intp), np.concatenate(found))

    def _placed(
        self, batch: Batch, modality: str, places: NDArray[np.intp], given: NDArray[np.float32]
    ) -> NDArray[np.float32]:
        """Bring vectors to length 1 and to their places; one of zeros says nothing, and stays."""
        vectors = np.zeros((len(batch), given.shape[1]), np.float32)
        length = np.linalg.norm(given, axis=1, keepdims=True)
        if len(wrong := np.flatnonzero(~np.isfinite(length))):
            identity = batch.table[PROCESSID][int(places[wrong[0]])].as_py()
            raise EncoderError(f"{self.encoder.name} gave no finite vector of {modality} for {identity}")
        vectors[places] = given / np.maximum(length, 1e-12)
        return vectors
