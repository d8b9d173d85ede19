"""The files of a release, found in a folder or behind an address."""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from bioscan5m_hf.data.kinds import MARKS, Kind
from bioscan5m_hf.data.packages import IMAGE_PACKAGES, METADATA_MEMBERS, PACKAGES, Package
from bioscan5m_hf.errors import ReleaseError


__all__ = ["IMAGE_PACKAGES", "METADATA_MEMBERS", "PACKAGES", "Archive", "Package", "Release", "Source"]

SEARCH_DEPTH = 2
"""How many folders below the root local files are looked for."""


@dataclass(frozen=True)
class Source:
    """Where the metadata table is read from.

    Args:
        path: a local path or an address that `fsspec` opens.
        member: path inside the zip; None where `path` is the table itself.
        format: `csv` or `jsonld`.

    Examples:
        >>> Source("metadata.csv", None, "csv").format
        'csv'
    """

    path: str
    member: str | None
    format: str


@dataclass(frozen=True)
class Archive:
    """A zip of photographs that was found.

    Args:
        path: a local path or an address that `fsspec` opens.
        package: the package of the official release it is.

    Examples:
        >>> Archive("BIOSCAN_5M_cropped.01.zip", PACKAGES[-3]).package.part
        (1, 2)
    """

    path: str
    package: Package


