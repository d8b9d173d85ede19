"""Commands for photographs: crop, resize, repackage."""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_console import say
from .data.images.window import RULES


if TYPE_CHECKING:
    from .data.images.cropping import Skipped

RuleName = StrEnum("RuleName", [(name, name) for name in RULES])  # type: ignore[misc]
FIVE = RuleName("5M")

Quality = Annotated[int, typer.Option(min=1, max=95, help="Of the JPEGs; 75 is that of the official crops.")]
Workers = Annotated[int | None, typer.Option(min=1, help="Local processes; by default the processor's cores.")]
Rule = Annotated[RuleName, typer.Option(help="How a box becomes a crop: that of BIOSCAN-5M, or of BIOSCAN-1M.")]


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(crop)
    app.command()(resize)
    app.command()(repackage)


def crop(
    photographs: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    out: Annotated[Path, typer.Argument(help="Folder for the crops, boxes.tsv and skipped.csv.")],
    boxes: Annotated[Path | None, typer.Option(help="Table of known boxes, official or of an earlier crop.")] = None,
    detector: Annotated[
        str | None, typer.Option(help="Detector of objects: folder, or repository on the Hub.")
    ] = None,
    revision: Annotated[str | None, typer.Option(help="Branch, tag or commit of the detector.")] = None,
    device: Annotated[str | None, typer.Option(help="Where the detector computes, such as cpu or cuda.")] = None,
    sure: Annotated[
        float | None, typer.Option(min=0, max=1, help="Score below which a photograph is listed, not cropped.")
    ] = None,
    rule: Rule = FIVE,
    short_side: Annotated[int | None, typer.Option(min=1, help="Pixels of the crops' shorter side.")] = None,
    quality: Quality = 75,
    workers: Workers = None,
) -> None:
    """Crop photographs to their specimens; without boxes and detector, by what differs from the ground."""
    from .data.images import Detector, crop_folder

    if boxes and detector:
        raise ValueError("--boxes and --detector both say where the specimens are: give one of them")
    opened = Detector(detector, device=device, revision=revision) if detector else None
    done = crop_folder(
        photographs,
        out,
        boxes=boxes,
        detector=opened,
        sure=sure,
        rule=RULES[rule.value],
        short_side=short_side,
        quality=quality,
        workers=workers,
        progress=True,
    )
    _tell(done.skipped, out / "skipped.csv")
    earlier = f", {done.there:,} of them from an earlier run" if done.there else ""
    say(f"{out}: {len(done.boxes):,} crops{earlier}, {len(done.skipped):,} files not cropped; boxes.tsv, skipped.csv")


def resize(
    photographs: Annotated[Path, typer.Argument(help="Folder of photographs.")],
    out: Annotated[Path, typer.Argument(help="Folder for the smaller ones.")],
    short_side: Annotated[int, typer.Option(min=1, help="Pixels of the shorter side.")] = 256,
    quality: Quality = 75,
    workers: Workers = None,
) -> None:
    """Make photographs smaller, all of one shorter side."""
    from .data.images import resize_folder

    done = resize_folder(photographs, out, short_side, quality=quality, workers=workers, progress=True)
    _tell(done.skipped, out / "skipped.csv")
    earlier = f", {done.there:,} of them from an earlier run" if done.there else ""
    say(f"{out}: {done.photographs:,} photographs{earlier}, {len(done.skipped):,} files left out")


def repackage(
    release: Annotated[Path, typer.Argument(help="Folder with the zips of original_full.")],
    boxes: Annotated[Path, typer.Option(help="Table of boxes, such as BIOSCAN_5M_Insect_bbox.tsv.")],
    out: Annotated[Path | None, typer.Option(help="Folder of the new zips; by default the release's.")] = None,
    rule: Rule = FIVE,
    quality: Quality = 75,
    workers: Workers = None,
    scheduler: Annotated[str | None, typer.Option(help="Address of a Dask scheduler to use instead.")] = None,
) -> None:
    """Make cropped, original_256 and cropped_256 from originals and boxes, in the official layout."""
    from .data.images import repackage as make
    from .data.images.repackaging import REJECTED

    done = make(
        release,
        boxes,
        out,
        rule=RULES[rule.value],
        quality=quality,
        workers=workers,
        scheduler=scheduler,
        progress=True,
    )
    for package, count in done.photographs.items():
        say(f"{package}: {count:,} photographs")
    if done.earlier:
        say(f"{done.earlier:,} parts were there from an earlier run")
    if done.rejected:
        first = done.rejected[0]
        say(f"{len(done.rejected):,} in {(out or release) / REJECTED}, such as {first.processid}: {first.reason}")


def _tell(skipped: Sequence[Skipped], table: Path | None) -> None:
    for one in skipped[:5]:
        score = "" if one.score is None else f" (score {one.score:.2f})"
        say(f"left out: {one.file}: {one.reason}{score}")
    if len(skipped) > 5:
        say(f"left out: {len(skipped) - 5:,} more" + (f", all in {table}" if table else ""))
