"""Pictures: what is in them, whatever the names, and however many or few there are."""

import io
import itertools
import warnings
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from data.plots import constructed
from PIL import Image

from bioscan5m_hf.data.plots import (
    PLOTS,
    barcode_bars,
    boxes_on_photographs,
    draw,
    measures,
    mosaic,
    record_card,
    taxa,
)
from bioscan5m_hf.data.plots import specimens as pictures
from bioscan5m_hf.data.plots.catalogue import Shown
from bioscan5m_hf.data.plots.maps import project, site_map, world_map
from bioscan5m_hf.data.published import ORDERS
from bioscan5m_hf.plot_style import BARCODE_LINE, save, style


pytest.importorskip("matplotlib")
pytest.importorskip("squarify")
pytest.importorskip("pycountry")

OF_STATISTICS = [name for name, plot in PLOTS.items() if plot.needs == "statistics"]


@pytest.fixture(autouse=True)
def no_warnings():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def drawn(figure, tmp_path):
    """Save a figure as users get it: all is laid out, and all texts are looked up in the font."""
    with style():
        save(figure, tmp_path, "picture")
    return figure


def texts(figure):
    from matplotlib.text import Text

    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def photograph(width=64, height=48, color="teal"):
    return Image.new("RGB", (width, height), color)


@pytest.mark.parametrize("name", OF_STATISTICS)
@pytest.mark.parametrize("made", ["published", "hostile", "nothing"])
def test_every_picture_is_drawn_from_much_from_hostile_names_and_from_nothing(made, name, tmp_path):
    statistics = getattr(constructed, made)()
    (picture,) = draw(Shown(statistics), tmp_path, [name])
    ET.parse(tmp_path / f"{picture.name}.svg")
    with Image.open(tmp_path / f"{picture.name}.png") as found:
        assert found.size == picture.size
        assert min(found.size) > 300


@pytest.mark.parametrize("name", ["orders", "treemap", "map", "splits", "distances-orders"])
def test_the_same_bytes_twice(name, tmp_path):
    for folder in ("one", "two"):
        draw(Shown(constructed.hostile()), tmp_path / folder, [name])
    files = sorted(path.name for path in (tmp_path / "one").iterdir())
    assert files == [f"{name}.png", f"{name}.svg"]
    for file in files:
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_pictures_say_whose_data_they_show_and_that_they_are_invented(tmp_path):
    draw(Shown(constructed.hostile() | {"dataset": {"name": "mine", "specimens": 70, "invented": True}}), tmp_path)
    files = sorted(tmp_path.glob("*.svg"))
    assert len(files) >= 6
    for file in files:
        assert "mine, 70 specimens, INVENTED" in file.read_text(encoding="utf-8"), file.name


def test_without_names_only_pictures_with_rows_are_drawn(tmp_path):
    assert draw(Shown(constructed.nothing()), tmp_path) == []
    one = constructed.nothing() | {"barcode_lengths": [{"length": 658, "specimens": 1}]}
    assert [picture.name for picture in draw(Shown(one), tmp_path)] == ["barcode-lengths"]


def test_an_unknown_picture_is_refused_and_the_known_ones_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"no picture 'mapp': use some of orders, treemap"):
        draw(Shown(constructed.nothing()), tmp_path, ["mapp"])


def test_orders_have_a_bar_each_and_classes_a_heading():
    statistics = constructed.published()
    axes = taxa.order_bars(statistics).axes[0]
    assert len(axes.patches) == len(statistics["orders"])
    assert sorted(bar.get_width() for bar in axes.patches) == sorted(row["specimens"] for row in statistics["orders"])
    said = texts(axes.figure)
    for name, orders in ORDERS.items():
        assert any(text.strip().startswith(f"{name}, ") for text in said)
        assert set(orders) <= set(said)
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert labels.count("no order") == 11  # ten classes, and the specimens without a class
    assert "3,675,317" in said


def test_labels_of_orders_do_not_overlap(tmp_path):
    axes = drawn(taxa.order_bars(constructed.published()), tmp_path).axes[0]
    boxes = [label.get_window_extent() for label in axes.get_yticklabels()]
    assert all(upper.y0 > lower.y1 - 1 for upper, lower in itertools.pairwise(boxes))
    assert min(box.x0 for box in boxes) >= 0


def test_a_treemap_has_a_tile_for_each_family_and_they_fill_it():
    statistics = constructed.published()
    axes = taxa.treemap(statistics).axes[0]
    tiles = [patch for patch in axes.patches if patch.get_fill()]
    assert len(tiles) == len(statistics["families"])
    areas = np.array([tile.get_width() * tile.get_height() for tile in tiles])
    assert areas.sum() == pytest.approx(900 * 560)
    counts = sorted(row["specimens"] for row in statistics["families"])
    assert np.sort(areas) / areas.sum() == pytest.approx(np.array(counts) / sum(counts))


