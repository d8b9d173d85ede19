"""DNA barcodes, many at once: the alphabet, cleaning, checks, and their encoding as k-mers."""

from .cleaning import clean, reverse_complement
from .departures import Departures
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
from .quality import WARNINGS, check
from .reading import STOP_CODONS
from .region import Region
from .words import base_codes, count_words


__all__ = [
    "BASES",
    "IUPAC",
    "LAYOUTS",
    "MAX_NUCLEOTIDES",
    "ORIGINAL",
    "STANDARD",
    "STOP_CODONS",
    "WARNINGS",
    "Departures",
    "Encoded",
    "Layout",
    "Region",
    "base_codes",
    "check",
    "clean",
    "count_words",
    "encode_kmers",
    "foreign_letters",
    "only_letters",
    "reverse_complement",
    "strip_n",
    "vocabulary_size",
]
