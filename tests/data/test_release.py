"""The registry agrees with what is published, and a release is found wherever its files lie."""

from __future__ import annotations

import pickle
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from file_server import File, FileServer

from bioscan5m_hf.data.packages import EVAL_SPLITS, HUB_REVISION, PINNED_REVISION, find
from bioscan5m_hf.data.release import IMAGE_PACKAGES, METADATA_MEMBERS, PACKAGES, Release
from bioscan5m_hf.errors import ReleaseError
from bioscan5m_hf.splits import OFFICIAL_SPECIMENS, SPLIT_NAMES


METADATA = "BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip"
BOXES = "BIOSCAN_5M_Insect_bbox.tsv"


CUT = ["_train", "_eval", "_pretrain.01", "_pretrain.02"]


def put(folder: Path, *names: str) -> Path:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")
    return folder


def put_metadata(folder: Path, *members: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    with zipfile.ZipFile(folder / METADATA, "w") as zipped:
        for member in members:
            zipped.writestr(member, "processid\n")
    return folder


def archives(folder: Path, image_package: str) -> list[str]:
    prefix = f"BIOSCAN_5M_{image_package}"
    return [archive.package.name.removeprefix(prefix) for archive in Release.open(folder).archives(image_package)]


@pytest.fixture
def server():
    with FileServer() as running:
        yield running


class TestRegistry:
    def test_names_are_unique_and_checksums_are_md5(self):
        assert len({package.name for package in PACKAGES}) == len(PACKAGES) == 19
        assert all(re.fullmatch("[0-9a-f]{32}", package.md5) for package in PACKAGES if package.md5)
        assert sum(package.md5 is not None for package in PACKAGES) == 5
        assert all((package.md5 is None) == (package.bytes is None) for package in PACKAGES)

    def test_eval_package_holds_the_published_number_of_photographs(self):
        assert find("BIOSCAN_5M_cropped_256_eval.zip").specimens == 183_891
        assert set(EVAL_SPLITS) | {"train", "pretrain"} == set(SPLIT_NAMES)

    @pytest.mark.parametrize("image_package", IMAGE_PACKAGES)
    def test_every_split_of_every_image_package_is_published(self, image_package):
        packages = [package for package in PACKAGES if package.image_package == image_package]
        assert {split for package in packages for split in package.splits} == set(SPLIT_NAMES)
        assert all(package.mirrors or package.folder for package in packages)

    def test_one_file_for_each_split_adds_up_to_the_release(self):
        for prefix in ("BIOSCAN_5M_cropped_256", "BIOSCAN_5M_original_256"):
            files = [find(f"{prefix}_{suffix}.zip") for suffix in ("pretrain", "train", "eval")]
            assert sum(package.specimens for package in files) == OFFICIAL_SPECIMENS == find(f"{prefix}.zip").specimens

    def test_parts_are_numbered_without_gaps(self):
        for package in PACKAGES:
            if package.part:
                index, count = package.part
                group = (package.image_package, package.splits)
                parts = [p.part for p in PACKAGES if p.part and (p.image_package, p.splits) == group]
                assert package.name.endswith(f".{index:02d}.zip")
                assert parts == [(number, count) for number in range(1, count + 1)]

    def test_sizes_are_exact_approximate_or_unknown(self):
        assert find(METADATA).size == 2_065_075_527
        assert find("BIOSCAN_5M_original_256_train.zip").size == round(2119.7 * 2**20)
        assert find("BIOSCAN_5M_cropped_256.zip").size == 39_100_000_000
        assert find("BIOSCAN_5M_original_256_pretrain.zip").size is None
        assert find("BIOSCAN_5M_original_full.05.zip").size is None

    def test_addresses_on_the_hub_begin_with_the_endpoint(self, hub):
        repository = f"{hub.url}/datasets/bioscan-ml/BIOSCAN-5M/resolve"
        zenodo = "https://zenodo.org/records/11973457/files"
        assert find(METADATA).urls == (f"{zenodo}/{METADATA}", f"{repository}/{PINNED_REVISION}/{METADATA}")
        name = "BIOSCAN_5M_original_256.zip"
        assert find(name).urls == (f"{repository}/{HUB_REVISION}/{name}",)
        assert find(name).page == f"{hub.url}/datasets/bioscan-ml/BIOSCAN-5M"
        assert find(BOXES).urls == ()

    def test_unknown_file_name_is_refused(self):
        with pytest.raises(LookupError, match=r"'x\.zip' is no file of the official release"):
            find("x.zip")


class TestFinding:
    def test_files_are_found_up_to_two_folders_down(self, tmp_path):
        put(tmp_path, "a/b/BIOSCAN_5M_cropped.01.zip", "a/b/c/BIOSCAN_5M_cropped.02.zip", f"a/{BOXES}")
        release = Release.open(tmp_path)
        (archive,) = release.archives("cropped")
        assert archive.path == str(tmp_path / "a/b/BIOSCAN_5M_cropped.01.zip")
        assert release.boxes() == str(tmp_path / "a" / BOXES)
        assert release.root == str(tmp_path)

    def test_file_in_the_root_goes_before_one_below(self, tmp_path):
        put(tmp_path, f"a/{BOXES}", BOXES)
        assert Release.open(tmp_path).boxes() == str(tmp_path / BOXES)

    def test_file_address_is_a_folder(self, tmp_path):
        put(tmp_path, BOXES)
        assert Release.open(f"file://{tmp_path}").boxes() == str(tmp_path / BOXES)

    def test_missing_folder_is_said(self, tmp_path):
        with pytest.raises(ReleaseError, match=r"there is no release folder .*nowhere"):
            Release.open(tmp_path / "nowhere")

    def test_image_packages_are_those_with_an_archive(self, tmp_path):
        put(tmp_path, "BIOSCAN_5M_original_full.03.zip", "BIOSCAN_5M_cropped_256_eval.zip")
        assert Release.open(tmp_path).image_packages() == ("cropped_256", "original_full")
        assert Release.open(tmp_path).boxes() is None

    def test_release_travels_to_other_processes(self, tmp_path):
        put(tmp_path, BOXES)
        assert pickle.loads(pickle.dumps(Release.open(tmp_path))).boxes() == str(tmp_path / BOXES)

    def test_no_heavy_library_is_imported(self):
        names = ("torch", "transformers", "datasets", "fsspec", "huggingface_hub")
        code = f"import bioscan5m_hf.data.release, sys; print([m for m in {names} if m in sys.modules])"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


class TestMetadata:
    def test_csv_goes_before_jsonld(self, tmp_path):
        release = Release.open(put_metadata(tmp_path, *reversed(METADATA_MEMBERS.values())))
        source = release.metadata()
        assert (source.path, source.member, source.format) == (
            str(tmp_path / METADATA),
            METADATA_MEMBERS["csv"],
            "csv",
        )
        assert release.metadata("jsonld").member == METADATA_MEMBERS["jsonld"]

    def test_jsonld_is_taken_where_there_is_no_csv(self, tmp_path):
        assert Release.open(put_metadata(tmp_path, METADATA_MEMBERS["jsonld"])).metadata().format == "jsonld"

    def test_member_may_lie_in_another_folder_of_the_zip(self, tmp_path):
        member = METADATA_MEMBERS["csv"].rpartition("/")[2]
        assert Release.open(put_metadata(tmp_path, member)).metadata().member == member

    def test_extracted_table_is_found(self, tmp_path):
        put(tmp_path, METADATA_MEMBERS["csv"])
        source = Release.open(tmp_path).metadata()
        assert (source.path, source.member) == (str(tmp_path / METADATA_MEMBERS["csv"]), None)
        assert Release.open(tmp_path / "bioscan5m").metadata() == source
        with pytest.raises(ReleaseError, match=r"no metadata .*extracted .*\.jsonld"):
            Release.open(tmp_path).metadata("jsonld")

    def test_extracted_jsonld_completes_a_zip_with_csv_only(self, tmp_path):
        put(put_metadata(tmp_path, METADATA_MEMBERS["csv"]), METADATA_MEMBERS["jsonld"])
        assert Release.open(tmp_path).metadata("jsonld").member is None
        assert Release.open(tmp_path).metadata().member == METADATA_MEMBERS["csv"]

    def test_missing_metadata_says_what_to_do(self, tmp_path):
        put(tmp_path, "holiday.zip", "BIOSCAN_5M_cropped_256_val.zip", "notes.txt")
        with pytest.raises(ReleaseError) as caught:
            Release.open(tmp_path).metadata()
        text = str(caught.value)
        assert f"looked for {METADATA}" in text
        assert (
            f"`bioscan5m download {tmp_path} --package metadata`, or from https://zenodo.org/records/11973457" in text
        )
        assert "(zips that are no official package: BIOSCAN_5M_cropped_256_val.zip, holiday.zip)" in text

    def test_zip_without_the_table_is_named(self, tmp_path):
        with pytest.raises(ReleaseError, match=f"{METADATA}: holds no csv or jsonld metadata"):
            Release.open(put_metadata(tmp_path, "readme.txt")).metadata()
        put_metadata(tmp_path, METADATA_MEMBERS["csv"])
        with pytest.raises(ReleaseError, match="holds no jsonld metadata"):
            Release.open(tmp_path).metadata("jsonld")

    def test_truncated_zip_is_named(self, tmp_path):
        path = put_metadata(tmp_path, METADATA_MEMBERS["csv"]) / METADATA
        path.write_bytes(path.read_bytes()[:60])
        with pytest.raises(ReleaseError, match=f"{METADATA}: is no complete zip .*download it again"):
            Release.open(tmp_path).metadata()

    def test_unreadable_zip_is_named(self, tmp_path, monkeypatch):
        release = Release.open(put_metadata(tmp_path, METADATA_MEMBERS["csv"]))
        (tmp_path / METADATA).unlink()
        with pytest.raises(ReleaseError, match=f"{METADATA}: cannot be read .*see whether it is readable"):
            release.metadata()

    def test_unknown_format_is_refused(self, tmp_path):
        with pytest.raises(ReleaseError, match="unknown metadata format 'tsv'; use one of csv, jsonld"):
            Release.open(tmp_path).metadata("tsv")


class TestArchives:
    @pytest.mark.parametrize(
        ("present", "used"),
        [
            (["_train"], ["_train"]),
            (["_train", ""], [""]),
            (["_train", "_eval", "_pretrain", ""], ["_train", "_eval", "_pretrain"]),
            ([*CUT, ""], CUT),
            (["_train", "_eval", "_pretrain.02", ""], [""]),
            (["_pretrain", "_pretrain.01", "_pretrain.02"], ["_pretrain"]),
            (["_pretrain.02"], ["_pretrain.02"]),
        ],
    )  # fmt: skip
    def test_no_photograph_comes_twice(self, tmp_path, present, used):
        put(tmp_path, *(f"BIOSCAN_5M_cropped_256{suffix}.zip" for suffix in present))
        assert archives(tmp_path, "cropped_256") == [f"{suffix}.zip" for suffix in used]

    def test_missing_parts_are_named(self, tmp_path):
        put(tmp_path, "BIOSCAN_5M_original_full.02.zip", "BIOSCAN_5M_original_full.04.zip")
        missing = Release.open(tmp_path).missing_parts("original_full")
        assert missing == tuple(f"BIOSCAN_5M_original_full.0{index}.zip" for index in (1, 3, 5))
        assert Release.open(tmp_path).missing_parts("cropped") == ()

    def test_no_part_is_missing_where_the_one_file_is_used(self, tmp_path):
        put(tmp_path, "BIOSCAN_5M_cropped_256_pretrain.zip", "BIOSCAN_5M_cropped_256_pretrain.01.zip")
        assert Release.open(tmp_path).missing_parts("cropped_256") == ()

    def test_missing_archives_say_what_to_do(self, tmp_path):
        with pytest.raises(
            ReleaseError, match=r"no cropped_256 archives .*`bioscan5m download .* --package cropped_256`"
        ):
            Release.open(tmp_path).archives("cropped_256")

    def test_packages_on_google_drive_only_are_said_to_be(self, tmp_path):
        folder = "https://drive.google.com/drive/folders/1M2riGzS3x6d2ARUHlWXPOdiFKH8rRXxN"
        with pytest.raises(ReleaseError) as caught:
            Release.open(tmp_path).archives("cropped")
        assert f"on Google Drive only: put the files of {folder} into the release folder" in str(caught.value)
        assert "BIOSCAN_5M_cropped.01.zip, BIOSCAN_5M_cropped.02.zip" in str(caught.value)

    def test_unknown_image_package_is_refused(self, tmp_path):
        for method in (Release.open(tmp_path).archives, Release.open(tmp_path).missing_parts):
            with pytest.raises(ReleaseError, match="unknown image package 'small'; use one of cropped_256"):
                method("small")


class TestRemote:
    def test_files_are_found_over_http(self, server, tmp_path):
        put_metadata(tmp_path, METADATA_MEMBERS["csv"])
        server.files |= {METADATA: File((tmp_path / METADATA).read_bytes()), "BIOSCAN_5M_cropped.02.zip": File(b"x")}
        release = Release.open(f"{server.url}/")
        source = release.metadata()
        assert (source.path, source.member) == (f"{server.url}/{METADATA}", METADATA_MEMBERS["csv"])
        assert release.image_packages() == ("cropped",)
        assert release.archives("cropped")[0].path == f"{server.url}/BIOSCAN_5M_cropped.02.zip"
        assert release.boxes() is None
        assert {request.method for request in server.requests if request.path == "/BIOSCAN_5M_cropped.02.zip"} == {
            "HEAD"
        }

    def test_each_file_is_asked_for_once(self, server):
        release = Release.open(server.url)
        assert release.boxes() is None
        asked = len(server.requests)
        assert release.boxes() is None
        assert len(server.requests) == asked

    def test_missing_archives_are_said(self, server):
        with pytest.raises(ReleaseError, match=r"no cropped archives in http.* see whether the address is right"):
            Release.open(server.url).archives("cropped")

    def test_broken_server_is_not_taken_for_an_empty_release(self, server):
        server.files[BOXES] = File(b"", statuses=[503] * 4)
        with pytest.raises(ReleaseError, match=f"{BOXES}: cannot be looked at: 503"):
            Release.open(server.url).boxes()

    def test_unreachable_server_is_not_taken_for_an_empty_release(self):
        with pytest.raises(ReleaseError, match="cannot be looked at"):
            Release.open("http://127.0.0.1:9").boxes()

    def test_server_without_ranges_is_said(self, server, tmp_path):
        put_metadata(tmp_path, METADATA_MEMBERS["csv"])
        server.files[METADATA] = File((tmp_path / METADATA).read_bytes(), ranges=False)
        with pytest.raises(ReleaseError, match="needs a server that answers byte ranges"):
            Release.open(server.url).metadata()

    def test_hub_repository_is_a_root(self, hub, tmp_path):
        from huggingface_hub import HfApi

        put(put_metadata(tmp_path, METADATA_MEMBERS["csv"]), "BIOSCAN_5M_cropped.01.zip")
        HfApi().create_repo("me/release", repo_type="dataset", exist_ok=True)
        HfApi().upload_folder(repo_id="me/release", repo_type="dataset", folder_path=tmp_path)
        release = Release.open("hf://datasets/me/release")
        assert release.metadata().path == f"hf://datasets/me/release/{METADATA}"
        assert release.image_packages() == ("cropped",)


class TestReal:
    def test_real_photographs_are_one_part_of_a_release(self, shared_data):
        release = Release.open(shared_data / "real_images")
        assert release.metadata().member == METADATA_MEMBERS["csv"]
        assert release.image_packages() == ("original_full",)
        assert len(release.missing_parts("original_full")) == 4
        assert release.boxes() is not None
