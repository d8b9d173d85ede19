"""The vectorised encoder gives what a loop over k-mers gives, on any barcodes, however they lie in memory."""

from __future__ import annotations

import json

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.dna import LAYOUTS, ORIGINAL, STANDARD, Layout, encode_kmers, kmers, vocabulary_size


HOSTILE = st.text(
    st.sampled_from("ACGT" * 8 + "acgtuUNn-.RYé🧬Ａ\u0301\ufeff \t\r\n\x00@[bB`dDeEQqSs\x7f\x80"), max_size=60
)
LONG = st.builds(lambda piece, times: piece * times, HOSTILE, st.integers(1, 30))
BARCODES = st.lists(st.none() | HOSTILE | LONG, max_size=9)
ANY_K, ANY_LAYOUT = st.integers(2, 8), st.sampled_from(sorted(LAYOUTS))
KINDS = [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())]


def looped(texts, k, layout, offsets=0, max_nucleotides=660, length=None, trim=False):
    """Encode barcode by barcode and k-mer by k-mer."""
    layout = LAYOUTS[layout]
    number = {base: at for at, base in enumerate("ACGT")}
    if layout.folds:
        number |= {"a": 0, "c": 1, "g": 2, "t": 3, "u": 3, "U": 3}
    rows = []
    for text, offset in zip(texts, np.broadcast_to(offsets, len(texts)), strict=True):
        text = text or ""
        text = text.strip("Nn" if layout.folds else "N") if trim else text
        text = text[offset:][:max_nucleotides]
        row = []
        for start in range(0, len(text) - k + 1, k):
            code = 0
            for base in text[start : start + k]:
                code = -1 if code < 0 or base not in number else 4 * code + number[base]
            row.append(layout.first + code if code >= 0 else layout.unknown)
        rows.append(row if length is None else row[:length])
    width = max(map(len, rows), default=0) if length is None else length
    ids = [row + [layout.pad] * (width - len(row)) for row in rows]
    return ids, [[True] * len(row) + [False] * (width - len(row)) for row in rows]


def same(encoded, expected):
    ids, mask = expected
    assert encoded.ids.dtype == np.int32
    assert encoded.mask.dtype == np.bool_
    assert encoded.ids.shape == encoded.mask.shape
    assert encoded.ids.tolist() == ids
    assert encoded.mask.tolist() == mask


@given(BARCODES, ANY_K, ANY_LAYOUT, st.sampled_from(["unknown", "trim"]), st.data())
def test_ids_and_mask_are_those_of_a_loop(texts, k, layout, n_policy, data):
    one_each = st.lists(st.integers(0, 70), min_size=len(texts), max_size=len(texts)).map(np.array)
    offsets = data.draw(st.integers(0, 9) | one_each.filter(len))
    most, length = data.draw(st.sampled_from([660, 17, 0])), data.draw(st.none() | st.integers(0, 40))
    encoded = encode_kmers(texts, k, layout, offsets=offsets, max_nucleotides=most, length=length, n_policy=n_policy)
    same(encoded, looped(texts, k, layout, offsets, most, length, n_policy == "trim"))


@given(BARCODES, ANY_K, st.sampled_from(KINDS), st.integers(0, 4), st.integers(0, 6))
def test_arrow_arrays_of_any_kind_slice_and_chunks_are_read(texts, k, kind, first, length):
    array = pa.array(texts, pa.string()).cast(kind)
    part = array.slice(first, length)
    same(encode_kmers(part, k), looped(part.to_pylist(), k, "standard"))
    if kind != KINDS[-1]:
        chunked = pa.chunked_array([part, array, array.slice(1)], kind)
        same(encode_kmers(chunked, k), looped(chunked.to_pylist(), k, "standard"))


def test_what_stands_behind_a_null_is_not_read():
    valid = pa.array([True, False, True]).buffers()[1]
    ends = pa.py_buffer(np.array([0, 4, 8, 12], np.int32))
    array = pa.Array.from_buffers(pa.string(), 3, [valid, ends, pa.py_buffer(b"ACGTACGTTTTT")])
    assert array.to_pylist() == ["ACGT", None, "TTTT"]
    same(encode_kmers(array, 4), looped(["ACGT", None, "TTTT"], 4, "standard"))


@pytest.mark.parametrize("rows", [[], [None], [None, None], [""], ["A", "", None]])
def test_nothing_to_encode_gives_rows_of_padding(rows):
    encoded = encode_kmers(rows, 4, length=3)
    assert encoded.ids.tolist() == [[0, 0, 0]] * len(rows)
    assert not encoded.mask.any()
    assert encode_kmers(rows, 4).ids.shape == (len(rows), 0)
    assert encode_kmers(pa.array(rows), 4).ids.shape == (len(rows), 0)
    assert encode_kmers(pa.chunked_array([], pa.string()), 4).ids.shape == (0, 0)


