"""Nearest specimens of other species: what is asked, what is left out, and how accuracies are summed up."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.evaluation import blast
from bioscan5m_hf.evaluation.blast import blast_hits
from bioscan5m_hf.evaluation.counts import count_kmers
from bioscan5m_hf.evaluation.left_out import (
    is_linnaean,
    left_out_queries,
    nearest_by_hits,
    nearest_other_species,
)


GENUS = pa.array(["A", "A", "A", "B", "B", None, "C", "C"])
SPECIES = pa.array(["A a", "A a", "A b", "B c", None, None, "C d", "C d"])
RANDOM = np.random.default_rng(0)


def random_barcode(length=400):
    return "".join("ACGT"[base] for base in RANDOM.integers(0, 4, length))


def mutated(barcode, count):
    letters = list(barcode)
    for place in RANDOM.choice(len(letters), count, replace=False):
        letters[place] = "ACGT"[("ACGT".index(letters[place]) + 1) % 4]
    return "".join(letters)


def test_only_labelled_specimens_of_genera_with_two_species_are_asked():
    assert left_out_queries(GENUS, SPECIES, np.ones(8, bool)).tolist() == [0, 1, 2]
    assert left_out_queries(GENUS, SPECIES, np.arange(8) > 0).tolist() == [1, 2]


def test_own_species_unlabelled_rows_and_equal_barcodes_are_no_keys():
    vectors = np.eye(8, dtype=np.float32)
    vectors[0] = [0, 0.9, 0.5, 0.8, 1, 1, 0, 0]  # nearest: an unlabelled row, then the own species, then row 3
    barcode = pa.array(["AC", "AG", "AT", "AC", "CC", "CG", "CT", "GG"])
    found = nearest_other_species(vectors, GENUS, SPECIES, barcode, np.array([0]))
    assert found.nearest.tolist() == [2]  # row 3 has the query's barcode under another name
    assert found.same_barcode.tolist() == [1]
    assert found.right.tolist() == [True]
    other = pa.array(["AC", "AG", "AT", "GC", "CC", "CG", "CT", "GG"])
    found = nearest_other_species(vectors, GENUS, SPECIES, other, np.array([0]))
    assert (found.nearest.tolist(), found.right.tolist()) == ([3], [False])


def test_many_queries_give_what_single_ones_give():
    vectors = RANDOM.normal(size=(700, 8)).astype(np.float32)
    genus = pa.array([f"G{number % 30}" for number in range(700)])
    species = pa.array([f"G{number % 30} s{number % 90}" for number in range(700)])
    barcode = pa.array([str(number % 650) for number in range(700)])
    queries = np.arange(700)
    whole = nearest_other_species(vectors, genus, species, barcode, queries)
    for place in (0, 511, 512, 699):
        one = nearest_other_species(vectors, genus, species, barcode, np.array([place]))
        assert (one.nearest[0], one.same_barcode[0]) == (whole.nearest[place], whole.same_barcode[place])
    assert all(species[int(key)] != species[place] for place, key in enumerate(whole.nearest))


def test_hits_of_the_own_species_are_passed_over_and_none_is_wrong():
    barcode = pa.array(["AC", "AG", "AT", "AC", "CC", "CG", "CT", "GG"])
    hits = {0: [(1, 9.0), (3, 8.0), (6, 7.0)]}
    found = nearest_by_hits(hits, GENUS, SPECIES, barcode, np.array([0, 2]))
    assert found.nearest.tolist() == [6, -1]
    assert found.right.tolist() == [False, False]
    assert found.same_barcode.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("name", "linnaean"),
    [("Apis mellifera", True), ("Aus bus-cus", True), ("Apis sp. 3", False), ("apis mellifera", False),
     ("Apis MALAISE", False), ("Apis nr. mellifera", False), ("Megaselia sp. BOLD:AAA0001", False)],
)  # fmt: skip
def test_placeholders_are_no_linnaean_names(name, linnaean):
    assert is_linnaean(name) is linnaean


def test_kmers_overlap_and_unknown_bases_break_them():
    counts = count_kmers(["ACGTA", "acgna", None, ""], 2)
    kmers = [first + second for first in "ACGT" for second in "ACGT"]
    found = [{kmer: int(count) for kmer, count in zip(kmers, row, strict=True) if count} for row in counts]
    assert found == [{"AC": 1, "CG": 1, "GT": 1, "TA": 1}, {"AC": 1, "CG": 1}, {}, {}]


def test_kmers_of_many_long_reads_are_those_of_a_plain_loop():
    reads = [random_barcode(int(length)) for length in RANDOM.integers(0, 900, 50)] * 50
    counts = count_kmers(reads, 4)
    for place in (0, 1999, 2000, 2499):
        plain = [reads[place][start : start + 4] for start in range(len(reads[place]) - 3)]
        assert counts[place].sum() == len(plain)
        assert counts[place].max() == max((plain.count(kmer) for kmer in set(plain)), default=0)


@pytest.mark.skipif(shutil.which("blastn") is None, reason="no BLAST+: Debian's ncbi-blast+ has it")
def test_blast_finds_the_nearer_relative_first():
    ancestor = random_barcode()
    barcodes = [ancestor, mutated(ancestor, 40), mutated(ancestor, 12), random_barcode()]
    hits = blast_hits(barcodes, np.array([0]), np.array([1, 2, 3]))
    assert [place for place, _ in hits[0]] == [2, 1]
    assert blast_hits(barcodes, np.array([3]), np.array([0])) == {}


@pytest.mark.skipif(shutil.which("blastn") is None, reason="no BLAST+: Debian's ncbi-blast+ has it")
def test_of_equal_hits_the_first_key_is_the_nearest():
    ancestor = random_barcode()
    barcodes = [ancestor, *[mutated(ancestor, 9)] * 4]
    for keys in ([1, 2, 3, 4], [3, 1, 4, 2]):
        assert [place for place, _ in blast_hits(barcodes, np.array([0]), np.array(keys))[0]] == [1, 2, 3, 4]
    assert [place for place, _ in blast_hits(barcodes, np.array([0]), np.array([1, 2, 3, 4]), hits=1)[0]] == [1]


@pytest.mark.skipif(shutil.which("blastn") is None, reason="no BLAST+: Debian's ncbi-blast+ has it")
def test_identity_is_counted_in_columns_and_believed_where_most_of_the_query_is_covered():
    ancestor = random_barcode()
    barcodes = [ancestor, mutated(ancestor, 12), ancestor[:200]]
    found = blast.alignments(barcodes, np.array([0]), np.array([1, 2]))[0]
    hits = {hit.key: hit for hit in found}
    assert hits[1].identity == pytest.approx(1 - 12 / 400, abs=2 / 400)
    assert hits[2].identity == 1
    assert hits[2].cover == pytest.approx(0.5)
    assert [key for key, _ in blast.by_identity({0: found})[0]] == [1, 2]


def test_without_blast_it_says_what_to_install(monkeypatch):
    monkeypatch.setattr(blast.shutil, "which", lambda _: None)
    with pytest.raises(Bioscan5mError, match="apt install"):
        blast_hits(["ACGT"], np.array([0]), np.array([0]))


def test_a_query_all_of_whose_keys_are_left_out_is_wrong():
    genus, species, barcode = pa.array(["A", "A"]), pa.array(["A a", "A b"]), pa.array(["AC", "AC"])
    found = nearest_other_species(np.eye(2, dtype=np.float32), genus, species, barcode, np.array([0, 1]))
    assert (found.nearest.tolist(), found.right.tolist()) == ([-1, -1], [False, False])
    assert found.same_barcode.tolist() == [1, 1]
