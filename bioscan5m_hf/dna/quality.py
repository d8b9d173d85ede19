"""Checks of barcodes whose result is a table of what was found; nothing is rejected."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from .arrays import Barcodes, blocks, chunks, content
from .cleaning import clean
from .kmers import MAX_NUCLEOTIDES
from .letters import foreign_letters
from .reading import AMINO_ACID, FOREIGN, Letters, N, Reading


SHORTEST = 200
"""Below, `short`: the smallest part of a barcode that models are trained with."""

LARGEST_N_SHARE = 0.01
"""Above, `many_n`: BOLD's limit for new sequences (Ratnasingham & Hebert 2013, doi:10.1371/journal.pone.0066213)."""

PROTEIN_SHARE = 0.1
"""From this share of `PROTEIN_LETTERS` a sequence is taken for a protein; a usual one has a third of them."""

WARNINGS = {
    "empty": "null, or nothing is left after cleaning",
    "short": "shorter than the parts of barcodes that models are trained with",
    "long": "longer than what models read: the rest is left out",
    "changed": "lower case, U, gaps or white space were there: use what `clean` gives",
    "many_n": "too large a share of N (in a protein it is asparagine)",
    "foreign_letters": "letters that are no IUPAC code of a nucleotide",
    "protein": "so many letters of amino acids that it seems to be a protein",
    "stop_codons": "a stop codon even in the best frame: a pseudogene, an error in reading, or another gene",
    "reverse_complement": "the other strand fits better: use what `reverse_complement` gives",
    "strand_unclear": "no strand fits better than the other, as in very short barcodes",
}
"""Warnings in the order in which they are given, and what they mean."""

BLOCK = 1 << 20
"""Bytes of barcodes that are checked together."""

SCHEMA = pa.schema(
    {
        "length": pa.int64(),
        "n_share": pa.float64(),
        "foreign_letters": pa.string(),
        "frame": pa.int8(),
        "stop_codons": pa.int32(),
        "strand": pa.string(),
        "warnings": pa.list_(pa.string()),
    }
)


def check(
    barcodes: Barcodes,
    *,
    min_length: int = SHORTEST,
    max_length: int = MAX_NUCLEOTIDES,
    max_n_share: float = LARGEST_N_SHARE,
) -> pa.Table:
    """Say of each barcode, after `clean`, what may be wrong with it; nothing is rejected.

    The reading frame is the one with the fewest stop codons of the invertebrate mitochondrial code on either strand,
    and among equals the one whose codons have the composition of COI. An empty barcode, one of N only, a protein and
    letters beyond ASCII give numbers, nulls and warnings as any other.

    Args:
        barcodes: n strings, nulls allowed.
        min_length: `short` below it.
        max_length: `long` above it.
        max_n_share: `many_n` above it.

    Returns:
        n rows in the order of the barcodes, with the columns

        - `length`: characters (int64); null for a null.
        - `n_share`: share of N (float64); null where there are no characters.
        - `foreign_letters`: letters that are no IUPAC code of a nucleotide, each once, sorted; "" where all are.
        - `frame`: bases before the first whole codon, on the strand that fits: 0, 1, 2 (int8); null with `strand`.
        - `stop_codons`: stop codons in that frame (int32); null with `strand`.
        - `strand`: `+`, or `-` where the reverse complement fits; null where neither fits better.
        - `warnings`: names, see `WARNINGS` (list of strings).

    Raises:
        ValueError: these are no strings.

    Examples:
        >>> from bioscan5m_hf.dna import reverse_complement
        >>> coi = "AACTTTATATTTTATTTTTGGAATTTGAGCAGGAATAGTAGGAACTTCTTTAAGTTTATTAATTCGAGC"
        >>> table = check([coi.lower(), reverse_complement([coi])[0].as_py()], min_length=60)
        >>> table.select(["frame", "stop_codons", "strand"]).to_pylist()[1]
        {'frame': 1, 'stop_codons': 0, 'strand': '-'}
        >>> table["warnings"].to_pylist()
        [['changed'], ['reverse_complement']]
        >>> check(["MKVLAAGIVGLPLLF", "NNNN", None], min_length=4)["warnings"].to_pylist()
        [['foreign_letters', 'protein'], ['many_n', 'strand_unclear'], ['empty']]
    """
    limits = (min_length, max_length, max_n_share)
    parts = [
        _checked(chunk[block], *limits)
        for chunk in chunks(barcodes)
        for block in blocks(content(chunk)[1], BLOCK, BLOCK // MAX_NUCLEOTIDES)
    ]
    return pa.Table.from_batches(parts, SCHEMA)


def _checked(chunk: pa.Array, min_length: int, max_length: int, max_n_share: float) -> pa.RecordBatch:
    cleaned = clean(chunk)
    letters = Letters.of(cleaned)
    counts = letters.counts()
    found, lengths = counts.sum(1), letters.lengths
    some = np.maximum(lengths, 1)
    n_share = found[:, N] / some
    foreign = found[:, AMINO_ACID] + found[:, FOREIGN] > 0
    protein = found[:, AMINO_ACID] / some >= PROTEIN_SHARE
    reading = Reading.of(letters, counts)
    sure = reading.sure & ~protein
    null = np.asarray(pc.is_null(chunk))
    warnings = {
        "empty": lengths == 0,
        "short": (lengths > 0) & (lengths < min_length),
        "long": lengths > max_length,
        "changed": np.asarray(pc.fill_null(pc.not_equal(chunk, cleaned), False)),
        "many_n": (n_share > max_n_share) & ~protein,
        "foreign_letters": foreign,
        "protein": protein,
        "stop_codons": sure & (reading.stops > 0),
        "reverse_complement": sure & reading.reverse,
        "strand_unclear": ~sure & ~protein & (lengths > 0),
    }
    strange = np.full(len(chunk), "", object)
    strange[foreign] = [foreign_letters(text) for text in cleaned.filter(pa.array(foreign)).to_pylist()]
    strand = np.where(reading.reverse, "-", "+")
    columns = [
        pa.array(lengths, mask=null),
        pa.array(n_share, mask=lengths == 0),
        pa.array(strange, pa.string(), mask=null),
        pa.array(reading.frame, pa.int8(), mask=~sure),
        pa.array(reading.stops, pa.int32(), mask=~sure),
        pa.array(strand, pa.string(), mask=~sure),
        _names(warnings),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _names(warnings: Mapping[str, NDArray[np.bool_]]) -> pa.Array:
    """Give for each row the names of the warnings that hold."""
    holds = np.stack([warnings[name] for name in WARNINGS], 1)
    ends = np.concatenate([[0], np.cumsum(holds.sum(1))]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(ends), pa.array(list(WARNINGS)).take(pa.array(np.nonzero(holds)[1])))
