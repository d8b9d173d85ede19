"""The packages of the official release, declared once: contents, sizes, checksums and addresses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ..splits import BY_NAME, SPLIT_NAMES, chunk


HUB_REPOSITORY = "bioscan-ml/BIOSCAN-5M"
PINNED_REVISION = "eeefb30"
"""Revision of the Hub repository whose metadata package is known to have the md5 given here."""
HUB_REVISION = "main"
"""Revision for packages of which no pinned one is known."""

ZENODO = "https://zenodo.org/records/11973457"
DRIVE = "https://drive.google.com/drive/folders/"
IMAGE_PACKAGES = ("cropped_256", "original_256", "cropped", "original_full")
METADATA, TAXONOMY, SAMPLE = "metadata", "taxonomy", "sample"
CONFIGS = (*IMAGE_PACKAGES, METADATA, TAXONOMY, SAMPLE)
"""The configs of a dataset: one per image package, and those always built (`sample` where there are images)."""
EVAL_SPLITS = ("val", "test", "val_unseen", "test_unseen", "key_unseen", "other_heldout")
METADATA_MEMBERS = {
    "csv": "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv",
    "jsonld": "bioscan5m/metadata/jsonld/BIOSCAN_5M_Insect_Dataset_metadata.jsonld",
}

_UNITS = {"MiB": 2**20, "GB": 10**9}


@dataclass(frozen=True)
class Package:
    """One file of the official release.

    Args:
        name: the official file name.
        kind: `metadata`, `images` or `boxes`.
        image_package: which form of the photographs it holds; None for metadata and boxes.
        splits: official names of the splits it holds; for a part, of those it may hold something of.
        part: number of the part and of all parts, where one package comes in several files.
        bytes: exact size, where published.
        approximate: size in words, where only that is published.
        md5: published checksum.
        mirrors: where it can be fetched, preferred one first: `https://…`, or `hf://datasets/<repository>@<revision>/<file>`.
        folder: address of the Google Drive folder, for a file that is published nowhere else.

    Examples:
        >>> package = find("BIOSCAN_5M_cropped_256_train.zip")
        >>> package.kind, package.splits, package.bytes
        ('images', ('train',), 2224548648)
        >>> package.urls[0]
        'https://zenodo.org/records/11973457/files/BIOSCAN_5M_cropped_256_train.zip'
    """

    name: str
    kind: str
    image_package: str | None = None
    splits: tuple[str, ...] = ()
    part: tuple[int, int] | None = None
    bytes: int | None = None
    approximate: str = ""
    md5: str | None = None
    mirrors: tuple[str, ...] = ()
    folder: str | None = None

    @property
    def urls(self) -> tuple[str, ...]:
        """HTTP addresses of the mirrors; those on the Hub begin with `HF_ENDPOINT`.

        Examples:
            >>> find("BIOSCAN_5M_Insect_bbox.tsv").urls
            ()
        """
        return tuple(_http_address(mirror) for mirror in self.mirrors)

    @property
    def page(self) -> str:
        """Address of the page a person downloads the file from.

        Examples:
            >>> find("BIOSCAN_5M_cropped_256_train.zip").page
            'https://zenodo.org/records/11973457'
        """
        if self.folder:
            return self.folder
        return self.urls[0].partition("/files/")[0].partition("/resolve/")[0]

    @property
    def size(self) -> int | None:
        """Bytes, exact or approximate; None where no size of this one file is published.

        Examples:
            >>> find("BIOSCAN_5M_original_256_eval.zip").size
            1530000000
        """
        rough = re.fullmatch(r"~([\d.,]+) (MiB|GB)", self.approximate)
        return self.bytes if rough is None else round(float(rough[1].replace(",", "")) * _UNITS[rough[2]])

    @property
    def specimens(self) -> int:
        """Number of specimens in the splits of the package (of a part: in the whole package).

        Examples:
            >>> find("BIOSCAN_5M_cropped_256_eval.zip").specimens
            183891
        """
        return sum(BY_NAME[split].specimens for split in self.splits)


def _http_address(mirror: str) -> str:
    if not mirror.startswith("hf://"):
        return mirror
    from huggingface_hub import hf_hub_url

    repository, _, rest = mirror.removeprefix("hf://datasets/").partition("@")
    revision, _, name = rest.partition("/")
    address: str = hf_hub_url(repository, name, repo_type="dataset", revision=revision)
    return address


def _hub(name: str, revision: str = HUB_REVISION) -> str:
    return f"hf://datasets/{HUB_REPOSITORY}@{revision}/{name}"


def _metadata() -> Package:
    name = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
    return Package(
        name,
        "metadata",
        splits=SPLIT_NAMES,
        bytes=2_065_075_527,
        md5="ac381b69fafdbaedc2f9cfb89e3571f7",
        mirrors=(f"{ZENODO}/files/{name}", _hub(name, PINNED_REVISION)),
    )


def _published(
    suffix: str, splits: tuple[str, ...], size: int, md5: str, *, part: tuple[int, int] | None = None
) -> Package:
    # Zenodo lists exact sizes and checksums; pretrain is there in two parts, on the Hub in one file.
    name = f"BIOSCAN_5M_cropped_256_{suffix}.zip"
    mirrors = (f"{ZENODO}/files/{name}",) if part else (f"{ZENODO}/files/{name}", _hub(name))
    return Package(name, "images", "cropped_256", splits, part=part, bytes=size, md5=md5, mirrors=mirrors)


def _hub_only(image_package: str, suffix: str, splits: tuple[str, ...], approximate: str) -> Package:
    name = f"BIOSCAN_5M_{image_package}{suffix}.zip"
    return Package(name, "images", image_package, splits, approximate=approximate, mirrors=(_hub(name),))


def _drive_parts(image_package: str, parts: int, total: str, folder: str) -> tuple[Package, ...]:
    def one(index: int) -> Package:
        name = f"BIOSCAN_5M_{image_package}.{index:02d}.zip"
        approximate = f"{total} in all {parts} parts"
        return Package(
            name, "images", image_package, SPLIT_NAMES, (index, parts), approximate=approximate, folder=DRIVE + folder
        )

    return tuple(one(index) for index in range(1, parts + 1))


PACKAGES: tuple[Package, ...] = (
    _metadata(),
    _published("train", ("train",), 2_224_548_648, "3f170db5d95610644883dafc73389049"),
    _published("eval", EVAL_SPLITS, 1_467_020_347, "16a997f72a8cd08cbcf7becafe2dda50"),
    _published("pretrain.01", ("pretrain",), 17_914_051_002, "0e1cfa86dc7fa4d9c10036990992a2dd", part=(1, 2)),
    _published("pretrain.02", ("pretrain",), 17_702_405_477, "ca3191d307957732e8108121b20a2059", part=(2, 2)),
    _hub_only("cropped_256", "_pretrain", ("pretrain",), "~35.4 GB"),
    _hub_only("cropped_256", "", SPLIT_NAMES, "~39.1 GB"),
    _hub_only("original_256", "", SPLIT_NAMES, "~37.8 GB"),
    _hub_only("original_256", "_eval", EVAL_SPLITS, "~1.53 GB"),
    _hub_only("original_256", "_train", ("train",), "~2,119.7 MiB"),
    _hub_only("original_256", "_pretrain", ("pretrain",), ""),
    *_drive_parts("original_full", 5, "~200 GB", "1li1UCT483OXb7AO_-6SOecTvIfrlKhMz"),
    *_drive_parts("cropped", 2, "~80 GB", "1M2riGzS3x6d2ARUHlWXPOdiFKH8rRXxN"),
    Package(
        "BIOSCAN_5M_Insect_bbox.tsv", "boxes", splits=SPLIT_NAMES, folder=DRIVE + "1i6mSf5P6nmc228RUOfVwer6TVjZXUzeP"
    ),
)
"""Every package that is published; sizes and checksums as Zenodo and the Hub list them."""


def find(name: str) -> Package:
    """Give the package of an official file name.

    Args:
        name: the file name, without a folder.

    Raises:
        LookupError: the release has no such file.

    Examples:
        >>> find("BIOSCAN_5M_cropped.02.zip").part
        (2, 2)
    """
    for package in PACKAGES:
        if package.name == name:
            return package
    raise LookupError(
        f"{name!r} is no file of the official release: {', '.join(package.name for package in PACKAGES)}"
    )


_PARTS = {"original_full": 5, "cropped": 2}


def archive_name(package: str, split: str, processid: str) -> str:
    """Give the official archive for a photograph; parts divide the image folders at the middle, or evenly.

    How the official parts divide the folders is not published; a reader must look into all of them.

    Args:
        package: image package.
        split: split of the specimen.
        processid: process id of the specimen.

    Examples:
        >>> archive_name("cropped_256", "pretrain", "AACTA1040-20"), archive_name("original_256", "val", "AACTA161-20")
        ('BIOSCAN_5M_cropped_256_pretrain.01.zip', 'BIOSCAN_5M_original_256_eval.zip')
    """
    folder = int(chunk(processid, "pretrain") or "0", 16)
    if package in ("original_full", "cropped"):
        return f"BIOSCAN_5M_{package}.{1 + folder * _PARTS[package] // 256:02d}.zip"
    group = split if split in ("pretrain", "train") else "eval"
    part = f".{1 + folder * 2 // 256:02d}" if (package, group) == ("cropped_256", "pretrain") else ""
    return f"BIOSCAN_5M_{package}_{group}{part}.zip"
