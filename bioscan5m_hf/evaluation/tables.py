"""Tables of results: main scores, ranks, parts, and ours in the layout of published ones."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from ..taxonomy import LABELS
from .published import Published
from .results import Result, Score, score_parts
from .table import Cell, Table, csv_text, is_share, shown


Key: TypeAlias = tuple[str, str]

REFERENCE = "reference:"
"""How names of reference lines begin."""

RULES_OF_PAIRS = ("other plates",)
"""How parts end that say by which other rule a pair was retrieved."""

_PARTS_IN_COLUMNS = 6


def is_reference(model: str) -> bool:
    """Tell whether a model is a reference line of the benchmark, such as chance.

    Examples:
        >>> is_reference("reference:random"), is_reference("me/barcodebert")
        (True, False)
    """
    return model.startswith(REFERENCE)


def model_labels(results: Iterable[Result]) -> dict[Key, str]:
    """Name models as shortly as they can be told apart: folders by their last part, revisions where there are several.

    Args:
        results: of several models.

    Returns:
        (Model, revision) → label.
    """
    keys = list(dict.fromkeys((one.model, one.model_revision) for one in results))
    short = {model: _short(model) for model, _ in keys}
    alike = {model for model in short if sum(short[model] == other for other in short.values()) > 1}
    names = {model: model if model in alike else label for model, label in short.items()}
    several = {model for model, _ in keys if sum(model == other for other, _ in keys) > 1}
    return {(m, revision): f"{names[m]} @ {revision[:12]}" if m in several else names[m] for m, revision in keys}


def ranked(results: Iterable[Result]) -> list[Result]:
    """Order results by their main score, highest first."""
    return sorted(results, key=lambda one: one.scores[one.main].value, reverse=True)


def main_table(name: str, results: Sequence[Result], labels: Mapping[Key, str]) -> Table:
    """Give the main scores of a task, with what is needed to judge them."""
    head = ["model", results[0].main, "95 % interval", "n", "pretrained on"]
    seeds = any(one.scores[one.main].seeds for one in results)
    rows = []
    for one in ranked(results):
        score = one.scores[one.main]
        interval = " to ".join(shown(Score(end)) for end in score.interval) or None
        row: list[Cell] = [labels[one.model, one.model_revision], score, interval, score.n or None]
        row.append(", ".join(one.pretrained_on) or None)
        spread = (
            " to ".join(shown(Score(end)) for end in (min(score.seeds), max(score.seeds))) if score.seeds else None
        )
        rows.append((*row, *([spread] if seeds else [])))
    return Table(f"{name}-main", "Main score", (*head, *(["range of the seeds"] if seeds else [])), tuple(rows))


def by_rank(name: str, results: Sequence[Result], labels: Mapping[Key, str], part: str, average: str) -> Table | None:
    """Give a score at every rank; None where there are fewer than two.

    Args:
        name: of the task, for the file.
        results: of the task.
        labels: of the models.
        part: of the scores' names.
        average: of the scores' names.
    """
    ranks = ranks_of(results, part, average)
    if len(ranks) < 2:
        return None
    names = [f"{rank}/{part}/{average}" for rank in ranks]
    rows = tuple((labels[r.model, r.model_revision], *(r.scores.get(name) for name in names)) for r in ranked(results))
    head = ("model", *("BIN" if rank == "dna_bin" else rank for rank in ranks))
    return Table(
        f"{name}-ranks-{average.replace(' ', '-')}", f"By rank: {part}, {average}", head, rows, intervals=True
    )


def ranks_of(results: Sequence[Result], part: str, average: str) -> list[str]:
    """List the ranks at which there is such a score, from wide to narrow."""
    found = {
        parts[0] for one in results for parts in map(score_parts, one.scores) if parts and parts[1:] == (part, average)
    }
    return [rank for rank in LABELS if rank in found]


def by_part(name: str, results: Sequence[Result], labels: Mapping[Key, str]) -> Table | None:
    """Give the kind of the main score, and how many were asked, for every part; None where there is but one.

    Of pairs of query and key, only the main one is given, and those with a rule of their own; all are in a picture.
    """
    main = score_parts(results[0].main)
    if main is None:
        return None
    rank, average = main[::2]
    found = [
        parts[1]
        for one in results
        for parts in map(score_parts, one.scores)
        if parts and parts[::2] == (rank, average)
    ]
    own = {pair_of(main[1])[0], None}
    parts = [part for part in dict.fromkeys(found) if pair_of(part)[0] in own or part.endswith(RULES_OF_PAIRS)]
    scores = {part: f"{rank}/{part}/{average}" for part in parts}
    names = {f"{part} (n {_asked(results, score)})": score for part, score in scores.items()}
    return _pivot(f"{name}-parts", f"By part: {rank}, {average}", names, results, labels) if len(parts) > 1 else None


def _asked(results: Sequence[Result], score: str) -> str:
    """Say how many specimens stand behind a score; several numbers where models were asked differently."""
    numbers = sorted({one.scores[score].n for one in results if score in one.scores})
    return " or ".join(f"{number:,}" for number in numbers)


def pair_of(part: str) -> tuple[str | None, str]:
    """Take the pair of query and key out of a part's name.

    Examples:
        >>> pair_of("test_unseen, image→dna, Linnaean"), pair_of("test_unseen")
        (('image→dna', 'test_unseen, Linnaean'), (None, 'test_unseen'))
    """
    pieces = part.split(", ")
    pair = next((piece for piece in pieces if "→" in piece), None)
    return pair, ", ".join(piece for piece in pieces if piece != pair)


def others(name: str, results: Sequence[Result], labels: Mapping[Key, str]) -> Table | None:
    """Give the scores that are of no rank and part, but for the main one; None where there are none."""
    found = dict.fromkeys(score for one in results for score in one.scores if score_parts(score) is None)
    names = {score: score for score in found if score != results[0].main}
    return _pivot(f"{name}-others", "Other scores", names, results, labels) if names else None


def beside(table: Published, results: Sequence[Result], labels: Mapping[Key, str]) -> tuple[Table | None, Table]:
    """Give our scores in the layout of a published table, and that table.

    Args:
        table: the published one.
        results: all of ours.
        labels: of the models.

    Returns:
        Ours, None where we have none; the published one.
    """
    rows: list[tuple[Cell, ...]] = []
    for key, label in labels.items():
        mine = {one.task: one for one in results if (one.model, one.model_revision) == key and _fits(one, table)}
        for over in table.over or ("",):
            names = [(column.task, column.score.format(over=over)) for column in table.columns]
            cells = [mine[task].scores.get(name) if task in mine else None for task, name in names]
            if any(cell is not None for cell in cells):
                rows.append((f"{label}, {over}" if over else label, *cells))
    head = ("model", *(column.title for column in table.columns))
    theirs = tuple((name, *figures) for name, figures in table.rows)
    ours = Table(f"ours-{table.name}", "Ours", head, tuple(rows)) if rows else None
    return ours, Table(f"published-{table.name}", "Published, by others", head, theirs)


def all_scores(results: Iterable[Result], labels: Mapping[Key, str]) -> str:
    """Give every score of every result as CSV, a line each."""
    head = ["task", "modality", "model", "model_revision", "score", "value", "low", "high", "n", "seeds"]
    rows = [
        [r.task, r.modality, labels[r.model, r.model_revision], r.model_revision, name, s.value]
        + ["" if end is None else end for end in (s.low, s.high)]
        + [s.n, " ".join(map(str, s.seeds))]
        for r in results
        for name, s in r.scores.items()
    ]
    return csv_text([head, *rows])


def _pivot(
    name: str, title: str, names: Mapping[str, str], results: Sequence[Result], labels: Mapping[Key, str]
) -> Table:
    """Put models in rows where there are few scores, else scores in rows."""
    cells = [[_cell(one, score) for score in names.values()] for one in ranked(results)]
    models = [labels[one.model, one.model_revision] for one in ranked(results)]
    if len(names) <= _PARTS_IN_COLUMNS:
        rows = tuple((model, *row) for model, row in zip(models, cells, strict=True))
        return Table(name, title, ("model", *names), rows)
    turned = zip(*cells, strict=True)
    return Table(name, title, ("", *models), tuple((part, *row) for part, row in zip(names, turned, strict=True)))


def _cell(result: Result, name: str) -> Cell:
    score = result.scores.get(name)
    return score if score is None or is_share(name) else float(f"{score.value:.4g}")


def _fits(result: Result, table: Published) -> bool:
    return result.task in table.tasks and table.modality in (None, result.modality)


def _short(model: str) -> str:
    if is_reference(model):
        return f"{model.removeprefix(REFERENCE)} (reference)"
    is_folder = model.startswith(("/", ".", "~")) or model.count("/") > 1
    return model.rstrip("/").rsplit("/", 1)[-1] if is_folder else model
