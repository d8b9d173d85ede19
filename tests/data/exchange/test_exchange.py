"""Exchange: what is exported is read by the ecosystem's own readers, and what is imported is told or taken over."""

import csv
import gzip
import hashlib
import json
import shutil
import subprocess
import sys
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from Bio import SeqIO
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.exchange import FORMATS, export, import_release
from bioscan5m_hf.data.exchange.fasta import HEADERS, blast, dada2, dada2_species, qiime2_taxonomy, sintax
from bioscan5m_hf.data.exchange.rows import open_rows
from bioscan5m_hf.data.exchange.terms import CARRIED
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.errors import Bioscan5mError, OutputError, ReleaseError
from bioscan5m_hf.taxonomy import RANKS, is_filler


@pytest.fixture(scope="module")
def rows(dataset):
    return {row["processid"]: row for row in open_rows(dataset)}


@pytest.fixture(scope="module")
def exported(dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("exported")
    done = {name: export(dataset, folder / name, name) for name in FORMATS}
    return folder, done


@pytest.mark.parametrize("name", HEADERS)
def test_biopython_reads_each_barcode_letter_by_letter(exported, rows, name):
    folder, done = exported
    records = list(SeqIO.parse(folder / name, "fasta"))
    assert len(records) == done[name].written == len(rows) - sum(done[name].left_out.values())
    barcodes = {row["dna_barcode"].replace("-", "") for row in rows.values()}
    assert {str(record.seq) for record in records} <= barcodes
    if name != "fasta-dada2":  # whose headers hold no id
        ids = [record.id.partition(";")[0] for record in records]
        assert all(str(record.seq) == rows[one]["dna_barcode"] for one, record in zip(ids, records, strict=True))


def test_sintax_headers_give_all_names_that_are_known(exported, rows):
    for record in SeqIO.parse(exported[0] / "fasta-sintax", "fasta"):
        processid, tax, end = record.description.split(";")
        fields = dict(one.split(":") for one in tax.removeprefix("tax=").split(","))
        row = rows[processid]
        assert end == ""
        assert fields.get("o") == row["order"]
        assert fields.get("s") == (row["species"] and row["species"].replace(" ", "_"))


def test_qiime2_has_a_line_of_taxonomy_for_each_sequence(exported, rows):
    ids = [record.id for record in SeqIO.parse(exported[0] / "fasta-qiime2", "fasta")]
    with (exported[0] / "fasta-qiime2.taxonomy.tsv").open() as stream:
        lines = list(csv.reader(stream, delimiter="\t"))
    assert lines[0] == ["Feature ID", "Taxon"]
    assert [line[0] for line in lines[1:]] == ids
    assert {len(line[1].split("; ")) for line in lines[1:]} == {7}
    assert all(f"o__{rows[line[0]]['order'] or ''};" in line[1] for line in lines[1:])


names = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=12)
lineages = st.fixed_dictionaries({rank: st.none() | names for rank in RANKS})


@given(lineages)
def test_no_name_breaks_a_header(lineage):
    row = {"processid": "A1-20", "dna_bin": None, **lineage}
    header = sintax(row)
    if header is not None:
        processid, tax, end = header.split(";")
        assert (processid, end, len(header.splitlines())) == ("A1-20", "", 1)
        assert all(one.count(":") == 1 for one in tax.removeprefix("tax=").split(","))
    assert len(qiime2_taxonomy(row).split("\t")) == 2
    assert len(qiime2_taxonomy(row).split("\t")[1].split(";")) == 7
    assert dada2(row) is None or dada2(row).endswith(";")
    assert len((dada2_species(row) or "").splitlines()) < 2
    assert blast(row).split()[0] == "A1-20"


def test_open_clip_finds_photograph_and_caption_of_each_key(exported, rows):
    import webdataset

    folder = exported[0] / "webdataset"
    sizes = json.loads((folder / "sizes.json").read_text())
    shards = [str(folder / name) for name in sizes]
    pipeline = (
        webdataset.WebDataset(shards, shardshuffle=False).decode("pil").to_tuple("__key__", "jpg", "txt", "json")
    )
    found = list(pipeline)
    assert len(found) == sum(sizes.values()) == exported[1]["webdataset"].written
    for key, image, text, about in found:
        row = rows[about["processid"]]
        assert key == row["processid"].replace(".", "_")
        assert image.mode == "RGB"
        assert row["order"] is None or row["order"] in text
        assert about["dna_barcode"] == row["dna_barcode"]


