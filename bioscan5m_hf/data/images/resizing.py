"""Photographs of a folder, made smaller."""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from ..workers import executor, ordered_map
from .comments import FOREIGN, is_foreign, made_so, make_comment
from .cropping import QUALITY, SKIPPED, Skipped, check_folders, photographs_of, save_jpeg, write_skipped
from .photographs import PhotographError, open_photograph
from .window import shorter_side


@dataclass(frozen=True)
class Resized:
    """What resizing a folder gave.

    Args:
        photographs: that are there now.
        there: of these, the ones that were there from an earlier run.
        skipped: files that were not resized.
    """

    photographs: int
    there: int
    skipped: list[Skipped]


def resize_folder(
    folder: str | Path,
    out: str | Path,
    short_side: int = 256,
    *,
    quality: int = QUALITY,
    workers: int | None = None,
    progress: bool = False,
) -> Resized:
    """Resize the photographs of a folder to one shorter side; goes on where it was stopped.

    A photograph keeps its place in the folder and its name, as JPEG; its comment has side and quality. `skipped.csv`
    lists what was not resized.

    Args:
        folder: of photographs, with folders in it.
        out: folder to write.
        short_side: pixels of the shorter side.
        quality: of the JPEGs, 1 to 95.
        workers: local processes.
        progress: show a bar, in a terminal.

    Raises:
        ReleaseError: there is no folder, or no photograph in it.
        OutputError: the output is the folder itself, or one of the two lies in the other.
        ValueError: fewer than 1 pixel, or a quality that JPEG does not have.
    """
    from tqdm import tqdm

    folder, out = Path(folder), Path(out)
    if short_side < 1:
        raise ValueError(f"a shorter side of {short_side} pixels: use 1 or more")
    check_folders(folder, out, quality)
    sources, skipped = photographs_of(folder, alike=True)
    jobs = [(source, file, out / Path(file).with_suffix(".jpg")) for file, source in sources.items()]
    made = there = 0
    bar = tqdm(total=len(jobs), unit=" photographs", disable=None if progress else True)
    with executor(workers) as pool, bar:
        for done in ordered_map(pool, functools.partial(_resize, short_side=short_side, quality=quality), jobs):
            bar.update()
            if isinstance(done, Skipped):
                skipped.append(done)
            else:
                made += 1
                there += done
    write_skipped(skipped, out / SKIPPED)
    return Resized(made, there, skipped)


def _resize(job: tuple[Path, str, Path], short_side: int, quality: int) -> bool | Skipped:
    """Resize one photograph; tell whether it was there before, or why it cannot be."""
    source, file, target = job
    said = {"made": "resize", "short_side": short_side, "quality": quality}
    if made_so(target, source, said) is not None:
        return True
    if is_foreign(target, "resize"):
        return Skipped(file, FOREIGN)
    try:
        picture = shorter_side(open_photograph(source), short_side)
    except (PhotographError, ValueError) as error:
        return Skipped(file, str(error))
    save_jpeg(picture, target, quality, make_comment(source, **said))
    return False
