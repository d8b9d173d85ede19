"""Export: model folders that `transformers` and `sentence-transformers` load without this package.

Encoders and masked models become `model_type: bert`. What stock BERT has no class for, a classifier that pools by the
mean, stays `model_type: barcodebert` and carries its code along. Behind every door of transformers stands something
that was written on purpose, or it does not open; nothing is drawn at random. `AutoModel` finds a pooler (the first
token; use the masked mean), `AutoModelForMaskedLM` the masked head, or one that finds all k-mers equally likely. Heads
for labels, which such a model has not, are saved without outputs: to train one, ask for it by
`from_pretrained(..., num_labels=n, ignore_mismatched_sizes=True)`. (The linear head is a head for tokens; the class
for sequences takes it for its own, and gives k-mers where one would expect labels.)
"""

from __future__ import annotations

import itertools
import json
import math
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from torch import Tensor

from .configuration_barcodebert import BarcodeBertConfig
from .modeling_barcodebert import (
    BarcodeBertForMaskedLM,
    BarcodeBertForSequenceClassification,
    BarcodeBertModel,
    BarcodeBertPreTrainedModel,
)
from .tokenization_kmer import NUCLEOTIDES, KmerTokenizer


INCOMING = ".incoming"
"""Folder inside the target into which everything is written first."""

CODE = ("configuration_barcodebert.py", "heads_barcodebert.py", "modeling_barcodebert.py")
"""What a repository of a classifier carries; flat, importing each other with a single dot."""

WEIGHTS = ("model*.safetensors", "model.safetensors.index.json")
STALE = (*WEIGHTS, "modules.json", "sentence_bert_config.json", "1_Pooling", *CODE)
"""Files and folders of an earlier export that another kind of model does not have."""

NEVER = -1e4
"""Bias of an id that the linear head does not know; its probability is zero in every float type."""


def save_stock(model: BarcodeBertPreTrainedModel, folder: str | Path, *, card: str | None = None) -> Path:
    """Save a model, its tokenizer and what `sentence-transformers` needs.

    Everything is written beside and then renamed, `config.json` last and the old one removed first, so that an
    interrupted save leaves a folder that does not load rather than one that loads something mixed. Other files there
    (checkpoints, logs) stay.

    Args:
        model: an encoder, masked model or classifier of this package; a masked auto-encoder is saved as its encoder.
        folder: where to; made if missing.
        card: text of `README.md`; None leaves the one that is there.

    Returns:
        The folder.

    Raises:
        ValueError: the folder holds a model of another architecture, or is a file.

    Examples:
        >>> import tempfile
        >>> from transformers import AutoModel
        >>> config = BarcodeBertConfig(kmer_size=2, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     type(AutoModel.from_pretrained(save_stock(BarcodeBertModel(config), folder))).__name__
        'BertModel'
    """
    folder = Path(folder)
    refuse_foreign(folder, ("bert", BarcodeBertConfig.model_type))
    incoming = folder / INCOMING
    shutil.rmtree(incoming, ignore_errors=True)
    incoming.mkdir(parents=True)
    if isinstance(model, BarcodeBertForSequenceClassification):
        values, state = classifier(model)
        for name in CODE:
            shutil.copyfile(Path(__file__).with_name(name), incoming / name)
    else:
        values, state = stock(model)
        write_sentence_transformer(model.config, incoming)
    save_torch_state_dict({name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}, incoming)
    for path in incoming.glob("*.safetensors"):
        path.chmod(0o644)  # the writer makes it readable by its owner alone
    config = model.config
    KmerTokenizer(kmer_size=config.kmer_size, layout=config.token_layout).save_pretrained(str(incoming))
    if card is not None:
        (incoming / "README.md").write_text(card, encoding="utf-8")
    write_json(incoming / "config.json", values)
    put_in_place(incoming, folder, STALE)
    return folder


