"""A recipe says the same as YAML and as flags; what cannot be meant is refused, and near names are given."""

from __future__ import annotations

import argparse
from dataclasses import dataclass, fields

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bioscan5m_hf.learning.command import command_line, describe, read_arguments
from bioscan5m_hf.learning.finetuning import FinetuningRecipe
from bioscan5m_hf.learning.pretraining import PretrainingRecipe
from bioscan5m_hf.learning.recipe import (
    RecipeError,
    add_flags,
    from_flags,
    make,
    option,
    read_recipe,
    to_public,
    write_recipe,
)


KINDS = (PretrainingRecipe, FinetuningRecipe)


def parse(kind, *flags):
    return read_arguments(kind, "a script", flags)[0]


@pytest.mark.parametrize("kind", KINDS)
def test_a_recipe_has_fewer_than_25_fields_and_says_what_each_is(kind):
    assert len(fields(kind)) < 25
    assert all(field.metadata["help"] for field in fields(kind))


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read_back(kind, tmp_path):
    write_recipe(kind(), tmp_path / "recipe.yaml")
    assert read_recipe(kind, tmp_path / "recipe.yaml") == kind()
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.yaml"]


LETTERS = st.characters(codec="utf-8", exclude_categories=("Cs", "Cc"))


@given(
    ratio=st.floats(0.01, 0.99),
    crop=st.none() | st.tuples(st.integers(16, 300), st.integers(300, 700)),
    extra=st.lists(st.text(LETTERS).map("r".__add__), max_size=3).map(tuple),  # no folder of this machine
    architecture=st.dictionaries(st.sampled_from(["kmer_size", "hidden_size"]), st.integers(2, 8)),
    rate=st.floats(1e-9, 1),
)
def test_any_recipe_is_read_back(tmp_path_factory, ratio, crop, extra, architecture, rate):
    path = tmp_path_factory.mktemp("recipe") / "recipe.yaml"
    recipe = PretrainingRecipe(
        mask_ratio=ratio, crop=crop, extra=extra, architecture=architecture, learning_rate=rate, clip=None
    )
    write_recipe(recipe, path)
    assert read_recipe(PretrainingRecipe, path) == recipe


def test_folders_of_this_machine_are_not_written(tmp_path):
    recipe = PretrainingRecipe(dataset="/home/me/bioscan-5m", extra=("~/pool.parquet", "more/reads.parquet"))
    write_recipe(recipe, tmp_path / "recipe.yaml")
    assert "/home" not in (tmp_path / "recipe.yaml").read_text()
    read = read_recipe(PretrainingRecipe, tmp_path / "recipe.yaml")
    assert (read.dataset, read.extra) == ("bioscan-5m", ("pool.parquet", "more/reads.parquet"))


def test_flags_come_before_the_file_and_the_file_before_the_defaults(tmp_path):
    path = tmp_path / "small.yaml"
    lines = ["epochs: 3", "learning_rate: 1e-3", "architecture: {kmer_size: 6, hidden_size: 64}", "crop: [200, 658]"]
    path.write_text("\n".join(lines))
    flags = ("--config", str(path), "--epochs", "5", "--architecture", "hidden_size=32", "--compile", "--clip", "none")
    recipe = parse(PretrainingRecipe, *flags)
    assert (recipe.epochs, recipe.learning_rate, recipe.crop, recipe.batch_size) == (5.0, 1e-3, (200, 658), 64)
    assert recipe.architecture == {"kmer_size": 6, "hidden_size": 32}
    assert recipe.compile
    assert recipe.clip is None


def test_flags_of_every_type_are_read():
    flags = ("--extra", "a.parquet", "b.parquet", "--crop", "200", "300", "--no-random-offset", "--objective", "mlm")
    recipe = parse(PretrainingRecipe, *flags, "--replacements", "0.8", "0.1", "0.1", "--validation", "none")
    assert recipe.extra == ("a.parquet", "b.parquet")
    assert recipe.crop == (200, 300)
    assert not recipe.random_offset
    assert recipe.replacements == (0.8, 0.1, 0.1)
    assert recipe.validation is None
    assert parse(FinetuningRecipe, "--rank", "genus", "--rank", "species").rank == ("genus", "species")


