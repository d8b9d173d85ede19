"""`push` makes a repository equal to a folder, and says so; what it cannot do it explains."""

from __future__ import annotations

import logging
import signal
import subprocess
import sys

import datasets
import huggingface_hub
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan5m_hf.data import schema
from bioscan5m_hf.errors import Bioscan5mError, OutputError
from bioscan5m_hf.hub import push as module
from bioscan5m_hf.hub.push import HubError, PushReport, push


CARD = """---
configs:
- config_name: metadata
  default: true
  data_files:
  - split: train
    path: metadata/train-*.parquet
  - split: val
    path: metadata/val-*.parquet
---
# Invented specimens
"""
SHARDS = {"train": 2, "val": 1}
TOKEN = "hf_SecretSecretSecretSecret"


def specimens(split, number, start=0):
    required = {"inferred_ranks": 0, "split": split, "dna_barcode": "ACGT" * 100}
    return [{"processid": f"{split.upper()}{start + index:05}-26", **required} for index in range(number)]


def write(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.Table.from_pylist(rows, schema=schema.arrow_schema(schema.specimen_fields()))
    pq.write_table(table, path)


@pytest.fixture
def folder(tmp_path):
    """A small dataset as `build` leaves it."""
    folder = tmp_path / "bioscan-5m"
    for split, shards in SHARDS.items():
        for shard in range(shards):
            path = folder / "metadata" / f"{split}-{shard:05}-of-{shards:05}.parquet"
            write(path, specimens(split, 10, start=10 * shard))
    (folder / "README.md").write_text(CARD)
    (folder / ".bioscan5m").mkdir()
    (folder / ".bioscan5m" / "manifest.json").write_text("{}")
    return folder


def contents(folder):
    files = (file for file in folder.rglob("*") if file.is_file())
    paths = {file.relative_to(folder).as_posix(): file.read_bytes() for file in files}
    return {path: content for path, content in paths.items() if not path.startswith(".")}


def pushed(hub, repo_id, **where):
    return {path: content for path, content in hub.files(repo_id, **where).items() if path != ".gitattributes"}


def test_first_push_makes_the_repository_and_brings_the_card_last(hub, repo_id, folder):
    report = push(folder, repo_id)
    _, data, card = hub.history(repo_id)
    assert data.operations == (
        ("lfsFile", "metadata/train-00000-of-00002.parquet"),
        ("lfsFile", "metadata/train-00001-of-00002.parquet"),
        ("lfsFile", "metadata/val-00000-of-00001.parquet"),
    )
    assert card.operations == (("file", "README.md"),)
    assert pushed(hub, repo_id) == contents(folder)
    assert report == PushReport(
        url=f"{hub.url}/datasets/{repo_id}",
        commits=(data.oid, card.oid),
        uploaded=("README.md", *(path for _, path in data.operations)),
        bytes=sum(map(len, contents(folder).values())),
    )


def test_what_was_pushed_loads_and_streams(hub, repo_id, folder, elsewhere):
    push(folder, repo_id)
    hub.log.clear()
    first = next(iter(datasets.load_dataset(repo_id, split="train", streaming=True)))
    assert first["processid"] == "TRAIN00000-26"
    assert first["coord-lat"] is None
    assert hub.requested("GET", r"\.parquet", status=206)
    assert len(datasets.load_dataset(repo_id, split="val")) == 10
    local = huggingface_hub.snapshot_download(repo_id, repo_type="dataset")
    assert datasets.load_dataset(local, split="train", streaming=True).features["area_fraction"].dtype == "float64"


def test_second_push_of_the_same_changes_nothing(hub, repo_id, folder):
    push(folder, repo_id)
    before = len(hub.history(repo_id))
    hub.log.clear()
    report = push(folder, repo_id)
    assert len(hub.history(repo_id)) == before
    assert not hub.requested("PUT")
    assert report == PushReport(url=f"{hub.url}/datasets/{repo_id}", unchanged=tuple(sorted(contents(folder))))


def test_only_what_changed_is_sent(hub, repo_id, folder):
    push(folder, repo_id)
    path = "metadata/val-00000-of-00001.parquet"
    write(folder / path, specimens("val", 10, start=500))
    hub.log.clear()
    report = push(folder, repo_id, message="renewed val")
    assert [commit.message for commit in hub.history(repo_id)[3:]] == ["renewed val"]
    assert len(hub.requested("PUT")) == 1
    assert report.uploaded == (path,)
    assert report.bytes == (folder / path).stat().st_size
    assert len(report.unchanged) == 3
    assert pushed(hub, repo_id) == contents(folder)


def test_a_changed_text_of_the_same_length_is_noticed(hub, repo_id, folder):
    push(folder, repo_id)
    (folder / "README.md").write_text(CARD.replace("Invented", "Imagined"))
    report = push(folder, repo_id, message="word")
    assert report.uploaded == ("README.md",)
    assert [commit.message for commit in hub.history(repo_id)[3:]] == ["word"]


def test_stale_files_go_in_the_commit_that_brings_the_new(hub, repo_id, folder):
    old = {
        "README.md": b"---\nlicense: cc-by-3.0\n---\nold card\n",
        "bioscan-5m.py": b"class Bioscan5M: ...",
        "dataset.py": b"import datasets",
        "BIOSCAN_5M_cropped_256.zip": b"PK" * 100,
        "metadata/train-00000-of-00003.parquet": b"PAR1",
        ".huggingface.yaml": b"kept: true",
    }
    hub.seed(repo_id, old)
    report = push(folder, repo_id)
    data, card = hub.history(repo_id)[2:]
    stale = ("BIOSCAN_5M_cropped_256.zip", "bioscan-5m.py", "dataset.py", "metadata/train-00000-of-00003.parquet")
    assert report.deleted == stale
    assert tuple(path for kind, path in data.operations if kind == "deletedFile") == stale
    assert [kind for kind, _ in data.operations].count("lfsFile") == 3
    assert card.operations == (("file", "README.md"),)
    assert pushed(hub, repo_id) == contents(folder) | {".huggingface.yaml": b"kept: true"}
    assert len(datasets.load_dataset(repo_id, split="train")) == 20


def test_stale_files_alone_are_a_commit(hub, repo_id, folder):
    push(folder, repo_id)
    hub.seed(repo_id, {"old.zip": b"PK"})
    report = push(folder, repo_id)
    assert report.uploaded == ()
    assert report.deleted == ("old.zip",)
    assert hub.history(repo_id)[-1].operations == (("deletedFile", "old.zip"),)


def test_pull_request_holds_both_commits_and_leaves_main_alone(hub, repo_id, folder):
    hub.seed(repo_id, {"dataset.py": b"import datasets"})
    hub.users[TOKEN] = ["somebody"]
    report = push(folder, repo_id, create_pr=True, token=TOKEN)
    assert report.url == f"{hub.url}/datasets/{repo_id}/discussions/1"
    assert set(pushed(hub, repo_id)) == {"dataset.py"}
    assert pushed(hub, repo_id, revision="refs/pr/1") == contents(folder)
    data, card = hub.history(repo_id, revision="refs/pr/1")[2:]
    assert ("deletedFile", "dataset.py") in data.operations
    assert card.operations == (("file", "README.md"),)
    assert report.commits == (data.oid, card.oid)
    assert set(hub.repo(repo_id).revisions) == {"main", "refs/pr/1"}


def test_a_refused_upload_is_taken_up_again(hub, repo_id, folder):
    hub.fail("PUT", "/lfs/", skip=2, status=400)
    with pytest.raises(HubError, match="push again, which goes on"):
        push(folder, repo_id)
    assert len(hub.history(repo_id)) == 1
    push(folder, repo_id)
    assert [request.status for request in hub.requested("PUT")] == [200, 200, 400, 200]
    assert pushed(hub, repo_id) == contents(folder)


def test_a_killed_push_is_taken_up_again(hub, repo_id, folder):
    code = "import sys; from bioscan5m_hf.hub.push import push; push(*sys.argv[1:])"
    process = subprocess.Popen([sys.executable, "-c", code, str(folder), repo_id])
    hub.fail("PUT", "/lfs/", skip=1, cut=100, then=process.kill)
    assert process.wait(30) == -signal.SIGKILL
    assert len(hub.history(repo_id)) == 1
    hub.log.clear()
    report = push(folder, repo_id)
    assert len(hub.requested("PUT")) == 2
    assert len(report.uploaded) == 4
    assert pushed(hub, repo_id) == contents(folder)


def test_a_push_cut_before_the_card_brings_the_card(hub, repo_id, folder):
    hub.fail("POST", "/commit/main", skip=1, status=500)
    with pytest.raises(HubError, match="500"):
        push(folder, repo_id)
    assert "README.md" not in hub.files(repo_id)
    assert push(folder, repo_id).uploaded == ("README.md",)


def test_a_passing_trouble_is_waited_for(hub, repo_id, folder, monkeypatch):
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fail("PUT", "/lfs/", cut=50)
    hub.fail("POST", "/preupload/", times=2, status=503)
    push(folder, repo_id)
    assert pushed(hub, repo_id) == contents(folder)


def test_somebody_elses_commit_in_between_is_not_overwritten(hub, repo_id, folder, monkeypatch):
    push(folder, repo_id)
    write(folder / "metadata/val-00000-of-00001.parquet", specimens("val", 3))
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    hub.fail("POST", "/preupload/", then=lambda: hub.seed(repo_id, {"theirs.txt": b"new"}))
    with pytest.raises(HubError, match="somebody else has committed to it meanwhile"):
        push(folder, repo_id)
    assert hub.history(repo_id)[-1].operations == (("file", "theirs.txt"),)


@pytest.mark.parametrize(
    ("break_it", "reason"),
    [
        (lambda folder: (folder / "README.md").unlink(), "no README.md"),
        (lambda folder: (folder / ".bioscan5m" / "building").touch(), "has not finished: repeat"),
        (lambda folder: (folder / "bioscan-5m.py").touch(), r"holds code \(bioscan-5m.py\)"),
        (lambda folder: (folder / "README.md").write_text("---\na: b: c\n---\n"), "refuses the YAML"),
    ],
)
def test_unfit_folders_are_refused_before_anything_is_sent(hub, repo_id, folder, break_it, reason):
    break_it(folder)
    with pytest.raises(OutputError, match=reason):
        push(folder, repo_id)
    assert ("dataset", repo_id) not in hub.store.repos


def test_model_repositories_may_hold_code(hub, repo_id, tmp_path):
    folder = tmp_path / "clibd"
    (folder / "__pycache__").mkdir(parents=True)
    (folder / "__pycache__" / "modeling_clibd.pyc").write_bytes(b"\0")
    (folder / "README.md").write_text("---\nlicense: mit\n---\n# CLIBD\n")
    (folder / "modeling_clibd.py").write_text("class CLIBD: ...\n")
    (folder / "empty.json").write_text("")
    report = push(folder, repo_id, repo_type="model", private=True)
    assert report.url == f"{hub.url}/{repo_id}"
    assert report.uploaded == ("README.md", "empty.json", "modeling_clibd.py")
    assert hub.repo(repo_id, "model").private
    assert push(folder, repo_id, repo_type="model").commits == ()


def test_refusals_of_the_hub_say_what_to_do_and_hide_the_token(hub, repo_id, folder, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    hub.users[TOKEN] = ["tester"]
    with pytest.raises(HubError, match="hf auth login"):
        push(folder, repo_id)
    with pytest.raises(HubError, match="hf auth login"):
        push(folder, repo_id, token="hf_UnknownToken")
    with pytest.raises(HubError, match=r"403 .*--create-pr"):
        push(folder, "somebody/else", token=TOKEN)
    with pytest.raises(HubError, match="without --create-pr it would be made"):
        push(folder, repo_id, token=TOKEN, create_pr=True)
    with pytest.raises(HubError, match="'bioscan-5m' is no name"):
        push(folder, "bioscan-5m", token=TOKEN)
    with pytest.raises(HubError, match="no name of a repository"):
        push(folder, "tester/a b", token=TOKEN)
    push(folder, repo_id, token=TOKEN)
    hub.fail("POST", "/commit/", status=400)
    (folder / "README.md").write_text("---\n{}\n---\n")
    with pytest.raises(HubError) as refused:
        push(folder, repo_id, token=TOKEN)
    said = "".join([*capfd.readouterr(), caplog.text, str(refused.value)])
    assert "hf_Secret" not in said
    assert "hf_Unknown" not in said


def test_a_token_in_the_answer_is_hidden(hub, repo_id, folder, monkeypatch):
    def leak(*_, **__):
        raise RuntimeError(f"refused for {TOKEN} and my-own-secret")

    monkeypatch.setattr(module.HfApi, "repo_info", leak)
    with pytest.raises(HubError, match=r"refused for hf_… and …\)") as refused:
        push(folder, repo_id, token="my-own-secret")
    assert isinstance(refused.value, Bioscan5mError)


def test_no_network_and_offline_mode_are_told_apart(repo_id, folder, monkeypatch):
    monkeypatch.setattr(huggingface_hub.constants, "ENDPOINT", "http://hub.invalid")
    with pytest.raises(HubError, match=r"http://hub.invalid failed .*no network.*push again"):
        push(folder, repo_id)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(HubError, match="HF_HUB_OFFLINE is set"):
        push(folder, repo_id)


def test_progress_can_be_switched_off_and_stays_as_it_was(hub, repo_id, folder, capfd, monkeypatch):
    silence = []
    monkeypatch.setattr(module, "are_progress_bars_disabled", lambda: False)
    monkeypatch.setattr(module, "disable_progress_bars", lambda: silence.append(True))
    monkeypatch.setattr(module, "enable_progress_bars", lambda: silence.append(False))
    push(folder, repo_id, progress=False)
    assert silence == [True, False]
    assert "Uploading" not in capfd.readouterr().err
