"""What CLIBD is shown in training is what its processor makes; specimens that are alike are told by their names."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from datasets import load_dataset

from bioscan5m_hf import ImageBatches
from bioscan5m_hf.learning.shown import COLUMNS, Shown, pieces_of
from bioscan5m_hf.models.clibd import ClibdConfig
from bioscan5m_hf.models.clibd.export_clibd import make_processor, name_tokenizer


sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "models"))

from clibds import NAMES, clibd, config_of


BARCODES = ["ACGTACCATA" * 20, None, "ACGTA", "ACGTNACGTAACGTACC", "N" * 30, "ACGTR" * 9, "ACG", "ACGTACCATA" * 80]
ROWS = [
    ("Diptera", "Phoridae", "Megaselia", "Megaselia rufa"),
    ("Diptera", None, None, None),
    (None, None, None, None),
    ("Diptera", "Phoridae", "Megaselia", "Megaselia rufa"),
    ("Diptera", "Sciaridae", None, None),
]
RELEASED = {
    "dna_prefix_id": 0,
    "dna_padding": "unknown",
    "missing_rank_token": "not_classified",
    "text_pooling": "mean_all",
    "text_max_length": 20,
    "image_normalize": "none",
}


def shown_of(**changes):
    _, processor = clibd(**changes)
    return Shown(processor, config_of(name_tokenizer(NAMES), **changes)), processor


def same(made, expected):
    assert made.keys() == expected.keys()
    for name, value in expected.items():
        width = max(made[name].shape[-1], value.shape[-1]) if value.ndim > 1 else 0
        padded = [torch.nn.functional.pad(each, (0, width - each.shape[-1])) if width else each
                  for each in (made[name], value)]  # fmt: skip
        assert torch.equal(padded[0], padded[1]), name


@pytest.mark.parametrize("changes", [{}, RELEASED, {"dna_prefix_id": 4}, {"dna_max_nucleotides": 90}])
def test_barcodes_are_those_of_the_processor(changes):
    shown, processor = shown_of(**changes)
    same(shown.barcodes(BARCODES), processor.barcodes(BARCODES))
    same(shown.barcodes([None, ""]), processor.barcodes([None, None]))


@pytest.mark.parametrize("changes", [{}, RELEASED])
def test_texts_are_those_of_the_processor_and_read_once(changes):
    shown, processor = shown_of(**changes)
    missing = changes.get("missing_rank_token")
    texts = [
        processor.text_of(dict(zip(("order", "family", "genus", "species"), row, strict=True)), missing)
        for row in ROWS
    ]
    expected = processor.texts([text or None for text in texts])
    read = []
    given = processor.texts
    processor.texts = lambda texts: read.extend(texts) or given(texts)
    for _ in range(2):
        same(shown.texts(ROWS), expected)
    assert len(read) == len(set(ROWS)) == 4


@pytest.mark.parametrize("changes", [{}, RELEASED])
def test_photographs_are_those_of_the_processor(dataset, changes):
    shown, processor = shown_of(**changes)
    batch = next(iter(ImageBatches(dataset, split="val", columns=COLUMNS, batch_size=7, frame=shown.frame)))
    made = shown.ready(shown(batch))["pixel_values"]
    rows = load_dataset(str(dataset), "cropped_256", split="val")
    photographs = {row["processid"]: row["image"] for row in rows}
    expected = processor.images([photographs[name] for name in batch["processid"]])["pixel_values"]
    assert made.shape == expected.shape == (7, 3, 32, 32)
    # a photograph is decoded at about the size that is needed, not in full and then scaled by eight
    step = 2 / 255 / (0.5 if shown.processor.image_processor.do_normalize else 1)
    assert (made - expected).abs().mean() < step
    whole = Shown(processor, ClibdConfig(modalities=["image"]))  # 224 pixels of 256: nothing is scaled
    whole.processor = make_processor(whole.config)
    batch = next(iter(ImageBatches(dataset, split="val", columns=COLUMNS, batch_size=7, frame=whole.frame)))
    made = whole.ready({"pixel_values": torch.from_numpy(batch["image"])})["pixel_values"]
    expected = whole.processor.images([photographs[name] for name in batch["processid"]])["pixel_values"]
    torch.testing.assert_close(made, expected, atol=1e-5, rtol=0)


def batch_of(species, bins, barcodes):
    names = {"order": ["Diptera"] * len(species), "family": [None] * len(species), "genus": [None] * len(species)}
    image = np.zeros((len(species), 32, 32, 3), np.uint8)
    return {"image": image, "dna_barcode": barcodes, "dna_bin": bins, "species": species, **names}


def test_specimens_that_are_alike_have_equal_labels_in_every_batch():
    shown, _ = shown_of()
    shown.kinds = True
    one = shown(
        batch_of(["Aus bus", None, "Aus bus", "Aus cus"], ["B1", "B1", None, None], ["ACGTA", None, "NACGTANN", "C"])
    )
    labels, joins = one["labels"], one["joins"]
    assert labels.dtype == joins.dtype == torch.int64
    assert labels[0, 0] == labels[2, 0] != labels[3, 0]
    assert labels[1, 0] == labels[2, 1] == labels[3, 1] == joins[1] == -1
    assert labels[0, 1] == labels[1, 1] >= 0
    assert joins[0] == joins[2] != joins[3]
    other = shown(batch_of(["Aus cus"], ["B1"], ["ACGTA"]))
    assert other["labels"].tolist() == [[labels[3, 0], labels[0, 1]]]
    assert other["joins"][0] == joins[0]
    assert one["text_joins"][0] == one["text_joins"][2] != one["text_joins"][3] != one["text_joins"][1] >= 0
    shown.kinds = False
    assert "labels" not in shown(batch_of(["Aus bus"], [None], [None]))


def test_specimens_that_lack_something_are_kept_and_marked():
    shown, _ = shown_of()
    given = batch_of([None, "Aus bus"], [None, None], [None, "ACGTA"]) | {"order": [None, "Diptera"]}
    made = shown(given)
    assert made["dna_present"].tolist() == made["text_present"].tolist() == [False, True]
    assert "image_present" not in made
    assert len(made["pixel_values"]) == 2


def test_pieces_are_all_of_the_batch():
    tensors = {"a": torch.arange(7), "b": torch.arange(14).reshape(7, 2)}
    pieces = pieces_of(tensors, 3)
    assert [len(piece["a"]) for piece in pieces] == [3, 2, 2]
    assert torch.equal(torch.cat([piece["b"] for piece in pieces]), tensors["b"])
    assert len(pieces_of(tensors, None)) == 1
