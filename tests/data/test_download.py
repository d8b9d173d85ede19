"""Downloads choose few bytes, survive what networks and disks do, and leave only whole files under official names."""

from __future__ import annotations

import errno
import hashlib
import io
import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest
from file_server import File, FileServer

from bioscan5m_hf.data import download as module
from bioscan5m_hf.data.download import download, plan, summary
from bioscan5m_hf.data.packages import HUB_REPOSITORY, HUB_REVISION, PACKAGES, Package
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.splits import SPLIT_NAMES


NAME = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
MEGABYTE = 2**20
CONTENT = os.urandom(3 * MEGABYTE + 17)
HALF = len(CONTENT) // 2


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(module, "FIRST_WAIT", 0.001)


@pytest.fixture
def server():
    with FileServer() as running:
        running.files["first"] = File(CONTENT)
        running.files["second"] = File(CONTENT)
        yield running


def package(server: FileServer, *names: str, content: bytes = CONTENT, name: str = NAME) -> Package:
    """A metadata package whose mirrors are the server's files of these names."""
    md5 = hashlib.md5(content).hexdigest()
    mirrors = tuple(f"{server.url}/{mirror}" for mirror in names)
    return Package(name, "metadata", splits=SPLIT_NAMES, bytes=len(content), md5=md5, mirrors=mirrors)


def fetch(folder: Path, *registry: Package, **options) -> list[Path]:
    return download(folder, packages=[], registry=registry, progress=False, **options)


def part(folder: Path) -> Path:
    return folder / f"{NAME}.part"


def zipped(content: bytes = b"processid\n") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("table.csv", content)
    return stream.getvalue()


class TestPlan:
    @pytest.mark.parametrize(
        ("image_package", "splits", "suffixes"),
        [
            ("cropped_256", ["train", "val"], ["_train", "_eval"]),
            ("cropped_256", ["train"], ["_train"]),
            ("cropped_256", ["unseen", "test"], ["_eval"]),
            ("cropped_256", ["pretrain"], ["_pretrain.01", "_pretrain.02"]),
            ("cropped_256", None, ["_train", "_eval", "_pretrain.01", "_pretrain.02"]),
            ("original_256", ["seen"], ["_eval", "_train"]),
            ("original_256", ["pretrain"], ["_pretrain"]),
            ("original_256", ["all"], [""]),
        ],
    )
    def test_fewest_photographs_that_cover(self, image_package, splits, suffixes):
        names = [file.name for file in plan([image_package], splits)]
        assert names == [NAME, *(f"BIOSCAN_5M_{image_package}{suffix}.zip" for suffix in suffixes)]

    def test_metadata_alone_and_files_by_name(self):
        assert [file.name for file in plan(["metadata"])] == [NAME]
        assert [file.name for file in plan([])] == [NAME]
        name = "BIOSCAN_5M_cropped_256_pretrain.zip"
        assert [file.name for file in plan([name, name])] == [NAME, name]

    @pytest.mark.parametrize("name", ["original_full", "cropped", "boxes", "BIOSCAN_5M_cropped.01.zip"])
    def test_google_drive_is_said_with_its_address(self, name):
        with pytest.raises(ReleaseError) as caught:
            plan([name])
        assert "https://drive.google.com/drive/folders/" in str(caught.value)
        assert "put it into the release folder" in str(caught.value)

    def test_unknown_package_is_refused(self):
        for name in ("small", "images"):
            with pytest.raises(
                ReleaseError, match=f"unknown package '{name}'; use cropped_256, .* or an official file"
            ):
                plan([name])

    def test_unknown_split_is_refused(self):
        with pytest.raises(ValueError, match="unknown split 'dev'"):
            plan(["cropped_256"], ["train", "dev"])

    def test_split_that_no_file_holds_is_said(self):
        registry = [file for file in PACKAGES if file.name.endswith("256_train.zip")]
        with pytest.raises(ReleaseError, match="no published files of cropped_256 hold val"):
            plan(["cropped_256"], ["val"], registry=registry)

    def test_summary_is_honest_about_sizes(self, tmp_path):
        sizes = summary(plan(["original_256"], ["train", "pretrain"]), tmp_path)
        assert sizes == f"3 files, about 4.3 GB and 1 of unknown size, to {tmp_path}"
        part(tmp_path).write_bytes(bytes(2_500_000))
        assert summary(plan([]), tmp_path) == f"1 file, 2.1 GB (2.5 MB of it are here), to {tmp_path}"


