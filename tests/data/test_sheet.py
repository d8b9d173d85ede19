"""The contact sheet and the sample it is drawn from."""

import numpy as np
import pyarrow as pa
import pytest
from datasets import load_dataset
from PIL import Image

from bioscan5m_hf.data.sample import SAMPLE_ROWS, choose_sample
from bioscan5m_hf.data.sheet import TILE, captions, contact_sheet


def test_every_photograph_has_its_place(dataset):
    rows = list(load_dataset(str(dataset), "sample", streaming=True)["train"])[:5]
    sheet = np.asarray(contact_sheet(rows, columns=3, title="Five specimens"))
    tiles = [sheet[52 + 214 * (i // 3) :, 12 + 204 * (i % 3) :][: TILE[1], : TILE[0]] for i in range(6)]
    assert all(tile.std() > 1 for tile in tiles[:5])
    assert (tiles[5] == 255).all()


def test_takes_bytes_long_names_and_missing_ones(dataset):
    row = next(iter(load_dataset(str(dataset), "sample", split="train", streaming=True).decode(False)))
    image = row["image"]["bytes"]
    long = {"image": image, "species": "Oxysarcodexia " * 9, "processid": "A1", "country": "Antigua and Barbuda"}
    assert contact_sheet([long, {"image": image}]).size == contact_sheet([{"image": image}] * 2).size
    assert captions({"image": image}) == ("no name", "", "")


def test_nothing_to_draw_is_an_error():
    with pytest.raises(ValueError, match="at least one"):
        contact_sheet([])


def test_a_grey_photograph_is_drawn():
    assert contact_sheet([{"image": Image.new("L", (10, 30))}]).mode == "RGB"


def test_the_sample_holds_every_order_of_every_split_and_the_first_rows_of_each():
    rng = np.random.default_rng(0)
    orders = {
        split: pa.array(rng.choice(["Diptera", "Araneae", "Odonata", None], size, p=[0.9, 0.06, 0.01, 0.03]).tolist())
        for split, size in (("train", 3000), ("val", 500))
    }
    chosen = choose_sample(orders)
    assert sum(map(len, chosen.values())) == SAMPLE_ROWS
    for split, places in chosen.items():
        labels = np.array(orders[split].to_pylist(), object)
        assert (np.diff(places) > 0).all()
        assert set(labels[places]) == set(labels)
        for order in set(labels):
            of_order = np.flatnonzero(labels == order)
            taken = places[labels[places] == order]
            assert taken.tolist() == of_order[: len(taken)].tolist()


def test_the_sample_of_a_small_split_is_the_split_and_of_nothing_is_nothing():
    assert choose_sample({"val": pa.array(["Diptera"] * 3)})["val"].tolist() == [0, 1, 2]
    assert choose_sample({"val": pa.array([], pa.string())}) == {}
    assert choose_sample({}) == {}
