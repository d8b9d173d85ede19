"""Tasks about the space that vectors span: clusters, retrieval across modalities, novelty, robustness."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from ..errors import TaskError
from .clustering import Clustering, best_height, cluster
from .damage import damage
from .encoder import Vectors, able
from .fusion import concatenated, standardised
from .left_out import left_out_queries
from .novelty import EmbeddedSpecimens, novelty
from .reduction import Reduction
from .results import Outcome
from .retrieval import Retrieval, retrieve
from .robustness import Base, by_nearest, other_species, robustness
from .run import Run
from .search import Groups
from .sides import Side
from .specimens import BARCODE, SPLIT, Specimens
from .tasks import find_task


def zero_shot_clustering(run: Run) -> Outcome:
    """Cluster the queries; the height for an unknown number of clusters is chosen on the splits for tuning.

    Where these hold too few specimens to be reduced alike, there is no height.
    """
    chosen = dict(run.settings)
    if chosen["fusion"] not in ("unit", "standardised"):
        raise ValueError(f"fusion is {chosen['fusion']!r}: use 'unit' or 'standardised'")
    names = ("method", "dimensions", "neighbours", "min_dist", "metric")
    reduction = Reduction(**{name: chosen[name] for name in names})
    how = Clustering(reduction, seeds=chosen["seeds"], missing=chosen["missing"])
    queries, tuning = run.queries(), run.part(run.task.tune).named("species")
    if chosen["unknown_k"] and len(tuning) >= max(3, reduction.least):
        height = best_height(_fused(run, tuning), tuning.column("species"), how=how)
        how = replace(how, height=height)
    found = cluster(_fused(run, queries), queries.labels(), how=how)
    fusion = {"fusion": chosen["fusion"]} if "+" in run.modality else {}
    return replace(found, settings=dict(found.settings) | fusion)


def cross_modal_retrieval(run: Run) -> Outcome:
    """Find specimens of one modality by another."""
    modalities = [name for name in ("image", "dna", "text") if name in able(run.model)]
    how = Retrieval(**run.options, search=run.search, seed=run.seed)
    drawn = run.queries()
    queries = {split: _side(run, drawn.of([split]), modalities, asked=True) for split in run.task.queries}
    keys = [_side(run, run.part([split]), modalities, asked=False) for split in run.task.keys]
    return retrieve(queries, keys, how=how)


def find_novelty(run: Run) -> Outcome:
    """Tell new species from known ones, by what was chosen on the splits for tuning."""
    drawn = run.queries()
    tune, asked = (
        tuple(_embedded(run, rows.of([split])) for split in splits)
        for rows, splits in ((run.specimens, run.task.tune), (drawn, run.task.queries))
    )
    keys = _embedded(run, run.part(run.task.keys))
    return novelty(keys, (tune[0], tune[1]), (asked[0], asked[1]), search=run.search, seed=run.seed)


@dataclass(frozen=True)
class Damaged:
    """A task whose queries are damaged.

    Args:
        part: what the queries are called.
        queries: specimens that are asked for.
        keys: specimens that are found.
        apart: queries and keys that do not find each other.
    """

    part: str
    queries: Specimens
    keys: Specimens
    apart: Groups = ()


def find_robustness(run: Run) -> Outcome:
    """Ask two tasks again with damaged barcodes."""
    bases = []
    for one in damaged_tasks(run):
        genus = one.queries.column("genus")
        vectors, key_genus = run.vectors(one.keys), one.keys.column("genus")
        answer = by_nearest(run.embedded.of_barcodes, vectors, key_genus, genus, apart=one.apart, search=run.search)
        barcodes, species = one.queries.column(BARCODE).to_pylist(), one.queries.column("species")
        bases.append(Base(one.part, barcodes, genus, species, answer, run.masks(one.queries)))
    return robustness(bases, damages=run.settings["damages"], seed=run.seed)


def damaged_barcodes(run: Run) -> Iterator[tuple[str, list[str]]]:
    """Give the barcodes that have to be embedded beside the dataset's own, and what each lot is called."""
    for one in damaged_tasks(run):
        for name in run.settings["damages"]:
            damaged = damage(name).apply(one.queries.column(BARCODE).to_pylist(), seed=run.seed)
            yield f"{one.part}, damage {name}", damaged


def damaged_tasks(run: Run) -> list[Damaged]:
    """Give the tasks whose queries are damaged, as far as the dataset can do them.

    Raises:
        TaskError: it can do none.
    """
    most, rows, found = run.settings["queries"] or None, run.specimens, []
    nearest = find_task("knn-genus-unseen")
    alone = rows.one_per_barcode()
    keys, queries = (alone.of(splits).named("genus") for splits in (nearest.keys, nearest.queries))
    if len(keys) and len(queries):
        drawn = queries.take(run.sampled(np.arange(len(queries)), most))
        found.append(Damaged("+".join(nearest.queries), drawn, keys))
    genus, species = rows.column("genus"), rows.column("species")
    asked = np.asarray(pc.is_in(rows.column(SPLIT), pa.array(run.task.queries)))
    places = run.sampled(left_out_queries(genus, species, asked), most)
    if len(places):
        others, drawn = rows.named("genus").named("species"), rows.take(places)
        both = (others.column("species"), others.column(BARCODE), drawn.column("species"), drawn.column(BARCODE))
        found.append(Damaged("left-out species", drawn, others, other_species(*both)))
    if not found:
        raise TaskError(
            f"task {run.task.name}: neither unseen species nor a genus of two species is among "
            f"{', '.join(run.task.queries)}: there is nothing to ask"
        )
    return found


def _fused(run: Run, specimens: Specimens) -> Vectors:
    """Give vectors; those of several modalities at length 1 or, as published, standardised by modality and split."""
    if "+" not in run.modality or run.settings["fusion"] == "unit":
        return run.vectors(specimens)
    split = specimens.column(SPLIT).to_pylist()
    each = (run.embedded.vectors(part, specimens) for part in run.modality.split("+"))
    return concatenated([standardised(vectors, split) for vectors in each])


def _side(run: Run, specimens: Specimens, modalities: Sequence[str], *, asked: bool) -> Side:
    vectors = {name: run.embedded.vectors(name, specimens) for name in modalities}
    masks = run.masks(specimens) if asked else {}
    ids, country = specimens.column("sampleid"), specimens.column("country")
    return Side(vectors, specimens.labels(), ids, country, masks)


def _embedded(run: Run, specimens: Specimens) -> EmbeddedSpecimens:
    return EmbeddedSpecimens(run.vectors(specimens), specimens.column("species"), run.masks(specimens))
