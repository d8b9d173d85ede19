"""Embeddings: right, in order, never NaN; from every checkpoint that fits, and a clear word about the others."""

import json
import os
import sys

import numpy as np
import pyarrow as pa
import pytest
import torch
from huggingface_hub import snapshot_download
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from tiny_models import SIZE, edit_config, save_stock
from transformers import BertConfig, BertModel

from bioscan5m_hf.dna import encode_kmers
from bioscan5m_hf.embedding.checkpoint import CheckpointError, open_checkpoint
from bioscan5m_hf.embedding.encoder import BarcodeEncoder
from bioscan5m_hf.embedding.kmer_model import as_texts, batches_by_length
from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
)


def draw(rng, length, letters="ACGT"):
    return "".join(rng.choice(list(letters), length))


def plain_mean(folder, barcode, k=4, layout="standard", length=None):
    """Embed one barcode the plain way: stock model, mean over what is attended."""
    model = BertModel.from_pretrained(folder, add_pooling_layer=False).eval()
    ids, mask = encode_kmers([barcode], k, layout, length=length)
    with torch.no_grad():
        hidden = model(torch.tensor(ids).long(), torch.tensor(mask).long()).last_hidden_state[0]
    return hidden[torch.tensor(mask[0])].mean(0).numpy()


def test_any_mix_of_lengths_gives_the_vectors_of_each_alone_in_order(encoder, stock):
    rng = np.random.default_rng(0)
    barcodes = [draw(rng, length, "ACGTN") for length in (658, 4, 31, 660, 700, 200, 313, 658, 5)]
    together = encoder.embed(barcodes, batch_size=3)
    assert (together.shape, together.dtype) == ((9, 32), np.float32)
    for barcode, vector in zip(barcodes, together, strict=True):
        np.testing.assert_allclose(vector, plain_mean(stock, barcode), atol=1e-5)
        np.testing.assert_allclose(vector, encoder.embed([barcode])[0], atol=1e-5)
    np.testing.assert_allclose(plain_mean(stock, barcodes[2], length=165), together[2], atol=1e-5)


def test_an_empty_read_gives_zeros_and_nothing_gives_nan(encoder):
    odd = ["", None, "ACG", "N" * 50, "MKVLAAGIVGLPLLFEQP", "é" * 40, "[MASK][PAD]", "A", "-" * 9, " \t", "R" * 10_000]
    vectors = encoder.embed(odd)
    assert np.isfinite(vectors).all()
    for place in (0, 1, 2, 7, 8, 9):
        assert not vectors[place].any()
    for place in (3, 4, 5, 6, 10):
        assert vectors[place].any()


def test_case_rna_gaps_and_blanks_do_not_matter_in_either_layout(encoder, tmp_path):
    save_stock(tmp_path, layout="original")
    for model in (encoder, BarcodeEncoder.from_pretrained(tmp_path)):
        vectors = model.embed(["ACGTACGTTTGG", "acguacguuugg", "AC-GTAC.GTTTGG", "ACGTACGT\nTTGG"])
        assert (vectors == vectors[0]).all()
    raw = encoder.embed(["ACGTACGTTTGG", "acguacguuugg", "AC-GTACGTTTGG"], cleaned=False)
    assert (raw[1] == raw[0]).all()
    assert (raw[2] != raw[0]).any()


def test_what_follows_660_bases_is_not_read(encoder):
    barcode = draw(np.random.default_rng(1), 10_000)
    vectors = encoder.embed([barcode, barcode[:660]])
    assert (vectors[0] == vectors[1]).all()


@settings(deadline=None, max_examples=20)
@given(st.lists(st.none() | st.text("ACGTNacgu-é", max_size=40), max_size=12), st.integers(1, 5))
def test_order_and_repetition_change_nothing(encoder, barcodes, batch_size):
    vectors = encoder.embed(barcodes, batch_size)
    assert vectors.shape == (len(barcodes), 32)
    assert np.isfinite(vectors).all()
    back = encoder.embed(pa.chunked_array([barcodes[::-1], barcodes], pa.string()), batch_size)
    np.testing.assert_allclose(back, np.concatenate([vectors[::-1], vectors]), atol=1e-5)


def test_frames_are_averaged_over_those_that_hold_a_kmer(encoder):
    barcode = draw(np.random.default_rng(2), 90)
    mean = encoder.embed([barcode, "ACGTA", ""], offsets=encoder.frames)
    shifted = np.stack([encoder.embed([barcode[frame:], "ACGTA"[frame:]]) for frame in range(4)])
    np.testing.assert_allclose(mean[0], shifted[:, 0].mean(0), atol=1e-5)
    np.testing.assert_allclose(mean[1], shifted[:2, 1].mean(0), atol=1e-5)
    assert not mean[2].any()


