"""Configuration of CLIBD: three towers, how each is pooled, and how their vectors are compared."""

from typing import Any, Literal

from huggingface_hub.dataclasses import strict
from transformers import AutoConfig, PreTrainedConfig


MODALITIES = ("image", "dna", "text")
SPECIAL_IDS = 3
"""Ids before the k-mers, in the vocabulary of CLIBD's authors as in our layout `standard`."""


@strict
class OpenClipConfig(PreTrainedConfig):
    """One tower of a model of `open_clip_torch`.

    Args:
        architecture: as `open_clip.list_models()` has it, such as `ViT-L-14`.
        tower: which of its two.
        context_length: tokens of a text.
        image_mean: of red, green and blue, that photographs are normalised with; by default OpenAI's.
        image_std: likewise, their standard deviation.

    Examples:
        >>> OpenClipConfig(architecture="ViT-B-32", tower="text").context_length
        77
    """

    model_type = "open_clip_tower"

    architecture: str = "ViT-B-16"
    tower: Literal["image", "text"] = "image"
    context_length: int = 77
    image_mean: list[float] | None = None
    image_std: list[float] | None = None


@strict
class ClibdConfig(PreTrainedConfig):
    """Photographs, barcodes and names in one space.

    The defaults are what is right; `released()` are the values that the published weights were trained with.

    Args:
        modalities: towers that there are.
        image_config: a `TimmWrapperConfig`, an `OpenClipConfig`, or such as a dict; by default timm's
            `vit_base_patch16_224`.
        dna_config: a stock `BertConfig` over k-mers; by default BERT's base size.
        text_config: a stock `BertConfig` over words, or an `OpenClipConfig`; by default the size of
            `prajjwal1/bert-small`.
        projection_dim: width of the common space.
        image_size: side of the square that is cut out of a photograph; by default what the image tower was made for.
        image_normalize: `tower`: as the image tower's weights want it; `none`: values from 0 to 1, as the published
            weights were trained.
        dna_kmer_size: bases of a k-mer; also the stride.
        dna_max_nucleotides: bases that are read.
        dna_prefix_id: id before the k-mers, or None. The authors put 0 there, which is their `<MASK>`.
        dna_padding: `mask`: shorter barcodes are padded and padding is not attended; `unknown`: barcodes are filled up
            with N, which is read as k-mers and attended.
        dna_pooling: `mean` of the attended hidden states, then a Linear; `cls`, the first one's; `logits_mean`, the
            mean over all positions of BERT's MLM transform and a Linear; `softmax_mean`, the same with a softmax
            between, which makes all embeddings nearly parallel.
        text_pooling: `mean` over the tokens, `mean_all` over padding as well, or `cls`.
        text_max_length: tokens of a text.
        missing_rank_token: what stands for a rank that is not known, or None, which leaves it out.
        logit_scale_init: logarithm of the initial scale; 1 / 0.07 as in CLIP.
        logit_scale_max: the scale is no greater than this; None does not clamp.
        targets: what is right in the loss, see `contrastive_loss`.
        bind_to: compare only pairs that hold this modality.
        gather: how processes share a loss, see `contrastive_loss`.
        pretrained_on: splits of BIOSCAN-5M that the model has seen.

    Raises:
        ValueError: a modality that there is not, or none; values that contradict each other.

    Examples:
        >>> ClibdConfig(modalities=["image", "dna"]).dna_config.vocab_size
        1027
    """

    model_type = "clibd"
    sub_configs = {"image_config": AutoConfig, "dna_config": AutoConfig, "text_config": AutoConfig}  # noqa: RUF012

    modalities: list[str] | None = None
    image_config: Any = None
    dna_config: Any = None
    text_config: Any = None
    projection_dim: int = 768
    image_size: int | None = None
    image_normalize: Literal["tower", "none"] = "tower"
    dna_kmer_size: int = 5
    dna_max_nucleotides: int = 660
    dna_prefix_id: int | None = None
    dna_padding: Literal["mask", "unknown"] = "mask"
    dna_pooling: Literal["mean", "cls", "logits_mean", "softmax_mean"] = "mean"
    text_pooling: Literal["mean", "mean_all", "cls"] = "mean"
    text_max_length: int = 32
    missing_rank_token: str | None = None
    logit_scale_init: float = 2.6592600369327781
    logit_scale_max: float | None = 100.0
    targets: Literal["identity", "label", "label_raw"] = "identity"
    bind_to: str | None = None
    gather: Literal["global", "local"] | None = "local"
    pretrained_on: list[str] | None = None

    def __post_init__(self, **kwargs: Any) -> None:
        self.modalities = list(MODALITIES) if self.modalities is None else list(self.modalities)
        unknown = [name for name in self.modalities if name not in MODALITIES]
        if unknown or not self.modalities or len(set(self.modalities)) < len(self.modalities):
            raise ValueError(f"modalities is {self.modalities}: use some of {', '.join(MODALITIES)}, each once")
        for name in MODALITIES:
            given = getattr(self, f"{name}_config") or _usual(name, self)
            setattr(self, f"{name}_config", _opened(given) if name in self.modalities else None)
        super().__post_init__(**kwargs)

    def validate_architecture(self) -> None:
        """Refuse what cannot be built, or would be built but not mean what it says."""
        if self.dna_config is not None:
            size, needed = self.dna_config.vocab_size, SPECIAL_IDS + 4**self.dna_kmer_size
            if size != needed:
                raise ValueError(
                    f"dna_config has {size} ids, and {self.dna_kmer_size}-mers need {needed}: "
                    "make dna_kmer_size and vocab_size fit"
                )
        if self.bind_to is not None and self.bind_to not in (self.modalities or ()):
            raise ValueError(f"bind_to is {self.bind_to!r}: use one of {', '.join(self.modalities or ())}")
        if self.image_size is not None and self.image_size < 1:
            raise ValueError(f"image_size is {self.image_size}: use a positive number of pixels, or None")
        if self.logit_scale_max is not None and self.logit_scale_max <= 0:
            raise ValueError(f"logit_scale_max is {self.logit_scale_max}: use a positive number, or None")

    @classmethod
    def released(cls, **changes: Any) -> "ClibdConfig":
        """Give the configuration of the published weights, with all that they were trained with.

        Args:
            **changes: fields that are otherwise, such as `modalities`.

        Examples:
            >>> ClibdConfig.released().dna_pooling
            'softmax_mean'
        """
        values: dict[str, Any] = {
            "image_normalize": "none",
            "dna_pooling": "softmax_mean",
            "dna_prefix_id": 0,
            "dna_padding": "unknown",
            "text_pooling": "mean_all",
            "text_max_length": 20,
            "missing_rank_token": "not_classified",
            "logit_scale_max": None,
            "gather": "global",
        }
        return cls(**values | changes)


def _usual(name: str, config: ClibdConfig) -> dict[str, Any]:
    """Give the tower that a modality has where none is named: that of the published models."""
    if name == "image":
        return {"model_type": "timm_wrapper", "architecture": "vit_base_patch16_224", "num_classes": 0}
    if name == "dna":
        return {"model_type": "bert", "vocab_size": SPECIAL_IDS + 4**config.dna_kmer_size}
    small = {"hidden_size": 512, "num_hidden_layers": 4, "num_attention_heads": 8, "intermediate_size": 2048}
    return {"model_type": "bert", **small}


def _opened(given: dict[str, Any] | PreTrainedConfig) -> PreTrainedConfig:
    if isinstance(given, PreTrainedConfig):
        return given
    values = dict(given)
    kind = values.pop("model_type", None)
    if kind is None:
        raise ValueError(f"a tower needs a model_type, such as timm_wrapper, bert or {OpenClipConfig.model_type}")
    if kind == OpenClipConfig.model_type:
        return OpenClipConfig(**values)
    if kind == "timm_wrapper":
        return type(AutoConfig.for_model(kind)).from_dict(values)  # type: ignore[no-any-return]
    return AutoConfig.for_model(kind, **values)  # type: ignore[no-any-return]
