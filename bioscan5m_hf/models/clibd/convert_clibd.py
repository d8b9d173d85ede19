"""Conversion of the authors' checkpoints (https://github.com/bioscan-ml/clibd) into model folders.

Their `best.pth` and `last.pth` are bare state dictionaries. What they hold and ours does not: LoRA's matrices, in the
image tower even where it was to be trained whole, which are added to what they stand beside; an unused bias of the DNA
tower's old head; the text tower's unused pooler; buffers. The Linear behind each tower becomes its projection. Names
of tensors and shapes: `clibd` at 7d73f80.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor
from transformers import AutoTokenizer

from ..barcodebert.checkpoint_barcodebert import CheckpointError, read_checkpoint
from .configuration_clibd import MODALITIES, SPECIAL_IDS, ClibdConfig
from .export_clibd import make_processor, save_clibd
from .modeling_clibd import ClibdModel


__all__ = ["CheckpointError", "convert", "load_original", "renamed"]

LEGACY = {
    "image_encoder.lora_vit.": "image_encoder.base_image_encoder.",
    "dna_encoder.lora_barcode_bert.": "dna_encoder.base_dna_encoder.",
    "language_encoder.lora_bert.": "language_encoder.base_language_encoder.",
}
"""Prefixes of checkpoints of 2024 → those since."""

PREFIXES = {
    "image_encoder.base_image_encoder.head.": "image_projection.",
    "image_encoder.base_image_encoder.": "image_model.timm_model.",
    "dna_encoder.base_dna_encoder.bert.": "dna_model.",
    "dna_encoder.base_dna_encoder.cls.predictions.transform.": "dna_transform.",
    "dna_encoder.base_dna_encoder.cls.predictions.decoder.": "dna_projection.",
    "language_encoder.base_language_encoder.": "text_model.",
    "language_encoder.proj.": "text_projection.",
}
"""Their prefixes → ours; the first that fits counts."""

UNUSED = ("dna_encoder.base_dna_encoder.cls.predictions.bias", "language_encoder.base_language_encoder.pooler.")
BUFFERS = (".position_ids", ".token_type_ids")
IMAGE_TOWERS = {768: "vit_base_patch16_224", 1024: "vit_large_patch16_224"}
"""Width → the timm model that has it, of those that the authors use."""

HEAD_WIDTH = 64
"""Of all their BERTs."""


def convert(
    path: str | Path,
    folder: str | Path,
    *,
    tokenizer: Any = None,
    card: str | None = None,
) -> Path:
    """Convert a checkpoint of the authors into a folder that `AutoModel` and `AutoProcessor` load.

    Args:
        path: their file; read without running anything in it.
        folder: where to; see `save_clibd`.
        tokenizer: of the text tower, or its folder or Hub id: the authors take that of `prajjwal1/bert-small`, which
            is `bert-base-uncased`'s. It is not looked for where there is no text tower.
        card: text of `README.md`.

    Returns:
        The folder.

    Raises:
        CheckpointError: the file is damaged, or holds another model.
        ValueError: the model has a text tower, and there is no tokenizer.
    """
    model = load_original(path)
    if model.config.text_config is None:
        tokenizer = None
    elif isinstance(tokenizer, str):
        tokenizer = AutoTokenizer.from_pretrained(tokenizer)
    return save_clibd(model, make_processor(model.config, tokenizer), folder, card=card)


def load_original(path: str | Path) -> ClibdModel:
    """Read a checkpoint of the authors as a model of ours, in evaluation mode; nothing in the file is executed.

    Args:
        path: their file.

    Raises:
        CheckpointError: it is damaged, or holds another model.
    """
    found = read_checkpoint(path)
    try:
        state = renamed({str(name): value for name, value in found.items() if isinstance(value, Tensor)})
        model: ClibdModel = ClibdModel(configuration(state)).eval()
        fill(model, state)
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from None
    except (ArithmeticError, AttributeError, LookupError, StrictDataclassError, TypeError, ValueError) as error:
        said = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
        raise CheckpointError(f"{path} is damaged, or no checkpoint of CLIBD ({said})") from error
    return model


def renamed(found: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give the weights by our names, float32, LoRA added to what it stands beside.

    Args:
        found: by their names.

    Raises:
        CheckpointError: a name that a checkpoint of theirs does not have, or LoRA's matrices without their base.

    Examples:
        >>> list(renamed({"module.language_encoder.lora_bert.embeddings.LayerNorm.weight": torch.ones(2)}))
        ['text_model.embeddings.LayerNorm.weight']
    """
    state: dict[str, Tensor] = {}
    for name, value in found.items():
        plain = name.removeprefix("module.")
        for old, new in LEGACY.items():
            plain = plain.replace(old, new, 1) if plain.startswith(old) else plain
        if not plain.endswith(BUFFERS) and not plain.startswith(UNUSED):
            state[plain] = value.float()
    return {_ours(name): value for name, value in merged(state).items()}


