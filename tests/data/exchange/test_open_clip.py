"""Tars are read by the trainer of open_clip itself."""

from types import SimpleNamespace

import numpy as np
import pytest

from bioscan5m_hf.data.exchange import export
from bioscan5m_hf.data.exchange.rows import open_rows
from bioscan5m_hf.data.exchange.webdataset import caption


reading = pytest.importorskip("open_clip_train.data", reason="needs open_clip_train")


def test_the_trainer_counts_and_reads_every_specimen(dataset, tmp_path):
    export(dataset, tmp_path / "tars", "webdataset", split="train")
    data = str(tmp_path / "tars" / "000000.tar")
    wanted = sorted(caption(row) for row in open_rows(dataset, "train") if caption(row))
    assert reading.get_dataset_size(data) == (len(wanted), 1)
    given = {"val_data": data, "train_num_samples": None, "val_num_samples": None, "seed": 0, "world_size": 1}
    given |= {"dataset_resampled": False, "train_data_upsampling_factors": None, "workers": 0, "batch_size": 8}
    loader = reading.get_wds_dataset(
        SimpleNamespace(**given),
        lambda image: np.asarray(image.convert("RGB")).shape[2],
        is_train=False,
        tokenizer=lambda text: [text],
    ).dataloader
    seen = []
    for images, texts in loader:
        assert set(np.asarray(images).ravel().tolist()) == {3}
        seen += texts
    assert sorted(seen) == wanted
