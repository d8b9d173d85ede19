"""The contrastive loss is CLIBD's by default, knows kinds by option, and adds up over processes."""

from __future__ import annotations

import itertools
import json

import numpy as np
import pytest
import torch
from torch.multiprocessing import spawn

from bioscan5m_hf.losses import cached_backward, contrastive_loss
from bioscan5m_hf.models.clibd import loss_clibd


RANDOM = np.random.default_rng(0)
NAMES = ("image", "dna", "text")


def vectors(size=6, width=5, names=NAMES, seed=0):
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(size, width, generator=generator).requires_grad_() for name in names}


def slow(embeddings, scale, right, compared=None, raw=False, present=None):
    """Compute the loss row by row, from its definition."""
    size = len(next(iter(embeddings.values())))
    terms = []
    for one, other in itertools.permutations(embeddings, 2):
        rows = []
        there = [present is None or bool(present[one][i] and present[other][i]) for i in range(size)]
        for i in (i for i in range(size) if there[i]):
            held = [j for j in range(size) if there[j] and (compared is None or compared[i][j])]
            a, b = embeddings[one][i], embeddings[other][held]
            cosines = torch.nn.functional.cosine_similarity(a[None], b)
            logs = torch.log_softmax(scale * cosines, dim=0)
            good = [logs[place] for place, j in enumerate(held) if right[i][j]]
            rows.append(-sum(good) / (1 if raw else len(good)))
        if rows:
            terms.append(sum(rows) / len(rows))
    return sum(terms) / len(terms)


def test_parity_values_and_gradients(parity):
    given = json.loads((parity / "clibd" / "loss.json").read_text())
    for case in given["cases"]:
        embeddings = {
            name: torch.tensor(given["embeddings_before_normalisation"][name], requires_grad=True)
            for name in case["modalities"]
        }
        scale = torch.tensor(case["logit_scale"], requires_grad=True)
        labels = torch.tensor(case["labels"])
        duplicates = len(set(case["labels"])) < len(case["labels"])
        how = {"targets": "label_raw", "labels": labels} if duplicates else {}
        loss = contrastive_loss(embeddings, scale, **how, **case["options"])
        loss.backward()
        assert loss.item() == pytest.approx(case["loss"], rel=1e-5), case["name"]
        for name, expected in case["grad"].items():
            found = embeddings[name].grad
            assert torch.allclose(found, torch.tensor(expected), rtol=1e-5, atol=1e-6), (case["name"], name)
        assert scale.grad.item() == pytest.approx(case["grad_logit_scale"], rel=1e-5, abs=1e-6), case["name"]


@pytest.mark.parametrize("raw", [False, True])
def test_specimens_of_one_kind_are_right_and_unknown_ones_are_no_answers(raw):
    labels = torch.tensor([[1, 7], [1, -1], [2, 7], [-1, -1], [3, 9], [-1, 9]])
    right = np.eye(6, dtype=bool)
    for i, j in ((0, 1), (0, 2), (4, 5)):
        right[i, j] = right[j, i] = True
    compared = right.copy()
    for i, j in itertools.permutations(range(6), 2):
        compared[i, j] |= bool(((labels[i] >= 0) & (labels[j] >= 0)).any())
    assert not compared[3, :3].any()
    assert not compared[1, 5]
    given = vectors()
    found = contrastive_loss(given, 5.0, targets="label_raw" if raw else "label", labels=labels)
    assert found.item() == pytest.approx(slow(given, 5.0, right, compared, raw).item(), rel=1e-5)


def test_equal_barcodes_join_and_different_ones_say_nothing():
    given = vectors(4)
    barcodes, species = torch.tensor([5, 5, 6, 7]), torch.tensor([-1, -1, 1, 2])
    right = np.eye(4, dtype=bool)
    right[0, 1] = right[1, 0] = True
    compared = right.copy()
    compared[2, 3] = compared[3, 2] = True
    found = contrastive_loss(given, 5.0, targets="label", labels=species, joins=barcodes)
    assert found.item() == pytest.approx(slow(given, 5.0, right, compared).item(), rel=1e-5)


