"""CLIBD: towers for photographs, barcodes and names of specimens, and a common space.

Each tower is a stock model; around it stand its pooling, a Linear into the common space, and the contrastive loss.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModel, PreTrainedConfig, PreTrainedModel
from transformers import initialization as init
from transformers.models.bert.modeling_bert import BertPredictionHeadTransform
from transformers.utils.generic import ModelOutput

from .configuration_clibd import ClibdConfig, OpenClipConfig
from .loss_clibd import contrastive_loss


@dataclass
class ClibdOutput(ModelOutput):
    """What `ClibdModel` returns.

    Args:
        loss: scalar, float32; where two modalities or more are given.
        logit_scale: what cosines are multiplied with, scalar.
        image_embeds: `(batch, projection_dim)`, of length 1; None without photographs.
        dna_embeds: likewise, of barcodes.
        text_embeds: likewise, of names.
    """

    loss: Tensor | None = None
    logit_scale: Tensor | None = None
    image_embeds: Tensor | None = None
    dna_embeds: Tensor | None = None
    text_embeds: Tensor | None = None


class ClibdPreTrainedModel(PreTrainedModel):
    """Base of our classes: our configuration, and how fresh weights are drawn."""

    config: ClibdConfig
    base_model_prefix = "clibd"
    input_modalities = ["image", "text"]  # noqa: RUF012
    supports_gradient_checkpointing = True
    _supports_sdpa = True
    _supports_flash_attn = True
    _no_split_modules = ["BertLayer"]  # noqa: RUF012

    @torch.no_grad()
    def _init_weights(self, module: nn.Module) -> None:
        super()._init_weights(module)
        if isinstance(module, ClibdModel):
            init.constant_(module.logit_scale, self.config.logit_scale_init)


class ClibdModel(ClibdPreTrainedModel):
    """Photographs, barcodes and names of specimens in one space.

    Examples:
        >>> small = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 32}
        >>> towers = {"dna_config": {"model_type": "bert", "vocab_size": 1027, **small},
        ...           "text_config": {"model_type": "bert", **small}}
        >>> config = ClibdConfig(modalities=["dna", "text"], projection_dim=8, **towers)
        >>> output = ClibdModel(config)(dna_input_ids=torch.tensor([[3, 4]]), input_ids=torch.tensor([[7, 8, 9]]))
        >>> output.dna_embeds.shape, output.image_embeds is None
        (torch.Size([1, 8]), True)
    """

    def __init__(self, config: ClibdConfig) -> None:
        super().__init__(config)
        width = config.projection_dim
        if config.image_config is not None:
            self.image_model = _tower(config.image_config)
            self.image_projection = nn.Linear(_image_width(self.image_model), width)
        if config.dna_config is not None:
            self.dna_model = _tower(config.dna_config)
            if config.dna_pooling in ("logits_mean", "softmax_mean"):
                self.dna_transform = BertPredictionHeadTransform(config.dna_config)
            self.dna_projection = nn.Linear(config.dna_config.hidden_size, width)
        if config.text_config is not None:
            self.text_model = _tower(config.text_config)
            inner = _text_width(self.text_model, config.text_config)
            self.text_projection = nn.Linear(inner, width)
        self.logit_scale = nn.Parameter(torch.tensor(config.logit_scale_init))
        self.post_init()

    def get_image_features(self, pixel_values: Tensor) -> Tensor:
        """Embed photographs.

        Args:
            pixel_values: `(batch, 3, height, width)`, as the processor makes them.

        Returns:
            `(batch, projection_dim)`, of length 1.
        """
        self._check("image", pixel_values, 4)
        found = self.image_model(pixel_values)
        pooled = found if isinstance(found, Tensor) else found.pooler_output
        return functional.normalize(self.image_projection(pooled), dim=-1)

    def get_dna_features(self, dna_input_ids: Tensor, dna_attention_mask: Tensor | None = None) -> Tensor:
        """Embed barcodes.

        Args:
            dna_input_ids: `(batch, length)`, as the processor makes them.
            dna_attention_mask: `(batch, length)`, 1 where there is a k-mer; None for everywhere.

        Returns:
            `(batch, projection_dim)`, of length 1; zeros for a barcode without a k-mer.
        """
        self._check("dna", dna_input_ids, 2)
        given = {} if dna_attention_mask is None else {"attention_mask": _attended(dna_attention_mask)}
        hidden = self.dna_model(dna_input_ids, **given).last_hidden_state
        pooling = self.config.dna_pooling
        if pooling in ("logits_mean", "softmax_mean"):
            logits = self.dna_projection(self.dna_transform(hidden))
            pooled = (logits.softmax(dim=-1) if pooling == "softmax_mean" else logits).mean(dim=1)
        else:
            pooled = self.dna_projection(_pooled(hidden, dna_attention_mask, pooling))
        return _without_empty(functional.normalize(pooled, dim=-1), dna_attention_mask)

    def get_text_features(
        self, input_ids: Tensor, attention_mask: Tensor | None = None, token_type_ids: Tensor | None = None
    ) -> Tensor:
        """Embed names.

        Args:
            input_ids: `(batch, length)`, as the processor makes them.
            attention_mask: `(batch, length)`, 1 where there is a token; None for everywhere.
            token_type_ids: as BERT has them; by default zeros.

        Returns:
            `(batch, projection_dim)`, of length 1.
        """
        self._check("text", input_ids, 2)
        if isinstance(self.text_model, OpenClipTower):
            pooled = self.text_model(input_ids)
        else:
            given = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
            hidden = self.text_model(input_ids, **{name: each for name, each in given.items() if each is not None})
            pooled = _pooled(hidden.last_hidden_state, attention_mask, self.config.text_pooling)
        return functional.normalize(self.text_projection(pooled), dim=-1)

    def scale(self) -> Tensor:
        """Give what cosines are multiplied with: no more than `logit_scale_max`."""
        scale = self.logit_scale.exp()
        return scale if self.config.logit_scale_max is None else scale.clamp(max=self.config.logit_scale_max)

    def forward(
        self,
        pixel_values: Tensor | None = None,
        dna_input_ids: Tensor | None = None,
        dna_attention_mask: Tensor | None = None,
        input_ids: Tensor | None = None,
        attention_mask: Tensor | None = None,
        token_type_ids: Tensor | None = None,
        labels: Tensor | None = None,
        joins: Tensor | None = None,
        text_joins: Tensor | None = None,
        image_present: Tensor | None = None,
        dna_present: Tensor | None = None,
        text_present: Tensor | None = None,
        return_loss: bool = True,
        return_dict: bool | None = None,
    ) -> ClibdOutput | tuple[Tensor, ...]:
        """Embed what is given, and compare it.

        Args:
            pixel_values: see `get_image_features`.
            dna_input_ids: see `get_dna_features`.
            dna_attention_mask: likewise.
            input_ids: see `get_text_features`.
            attention_mask: likewise.
            token_type_ids: likewise.
            labels: of specimens, see `contrastive_loss`; they count where `targets` of the configuration is not
                `identity`, and without any only each specimen itself is right.
            joins: likewise.
            text_joins: of equal names, which no text can tell apart; they count in the pairs that hold texts.
            image_present: which specimens have a photograph, bool of shape (batch,); None for all.
            dna_present: likewise, a barcode.
            text_present: likewise, a name.
            return_loss: compute the loss, where two modalities are given (one of them `bind_to`, if there is such).
            return_dict: False gives a tuple.

        Raises:
            ValueError: nothing is given, or a modality without a tower.
        """
        embeds = {}
        if pixel_values is not None:
            embeds["image"] = self.get_image_features(pixel_values)
        if dna_input_ids is not None:
            embeds["dna"] = self.get_dna_features(dna_input_ids, dna_attention_mask)
        if input_ids is not None:
            embeds["text"] = self.get_text_features(input_ids, attention_mask, token_type_ids)
        if not embeds:
            raise ValueError("nothing is given: use pixel_values, dna_input_ids or input_ids, one or several")
        loss, config = None, self.config
        if return_loss and len(embeds) > 1 and (config.bind_to is None or config.bind_to in embeds):
            same_text = {} if text_joins is None or "text" not in embeds else {"text": text_joins}
            kinds: dict[str, Any] = {"labels": labels, "joins": joins, "joins_of": same_text}
            unlabelled = labels is None and joins is None
            targets = "identity" if unlabelled else config.targets
            there = {"image": image_present, "dna": dna_present, "text": text_present}
            loss = contrastive_loss(
                embeds,
                self.scale(),
                targets=targets,
                present={name: each for name, each in there.items() if each is not None and name in embeds},
                bind_to=config.bind_to,
                gather=config.gather if self.training else None,
                **({} if targets == "identity" else kinds),
            )
        output = ClibdOutput(loss, self.scale(), **{f"{name}_embeds": each for name, each in embeds.items()})
        return output.to_tuple() if return_dict is False else output

    def _check(self, modality: str, given: Tensor, dimensions: int) -> None:
        towers = self.config.modalities or []
        if modality not in towers:
            raise ValueError(f"this model has no tower for {modality}: it has {', '.join(towers)}")
        if given.dim() != dimensions:
            raise ValueError(f"the input for {modality} has shape {tuple(given.shape)}: give {dimensions} dimensions")
        if given.device != self.logit_scale.device:
            here = self.logit_scale.device
            raise ValueError(
                f"the input for {modality} is on {given.device} and the model on {here}: move one of them"
            )


class OpenClipTower(nn.Module):
    """One tower of an open_clip model, without pretrained weights.

    Args:
        config: names architecture and tower.

    Raises:
        ValueError: open_clip has no such architecture.
        ImportError: open_clip is not installed.
    """

    def __init__(self, config: OpenClipConfig) -> None:
        super().__init__()
        try:  # transformers would ask everybody for what is imported elsewhere in this file
            import open_clip  # type: ignore[import-untyped]
        except ModuleNotFoundError as error:
            said = "a tower of open_clip needs it: pip install open_clip_torch"
            raise ModuleNotFoundError(said, name="open_clip") from error

        if config.architecture not in open_clip.list_models():
            raise ValueError(f"open_clip has no architecture {config.architecture!r}: see open_clip.list_models()")
        whole = open_clip.create_model(config.architecture, pretrained=None, force_custom_text=True)
        self.inner = whole.visual if config.tower == "image" else whole.text
        self.width = int(open_clip.get_model_config(config.architecture)["embed_dim"])

    def forward(self, given: Tensor) -> Tensor:
        """Embed photographs, or ids of texts: `(batch, width)`."""
        found: Tensor = self.inner(given)
        return found


def _tower(config: PreTrainedConfig) -> nn.Module:
    if isinstance(config, OpenClipConfig):
        return OpenClipTower(config)
    further = {"add_pooling_layer": False} if config.model_type == "bert" else {}
    return AutoModel.from_config(config, **further)  # type: ignore[no-any-return]


def _image_width(tower: nn.Module) -> int:
    if isinstance(tower, OpenClipTower):
        return tower.width
    inner: Any = tower.timm_model
    return int(getattr(inner, "head_hidden_size", None) or inner.num_features)  # some widen their features at the end


def _text_width(tower: nn.Module, config: PreTrainedConfig) -> int:
    return tower.width if isinstance(tower, OpenClipTower) else int(config.hidden_size)


def _pooled(hidden: Tensor, mask: Tensor | None, pooling: str) -> Tensor:
    if pooling == "cls":
        return hidden[:, 0]
    if pooling == "mean_all" or mask is None:
        return hidden.mean(dim=1)
    weights = mask[..., None].to(hidden.dtype)
    return (hidden * weights).sum(dim=1) / weights.sum(dim=1).clamp(min=1)


def _attended(mask: Tensor) -> Tensor:
    """Let rows without any token attend their first place, so that nothing is divided by zero."""
    first = torch.zeros_like(mask)
    first[:, 0] = 1
    return torch.where(mask.any(dim=1, keepdim=True), mask, first)


def _without_empty(embeds: Tensor, mask: Tensor | None) -> Tensor:
    return embeds if mask is None else embeds * mask.any(dim=1, keepdim=True)
