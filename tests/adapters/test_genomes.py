"""Models of genomes: what they compute, that padding does not leak, and that no weight stays as it was drawn."""

import json

import numpy as np
import plain
import pytest
import tiny_genomes as tiny
import torch
from safetensors.torch import load_file, save_file
from transformers import EsmConfig, EsmModel, EsmTokenizer

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.embedding.checkpoint import CheckpointError


SAVE = {
    "dnabert-2": lambda folder, **how: tiny.save_dnabert(folder, **how),
    "dnabert-s": lambda folder, **how: tiny.save_dnabert(folder, prefix="", head=False, **how),
    "hyenadna": lambda folder, **how: tiny.save_hyena(folder, **how),
    "transformer-v2": lambda folder, **how: tiny.save_transformer(folder, **how),
    "transformer-v1": lambda folder, **how: tiny.save_transformer(folder, tiny.ESM_1, **how),
}
PLAIN = {
    "dnabert-2": (plain.dnabert, tiny.DNABERT, "bert."),
    "dnabert-s": (plain.dnabert, tiny.DNABERT, ""),
    "hyenadna": (plain.hyena, tiny.HYENA, "hyena.backbone."),
    "transformer-v2": (plain.gated_transformer, tiny.ESM, "esm."),
}
WIDTH = tiny.WIDTH


def barcodes(count=9, seed=0):
    """Invent barcodes of 40 to 700 letters, some with Ns."""
    generator = np.random.default_rng(seed)
    return ["".join(generator.choice(list("ACGTN"), 40 + 80 * at, p=[0.24] * 4 + [0.04])) for at in range(count)]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("genomes")
    return {name: (root / name, save(root / name)) for name, save in SAVE.items()}


def ids_of(encoder, text):
    return np.array(encoder.tokenize([text])[0])


@pytest.mark.parametrize("name", PLAIN)
def test_the_vectors_are_those_of_the_architecture_written_plainly(name, folders):
    folder, weights = folders[name]
    compute, config, prefix = PLAIN[name]
    tensors = {key.removeprefix(prefix): value.double().numpy() for key, value in weights.items()}
    encoder = load_encoder(folder, device="cpu")
    some = barcodes()
    expected = [compute(ids_of(encoder, text), tensors, config).mean(0) for text in some]
    np.testing.assert_allclose(encoder.embed(some), expected, atol=3e-5)


def test_the_first_version_of_the_transformer_is_transformers_own_esm(folders):
    folder, weights = folders["transformer-v1"]
    known = {key: value for key, value in tiny.ESM_1.items() if key != "model_type"}
    model = EsmModel(EsmConfig(**known), add_pooling_layer=False).eval()
    bare = {key.removeprefix("esm."): value for key, value in weights.items() if key.startswith("esm.")}
    model.load_state_dict(bare)
    encoder = load_encoder(folder, device="cpu")
    for text in barcodes():
        with torch.inference_mode():
            states = model(input_ids=torch.tensor([encoder.tokenize([text])[0]])).last_hidden_state[0]
        np.testing.assert_allclose(encoder.embed([text])[0], states.mean(0).numpy(), atol=3e-5)


@pytest.mark.parametrize("name", SAVE)
def test_batches_padding_and_order_change_nothing(name, folders):
    encoder = load_encoder(folders[name][0], device="cpu")
    some = barcodes(12)
    whole = encoder.embed(some)
    assert (whole.shape, whole.dtype) == ((12, WIDTH), np.float32)
    assert np.linalg.norm(whole[:, None] - whole[None], axis=-1)[~np.eye(12, dtype=bool)].min() > 0.01
    np.testing.assert_array_equal(encoder.embed(some), whole)
    np.testing.assert_allclose(np.concatenate([encoder.embed([one]) for one in some]), whole, atol=2e-5)
    np.testing.assert_allclose(encoder.embed(some, batch_size=5), whole, atol=2e-5)
    np.testing.assert_allclose(encoder.embed(some[::-1])[::-1], whole, atol=2e-5)
    np.testing.assert_allclose(encoder.embed([some[3], some[5], some[3]])[[0, 2]], whole[[3, 3]], atol=2e-5)


