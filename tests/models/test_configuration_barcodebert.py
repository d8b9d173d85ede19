"""The configuration: strict, and able to say which k-mers a model was trained on."""

import json

import pytest
from huggingface_hub.errors import StrictDataclassError
from transformers import AutoConfig, BertConfig

from bioscan5m_hf.dna import LAYOUTS, vocabulary_size
from bioscan5m_hf.models.barcodebert import TOKEN_LAYOUTS, BarcodeBertConfig, KmerTokenizer, check_fit


SIZES = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}


def test_layouts_are_those_of_the_encoder():
    assert set(TOKEN_LAYOUTS) == set(LAYOUTS)
    for name, layout in LAYOUTS.items():
        assert TOKEN_LAYOUTS[name] == (layout.pad, layout.unknown, layout.mask, layout.first)
        assert BarcodeBertConfig(kmer_size=5, token_layout=name).vocab_size == vocabulary_size(5, name)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"kmer_sise": 4}, "has no 'kmer_sise'; did you mean 'kmer_size'?"),
        ({"hiden_size": 4}, "did you mean 'hidden_size'"),
        ({"zzz": 4}, "has no 'zzz'; it has add_cross_attention"),
        ({"kmer_size": 9}, "kmer_size must be 2 to 8, got 9"),
        ({"position_embedding_type": "relative_key"}, "must be 'absolute'"),
    ],
)
def test_a_wrong_keyword_is_named(values, message):
    with pytest.raises(ValueError, match=message.replace("?", r"\?")):
        BarcodeBertConfig(**values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"vocab_size": 258}, "this size fits kmer_size=4, token_layout='original'"),
        ({"vocab_size": 30522}, "no k and layout has this size"),
        ({"hidden_size": 30, "num_attention_heads": 4}, "no multiple of num_attention_heads"),
        ({"is_decoder": True}, "BarcodeBERT is an encoder"),
        ({"masked_weight": 1.5}, "between 0 and 1"),
        ({"pad_token_id": 1}, "must be 0"),
        ({"labels": {"genus": []}}, "distinct names"),
        ({"labels": {"genus": ["a", "a"]}}, "distinct names"),
        ({"loss_positions": "some"}, "loss_positions"),
        ({"token_layout": "other"}, "token_layout"),
        ({"hidden_size": "64"}, "hidden_size"),
    ],
)
def test_values_that_contradict_each_other_are_refused(values, message):
    with pytest.raises((ValueError, StrictDataclassError)) as raised:
        BarcodeBertConfig(**values)
    assert message in str(raised.value)


def test_it_survives_saving_and_is_found_by_its_type(tmp_path):
    import bioscan5m_hf.models  # noqa: F401

    config = BarcodeBertConfig(
        **SIZES, kmer_size=6, mlm_head="linear", labels={"genus": ["Aus", "Bus"]}, loss_positions="all_bases"
    )
    config.save_pretrained(tmp_path)
    loaded = AutoConfig.from_pretrained(tmp_path)
    assert type(loaded) is BarcodeBertConfig
    assert loaded.to_diff_dict() == config.to_diff_dict()
    assert loaded.id2label == {0: "Aus", 1: "Bus"}
    assert "id2label" not in json.loads((tmp_path / "config.json").read_text())


def write(folder, **values):
    (folder / "config.json").write_text(json.dumps(values))
    return folder


def test_an_original_repository_says_its_k_by_its_vocabulary(tmp_path):
    write(tmp_path, model_type="bert", vocab_size=258, architectures=["BertForTokenClassification"], **SIZES)
    config = BarcodeBertConfig.from_pretrained(tmp_path)
    assert (config.kmer_size, config.token_layout, config.mlm_head) == (4, "original", "linear")


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model_type": "roberta", "vocab_size": 258}, "holds a model of type 'roberta'"),
        ({"model_type": "bert", "vocab_size": 30522}, "no k and layout has this size"),
        ({"model_type": "bert", "vocab_size": 259}, "fits kmer_size=4, token_layout='standard'"),
    ],
)
def test_another_architecture_is_refused(tmp_path, values, message):
    with pytest.raises(ValueError, match=message):
        BarcodeBertConfig.from_pretrained(write(tmp_path, **values))


def test_a_folder_without_a_configuration_may_be_an_interrupted_save(tmp_path):
    (tmp_path / ".incoming").mkdir()
    with pytest.raises(ValueError, match=r"no config.json.*saving to it was interrupted"):
        BarcodeBertConfig.from_pretrained(tmp_path)


@pytest.mark.parametrize("layout", ["standard", "original"])
def test_a_tokenizer_that_fits_passes(layout):
    config = BarcodeBertConfig(kmer_size=3, token_layout=layout)
    check_fit(KmerTokenizer(kmer_size=3, layout=layout), config)
    check_fit((3, layout), config)
    check_fit((3, layout), BertConfig(vocab_size=config.vocab_size, kmer_size=3, token_layout=layout))


@pytest.mark.parametrize("tokens", [(4, "standard"), (3, "original")])
def test_a_tokenizer_that_does_not_fit_is_refused(tokens):
    config = BarcodeBertConfig(kmer_size=3)
    message = r"the tokenizer has \d+ ids.*the model 67 \(3-mers, layout 'standard'\)"
    with pytest.raises(ValueError, match=message):
        check_fit(tokens, config)
    with pytest.raises(ValueError, match=message):
        check_fit(KmerTokenizer(kmer_size=tokens[0], layout=tokens[1]), config)


def test_a_layout_that_does_not_exist_is_refused():
    with pytest.raises(ValueError, match="there is no token_layout 'other'; use one of original, standard"):
        check_fit((4, "other"), BarcodeBertConfig(kmer_size=4))


def test_a_tokenizer_of_the_same_size_and_another_order_is_refused():
    class Other:
        def get_vocab(self):
            kmers = KmerTokenizer(kmer_size=2).get_vocab()
            return kmers | {"AA": kmers["TT"], "TT": kmers["AA"]}

    with pytest.raises(ValueError, match="AA is 18, not 3; TT is 3, not 18"):
        check_fit(Other(), BarcodeBertConfig(kmer_size=2))
