"""The report: all that is said is there to be found, pictures are pictures, and what does not compare is refused."""

import re
import subprocess
import sys
import xml.dom.minidom
from dataclasses import replace

import numpy as np
import pytest
from invented_results import MODELS, ORDERS, clustering, finetune, invented, knn, novelty, retrieval
from PIL import Image

from bioscan5m_hf.errors import OutputError, ResultError
from bioscan5m_hf.evaluation import plots
from bioscan5m_hf.evaluation.plot_style import Look
from bioscan5m_hf.evaluation.report import MARK, write_report
from bioscan5m_hf.evaluation.results import read_result, write_result
from bioscan5m_hf.evaluation.tables import model_labels
from bioscan5m_hf.plot_style import GREY, PALETTE, style


def written(folder, results):
    return [write_result(folder, one) for one in results]


@pytest.fixture(scope="module")
def report(tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    return write_report(written(folder / "results", invented()), folder / "out").parent


def test_the_index_shows_every_table_and_picture_and_no_other(report):
    text = (report / "README.md").read_text()
    assert text.startswith(f"{MARK}\n# Results on invented-5m, revision 0123456789ab\n")
    linked = set(re.findall(r"\]\(((?:plots|tables)/[^)]+)\)", text))
    there = {str(path.relative_to(report)) for path in report.rglob("*.*") if path.parent != report}
    assert {path for path in there if not path.endswith(".md")} == linked
    assert not any(" " in path for path in there)
    for table in report.glob("tables/*.md"):
        assert table.read_text().strip() in text
        assert len({line.count(" | ") for line in table.read_text().splitlines() if not line.startswith("|-")}) == 1


def test_reference_lines_that_are_missing_are_named(report):
    assert "missing here: reference:random, reference:4-mers" in (report / "README.md").read_text()


def test_pictures_are_whole_and_have_something_in_them(report):
    files = sorted(report.glob("plots/*.png"))
    names = {file.stem for file in files}
    assert {
        "finetune-species-dna-main", "knn-genus-unseen-dna-ranks", "knn-genus-unseen-dna-confusion-01",
        "zero-shot-clustering-dna-ranks", "zero-shot-clustering-dna-scatter", "novelty-dna-main",
        "cross-modal-retrieval-image-dna-matrix-02",
    } <= names  # fmt: skip
    for file in files:
        picture = Image.open(file).convert("RGB")
        assert min(picture.size) > 200
        assert len(picture.resize((300, 300)).getcolors(90_000)) > 20
        drawing = xml.dom.minidom.parse(str(file.with_suffix(".svg")))
        said = " ".join(node.firstChild.data for node in drawing.getElementsByTagName("text") if node.firstChild)
        assert "invented-5m, revision 0123456789ab" in said
        assert "invented/barcodebert" in said or "BLAST (reference)" in said


def test_what_others_published_is_marked_and_stands_apart(report):
    text = (report / "README.md").read_text()
    ours, theirs = text.split("## Published figures")
    assert "58.74" not in ours
    assert "58.74" in theirs
    assert "ours were measured on invented-5m" in theirs
    assert "Read off a chart" in theirs
    assert "58.74" not in (report / "scores.csv").read_text()
    assert theirs.count("**Published, by others**") == theirs.count("**Ours**") == theirs.count("Source: ")


def test_the_highest_is_named_with_those_that_it_is_not_parted_from(report):
    text = (report / "README.md").read_text()
    assert "Highest genus/test_unseen/micro: invented/barcodebert, " in text
    assert (
        "Highest AUROC: invented/barcodebert, 90.0 (87.0 to 93.0). Intervals that overlap with its: BLAST (reference)."
        in text
    )


def test_settings_that_differ_are_said_and_commands_are_there(report):
    text = (report / "README.md").read_text()
    assert (
        '**Not the same for all models**, pooling: invented/barcodebert "masked mean"; BLAST (reference) "mean".'
        in text
    )
    assert "Settings: k 1." in text
    assert "bioscan5m evaluate reference:BLAST --tasks novelty" in text


def test_a_report_is_written_again_the_same(tmp_path):
    files = written(tmp_path / "results", [novelty(0, MODELS[0]), clustering(0, MODELS[0], points=200)])
    write_report(files, tmp_path / "out")
    first = {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")}
    (tmp_path / "out" / "tables" / "stale.csv").write_text("")
    write_report(files, tmp_path / "out")
    assert {path.relative_to(tmp_path / "out"): path.read_bytes() for path in (tmp_path / "out").rglob("*.*")} == first
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "results"]


def test_what_does_not_compare_is_refused_and_the_old_report_stays(tmp_path):
    one, other = novelty(0, "one"), novelty(1, "two")
    index = write_report(written(tmp_path / "a", [one]), tmp_path / "out")
    before = index.read_text()
    files = written(tmp_path / "b", [one, replace(other, data_revision="newer")])
    with pytest.raises(ResultError, match=r"one .* and two .* do not compare: data_revision"):
        write_report(files, tmp_path / "out")
    files[1].write_text(files[1].read_text()[:100])
    with pytest.raises(ResultError, match=r"two--novelty\.json is no whole JSON file"):
        write_report(files, tmp_path / "out")
    assert index.read_text() == before


def test_other_folders_are_not_overwritten(tmp_path):
    files = written(tmp_path / "results", [novelty(0, "one")])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "README.md").write_text("# Thesis")
    with pytest.raises(OutputError, match="holds no report"):
        write_report(files, tmp_path / "mine")
    with pytest.raises(OutputError, match="is a file"):
        write_report(files, files[0])
    assert (tmp_path / "mine" / "README.md").read_text() == "# Thesis"
    assert read_result(files[0]).task == "novelty"


