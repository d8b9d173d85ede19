"""Measure what a barcode encoder knows of specimens, beside k-mer counts, alignment and an untrained model.

    python training/measure_barcodebert.py --model OUT --dataset bioscan-5m --blast megablast --out measured/

(a) 1-NN species accuracy of `test` against `train`. (b) For each labelled specimen of `test`, `test_unseen` and
`other_heldout` whose genus holds two species or more: is the nearest specimen of another species of the same genus?
Keys are all labelled rows; those with the query's exact barcode under another name are left out and counted.
"""

from __future__ import annotations

import argparse
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from datasets import load_dataset, load_dataset_builder
from transformers import set_seed

from bioscan5m_hf import BarcodeEncoder
from bioscan5m_hf.dna import MAX_NUCLEOTIDES, Departures, base_codes
from bioscan5m_hf.evaluation.accuracy import accuracy_of
from bioscan5m_hf.evaluation.blast import ORDERS, TASKS, Ordered, alignments
from bioscan5m_hf.evaluation.counts import count_kmers
from bioscan5m_hf.evaluation.intervals import resampled
from bioscan5m_hf.evaluation.left_out import (
    LeftOut,
    is_linnaean,
    left_out_queries,
    nearest_by_hits,
    nearest_other_species,
)
from bioscan5m_hf.evaluation.search import Search
from bioscan5m_hf.learning.profiles import SAMPLE
from bioscan5m_hf.learning.report import Record, code_version, make_records, write_results
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertModel
from bioscan5m_hf.splits import SPLIT_NAMES
from bioscan5m_hf.taxonomy import is_filler


logger = logging.getLogger("measure_barcodebert")
COLUMNS = ["processid", "dna_barcode", "genus", "species", "split"]
LEARNT = ("pretrain", "train")
ASKED = ("test", "test_unseen", "other_heldout")


@dataclass(frozen=True)
class Specimens:
    """All rows of a dataset.

    Args:
        table: `COLUMNS`, fillers null, shape (n,).
        split: split of each row, shape (n,).
        seen: labelled rows of `test`.
        train: labelled rows of `train`.
        queries: rows that (b) asks for.
    """

    table: pa.Table
    split: npt.NDArray[np.object_]
    seen: npt.NDArray[np.intp]
    train: npt.NDArray[np.intp]
    queries: npt.NDArray[np.intp]

    def column(self, name: str) -> pa.Array:
        """Give a column in one piece."""
        return self.table[name].combine_chunks()


class Answers(NamedTuple):
    """What a way answered.

    Args:
        species: whether it was right at (a), shape (specimens asked,).
        genus: what it found for (b).
    """

    species: npt.NDArray[np.bool_]
    genus: LeftOut


