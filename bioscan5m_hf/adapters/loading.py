"""From a name to an encoder: a folder, an id on the Hub, a model of open_clip, or a reference line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embedding.checkpoint import CheckpointError, digest_of, fetch, read_json
from .declarations import ADAPTERS, BARCODEBERT, OPEN_CLIP, REFERENCE, TIMM, UNTRAINED_CNN, Adapter


if TYPE_CHECKING:
    import torch

    from .base import Adapted

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


def load_encoder(
    model: str | Path,
    revision: str | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    *,
    preprocessing: str = "library",
) -> Adapted:
    """Load a model as an encoder of the benchmark.

    Only data are read: configurations, vocabularies, and weights as safetensors or through an unpickler that builds
    nothing but tensors. Code in a repository is neither fetched nor run, and no parameter is ever left as it was
    drawn: a tensor that is missing or left over is an error.

    Args:
        model: a folder; an id on the Hub, such as `zhihan1996/DNABERT-2-117M`, `timm/vit_base_patch16_224.dino` or
            `imageomics/bioclip`; `open_clip:` with a name and a tag of open_clip (`open_clip:ViT-B-16/openai`);
            `timm:` or `open_clip:` with a folder or id, where a repository holds both; `reference:cnn-untrained`.
        revision: branch, tag or commit on the Hub.
        device: such as `cpu` or `cuda:1`; by default a CUDA device where there is one.
        dtype: what is computed in: `float32` (the default), `bfloat16` or `float16`. Vectors are float32.
        preprocessing: of images: `library`, the model's own, or `paper`, that of the BIOSCAN-5M paper.

    Returns:
        An object with `embed(barcodes)` or `embed_images(images)`, which give float32 of shape (n, width) in order,
        and `name`, `revision`, `pretrained_on` and `settings`.

    Raises:
        CheckpointError: no such model, none of a known family, or one whose weights do not fit.
        ValueError: no such device, type or preprocessing.

    Examples:
        >>> encoder = load_encoder("reference:cnn-untrained")
        >>> encoder.embed(["ACGT" * 165, None]).shape, encoder.pretrained_on
        ((2, 500), ())
    """
    from ..embedding.kmer_model import chosen_device, chosen_dtype
    from .images import PREPROCESSING

    if preprocessing not in PREPROCESSING:
        raise ValueError(f"preprocessing {preprocessing!r}: use one of {', '.join(PREPROCESSING)}")
    where, precision = chosen_device(device), chosen_dtype(dtype)
    if str(model).startswith("reference:"):
        return _reference(str(model), where, precision)
    place, configs = looked_into(find(str(model), revision))
    family = family_of(configs, place)
    if family.modality == "image":
        return _image(family, place, where, precision, preprocessing)
    return _kmers(place, where, precision)


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


def family_of(configs: Mapping[str, Mapping[str, Any]], place: Place) -> Adapter:
    """Tell a model's family by its configurations.

    Args:
        configs: name of a file → what is in it.
        place: the model, for what its name says and for messages.

    Raises:
        CheckpointError: it is of no known family.
    """
    config = configs.get("config.json", {})
    found = {
        TIMM.name: "architecture" in config,
        OPEN_CLIP.name: "open_clip_config.json" in configs,
        BARCODEBERT.name: config.get("model_type") in ("bert", "barcodebert"),
    }
    known = {adapter.name: adapter for adapter in ADAPTERS}
    name = next((name for name, fits in found.items() if fits and place.library in ("", name)), None)
    if name is None:
        kind = config.get("model_type") or config.get("architecture") or "no known type"
        wanted = place.library or ", ".join(known)
        raise CheckpointError(f"{place.name} is a model of {kind!r}: it can be evaluated if it is of {wanted}")
    return known[name]


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
    architecture, _, tag = name.partition("/")
    if not tag or Path(name).is_dir():
        return name
    from .images import _library

    open_clip = _library("open_clip", "open_clip_torch")
    if architecture not in open_clip.list_models():
        return name
    repository = open_clip.get_pretrained_cfg(architecture, tag).get("hf_hub", "").rstrip("/")
    if not repository:
        tags = ", ".join(open_clip.list_pretrained_tags_by_model(architecture))
        raise CheckpointError(f"open_clip has no weights {tag!r} of {architecture} on the Hub: use one of {tags}")
    return str(repository)


def _reference(name: str, device: torch.device, dtype: torch.dtype) -> Adapted:
    from .kmers import UntrainedEncoder, untrained_cnn

    if name != REFERENCE:
        raise CheckpointError(f"there is no reference line {name!r}: use {REFERENCE}")
    model = untrained_cnn().to(device, dtype)
    settings = UNTRAINED_CNN.settings | {"seed": 0, "dtype": _spelt(dtype)}
    return UntrainedEncoder(model, name=name, revision="seed:0", settings=settings)


def _kmers(place: Place, device: torch.device, dtype: torch.dtype) -> Adapted:
    from ..embedding.encoder import BarcodeEncoder
    from .kmers import KmerEncoder

    encoder = BarcodeEncoder.from_pretrained(place.source, place.revision, device, dtype)
    said = _said(encoder.folder)
    settings = BARCODEBERT.settings | {
        "kmer_size": encoder.k,
        "token_layout": encoder.layout.name,
        "max_nucleotides": encoder.max_nucleotides,
        "dtype": _spelt(dtype),
    }
    data = said or BARCODEBERT.pretrained_on(place.name, place.source)
    return KmerEncoder(encoder, name=place.name, revision=encoder.revision, pretrained_on=data, settings=settings)


def _image(family: Adapter, place: Place, device: torch.device, dtype: torch.dtype, preprocessing: str) -> Adapted:
    from .images import OPENERS, WEIGHTS, ImageEncoder

    weights = WEIGHTS[family.name]
    folder = place.files((*CONFIGS, weights[0]), weights[1:])
    files = [folder / file for file in weights if (folder / file).is_file()][:1]
    if not files:
        raise CheckpointError(f"{place.name} holds no weights: {' or '.join(weights)} is needed")
    model, transform, data = OPENERS[family.name](folder, preprocessing)
    return ImageEncoder(
        model.to(device, dtype),
        transform,
        device=device,
        dtype=dtype,
        name=place.name,
        revision=f"sha256:{digest_of(files)}" if place.local else folder.name,
        pretrained_on=family.pretrained_on(place.name, place.source),
        settings=family.settings | {"preprocessing": preprocessing, "transform": data, "dtype": _spelt(dtype)},
    )


def _said(folder: Path | None) -> tuple[str, ...]:
    """Give the splits that a model's own `config.json` says it was pretrained on."""
    said = read_json(folder / "config.json", str(folder)).get("pretrained_on", ()) if folder else ()
    return tuple(map(str, said)) if isinstance(said, list) else ()


def _spelt(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
