"""Towers of open_clip: from a tag of its own, a repository on the Hub, or a folder."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path
from typing import Literal

from safetensors import SafetensorError
from torch import Tensor

from ..barcodebert.checkpoint_barcodebert import CheckpointError
from .configuration_clibd import OpenClipConfig


OPEN_CLIP = "open_clip:"
"""Stands before a model of open_clip: `open_clip:ViT-L-14/commonpool_xl_laion_s13b_b90k`, `open_clip:hf-hub:ID`, or
`open_clip:local-dir:FOLDER`."""

CLIP_WORDS = 49_408
"""Ids of CLIP's tokenizer."""

UNREADABLE = (OSError, RuntimeError, ValueError, KeyError, TypeError, AssertionError, SafetensorError)
"""What libraries raise where a model cannot be read."""


def open_clip_tower(place: str, tower: Literal["image", "text"]) -> tuple[OpenClipConfig, dict[str, Tensor]]:
    """Open one tower of a model of open_clip.

    Args:
        place: as `OPEN_CLIP` says.
        tower: which.

    Returns:
        Its configuration, and its tensors by the names that they have within our tower.

    Raises:
        CheckpointError: there is no such model, it has no weights, or its text tower reads other words than CLIP's.
    """
    import open_clip  # type: ignore[import-untyped]

    name = place.removeprefix(OPEN_CLIP)
    try:
        if name.startswith(("hf-hub:", "local-dir:")):
            architecture = _architecture(name)
            whole = open_clip.create_model(name, force_custom_text=True, require_pretrained=True)
        else:
            architecture, tag = name_and_tag(name, open_clip.list_models())
            known = open_clip.list_pretrained_tags_by_model(architecture)
            if tag not in known:
                raise ValueError(
                    f"it names no weights, as {OPEN_CLIP}NAME/TAG does: use one of {', '.join(known) or '-'}"
                )
            whole = open_clip.create_model(
                architecture, pretrained=tag, force_custom_text=True, require_pretrained=True
            )
        if tower == "text":
            check_words(architecture)
    except UNREADABLE as error:
        raise CheckpointError(f"{place} cannot be opened by open_clip: {short(error)}") from error
    inner = whole.visual if tower == "image" else whole.text
    context = open_clip.get_model_config(architecture)["text_cfg"].get("context_length", 77)
    seen = getattr(whole.visual, "preprocess_cfg", {}) if tower == "image" else {}
    colours = [[float(each) for each in seen[name]] if seen.get(name) else None for name in ("mean", "std")]
    config = OpenClipConfig(
        architecture=architecture,
        tower=tower,
        context_length=context,
        image_mean=colours[0],
        image_std=colours[1],
    )
    state = {f"inner.{key}": value for key, value in inner.state_dict().items()}
    return config, state


def name_and_tag(name: str, known: Collection[str]) -> tuple[str, str]:
    """Split what names a model of open_clip; as there, an architecture may be written with slashes.

    Args:
        name: `NAME/TAG`, or `NAME`.
        known: architectures.

    Returns:
        Architecture and tag; an empty tag where there is none.

    Examples:
        >>> name_and_tag("ViT-L/14/openai", ["ViT-L-14"]), name_and_tag("ViT-L/14", ["ViT-L-14"])
        (('ViT-L-14', 'openai'), ('ViT-L-14', ''))
    """
    whole = name.replace("/", "-")
    architecture, slash, tag = name.rpartition("/")
    if whole in known or not slash:
        return whole, ""
    return architecture.replace("/", "-"), tag


def check_words(architecture: str) -> None:
    """Refuse a text tower that reads other words than those of CLIP.

    Raises:
        ValueError: it has a tokenizer of its own, or another number of ids.
    """
    import open_clip

    text = open_clip.get_model_config(architecture)["text_cfg"]
    other = text.get("hf_tokenizer_name") or text.get("hf_model_name")
    if other or text.get("vocab_size", CLIP_WORDS) != CLIP_WORDS:
        raise ValueError(f"its text tower reads the words of {other or 'another tokenizer'}, not CLIP's: take another")


def _architecture(name: str) -> str:
    """Give the name that open_clip has for the architecture of a repository."""
    import open_clip

    kind, _, place = name.partition(":")
    if kind == "hf-hub":
        from huggingface_hub import hf_hub_download

        place = str(Path(hf_hub_download(place, "open_clip_config.json")).parent)
    wanted = json.loads((Path(place) / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    found = [known for known in open_clip.list_models() if open_clip.get_model_config(known) == wanted]
    if not found:
        raise ValueError("its architecture is none of open_clip.list_models()")
    return str(found[0])


def short(error: Exception) -> str:
    """Give what an error says, in one line."""
    return " ".join(str(error).split())[:300]
