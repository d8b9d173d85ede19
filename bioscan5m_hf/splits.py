"""The eight splits of BIOSCAN-5M, and the little language that combines them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass


@dataclass(frozen=True)
class Split:
    """One split of the official partition.

    Args:
        name: the official name (the validation split is called `val`).
        metasplit: `seen`, `unseen`, or None for the two splits outside the labelled benchmarks.
        chunk_digits: how many hexadecimal digits of MD5(processid) name the image folder.
        role: what the split is for, in one phrase.
        specimens: number of records in the official release.
        barcodes: number of distinct barcodes (raw strings) in the official release.
        species: number of species in the official release; None where no record has one.

    The three numbers are published in the README of `bioscan-ml/BIOSCAN-5M`.
    """

    name: str
    metasplit: str | None
    chunk_digits: int
    role: str
    specimens: int
    barcodes: int
    species: int | None


SPLITS = (
    Split("pretrain", None, 2, "no species label: self- and semi-supervised pretraining", 4_677_756, 2_284_232, None),
    Split("train", "seen", 1, "supervised training; retrieval keys for seen species", 289_203, 118_051, 11_846),
    Split("val", "seen", 0, "model selection", 14_757, 6_588, 3_378),
    Split("test", "seen", 0, "closed-world evaluation", 39_373, 18_362, 3_483),
    Split("key_unseen", "unseen", 0, "retrieval keys for unseen species", 36_465, 12_166, 914),
    Split("val_unseen", "unseen", 0, "open-world model selection", 8_819, 2_442, 903),
    Split("test_unseen", "unseen", 0, "open-world evaluation", 7_887, 3_401, 880),
    Split("other_heldout", None, 1, "further placeholder species: novelty detection", 76_590, 41_250, 9_862),
)

SPLIT_NAMES = tuple(split.name for split in SPLITS)
BY_NAME = {split.name: split for split in SPLITS}
METASPLITS = {
    "seen": tuple(split.name for split in SPLITS if split.metasplit == "seen"),
    "unseen": tuple(split.name for split in SPLITS if split.metasplit == "unseen"),
    "all": SPLIT_NAMES,
}
ALIASES = {"validation": "val"}
OFFICIAL_SPECIMENS = sum(split.specimens for split in SPLITS)


def parse(expression: str) -> tuple[str, ...]:
    """Read a split expression: names, metasplits and aliases joined by `+`.

    Args:
        expression: for example `train`, `validation`, `seen` or `pretrain+seen`; blanks around names are ignored.

    Returns:
        The official names, each once, in the order of first mention.

    Raises:
        ValueError: a part is no split, metasplit or alias.

    Examples:
        >>> parse("pretrain+seen")
        ('pretrain', 'train', 'val', 'test')
        >>> parse("validation + val")
        ('val',)
    """
    names: list[str] = []
    for part in (piece.strip() for piece in expression.split("+")):
        if part in METASPLITS:
            names.extend(METASPLITS[part])
        elif ALIASES.get(part, part) in BY_NAME:
            names.append(ALIASES.get(part, part))
        else:
            allowed = ", ".join((*SPLIT_NAMES, *METASPLITS, *ALIASES))
            raise ValueError(f"unknown split {part!r} in {expression!r}: use one of {allowed}, joined by '+'")
    return tuple(dict.fromkeys(names))


def chunk(processid: str, split: str) -> str | None:
    """Give the image folder of a specimen: the first hexadecimal digits of MD5(processid).

    Args:
        processid: the specimen's BOLD process id.
        split: its official split name.

    Returns:
        Two digits in `pretrain`, one in `train` and `other_heldout`, None in the splits without folders.

    Examples:
        >>> chunk("AACTA1040-20", "pretrain"), chunk("AACTA1026-20", "train"), chunk("AACTA161-20", "val")
        ('00', '0', None)
    """
    digits = BY_NAME[split].chunk_digits
    return hashlib.md5(processid.encode(), usedforsecurity=False).hexdigest()[:digits] or None


def image_path(package: str, split: str, processid: str) -> str:
    """Give the official address of a photograph inside a release archive.

    Args:
        package: an image package, such as `cropped_256`.
        split: the specimen's official split name.
        processid: the specimen's BOLD process id.

    Returns:
        The path inside the archive, with forward slashes.

    Examples:
        >>> image_path("cropped_256", "train", "AACTA1026-20")
        'bioscan5m/images/cropped_256/train/0/AACTA1026-20.jpg'
    """
    parts = ("bioscan5m", "images", package, split, chunk(processid, split), f"{processid}.jpg")
    return "/".join(part for part in parts if part)