@dataclass
class Release:
    """The official files under one root; found by their names, never guessed.

    Args:
        root: a local folder, or an address in front of the file names.
        remote: the root is not a local folder.

    Examples:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> _ = (Path(folder) / "BIOSCAN_5M_cropped_256_train.zip").write_bytes(b"")
        >>> release = Release.open(folder)
        >>> release.image_packages()
        ('cropped_256',)
        >>> [archive.package.splits for archive in release.archives("cropped_256")]
        [('train',)]
    """

    root: str
    remote: bool = False
    _found: dict[str, str | None] = field(default_factory=dict, repr=False)
    _unrecognised: tuple[str, ...] = field(default=(), repr=False)

    @classmethod
    def open(cls, root: str | Path) -> Release:
        """Look at a release.

        Args:
            root: a local folder (files may lie up to two folders below it, and the metadata may be extracted), or an
                address such as `https://host/files` or `hf://datasets/bioscan-ml/BIOSCAN-5M`, without a file name.

        Raises:
            ReleaseError: there is no such folder.

        Examples:
            >>> Release.open("https://zenodo.org/records/11973457/files/").root
            'https://zenodo.org/records/11973457/files'
        """
        address = str(root)
        if "://" in address and not address.startswith(("file://", "local://")):
            return cls(address.rstrip("/"), remote=True)
        folder = Path(address.partition("://")[2] or address).expanduser()
        if not folder.is_dir():
            raise ReleaseError(
                f"there is no release folder {address}", hint="give the folder that holds the official zips"
            )
        official = (
            set(MARKS.values())
            | {package.name for package in PACKAGES}
            | {_base(member) for member in METADATA_MEMBERS.values()}
        )
        found: dict[str, str | None] = {}
        strangers = []
        for path in walk(folder):
            if path.name in official:
                found.setdefault(path.name, str(path))
            elif path.suffix.lower() == ".zip":
                strangers.append(str(path.relative_to(folder)))
        for member in METADATA_MEMBERS.values():
            if (folder / member).is_file():
                found.setdefault(_base(member), str(folder / member))
        return cls(str(folder), False, found, tuple(strangers))

    def metadata(self, format: str | None = None) -> Source:
        """Find the metadata table: in the official zip, or extracted.

        Args:
            format: `csv` or `jsonld`; by default CSV where both are there.

        Raises:
            ReleaseError: there is none, or the zip cannot be read.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> _ = (folder / "BIOSCAN_5M_Insect_Dataset_metadata.csv").write_text("processid")
            >>> Release.open(folder).metadata().format
            'csv'
        """
        if format is not None and format not in METADATA_MEMBERS:
            raise ReleaseError(f"unknown metadata format {format!r}", hint=f"use one of {', '.join(METADATA_MEMBERS)}")
        package = next(package for package in PACKAGES if package.kind == "metadata")
        archive = self._locate(package.name)
        members = _members(archive) if archive else {}
        for name in METADATA_MEMBERS if format is None else (format,):
            if archive and name in members:
                return Source(archive, members[name], name)
            extracted = self._locate(_base(METADATA_MEMBERS[name]))
            if extracted:
                return Source(extracted, None, name)
        if archive:
            raise ReleaseError(
                f"holds no {' or '.join(METADATA_MEMBERS) if format is None else format} metadata", file=archive
            )
        raise self._missing(
            "metadata", "metadata", [package], f", or an extracted {_base(METADATA_MEMBERS[format or 'csv'])}"
        )

    def image_packages(self) -> tuple[str, ...]:
        """Give the image packages of which at least one archive is there.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> _ = (folder / "BIOSCAN_5M_cropped.01.zip").write_bytes(b"")
            >>> Release.open(folder).image_packages()
            ('cropped',)
        """
        return tuple(name for name in IMAGE_PACKAGES if self._present(name))

    def archives(self, image_package: str) -> tuple[Archive, ...]:
        """Give the archives of an image package so that no photograph comes twice.

        Of the same photographs in several packages one set is given: the one file of a split rather than its parts,
        and the archives of single splits rather than the one of all splits, unless they leave a split out.

        Args:
            image_package: `cropped_256`, `original_256`, `cropped` or `original_full`.

        Raises:
            ReleaseError: there is no such image package, or no archive of it.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> for suffix in ("pretrain", "pretrain.01", "pretrain.02"):
            ...     _ = (folder / f"BIOSCAN_5M_cropped_256_{suffix}.zip").write_bytes(b"")
            >>> [archive.package.name for archive in Release.open(folder).archives("cropped_256")]
            ['BIOSCAN_5M_cropped_256_pretrain.zip']
        """
        _check_image_package(image_package)
        present = self._present(image_package)
        if not present:
            raise self._missing(f"{image_package} archives", image_package, _packages_of(image_package))
        single = {archive.package.splits for archive in present if archive.package.part is None}
        chosen = [archive for archive in present if not archive.package.part or archive.package.splits not in single]
        whole = [archive for archive in chosen if archive.package.part is None and len(archive.package.splits) == 8]
        if not whole:
            return tuple(chosen)
        pieces = [archive for archive in chosen if archive not in whole]
        missing = {name for archive in pieces for name in _missing_siblings(archive, pieces)}
        covered = {split for archive in pieces for split in archive.package.splits}
        return tuple(pieces) if not missing and covered >= set(whole[0].package.splits) else tuple(whole)

    def missing_parts(self, image_package: str) -> tuple[str, ...]:
        """Name the parts that are missing where other parts of the same package are used.

        Args:
            image_package: `cropped_256`, `original_256`, `cropped` or `original_full`.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> _ = (folder / "BIOSCAN_5M_cropped.01.zip").write_bytes(b"")
            >>> Release.open(folder).missing_parts("cropped")
            ('BIOSCAN_5M_cropped.02.zip',)
        """
        _check_image_package(image_package)
        archives = self.archives(image_package) if self._present(image_package) else ()
        names = [name for archive in archives for name in _missing_siblings(archive, archives)]
        return tuple(dict.fromkeys(names))

    def kind(self) -> Kind:
        """Tell whose specimens these are, by a mark beside the archives or inside that of the metadata."""
        archive = self._locate(next(package.name for package in PACKAGES if package.kind == "metadata"))
        inside = _members(archive) if archive else {}
        marked = (kind for kind, mark in MARKS.items() if mark in inside or self._locate(mark) is not None)
        return next(marked, Kind.OFFICIAL)

    def boxes(self) -> str | None:
        """Give the path of the table of bounding boxes; None where it is not there.

        Examples:
            >>> import tempfile
            >>> folder = Path(tempfile.mkdtemp())
            >>> Release.open(folder).boxes() is None
            True
        """
        return self._locate(next(package.name for package in PACKAGES if package.kind == "boxes"))

    def _present(self, image_package: str) -> list[Archive]:
        packages = _packages_of(image_package)
        return [Archive(path, package) for package in packages if (path := self._locate(package.name))]

    def _locate(self, name: str) -> str | None:
        if self.remote and name not in self._found:
            self._found[name] = _probe(f"{self.root}/{name}")
        return self._found.get(name)

    def _missing(self, what: str, option: str, packages: list[Package], more: str = "") -> ReleaseError:
        names = ", ".join(package.name for package in packages)
        seen = f" (zips that are no official package: {', '.join(self._unrecognised)})" if self._unrecognised else ""
        page = packages[0].page
        if self.remote:
            hint = f"see whether the address is right, or download from {page}"
        elif packages[0].folder:
            hint = f"it is published on Google Drive only: put the files of {page} into the release folder"
        else:
            hint = f"fetch it with `bioscan5m download {self.root} --package {option}`, or from {page}"
        return ReleaseError(f"no {what} in {self.root}: looked for {names}{more}{seen}", hint=hint)


