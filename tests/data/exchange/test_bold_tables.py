"""Tables as BOLD, spreadsheets and R write them: nothing in them is taken for what it is not, and nothing is lost."""

import csv
import gzip
import zipfile

import pytest
from PIL import Image

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.exchange import FORMATS, export, import_release
from bioscan5m_hf.data.exchange.rows import open_rows
from bioscan5m_hf.data.folder import front_matter, kind_of
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.data.kinds import MARKS, Kind
from bioscan5m_hf.data.manifest import Manifest
from bioscan5m_hf.errors import OutputError, ReleaseError


HEADER = "processid\tsampleid\tbin_uri\tgenus\tspecies\tcoord\tnuc\tmarker_code\n"


def write(folder, text, name="bold.tsv"):
    path = folder / name
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def taken(release, folder):
    build(release, folder, options=Options(workers=1))
    return {row["processid"]: row for row in open_rows(folder)}


def test_words_of_bold_for_nothing_are_nothing(tmp_path):
    text = HEADER + "A-1\tNone\tNone\tNone\tNone\tNone\tACGT\tCOI-5P\n"
    done = import_release(write(tmp_path, text), tmp_path / "release")
    row = taken(tmp_path / "release", tmp_path / "dataset")["A-1"]
    assert done.rejected == []
    assert (row["sampleid"], row["dna_bin"], row["species"], row["taxon"], row["coord-lat"]) == (None,) * 5


def test_a_quotation_mark_in_a_cell_swallows_no_rows(tmp_path):
    text = HEADER + 'A-1\t"B 5" net\t\t\t\t\tACGT\t\nA-2\t"in ""quotes"""\t\t\t\t\tACGT\t\nA-3\tx"\t\t\t\t\tACGT\t\n'
    import_release(write(tmp_path, text), tmp_path / "release")
    rows = taken(tmp_path / "release", tmp_path / "dataset")
    assert {one: row["sampleid"] for one, row in rows.items()} == {
        "A-1": '"B 5" net',
        "A-2": 'in "quotes"',
        "A-3": 'x"',
    }


def test_barcodes_of_other_markers_are_told_and_do_not_stand_for_coi(tmp_path):
    text = HEADER + "A-1\t\t\t\t\t\tGGGG\t28S\nA-1\t\t\t\t\t\tACGT\tCOI-5P\nA-2\t\t\t\t\t\tCCCC\tCOI-3P\n"
    done = import_release(write(tmp_path, text), tmp_path / "release")
    assert [(one.row, one.processid, one.reason) for one in done.rejected] == [
        (1, "A-1", "marker '28S': barcodes are of COI-5P"),
        (3, "A-2", "marker 'COI-3P': barcodes are of COI-5P"),
    ]
    assert taken(tmp_path / "release", tmp_path / "dataset")["A-1"]["dna_barcode"] == "ACGT"


@pytest.mark.parametrize("coord", ["(10.5,-84)", "[10.5, -84.0]", "10.5;-84", "10.5 -84e0"])
def test_sites_are_read_as_they_are_written(tmp_path, coord):
    done = import_release(write(tmp_path, f"{HEADER}A-1\t\t\t\t\t{coord}\tACGT\t\n"), tmp_path / "release")
    row = taken(tmp_path / "release", tmp_path / "dataset")["A-1"]
    assert (done.rejected, row["coord-lat"], row["coord-lon"]) == ([], 10.5, -84.0)


def test_a_site_that_is_none_is_told(tmp_path):
    text = f"{HEADER}A-1\t\t\t\t\tnear the river\tACGT\t\nA-2\t\t\t\t\t\tACGT\t\n"
    done = import_release(write(tmp_path, text), tmp_path / "release")
    assert [one.reason for one in done.rejected] == ["coord 'near the river' is no site: write (latitude,longitude)"]


