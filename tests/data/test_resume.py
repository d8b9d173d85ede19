"""A build goes on where it was stopped, whatever stopped it, and ends with the files of an undisturbed one."""

from __future__ import annotations

import io
import json
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml
from PIL import Image
from releases import (
    IMAGES,
    assert_nothing_half_done,
    column,
    jpeg,
    make,
    photographs,
    record,
    records,
    shards,
    tree,
    undisturbed,
    write_metadata,
    write_release,
    write_zip,
)

from bioscan5m_hf.data import manifest
from bioscan5m_hf.data.manifest import Manifest
from bioscan5m_hf.errors import OutputError, ReleaseError


COUNTS = {"pretrain": 30, "train": 30, "val": 20}
SHARD_BYTES = 6000
BUILD = f"""
import sys
from bioscan5m_hf.data import shards
from bioscan5m_hf.data.build import Options, build
shards.SHARD_BYTES = {SHARD_BYTES}
shards.METADATA_SHARD_BYTES = {SHARD_BYTES}
if __name__ == "__main__":
    build(sys.argv[1], sys.argv[2], options=Options(workers=int(sys.argv[3])))
"""


def small_shards(patch: pytest.MonkeyPatch) -> None:
    patch.setattr("bioscan5m_hf.data.shards.SHARD_BYTES", SHARD_BYTES)
    patch.setattr("bioscan5m_hf.data.shards.METADATA_SHARD_BYTES", SHARD_BYTES)


@pytest.fixture(scope="module")
def many(tmp_path_factory) -> Path:
    """Give a release that is built into many small shards."""
    return write_release(tmp_path_factory.mktemp("many") / "release", records(COUNTS))


@pytest.fixture(scope="module")
def expected(many, tmp_path_factory) -> dict[str, str]:
    """Hash what an undisturbed build of it gives."""
    folder = tmp_path_factory.mktemp("undisturbed") / "bioscan-5m"
    with pytest.MonkeyPatch.context() as patch:
        small_shards(patch)
        make(many, folder)
    return tree(folder)


def test_the_bytes_do_not_depend_on_the_number_of_workers(many, expected, tmp_path, monkeypatch):
    small_shards(monkeypatch)
    make(many, tmp_path / "bioscan-5m", workers=2)
    assert len(shards(expected)) > 40
    assert tree(tmp_path / "bioscan-5m") == expected


def test_the_invented_release_gives_the_same_bytes_with_two_workers(release, dataset, tmp_path):
    make(release, tmp_path / "bioscan-5m", workers=2)
    assert tree(tmp_path / "bioscan-5m") == tree(dataset)


# what is seen in the folder when the build is killed, and with how many workers it runs
MOMENTS = {
    "while the metadata are read": (".bioscan5m/spill/*/block-*", 1),
    "after the first metadata shard": ("metadata/*.parquet", 1),
    "while a shard is written": ("*/.*.part", 1),
    "after the taxonomy": ("taxonomy/*.parquet", 1),
    "after some photographs": ("cropped_256/*-00003-of-*.parquet", 1),
    "in the last split": ("cropped_256/val-*.parquet", 2),
    "in the sample": ("sample/*.parquet", 1),
    "after the first shards of two workers": ("metadata/train-*.parquet", 2),
}


