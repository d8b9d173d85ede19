"""Names by nearest specimens: the right one with its evidence, the deepest rank that is supported, nothing forced."""

import csv

import pyarrow as pa
import pytest

from bioscan5m_hf import load_specimens
from bioscan5m_hf.dna import reverse_complement
from bioscan5m_hf.embedding.calibration import Bin, RankThreshold
from bioscan5m_hf.embedding.encoder import BarcodeEncoder
from bioscan5m_hf.embedding.inputs import open_input
from bioscan5m_hf.embedding.keys import embed_keys
from bioscan5m_hf.embedding.matching import Matching
from bioscan5m_hf.embedding.naming import calibrate
from bioscan5m_hf.embedding.neighbours import search
from bioscan5m_hf.embedding.results import write_names
from bioscan5m_hf.embedding.thresholds import Thresholds
from bioscan5m_hf.errors import OutputError
from bioscan5m_hf.taxonomy import LABELS, RANKS, is_filler


SURE = RankThreshold(0.999, 100, 100, 98)


@pytest.fixture(scope="module")
def cache(encoder, dataset, tmp_path_factory):
    path = tmp_path_factory.mktemp("keys") / "keys.parquet"
    embed_keys(encoder, open_input(dataset, "train+key_unseen"), path)
    return path


@pytest.fixture
def keys(encoder, dataset, cache):
    return embed_keys(encoder, open_input(dataset, "train+key_unseen"), cache)


@pytest.fixture(scope="module")
def specimens(dataset):
    """Give key specimens whose barcode only their own species has."""
    columns = ["processid", "dna_barcode", *LABELS]
    rows = list(load_specimens(dataset, split="train+key_unseen", columns=columns, streaming=True))
    species = {}
    for row in rows:
        species.setdefault(row["dna_barcode"], set()).add(row["species"])
    good = [row for row in rows if row["species"] and row["genus"] and species[row["dna_barcode"]] == {row["species"]}]
    assert len(good) >= 5
    return good[:5], rows


def batch_of(rows, **more):
    ids = [*(f"Q-{row['processid']}" for row in rows), *more]
    return pa.record_batch(
        [pa.array(ids), pa.array([*(row["dna_barcode"] for row in rows), *more.values()], pa.string())],
        names=["processid", "dna_barcode"],
    )


def test_the_same_barcode_has_its_specimens_name_with_all_that_convinces(encoder, keys, specimens):
    good, rows = specimens
    naming = Matching(encoder, keys, "species")
    naming.use(Thresholds("neighbours", 0.95, {"species": SURE}, naming.origin))
    for row, named in zip(good, naming.names(batch_of(good)), strict=True):
        assert (named["rank"], named["name"]) == ("species", row["species"])
        assert named["similarity"] == pytest.approx(1, abs=1e-5)
        assert (named["identity"], named["overlap"]) == (100, sum(map(row["dna_barcode"].count, "ACGT")))
        nearest = next(other for other in rows if other["processid"] == named["nearest_processid"])
        assert (nearest["species"], named["nearest_bin"]) == (row["species"], nearest["dna_bin"])
        assert named["key_specimens"] == sum(other["species"] == row["species"] for other in rows)
        runner = next(other for other in rows if other["processid"] == named["runner_up_processid"])
        assert named["runner_up"] == runner["species"] != row["species"]
        assert named["runner_up_similarity"] < named["similarity"]
        for rank in RANKS:
            label = nearest[rank] if nearest[rank] and not is_filler(nearest[rank]) else None
            assert named[rank] == label
        assert set(named) <= set(naming.columns)