def test_older_tables_and_spreadsheets_are_known(tmp_path):
    older = "processid\tbin_uri\torder_name\tspecies_name\tlat\tlon\tmarkercode\tnucleotides\n"
    source = write(tmp_path, older + "A-1\tBOLD:AAA0001\tDiptera\tAus bus\t10\t-8\tCOI-5P\tACGT\n")
    import_release(source, tmp_path / "release")
    row = taken(tmp_path / "release", tmp_path / "dataset")["A-1"]
    assert (row["order"], row["species"], row["coord-lon"], row["taxon"]) == ("Diptera", "Aus bus", -8.0, "Aus bus")
    sheet = write(tmp_path, '\ufeffprocessid;species;nuc\r\nB-1;"Aus; bus";ACGT\r\n'.encode(), "sheet.CSV")
    import_release(sheet, tmp_path / "another")
    assert taken(tmp_path / "another", tmp_path / "sheet")["B-1"]["species"] == "Aus; bus"


@pytest.mark.parametrize(
    ("content", "name", "message"),
    [
        ("processid,nuc\nA-1,ACGT\n".encode("utf-16"), "a.csv", "cannot be read as text: 'utf-8' codec"),
        (gzip.compress(b"processid,nuc\n" * 9000)[:-30], "a.csv.gz", "is damaged"),
        (b"no gzip", "a.csv.gz", "is damaged"),
        (b"processid,nuc\nA-1," + b"A" * 12_000_000, "a.csv", "a line of more than 10,000,000 letters"),
        (b'processid,nuc\nA-1,"' + b"A" * 200_000 + b'"\n', "a.csv", "field larger than field limit"),
    ],
)
def test_files_that_are_no_text_are_refused(tmp_path, content, name, message):
    with pytest.raises(ReleaseError, match=message):
        import_release(write(tmp_path, content, name), tmp_path / "release")
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_a_packed_line_without_end_does_not_fill_the_memory(tmp_path):
    bomb = write(tmp_path, gzip.compress(b"processid,nuc\nA-1," + bytes(1) * 300_000_000, 1), "a.csv.gz")
    with pytest.raises(ReleaseError, match="a line of more than"):
        import_release(bomb, tmp_path / "release")


def test_columns_are_named_only_where_there_are_some(tmp_path):
    with pytest.raises(ValueError, match="FASTA and photographs have none"):
        import_release(write(tmp_path, ">A-1\nACGT\n", "a.fasta"), tmp_path / "r", columns={"species": "x"})
    with pytest.raises(ValueError, match="unknown column 'name'"):
        import_release(write(tmp_path, HEADER), tmp_path / "r", columns={"name": "species"})
    with pytest.raises(ReleaseError, match="no column 'Name' among processid"):
        import_release(write(tmp_path, HEADER), tmp_path / "r", columns={"species": "Name"})


def test_numbers_of_spreadsheets_have_commas_beside_semicolons(tmp_path):
    text = "processid;nuc;coord-lat;coord-lon;sampleid\nA-1;ACGT;10,5;-84,25;1,5\n"
    assert import_release(write(tmp_path, text, "a.csv"), tmp_path / "release").rejected == []
    row = taken(tmp_path / "release", tmp_path / "dataset")["A-1"]
    assert (row["coord-lat"], row["coord-lon"], row["sampleid"]) == (10.5, -84.25, "1,5")


def test_ones_own_specimens_are_not_said_to_be_those_of_bioscan(tmp_path):
    import_release(write(tmp_path, HEADER + "A-1\t\t\tAus\tAus bus\t\tACGT\t\n"), tmp_path / "release")
    assert (tmp_path / "release" / MARKS[Kind.OWN]).is_file()
    folder = tmp_path / "insects"
    build(tmp_path / "release", folder, options=Options(workers=1))
    card = (folder / "README.md").read_text()
    head = front_matter(card)
    assert (head["license"], head["pretty_name"]) == ("unknown", "Specimens in the form of BIOSCAN-5M")
    assert "These are not the specimens of BIOSCAN-5M" in card
    for wrong in ("This is BIOSCAN-5M", "CBG", "63 % come from Costa Rica", "CC BY 3.0"):
        assert wrong not in card, wrong
    done = export(folder, tmp_path / "a.zip", "darwin-core")
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        said = archive.read("eml.xml").decode()
    assert "No rights are stated" in said
    assert "Biodiversity Genomics" not in said
    assert done.changed == {"have no holder and licence in the archive: name them with --rights": 1}
    assert kind_of(folder) is Kind.OWN