def walk(folder: Path) -> Iterator[Path]:
    """Give the files of a folder, those of at most two folders below included, the folder's own first.

    Examples:
        >>> import tempfile
        >>> list(walk(Path(tempfile.mkdtemp())))
        []
    """
    for here, folders, files in os.walk(folder):
        depth = len(Path(here).relative_to(folder).parts)
        folders[:] = sorted(folders) if depth < SEARCH_DEPTH else []
        yield from (Path(here, name) for name in sorted(files))


def _base(member: str) -> str:
    return member.rpartition("/")[2]


def _check_image_package(name: str) -> None:
    if name not in IMAGE_PACKAGES:
        raise ReleaseError(f"unknown image package {name!r}", hint=f"use one of {', '.join(IMAGE_PACKAGES)}")


def _packages_of(image_package: str) -> list[Package]:
    return [package for package in PACKAGES if package.image_package == image_package]


def _missing_siblings(archive: Archive, archives: list[Archive] | tuple[Archive, ...]) -> list[str]:
    package = archive.package
    if package.part is None:
        return []
    present = {other.package.name for other in archives}
    siblings = [
        other for other in _packages_of(package.image_package or "") if other.part and other.splits == package.splits
    ]
    return [sibling.name for sibling in siblings if sibling.name not in present]


def _probe(address: str) -> str | None:
    import fsspec

    filesystem, path = fsspec.core.url_to_fs(address)
    try:
        filesystem.info(path)
    except FileNotFoundError as error:
        # The HTTP file system gives this error for every failure; what really happened is its cause.
        status = getattr(error.__cause__, "status", 404 if error.__cause__ is None else None)
        if address.startswith("http") and status not in (401, 403, 404, 410):
            raise ReleaseError(
                f"cannot be looked at: {error.__cause__}", file=address, hint="try again later"
            ) from error
        return None
    return address


def _members(archive: str) -> dict[str, str]:
    """Give the metadata members of a zip by format, and the marks; they may lie under other than official folders."""
    names = {_base(member): name for name, member in METADATA_MEMBERS.items()}
    names |= {mark: mark for mark in MARKS.values()}
    try:
        with _open(archive) as stream, zipfile.ZipFile(stream) as zipped:
            return {names[_base(path)]: path for path in zipped.namelist() if _base(path) in names}
    except zipfile.BadZipFile as error:
        hint = "remove it and download it again"
        raise ReleaseError(f"is no complete zip ({error})", file=archive, hint=hint) from error
    except (OSError, ValueError) as error:
        remote = "://" in archive
        hint = "a remote release needs a server that answers byte ranges" if remote else "see whether it is readable"
        raise ReleaseError(f"cannot be read ({error})", file=archive, hint=hint) from error


def _open(path: str) -> IO[bytes]:
    import fsspec

    stream: IO[bytes] = fsspec.open(path, "rb").open()
    return stream
