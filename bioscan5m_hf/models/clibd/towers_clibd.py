"""Towers of CLIBD from pretrained models: timm, open_clip, BarcodeBERT and BERT, from folders or the Hub.

Only configurations, vocabularies and tensors are read: safetensors, or for open_clip's own tags what torch's
`weights_only` allows, and no code of a repository. No tensor of a tower is ever left as it was drawn.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, fields
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from torch import Tensor, nn
from transformers import (
    AutoConfig,
    AutoModel,
    AutoTokenizer,
    BertForMaskedLM,
    PreTrainedConfig,
    PreTrainedTokenizerFast,
)
from transformers.utils import logging

from ..barcodebert.checkpoint_barcodebert import CheckpointError
from .configuration_clibd import MODALITIES, SPECIAL_IDS, ClibdConfig, OpenClipConfig
from .export_clibd import clip_tokenizer, name_tokenizer
from .modeling_clibd import ClibdModel
from .open_clip_clibd import OPEN_CLIP, UNREADABLE, check_words, open_clip_tower, short


@dataclass(frozen=True)
class Tower:
    """A pretrained tower.

    Args:
        config: what `ClibdConfig` needs of it.
        state: its tensors, by the names that they have within our tower.
        kmer_size: bases of a k-mer, of a DNA tower.
        tokenizer: of a text tower.
        pretrained_on: splits of BIOSCAN-5M that it says it has seen.
    """

    config: PreTrainedConfig
    state: Mapping[str, Tensor]
    kmer_size: int | None = None
    tokenizer: Any = None
    pretrained_on: tuple[str, ...] = ()


def build(
    architecture: Mapping[str, Any], towers: Mapping[str, str], names: Iterable[str] = ()
) -> tuple[ClibdModel, Any]:
    """Build a model, its towers pretrained as far as they are named, and the tokenizer of its text tower.

    Args:
        architecture: fields of `ClibdConfig`. Towers that are not pretrained are described here; a text tower without
            a `vocab_size` gets that of the tokenizer.
        towers: modality → folder or Hub id of a pretrained model: of timm (`image`), of BarcodeBERT in `k`-mers
            (`dna`), of BERT (`text`), or `OPEN_CLIP` and a model of open_clip (`image` and `text`).
        names: whose words a text tower knows that is not pretrained.

    Returns:
        The model, and the tokenizer; None where there is no text tower.

    Raises:
        CheckpointError: a tower cannot be opened, or its tensors do not fit.
        ValueError: an unknown modality or field, or a tower both described and named.

    Examples:
        >>> model, tokenizer = build({"modalities": ["text"], "text_config": {
        ...     "model_type": "bert", "hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}}, {},
        ...     ["Diptera Phoridae"])
        >>> model.config.text_config.vocab_size == len(tokenizer)
        True
    """
    wanted = architecture.get("modalities") or MODALITIES
    for name in towers:
        if name not in wanted:
            raise ValueError(f"there is a pretrained tower for {name!r}: use some of {', '.join(wanted)}")
        if f"{name}_config" in architecture:
            raise ValueError(f"the {name} tower is pretrained ({towers[name]}) and described: leave {name}_config out")
    _check_fields(architecture)
    opened = {name: OPENERS[name](place) for name, place in towers.items()}
    described: dict[str, Any] = dict(architecture) | {f"{name}_config": tower.config for name, tower in opened.items()}
    if "dna" in opened:
        described["dna_kmer_size"] = opened["dna"].kmer_size
    tokenizer = opened["text"].tokenizer if "text" in opened else None
    if "text" in wanted and tokenizer is None:
        described, tokenizer = _with_words(described, names)
    seen = list(described.get("pretrained_on") or ())
    seen += [split for tower in opened.values() for split in tower.pretrained_on]
    try:
        model = ClibdModel(ClibdConfig(**described | {"pretrained_on": list(dict.fromkeys(seen))}))
    except (TypeError, StrictDataclassError) as error:
        raise ValueError(f"the architecture cannot be built: {' '.join(str(error).split())}") from error
    for name, tower in opened.items():
        _load(getattr(model, f"{name}_model"), tower.state, f"{towers[name]} as the {name} tower")
    if "dna" in opened and hasattr(model, "dna_transform"):
        _load(model.dna_transform, _transform(towers["dna"]), f"{towers['dna']} as the DNA tower's transform")
    return model, tokenizer


def open_image(place: str) -> Tower:
    """Open a model of timm, or the image tower of one of open_clip.

    Args:
        place: folder or Hub id.

    Raises:
        CheckpointError: it is none.
    """
    if place.startswith(OPEN_CLIP):
        return Tower(*open_clip_tower(place, "image"))
    config, model = _opened(place, lambda config: config.model_type == "timm_wrapper", "timm")
    config.num_labels = 0
    return Tower(config, model.state_dict())


def _without_classes(config: Any) -> Any:
    """Leave out the number of classes that timm writes among a model's arguments: transformers gives its own."""
    kept = {name: value for name, value in (config.model_args or {}).items() if name != "num_classes"}
    config.model_args = kept or None
    return config


def open_dna(place: str) -> Tower:
    """Open a BarcodeBERT, whichever of the two layouts of ids it has: a row for `[PAD]` is added where it has none.

    Args:
        place: folder or Hub id.

    Raises:
        CheckpointError: it is none.
    """
    config, model = _opened(place, lambda config: config.model_type == "bert", "BarcodeBERT", add_pooling_layer=False)
    state = dict(model.state_dict())
    kmer_size = next((k for k in range(2, 9) if config.vocab_size in (4**k + SPECIAL_IDS, 4**k + 2)), None)
    if kmer_size is None:
        raise CheckpointError(f"{place} has {config.vocab_size} ids: that is no vocabulary of k-mers")
    words = "embeddings.word_embeddings.weight"
    if config.vocab_size == 4**kmer_size + 2:  # [MASK], [UNK], k-mers: the authors' layout
        masked, unknown, kmers = state[words][:1], state[words][1:2], state[words][2:]
        state[words] = torch.cat([torch.zeros_like(masked), unknown, masked, kmers])
        config.vocab_size += 1
    config.pad_token_id = 0
    said = getattr(config, "pretrained_on", None) or ()
    return Tower(_bare(config), state, kmer_size, pretrained_on=tuple(map(str, said)))


def open_text(place: str) -> Tower:
    """Open a BERT over words, or the text tower of a model of open_clip, with its tokenizer.

    Args:
        place: folder or Hub id.

    Raises:
        CheckpointError: it is none.
    """
    if place.startswith(OPEN_CLIP):
        return Tower(*open_clip_tower(place, "text"), tokenizer=clip_tokenizer())
    config, model = _opened(place, lambda config: config.model_type == "bert", "BERT", add_pooling_layer=False)
    try:
        tokenizer = AutoTokenizer.from_pretrained(place, trust_remote_code=False)
    except UNREADABLE as error:
        raise CheckpointError(f"{place} has no tokenizer that can be read: {short(error)}") from error
    return Tower(_bare(config), model.state_dict(), tokenizer=tokenizer)


OPENERS: Mapping[str, Callable[[str], Tower]] = {"image": open_image, "dna": open_dna, "text": open_text}

_BERT = (
    *("vocab_size", "hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size", "hidden_act"),
    *("hidden_dropout_prob", "attention_probs_dropout_prob", "max_position_embeddings", "type_vocab_size"),
    *("layer_norm_eps", "pad_token_id", "initializer_range"),
)
"""What makes a BERT; the rest of a configuration is about what stood around it."""


def _bare(config: PreTrainedConfig) -> PreTrainedConfig:
    values = config.to_dict()
    return AutoConfig.for_model("bert", **{name: values[name] for name in _BERT})  # type: ignore[no-any-return]


def _transform(place: str) -> dict[str, Tensor]:
    """Give what stands between BERT and its head for hidden k-mers, which two ways of pooling go on with.

    Raises:
        CheckpointError: it has none.
    """
    with _without_report():
        loaded: Any = BertForMaskedLM.from_pretrained(
            place, use_safetensors=True, trust_remote_code=False, output_loading_info=True
        )
    model, about = loaded
    state = dict(model.cls.predictions.transform.state_dict())
    lost = [name for name in about["missing_keys"] if ".transform." in name]
    other = "BertForTokenClassification" in (model.config.architectures or ())  # its export makes one up
    if lost or other or not state["dense.weight"].any():
        raise CheckpointError(
            f"{place} lacks cls.predictions.transform, which this dna_pooling goes on with: take a model that was "
            "trained with BERT's own head, or another dna_pooling"
        )
    return state


def _check_fields(architecture: Mapping[str, Any]) -> None:
    """Refuse fields that there are not; transformers would keep them and do nothing."""
    known = [field.name for field in fields(ClibdConfig)]
    for name in architecture:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "see ClibdConfig for what there is"
            raise ValueError(f"the architecture cannot be built: unknown field {name!r}; {hint}")


def _opened(place: str, fits: Callable[[Any], bool], library: str, **more: Any) -> tuple[Any, nn.Module]:
    """Open configuration and model; pickled weights are not read, nor is code run."""
    try:
        config = AutoConfig.from_pretrained(place, trust_remote_code=False)
    except UNREADABLE as error:
        raise CheckpointError(f"{place} cannot be opened as a model of {library}: {short(error)}") from error
    if not fits(config):
        raise CheckpointError(f"{place} is a model of {config.model_type!r}, not of {library}")
    if config.model_type == "timm_wrapper":
        config = _without_classes(config)
    try:
        with _without_report():
            model, about = AutoModel.from_pretrained(
                place,
                config=config,
                use_safetensors=True,
                trust_remote_code=False,
                output_loading_info=True,
                **more,
            )
    except UNREADABLE as error:
        raise CheckpointError(f"{place} cannot be opened as a model of {library}: {short(error)}") from error
    if about["missing_keys"]:
        raise CheckpointError(f"{place} lacks weights: {', '.join(sorted(about['missing_keys'])[:3])}, …")
    return config, model


@contextmanager
def _without_report() -> Iterator[None]:
    """Keep transformers from listing the heads that a tower does without; what is missing is an error here."""
    before = logging.get_verbosity()
    logging.set_verbosity_error()
    try:
        yield
    finally:
        logging.set_verbosity(before)


def _with_words(fields: dict[str, Any], names: Iterable[str]) -> tuple[dict[str, Any], PreTrainedTokenizerFast]:
    """Give a text tower the vocabulary of names, where its size is not said."""
    given = fields.get("text_config")
    if not isinstance(given, Mapping) or given.get("model_type") != "bert":
        if isinstance(given, Mapping) and given.get("model_type") == OpenClipConfig.model_type:
            check_words(given.get("architecture", OpenClipConfig().architecture))
            return fields, clip_tokenizer()
        given = {"model_type": "bert", "hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8}
    tokenizer = name_tokenizer(names, given["vocab_size"]) if "vocab_size" in given else name_tokenizer(names)
    return fields | {"text_config": dict(given) | {"vocab_size": len(tokenizer)}}, tokenizer


def _load(module: nn.Module, state: Mapping[str, Tensor], what: str) -> None:
    try:
        module.load_state_dict(dict(state))
    except RuntimeError as error:
        raise CheckpointError(f"{what}: tensors do not fit: {short(error)}") from error
