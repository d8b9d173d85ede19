"""The statistics of a dataset, from one pass over its rows."""

from __future__ import annotations

from pathlib import Path

from ...errors import Bioscan5mError
from ...splits import SPLIT_NAMES
from ..folder import kind_of
from ..kinds import Kind
from ..sources import METADATA, Source, choose_config, open_source
from . import barcodes, bins, counts, sizes
from .distances import MOST, by_rank, choose
from .distances import distances as within_groups
from .gap import barcode_gap, gap_summary
from .reference import edit_distances
from .result import Row, Statistics
from .scan import COLUMNS, Coded, columns_of, scan
from .sequences import read_sequences


def statistics(
    dataset: str | Path,
    *,
    split: str | None = None,
    distances: bool = False,
    reference: bool = False,
    seed: int = 0,
    config: str | None = None,
    revision: str | None = None,
) -> Statistics:
    """Count what a dataset holds.

    Rows are read a row group at a time, only the columns that are counted; what stays in memory is about 110 bytes a
    row, whatever barcodes and photographs weigh.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        split: splits, joined by `+`; by default all it has.
        distances: measure distances within groups and the barcode gap, too; barcodes are read a second time.
        reference: measure edit distances by the published rule, too.
        seed: what barcodes of groups with more than 1,000 are drawn from.
        config: name of the config; by default `metadata`, or an image package where there is none.
        revision: branch, tag or commit on the Hub.

    Raises:
        Bioscan5mError: there is no such dataset.
        ValueError: a split or config that it lacks.
        ModuleNotFoundError: distances are asked for, and edlib or rapidfuzz is needed and not installed.

    Examples:
        >>> from tempfile import TemporaryDirectory
        >>> from bioscan5m_hf.data.build import build
        >>> from bioscan5m_hf.synthetic import synthesize
        >>> with TemporaryDirectory() as folder:
        ...     release = synthesize(folder + "/release", specimens=100, metadata_only=True, workers=1)
        ...     _ = build(release, folder + "/bioscan-5m")
        ...     found = statistics(folder + "/bioscan-5m")
        >>> found.dataset["specimens"], found.dataset["invented"], found["splits"][-1]["specimens"]
        (100, True, 100)
    """
    source = open_rows(dataset, config, revision)
    splits = source.choose_splits(split or "all")
    if not splits:
        raise ValueError(
            f"config {source.config!r} of {dataset} has none of the splits {', '.join(SPLIT_NAMES)}, only "
            f"{', '.join(map(str, source.files))}"
        )
    coded = scan(source, splits)
    kind = kind_of(dataset, revision)
    about: Row = {
        "name": Path(dataset).name if Path(dataset).is_dir() else str(dataset),
        "config": source.config,
        "splits": list(splits),
        "specimens": coded.rows,
        "repeated_processids": coded.repeated,
        "invented": None if kind is None else kind is Kind.INVENTED,
    }
    notes = _notes(coded, source)
    tables = tables_of(coded)
    if distances or reference:
        more, said = measured(source, coded, distances, reference, seed)
        tables |= more
        notes += said
        about |= {"seed": seed, "barcodes_of_a_group": MOST}
    return Statistics(about, tables, tuple(notes))


def open_rows(dataset: str | Path, config: str | None = None, revision: str | None = None) -> Source:
    """Open the rows of a dataset.

    Args:
        dataset: dataset folder, Hub id, or name in the prepared cache.
        config: name of the config; by default `metadata`, or an image package where there is none.
        revision: branch, tag or commit on the Hub.

    Raises:
        Bioscan5mError: there is no such dataset.
        ValueError: it has no such config.
    """
    from datasets.exceptions import DatasetNotFoundError

    try:
        return open_source(dataset, config or choose_config(dataset, [METADATA], revision), revision)
    except (DatasetNotFoundError, FileNotFoundError) as error:
        raise Bioscan5mError(
            f"there is no dataset {dataset}: name a folder that `bioscan5m build` made, or a repository on the Hub"
        ) from error


def tables_of(coded: Coded) -> dict[str, list[Row]]:
    """Make the tables that need no sequence.

    Args:
        coded: the rows.
    """
    in_bins = list(bins.concordance(coded))
    return {
        "attributes": list(counts.attributes(coded)),
        "splits": list(counts.splits(coded)),
        "orders": counts.taxa(coded, ("class", "order")),
        "split_orders": counts.split_orders(coded),
        "families": counts.taxa(coded, ("class", "order", "family")),
        "species_frequency": counts.species_frequency(coded),
        "countries": counts.countries(coded),
        "provinces": counts.provinces(coded),
        "sites": counts.sites(coded),
        "sizes": list(sizes.sizes(coded)),
        "size_histograms": list(sizes.histograms(coded)),
        "barcode_lengths": barcodes.lengths(coded),
        "letters": barcodes.letters(coded),
        "trimmed_barcodes": barcodes.trimmed(coded),
        "diversity": list(barcodes.diversity(coded)),
        "bins": in_bins,
        "bin_summary": bins.concordance_summary(in_bins),
    }


def measured(
    source: Source, coded: Coded, distances: bool, reference: bool, seed: int
) -> tuple[dict[str, list[Row]], list[str]]:
    """Make the tables that need sequences, and tell what was left out of them.

    Args:
        source: the opened config.
        coded: its rows.
        distances: p-distance, Kimura's, and the barcode gap.
        reference: edit distances by the published rule.
        seed: what is drawn from.
    """
    chosen = choose(coded, seed)
    if not any(len(groups) for groups in chosen.values()):
        return {}, ["no distances: no specimen has both a barcode and a name"]
    try:
        sequences = read_sequences(source, coded, chosen)
    except ValueError as problem:
        return {}, [f"no distances: {problem}"]
    tables: dict[str, list[Row]] = {"distances": []}
    if distances:
        tables["distances"] += within_groups(coded, chosen, sequences)
        if "species" in chosen:
            tables["barcode_gap"] = list(barcode_gap(coded, chosen["species"], sequences))
            tables["barcode_gap_summary"] = gap_summary(tables["barcode_gap"])
    if reference:
        tables["distances"] += edit_distances(coded, chosen, sequences)
    tables["distance_ranks"] = by_rank(tables["distances"])
    said = (
        f"of a group with more than {MOST:,} different barcodes {MOST:,} were drawn (seed {seed}), of a species none"
    )
    return tables, [said] if distances or reference else []


def _notes(coded: Coded, source: Source) -> list[str]:
    notes = []
    if foreign := sorted(set(source.files) - set(SPLIT_NAMES)):
        notes.append(f"not counted, since these are no splits of BIOSCAN-5M: {', '.join(map(str, foreign))}")
    if coded.repeated:
        notes.append(
            f"{coded.repeated:,} of {coded.rows:,} rows repeat a processid, and are counted like all others; "
            "`bioscan5m verify` names them"
        )
    there = columns_of(source, coded.splits)
    lacking = [name for name in COLUMNS if name not in there]
    if lacking:
        notes.append(f"the config {source.config!r} lacks {', '.join(lacking)}: what is told of them is empty")
    return notes
