"""Tables: what stands where, for readers and for machines, and the published ones apart from ours."""

import csv
import io
from dataclasses import replace

import pytest
from invented_results import MODELS, clustering, finetune, invented, knn, make, novelty, retrieval, scored

from bioscan5m_hf.evaluation.accuracy import harmonic_mean
from bioscan5m_hf.evaluation.published import published
from bioscan5m_hf.evaluation.results import Score
from bioscan5m_hf.evaluation.table import Table
from bioscan5m_hf.evaluation.tables import (
    all_scores,
    beside,
    by_part,
    by_rank,
    main_table,
    model_labels,
    others,
)
from bioscan5m_hf.evaluation.tasks import TASKS
from bioscan5m_hf.taxonomy import check_rank


def of(kind, count=2):
    """Invent a task's results of some models, with their labels."""
    results = [kind(number, model) for number, model in enumerate(MODELS[:count])]
    return results, model_labels(results)


def test_scores_are_per_cent_for_readers_and_whole_for_machines():
    table = Table(
        "t", "T", ("model", "a", "b", "c"), (("x", Score(0.12345, 0.1, 0.2), 12000, 3120.25),), intervals=True
    )
    assert table.markdown().splitlines()[-1] == "| x | 12.3 (10.0 to 20.0) | 12,000 | 3,120 |"
    assert table.csv().splitlines()[-1] == "x,0.12345,12000,3120.25"


def test_the_main_table_is_ordered_and_says_what_is_needed_to_judge_it():
    results, labels = of(clustering, 3)
    table = main_table("c", results[::-1], labels)
    assert [row[0] for row in table.rows] == ["invented/barcodebert", "BLAST (reference)", "k-mer counts (reference)"]
    assert table.head[1] == "species/k = species/ami"
    assert table.rows[0][2:] == ("63.0 to 67.0", 21744, "pretrain", "64.0 to 66.2")
    assert table.rows[1][4] is None
    plain, labels = of(knn)
    assert len(main_table("k", plain, labels).head) == 5


def test_ranks_stand_from_wide_to_narrow_and_a_missing_score_stays_empty():
    results, labels = of(knn)
    del results[1].scores["family/test_unseen/macro"]
    table = by_rank("k", results, labels, "test_unseen", "macro")
    assert table.head == ("model", "class", "order", "family", "subfamily", "genus", "species", "BIN")
    assert table.rows[1][3] is None
    assert "| – |" in table.markdown()
    assert by_rank("n", *of(novelty), "test", "micro") is None


def test_strata_stand_in_columns_and_many_parts_in_rows():
    results, labels = of(knn)
    few = by_part("k", results, labels)
    assert all(title.endswith(" (n 3,401)") for title in few.head[1:])
    assert tuple(title.removesuffix(" (n 3,401)") for title in few.head[1:]) == (
        "test_unseen", "test_unseen, Linnaean", "test_unseen, placeholder", "test_unseen, BIN in pretrain",
        "test_unseen, BIN not in pretrain",
    )  # fmt: skip
    scores = {f"genus/test_unseen, damage {number}/micro": scored(0.1 * number) for number in range(8)}
    many = [replace(one, scores=one.scores | scores) for one in results]
    table = by_part("k", many, labels)
    assert table.head == ("", "invented/barcodebert", "BLAST (reference)")
    assert [row[0] for row in table.rows][-1] == "test_unseen, damage 7 (n 3,401)"
    fewer = replace(results[0], scores={name: replace(score, n=26) for name, score in results[0].scores.items()})
    assert by_part("k", [fewer, results[1]], labels).head[1] == "test_unseen (n 26 or 3,401)"


def test_of_pairs_the_main_one_has_its_strata_and_others_their_rules():
    table = by_part("r", *of(retrieval))
    expected = [f"test, image→dna{name}" for name in ("", ", Linnaean", ", country Costa Rica")]
    expected += [one.replace("test,", "test_unseen,") for one in expected] + ["harmonic mean, image→dna"]
    expected += [f"{part}, image→image, other plates" for part in ("test", "test_unseen", "harmonic mean")]
    assert sorted(row[0].partition(" (n ")[0] for row in table.rows) == sorted(expected)


