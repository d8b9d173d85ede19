"""Pictures of taxonomy: classes and orders, families by area, frequency of species, orders of the splits."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ...plot_style import GREY, PALETTE, REST
from .canvas import LONGEST, axes_of, canvas, colours, ink_on, nothing, plain, shown, write_out


if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SLICES = 6
"""Orders that a ring names; the others are one."""

NARROWEST = 5
"""Per cent of a ring from which on a slice is wide enough for its number."""

Rows = Sequence[Mapping[str, Any]]


def order_bars(statistics: Mapping[str, Any]) -> Figure:
    """Draw the specimens of each order on a logarithmic scale, the orders of a class together.

    Args:
        statistics: with rows `orders`: class, order, specimens.
    """
    rows: Rows = statistics["orders"]
    classes: dict[object, int] = defaultdict(int)
    for row in rows:
        classes[row["class"]] += row["specimens"]
    by_size = sorted(classes, key=lambda name: (name is None, -classes[name]))
    ordered = sorted(rows, key=lambda row: (by_size.index(row["class"]), row["order"] is None, -row["specimens"]))
    lines = len(rows) + 1.3 * len(by_size)
    figure = canvas("Specimens of each class and order", shown(statistics), (8.0, 1.3 + 0.19 * max(4, lines)))
    if not rows:
        return nothing(figure, "no specimens")
    axes, given, place = axes_of(figure), colours(by_size), 0.0
    places, names = [], []
    for name in by_size:
        head = f"{plain(name, 50) if name else 'no class'}, {classes[name]:,}"
        axes.text(0, place, f" {head}", transform=axes.get_yaxis_transform(), weight="bold", va="center", fontsize=8)
        for row in (row for row in ordered if row["class"] == name):
            place += 1
            places.append(place)
            names.append(plain(row["order"] or "no order", LONGEST))
            axes.barh(place, row["specimens"], color=given[name], height=0.78)
            _count(axes, row["specimens"], place)
        place += 1.3
    axes.set_yticks(places, names)
    axes.set_ylim(place - 0.6, -0.6)
    axes.set_xscale("log")
    axes.set_xlim(0.5, max(row["specimens"] for row in rows) * 6)
    axes.set_xlabel("specimens (logarithmic)")
    axes.grid(axis="x")
    axes.tick_params(axis="y", length=0)
    write_out(axes.xaxis)
    return figure


def treemap(statistics: Mapping[str, Any]) -> Figure:
    """Draw classes, orders and families as areas; a family is named where its area has room for the name.

    Args:
        statistics: with rows `families`: class, order, family, specimens.

    Raises:
        ModuleNotFoundError: the extra `curate` is not installed.
    """
    import squarify

    rows: Rows = [row for row in statistics["families"] if row["specimens"]]
    figure = canvas("Orders and families, by their specimens", shown(statistics), (9.0, 6.4))
    if not rows:
        return nothing(figure, "no specimens")
    orders: dict[tuple[object, object], list[Mapping[str, Any]]] = defaultdict(list)
    for row in rows:
        orders[row["class"], row["order"]].append(row)
    total = {key: sum(row["specimens"] for row in own) for key, own in orders.items()}
    keys = sorted(orders, key=lambda key: -total[key])
    given = colours([key if key[1] else None for key in keys])
    axes = axes_of(figure)
    axes.set_axis_off()
    axes.set_xlim(0, 900)
    axes.set_ylim(560, 0)
    areas = squarify.normalize_sizes([total[key] for key in keys], 900, 560)
    for key, box in zip(keys, squarify.squarify(areas, 0, 0, 900, 560), strict=True):
        own = sorted(orders[key], key=lambda row: -row["specimens"])
        sizes = squarify.normalize_sizes([row["specimens"] for row in own], box["dx"], box["dy"])
        inner = squarify.squarify(sizes, box["x"], box["y"], box["dx"], box["dy"])
        for row, tile in zip(own, inner, strict=True):
            _tile(axes, tile, given[key if key[1] else None], row["family"], 18 if tile["y"] == box["y"] else 0)
        _frame(axes, box, plain(key[1] or key[0] or "no order", LONGEST), total[key])
    return figure


def species_frequency(statistics: Mapping[str, Any]) -> Figure:
    """Draw how many specimens species have, the most frequent first, both on logarithmic scales.

    Args:
        statistics: with rows `species_frequency`: specimens, species.
    """
    rows: Rows = sorted(statistics["species_frequency"], key=lambda row: -row["specimens"])
    figure = canvas("Specimens of each species, most frequent first", shown(statistics), (7.0, 4.2))
    if not rows:
        return nothing(figure, "no specimen has a species")
    ranks, counts, total = [], [], 0
    for row in rows:
        ranks += [total + 1, total + row["species"]]
        counts += [row["specimens"]] * 2
        total += row["species"]
    axes = axes_of(figure)
    axes.loglog(ranks, counts, color=PALETTE[0], lw=1.6, marker="o" if total < 20 else None, ms=3)
    single = sum(row["species"] for row in rows if row["specimens"] == 1)
    axes.set_xlabel(f"rank of the species; {single:,} of {total:,} have one specimen")
    axes.set_ylabel("specimens")
    axes.set_ylim(0.7, max(counts) * 1.6)
    axes.grid()
    write_out(axes.xaxis)
    write_out(axes.yaxis)
    return figure


def split_donuts(statistics: Mapping[str, Any]) -> Figure:
    """Draw which orders the seen, the unseen and the other splits are made of.

    Args:
        statistics: with rows `split_orders`: split, order, specimens.
    """
    from ...splits import METASPLITS

    groups = {name: METASPLITS[name] for name in ("seen", "unseen")} | {
        name: (name,) for name in ("pretrain", "other_heldout")
    }
    counted: dict[str, dict[object, int]] = {name: defaultdict(int) for name in groups}
    for row in statistics["split_orders"]:
        group = next(name for name, splits in groups.items() if row["split"] in splits)
        counted[group][row["order"]] += row["specimens"]
    here = {name: own for name, own in counted.items() if own}
    figure = canvas("Orders of the splits", shown(statistics), (2.7 * max(2, len(here)), 3.9))
    if not here:
        return nothing(figure, "no specimens")
    sums: dict[object, int] = defaultdict(int)
    for own in here.values():
        for order, count in own.items():
            sums[order] += count
    named = sorted((name for name in sums if name is not None), key=lambda name: -sums[name])[:SLICES]
    given = colours(named)
    for place, (group, own) in enumerate(here.items(), 1):
        axes = axes_of(figure, 1, len(here), place)
        _donut(axes, group, own, named, given)
    handles, labels = [_swatch(given[name]) for name in named], [plain(name, 22) for name in named]
    if set(sums) - {None, *named}:
        handles, labels = [*handles, _swatch(GREY)], [*labels, "other orders"]
    if None in sums:
        handles, labels = [*handles, _swatch(REST)], [*labels, "no order"]
    figure.legend(handles, labels, loc="outside lower center", ncols=min(len(here), 4, len(labels)))
    return figure


def _donut(
    axes: Axes, group: str, own: Mapping[object, int], named: Sequence[object], given: Mapping[object, str]
) -> None:
    known = [own.get(name, 0) for name in named]
    missing = own.get(None, 0)
    total = sum(own.values())
    sizes = [*known, total - sum(known) - missing, missing]
    tints = [*(given[name] for name in named), GREY, REST]
    shape: dict[str, Any] = {"wedgeprops": {"width": 0.42, "edgecolor": "white"}, "pctdistance": 0.79}
    words = axes.pie(sizes, colors=tints, startangle=90, counterclock=False, autopct=_per_cent, **shape)[-1]
    for text, tint in zip(words, tints, strict=True):
        text.set(color=ink_on(tint), fontsize=7.5)
    axes.text(0, 0, f"{group}\n{total:,}", ha="center", va="center")
    most, name = max(zip(sizes, [*named, "other orders", "no order"], strict=True), key=lambda pair: pair[0])
    axes.set_title(f"{plain(name, 18)} {100 * most / total:.0f} %", y=-0.08)


def _count(axes: Axes, count: int, place: float) -> None:
    axes.annotate(f"{count:,}", (count, place), (3, 0), textcoords="offset points", va="center", fontsize=7)


def _per_cent(share: float) -> str:
    """Write a slice's share, where it has room for that."""
    return f"{share:.0f} %" if share >= NARROWEST else ""


