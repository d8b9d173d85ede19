"""The curator's tools: statistics of a dataset, beside those by pandas and Spark; and of the largest release."""

from __future__ import annotations

import importlib.util
import os
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
    "what the originals' scripts do, in idiomatic pandas: read_csv of the extracted CSV; of each attribute "
    "value_counts, share and ratio; of each split and rank unique values; of each rank the different barcodes and "
    "Shannon's index of each group"
)
SPARK = "the same with PySpark's data frames in one local process, its Java counted in; starting it is not"
SECONDS = "seconds in a process of its own, imports excluded"
MEMORY = "peak PSS of the process, less its PSS when imports were there"


def run(bench: Bench) -> Iterator[Figure]:
    """Count in both ways in turn, then ours on the largest release; memory is sampled meanwhile."""
    yield from _statistics(bench)


def _statistics(bench: Bench) -> Iterator[Figure]:
    table, dataset = bench.metadata_tree(bench.rows) / CSV_MEMBER, bench.metadata_dataset(bench.rows)
    said = {"pandas": PANDAS, "spark": SPARK, "ours": OURS}
    if importlib.util.find_spec("pyspark") is None:
        print("  pyspark is not installed: its way is left out", flush=True)
        del said["spark"]
    given = {way: {"dataset": dataset} if way == "ours" else {"table": table} for way in said}
    peaks: dict[str, list[float]] = {way: [] for way in said}
    answers: dict[str, Any] = {}

    def task(way: str) -> float:
        ran = measure.call(f"curating:statistics_{way}", home=bench.home, memory=True, **given[way])
        peaks[way].append((ran.peak - ran.result["before"]) / 1e9)
        answers[way] = ran.result["found"]
        return float(ran.result["seconds"])

    seconds = in_turn({way: lambda way=way: task(way) for way in given}, bench.repeats)  # type: ignore[misc]
    for way, what in said.items():
        yield Figure(f"statistics: {way}", "s", seconds[way], note=f"{bench.rows:,} rows; {what}; {SECONDS}")
        yield Figure(f"statistics: {way}: memory", "GB", peaks[way], note=MEMORY)
    for way in list(said)[:-1]:
        faster, smaller = (ratios(found[way], found["ours"]) for found in (seconds, peaks))
        yield Figure(f"statistics: {way} ÷ ours", "×", faster)
        yield Figure(f"statistics: memory, {way} ÷ ours", "×", smaller)
        better = [max(pair) for pair in zip(faster, smaller, strict=True)]
        note = "the bar is ten times faster, or ten times less memory"
        yield Figure(f"statistics: {way} ÷ ours, the better of both", "×", better, Bar(">=", 10), note=note)
        same = [answers["ours"][name] == value for name, value in answers[way].items()]
        note = "categories, labelled, largest, smallest; different barcodes and Shannon's index to 9 digits"
        yield Figure(f"statistics: ours and {way}'s agree", "share", [sum(same) / len(same)], Bar(">=", 1), note=note)
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


def statistics_spark(table: str) -> dict[str, Any]:
    """Count a table with PySpark."""
    from pyspark.sql import SparkSession
    from pyspark.sql import functions as spark

    session = SparkSession.builder.master("local[*]").config("spark.ui.enabled", "false").getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.range(1).count()
    before, start = sum(map(measure.pss, measure.family(os.getpid()))), time.perf_counter()
    rows = session.read.csv(str(Path(table)), header=True)
    found: dict[str, Any] = {}
    for name in (*RANKS, "dna_barcode", "country", "province_state"):
        count = spark.col("count")
        sizes = rows.where(spark.col(name).isNotNull()).groupBy(name).count()
        told = (spark.count(count), spark.sum(count), spark.max(count), spark.min(count), spark.median(count))
        found[name] = list(sizes.agg(*told, spark.stddev_pop(count)).first()[:4])
    numbers = ["image_measurement_value", "area_fraction", "scale_factor"]
    rows.select([spark.col(name).cast("double") for name in numbers]).summary().collect()
    ranks = (*RANKS, "dna_barcode", "country")
    rows.groupBy("split").agg(*(spark.countDistinct(name) for name in ranks)).collect()
    for names in (["class", "order"], ["class", "order", "family"], ["country"], ["country", "province_state"]):
        rows.groupBy(names).count().collect()
    rows.groupBy("`coord-lat`", "`coord-lon`").count().collect()
    rows.groupBy(spark.length("dna_barcode")).count().collect()
    for rank in RANKS:
        labelled = rows.select(rank, "dna_barcode").dropna()
        copies = labelled.groupBy(rank, "dna_barcode").count()
        whole = copies.groupBy(rank).agg(spark.sum("count").alias("all"), spark.count("*").alias("different"))
        share = spark.col("count") / spark.col("all")
        term = (-share * spark.log2(share + spark.lit(1e-12))).alias("term")
        index = copies.join(whole, rank).select(rank, term).groupBy(rank).agg(spark.sum("term").alias("bits"))
        different = spark.col("different")
        whole.agg(spark.mean(different), spark.median(different), spark.stddev_pop(different)).first()
        barcodes = labelled.select("dna_barcode").distinct().count()
        found[f"diversity of {rank}"] = [barcodes, f"{index.agg(spark.mean('bits')).first()[0]:.9f}"]
    seconds = time.perf_counter() - start
    session.stop()
    return {"seconds": seconds, "before": before, "found": found}


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