def test_what_is_invented_stays_so(dataset, tmp_path):
    for name in (form.name for form in FORMATS.values() if form.readable):
        source = tmp_path / {"bcdm": "a.tsv", "darwin-core": "a.zip"}[name]
        export(dataset, source, name, split="val")
        import_release(source, tmp_path / name)
        assert (tmp_path / name / MARKS[Kind.INVENTED]).is_file()
        build(tmp_path / name, tmp_path / f"{name}-built", options=Options(workers=1))
        assert Manifest.load(tmp_path / f"{name}-built").kind is Kind.INVENTED


def test_splits_of_a_table_are_kept_and_wrong_ones_told(tmp_path):
    text = "processid,nuc,split\nA-1,ACGT,val\nA-2,ACGA,\nA-3,ACGC,dev\n"
    done = import_release(write(tmp_path, text, "a.csv"), tmp_path / "release", split="train")
    assert [(one.row, one.processid) for one in done.rejected] == [(3, "A-3")]
    assert "unknown split 'dev'" in done.rejected[0].reason
    rows = taken(tmp_path / "release", tmp_path / "dataset")
    assert {one: row["split"] for one, row in rows.items()} == {"A-1": "val", "A-2": "train"}


def test_numbers_are_whole_where_they_count(tmp_path):
    header = "processid,nuc,image_measurement_value,index_bioscan_1M_insect\n"
    done = import_release(
        write(tmp_path, header + "A-1,ACGT,8605.0,7\nA-2,ACGA,1.5,\nA-3,ACGC,,x\n", "a.csv"), tmp_path / "release"
    )
    assert [one.reason for one in done.rejected] == [
        "image_measurement_value '1.5' is no whole number from -2⁶³ to 2⁶³",
        "index_bioscan_1M_insect 'x' is no number",
    ]


def test_a_folder_tells_of_files_that_it_does_not_use(tmp_path):
    folder = tmp_path / "own"
    folder.mkdir()
    write(folder, gzip.compress(b">A-1|Aus bus\nACGT\n"), "reads.fasta.gz")
    write(folder, "processid,species\nA-1,Aus bus\n", "names.csv")
    done = import_release(folder, tmp_path / "release")
    assert done.specimens == 1
    assert any("1 files are neither photographs nor FASTA, such as" in note for note in done.notes)
    assert any("of FASTA headers only the ids" in note for note in done.notes)


def test_photographs_without_records_and_broken_ones_are_told(tmp_path):
    folder = tmp_path / "photographs"
    folder.mkdir()
    for name in ("A-1.jpg", "X-9.jpg"):
        Image.new("RGB", (8, 6)).save(folder / name)
    Image.new("RGB", (8, 6)).save(folder / "A-2.png")
    whole = (folder / "A-2.png").read_bytes()
    (folder / "A-2.png").write_bytes(whole[:40] + bytes(8) + whole[48:])
    source = write(tmp_path, "processid,nuc\nA-1,ACGT\nA-2,ACGA\n", "a.csv")
    done = import_release(source, tmp_path / "release", photographs=folder)
    assert (done.specimens, done.photographs) == (2, 1)
    assert {one.processid: one.reason.partition(":")[0] for one in done.rejected} == {
        "X-9": "a photograph without a record",
        "A-2": "the photograph cannot be read",
    }
    with (tmp_path / "release" / "rejected.csv").open(newline="") as stream:
        assert len(list(csv.DictReader(stream))) == 2


def test_the_command_says_how_a_dataset_is_made_where_photographs_are_missing(tmp_path, bioscan5m):
    folder = tmp_path / "own"
    folder.mkdir()
    Image.new("RGB", (8, 6)).save(folder / "A-1.jpg")
    write(folder, ">A-1\nACGT\n>A-2\nACGA\n", "a.fasta")
    status, said, _ = bioscan5m("import", folder, tmp_path / "release")
    assert (status, "build" in said, "--on-error skip" in said) == (0, True, True)
    status, _, told = bioscan5m("import", folder, tmp_path / "release")
    assert (status, "is not empty" in told) == (1, True)
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1, policy=Policy(skip=True)))
    with pytest.raises(OutputError, match=r"no specimen can be written \(2 without a name\)"):
        export(tmp_path / "dataset", tmp_path / "a.fasta", "fasta-sintax")
    assert not (tmp_path / "a.fasta").exists()