def children(process: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{process}/task").glob("*"):
        found += map(int, (task / "children").read_text().split())
    return found


def wait_until(true, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.002)


def kill_when(pattern: str, release: Path, folder: Path, workers: int) -> None:
    """Start a build in a process of its own, kill it when a file of this name is there, and see its workers end."""
    (release.parent / "build.py").write_text(BUILD)
    command = [sys.executable, str(release.parent / "build.py"), str(release), str(folder), str(workers)]
    for _ in range(5):  # a build may be over before it is killed
        process = subprocess.Popen(command, stderr=subprocess.PIPE)
        wait_until(lambda: process.poll() is not None or next(folder.glob(pattern), None))  # noqa: B023
        orphans = children(process.pid) if process.poll() is None else []
        process.send_signal(signal.SIGKILL)
        _, errors = process.communicate()
        wait_until(lambda: not any(Path(f"/proc/{orphan}").exists() for orphan in orphans))  # noqa: B023
        if process.returncode == -signal.SIGKILL:
            return
        assert process.returncode == 0, errors
        shutil.rmtree(folder)
    pytest.fail(f"five builds were over before a file {pattern} was seen")


@pytest.mark.parametrize("moment", MOMENTS)
def test_after_kill_the_same_call_gives_the_undisturbed_files_and_rewrites_none(
    moment, many, expected, tmp_path, monkeypatch
):
    small_shards(monkeypatch)
    folder = tmp_path / "bioscan-5m"
    kill_when(MOMENTS[moment][0], many, folder, MOMENTS[moment][1])
    finished = recorded(folder)
    make(many, folder)
    assert tree(folder) == expected
    assert {name: identity(folder / name) for name in finished} == finished


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def recorded(folder: Path) -> dict[str, tuple[int, int]]:
    """Give inode and time of the shards that the manifest knows."""
    state = Manifest.load(folder)
    return {name: identity(folder / name) for config in state.configs.values() for name in config.shards}


def test_every_finished_shard_is_recorded_at_once(many, tmp_path, monkeypatch):
    small_shards(monkeypatch)
    folder = tmp_path / "bioscan-5m"
    lines: list[int] = []
    save = Manifest.save

    def saved(self):
        save(self)
        lines.append(len(list(folder.glob("metadata/[!.]*.parquet"))) - len(recorded(folder)))

    monkeypatch.setattr(Manifest, "save", saved)
    monkeypatch.setattr("bioscan5m_hf.data.build.build_taxonomy", lambda shop: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        make(many, folder)
    assert len(lines) > 10
    assert max(lines) == 0


def test_a_finished_build_changes_nothing(many, expected, tmp_path, monkeypatch):
    small_shards(monkeypatch)
    make(many, tmp_path / "bioscan-5m")
    before = recorded(tmp_path / "bioscan-5m")
    lines: list[str] = []
    make(many, tmp_path / "bioscan-5m", say=lines.append)
    assert recorded(tmp_path / "bioscan-5m") == before
    assert tree(tmp_path / "bioscan-5m") == expected
    assert any("shards are there already" in line for line in lines)


@pytest.mark.parametrize("name", ["metadata/train-00000-of-00001.parquet", "cropped_256/val-00000-of-00001.parquet"])
@pytest.mark.parametrize("damage", ["removed", "cut"])
def test_a_shard_that_is_lost_or_cut_is_made_again(name, damage, tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    make(release, folder)
    if damage == "removed":
        (folder / name).unlink()
    else:
        (folder / name).write_bytes((folder / name).read_bytes()[:100])
    make(release, folder)
    assert tree(folder) == tree_of(release, tmp_path)


def tree_of(release: Path, tmp_path: Path, **options) -> dict[str, str]:
    """Hash a fresh build."""
    make(release, tmp_path / "fresh" / "bioscan-5m", **options)
    return tree(tmp_path / "fresh" / "bioscan-5m")


def change_photograph(release: Path) -> None:
    write_zip(release / IMAGES, photographs(records()) | {next(iter(photographs(records()))): jpeg(200)})


def change_record(release: Path) -> None:
    write_metadata(release, [row | {"country": "Peru"} for row in records()])


def lose_a_split(release: Path) -> None:
    write_release(release, records({"pretrain": 3, "train": 4}))


CHANGES = {
    "a photograph": (change_photograph, [f"cropped_256: {IMAGES} changed since the last build"]),
    "a record": (change_record, ["metadata: BIOSCAN_5M_Insect_Dataset_metadata_MultiTypes.zip changed since"]),
    "a split less": (lose_a_split, ["metadata: ", f"cropped_256: {IMAGES} changed since the last build"]),
}


@pytest.mark.parametrize("name", CHANGES)
def test_changed_inputs_are_said_and_give_what_a_fresh_build_gives(name, tmp_path):
    change, sayings = CHANGES[name]
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    make(release, folder)
    change(release)
    lines: list[str] = []
    make(release, folder, say=lines.append)
    assert all(any(saying in line for line in lines) for saying in sayings), lines
    assert tree(folder) == tree_of(release, tmp_path)


def test_changed_options_are_said_and_what_was_rejected_is_forgotten(tmp_path):
    rows = [*records(), record("BAD0001-26", "val", coord_lat="91")]
    release, folder = write_release(tmp_path / "release", rows), tmp_path / "bioscan-5m"
    make(release, folder, skip=True)
    assert (folder / "rejected.csv").exists()
    write_release(release)
    lines: list[str] = []
    make(release, folder, say=lines.append)
    assert tree(folder) == undisturbed()
    make(release, folder, say=lines.append, upper_case=True)
    assert "metadata: the options changed; all shards are made anew" in lines


def test_changed_metadata_beside_photographs_that_are_not_rebuilt_are_refused(tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    make(release, folder)
    before = tree(folder)
    change_record(release)
    with pytest.raises(OutputError, match="holds cropped_256, built from other metadata or options: build it again"):
        make(release, folder, packages=[])
    assert tree(folder) == before


def test_skipping_bad_photographs_of_a_second_package_keeps_the_first(tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    make(release, folder)
    stamps = {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")}
    lines: list[str] = []
    make(release, folder, skip=True, say=lines.append)
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*.parquet")} == stamps
    assert not [line for line in lines if "made anew" in line]


def test_what_a_kill_left_in_a_finished_folder_goes_with_the_next_build(tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    make(release, folder)
    (folder / ".bioscan5m" / "spill").mkdir()
    (folder / ".bioscan5m" / "spill" / "block-00000.arrow").write_bytes(b"left over")
    make(release, folder)
    assert tree(folder) == undisturbed()


def test_a_package_that_is_added_later_gives_the_files_of_both_at_once(tmp_path):
    release = write_release(tmp_path / "release")
    write_release(release, package="original_256")
    folder = tmp_path / "bioscan-5m"
    make(release, folder, packages=["original_256"])
    card = (folder / "README.md").read_text()
    assert "config_name: original_256\n  default: true" in card
    kept = {name: stamp for name, stamp in recorded(folder).items() if not name.startswith("sample/")}
    make(release, folder, packages=["cropped_256"])
    assert {name: identity(folder / name) for name in kept} == kept
    assert "config_name: cropped_256\n  default: true" in (folder / "README.md").read_text()
    assert shards(tree(folder)) == shards(tree_of(release, tmp_path))
    assert {Path(name).parts[0] for name in shards(tree(folder))} == {
        *("cropped_256", "original_256", "metadata", "taxonomy", "sample")
    }


def test_a_package_that_was_never_finished_is_not_sampled(tmp_path):
    release = write_release(tmp_path / "release")
    write_release(release, package="original_256")
    write_zip(release / IMAGES, dict.fromkeys(photographs(records()), b""))
    with pytest.raises(ReleaseError):
        make(release, tmp_path / "bioscan-5m", packages=["cropped_256"])
    make(release, tmp_path / "bioscan-5m", packages=["original_256"])
    assert len(column(tmp_path / "bioscan-5m", "train", config="sample")) == 4
    assert "cropped_256" not in json.dumps(card_configs(tmp_path / "bioscan-5m"))


def card_configs(folder: Path) -> list[dict[str, object]]:
    return yaml.safe_load((folder / "README.md").read_text().split("---")[1])["configs"]


FOREIGN = {
    "a file": (lambda folder: folder.write_text("mine"), "is a file: name a new or empty folder"),
    "not ours": (
        lambda folder: (folder.mkdir(), (folder / "thesis.tex").write_text("mine")),
        "is not empty and was not built by this program (it holds thesis.tex)",
    ),
    "a damaged manifest": (
        lambda folder: manifest.write_text(folder / ".bioscan5m" / "manifest.json", f'{{"format": {manifest.FORMAT}'),
        "manifest.json is damaged",
    ),
    "a strange manifest": (
        lambda folder: manifest.write_text(
            folder / ".bioscan5m" / "manifest.json", f'{{"format": {manifest.FORMAT}, "configs": []}}'
        ),
        "manifest.json is damaged",
    ),
    "another version": (
        lambda folder: manifest.write_text(folder / ".bioscan5m" / "manifest.json", '{"format": 99}'),
        "was built by another version of this package: build into a new folder",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_a_folder_that_is_not_ours_is_left_as_it_is(name, tmp_path):
    prepare, message = FOREIGN[name]
    folder = tmp_path / "bioscan-5m"
    prepare(folder)
    before = tree(folder)
    with pytest.raises(OutputError) as stopped:
        make(write_release(tmp_path / "release"), folder)
    assert message in str(stopped.value)
    assert tree(folder) == before
    assert folder.is_file() or not (folder / ".bioscan5m" / "lock").exists()


def test_a_release_folder_is_no_output_folder(tmp_path):
    release = write_release(tmp_path / "release")
    with pytest.raises(OutputError, match="is not empty and was not built by this program"):
        make(release, release)


def test_two_builds_do_not_write_to_one_folder(tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    with manifest.locked(folder), pytest.raises(OutputError, match=r"another build is writing to .*: wait for it"):
        make(release, folder)
    make(release, folder)
    assert tree(folder) == undisturbed()


def large(rows: list[dict[str, str]]) -> dict[str, bytes]:
    """Give photographs of some 20 kB."""
    stream = io.BytesIO()
    Image.effect_noise((200, 150), 80).convert("RGB").save(stream, "JPEG", quality=90)
    return dict.fromkeys(photographs(rows), stream.getvalue())


LIMITED = """
import resource, sys
from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.errors import OutputError
if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[4]), resource.RLIM_INFINITY))
    try:
        build(sys.argv[1], sys.argv[2], options=Options(workers=int(sys.argv[3])))
    except OutputError as error:
        print(error)
"""


@pytest.mark.parametrize(("limit", "workers"), [(60_000, 1), (60_000, 2), (8_000, 1)])
def test_no_room_is_told_and_the_same_call_goes_on_when_there_is_room(limit, workers, tmp_path):
    release, folder = write_release(tmp_path / "release"), tmp_path / "bioscan-5m"
    write_zip(release / IMAGES, large(records()))
    (tmp_path / "limited.py").write_text(LIMITED)
    command = [sys.executable, str(tmp_path / "limited.py"), str(release), str(folder), str(workers), str(limit)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "no room left on the device of" in done.stdout, done.stderr
    assert "make room and run the same command to go on" in done.stdout
    assert_nothing_half_done(folder)
    finished = recorded(folder)
    assert bool(finished) == (limit > 20_000)
    make(release, folder)
    assert {name: identity(folder / name) for name in finished} == finished
    assert tree(folder) == tree_of(release, tmp_path)


@pytest.fixture
def tiny_disk(tmp_path):
    """Give a file system of 200 kB, where this process may mount one."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=200k", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    yield place
    subprocess.run(["umount", str(place)], check=True)


def test_a_full_disk_is_told_and_the_same_call_goes_on_when_there_is_room(tiny_disk, tmp_path):
    release, folder = write_release(tmp_path / "release"), tiny_disk / "bioscan-5m"
    write_zip(release / IMAGES, large(records()))
    with pytest.raises(OutputError, match="no room left on the device"):
        make(release, folder)
    assert_nothing_half_done(folder)
    subprocess.run(["mount", "-o", "remount,size=20m", str(tiny_disk)], check=True)
    make(release, folder)
    assert tree(folder) == tree_of(release, tmp_path)
