"""What stands above a name; sums of probabilities upward; restrictions to taxa."""

import json

import numpy as np
import pyarrow as pa
import pytest

from bioscan5m_hf import load_specimens, load_taxonomy
from bioscan5m_hf.embedding.lineage import Groups, Lineages, group_classes, parse_within
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.taxonomy import LABELS, RANKS, is_filler


BAD = f'{{"format": 1, "ranks": {json.dumps(LABELS)}, "lineages": %s}}'


def test_lineages_of_a_dataset_are_those_of_its_specimens(dataset, tmp_path):
    labels = {rank: load_taxonomy(dataset).names(rank) for rank in ("order", "species")}
    Lineages.from_dataset(dataset, labels).save(tmp_path)
    lineages = Lineages.load(tmp_path / "taxonomy.json")
    assert lineages.source == str(dataset)
    assert all(set(names) <= set(lineages.lineages[rank]) for rank, names in labels.items())
    seen = 0
    for row in load_specimens(dataset, split="all", columns=list(RANKS), streaming=True):
        known = {rank: row[rank] for rank in RANKS if row[rank] and not is_filler(row[rank])}
        if "species" in known:
            seen += 1
            assert known.items() <= lineages.above("species", known["species"]).items()
    assert seen > 50


def test_a_homonym_stands_where_most_of_its_records_do():
    rows = {"order": ["A", "B", "B", None], "genus": ["g", "g", "g", "g"], "species": ["g a", "g b", "g b", "g c"]}
    lineages = Lineages.from_tables([pa.table(rows)], {"genus": ["g"], "species": ["g a", "g b", "g c", "h x"]})
    assert lineages.above("genus", "g") == {"genus": "g", "order": "B"}
    assert lineages.above("species", "g a") == {"species": "g a", "genus": "g", "order": "A"}
    assert lineages.above("species", "g c") == {"species": "g c", "genus": "g"}
    assert lineages.above("species", "h x") == {"species": "h x"}
    assert lineages.above("family", "none") == {"family": "none"}
    deep = Lineages.from_tables([pa.table(rows)], {"species": ["g b"]})
    assert deep.above("genus", "g") == {"genus": "g", "order": "B"}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        '{"format": 2}',
        BAD % '{"tribe": {}}',
        BAD % '{"genus": {"A": ["order"]}}',
    ],
)
def test_a_damaged_table_says_so(tmp_path, text):
    path = tmp_path / "taxonomy.json"
    path.write_text(text)
    with pytest.raises(Bioscan5mError, match=r"taxonomy\.json is no table of lineages"):
        Lineages.load(path)


def test_sums_upward_leave_out_what_has_no_place():
    rows = pa.table({"genus": ["a", "a", "b"], "species": ["a a", "a b", "b a"]})
    lineages = Lineages.from_tables([rows], {"species": ["a a", "a b", "b a"]})
    groups = group_classes(lineages, "species", ["a a", "a b", "b a", "c c"], "genus")
    assert (groups.names, groups.codes.tolist()) == (("a", "b"), [0, 0, 1, -1])
    rng = np.random.default_rng(0)
    given = rng.random((5, 4))
    np.testing.assert_allclose(groups.sums(given), np.stack([given[:, :2].sum(1), given[:, 2]], 1))
    assert Groups((), np.array([-1])).sums(np.ones((2, 1))).shape == (2, 0)


@pytest.mark.parametrize(
    ("given", "message"), [("Diptera", "RANK=NAME"), ("order=", "RANK=NAME"), ("tribe=x", "unknown rank 'tribe'")]
)
def test_restrictions_have_a_form(given, message):
    with pytest.raises(ValueError, match=message):
        parse_within([given])
    assert parse_within(["order = Diptera", "genus=A=b"]) == {"order": ["Diptera"], "genus": ["A=b"]}