@pytest.mark.parametrize("k", range(2, 9))
def test_each_kmer_has_its_number_in_alphabetical_order(k):
    letters = np.frombuffer(b"ACGT", np.uint8)
    numbers = np.arange(4**k)
    text = letters[numbers[:, None] >> 2 * np.arange(k)[::-1] & 3].tobytes().decode()
    for layout in LAYOUTS.values():
        encoded = encode_kmers([text], k, layout, max_nucleotides=len(text))
        assert (encoded.ids[0] == numbers + layout.first).all()
        assert encoded.ids.max() + 1 == vocabulary_size(k, layout)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("k", range(2, 9))
def test_every_character_at_every_place_of_a_kmer(k, layout):
    characters = [chr(code) for code in (*range(256), 0x131, 0x17F, 0x212A, 0x2028, 0xFF21, 0x1F9EC)]
    texts = [("ACGTACGT"[:at] + one + "ACGTACGT"[at + 1 :])[:k] for one in characters for at in range(k)]
    same(encode_kmers(texts, k, layout), looped(texts, k, layout))


def test_the_originals_ids_and_masks(parity):
    cases = json.loads((parity / "barcodebert" / "tokenizer_cases.json").read_text())
    for case in cases["cases"].values():
        k = case["k"]
        assert vocabulary_size(k, ORIGINAL) == case["vocab_size"]
        for group in ("strings", "offsets", "special_words_as_text"):
            # A slice that is exactly `[MASK]` is the special token there, and six characters here.
            given = [one for one in case[group] if (k, one["name"]) != (6, "typed_mask_token")]
            offsets = np.array([one.get("offset", 0) for one in given])
            texts = [one["sequence"] for one in given]
            encoded = encode_kmers(texts, k, "original", offsets=offsets, length=case["n_tokens"])
            assert encoded.ids.tolist() == [one["input_ids"] for one in given]
            assert encoded.mask.tolist() == [[bool(bit) for bit in one["attention_mask"]] for one in given]


def test_names_of_special_tokens_are_letters():
    assert encode_kmers(["[MASK]ACGTAC[PAD]", "[MASK]"], 6).ids.tolist() == [[1, 3 + 0b000110110001], [1, 0]]


def test_blocks_join_without_a_seam(monkeypatch):
    texts = ["ACGTTGCA"[at % 8 :] * (at % 50) for at in range(300)] + [None, "ACGT" * 3000, "", "é" * 500]
    expected = encode_kmers(texts, 5)
    monkeypatch.setattr(kmers, "BLOCK", 2000)
    encoded = encode_kmers(texts, 5)
    assert (encoded.ids == expected.ids).all()
    assert (encoded.mask == expected.mask).all()
    same(encoded, looped(texts, 5, "standard"))


def test_a_layout_of_ones_own():
    mine = Layout("mine", pad=7, unknown=8, mask=9, first=10, folds=True)
    assert encode_kmers(["aaACN", "aa"], 2, mine).ids.tolist() == [[10, 11], [10, 7]]
    assert {STANDARD.name, ORIGINAL.name} == set(LAYOUTS)


@pytest.mark.parametrize(
    ("barcodes", "given", "message"),
    [
        (["ACGT"], {"k": 1}, "k=1; k-mers have 2 to 8 bases"),
        (["ACGT"], {"k": 9}, "k=9"),
        (["ACGT"], {"k": 4, "layout": "v1"}, "no layout 'v1'; use one of original, standard"),
        (["ACGT"], {"k": 4, "offsets": -1}, "an offset is -1"),
        (["ACGT"], {"k": 4, "offsets": 0.5}, "integers are needed"),
        (["ACGT"], {"k": 4, "offsets": np.zeros(2, int)}, r"shape \(2,\) for 1 barcodes"),
        (["ACGT"], {"k": 4, "length": -1}, "cannot be negative"),
        (["ACGT"], {"k": 4, "max_nucleotides": -1}, "cannot be negative"),
        (["ACGT"], {"k": 4, "n_policy": "drop"}, "allowed are 'unknown' and 'trim'"),
        ("ACGT", {"k": 4}, r"one str was given; barcodes are a list or an array: \['ACGT'\]"),
        ([1, 2], {"k": 4}, "must be strings or None"),
        ([b"\xff"], {"k": 4}, "must be strings or None"),
        (["\ud800"], {"k": 4}, "must be strings or None"),
        (pa.array([1, 2]), {"k": 4}, "barcodes are int64; strings are needed"),
        (pa.array([b"ACGT"]), {"k": 4}, "barcodes are binary; strings are needed"),
    ],
)
def test_wrong_arguments_say_what_is_allowed(barcodes, given, message):
    with pytest.raises(ValueError, match=message):
        encode_kmers(barcodes, **given)
