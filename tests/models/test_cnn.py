"""The convolutional baseline."""

import pytest
import torch

from bioscan5m_hf.models.barcode_cnn import BarcodeCNN, one_hot


def test_letters_have_columns_and_others_are_n():
    picture = one_hot(["ACGTNacgtnUu-RÄ"], 18)
    assert picture.shape == (1, 1, 18, 5)
    assert picture[0, 0, :15].argmax(-1).tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3, 4, 3, 3, 4, 4, 4]
    assert picture[0, 0, :15].sum(-1).eq(1).all()
    assert picture[0, 0, 15:].eq(0).all()


@pytest.mark.parametrize("barcodes", [[], [None], ["", None]])
def test_empty_barcodes_are_empty_pictures(barcodes):
    assert one_hot(barcodes).shape == (len(barcodes), 1, 660, 5)
    assert one_hot(barcodes).sum() == 0


def test_a_long_barcode_is_cut():
    assert torch.equal(one_hot(["ACGT" * 2500]), one_hot(["ACGT" * 165]))


@pytest.mark.parametrize(("kernel_width", "first"), [(1, (64, 1, 3, 1)), (3, (64, 1, 3, 3))])
def test_the_shapes_are_those_of_the_papers(kernel_width, first):
    model = BarcodeCNN(labels=list("abc"), kernel_width=kernel_width)
    assert model.blocks[0].weight.shape == first
    assert model.projection[2].weight.shape == (500, 1920)
    assert model.classifier.weight.shape == (3, 500)


def small(**values):
    torch.manual_seed(0)
    return BarcodeCNN(**({"labels": ["a", "b"], "channels": [4, 4, 4], "features": 8, "max_nucleotides": 60} | values))


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"labels": []}, "distinct names"),
        ({"labels": ["a", "a"]}, "distinct names"),
        ({"max_nucleotides": 26}, "27 or more, got 26"),
        ({"kernel_width": 2}, "must be 1 or 3"),
    ],
)
def test_wrong_values_are_refused(values, message):
    with pytest.raises(ValueError, match=message):
        small(**values)


def test_it_is_saved_and_loaded(tmp_path):
    model = small(labels=["Aus aus", "Bus bus"], kernel_width=3).eval()
    model.save_pretrained(tmp_path)
    loaded = BarcodeCNN.from_pretrained(tmp_path).eval()
    assert (loaded.labels, loaded.rank) == (["Aus aus", "Bus bus"], "species")
    barcodes = ["ACGTTGCA" * 7, "ACG", None]
    assert torch.equal(loaded.embed(barcodes), model.embed(barcodes))
    assert {path.name for path in tmp_path.iterdir()} >= {"config.json", "model.safetensors"}


def test_it_is_pushed_and_loaded_again(hub, repo_id):
    model = small().eval()
    model.push_to_hub(repo_id, token="anything")
    assert torch.equal(BarcodeCNN.from_pretrained(repo_id).eval().embed(["ACGT" * 15]), model.embed(["ACGT" * 15]))


def test_batches_do_not_change_an_embedding():
    model = small().eval()
    barcodes = ["ACGTTGCA" * 7, "ACG" * 9, "TTTA" * 3]
    assert torch.allclose(model.embed(barcodes, batch_size=1), model.embed(barcodes), atol=1e-6)
    assert model.embed([]).shape == (0, 8)


def test_it_learns():
    model = small().train()
    pictures, target = one_hot(["ACGT" * 15, "TTGA" * 15] * 4, 60), torch.tensor([0, 1] * 4)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(20):
        loss = torch.nn.functional.cross_entropy(model(pictures), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.1
