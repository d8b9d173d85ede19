"""Nearest keys, Ward's clusters and mutual information: ours beside scikit-learn and FAISS, at equal answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import measure
from material import SEED, Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "Nearest keys, clusters, mutual information"
WIDTH = 768
QUERIES, KEYS = 5_000, 60_000
POINTS, DIMENSIONS = 12_000, 50
SPECIMENS, CLASSES = 47_260, 4_363
SEARCHES = {
    "scikit-learn": "NearestNeighbors(1, metric='cosine', algorithm='brute')",
    "ours": "evaluation.search.Search().nearest",
    "ours, bf16": "the same with precision='bfloat16': candidates in bf16, compared again in float32",
}
RETRIEVALS = {
    "as published": "embeddings in Python lists, sklearn.preprocessing.normalize in float64, then IndexFlatIP",
    "FAISS": "faiss.normalize_L2 of copies, IndexFlatIP",
    "ours": "evaluation.search.Search().nearest",
    "ours, bf16": "the same with precision='bfloat16'",
}
CLUSTERINGS = {
    "scikit-learn": "AgglomerativeClustering(linkage='ward', metric='euclidean')",
    "ours": "evaluation.dendrogram.Dendrogram.of (fastcluster.linkage_vector) and one cut",
}
AGREEMENTS = {
    "scikit-learn": "adjusted_mutual_info_score, arithmetic only",
    "ours": "evaluation.agreement.compare: both normalisers, homogeneity, completeness, adjusted Rand index",
}


def run(bench: Bench) -> Iterator[Figure]:
    """Measure the four, each way in a process of its own."""
    small = bench.rows < 100_000  # a quick run
    yield from searches(bench, QUERIES // 50 if small else QUERIES, KEYS // 50 if small else KEYS)
    yield from retrievals(bench, QUERIES // 50 if small else QUERIES, KEYS // 50 if small else KEYS)
    yield from clusterings(bench, POINTS // 20 if small else POINTS)
    yield from agreements(bench, SPECIMENS // 20 if small else SPECIMENS, CLASSES // 20 if small else CLASSES)


def searches(bench: Bench, queries: int, keys: int) -> Iterator[Figure]:
    """Find the nearest key of each query."""
    given = {"queries": queries, "keys": keys}
    rates = in_turn({way: _seconds(bench, "search", way=way, **given) for way in SEARCHES}, bench.repeats)
    size = f"1 of {keys:,} keys for {queries:,} queries, width {WIDTH}, float32; made vectors, imports excluded"
    for way, note in SEARCHES.items():
        yield Figure(f"nearest key: {way}", "s", rates[way], note=f"{note}; {size}")
    yield Figure("nearest key: scikit-learn ÷ ours", "×", ratios(rates["scikit-learn"], rates["ours"]), Bar(">=", 2.5))
    yield Figure("nearest key: scikit-learn ÷ ours, bf16", "×", ratios(rates["scikit-learn"], rates["ours, bf16"]))
    yield from _memory(bench, "search", "nearest key", tuple(SEARCHES), Bar(">=", 5), given)
    answers = {way: measure.call("evaluation:search", home=bench.home, way=way, **given).result for way in SEARCHES}
    for way in ("ours", "ours, bf16"):
        pairs = zip(answers["scikit-learn"]["found"], answers[way]["found"], strict=True)
        same = [one == other for one, other in pairs]
        yield Figure(f"nearest key: {way}: the same as scikit-learn's", "share", [sum(same) / len(same)])


def retrievals(bench: Bench, queries: int, keys: int) -> Iterator[Figure]:
    """Find the five nearest keys of each query, as cross-modal retrieval does."""
    given = {"queries": queries, "keys": keys}
    rates = in_turn({way: _seconds(bench, "retrieve", way=way, **given) for way in RETRIEVALS}, bench.repeats)
    size = f"5 of {keys:,} keys for {queries:,} queries, width {WIDTH}; made vectors, imports excluded"
    for way, note in RETRIEVALS.items():
        yield Figure(f"retrieval: {way}", "s", rates[way], note=f"{note}; {size}")
    yield Figure("retrieval: as published ÷ ours", "×", ratios(rates["as published"], rates["ours"]))
    yield Figure("retrieval: FAISS ÷ ours", "×", ratios(rates["FAISS"], rates["ours"]), Bar(">=", 1))
    yield Figure("retrieval: FAISS ÷ ours, bf16", "×", ratios(rates["FAISS"], rates["ours, bf16"]))
    yield from _memory(bench, "retrieve", "retrieval", tuple(RETRIEVALS), None, given, "as published")
    answers = {
        way: measure.call("evaluation:retrieve", home=bench.home, way=way, **given).result for way in RETRIEVALS
    }
    for way in ("as published", "ours", "ours, bf16"):
        pairs = zip(answers["FAISS"]["found"], answers[way]["found"], strict=True)
        same = [one == other for one, other in pairs]
        note = "queries whose five keys are the same, in the same order"
        yield Figure(f"retrieval: {way}: the same as FAISS's", "share", [sum(same) / len(same)], note=note)


def clusterings(bench: Bench, points: int) -> Iterator[Figure]:
    """Cluster points into a hundredth as many clusters."""
    given = {"points": points}
    rates = in_turn({way: _seconds(bench, "cluster", way=way, **given) for way in CLUSTERINGS}, bench.repeats)
    size = f"{points:,} points of {DIMENSIONS} numbers in mixed clouds, {points // 100} clusters; imports excluded"
    for way, note in CLUSTERINGS.items():
        yield Figure(f"Ward's clusters: {way}", "s", rates[way], note=f"{note}; {size}")
    yield Figure("Ward's clusters: scikit-learn ÷ ours", "×", ratios(rates["scikit-learn"], rates["ours"]))
    yield from _memory(bench, "cluster", "Ward's clusters", tuple(CLUSTERINGS), Bar(">=", 15), given)
    found = [measure.call("evaluation:cluster", home=bench.home, way=way, **given).result for way in CLUSTERINGS]
    from bioscan5m_hf.evaluation.agreement import agreement

    same = agreement(found[0]["found"], found[1]["found"]).ari
    yield Figure("Ward's clusters: adjusted Rand index of the two partitions", "", [same], Bar(">=", 1))


def agreements(bench: Bench, specimens: int, classes: int) -> Iterator[Figure]:
    """Compare as many clusters with as many classes."""
    given = {"specimens": specimens, "classes": classes}
    rates = in_turn({way: _seconds(bench, "agree", way=way, **given) for way in AGREEMENTS}, bench.repeats)
    size = f"{specimens:,} specimens, {classes:,} classes of unequal sizes and as many clusters; imports excluded"
    for way, note in AGREEMENTS.items():
        bar = Bar("<=", 2) if way == "ours" else None
        yield Figure(f"mutual information: {way}", "s", rates[way], bar, note=f"{note}; {size}")
    yield Figure("mutual information: scikit-learn ÷ ours", "×", ratios(rates["scikit-learn"], rates["ours"]))


def _seconds(bench: Bench, function: str, **given: Any) -> Any:
    return lambda: float(measure.call(f"evaluation:{function}", home=bench.home, **given).result["seconds"])


def _memory(
    bench: Bench,
    function: str,
    title: str,
    ways: tuple[str, ...],
    bar: Bar | None,
    given: dict[str, int],
    peer: str = "scikit-learn",
) -> Iterator[Figure]:
    """Give the peaks beyond what the inputs and imports take, and their ratio."""
    peaks = {}
    for way in ways:
        ran = measure.call(f"evaluation:{function}", home=bench.home, memory=True, way=way, **given)
        peaks[way] = (ran.peak - ran.result["before"]) / 1e9
        note = "peak PSS of the process, less its PSS when inputs and imports were there"
        yield Figure(f"{title}: {way}: memory", "GB", [peaks[way]], note=note)
    yield Figure(f"{title}: memory, {peer} ÷ ours", "×", [peaks[peer] / peaks["ours"]], bar)


def search(way: str, queries: int, keys: int) -> dict[str, Any]:
    """Search in one way."""
    import numpy as np
    import torch  # noqa: F401  # before the memory is read
    from sklearn.neighbors import NearestNeighbors

    from bioscan5m_hf.evaluation.search import Search

    random = np.random.default_rng(SEED)
    held = random.standard_normal((keys, WIDTH), np.float32)
    asked = held[random.integers(0, keys, queries)] + random.standard_normal((queries, WIDTH), np.float32)
    Search().nearest(asked[:2], held[:2])
    before, start = measure.pss(), time.perf_counter()
    if way == "scikit-learn":
        found = NearestNeighbors(n_neighbors=1, metric="cosine", algorithm="brute").fit(held)
        places = found.kneighbors(asked, return_distance=False)[:, 0]
    else:
        places = Search(precision="bfloat16" if "bf16" in way else "float32").nearest(asked, held).place[:, 0]
    return {"seconds": time.perf_counter() - start, "before": before, "found": places.tolist()}


def retrieve(way: str, queries: int, keys: int) -> dict[str, Any]:
    """Retrieve in one way."""
    import faiss
    import numpy as np
    import torch  # noqa: F401  # before the memory is read
    from sklearn.preprocessing import normalize

    from bioscan5m_hf.evaluation.search import Search

    random = np.random.default_rng(SEED)
    held = random.standard_normal((keys, WIDTH), np.float32)
    asked = held[random.integers(0, keys, queries)] + random.standard_normal((queries, WIDTH), np.float32)
    Search().nearest(asked[:2], held[:2])
    faiss.IndexFlatIP(WIDTH).add(held[:2])
    before, start = measure.pss(), time.perf_counter()
    if way.startswith("ours"):
        found = Search(precision="bfloat16" if "bf16" in way else "float32").nearest(asked, held, 5).place
        return {"seconds": time.perf_counter() - start, "before": before, "found": found.tolist()}
    if way == "as published":
        lists = held.tolist(), asked.tolist()  # what its loop over batches leaves
        start = time.perf_counter()
        unit = [normalize(np.array(each)).astype(np.float32) for each in lists]
    else:
        unit = [held.copy(), asked.copy()]
        for each in unit:
            faiss.normalize_L2(each)
    index = faiss.IndexFlatIP(WIDTH)
    index.add(unit[0])
    _, found = index.search(unit[1], 5)
    return {"seconds": time.perf_counter() - start, "before": before, "found": found.tolist()}


def cluster(way: str, points: int) -> dict[str, Any]:
    """Cluster in one way."""
    import fastcluster  # noqa: F401  # before the memory is read
    import numpy as np
    from sklearn.cluster import AgglomerativeClustering

    from bioscan5m_hf.evaluation.dendrogram import Dendrogram

    random = np.random.default_rng(SEED)
    centres = 3 * random.standard_normal((points // 50, DIMENSIONS))
    given = centres[random.integers(0, len(centres), points)] + random.standard_normal((points, DIMENSIONS))
    before, start = measure.pss(), time.perf_counter()
    if way == "scikit-learn":
        found = AgglomerativeClustering(points // 100, linkage="ward", metric="euclidean").fit_predict(given)
    else:
        found = Dendrogram.of(given).cut(points // 100)
    return {"seconds": time.perf_counter() - start, "before": before, "found": found.tolist()}


def agree(way: str, specimens: int, classes: int) -> dict[str, Any]:
    """Compare in one way."""
    import numpy as np
    from sklearn.metrics import adjusted_mutual_info_score

    from bioscan5m_hf.evaluation.agreement import compare

    random = np.random.default_rng(SEED)
    weights = random.pareto(1.0, classes) + 0.05
    names = np.concatenate(
        [np.arange(classes), random.choice(classes, specimens - classes, p=weights / weights.sum())]
    )
    clusters = np.where(random.random(specimens) < 0.7, names, random.permutation(names))
    start = time.perf_counter()
    value = adjusted_mutual_info_score(names, clusters) if way == "scikit-learn" else compare(names, clusters).ami
    return {"seconds": time.perf_counter() - start, "ami": float(value)}
