"""Nearest keys: what a plain search over everything finds, at every rank, however keys are cut into blocks."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bioscan5m_hf import load_specimens
from bioscan5m_hf.embedding import keys as keys_module
from bioscan5m_hf.embedding import neighbours
from bioscan5m_hf.embedding.encoder import as_lists
from bioscan5m_hf.embedding.inputs import open_input
from bioscan5m_hf.embedding.keys import KeySet, embed_keys, unit
from bioscan5m_hf.embedding.neighbours import search
from bioscan5m_hf.errors import Bioscan5mError, OutputError
from bioscan5m_hf.taxonomy import LABELS, is_filler


RANKS = ("genus", "order")


def key_file(path, vectors, genus, order):
    labels = {"genus": genus, "order": order}
    columns = {name: pa.array(labels.get(name, [None] * len(vectors)), pa.string()) for name in LABELS}
    ids = [f"K{place}" for place in range(len(vectors))]
    pq.write_table(pa.table({"processid": ids, "dna_barcode": ids, **columns, "embedding": as_lists(vectors)}), path)
    return KeySet.open(path)


def plain_search(queries, vectors, labels, allowed):
    """Find the nearest and the nearest of another name, the slow way; similarities only, since places may be equal."""
    scores = unit(queries) @ unit(vectors).T
    found = []
    for row in scores:
        order = [place for place in np.argsort(-row, kind="stable") if allowed[place] and labels[place]]
        best = order[0] if order else None
        other = next((place for place in order if labels[place] != labels[best]), None)
        found.append((-np.inf if best is None else row[best], -np.inf if other is None else row[other]))
    return np.array(found)


@settings(deadline=None, max_examples=40)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 12))
def test_the_search_is_exact(tmp_path_factory, seed, count, block):
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 6)).astype(np.float32)
    vectors[rng.random(count) < 0.2] = vectors[0]
    genus = [name or None for name in rng.choice(["", "Aus", "Bus", "Cus"], count)]
    order = [name or None for name in rng.choice(["", "Diptera"], count)]
    keys = key_file(tmp_path_factory.mktemp("keys") / "keys.parquet", vectors, genus, order)
    keys.allowed = rng.random(count) < 0.9
    queries = np.concatenate([rng.normal(size=(5, 6)), vectors[:3]]).astype(np.float32)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keys_module, "BLOCK", block)
        patch.setattr(neighbours, "QUERIES", 3)
        overall, found = search(queries, keys, RANKS)
    scores = np.where(keys.allowed, unit(queries) @ unit(vectors).T, -np.inf)
    np.testing.assert_allclose(overall.similarity, scores.max(1), atol=1e-5)
    for rank, labels in (("genus", genus), ("order", order)):
        nearest, expected = found[rank], plain_search(queries, vectors, labels, keys.allowed)
        np.testing.assert_allclose(nearest.similarity, expected[:, 0], atol=1e-5)
        np.testing.assert_allclose(nearest.other_similarity, expected[:, 1], atol=1e-5)
        for place, other in zip(nearest.place, nearest.other, strict=True):
            assert place < 0 or labels[place] is not None
            assert other < 0 or (labels[other] is not None and labels[other] != labels[place])


def test_keys_are_held_or_read_again_with_the_same_result(tmp_path):
    rng = np.random.default_rng(0)
    vectors = rng.normal(size=(50, 6)).astype(np.float32)
    genus = list(rng.choice(["Aus", "Bus"], 50))
    keys = key_file(tmp_path / "keys.parquet", vectors, genus, genus)
    held = search(vectors[:5], keys, RANKS)[1]["genus"]
    again = KeySet.open(tmp_path / "keys.parquet")
    again.held_bytes = 0
    streamed = search(vectors[:5], again, RANKS)[1]["genus"]
    assert again._held is None
    assert (held.place.tolist(), held.other.tolist()) == (streamed.place.tolist(), streamed.other.tolist())
    assert held.place.tolist() == [0, 1, 2, 3, 4]


def test_equally_near_taxa_are_tied(tmp_path):
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    keys = key_file(tmp_path / "keys.parquet", vectors, ["Aus", "Bus", "Cus"], ["x", "x", "y"])
    _, found = search(vectors[[0, 2]] * 7, keys, RANKS)
    assert found["genus"].tied.tolist() == [True, False]
    assert found["order"].tied.tolist() == [False, False]


def test_rows_come_in_the_order_asked_for(tmp_path):
    keys = key_file(tmp_path / "keys.parquet", np.eye(4, dtype=np.float32), list("abcd"), ["x"] * 4)
    assert [row["processid"] for row in keys.rows(np.array([3, 0, 3, 1]))] == ["K3", "K0", "K3", "K1"]
    assert keys.rows(np.array([], np.int64)) == []
    assert keys.counts("order").tolist() == [4]
    keys.restrict({"genus": ["a", "c"], "order": ["x"]})
    assert keys.counts("order").tolist() == [2]
    with pytest.raises(ValueError, match="the keys have no genus 'e'"):
        keys.restrict({"genus": ["e"]})
    with pytest.raises(ValueError, match="no key lies within"):
        keys.restrict({"genus": ["b"]})


def test_keys_of_a_dataset_are_embedded_once(encoder, dataset, tmp_path):
    cache = tmp_path / "keys.parquet"
    source = open_input(dataset, "train+key_unseen")
    keys = embed_keys(encoder, source, cache)
    rows = list(load_specimens(dataset, split="train+key_unseen", columns=["processid", *LABELS], streaming=True))
    labelled = [row for row in rows if any(row[rank] and not is_filler(row[rank]) for rank in LABELS)]
    assert 0 < len(keys) <= len(labelled)
    assert keys.names["species"] == sorted({row["species"] for row in labelled if row["species"]})
    assert keys.origin["source"] == str(dataset)
    assert keys.origin["weights"] == encoder.digest
    written = cache.stat().st_mtime_ns
    assert len(embed_keys(encoder, source, cache)) == len(keys)
    assert cache.stat().st_mtime_ns == written
    with pytest.raises(OutputError, match=r"keys\.parquet holds something else \(records differs\)"):
        embed_keys(encoder, open_input(dataset, "train"), cache)
    with pytest.raises(OutputError, match="frame_offsets differs"):
        embed_keys(encoder, source, cache, offsets=(0, 1))


def test_keys_of_ones_own_need_names(encoder, tmp_path):
    path = tmp_path / "keys.fasta"
    path.write_text(">K1\nACGTACGTACGT\n")
    with pytest.raises(Bioscan5mError, match=r"no key with a usable barcode and a name: .*'>ID genus="):
        embed_keys(encoder, open_input(path))
    path.write_text(">K1 genus=Aus\nACGTACGTACGT\n>K2 genus=Bus\nNNNNNNNNNNNNNNN\n>K3 genus=Cus\n")
    keys = embed_keys(encoder, open_input(path))
    assert keys.names["genus"] == ["Aus"]
    assert keys.path.parent.name == "bioscan5m"
    path.write_text(">K1 genus=Aus\nACGTACGTACGT\n>K2 genus=Bus\nACGGTTGTACGT\n")
    assert embed_keys(encoder, open_input(path)).names["genus"] == ["Aus", "Bus"]