@pytest.mark.parametrize("name", SAVE)
def test_letters_are_cleaned_and_nothing_has_a_vector_of_zeros(name, folders):
    encoder = load_encoder(folders[name][0], device="cpu")
    vectors = encoder.embed(["ACGTTGCA" * 30, "acguu-gca" * 30, None, "", "-"])
    np.testing.assert_allclose(vectors[1], vectors[0], atol=1e-6)
    assert not vectors[2:].any()
    assert vectors[0].any()
    assert encoder.embed([]).shape == (0, WIDTH)
    assert np.isfinite(encoder.embed(["N", "A", "RYK", "N" * 660])).all()
    with pytest.raises(ValueError, match="batch_size is 0"):
        encoder.embed(["A"], batch_size=0)
    with pytest.raises(ValueError, match="one str was given"):
        encoder.embed("ACGT")


@pytest.mark.parametrize(
    ("name", "longest"), [("dnabert-2", 512), ("hyenadna", 700), ("transformer-v2", 128), ("transformer-v1", 128)]
)
def test_what_is_behind_the_longest_length_is_not_read(name, longest, folders):
    encoder = load_encoder(folders[name][0], device="cpu")
    assert encoder.settings["max_tokens"] == longest
    generator = np.random.default_rng(3)
    long = "".join(generator.choice(list("ACGT"), 2000))
    assert len(ids_of(encoder, long)) == longest
    read = {"dnabert-2": 1500, "hyenadna": 700, "transformer-v2": 762, "transformer-v1": 762}[name]
    other = long[:read] + "A" * (2000 - read)
    np.testing.assert_allclose(encoder.embed([other])[0], encoder.embed([long])[0], atol=1e-6)
    nearer = long[:300] + "A" * 1700
    assert np.abs(encoder.embed([nearer])[0] - encoder.embed([long])[0]).max() > 1e-3


def test_tokens_of_the_transformer_are_those_of_its_own_tokenizer(folders):
    folder = folders["transformer-v2"][0]
    stock = EsmTokenizer(str(folder / "vocab.txt"), eos_token=None)
    encoder = load_encoder(folder, device="cpu")
    generator = np.random.default_rng(1)
    for letters, size in (("ACGT", 60), ("ACGTN", 120), ("ACGTNR", 90), ("NN", 5), ("A", 3)):
        text = "".join(generator.choice(list(letters), size))
        assert encoder.tokenize([text])[0] == stock(text)["input_ids"]


def test_tokens_of_hyenadna_are_letters():
    from bioscan5m_hf.adapters.genomes import letters

    assert letters(["ACGTNX", ""], 5) == [[7, 8, 9, 10, 11], []]


def test_tokens_of_dnabert_have_their_marks_even_when_cut(folders):
    encoder = load_encoder(folders["dnabert-2"][0], device="cpu")
    for text in ("ACGT", "ACGT" * 900, "T" * 900):
        ids = encoder.tokenize([text])[0]
        assert (ids[0], ids[-1]) == (1, 2)
        assert len(ids) <= 512


@pytest.mark.parametrize("name", ["dnabert-2", "hyenadna", "transformer-v2"])
def test_the_papers_rule_counts_padding(name, folders):
    folder, weights = folders[name]
    compute, config, prefix = PLAIN[name]
    tensors = {key.removeprefix(prefix): value.double().numpy() for key, value in weights.items()}
    encoder = load_encoder(folder, device="cpu", preprocessing="paper")
    if name == "transformer-v2":
        encoder.tokenize.keywords["longest"] = 512  # the tiny model's own end is nearer
    some = ["ACGTTGCAAC" * 50, "ACGTTGCAAC" * 66 + "GGG"]
    pad = {"dnabert-2": 3, "hyenadna": 4, "transformer-v2": 1}[name]
    for text, vector in zip(some, encoder.embed(some), strict=True):
        ids = encoder.tokenize([(text + "N" * 660)[:660]])[0]
        ids = np.array(ids + [pad] * (512 - len(ids)))
        states = compute(ids, tensors, config)
        np.testing.assert_allclose(vector, states[ids != 1].mean(0), atol=3e-5)
    ours = load_encoder(folder, device="cpu").embed(some)
    assert np.abs(ours - encoder.embed(some)).max() > 1e-3