def test_who_asks_for_genera_has_those_of_the_species_that_are_sure(encoder, keys, specimens):
    """Thresholds of genera are fitted on reads that no species names, and here none was good enough."""
    good, rows = specimens
    sure = RankThreshold(0.999, 100, 100, 98, (Bin(0.5, 0.998, 50, 20), Bin(0.999, 1.0, 100, 98)))
    fitted = {"species": sure, "genus": RankThreshold(None, 9, 0, 0)}
    naming = Matching(encoder, keys, "genus")
    naming.use(Thresholds("neighbours", 0.95, fitted, naming.origin))
    *named, other = naming.names(batch_of(good, random="ACGTTGCAAC" * 30))
    for row, found in zip(good, named, strict=True):
        assert (found["rank"], found["name"], found["genus"]) == ("genus", row["genus"], row["genus"])
        assert (found["similarity"], found["share_right"]) == (pytest.approx(1, abs=1e-5), 0.98)
        assert found["key_specimens"] == sum(other["genus"] == row["genus"] for other in rows)
        assert found["runner_up"] != row["genus"]
        assert "species" not in found
    assert "name" not in other
    naming.use(Thresholds("neighbours", 0.95, {"genus": fitted["genus"]}, naming.origin))
    assert not any("name" in found for found in naming.names(batch_of(good)))


def test_a_read_of_the_other_strand_finds_the_same_specimen(encoder, keys, specimens):
    naming = Matching(encoder, keys, "species")
    barcode = specimens[0][0]["dna_barcode"]
    one, other = naming.names(batch_of([], forward=barcode, reverse=reverse_complement([barcode])[0].as_py()))
    assert (one["strand"], other["strand"]) == ("+", "-")
    for column in ("nearest_processid", "identity", "overlap", "nearest_similarity"):
        assert one[column] == other[column]


def test_a_short_read_is_tried_on_both_strands(encoder, keys, specimens):
    """Some parts of 32 bases tell no strand; of a part and its reverse complement the same strand is kept."""
    whole = specimens[0][0]["dna_barcode"]
    naming = Matching(encoder, keys, "species")
    parts = {f"P{start}": whole[start : start + 32] for start in range(0, 480, 32)}
    batch = batch_of(
        [], **parts, **{f"R{name}": reverse_complement([text])[0].as_py() for name, text in parts.items()}
    )
    rows = {row["processid"]: row for row in naming.names(batch)}
    doubtful = [name for name in parts if "strand_unclear" in rows[name]["warnings"]]
    assert len(doubtful) > 3
    for name in doubtful:
        both = (parts[name], reverse_complement([parts[name]])[0].as_py())
        nearest = [search(encoder.embed([text]), keys, ())[0].similarity[0] for text in both]
        for read, as_given in ((name, "+-"), ("R" + name, "-+")):
            assert rows[read]["strand"] == as_given[int(nearest[1] > nearest[0])]
            assert rows[read]["nearest_similarity"] == pytest.approx(max(nearest), abs=1e-5)
    assert {rows[name]["strand"] for name in doubtful} <= {"+", "-"}


def test_what_the_evidence_does_not_support_stays_empty(encoder, keys, specimens):
    good, _ = specimens
    naming = Matching(encoder, keys, "species")
    batch = batch_of(good, empty="", protein="MKVLAAGIVGLPLLFEQP" * 5)
    without = list(naming.names(batch))
    assert all("name" not in row for row in without)
    assert without[0]["nearest_processid"]
    assert "nearest_processid" not in without[5]
    naming.use(Thresholds("neighbours", 0.95, {"order": SURE, "species": RankThreshold(None, 9, 0, 0)}, naming.origin))
    rows = list(naming.names(batch))
    assert rows[0]["rank"] == "order"
    assert rows[0]["name"] == rows[0]["order"]
    assert "genus" not in rows[0]
    assert [row["processid"] for row in rows] == batch["processid"].to_pylist()
    assert "name" not in rows[5]
    assert "name" not in rows[6]


