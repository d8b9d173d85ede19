"""The curator's tools: statistics of a dataset beside the originals' way with pandas; and of the largest release."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import measure
from material import CSV_MEMBER, Bench
from measure import in_turn, ratios
from records import Bar, Figure


TITLE = "The curator's tools"
RANKS = ("phylum", "class", "order", "family", "subfamily", "genus", "species", "dna_bin")
OURS = "data.statistics.statistics of the dataset built from them: all tables but distances"
PANDAS = (
    "what the originals' scripts do, in idiomatic pandas (their Spark is not run): read_csv of the extracted CSV; of "
    "each attribute value_counts, share and ratio; of each split and rank unique values; of each rank the different "
    "barcodes and Shannon's index of each group"
)
SECONDS = "seconds in a process of its own, imports excluded"
MEMORY = "peak PSS of the process, less its PSS when imports were there"


def run(bench: Bench) -> Iterator[Figure]:
    """Count in both ways in turn, then ours on the largest release; memory is sampled meanwhile."""
    yield from _statistics(bench)


def _statistics(bench: Bench) -> Iterator[Figure]:
    table, dataset = bench.metadata_tree(bench.rows) / CSV_MEMBER, bench.metadata_dataset(bench.rows)
    given = {"pandas": {"table": table}, "ours": {"dataset": dataset}}
    peaks: dict[str, list[float]] = {"pandas": [], "ours": []}
    answers: dict[str, Any] = {}

    def task(way: str) -> float:
        ran = measure.call(f"curating:statistics_{way}", home=bench.home, memory=True, **given[way])
        peaks[way].append((ran.peak - ran.result["before"]) / 1e9)
        answers[way] = ran.result["found"]
        return float(ran.result["seconds"])

    seconds = in_turn({way: lambda way=way: task(way) for way in given}, bench.repeats)  # type: ignore[misc]
    for way, what in (("pandas", PANDAS), ("ours", OURS)):
        yield Figure(f"statistics: {way}", "s", seconds[way], note=f"{bench.rows:,} rows; {what}; {SECONDS}")
        yield Figure(f"statistics: {way}: memory", "GB", peaks[way], note=MEMORY)
    faster, smaller = (ratios(way["pandas"], way["ours"]) for way in (seconds, peaks))
    yield Figure("statistics: pandas ÷ ours", "×", faster)
    yield Figure("statistics: memory, pandas ÷ ours", "×", smaller)
    better = [max(pair) for pair in zip(faster, smaller, strict=True)]
    note = "the bar is ten times faster, or ten times less memory"
    yield Figure("statistics: pandas ÷ ours, the better of both", "×", better, Bar(">=", 10), note=note)
    same = [answers["ours"][name] == value for name, value in answers["pandas"].items()]
    note = "categories, labelled, largest, smallest; different barcodes and Shannon's index to 9 digits"
    yield Figure("statistics: the same as pandas'", "share", [sum(same) / len(same)], Bar(">=", 1), note=note)
    largest = bench.metadata_dataset(bench.max_rows)
    ran = measure.call("curating:statistics_ours", home=bench.home, memory=True, dataset=largest)
    note = f"{bench.max_rows:,} rows; {OURS}; {SECONDS}"
    yield Figure("statistics: ours: largest", "s", [ran.result["seconds"]], Bar("<=", 60), note=note)
    yield Figure("statistics: ours: largest: memory", "GB", [ran.peak / 1e9], Bar("<=", 2), note="peak PSS, all of it")


def statistics_ours(dataset: str) -> dict[str, Any]:
    """Count a dataset."""
    import datasets  # noqa: F401  # before the memory is read

    from bioscan5m_hf.data.statistics import statistics

    before, start = measure.pss(), time.perf_counter()
    found = statistics(dataset)
    seconds = time.perf_counter() - start
    numbers = {
        row["attribute"]: [row["categories"], row["labelled"], row["largest"], row["smallest"]]
        for row in found["attributes"]
    } | {f"diversity of {row['rank']}": [row["barcodes"], f"{row['shannon']:.9f}"] for row in found["diversity"]}
    return {"seconds": seconds, "before": before, "found": numbers}


def statistics_pandas(table: str) -> dict[str, Any]:
    """Count a table as the originals do."""
    import numpy as np
    import pandas as pd

    before, start = measure.pss(), time.perf_counter()
    rows = pd.read_csv(Path(table), dtype={"chunk": str}, low_memory=False)
    found: dict[str, Any] = {}
    for name in (*RANKS, "dna_barcode", "country", "province_state"):
        sizes = rows[name].value_counts()
        found[name] = [len(sizes), int(sizes.sum()), int(sizes.max()), int(sizes.min())]
        _ = sizes.max() / sizes.min(), sizes.mean(), sizes.median(), sizes.std(ddof=0)
    for name in ("image_measurement_value", "area_fraction", "scale_factor"):
        _ = rows[name].describe()
    _ = rows.groupby("split")[[*RANKS, "dna_barcode", "country"]].nunique()
    for names in (["class", "order"], ["class", "order", "family"], ["country"], ["country", "province_state"]):
        _ = rows.groupby(names, dropna=False).size()
    _ = rows.groupby(["coord-lat", "coord-lon"]).size()
    _ = rows["dna_barcode"].str.len().value_counts()
    for rank in RANKS:
        labelled = rows[[rank, "dna_barcode"]].dropna()
        copies = labelled.groupby([rank, "dna_barcode"], observed=True).size()
        share = copies / copies.groupby(level=0).transform("sum")
        shannon = (-share * np.log2(share + 1e-12)).groupby(level=0).sum()
        different = copies.groupby(level=0).size()
        _ = different.mean(), different.median(), different.std(ddof=0)
        found[f"diversity of {rank}"] = [labelled["dna_barcode"].nunique(), f"{shannon.mean():.9f}"]
    return {"seconds": time.perf_counter() - start, "before": before, "found": found}
