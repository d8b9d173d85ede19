"""Shards that a Dask cluster makes are those that local processes make."""

from __future__ import annotations

import pytest
from releases import jpeg, make, photographs, records, shards, tree, undisturbed, write_release, write_zip

from bioscan5m_hf.errors import ReleaseError


distributed = pytest.importorskip("distributed")


@pytest.fixture(scope="module")
def scheduler():
    """Give the address of a scheduler on the loopback interface with two workers."""
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=False,
        host="127.0.0.1",
        protocol="tcp",
        dashboard_address=None,
    ) as cluster:
        yield cluster.scheduler_address


@pytest.mark.slow
def test_a_cluster_gives_the_same_bytes(scheduler, tmp_path):
    release = write_release(tmp_path / "release")
    make(release, tmp_path / "bioscan-5m", scheduler=scheduler)
    assert tree(tmp_path / "bioscan-5m") == undisturbed()


@pytest.mark.slow
def test_an_error_on_a_cluster_is_told_as_it_is(scheduler, tmp_path):
    release = write_release(tmp_path / "release")
    good = photographs(records())
    write_zip(release / "BIOSCAN_5M_cropped_256.zip", good | {next(iter(good)): jpeg()[:-9]})
    with pytest.raises(ReleaseError, match="the JPEG is cut short") as stopped:
        make(release, tmp_path / "bioscan-5m", scheduler=scheduler)
    assert stopped.value.processid == "TINY00000-26"
    state = make(release, tmp_path / "bioscan-5m", scheduler=scheduler, skip=True)
    assert state.configs["cropped_256"].counts["rows"] == 9
    assert len(shards(tree(tmp_path / "bioscan-5m"))) > 3


def test_a_missing_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "distributed", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'bioscan5m-hf\[cluster\]'"):
        make(write_release(tmp_path / "release"), tmp_path / "bioscan-5m", scheduler="tcp://127.0.0.1:1")
