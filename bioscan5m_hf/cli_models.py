"""Commands that need a model: embed, convert, predict, calibrate. Each imports what it needs when it runs."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from .cli_console import say
from .cli_library import Asked, Placing, calibrate_index, predict_by_index
from .taxonomy import LABELS


if TYPE_CHECKING:
    import pyarrow as pa

    from .embedding.classification import Classification
    from .embedding.inputs import Input
    from .embedding.matching import Matching

Rank = StrEnum("Rank", [(name, name) for name in LABELS])  # type: ignore[misc]


class Architecture(StrEnum):
    """Whose checkpoints can be converted."""

    BARCODEBERT = "barcodebert"
    CLIBD = "clibd"


class Precision(StrEnum):
    """What a model computes in."""

    FLOAT32 = "float32"
    BFLOAT16 = "bfloat16"
    FLOAT16 = "float16"


Barcodes = Annotated[
    str,
    typer.Argument(
        help="FASTA, CSV, TSV or Parquet file (columns processid and dna_barcode), dataset folder, or Hub id."
    ),
]
Model = Annotated[str, typer.Option(help="Folder of a model, or its id on the Hub.")]
Revision = Annotated[str | None, typer.Option(help="Revision of the model on the Hub.")]
Split = Annotated[str | None, typer.Option(help="Splits of a dataset, joined by +; by default all.")]
BatchSize = Annotated[int, typer.Option(min=1, help="Barcodes computed together.")]
Device = Annotated[str | None, typer.Option(help="cpu, cuda, cuda:1 …; by default CUDA where there is one.")]
Dtype = Annotated[Precision, typer.Option(help="What is computed in.")]
Frames = Annotated[bool, typer.Option("--average-frames", help="Average over the k frame offsets; k times slower.")]
Keys = Annotated[
    str | None,
    typer.Option(help="Compare with these: an index, or for barcodes a dataset or a file with taxon columns."),
]
Cache = Annotated[Path | None, typer.Option(help="Parquet file of the keys' embeddings; by default in the HF cache.")]
AskedRank = Annotated[Rank, typer.Option(help="The narrowest rank at which names are given.")]
TaxonomyOf = Annotated[
    str | None, typer.Option(help="Dataset whose taxonomy says what stands above the model's names.")
]
_SPECIES = Rank("species")


def register(app: typer.Typer) -> None:
    """Add the commands to the application."""
    for command in (embed, convert, predict, calibrate):
        app.command()(command)


def embed(
    barcodes: Barcodes,
    model: Model,
    out: Annotated[Path, typer.Option(help="Parquet file to write.")],
    split: Split = None,
    revision: Revision = None,
    batch_size: BatchSize = 512,
    device: Device = None,
    dtype: Dtype = Precision.FLOAT32,
    average_frames: Frames = False,
) -> None:
    """Embed barcodes: processid and embedding, and in the file's metadata what made them."""
    from .embedding.encoder import BarcodeEncoder
    from .embedding.inputs import open_input
    from .embedding.vectors import write_parquet

    records = open_input(barcodes, split)
    encoder = BarcodeEncoder.from_pretrained(model, revision, device, dtype.value)
    offsets = encoder.frames if average_frames else (0,)
    origin = encoder.origin(offsets) | {"source": records.name, "split": records.split or ""}
    batches = encoder.embed_batches(_shown(records), batch_size, offsets=offsets)
    rows = write_parquet(out, batches, origin)
    say(f"{out}: {rows:,} embeddings of {encoder.width} numbers, by {encoder.name} ({encoder.revision})")


def convert(
    architecture: Annotated[Architecture, typer.Argument(help="Whose checkpoint it is.")],
    checkpoint: Annotated[Path, typer.Argument(help="The authors' file; nothing in it is executed.")],
    folder: Annotated[Path, typer.Argument(help="Folder of the model to write.")],
    heads: Annotated[int | None, typer.Option(min=1, help="Attention heads, where the file does not say.")] = None,
    kmer_size: Annotated[int | None, typer.Option(min=2, max=8, help="What k should be.")] = None,
    labels: Annotated[Path | None, typer.Option(help="Names of a fine-tuned model's classes, one a line.")] = None,
    rank: Annotated[Rank, typer.Option(help="Rank of these names.")] = _SPECIES,
    tokenizer: Annotated[
        str, typer.Option(help="Of CLIBD's text tower, folder or Hub id; its authors take BERT's.")
    ] = "bert-base-uncased",
) -> None:
    """Convert an original checkpoint to a folder that AutoModel loads."""
    if not checkpoint.is_file():
        raise ValueError(f"there is no file {checkpoint}: name the authors' {architecture.value} checkpoint")
    if architecture is Architecture.CLIBD:
        from .models.clibd.convert_clibd import convert as write_clibd

        if any(given is not None for given in (heads, kmer_size, labels)):
            raise ValueError("--heads, --kmer-size and --labels are for barcodebert: leave them out")
        written = write_clibd(checkpoint, folder, tokenizer=tokenizer)
        say(f"{written}: load it with AutoModel.from_pretrained and AutoProcessor.from_pretrained")
        return
    from .models.barcodebert.convert_barcodebert import convert as write

    names = None if labels is None else labels.read_text(encoding="utf-8").splitlines()
    written = write(checkpoint, folder, kmer_size=kmer_size, heads=heads, labels=names, rank=rank.value)
    say(f"{written}: load it with AutoModel.from_pretrained or BarcodeEncoder.from_pretrained")


