"""The nearest barcode by alignment: BLAST+, run as biologists run it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from ..errors import Bioscan5mError


FIELDS = "6 qseqid sseqid bitscore nident length qlen"
TASKS = ("megablast", "blastn")
"""How hits are looked for: megablast, what `blastn` does unless told otherwise, from words of 28 equal bases; blastn
from words of 11, which finds more distant relatives and takes several times as long."""


LEAST_COVER = 0.75
"""Share of a query that an alignment has to cover before its identity is believed: short ones are alike by chance."""


class Hit(NamedTuple):
    """A key that was aligned with a query.

    Args:
        key: its place.
        bits: score of the alignment.
        identity: share of the alignment's columns that are equal; 1 less it is the p-distance, gaps included.
        cover: columns of the alignment as a share of the query's length.
    """

    key: int
    bits: float
    identity: float
    cover: float


Alignments = Mapping[int, Sequence[Hit]]
Ordered = dict[int, list[tuple[int, float]]]


def by_bits(found: Alignments) -> Ordered:
    """Order hits by bit score; of equal ones the key that comes first among the rows.

    Args:
        found: what `alignments` gave.

    Returns:
        Place of the query → place of a key and bit score, best first.

    Examples:
        >>> by_bits({0: [Hit(1, 900.0, 0.98, 1.0), Hit(2, 950.0, 0.97, 1.0)]})
        {0: [(2, 950.0), (1, 900.0)]}
    """
    return _ordered(found, lambda hit: (hit.bits,), lambda hit: hit.bits)


def by_identity(found: Alignments) -> Ordered:
    """Order hits by identity, those that cover too little of the query after all others.

    Equal ones are ordered by bit score, and then by their places among the rows.

    Args:
        found: what `alignments` gave.

    Returns:
        Place of the query → place of a key and identity, best first.

    Examples:
        >>> by_identity({0: [Hit(1, 900.0, 0.98, 1.0), Hit(2, 950.0, 0.97, 1.0), Hit(3, 90.0, 1.0, 0.1)]})
        {0: [(1, 0.98), (2, 0.97), (3, 1.0)]}
    """
    return _ordered(found, lambda hit: (hit.cover >= LEAST_COVER, hit.identity, hit.bits), lambda hit: hit.identity)


def _ordered(found: Alignments, worth: Callable[[Hit], tuple[float, ...]], score: Callable[[Hit], float]) -> Ordered:
    return {
        query: [
            (hit.key, score(hit))
            for hit in sorted(sorted(hits, key=lambda hit: hit.key), key=worth, reverse=True)  # sorting is stable
        ]
        for query, hits in found.items()
    }


ORDERS = {"bit score": by_bits, "p-distance": by_identity}
"""How the nearest key is told from the others."""


def blast_hits(
    barcodes: Sequence[str],
    queries: npt.NDArray[np.intp],
    keys: npt.NDArray[np.intp],
    *,
    task: str = "megablast",
    hits: int = 500,
    threads: int = 1,
) -> Ordered:
    """Align queries with keys, best bit score first.

    Args:
        barcodes: all sequences.
        queries: places of the queries.
        keys: places of the keys.
        task: one of `TASKS`.
        hits: keys that are reported for each query, at most.
        threads: that `blastn` may use.

    Returns:
        Place of the query → place of a key and bit score; a query without hit is not there.

    Raises:
        Bioscan5mError: BLAST+ is not installed, or failed.
        ValueError: there is no such task.
    """
    return by_bits(alignments(barcodes, queries, keys, task=task, hits=hits, threads=threads))


def alignments(
    barcodes: Sequence[str],
    queries: npt.NDArray[np.intp],
    keys: npt.NDArray[np.intp],
    *,
    task: str = "megablast",
    hits: int = 500,
    threads: int = 1,
) -> dict[int, list[Hit]]:
    """Align queries with keys.

    Args:
        barcodes: all sequences.
        queries: places of the queries.
        keys: places of the keys.
        task: one of `TASKS`.
        hits: keys that are reported for each query, at most. To find the nearest specimen of another species, it must
            exceed the number of specimens of its own.
        threads: that `blastn` may use.

    Returns:
        Place of the query → its hits, as BLAST+ orders them; a query without hit is not there.

    Raises:
        Bioscan5mError: BLAST+ is not installed, or failed.
        ValueError: there is no such task.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; use one of {', '.join(TASKS)}")
    if shutil.which("blastn") is None or shutil.which("makeblastdb") is None:
        raise Bioscan5mError("BLAST+ is not installed: on Debian, `apt install ncbi-blast+`")
    with tempfile.TemporaryDirectory() as folder:
        for name, places in (("keys", np.sort(keys)[::-1]), ("queries", queries)):  # of equal keys it reports the last
            lines = (f">{place}\n{barcodes[place]}\n" for place in places.tolist())
            Path(folder, name).write_text("".join(lines), encoding="ascii")
        _run(["makeblastdb", "-in", "keys", "-dbtype", "nucl", "-out", "keys"], folder)
        words = ["-task", task, "-strand", "plus", "-max_target_seqs", str(hits), "-max_hsps", "1"]
        words += ["-num_threads", str(threads), "-outfmt", FIELDS, "-evalue", "1e-20"]
        out = _run(["blastn", "-db", "keys", "-query", "queries", *words], folder)
    found: dict[int, list[Hit]] = {}
    for line in out.splitlines():
        query, key, bits, identical, columns, length = line.split("\t")
        hit = Hit(int(key), float(bits), int(identical) / int(columns), int(columns) / int(length))
        found.setdefault(int(query), []).append(hit)
    return found


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Bioscan5mError(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()[:500]}")
    return done.stdout