def test_photographs_in_tars_are_the_bytes_of_the_dataset(exported, dataset):
    import tarfile

    stored = {}
    for file in (dataset / "cropped_256").glob("*.parquet"):
        for row in pq.read_table(file, columns=["processid", "image"]).to_pylist():
            stored[row["processid"]] = hashlib.md5(row["image"]["bytes"]).hexdigest()
    with tarfile.open(exported[0] / "webdataset" / "000000.tar") as tar:
        photographs = [one for one in tar if one.name.endswith(".jpg")]
        assert photographs
        for one in photographs:
            assert hashlib.md5(tar.extractfile(one).read()).hexdigest() == stored[one.name.removesuffix(".jpg")]


def test_meta_xml_describes_the_files_that_are_there(exported, rows):
    with zipfile.ZipFile(exported[0] / "darwin-core") as archive:
        meta = ElementTree.fromstring(archive.read("meta.xml"))
        space = "{http://rs.tdwg.org/dwc/text/}"
        tables = [meta.find(f"{space}core"), *meta.findall(f"{space}extension")]
        assert len(tables) == 2
        for table in tables:
            name = table.find(f"{space}files/{space}location").text
            lines = archive.read(name).decode().splitlines()
            header = lines[0].split("\t")
            fields = {int(field.get("index")): field.get("term") for field in table.findall(f"{space}field")}
            assert all(
                uri.rpartition("/")[2] == header[place] or ":" in uri.rpartition("/")[2]
                for place, uri in fields.items()
            )
            assert {line.count("\t") for line in lines} == {len(header) - 1}
            assert {line.split("\t")[0] for line in lines[1:]} == set(rows)
        assert "invented" in archive.read("eml.xml").decode().lower()


@pytest.mark.parametrize("name", CARRIED)
def test_what_a_form_carries_comes_back(exported, rows, tmp_path, name):
    source = tmp_path / {"bcdm": "bcdm.tsv", "darwin-core": "archive.zip"}[name]
    shutil.copy(exported[0] / name, source)
    done = import_release(source, tmp_path / "release", split="train")
    assert (done.specimens, done.rejected) == (len(rows), [])
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1))
    back = {row["processid"]: row for row in open_rows(tmp_path / "dataset")}
    assert set(back) == set(rows)
    for processid, row in rows.items():
        assert {column: back[processid][column] for column in CARRIED[name]} == {
            column: row[column] for column in CARRIED[name]
        }


def test_fillers_are_no_names_outside(exported, rows, dataset):
    table = pq.ParquetDataset(dataset / "metadata", partitioning=None).read().to_pylist()
    fillers = {row["subfamily"] for row in table if row["subfamily"] and is_filler(row["subfamily"])}
    assert fillers
    for name in HEADERS:
        assert not any(filler in (exported[0] / name).read_text() for filler in fillers)


def test_equal_exports_have_equal_bytes(exported, dataset, tmp_path):
    for name in ("darwin-core", "bcdm", "fasta-sintax"):
        export(dataset, tmp_path / name, name)
        assert (tmp_path / name).read_bytes() == (exported[0] / name).read_bytes()
    export(dataset, tmp_path / "tars", "webdataset")
    assert (tmp_path / "tars" / "000000.tar").read_bytes() == (exported[0] / "webdataset" / "000000.tar").read_bytes()


def test_splits_and_taxa_are_chosen(dataset, tmp_path, rows):
    done = export(dataset, tmp_path / "a.fasta", "fasta-blast", split="train", within={"order": ["Diptera"]})
    wanted = {one for one, row in rows.items() if row["split"] == "train" and row["order"] == "Diptera"}
    assert {record.id for record in SeqIO.parse(tmp_path / "a.fasta", "fasta")} == wanted
    assert done.written == len(wanted)


@pytest.mark.skipif(shutil.which("makeblastdb") is None, reason="needs BLAST+ (Debian: ncbi-blast+)")
def test_blast_finds_each_barcode_by_its_id(exported, rows, tmp_path):
    database = [
        "-in",
        str(exported[0] / "fasta-blast"),
        "-dbtype",
        "nucl",
        "-parse_seqids",
        "-out",
        str(tmp_path / "db"),
    ]
    subprocess.run(["makeblastdb", *database], check=True, capture_output=True)
    asked = list(rows.values())[:20]
    (tmp_path / "q.fasta").write_text("".join(f">{row['processid']}\n{row['dna_barcode']}\n" for row in asked))
    command = [
        "blastn",
        "-db",
        str(tmp_path / "db"),
        "-query",
        str(tmp_path / "q.fasta"),
        "-outfmt",
        "6 qseqid sseqid pident",
    ]
    found = subprocess.run([*command, "-dust", "no"], check=True, capture_output=True, text=True).stdout.splitlines()
    best = {}
    for line in found:
        query, subject, identity = line.split("\t")
        if float(identity) == 100.0:
            best.setdefault(query, set()).add(subject)
    for row in asked:
        same = {one for one, other in rows.items() if other["dna_barcode"] == row["dna_barcode"]}
        assert best[row["processid"]] & same