def stock(model: BarcodeBertPreTrainedModel) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Give the configuration and weights of a masked model or encoder as stock `bert`."""
    encoder: Any = model if isinstance(model, BarcodeBertModel) else model.bert
    state = {f"bert.{name}": tensor for name, tensor in encoder.state_dict().items() if not name.startswith("pooler")}
    values = plain(model) | {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "id2label": {},
        "label2id": {},
    }
    state |= first_token_pooler(encoder) | quiet_pair_head(encoder) | empty_heads(encoder)
    if not isinstance(model, BarcodeBertForMaskedLM):
        state |= quiet_head(encoder)
    elif model.config.mlm_head == "bert":
        values |= {"architectures": ["BertForMaskedLM"]}
        tied = tuple(name for name in model.state_dict() if name.startswith("cls.predictions.decoder."))
        state |= {
            name: value for name, value in model.state_dict().items() if name.startswith("cls.") and name not in tied
        }
    else:
        kmers = ["".join(letters) for letters in itertools.product("ACGT", repeat=model.config.kmer_size)]
        values |= {
            "architectures": ["BertForTokenClassification"],
            "id2label": dict(enumerate(kmers)),
            "label2id": {kmer: index for index, kmer in enumerate(kmers)},
            "tie_word_embeddings": False,
        }
        state |= {"classifier.weight": model.classifier.weight, "classifier.bias": model.classifier.bias}
        state |= linear_head_as_bert(model)
    return values, state


def classifier(model: BarcodeBertForSequenceClassification) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Give the configuration and weights of a classifier, with the doors that its code opens."""
    doors = {
        "AutoConfig": "configuration_barcodebert.BarcodeBertConfig",
        "AutoModel": "modeling_barcodebert.BarcodeBertModel",
        "AutoModelForSequenceClassification": "modeling_barcodebert.BarcodeBertForSequenceClassification",
    }
    values = plain(model) | {"architectures": [type(model).__name__], "auto_map": doors}
    return values, dict(model.state_dict())


def plain(model: BarcodeBertPreTrainedModel) -> dict[str, Any]:
    """Give what differs from the defaults of transformers, as it is written to `config.json`."""
    values: dict[str, Any] = model.config.to_diff_dict()
    kept = {name: value for name, value in values.items() if value is not None}
    return kept | {"dtype": str(model.dtype).removeprefix("torch.")}


def first_token_pooler(encoder: BarcodeBertModel) -> dict[str, Tensor]:
    """Give weights for the pooler that plain `AutoModel` adds: the hyperbolic tangent of the first token, and no more.

    It was never trained; embeddings are masked means.
    """
    weight = encoder.embeddings.word_embeddings.weight
    width = weight.shape[1]
    eye = torch.eye(width, dtype=weight.dtype)
    return {"bert.pooler.dense.weight": eye, "bert.pooler.dense.bias": torch.zeros(width, dtype=weight.dtype)}


def quiet_pair_head(encoder: BarcodeBertModel) -> dict[str, Tensor]:
    """Give weights for BERT's next-sentence head, which has no meaning for barcodes: always undecided."""
    weight = encoder.embeddings.word_embeddings.weight
    return {
        "cls.seq_relationship.weight": weight.new_zeros(2, weight.shape[1]),
        "cls.seq_relationship.bias": weight.new_zeros(2),
    }


def empty_heads(encoder: BarcodeBertModel) -> dict[str, Tensor]:
    """Give heads for labels without outputs, so that a class that would draw one finds it of the wrong shape."""
    weight = encoder.embeddings.word_embeddings.weight
    parts = {"weight": weight.new_zeros(0, weight.shape[1]), "bias": weight.new_zeros(0)}
    return {f"{head}.{part}": value for head in ("classifier", "qa_outputs") for part, value in parts.items()}


def quiet_head(encoder: BarcodeBertModel) -> dict[str, Tensor]:
    """Give weights for BERT's masked head where the model has none: all ids equally likely."""
    weight = encoder.embeddings.word_embeddings.weight
    ids, width = weight.shape
    return {
        "cls.predictions.transform.dense.weight": weight.new_zeros(width, width),
        "cls.predictions.transform.dense.bias": weight.new_zeros(width),
        "cls.predictions.transform.LayerNorm.weight": weight.new_zeros(width),
        "cls.predictions.transform.LayerNorm.bias": weight.new_zeros(width),
        "cls.predictions.bias": weight.new_zeros(ids),
    }


