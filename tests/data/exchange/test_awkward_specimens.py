"""Specimens that a form has no place for, or would mistake, on their way out."""

import gzip
import hashlib
import json
import shutil
import subprocess
import tarfile
import xml.etree.ElementTree as ElementTree
import zipfile

import pytest
import webdataset
from Bio import SeqIO
from PIL import Image

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.exchange import export, import_release
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.data.kinds import ABOUT, Kind


LONG = "Z-" + "9" * 60
ROWS = {
    "AB123456": ("Diptera", "Phoridae", "Aus", "Aus bus", "acgtacgtacgtaacc"),
    "1ABC_A": ("Diptera", "Phoridae", "Aus", "Aus sp. BOLD 1", "ACGTACGTACGTAAGG"),
    LONG: ("Diptera", "Phoridae", "Aus", "Aus", "ACGTACGTACGTAATT"),
    "N-1": ("Diptera", "", "", "", "NNNN--NN"),
    "H-1": ("Diptera", "", "Bus", "Bus cus", "ACGT--ACGTACGTAACN"),
    "W-1": ("", "", "", "", "ACGTACGTACGTTTTT"),
    "E-1": ("Araneae", "Weird; [fam], x:y>z", "", "", "ACGTACGTACGTTGTT"),
}


@pytest.fixture(scope="module")
def awkward(tmp_path_factory):
    folder = tmp_path_factory.mktemp("awkward")
    lines = [
        f"{name}\tArthropoda\tInsecta\t" + "\t".join(row) if row[0] else f"{name}\t\t\t" + "\t".join(row)
        for name, row in ROWS.items()
    ]
    header = "processid\tphylum\tclass\torder\tfamily\tgenus\tspecies\tnuc\n"
    (folder / "a.tsv").write_text(header + "\n".join(lines) + "\n")
    done = import_release(folder / "a.tsv", folder / "release", split="train")
    assert done.rejected == []
    build(folder / "release", folder / "dataset", options=Options(workers=1))
    return folder / "dataset"


def written(dataset, out, name):
    done = export(dataset, out, name)
    return done, {record.description: str(record.seq) for record in SeqIO.parse(out, "fasta")}


def test_barcodes_have_upper_case_no_gaps_and_a_base(awkward, tmp_path):
    done, found = written(awkward, tmp_path / "a.fasta", "fasta-blast")
    assert "ACGTACGTACGTAACC" in found.values()
    assert "ACGTACGTACGTAACN" in found.values()
    assert done.left_out == {"without a base of a barcode": 1, "with an id of more than 50 letters": 1}


def test_species_stay_apart_for_assign_species(awkward, tmp_path):
    done, found = written(awkward, tmp_path / "a.fasta", "fasta-dada2-species")
    assert {head.split(" ", 1)[1] for head in found} == {"Aus bus", "Aus sp._BOLD_1", "Bus cus"}
    assert all(len(head.split()) == 3 for head in found)
    assert done.left_out == {"without a base of a barcode": 1, "without a species of two words": 3}


def test_names_below_a_hole_are_counted(awkward, tmp_path):
    done, found = written(awkward, tmp_path / "a.fasta", "fasta-dada2")
    assert "Animalia;Arthropoda;Insecta;Diptera;" in found
    assert done.changed == {"lose names that stand below a rank without one": 1}


def test_signs_of_a_form_in_names_are_replaced(awkward, tmp_path):
    heads = {name: " ".join(written(awkward, tmp_path / name, name)[1]) for name in ("fasta-sintax", "fasta-blast")}
    assert "E-1;tax=k:Animalia,p:Arthropoda,c:Insecta,o:Araneae,f:Weird__[fam]__x_y>z;" in heads["fasta-sintax"]
    assert "[family=Weird; _fam_, x:y_z]" in heads["fasta-blast"]


@pytest.mark.skipif(shutil.which("makeblastdb") is None, reason="needs BLAST+ (Debian: ncbi-blast+)")
def test_ids_like_accessions_stay_ids_for_blast(awkward, tmp_path):
    done, _ = written(awkward, tmp_path / "a.fasta", "fasta-blast")
    command = ["makeblastdb", "-in", "a.fasta", "-dbtype", "nucl", "-parse_seqids", "-out", "db"]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    listed = ["blastdbcmd", "-db", "db", "-entry", "all", "-outfmt", "%a"]
    ids = subprocess.run(listed, check=True, capture_output=True, text=True, cwd=tmp_path).stdout.split()
    assert sorted(ids) == sorted(set(ROWS) - {LONG, "N-1"})
    assert len(ids) == done.written


def test_compressed_files_are_compressed_and_have_equal_bytes(awkward, tmp_path):
    for folder in (tmp_path / "a", tmp_path / "b"):
        done = export(awkward, folder / "train.fasta.gz", "fasta-qiime2")
        assert [path.name for path in done.files] == ["train.fasta.gz", "train.taxonomy.tsv"]
    assert (tmp_path / "a" / "train.fasta.gz").read_bytes() == (tmp_path / "b" / "train.fasta.gz").read_bytes()
    with gzip.open(tmp_path / "a" / "train.fasta.gz", "rt") as stream:
        ids = [record.id for record in SeqIO.parse(stream, "fasta")]
    taxonomy = (tmp_path / "a" / "train.taxonomy.tsv").read_text().splitlines()
    assert [line.split("\t")[0] for line in taxonomy[1:]] == ids
    assert len(ids) == done.written


