"""The nearest barcode by alignment: BLAST+, run as biologists run it."""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..errors import Bioscan5mError


FIELDS = "6 qseqid sseqid bitscore"
TASKS = ("megablast", "blastn")
"""How hits are looked for: megablast, what `blastn` does unless told otherwise, from words of 28 equal bases; blastn
from words of 11, which finds more distant relatives and takes several times as long."""


def blast_hits(
    barcodes: Sequence[str],
    queries: npt.NDArray[np.intp],
    keys: npt.NDArray[np.intp],
    *,
    task: str = "megablast",
    hits: int = 500,
    threads: int = 1,
) -> dict[int, list[tuple[int, float]]]:
    """Align queries with keys, best hits first.

    Args:
        barcodes: all sequences.
        queries: places of the queries.
        keys: places of the keys.
        task: one of `TASKS`.
        hits: keys that are reported for each query, at most. To find the nearest specimen of another species, it must
            exceed the number of specimens of its own.
        threads: that `blastn` may use.

    Returns:
        Place of the query → place of a key and bit score, best first; a query without hit is not there.

    Raises:
        Bioscan5mError: BLAST+ is not installed, or failed.
        ValueError: there is no such task.
    """
    if task not in TASKS:
        raise ValueError(f"there is no task {task!r}; use one of {', '.join(TASKS)}")
    if shutil.which("blastn") is None or shutil.which("makeblastdb") is None:
        raise Bioscan5mError("BLAST+ is not installed: on Debian, `apt install ncbi-blast+`")
    with tempfile.TemporaryDirectory() as folder:
        for name, places in (("keys", keys), ("queries", queries)):
            lines = (f">{place}\n{barcodes[place]}\n" for place in places.tolist())
            Path(folder, name).write_text("".join(lines), encoding="ascii")
        _run(["makeblastdb", "-in", "keys", "-dbtype", "nucl", "-out", "keys"], folder)
        words = ["-task", task, "-strand", "plus", "-max_target_seqs", str(hits), "-max_hsps", "1"]
        words += ["-num_threads", str(threads), "-outfmt", FIELDS, "-evalue", "1e-20"]
        out = _run(["blastn", "-db", "keys", "-query", "queries", *words], folder)
    found: dict[int, list[tuple[int, float]]] = {}
    for line in out.splitlines():
        query, key, score = line.split("\t")
        found.setdefault(int(query), []).append((int(key), float(score)))
    return {query: sorted(several, key=lambda hit: -hit[1]) for query, several in found.items()}


def _run(command: list[str], folder: str) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Bioscan5mError(f"{command[0]} failed ({done.returncode}): {done.stderr.strip()[:500]}")
    return done.stdout