def linear_head_as_bert(model: BarcodeBertForMaskedLM) -> dict[str, Tensor]:
    """Write a linear head as BERT's masked head, so that `AutoModelForMaskedLM` gives its logits, too.

    The hidden state is h = g * n + b with n of mean 0 and variance 1 (the last LayerNorm). The dense layer recovers
    n + c with a constant c > sqrt(width) >= -n, where GELU is the identity; the LayerNorm of the head takes c off
    again and restores h; the untied decoder holds the rows of the linear head. Exact in float32 up to rounding; in
    half precision use the token classifier.
    """
    last: Any = model.bert.encoder.layer[-1].output.LayerNorm  # type: ignore[union-attr]
    scale, shift = last.weight.detach(), last.bias.detach()
    inverse = 1 / scale.where(scale.abs() > 1e-6, torch.full_like(scale, 1e-6))
    weight, bias = model.classifier.weight.detach(), model.classifier.bias.detach()
    special = model.config.layout.first
    never = bias.new_full((special,), NEVER)
    return {
        "cls.predictions.transform.dense.weight": torch.diag(inverse),
        "cls.predictions.transform.dense.bias": math.sqrt(len(scale)) + 8 - shift * inverse,
        "cls.predictions.transform.LayerNorm.weight": scale.clone(),
        "cls.predictions.transform.LayerNorm.bias": shift.clone(),
        "cls.predictions.decoder.weight": torch.cat([weight.new_zeros(special, weight.shape[1]), weight]),
        "cls.predictions.decoder.bias": torch.cat([never, bias]),
        "cls.predictions.bias": torch.cat([never, bias]),
    }


def write_sentence_transformer(config: BarcodeBertConfig, folder: Path) -> None:
    """Say to `sentence-transformers` that embeddings are means over the attended positions."""
    modules = [("0", "", "Transformer"), ("1", "1_Pooling", "Pooling")]
    write_json(
        folder / "modules.json",
        [
            {"idx": int(name), "name": name, "path": path, "type": f"sentence_transformers.models.{kind}"}
            for name, path, kind in modules
        ],
    )
    write_json(
        folder / "sentence_bert_config.json",
        {"max_seq_length": NUCLEOTIDES // config.kmer_size, "do_lower_case": False},
    )
    (folder / "1_Pooling").mkdir()
    pooling = {"word_embedding_dimension": config.hidden_size, "pooling_mode_mean_tokens": True}
    write_json(folder / "1_Pooling" / "config.json", pooling | {"pooling_mode_cls_token": False})


def write_json(path: Path, value: Any) -> None:
    """Write a JSON file as the Hub shows it."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def refuse_foreign(folder: Path, kinds: Sequence[str]) -> None:
    """Raise rather than write over a model of another type than these."""
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file; give a folder to save the model in")
    path = folder / "config.json"
    if path.is_file():
        kind = json.loads(path.read_text(encoding="utf-8")).get("model_type")
        if kind not in kinds:
            raise ValueError(f"{folder} holds a model of type {kind!r}; save to another folder")


def put_in_place(incoming: Path, folder: Path, stale: Sequence[str]) -> None:
    """Move an export into its folder; in between there is no `config.json`, and nothing loads.

    Args:
        incoming: what is moved, a folder inside `folder`.
        folder: of the model.
        stale: patterns of what an earlier export may have left.
    """
    (folder / "config.json").unlink(missing_ok=True)
    for pattern in stale:
        for path in folder.glob(pattern):
            if path.is_dir():
                shutil.rmtree(path)
            else:
                path.unlink()
    names = sorted(path.name for path in incoming.iterdir() if path.name != "config.json")
    for name in [*names, "config.json"]:
        os.replace(incoming / name, folder / name)
    incoming.rmdir()
