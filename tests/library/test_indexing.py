"""The index: what is in it, how it is built and goes on, and what it refuses."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bioscan5m_hf.errors import Bioscan5mError, EncoderError, OutputError
from bioscan5m_hf.library.building import build_index
from bioscan5m_hf.library.files import open_specimens
from bioscan5m_hf.library.index import Index, is_index
from bioscan5m_hf.library.neighbours import Keys
from bioscan5m_hf.library.specimens import open_dataset, read_ids
from bioscan5m_hf.library.vectors import Embedder


sys.path.insert(0, str(Path(__file__).parent))

from invented_library import Given, Seeing, specimens


def photograph(colour):
    made = io.BytesIO()
    Image.new("RGB", (8, 8), colour).save(made, "PNG")
    return made.getvalue()


def both(number=60, **changes):
    rows = specimens(number, **changes)
    photographs = [photograph((4 * place % 250, 40, 90)) for place in range(number)]
    for place in range(0, number, 3):
        photographs[place] = None
    for place in range(1, number, 3):
        rows[place]["dna_barcode"] = ""
    return Given(rows, photographs)


def test_vectors_are_mapped_unit_and_zero_where_there_is_nothing(tmp_path):
    given, encoder = both(), Seeing()
    index = build_index(tmp_path / "keys", Embedder(encoder), given, part=16)
    assert is_index(tmp_path / "keys")
    assert all(isinstance(each, np.memmap) and each.dtype == np.float32 for each in index.vectors.values())
    assert index.table["processid"].to_pylist() == [row["processid"] for row in given.rows]
    dna = encoder.embed([row["dna_barcode"] for row in given.rows if row["dna_barcode"]])
    there = index.has("dna")
    assert np.allclose(index.vectors["dna"][there], dna / np.linalg.norm(dna, axis=1, keepdims=True), atol=1e-6)
    for name in ("image", "dna"):
        assert np.array_equal(np.asarray(index.vectors[name]).any(axis=1), index.has(name))
        assert np.isfinite(index.vectors[name]).all()
    assert index.about["with"] == {"image": 40, "dna": 40}
    assert not (tmp_path / "keys" / ".building").exists()


def test_a_killed_build_goes_on_and_equals_one_that_was_not(tmp_path, monkeypatch):
    whole = build_index(tmp_path / "whole", Embedder(Seeing()), both(), part=8)
    embed, calls = Embedder.embed, []

    def killed(self, batch):
        calls.append(len(batch))
        if len(calls) > 3:
            raise KeyboardInterrupt
        return embed(self, batch)

    with monkeypatch.context() as patch:
        patch.setattr(Embedder, "embed", killed)
        with pytest.raises(KeyboardInterrupt):
            build_index(tmp_path / "keys", Embedder(Seeing()), both(), part=8)
    assert is_index(tmp_path / "keys")
    with pytest.raises(OutputError, match="is not whole"):
        Index.open(tmp_path / "keys")
    with pytest.raises(OutputError, match="revision sha256:0, and the model is another, revision sha256:1"):
        build_index(tmp_path / "keys", Embedder(Seeing("another", "sha256:1")), both(), part=8)
    encoder = Seeing()
    again = build_index(tmp_path / "keys", Embedder(encoder), both(), part=8)
    assert encoder.images + encoder.barcodes < 80  # what was embedded before is not embedded again
    assert again.about == whole.about
    assert again.table.equals(whole.table)
    assert all(np.array_equal(each, again.vectors[name]) for name, each in whole.vectors.items())
    once_more = Seeing()
    build_index(tmp_path / "keys", Embedder(once_more), both(), part=8)
    assert once_more.images + once_more.barcodes == 0


def test_an_index_of_another_model_revision_or_settings_is_refused_by_name(tmp_path):
    build_index(tmp_path / "keys", Embedder(Seeing("ORG/clibd-5m", "abc", pooling="mean", dtype="float32")), both())
    Index.open(tmp_path / "keys", Seeing("a/copy", "abc", pooling="mean", dtype="bfloat16"))
    with pytest.raises(OutputError, match="holds keys of ORG/clibd-5m, revision abc, and the model is x, revision d"):
        Index.open(tmp_path / "keys", Seeing("x", "d", pooling="mean"))
    with pytest.raises(OutputError, match="pooling 'mean', not 'cls'"):
        Index.open(tmp_path / "keys", Seeing("x", "abc", pooling="cls"))


def test_another_source_or_folder_is_not_written_over(tmp_path):
    build_index(tmp_path / "keys", Embedder(Seeing()), both())
    with pytest.raises(OutputError, match="other specimens"):
        build_index(tmp_path / "keys", Embedder(Seeing()), both(30))
    with pytest.raises(OutputError, match="another precision"):
        build_index(tmp_path / "keys", Embedder(Seeing()), both(), precision="float16")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(OutputError, match="not empty and no index"):
        build_index(tmp_path / "mine", Embedder(Seeing()), both())
    with pytest.raises(OutputError, match="is no index"):
        Index.open(tmp_path / "mine")
    with pytest.raises(ValueError, match="use one of float32, float16"):
        build_index(tmp_path / "new", Embedder(Seeing()), both(), precision="int8")


def test_damaged_indexes_are_named(tmp_path):
    folder = tmp_path / "keys"
    build_index(folder, Embedder(Seeing()), both())
    about = (folder / "index.json").read_text()
    np.save(folder / "dna.npy", np.zeros((3, 2), np.float32))
    with pytest.raises(OutputError, match=r"dna\.npy is of another size"):
        Index.open(folder)
    (folder / "dna.npy").unlink()
    with pytest.raises(OutputError, match="is damaged"):
        Index.open(folder)
    (folder / "index.json").write_text(json.dumps(json.loads(about) | {"format": 0}))
    with pytest.raises(OutputError, match="another version"):
        Index.open(folder)
    (folder / "index.json").write_text("{")
    with pytest.raises(OutputError, match=r"index\.json is damaged"):
        Index.open(folder)


def test_keys_that_say_nothing_are_left_out_and_counted(tmp_path):
    rows = specimens(4)
    rows[1] |= {"order": None, "genus": "unassigned Ausidae", "species": None} | {"genus": None}
    rows[2]["dna_barcode"] = "NNNNNNNNN"
    index = build_index(tmp_path / "keys", Embedder(Seeing()), Given(rows, [None, None, None, b"no photograph"]))
    assert index.table["processid"].to_pylist() == ["K0000", "K0003"]
    assert index.about["left_out"] == {
        "without a name": 1,
        "without photograph or barcode that can be used": 1,
        "photographs that cannot be read": 1,
    }
    with pytest.raises(Bioscan5mError, match="holds no key with a name"):
        build_index(tmp_path / "none", Embedder(Seeing()), Given(rows[1:3]))
    with pytest.raises(Bioscan5mError, match="K0000 stands twice"):
        build_index(tmp_path / "twice", Embedder(Seeing()), Given([rows[0], rows[0]]))


def test_half_precision_takes_half_of_the_room_and_finds_the_same(tmp_path):
    exact = build_index(tmp_path / "exact", Embedder(Seeing()), both())
    half = build_index(tmp_path / "half", Embedder(Seeing()), both(), precision="float16")
    assert half.vectors["dna"].dtype == np.float16
    asked = {"dna": np.asarray(exact.vectors["dna"][exact.has("dna")])}
    every = np.ones(len(exact), bool)
    one, other = (Keys(each, each.gap(), every).nearest("dna", asked, 3) for each in (exact, half))
    assert np.allclose(one.similarity, other.similarity, atol=2e-3)
    assert (one.place[:, 0] == other.place[:, 0]).all()


def test_search_equals_brute_force_also_within_taxa(tmp_path):
    index = build_index(tmp_path / "keys", Embedder(Seeing()), Given(specimens(90)))
    asked = Seeing().embed([row["dna_barcode"] for row in specimens(20, seed=9)])
    allowed = index.within({"order": ["Diptera"]})
    assert allowed.tolist() == [row["order"] == "Diptera" for row in specimens(90)]
    centre = np.asarray(index.vectors["dna"]).mean(axis=0)

    def moved(rows):
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True) - centre
        return rows / np.linalg.norm(rows, axis=1, keepdims=True)

    cosines = moved(asked) @ moved(np.asarray(index.vectors["dna"])).T
    for mask in (np.ones(90, bool), allowed):
        found = Keys(index, index.gap(), mask).nearest("dna", {"dna": asked}, 50)
        expected = np.where(mask, cosines, -np.inf)
        kept = min(50, int(mask.sum()))
        assert np.allclose(found.similarity[:, :kept], -np.sort(-expected, axis=1)[:, :kept], atol=1e-5)
        assert np.array_equal(found.place[:, 0], expected.argmax(axis=1))
        assert (found.place[:, kept:] == -1).all()
    with pytest.raises(ValueError, match="did you mean Diptera"):
        index.within({"order": ["Dipterra"]})
    with pytest.raises(ValueError, match="restrict less"):
        index.within({"order": ["Diptera"], "species": ["Aus0 b0"]})


def test_keys_without_what_is_compared_are_not_found(tmp_path):
    index = build_index(tmp_path / "keys", Embedder(Seeing()), both())
    keys = Keys(index, index.gap(), np.ones(len(index), bool))
    found = keys.nearest("dna", {"dna": Seeing().embed(["ACGT" * 20])}, 60)
    assert set(found.place[0].tolist()) == {-1, *np.flatnonzero(index.has("dna")).tolist()}
    none = Keys(index, index.gap(), np.zeros(len(index), bool)).nearest("dna", {"dna": np.ones((2, 12))}, 3)
    assert (none.place == -1).all()


def test_a_split_a_list_and_photographs_of_a_dataset(dataset, tmp_path):
    whole = open_dataset(dataset, "val")
    rows = [row for batch in whole.batches() for row in batch.table["processid"].to_pylist()]
    assert whole.count() == len(rows)
    listed = tmp_path / "list.csv"
    listed.write_text("n,processid\n" + "".join(f"{n},{one}\n" for n, one in enumerate(rows[:3])))
    some = open_specimens([dataset], "val", only=read_ids(listed))
    index = build_index(tmp_path / "keys", Embedder(Seeing()), some)
    assert index.table["processid"].to_pylist() == rows[:3]
    assert set(index.table["split"].to_pylist()) == {"val"}
    assert index.about["with"]["image"] == 3
    assert all(
        one is None for batch in open_dataset(dataset, "val", photographs=False).batches() for one in batch.photographs
    )
    with pytest.raises(Bioscan5mError, match="1 of 1 specimens are not in val"):
        open_dataset(dataset, "val", only=["nobody"])
    with pytest.raises(ValueError, match="unknown split"):
        open_dataset(dataset, "holiday")


@pytest.mark.parametrize(("text", "said"), [("", "lists no specimen"), ("a,b\n1,2\n", "has no column 'processid'")])
def test_lists_without_specimens_are_refused(tmp_path, text, said):
    path = tmp_path / "list.csv"
    path.write_text(text or "processid\n")
    with pytest.raises(Bioscan5mError, match=said):
        read_ids(path)
    with pytest.raises(Bioscan5mError, match="no such file"):
        read_ids(tmp_path / "absent.txt")
    (tmp_path / "plain.txt").write_text("A1\n\nA2\nA1\n")
    assert read_ids(tmp_path / "plain.txt") == ["A1", "A2"]


def test_models_that_see_nothing_or_give_nonsense_are_refused(tmp_path):
    blind, mad = Seeing(), Seeing()
    blind.embed_images = blind.embed = None
    with pytest.raises(EncoderError, match="embeds none of image, dna"):
        Embedder(blind)
    with pytest.raises(ValueError, match="unknown modality 'sound'"):
        Embedder(Seeing(), ["sound"])
    mad.embed = lambda barcodes: np.full((len(barcodes), 12), np.nan, np.float32)
    with pytest.raises(EncoderError, match="no finite vector of dna for K0000"):
        build_index(tmp_path / "keys", Embedder(mad), Given(specimens(3)))