@pytest.mark.parametrize("name", SAVE)
def test_bfloat16_gives_about_the_same(name, folders):
    exact = load_encoder(folders[name][0], device="cpu").embed(barcodes())
    short = load_encoder(folders[name][0], device="cpu", dtype="bfloat16").embed(barcodes())
    cosine = (exact * short).sum(1) / np.linalg.norm(exact, axis=1) / np.linalg.norm(short, axis=1)
    assert cosine.min() > 0.995


@pytest.mark.parametrize("name", SAVE)
def test_pickled_and_safe_weights_are_the_same(name, folders, tmp_path):
    SAVE[name](tmp_path / "pickled", pickled=True)
    SAVE[name](tmp_path / "safe", pickled=False)
    expected = load_encoder(tmp_path / "safe", device="cpu").embed(barcodes())
    np.testing.assert_array_equal(load_encoder(tmp_path / "pickled", device="cpu").embed(barcodes()), expected)


class Bomb:
    def __reduce__(self):
        return exec, ("raise SystemExit('a pickle was run')",)


@pytest.mark.parametrize("name", SAVE)
def test_a_pickle_runs_nothing(name, tmp_path):
    weights = SAVE[name](tmp_path, pickled=True)
    expected = load_encoder(tmp_path, device="cpu").embed(barcodes(3))
    (tmp_path / "model.safetensors").unlink(missing_ok=True)
    torch.save({"model": weights, "config": Bomb()}, tmp_path / "pytorch_model.bin")
    np.testing.assert_array_equal(load_encoder(tmp_path, device="cpu").embed(barcodes(3)), expected)


TENSORS = {
    "dnabert-2": "bert.encoder.layer.1.mlp.layernorm.weight",
    "dnabert-s": "encoder.layer.0.mlp.gated_layers.weight",
    "hyenadna": "hyena.backbone.layers.0.mixer.filter_fn.implicit_filter.1.freq",
    "transformer-v2": "esm.encoder.layer.1.LayerNorm.bias",
    "transformer-v1": "esm.encoder.layer.1.intermediate.dense.weight",
}


@pytest.mark.parametrize("harm", ["missing", "left over", "of another shape", "not finite"])
@pytest.mark.parametrize("name", SAVE)
def test_weights_that_do_not_fit_are_an_error(name, harm, tmp_path):
    SAVE[name](tmp_path, pickled=False)
    weights, key = load_file(tmp_path / "model.safetensors"), TENSORS[name]
    if harm == "missing":
        del weights[key]
    elif harm == "left over":
        weights[f"{key.partition('layer')[0]}another.weight"] = torch.zeros(3)
    elif harm == "of another shape":
        weights[key] = torch.zeros(3, 5)
    else:
        weights[key][..., 0] = torch.nan
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=rf"not those of the model that config.json describes: .*\d {harm} \("):
        load_encoder(tmp_path, device="cpu")


@pytest.mark.parametrize("name", SAVE)
def test_weights_of_another_architecture_are_told(name, tmp_path):
    SAVE[name](tmp_path, pickled=False)
    save_file({"gpt.wte.weight": torch.zeros(2)}, tmp_path / "model.safetensors")
    with pytest.raises(CheckpointError, match=r"weights of another architecture \(gpt.wte.weight\)"):
        load_encoder(tmp_path, device="cpu")
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(CheckpointError, match=r"holds no model\.safetensors"):
        load_encoder(tmp_path, device="cpu")