def test_batches_hold_barcodes_of_about_one_length_and_each_once():
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 800, 500)
    batches = list(batches_by_length(pa.array(["A" * length for length in lengths]), 4, 660, 64))
    assert sorted(np.concatenate(batches).tolist()) == list(range(500))
    tokens = np.minimum(lengths, 660) // 4
    for rows in batches:
        assert len(rows) <= 64
        assert tokens[rows].min() >= 0.9 * tokens[rows].max() - 1
    assert list(batches_by_length(pa.array([], pa.string()), 4, 660, 64)) == []
    bounded = list(batches_by_length(pa.array(["A" * length for length in lengths]), 4, 660, 64, 400))
    assert sorted(np.concatenate(bounded).tolist()) == list(range(500))
    assert max(len(rows) * tokens[rows].max() for rows in bounded) <= 400
    assert [len(rows) for rows in batches_by_length(pa.array(["A" * 660] * 2), 4, 660, 64, 100)] == [1, 1]


def test_equal_barcodes_are_computed_once(encoder, monkeypatch):
    seen = []
    forward = BarcodeEncoder._forward
    monkeypatch.setattr(
        BarcodeEncoder, "_forward", lambda self, ids, mask: seen.append(len(ids)) or forward(self, ids, mask)
    )
    encoder.embed(["ACGTACGT", "acgtacgu", "ACGT-ACGT", "GGGGACGT"] * 5)
    assert sum(seen) == 2


def test_a_stream_of_records_gives_one_batch_for_each(encoder):
    batches = [pa.record_batch({"processid": [f"{n}a", f"{n}b"], "dna_barcode": ["ACGTACGT", None]}) for n in range(3)]
    given = list(encoder.embed_batches(iter(batches)))
    table = pa.Table.from_batches(given)
    assert [len(batch) for batch in given] == [2, 2, 2]
    assert table["processid"].to_pylist() == ["0a", "0b", "1a", "1b", "2a", "2b"]
    assert table.schema.field("embedding").type == pa.list_(pa.float32(), 32)
    np.testing.assert_array_equal(table["embedding"][0].as_py(), encoder.embed(["ACGTACGT"])[0])


def test_a_device_and_a_precision_can_be_chosen(stock):
    half = BarcodeEncoder.from_pretrained(stock, device="cpu", dtype=torch.bfloat16)
    assert half.model.dtype == torch.bfloat16
    one, other = half.embed(["ACGTACGTTTGGAACC"]), BarcodeEncoder.from_pretrained(stock).embed(["ACGTACGTTTGGAACC"])
    assert one.dtype == np.float32
    assert (one * other).sum() / np.linalg.norm(one) / np.linalg.norm(other) > 0.999
    with pytest.raises(ValueError, match="dtype 'int8': use one of float32"):
        BarcodeEncoder.from_pretrained(stock, dtype="int8")
    with pytest.raises(ValueError, match="device 'gpu' cannot be used here"):
        BarcodeEncoder.from_pretrained(stock, device="gpu")


@pytest.mark.parametrize("given", ["ACGT", [1, 2], [["ACGT"]], [float("nan")], [b"\xff"]])
def test_what_are_no_barcodes_is_refused(encoder, given):
    with pytest.raises(ValueError, match="barcodes"):
        encoder.embed(given)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"batch_size": 0}, "batch_size is 0"), ({"offsets": ()}, "offsets"), ({"offsets": (-1,)}, "offsets")],
)
def test_impossible_numbers_are_refused(encoder, given, message):
    with pytest.raises(ValueError, match=message):
        encoder.embed(["ACGT"], **given)


def test_texts_may_come_in_any_form():
    for texts in (
        ["a", None],
        np.array(["a", None], object),
        pa.array(["a", None]),
        pa.chunked_array([["a"], [None]]),
    ):
        assert as_texts(texts, cleaned=True).to_pylist() == ["A", ""]


@pytest.mark.parametrize("kind", ["encoder", "masked", "tokens"])
@pytest.mark.parametrize(("k", "layout"), [(4, "original"), (3, "standard")])
def test_stock_checkpoints_of_any_head_give_one_encoder(tmp_path, kind, k, layout):
    model = save_stock(tmp_path, kind=kind, k=k, layout=layout)
    encoder = BarcodeEncoder.from_pretrained(tmp_path)
    assert (encoder.k, encoder.layout.name, encoder.width) == (k, layout, 32)
    assert encoder.revision == f"sha256:{encoder.digest}"
    inner = getattr(model, "bert", model).state_dict()
    for name, tensor in encoder.model.state_dict().items():
        assert torch.equal(tensor, inner[name])


