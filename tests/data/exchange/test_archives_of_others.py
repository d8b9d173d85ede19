"""Darwin Core archives of others: described in other words, damaged, or meant to do harm."""

import struct
import zipfile

import pytest

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.exchange import import_release
from bioscan5m_hf.data.exchange.rows import open_rows
from bioscan5m_hf.errors import ReleaseError


DWC = "http://rs.tdwg.org/dwc/terms/"
OCCURRENCE = 'rowType="http://rs.tdwg.org/dwc/terms/Occurrence"'


def meta(core, extension="", form='fieldsTerminatedBy="\\t" fieldsEnclosedBy="" ignoreHeaderLines="1"'):
    files = "<files><location>o.txt</location></files><id index='0'/>"
    return (
        f'<archive xmlns="http://rs.tdwg.org/dwc/text/"><core {OCCURRENCE} {form}>{files}{core}</core>'
        f"{extension}</archive>"
    )


FIELDS = "".join(
    f'<field index="{place}" term="{DWC}{term}"/>'
    for place, term in enumerate(("occurrenceID", "scientificName", "scientificNameAuthorship", "taxonRank"))
)
DNA = (
    '<extension rowType="http://rs.gbif.org/terms/1.0/DNADerivedData" fieldsTerminatedBy="\\t" fieldsEnclosedBy="">'
    '<files><location>d.txt</location></files><coreid index="0"/>'
    '<field index="1" term="https://w3id.org/gensc/terms/MIXS:0000044"/>'
    '<field index="2" term="http://rs.gbif.org/terms/dna_sequence"/></extension>'
)
HEAD = "id\tname\tauthor\trank\n"


def archive(folder, files, name="a.zip"):
    with zipfile.ZipFile(folder / name, "w", zipfile.ZIP_DEFLATED) as made:
        for member, text in files.items():
            made.writestr(member, text)
    return folder / name


def test_species_lose_their_authors_and_constants_count_for_all(tmp_path):
    core = f'{FIELDS}<field term="{DWC}country" default="Canada"/>'
    lines = "A-1\tTuta absoluta (Meyrick, 1917)\t(Meyrick, 1917)\tspecies\nA-2\tDiptera\t\tORDER\n"
    source = archive(
        tmp_path, {"in/meta.xml": meta(core, DNA), "in/o.txt": HEAD + lines, "in/d.txt": "A-1\tCOI\tAC\n"}
    )
    done = import_release(source, tmp_path / "release")
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1))
    rows = {row["processid"]: row for row in open_rows(tmp_path / "dataset")}
    assert done.rejected == []
    assert (rows["A-1"]["species"], rows["A-1"]["taxon"], rows["A-1"]["dna_barcode"]) == ("Tuta absoluta",) * 2 + (
        "AC",
    )
    assert (rows["A-2"]["species"], rows["A-2"]["taxon"]) == (None, "Diptera")
    assert {row["country"] for row in rows.values()} == {"Canada"}


GBIF = ("occurrenceID", "scientificName", "taxonRank", "genus", "specificEpithet", "countryCode", "taxonID")


@pytest.mark.parametrize(
    ("values", "species"),
    [
        (("Musca domestica Linnaeus, 1758", "SPECIES", "Musca", "domestica", "CA", "1524843"), "Musca domestica"),
        (("Musca domestica Linnaeus, 1758", "SPECIES", "", "", "CA", ""), "Musca domestica"),
        (("Musca domestica vicina Macquart, 1851", "SUBSPECIES", "Musca", "domestica", "CA", ""), "Musca domestica"),
        (("Megaselia sp. A", "SPECIES", "", "", "CA", ""), "Megaselia sp. A"),
        (("Musca Linnaeus, 1758", "GENUS", "Musca", "", "CA", ""), None),
    ],
)
def test_species_and_countries_of_gbif_are_read_as_it_writes_them(tmp_path, values, species):
    pytest.importorskip("pycountry")
    fields = "".join(f'<field index="{place}" term="{DWC}{term}"/>' for place, term in enumerate(GBIF))
    text = "\t".join(GBIF) + "\n" + "\t".join(["A-1", *values]) + "\n"
    source = archive(tmp_path, {"meta.xml": meta(fields), "o.txt": text})
    assert import_release(source, tmp_path / "release").rejected == []
    build(tmp_path / "release", tmp_path / "dataset", options=Options(workers=1))
    (row,) = open_rows(tmp_path / "dataset")
    assert (row["species"], row["country"], row["dna_bin"]) == (species, "Canada", None)


