"""What CLIBD is shown of a batch of specimens: pixels, ids of barcodes and names, and which of them are alike."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
import xxhash

from ..data.augmentation import Augmentation
from ..data.decode import Frame
from ..data.loader import ImageBatches
from ..data.mapped import MappedBatches
from ..data.workers import default_workers
from ..dna import STANDARD, encode_kmers
from ..dna.kmers import Layout
from ..models.clibd import ClibdConfig, ClibdProcessor
from ..models.clibd.processing_clibd import TEXT_RANKS
from .contrastive import ContrastiveRecipe
from .recipe import RecipeError


PROCESSID, BARCODE, BIN = "processid", "dna_barcode", "dna_bin"
COLUMNS = (PROCESSID, BARCODE, BIN, *TEXT_RANKS)
"""Columns that a specimen's barcode, text and kind are made from."""

RELEASED = Layout("clibd", pad=2, unknown=2, mask=0, first=3, folds=False)
"""The layout of the published weights: they are shown no padding, but barcodes filled up with unknown k-mers."""

EMBEDDED_AT_ONCE = 256
"""Specimens of a batch where nothing is learnt."""

Tensors = dict[str, torch.Tensor]


@dataclass
class Shown:
    """Makes tensors of batches of specimens; the same as the processor's, only faster.

    Args:
        processor: of the model.
        config: of the model.
        kinds: give `labels` (species and BIN), `joins` (barcode) and `text_joins` (all names together), which tell
            specimens that are alike.
    """

    processor: ClibdProcessor
    config: ClibdConfig
    kinds: bool = False
    _texts: dict[tuple[str | None, ...], tuple[list[int], list[int]]] = field(default_factory=dict, repr=False)

    @property
    def frame(self) -> Frame:
        """The size that the image tower wants, and how photographs are brought to it."""
        images: Any = self.processor.image_processor
        crop, size = images.crop_size, images.size
        return Frame((crop["height"], crop["width"]), resize=size["shortest_edge"])

    def __call__(self, batch: Mapping[str, Any]) -> Tensors:
        """Make the tensors of a batch, on the CPU; photographs stay uint8 until they are made `ready`.

        Args:
            batch: `image`, uint8 of shape (n, height, width, 3), and lists of `COLUMNS`, as `ImageBatches` gives.

        Returns:
            Arguments of `ClibdModel`, photographs still as uint8; `image_present` and the like where a specimen lacks
            something.
        """
        made: Tensors = {}
        modalities = self.config.modalities or ()
        if "image" in modalities:
            made["pixel_values"] = torch.from_numpy(batch["image"])
        if "dna" in modalities:
            made |= self.barcodes(batch[BARCODE])
        if "text" in modalities:
            made |= self.texts(list(zip(*(batch[rank] for rank in TEXT_RANKS), strict=True)))
        if self.kinds:
            columns = [_hashed(batch[rank]) for rank in ("species", BIN)]
            made["labels"] = torch.from_numpy(np.stack(columns, axis=1))
            if "text" in modalities:
                names = zip(*(batch[rank] for rank in TEXT_RANKS), strict=True)
                made["text_joins"] = torch.from_numpy(_hashed(["|".join(each or "" for each in row).strip("|")
                                                               for row in names]))  # fmt: skip
            made["joins"] = torch.from_numpy(_hashed([(each or "").strip("Nn") for each in batch[BARCODE]]))
        return made

    def barcodes(self, barcodes: Sequence[str | None]) -> Tensors:
        """Make ids of barcodes, without a Python loop over bases.

        Args:
            barcodes: strings; None or an empty one for a specimen without.
        """
        config = self.config
        k, longest, fills = config.dna_kmer_size, config.dna_max_nucleotides, config.dna_padding == "unknown"
        layout, length = (RELEASED, longest // k) if fills else (STANDARD, None)
        given = [each or "" for each in barcodes]
        encoded = encode_kmers(given, k, layout, max_nucleotides=longest, length=length)
        ids, mask = encoded.ids.astype(np.int64), encoded.mask
        if not ids.shape[1]:
            ids, mask = np.zeros((len(given), 1), np.int64), np.zeros((len(given), 1), bool)
        if config.dna_prefix_id is not None:
            ids = np.pad(ids, ((0, 0), (1, 0)), constant_values=config.dna_prefix_id)
            mask = np.pad(mask, ((0, 0), (1, 0)), constant_values=True)
        made = {"dna_input_ids": torch.from_numpy(ids)}
        if not fills:
            made["dna_attention_mask"] = torch.from_numpy(mask.astype(np.int64))
        return made | _present("dna", [bool(each) for each in barcodes])

    def texts(self, names: Sequence[tuple[str | None, ...]]) -> Tensors:
        """Make ids of names; each combination of names is read once.

        Args:
            names: of each specimen, by `TEXT_RANKS`.
        """
        fresh = [each for each in dict.fromkeys(names) if each not in self._texts]
        if fresh:
            missing = self.processor.missing_rank_token
            texts = [self.processor.text_of(dict(zip(TEXT_RANKS, each, strict=True)), missing) for each in fresh]
            read = self.processor.texts(texts)
            for each, ids, mask in zip(fresh, read["input_ids"], read["attention_mask"], strict=True):
                kept = len(mask) if self.processor.text_padding == "max_length" else int(mask.sum())
                self._texts[each] = ids[:kept].tolist(), mask[:kept].tolist()
        rows = [self._texts[each] for each in names]
        longest = max((len(ids) for ids, _ in rows), default=0)
        pad = self.processor.tokenizer.pad_token_id
        ids = torch.tensor([row + [pad] * (longest - len(row)) for row, _ in rows], dtype=torch.long)
        mask = torch.tensor([row + [0] * (longest - len(row)) for _, row in rows], dtype=torch.long)
        said = [self.processor.missing_rank_token is not None or any(each) for each in names]
        return {"input_ids": ids, "attention_mask": mask} | _present("text", said)

    def ready(self, tensors: Tensors) -> Tensors:
        """Bring photographs into the image tower's own range, on the device where they are.

        As float32 they take four times their memory, so give a piece of a large batch at a time.

        Args:
            tensors: of `__call__`.
        """
        if "pixel_values" not in tensors:
            return tensors
        return tensors | {"pixel_values": self._normalised(tensors["pixel_values"])}

    def _normalised(self, pixels: torch.Tensor) -> torch.Tensor:
        images: Any = self.processor.image_processor
        values = pixels.permute(0, 3, 1, 2).float() * float(images.rescale_factor)
        if not images.do_normalize:
            return values
        mean, std = (
            torch.tensor(each, device=values.device)[:, None, None] for each in (images.image_mean, images.image_std)
        )
        return (values - mean) / std


def open_batches(
    recipe: ContrastiveRecipe,
    split: str,
    frame: Frame,
    *,
    columns: Sequence[str] = COLUMNS,
    share: float | None = None,
    learns: bool = False,
    process: tuple[int, int] = (0, 1),
) -> ImageBatches:
    """Open the specimens of some splits.

    Args:
        recipe: says which dataset, and how it is read.
        split: official names, joined by `+`.
        frame: size of photographs.
        columns: beside the photographs.
        share: of the specimens; by default the recipe's where they are learnt from, else all.
        learns: shuffled, seen in another way each epoch, and in batches that the processes divide evenly; else each
            process has its own specimens.
        process: its number, and how many there are.

    Raises:
        RecipeError: fewer specimens than a batch has.
        ValueError: no such split, or a batch that the processes cannot share.
    """
    kind = ImageBatches if recipe.streaming else MappedBatches
    batches = kind(
        recipe.dataset,
        split=split,
        columns=columns,
        config=recipe.package,
        share=(recipe.share if learns else 1.0) if share is None else share,
        frame=frame,
        batch_size=recipe.batch_size if learns else EMBEDDED_AT_ONCE,
        augmentation=Augmentation() if learns and recipe.augment else None,
        shuffle=learns,
        even=learns,
        seed=recipe.seed,
        rank=process[0],
        world_size=process[1],
        threads=max(1, default_workers() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))),
    )
    if learns and not batches.full_batches:
        raise RecipeError(
            f"{split} of {recipe.dataset} has fewer than the {recipe.batch_size} specimens of a batch: give a smaller "
            "batch_size"
        )
    return batches


