"""Vectors of specimens and of names by the model that learns, computed by all processes together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from numpy.typing import NDArray

from ..models.clibd.processing_clibd import TEXT_RANKS
from .contrastive_run import embeddings_of
from .shown import PROCESSID, Shown, Tensors, moved


if TYPE_CHECKING:
    from accelerate import Accelerator

_TEXTS = 1024
"""Names that are embedded at once."""


@dataclass(frozen=True)
class Vectors:
    """Specimens with their vectors, in the order of their processids.

    Args:
        columns: what is known of them.
        vectors: modality → float32, shape (n, width); zeros where a specimen lacks it.
    """

    columns: pa.Table
    vectors: Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Embedding:
    """How vectors are computed.

    Args:
        accelerator: of the run.
        model: that learns, prepared.
        shown: makes its inputs.
    """

    accelerator: Accelerator
    model: torch.nn.Module
    shown: Shown

    def specimens(self, batches: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Vectors:
        """Embed photographs and barcodes; every process gives its own specimens and gets those of all.

        Args:
            batches: of this process, as `ImageBatches` gives them.
            columns: to keep, with `processid`.
        """
        tables, parts = [], []
        for batch in batches:
            tables.append(pa.table({name: pa.array(batch[name], pa.string()) for name in columns}))
            tensors = self.shown(batch)
            found = self._computed({name: each for name, each in tensors.items() if not _of_text(name)})
            there = {name: tensors.get(f"{name}_present") for name in found}
            parts.append({name: _present(each, there[name]) for name, each in found.items()})
        return _together(self._gathered((tables, parts)))

    def texts(self, names: pa.Table) -> NDArray[np.float32]:
        """Embed names; the processes share them.

        Args:
            names: columns `TEXT_RANKS`, shape (n,).

        Returns:
            Shape (n, width).
        """
        rows = list(zip(*(names[rank].to_pylist() for rank in TEXT_RANKS), strict=True))
        rank, count = self.accelerator.process_index, self.accelerator.num_processes
        mine = {
            start: self._computed(self.shown.texts(rows[start : start + _TEXTS]))["text"]
            for number, start in enumerate(range(0, len(rows), _TEXTS))
            if number % count == rank
        }
        parts = {start: each for given in self._gathered(mine) for start, each in given.items()}
        return np.concatenate([parts[start] for start in sorted(parts)])

    @torch.inference_mode()
    def _computed(self, tensors: Tensors) -> dict[str, NDArray[np.float32]]:
        inner, device = self.accelerator.unwrap_model(self.model), self.accelerator.device
        training = [module for module in inner.modules() if module.training]
        inner.eval()
        with self.accelerator.autocast():
            output = inner.forward(**self.shown.ready(moved(tensors, device)), return_loss=False)
        for module in training:  # and no other: towers that do not learn stay as they are
            module.training = True
        return {name: each.float().cpu().numpy() for name, each in embeddings_of(output).items()}

    def _gathered(self, own: Any) -> list[Any]:  # noqa: ANN401
        from accelerate.utils import gather_object

        found: list[Any] = gather_object([own])
        return found


def _together(given: Sequence[tuple[list[pa.Table], list[dict[str, NDArray[np.float32]]]]]) -> Vectors:
    """Join what the processes computed, in an order that does not depend on their number."""
    table = pa.concat_tables([each for tables, _ in given for each in tables])
    parts = [each for _, some in given for each in some]
    order = pc.sort_indices(table[PROCESSID])
    places = np.asarray(order)
    return Vectors(
        table.take(order), {name: np.concatenate([each[name] for each in parts])[places] for name in parts[0]}
    )


def _of_text(name: str) -> bool:
    return name in ("input_ids", "attention_mask", "labels", "joins", "text_joins") or name.endswith("_present")


def _present(vectors: NDArray[np.float32], there: torch.Tensor | None) -> NDArray[np.float32]:
    return vectors if there is None else vectors * there.numpy()[:, None]