def test_an_unknown_entry_is_refused_with_the_near_names(tmp_path):
    path = tmp_path / "typo.yaml"
    path.write_text("epochs: 3\nlerning_rate: 0.1\n")
    with pytest.raises(RecipeError, match=r"typo.yaml: unknown entry 'lerning_rate'; did you mean 'learning_rate'"):
        read_recipe(PretrainingRecipe, path)
    with pytest.raises(RecipeError, match="unknown entry 'zzz'; use some of dataset, split"):
        make(PretrainingRecipe, {"zzz": 1})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"epochs": "many"}, "epochs is 'many': use a number"),
        ({"epochs": True}, "epochs is True: use a number"),
        ({"batch_size": 1.5}, "batch_size is 1.5: use a whole number"),
        ({"compile": 1}, "compile is 1: use true or false"),
        ({"split": None}, "split is None: use a text"),
        ({"crop": [200]}, r"crop is \[200\]: use a list of int, 2 long or null"),
        ({"extra": "a.parquet"}, "use a list of str"),
        ({"architecture": [1]}, "use a mapping"),
        ({"objective": "clm"}, "objective is 'clm': use one of mlm, autoencoder"),
        ({"mask_ratio": 0}, "mask_ratio is 0.0: use a number from 0.01 to 0.99"),
        ({"micro_batch_size": 0}, "micro_batch_size is 0: use a number from 1"),
        ({"epochs": 0}, "use positive numbers"),
        ({"replacements": [0.8, 0.1, 0.2]}, "three shares that sum to 1"),
        ({"crop": [300, 200]}, "the least and the greatest length"),
    ],
)
def test_a_value_that_cannot_be_meant_is_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        make(PretrainingRecipe, values)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"rank": []}, "name one or more"),
        ({"rank": ["genus", "genus"]}, "each once"),
        ({"rank": ["tribe"]}, "rank is 'tribe': use one of phylum"),
        ({"learning_rate": 0}, "use a positive number"),
    ],
)
def test_a_fine_tuning_that_cannot_be_meant_is_refused(values, message):
    with pytest.raises(RecipeError, match=message):
        make(FinetuningRecipe, values)


def test_choices_are_held_for_recipes_made_in_python_too():
    with pytest.raises(RecipeError, match=r"schedule is 'linear': use one of onecycle, .*, cosine, wsd"):
        PretrainingRecipe(schedule="linear")


def test_a_file_that_is_no_recipe_is_refused(tmp_path):
    for name, content, message in [
        ("list.yaml", "- 1", "holds a list"),
        ("broken.yaml", "a: [", "cannot be read as YAML"),
    ]:
        (tmp_path / name).write_text(content)
        with pytest.raises(RecipeError, match=message):
            read_recipe(PretrainingRecipe, tmp_path / name)
    with pytest.raises(RecipeError, match="no file"):
        read_recipe(PretrainingRecipe, tmp_path / "absent.yaml")
    (tmp_path / "empty.yaml").touch()
    assert read_recipe(PretrainingRecipe, tmp_path / "empty.yaml") == PretrainingRecipe()


@pytest.mark.parametrize("flags", [["--architecture", "kmer_size"], ["--log-every", "0"], ["--epoch", "3"]])
def test_a_flag_that_cannot_be_meant_ends_the_command(flags, capsys):
    with pytest.raises(SystemExit):
        parse(PretrainingRecipe, *flags)
    assert "error" in capsys.readouterr().err


def test_help_names_every_field(capsys):
    with pytest.raises(SystemExit):
        parse(PretrainingRecipe, "--help")
    said = capsys.readouterr().out
    assert all("--" + field.name.replace("_", "-") in said for field in fields(PretrainingRecipe))


def test_errors_for_the_user_end_a_script_without_a_traceback():
    def fail():
        raise RecipeError("epochs is 0")

    with pytest.raises(SystemExit, match="error: epochs is 0"):
        command_line(fail)


def test_a_recipe_is_flat_for_trackers():
    said = describe(PretrainingRecipe(crop=(200, 300)))
    assert said["crop"] == "(200, 300)"
    assert all(isinstance(value, int | float | str) for value in said.values())
    assert to_public(PretrainingRecipe(crop=(200, 300)))["crop"] == [200, 300]


def test_other_dataclasses_work_too():
    @dataclass(frozen=True)
    class Other:
        size: int | None = option(None, "how large")

    globals()["Other"] = Other
    parser = argparse.ArgumentParser()
    add_flags(parser, Other)
    assert from_flags(Other, parser.parse_args(["--size", "3"])) == Other(3)
    assert make(Other, {"size": None}) == Other()