class TestWhole:
    def test_file_arrives_under_its_name(self, server, tmp_path):
        folder = tmp_path / "new" / "release"
        assert fetch(folder, package(server, "first")) == [folder / NAME]
        assert [path.name for path in folder.iterdir()] == [NAME]
        assert (folder / NAME).read_bytes() == CONTENT
        assert server.ranges("first") == [None]

    def test_complete_file_is_not_fetched_again(self, server, tmp_path):
        below = tmp_path / "zips" / NAME
        below.parent.mkdir()
        below.write_bytes(CONTENT)
        asked: list[str] = []
        assert fetch(tmp_path, package(server, "first"), confirm=lambda text: not asked.append(text)) == [below]
        assert (server.requests, asked) == ([], [])

    @pytest.mark.parametrize(
        ("content", "fault"),
        [(CONTENT[:-1], f"expected {len(CONTENT):,} bytes, got"), (CONTENT[::-1], "expected md5 [0-9a-f]{32}, got")],
    )
    def test_wrong_file_under_the_name_is_left_alone(self, server, tmp_path, content, fault):
        (tmp_path / NAME).write_bytes(content)
        with pytest.raises(ReleaseError, match=f"is not the official file: {fault}.* move it away"):
            fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == content
        assert server.requests == []

    def test_question_is_asked_before_anything_is_fetched(self, server, tmp_path):
        asked: list[str] = []
        assert fetch(tmp_path, package(server, "first"), confirm=asked.append) == []
        assert asked == [f"1 file, 3.1 MB, to {tmp_path}"]
        assert server.requests == []
        assert fetch(tmp_path, package(server, "first"), confirm=lambda text: True)

    def test_address_is_no_folder(self, server):
        with pytest.raises(ReleaseError, match="give a local folder"):
            fetch("http://127.0.0.1/files", package(server, "first"))

    def test_progress_is_shown_where_asked_for(self, server, tmp_path, capsys, monkeypatch):
        monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        download(tmp_path, packages=[], registry=[package(server, "first")])
        assert NAME in capsys.readouterr().err
        fetch(tmp_path / "quiet", package(server, "first"))
        assert capsys.readouterr().err == ""

    def test_hub_mirror_is_used(self, hub, tmp_path):
        from huggingface_hub import HfApi

        content = zipped()
        HfApi().create_repo(HUB_REPOSITORY, repo_type="dataset", exist_ok=True)
        HfApi().upload_file(path_or_fileobj=content, path_in_repo=NAME, repo_id=HUB_REPOSITORY, repo_type="dataset")
        mirrors = (f"hf://datasets/{HUB_REPOSITORY}@{HUB_REVISION}/{NAME}",)
        file = Package(NAME, "metadata", splits=SPLIT_NAMES, approximate="~0.1 GB", mirrors=mirrors)
        assert fetch(tmp_path, file)[0].read_bytes() == content

    def test_token_goes_to_the_hub_only(self, server, tmp_path, monkeypatch):
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        monkeypatch.setattr(
            module.Package, "urls", property(lambda file: (f"{server.url}/gone", f"{server.url}/first"))
        )
        file = replace(package(server), mirrors=("https://zenodo.org/records/1/files/x", "hf://datasets/me/x@main/x"))
        fetch(tmp_path, file)
        assert [request.authorization for request in server.requests] == [None, "Bearer hf_secret"]