@pytest.mark.parametrize(
    ("name", "changed", "message"),
    [
        ("dnabert-2", {"num_attention_heads": 5}, "hidden_size 24 is no multiple of num_attention_heads 5"),
        ("dnabert-2", {"vocab_size": 12}, r"tokenizer.json does not fit|of another shape"),
        ("dnabert-2", {"num_hidden_layers": None}, "config.json lacks 'num_hidden_layers'"),
        ("dnabert-2", {"num_hidden_layers": 3}, "missing"),
        ("hyenadna", {"hyena_order": 3}, "hyena_order must be 2"),
        ("hyenadna", {"n_layer": 1}, "left over"),
        ("transformer-v2", {"hidden_size": 25}, "describes no model that can be built|of another shape"),
        ("transformer-v2", {"position_embedding_type": "absolute"}, "missing"),
    ],
)
def test_configurations_that_do_not_fit(name, changed, message, tmp_path):
    SAVE[name](tmp_path)
    config = json.loads((tmp_path / "config.json").read_text()) | changed
    config = {key: value for key, value in config.items() if value is not None}
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(CheckpointError, match=message):
        load_encoder(tmp_path, device="cpu")


def test_tokenizers_that_do_not_fit(tmp_path):
    tiny.save_dnabert(tmp_path / "bert")
    path = tmp_path / "bert" / "tokenizer.json"
    tokenizer = tiny.byte_pairs()
    unmarked = json.loads(tokenizer.to_str()) | {"post_processor": None}
    for text, message in (
        (json.dumps(unmarked), r"reads \[CLS\] … \[SEP\] and fills with \[PAD\]: it has 16 and writes ACGT ACGT"),
        ("{}", "is no tokenizer of byte pairs but None"),
        ("{", "is no JSON"),
        ('{"model": {"type": "WordLevel"}}', "is no tokenizer of byte pairs but 'WordLevel'"),
        (None, "holds no tokenizer.json"),
    ):
        path.write_text(text) if text else path.unlink()
        with pytest.raises(CheckpointError, match=message):
            load_encoder(tmp_path / "bert", device="cpu")
    tiny.save_transformer(tmp_path / "protein")
    (tmp_path / "protein" / "vocab.txt").write_text("<cls>\n<pad>\n<eos>\n<unk>\nL\nA\n")
    with pytest.raises(CheckpointError, match=r"no model of 6-mers: its vocab.txt lacks AAAAAA, TTTTTT, C, G, T, N"):
        load_encoder(tmp_path / "protein", device="cpu")
    (tmp_path / "protein" / "vocab.txt").unlink()
    with pytest.raises(CheckpointError, match=r"holds no vocab\.txt"):
        load_encoder(tmp_path / "protein", device="cpu")


@pytest.mark.parametrize(
    ("name", "known", "data"),
    [
        ("dnabert-2", "zhihan1996/DNABERT-2-117M", ("genomes of 135 species",)),
        ("hyenadna", "LongSafari/hyenadna-tiny-1k-seqlen-hf", ("human genome",)),
        ("transformer-v2", "InstaDeepAI/nucleotide-transformer-v2-50m-multi-species", ("genomes of 850 species",)),
    ],
)
def test_known_repositories_are_fetched_as_data_only(name, known, data, folders, hub):
    files = {path.name: path.read_bytes() for path in folders[name][0].iterdir()}
    code = {f"{module}.py": b"raise SystemExit('remote code was run')" for module in ("bert_layers", "modeling_esm")}
    hub.seed(known, files | code, "model")
    encoder = load_encoder(known, device="cpu")
    np.testing.assert_array_equal(encoder.embed(barcodes(3)), load_encoder(folders[name][0]).embed(barcodes(3)))
    assert encoder.revision == hub.history(known, "model")[-1].oid
    assert (encoder.name, encoder.pretrained_on) == (known, data)
    assert {"pooling", "special_tokens", "padding", "max_length", "dtype"} <= encoder.settings.keys()
    assert not hub.requested("GET", r"/resolve/.*\.py")
