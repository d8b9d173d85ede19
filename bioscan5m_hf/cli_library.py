"""Commands for a reference library: index; and what predict and calibrate do where the keys are an index."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_console import say
from .errors import Bioscan5mError


if TYPE_CHECKING:
    from .library.calibration import Calibration
    from .library.index import Index
    from .library.specimens import Specimens
    from .library.vectors import Embedder

Loading = tuple[str, str | None, str | None, str]
"""Model, revision, device, type."""

CALIBRATED_ON = ("val", "val_unseen")


class Placing(StrEnum):
    """What is done about places."""

    FLAG = "flag"
    WEIGH = "weigh"


class Shown(StrEnum):
    """What of the specimens is indexed."""

    BOTH = "image+dna"
    IMAGE = "image"
    DNA = "dna"


class KeptIn(StrEnum):
    """What vectors are kept in."""

    FLOAT32 = "float32"
    FLOAT16 = "float16"


class ComputedIn(StrEnum):
    """What a model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


@dataclass(frozen=True)
class Asked:
    """What predict was asked, beside specimens and model.

    Args:
        rank: the narrowest of names.
        within: rank → allowed names.
        top: candidates.
        sure: a name is given from this confidence on.
        place: `flag` or `weigh`.
        near: `LAT,LON` or `LAT,LON,KM`.
        country: of the specimens.
    """

    rank: str
    within: Mapping[str, Sequence[str]]
    top: int
    sure: float
    place: str
    near: str | None
    country: str | None


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    app.command()(index)


def index(
    keys: Annotated[
        list[str],
        typer.Argument(
            help="Dataset folder or Hub id; or folders of photographs and FASTA, CSV, TSV or Parquet files with names."
        ),
    ],
    model: Annotated[str, typer.Option(help="Folder of a CLIBD model, or its id on the Hub.")],
    out: Annotated[Path, typer.Option(help="Folder of the index.")],
    split: Annotated[str | None, typer.Option(help="Splits of a dataset; by default train+key_unseen.")] = None,
    only: Annotated[
        Path | None, typer.Option(help="List of specimens: a processid a line, or a CSV with such a column.")
    ] = None,
    modalities: Annotated[Shown, typer.Option(help="What of the specimens is indexed.")] = Shown.BOTH,
    precision: Annotated[KeptIn, typer.Option(help="What vectors are kept in.")] = KeptIn.FLOAT32,
    calibrate: Annotated[
        bool, typer.Option(help="Calibrate on val+val_unseen at once, where the dataset has them.")
    ] = True,
    revision: Annotated[str | None, typer.Option(help="Revision of the model on the Hub.")] = None,
    device: Annotated[
        str | None, typer.Option(help="cpu, cuda, cuda:1 …; by default CUDA where there is one.")
    ] = None,
    dtype: Annotated[ComputedIn, typer.Option(help="What is computed in.")] = ComputedIn.FLOAT32,
) -> None:
    """Embed key specimens once into a folder, for predict --keys; goes on where it was stopped."""
    from .library.building import build_index
    from .library.calibration import FILE
    from .library.files import open_specimens
    from .library.specimens import DatasetSpecimens, read_ids

    wanted = None if only is None else read_ids(only)
    shown = "image" in modalities.value.split("+")
    specimens = open_specimens(keys, split, only=wanted, photographs=shown)
    if isinstance(specimens, DatasetSpecimens) and split is None and wanted is None:
        specimens = open_specimens(keys, "train+key_unseen", photographs=shown)
    embedder = _embedder((model, revision, device, dtype.value), modalities.value.split("+"))
    _tell(specimens)
    made = build_index(out, embedder, specimens, precision=precision.value, progress=True)
    kept = ", ".join(f"{count:,} with {name}" for name, count in made.about["with"].items())
    say(f"{out}: {len(made):,} keys ({kept}), vectors of {made.about['width']} numbers, by {made.about['model']}")
    for reason, count in made.about["left_out"].items():
        say(f"    {count:,} {reason}")
    if not calibrate or (out / FILE).is_file():
        return
    there = specimens.source.files if isinstance(specimens, DatasetSpecimens) else {}
    if not all(name in there for name in CALIBRATED_ON):
        say(f"not calibrated: {specimens.name} has not both of {', '.join(CALIBRATED_ON)}. To get names:")
        say(f"    {_calibrating('bioscan-5m', model, str(out))}")
        return
    everything = _embedder((model, revision, device, dtype.value))  # whatever the keys have, who asks may have all
    labelled = open_specimens(keys, "+".join(CALIBRATED_ON), photographs="image" in everything.able)
    try:
        _fit(made, everything, labelled, out / FILE)
    except Bioscan5mError as error:
        say(f"not calibrated: {error}")


