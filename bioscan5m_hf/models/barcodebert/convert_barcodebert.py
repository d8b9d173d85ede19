"""Conversion of the authors' checkpoints (https://github.com/bioscan-ml/BarcodeBERT) into model folders.

| their file | recognised by | becomes |
|---|---|---|
| since mid-2024: a classifier of tokens, 4**k k-mers | `classifier.weight` | `BarcodeBertForMaskedLM`, linear head |
| first version, 2023: a masked LM, three special ids | `cls.predictions.*` | `BarcodeBertForMaskedLM`, BERT's head |
| fine-tuned: a classifier of species | `base_model.*` | `BarcodeBertForSequenceClassification` |

Ids 0 and 1 of the second generation are `[MASK]` and `[UNK]`, and the head's row i is the k-mer of id i + 2: this is
our layout `original`, nothing moves. The first version has `<MASK>` 0, `<CLS>` 1 and `<UNK>` 2, but hid with `<CLS>`
and never used `<MASK>`; its rows are put in the order of our layout `standard`: `[PAD]` from `<MASK>`, `[UNK]` from
`<UNK>`, `[MASK]` from `<CLS>`. It also attended to its padding, unknown k-mers up to 660 bases: with a barcode filled
up with N to that length the converted model gives what the original gave.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor

from .checkpoint_barcodebert import CheckpointError, read_checkpoint
from .configuration_barcodebert import KMER_SIZES, BarcodeBertConfig, vocabulary_size
from .export_barcodebert import save_stock
from .modeling_barcodebert import (
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertPreTrainedModel,
)
from .tokenization_kmer import NUCLEOTIDES


__all__ = ["CheckpointError", "convert", "load_original", "read_checkpoint"]

FIRST_VERSION_ROWS = [0, 2, 1]
"""Row of the first version for each special id of our layout `standard`."""

FIRST_VERSION_WIDTH, FIRST_VERSION_HEADS = 768, 12
"""All published files of the first version have this hidden size and, as they do not say, so many attention heads."""

KEPT = ("hidden_act", "hidden_dropout_prob", "attention_probs_dropout_prob", "layer_norm_eps", "classifier_dropout")
"""Values of a checkpoint's `bert_config` that the shapes of its tensors do not tell, beside the number of heads."""


def convert(
    path: str | Path,
    folder: str | Path,
    *,
    kmer_size: int | None = None,
    heads: int | None = None,
    labels: Sequence[str] | None = None,
    rank: str = "species",
    card: str | None = None,
) -> Path:
    """Convert a checkpoint of the authors into a folder that `AutoModel` and `AutoTokenizer` load.

    Args:
        path: their file; read without running anything in it.
        folder: where to; see `save_stock`.
        kmer_size: what it should be; the vocabulary says what it is, and they have to agree.
        heads: attention heads of a layer, for files that do not say; by default the 12 of the first version, if the
            file is of that and of its width of 768.
        labels: names of the classes of a fine-tuned model in the order of its training; None numbers them.
        rank: their rank.
        card: text of `README.md`.

    Returns:
        The folder.

    Raises:
        CheckpointError: the file is none of the three formats, or does not fit what is asked for.
    """
    model = load_original(path, kmer_size=kmer_size, heads=heads, labels=labels, rank=rank)
    return save_stock(model, folder, card=card)


def load_original(
    path: str | Path,
    *,
    kmer_size: int | None = None,
    heads: int | None = None,
    labels: Sequence[str] | None = None,
    rank: str = "species",
) -> BarcodeBertPreTrainedModel:
    """Read a checkpoint of the authors as a model of ours, in evaluation mode; arguments and errors as `convert`."""
    checkpoint = read_checkpoint(path)
    found = checkpoint.get("model", checkpoint)
    try:
        state = parameters(found)
        fine_tuned = any(name.startswith("base_model.") for name in found_names(found))
        first_version = "cls.predictions.bias" in state
        values = sizes(state, checkpoint.get("bert_config") or {}, heads)
        values |= kmers(state, kmer_size, first_version)
        if labels is not None and not fine_tuned:
            raise CheckpointError("it has no classes for labels=: it is not fine-tuned (base_model.*); leave them out")
        if fine_tuned:
            state, extra = as_classifier(state, values["kmer_size"], labels, rank)
        elif first_version:
            state, extra = as_standard(state), {"mlm_head": "bert"}
        elif "classifier.weight" in state:
            extra = {"mlm_head": "linear", "loss_positions": "all_bases"}
        else:
            raise CheckpointError("it has an encoder of BERT but none of the heads classifier.* and cls.predictions.*")
        config = BarcodeBertConfig(**values, **extra)
        cls = BarcodeBertForSequenceClassification if fine_tuned else BarcodeBertForMaskedLM
        model: BarcodeBertPreTrainedModel = cls(config).eval()
        fill(model, state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, StrictDataclassError, TypeError, ValueError) as error:
        found = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise CheckpointError(f"{path} is damaged, or none of the three formats ({found})") from error
    return model


