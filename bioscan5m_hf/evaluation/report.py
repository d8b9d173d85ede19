"""A report of many models: tables and pictures of their results, and the published figures apart from them."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from ..errors import OutputError, ResultError
from ..plot_style import save, style
from . import plots, tables
from .plot_style import Look
from .published import published
from .references import LINES
from .results import Result, comparable, read_result, score_parts
from .table import Cell, Table, is_share, shown
from .tables import Key, model_labels, ranked
from .tasks import TASKS


if TYPE_CHECKING:
    from matplotlib.figure import Figure

INDEX, SCORES = "README.md", "scores.csv"
MARK = "<!-- written by bioscan5m report -->"
_DIGITS = 12
_MODELS_SHOWN = 3


@dataclass
class _Writer:
    """Puts the pieces of a report into its folder and their mention into its index."""

    folder: Path
    look: Look
    lines: list[str] = field(default_factory=list)

    def say(self, *lines: str) -> None:
        for line in lines:
            self.lines += [line, ""]

    def table(self, table: Table | None) -> None:
        if table is not None:
            (self.folder / "tables").mkdir(exist_ok=True)
            (self.folder / "tables" / f"{table.name}.md").write_text(table.markdown() + "\n", encoding="utf-8")
            (self.folder / "tables" / f"{table.name}.csv").write_text(table.csv(), encoding="utf-8")
            self.say(f"**{table.title}** ([CSV](tables/{table.name}.csv))", table.markdown())

    def picture(self, name: str, title: str, figure: Figure | None) -> None:
        if figure is not None:
            file = save(figure, self.folder / "plots", name)
            self.say(f"[![{title}](plots/{file})](plots/{name}.svg)")

    @contextmanager
    def folded(self, title: str, fold: bool) -> Iterator[None]:
        """Fold what is written here, if it is to be and anything is."""
        start = len(self.lines)
        yield
        if fold and len(self.lines) > start:
            self.lines[start:start] = ["<details>", f"<summary>{title}</summary>", ""]
            self.say("</details>")


def write_report(files: Sequence[Path | str], out: Path | str) -> Path:
    """Write a report of results, beside and renamed.

    Args:
        files: what `write_result` wrote, of any number of models and tasks, all on the same data.
        out: folder to write: new, empty, or an earlier report.

    Returns:
        Its index, `README.md`, which shows all tables and pictures; these stand in `tables/` as Markdown and CSV, and
        in `plots/` as PNG and SVG.

    Raises:
        ResultError: a file cannot be read, there is none, or two do not compare.
        OutputError: the folder holds something else.

    Examples:
        >>> write_report([], "report")
        Traceback (most recent call last):
        ...
        bioscan5m_hf.errors.ResultError: no results are given: name files that `bioscan5m evaluate` wrote
    """
    if not files:
        raise ResultError("no results are given: name files that `bioscan5m evaluate` wrote")
    groups = comparable(read_result(file) for file in files)
    out = Path(out)
    _check_target(out)
    beside = out.with_name(f".{out.name}.part")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        with style():
            _write(beside, groups)
        shutil.rmtree(out, ignore_errors=True)
        os.replace(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return out / INDEX


def _write(folder: Path, groups: Mapping[tuple[str, str], Sequence[Result]]) -> None:
    results = [one for group in groups.values() for one in group]
    labels = model_labels(results)
    data = f"{results[0].data}, revision {results[0].data_revision[:_DIGITS]}"
    writer = _Writer(folder, Look(labels, f"data: {data}"))
    writer.lines += [MARK]
    writer.say(f"# Results on {data}")
    writer.say(_how_to_read(len(labels), len(groups)))
    writer.table(_summary(groups, labels))
    writer.say(*_missing_lines(results))
    for (task, modality), group in groups.items():
        _write_task(writer, task, modality, group)
    _write_published(writer, results)
    _write_records(writer, results)
    (folder / SCORES).write_text(tables.all_scores(results, labels), encoding="utf-8")
    (folder / INDEX).write_text("\n".join(writer.lines).rstrip() + "\n", encoding="utf-8")


def _how_to_read(models: int, tasks: int) -> str:
    return (
        f"{models} model{'s' * (models > 1)}, {tasks} task{'s' * (tasks > 1)}. Scores are per cent unless they are "
        "numbers of something; intervals are 95 %, over species, since specimens of one species are no "
        f"independent evidence. Every score stands in [{SCORES}]({SCORES}), as it is, from 0 to 1. What others have "
        "published stands apart, at the end."
    )


def _missing_lines(results: Sequence[Result]) -> list[str]:
    """Say which reference lines a report of barcodes lacks."""
    there = {one.model for one in results}
    missing = [line for line in LINES if line not in there]
    if not missing or not any("dna" in one.modality for one in results):
        return []
    return [f"Reference lines that are missing here: {', '.join(missing)} (`bioscan5m evaluate {missing[0]}`)."]


def _summary(groups: Mapping[tuple[str, str], Sequence[Result]], labels: Mapping[Key, str]) -> Table:
    head = [f"{task} ({modality}): {group[0].main}" for (task, modality), group in groups.items()]
    rows: list[tuple[Cell, ...]] = []
    for key, label in labels.items():
        mine = [[one for one in group if (one.model, one.model_revision) == key] for group in groups.values()]
        splits = dict.fromkeys(split for found in mine for one in found for split in one.pretrained_on)
        scores = [found[0].scores[found[0].main] if found else None for found in mine]
        rows.append((label, ", ".join(splits) or None, *scores))
    return Table("summary", "Main scores", ("model", "pretrained on", *head), tuple(rows), intervals=True)


def _write_task(writer: _Writer, task: str, modality: str, group: Sequence[Result]) -> None:
    name, look = f"{task}-{modality}".replace("+", "-"), writer.look
    writer.say(f"## {task} ({modality})")
    if task in TASKS:
        rule = TASKS[task]
        writer.say(f"{rule.question} Measured: {rule.metric}. Ties: {rule.ties}. Rule: {rule.reference}.")
        writer.say(f"What the published rule does differently: {rule.published}.")
    writer.say(_highest(group, look))
    writer.table(tables.main_table(name, group, look.labels))
    writer.picture(f"{name}-main", f"main scores of {task}", plots.bars(group, look))
    if main := score_parts(group[0].main):
        for average in (main[2], plots.COMPANIONS.get(main[2])):
            writer.table(tables.by_rank(name, group, look.labels, main[1], average) if average else None)
    writer.picture(f"{name}-ranks", f"scores of {task} over ranks", plots.curves(group, look))
    writer.table(tables.by_part(name, group, look.labels))
    writer.table(tables.others(name, group, look.labels))
    with writer.folded(f"Each model of {task}", len(group) > _MODELS_SHOWN):
        for one in ranked(group):
            number = list(look.labels).index((one.model, one.model_revision)) + 1
            title = f"of {task} by {look.label(one)}"
            writer.picture(f"{name}-matrix-{number:02}", f"queries and keys {title}", plots.matrices(one, look))
            writer.picture(f"{name}-confusion-{number:02}", f"confusion {title}", plots.confusion(one, look))
    writer.picture(f"{name}-scatter", f"specimens of {task} in two dimensions", plots.scatters(group, look))
    writer.say(*_settings(group, look))


def _highest(group: Sequence[Result], look: Look) -> str:
    """Say which model stands first, and which ones its interval does not part from it."""
    first, *rest = ranked(group)
    best = first.scores[first.main]
    value = shown(best, interval=True, share=is_share(first.main))
    text = f"Highest {first.main}: {look.label(first)}, {value}."
    near = [look.label(one) for one in rest if one.scores[one.main].high is not None and best.low is not None
            and (one.scores[one.main].high or 0) >= best.low]  # fmt: skip
    return f"{text} Intervals that overlap with its: {', '.join(near)}." if near else text


def _settings(group: Sequence[Result], look: Look) -> Iterator[str]:
    """Say with what it was measured; settings that differ between models are given for each."""
    names = dict.fromkeys(name for one in group for name in one.settings)
    values = {name: [json.dumps(one.settings.get(name), ensure_ascii=False) for one in group] for name in names}
    same = [f"{name} {texts[0]}" for name, texts in values.items() if len(set(texts)) == 1]
    if same:
        yield f"Settings: {'; '.join(same)}."
    for name, texts in values.items():
        if len(set(texts)) > 1:
            each = "; ".join(f"{look.label(one)} {text}" for one, text in zip(group, texts, strict=True))
            yield f"**Not the same for all models**, {name}: {each}."


def _write_published(writer: _Writer, results: Sequence[Result]) -> None:
    """Write the published tables in which ours have a place, each beside ours and apart from it."""
    pairs = [(table, *tables.beside(table, results, writer.look.labels)) for table in published()]
    wanted = [(table, ours, theirs) for table, ours, theirs in pairs if ours is not None]
    if not wanted:
        return
    writer.say("## Published figures, in their layout")
    writer.say(
        "Published figures are others' and are marked so; no mean, picture or rank of ours holds them. They compare "
        f"with ours only where data and rule are the same; ours were measured on {results[0].data}."
    )
    for table, ours, theirs in wanted:
        writer.say(f"### {table.title}")
        writer.table(ours)
        writer.table(theirs)
        read = " Read off a chart, ± 0.3; ~ where a marker is partly hidden." if table.read == "chart" else ""
        writer.say(f"Published on {table.data}. Source: {table.source}. Rule: {table.rule.rstrip('.')}.{read}")


def _write_records(writer: _Writer, results: Sequence[Result]) -> None:
    head = ("model", "revision", "task", "code", "device", "seconds", "peak memory, MB", "seed", "date")
    rows = tuple(
        (writer.look.label(one), one.model_revision[:_DIGITS], f"{one.task} ({one.modality})", one.code, one.device,
         f"{one.seconds:.1f}", one.peak_memory // 2**20, one.seed, one.created)
        for one in results
    )  # fmt: skip
    writer.say("## Records")
    writer.table(Table("records", "How each was measured", head, rows))
    commands = dict.fromkeys(one.command for one in results)
    writer.say("Commands:", "\n".join(["```", *commands, "```"]))


def _check_target(out: Path) -> None:
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out} is a file: name a new folder")
    if out.is_dir() and any(out.iterdir()):
        index = out / INDEX
        if not index.is_file() or not index.read_text(encoding="utf-8").startswith(MARK):
            raise OutputError(f"{out} is not empty and holds no report: name a new folder")