def predict_by_index(
    given: Sequence[str], split: str | None, folder: str, out: Path, loading: Loading, asked: Asked
) -> None:
    """Name specimens by the keys of an index.

    Args:
        given: folders of photographs, files of barcodes, or a dataset.
        split: of the dataset.
        folder: of the index.
        out: the CSV file.
        loading: the model.
        asked: everything else.
    """
    from .embedding.results import write_names
    from .evaluation.search import Search
    from .library.calibration import own_calibration
    from .library.files import open_specimens
    from .library.index import Index, read_about
    from .library.names import LibraryNaming, restriction_note
    from .library.neighbours import Keys
    from .library.places import FAR, Place, parse_near, place_notes
    from .library.places import Placing as Told

    about = read_about(Path(folder))
    latitude, longitude, far = parse_near(asked.near) if asked.near else (None, None, FAR)
    place = Place(asked.country, latitude, longitude, far)
    embedder = _embedder(loading)
    specimens = open_specimens(given, split, photographs="image" in embedder.able)
    opened = Index.open(folder, embedder.encoder)
    calibration = own_calibration(opened)
    gap = opened.gap() if calibration is None else calibration.gap
    keys = Keys(opened, gap, opened.within(asked.within), Search(device=embedder.device))
    naming = LibraryNaming(
        keys, embedder, calibration, asked.rank, asked.top, asked.sure, place, Told(asked.place)
    )  # fmt: skip
    _tell(specimens)
    for line in restriction_note(keys, calibration):
        say(line)
    for line in [*naming.notes(), *place_notes(naming.sites, place, Told(asked.place))]:
        say(f"note: {line}")
    if calibration is None:
        say("the index is not calibrated: candidates are listed, and all names are left empty. To get names:")
        say(f"    {_calibrating(_labelled(about), loading[0], folder)}")
    count = write_names(out, naming, specimens, progress=True, unit="specimens")
    if naming.problems:
        say(f"{naming.problems:,} specimens with a problem: see the column `problem`")
    say(f"{out}: {count:,} specimens")


def calibrate_index(
    given: Sequence[str], split: str | None, folder: str, out: Path | None, loading: Loading, rank: str
) -> None:
    """Fit an index's calibration.

    Args:
        given: labelled specimens.
        split: of a dataset, by default `val+val_unseen`.
        folder: of the index.
        out: JSON file, by default in the index.
        loading: the model.
        rank: at which ways to compare are compared.
    """
    from .library.calibration import FILE
    from .library.files import open_specimens
    from .library.index import Index
    from .library.specimens import DatasetSpecimens

    specimens = open_specimens(given, split)
    if split is None and isinstance(specimens, DatasetSpecimens):
        specimens = open_specimens(given, "+".join(CALIBRATED_ON))
    embedder = _embedder(loading)
    _fit(Index.open(folder, embedder.encoder), embedder, specimens, out or Path(folder, FILE), rank)


def _fit(opened: Index, embedder: Embedder, labelled: Specimens, path: Path, rank: str = "species") -> None:
    from .library.fitting import calibrate

    fitted = calibrate(opened, embedder, labelled, rank=rank, progress=True)
    fitted.save(path)
    _show(fitted)
    say(str(path))


def _show(fitted: Calibration) -> None:
    """Print, for each kind of query, how it is compared, how sure names are and what looks new."""
    for kind, found in fitted.kinds.items():
        weights = ", ".join(f"{pair} {weight:g}" for pair, weight in fitted.gap.weights[kind].items())
        say(f"{kind}: {'not centred' if kind in fitted.gap.uncentred else 'centred'}, {weights}")
        for rank, one in found.ranks.items():
            errors = found.errors.get(rank, {})
            said = ", ".join(f"{error:.3f} ({split})" for split, error in errors.items()) or "not measured"
            say(f"    {rank:<10} {one.right:,} of {one.specimens:,} right; calibration error {said}")
        say(f"    new species {found.novelty or 'are not told: too few specimens of known species'}")


def _embedder(loading: Loading, modalities: Sequence[str] = ("image", "dna")) -> Embedder:
    from .adapters import load_encoder
    from .library.vectors import Embedder

    return Embedder(load_encoder(*loading), tuple(modalities))


def _labelled(about: Mapping[str, object]) -> str:
    return str(about["source"]) if about["split"] else "bioscan-5m"


def _calibrating(labelled: str, model: str, folder: str) -> str:
    return shlex.join(["bioscan5m", "calibrate", labelled, "--model", model, "--keys", folder])


def _tell(specimens: Specimens) -> None:
    for note in specimens.notes:
        say(f"note: {note}")