def test_names_in_a_treemap_stay_within_it(tmp_path):
    figure = drawn(taxa.treemap(constructed.hostile()), tmp_path)
    inside = figure.axes[0].get_window_extent()
    boxes = [text.get_window_extent() for text in figure.axes[0].texts]
    assert boxes
    assert all(box.x0 >= inside.x0 - 2 and box.x1 <= inside.x1 + 2 for box in boxes)


def test_species_curve_ends_at_the_number_of_species():
    rows = [{"specimens": 40, "species": 1}, {"specimens": 5, "species": 10}, {"specimens": 1, "species": 89}]
    axes = taxa.species_frequency(constructed.nothing() | {"species_frequency": rows}).axes[0]
    (line,) = axes.get_lines()
    assert line.get_xdata().tolist() == [1, 1, 2, 11, 12, 100]
    assert line.get_ydata().tolist() == [40, 40, 5, 5, 1, 1]
    assert "89 of 100 have one specimen" in axes.get_xlabel()


def test_donuts_are_one_a_group_of_splits_that_is_there():
    rows = [
        {"split": "train", "order": "Diptera", "specimens": 60},
        {"split": "val", "order": "Diptera", "specimens": 20},
        {"split": "test", "order": None, "specimens": 20},
        {"split": "key_unseen", "order": "Hymenoptera", "specimens": 4},
    ]
    figure = taxa.split_donuts(constructed.nothing() | {"split_orders": rows})
    assert len(figure.axes) == 2
    said = texts(figure)
    assert {"seen\n100", "unseen\n4", "80 %", "20 %", "100 %", "no order"} <= set(said)
    assert "other orders" not in said


def test_the_map_lists_every_name_that_it_cannot_show(tmp_path):
    countries = [{"country": name, "specimens": 3 + place} for place, name in enumerate(
        [f"Nowhere{number}" for number in range(25)] + ["Antigua and Barbuda", "Costa Rica", "$x$ <b>"])]  # fmt: skip
    found = world_map([], [*countries, {"country": None, "specimens": 9}])
    drawn(found.figure, tmp_path)
    assert len(found.unknown) == 26
    assert found.too_small == {"Antigua and Barbuda": 28}
    said = " ".join(found.figure._supxlabel.get_text().split())
    assert all(f"Nowhere{number} {3 + number}" in said for number in range(25))
    assert "Antigua and Barbuda 28" in said
    assert "$x$ <b> 30" in found.note
    low = found.figure._supxlabel.get_window_extent()
    assert low.y0 >= 0
    assert low.x1 <= found.figure.bbox.x1


def test_a_hundred_names_that_no_map_knows_leave_room_for_the_map(tmp_path):
    few, many = ([{"country": f"Nowhere{at}", "specimens": 1} for at in range(count)] for count in (1, 300))
    found = world_map([], many, specimens=7)
    drawn(found.figure, tmp_path)
    lines = found.figure._supxlabel.get_text().splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("7 specimens without a site")
    assert lines[-2].endswith("… and more")
    assert "Nowhere299 1" in found.note
    small = world_map([], few)
    drawn(small.figure, tmp_path)
    assert found.figure.axes[0].bbox.height > 0.8 * small.figure.axes[0].bbox.height


def test_sites_are_where_they_belong_and_small_countries_are_discs():
    statistics = constructed.published()
    found = site_map(statistics)
    assert found.unknown == {}
    assert set(found.too_small) == {"Antigua and Barbuda", "Sao Tome and Principe"}
    offsets = [np.asarray(one.get_offsets()) for one in found.figure.axes[0].collections]
    sites = next(one for one in offsets if len(one) == len(statistics["sites"]))
    assert sites[:, 0].min() > -2.71
    discs = [one[0] for one in offsets if len(one) == 1]
    antigua = [float(value[0]) for value in project(np.array([-61.8]), np.array([17.07]))]
    assert any(np.allclose(disc, antigua) for disc in discs)


def test_sites_that_are_not_on_the_globe_are_counted_not_drawn(tmp_path):
    bad = [(None, 3.0), (3.0, None), (float("nan"), 1.0), (91.0, 0.0), (0.0, -181.0)]
    rows = [{"latitude": up, "longitude": across, "country": None, "specimens": 2} for up, across in bad]
    good = {"latitude": -89.0, "longitude": 180.0, "country": None, "specimens": 1}
    found = world_map([*rows, good], specimens=12)
    drawn(found.figure, tmp_path)
    assert found.nowhere == 11
    assert found.note == "11 specimens without a site"
    low, _ = found.figure.axes[0].get_ylim()
    assert low <= project(np.zeros(1), np.array([-89.0]))[1][0]


