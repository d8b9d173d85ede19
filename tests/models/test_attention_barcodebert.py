"""BarcodeBERT's attention paths: all give the same losses and gradients, with padded rows and without.

The package flash-attn needs a GPU. What transformers does around its two functions (masks, unpadding, packing) runs
anywhere, so those two are computed here with torch by their documentation, and all else is the real thing.
"""

import itertools

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention
from transformers import modeling_flash_attention_utils as flash

from bioscan5m_hf.models.barcodebert import (
    BarcodeBertConfig,
    BarcodeBertForMaskedAutoencoding,
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertPreTrainedModel,
)


CLASSES = [BarcodeBertForMaskedLM, BarcodeBertForMaskedAutoencoding, BarcodeBertForSequenceClassification]
SHAPE = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
QUIET = {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}


def flash_attn_func(q, k, v, dropout_p=0.0, softmax_scale=None, causal=False):
    """Attend within rows; (batch, length, heads, width), as flash-attn 2 documents it."""
    assert not causal
    turned = (part.transpose(1, 2) for part in (q, k, v))
    return scaled_dot_product_attention(*turned, dropout_p=dropout_p, scale=softmax_scale).transpose(1, 2)


def flash_attn_varlen_func(
    q, k, v, cu_seqlens_q, cu_seqlens_k, max_seqlen_q, max_seqlen_k, dropout_p=0.0, softmax_scale=None, causal=False
):
    """Attend within sequences that stand one after the other; (tokens, heads, width)."""
    assert torch.equal(cu_seqlens_q, cu_seqlens_k)
    edges = cu_seqlens_q.tolist()
    assert edges[-1] == len(q)
    parts = [[part[start:stop].unsqueeze(0) for part in (q, k, v)] for start, stop in itertools.pairwise(edges)]
    return torch.cat([flash_attn_func(*part, dropout_p, softmax_scale, causal)[0] for part in parts])


@pytest.fixture
def flash_attn(monkeypatch):
    """Let transformers find the functions of flash-attn; gives the names of those that were called."""
    called = []

    def named(function):
        def call(*args, **kwargs):
            called.append(function.__name__)
            return function(*args, **kwargs)

        call.__wrapped__ = function  # transformers reads which parameters it has
        return call

    given = named(flash_attn_func), named(flash_attn_varlen_func), None, flash._pad_input, flash._unpad_input
    monkeypatch.setattr(flash, "_lazy_imports", lambda *args, **kwargs: given)
    for name in ("_loaded_implementation", "_flash_fn", "_flash_varlen_fn", "_flash_with_kvcache_fn", "_pad_fn",
                 "_unpad_fn", "_process_flash_kwargs_fn", "_process_with_kvcache_kwargs_fn"):  # fmt: skip
        monkeypatch.setattr(flash, name, None)
    return called


def learnt(cls, attention, padded):
    """Give the loss and the gradients of one step."""
    torch.manual_seed(0)
    names = {"labels": {"genus": ["Aus", "Bus", "Cus"]}} if cls is BarcodeBertForSequenceClassification else {}
    model = cls(BarcodeBertConfig(kmer_size=2, initializer_range=0.3, **SHAPE, **QUIET, **names))
    model.config._attn_implementation = attention
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(3, 19, (4, 12), generator=generator)
    mask = torch.arange(12) < torch.tensor([12, 9, 12, 5] if padded else [12] * 4).unsqueeze(1)
    hidden = (torch.rand(4, 12, generator=generator) < 0.5) & mask
    given = {"input_ids": ids.masked_fill(~mask, 0), "attention_mask": mask.long()}
    if cls is BarcodeBertForMaskedLM:
        given["labels"] = ids.masked_fill(~hidden, -100)
    elif cls is BarcodeBertForMaskedAutoencoding:
        given["masked"] = hidden
    else:
        given["labels"] = torch.tensor([0, 2, 1, 0])
    loss = model(**given).loss
    loss.backward()
    return loss.detach(), {name: weight.grad for name, weight in model.named_parameters()}


def check_equal(one, other):
    torch.testing.assert_close(one[0], other[0], rtol=0, atol=1e-5)
    for name, grad in one[1].items():
        torch.testing.assert_close(grad, other[1][name], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("cls", CLASSES)
def test_sdpa_gives_what_eager_attention_gives(cls, padded):
    check_equal(learnt(cls, "sdpa", padded), learnt(cls, "eager", padded))


@pytest.mark.parametrize("cls", CLASSES)
def test_the_flash_kernel_of_torch_takes_whole_rows(cls):
    with sdpa_kernel(SDPBackend.FLASH_ATTENTION):
        check_equal(learnt(cls, "sdpa", False), learnt(cls, "eager", False))


@pytest.mark.parametrize("padded", [False, True])
@pytest.mark.parametrize("cls", CLASSES)
def test_flash_attention_is_asked_for_the_tokens_that_are_there(cls, padded, flash_attn):
    check_equal(learnt(cls, "flash_attention_2", padded), learnt(cls, "eager", padded))
    assert flash_attn
    assert ("flash_attn_varlen_func" in flash_attn) == (padded or cls is BarcodeBertForMaskedAutoencoding)


def test_without_the_package_it_is_asked_for_by_name():
    assert BarcodeBertPreTrainedModel._supports_flash_attn
    model = BarcodeBertForMaskedLM(BarcodeBertConfig(kmer_size=2, **SHAPE))
    with pytest.raises((ImportError, ValueError), match=r"(?i)flash"):
        model.set_attn_implementation("flash_attention_2")
