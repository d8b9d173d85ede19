"""What is measured on: invented releases, the datasets built from them, and the peer's files; each made once."""

from __future__ import annotations

import itertools
import shutil
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import measure


PACKAGE = "cropped_256"
SEED = 5
METADATA_ZIP = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
CSV_MEMBER = "bioscan5m/metadata/csv/BIOSCAN_5M_Insect_Dataset_metadata.csv"


@dataclass(frozen=True)
class Bench:
    """Sizes of a run, and where its material lies.

    Args:
        work: folder for everything that is made.
        images: specimens with photographs.
        different: photographs that are drawn; the others repeat their bytes.
        rows: rows of metadata, for the row `val` and the build.
        max_rows: rows of the largest release.
        repeats: of each measurement.
    """

    work: Path
    images: int
    different: int
    rows: int
    max_rows: int
    repeats: int

    @property
    def home(self) -> Path:
        """The `HF_HOME` that is shared by all that need not start cold."""
        return self.work / "home"

    def fresh_home(self) -> Path:
        """Give an empty `HF_HOME`."""
        folder = self.work / "fresh-home"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder

    def photographs(self, times: int = 1) -> Path:
        """Give the release with photographs, or one with so many times as many."""
        name = "photographs" if times == 1 else f"photographs-{times}"
        return self._once(f"{name}/release", "photographs", images=times * self.images, different=self.different)

    def photograph_dataset(self) -> Path:
        """Give the dataset built from `photographs`."""
        return self._once("photographs/bioscan-5m", "dataset", release=self.photographs(), packages=[PACKAGE])

    def photograph_tree(self) -> Path:
        """Give the folder the release with photographs is extracted into, as the peer needs it."""
        return self._once("photographs/tree", "extract", release=self.photographs())

    def metadata(self, rows: int) -> Path:
        """Give a release without photographs: the first rows of the largest one."""
        if rows >= self.max_rows:
            return self._once(f"rows-{rows}/release", "metadata", rows=rows)
        return self._once(f"rows-{rows}/release", "first_rows", release=self.metadata(self.max_rows), rows=rows)

    def metadata_dataset(self, rows: int) -> Path:
        """Give the dataset built from `metadata`."""
        return self._once(f"rows-{rows}/bioscan-5m", "dataset", release=self.metadata(rows), packages=[])

    def metadata_tree(self, rows: int) -> Path:
        """Give the folder `metadata` is extracted into."""
        return self._once(f"rows-{rows}/tree", "extract", release=self.metadata(rows))

    def drop(self, rows: int) -> None:
        """Delete what was made of a number of rows."""
        shutil.rmtree(self.work / f"rows-{rows}", ignore_errors=True)

    def _once(self, name: str, function: str, **given: Any) -> Path:
        folder = self.work / name
        done = folder.with_name(f"{folder.name}.done")
        if not done.exists():
            shutil.rmtree(folder, ignore_errors=True)
            folder.parent.mkdir(parents=True, exist_ok=True)
            start = time.perf_counter()
            measure.call(f"material:make_{function}", home=self.home, folder=folder, **given)
            done.touch()
            print(f"  made {name} in {time.perf_counter() - start:.0f} s", flush=True)
        return folder


def make_metadata(folder: str, rows: int) -> None:
    """Invent a release without photographs."""
    from bioscan5m_hf.synthetic import synthesize

    synthesize(folder, specimens=rows, seed=SEED, metadata_only=True, jsonld=False)


def make_first_rows(folder: str, release: str, rows: int) -> None:
    """Write a release of the first rows of another one; rows are in no order, so all splits are there."""
    Path(folder).mkdir()
    for name in ("README.md", "INVENTED.txt"):
        shutil.copy(Path(release, name), folder)
    with (
        zipfile.ZipFile(Path(release, METADATA_ZIP)) as source,
        zipfile.ZipFile(Path(folder, METADATA_ZIP), "w", zipfile.ZIP_DEFLATED, compresslevel=1) as target,
        source.open(CSV_MEMBER) as lines,
        target.open(CSV_MEMBER, "w", force_zip64=True) as written,
    ):
        remaining = itertools.islice(lines, rows + 1)
        while block := b"".join(itertools.islice(remaining, 20_000)):
            written.write(block)


def make_photographs(folder: str, images: int, different: int) -> None:
    """Invent a release with photographs, of which only some are drawn; the others repeat their bytes."""
    from bioscan5m_hf.splits import image_path
    from bioscan5m_hf.synthetic import synthesize
    from bioscan5m_hf.synthetic.release import archive_name
    from bioscan5m_hf.synthetic.writing import member

    drawn = Path(f"{folder}.drawn")
    shutil.rmtree(drawn, ignore_errors=True)
    synthesize(drawn, specimens=different, seed=SEED, packages=[PACKAGE], jsonld=False)
    data = itertools.cycle([content for path in archives(drawn) for _, content in members(path)])
    synthesize(folder, specimens=images, seed=SEED, metadata_only=True, jsonld=False)
    opened: dict[str, zipfile.ZipFile] = {}
    for processid, split in specimens(Path(folder)):
        name = archive_name(PACKAGE, split, processid)
        if name not in opened:
            opened[name] = zipfile.ZipFile(Path(folder, name), "w")
        opened[name].writestr(member(image_path(PACKAGE, split, processid)), next(data))
    for archive in opened.values():
        archive.close()
    shutil.rmtree(drawn)


def make_dataset(folder: str, release: str, packages: list[str]) -> None:
    """Build a dataset with two workers."""
    from bioscan5m_hf.data.build import Options, build

    build(release, folder, packages, Options(workers=2))


def make_extract(folder: str, release: str) -> None:
    """Extract all zips of a release over each other."""
    for path in Path(release).glob("*.zip"):
        with zipfile.ZipFile(path) as archive:
            archive.extractall(folder)


def archives(release: Path) -> list[Path]:
    """Give the zips with photographs."""
    return sorted(path for path in Path(release).glob("*.zip") if path.name != METADATA_ZIP)


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Read every member of a zip."""
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            yield name, archive.read(name)


def specimens(release: Path) -> Iterator[tuple[str, str]]:
    """Give processid and split of every row of the metadata."""
    import csv

    with zipfile.ZipFile(release / METADATA_ZIP) as archive, archive.open(CSV_MEMBER) as stream:
        for row in csv.DictReader(line.decode() for line in stream):
            yield row["processid"], row["split"]
