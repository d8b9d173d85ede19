"""The loopback Hub serves what the real clients ask of a Hub."""

from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from huggingface_hub import CommitOperationAdd, CommitOperationDelete, HfApi
from huggingface_hub.errors import (
    EntryNotFoundError,
    HfHubHTTPError,
    HfUriError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)


README = (
    b"---\nconfigs:\n- config_name: default\n  data_files:\n  - split: train\n    path: data/train-*.parquet\n---\n"
)


@pytest.fixture
def api() -> HfApi:
    return HfApi()


@pytest.fixture
def parquet(tmp_path):
    """A file of about 16 MB in 40 row groups."""
    blobs = [os.urandom(40_000) for _ in range(400)]
    table = pa.table({"number": list(range(400)), "blob": blobs})
    pq.write_table(table, tmp_path / "train-0.parquet", row_group_size=10, compression="none")
    return (tmp_path / "train-0.parquet").read_bytes()


def test_upload_folder_arrives_in_one_commit(hub, repo_id, api, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "README.md").write_bytes(README)
    (tmp_path / "data" / "train-0.parquet").write_bytes(b"PAR1" * 1000)
    assert api.create_repo(repo_id, repo_type="dataset") == f"{hub.url}/datasets/{repo_id}"
    api.create_repo(repo_id, repo_type="dataset", exist_ok=True)
    commit = api.upload_folder(repo_id=repo_id, repo_type="dataset", folder_path=tmp_path)
    first, second = hub.history(repo_id)
    assert first.operations == (("file", ".gitattributes"),)
    assert second.operations == (("file", "README.md"), ("lfsFile", "data/train-0.parquet"))
    assert commit.oid == second.oid
    assert hub.files(repo_id)["data/train-0.parquet"] == b"PAR1" * 1000
    assert [request.received for request in hub.requested("PUT", "/lfs/")] == [4000]


def test_downloads(hub, repo_id):
    hub.seed(repo_id, {"README.md": README, "data/a.parquet": b"a" * 5000, "small.txt": b"text"})
    path = huggingface_hub.hf_hub_download(repo_id, "data/a.parquet", repo_type="dataset")
    assert Path(path).read_bytes() == b"a" * 5000
    folder = huggingface_hub.snapshot_download(repo_id, repo_type="dataset")
    assert sorted(os.listdir(folder)) == [".gitattributes", "README.md", "data", "small.txt"]
    served = len(hub.log)
    assert huggingface_hub.snapshot_download(repo_id, repo_type="dataset") == folder
    assert [request.path for request in hub.log[served:]] == [f"/api/datasets/{repo_id}/revision/main"]


def test_information_and_listing(hub, repo_id, api):
    hub.seed(repo_id, {"config.json": b"{}", "sub/deep/w.bin": b"w" * 10}, repo_type="model")
    info = api.model_info(repo_id, files_metadata=True)
    assert info.sha == hub.history(repo_id, "model")[-1].oid
    sha256 = hashlib.sha256(b"w" * 10).hexdigest()
    assert {file.rfilename: file.lfs and file.lfs.sha256 for file in info.siblings}["sub/deep/w.bin"] == sha256
    assert api.list_repo_files(repo_id) == [".gitattributes", "config.json", "sub/deep/w.bin"]
    assert [item.path for item in api.list_repo_tree(repo_id)] == [".gitattributes", "config.json", "sub"]
    assert [item.path for item in api.list_repo_tree(repo_id, "sub")] == ["sub/deep"]
    assert [item.path for item in api.get_paths_info(repo_id, ["sub", "config.json"])] == ["config.json", "sub"]
    assert api.whoami(token="hf_x")["name"] == "tester"
    assert api.file_exists(repo_id, "config.json")
    assert not api.file_exists(repo_id, "nothing.json")


def test_what_is_absent_is_named_as_on_the_hub(hub, repo_id, api):
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info("tester/nowhere")
    hub.seed(repo_id, {"a.txt": b"a"})
    with pytest.raises(RevisionNotFoundError):
        api.dataset_info(repo_id, revision="v9")
    with pytest.raises(EntryNotFoundError):
        huggingface_hub.hf_hub_download(repo_id, "b.txt", repo_type="dataset")
    with pytest.raises(EntryNotFoundError):
        list(api.list_repo_tree(repo_id, "nofolder", repo_type="dataset"))
    with pytest.raises(EntryNotFoundError):
        api.delete_file("b.txt", repo_id, repo_type="dataset")


