"""The page of datasets that lack something: photographs, models, good values; and the Space."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest


sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "data"))

from browsing import ROOT, Visit, chromium, served
from folders import md5, write_folder


HOSTILE = "<img src=x onerror='window.hacked=1'>${window.hacked=2}{{value}}"


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def address(browser, tmp_path_factory):
    folder = tmp_path_factory.mktemp("without")
    rows = [
        {
            "processid": "INV001-26",
            "dna_barcode": "ACGT" * 165,
            "order": HOSTILE,
            "country": HOSTILE,
            "sampleid": HOSTILE,
        },
        {"processid": "INV/2?#26", "dna_barcode": None, "taxon": HOSTILE, "coord-lat": 95.0, "coord-lon": 0.0},
        {"processid": "INV003-26", "dna_barcode": "N" * 30, "order": "Araneae", "subfamily": "unassigned Agelenidae"},
    ]
    dataset = write_folder(folder / "bare", {"train": sorted(rows, key=lambda row: md5(row["processid"]))})
    with served("-m", "bioscan5m_hf.cli", "browse", dataset, "--port", 0, log=folder / "log") as found:
        yield found


def test_a_dataset_without_photographs_says_so_and_shows_cards(browser, address):
    visit = Visit(browser, address)
    visit.found("3 specimens")
    assert "This dataset has no photographs" in visit.page.locator(".head").inner_text()
    assert "invented" not in visit.page.locator(".head").inner_text()
    assert visit.page.locator("#cards .card").count() == 3
    assert visit.page.locator("#cards .photo").count() == 0
    assert visit.page.locator("#cards button[data-neighbours]").count() == 0
    assert "no barcode" in visit.page.locator("#cards").inner_text()
    assert "unassigned" not in visit.page.locator("#cards").inner_text()
    assert visit.outside() == []
    visit.page.close()


def test_values_of_a_dataset_are_text(browser, address):
    visit = Visit(browser, address)
    visit.found("3 specimens")
    visit.choose("Taxon", "<img", HOSTILE)
    visit.found("1 of 3 specimens")
    assert HOSTILE in visit.page.locator("#cards .card h3").inner_text()
    visit.page.wait_for_timeout(500)
    assert visit.page.evaluate("window.hacked === undefined")
    assert visit.page.locator("#cards .card img:not(.map img)").count() == 0
    assert visit.errors == []
    assert visit.outside() == []
    visit.page.close()


def test_without_a_model_a_barcode_is_checked_and_it_is_said_what_to_start_with(browser, address):
    visit = Visit(browser, address)
    visit.name("ACGT" * 40)
    visit.page.locator("#answer .checks").wait_for()
    said = visit.page.locator("#answer").inner_text()
    assert "--index KEYS --model MODEL" in said
    assert "short" in said
    visit.page.close()


def test_the_space_shows_the_dataset_that_its_variables_name(browser, dataset, tmp_path):
    variables = {"BIOSCAN5M_DATASET": str(dataset), "GRADIO_SERVER_PORT": "0"}
    with served(ROOT / "space" / "app.py", log=tmp_path / "log", **variables) as address:
        visit = Visit(browser, address)
        visit.found("160 specimens · page 1 of 14")
        image = visit.page.locator("#cards .photo img").first.element_handle()
        visit.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=image)
        assert visit.outside() == []
        visit.page.close()
