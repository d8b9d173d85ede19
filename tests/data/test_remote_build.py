"""A release behind an address is built as a local one is; a failed connection is told and loses nothing."""

from __future__ import annotations

from pathlib import Path

import pytest
from file_server import File, FileServer
from releases import (
    IMAGES,
    METADATA,
    assert_nothing_half_done,
    make,
    record,
    records,
    shards,
    tree,
    undisturbed,
    write_metadata,
    write_release,
)

from bioscan5m_hf.errors import Bioscan5mError, ReleaseError


@pytest.fixture
def server(tmp_path, monkeypatch):
    """Serve a good release."""
    monkeypatch.setattr("bioscan5m_hf.data.remote.WAIT", 0.0)
    folder = write_release(tmp_path / "release")
    with FileServer() as server:
        server.files |= {path.name: File(path.read_bytes()) for path in folder.iterdir()}
        yield server


@pytest.mark.parametrize("workers", [1, 2])
def test_a_remote_release_gives_the_bytes_of_a_local_one(workers, server, tmp_path):
    folder = tmp_path / "bioscan-5m"
    make(server.url, folder, workers=workers)
    assert shards(tree(folder)) == shards(undisturbed())
    asked = server.ranges(IMAGES)
    make(server.url, folder)
    assert shards(tree(folder)) == shards(undisturbed())
    assert len(server.ranges(IMAGES)) - len(asked) <= len(asked)


def test_only_ranges_of_archives_are_read(server, tmp_path):
    make(server.url, tmp_path / "bioscan-5m")
    assert all(server.ranges(IMAGES))


@pytest.mark.parametrize("skip", [False, True])
@pytest.mark.parametrize("name", [METADATA, IMAGES])
def test_a_connection_that_is_cut_is_told_and_the_same_call_goes_on(name, skip, server, tmp_path):
    server.files[name].cuts = [100] * 1000
    with pytest.raises(Bioscan5mError) as stopped:
        make(server.url, tmp_path / "bioscan-5m", skip=skip)
    assert f"{server.url}/{name}: the connection failed" in str(stopped.value)
    assert "run the same command to go on" in str(stopped.value)
    if (tmp_path / "bioscan-5m").exists():
        assert_nothing_half_done(tmp_path / "bioscan-5m")
    server.files[name].cuts = []
    state = make(server.url, tmp_path / "bioscan-5m", skip=skip)
    assert state.configs["cropped_256"].counts["rows"] == 10
    assert shards(tree(tmp_path / "bioscan-5m")) == shards(undisturbed())


@pytest.mark.parametrize("skip", [False, True])
def test_a_connection_cut_among_the_photographs_is_no_bad_photograph(skip, server, tmp_path, monkeypatch):
    from bioscan5m_hf.data import build

    pair_all = build._pair_all

    def cut_then_pair(*arguments):
        server.files[IMAGES].cuts = [100] * 1000
        return pair_all(*arguments)

    monkeypatch.setattr(build, "_pair_all", cut_then_pair)
    with pytest.raises(Bioscan5mError, match="the connection failed"):
        make(server.url, tmp_path / "bioscan-5m", skip=skip)
    assert_nothing_half_done(tmp_path / "bioscan-5m")


def test_single_failures_are_survived(server, tmp_path):
    server.files[IMAGES].cuts = [100]
    make(server.url, tmp_path / "bioscan-5m")
    assert shards(tree(tmp_path / "bioscan-5m")) == shards(undisturbed())


def test_a_remote_archive_that_is_no_zip_is_an_error_of_the_release(server, tmp_path):
    server.files[IMAGES] = File(b"<html>quota exceeded</html>")
    with pytest.raises(ReleaseError, match="no zip archive"):
        make(server.url, tmp_path / "bioscan-5m")


def test_a_server_without_ranges_is_told(server, tmp_path):
    server.files[METADATA].ranges = False
    with pytest.raises(ReleaseError, match="a remote release needs a server that answers byte ranges"):
        make(server.url, tmp_path / "bioscan-5m")


def test_a_changed_remote_archive_is_noticed(server, tmp_path):
    make(server.url, tmp_path / "bioscan-5m")
    changed = write_release(tmp_path / "changed", [*records(), record("MORE1-26", "val")])
    server.files |= {path.name: File(path.read_bytes()) for path in changed.iterdir()}
    lines: list[str] = []
    state = make(server.url, tmp_path / "bioscan-5m", say=lines.append)
    assert state.configs["cropped_256"].counts["rows"] == 11
    assert f"cropped_256: {IMAGES} changed since the last build; all shards are made anew" in lines


def test_bad_records_of_a_remote_release_are_named(server, tmp_path):
    folder = tmp_path / "bad"
    path: Path = write_metadata(folder, [record("BAD1-26", "val", coord_lat="95")])
    server.files[METADATA] = File(path.read_bytes())
    with pytest.raises(ReleaseError, match="impossible coord-lat 95") as stopped:
        make(server.url, tmp_path / "bioscan-5m")
    assert stopped.value.row == 1
