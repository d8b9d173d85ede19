"""Pictures of numbers: lengths of barcodes, sizes of specimens, distances between barcodes, and the barcode gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ...plot_style import GREY, PALETTE
from .canvas import LONGEST, axes_of, canvas, nothing, number, plain, shown, write_out


if TYPE_CHECKING:
    from matplotlib.figure import Figure

GROUPS = 30
"""Groups of a rank that have a box of their own; the ones with the most barcodes."""

BARCODE_REGION = 658
"""Bases of the region between the primers of Folmer et al. 1994, which BOLD asks for."""

SIZES = {
    "image_measurement_value": "pixels of the specimen",
    "area_mm2": "mm² of the specimen",
    "area_fraction": "share of the photograph that its box takes",
    "scale_factor": "shorter side of its box ÷ 256",
}
MEASURES = ("p", "K2P", "OSA")
RANKS = ("class", "order", "family", "subfamily", "genus", "species")


def barcode_lengths(statistics: Mapping[str, Any]) -> Figure:
    """Draw how long barcodes are.

    Args:
        statistics: with rows `barcode_lengths`: length, specimens.
    """
    rows = statistics["barcode_lengths"]
    figure = canvas("Lengths of barcodes", shown(statistics), (7.0, 3.6))
    if not rows:
        return nothing(figure, "no specimen has a barcode")
    lengths = np.array([row["length"] for row in rows])
    weights = np.array([row["specimens"] for row in rows])
    axes = axes_of(figure)
    width = max(1, (lengths.max() - lengths.min()) // 60)
    edges = np.arange(lengths.min(), lengths.max() + width + 1, width) - 0.5
    axes.hist(lengths, edges.tolist(), weights=weights, color=PALETTE[0], log=True)
    axes.set_ylim(0.5)
    if lengths.min() <= BARCODE_REGION <= lengths.max():
        axes.axvline(BARCODE_REGION, color=GREY, ls=":", lw=1.2)
        axes.annotate(
            f"{BARCODE_REGION} bases: {weights[lengths == BARCODE_REGION].sum():,}",
            (BARCODE_REGION, 0.97),
            (4, 0),
            xycoords=("data", "axes fraction"),
            textcoords="offset points",
            va="top",
            fontsize=7,
        )
    axes.set_xlabel("bases" if width == 1 else f"bases, {width} in a bar")
    axes.set_ylabel("specimens (logarithmic)")
    axes.grid(axis="y")
    write_out(axes.xaxis)
    write_out(axes.yaxis)
    return figure


def size_histograms(statistics: Mapping[str, Any]) -> Figure:
    """Draw how large specimens are, by each measure that the dataset has.

    Args:
        statistics: with rows `size_histograms`: column, low, high, specimens; and `sizes`.
    """
    columns = [name for name in SIZES if any(row["column"] == name for row in statistics["size_histograms"])]
    figure = canvas("Sizes of specimens", shown(statistics), (7.6, 1.2 + 2.2 * max(1, -(-len(columns) // 2))))
    if not columns:
        return nothing(figure, "no specimen has a size")
    medians = {row["column"]: row["median"] for row in statistics["sizes"]}
    for place, column in enumerate(columns, 1):
        rows = [row for row in statistics["size_histograms"] if row["column"] == column]
        edges = [row["low"] for row in rows] + [rows[-1]["high"]]
        axes = axes_of(figure, -(-len(columns) // 2), min(2, len(columns)), place)
        axes.stairs([row["specimens"] for row in rows], edges, fill=True, color=PALETTE[0])
        if edges[0] > 0 and len(rows) > 1 and _grow(edges):
            axes.set_xscale("log")
        write_out(axes.xaxis)
        write_out(axes.yaxis)
        axes.axvline(medians[column], color=PALETTE[1], lw=1.2)
        axes.set_title(f"{SIZES[column]}; median {number(medians[column])}", loc="left", fontsize=8)
        axes.set_ylabel("specimens")
        axes.grid(axis="y")
    return figure


def _grow(edges: Sequence[float]) -> bool:
    """Tell whether intervals are equally wide in their logarithm."""
    ratios = np.diff(np.log(edges))
    return bool(np.allclose(ratios, ratios[0], rtol=1e-3))


def distances_by_rank(statistics: Mapping[str, Any], measure: str | None = None) -> Figure:
    """Draw the mean distance within each group, as a box for each rank.

    Args:
        statistics: with rows `distances`: measure, rank, mean, and more.
        measure: `p`, `K2P`, or `OSA`; by default the first of them that was measured.
    """
    measure = measure or _measured(statistics)
    found = {rank: [row["mean"] for row in _distances(statistics, rank, measure)] for rank in RANKS}
    found = {rank: means for rank, means in found.items() if means}
    figure = canvas("Distance between barcodes of one group, by rank", shown(statistics), (6.6, 3.8))
    if not found:
        return nothing(figure, _unmeasured(statistics))
    axes = axes_of(figure)
    labels = [f"{rank}\n{len(means):,}" for rank, means in found.items()]
    axes.boxplot(list(found.values()), tick_labels=labels, widths=0.55, whis=(5, 95), showfliers=False, **_looks())
    for place, means in enumerate(found.values(), 1):
        if len(means) < 12:
            axes.plot([place] * len(means), means, "o", ms=3, color=PALETTE[1])
    axes.set_ylabel(f"mean {_said(measure)}distance of a group")
    axes.set_xlabel("rank, and its groups with two barcodes or more\nboxes: quartiles; whiskers: 5 and 95 %")
    axes.set_ylim(0)
    axes.grid(axis="y")
    return figure


def distances_by_group(statistics: Mapping[str, Any], rank: str = "order", measure: str | None = None) -> Figure:
    """Draw the distances within groups of a rank, a box for each of those with the most barcodes.

    Args:
        statistics: with rows `distances`: measure, rank, name, quartiles, p5, p95, barcodes, and more.
        rank: `class`, `order` or another rank.
        measure: `p`, `K2P`, or `OSA`; by default the first of them that was measured.
    """
    measure = measure or _measured(statistics)
    rows = sorted(_distances(statistics, rank, measure), key=lambda row: -row["barcodes"])
    some = rows[:GROUPS]
    note = f", the {GROUPS} of {len(rows):,} with the most barcodes" if len(rows) > GROUPS else ""
    title = f"Distance between barcodes of one {rank}{note}"
    figure = canvas(title, shown(statistics), (7.2, 1.6 + 0.24 * max(4, len(some))))
    if not some:
        return nothing(figure, _unmeasured(statistics, f" within a {rank}"))
    axes = axes_of(figure)
    boxes = [
        {
            **{"med": row["median"], "q1": row["quartile_1"], "q3": row["quartile_3"]},
            **{"whislo": row["p5"], "whishi": row["p95"], "fliers": []},
            "label": f"{plain(row['name'], LONGEST)} ({row['barcodes']:,})",
        }
        for row in some
    ]
    axes.bxp(boxes, orientation="horizontal", widths=0.6, showfliers=False, **_looks())
    axes.invert_yaxis()
    axes.set_xlim(0)
    axes.set_xlabel(f"{_said(measure)}distance\nboxes: quartiles; whiskers: 5 and 95 %; in brackets: barcodes")
    axes.grid(axis="x")
    return figure


def _unmeasured(statistics: Mapping[str, Any], where: str = "") -> str:
    """Say why there are no distances: nobody asked for them, or no two barcodes can be compared."""
    asked = "seed" in statistics["dataset"]
    return f"no distances{where}: " + ("no two barcodes to compare" if asked else "ask for them with --distances")


def barcode_gap(statistics: Mapping[str, Any]) -> Figure:
    """Draw for each species the largest distance within it against that to the nearest other species.

    Args:
        statistics: with rows `barcode_gap`: species, largest_within, nearest_other.
    """
    rows = [
        row
        for row in statistics.get("barcode_gap") or ()
        if row["largest_within"] is not None and row["nearest_other"] is not None
    ]
    figure = canvas("The barcode gap: is a species' nearest neighbour its own?", shown(statistics), (5.8, 6.2))
    if not rows:
        return nothing(figure, _unmeasured(statistics, " between species"))
    within, other = (np.array([row[name] for row in rows]) for name in ("largest_within", "nearest_other"))
    axes = axes_of(figure)
    gap = other > within
    for there, colour, marker, what in ((gap, PALETTE[0], "o", "with a gap"), (~gap, PALETTE[1], "^", "without")):
        label = f"{what}: {there.sum():,} ({100 * there.mean():.0f} %)"
        axes.scatter(within[there], other[there], s=14, color=colour, marker=marker, alpha=0.6, lw=0, label=label)
    end = max(float(within.max()), float(other.max()), 0.01) * 1.05
    axes.plot([0, end], [0, end], color=GREY, ls=":", lw=1)
    axes.set_xlim(-end / 50, end)
    axes.set_ylim(-end / 50, end)
    axes.set_aspect("equal")
    axes.set_xlabel("largest p-distance within the species")
    axes.set_ylabel("p-distance to the nearest other species")
    title = f"{len(rows):,} species with two specimens or more, and a neighbour"
    figure.legend(title=title, loc="outside lower left", ncols=2, fontsize=8, alignment="left")
    axes.grid()
    return figure


def _distances(statistics: Mapping[str, Any], rank: str, measure: str) -> Sequence[Mapping[str, Any]]:
    rows = statistics.get("distances") or ()
    return [row for row in rows if row["rank"] == rank and row["measure"] == measure and row["mean"] is not None]


def _measured(statistics: Mapping[str, Any]) -> str:
    there = {row["measure"] for row in statistics.get("distances") or ()}
    return next((name for name in MEASURES if name in there), MEASURES[0])


def _said(measure: str) -> str:
    return "p-" if measure == "p" else f"{measure} "


def _looks() -> dict[str, Any]:
    return {
        "patch_artist": True,
        "boxprops": {"facecolor": PALETTE[5], "alpha": 0.55, "linewidth": 0.8},
        "medianprops": {"color": PALETTE[1], "linewidth": 1.4},
        "whiskerprops": {"linewidth": 0.8},
        "capprops": {"linewidth": 0.8},
    }
