"""Tasks that ask for names: of classifiers, of probes, and of the nearest keys, by vectors or by alignment."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import EncoderError, TaskError
from .answers import score_answers, score_names
from .knn import Neighbours, knn, names_of_hits
from .left_out import LeftOut, left_out_queries, nearest_by_hits, nearest_other_species
from .probe import Probe, linear_probe
from .results import Outcome
from .run import Run
from .specimens import BARCODE, SPLIT, Specimens


_HITS = 20
"""Hits of an aligner for each query, so that a key without a name at a rank can be passed over."""


def finetune_species(run: Run) -> Outcome:
    """Score the names that a classifier gives."""
    queries, given = run.queries(), {}
    for rank in run.task.ranks:
        try:
            given[rank] = run.embedded.names(run.modality, queries, rank)
        except EncoderError as error:
            raise EncoderError(f"task {run.task.name}: {error}") from error
        except ValueError as error:  # the classifier has no names of this rank
            if rank == "species":
                raise TaskError(f"task {run.task.name}: {error}") from error
    learnt = run.part(run.task.fit).labels()
    part = run.part_name()
    found = score_names(given, queries.labels(), part=part, masks=run.masks(queries), learnt=learnt, seed=run.seed)
    return replace(found, counts={"queries": len(queries)} | dict(found.counts))


def linear_probe_species(run: Run) -> Outcome:
    """Fit a linear layer on `train`, choose on `val`, score on `test`."""
    rank, chosen = run.task.ranks[0], dict(run.settings)
    train, val = (run.part(splits) for splits in (run.task.fit, run.task.tune))
    queries = run.queries()
    return linear_probe(
        (run.vectors(train), train.column(rank)),
        (run.vectors(val), val.column(rank)),
        (run.vectors(queries), queries.labels()),
        part=run.part_name(),
        rank=rank,
        how=Probe(**chosen, seed=run.seed),
        masks=run.masks(queries),
        seed=run.seed,
    )


def knn_genus_unseen(run: Run) -> Outcome:
    """Name queries by the nearest keys, by vectors or by alignment."""
    keys, queries = run.part(run.task.keys), run.queries()
    part, ranks = run.part_name(), run.task.ranks
    if hasattr(run.model, "align"):
        if run.settings["k"] != 1:
            raise TaskError(f"task {run.task.name}: an aligner gives the nearest key only: k is {run.settings['k']}")
        barcodes = keys.column(BARCODE).to_pylist() + queries.column(BARCODE).to_pylist()
        places = range(len(keys), len(barcodes))
        hits = run.model.align(barcodes, places, range(len(keys)), _HITS)
        named = names_of_hits(hits, places, keys.labels(), ranks)
        found = score_names(
            named, queries.labels(), part=part, masks=run.masks(queries), learnt=keys.labels(), seed=run.seed
        )
        counts = {"keys": len(keys), "queries": len(queries), "queries without a hit": len(queries) - len(hits)}
        return replace(found, counts=counts | dict(found.counts), settings={"k": 1})
    return knn(
        run.vectors(queries),
        queries.labels(),
        run.vectors(keys),
        keys.labels(),
        part=part,
        ranks=ranks,
        how=Neighbours(**run.options, search=run.search),
        masks=run.masks(queries),
        seed=run.seed,
    )


def knn_genus_left_out_species(run: Run) -> Outcome:
    """Find the nearest specimen of another species, by vectors or by alignment."""
    rows = run.specimens
    genus, species, barcode = (rows.column(name) for name in ("genus", "species", BARCODE))
    asked = np.asarray(pc.is_in(rows.column(SPLIT), pa.array(run.task.queries)))
    queries = run.sampled(left_out_queries(genus, species, asked))
    if not len(queries):
        raise TaskError(
            f"task {run.task.name}: no specimen of {', '.join(run.task.queries)} is of a genus with two species"
        )
    keys = np.flatnonzero(np.asarray(pc.and_(genus.is_valid(), species.is_valid())))
    if hasattr(run.model, "align"):
        largest = int(pc.max(pc.value_counts(species.drop_null()).field("counts")).as_py())
        hits = run.model.align(barcode.to_pylist(), queries, keys, largest + 100)
        found = nearest_by_hits(hits, genus, species, barcode, queries)
    else:
        found = nearest_other_species(run.vectors(rows), genus, species, barcode, queries, search=run.search)
    return left_out_outcome(rows, found, len(keys), run)


def left_out_outcome(rows: Specimens, found: LeftOut, keys: int, run: Run) -> Outcome:
    """Score what was found for queries whose own species is left out.

    Args:
        rows: all specimens.
        found: for the queries among them.
        keys: their number.
        run: the task.
    """
    queries = rows.take(found.query)
    scores = score_answers(
        "genus",
        found.right,
        queries.column("genus"),
        queries.column("species"),
        part="left-out species",
        masks=run.masks(queries),
        seed=run.seed,
    )
    counts = {
        "keys": keys,
        "queries": len(queries),
        "keys left out: a query's barcode under another name": int(found.same_barcode.sum()),
        "queries without a key": int((found.nearest < 0).sum()),
    }
    aligned = hasattr(run.model, "align")
    return Outcome(scores, counts, {"similarity": "bit score"} if aligned else run.search.settings)
