"""The demonstration, on fewer specimens."""

import pyarrow.parquet as pq
import pytest
from PIL import Image

from bioscan5m_hf import demo
from bioscan5m_hf.errors import Bioscan5mError, OutputError


@pytest.mark.slow
def test_shows_the_main_job_and_can_be_repeated(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(demo, "SPECIMENS", 200)
    monkeypatch.setattr(demo, "RECIPE", "debug.yaml")
    monkeypatch.setattr(demo, "CLIBD_RECIPE", "clibd-debug.yaml")
    monkeypatch.setattr("bioscan5m_hf.data.workers.default_workers", lambda: 1)
    demo.run(tmp_path / "demo")
    printed = capfd.readouterr().out
    assert printed.count(" bases)") == 3
    assert printed.count("JPEG 3") == 3
    assert "test_unseen" in printed
    assert all(str(tmp_path / "demo" / name) in printed for name in ("release", "bioscan-5m", demo.SHEET))
    assert "reference:6-mers" in printed
    page = tmp_path / "demo" / demo.STATISTICS / "index.html"
    assert str(page) in printed
    assert len(list((page.parent / "plots").glob("*.png"))) >= 15
    assert page.read_text().count("<figure") == len(list((page.parent / "plots").glob("*.png")))
    assert min(Image.open(tmp_path / "demo" / demo.REPORT / demo.PICTURE).size) > 200
    assert "| barcodebert-demo |" in printed
    assert printed.count("; by photograph:") == printed.count("; by photograph and barcode:") == 4
    assert Image.open(tmp_path / "demo" / demo.NEAREST).size == (828, 52 + 8 * 214)
    assert pq.read_table(tmp_path / "demo" / demo.EMBEDDINGS).column_names == ["processid", "embedding"]
    assert min(Image.open(tmp_path / "demo" / demo.SHEET).size) > 600
    monkeypatch.setattr(demo, "STAGES", demo.STAGES[:1])
    demo.run(tmp_path / "demo")
    assert not (tmp_path / "demo" / "bioscan-5m").exists()


def test_stops_where_a_promise_is_broken(dataset, tmp_path, capsys):
    (tmp_path / "bioscan-5m").mkdir()
    (tmp_path / "bioscan-5m" / "README.md").write_text((dataset / "README.md").read_text())
    with pytest.raises(Bioscan5mError, match="breaks a promise"):
        demo.verify(tmp_path)
    assert "error" in capsys.readouterr().out


def test_a_folder_that_holds_something_else_is_left_alone(tmp_path):
    (tmp_path / "release").mkdir()
    (tmp_path / "release" / "BIOSCAN_5M_cropped_256_train.zip").write_bytes(b"two gigabytes")
    with pytest.raises(OutputError, match="holds no earlier demonstration"):
        demo.run(tmp_path)
    assert (tmp_path / "release" / "BIOSCAN_5M_cropped_256_train.zip").exists()


def test_says_when_a_stage_is_late(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(demo, "STAGES", (demo.Stage("nothing", -1.0, lambda _: None),))
    demo.run(tmp_path)
    assert "over its budget" in capsys.readouterr().out


def test_all_stages_together_stay_under_ten_minutes():
    assert sum(stage.budget for stage in demo.STAGES) <= 600


def test_without_a_clone_it_says_what_it_lacks(tmp_path, monkeypatch):
    monkeypatch.setattr(demo, "TRAINING", tmp_path / "nowhere")
    with pytest.raises(Bioscan5mError, match="clone of the repository"):
        demo.run(tmp_path / "demo")