class TestResume:
    def test_begun_file_is_continued(self, server, tmp_path):
        part(tmp_path).write_bytes(CONTENT[:HALF])
        fetch(tmp_path, package(server, "first"))
        assert server.ranges("first") == [f"bytes={HALF}-"]
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_cut_connection_is_taken_up_again_and_again(self, server, tmp_path):
        server.files["first"].cuts = [len(CONTENT) // 10] * 9
        fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == CONTENT
        assert len(server.ranges("first")) == 10 > module.FRUITLESS_ATTEMPTS

    def test_cut_is_noticed_where_the_length_is_not_said(self, server, tmp_path):
        server.files["first"] = File(CONTENT, cuts=[HALF], length=False)
        fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_server_without_ranges_begins_anew(self, server, tmp_path):
        server.files["first"].ranges = False
        part(tmp_path).write_bytes(b"x" * HALF)
        fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_all_bytes_but_no_name_yet(self, server, tmp_path):
        part(tmp_path).write_bytes(CONTENT)
        fetch(tmp_path, package(server, "first"))
        assert (server.requests, part(tmp_path).exists()) == ([], False)

    def test_all_bytes_of_a_file_of_unknown_size(self, server, tmp_path):
        content = zipped()
        server.files["first"] = File(content)
        part(tmp_path).write_bytes(content)
        fetch(tmp_path, replace(package(server, "first"), bytes=None, md5=None))
        assert (tmp_path / NAME).read_bytes() == content
        assert server.ranges("first") == [f"bytes={len(content)}-"]

    def test_too_many_bytes_are_thrown_away(self, server, tmp_path):
        part(tmp_path).write_bytes(CONTENT + b"x")
        fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_interrupt_keeps_what_arrived(self, server, tmp_path, monkeypatch):
        from tqdm import tqdm

        seen: list[int] = []

        def interrupt(self, n=1):
            seen.append(n)
            if sum(seen) >= MEGABYTE:
                raise KeyboardInterrupt

        with monkeypatch.context() as patch:
            patch.setattr(tqdm, "update", interrupt)
            with pytest.raises(KeyboardInterrupt):
                fetch(tmp_path, package(server, "first"))
        assert part(tmp_path).read_bytes() == CONTENT[: sum(seen)]
        fetch(tmp_path, package(server, "first"))
        assert server.ranges("first") == [None, f"bytes={sum(seen)}-"]
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_killed_download_goes_on(self, server, tmp_path):
        server.files["first"].stall = HALF
        code = (
            "import sys; from bioscan5m_hf.data.download import *; from bioscan5m_hf.data.packages import Package;"
            "download(sys.argv[1], packages=[], progress=False, registry="
            f"[Package({NAME!r}, 'metadata', bytes={len(CONTENT)}, mirrors=(sys.argv[2],))])"
        )
        child = subprocess.Popen([sys.executable, "-c", code, tmp_path, f"{server.url}/first"])
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and not (part(tmp_path).exists() and part(tmp_path).stat().st_size):
            time.sleep(0.01)
        child.send_signal(signal.SIGKILL)
        child.wait()
        server.files["first"].stall = None
        begun = part(tmp_path).stat().st_size
        assert 0 < begun < len(CONTENT)
        fetch(tmp_path, package(server, "first"))
        assert server.ranges("first")[-1] == f"bytes={begun}-"
        assert (tmp_path / NAME).read_bytes() == CONTENT


class TestMirrors:
    @pytest.mark.parametrize("status", [404, 403, 503, 500])
    def test_second_mirror_steps_in(self, server, tmp_path, status):
        server.files["first"].statuses = [status] * 99
        fetch(tmp_path, package(server, "first", "second"))
        assert (tmp_path / NAME).read_bytes() == CONTENT
        assert len(server.ranges("first")) == (module.FRUITLESS_ATTEMPTS if status >= 500 else 1)

    def test_second_mirror_continues_what_the_first_began(self, server, tmp_path):
        server.files["first"].cuts = [HALF] + [0] * 99
        fetch(tmp_path, package(server, "first", "second"))
        assert server.ranges("second") == [f"bytes={HALF}-"]
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_short_refusal_is_sat_out(self, server, tmp_path):
        server.files["first"].statuses = [503, 429]
        server.files["first"].headers = {"Retry-After": "0"}
        fetch(tmp_path, package(server, "first", "second"))
        assert (len(server.ranges("first")), server.ranges("second")) == (3, [])

    def test_every_failing_mirror_is_said(self, server, tmp_path):
        server.files["second"].statuses = [503] * 99
        dead = f"{server.url}/gone"
        file = replace(
            package(server, "gone", "second"), mirrors=(dead, f"{server.url}/second", "http://127.0.0.1:9/x")
        )
        part(tmp_path).write_bytes(CONTENT[:HALF])
        with pytest.raises(ReleaseError) as caught:
            fetch(tmp_path, file)
        text = str(caught.value)
        assert f"{NAME}: cannot be downloaded: {dead}: HTTP status 404; {server.url}/second: HTTP status 503" in text
        assert "http://127.0.0.1:9/x: " in text
        assert f"what arrived is kept in {NAME}.part; run the same command again later" in text
        assert part(tmp_path).read_bytes() == CONTENT[:HALF]

    def test_wrong_content_is_removed_and_the_next_mirror_tried(self, server, tmp_path):
        server.files["first"].content = CONTENT[::-1]
        fetch(tmp_path, package(server, "first", "second"))
        assert (tmp_path / NAME).read_bytes() == CONTENT
        assert server.ranges("second") == [None]

    def test_wrong_content_everywhere_names_both_checksums(self, server, tmp_path):
        server.files["first"].content = server.files["second"].content = CONTENT[::-1]
        with pytest.raises(ReleaseError) as caught:
            fetch(tmp_path, package(server, "first", "second"))
        expected, got = (hashlib.md5(content).hexdigest() for content in (CONTENT, CONTENT[::-1]))
        assert str(caught.value).count(f"expected md5 {expected}, got {got} (removed)") == 2
        assert "kept" not in str(caught.value)
        assert list(tmp_path.iterdir()) == []

    def test_page_instead_of_the_file_costs_nothing(self, server, tmp_path):
        server.files["first"] = File(b"<html>sign in</html>", ranges=False)
        part(tmp_path).write_bytes(CONTENT[:HALF])
        fetch(tmp_path, package(server, "first", "second"))
        assert server.ranges("second") == [f"bytes={HALF}-"]

    def test_other_range_than_asked_for_is_refused(self, server, tmp_path):
        server.files["first"].shift = 5
        part(tmp_path).write_bytes(CONTENT[:HALF])
        fetch(tmp_path, package(server, "first", "second"))
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_zip_without_checksum_must_be_complete(self, server, tmp_path):
        server.files["first"] = File(zipped()[:-5])
        with pytest.raises(ReleaseError, match="it is no complete zip"):
            fetch(tmp_path, replace(package(server, "first"), bytes=None, md5=None))

    def test_answer_that_never_ends_rightly_is_given_up(self, server, tmp_path):
        server.files["first"] = File(CONTENT, cuts=[HALF] * 99, ranges=False)
        with pytest.raises(ReleaseError, match="cannot be downloaded"):
            fetch(tmp_path, package(server, "first"))
        assert len(server.ranges("first")) == 1 + module.FRUITLESS_ATTEMPTS

    def test_offline_mode_is_said(self, server, tmp_path, monkeypatch):
        from huggingface_hub import constants

        monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
        with pytest.raises(ReleaseError, match="offline mode is enabled"):
            fetch(tmp_path, package(server, "first"))
        assert server.requests == []


class TestDisk:
    def test_too_small_a_disk_is_said_before_anything_is_fetched(self, server, tmp_path, monkeypatch):
        usage = shutil.disk_usage(tmp_path)
        monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage._replace(free=1_000_000))
        with pytest.raises(ReleaseError, match=r"3\.1 MB are needed, 1\.0 MB are free; make room"):
            fetch(tmp_path, package(server, "first"))
        assert server.requests == []
        part(tmp_path).write_bytes(CONTENT[: len(CONTENT) - 10])
        assert fetch(tmp_path, package(server, "first"))

    def test_full_disk_keeps_what_arrived(self, server, tmp_path, monkeypatch):
        real = Path.open

        def full(path, mode="r", *arguments, **options):
            stream = real(path, mode, *arguments, **options)
            return stream if mode == "rb" else Full(stream)

        class Full(io.BufferedIOBase):
            def __init__(self, stream):
                self.stream = stream

            def write(self, block):
                if self.stream.tell() >= 2 * MEGABYTE:
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                return self.stream.write(block)

            def close(self):
                self.stream.close()

        with monkeypatch.context() as patch:
            patch.setattr(Path, "open", full)
            with pytest.raises(ReleaseError, match=r"cannot be written: No space left on device; .*kept: make room"):
                fetch(tmp_path, package(server, "first"))
        begun = part(tmp_path).stat().st_size
        assert 2 * MEGABYTE <= begun < len(CONTENT)
        assert part(tmp_path).read_bytes() == CONTENT[:begun]
        fetch(tmp_path, package(server, "first"))
        assert (tmp_path / NAME).read_bytes() == CONTENT

    def test_file_in_place_of_the_folder_is_said(self, server, tmp_path):
        (tmp_path / "release").write_text("")
        with pytest.raises(ReleaseError, match="release: cannot be written: File exists"):
            fetch(tmp_path / "release", package(server, "first"))
