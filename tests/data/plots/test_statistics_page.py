"""The page of statistics: complete, escaped, on its own; and the command that writes it."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pyarrow.parquet as pq
import pytest
import yaml
from data.folders import write_folder
from data.plots import constructed
from PIL import Image

from bioscan5m_hf.data.images import read_boxes
from bioscan5m_hf.data.plots.catalogue import Picture, Shown, draw
from bioscan5m_hf.data.plots.material import find_rows
from bioscan5m_hf.data.plots.page import ROWS, write_page
from bioscan5m_hf.data.statistics import Statistics, write_tables


pytest.importorskip("matplotlib")
pytest.importorskip("squarify")
pytest.importorskip("pycountry")


class Page(HTMLParser):
    """Collects what a page links to, shows, and says."""

    def __init__(self, path):
        super().__init__()
        self.links, self.pictures, self.tags, self.ids, self.words = [], [], [], [], []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        known = dict(attrs)
        self.tags.append(tag)
        self.links += [known[name] for name in ("href", "src") if name in known]
        self.ids += [known["id"]] if "id" in known else []
        if tag == "img":
            self.pictures.append(known)

    def handle_data(self, data):
        self.words.append(data)


def written(statistics, folder):
    about = {"dataset", "notes"}
    tables = {name: rows for name, rows in statistics.items() if name not in about}
    write_tables(Statistics(statistics["dataset"], tables, tuple(statistics["notes"])), folder)
    pictures = draw(Shown(statistics), folder / "plots")
    return Page(write_page(statistics, pictures, folder)), pictures


def check_links(page, folder):
    for link in page.links:
        assert "://" not in link
        assert not link.startswith(("//", "/", "data:", "javascript:"))
        file, _, anchor = link.partition("#")
        assert (folder / unquote(file)).is_file() if file else anchor in page.ids, link


def test_everything_that_is_linked_is_there_and_nothing_is_elsewhere(tmp_path):
    page, pictures = written(constructed.hostile(), tmp_path)
    check_links(page, tmp_path)
    assert len(page.pictures) == len(pictures) > 5
    assert len(set(page.ids)) == len(page.ids)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)


def test_names_are_text_whatever_they_hold(tmp_path):
    page, _ = written(constructed.hostile(), tmp_path)
    text = (tmp_path / "index.html").read_text(encoding="utf-8")
    assert "<script" not in text
    assert "&lt;script&gt;" in text
    assert any("<script>alert('x')</script>" in words for words in page.words)
    assert any("$\\frac{1}{0}$" in words for words in page.words)


def test_pictures_have_words_and_sizes(tmp_path):
    page, pictures = written(constructed.hostile(), tmp_path)
    for known, picture in zip(page.pictures, pictures, strict=True):
        assert picture.title in known["alt"]
        assert "INVENTED" in known["alt"]
        assert (int(known["width"]), int(known["height"])) == picture.size
    places = next(known for known in page.pictures if known["src"] == "plots/map.png")
    assert "unknown to the map" in places["alt"]
    assert "<script>alert('x')</script> 1" in places["alt"]


def test_long_tables_are_cut_and_say_so(tmp_path):
    statistics = constructed.nothing("long", 5) | {
        "species_frequency": [{"specimens": size, "species": 1} for size in range(1, 1_235)]
    }
    page = Page(write_page(statistics, [], tmp_path))
    said = " ".join(" ".join(page.words).split())
    assert f"The first {ROWS} of 1,234 rows;" in said
    assert page.tags.count("tr") == ROWS + 1
    assert "were not measured" in said


def test_an_empty_dataset_has_a_page(tmp_path):
    page, pictures = written(constructed.nothing(), tmp_path)
    assert pictures == []
    assert page.pictures == []
    check_links(page, tmp_path)
    assert any("empty, 0 specimens" in words for words in page.words)


def test_a_picture_may_be_without_size_and_note(tmp_path):
    page = Page(write_page(constructed.nothing(), [Picture("map", "Sites")], tmp_path))
    assert [known["alt"] for known in page.pictures] == ["Sites, empty, 0 specimens"]


def test_the_command_writes_tables_pictures_and_page(dataset, tmp_path, bioscan5m):
    code, out, problem = bioscan5m("stats", dataset, "--out", tmp_path / "stats", "--plot", "map", "--plot", "card")
    assert code == 0, problem
    page = Page(tmp_path / "stats" / "index.html")
    check_links(page, tmp_path / "stats")
    names = [Path(known["src"]).stem for known in page.pictures]
    assert names[0] == "map"
    assert len(names) == 4
    assert all(name.startswith("card-") for name in names[1:])
    assert "INVENTED" in " ".join(page.words)
    assert "4 pictures" in out


def test_the_command_draws_no_pictures_where_none_are_wanted(dataset, tmp_path, bioscan5m):
    code, _, problem = bioscan5m("stats", dataset, "--out", tmp_path / "stats", "--no-plots")
    assert code == 0, problem
    assert Page(tmp_path / "stats" / "index.html").pictures == []
    assert not (tmp_path / "stats" / "plots").exists()


def test_cards_without_photographs_come_from_the_metadata(tmp_path, bioscan5m):
    rows = [constructed.specimen(), constructed.specimen(processid="MADE2-26")]
    folder = write_folder(tmp_path / "made", {"train": rows})
    words = ("stats", folder, "--out", tmp_path / "stats", "--plot", "card", "--card", "MADE2-26")
    code, out, problem = bioscan5m(*words)
    assert code == 0, problem
    assert "1 picture" in out
    assert "no photograph" in (tmp_path / "stats" / "plots" / "card-MADE2-26.svg").read_text(encoding="utf-8")


def test_cards_that_are_asked_for_come_with_any_pictures_and_unknown_ones_are_refused_at_once(tmp_path, bioscan5m):
    folder = write_folder(tmp_path / "made", {"train": [constructed.specimen(processid="MADE2-26")]})
    for place, words in enumerate(([], ["--plot", "orders"])):
        out = tmp_path / f"stats{place}"
        code, _, problem = bioscan5m("stats", folder, "--out", out, "--card", "MADE2-26", *words)
        assert code == 0, problem
        assert (out / "plots" / "card-MADE2-26.png").exists()
    for words in (("--card", "NOBODY"), ("--boxes", folder / "README.md"), ("--masks", folder)):
        code, _, problem = bioscan5m("stats", folder, "--out", tmp_path / "none", *words)
        assert code == 1, problem
        assert not (tmp_path / "none" / "statistics.json").exists()


def test_masks_are_drawn_where_they_fit_their_photographs(dataset, release, tmp_path, bioscan5m):
    masks = tmp_path / "masks"
    masks.mkdir()
    table = release / "BIOSCAN_5M_Insect_bbox.tsv"
    words = ("stats", dataset, "--plot", "boxes", "--boxes", table, "--out")
    assert bioscan5m(*words, tmp_path / "plain")[0] == 0
    code, _, problem = bioscan5m(*words, tmp_path / "none", "--masks", masks)
    assert code == 1
    assert "has no mask" in problem
    ids = {box.processid for box in read_boxes(table)}
    mask = Image.new("L", (1024, 768))
    mask.paste(255, (300, 200, 700, 500))
    for processid in ids:
        mask.save(masks / f"{processid}.png")
    assert bioscan5m(*words, tmp_path / "stats", "--masks", masks)[0] == 0
    drawn, plain = ((tmp_path / name / "plots" / "boxes.svg").read_text() for name in ("stats", "plain"))
    assert drawn.count("<path") > plain.count("<path")
    for processid in ids:
        mask.resize((64, 48)).save(masks / f"{processid}.png")
    code, _, problem = bioscan5m(*words, tmp_path / "other", "--masks", masks)
    assert code == 1
    assert "64×48 pixels, its photograph 1024×768" in problem


def test_a_dataset_without_process_ids_has_statistics_and_pictures_but_no_cards(tmp_path, bioscan5m):
    folder = write_folder(tmp_path / "made", {"train": [constructed.specimen(), constructed.specimen()]})
    for path in (folder / "metadata").iterdir():
        pq.write_table(pq.read_table(path, partitioning=None).drop_columns(["processid"]), path)
    entries = [{"config_name": "metadata", "data_files": [{"split": "train", "path": "metadata/*.parquet"}]}]
    (folder / "README.md").write_text(f"---\n{yaml.safe_dump({'configs': entries})}---\n")
    code, _, problem = bioscan5m("stats", folder, "--out", tmp_path / "stats")
    assert code == 0, problem
    drawn = {path.name for path in (tmp_path / "stats" / "plots").iterdir()}
    assert "orders.png" in drawn
    assert not any(name.startswith("card") for name in drawn)
    words = ("--out", tmp_path / "again", "--plot", "card", "--card", "MADE1-26")
    code, _, problem = bioscan5m("stats", folder, *words)
    assert code == 1
    assert "no specimen MADE1-26" in problem


@pytest.mark.parametrize("config", ["cropped_256", "original_full", "metadata"])
def test_specimens_are_found_by_their_process_ids(dataset, config):
    import datasets

    known = [row["processid"] for row in datasets.load_dataset(str(dataset), "metadata", split="train+val")]
    wanted = {known[0], known[-1], known[len(known) // 2]}
    rows = list(find_rows(dataset, config, [*wanted, "NOBODY-1"]))
    assert {row["processid"] for row in rows} == wanted
    assert len(rows) == 3
    assert ("image" in rows[0]) == (config != "metadata")
    if config != "metadata":
        assert all(row["image"]["bytes"].startswith(b"\xff\xd8") for row in rows)


def test_boxes_are_drawn_on_the_originals_that_have_them(dataset, release, tmp_path, bioscan5m):
    table = release / "BIOSCAN_5M_Insect_bbox.tsv"
    code, _, problem = bioscan5m("stats", dataset, "--out", tmp_path / "stats", "--plot", "boxes", "--boxes", table)
    assert code == 0, problem
    text = (tmp_path / "stats" / "plots" / "boxes.svg").read_text(encoding="utf-8")
    first = table.read_text(encoding="utf-8").splitlines()
    ids = {line.split("\t")[0] for line in first[1:]}
    assert sum(f">{name}<" in text for name in ids) == 8


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--plot", "mapp"], "no picture 'mapp'"),
        (["--plot", "boxes"], "name it with --boxes"),
        (["--plot", "card", "--card", "NOBODY-1"], "no specimen NOBODY-1"),
        (["--boxes", "no-such-file.tsv", "--plot", "boxes"], "no-such-file.tsv"),
    ],
)
def test_the_command_says_what_is_wrong(words, said, dataset, tmp_path, bioscan5m):
    code, out, problem = bioscan5m("stats", dataset, "--out", tmp_path / "stats", *words)
    assert code != 0
    assert said in out + problem
    assert "Traceback" not in out + problem
