"""Specimens for machine learning: chosen splits and columns, label indices, one per barcode; streaming or not."""

from __future__ import annotations

import functools
import itertools
import operator
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import datasets
import pyarrow as pa
import pyarrow.compute as pc
from datasets.builder import Key
from datasets.data_files import DataFilesDict, DataFilesList

from ..splits import METASPLITS
from ..taxonomy import Taxonomy, check_rank
from .selection import BARCODE, LABEL, PROCESSID, Recipe, find_repeated
from .sources import METADATA, TAXONOMY, Source, choose_config, count_groups, open_source, read_tables
from .streaming import SpecimenStream


D = TypeVar("D", datasets.Dataset, datasets.IterableDataset)
ROWS = "specimens"
_CLASSES = "__classes__"
_LABEL_BATCH = 500
"""Rows labelled at once when streaming: photographs pass through memory in such batches."""


def load_specimens(
    path: str | Path,
    *,
    split: str = "train",
    columns: Sequence[str] | None = None,
    label: str | None = None,
    max_nucleotides: int | None = None,
    one_per_barcode: bool = False,
    streaming: bool = False,
    config: str | None = None,
    revision: str | None = None,
    keep_filler: bool = False,
) -> datasets.Dataset | datasets.IterableDataset:
    """Load specimens of a BIOSCAN-5M dataset.

    Only the columns that are needed are read, and without `streaming` only the splits that are asked for are
    fetched and kept. Rows come split by split, in each split by MD5(processid), which is as good as shuffled.

    `one_per_barcode` keeps, of the specimens in the requested splits whose barcodes are equal, the first by
    MD5(processid). Barcodes are compared after cutting them to `max_nucleotides` and then taking the Ns off both
    ends; what is given is cut, not stripped. Specimens without a barcode are kept. The choice depends on nothing
    else: not on shards, workers, or where a stream was resumed.

    Args:
        path: dataset folder, Hub id, or the name of a dataset in the prepared cache (`bioscan-5m`).
        split: official names, `seen`, `unseen`, `all`, joined by `+`; the dataset must have each, except that `all`
            means those it has.
        columns: columns to give, by default all of the config.
        label: a rank (`species`, …, or `dna_bin`): adds the int64 column `label` with indices of the dataset's
            `taxonomy`, the same in all splits; None where the label is missing or a filler.
        max_nucleotides: where barcodes are cut off.
        one_per_barcode: keep one specimen for each barcode.
        streaming: give an `IterableDataset` and keep nothing on disk.
        config: an image package, `sample` or `metadata`; by default the first image package if `image` is among the
            columns (or all are wanted), else `metadata`.
        revision: branch, tag or commit on the Hub.
        keep_filler: give filler names (`unassigned <Family>`) label indices too, as the package `bioscan-dataset`.

    Returns:
        A `Dataset`, or an `IterableDataset` if streaming.

    Raises:
        ValueError: an unknown split, column or rank, or photographs are asked for and there are none.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=100, metadata_only=True, jsonld=False)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     rows = load_specimens(folder + "/bioscan-5m", columns=["dna_barcode"], label="order", streaming=True)
        ...     sorted(next(iter(rows)))
        ['dna_barcode', 'label']
    """
    if label is not None:
        check_rank(label)
    if max_nucleotides is not None and max_nucleotides < 1:
        raise ValueError(f"max_nucleotides is {max_nucleotides}: use a positive number, or None for whole barcodes")
    if config == TAXONOMY:
        raise ValueError("config 'taxonomy' holds names, not specimens: use load_taxonomy")
    source = open_source(path, config or choose_config(path, columns, revision), revision)
    given = source.check_columns(list(source.features) if columns is None else columns)
    source.check_columns([name for name in (label, BARCODE if one_per_barcode else None) if name])
    types = {name: source.features[name] for name in given} | (
        {} if label is None else {LABEL: datasets.Value("int64")}
    )
    if not types:
        raise ValueError("no column is asked for: name some in columns=, or a label=")
    splits = source.choose_splits(split)
    builder = Specimens(
        dataset_name=f"specimens_{source.config}",
        data_files=collect_files(source, splits, label, one_per_barcode),
        features=datasets.Features(types),
        made_split=_name(split, splits),
        home=f"{source.path}#{revision or ''}",
        columns=given,
        label=label,
        max_nucleotides=max_nucleotides,
        keep_filler=keep_filler,
    )
    if streaming:
        usual = builder.as_streaming_dataset(split=builder.config.made_split)
        return SpecimenStream(usual._ex_iterable, info=usual.info, split=usual.split)
    builder.download_and_prepare()
    return builder.as_dataset(split=builder.config.made_split)


