"""What an encoder gives is looked at before anything is made of it."""

import numpy as np
import pytest
import torch
from encoders import WRONG, Counts, Dropout

from bioscan5m_hf.errors import EncoderError
from bioscan5m_hf.evaluation.encoder import Encoder, able, checked, identity, probe


BARCODES = ["ACGTACGTAC", "GGGTTTACCA", "TTTTACGTTT"]


def test_any_object_with_embed_is_an_encoder():
    assert isinstance(Counts(), Encoder)
    assert not isinstance(object(), Encoder)
    assert able(Counts()) == ("dna",)


def test_arrays_tensors_and_lists_are_taken():
    for given in (np.ones((2, 3), np.float64), torch.ones(2, 3, dtype=torch.bfloat16), [[1.0] * 3] * 2):
        assert checked(given, 2).tolist() == [[1.0] * 3] * 2
        assert checked(given, 2).dtype == np.float32


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((1, 3)), r"shape \(1, 3\) for 2 inputs"),
        (np.ones(2), r"shape \(2,\)"),
        (np.ones((2, 0)), r"shape \(2, 0\)"),
        (np.ones((2, 3), int), "type int64: give float16, float32 or float64"),
        (np.ones((2, 3), complex), "type complex128"),
        (torch.ones(2, 3, dtype=torch.int32), "type int32"),
        ([[1.0], [1.0, 2.0]], "no array of vectors"),
        (None, r"shape \(\)"),
        (np.array([[1.0], [np.nan]]), "nan in the vector of input 1 "),
        (np.array([[1.0], [1e300]]), "inf in the vector of input 1 "),
    ],
)
def test_what_cannot_be_used_is_refused(given, message):
    with pytest.raises(EncoderError, match=message):
        checked(given, 2)


def test_a_message_names_the_specimen():
    with pytest.raises(EncoderError, match="nan in the vector of row 7, A1"):
        checked([[1.0], [np.nan]], 2, ["row 3, A0", "row 7, A1"].__getitem__)


@pytest.mark.parametrize("wrong", WRONG)
def test_wrong_encoders_are_told_from_their_first_answers(wrong):
    with pytest.raises(EncoderError, match=wrong):
        probe(WRONG[wrong]().embed, BARCODES, "input {}".format)


def test_dropout_is_told_and_a_sound_encoder_passes():
    torch.manual_seed(0)
    with pytest.raises(EncoderError, match=r"same input, input \d: they differ"):
        probe(Dropout().embed, BARCODES, "input {}".format)
    assert probe(Counts().embed, BARCODES, "input {}".format).shape == (3, 64)


def test_a_bert_in_bfloat16_passes_and_one_that_trains_does_not():
    from transformers import BertConfig, BertModel

    from bioscan5m_hf import BarcodeEncoder
    from bioscan5m_hf.dna import LAYOUTS

    torch.manual_seed(0)
    size = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 64}
    model = BertModel(BertConfig(vocab_size=259, **size), add_pooling_layer=False).to(torch.bfloat16)
    encoder = BarcodeEncoder(model, k=4, layout=LAYOUTS["standard"])
    barcodes = ["".join("ACGT"[(i * i * k + i // 3) % 4] for i in range(600 + 9 * k)) for k in range(1, 9)]
    probe(encoder.embed, barcodes, "input {}".format)
    encoder.model.train()
    with pytest.raises(EncoderError, match="dropout"):
        probe(encoder.embed, barcodes, "input {}".format)


def test_an_encoder_without_revision_is_known_by_its_answers():
    one, other = np.ones((2, 3), np.float32), np.ones((2, 3), np.float32) * 1.5
    assert identity(object(), one) == identity(object(), one.copy())
    assert identity(object(), one) != identity(object(), other)
    assert identity(Counts(), one) == {"name": "counts", "revision": "1"}