def test_barcodes_have_a_bar_a_base_and_count_them():
    axes = barcode_bars("ACGTN-" * 50).axes[0]
    pixels = np.asarray(axes.images[0].get_array())
    assert pixels.shape == (2, BARCODE_LINE, 3)
    colored = (pixels.reshape(-1, 3) != 1).any(axis=1)
    assert colored.sum() == 300
    assert not colored[300:].any()
    assert len(np.unique(pixels.reshape(-1, 3)[:300], axis=0)) == 5
    assert {"A 50", "C 50", "G 50", "T 50", "N or other 100"} <= set(texts(axes.figure))


def test_no_barcode_is_said():
    assert "no barcode" in texts(barcode_bars(""))


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"image": photograph(), "image_measurement_value": 8605, "split": "train"},
        {"image": b"no photograph at all"},
        {"image": photograph(3, 900).convert("L"), "dna_barcode": ""},
        {"dna_barcode": "ACGT" * 700, "coord-lon": -179.99, "coord-lat": 89.9},
        {"coord-lat": float("nan"), "country": None},
        dict.fromkeys(constructed.specimen(), None),
        *({"species": name, "processid": name, "country": name} for name in constructed.HOSTILE),
    ],
)
def test_a_record_card_is_drawn_of_any_row(known, tmp_path):
    figure = drawn(record_card(constructed.specimen(**known), dataset="mine, INVENTED"), tmp_path)
    said = texts(figure)
    assert any("mine, INVENTED" in text for text in said)
    right = figure.bbox.x1
    assert all(text.get_window_extent().x1 <= right + 1 for axes in figure.axes for text in axes.texts)


def test_a_record_card_says_what_is_known_and_what_is_missing():
    said = texts(record_card(constructed.specimen(image_measurement_value=8605)))
    assert {"Diptera", "Megaselia", "Costa Rica", "no photograph", "8,605 pixels, 0.592 mm²"} <= set(said)
    assert "10.300°, -84.100°" in said
    assert "barcode, 650 bases" in said
    assert "not given" in said  # the genus


def test_jpeg_bytes_and_undecoded_columns_are_photographs_too():
    stream = io.BytesIO()
    photograph().save(stream, "JPEG")
    for image in (stream.getvalue(), {"bytes": stream.getvalue(), "path": None}):
        assert len(record_card(constructed.specimen(image=image)).axes[0].images) == 1


def test_a_mosaic_has_a_line_a_group_those_without_a_name_last(tmp_path):
    rows = [constructed.specimen(order=order, image=photograph()) for order in ("A", "B", "B", None, None, None)]
    figure = drawn(mosaic([*rows, constructed.specimen(order="C", image=None)], "order"), tmp_path)
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["B", "A", "no order"]


def test_a_mosaic_of_too_many_groups_says_how_many_there_are(tmp_path):
    rows = [constructed.specimen(order=f"Order{number}", image=photograph()) for number in range(75)]
    figure = mosaic(rows, "order")
    assert len(figure.axes) == pictures.GROUPS
    assert "the 60 of 75 with the most here" in figure.get_suptitle()


def test_unreadable_photographs_leave_a_place_and_no_photographs_a_word(tmp_path):
    drawn(mosaic([constructed.specimen(image=b"rubbish")], "class"), tmp_path)
    assert "no photographs" in texts(mosaic([constructed.specimen()], "class"))


def test_boxes_and_masks_lie_on_their_photographs(tmp_path):
    mask = np.zeros((48, 64), bool)
    mask[10:20, 20:40] = True
    given = [("A-1", photograph(), (20, 10, 40, 20)), ("B-2", photograph(), None), ("C-3", None, (0, 0, 9, 9)),
             ("D-4", photograph(), (-50, -50, 900, 900))]  # fmt: skip
    masks = [mask, np.zeros_like(mask), None, np.ones_like(mask)]
    figure = drawn(boxes_on_photographs(given, masks=masks, dataset="mine"), tmp_path)
    first, second, third, fourth = figure.axes
    assert [patch.get_bbox().bounds for patch in first.patches] == [(20, 10, 20, 10)] * 2
    assert len(first.collections) == 1
    assert second.get_title() == "B-2: no box"
    assert not second.patches
    assert "no photograph" in [text.get_text() for text in third.texts]
    assert (fourth.get_xlim(), fourth.get_ylim()) == ((-0.5, 63.5), (47.5, -0.5))