def _tile(axes: Axes, tile: Mapping[str, float], colour: str, name: object, head: float) -> None:
    from matplotlib.patches import Rectangle

    pale: dict[str, Any] = {
        "alpha": 0.55 if name else 0.25,
        "facecolor": colour,
        "edgecolor": "white",
        "linewidth": 0.4,
    }
    axes.add_patch(Rectangle((tile["x"], tile["y"]), tile["dx"], tile["dy"], **pale))
    text = plain(name or "no family", LONGEST)
    if len(text) * 5.8 < tile["dx"] and tile["dy"] - head > 14:
        middle = (tile["x"] + tile["dx"] / 2, tile["y"] + (tile["dy"] + head) / 2)
        axes.text(*middle, text, ha="center", va="center", fontsize=6.5, clip_on=True)


def _frame(axes: Axes, box: Mapping[str, float], name: str, specimens: int) -> None:
    from matplotlib.patches import Rectangle

    line: dict[str, Any] = {"fill": False, "edgecolor": "white", "linewidth": 2.4}
    axes.add_patch(Rectangle((box["x"], box["y"]), box["dx"], box["dy"], **line))
    for text in (f"{name} {specimens:,}", name):
        if len(text) * 7.8 < box["dx"] and box["dy"] > 18:
            where = (box["x"] + 4, box["y"] + 4)
            back: dict[str, Any] = {"facecolor": "white", "alpha": 0.8, "edgecolor": "none", "pad": 1.0}
            axes.text(*where, text, ha="left", va="top", fontsize=8, weight="bold", bbox=back, zorder=3)
            return


def _swatch(colour: str) -> Any:  # noqa: ANN401
    from matplotlib.patches import Patch

    return Patch(facecolor=colour)