def merged(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """Add LoRA's products (B times A, not scaled) to the weights they stand beside, and give these their plain names.

    Args:
        state: by their names.

    Raises:
        CheckpointError: matrices without a base, or one without the other.
    """
    plain = {re.sub(r"\.(qkv\.qkv|w)\.(weight|bias)$", _plain, name): value for name, value in state.items()}
    whole = {name: value for name, value in plain.items() if not _LORA.search(name)}
    for name in plain.keys() - whole.keys():
        given = _LORA.search(name)
        assert given is not None
        base, part = name[: given.start()] + ".weight", given["part"]
        down, up = (re.sub(r"(linear_|w_)[ab]", rf"\g<1>{side}", name) for side in "ab")
        if lost := [each for each in (base, down, up) if each not in plain]:
            raise CheckpointError(f"{name} stands without {lost[0]}")
        if name == up:
            continue
        added = plain[up] @ plain[down]
        rows = slice(None) if part is None else slice(*(len(added) * place for place in _PLACES[part]))
        whole[base] = whole[base].clone()
        whole[base][rows] += added
    return whole


_LORA = re.compile(r"\.(?:linear_[ab]_(?P<part>[qkv])|w_[ab])\.weight$")
_PLACES = {"q": (0, 1), "k": (1, 2), "v": (2, 3)}
"""Which third of the fused rows of queries, keys and values."""


def _plain(found: re.Match[str]) -> str:
    return f".{'qkv.' if 'qkv' in found[1] else ''}{found[2]}"


def _ours(name: str) -> str:
    if name == "logit_scale":
        return name
    for old, new in PREFIXES.items():
        if name.startswith(old):
            return new + name.removeprefix(old)
    raise CheckpointError(f"there is no {name} in a checkpoint of CLIBD")


def configuration(state: dict[str, Tensor]) -> ClibdConfig:
    """Read the sizes of the towers off the shapes of their tensors.

    Args:
        state: by our names.

    Raises:
        CheckpointError: no tower, or an image tower of another width than theirs.
    """
    there = [name for name in MODALITIES if f"{name}_projection.weight" in state]
    if not there:
        raise CheckpointError("it has no tower for photographs, barcodes or names")
    values: dict[str, Any] = {"modalities": there}
    values["projection_dim"] = len(state[f"{there[0]}_projection.weight"])
    if "image" in there:
        width = state["image_projection.weight"].shape[1]
        if width not in IMAGE_TOWERS:
            raise CheckpointError(
                f"its image tower is {width} wide: those of CLIBD are {' or '.join(map(str, IMAGE_TOWERS))}"
            )
        values["image_config"] = {"model_type": "timm_wrapper", "architecture": IMAGE_TOWERS[width], "num_classes": 0}
    for name in ("dna", "text"):
        if name in there:
            values[f"{name}_config"] = _bert(state, f"{name}_model.")
    if "dna" in there:
        size = values["dna_config"]["vocab_size"] - SPECIAL_IDS
        values["dna_kmer_size"] = (size.bit_length() - 1) // 2
    return ClibdConfig.released(**values)


def _bert(state: dict[str, Tensor], prefix: str) -> dict[str, Any]:
    words, places = (state[f"{prefix}embeddings.{name}_embeddings.weight"] for name in ("word", "position"))
    layers = {
        name.split("encoder.layer.")[1].split(".")[0] for name in state if name.startswith(f"{prefix}encoder.layer.")
    }
    width = words.shape[1]
    return {
        "model_type": "bert",
        "vocab_size": len(words),
        "max_position_embeddings": len(places),
        "hidden_size": width,
        "num_hidden_layers": len(layers),
        "num_attention_heads": width // HEAD_WIDTH,
        "intermediate_size": len(state[f"{prefix}encoder.layer.0.intermediate.dense.weight"]),
    }


def fill(model: ClibdModel, state: dict[str, Tensor]) -> None:
    """Load the weights, all of them and no others.

    Args:
        model: of the right sizes.
        state: by our names.

    Raises:
        CheckpointError: weights are missing, too many, or of another shape.
    """
    expected = {name: value.shape for name, value in model.state_dict().items()}
    wrong = sorted(set(expected) ^ set(state)) or sorted(n for n, value in state.items() if value.shape != expected[n])
    if wrong:
        raise CheckpointError(f"weights are missing, too many or of another shape: {', '.join(wrong[:3])}, …")
    with torch.no_grad():
        model.load_state_dict(state)
