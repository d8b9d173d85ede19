"""Nearest specimens when the own species is left out: does an embedding know the genus of a species it lacks?"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .labels import codes_of
from .search import Search


_LINNAEAN = re.compile(r"^[A-Z][a-z]+(?:-[a-z]+)? [a-z]+(?:-[a-z]+)*(?: [a-z]+(?:-[a-z]+)*)?$")
_OPEN = re.compile(r"\b(?:sp|cf|nr|aff|gen|complex|group|agg|near|morph|form)\b")
_QUERIES_AT_ONCE = 512


@dataclass(frozen=True)
class LeftOut:
    """What was found for the queries whose genus holds another species; arrays of equal length.

    Args:
        query: places of the queries among the rows.
        nearest: place of the nearest specimen of another species; -1 where every key was left out.
        similarity: how near it is.
        right: its genus is the query's.
        same_barcode: keys of other species that were left out because they hold the query's very barcode.
    """

    query: npt.NDArray[np.intp]
    nearest: npt.NDArray[np.intp]
    similarity: npt.NDArray[np.float32]
    right: npt.NDArray[np.bool_]
    same_barcode: npt.NDArray[np.int64]


def is_linnaean(name: str) -> bool:
    """Tell whether a species name is a binomen (or trinomen) rather than a placeholder such as `Aus sp. 3`.

    Examples:
        >>> is_linnaean("Apis mellifera"), is_linnaean("Apis sp. BOLD:AAA1"), is_linnaean("Apis cf. mellifera")
        (True, False, False)
    """
    return bool(_LINNAEAN.match(name)) and not _OPEN.search(name)


def left_out_queries(genus: pa.Array, species: pa.Array, asked: npt.NDArray[np.bool_]) -> npt.NDArray[np.intp]:
    """Choose the specimens that can be asked: labelled, and of a genus with at least two species.

    Args:
        genus: name of each row, nulls allowed, shape (n,).
        species: name of each row, nulls allowed, shape (n,).
        asked: rows that may be queries, shape (n,).

    Returns:
        Their places.
    """
    table = pa.table({"genus": genus, "species": species}).drop_null()
    several = table.group_by("genus").aggregate([("species", "count_distinct")])
    known = several.filter(pc.greater(several["species_count_distinct"], 1))["genus"]
    usable = pc.and_(pc.is_valid(species), pc.is_in(genus, known.combine_chunks()))
    return np.flatnonzero(np.asarray(pc.fill_null(usable, False)) & asked)


def nearest_other_species(
    embeddings: npt.NDArray[np.float32],
    genus: pa.Array,
    species: pa.Array,
    barcode: pa.Array,
    queries: npt.NDArray[np.intp],
    *,
    search: Search | None = None,
) -> LeftOut:
    """Find for each query the nearest labelled specimen of another species, and whether it is of the same genus.

    Keys are all rows with genus and species. Those of the query's species, and those that hold its exact barcode
    under another name, are left out.

    Args:
        embeddings: shape (n, width); compared by cosine.
        genus: name of each row, nulls allowed, shape (n,).
        species: name of each row, nulls allowed, shape (n,).
        barcode: sequence of each row, shape (n,).
        queries: places of the queries.
        search: how keys are searched.

    Examples:
        >>> rows = [["A", "B", "B"], ["A a", "B b", "B c"], ["AC", "CA", "CC"]]
        >>> genus, species, barcode = (pa.array(values) for values in rows)
        >>> found = nearest_other_species(np.eye(3, dtype=np.float32), genus, species, barcode, np.array([1]))
        >>> found.nearest.shape, found.same_barcode.tolist()
        ((1,), [0])
    """
    genera, kinds, codes = (codes_of(values) for values in (genus, species, barcode))
    keys = np.flatnonzero((genera >= 0) & (kinds >= 0))
    held = embeddings if len(keys) == len(embeddings) else embeddings[keys]
    apart = [(column[queries], column[keys]) for column in (kinds, codes)]
    found = (search or Search()).nearest(embeddings[queries], held, apart=apart)
    nearest = np.where(found.place[:, 0] < 0, -1, keys[found.place[:, 0]])
    right = (nearest >= 0) & (genera[nearest] == genera[queries])
    same = _keys_of_barcode(kinds, codes, keys, queries)
    return LeftOut(queries, nearest, found.similarity[:, 0], right, same)


def _keys_of_barcode(
    kinds: npt.NDArray[np.int64],
    codes: npt.NDArray[np.int64],
    keys: npt.NDArray[np.intp],
    queries: npt.NDArray[np.intp],
) -> npt.NDArray[np.int64]:
    """Count the keys that hold a query's barcode under the name of another species."""
    pairs, number = np.unique(codes * (kinds.max(initial=0) + 1) + kinds, return_inverse=True)
    of_pair = np.bincount(number[keys], minlength=len(pairs))
    of_barcode = np.bincount(codes[keys][codes[keys] >= 0], minlength=codes.max(initial=0) + 1)
    same = of_barcode[codes[queries]] - of_pair[number[queries]]
    return np.where(codes[queries] < 0, 0, same).astype(np.int64)


def nearest_by_hits(
    hits: Mapping[int, Sequence[tuple[int, float]]],
    genus: pa.Array,
    species: pa.Array,
    barcode: pa.Array,
    queries: npt.NDArray[np.intp],
) -> LeftOut:
    """Do the same with hits of an alignment, best first; a query all of whose hits are left out is wrong.

    Args:
        hits: place of a query → places of keys and their scores.
        genus: name of each row, nulls allowed, shape (n,).
        species: name of each row, nulls allowed, shape (n,).
        barcode: sequence of each row, shape (n,).
        queries: places of the queries.

    Returns:
        As `nearest_other_species`; `nearest` is -1 where nothing was found.

    Examples:
        >>> rows = [["A", "A"], ["A a", "A b"], ["AC", "CA"]]
        >>> found = nearest_by_hits({0: [(0, 9.0), (1, 5.0)]}, *map(pa.array, rows), np.array([0]))
        >>> found.nearest.tolist(), found.right.tolist()
        ([1], [True])
    """
    genera, kinds, codes = (codes_of(values) for values in (genus, species, barcode))
    nearest = np.full(len(queries), -1, np.intp)
    similarity = np.zeros(len(queries), np.float32)
    same = np.zeros(len(queries), np.int64)
    for number, query in enumerate(queries.tolist()):
        others = [hit for hit in hits.get(query, ()) if kinds[hit[0]] != kinds[query]]
        kept = [hit for hit in others if codes[hit[0]] != codes[query]]
        same[number] = len(others) - len(kept)
        if kept:
            nearest[number], similarity[number] = kept[0]
    right = (nearest >= 0) & (genera[nearest] == genera[queries])
    return LeftOut(queries, nearest, similarity, right, same)
