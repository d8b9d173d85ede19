"""From a name to an encoder: a folder, an id on the Hub, a model of open_clip, or a reference line."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..embedding.checkpoint import PICKLED, CheckpointError, digest_of, weight_files
from .declarations import (
    ADAPTERS,
    BARCODEBERT,
    CLIBD,
    CNN,
    DNABERT,
    HYENA,
    NUCLEOTIDE_TRANSFORMER,
    OPEN_CLIP,
    REFERENCE,
    TIMM,
    Adapter,
)
from .places import CONFIGS, Place, find, looked_into


if TYPE_CHECKING:
    import torch

    from .base import Adapted


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
        preprocessing: `library`, as the model's own library does; or `paper`, as the BIOSCAN-5M paper did: with images
            that are not cropped further than to a square, and with barcodes whose padding leaks into their vectors
            (`tokens.PAPER_BASES`).

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
        _no_paper(preprocessing, str(model))
        return _reference(str(model), where, precision)
    place, configs = looked_into(find(str(model), revision))
    family = family_of(configs, place)
    if family.modality == "image":
        return _image(family, place, where, precision, preprocessing)
    if family is BARCODEBERT:
        _no_paper(preprocessing, place.name)
        return _kmers(place, configs["config.json"], where, precision)
    if family is CLIBD:
        _no_paper(preprocessing, place.name)
        return _clibd(place, configs["config.json"], where, precision)
    if family is CNN:
        _no_paper(preprocessing, place.name)
        return _cnn(place, configs["config.json"], where, precision)
    return _genomes(family, place, configs["config.json"], where, precision, preprocessing)


def family_of(configs: Mapping[str, Mapping[str, Any]], place: Place) -> Adapter:
    """Tell a model's family by its configurations.

    Args:
        configs: name of a file → what is in it.
        place: the model, for what its name says and for messages.

    Raises:
        CheckpointError: it is of no known family.
    """
    config = configs.get("config.json", {})
    kind, code = config.get("model_type"), str(config.get("auto_map"))
    found = {
        TIMM.name: "architecture" in config,
        OPEN_CLIP.name: "open_clip_config.json" in configs,
        DNABERT.name: "alibi_starting_size" in config or "bert_layers." in code,
        HYENA.name: kind in ("hyenadna", "hyena"),
        NUCLEOTIDE_TRANSFORMER.name: kind == "esm" or "modeling_esm." in code,
        BARCODEBERT.name: kind in ("bert", "barcodebert"),
        CLIBD.name: kind == "clibd",
        CNN.name: kind is None and {"labels", "max_nucleotides", "kernel_width"} <= config.keys(),
    }
    known = {adapter.name: adapter for adapter in ADAPTERS}
    name = next((name for name, fits in found.items() if fits and place.library in ("", name)), None)
    if name is None:
        called = kind or config.get("architecture") or "no known type"
        wanted = place.library or ", ".join(found)
        raise CheckpointError(f"{place.name} is a model of {called!r}: it can be evaluated if it is of {wanted}")
    return known[name]


def _reference(name: str, device: torch.device, dtype: torch.dtype) -> Adapted:
    from .kmers import CnnEncoder, untrained_cnn

    if name != REFERENCE:
        raise CheckpointError(f"there is no reference line {name!r}: use {REFERENCE}")
    model = untrained_cnn().to(device, dtype)
    settings = CNN.settings | {"seed": 0, "dtype": _spelt(dtype)}
    return CnnEncoder(model, name=name, revision="seed:0", settings=settings)


def _cnn(place: Place, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> Adapted:
    from .kmers import CnnEncoder, trained_cnn

    folder = place.files(("config.json", "model.safetensors"))
    return CnnEncoder(
        trained_cnn(folder, config, place.name).to(device, dtype),
        name=place.name,
        revision=_revision(place, folder, weight_files(folder)),
        pretrained_on=_said(config) or CNN.pretrained_on(place.name, place.source),
        settings=CNN.settings | {"dtype": _spelt(dtype)},
    )


def _clibd(place: Place, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> Adapted:
    from .clibd import FILES, ClibdEncoder, open_clibd

    folder = place.files(FILES)
    model, processor = open_clibd(folder, place.name)
    kept = {name: config[name] for name in ("dna_pooling", "text_pooling", "image_normalize") if name in config}
    return ClibdEncoder(
        model.to(device, dtype),
        processor,
        name=place.name,
        revision=_revision(place, folder, weight_files(folder)),
        pretrained_on=_said(config) or CLIBD.pretrained_on(place.name, place.source),
        settings=CLIBD.settings | kept | {"dtype": _spelt(dtype)},
    )


def _kmers(place: Place, config: Mapping[str, Any], device: torch.device, dtype: torch.dtype) -> Adapted:
    from ..embedding.encoder import BarcodeEncoder
    from .kmers import KmerEncoder

    encoder = BarcodeEncoder.from_pretrained(place.source, place.revision, device, dtype)
    settings = BARCODEBERT.settings | {
        "kmer_size": encoder.k,
        "token_layout": encoder.layout.name,
        "max_nucleotides": encoder.max_nucleotides,
        "dtype": _spelt(dtype),
    }
    data = _said(config) or BARCODEBERT.pretrained_on(place.name, place.source)
    return KmerEncoder(encoder, name=place.name, revision=encoder.revision, pretrained_on=data, settings=settings)


def _genomes(
    family: Adapter,
    place: Place,
    config: Mapping[str, Any],
    device: torch.device,
    dtype: torch.dtype,
    preprocessing: str,
) -> Adapted:
    from .genomes import FILES, OPENERS
    from .tokens import TokenEncoder

    folder = place.files(FILES, (PICKLED,))
    opened = OPENERS[family.name](folder, config, place.name)
    reading = {"preprocessing": preprocessing, "max_tokens": opened.longest, "dtype": _spelt(dtype)}
    return TokenEncoder(
        opened.model.to(device),
        opened.tokenize,
        pad=opened.pad,
        width=opened.width,
        dtype=dtype,
        paper=preprocessing == "paper",
        name=place.name,
        revision=_revision(place, folder, weight_files(folder)),
        pretrained_on=family.pretrained_on(place.name, place.source),
        settings=family.settings | reading,
    )


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
        revision=_revision(place, folder, files),
        pretrained_on=family.pretrained_on(place.name, place.source),
        settings=family.settings | {"preprocessing": preprocessing, "transform": data, "dtype": _spelt(dtype)},
    )


def _no_paper(preprocessing: str, name: str) -> None:
    """Refuse a preprocessing that a family does not have.

    Raises:
        ValueError: it is not `library`.
    """
    if preprocessing != "library":
        raise ValueError(f"{name} has no preprocessing {preprocessing!r}: leave it out")


def _said(config: Mapping[str, Any]) -> tuple[str, ...]:
    """Give the splits that a model's own `config.json` says it was pretrained on."""
    said = config.get("pretrained_on", ())
    return tuple(map(str, said)) if isinstance(said, list) else ()


def _revision(place: Place, folder: Path, weights: list[Path]) -> str:
    """Give the commit of a repository, or the digest of a folder's weights."""
    return f"sha256:{digest_of(weights)}" if place.local else folder.name


def _spelt(dtype: torch.dtype) -> str:
    return str(dtype).removeprefix("torch.")