def test_pictures_of_many_models_are_folded(tmp_path):
    results = [knn(number, model) for number, model in enumerate(MODELS[:4])]
    text = write_report(written(tmp_path / "results", results), tmp_path / "out").read_text()
    folded = text.split("<details>")[1].split("</details>")[0]
    assert folded.count("confusion-") == 8
    assert text.count("<details>") == 1


def test_twelve_models_look_different_and_reference_lines_are_grey():
    results = [novelty(number, f"model {number}") for number in range(12)]
    look = Look(model_labels(results), "data")
    assert len({tuple(look.line(one).values()) for one in results}) == len(
        {look.line(one)["marker"] for one in results}
    )
    assert len({look.line(one)["color"] for one in results[: len(PALETTE)]}) == len(PALETTE)
    mixed = [novelty(number, model) for number, model in enumerate(MODELS)]
    look = Look(model_labels(mixed), "data")
    grey = [one.model for one in mixed if look.line(one)["color"] == GREY]
    assert grey == [model for model in MODELS if model.startswith("reference:")]
    assert len({tuple(look.line(one).values()) for one in mixed}) == 12


def luminance(color):
    """Relative luminance, WCAG 2.1."""
    parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
    linear = [one / 12.92 if one <= 0.03928 else ((one + 0.055) / 1.055) ** 2.4 for one in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_every_colour_stands_out_from_white():
    assert all(1.05 / (luminance(color) + 0.05) > 2 for color in PALETTE)


def look_of(*results):
    return Look(model_labels(results), "data")


def texts(figure):
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def test_bars_end_at_the_scores_and_lines_at_their_intervals():
    results = [novelty(0, "one"), novelty(5, "two")]
    with style():
        axes = plots.bars(results, look_of(*results)).axes[0]
    assert [bar.get_width() for bar in axes.patches] == pytest.approx([75, 90])
    assert [tuple(line.get_xdata()) for line in axes.lines] == [pytest.approx((72, 78)), pytest.approx((87, 93))]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["two", "one"]


def test_curves_go_through_the_scores_and_nothing_is_cut_off():
    results = [clustering(number, model, points=5) for number, model in enumerate(MODELS)]
    with style():
        figure = plots.curves(results, look_of(*results))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "AMI, arithmetic normaliser",
        "AMI, normaliser min",
    ]
    for axes, kind in zip(figure.axes, ("ami", "ami_min"), strict=True):
        low, high = axes.get_ylim()
        lines = {line.get_label(): line.get_ydata() for line in axes.lines}
        for one, label in zip(results, look_of(*results).labels.values(), strict=True):
            expected = [
                100 * score.value for name, score in one.scores.items() if name.endswith(f"k = species/{kind}")
            ]
            assert list(lines[label]) == pytest.approx(expected)
            assert low <= min(expected)
            assert max(expected) <= high
    assert plots.curves([novelty(0, "one")], look_of(novelty(0, "one"))) is None


def test_confusion_keeps_all_queries_when_rare_orders_are_joined():
    result = knn(0, "one")
    with style():
        axes = plots.confusion(result, look_of(result)).axes[0]
    labels = [tick.get_text() for tick in axes.get_yticklabels()]
    assert labels[0] == "Diptera (2,000)"
    assert labels[-1].startswith("4 others (")
    total = sum(int(re.search(r"\(([\d,]+)\)", label)[1].replace(",", "")) for label in labels)
    assert total == np.sum(result.extras["confusion"]["counts"])
    assert len(ORDERS) == 24
    assert plots.confusion(finetune(0, "one"), look_of(result)) is None


def test_matrices_hold_each_pair_in_its_place():
    result = retrieval(0, "one")
    with style():
        figure = plots.matrices(result, look_of(result))
    assert [axes.get_title(loc="left") for axes in figure.axes] == ["test", "test_unseen", "harmonic mean"]
    axes = figure.axes[1]
    columns = [tick.get_text() for tick in axes.get_xticklabels()]
    rows = [tick.get_text() for tick in figure.axes[0].get_yticklabels()]
    found = {(rows[int(t.get_position()[1])], columns[int(t.get_position()[0])]): t.get_text() for t in axes.texts}
    assert found["image", "dna"] == f"{100 * result.scores['species/test_unseen, image→dna/top-1 macro'].value:.0f}"
    assert ("image", "concatenated") not in found
    assert plots.matrices(knn(0, "one"), look_of(result)) is None


def test_scatters_colour_the_frequent_orders_and_leave_out_no_specimen():
    results = [clustering(number, model, points=300) for number, model in enumerate(MODELS[:2])]
    with style():
        figure = plots.scatters(results, look_of(*results))
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "invented/barcodebert (UMAP)",
        "BLAST (reference) (UMAP)",
    ]
    for axes in figure.axes:
        assert sum(len(points.get_offsets()) for points in axes.collections) == 300
        assert len(axes.collections) == len(PALETTE) + 1
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend[-1] == "other or none"
    assert set(legend[:-1]) < set(ORDERS)
    assert plots.scatters([novelty(0, "one")], look_of(novelty(0, "one"))) is None


def test_matplotlib_is_imported_only_when_something_is_drawn():
    code = "import sys, bioscan5m_hf.evaluation.report; print('matplotlib' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
