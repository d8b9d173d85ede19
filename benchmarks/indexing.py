"""An index built, and asked as `bioscan5m predict` does, beside what a loop over lists and a flat FAISS index take.

At full size the way over lists takes some 11 GB of memory.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from material import SEED, Bench
from measure import ratios
from records import Bar, Figure


TITLE = "An index of keys"
WIDTH = 768
BASES = 658
"""Of the barcode region that BOLD asks for."""
QUERIES, KEYS = 47_260, 325_668
"""Specimens of `test` and `test_unseen`, and of `train` and `key_unseen`."""

WAYS = {
    "as published": "embeddings in Python lists, sklearn.preprocessing.normalize in float64, then IndexFlatIP",
    "ours": "library.index.Index.open and library.neighbours.Keys.nearest, 1,024 queries at a time; keys in a file",
}
AT_ONCE = 1024


def run(bench: Bench) -> Iterator[Figure]:
    """Build once, and ask once in each way, in processes of their own; memory is sampled meanwhile."""
    small = bench.rows < 100_000  # a quick run
    queries, keys = (size // 100 if small else size for size in (QUERIES, KEYS))
    ran = measure.call("indexing:build", home=bench.home, memory=True, keys=keys)
    note = f"library.building.build_index of {keys:,} barcodes of {BASES} bases, width {WIDTH}; made vectors, no model"
    yield Figure("index: ours: built", "s", [ran.result["seconds"]], note=note)
    note = "peak PSS of the process, less its PSS when imports were there"
    peak = (ran.peak - ran.result["before"]) / 1e9
    yield Figure("index: ours: built: memory", "GB", [peak], Bar("<=", 2), note=note)
    seconds, peaks, answers = {}, {}, {}
    for way, what in WAYS.items():
        ran = measure.call("indexing:ask", home=bench.home, memory=True, way=way, queries=queries, keys=keys)
        seconds[way], peaks[way] = ran.result["seconds"], (ran.peak - ran.result["before"]) / 1e9
        answers[way] = ran.result["found"]
        note = f"{what}; 50 of {keys:,} keys for {queries:,} queries, width {WIDTH}; made vectors, imports excluded"
        yield Figure(f"index: {way}", "s", [seconds[way]], note=note)
        if way == "ours":
            yield Figure("index: ours: opened", "s", [ran.result["opened"]], note="part of the above")
        note = "peak PSS of the process, less its PSS when queries and imports were there"
        yield Figure(f"index: {way}: memory", "GB", [peaks[way]], Bar("<=", 2) if way == "ours" else None, note=note)
    yield Figure("index: as published ÷ ours", "×", ratios([seconds["as published"]], [seconds["ours"]]))
    yield Figure("index: memory, as published ÷ ours", "×", ratios([peaks["as published"]], [peaks["ours"]]))
    same = [one == other for one, other in zip(*answers.values(), strict=True)]
    yield Figure("index: the same nearest key as FAISS's", "share", [sum(same) / len(same)])


class _Made:
    """Gives drawn vectors: what is measured is all that a build does beside its model."""

    name, revision = "made", ""

    def __init__(self) -> None:
        import numpy as np

        self.settings: dict[str, Any] = {}
        self._random = np.random.default_rng(SEED)

    def embed(self, barcodes: list[str]) -> Any:
        """Give a vector of each barcode."""
        import numpy as np

        return self._random.standard_normal((len(barcodes), WIDTH), np.float32)


class _Drawn:
    """Specimens with a drawn barcode and names, a batch at a time."""

    name, split = "drawn", None

    def __init__(self, keys: int) -> None:
        self.keys = keys

    def count(self) -> int:
        """Tell how many there are."""
        return self.keys

    def identity(self) -> str:
        """Name them."""
        return f"{self.name} {self.keys}"

    def batches(self, *, rows: int = 512) -> Iterator[Any]:
        """Draw them."""
        import numpy as np
        import pyarrow as pa

        from bioscan5m_hf.library.specimens import SCHEMA, Batch

        random = np.random.default_rng(SEED)
        for start in range(0, self.keys, rows):
            numbers = range(start, min(self.keys, start + rows))
            letters = np.frombuffer(b"ACGT", np.uint8)[random.integers(0, 4, (len(numbers), BASES))]
            drawn = [
                {
                    **{"processid": f"K{number}", "dna_barcode": row.tobytes().decode(), "order": "Diptera"},
                    **{"genus": f"Aus{number % 4000}", "species": f"Aus{number % 4000} b{number % 12_000}"},
                }
                for number, row in zip(numbers, letters, strict=True)
            ]
            yield Batch(pa.Table.from_pylist(drawn, schema=SCHEMA), [None] * len(drawn))


def build(keys: int) -> dict[str, Any]:
    """Build an index."""
    import torch  # noqa: F401  # before the memory is read

    from bioscan5m_hf.library.building import build_index
    from bioscan5m_hf.library.vectors import Embedder

    specimens, embedder = _Drawn(keys), Embedder(_Made(), ["dna"])
    with tempfile.TemporaryDirectory(prefix="bioscan5m-bench-") as folder:
        before, start = measure.pss(), time.perf_counter()
        index = build_index(Path(folder) / "keys", embedder, specimens)
        return {"seconds": time.perf_counter() - start, "before": before, "keys": len(index)}


def ask(way: str, queries: int, keys: int) -> dict[str, Any]:
    """Ask in one way."""
    import faiss
    import numpy as np
    import torch  # noqa: F401  # before the memory is read
    from sklearn.preprocessing import normalize

    from bioscan5m_hf.library.index import Index
    from bioscan5m_hf.library.neighbours import FOUND, Keys

    random = np.random.default_rng(SEED)
    with tempfile.TemporaryDirectory(prefix="bioscan5m-bench-") as folder:
        stored = make_index(Path(folder), keys)
        near = stored[np.sort(random.integers(0, keys, queries))]
        asked = near + random.standard_normal((queries, WIDTH), np.float32) / 40
        faiss.IndexFlatIP(WIDTH).add(asked[:2])
        before, start = measure.pss(), time.perf_counter()
        if way == "ours":
            index = Index.open(folder)
            searched = Keys(index, index.gap(), np.ones(keys, bool))
            opened = time.perf_counter() - start
            blocks = range(0, queries, AT_ONCE)
            parts = [searched.nearest("dna", {"dna": asked[first : first + AT_ONCE]}) for first in blocks]
            found = np.concatenate([part.place[:, 0] for part in parts])
            seconds = time.perf_counter() - start
            return {"seconds": seconds, "opened": opened, "before": before, "found": found.tolist()}
        lists = [stored[first : first + 8192].tolist() for first in range(0, keys, 8192)]
        flat = [row for block in lists for row in block]  # what its loop over batches leaves
        start = time.perf_counter()
        unit = [normalize(np.array(each)).astype(np.float32) for each in (flat, asked)]
        index = faiss.IndexFlatIP(WIDTH)
        index.add(unit[0])
        _, places = index.search(unit[1], FOUND)
        return {"seconds": time.perf_counter() - start, "before": before, "found": places[:, 0].tolist()}


def make_index(folder: Path, keys: int) -> Any:
    """Write an index of made vectors, a block at a time; give the vectors as they lie in the file."""
    import numpy as np
    import pyarrow as pa
    import pyarrow.parquet as pq

    from bioscan5m_hf.evaluation.gap import Gap
    from bioscan5m_hf.taxonomy import LABELS

    random = np.random.default_rng(SEED)
    made = np.lib.format.open_memmap(folder / "dna.npy", "w+", np.float32, (keys, WIDTH))
    for start in range(0, keys, 10_000):
        block = random.standard_normal((min(10_000, keys - start), WIDTH), np.float32)
        made[start : start + len(block)] = block / np.linalg.norm(block, axis=1, keepdims=True)
    made.flush()
    columns = {"processid": [f"K{number}" for number in range(keys)], "has_dna": np.ones(keys, bool)}
    columns |= {rank: pa.nulls(keys, pa.string()) for rank in LABELS}
    pq.write_table(pa.table(columns), folder / "specimens.parquet")
    about = {
        **{"format": 1, "model": "made", "revision": "", "settings": {}, "id": "", "keys": keys, "width": WIDTH},
        **{"modalities": ["dna"], "gap": Gap({}, {"dna": {"dna→dna": 1.0}}).to_dict()},
    }
    (folder / "index.json").write_text(json.dumps(about))
    return np.load(folder / "dna.npy", mmap_mode="r")
