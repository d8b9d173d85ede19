"""Bad metadata: a clear error and nothing half-done; or left out, listed and counted."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from releases import (
    METADATA,
    assert_nothing_half_done,
    column,
    csv_bytes,
    make,
    record,
    records,
    rejected,
    shards,
    tree,
    undisturbed,
    write_metadata,
    write_release,
    write_zip,
)

from bioscan5m_hf.data.checks import MISSING_WORDS
from bioscan5m_hf.data.packages import METADATA_MEMBERS
from bioscan5m_hf.data.schema import COLUMN_NAMES
from bioscan5m_hf.data.verify import verify
from bioscan5m_hf.errors import ReleaseError


CSV = f"{METADATA}!{METADATA_MEMBERS['csv']}"
BAD = "BAD0001-26"


def bad(**values):
    """Give a record that is bad in some of its values, as a line of CSV."""
    row = record(values.pop("processid", BAD), values.pop("split", "val"), **values)
    return csv_bytes([row]).split(b"\n", 1)[1]


# name → the bad line, what the error says, and the process id in it
BAD_LINES = {
    "unknown split": (bad(split="dev"), "unknown split 'dev': use one of pretrain, train, val", BAD),
    "unknown split with a chunk": (bad(split="dev", chunk="0"), "unknown split 'dev'", BAD),
    "no split": (bad(split=""), "unknown split None", BAD),
    "no process id": (bad(processid=""), "processid is missing", None),
    "process id that is a path": (bad(processid="../../etc"), "processid '../../etc' is no file stem", "../../etc"),
    "duplicate process id": (
        csv_bytes([record("TINY00000-26", "pretrain")]).split(b"\n", 1)[1],
        "duplicate processid 'TINY00000-26': row 1 has it already",
        "TINY00000-26",
    ),
    "barcode outside IUPAC": (bad(dna_barcode="ACGTXQZ!"), "dna_barcode holds '!QXZ': IUPAC letters are ACGT", BAD),
    "chunk that disagrees": (
        bad(split="train", chunk="x"),
        "chunk 'x' disagrees with MD5(processid): expected '",
        BAD,
    ),
    "chunk where there is none": (bad(chunk="0"), "chunk '0' disagrees with MD5(processid): expected None", BAD),
    "latitude out of range": (bad(coord_lat="90.5"), "impossible coord-lat 90.5: degrees from -90 to 90", BAD),
    "longitude out of range": (bad(coord_lon="-181"), "impossible coord-lon -181.0: degrees from -180 to 180", BAD),
    "latitude nan": (bad(coord_lat="nan"), "impossible coord-lat nan", BAD),
    "latitude infinite": (bad(coord_lat="inf"), "impossible coord-lat inf", BAD),
    "latitude as text": (bad(coord_lat="10° N"), "coord-lat '10° N' is no number", BAD),
    "number with an underscore": (bad(coord_lat="1_0"), "coord-lat '1_0' is no number", BAD),
    "fractional integer": (
        bad(image_measurement_value="8605.5"),
        "image_measurement_value '8605.5' is no whole number",
        BAD,
    ),
    "integer out of range": (bad(inferred_ranks="256"), "inferred_ranks '256' is no whole number from 0 to 255", BAD),
    "negative size": (bad(image_measurement_value="-3"), "impossible image_measurement_value -3", BAD),
    "impossible share": (bad(area_fraction="4.5"), "impossible area_fraction 4.5: a share, little more", BAD),
    "line break in a name": (bad(species="Aus\nbus"), "species 'Aus\\nbus' holds a line break", BAD),
    "tabulator in a name": (bad(country="Costa\tRica"), "country 'Costa\\tRica' holds a line break or control", BAD),
    "zero byte": (bad(sampleid="a\0b"), "sampleid 'a\\x00b' holds a line break or control character", BAD),
    "not UTF-8": (bad(country="Perú").replace("Perú".encode(), b"Per\xfa"), "country is not UTF-8: 'Per\\\\xfa'", BAD),
    "too few values": (b"BAD0001-26,x\n", "2 values for 23 columns", BAD),
    "too many values": (bad()[:-1] + b",more\n", "24 values for 23 columns", BAD),
    "an open quote": (bad(taxon="Aus bus").replace(b"Aus", b'"Aus'), "a quote is not closed: 'BAD0001-26,", BAD),
    "an open quote in the last column": (bad()[:-1] + b'"\n', "a quote is not closed", BAD),
    "several reasons": (bad(coord_lat="91", coord_lon="181"), "degrees from -90 to 90; impossible coord-lon", BAD),
    "a very long value": (bad(split="v" * 5000), "unknown split 'vvvvvvv", BAD),
}
POSITIONS = (0, 4, 10)


def release_with(folder: Path, line: bytes, at: int) -> tuple[Path, int]:
    """Write a release with a bad line before the record `at`; gives the row it has."""
    write_release(folder)
    lines = csv_bytes(records()).splitlines(keepends=True)
    lines.insert(at + 1, line)
    write_metadata(folder, b"".join(lines))
    return folder, at + 1


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_record_stops_the_build_with_file_row_value_and_advice(name, tmp_path):
    line, message, processid = BAD_LINES[name]
    release, row = release_with(tmp_path / "release", line, 10 if name.startswith("duplicate") else 4)
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m")
    error = stopped.value
    assert message in error.message
    assert (error.file, error.row, error.processid) == (CSV, row, processid)
    assert "correct the file, or leave such records out with --on-error skip" in str(error)
    assert len(str(error)) < 600
    assert_nothing_half_done(tmp_path / "bioscan-5m")
    write_metadata(release, records())
    make(release, tmp_path / "bioscan-5m")
    assert shards(tree(tmp_path / "bioscan-5m"), "README.md") == shards(undisturbed(), "README.md")


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_record_is_left_out_listed_and_counted(name, tmp_path):
    line, message, processid = BAD_LINES[name]
    release, row = release_with(tmp_path / "release", line, 10 if name.startswith("duplicate") else 4)
    state = make(release, tmp_path / "bioscan-5m", skip=True)
    (listed,) = rejected(tmp_path / "bioscan-5m")
    assert message in listed.pop("reason")
    assert listed == {"processid": processid or "", "file": CSV, "row": str(row)}
    assert state.configs["metadata"].counts == {"records": 11, "rows": 10, "rejected": 1}
    kept = [name for split in ("pretrain", "train", "val") for name in column(tmp_path / "bioscan-5m", split)]
    assert sorted(kept) == [row["processid"] for row in records()]
    assert "rejected.csv" in (tmp_path / "bioscan-5m" / "README.md").read_text()


@pytest.mark.parametrize("workers", [1, 2])
def test_the_first_bad_record_of_the_file_is_reported(workers, tmp_path):
    rows = records()
    rows[7]["coord-lat"] = rows[3]["coord-lat"] = "100"
    write_metadata(write_release(tmp_path / "release"), rows)
    with pytest.raises(ReleaseError) as stopped:
        make(tmp_path / "release", tmp_path / "bioscan-5m", workers=workers)
    assert (stopped.value.row, stopped.value.processid) == (4, "TINY00003-26")


def test_when_no_record_is_good_the_build_stops_although_it_skips(tmp_path):
    write_metadata(write_release(tmp_path / "release"), [row | {"split": "dev"} for row in records()])
    with pytest.raises(ReleaseError, match="none of the 10 records is good; of the first: unknown split 'dev'"):
        make(tmp_path / "release", tmp_path / "bioscan-5m", skip=True)
    assert_nothing_half_done(tmp_path / "bioscan-5m")


def test_a_duplicate_is_left_out_wherever_it_stands(tmp_path):
    twice = record("TINY00000-26", "val")
    rows = [*records(), twice, twice]
    write_metadata(write_release(tmp_path / "release"), rows)
    state = make(tmp_path / "release", tmp_path / "bioscan-5m", skip=True, official=True)
    assert [row["row"] for row in rejected(tmp_path / "bioscan-5m")] == ["11", "12"]
    assert state.configs["metadata"].counts == {"records": 12, "rows": 10, "rejected": 2}
    assert column(tmp_path / "bioscan-5m", "val").count("TINY00000-26") == 0


TWO_QUOTES = {
    "in one column": ("taxon", "taxon"),
    "in two columns": ("taxon", "country"),
    "beside each other": ("chunk", "processid"),
}


@pytest.mark.parametrize("name", TWO_QUOTES)
def test_two_open_quotes_cost_two_records_and_not_those_between(name, tmp_path):
    rows = records({"val": 12})
    lines = csv_bytes(rows).splitlines(keepends=True)
    for at, where in zip((3, 9), TWO_QUOTES[name], strict=True):
        values = lines[at].rstrip(b"\n").split(b",")
        place = COLUMN_NAMES.index(where)
        values[place] = b'"' + values[place]
        lines[at] = b",".join(values) + b"\n"
    write_metadata(write_release(tmp_path / "release", rows), b"".join(lines))
    state = make(tmp_path / "release", tmp_path / "bioscan-5m", skip=True, packages=[])
    assert [row["row"] for row in rejected(tmp_path / "bioscan-5m")] == ["3", "9"]
    assert state.configs["metadata"].counts == {"records": 12, "rows": 10, "rejected": 2}


FILES = {
    "empty": (b"", "the file is empty"),
    "blank": (b"\n \n", "the file is empty"),
    "header only": (csv_bytes([]), "the file holds no records"),
    "missing column": (
        csv_bytes(records(), [name for name in COLUMN_NAMES if name != "split"]),
        "no column 'split'; the header is processid, sampleid",
    ),
    "column twice": (csv_bytes(records(), [*COLUMN_NAMES, "split"]), "column 'split' occurs twice"),
    "header not UTF-8": (csv_bytes(records()).replace(b"taxon", b"tax\xf6n"), "the header is not UTF-8"),
    "UTF-16": (csv_bytes(records()).decode().encode("utf-16"), "the file is UTF-16"),
    "carriage returns": (csv_bytes(records(), end="\r"), "the header cannot be read"),
    "another file": (b"%PDF-1.7\n%\xe2\xe3\n", "no column 'processid'"),
}


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", FILES)
def test_a_file_that_is_no_metadata_stops_the_build_in_either_mode(name, skip, tmp_path):
    content, message = FILES[name]
    write_metadata(write_release(tmp_path / "release"), content)
    with pytest.raises(ReleaseError) as stopped:
        make(tmp_path / "release", tmp_path / "bioscan-5m", skip=skip)
    assert message in stopped.value.message
    assert METADATA in str(stopped.value.file)
    assert stopped.value.hint
    assert_nothing_half_done(tmp_path / "bioscan-5m")


UNUSUAL = {
    "byte order mark": b"\xef\xbb\xbf" + csv_bytes(records()),
    "CRLF": csv_bytes(records(), end="\r\n"),
    "blank lines": csv_bytes(records()).replace(b"\n", b"\n\n"),
    "no line end at the end": csv_bytes(records()).rstrip(b"\n"),
    "another order of columns": csv_bytes(records(), reversed(COLUMN_NAMES)),
    "every value quoted": b"\n".join(
        b",".join(b'"%s"' % value for value in line.split(b",")) for line in csv_bytes(records()).splitlines()
    ),
    "spaces around numbers": csv_bytes([row | {"coord-lat": " 10.327 "} for row in records()]),
}


@pytest.mark.parametrize("name", UNUSUAL)
def test_an_unusual_but_sound_file_gives_the_same_dataset(name, tmp_path):
    write_metadata(write_release(tmp_path / "release"), UNUSUAL[name])
    make(tmp_path / "release", tmp_path / "bioscan-5m")
    assert shards(tree(tmp_path / "bioscan-5m")) == shards(undisturbed())


def test_an_extra_column_is_kept_out_and_said(tmp_path):
    rows = [row | {"collector": "somebody"} for row in records()]
    write_metadata(write_release(tmp_path / "release"), csv_bytes(rows, [*COLUMN_NAMES, "collector"]))
    state = make(tmp_path / "release", tmp_path / "bioscan-5m")
    note = f"column 'collector' of {CSV} is not official and was left out"
    assert note in state.configs["metadata"].notes
    assert note in (tmp_path / "bioscan-5m" / "README.md").read_text()
    shard = next((tmp_path / "bioscan-5m" / "metadata").glob("val-*.parquet"))
    assert pq.read_schema(shard).names == list(COLUMN_NAMES)


def test_lower_case_is_said_and_changed_only_on_request(tmp_path):
    rows = records()
    rows[8]["dna_barcode"] = "acgtnnRY-"
    write_metadata(write_release(tmp_path / "release"), rows)
    state = make(tmp_path / "release", tmp_path / "bioscan-5m")
    assert "barcodes with lower-case letters: 1, left as they are (--upper-case changes them)" in notes(state)
    assert "acgtnnRY-" in column(tmp_path / "bioscan-5m", "val", "dna_barcode")
    state = make(tmp_path / "release", tmp_path / "upper", upper_case=True)
    assert "barcodes with lower-case letters: 1, written in upper case" in notes(state)
    assert "ACGTNNRY-" in column(tmp_path / "upper", "val", "dna_barcode")


def notes(state):
    return state.configs["metadata"].notes


def test_a_barcode_in_two_splits_is_noted_and_an_error_where_the_release_should_be_official(tmp_path):
    rows = records()
    rows[0]["dna_barcode"] = rows[5]["dna_barcode"]
    rows[8]["dna_barcode"] = rows[9]["dna_barcode"]  # the same split: nothing to say
    rows[1]["dna_barcode"] = rows[4]["dna_barcode"] = ""  # two missing ones are not equal
    write_metadata(write_release(tmp_path / "release"), rows)
    state = make(tmp_path / "release", tmp_path / "bioscan-5m")
    (note,) = notes(state)
    assert note.startswith("barcodes that stand in two splits: 1 (pretrain and train: 1); for example TINY00000-26")
    assert "TINY00000-26 (row 1) and TINY00005-26 (row 6)" in note
    with pytest.raises(ReleaseError, match="barcodes that stand in two splits: 1"):
        make(tmp_path / "release", tmp_path / "official", official=True)
    assert_nothing_half_done(tmp_path / "official")


def damage(path: Path, kind: str) -> None:
    content = bytearray(path.read_bytes())
    if kind == "truncated":
        del content[len(content) // 2 :]
    elif kind == "no zip":
        content[:] = b"<html>not found</html>"
    elif kind == "damaged inside":
        content[200:260] = bytes(60)
    elif kind == "wrong CRC":
        at = content.rfind(b"PK\x01\x02")
        content[at + 16] ^= 1
    elif kind == "encrypted":
        at = content.rfind(b"PK\x01\x02")
        content[6] |= 1
        content[at + 8] |= 1
    elif kind == "unknown method":
        at = content.rfind(b"PK\x01\x02")
        struct.pack_into("<H", content, 8, 99)
        struct.pack_into("<H", content, at + 10, 99)
    path.write_bytes(bytes(content))


DAMAGES = {
    "truncated": "is no complete zip",
    "no zip": "is no complete zip",
    "damaged inside": "damaged archive",
    "wrong CRC": "damaged archive: Bad CRC-32",
    "encrypted": "is encrypted",
    "unknown method": "cannot be unpacked: That compression method is not supported",
}


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("kind", DAMAGES)
def test_a_damaged_metadata_archive_stops_the_build_in_either_mode(kind, skip, tmp_path):
    release = write_release(tmp_path / "release", records({"val": 60}))
    damage(release / METADATA, kind)
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m", skip=skip)
    assert DAMAGES[kind] in stopped.value.message
    assert METADATA in str(stopped.value)
    assert stopped.value.hint
    if (tmp_path / "bioscan-5m").exists():
        assert_nothing_half_done(tmp_path / "bioscan-5m")


def test_json_ld_gives_the_same_files_as_csv(tmp_path):
    rows = records()
    rows[3]["province_state"] = 'Limón, "Caribe"'
    make(write_release(tmp_path / "csv", rows), tmp_path / "bioscan-5m")
    write_metadata(write_release(tmp_path / "json", rows), rows, "jsonld")
    make(tmp_path / "json", tmp_path / "json" / "bioscan-5m")
    assert shards(tree(tmp_path / "json" / "bioscan-5m")) == shards(tree(tmp_path / "bioscan-5m"))


def test_numbers_and_nulls_of_json_are_taken_as_they_are(tmp_path):
    rows = [dict(row) for row in records()]
    for row in rows:
        row |= {"coord-lat": 10.327, "inferred_ranks": 0, "image_measurement_value": 8605, "species": None}
    write_metadata(write_release(tmp_path / "json"), json.dumps(rows).encode(), "jsonld")
    make(tmp_path / "json", tmp_path / "bioscan-5m")
    make(write_release(tmp_path / "csv"), tmp_path / "expected")
    for split in ("pretrain", "train", "val"):
        for name in COLUMN_NAMES:
            assert column(tmp_path / "bioscan-5m", split, name) == column(tmp_path / "expected", split, name)


JSON_FILES = {
    "empty": (b"", "no JSON array of records: parse error: premature EOF", 1),
    "truncated": (None, "no JSON array of records: parse error: premature EOF", 10),
    "an object": (b'{"processid": "A"}', "the file holds no array of records", None),
    "an empty array": (b"[]", "the file holds no array of records", None),
    "an array of numbers": (b"[1, 2]", "1 is no record", 1),
    "not UTF-8": (b'[{"processid": "A\xff"}]', "no JSON array of records: lexical error: invalid bytes", 1),
    "a missing key": (b'[{"processid": "A"}]', "no column 'sampleid', 'taxon'", None),
}


@pytest.mark.parametrize("name", JSON_FILES)
def test_json_that_is_no_array_of_records_stops_the_build(name, tmp_path):
    content, message, row = JSON_FILES[name]
    release = write_release(tmp_path / "release")
    write_metadata(release, records(), "jsonld")
    if content is None:
        with zipfile.ZipFile(release / METADATA) as archive:
            content = archive.read(METADATA_MEMBERS["jsonld"])[:-40]
    write_metadata(release, content, "jsonld")
    with pytest.raises(ReleaseError) as stopped:
        make(release, tmp_path / "bioscan-5m")
    assert message in stopped.value.message
    assert "\n" not in str(stopped.value)
    assert stopped.value.row == row
    assert stopped.value.hint
    assert_nothing_half_done(tmp_path / "bioscan-5m")


JSON_RECORDS = {
    "a key that is missing": (lambda row: row.pop("species"), "no key 'species'"),
    "a list for a value": (lambda row: row.update(taxon=["Aus"]), "taxon ['Aus'] is neither text nor a number"),
    "text for a number": (lambda row: row.update({"coord-lat": "north"}), "coord-lat 'north' is no number"),
}


@pytest.mark.parametrize("name", JSON_RECORDS)
def test_a_bad_json_record_is_named_or_left_out(name, tmp_path):
    change, message = JSON_RECORDS[name]
    rows = records()
    change(rows[4])
    write_metadata(write_release(tmp_path / "release"), rows, "jsonld")
    with pytest.raises(ReleaseError) as stopped:
        make(tmp_path / "release", tmp_path / "bioscan-5m")
    assert (message in stopped.value.message, stopped.value.row) == (True, 5)
    state = make(tmp_path / "release", tmp_path / "skipped", skip=True)
    assert state.configs["metadata"].counts == {"records": 10, "rows": 9, "rejected": 1}


def test_metadata_outside_a_zip_is_read_too(tmp_path):
    release = write_release(tmp_path / "release")
    (release / METADATA).unlink()
    (release / "BIOSCAN_5M_Insect_Dataset_metadata.csv").write_bytes(csv_bytes(records()))
    make(release, tmp_path / "bioscan-5m")
    assert len(column(tmp_path / "bioscan-5m", "train")) == 4


def test_a_metadata_package_without_metadata_is_an_error(tmp_path):
    release = write_release(tmp_path / "release")
    write_zip(release / METADATA, {"readme.txt": b"nothing"})
    with pytest.raises(ReleaseError, match="holds no csv or jsonld metadata"):
        make(release, tmp_path / "bioscan-5m")


def test_words_for_a_missing_value_become_null_and_are_said(tmp_path):
    rows = records()
    rows[4] |= {"species": "nan", "country": "None", "genus": "Nanus"}
    said = []
    write_release(tmp_path / "release", rows)
    state = make(tmp_path / "release", tmp_path / "bioscan-5m", say=said.append)
    assert [note for note in state.configs["metadata"].notes if "missing" in note] == [
        f"words for a missing value ({', '.join(MISSING_WORDS)}): 2, written as null"
    ]
    folder = tmp_path / "bioscan-5m"
    found = dict(zip(column(folder, "train"), column(folder, "train", "genus"), strict=True))
    assert found[rows[4]["processid"]] == "Nanus"
    for name in ("species", "country"):
        values = column(tmp_path / "bioscan-5m", "train", name)
        assert not set(values) & set(MISSING_WORDS)
    assert not [one for one in verify(tmp_path / "bioscan-5m") if one.check == "missing" and one.status == "error"]
