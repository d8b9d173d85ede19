"""Pictures of results, each titled with the data it was measured on; matplotlib is imported when one is drawn."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..plot_style import GREY, MARKERS, NOTHING, PALETTE, REST, SEQUENTIAL
from .plot_style import Look
from .results import Result, score_parts
from .table import is_share, shown
from .tables import is_reference, pair_of, ranked, ranks_of


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COMPANIONS = {"micro": "macro", "macro": "micro", "ami": "ami_min", "top-1 micro": "top-1 macro"}
COMPANIONS["top-1 macro"] = "top-1 micro"
"""What is drawn beside the kind of the main score."""

KINDS = {"ami": "AMI, arithmetic normaliser", "ami_min": "AMI, normaliser min"}

_ORDERS_IN_CONFUSION = 20
_PANELS_IN_A_ROW = 3
_FEW = 4


def bars(results: Sequence[Result], look: Look) -> Figure:
    """Draw the main scores of a task with their intervals, highest first."""
    order = ranked(results)[::-1]
    scores = [one.scores[one.main] for one in order]
    share = is_share(order[0].main)
    scale = 100 if share else 1
    figure = look.figure(f"{order[0].task}: {order[0].main.replace('/', ', ')}", (6.4, 1.5 + 0.3 * len(order)))
    axes = figure.subplots()
    places = list(range(len(order)))
    colors = [GREY if is_reference(one.model) else PALETTE[0] for one in order]
    axes.barh(places, [scale * score.value for score in scores], height=0.62, color=colors)
    for place, score in zip(places, scores, strict=True):
        if score.interval:
            low, high = (scale * end for end in score.interval)
            axes.plot([low, high], [place, place], color="black", linewidth=1.3, marker="|", markersize=7)
        text = shown(score, interval=True, share=share)
        axes.text(1.02, place, text, transform=axes.get_yaxis_transform(), va="center", fontsize=8)
    axes.set_yticks(places, [look.label(one) for one in order])
    axes.tick_params(axis="y", length=0)
    axes.set_ylim(-0.6, len(order) - 0.4)
    axes.grid(axis="x")
    if share:
        axes.set_xlim(min(0.0, *(100 * end for score in scores for end in (score.value, *score.interval))), 100)
    axes.set_xlabel("per cent; line: 95 % interval over species" if share else order[0].main)
    return figure


def curves(results: Sequence[Result], look: Look) -> Figure | None:
    """Draw the kind of the main score, and its companion, over the ranks; None where there is but one rank."""
    main = score_parts(results[0].main)
    if main is None:
        return None
    _, part, average = main
    wanted = [one for one in (average, COMPANIONS.get(average)) if one and len(ranks_of(results, part, one)) > 1]
    if not wanted:
        return None
    figure = look.figure(f"{results[0].task}: {part}, over ranks", (3.4 * len(wanted) + 2.6, 3.9))
    panels = figure.subplots(1, len(wanted), sharey=True, squeeze=False)[0]
    for axes, kind in zip(panels, wanted, strict=True):
        _curve(axes, results, look, part, kind)
    panels[0].set_ylim(bottom=min(0.0, panels[0].get_ylim()[0]))
    panels[0].set_ylabel("per cent")
    lines = {line.get_label(): line for line in panels[0].get_lines() if not str(line.get_label()).startswith("_")}
    figure.legend(lines.values(), lines.keys(), loc="outside right upper", fontsize=8)
    return figure


def _curve(axes: Axes, results: Sequence[Result], look: Look, part: str, average: str) -> None:
    ranks = ranks_of(results, part, average)
    last = f"{ranks[-1]}/{part}/{average}"
    order = sorted(results, key=lambda one: -one.scores[last].value if last in one.scores else 1)
    for number, one in enumerate(order):
        found = [
            (place, one.scores[name])
            for place, rank in enumerate(ranks)
            if (name := f"{rank}/{part}/{average}") in one.scores
        ]
        shift = 0.09 * (number - (len(order) - 1) / 2) if len(order) <= _FEW else 0.0
        x = [place + shift for place, _ in found]
        axes.plot(
            x,
            [100 * score.value for _, score in found],
            label=look.label(one),
            **look.line(one),
            markersize=4.5,
            linewidth=1.4,
        )
        if len(order) <= _FEW:
            for place, (_, score) in zip(x, found, strict=True):
                if score.interval:
                    axes.plot(
                        [place] * 2, [100 * end for end in score.interval], color=look.line(one)["color"], linewidth=1
                    )
    axes.set_xticks(
        range(len(ranks)), ["BIN" if rank == "dna_bin" else rank for rank in ranks], rotation=35, ha="right"
    )
    axes.set_title(KINDS.get(average, average), loc="left")
    axes.grid(axis="y")


def confusion(result: Result, look: Look) -> Figure | None:
    """Draw how often each order is taken for each other; None where that was not counted."""
    if "confusion" not in result.extras:
        return None
    labels, counts = _largest(result.extras["confusion"])
    shares = 100 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    size = 0.32 * len(labels)
    figure = look.figure(
        f"{result.task}: confusion at {result.extras['confusion']['rank']} level, {look.label(result)}",
        (size + 3.4, size + 2.2),
    )
    axes = figure.subplots()
    given = np.where(counts > 0, shares, np.nan)
    image = axes.imshow(given, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
    axes.set_facecolor(NOTHING)
    _annotate(axes, given, least=1)
    axes.set_xticks(range(len(labels)), labels, rotation=90)
    axes.set_yticks(
        range(len(labels)), [f"{name} ({int(n):,})" for name, n in zip(labels, counts.sum(axis=1), strict=True)]
    )
    axes.set_xlabel("given")
    axes.set_ylabel("true (queries)")
    axes.tick_params(length=0)
    figure.colorbar(image, ax=axes, shrink=0.7, label="per cent of the true ones")
    return figure


def _largest(given: Mapping[str, Any]) -> tuple[list[str], np.ndarray[Any, Any]]:
    """Keep the most frequent labels, most frequent first, and add the others up."""
    labels, counts = list(given["labels"]), np.asarray(given["counts"], float)
    order = np.argsort(-(counts.sum(axis=1) + 1e-6 * counts.sum(axis=0)), kind="stable")
    labels, counts = [labels[place] for place in order], counts[np.ix_(order, order)]
    if len(labels) <= _ORDERS_IN_CONFUSION + 1:
        return labels, counts
    place = np.minimum(np.arange(len(labels)), _ORDERS_IN_CONFUSION)
    joined = np.zeros((_ORDERS_IN_CONFUSION + 1,) * 2)
    np.add.at(joined, (place[:, None], place[None]), counts)
    return [*labels[:_ORDERS_IN_CONFUSION], f"{len(labels) - _ORDERS_IN_CONFUSION} others"], joined


def matrices(result: Result, look: Look) -> Figure | None:
    """Draw the kind of the main score for every pair of query and key; None where there are no pairs."""
    main = score_parts(result.main)
    if main is None or "→" not in main[1]:
        return None
    panels = _pairs(result, main[0], main[2])
    queries, keys = ([*dict.fromkeys(pair[side] for cells in panels.values() for pair in cells)] for side in (0, 1))
    size = (1.6 + (0.62 * len(keys) + 0.3) * len(panels), 1.9 + 0.5 * len(queries))
    figure = look.figure(f"{result.task}: {main[0]}, {main[2]}, {look.label(result)}", size)
    for axes, (title, cells) in zip(
        figure.subplots(1, len(panels), sharey=True, squeeze=False)[0], panels.items(), strict=True
    ):
        values = np.array([[100 * cells.get((query, key), np.nan) for key in keys] for query in queries])
        axes.imshow(values, cmap=SEQUENTIAL, vmin=0, vmax=100, aspect="auto")
        _annotate(axes, values, least=0)
        axes.set_xticks(range(len(keys)), keys, rotation=35, ha="right")
        axes.set_yticks(range(len(queries)), queries)
        axes.set_title(title, loc="left")
        axes.set_xlabel("key")
        axes.spines[:].set_visible(False)
        axes.set_facecolor(NOTHING)
        axes.tick_params(length=0)
    figure.axes[0].set_ylabel("query")
    return figure


def _pairs(result: Result, rank: str, average: str) -> dict[str, dict[tuple[str, str], float]]:
    """Sort the scores of pairs by their split."""
    panels: dict[str, dict[tuple[str, str], float]] = {}
    for name, score in result.scores.items():
        parts = score_parts(name)
        if parts is None or parts[::2] != (rank, average):
            continue
        pair, rest = pair_of(parts[1])
        if pair is not None and ", " not in rest:  # strata and countries are in tables
            query, key = pair.split("→")
            panels.setdefault(rest, {})[query, key] = score.value
    return panels


def _annotate(axes: Axes, values: np.ndarray[Any, Any], *, least: float) -> None:
    """Write numbers into the cells of a matrix, light on dark and dark on light."""
    for (row, column), value in np.ndenumerate(values):
        if np.isfinite(value) and value >= least:
            color = "white" if value < 55 else "black"
            axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=7, color=color)


def scatters(results: Sequence[Result], look: Look) -> Figure | None:
    """Draw the specimens of every model in two dimensions, coloured by order; None where none were laid out."""
    shown_here = [one for one in results if one.extras.get("scatter", {}).get("x")]
    if not shown_here:
        return None
    counts = Counter(order for one in shown_here for order in one.extras["scatter"]["order"] if order)
    named = [order for order, _ in counts.most_common(len(PALETTE))]
    columns = min(_PANELS_IN_A_ROW, len(shown_here))
    rows = -(-len(shown_here) // columns)
    figure = look.figure(f"{results[0].task}: specimens by order", (2.9 * columns + 1.9, 2.9 * rows + 0.7))
    panels = figure.subplots(rows, columns, squeeze=False).ravel()
    for axes, one in zip(panels, shown_here, strict=False):
        _scatter(axes, one.extras["scatter"], named)
        axes.set_title(f"{look.label(one)} ({_plane(one)})", loc="left")
    for axes in panels[len(shown_here) :]:
        axes.set_visible(False)
    marks = {name: mark for axes in panels for mark, name in zip(*axes.get_legend_handles_labels(), strict=True)}
    wanted = [name for name in (*named, "other or none") if name in marks]
    figure.legend([marks[name] for name in wanted], wanted, loc="outside right upper", markerscale=3, fontsize=8)
    return figure


def _plane(result: Result) -> str:
    """Name what laid the specimens out: UMAP where that reduced them, else principal components."""
    reduction = result.settings.get("reduction")
    return "UMAP" if isinstance(reduction, dict) and reduction.get("method") == "umap" else "PCA"


def _scatter(axes: Axes, points: Mapping[str, Any], named: Sequence[str]) -> None:
    x, y = np.asarray(points["x"], float), np.asarray(points["y"], float)
    orders = np.array([order if order in named else "" for order in points["order"]])
    for name, color, mark in [("", REST, "."), *zip(named, PALETTE, MARKERS, strict=False)]:
        chosen = orders == name
        if chosen.any():
            label = name or "other or none"
            axes.scatter(x[chosen], y[chosen], s=5, c=color, marker=mark, linewidths=0, label=label, rasterized=True)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_visible(True)
    axes.spines[:].set_color("#BBBBBB")