def predict(
    specimens: Annotated[
        list[str],
        typer.Argument(
            help="Barcodes: a FASTA, CSV, TSV or Parquet file, dataset folder, or Hub id. By an index several, "
            "and folders of photographs: what has one processid is one specimen."
        ),
    ],
    model: Model,
    out: Annotated[Path, typer.Option(help="CSV file to write.")],
    rank: AskedRank = _SPECIES,
    within: Annotated[
        list[str] | None, typer.Option(help="Allowed taxon, such as order=Diptera; may be repeated.")
    ] = None,
    top: Annotated[
        int | None, typer.Option(min=1, help="Candidates, best first: by default 1, by an index 5.")
    ] = None,
    split: Split = None,
    revision: Revision = None,
    keys: Keys = None,
    key_split: Annotated[str | None, typer.Option(help="Splits of the keys; by default train+key_unseen.")] = None,
    cache: Cache = None,
    thresholds: Annotated[
        Path | None, typer.Option(help="What `bioscan5m calibrate` wrote; by default the model's own.")
    ] = None,
    taxonomy: TaxonomyOf = None,
    batch_size: BatchSize = 512,
    device: Device = None,
    dtype: Dtype = Precision.FLOAT32,
    average_frames: Frames = False,
    sure: Annotated[float, typer.Option(help="By an index: a name is given from this confidence on.")] = 0.9,
    place: Annotated[
        Placing,
        typer.Option(help="By an index: tell where keys are from, or let those from elsewhere count half, too."),
    ] = Placing.FLAG,
    near: Annotated[str | None, typer.Option(help="By an index: where specimens are from, as LAT,LON[,KM].")] = None,
    country: Annotated[str | None, typer.Option(help="By an index: the country specimens are from.")] = None,
) -> None:
    """Name specimens: barcodes by a fine-tuned model, or with --keys barcodes and photographs by the nearest keys.

    A name is given at the deepest rank that the evidence supports, and left empty where it supports none: thresholds
    say from when on, and `bioscan5m calibrate` fits them.
    """
    from .embedding.inputs import open_input
    from .embedding.lineage import parse_within
    from .embedding.results import write_names
    from .embedding.thresholds import Thresholds

    allowed = parse_within(within or [])
    loading = (model, revision, device, dtype.value)
    if keys is not None and _is_index(keys):
        if key_split or cache or thresholds or taxonomy or average_frames:
            raise ValueError(
                f"{keys} is an index, with splits and calibration of its own: leave --key-split, --cache, "
                "--thresholds, --taxonomy and --average-frames out"
            )
        asked = Asked(rank.value, allowed, top or 5, sure, place.value, near, country)
        predict_by_index(specimens, split, keys, out, loading, asked)
        return
    if near or country or place is not Placing.FLAG or len(specimens) > 1:
        raise ValueError(
            "several inputs, --near, --country and --place belong to an index: make one with `bioscan5m index`, and "
            "name it by --keys"
        )
    if keys is None and (key_split or cache):
        raise ValueError("--key-split and --cache say something about --keys: give these as well")
    if keys is not None and ((top or 1) > 1 or taxonomy):
        raise ValueError(
            "--top and --taxonomy belong to fine-tuned models: with --keys there is one name and runner-up"
        )
    reads = open_input(specimens[0], split)
    given = None if thresholds is None else Thresholds.load(thresholds)
    naming: Classification | Matching
    if keys is None:
        naming = _classification(loading, rank, taxonomy, average_frames, batch_size, within=allowed, top=top or 1)
    else:
        chosen = key_split or _default_split(keys, "train+key_unseen")
        naming = _matching(loading, rank, (keys, chosen, cache), average_frames, batch_size)
        naming.restrict(allowed)
    if reason := naming.use(given):
        what = "candidates" if keys is None else "nearest specimens"
        say(f"{reason}: {what} are listed, and all names are left empty. To get names, say how sure they have to be:")
        say(f"    {_calibrating(model, keys, rank, average_frames)}")
    count = write_names(out, naming, reads, progress=True)
    say(f"{out}: {count:,} reads")