def test_equal_texts_join_in_pairs_with_texts_only():
    given, bins = vectors(4), torch.tensor([0, 1, 2, -1])
    texts = torch.tensor([5, 5, 6, -1])
    known = [[(bins[i] >= 0 and bins[j] >= 0) or i == j for j in range(4)] for i in range(4)]
    joined = [[i == j or (texts[i] >= 0 and texts[i] == texts[j]) for j in range(4)] for i in range(4)]
    itself = torch.eye(4, dtype=torch.bool).tolist()
    either = [[a or b for a, b in zip(*rows, strict=True)] for rows in zip(known, joined, strict=True)]
    loss = contrastive_loss(given, 4.0, targets="label", labels=bins, joins_of={"text": texts})
    with_text = [
        slow({name: given[name] for name in pair}, 4.0, joined, either)
        for pair in (("image", "text"), ("dna", "text"))
    ]
    without = slow({name: given[name] for name in ("image", "dna")}, 4.0, itself, known)
    assert loss.item() == pytest.approx(((sum(with_text) + without) / 3).item(), rel=1e-5)
    with pytest.raises(ValueError, match="labels or joins belong to the targets"):
        contrastive_loss(given, 4.0, joins_of={"text": texts})
    with pytest.raises(ValueError, match=r"joins_of..text...has 3 rows"):
        contrastive_loss(given, 4.0, targets="label", labels=bins, joins_of={"text": texts[:3]})


@pytest.mark.parametrize("how", [{}, {"targets": "label", "labels": torch.tensor([1, 1, 2, -1, 3, 2])}])
def test_large_batches_are_compared_again_for_their_gradients(monkeypatch, how):
    found = []
    for limit in (loss_clibd._LARGE, 0):
        monkeypatch.setattr(loss_clibd, "_LARGE", limit)
        given, scale = vectors(), torch.tensor(3.0, requires_grad=True)
        loss = contrastive_loss(given, scale, **how)
        loss.backward()
        found.append([loss.detach(), scale.grad, *(each.grad for each in given.values())])
    assert all(torch.equal(one, other) for one, other in zip(*found, strict=True))


def test_what_lacks_a_modality_neither_asks_nor_answers():
    given = vectors(5)
    present = {"image": torch.tensor([1, 1, 0, 1, 1]).bool(), "text": torch.tensor([0, 1, 1, 1, 1]).bool()}
    everything = present | {"dna": torch.ones(5).bool()}
    found = contrastive_loss(given, 5.0, present=present)
    assert found.item() == pytest.approx(slow(given, 5.0, np.eye(5), present=everything).item(), rel=1e-5)
    found.backward()
    assert not given["image"].grad[2].any()
    assert given["dna"].grad.abs().sum(1).min() > 0


def test_a_pair_that_no_specimen_has_does_not_count():
    given = vectors(4)
    nobody = torch.zeros(4).bool()
    two = {name: given[name] for name in ("image", "dna")}
    found = contrastive_loss(given, 5.0, present={"text": nobody})
    assert found.item() == pytest.approx(contrastive_loss(two, 5.0).item(), rel=1e-6)
    with pytest.raises(ValueError, match="no specimen has two of the modalities"):
        contrastive_loss(two, 5.0, present={"dna": nobody})


def test_autocast_does_not_round_the_scores():
    given = vectors()
    expected = contrastive_loss(given, 20.0).item()
    with torch.autocast("cpu", torch.bfloat16):
        found = contrastive_loss(given, 20.0)
    assert found.item() == pytest.approx(expected, rel=1e-6)


def test_labels_that_are_all_different_are_identity():
    given = vectors()
    one = contrastive_loss(given, 5.0)
    other = contrastive_loss(given, 5.0, targets="label", labels=torch.arange(6))
    assert one.item() == pytest.approx(other.item(), rel=1e-6)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"embeddings": {"image": torch.ones(2, 2)}}, "two modalities or more, not image"),
        ({"embeddings": {"image": torch.ones(2, 2), "dna": torch.ones(3, 2)}}, "one shape"),
        ({"targets": "species"}, "targets is 'species': use one of identity, label, label_raw"),
        ({"targets": "label"}, "labels or joins belong to the targets"),
        ({"labels": torch.ones(6)}, "labels or joins belong to the targets"),
        ({"targets": "label", "labels": torch.ones(5)}, "labels has 5 rows, and there are 6 specimens"),
        ({"present": {"dna": torch.ones(2)}}, r"present\['dna'\] has 2 rows"),
        ({"bind_to": "sound"}, "bind_to is 'sound': use one of image, dna, text"),
        ({"gather": "all"}, "gather is 'all'"),
    ],
)
def test_what_does_not_fit_is_said(change, message):
    with pytest.raises(ValueError, match=message):
        contrastive_loss(**{"embeddings": vectors(), "scale": 1.0} | change)


# -- several processes

LABELS = torch.tensor([[1, 3], [1, -1], [2, 3], [-1, -1], [3, 5], [-1, 5], [2, -1], [4, 5]])
PRESENT = torch.tensor([1, 1, 1, 0, 1, 1, 0, 1]).bool()
CASES = {
    "identity": {},
    "label": {"targets": "label", "labels": LABELS},
    "present": {"targets": "label", "labels": LABELS, "present": {"text": PRESENT}},
    "texts": {"targets": "label", "labels": LABELS, "joins_of": {"text": torch.tensor([7, 8, 8, -1, 7, -1, 9, 7])}},
    "present in one process": {"present": {"text": torch.arange(8) != 2}},
}


