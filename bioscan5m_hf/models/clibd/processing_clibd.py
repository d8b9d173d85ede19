"""What CLIBD is shown: photographs, barcodes and names of specimens as tensors."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from PIL import Image, ImageOps
from transformers import BatchFeature
from transformers.processing_utils import ProcessorMixin


TEXT_RANKS = ("order", "family", "genus", "species")
"""Ranks of a text, as CLIBD's authors join them."""


class ClibdProcessor(ProcessorMixin):
    """Photographs, barcodes and names as tensors, with what the towers want of each.

    Args:
        image_processor: of transformers, with the image tower's own size and normalisation.
        dna_tokenizer: of k-mers.
        tokenizer: of words.
        dna_max_nucleotides: bases that are read.
        dna_prefix_id: id before the k-mers, or None.
        dna_padding: `mask` pads shorter barcodes; `unknown` fills them up with N, which is read.
        text_max_length: tokens of a text.
        text_padding: `longest` of a batch, or `max_length`, as the published weights want.
        missing_rank_token: what stands for a rank that is not known, or None, which leaves it out.

    Examples:
        >>> ClibdProcessor.text_of({"order": "Diptera", "genus": "Megaselia"})
        'Diptera Megaselia'
    """

    def __init__(
        self,
        image_processor: Any = None,
        dna_tokenizer: Any = None,
        tokenizer: Any = None,
        dna_max_nucleotides: int = 660,
        dna_prefix_id: int | None = None,
        dna_padding: str = "mask",
        text_max_length: int = 32,
        text_padding: str = "longest",
        missing_rank_token: str | None = None,
        **kwargs: Any,
    ) -> None:
        self.dna_max_nucleotides, self.dna_prefix_id, self.dna_padding = (
            dna_max_nucleotides,
            dna_prefix_id,
            dna_padding,
        )
        self.text_max_length, self.text_padding = text_max_length, text_padding
        self.missing_rank_token = missing_rank_token
        super().__init__(image_processor, dna_tokenizer, tokenizer, **kwargs)

    def __call__(
        self,
        images: Sequence[Image.Image | None] | Image.Image | None = None,
        dna: Sequence[str | None] | str | None = None,
        taxonomy: Sequence[Mapping[str, str | None] | None] | Mapping[str, str | None] | None = None,
        text: Sequence[str | None] | str | None = None,
        return_tensors: str = "pt",
        **kwargs: Any,
    ) -> BatchFeature:
        """Make tensors of specimens; what a specimen lacks is None.

        Args:
            images: photographs, in any mode and orientation.
            dna: barcodes; lower case and RNA where the tokenizer takes them.
            taxonomy: names by rank; or give `text`.
            text: names as they are to be read.
            return_tensors: `pt`.
            **kwargs: for the image processor.

        Returns:
            `pixel_values`, `dna_input_ids`, `dna_attention_mask`, `input_ids` and `attention_mask` of what is given,
            and `image_present`, `dna_present`, `text_present` where something is None.

        Raises:
            ValueError: nothing is given, other numbers of one than of another, no photograph, or no text.
        """
        if return_tensors != "pt":
            raise ValueError(f"return_tensors is {return_tensors!r}: use 'pt'")
        if taxonomy is not None and text is not None:
            raise ValueError("give taxonomy or text, not both")
        given = {"images": _many(images), "dna": _many(dna), "text": _many(text)}
        if taxonomy is not None:
            given["text"] = [
                None if one is None else self.text_of(one, self.missing_rank_token) for one in _many(taxonomy) or []
            ]
        sizes = {name: len(each) for name, each in given.items() if each is not None}
        if not sizes or 0 in sizes.values():
            raise ValueError("nothing is given: use images, dna, taxonomy or text, with one specimen or more")
        if len(set(sizes.values())) > 1:
            raise ValueError(
                f"there are {', '.join(f'{size} {name}' for name, size in sizes.items())}: give one for each"
            )
        made: dict[str, Any] = {}
        if given["images"] is not None:
            made |= self.images(given["images"], **kwargs)
        if given["dna"] is not None:
            made |= self.barcodes(given["dna"])
        if given["text"] is not None:
            made |= self.texts(given["text"])
        return BatchFeature(made)

    def images(self, images: Sequence[Image.Image | None], **kwargs: Any) -> dict[str, torch.Tensor]:
        """Make `pixel_values` of photographs.

        Args:
            images: photographs; None gives grey.
            **kwargs: for the image processor.
        """
        pictures = [Image.new("RGB", (8, 8), "grey") if image is None else opened(image) for image in images]
        pixels = self.image_processor(pictures, return_tensors="pt", **kwargs)["pixel_values"]
        return {"pixel_values": pixels} | _present("image", images)

    def barcodes(self, barcodes: Sequence[str | None]) -> dict[str, torch.Tensor]:
        """Make ids of barcodes.

        Args:
            barcodes: strings; None gives no k-mer.

        Raises:
            ValueError: something else than a string.
        """
        if wrong := [one for one in barcodes if one is not None and not isinstance(one, str)]:
            raise ValueError(f"a barcode is a string, not {type(wrong[0]).__name__}")
        read = [(barcode or "")[: self.dna_max_nucleotides] for barcode in barcodes]
        fills = self.dna_padding == "unknown"
        if fills:
            read = [barcode.ljust(self.dna_max_nucleotides, "N") for barcode in read]
        tokenizer: Any = self.dna_tokenizer  # type: ignore[attr-defined]
        found = tokenizer(read, padding=True, add_special_tokens=False, return_tensors=None)
        ids, mask = (torch.tensor(found[name], dtype=torch.long) for name in ("input_ids", "attention_mask"))
        if not ids.shape[1]:
            ids, mask = ids.new_zeros(len(read), 1), mask.new_zeros(len(read), 1)
        if self.dna_prefix_id is not None:
            ids = torch.cat([ids.new_full((len(read), 1), self.dna_prefix_id), ids], dim=1)
            mask = torch.cat([mask.new_ones(len(read), 1), mask], dim=1)
        made = {"dna_input_ids": ids} | ({} if fills else {"dna_attention_mask": mask})
        return made | _present("dna", barcodes)

    def texts(self, texts: Sequence[str | None]) -> dict[str, torch.Tensor]:
        """Make ids of names.

        Args:
            texts: strings; None gives an empty one.
        """
        padding = "max_length" if self.text_padding == "max_length" else True
        found = self.tokenizer(
            [text or "" for text in texts],
            padding=padding,
            truncation=True,
            max_length=self.text_max_length,
            return_tensors=None,
        )
        ids, mask = (torch.tensor(found[name], dtype=torch.long) for name in ("input_ids", "attention_mask"))
        if not ids.shape[1]:
            ids, mask = ids.new_zeros(len(texts), 1), mask.new_zeros(len(texts), 1)
        return {"input_ids": ids, "attention_mask": mask} | _present("text", texts)

    @staticmethod
    def text_of(names: Mapping[str, str | None], missing: str | None = None) -> str:
        """Join the names of a specimen from order to species.

        Args:
            names: by rank; other ranks are not read.
            missing: what stands for a rank that is not known, or None, which leaves it out.

        Examples:
            >>> ClibdProcessor.text_of({"order": "Diptera", "genus": "Megaselia"}, "not_classified")
            'Diptera not_classified Megaselia not_classified'
        """
        found = (names.get(rank) or missing for rank in TEXT_RANKS)
        return " ".join(name for name in found if name)

    @property
    def model_input_names(self) -> list[str]:
        """What the model takes."""
        return ["pixel_values", "dna_input_ids", "dna_attention_mask", "input_ids", "attention_mask"]


def opened(image: Any) -> Image.Image:
    """Give a photograph upright and in RGB, whatever its mode.

    Args:
        image: of PIL.

    Raises:
        ValueError: it is none, or its file is damaged.
    """
    if not isinstance(image, Image.Image):
        raise ValueError(f"a photograph is an image of PIL, not {type(image).__name__}: open it with PIL.Image.open")
    try:
        upright = ImageOps.exif_transpose(image)
        if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
            upright = upright.convert("RGBA")
            ground = Image.new("RGBA", upright.size, "white")
            return Image.alpha_composite(ground, upright).convert("RGB")
        return upright.convert("RGB")
    except (OSError, SyntaxError, ValueError) as error:
        name = getattr(image, "filename", "") or "a photograph"
        raise ValueError(f"{name} cannot be read: {error}") from error


def _many(given: Any) -> list[Any] | None:
    if given is None:
        return None
    return [given] if isinstance(given, str | Mapping | Image.Image) else list(given)


def _present(modality: str, given: Sequence[object]) -> dict[str, torch.Tensor]:
    there = [one is not None for one in given]
    return {} if all(there) else {f"{modality}_present": torch.tensor(there)}