def load_taxonomy(path: str | Path, *, revision: str | None = None, keep_filler: bool = False) -> Taxonomy:
    """Load the names and label indices of a dataset.

    Args:
        path: dataset folder, Hub id, or the name of a dataset in the prepared cache.
        revision: branch, tag or commit on the Hub.
        keep_filler: give filler names indices too.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=100, metadata_only=True, jsonld=False)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     load_taxonomy(folder + "/bioscan-5m").names("phylum")
        ['Arthropoda']
    """
    source = open_source(path, TAXONOMY, revision)
    return Taxonomy(pa.concat_tables(_tables(source.files["train"])), keep_filler=keep_filler)


def with_class_labels(dataset: D, rank: str, taxonomy: Taxonomy | None = None) -> D:
    """Turn the names of a rank into a `ClassLabel` column, in place of the names.

    Args:
        dataset: specimens with the column `rank`.
        rank: a rank, or `dna_bin`.
        taxonomy: gives the classes; by default that of the dataset which `load_specimens` loaded.

    Returns:
        The dataset; missing labels and fillers (unless the taxonomy keeps them) are None.

    Raises:
        ValueError: no such column, or no taxonomy known.
        LookupError: a name that the taxonomy does not have.

    Examples:
        >>> rows = datasets.Dataset.from_dict({"order": ["Diptera", None, "Araneae"]})
        >>> rows = with_class_labels(rows, "order", Taxonomy.from_labels({"order": rows["order"]}))
        >>> rows["order"][:], rows.features["order"].names
        ([1, None, 0], ['Araneae', 'Diptera'])
    """
    check_rank(rank)
    if dataset.column_names is not None and rank not in dataset.column_names:
        raise ValueError(f"no column {rank!r}: the dataset has {', '.join(dataset.column_names)}")
    if taxonomy is None:
        if not dataset.info.homepage:
            raise ValueError("the dataset does not say where it is from: say taxonomy=load_taxonomy(PATH)")
        home, _, revision = dataset.info.homepage.rpartition("#")
        taxonomy = load_taxonomy(home, revision=revision or None)
    feature = datasets.ClassLabel(names=taxonomy.names(rank))
    if isinstance(dataset, datasets.Dataset):
        order = dataset.column_names
        names = dataset.select_columns(rank).with_format("arrow")[:][rank]
        labels = taxonomy.index_array(rank, names)
        labelled = dataset.add_column(_CLASSES, labels, feature=feature).remove_columns(rank)
        return labelled.rename_column(_CLASSES, rank).select_columns(order)
    types = None
    if dataset.features is not None:
        types = datasets.Features({**dataset.features, rank: feature})
    mapped = dataset.with_format("arrow").map(
        _relabel,
        batched=True,
        batch_size=_LABEL_BATCH,
        features=types,
        fn_kwargs={"rank": rank, "taxonomy": taxonomy},
    )
    return mapped.with_format(None)


def _relabel(table: pa.Table, rank: str, taxonomy: Taxonomy) -> pa.Table:
    column = table.column_names.index(rank)
    return table.set_column(column, rank, taxonomy.index_array(rank, table[rank]))


@dataclass
class SpecimensConfig(datasets.BuilderConfig):  # type: ignore[misc]
    """What `load_specimens` was asked for; the cache of `datasets` goes by it.

    Args:
        made_split: name of the one split that is made.
        home: the dataset the files belong to, and after `#` the revision that was asked for.
        columns: as in `load_specimens`.
        label: as in `load_specimens`.
        max_nucleotides: as in `load_specimens`.
        keep_filler: as in `load_specimens`.
    """

    made_split: str = ROWS
    home: str = ""
    columns: tuple[str, ...] = ()
    label: str | None = None
    max_nucleotides: int | None = None
    keep_filler: bool = False