def test_commits_check_their_parent_and_pull_requests_leave_main_alone(hub, repo_id, api):
    hub.seed(repo_id, {"old/a.txt": b"a", "old/b.txt": b"b"})
    head = hub.history(repo_id)[-1].oid
    add = CommitOperationAdd("new.txt", b"new")
    kwargs = {"repo_type": "dataset", "commit_message": "renew", "parent_commit": head}
    done = api.create_commit(repo_id, [add, CommitOperationDelete("old/")], create_pr=True, **kwargs)
    assert done.pr_revision == "refs/pr/1"
    assert done.pr_url == f"{hub.url}/datasets/{repo_id}/discussions/1"
    assert set(hub.files(repo_id, revision="refs/pr/1")) == {".gitattributes", "new.txt"}
    assert set(hub.files(repo_id)) == {".gitattributes", "old/a.txt", "old/b.txt"}
    api.create_commit(repo_id, [CommitOperationDelete("old/a.txt")], **kwargs)
    with pytest.raises(HfHubHTTPError, match="412"):
        api.create_commit(repo_id, [CommitOperationDelete("old/b.txt")], **kwargs)


def test_streaming_reads_ranges(hub, repo_id, parquet):
    hub.seed(repo_id, {"README.md": README, "data/train-0.parquet": parquet})
    stream = datasets.load_dataset(repo_id, split="train", streaming=True, columns=["number"])
    assert next(iter(stream)) == {"number": 0}
    parts = hub.requested("GET", r"/resolve/.*\.parquet", status=206)
    assert 0 < sum(part.sent for part in parts) < len(parquet) / 2
    assert not hub.requested("GET", r"/resolve/.*\.parquet", status=200)
    assert len(datasets.load_dataset(repo_id, split="train")) == 400


def test_bare_name_stands_for_a_repository_in_all_but_load_dataset(hub, repo_id, elsewhere):
    hub.seed(repo_id, {"README.md": README})
    hub.aliases["bioscan-alias"] = repo_id
    assert HfApi().dataset_info("bioscan-alias").id == repo_id
    card = huggingface_hub.hf_hub_download("bioscan-alias", "README.md", repo_type="dataset")
    assert Path(card).read_bytes() == README
    with pytest.raises(HfUriError, match="must be 'namespace/name'"):  # the client refuses, whatever the server says
        datasets.load_dataset("bioscan-alias", split="train", streaming=True)


def test_tokens_decide_who_may_write(hub, repo_id, api):
    hub.users["hf_mine"] = ["tester"]
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo(repo_id, repo_type="dataset")
    assert refused.value.response.status_code == 401
    api.create_repo(repo_id, repo_type="dataset", token="hf_mine", private=True)
    with pytest.raises(HfHubHTTPError) as refused:
        api.create_repo("somebody/else", token="hf_mine")
    assert refused.value.response.status_code == 403
    with pytest.raises(RepositoryNotFoundError):
        api.dataset_info(repo_id)
    assert api.dataset_info(repo_id, token="hf_mine").private
    with pytest.raises(HfHubHTTPError):
        api.whoami(token="hf_wrong")


def test_planned_failures(hub, repo_id, api, monkeypatch):
    waits = []
    monkeypatch.setattr("time.sleep", waits.append)
    hub.seed(repo_id, {"a.parquet": b"a" * 3000})
    hub.fail("GET", "/tree/", times=2)
    assert api.list_repo_files(repo_id, repo_type="dataset") == [".gitattributes", "a.parquet"]
    assert [request.status for request in hub.requested("GET", "/tree/")] == [503, 503, 200]
    hub.fail("PUT", "/lfs/", skip=1, cut=100)
    for content in (b"b" * 2000, b"c" * 2000):
        api.upload_file(path_or_fileobj=content, path_in_repo="b.parquet", repo_id=repo_id, repo_type="dataset")
    received = [(request.status, request.received) for request in hub.requested("PUT", "/lfs/")]
    assert received == [(200, 2000), (0, 100), (200, 2000)]
    hub.fail("GET", "/resolve/.*a.parquet", cut=1000)
    path = huggingface_hub.hf_hub_download(repo_id, "a.parquet", repo_type="dataset")
    assert Path(path).read_bytes() == b"a" * 3000
    assert [request.sent for request in hub.requested("GET", "/resolve/.*a.parquet")] == [1000, 3000]


def test_other_hosts_do_not_resolve():
    with pytest.raises(socket.gaierror, match="no network"):
        socket.create_connection(("huggingface.co", 443))