def test_distances_are_boxes_of_their_quartiles():
    rows = [constructed.distance("order", f"Order{number}", number) for number in range(40)]
    axes = measures.distances_by_group(constructed.nothing() | {"distances": rows}).axes[0]
    labels = [label.get_text() for label in axes.get_yticklabels()]
    assert len(labels) == measures.GROUPS
    assert labels[0] == "Order39 (44)"  # the most barcodes first
    assert "the 30 of 40" in axes.figure.get_suptitle()
    (path,) = [patch.get_path().vertices[:, 0] for patch in axes.patches][:1]
    assert (path.min(), path.max()) == (rows[39]["quartile_1"], rows[39]["quartile_3"])


def test_edit_distances_are_drawn_where_no_others_were_measured():
    rows = [constructed.distance("genus", "Aus", 3, measure="OSA"), constructed.distance("genus", "Bus", 4, "OSA")]
    figure = measures.distances_by_rank(constructed.nothing() | {"distances": rows})
    assert figure.axes[0].get_ylabel() == "mean OSA distance of a group"
    both = measures.distances_by_rank(
        constructed.nothing() | {"distances": [*rows, constructed.distance("genus", "C")]}
    )
    assert both.axes[0].get_ylabel() == "mean p-distance of a group"


def test_histograms_are_logarithmic_where_their_intervals_are():
    wide = [{"column": "area_fraction", "low": x / 40, "high": (x + 1) / 40, "specimens": x} for x in range(1, 40)]
    grown = [{"column": "area_mm2", "low": 2.0**x, "high": 2.0 ** (x + 1), "specimens": 5} for x in range(9)]
    sizes = [{"column": "area_fraction", "median": 0.5}, {"column": "area_mm2", "median": 3.0}]
    figure = measures.size_histograms(constructed.nothing() | {"size_histograms": wide + grown, "sizes": sizes})
    assert [axes.get_xscale() for axes in figure.axes] == ["log", "linear"]


def test_one_specimen_is_enough(tmp_path):
    one = constructed.nothing("one", 1) | {
        "orders": [{"class": None, "order": None, "specimens": 1}],
        "families": [{"class": None, "order": None, "family": None, "specimens": 1}],
        "split_orders": [{"split": "train", "order": None, "specimens": 1}],
        "sites": [{"latitude": 0.0, "longitude": 0.0, "country": None, "specimens": 1}],
        "species_frequency": [{"specimens": 1, "species": 1}],
        "barcode_lengths": [{"length": 1, "specimens": 1}],
        "size_histograms": [{"column": "area_fraction", "low": 0.1, "high": 0.1, "specimens": 1}],
        "sizes": [{"column": "area_fraction", "median": 0.1}],
        "distances": [constructed.distance("species", "Aus bus")],
        "barcode_gap": [{"species": "Aus bus", "largest_within": 0.0, "nearest_other": 0.0}],
    }
    assert len(draw(Shown(one), tmp_path)) == 12


def test_a_process_id_names_no_file_outside_the_folder(tmp_path):
    rows = [constructed.specimen(processid=name) for name in ("../../out", "a/b", "a b", "a_b", "$x$")]
    given = Shown(constructed.nothing(), rows, [row["processid"] for row in rows])
    found = draw(given, tmp_path / "plots", ["card"])
    assert [picture.name for picture in found] == [
        *("card-______out", "card-a_b", "card-a_b-2", "card-a_b-3", "card-_x_"),
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["plots"]
    assert len(list((tmp_path / "plots").iterdir())) == 10


def test_cards_nobody_has_are_refused(tmp_path):
    given = Shown(constructed.nothing(), [constructed.specimen()], ["NOBODY-1"])
    with pytest.raises(ValueError, match="no specimen NOBODY-1"):
        draw(given, tmp_path, ["card"])


def test_without_a_choice_the_best_known_of_different_orders_get_a_card(tmp_path):
    known = [("A-1", "Diptera", None), ("B-2", "Diptera", "Aus bus"), ("C-3", "Araneae", None), ("D-4", None, None),
             ("E-5", "Hemiptera", "Cus dus")]  # fmt: skip
    rows = [
        constructed.specimen(processid=name, order=order, species=species, genus=species)
        for name, order, species in known
    ]
    found = draw(Shown(constructed.nothing(), rows), tmp_path, ["card"])
    assert [picture.name for picture in found] == ["card-B-2", "card-E-5", "card-C-3"]
