"""The atlas: rings that close, on the globe, of the areas that countries have; and names that find their country."""

import numpy as np
import pytest

from bioscan5m_hf.data.atlas import find_country, outlines
from bioscan5m_hf.data.plots.maps import project
from bioscan5m_hf.data.published import COUNTRIES


EARTH = 6_371.007
"""Radius of the sphere of the earth's area, km."""

AREAS = {
    "Brazil": 8_515,
    "Canada": 9_985,
    "Costa Rica": 51,
    "Fiji": 18,
    "Lesotho": 30,
    "Pakistan": 881,
    "Russia": 17_098,
    "South Africa": 1_221,
}
"""Thousands of square kilometres (United Nations Demographic Yearbook); the outlines are coarse."""


def area(country):
    """Give the area within a country's outline, without its holes, in thousands of km²."""
    total = 0.0
    for ring in country.rings:
        x, y = project(ring[:, 0], ring[:, 1])
        total += float(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2
    return abs(total) * EARTH**2 / 1_000


def test_rings_are_closed_and_on_the_globe():
    rings = [ring for country in outlines() for ring in country.rings]
    assert len(outlines()) == 177
    for ring in rings:
        assert len(ring) >= 4
        assert (ring[0] == ring[-1]).all()
        assert np.abs(ring).max(axis=0).tolist() <= [180, 90]
        assert np.isfinite(ring).all()


def test_no_line_runs_across_the_map():
    longest = max(np.abs(np.diff(ring[:, 0])).max() for country in outlines() for ring in country.rings
                  if country.name != "Antarctica")  # fmt: skip
    assert longest < 15


@pytest.mark.parametrize("name", AREAS)
def test_areas_are_those_of_the_countries(name):
    country = next(one for one in outlines() if one.name == name)
    assert area(country) == pytest.approx(AREAS[name], rel=0.1)


def test_land_is_three_tenths_of_the_earth():
    assert sum(area(country) for country in outlines()) / 510_072 == pytest.approx(0.29, abs=0.01)


def test_what_crosses_the_180th_meridian_lies_on_both_sides():
    russia = next(country for country in outlines() if country.name == "Russia")
    west = [ring for ring in russia.rings if ring[:, 0].max() < 0]
    assert west
    assert min(ring[:, 0].min() for ring in west) == -180
    assert max(ring[:, 0].max() for ring in russia.rings) == 180


def test_codes_are_unique_and_three_digits_or_a_name():
    codes = [country.code for country in outlines()]
    assert len(set(codes)) == 177
    assert [code for code in codes if not (code.isdigit() and len(code) == 3)] == ["N. Cyprus", "Somaliland", "Kosovo"]


def test_all_countries_of_the_dataset_are_found_and_two_are_too_small():
    pytest.importorskip("pycountry")
    drawn = {country.code for country in outlines()}
    codes = {name: find_country(name) for name in COUNTRIES}
    assert len(codes) == 47
    assert None not in codes.values()
    assert len(set(codes.values())) == 47
    assert {name for name, code in codes.items() if code not in drawn} == {
        "Antigua and Barbuda",
        "Sao Tome and Principe",
    }


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("COSTA RICA", "188"), ("  costa   rica ", "188"), ("Côte d'Ivoire", "384"), ("Cote d'Ivoire", "384"),
        ("Türkiye", "792"), ("Turkey", "792"), ("Viet Nam", "704"), ("Reunion", "638"), ("Kosovo", "Kosovo"),
        ("Russian Federation", "643"), ("Czechia", "203"), ("Macedonia", "807"), ("Atlantis", None), ("", None),
        ("NA", None), ("$x$", None),
    ],
)  # fmt: skip
def test_a_name_finds_its_country_whatever_its_capitals_and_accents(name, code):
    pytest.importorskip("pycountry")
    assert find_country(name) == code


@pytest.mark.parametrize("name", [country.name for country in outlines()])
def test_the_names_of_the_atlas_find_their_own_outline(name):
    pytest.importorskip("pycountry")
    assert find_country(name) == next(country.code for country in outlines() if country.name == name)