def test_keys_of_tars_are_each_specimens_own(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    for place, name in enumerate(("A.1", "A_1", "A-1")):
        Image.new("RGB", (8, 6), (place * 80, 0, 0)).save(folder / f"{name}.jpg")
    (tmp_path / "own.csv").write_text("processid,order\nA.1,Diptera\nA_1,Araneae\nA-1,\nB-1,Diptera\n")
    import_release(tmp_path / "own.csv", tmp_path / "release", photographs=folder)
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1, policy=Policy(skip=True)))
    done = export(tmp_path / "dataset", tmp_path / "tars", "webdataset", shard=1)
    assert (done.written, done.left_out) == (2, {"without a name for a caption": 1})
    sizes = json.loads((tmp_path / "tars" / "sizes.json").read_text())
    assert sizes == {"000000.tar": 1, "000001.tar": 1}
    read = webdataset.WebDataset([str(tmp_path / "tars" / name) for name in sizes], shardshuffle=False)
    found = {json.loads(one["json"])["processid"]: one for one in read}
    assert {name: one["txt"].decode() for name, one in found.items()} == {"A.1": "Diptera", "A_1": "Araneae"}
    assert all("." not in one["__key__"] for one in found.values())
    for name, one in found.items():
        assert hashlib.md5(one["jpg"]).digest() == hashlib.md5((folder / f"{name}.jpg").read_bytes()).digest()


def test_tars_of_an_invented_dataset_say_so(dataset, tmp_path):
    done = export(dataset, tmp_path / "tars", "webdataset", split="val", shard=2)
    assert "invented" in (tmp_path / "tars" / "README.txt").read_text()
    with tarfile.open(tmp_path / "tars" / "000000.tar") as tar:
        about = [json.load(tar.extractfile(one)) for one in tar if one.name.endswith(".json")]
    assert len(about) == min(2, done.written)
    assert all(one["invented"] is True for one in about)


def test_an_archive_names_addresses_and_rights_that_are_given(awkward, tmp_path):
    address = "https://example.org/{split}/{processid}.jpg?c={chunk}"
    export(awkward, tmp_path / "a.zip", "darwin-core", address=address, rights="© A & B, CC0")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        lines = archive.read("multimedia.txt").decode().splitlines()
        meta = ElementTree.fromstring(archive.read("meta.xml"))
        eml = ElementTree.fromstring(archive.read("eml.xml"))
        occurrences = archive.read("occurrence.txt").decode().splitlines()
    assert len(lines) == 1 + len(ROWS)
    assert any(line.endswith("https://example.org/train/AB123456.jpg?c=7") for line in lines)
    space = "{http://rs.tdwg.org/dwc/text/}"
    kinds = [one.get("rowType").rpartition("/")[2] for one in meta.findall(f"{space}extension")]
    assert kinds == ["DNADerivedData", "Multimedia"]
    assert eml.findtext("dataset/intellectualRights/para") == "© A & B, CC0"
    assert eml.findtext("dataset/contact/organizationName") == "© A & B, CC0"
    names = dict(
        zip(occurrences[0].split("\t"), next(one for one in occurrences if one[:3] == "W-1").split("\t"), strict=True)
    )
    assert (names["scientificName"], names["taxonRank"]) == ("Animalia", "kingdom")


def test_rights_are_those_of_bioscan_where_the_specimens_are(awkward, dataset, tmp_path):
    said = {}
    official = shutil.copytree(awkward, tmp_path / "official")
    card = (official / "README.md").read_text()
    (official / "README.md").write_text(card.replace(ABOUT[Kind.OWN].name, ABOUT[Kind.OFFICIAL].name))
    for place, folder in enumerate((official, dataset, awkward)):
        export(folder, tmp_path / f"{place}.zip", "darwin-core")
        with zipfile.ZipFile(tmp_path / f"{place}.zip") as archive:
            said[place] = ElementTree.fromstring(archive.read("eml.xml")).findtext("dataset/intellectualRights/para")
    assert "https://creativecommons.org/licenses/by/3.0/" in said[0]
    assert "invented" in said[1]
    assert said[2] == "No rights are stated."


def test_half_a_site_is_told(tmp_path):
    (tmp_path / "a.csv").write_text("processid,nuc,coord-lat,coord-lon\nA-1,ACGT,,-84\nA-2,ACGA,10,-84\n")
    import_release(tmp_path / "a.csv", tmp_path / "release")
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1))
    done = export(tmp_path / "dataset", tmp_path / "bcdm.tsv", "bcdm")
    assert list(done.changed.values()) == [1]
    assert "stands alone" in min(done.changed)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("ftp://x/{processid}", "is no address of photographs"),
        ("https://example.org/a.jpg", "is no address of photographs"),
        ("https://example.org/{processid}/{processid.__class__}", "unknown field 'processid.__class__'"),
    ],
)
def test_addresses_that_are_none_are_refused(awkward, tmp_path, address, message):
    with pytest.raises(ValueError, match=message):
        export(awkward, tmp_path / "a.zip", "darwin-core", address=address)
    assert list(tmp_path.iterdir()) == []
