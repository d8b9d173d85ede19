"""Towers that learn by low-rank matrices only, through `peft`; merged into the weights when the run is finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..models.clibd import ClibdModel
from .recipe import RecipeError


TARGETS = r".*\.(qkv|query|value)"
"""What gets matrices unless a recipe says otherwise: attention of timm's towers, and queries and values of BERTs."""


def with_lora(model: ClibdModel, settings: Mapping[str, Any], freeze: Sequence[str] = ()) -> torch.nn.Module:
    """Freeze the towers, and put low-rank matrices beside their weights; projections and the scale go on learning.

    Args:
        model: to be trained.
        settings: fields of `peft.LoraConfig`; without `target_modules`, `TARGETS`.
        freeze: modalities whose towers learn nothing at all.

    Raises:
        RecipeError: a field that there is not, or no module of the wanted names.
    """
    import peft

    outside = [name for name, _ in model.named_children() if name.endswith("_projection")]
    wanted = {"target_modules": TARGETS, "lora_alpha": settings.get("r", 8)} | dict(settings)
    try:
        made = peft.get_peft_model(model, peft.LoraConfig(modules_to_save=outside, **wanted))
    except (TypeError, ValueError) as error:
        raise RecipeError(f"lora is {dict(settings)}: {' '.join(str(error).split())}") from error
    model.logit_scale.requires_grad_(True)
    for modality in freeze:
        getattr(model, f"{modality}_model").requires_grad_(False)
    return made


def merged(model: torch.nn.Module) -> ClibdModel:
    """Add low-rank matrices to the weights beside which they stand; a model without them is given back.

    Args:
        model: of `with_lora`, or a plain one.
    """
    if isinstance(model, ClibdModel):
        return model
    wrapped: Any = model
    whole: ClibdModel = wrapped.merge_and_unload()
    return whole
