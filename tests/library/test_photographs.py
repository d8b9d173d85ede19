"""Photographs of every mode, size and state, and folders of them joined with tables."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from bioscan5m_hf.data.images.photographs import PhotographError, open_photograph
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.library.files import open_specimens
from bioscan5m_hf.library.vectors import Embedder


sys.path.insert(0, str(Path(__file__).parent))

from invented_library import Given, Seeing


def saved(image, kind, **options):
    made = io.BytesIO()
    image.save(made, kind, **options)
    return made.getvalue()


def coloured(size=(40, 30)):
    """Give red above blue."""
    image = Image.new("RGB", size, (200, 10, 10))
    image.paste((10, 10, 200), (0, size[1] // 2, *size))
    return image


@pytest.mark.parametrize(
    ("mode", "kind"), [("L", "JPEG"), ("CMYK", "JPEG"), ("RGBA", "PNG"), ("P", "PNG"), ("1", "TIFF"), ("LA", "PNG")]
)
def test_any_mode_becomes_rgb(mode, kind):
    found = open_photograph(saved(coloured().convert(mode), kind))
    assert (found.mode, found.size) == ("RGB", (40, 30))
    if mode in ("CMYK", "RGBA", "P"):
        assert np.allclose(np.asarray(found)[2, 20], (200, 10, 10), atol=40)


def test_a_turned_photograph_is_upright_and_a_clear_one_lies_on_white():
    turned = Image.Exif()
    turned[0x0112] = 3
    found = np.asarray(open_photograph(saved(coloured(), "JPEG", exif=turned)))
    assert found[25, 20, 0] > 150
    assert found[5, 20, 2] > 150
    clear = Image.new("RGBA", (4, 4), (0, 0, 0, 0))
    assert np.asarray(open_photograph(saved(clear, "PNG"))).min() == 255


def test_sixteen_bits_are_scaled_not_cut_off():
    levels = np.linspace(0, 65535, 256).astype(np.uint16).reshape(16, 16)
    found = np.asarray(open_photograph(saved(Image.fromarray(levels), "PNG")))[..., 0]
    assert np.abs(found.ravel().astype(int) - np.arange(256)).max() <= 1


def test_a_photograph_20_000_pixels_wide_is_read_at_a_part_of_its_size():
    found = open_photograph(saved(Image.new("L", (20_000, 10_000), 120), "JPEG"), reduced=True)
    assert min(found.size) >= 1024
    assert found.width * found.height < 16_000_000
    assert np.asarray(found)[5, 5].tolist() == [120, 120, 120]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is empty"),
        (b"hello", "of no known kind"),
        (saved(coloured((400, 300)), "JPEG")[:900], "cannot be read"),
        (saved(Image.effect_noise((64, 64), 90), "PNG")[:2000], "truncated"),
        (b"\xff\xd8\xff\x00\x01", "cannot be read|can be read"),
        (saved(Image.new("1", (20_000, 20_000)), "PNG"), "exceeds limit"),
    ],
    ids=["empty", "text", "truncated JPEG", "truncated PNG", "no JPEG", "far too large"],
)
def test_what_is_no_photograph_says_why(data, said):
    with pytest.raises(PhotographError, match=said):
        open_photograph(data)


def test_a_file_that_is_not_there_says_so(tmp_path):
    with pytest.raises(PhotographError, match="no such file"):
        open_photograph(tmp_path / "absent.jpg")


def test_one_bad_photograph_does_not_stop_the_others_nor_move_them():
    good = [saved(Image.new("RGB", (9, 9), (30 * place, 9, 9)), "PNG") for place in range(4)]
    rows = [{"processid": f"A{place}"} for place in range(5)]
    embedded = Embedder(Seeing()).embed(next(Given(rows, [good[0], b"x", None, good[2], good[3]]).batches()))
    assert embedded.has("image").tolist() == [True, False, False, True, True]
    assert embedded.of_kind("").tolist() == [1, 2]
    alone = Embedder(Seeing()).embed(next(Given(rows[:1], [good[2]]).batches()))
    assert np.allclose(embedded.vectors["image"][3], alone.vectors["image"][0])
    assert [problem is None for problem in embedded.problems] == [True, False, True, True, True]


def test_large_photographs_are_computed_a_few_at_a_time(monkeypatch):
    monkeypatch.setattr("bioscan5m_hf.library.vectors.PIXELS_AT_ONCE", 200)
    encoder, sizes = Seeing(), []
    embed = encoder.embed_images
    encoder.embed_images = lambda images: (sizes.append(len(images)), embed(images))[1]
    rows = [{"processid": f"A{place}"} for place in range(7)]
    photographs = [saved(Image.new("RGB", (10, 10), (30 * place, 9, 9)), "PNG") for place in range(7)]
    found = Embedder(encoder).embed(next(Given(rows, photographs).batches())).vectors["image"]
    assert max(sizes) == 2
    monkeypatch.undo()
    assert np.allclose(found, Embedder(Seeing()).embed(next(Given(rows, photographs).batches())).vectors["image"])


@pytest.fixture
def own(tmp_path):
    """Give a folder of photographs, with another in it, and a FASTA file; A2 has both."""
    for name in ("photos/A1.jpg", "photos/deep/A2.PNG", "photos/.hidden.jpg", "photos/notes.txt"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(saved(coloured(), "PNG") if path.suffix != ".txt" else b"x")
    (tmp_path / "reads.fasta").write_text(">A3 genus=Apis\nACGTACGT\n>A2\nACGTTTTT\n")
    return tmp_path


def rows_of(specimens, rows=512):
    return [
        (row["processid"], row["dna_barcode"], photograph and Path(photograph).name)
        for batch in specimens.batches(rows=rows)
        for row, photograph in zip(batch.table.to_pylist(), batch.photographs, strict=True)
    ]


@pytest.mark.parametrize("rows", [1, 512])
def test_sources_are_joined_by_processid(own, rows):
    specimens = open_specimens([own / "photos", own / "reads.fasta"])
    assert rows_of(specimens, rows) == [("A3", "ACGTACGT", None), ("A2", "ACGTTTTT", "A2.PNG"), ("A1", "", "A1.jpg")]
    assert specimens.count() == 3
    assert specimens.notes == [f"{own / 'photos'}: 1 other files are left aside, such as notes.txt"]


def test_a_table_names_its_photographs_and_places(own):
    table = own / "more.csv"
    table.write_text(
        "processid,image,genus,country,coord-lat,coord-lon\nA3,photos/A1.jpg,Bombus,Kenya,-1.5,36.8\nA9,,,,,\n"
    )
    specimens = open_specimens([own / "reads.fasta", table])
    assert rows_of(specimens) == [("A3", "ACGTACGT", "A1.jpg"), ("A2", "ACGTTTTT", None), ("A9", "", None)]
    first = next(specimens.batches()).table.to_pylist()[0]
    assert (first["genus"], first["country"], first["coord-lat"]) == ("Apis", "Kenya", -1.5)
    pq.write_table(pa.table({"processid": ["A5"], "coord-lat": [3.5], "species": ["unassigned"]}), own / "t.parquet")
    (row,) = next(open_specimens([own / "t.parquet"]).batches()).table.to_pylist()
    assert (row["coord-lat"], row["species"], row["dna_barcode"]) == (3.5, None, "")


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("b.fasta", ">A2\nAC\n", r"b\.fasta, row 1, A2: stands twice, first in row 2 of .*reads\.fasta"),
        ("b.csv", "processid,seq\nX,AC\nX,\n", r"b\.csv, row 2, X: stands twice, first in row 1;"),
        ("b.csv", "processid,photograph\nA1,x.jpg\n", r"b\.csv, row 1, A1: has a photograph here and in .*A1\.jpg"),
        (
            "b.csv",
            "processid,coord-lat\nA1,91\n",
            r"b\.csv, row 1, A1: coord-lat is '91'; write degrees from -90 to 90",
        ),
        ("b.csv", "processid,coord-lon\nA1,east\n", "coord-lon is 'east'"),
        ("b.csv", "name\nA1\n", "no column of record ids"),
    ],
)
def test_contradictions_name_file_and_row(own, name, text, said):
    (own / name).write_text(text)
    with pytest.raises(Bioscan5mError, match=said):
        open_specimens([own / "photos", own / "reads.fasta", own / name])


def test_two_photographs_of_one_specimen_are_named(own):
    (own / "photos" / "A2.jpg").write_bytes(b"x")
    with pytest.raises(Bioscan5mError, match="is a second photograph of A2, beside"):
        open_specimens([own / "photos"])


def test_what_cannot_be_opened_is_named(own, dataset):
    (own / "empty").mkdir()
    with pytest.raises(Bioscan5mError, match="holds no photograph"):
        open_specimens([own / "empty"])
    with pytest.raises(ValueError, match="no specimens were given"):
        open_specimens([])
    with pytest.raises(ValueError, match="is no dataset"):
        open_specimens([own / "photos"], "val")
    with pytest.raises(ValueError, match="asked for by itself"):
        open_specimens([own / "photos", dataset])
    with pytest.raises(Bioscan5mError, match="there is no file, folder or dataset"):
        open_specimens([own / "absent"])


def test_blanks_are_no_names_and_changed_photographs_are_noticed(tmp_path):
    Image.new("RGB", (9, 9), "red").save(tmp_path / "red.jpg")
    (tmp_path / "keys.csv").write_text(
        'processid,species,photograph,country\n" A1 "," ",red.jpg,\nA2,Aus b, ,Canada \n'
    )
    given = open_specimens([tmp_path / "keys.csv"])
    (batch,) = given.batches()
    assert batch.table["processid"].to_pylist() == ["A1", "A2"]
    assert batch.table["species"].to_pylist() == [None, "Aus b"]
    assert batch.table["country"].to_pylist() == [None, "Canada"]
    assert [photograph is not None for photograph in batch.photographs] == [True, False]
    before = given.identity()
    Image.new("RGB", (19, 19), "blue").save(tmp_path / "red.jpg")
    assert open_specimens([tmp_path / "keys.csv"]).identity() != before