def test_a_barcode_of_two_species_is_named_by_what_they_share(encoder, tmp_path):
    path = tmp_path / "keys.csv"
    barcode = "ACGTTGCAAGCTTACGATCG" * 20
    path.write_text(
        "processid,nucleotides,order,genus,species\n"
        f"K1,{barcode},Diptera,Aus,Aus bus\nK2,{barcode},Diptera,Aus,Aus cus\nK3,{barcode[::-1]},Diptera,Bus,Bus dus\n"
    )
    naming = Matching(encoder, embed_keys(encoder, open_input(path)), "species")
    ranks = dict.fromkeys(RANKS, SURE)
    naming.use(Thresholds("neighbours", 0.95, ranks, naming.origin))
    (row,) = naming.names(batch_of([], Q=barcode))
    assert (row["rank"], row["name"], row["runner_up"]) == ("genus", "Aus", "Bus")
    assert "species" not in row
    assert {row["nearest_name"], row["equally_near"]} == {"Aus bus", "Aus cus"}
    assert row["key_specimens"] == 2


def test_a_specimen_without_a_species_does_not_hide_the_one_with_it(encoder, tmp_path):
    path = tmp_path / "keys.fasta"
    barcode = "ACGTTGCAAGCTTACGATCG" * 20
    near = barcode[:200] + "CCC" + barcode[203:]
    path.write_text(f">K1 order=Diptera\n{barcode}\n>K2 order=Diptera;species=Aus bus\n{near}\n")
    naming = Matching(encoder, embed_keys(encoder, open_input(path)), "species")
    naming.use(Thresholds("neighbours", 0.95, {"species": RankThreshold(0.5, 9, 9, 9)}, naming.origin))
    (row,) = naming.names(batch_of([], Q=barcode))
    assert (row["nearest_processid"], row["name"]) == ("K1", "Aus bus")
    assert row["similarity"] < row["nearest_similarity"]


def test_only_allowed_taxa_are_found(encoder, keys, specimens):
    good, _ = specimens
    naming = Matching(encoder, keys, "species")
    naming.restrict({"order": [good[0]["order"]]})
    for row in naming.names(batch_of(good)):
        nearest = next(other for other in specimens[1] if other["processid"] == row["nearest_processid"])
        assert nearest["order"] == good[0]["order"]


def test_where_no_allowed_key_has_a_name_at_the_rank_the_specimen_is_still_given(encoder, tmp_path):
    path = tmp_path / "keys.fasta"
    path.write_text(">K1 order=Diptera\nACGTACGTACGTAA\n>K2 order=Araneae;genus=Aus\nACGGACTTACGTCC\n")
    naming = Matching(encoder, embed_keys(encoder, open_input(path)), "genus")
    naming.restrict({"order": ["Diptera"]})
    naming.use(Thresholds("neighbours", 0.95, {"order": SURE, "genus": SURE}, naming.origin))
    (row,) = naming.names(batch_of([], Q="ACGTACGTACGTAA"))
    assert (row["nearest_processid"], row["rank"], row["name"]) == ("K1", "order", "Diptera")
    assert "runner_up" not in row
    (row,) = naming.names(batch_of([], Q="GGGTTTCCATACAC"))
    assert row["nearest_processid"] == "K1"
    assert "name" not in row


def test_thresholds_are_fitted_on_reads_that_the_keys_do_not_hold(encoder, dataset, keys):
    naming = Matching(encoder, keys, "species")
    fitted = calibrate(naming, open_input(dataset, "val+val_unseen"), share=0.9, least=1)
    assert list(fitted.ranks) == list(naming.ranks)
    assert fitted.origin["keys"] == dataset.name
    assert fitted.origin["key_split"] == "train+key_unseen"
    for found in fitted.ranks.values():
        assert found.right >= 0.9 * found.accepted
        assert found.asked >= found.accepted
    assert fitted.ranks["phylum"].accepted == fitted.ranks["phylum"].asked > 0
    naming.use(fitted)


