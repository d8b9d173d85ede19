"""The partition: the published answer row by row, and what holds of any table."""

import collections
import csv
import gzip
import itertools
import subprocess
import sys
import zipfile

import numpy as np
import pyarrow as pa
import pyarrow.csv as pv
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf.data.splitting import split_table
from bioscan5m_hf.errors import OutputError, ReleaseError
from bioscan5m_hf.partition import is_placeholder, partition, presence, species_in_two, species_without_keys
from bioscan5m_hf.partition.placeholders import encode
from bioscan5m_hf.partition.selector import TEST, VAL, choose
from bioscan5m_hf.splits import METASPLITS


HEADER = ["processid", "genus", "species", "dna_barcode"]


@pytest.fixture(scope="module")
def real(tmp_path_factory, shared_data):
    archive = shared_data / "real_barcodes" / "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
    member = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"
    path = tmp_path_factory.mktemp("real") / "specimens.csv"
    with zipfile.ZipFile(archive) as opened:
        path.write_bytes(opened.read(member))
    return path


def test_every_real_row_gets_the_split_of_the_reference(real, parity, tmp_path):
    with gzip.open(parity / "splits" / "expected_dev.csv.gz", "rt") as stream:
        expected = [(row["processid"], row["split_stable_sort"]) for row in csv.DictReader(stream)]
    done = split_table(real, tmp_path / "out.csv")
    with (tmp_path / "out.csv").open(newline="") as stream:
        written = list(csv.DictReader(stream))
    assert [(row["processid"], row["split"]) for row in written] == expected
    with real.open(newline="") as stream:
        assert written == list(csv.DictReader(stream))  # the table has that split already, its chunks, and all else
    assert {split: counts[0] for split, counts in done.counts.items()} == collections.Counter(
        split for _, split in expected
    )
    assert done.leaks == ["1 of 32,887 barcodes in several splits: train–other_heldout 1"]