def towers():
    torch.manual_seed(0)
    return torch.nn.ModuleDict({name: torch.nn.Linear(5, 4) for name in NAMES}), torch.nn.Parameter(torch.tensor(1.5))


def learn(rank, folder, case, gather, sizes):
    """Compute loss and gradients in one of the processes, and write them."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=len(sizes))
    model, scale = towers()
    rows = slice(sum(sizes[:rank]), sum(sizes[: rank + 1]))
    given = {name: model[name](value.detach()[rows]) for name, value in vectors(8).items()}
    how = {
        key: {name: each[rows] for name, each in value.items()} if isinstance(value, dict) else value
        for key, value in CASES[case].items()
    }
    how |= {"labels": how["labels"][rows]} if "labels" in how else {}
    if "present" in how and how["present"]["text"].all():
        how.pop("present")  # as the processor does it
    try:
        loss = contrastive_loss(given, scale.exp(), gather=gather, **how)
    except ValueError as error:
        (folder / f"error-{rank}").write_text(str(error))
        return
    loss.backward()
    parameters = [*model.parameters(), scale]
    for each in parameters:
        torch.distributed.all_reduce(each.grad)
        each.grad /= len(sizes)
    mean = loss.detach().clone()
    torch.distributed.all_reduce(mean)
    torch.save([mean / len(sizes), *(each.grad for each in parameters)], folder / f"{rank}.pt")
    torch.distributed.destroy_process_group()


@pytest.mark.parametrize("gather", ["global", "local"])
@pytest.mark.parametrize("case", CASES)
def test_two_processes_learn_what_one_does(tmp_path, case, gather):
    spawn(learn, (tmp_path, case, gather, (4, 4)), nprocs=2)
    model, scale = towers()
    given = {name: model[name](value.detach()) for name, value in vectors(8).items()}
    loss = contrastive_loss(given, scale.exp(), **CASES[case])
    loss.backward()
    expected = [loss.detach(), *(each.grad for each in [*model.parameters(), scale])]
    for rank in (0, 1):
        for found, wanted in zip(torch.load(tmp_path / f"{rank}.pt"), expected, strict=True):
            assert torch.allclose(found, wanted, rtol=1e-4, atol=1e-6)


def test_processes_with_different_numbers_of_specimens_are_refused(tmp_path):
    spawn(learn, (tmp_path, "identity", "local", (5, 3)), nprocs=2)
    assert all("processes have [5, 3] specimens" in (tmp_path / f"error-{rank}").read_text() for rank in (0, 1))


# -- large batches in small memory


@pytest.mark.parametrize("case", CASES)
def test_cached_gradients_are_those_of_the_whole_batch(case):
    values = {name: value.detach() for name, value in vectors(8).items()}
    results = []
    for cached in (False, True):
        model, scale = towers()
        drop = torch.nn.Dropout(0.3)
        torch.manual_seed(3)

        def encode(piece, model=model, drop=drop):
            return {name: model[name](drop(piece[name])) for name in NAMES}

        pieces = [{name: value[start : start + 3] for name, value in values.items()} for start in range(0, 8, 3)]
        if cached:
            loss = cached_backward(
                encode, pieces, lambda given, scale=scale: contrastive_loss(given, scale.exp(), **CASES[case])
            )
        else:
            parts = [encode(piece) for piece in pieces]
            joined = {name: torch.cat([part[name] for part in parts]) for name in NAMES}
            loss = contrastive_loss(joined, scale.exp(), **CASES[case])
            loss.backward()
        results.append([loss.detach(), *(each.grad for each in [*model.parameters(), scale])])
    for one, other in zip(*results, strict=True):
        assert torch.allclose(one, other, rtol=1e-4, atol=1e-6)


def test_cached_gradients_hold_one_piece_at_a_time():
    alive, most = [0], [0]

    class Counted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, value):
            if torch.is_grad_enabled() or value.requires_grad:
                alive[0] += 1
                most[0] = max(most[0], alive[0])
            return value * 2

        @staticmethod
        def backward(ctx, gradient):
            alive[0] -= 1
            return gradient * 2

    weight = torch.ones(4, requires_grad=True)
    pieces = list(vectors(8, 4, ("image",))["image"].detach().split(2))
    cached_backward(
        lambda piece: {"image": Counted.apply(piece * weight), "dna": piece},
        pieces,
        lambda given: contrastive_loss(given, 2.0),
    )
    assert most == [1]
    assert weight.grad.abs().sum() > 0