def found_names(found: Any) -> list[str]:
    """Give the names of a state dictionary without what wrappers for several devices put before them."""
    if not isinstance(found, dict) or not any(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError("it holds no weights: neither a key 'model' nor tensors by name")
    return [str(name).removeprefix("module.") for name in found]


def parameters(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights by their names in stock BERT, float32; buffers that are no weights are dropped."""
    names = [name.removeprefix("base_model.") for name in found_names(found)]
    state = {
        name: value.float()
        for name, value in zip(names, found.values(), strict=True)
        if isinstance(value, Tensor) and not name.endswith("embeddings.position_ids")
    }
    if "bert.embeddings.word_embeddings.weight" not in state:
        raise CheckpointError(
            f"it is another architecture: no bert.embeddings.*, but {', '.join(sorted(state)[:3])}, …"
        )
    return state


def sizes(state: dict[str, Tensor], saved: dict[str, Any], heads: int | None) -> dict[str, Any]:
    """Read the sizes of a model off its tensors, and the rest off the configuration saved with it, if any."""
    layers = {int(match[1]) for name in state if (match := re.match(r"bert\.encoder\.layer\.(\d+)\.", name))}
    said = saved.get("num_attention_heads")
    width = state["bert.embeddings.word_embeddings.weight"].shape[-1]
    if said is None and "cls.predictions.bias" in state and width == FIRST_VERSION_WIDTH:
        heads = heads or FIRST_VERSION_HEADS
    if heads is None and said is None:
        raise CheckpointError("it does not say its number of attention heads; give heads= (12 in the published files)")
    if heads is not None and said is not None and heads != said:
        raise CheckpointError(f"it has {said} attention heads a layer, and heads={heads} was given; leave it out")
    width = state["bert.embeddings.word_embeddings.weight"].shape[1]
    if not layers or layers != set(range(len(layers))):
        raise CheckpointError(f"its layers are {sorted(layers)}; they should count up from 0")
    if width % (heads or said or 1):
        raise CheckpointError(f"its width {width} is no multiple of {heads or said} attention heads")
    return {
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": heads or said,
        "intermediate_size": len(state["bert.encoder.layer.0.intermediate.dense.bias"]),
        "max_position_embeddings": len(state["bert.embeddings.position_embeddings.weight"]),
        "type_vocab_size": len(state["bert.embeddings.token_type_embeddings.weight"]),
    } | {name: saved[name] for name in KEPT if saved.get(name) is not None}


def kmers(state: dict[str, Tensor], asked: int | None, first_version: bool) -> dict[str, Any]:
    """Find k and the layout from the number of ids."""
    layout = "standard" if first_version else "original"
    ids = len(state["bert.embeddings.word_embeddings.weight"])
    found = {vocabulary_size(k, layout): k for k in KMER_SIZES}.get(ids)
    if found is None:
        special = vocabulary_size(2, layout) - 4**2
        raise CheckpointError(
            f"its vocabulary has {ids} ids, which is not 4**k + {special} for k = {KMER_SIZES[0]} to {KMER_SIZES[-1]} "
            "(vocabularies with N, or of another architecture, are not converted)"
        )
    if asked not in (None, found):
        raise CheckpointError(f"it holds {found}-mers ({ids} ids), and kmer_size={asked} was given; leave it out")
    return {"kmer_size": found, "token_layout": layout}


def as_standard(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Put the rows of the first version in the order of our layout; the tied decoder follows the embedding."""
    words = state["bert.embeddings.word_embeddings.weight"]
    decoder = state.pop("cls.predictions.decoder.weight", words)
    if not torch.equal(decoder, words):
        raise CheckpointError("its decoder is not tied to its word embedding, as that of the first version is")
    state.pop("cls.predictions.decoder.bias", None)
    order = torch.tensor([*FIRST_VERSION_ROWS, *range(len(FIRST_VERSION_ROWS), len(words))])
    return state | {
        name: state[name][order] for name in ("bert.embeddings.word_embeddings.weight", "cls.predictions.bias")
    }


def as_classifier(
    state: dict[str, Tensor], kmer_size: int, labels: Sequence[str] | None, rank: str
) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Name the head of a fine-tuned checkpoint by its rank, and its classes."""
    if "classifier.weight" not in state:
        raise CheckpointError("it is fine-tuned (base_model.*) but has no classifier.weight")
    classes = len(state["classifier.weight"])
    names = [str(index) for index in range(classes)] if labels is None else list(labels)
    if len(names) != classes:
        raise CheckpointError(f"it has {classes} classes, and {len(names)} labels were given")
    renamed = {re.sub(r"^classifier\.", f"classifier.{rank}.", name): value for name, value in state.items()}
    return renamed, {"labels": {rank: names}, "pooled_positions": NUCLEOTIDES // kmer_size}


def fill(model: BarcodeBertPreTrainedModel, state: dict[str, Tensor]) -> None:
    """Load the weights, all of them and no others (the tied decoder comes with the embedding)."""
    expected = {name: value.shape for name, value in model.state_dict().items()}
    tied = {name for name in expected if name.startswith("cls.predictions.decoder.")}
    wrong = sorted((set(expected) - tied) ^ set(state)) or sorted(
        name for name, value in state.items() if value.shape != expected[name]
    )
    if wrong:
        raise CheckpointError(f"weights are missing, too many or of another shape: {', '.join(wrong[:3])}, …")
    model.load_state_dict(state, strict=False)
    model.tie_weights()
