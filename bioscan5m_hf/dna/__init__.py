"""DNA barcodes: the alphabet, vectorised checks on many sequences, and their encoding as k-mers."""

from .kmers import (
    LAYOUTS,
    MAX_NUCLEOTIDES,
    ORIGINAL,
    STANDARD,
    Encoded,
    Layout,
    encode_kmers,
    vocabulary_size,
)
from .letters import BASES, IUPAC, foreign_letters, only_letters, strip_n


__all__ = [
    "BASES",
    "IUPAC",
    "LAYOUTS",
    "MAX_NUCLEOTIDES",
    "ORIGINAL",
    "STANDARD",
    "Encoded",
    "Layout",
    "encode_kmers",
    "foreign_letters",
    "only_letters",
    "strip_n",
    "vocabulary_size",
]
