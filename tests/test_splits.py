"""Split expressions, and where photographs lie in a release."""

from __future__ import annotations

import hashlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.splits import BY_NAME, METASPLITS, OFFICIAL_SPECIMENS, SPLIT_NAMES, chunk, image_path, parse


@pytest.mark.parametrize(
    ("expression", "names"),
    [
        ("train", ("train",)),
        ("validation", ("val",)),
        ("val+validation", ("val",)),
        ("seen", ("train", "val", "test")),
        ("unseen", ("key_unseen", "val_unseen", "test_unseen")),
        ("all", SPLIT_NAMES),
        ("pretrain+seen", ("pretrain", "train", "val", "test")),
        (" test + train ", ("test", "train")),
        ("test+seen", ("test", "train", "val")),
        ("seen+all", ("train", "val", "test", "pretrain", "key_unseen", "val_unseen", "test_unseen", "other_heldout")),
    ],
)
def test_expressions(expression, names):
    assert parse(expression) == names


@pytest.mark.parametrize("expression", ["", "+", "train+", "Train", "train,val", "train[:10]", "dev", "seen-val"])
def test_what_is_no_expression_is_refused_with_the_names_allowed(expression):
    with pytest.raises(ValueError, match=r"unknown split .*: use one of pretrain, .*, seen, unseen, all, validation"):
        parse(expression)


@given(st.lists(st.sampled_from([*SPLIT_NAMES, *METASPLITS, "validation"]), min_size=1))
def test_any_sum_gives_each_split_once(parts):
    names = parse("+".join(parts))
    assert len(set(names)) == len(names)
    assert set(names) == {name for part in parts for name in parse(part)}


def test_metasplits_are_disjoint_and_numbers_add_up():
    assert not set(METASPLITS["seen"]) & set(METASPLITS["unseen"])
    assert OFFICIAL_SPECIMENS == 5_150_850


@pytest.mark.parametrize("split", SPLIT_NAMES)
def test_folders_are_the_first_digits_of_md5(split):
    digits = {"pretrain": 2, "train": 1, "other_heldout": 1}.get(split, 0)
    expected = hashlib.md5(b"AACTA1040-20").hexdigest()[:digits]
    assert BY_NAME[split].chunk_digits == digits
    assert chunk("AACTA1040-20", split) == (expected or None)
    middle = f"{expected}/" if expected else ""
    assert image_path("cropped", split, "AACTA1040-20") == f"bioscan5m/images/cropped/{split}/{middle}AACTA1040-20.jpg"