@pytest.mark.parametrize("cls", [BarcodeBertForMaskedLM, BarcodeBertForSequenceClassification])
def test_our_own_checkpoints_are_loaded(tmp_path, cls):
    config = BarcodeBertConfig(kmer_size=5, labels={"order": ["Diptera", "Araneae"]}, **SIZE)
    model = cls(config).eval()
    model.save_pretrained(tmp_path)
    encoder = BarcodeEncoder.from_pretrained(tmp_path)
    assert (encoder.k, encoder.layout.name) == (5, "standard")
    barcode = draw(np.random.default_rng(0), 100)
    ids, mask = encode_kmers([barcode], 5)
    with torch.no_grad():
        expected = model.bert(torch.tensor(ids).long(), torch.tensor(mask).long()).last_hidden_state.mean(1)
    np.testing.assert_allclose(encoder.embed([barcode]), expected.numpy(), atol=1e-5)


def test_the_authors_repository_works_as_it_stands_and_nothing_of_it_is_run(hub, repo_id, tmp_path):
    save_stock(tmp_path / "weights", kind="tokens", layout="original", pad_token_id=None)
    marker = tmp_path / "executed"
    hostile = f"import pathlib\npathlib.Path({str(marker)!r}).write_text('run')\n".encode()
    auto = {"AutoTokenizer": ["tokenizer.KmerTokenizer", None], "AutoModel": "modeling.Model"}
    edit_config(tmp_path / "weights", auto_map=auto)
    files = {path.name: path.read_bytes() for path in (tmp_path / "weights").iterdir()}
    tokenizer = {"tokenizer_class": "KmerTokenizer", "auto_map": {"AutoTokenizer": auto["AutoTokenizer"]}}
    files |= {
        "tokenizer.py": hostile,
        "modeling.py": hostile,
        "tokenizer_config.json": json.dumps(tokenizer).encode(),
        "vocab.json": b"{}",
        "pytorch_model.bin": b"not a checkpoint",
        "README.md": b"# BarcodeBERT\n",
    }
    hub.seed(repo_id, files, "model")
    encoder = BarcodeEncoder.from_pretrained(repo_id)
    assert (encoder.k, encoder.layout.name, encoder.name) == (4, "original", repo_id)
    assert encoder.revision == hub.history(repo_id, "model")[-1].oid
    barcode = draw(np.random.default_rng(3), 658)
    np.testing.assert_allclose(
        encoder.embed([barcode])[0], plain_mean(tmp_path / "weights", barcode, layout="original"), atol=1e-5
    )
    assert not marker.exists()
    assert not hub.requested("GET", r"\.py|\.bin|README")
    asked = len(hub.requested("GET", "safetensors"))
    first = encoder.revision
    hub.seed(repo_id, {"vocab.json": b"[]"}, "model")
    again = BarcodeEncoder.from_pretrained(repo_id, revision=first)
    assert (again.revision, len(hub.requested("GET", "safetensors"))) == (first, asked)


def test_a_repository_with_a_pickle_only_is_read_without_running_it(hub, repo_id, tmp_path):
    model = save_stock(tmp_path / "weights", kind="tokens", layout="original")
    torch.save(model.state_dict(), tmp_path / "pytorch_model.bin")
    files = {"pytorch_model.bin": (tmp_path / "pytorch_model.bin").read_bytes()}
    files["config.json"] = (tmp_path / "weights" / "config.json").read_bytes()
    hub.seed(repo_id, files, "model")
    expected = BarcodeEncoder.from_pretrained(tmp_path / "weights").embed(["ACGTACGTACGGTT"])
    np.testing.assert_array_equal(BarcodeEncoder.from_pretrained(repo_id).embed(["ACGTACGTACGGTT"]), expected)


class Hostile:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.mkdir, (str(self.marker),)


def test_a_hostile_pickle_does_nothing(tmp_path):
    save_stock(tmp_path)
    (tmp_path / "model.safetensors").unlink()
    torch.save({"model": Hostile(tmp_path / "executed")}, tmp_path / "pytorch_model.bin")
    with pytest.raises(ValueError, match="weights of another architecture \\(none\\)"):
        BarcodeEncoder.from_pretrained(tmp_path)
    assert not (tmp_path / "executed").exists()


def test_sharded_weights_are_read(tmp_path):
    save_stock(tmp_path)
    expected = BarcodeEncoder.from_pretrained(tmp_path).embed(["ACGTACGTACGGTT"])
    weights = load_file(tmp_path / "model.safetensors")
    names = sorted(weights)
    (tmp_path / "model.safetensors").unlink()
    for number, part in enumerate((names[:9], names[9:]), 1):
        save_file({name: weights[name] for name in part}, tmp_path / f"model-{number:05}-of-00002.safetensors")
    np.testing.assert_array_equal(BarcodeEncoder.from_pretrained(tmp_path).embed(["ACGTACGTACGGTT"]), expected)


