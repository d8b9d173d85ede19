"""The tokenizer agrees with the vectorised encoder and with the original, and needs none of this code when loaded."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from transformers import AutoTokenizer

from bioscan5m_hf.dna import LAYOUTS, MAX_NUCLEOTIDES, encode_kmers, vocabulary_size
from bioscan5m_hf.models.barcodebert.tokenization_kmer import (
    NUCLEOTIDES,
    SPECIAL_TOKENS,
    KmerTokenizer,
    kmer_tokenizer,
)


HOSTILE = st.text(
    st.sampled_from("ACGT" * 8 + "acgtuUNn-.RYSWKMBDHVé🧬Ａ\u0301\ufeff \t\r\n\x00[]MASK")
    | st.characters(exclude_categories=["Cs"]),
    max_size=60,
)
LONG = st.builds(lambda piece, times: piece * times, HOSTILE, st.integers(1, 200))
TOKENIZERS = {(k, layout): KmerTokenizer(k, layout) for k in range(2, 8) for layout in SPECIAL_TOKENS}
"""Not k = 8: its 65,536 words are in the other tests."""


@settings(max_examples=300)
@given(st.lists(HOSTILE | LONG, min_size=1, max_size=6), st.sampled_from(sorted(TOKENIZERS)))
def test_the_encoder_gives_the_same_ids_and_mask(texts, which):
    tokenizer = TOKENIZERS[which]
    batch = tokenizer(texts, padding=True, truncation=True, return_tensors="np", split_special_tokens=True)
    encoded = encode_kmers(texts, *which)
    assert batch["input_ids"].tolist() == encoded.ids.tolist()
    assert batch["attention_mask"].tolist() == encoded.mask.tolist()


@pytest.mark.parametrize("layout", SPECIAL_TOKENS)
def test_long_and_odd_barcodes_with_all_words_of_eight_bases(layout):
    texts = [
        "ACGTTGCAN" * 1200,
        "acguacguT" * 80,
        "é" * 700,
        "",
        "ACGTACG",
        "ACGTACGT\nTTTTTTTT",
        "MKVLAAGIVGLLLAQPATA",
    ]
    batch = KmerTokenizer(8, layout)(texts, padding="max_length", truncation=True, return_tensors="np")
    encoded = encode_kmers(texts, 8, layout, length=MAX_NUCLEOTIDES // 8)
    assert batch["input_ids"].tolist() == encoded.ids.tolist()
    assert batch["attention_mask"].tolist() == encoded.mask.tolist()


def test_layouts_are_declared_alike_for_the_encoder_and_the_tokenizer():
    assert NUCLEOTIDES == MAX_NUCLEOTIDES
    assert set(SPECIAL_TOKENS) == set(LAYOUTS)
    for (k, name), tokenizer in TOKENIZERS.items():
        layout = LAYOUTS[name]
        special = (tokenizer.pad_token_id, tokenizer.unk_token_id, tokenizer.mask_token_id)
        assert special == (layout.pad, layout.unknown, layout.mask)
        assert len(SPECIAL_TOKENS[name]) == layout.first == tokenizer.convert_tokens_to_ids("A" * k)
        assert len(tokenizer) == tokenizer.vocab_size == vocabulary_size(k, name)


def test_the_originals_ids_and_masks(parity):
    cases = json.loads((parity / "barcodebert" / "tokenizer_cases.json").read_text())
    for case in cases["cases"].values():
        tokenizer = KmerTokenizer(case["k"], "original")
        assert tokenizer.model_max_length == case["n_tokens"]
        for group in ("strings", "offsets", "special_words_as_text"):
            texts = [one["sequence"][one.get("offset", 0) :] for one in case[group]]
            # Only so are names of special tokens text, as they are for the original.
            batch = tokenizer(texts, padding="max_length", truncation=True, split_special_tokens=True)
            assert batch["input_ids"] == [one["input_ids"] for one in case[group]]
            assert batch["attention_mask"] == [one["attention_mask"] for one in case[group]]


def test_names_of_special_tokens_are_those_tokens():
    tokenizer = KmerTokenizer(4)
    ids = tokenizer("ACGT[MASK]ACGT[UNK][PAD]TTTT").input_ids
    assert ids == [30, 2, 30, 1, 0, 258]
    assert KmerTokenizer(4, "original")("ACGT[MASK]ACG").input_ids == [29, 0]


def test_lower_case_and_rna_are_read_in_the_standard_layout_only():
    assert kmer_tokenizer(4).encode("acguACGTuuTT").tokens == ["ACGT", "ACGT", "TTTT"]
    assert kmer_tokenizer(4, "original").encode("acguACGTuuTT").ids == [1, 29, 1]


def test_padding_truncation_and_the_batch_dimension():
    tokenizer = KmerTokenizer(4)
    one = tokenizer("ACGTACGT", return_tensors="pt")
    assert list(one) == ["input_ids", "attention_mask"]
    assert one["input_ids"].tolist() == [[30, 30]]
    many = tokenizer(["ACGTACGT", "", "ACG"], padding=True, return_tensors="pt")
    assert many["input_ids"].tolist() == [[30, 30], [0, 0], [0, 0]]
    assert many["attention_mask"].tolist() == [[1, 1], [0, 0], [0, 0]]
    assert tokenizer("", return_tensors="pt")["input_ids"].shape == (1, 0)
    assert len(tokenizer("ACGT" * 500, truncation=True).input_ids) == 165
    assert len(KmerTokenizer(4, model_max_length=100)("ACGT" * 500, truncation=True).input_ids) == 100
    assert tokenizer.decode(tokenizer("ACGTACGTAC").input_ids) == "ACGTACGT"


@pytest.mark.parametrize("which", [(4, "standard"), (6, "original")])
def test_what_is_saved_loads_as_the_same(which, tmp_path):
    tokenizer = TOKENIZERS[which]
    tokenizer.save_pretrained(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tokenizer.json", "tokenizer_config.json"}
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    assert config["tokenizer_class"] == "PreTrainedTokenizerFast"
    assert "auto_map" not in config
    text = ["ACGTacguNNACGTACGTAC", "ACGT"]
    loaded = KmerTokenizer.from_pretrained(tmp_path)
    assert (loaded.kmer_size, loaded.layout) == which
    for again in (loaded, AutoTokenizer.from_pretrained(tmp_path)):
        assert again(text, padding=True).data == tokenizer(text, padding=True).data
        assert again.model_max_length == tokenizer.model_max_length
        assert again.special_tokens_map == tokenizer.special_tokens_map
    bare = Tokenizer.from_file(str(tmp_path / "tokenizer.json"))
    assert bare.encode(text[0]).ids == tokenizer(text[0]).input_ids
    loaded.save_pretrained(tmp_path / "again")
    for name in ("tokenizer.json", "tokenizer_config.json"):
        assert json.loads((tmp_path / "again" / name).read_text()) == json.loads((tmp_path / name).read_text())


def test_it_loads_where_this_package_is_not(tmp_path, fresh_python):
    tokenizer = KmerTokenizer(8)
    tokenizer.save_pretrained(tmp_path / "eight")
    texts = ["ACGTACGTTTTTTTTT", "uuuuuuuu", "acgtacgt" * 200]
    code = (
        "import json, sys; sys.modules['bioscan5m_hf'] = None\n"
        "from transformers import AutoTokenizer\n"
        f"tokenizer = AutoTokenizer.from_pretrained({str(tmp_path / 'eight')!r})\n"
        f"batch = tokenizer({texts!r}, padding=True, truncation=True, return_tensors='np')\n"
        "print(json.dumps({name: values.tolist() for name, values in batch.items()}))"
    )
    encoded = encode_kmers(texts, 8)
    assert json.loads(fresh_python(code)) == {
        "input_ids": encoded.ids.tolist(),
        "attention_mask": encoded.mask.astype(int).tolist(),
    }


@pytest.mark.parametrize("wrong", [{"kmer_size": 5}, {"layout": "original"}])
def test_another_size_or_layout_than_what_is_loaded_is_an_error(wrong, tmp_path):
    TOKENIZERS[4, "standard"].save_pretrained(tmp_path)
    with pytest.raises(ValueError, match="the tokenizer that is loaded has kmer_size=4, layout='standard'"):
        KmerTokenizer.from_pretrained(tmp_path, **wrong)


def test_a_vocabulary_of_something_else_is_an_error():
    with pytest.raises(ValueError, match="they are not the special tokens of a layout"):
        KmerTokenizer(vocab={"<MASK>": 0, "<CLS>": 1, "<UNK>": 2, "AA": 3})
    with pytest.raises(ValueError, match="has 0 tokens"):
        KmerTokenizer(vocab={})


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"kmer_size": 9}, "kmer_size=9; k-mers have 2 to 8 bases"),
        ({"kmer_size": 0}, "kmer_size=0"),
        ({"layout": "v1"}, "no layout 'v1'; use one of standard, original"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(given, message):
    with pytest.raises(ValueError, match=message):
        KmerTokenizer(**given)
