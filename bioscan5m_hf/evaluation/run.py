"""One task, ready to be computed: its rows, its settings, and the vectors of a model."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from ..errors import TaskError
from .answers import Mask
from .encoder import Vectors
from .inputs import Embedded
from .search import PRECISIONS, Search
from .specimens import Places, Specimens
from .strata import strata
from .task import Task


@dataclass(frozen=True)
class Run:
    """One task on one dataset, ready to be computed.

    Args:
        task: its declaration.
        specimens: rows of its splits, prepared as it says.
        settings: what was chosen.
        seed: what everything is drawn from.
        modality: what is embedded.
        embedded: the model's vectors of the dataset.
        model: what is measured.
        pretrain_bins: splits that models are pretrained on → their BINs, see `strata`.
        queries_at_most: queries that are asked, drawn at random; None for all.
    """

    task: Task
    specimens: Specimens
    settings: Mapping[str, Any]
    seed: int
    modality: str
    embedded: Embedded
    model: Any
    pretrain_bins: Mapping[str, pa.Array] | None = None
    queries_at_most: int | None = None

    def part(self, splits: Sequence[str]) -> Specimens:
        """Give the specimens of some splits."""
        return self.specimens.of(splits)

    def queries(self) -> Specimens:
        """Give the specimens that are asked for: all, or so many as were wanted."""
        found = self.part(self.task.queries)
        return found.take(self.sampled(np.arange(len(found))))

    def sampled(self, places: Places, most: int | None = None) -> Places:
        """Draw as many places as were wanted, the same each time.

        Args:
            places: of specimens that can be asked.
            most: that the task itself wants.

        Raises:
            ValueError: a negative number.
        """
        if most is not None and most < 0:
            raise ValueError(f"queries is {most}: use a number from 1, or 0 for all")
        wanted = min((limit for limit in (most, self.queries_at_most) if limit is not None), default=len(places))
        if len(places) <= wanted:
            return places
        return np.sort(np.random.default_rng(self.seed).permutation(places)[:wanted])

    def masks(self, specimens: Specimens) -> dict[str, Mask]:
        """Tell which specimens belong to which stratum."""
        return strata(specimens.column("species"), specimens.column("dna_bin"), self.pretrain_bins)

    def vectors(self, specimens: Specimens) -> Vectors:
        """Give the embeddings of specimens, in their order."""
        return self.embedded.vectors(self.modality, specimens)

    @property
    def search(self) -> Search:
        """How keys are searched: in the precision that was chosen, on a GPU where torch has been loaded and has one.

        Raises:
            TaskError: there is no such precision.
        """
        torch = sys.modules.get("torch")
        device = "cuda" if torch is not None and torch.cuda.is_available() else "cpu"
        precision = self.settings.get("precision", PRECISIONS[0])
        if precision not in PRECISIONS:
            raise TaskError(f"task {self.task.name}: precision is {precision!r}: use {' or '.join(PRECISIONS)}")
        return Search(device=device, precision=precision)

    @property
    def options(self) -> dict[str, Any]:
        """What was chosen beside the precision of the search."""
        return {name: value for name, value in self.settings.items() if name != "precision"}

    def part_name(self) -> str:
        """Give what the queries are called in the names of scores: their splits."""
        return "+".join(self.task.queries)