def lose_a_tensor(folder):
    weights = load_file(folder / "model.safetensors")
    del weights["encoder.layer.1.output.dense.bias"]
    save_file(weights, folder / "model.safetensors")


def cut_the_weights(folder):
    path = folder / "model.safetensors"
    path.write_bytes(path.read_bytes()[:5000])


def another_architecture(folder):
    save_file({"conv.weight": torch.zeros(3, 3)}, folder / "model.safetensors")


def foreign_tokenizer(folder):
    vocabulary = {"[PAD]": 0, "[UNK]": 1, "[MASK]": 2, "AAAAAA": 3}
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"type": "WordLevel", "vocab": vocabulary}}))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lose_a_tensor, "not those of the model that config.json describes.*encoder.layer.1.output.dense.bias"),
        (cut_the_weights, "model.safetensors is damaged"),
        (another_architecture, "weights of another architecture \\(conv.weight"),
        (foreign_tokenizer, "tokenizer.json does not fit the model, which has 4-mers in layout 'standard': AAAA 3"),
        (lambda folder: (folder / "tokenizer.json").write_text("[]"), "no JSON object"),
        (lambda folder: (folder / "tokenizer.json").write_text("{"), "is no JSON"),
        (lambda folder: (folder / "config.json").unlink(), "holds no config.json"),
        (lambda folder: (folder / "model.safetensors").unlink(), "no model.safetensors .*was saving it interrupted"),
        (lambda folder: edit_config(folder, model_type="roberta"), "type 'roberta'"),
        (lambda folder: edit_config(folder, vocab_size=30522), "vocabulary of 30522: k-mers need 4\\^k"),
        (lambda folder: edit_config(folder, kmer_size=6), "says kmer_size 6 .* vocabulary of 259 is that of 4-mers"),
        (lambda folder: edit_config(folder, token_layout="original"), "token_layout 'original'"),
        (lambda folder: edit_config(folder, vocab_size=258), "not those of the model"),
        (lambda folder: edit_config(folder, num_hidden_layers=3), "not those of the model"),
        (lambda folder: edit_config(folder, num_hidden_layers=1), "not those of the model"),
        (lambda folder: edit_config(folder, hidden_size=31), "config.json"),
    ],
)  # fmt: skip
def test_a_checkpoint_that_does_not_fit_is_refused(tmp_path, spoil, message):
    save_stock(tmp_path)
    spoil(tmp_path)
    with pytest.raises(CheckpointError, match=message):
        BarcodeEncoder.from_pretrained(tmp_path)


def test_models_that_are_nowhere_are_named(hub, repo_id, stock, tmp_path):
    with pytest.raises(CheckpointError, match=f"there is no folder {repo_id}, and no such repository"):
        BarcodeEncoder.from_pretrained(repo_id)
    with pytest.raises(CheckpointError, match="no name of a repository"):
        BarcodeEncoder.from_pretrained(tmp_path / "absent" / "folder")
    with pytest.raises(CheckpointError, match="local folder, which has no revision 'v1'"):
        BarcodeEncoder.from_pretrained(stock, revision="v1")
    hub.seed(repo_id, {"README.md": b"# nothing\n"}, "model")
    with pytest.raises(CheckpointError, match=r"holds no config\.json"):
        BarcodeEncoder.from_pretrained(repo_id)
    with pytest.raises(CheckpointError, match="at revision 'v9'"):
        BarcodeEncoder.from_pretrained(repo_id, revision="v9")


def test_fewer_positions_than_660_bases_need_are_not_overrun(tmp_path):
    torch.manual_seed(0)
    config = BertConfig(vocab_size=67, max_position_embeddings=20, **SIZE)
    BertModel(config).save_pretrained(tmp_path)
    assert open_checkpoint(tmp_path).max_nucleotides == 60
    barcode = draw(np.random.default_rng(0), 658)
    vectors = BarcodeEncoder.from_pretrained(tmp_path).embed([barcode, barcode[:60]])
    assert (vectors[0] == vectors[1]).all()


def test_a_fetched_repository_is_the_one_of_the_client(hub, repo_id, stock):
    hub.seed(repo_id, {path.name: path.read_bytes() for path in stock.iterdir()}, "model")
    encoder = BarcodeEncoder.from_pretrained(repo_id)
    assert snapshot_download(repo_id).endswith(encoder.revision)
    assert encoder.digest == BarcodeEncoder.from_pretrained(stock).digest


def test_without_the_libraries_of_models_the_pip_line_is_given(stock, monkeypatch):
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(ModuleNotFoundError, match=r"models need transformers: pip install 'bioscan5m-hf\[models\]'"):
        BarcodeEncoder.from_pretrained(stock)