def moved(tensors: Tensors, device: torch.device) -> Tensors:
    """Move tensors to a device.

    Args:
        tensors: on the CPU.
        device: of the model.
    """
    if device.type == "cuda":  # pragma: no cover  # no GPU in the tests
        return {name: value.pin_memory().to(device, non_blocking=True) for name, value in tensors.items()}
    return {name: value.to(device) for name, value in tensors.items()}


def pieces_of(tensors: Tensors, size: int | None) -> list[Tensors]:
    """Cut a batch into pieces of about equal size, none larger than so many specimens.

    Args:
        tensors: of equal first dimension n.
        size: of the largest piece; None for all in one.

    Examples:
        >>> [len(piece["labels"]) for piece in pieces_of({"labels": torch.arange(5)}, 3)]
        [3, 2]
    """
    rows = len(next(iter(tensors.values())))
    count = -(-rows // (size or rows))
    cut = {name: value.tensor_split(count) for name, value in tensors.items()}
    return [{name: parts[number] for name, parts in cut.items()} for number in range(count)]


def _hashed(values: Sequence[str | None]) -> np.ndarray[Any, np.dtype[np.int64]]:
    """Number texts, equal ones alike in all processes and batches; -1 for none.

    Of 63 bits, two of five million different texts are alike with a probability of one in a million.
    """
    return np.array([xxhash.xxh3_64_intdigest(value.encode()) >> 1 if value else -1 for value in values], np.int64)


def _present(modality: str, there: Sequence[bool]) -> Tensors:
    return {} if all(there) else {f"{modality}_present": torch.tensor(there)}