def test_every_given_name_is_told_as_the_reference_tells_it(parity):
    with (parity / "splits" / "placeholder_cases.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    told = is_placeholder(pa.array([row["species"] for row in rows]), pa.array([row["genus"] for row in rows]))
    assert [(row["species"], bool(one)) for row, one in zip(rows, told, strict=True)] == [
        (row["species"], row["is_placeholder"] == "1") for row in rows
    ]


@pytest.mark.parametrize(
    ("rows", "wanted", "most"), [(7, 0, 0), (8, 4, 4), (20, 7, 8), (50, 14, 18), (92, 25, 32), (1000, 25, 334)]
)
def test_targets_are_the_published_ones(rows, wanted, most):
    assert (TEST.target(rows), TEST.upper(rows)) == (wanted, most)
    assert VAL.target(rows) == (0.05 * rows if rows >= 20 else 0)


sizes = st.lists(st.integers(1, 40), min_size=2, max_size=40).map(sorted)


@given(sizes, st.integers(0, 5))
@settings(deadline=None)
def test_a_choice_is_none_or_within_its_bounds(given_sizes, seed):
    counts = np.array(given_sizes)
    chosen = choose(counts, TEST, np.random.default_rng(seed))
    assert len(set(chosen)) == len(chosen)
    taken, rows = int(counts[chosen].sum()) if chosen else 0, int(counts.sum())
    assert not chosen or taken >= TEST.lower
    assert taken <= max(TEST.upper(rows), rows / 2)


specimens = st.tuples(
    st.sampled_from(["Aus", "Bus", None]),
    st.sampled_from(["a", "b", "c", "sp. 1", "sp. 2", None]),
    st.text("ACGTN", max_size=4),
)


@given(st.lists(specimens, max_size=150), st.randoms(use_true_random=False), st.integers(0, 3))
@settings(deadline=None, max_examples=60)
def test_a_partition_is_one_answer_without_leaks_and_any_order_of_rows_gives_it(rows, shuffle, seed):
    def split(some):
        genera = [genus for genus, _, _ in some]
        names = [None if genus is None or epithet is None else f"{genus} {epithet}" for genus, epithet, _ in some]
        columns = [pa.array(values, pa.string()) for values in (names, genera, [barcode for *_, barcode in some])]
        return partition(*columns, seed=seed), columns

    found, (names, _, _) = split(rows)
    groups = collections.defaultdict(set)
    for (_, _, barcode), name in zip(rows, found, strict=True):
        if barcode.strip("N"):
            groups[barcode.strip("N")].add(name)
    queries = {"val", "test", "val_unseen", "test_unseen"}
    assert all(len(splits) == 1 for splits in groups.values() if splits & queries)
    assert not any(
        species is None and split in METASPLITS["seen"][:1]
        for species, split in zip(names.to_pylist(), found, strict=True)
    )
    places = list(range(len(rows)))
    shuffle.shuffle(places)
    again, _ = split([rows[place] for place in places])
    assert again == [found[place] for place in places]


def counted(rows):
    """Give how many specimens of each species stand in each split."""
    genus, species, barcodes = (pa.array(column, pa.string()) for column in zip(*rows, strict=True))
    return collections.Counter(zip(species.to_pylist(), partition(species, genus, barcodes), strict=True))


def own(number):
    """Give a barcode that no other number has."""
    return "".join("ACGT"[number // 4**place % 4] for place in range(6))


def test_a_species_becomes_unseen_as_a_whole_wherever_its_genus_is_missing():
    rows = [["Aus", "Aus bus", own(at)] for at in range(3)]
    rows += [["Aus", "Aus sp. 1", own(10 + at)] for at in range(8)] + [
        [None, "Aus sp. 1", own(30 + at)] for at in (0, 1)
    ]
    found = counted(rows)
    assert sum(count for (name, split), count in found.items() if name == "Aus sp. 1" and "unseen" in split) == 10
    too_few = counted([row for row in rows if row[2] != own(10)])
    assert too_few["Aus sp. 1", "other_heldout"] == 9


def test_a_species_seen_once_is_trained_on_as_a_whole():
    found = counted([["Aus", "Aus bus", own(1)], ["aus", "Aus bus", own(2)], ["Aus", "Aus sp. 2", own(3)]])
    assert found == {("Aus bus", "train"): 2, ("Aus sp. 2", "other_heldout"): 1}


def test_a_missing_genus_is_known_where_a_published_name_lacks_its_genus_too():
    unseen = [[None, "Aus sp. 1", own(at)] for at in range(8)]
    assert counted([["Aus", "Aus bus", own(50)], *unseen])["Aus sp. 1", "other_heldout"] == 8
    assert ("Aus sp. 1", "other_heldout") not in counted([[None, "Aus bus", own(50)], *unseen])


@pytest.mark.parametrize("species", [1, 2, 5])
def test_of_a_short_tail_one_specimen_at_least_is_for_validation(species):
    rows = [["Aus", f"Aus {'bcdef'[at]}us", own(10 * at + one)] for at in range(species) for one in range(7)]
    found = counted(rows)
    assert sum(count for (_, split), count in found.items() if split == "val") == max(1, round(0.05 * 7 * species))
    assert found["Aus bus", "val"] == 1


def table(path, rows, header=HEADER):
    with path.open("w", newline="") as stream:
        csv.writer(stream, delimiter="\t" if path.suffix == ".tsv" else ",").writerows([header, *rows])
    return path


ROWS = [[f"P{number}", "Aus", f"Aus {'bc'[number % 2]}us", "ACGT"[number % 4] * 5] for number in range(12)]


@pytest.mark.parametrize("ending", ["csv", "tsv", "csv.gz", "parquet"])
def test_any_kind_of_table_goes_in_and_comes_out(tmp_path, ending):
    source = table(tmp_path / "in.csv", [[*row, 'a "b", c\nd'] for row in ROWS], [*HEADER, "remarks"])
    first = split_table(source, tmp_path / f"one.{ending}")
    second = split_table(tmp_path / f"one.{ending}", tmp_path / "two.csv")
    assert first == second
    with (tmp_path / "two.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert {row["remarks"] for row in rows} == {'a "b", c\nd'}
    assert list(rows[0]) == [*HEADER, "remarks", "split", "chunk"]
    assert [row["processid"] for row in rows] == [row[0] for row in ROWS]


@pytest.mark.parametrize("remarks", [['say "x', "plain", 'y"'], ['"', "", 'a ""b'], ['"all"'] * 3])
def test_a_quote_in_a_tsv_is_a_letter_and_swallows_no_row(tmp_path, remarks):
    lines = ["\t".join([*row, remark]) for row, remark in zip(ROWS, itertools.cycle(remarks), strict=False)]
    text = "\n".join(["\t".join([*HEADER, "remarks"]), *lines]) + "\n"
    (tmp_path / "in.tsv").write_text(text)
    done = split_table(tmp_path / "in.tsv", tmp_path / "out.tsv")
    assert sum(counts[0] for counts in done.counts.values()) == len(ROWS)
    written = [line.rsplit("\t", 2)[0] for line in (tmp_path / "out.tsv").read_text().splitlines()]
    assert "\n".join(written) + "\n" == text


def test_a_tsv_whose_rows_are_of_different_lengths_is_refused_where_quotes_would_join_them(tmp_path):
    rows = ["\t".join([*row, "-"]) for row in ROWS]
    rows[1] += "\tone cell more"
    rows[3], rows[6] = rows[3].replace("\t-", '\t"-'), rows[6].replace("\t-", '\t-"')
    (tmp_path / "in.tsv").write_text("\n".join(["\t".join([*HEADER, "remarks"]), *rows]))
    with pytest.raises(ReleaseError, match=r"in\.tsv: cannot be read as a table"):
        split_table(tmp_path / "in.tsv", tmp_path / "out.tsv")


def test_a_column_that_is_no_text_is_written_to_parquet_only(tmp_path):
    columns = dict(zip(HEADER, map(list, zip(*ROWS, strict=True)), strict=True))
    pq.write_table(
        pa.table({**columns, "sizes": [[1, 2]] * len(ROWS), "area": [1.5] * len(ROWS)}), tmp_path / "in.parquet"
    )
    with pytest.raises(OutputError, match=r"column sizes of type list<.*> is no text: write a \.parquet"):
        split_table(tmp_path / "in.parquet", tmp_path / "out.csv")
    split_table(tmp_path / "in.parquet", tmp_path / "out.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.parquet", "out.parquet"]


def test_a_csv_of_a_spreadsheet_with_semicolons_comes_out_with_semicolons(tmp_path):
    lines = ["Sample;Genus;Species;Barcode;remarks", *(";".join([*row, "1,5"]) for row in ROWS)]
    (tmp_path / "in.csv").write_bytes("\r\n".join(lines).encode("utf-8-sig"))
    columns = dict(zip(HEADER, ["Sample", "Genus", "Species", "Barcode"], strict=True))
    split_table(tmp_path / "in.csv", tmp_path / "out.csv", columns=columns)
    with (tmp_path / "out.csv").open(newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter=";"))
    assert [row["Sample"] for row in rows] == [row[0] for row in ROWS]
    assert {row["remarks"] for row in rows} == {"1,5"}
    split_table(tmp_path / "in.csv", tmp_path / "out.tsv", columns=columns)
    assert (tmp_path / "out.tsv").read_text().startswith("Sample\tGenus\t")


def test_text_that_is_not_utf_8_is_refused_with_what_to_do(tmp_path):
    (tmp_path / "in.csv").write_bytes(",".join(HEADER).encode() + b"\nP1,Aus,Aus b\xfcs,ACGT\n")
    with pytest.raises(ReleaseError, match="iconv -f LATIN1"):
        split_table(tmp_path / "in.csv", tmp_path / "out.csv")
    (tmp_path / "in.csv").write_bytes(",".join(HEADER).encode("utf-16"))
    with pytest.raises(ReleaseError, match=r"is UTF-16; .*iconv -f UTF-16"):
        split_table(tmp_path / "in.csv", tmp_path / "out.csv")


def test_capitals_of_barcodes_and_spaces_around_names_make_no_difference(tmp_path):
    plain = [[f"P{at}", "Aus", "Aus bus" if at % 2 else "Aus sp. 1", "ACGT"[at % 3] * 9] for at in range(60)]
    odd = [[row[0], f"{row[1]} ", f" {row[2]}", row[3].lower() if at % 4 else row[3]] for at, row in enumerate(plain)]
    splits = []
    for name, rows in (("plain", plain), ("odd", odd)):
        done = split_table(table(tmp_path / f"{name}.csv", rows), tmp_path / f"{name}-out.parquet")
        found = pq.read_table(tmp_path / f"{name}-out.parquet")
        splits.append((found["split"].to_pylist(), done.leaks))
        assert found["species"].to_pylist() == [row[2] for row in rows]
    assert splits[0] == splits[1]


def test_barcodes_that_differ_by_n_at_their_ends_leak_as_one(tmp_path):
    barcodes = ["NNACGT", "ACGTN", "CCGT"]
    rows = [
        ["P1", "Aus", "Aus bus", barcodes[0]],
        ["P2", "Dus", "Dus sp. 1", barcodes[1]],
        ["P3", "", "", barcodes[2]],
    ]
    done = split_table(table(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert done.leaks == ["1 of 2 barcodes in several splits: train–other_heldout 1"]
    assert [counts[1] for counts in done.counts.values()] == [1, 1, 1]


def test_arrays_of_more_letters_than_one_string_array_holds_are_joined_as_numbers():
    block = pa.array(["A" * (1 << 20)] * 1024)  # a chunk of 1 GiB, all of it the same memory
    barcodes = pa.chunked_array([block] * 3)
    with pytest.raises(pa.ArrowInvalid):
        barcodes.combine_chunks()
    coded = encode(barcodes)
    assert len(coded) == len(barcodes) == 3072
    assert len(coded.dictionary) == 1


def test_columns_of_ones_own_are_named_by_flags(tmp_path):
    source = table(tmp_path / "in.tsv", ROWS, ["id", "g", "s", "nuc"])
    words = ["--processid", "id", "--genus", "g", "--species", "s", "--barcode", "nuc"]
    command = [sys.executable, "-m", "bioscan5m_hf.cli", "split", str(source), str(tmp_path / "out.tsv"), *words]
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert said[0].split() == ["split", "specimens", "barcodes", "species"]
    assert sum(int(line.split()[1]) for line in said[1:]) == len(ROWS)
    refused = subprocess.run(command[:-2], capture_output=True, text=True, check=False)
    assert refused.returncode == 1
    assert "no column dna_barcode among id, g, s, nuc" in refused.stderr
    assert "--barcode" in refused.stderr


@pytest.mark.parametrize(
    ("rows", "splits", "note"),
    [
        ([["P1", "", "", "ACGT"]], ["pretrain"], "no specimen has a species"),
        ([["P1", "Aus", "Aus bus", "ACGT"]], ["train"], None),
        ([], [], "no specimen has a species"),
        ([["P1", "Aus", "Aus sp. 1", "ACGT"]] * 1, ["other_heldout"], "every species is a placeholder"),
        (
            [["P1", "Aus", "Aus bus", "NN"], ["P2", "Aus", "Aus bus", ""]],
            ["train", "train"],
            "1 specimens have no barcode",
        ),
    ],
)
def test_poor_tables_are_split_and_say_so(tmp_path, rows, splits, note):
    done = split_table(table(tmp_path / "in.csv", rows), tmp_path / "out.parquet")
    assert pq.read_table(tmp_path / "out.parquet")["split"].to_pylist() == splits
    assert (note is None and not done.notes) or any(note in line for line in done.notes)


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (
            [["P1", "", "", "A"], ["P1", "", "", "C"]],
            r"in\.csv, row 2, P1: a processid stands twice; it stands in row 1",
        ),
        ([["P1", "", "", "A"], ["", "", "", "C"]], r"in\.csv, row 2: no processid"),
        ([["P1", "", "", "A"], ["P2", "", ""]], r"in\.csv: cannot be read as a table"),
    ],
)
def test_tables_that_cannot_be_split_are_refused_and_nothing_is_written(tmp_path, rows, text):
    with pytest.raises(ReleaseError, match=text):
        split_table(table(tmp_path / "in.csv", rows), tmp_path / "out.csv")
    assert [path.name for path in tmp_path.iterdir()] == ["in.csv"]


def test_a_table_is_never_written_over_itself_nor_in_a_form_that_is_not_known(tmp_path):
    source = table(tmp_path / "in.csv", ROWS)
    before = source.read_bytes()
    with pytest.raises(OutputError, match="is the table itself"):
        split_table(source, source)
    with pytest.raises(OutputError, match=r"unknown kind of table '\.xlsx': use one of \.csv"):
        split_table(source, tmp_path / "out.xlsx")
    with pytest.raises(ReleaseError, match="no such table"):
        split_table(tmp_path / "none.csv", tmp_path / "out.csv")
    assert source.read_bytes() == before


def test_leaks_are_told():
    names = pa.array(["Aus bus", "Aus bus", "Aus cus", "Aus dus", None])
    found, present = presence(names, ["train", "test_unseen", "val", "other_heldout", "pretrain"])
    assert [str(leak) for leak in species_in_two(found, present)] == ["1 species in seen and unseen, such as Aus bus"]
    assert [str(leak) for leak in species_without_keys(found, present)] == [
        "1 species of val are not in train, such as Aus cus",
        "1 species of test_unseen are not in key_unseen, such as Aus bus",
    ]


def test_csv_stays_as_pyarrow_reads_it(tmp_path):
    split_table(table(tmp_path / "in.csv", ROWS), tmp_path / "out.csv")
    assert pv.read_csv(tmp_path / "out.csv").column_names == [*HEADER, "split", "chunk"]
