"""Writing a release in the official form: zips that are the same whenever written, whole or not there at all."""

from __future__ import annotations

import os
import posixpath
from pathlib import Path
from types import TracebackType
from zipfile import ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

import pyarrow as pa
import pyarrow.csv as pv

from ..splits import image_path
from .kinds import MARKS, Kind
from .packages import METADATA_MEMBERS, PACKAGES, archive_name
from .schema import COLUMN_NAMES


METADATA_ZIP = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
PART = ".part"
"""Ending of a file that is not finished."""


def member(name: str) -> ZipInfo:
    """Describe a stored member of a zip, with the earliest date there is, so that equal content gives equal bytes.

    Examples:
        >>> member("a.jpg").date_time
        (1980, 1, 1, 0, 0, 0)
    """
    info = ZipInfo(name)
    info.create_system, info.external_attr = 3, 0o644 << 16
    return info


_SAID = {
    Kind.INVENTED: "The specimens of this release say that they are invented.\n",
    Kind.OWN: "These are not the specimens of BIOSCAN-5M: `bioscan5m import` took them over into its form.\n",
}


def write_metadata(folder: Path, table: pa.Table, kind: Kind) -> Path:
    """Write the metadata table into the official zip.

    Args:
        folder: of the release.
        table: all columns of the schema; null becomes an empty cell.
        kind: whose specimens they are; the zip says so.

    Returns:
        The zip.
    """
    path = folder / METADATA_ZIP
    beside = path.with_name(path.name + PART)
    with ZipFile(beside, "w", ZIP_DEFLATED, compresslevel=1) as archive:
        if kind in MARKS:
            place = posixpath.join(posixpath.dirname(METADATA_MEMBERS["csv"]), MARKS[kind])
            archive.writestr(member(place), _SAID[kind], ZIP_DEFLATED)
        info = member(METADATA_MEMBERS["csv"])
        info.compress_type = ZIP_DEFLATED
        with archive.open(info, "w", force_zip64=True) as stream:
            options = pv.WriteOptions(quoting_style="needed", quoting_header="none")
            pv.write_csv(table.select(COLUMN_NAMES), stream, options)
    os.replace(beside, path)
    if kind in MARKS:
        (folder / MARKS[kind]).write_text(_SAID[kind], encoding="utf-8")
    return path


class PhotographArchives:
    """The zips of an image package while they are written; they get their names when all is in them.

    Args:
        folder: of the release.
        package: image package.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> with TemporaryDirectory() as folder, PhotographArchives(Path(folder), "original_256") as archives:
        ...     archives.add("val", "AACTA161-20", b"JPEG")
        ...     archives.names()
        ['BIOSCAN_5M_original_256_eval.zip']
    """

    def __init__(self, folder: Path, package: str) -> None:
        self.folder, self.package = folder, package
        self._open: dict[str, ZipFile] = {}

    def __enter__(self) -> PhotographArchives:
        return self

    def add(self, split: str, processid: str, jpeg: bytes) -> None:
        """Put a photograph into its archive, stored as it is."""
        name = archive_name(self.package, split, processid)
        if name not in self._open:
            self._open[name] = ZipFile(self.folder / (name + PART), "w", ZIP_STORED)
        self._open[name].writestr(member(image_path(self.package, split, processid)), jpeg)

    def names(self) -> list[str]:
        """List the archives."""
        return sorted(self._open)

    def _complete(self) -> None:
        """Add the parts that hold nothing: a reader would miss them."""
        parts = [
            one.name for one in PACKAGES if one.image_package == self.package and one.part and len(one.splits) > 1
        ]
        for name in parts if self._open else ():
            if name not in self._open:
                self._open[name] = ZipFile(self.folder / (name + PART), "w", ZIP_STORED)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self._complete()
        for name, archive in self._open.items():
            archive.close()
            beside = self.folder / (name + PART)
            if kind is None:
                os.replace(beside, self.folder / name)
            else:
                beside.unlink()