def test_refusals_say_what_is_allowed_and_leave_nothing(dataset, tmp_path):
    with pytest.raises(ValueError, match=r"unknown format 'xml': use one of fasta-sintax"):
        export(dataset, tmp_path / "a", "xml")
    with pytest.raises(ValueError, match="unknown rank 'tribe'"):
        export(dataset, tmp_path / "a", "bcdm", within={"tribe": ["x"]})
    with pytest.raises(OutputError, match="is a folder"):
        export(dataset, tmp_path, "bcdm")
    with pytest.raises(Bioscan5mError, match="there is no dataset"):
        export(tmp_path / "none", tmp_path / "a", "bcdm")
    assert list(tmp_path.iterdir()) == []


HEADER = "processid\tspecies\tgenus\tnuc\tcoord\tcountry/ocean\n"


def source_table(folder, text, name="in.tsv"):
    path = folder / name
    path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text)
    return path


def test_what_does_not_fit_is_told_with_its_row(tmp_path):
    lines = ["P1\tAus bus\tAus\tACGT\t(10.5,-84)\tCosta Rica", "P1\t\t\tA\t\t", "P2\t\t\tAC!T\t\t", "\tAus\t\tA\t\t"]
    lines += ["P3\t\t\tacgt\t[95, 3]\t", "P4\ta", "P5\t\t\tACGT\t\tNowhere", "../x\t\t\tA\t\t"]
    source = source_table(tmp_path, "\ufeff" + HEADER + "\n".join(lines) + "\n")
    done = import_release(source, tmp_path / "release")
    assert done.specimens == 2
    told = {(one.row, one.processid): one.reason for one in done.rejected}
    assert told[2, "P1"] == "the processid stands in row 1 already"
    assert "holds '!'" in told[3, "P2"]
    assert told[4, None] == "no processid"
    assert "impossible coord-lat 95" in told[5, "P3"]
    assert told[6, None].startswith("2 cells, the header has 6")
    assert "is no file stem" in told[8, "../x"]
    with (tmp_path / "release" / "rejected.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == len(done.rejected) == 6


@pytest.mark.parametrize(
    ("text", "name", "message"),
    [
        ("", "in.tsv", "no processid among no columns"),
        (HEADER, "in.tsv", "no specimen can be taken over"),
        ("a,b\n1,2\n", "in.csv", "no processid among a, b; name the column of the ids with --column processid=NAME"),
        ("processid\tspecies\nP1\tÄus\n".encode("latin-1"), "in.tsv", "save it in UTF-8"),
        (b"\x00\x01", "in.bin", "unknown kind of file '.bin'"),
        ("ACGT\n", "in.fasta", "no FASTA: it begins with 'ACGT'"),
        (b"PK nothing", "in.zip", "is no zip"),
    ],
)
def test_sources_that_cannot_be_read_are_refused(tmp_path, text, name, message):
    with pytest.raises(ReleaseError) as caught:
        import_release(source_table(tmp_path, text, name), tmp_path / "release")
    assert message in str(caught.value)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize(
    ("meta", "message"),
    [
        ('<!DOCTYPE a [<!ENTITY b "c">]><archive/>', "declares a document type or entities"),
        ("<archive", "is no XML"),
        ("<archive/>", "no core of occurrences"),
        (
            '<archive><core rowType="x/Occurrence"><files><location>../../etc/passwd</location></files>'
            '<id index="0"/></core></archive>',
            "is no plain file name",
        ),
        (
            '<archive><core rowType="x/Occurrence"><files><location>o.txt</location></files>'
            '<id index="0"/></core></archive>',
            "one o.txt is needed, and there is none",
        ),
    ],
)
def test_archives_that_are_not_safe_are_refused(tmp_path, meta, message):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr("meta.xml", meta)
    with pytest.raises(ReleaseError, match=message):
        import_release(tmp_path / "a.zip", tmp_path / "release")


def test_a_table_of_ones_own_columns_compressed_becomes_a_dataset_with_splits(tmp_path):
    rows = [
        f"S{number},Aus b{'cd'[number % 2]}us,Aus,{'ACGT'[number // 2 % 4] * (30 + number // 8)}"
        for number in range(40)
    ]
    path = tmp_path / "own.csv.gz"
    with gzip.open(path, "wt") as stream:
        stream.write("Code,Name,Genus,Seq\n" + "\n".join(rows) + "\n")
    words = ["--column", "processid=Code", "--column", "species=Name", "--column", "genus=Genus"]
    command = [sys.executable, "-m", "bioscan5m_hf.cli", "import", str(path), str(tmp_path / "release"), *words]
    command += ["--column", "dna_barcode=Seq", "--partition"]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert "40 specimens, 0 photographs" in said
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1))
    assert {row["split"] for row in open_rows(tmp_path / "dataset")} >= {"train", "test"}