def test_thresholds_are_bound_to_what_the_keys_say(encoder, dataset, keys, tmp_path):
    """Keys of `train` and more may use thresholds of `train`; a copy of the keys may, and changed ones may not."""
    rows = "processid,dna_barcode,order,species\nK1,ACGTTGCAAGCTTACGATCG,Diptera,Aus bus\n"
    (tmp_path / "keys.csv").write_text(rows)
    (tmp_path / "copy.csv").write_text(rows)
    (tmp_path / "changed.csv").write_text(rows.replace("Aus bus", "Aus cus"))
    of = {name: Matching(encoder, embed_keys(encoder, open_input(tmp_path / f"{name}.csv")), "species") for name in
          ("keys", "copy", "changed")}  # fmt: skip
    thresholds = Thresholds("neighbours", 0.95, {"species": SURE}, of["keys"].origin)
    assert of["copy"].use(thresholds) == ""
    with pytest.raises(ValueError, match=r"fitted with other key specimens \(.*keys.csv, of which"):
        of["changed"].use(thresholds)
    train = embed_keys(encoder, open_input(dataset, "train"), tmp_path / "train.parquet")
    fitted = Thresholds("neighbours", 0.95, {"species": SURE}, Matching(encoder, train, "species").origin)
    assert len(keys.origin["fingerprints"].split()) == 2
    assert Matching(encoder, keys, "species").use(fitted) == ""
    more = Thresholds("neighbours", 0.95, {"species": SURE}, Matching(encoder, keys, "species").origin)
    fewer = Matching(encoder, train, "species")
    with pytest.raises(ValueError, match=r"other key specimens \(.* train\+key_unseen, of which these hold not all"):
        fewer.use(more)


def test_a_file_of_keys_in_another_precision_is_not_taken_for_this_one(stock, encoder, tmp_path):
    (tmp_path / "keys.fasta").write_text(">K1 order=Diptera\nACGTACGTACGT\n")
    records, cache = open_input(tmp_path / "keys.fasta"), tmp_path / "keys.parquet"
    embed_keys(encoder, records, cache)
    rounded = BarcodeEncoder.from_pretrained(stock, device="cpu", dtype="bfloat16")
    with pytest.raises(OutputError, match=r"holds something else \(dtype differs\)"):
        embed_keys(rounded, records, cache)
    assert embed_keys(rounded, records).path != embed_keys(encoder, records).path


def test_a_rank_that_no_key_has_is_refused(encoder, tmp_path):
    path = tmp_path / "keys.fasta"
    path.write_text(">K1 order=Diptera\nACGTACGTACGT\n")
    keys = embed_keys(encoder, open_input(path))
    with pytest.raises(ValueError, match="no key specimen has a name at the rank genus"):
        Matching(encoder, keys, "genus")
    assert Matching(encoder, keys, "order").ranks == ("order",)


def test_the_table_appears_whole_or_not_at_all(encoder, keys, tmp_path):
    reads = tmp_path / "reads.csv"
    reads.write_text("processid,dna_barcode\n" + '"=HYPERLINK(""x"")",ACGTTGCAAG\n+1,acgu\n' + "A,C\n" * 30)
    naming = Matching(encoder, keys, "genus", block=7)
    out = tmp_path / "new" / "names.csv"
    assert write_names(out, naming, open_input(reads)) == 32
    with out.open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [row["processid"] for row in rows] == ['=HYPERLINK("x")', "+1", *["A"] * 30]
    assert list(rows[0]) == naming.columns
    assert "changed" in rows[1]["warnings"].split()
    reads.write_text("processid,dna_barcode\n" + "A,C\n" * 30 + "B\n")
    with pytest.raises(ValueError, match="row 31"):
        write_names(tmp_path / "new" / "other.csv", naming, open_input(reads))
    assert [path.name for path in out.parent.iterdir()] == ["names.csv"]
    with pytest.raises(OutputError, match="is a folder"):
        write_names(tmp_path, naming, open_input(reads))
