"""The page in a real browser, started as it is typed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
from PIL import Image

from bioscan5m_hf.adapters import load_encoder
from bioscan5m_hf.library.building import build_index
from bioscan5m_hf.library.specimens import open_dataset
from bioscan5m_hf.library.vectors import Embedder
from bioscan5m_hf.models.clibd.export_clibd import save_clibd


sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).parents[1] / "models"))

from browsing import PHONE, Visit, chromium, served
from clibds import clibd


@pytest.fixture(scope="module")
def browser():
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def specimens(dataset):
    """Give the specimens that are keys, and their photographs."""
    batches = open_dataset(dataset, "train+key_unseen").batches(rows=500)
    return [both for batch in batches for both in zip(batch.table.to_pylist(), batch.photographs, strict=True)]


@pytest.fixture(scope="module")
def address(browser, dataset, tmp_path_factory):
    folder = tmp_path_factory.mktemp("browse")
    model = save_clibd(*clibd(), folder / "clibd-tiny")
    build_index(folder / "keys", Embedder(load_encoder(str(model))), open_dataset(dataset, "train+key_unseen"))
    words = ("-m", "bioscan5m_hf.cli", "browse", dataset, "--port", 0)
    asked = ("--index", folder / "keys", "--model", model)
    with served(*words, *asked, log=folder / "log") as found:
        yield found


@pytest.fixture
def visit(browser, address):
    opened = Visit(browser, address)
    yield opened
    assert opened.errors == []
    assert opened.outside() == []
    opened.page.close()


def test_an_invented_dataset_says_so_at_the_top(visit):
    visit.found("page 1")
    assert "All of them are invented." in visit.page.locator(".head").inner_text()


def test_cards_show_photographs_that_decode_barcodes_and_maps(visit):
    assert re.fullmatch(r"160 specimens · page 1 of 14", visit.found("page 1"))
    cards = visit.page.locator("#cards .card")
    assert cards.count() == 12
    for card in (cards.nth(0), cards.nth(11)):
        card.scroll_into_view_if_needed()
        photograph = card.locator(".photo img")
        visit.page.wait_for_function(
            "image => image.complete && image.naturalWidth > 0", arg=photograph.element_handle()
        )
        assert card.get_attribute("data-processid") in photograph.get_attribute("alt")
        assert "bases" in card.locator("svg.bars").get_attribute("aria-label")
        assert card.locator("svg.bars path").count() >= 4
    world = visit.page.locator(".map img").first
    world.scroll_into_view_if_needed()
    visit.page.wait_for_function("image => image.complete && image.naturalWidth > 0", arg=world.element_handle())


def test_taxa_are_suggested_and_filter_with_split_and_country(visit, dataset):
    rows = [row for batch in open_dataset(dataset, photographs=False).batches() for row in batch.table.to_pylist()]
    flies = [row for row in rows if row["order"] == "Hymenoptera"]
    visit.choose("Taxon", "hym", re.compile("Hymenoptera"))
    visit.found(f"{len(flies)} of 160 specimens")
    assert {
        text for text in visit.page.locator("#cards .lineage").all_inner_texts() if "Hymenoptera" not in text
    } == set()
    visit.choose("Split", "pretrain", re.compile("^pretrain"))
    some = [row for row in flies if row["split"] == "pretrain"]
    visit.found(f"{len(some)} of 160 specimens")
    country = some[0]["country"]
    visit.choose("Country", country, re.compile(country))
    visit.found(f"{sum(row['country'] == country for row in some)} of 160 specimens")
    visit.page.get_by_role("button", name="Clear filters").click()
    visit.found("160 specimens · page 1 of 14")


def test_an_unknown_taxon_is_an_error_with_a_guess(visit):
    box = visit.page.get_by_role("combobox", name="Taxon")
    box.click()
    box.fill("Dipterra")
    box.press("Enter")
    said = visit.found("no specimen has the order 'Dipterra'")
    assert "did you mean Diptera?" in said
    assert visit.page.locator("#found [role=alert]").count() == 1


def test_pages_follow_each_other(visit):
    first = visit.page.locator("#cards .card").first.get_attribute("data-processid")
    visit.page.get_by_role("button", name="Next page").first.click()
    visit.found("page 2 of 14")
    assert visit.page.locator("#cards .card").first.get_attribute("data-processid") != first
    number = visit.page.get_by_label("Page", exact=True)
    number.fill("99")
    number.press("Enter")
    visit.found("page 14 of 14")
    assert visit.page.locator("#cards .card").count() == 160 - 13 * 12
    visit.page.get_by_role("button", name="Previous page").click()
    visit.found("page 13 of 14")


def test_a_specimen_is_found_by_its_process_id_with_its_nearest(visit, specimens):
    key = specimens[0][0]["processid"]
    box = visit.page.get_by_label("Process id")
    box.fill(key)
    box.press("Enter")
    visit.found("1 of 160 specimens")
    card = visit.page.locator("#cards .card")
    report = card.get_by_role("link", name=re.compile("Report"))
    assert report.get_attribute("href").startswith("https://github.com/bioscan-ml/BIOSCAN-5M/issues/new?title=")
    assert key in report.get_attribute("href")
    card.get_by_role("button", name=f"Nearest to {key}").click()
    near = visit.page.locator("#near .card")
    near.first.wait_for()
    ids = near.evaluate_all("cards => cards.map(card => card.dataset.processid)")
    assert len(ids) == 6
    assert key not in ids
    assert set(ids) <= {row["processid"] for row, _ in specimens}
    scores = [float(text.split()[1]) for text in visit.page.locator("#near .similarity").all_inner_texts()]
    assert scores == sorted(scores, reverse=True)


def test_what_is_no_key_is_embedded_to_find_its_nearest(visit, dataset, specimens):
    other = next(open_dataset(dataset, "pretrain").batches(rows=1)).table["processid"][0].as_py()
    box = visit.page.get_by_label("Process id")
    box.fill(other)
    box.press("Enter")
    visit.found("1 of 160 specimens")
    visit.page.get_by_role("button", name=f"Nearest to {other}").click()
    near = visit.page.locator("#near .card")
    near.first.wait_for()
    assert near.first.get_attribute("data-processid") in {row["processid"] for row, _ in specimens}


def test_a_pasted_barcode_of_a_key_finds_this_key_and_candidates(visit, specimens):
    row = next(row for row, _ in specimens if row["species"])
    visit.name(f">mine\n{row['dna_barcode'][:300]}\n{row['dna_barcode'][300:].lower()}\n")
    visit.page.locator("#answer .answer").wait_for()
    assert row["species"] in visit.page.locator("#answer .answer table").inner_text()
    similar = visit.page.locator("#answer .card .similarity").first.inner_text()
    assert similar == "similarity 1.000"
    assert "changed" in visit.page.locator("#answer .checks").inner_text()


@pytest.mark.parametrize(
    ("pasted", "said"),
    [
        ("", "nothing to name"),
        ("ACGTQQACGT" * 30, "(Q) stand at 60 of 300 places, the first at 5"),
        ("MKVLAAGIVGLPLLFEPQILMF" * 9, "seems to be a protein"),
        (">a\nACGT\n>b\nACGT", "there are 2 sequences"),
        ("N" * 300, "only 0 of 300 letters"),
        ("<script>window.stolen=1</script>", "this is no barcode"),
    ],
)
def test_a_bad_barcode_is_an_error_that_says_what_is_wrong(visit, pasted, said):
    visit.name(pasted)
    alert = visit.page.locator("#answer [role=alert]")
    alert.wait_for()
    assert said in alert.inner_text()
    assert visit.page.evaluate("window.stolen === undefined")


def test_a_dropped_photograph_finds_its_key(visit, specimens, tmp_path):
    row, photograph = specimens[0]
    file = tmp_path / "mine.jpg"
    file.write_bytes(photograph)
    visit.page.get_by_role("tab", name="Name a specimen").click()
    visit.page.locator("#photograph input[type=file]").set_input_files(file)
    visit.page.locator("#photograph", has_text="mine").wait_for()
    visit.page.get_by_role("button", name="Name it").click()
    nearest = visit.page.locator("#answer .card").first
    nearest.wait_for()
    assert nearest.get_attribute("data-processid") == row["processid"]
    shown = visit.page.get_by_alt_text("The given photograph")
    visit.page.wait_for_function("image => image.naturalWidth > 0", arg=shown.element_handle())


def test_a_file_that_is_no_photograph_is_an_error(visit, tmp_path):
    file = tmp_path / "broken.png"
    Image.new("RGB", (64, 48)).save(file)
    file.write_bytes(file.read_bytes()[:60])
    visit.page.get_by_role("tab", name="Name a specimen").click()
    visit.page.locator("#photograph input[type=file]").set_input_files(file)
    visit.page.locator("#photograph", has_text="broken").wait_for()
    visit.page.get_by_role("button", name="Name it").click()
    alert = visit.page.locator("#answer [role=alert]")
    alert.wait_for()
    assert "The photograph: it" in alert.inner_text()


def test_on_a_phone_nothing_is_wider_than_it(browser, address, specimens):
    visit = Visit(browser, address, **PHONE)
    visit.found("page 1")
    assert not visit.overflows()
    visit.page.locator("#cards button[data-neighbours]").first.click()
    visit.page.locator("#near .card").first.wait_for()
    assert not visit.overflows()
    assert visit.page.locator("#cards .card").first.bounding_box()["width"] > 280
    visit.name(specimens[0][0]["dna_barcode"])
    visit.page.locator("#answer .answer").wait_for()
    assert not visit.overflows()
    assert visit.outside() == []
    visit.page.close()


def test_controls_have_names_and_pictures_alternatives(visit):
    visit.found("page 1")
    unnamed = visit.page.evaluate(
        """() => [...document.querySelectorAll('button, input:not([type=file]), textarea, a[href]')].filter(one =>
             one.offsetParent && !(one.getAttribute('aria-label') || one.innerText.trim() || one.labels?.length
               || one.querySelector('img[alt]'))).map(one => one.outerHTML.slice(0, 120))"""
    )
    assert unnamed == []
    assert visit.page.locator("img:not([alt])").count() == 0
    assert visit.page.locator("h1").count() == 1
    visit.page.locator("#cards button[data-neighbours]").first.focus()
    visit.page.keyboard.press("Enter")
    visit.page.locator("#near .card").first.wait_for()


def test_the_served_page_names_no_other_host_in_scripts_and_links(visit):
    html = visit.page.request.get(visit.page.url).text()
    tags = re.findall(r"<(?:script|link|iframe|img)\b[^>]*", html)
    assert tags
    assert [tag for tag in tags if re.search(r"""(?:src|href)=["']?(?:https?:)?//""", tag)] == []
    policy = visit.page.request.get(visit.page.url).headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "http" not in policy
    config = visit.page.evaluate("window.gradio_config")
    assert config["analytics_enabled"] is False


def test_a_foreign_host_name_is_refused(visit):
    answer = visit.page.request.get(visit.page.url, headers={"Host": "elsewhere.example"})
    assert answer.status == 400
