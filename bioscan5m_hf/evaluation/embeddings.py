"""Embeddings, computed once: Parquet files under a key of their content, in parts, so that a stopped run goes on."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from ..data.manifest import digest
from ..data.parquet import write_shard
from ..errors import Bioscan5mError, OutputError
from .encoder import Vectors, checked


PART = 4096
"""Inputs of a part: what a stopped run loses at most, for each process."""

COLUMN, SECONDS = "embedding", "bioscan5m.seconds"


@dataclass(frozen=True)
class Processes:
    """The processes that embed together; each computes every `count`-th part, and all share the folder.

    Args:
        rank: number of this process, from 0.
        count: of the processes.
        wait: returns when all processes have come to it.
        device: that this process should compute on; empty where it chooses for itself.
    """

    rank: int = 0
    count: int = 1
    wait: Callable[[], object] = field(default=lambda: None)
    device: str = ""

    @classmethod
    def launched(cls) -> Processes:
        """Give those that `accelerate launch` or `torchrun` started, or this one alone.

        Raises:
            Bioscan5mError: they cannot find each other.
        """
        count = int(os.environ.get("WORLD_SIZE", "1"))
        if count == 1:
            return cls()
        import torch
        from accelerate import PartialState

        forced = os.environ.get("ACCELERATE_USE_CPU", "").lower() in ("1", "true", "yes")
        state = PartialState(cpu=forced or not torch.cuda.is_available())
        if state.num_processes != count:  # each would do everything
            raise Bioscan5mError(
                f"{count} processes were launched, and accelerate joined {state.num_processes} of them"
            )
        return cls(state.process_index, count, state.wait_for_everyone, str(state.device))


@dataclass
class Store:
    """Where embeddings are kept.

    Args:
        folder: holds a folder for each key.
        model: what the vectors depend on beside the inputs: name, revision, settings.
        part: inputs of a part.
        processes: that embed together.
        progress: show a bar, in a terminal.
    """

    folder: Path
    model: Mapping[str, Any]
    part: int = PART
    processes: Processes = field(default_factory=Processes)
    progress: bool = False

    def place(self, modality: str, inputs: Sequence[str]) -> Path:
        """Give the folder of some inputs' vectors, named by a key of them and of the model."""
        return self.folder / digest(dict(self.model), modality, self.part, list(inputs))

    def fill(
        self,
        modality: str,
        inputs: Sequence[str],
        embed: Callable[[list[str]], object],
        where: Callable[[int], str] = "input {}".format,
    ) -> Path:
        """Compute this process's parts of some inputs' vectors, without those that are there.

        Args:
            modality: of the inputs, with all that they depend on beside their names.
            inputs: barcodes, or names of photographs, each once; shape (n,).
            embed: gives the vectors of a list of inputs.
            where: place of an input → what it is called in messages.

        Returns:
            The folder; it is complete when all processes have come so far.

        Raises:
            EncoderError: what the encoder gave cannot be used.
        """
        from tqdm import tqdm

        folder = self.place(modality, inputs)
        starts = range(0, len(inputs), self.part)
        mine = [number for number in range(len(starts)) if number % self.processes.count == self.processes.rank]
        left = [number for number in mine if not self._file(folder, number, len(starts)).exists()]
        done = len(mine) - len(left)
        with tqdm(
            total=len(mine), initial=done, unit=" parts", disable=None if self.progress else True, leave=False
        ) as bar:
            for number in left:
                start = starts[number]
                some = list(inputs[start : start + self.part])
                begun = time.perf_counter()
                vectors = checked(embed(some), len(some), partial(_from, start, where))
                self._write(self._file(folder, number, len(starts)), vectors, time.perf_counter() - begun)
                bar.update()
        return folder

    def read(self, modality: str, inputs: Sequence[str]) -> tuple[Vectors, float]:
        """Read the vectors of some inputs, and how many seconds it took to compute them.

        Returns:
            float32, shape (n, width), in the order of the inputs; and seconds, summed over processes.

        Raises:
            OutputError: a part is missing or damaged, or of another width.
        """
        folder, vectors, seconds = self.place(modality, inputs), None, 0.0
        count = len(range(0, len(inputs), self.part))
        for number in range(count):
            path, start = self._file(folder, number, count), number * self.part
            block, spent = _read(path)
            rows = min(self.part, len(inputs) - start)
            if vectors is None:
                vectors = np.empty((len(inputs), block.shape[1]), np.float32)
            if block.shape != (rows, vectors.shape[1]):
                raise OutputError(
                    f"{path} holds vectors of shape {block.shape} where {(rows, vectors.shape[1])} belong: "
                    f"remove {folder}, and look whether the encoder gives vectors of one width"
                )
            vectors[start : start + rows] = block
            seconds += spent
        if vectors is None:
            raise OutputError("there is no input to embed")
        return vectors, seconds

    def _file(self, folder: Path, number: int, count: int) -> Path:
        return folder / f"part-{number:05d}-of-{count:05d}.parquet"

    def _write(self, path: Path, vectors: Vectors, seconds: float) -> None:
        width = vectors.shape[1]
        column = pa.FixedSizeListArray.from_arrays(pa.array(vectors.reshape(-1), pa.float32()), width)
        said = {f"bioscan5m.{name}": str(value) for name, value in self.model.items()} | {SECONDS: repr(seconds)}
        table = pa.table({COLUMN: column}).replace_schema_metadata(said)
        write_shard(path, table.schema, [table])


def default_folder() -> Path:
    """Give the folder of embeddings in the cache of the Hub's libraries."""
    from huggingface_hub.constants import HF_HOME

    return Path(os.path.expanduser(HF_HOME)) / "bioscan5m" / "embeddings"


def _from(start: int, where: Callable[[int], str], place: int) -> str:
    return where(start + place)


def _read(path: Path) -> tuple[Vectors, float]:
    try:
        table = pq.read_table(path)
        column = table[COLUMN].combine_chunks()
        width = table.schema.field(COLUMN).type.list_size
        seconds = float((table.schema.metadata or {})[SECONDS.encode()])
        return np.asarray(column.flatten()).reshape(len(table), width), seconds
    except FileNotFoundError as error:
        raise OutputError(f"{path} is missing: evaluate again, and it is computed") from error
    except (OSError, pa.ArrowInvalid, KeyError, ValueError) as error:
        raise OutputError(f"{path} is damaged ({error}): remove it and evaluate again") from error
