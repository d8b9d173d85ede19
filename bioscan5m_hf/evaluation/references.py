"""Reference lines that every report carries: chance, counts of k-mers, and alignment."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np

from ..errors import Bioscan5mError
from .blast import TASKS, blast_hits
from .counts import count_kmers
from .encoder import Vectors


PREFIX = "reference:"
Hits = dict[int, list[tuple[int, float]]]


@dataclass(frozen=True)
class Chance:
    """A vector of chance for each barcode, the same for the same barcode: what knows nothing.

    Args:
        width: numbers of a vector.
        seed: of chance.

    Examples:
        >>> bool((Chance().embed(["ACGT", "ACGT"])[0] == Chance().embed(["ACGT"])[0]).all())
        True
    """

    width: int = 256
    seed: int = 0
    name: str = f"{PREFIX}random"
    revision: str = "1"
    pretrained_on: tuple[str, ...] = ()

    @property
    def settings(self) -> dict[str, Any]:
        """What the vectors depend on."""
        return {"width": self.width, "seed": self.seed, "vectors": "normal, drawn from the barcode's digest"}

    def embed(self, barcodes: Sequence[str]) -> Vectors:
        """Give a vector for each barcode."""
        digests = (hashlib.sha256(f"{self.seed} {barcode}".encode()).digest() for barcode in barcodes)
        drawn = (np.random.default_rng(int.from_bytes(digest)).standard_normal(self.width) for digest in digests)
        return np.array(list(drawn), np.float32).reshape(-1, self.width)


@dataclass(frozen=True)
class Counts:
    """Counts of overlapping k-mers.

    Args:
        k: bases of a k-mer.

    Examples:
        >>> Counts(2).name, Counts(2).embed(["ACGT"]).shape
        ('reference:2-mers', (1, 16))
    """

    k: int
    revision: str = "1"
    pretrained_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{PREFIX}{self.k}-mers"

    @property
    def settings(self) -> dict[str, Any]:
        """What the vectors depend on."""
        return {"counts of overlapping k-mers": self.k}

    def embed(self, barcodes: Sequence[str]) -> Vectors:
        """Give the counts of each barcode, shape (n, 4 ** k)."""
        return count_kmers(list(barcodes), self.k)


@dataclass(frozen=True)
class Alignment:
    """BLAST+, which finds the nearest keys without vectors.

    Args:
        task: `megablast` or `blastn`, see `blast.TASKS`.
        threads: that it may use.
    """

    task: str
    threads: int = os.cpu_count() or 1
    pretrained_on: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """What it is called."""
        return f"{PREFIX}{self.task}"

    @property
    def revision(self) -> str:
        """Version of BLAST+.

        Raises:
            Bioscan5mError: it is not installed.
        """
        if not installed():
            raise Bioscan5mError("BLAST+ is not installed: on Debian, `apt install ncbi-blast+`")
        done = subprocess.run(["blastn", "-version"], capture_output=True, text=True, check=True)
        return done.stdout.splitlines()[0].removeprefix("blastn: ")

    @property
    def settings(self) -> dict[str, Any]:
        """How it looks for hits."""
        return {"task": self.task, "strand": "plus", "expect": 1e-20, "ties": "of equal bit scores the first key"}

    def align(self, barcodes: Sequence[str], queries: Sequence[int], keys: Sequence[int], hits: int) -> Hits:
        """Give the best keys of each query; see `blast_hits`.

        Args:
            barcodes: of all rows.
            queries: places of the queries.
            keys: places of the keys.
            hits: keys for each query, at most.
        """
        places = (np.asarray(queries, np.intp), np.asarray(keys, np.intp))
        return blast_hits(barcodes, *places, task=self.task, hits=hits, threads=self.threads)


def installed() -> bool:
    """Tell whether BLAST+ is there."""
    return shutil.which("blastn") is not None and shutil.which("makeblastdb") is not None


REFERENCES: Mapping[str, Callable[[], Any]] = MappingProxyType(
    {
        f"{PREFIX}random": Chance,
        f"{PREFIX}4-mers": lambda: Counts(4),
        f"{PREFIX}6-mers": lambda: Counts(6),
        **{f"{PREFIX}{task}": (lambda task=task: Alignment(task)) for task in TASKS},  # type: ignore[misc]
    }
)
"""Name → what makes it. The untrained network is a model, so it is not here but among the adapters."""

LINES = (f"{PREFIX}random", f"{PREFIX}4-mers", f"{PREFIX}6-mers", f"{PREFIX}cnn-untrained", f"{PREFIX}megablast")
"""The lines that every report carries; `reference:blastn` takes several times as long and is asked for by its name."""