def test_photographs_and_fasta_meet_by_name(tmp_path):
    folder = tmp_path / "own"
    (folder / "plate 1").mkdir(parents=True)
    Image.new("RGB", (40, 30), "red").save(folder / "plate 1" / "A1.jpg")
    Image.new("L", (40, 30), 9).save(folder / "B2.png")
    (folder / "C3.jpg").write_bytes(b"no photograph")
    Image.new("RGB", (4, 3)).save(folder / "A1.png")
    (folder / "reads.fasta").write_text(">A1|COI\nACGT\nACGT\n>D4\nAAAA\n")
    done = import_release(folder, tmp_path / "release")
    assert (done.specimens, done.photographs) == (4, 2)
    assert {one.processid for one in done.rejected} == {"A1", "C3"}
    assert any("barcodes have no photograph, such as D4" in note for note in done.notes)
    assert any("photographs have no barcode" in note for note in done.notes)
    assert any("made JPEGs of quality 95" in note for note in done.notes)
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1, policy=Policy(skip=True)))
    photographs = pq.ParquetDataset(tmp_path / "dataset" / "original_full", partitioning=None).read().to_pylist()
    stored = {row["processid"]: row["image"]["bytes"] for row in photographs}
    assert stored["A1"] == (folder / "plate 1" / "A1.jpg").read_bytes()


def test_an_empty_folder_is_refused_and_a_full_one_is_not_written_into(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReleaseError, match=r"without photographs, FASTA files and meta\.xml"):
        import_release(tmp_path / "empty", tmp_path / "release")
    source = source_table(tmp_path, HEADER + "P1\t\t\tA\t\t\n")
    with pytest.raises(OutputError, match="is not empty"):
        import_release(source, tmp_path)
    with pytest.raises(ReleaseError, match="no such file or folder"):
        import_release(tmp_path / "none.csv", tmp_path / "release")
    assert not Path(tmp_path / "release").exists()


def test_a_good_record_is_not_lost_for_a_bad_one_of_its_id(tmp_path):
    source = source_table(tmp_path, HEADER + "P1\t\t\tAC!T\t\t\nP2\t\t\tACGT\t\t\nP1\t\t\tACGT\t\t\n")
    done = import_release(source, tmp_path / "release")
    assert done.specimens == 2
    assert [one.row for one in done.rejected] == [1]
    own = "processid,image_measurement_value,species\nA1,1e30,\nA2,1_0,\nA3,12.5,\nA4,12.0,NA\n"
    done = import_release(source_table(tmp_path, own, "own.csv"), tmp_path / "own")
    assert {one.processid: one.reason.partition(" is ")[2] for one in done.rejected} == {
        "A1": "no whole number from -2⁶³ to 2⁶³",
        "A2": "no number",
        "A3": "no whole number from -2⁶³ to 2⁶³",
    }
    assert done.specimens == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("processid,species,species\nA1,x,y\n", "the column 'species' stands twice in the header"),
        ('processid,species\nA1,"Dip"tera\n', "cannot be read as a table"),
        ('processid,species\nA1,"Aus bus\nA2,Aus cus\n', "cannot be read as a table"),
    ],
)
def test_tables_that_could_be_read_in_two_ways_are_refused(tmp_path, text, message):
    with pytest.raises(ReleaseError, match=message):
        import_release(source_table(tmp_path, text, "own.csv"), tmp_path / "release")


def test_a_name_at_no_rank_that_a_format_knows_is_no_name(tmp_path):
    assert sintax({"processid": "A1", "subfamily": "Metopininae"}) is None