class Specimens(datasets.ArrowBasedBuilder):  # type: ignore[misc]
    """The builder behind `load_specimens`: rows leave it as they are wanted, whole row groups at a time."""

    BUILDER_CONFIG_CLASS = SpecimensConfig

    def _info(self) -> datasets.DatasetInfo:
        return datasets.DatasetInfo(homepage=self.config.home)

    def _split_generators(self, downloads: datasets.DownloadManager) -> list[datasets.SplitGenerator]:
        wanted = self.config
        files = downloads.download(wanted.data_files)
        recipe = make_recipe(wanted, files)
        parts = [(file, None) for file in files[ROWS]]
        return [datasets.SplitGenerator(name=wanted.made_split, gen_kwargs={"parts": parts, "recipe": recipe})]

    def _generate_more_gen_kwargs(self, parts: list[Any], recipe: Recipe) -> Iterator[dict[str, Any]]:
        """Divide files into row groups, for `IterableDataset.reshard`."""
        for file, groups in parts:
            divided = (
                [(file, groups)] if groups is not None else [(file, (group,)) for group in range(count_groups(file))]
            )
            yield {"parts": divided, "recipe": recipe}

    def _generate_tables(self, parts: list[Any], recipe: Recipe) -> Iterator[tuple[Key, pa.Table]]:
        for index, (file, groups) in enumerate(parts):
            for number, table in enumerate(read_tables(file, recipe.reads, groups)):
                yield Key(index, number), recipe.apply(table)


def make_recipe(wanted: SpecimensConfig, files: Mapping[str, Sequence[str]]) -> Recipe:
    """Read what has to be known beforehand: the label's names, and which specimens repeat a barcode.

    Args:
        wanted: what was asked for.
        files: the paths of `taxonomy` if there is a label, of `metadata` if there is one specimen per barcode.
    """
    taxonomy, repeated = None, None
    if wanted.label is not None:
        tables = (table.filter(pc.field("rank") == wanted.label) for table in _tables(files[TAXONOMY]))
        taxonomy = Taxonomy(pa.concat_tables(tables).combine_chunks(), keep_filler=wanted.keep_filler)
    if METADATA in files:
        repeated = find_repeated(_tables(files[METADATA], [PROCESSID, BARCODE]), wanted.max_nucleotides)
    return Recipe(tuple(wanted.columns), wanted.label, taxonomy, wanted.max_nucleotides, repeated)


def _tables(files: Sequence[str], columns: Sequence[str] | None = None) -> Iterator[pa.Table]:
    return itertools.chain.from_iterable(read_tables(file, columns) for file in files)


def collect_files(source: Source, splits: Sequence[str], label: str | None, one_per_barcode: bool) -> DataFilesDict:
    """Collect the files of the rows (under `ROWS`), and of what has to be known beforehand.

    Barcodes are compared on the image-free `metadata`, which is much less to fetch, unless it has other rows (a
    build can leave out specimens whose photograph is bad).
    """
    files = DataFilesDict({ROWS: _joined(source, splits)})
    if label is not None:
        files[TAXONOMY] = _joined(open_source(source.path, TAXONOMY, source.revision), ["train"])
    if one_per_barcode:
        light = source if source.config == METADATA else open_source(source.path, METADATA, source.revision)
        same = all(name in source.rows and source.rows[name] == light.rows.get(name) for name in splits)
        files[METADATA] = _joined(light if same else source, splits)
    return files


def _joined(source: Source, splits: Sequence[str]) -> DataFilesList:
    return functools.reduce(operator.add, (source.files[name] for name in splits))


def _name(expression: str, splits: Sequence[str]) -> str:
    """Name a combination of splits by a word, as `datasets` wants it; it keeps `all` for itself."""
    return expression if expression in METASPLITS and expression != "all" else ".".join(splits)
