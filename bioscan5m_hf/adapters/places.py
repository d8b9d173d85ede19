"""Where a model lies: a folder, a repository on the Hub, or one that open_clip knows by a name and a tag."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ..embedding.checkpoint import CheckpointError, fetch, read_json


CONFIGS = ("config.json", "open_clip_config.json")
"""What is looked at to tell a family; weights are fetched only when it is known."""


@dataclass(frozen=True)
class Place:
    """A model's name, and where it was found.

    Args:
        name: what it was asked for by.
        source: folder or id on the Hub.
        revision: what was asked for.
        library: `timm` or `open_clip`, where the name says so.
    """

    name: str
    source: str
    revision: str | None
    library: str = ""

    @property
    def local(self) -> bool:
        """Whether it is a folder."""
        return Path(self.source).is_dir()

    def files(self, patterns: tuple[str, ...], pickled: tuple[str, ...] = ()) -> Path:
        """Give the folder with some of its files; those of a repository are fetched."""
        if self.local:
            if self.revision is not None:
                raise CheckpointError(f"{self.source} is a local folder, which has no revision {self.revision!r}")
            return Path(self.source)
        return fetch(self.source, self.revision, patterns, pickled)


def find(name: str, revision: str | None = None) -> Place:
    """Tell where a model lies by its name; nothing is fetched.

    Examples:
        >>> find("timm:someone/tower").library
        'timm'
        >>> find("open_clip:ViT-B-16/openai").source
        'timm/vit_base_patch16_clip_224.openai'
    """
    for library in ("timm", "open_clip"):
        if name.startswith(f"{library}:"):
            rest = name.removeprefix(f"{library}:")
            return Place(name, _of_open_clip(rest) if library == "open_clip" else rest, revision, library)
    return Place(name, name, revision)


def looked_into(place: Place) -> tuple[Place, dict[str, dict[str, Any]]]:
    """Read a model's configurations; from here on a repository is taken at the commit that they are of.

    Raises:
        CheckpointError: there is no such model, or it has none.
    """
    folder = place.files(CONFIGS)
    found = {file: read_json(folder / file, place.name) for file in CONFIGS if (folder / file).is_file()}
    if not found:
        raise CheckpointError(
            f"{place.name} holds no {' or '.join(CONFIGS)}: name the folder or repository of a model"
        )
    return (place if place.local else replace(place, revision=folder.name)), found


def _of_open_clip(name: str) -> str:
    """Give the repository of a name and tag of open_clip, such as `ViT-B-16/openai`; others are given back."""
    if "/" not in name or Path(name).is_dir():
        return name
    from ..models.clibd.open_clip_clibd import name_and_tag
    from .images import _library

    open_clip = _library("open_clip", "open_clip_torch")
    architecture, tag = name_and_tag(name, open_clip.list_models())
    if architecture not in open_clip.list_models():
        return name
    repository = open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "").rstrip("/")
    if not repository:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture))
        raise CheckpointError(f"open_clip has no weights {tag!r} of {architecture} on the Hub: use one of {tags}")
    return str(repository)