def test_scores_of_no_rank_have_a_table_and_numbers_are_no_per_cent():
    results, labels = of(clustering)
    table = others("c", results, labels)
    assert table.head == ("model", "silhouette/k = species", "clusters/unknown k")
    assert table.markdown().splitlines()[-1] == "| BLAST (reference) | 31.0 | 3,121 |"
    assert others("k", *of(knn)) is None


@pytest.mark.parametrize(
    ("models", "expected"),
    [
        (["/a/b/mine", "me/other", "reference:BLAST"], ["mine", "me/other", "BLAST (reference)"]),
        (["/a/mine", "/b/mine"], ["/a/mine", "/b/mine"]),
        (["me/other", "me/other"], ["me/other @ 000000000000", "me/other @ 100000000000"]),
    ],
)
def test_labels_are_short_and_tell_models_apart(models, expected):
    results = [novelty(0, model) for model in models]
    results = [replace(one, model_revision=f"{number}" + "0" * 39) for number, one in enumerate(results)]
    assert list(model_labels(results).values()) == expected


def test_every_score_is_in_the_long_table():
    results = invented()
    rows = list(csv.DictReader(io.StringIO(all_scores(results, model_labels(results)))))
    assert len(rows) == sum(len(one.scores) for one in results)
    first = results[0].scores[rows[0]["score"]]
    assert (float(rows[0]["value"]), float(rows[0]["low"]), int(rows[0]["n"])) == (first.value, first.low, first.n)


def test_published_tables_name_scores_of_ours_and_are_complete():
    tables = published()
    assert len({table.name for table in tables}) == len(tables)
    for table in tables:
        assert all((table.source, table.rule, table.data))
        assert table.read in ("text", "chart")
        assert table.tasks <= TASKS.keys()
        for column in table.columns:
            rank, part, _ = column.score.split("/")
            assert check_rank(rank) in TASKS[column.task].ranks
            assert ("{over}" in part) == bool(table.over)
        for name, figures in table.rows:
            assert len(figures) == len(table.columns), (table.name, name)
            assert all(0 <= float(one.lstrip("~")) <= 100 for one in figures if one is not None)
            assert table.read == "chart" or not any("~" in one for one in figures if one), name


def test_published_harmonic_means_are_those_of_their_own_figures():
    table = next(table for table in published() if table.name == "retrieval-1m")
    for name, figures in table.rows:
        for start in range(0, 12, 3):
            seen, unseen, mean = map(float, figures[start : start + 3])
            assert harmonic_mean(seen, unseen) == pytest.approx(mean, abs=0.15), (name, start)


def test_ours_stand_in_the_layout_of_the_paper_and_apart_from_it():
    table = published()[0]
    results = [kind(number, model) for kind in (finetune, knn) for number, model in enumerate(MODELS[:2])]
    ours, theirs = beside(table, results, model_labels(results))
    assert ours.head == theirs.head == ("model", "fine-tuned", "linear probe", "1-NN of unseen genus")
    assert [row[0] for row in ours.rows] == ["invented/barcodebert", "BLAST (reference)"]
    assert ours.rows[0][1] == results[0].scores["species/test/micro"]
    assert ours.rows[0][2] is None
    assert theirs.rows[-1] == ("BLAST", "99.78", None, "58.74")


def test_pairs_have_rows_of_their_own_and_modalities_are_not_mixed():
    tables = {table.name: table for table in published()}
    results, labels = of(retrieval, 1)
    ours, _ = beside(tables["retrieval-unseen"], results, labels)
    assert [row[0] for row in ours.rows] == [
        f"invented/barcodebert, {pair}" for pair in ("dna→dna", "image→image", "image→dna")
    ]
    results, labels = of(clustering)
    assert beside(tables["clustering-image"], results, labels)[0] is None
    assert beside(tables["clustering-dna"], results, labels)[0] is not None
    assert beside(tables["dna"], results, labels)[0] is None


def test_bars_in_names_of_models_break_no_table():
    result = make("novelty", "me|you", {"AUROC": Score(0.5)})
    assert "| me\\|you | 50.0 |" in main_table("n", [result], model_labels([result])).markdown()