def main(arguments: list[str] | None = None) -> None:
    """Measure, print, and write records."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", action="append", default=[], help="folder or Hub id; may be repeated")
    parser.add_argument("--dataset", required=True, help="dataset folder or Hub id")
    parser.add_argument(
        "--departures", type=int, nargs="+", default=[], metavar="SIZE", help="also what models of a width are taught"
    )
    parser.add_argument("--blast", choices=TASKS, help="alignment as well; needs BLAST+")
    parser.add_argument("--queries", type=int, metavar="N", help="ask N of (a) and N of (b) only, drawn at random")
    parser.add_argument("--threads", type=int, default=2, help="threads of BLAST+")
    parser.add_argument("--frames", action="store_true", help="also the mean over the k frame offsets")
    parser.add_argument("--dtype", default="float32", choices=("float32", "bfloat16"), help="what models compute in")
    parser.add_argument("--out", type=Path, required=True, help="folder for results.json and table.md")
    given = parser.parse_args(arguments)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    code_version()  # records say what it started from
    specimens = load_specimens(given.dataset)
    if given.queries:
        fewer = {name: sample(getattr(specimens, name), given.queries) for name in ("seen", "queries")}
        specimens = replace(specimens, **fewer)
    if not len(specimens.queries) or not len(specimens.seen):
        raise SystemExit(f"{given.dataset} has no labelled specimens to ask: `test`, and genera of two species")
    logger.info("%d rows, (a) %d queries, (b) %d", len(specimens.table), len(specimens.seen), len(specimens.queries))
    records: list[Record] = []
    for name, found in answers(specimens, given):
        records += make_records(name, scores(specimens, found), **about(specimens, given))
        logger.info("%s: %.1f %% of genera", name, 100 * found.genus.right.mean())
    given.out.mkdir(parents=True, exist_ok=True)
    write_results(given.out, records)
    (given.out / "table.md").write_text(table(records), encoding="utf-8")


def load_specimens(dataset: str) -> Specimens:
    """Read all rows; fillers are no labels."""
    parts = load_dataset(dataset, "metadata", columns=COLUMNS)
    tables = [parts[split].data.table for split in SPLIT_NAMES if split in parts]
    table = pa.concat_tables(tables)
    table = table.filter(pc.is_valid(table["dna_barcode"])).combine_chunks()
    for name in ("genus", "species"):
        values = [None if value is None or is_filler(value) else value for value in table[name].to_pylist()]
        table = table.set_column(table.schema.get_field_index(name), name, pa.array(values, pa.string()))
    split = np.array(table["split"].to_pylist(), object)
    labelled = np.asarray(table["species"].is_valid())
    queries = left_out_queries(
        table["genus"].combine_chunks(), table["species"].combine_chunks(), np.isin(split, ASKED)
    )
    seen, train = (np.flatnonzero((split == name) & labelled) for name in ("test", "train"))
    return Specimens(table, split, seen, train, queries)


def sample(places: npt.NDArray[np.intp], size: int) -> npt.NDArray[np.intp]:
    """Draw so many of some places, the same each time."""
    return np.sort(np.random.default_rng(0).permutation(places)[:size])


def answers(specimens: Specimens, given: argparse.Namespace) -> Iterator[tuple[str, Answers]]:
    """Give each way's name, and what it answered."""
    barcodes = specimens.column("dna_barcode")
    for k in (4, 6):
        yield f"counts of {k}-mers", asked(specimens, count_kmers(barcodes, k))
    for size in given.departures:
        yield f"departures at each place, {size} numbers", asked(specimens, departures(specimens, size))
    if given.blast:
        yield from aligned(specimens, given.blast, given.threads)
    for name in given.model:
        encoder = BarcodeEncoder.from_pretrained(name, dtype=given.dtype)
        title = Path(name).name
        vectors = untrained(encoder).embed(barcodes, progress=True)
        yield f"{title}, untrained", asked(specimens, vectors)
        yield title, asked(specimens, encoder.embed(barcodes, progress=True))
        if given.frames:
            frames = tuple(range(encoder.k))
            vectors = encoder.embed(barcodes, offsets=frames, progress=True)
            yield f"{title}, mean of {encoder.k} frames", asked(specimens, vectors)


def departures(specimens: Specimens, size: int) -> npt.NDArray[np.float32]:
    """Give what a model of this width is taught, fitted to the dataset's own barcodes of `pretrain` and `train`."""
    codes = base_codes(specimens.column("dna_barcode"), MAX_NUCLEOTIDES)
    rows = sample(np.flatnonzero(np.isin(specimens.split, LEARNT)), SAMPLE)
    return Departures.fit([codes[rows]], size).of(codes)


def untrained(like: BarcodeEncoder) -> BarcodeEncoder:
    """Make an encoder of the same shape with fresh weights, in the same precision and place."""
    set_seed(0)
    names = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    shape = {name: getattr(like.model.config, name) for name in names}
    config = BarcodeBertConfig(kmer_size=like.k, token_layout=like.layout.name, **shape)
    model = BarcodeBertModel(config, add_pooling_layer=False).eval()
    model.to(like.model.device, like.model.dtype)
    return BarcodeEncoder(model, k=like.k, layout=like.layout)


def asked(specimens: Specimens, embeddings: npt.NDArray[np.float32]) -> Answers:
    """Answer both questions with embeddings."""
    species = np.array(specimens.table["species"].to_pylist(), object)
    nearest = Search().nearest(embeddings[specimens.seen], embeddings[specimens.train]).place[:, 0]
    columns = (specimens.column(name) for name in ("genus", "species", "dna_barcode"))
    found = nearest_other_species(embeddings, *columns, specimens.queries)
    return Answers(species[specimens.train[nearest]] == species[specimens.seen], found)


