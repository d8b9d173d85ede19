"""What a model is shown: hidden k-mers, labels where they count, a mask only where there is padding."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from accelerate import Accelerator
from invented_tables import table_of

from bioscan5m_hf.learning.batches import Sampler
from bioscan5m_hf.learning.finetuning import NamingTask, class_names
from bioscan5m_hf.learning.inputs import IGNORED
from bioscan5m_hf.learning.masking import Framing, Masking
from bioscan5m_hf.learning.meter import compile_model
from bioscan5m_hf.learning.pretraining import PretrainingRecipe, Task, Validation, masked_accuracy
from bioscan5m_hf.learning.profiles import profiles_of
from bioscan5m_hf.learning.report import code_version
from bioscan5m_hf.models.barcodebert import BarcodeBertConfig, BarcodeBertForMaskedLM


@pytest.fixture
def barcodes():
    letters = np.random.default_rng(0).choice(list("ACGT"), (6, 60))
    return ["".join(row[:length]) for row, length in zip(letters, (40, 40, 40, 60, 60, 52), strict=True)]


@pytest.fixture
def table(tmp_path, barcodes):
    return table_of(tmp_path, [*barcodes[:-1], barcodes[-1][:30] + "N" + barcodes[-1][31:]])


def shown(table, task, size=3, step=0, processes=1, process=0):
    sampler = Sampler(table, Framing(4, random_offset=False), 0, size, processes=processes)
    share = sampler.epoch(0).shares(step, process)[0]
    return share, task.inputs(share, 0, 0)


def both(table, **options):
    return (shown(table, Task(table, 4, "standard", Masking(), **options), step=step) for step in range(2))


def test_labels_stand_at_hidden_positions_and_nowhere_else(table):
    for share, inputs in both(table):
        ids, labels = inputs.tensors["input_ids"], inputs.tensors["labels"]
        true = torch.from_numpy(table.ids(share.rows, share.windows, 4, "standard"))
        hidden = labels != IGNORED
        assert (ids[hidden] == 2).all()
        assert (labels[hidden] == true[hidden]).all()
        assert (ids[~hidden] == true[~hidden]).all()
        assert inputs.predicted == (int(hidden.sum()),)
        places = [[place for place in row if place >= 0] for row in inputs.tensors["predicted"].tolist()]
        assert places == [row.nonzero().flatten().tolist() for row in hidden]


def test_all_known_bases_may_be_asked_for(table):
    for _, inputs in both(table, loss_positions="all_bases"):
        ids, labels = inputs.tensors["input_ids"], inputs.tensors["labels"]
        assert ((labels != IGNORED) == (ids >= 2)).all()
        assert 1 not in labels


def test_there_is_a_mask_where_there_is_padding_only(table):
    found = {inputs.places - inputs.tokens: inputs.tensors.get("attention_mask") for _, inputs in both(table)}
    assert found.pop(0) is None
    ((padding, mask),) = found.items()
    assert int((mask == 0).sum()) == padding


def test_profiles_are_those_of_the_whole_barcodes_and_counted_apart(table, tmp_path):
    profiles = profiles_of(table, 3, 0, tmp_path / "profiles.npy")
    task = Task(table, 4, "standard", Masking(), profiles=profiles)
    sampler = Sampler(table, Framing(4, crop=(16, 20)), 0, 3)
    share = sampler.epoch(0).shares(0, 0)[0]
    inputs = task.inputs(share, 0, 0)
    assert np.array_equal(inputs.tensors["profile"].numpy(), profiles[share.rows].astype(np.float32))
    assert inputs.predicted == (int((inputs.tensors["labels"] != IGNORED).sum()), 3)
    assert task.heads == ("kmers", "profiles")
    assert Task(table, 4, "standard", Masking()).heads == ()


def test_an_autoencoder_is_shown_whole_rows_and_which_positions_are_hidden(table):
    task = Task(table, 4, "standard", Masking(0.5, exact=True), autoencoder=True)
    for step in range(2):
        share, inputs = shown(table, task, step=step)
        tensors = inputs.tensors
        assert (tensors["masked"].sum(1).numpy() == np.rint(share.windows.tokens / 2)).all()
        seen = [[place for place in row if place >= 0] for row in tensors["visible"].tolist()]
        for row, tokens in enumerate(share.windows.tokens):
            assert sorted([*seen[row], *tensors["masked"][row].nonzero().flatten().tolist()]) == list(range(tokens))
        assert tensors["visible_padded"] == bool((tensors["visible"] < 0).any())
        moved = inputs.to(torch.device("cpu"))
        assert moved.tensors["visible_padded"] == tensors["visible_padded"]


def test_a_repeated_row_counts_for_nothing(table):
    task = Task(table, 4, "standard", Masking())
    _, inputs = shown(table, task, size=2, processes=3, process=2)
    assert (inputs.predicted, inputs.tokens, inputs.places, inputs.counts) == ((0,), 0, 0, 0.0)
    assert inputs.tensors["input_ids"].shape[0] == 1


@pytest.fixture
def model():
    torch.manual_seed(0)
    config = BarcodeBertConfig(
        kmer_size=4, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, loss_positions="all_bases"
    )
    return BarcodeBertForMaskedLM(config)


def test_masked_accuracy_is_that_of_hidden_positions(table, model):
    accelerator = Accelerator(cpu=True)
    pieces = [inputs for _, inputs in both(table, loss_positions="all_bases")]
    right = total = 0
    for piece in pieces:
        tensors = {name: each for name, each in piece.tensors.items() if name in ("input_ids", "attention_mask")}
        with torch.inference_mode():
            best = model.eval()(**tensors).logits.argmax(-1)
        hidden = tensors["input_ids"] == 2
        right += int((best == piece.tensors["labels"])[hidden].sum())
        total += int(hidden.sum())
    assert masked_accuracy(accelerator, model.train(), pieces, mask=2) == right / total
    assert model.training


def test_validation_hides_the_same_kmers_whatever_the_recipe(table):
    found = []
    for recipe in (PretrainingRecipe(seed=1), PretrainingRecipe(seed=2, objective="autoencoder", crop=(16, 20))):
        validation = Validation.of(recipe, table, 4, "standard", 1)
        share = validation.sampler.epoch(0).shares(0, 0)[0]
        tensors = validation.task.inputs(share, 5, 0).tensors
        hidden = tensors["masked"] if "masked" in tensors else tensors["labels"] != IGNORED
        found.append((share.rows.tolist(), hidden.tolist()))
    assert found[0] == found[1]
    assert validation.predicted == "6 barcodes, 50 % of 4-mers hidden"


def test_names_that_are_missing_fillers_or_unseen_are_not_asked_for(tmp_path, barcodes):
    given = {"genus": ["Bus", None, "unassigned Aidae", "Aus", "Bus", "Cus"]}
    table = table_of(tmp_path, barcodes, given=given)
    assert class_names(table, ["genus"]) == {"genus": ["Aus", "Bus", "Cus"]}
    task = NamingTask.of(table, 4, "standard", {"genus": ["Aus", "Bus"]})
    assert task.targets["genus"].tolist() == [1, IGNORED, IGNORED, 0, 1, IGNORED]
    sampler = task.sampler(0, (8, None, 1), Framing(4))
    assert sampler.rows.tolist() == [0, 3, 4]
    inputs = task.inputs(sampler.epoch(0).shares(0, 0)[0])
    assert inputs.predicted == (3,)
    assert sorted(inputs.tensors["labels"]["genus"].tolist()) == [0, 1, 1]


def test_a_compiled_model_keeps_its_class():
    model = torch.nn.Linear(2, 2)
    compile_model(model)
    assert type(model) is torch.nn.Linear
    assert list(model.state_dict()) == ["weight", "bias"]


def test_the_version_is_told_without_git_too(monkeypatch):
    monkeypatch.setenv("PATH", "")
    assert "+" not in code_version.__wrapped__()  # what a process said first stays