def calibrate(
    barcodes: Barcodes,
    model: Model,
    out: Annotated[
        Path | None,
        typer.Option(help="JSON file to write; predict looks for thresholds*.json beside the model, or in the index."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Splits of a dataset; by default val+val_unseen.")] = None,
    rank: AskedRank = _SPECIES,
    share: Annotated[float, typer.Option(help="Share of the given names that has to be right.")] = 0.95,
    least: Annotated[int, typer.Option(min=1, help="Given names that a threshold needs.")] = 20,
    revision: Revision = None,
    keys: Keys = None,
    key_split: Annotated[
        str | None,
        typer.Option(help="Splits of the keys; by default train, so that val_unseen stands for species without keys."),
    ] = None,
    cache: Cache = None,
    taxonomy: TaxonomyOf = None,
    batch_size: BatchSize = 512,
    device: Device = None,
    dtype: Dtype = Precision.FLOAT32,
    average_frames: Frames = False,
) -> None:
    """Fit, on labelled barcodes, how sure a name has to be at each rank before predict gives it."""
    from .embedding.inputs import open_input
    from .embedding.naming import calibrate as fit

    loading = (model, revision, device, dtype.value)
    if keys is not None and _is_index(keys):
        unused: dict[str, object] = {"--key-split": key_split, "--cache": cache, "--taxonomy": taxonomy}
        unused |= {"--average-frames": average_frames, "--share": share != 0.95, "--least": least != 20}
        if ignored := [name for name, value in unused.items() if value]:
            raise ValueError(f"{', '.join(ignored)}: an index does without; leave them out")
        calibrate_index([barcodes], split, keys, out, loading, rank.value)
        return
    if out is None:
        raise ValueError("say where to write: --out thresholds.json")
    labelled = open_input(barcodes, split or _default_split(barcodes, "val+val_unseen"))
    naming: Classification | Matching
    if keys is None:
        naming = _classification(loading, rank, taxonomy, average_frames, batch_size)
    else:
        chosen = key_split or _default_split(keys, "train")
        naming = _matching(loading, rank, (keys, chosen, cache), average_frames, batch_size)
    fitted = fit(naming, labelled, share=share, least=least, progress=True)
    fitted.save(out)
    for name, found in fitted.ranks.items():
        say(f"{name:<10} {found}")
    if all(found.threshold is None for found in fitted.ranks.values()):
        say(f"no name will be given: no rank has {least:,} names of which {share:.0%} are right")
    say(str(out))


def _calibrating(model: str, keys: str | None, rank: str, average_frames: bool) -> str:
    """Give the command that fits the thresholds which a call of predict lacks."""
    labelled = keys if keys is not None and not Path(keys).is_file() else "bioscan-5m"
    name = "thresholds.json" if keys is None else "thresholds-keys.json"
    local = Path(model).is_dir()
    words = ["bioscan5m", "calibrate", labelled, "--model", model]
    words += [] if keys is None else ["--keys", keys]
    words += [] if rank == _SPECIES else ["--rank", rank]
    words += ["--average-frames"] if average_frames else []
    words += ["--out", str(Path(model, name)) if local else name]
    return shlex.join(words) + ("" if local else f"   # then: predict … --thresholds {name}")


def _shown(records: Input) -> Iterator[pa.RecordBatch]:
    """Give the records, with a bar in a terminal."""
    from tqdm import tqdm

    with tqdm(total=records.count(), unit=" barcodes", disable=None, leave=False) as bar:
        for batch in records.batches():
            yield batch
            bar.update(len(batch))


def _classification(
    loading: tuple[str, str | None, str | None, str],
    rank: Rank,
    taxonomy: str | None,
    average_frames: bool,
    batch_size: int,
    *,
    within: dict[str, list[str]] | None = None,
    top: int = 1,
) -> Classification:
    from .embedding.classification import Classification
    from .embedding.classifier import BarcodeClassifier

    model = BarcodeClassifier.from_pretrained(*loading, taxonomy=taxonomy)
    offsets = model.frames if average_frames else (0,)
    return Classification(model, rank.value, within or {}, top, offsets, batch_size)


def _matching(
    loading: tuple[str, str | None, str | None, str],
    rank: Rank,
    keys: tuple[str, str | None, Path | None],
    average_frames: bool,
    batch_size: int,
) -> Matching:
    from .embedding.encoder import BarcodeEncoder
    from .embedding.inputs import open_input
    from .embedding.keys import embed_keys
    from .embedding.matching import Matching

    encoder = BarcodeEncoder.from_pretrained(*loading)
    offsets = encoder.frames if average_frames else (0,)
    records = open_input(keys[0], keys[1])
    opened = embed_keys(encoder, records, keys[2], offsets=offsets, batch_size=batch_size, progress=True)
    return Matching(encoder, opened, rank.value, offsets, batch_size)


def _is_index(keys: str) -> bool:
    from .library.index import is_index

    return is_index(keys)


def _default_split(path: str, split: str) -> str | None:
    return None if Path(path).is_file() else split