def aligned(specimens: Specimens, task: str, threads: int) -> Iterator[tuple[str, Answers]]:
    """Answer both questions with BLAST+, by the greatest bit score and by the least p-distance."""
    barcodes = specimens.table["dna_barcode"].to_pylist()
    labelled = np.asarray(pc.and_(specimens.table["genus"].is_valid(), specimens.table["species"].is_valid()))
    largest = pc.max(pc.value_counts(specimens.column("species").drop_null()).field("counts")).as_py()
    how: dict[str, Any] = {"task": task, "threads": threads}
    seen = alignments(barcodes, specimens.seen, specimens.train, hits=500, **how)
    others = alignments(barcodes, specimens.queries, np.flatnonzero(labelled), hits=largest + 100, **how)
    for name, order in ORDERS.items():
        yield f"alignment ({task}, {name})", by_hits(specimens, order(seen), order(others))


def by_hits(specimens: Specimens, seen: Ordered, others: Ordered) -> Answers:
    """Answer both questions with hits, best first."""
    species = np.array(specimens.table["species"].to_pylist(), object)
    best = np.array([seen[place][0][0] if place in seen else -1 for place in specimens.seen.tolist()])
    right = (best >= 0) & (species[best] == species[specimens.seen])
    columns = (specimens.column(name) for name in ("genus", "species", "dna_barcode"))
    return Answers(right, nearest_by_hits(others, *columns, specimens.queries))


def scores(specimens: Specimens, answers: Answers) -> dict[str, float]:
    """Give the accuracies of (a) and (b), by specimen and genus, apart for kinds of names, each with an interval."""
    found = answers.genus
    asked_species = specimens.column("species").take(pa.array(specimens.seen))
    species, genus = (specimens.column(name).take(pa.array(found.query)) for name in ("species", "genus"))
    linnaean = np.array([is_linnaean(name) for name in species.to_pylist()])
    values: dict[str, float] = {}
    for name, right, kinds, group in (
        ("species", answers.species, asked_species, None),
        ("genus", found.right, species, None),
        ("genus, mean over genera", found.right, species, genus),
        ("genus, Linnaean names", found.right[linnaean], species.filter(pa.array(linnaean)), None),
        ("genus, placeholder names", found.right[~linnaean], species.filter(pa.array(~linnaean)), None),
    ):
        if not len(right):
            continue
        got = accuracy_of(right, (kinds if group is None else group).to_pylist())
        values[name] = got.micro if group is None else got.macro
        values[f"{name}, low"], values[f"{name}, high"] = resampled(right, kinds, group)
    return values | {"keys left out": float(found.same_barcode.sum())}


def about(specimens: Specimens, given: argparse.Namespace) -> dict[str, Any]:
    """Say what is measured on, for records."""
    data = (
        f"{Path(given.dataset).name}: (a) {len(specimens.seen):,} specimens of `test` against "
        f"{len(specimens.train):,} of `train`, (b) {len(specimens.queries):,} queries"
    )
    revision = load_dataset_builder(given.dataset, "metadata").hash or ""
    return {"data": data, "data_revision": revision, "seed": 0, "processes": 1}


def table(records: Sequence[Record]) -> str:
    """Write records as a table, a row for each way; records of other tasks are left out."""
    ways: dict[str, dict[str, float]] = {}
    for one in records:
        ways.setdefault(one.task, {})[one.metric] = one.value
    ways = {name: values for name, values in ways.items() if "genus" in values}
    measured = next(one for one in records if one.task in ways)
    left_out = {int(values["keys left out"]) for values in ways.values()}
    foot = (
        f"\n{measured.data}; keys with a query's exact barcode under another name were left out "
        f"({' or '.join(f'{count:,}' for count in sorted(left_out))}); "
        "in brackets, 95 % intervals from resampling species.\n"
    )
    cells = ([name, *(shown(values, key) for key in SHOWN)] for name, values in ways.items())
    head = f"| | {' | '.join(SHOWN.values())} |\n|---|{'---:|' * len(SHOWN)}\n"
    return head + "".join(f"| {' | '.join(row)} |\n" for row in cells) + foot


def shown(values: dict[str, float], key: str) -> str:
    """Write a percentage and its interval."""
    if key not in values:
        return "–"
    value, low, high = (f"{100 * values[name]:.1f}" for name in (key, f"{key}, low", f"{key}, high"))
    return f"{value} ({low}–{high})"


SHOWN = {
    "species": "(a) species 1-NN, %",
    "genus": "(b) genus, other species, %",
    "genus, mean over genera": "(b) mean over genera, %",
    "genus, Linnaean names": "(b) Linnaean names, %",
    "genus, placeholder names": "(b) placeholders, %",
}


if __name__ == "__main__":
    main()
