"""The step of the BIOSCAN-5M paper's code can be repeated: no attention mask; padding and [UNK] are predicted, too."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from huggingface_hub.errors import StrictDataclassError
from invented_tables import table_of
from torch.nn.functional import cross_entropy
from transformers import BertConfig, BertForTokenClassification

from bioscan5m_hf.learning.batches import Sampler
from bioscan5m_hf.learning.inputs import IGNORED
from bioscan5m_hf.learning.masking import Framing, Masking
from bioscan5m_hf.learning.pretraining import PretrainingRecipe, Task, Validation
from bioscan5m_hf.learning.recipe import RecipeError
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM


K = 4
SIZES = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
OFF = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
VOCABULARY = {"".join(letters): 2 + place for place, letters in enumerate(itertools.product("ACGT", repeat=K))}


@pytest.fixture(scope="module")
def barcodes():
    letters = np.random.default_rng(3).choice(list("ACGT"), (3, 658))
    whole, short, odd = ("".join(row) for row in letters)
    return [whole, short[:41], odd[:300] + "NR" + odd[302:500]]


@pytest.fixture
def table(tmp_path, barcodes):
    return table_of(tmp_path, barcodes, layout="original")


@pytest.fixture
def share(table):
    return Sampler(table, Framing(K, random_offset=False), 0, 3).epoch(0).shares(0, 0)[0]


@pytest.fixture
def models():
    """Give ours and a stock one with the same weights."""
    torch.manual_seed(0)
    published = {"token_layout": "original", "mlm_head": "linear", "loss_positions": "all_positions"}
    ours = BarcodeBertForMaskedLM(BarcodeBertConfig(kmer_size=K, **published, **SIZES, **OFF))
    stock = BertForTokenClassification(BertConfig(vocab_size=258, num_labels=256, **SIZES, **OFF))
    stock.load_state_dict(ours.state_dict())
    return ours, stock


def original_ids(barcode):
    """Cut a barcode as the original does: the string is padded with N, and a k-mer without an id is [UNK]."""
    padded = barcode + "N" * (660 - len(barcode))
    return [VOCABULARY.get(padded[place : place + K], 1) for place in range(0, 660, K)]


def test_the_loss_and_its_gradients_are_those_of_the_papers_code(table, share, barcodes, models):
    ours, stock = models
    inputs = Task(table, K, "original", Masking(), loss_positions="all_positions").inputs(share, 0, 0)
    assert "attention_mask" not in inputs.tensors
    ids = torch.tensor([original_ids(barcodes[row]) for row in share.rows])
    hidden = inputs.tensors["input_ids"] == 0
    assert torch.equal(inputs.tensors["input_ids"], ids.masked_fill(hidden, 0))
    assert 0.4 < hidden[ids > 1].float().mean() < 0.6
    assert not hidden[ids == 1].any()
    targets = ids - 2 * (ids > 1)
    expected = cross_entropy(stock(input_ids=ids.masked_fill(hidden, 0)).logits.flatten(0, 1), targets.flatten())
    assert inputs.predicted == (ids.numel(),)
    found = ours(**inputs.tensors, num_items_in_batch=inputs.predicted[0]).loss
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=0)
    expected.backward()
    found.backward()
    for one, other in zip(ours.parameters(), stock.parameters(), strict=True):
        torch.testing.assert_close(one.grad, other.grad, atol=1e-6, rtol=0)
    # and it is another loss than the one over all bases
    masked = Task(table, K, "original", Masking(), loss_positions="all_bases").inputs(share, 0, 0)
    assert abs(ours(**masked.tensors).loss.item() - found.item()) > 1e-4


def test_tokens_are_those_of_barcodes_only(table, share):
    inputs = Task(table, K, "original", Masking(), loss_positions="all_positions").inputs(share, 0, 0)
    assert inputs.tokens == 164 + 10 + 125
    assert inputs.places == 3 * 165


def test_validation_shows_rows_as_training_does_and_counts_hidden_kmers(table, models):
    model = models[0]
    published = {"token_layout": "original", "mlm_head": "linear", "loss_positions": "all_positions"}
    recipe = PretrainingRecipe(architecture=published | {"kmer_size": K}, batch_size=3)
    validation = Validation.of(recipe, table, K, "original", 1)
    share = validation.sampler.epoch(0).shares(0, 0)[0]
    tensors = validation.task.inputs(share, 5_150_850, 0).tensors
    with torch.inference_mode():
        best = model.eval()(input_ids=tensors["input_ids"]).logits.argmax(-1) + 2
    hidden = tensors["input_ids"] == 0
    measured = validation.measure(Accelerator(cpu=True), model)
    right = (best == tensors["labels"])[hidden]
    assert measured["validation_masked_accuracy"] == pytest.approx(float(right.float().mean()))
    assert int((tensors["labels"] != IGNORED).sum()) == 3 * 165


def test_it_is_refused_where_it_would_mean_something_else():
    with pytest.raises(StrictDataclassError, match="and mlm_head 'linear', got 'standard' and 'linear'"):
        BarcodeBertConfig(loss_positions="all_positions", mlm_head="linear")
    with pytest.raises(StrictDataclassError, match="got 'original' and 'bert'; otherwise use 'all_bases'"):
        BarcodeBertConfig(loss_positions="all_positions", token_layout="original")
    with pytest.raises(RecipeError, match="objective 'profile': use the objective mlm"):
        PretrainingRecipe(objective="profile", architecture={"loss_positions": "all_positions"})