def test_sequences_of_other_genes_second_ones_and_strays_are_told(tmp_path):
    sequences = "A-1\t16S\tGGGG\nA-1\tCOI\tACGT\nA-1\tcox1\tAAAA\nZ-9\t\tCCCC\n"
    source = archive(tmp_path, {"meta.xml": meta(FIELDS, DNA), "o.txt": HEAD + "A-1\t\t\t\n", "d.txt": sequences})
    done = import_release(source, tmp_path / "release")
    assert {(one.row, one.processid): one.reason for one in done.rejected} == {
        (1, "A-1"): "marker '16S': barcodes are of COI-5P",
        (3, "A-1"): "a second sequence of the occurrence",
        (None, "Z-9"): "a sequence without an occurrence",
    }
    assert done.specimens == 1


def test_another_term_may_be_the_processid(tmp_path):
    core = f'{FIELDS}<field index="4" term="{DWC}fieldNumber"/>'
    lines = "id\tname\tauthor\trank\tnumber\nurn:x:1\t\t\t\tA-1\n"
    source = archive(tmp_path, {"meta.xml": meta(core), "o.txt": lines})
    with pytest.raises(ReleaseError, match="is no file stem"):
        import_release(source, tmp_path / "release")
    assert import_release(source, tmp_path / "release", columns={"processid": "fieldNumber"}).specimens == 1
    with pytest.raises(ReleaseError, match="no term 'Number' among"):
        import_release(source, tmp_path / "another", columns={"processid": "Number"})


def test_a_folder_with_meta_xml_is_an_archive(tmp_path):
    folder = tmp_path / "unpacked"
    folder.mkdir()
    (folder / "meta.xml").write_text(meta(FIELDS))
    (folder / "o.txt").write_text("\ufeff" + HEAD + "A-1\t\t\t\n")
    assert import_release(folder, tmp_path / "release").specimens == 1


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({"meta.xml": meta(FIELDS, form='fieldsTerminatedBy="||"'), "o.txt": HEAD}, "use one character each"),
        ({"meta.xml": meta(FIELDS, form='fieldsEnclosedBy="&quot;&quot;"'), "o.txt": HEAD}, "use one character each"),
        ({"meta.xml": meta('<field index="-1" term="x"/>'), "o.txt": HEAD}, "is negative"),
        ({"meta.xml": meta('<field index="one" term="x"/>'), "o.txt": HEAD}, "an index is no number"),
        ({"meta.xml": "<a>" + " " * 2_000_000 + "</a>"}, "no description"),
        ({"meta.xml": meta(FIELDS).encode("utf-16"), "o.txt": HEAD}, "is UTF-16"),
        ({"a/meta.xml": "", "b/meta.xml": ""}, "there is several: a/meta.xml, b/meta.xml"),
        ({"meta.xml": meta(FIELDS), "o.txt": bytes(20_000_000)}, "would unpack"),
        ({"meta.xml": meta(FIELDS), "o.txt": (HEAD + "A-1\tÄus\t\t\n").encode("latin-1")}, "save it in UTF-8"),
        ({"meta.xml": meta(FIELDS), "o.txt": HEAD}, "no specimen can be taken over"),
    ],
)
def test_archives_that_cannot_be_read_are_refused(tmp_path, files, message):
    with pytest.raises(ReleaseError, match=message):
        import_release(archive(tmp_path, files), tmp_path / "release")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_damaged_and_locked_archives_are_refused(tmp_path):
    lines = HEAD + "".join(f"A-{number}\t\t\t\n" for number in range(4000))
    whole = archive(tmp_path, {"meta.xml": meta(FIELDS), "o.txt": lines}).read_bytes()
    middle = whole.index(b"o.txt") + 2000
    (tmp_path / "a.zip").write_bytes(whole[:middle] + bytes(40) + whole[middle + 40 :])
    with pytest.raises(ReleaseError, match="is damaged"):
        import_release(tmp_path / "a.zip", tmp_path / "release")
    directory = whole.rindex(b"PK\x01\x02")
    flags = struct.pack("<H", 1)  # of the last member: it is encrypted
    local = whole.rindex(b"PK\x03\x04")
    locked = whole[: local + 6] + flags + whole[local + 8 : directory + 8] + flags + whole[directory + 10 :]
    (tmp_path / "a.zip").write_bytes(locked)
    with pytest.raises(ReleaseError, match="without a password"):
        import_release(tmp_path / "a.zip", tmp_path / "release")
    assert not (tmp_path / "release").exists()
