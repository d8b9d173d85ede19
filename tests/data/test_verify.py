"""Verification: a clean folder passes, and each broken promise is told by its own check."""

from __future__ import annotations

import io
import json
import os
import random
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures.process import BrokenProcessPool
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.data.intake import Policy
from bioscan5m_hf.data.keys import md5_keys, order
from bioscan5m_hf.data.parquet import write_shard
from bioscan5m_hf.data.schema import IMAGE, arrow_schema, taxonomy_fields
from bioscan5m_hf.data.taxa import lineages, taxonomy_table
from bioscan5m_hf.data.verify import CHECKS, Finding, catalogue, files, photographs, verify
from bioscan5m_hf.data.verify.inspection import Inspection
from bioscan5m_hf.errors import Bioscan5mError
from bioscan5m_hf.splits import SPLIT_NAMES


CONFIGS = ("metadata", "cropped_256", "sample")


@pytest.fixture(scope="module")
def small(release: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a dataset with one image package; tests break copies of it."""
    folder = tmp_path_factory.mktemp("small") / "bioscan-5m"
    build(release, folder, ["cropped_256"], Options(workers=1))
    return folder


@pytest.fixture
def copy(small: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give a copy; its files are links, so they are replaced and never written into."""
    monkeypatch.setattr(photographs, "DECODED", 3)
    return shutil.copytree(small, tmp_path / "bioscan-5m", copy_function=os.link)


def shard(folder: Path, config: str, split: str) -> Path:
    """Give the one shard of a split."""
    (path,) = (folder / config).glob(f"{split}-*.parquet")
    return path


def replace(path: Path, content: str | bytes) -> None:
    """Write a file anew, leaving the one it was linked to alone."""
    path.unlink(missing_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)


def rewrite(path: Path, table: pa.Table) -> None:
    """Write a shard anew as the builder does."""
    write_shard(path, table.schema, [table])


def settle(folder: Path) -> None:
    """Make taxonomy and card fit rows that were changed, and forget the manifest."""
    shutil.rmtree(folder / ".bioscan5m", ignore_errors=True)
    parts = [lineages(path) for path in sorted((folder / "metadata").glob("*.parquet"))]
    rewrite(shard(folder, "taxonomy", "train"), taxonomy_table(parts).cast(arrow_schema(taxonomy_fields(SPLIT_NAMES))))
    with card(folder) as front:
        for entry in front["dataset_info"]:
            paths = {split["name"]: shard(folder, entry["config_name"], split["name"]) for split in entry["splits"]}
            entry["download_size"] = sum(path.stat().st_size for path in paths.values())
            for split in entry["splits"]:
                split["num_examples"] = pq.read_metadata(paths[split["name"]]).num_rows


class card:
    """Change the YAML of a card: `with card(folder) as front: …`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "README.md"

    def __enter__(self) -> dict[str, Any]:
        _, front, self.text = self.path.read_text().split("---\n", 2)
        self.front: dict[str, Any] = yaml.load(front, Loader=yaml.CSafeLoader)
        return self.front

    def __exit__(self, *_: object) -> None:
        replace(self.path, f"---\n{yaml.dump(self.front, Dumper=yaml.CSafeDumper, sort_keys=False)}---\n{self.text}")


class manifest:
    """Change the manifest: `with manifest(folder) as state: …`."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / ".bioscan5m" / "manifest.json"

    def __enter__(self) -> dict[str, Any]:
        self.state: dict[str, Any] = json.loads(self.path.read_text())
        return self.state

    def __exit__(self, *_: object) -> None:
        replace(self.path, json.dumps(self.state))


Rows = list[dict[str, Any]]


def edit(
    folder: Path,
    split: str,
    change: Callable[[Rows], object],
    *,
    configs: Iterable[str] = CONFIGS,
    ordered: bool = True,
) -> None:
    """Change the rows of a split in all configs alike, keep MD5 order and file names, and settle the rest."""
    for config in configs:
        path = shard(folder, config, split)
        table = pq.read_table(path, partitioning=None)
        rows = table.to_pylist()
        change(rows)
        for row in rows:
            if IMAGE in row:
                row[IMAGE]["path"] = f"{row['processid']}.jpg"
        table = pa.Table.from_pylist(rows, table.schema)
        rewrite(path, table.take(order(md5_keys(table["processid"].combine_chunks()))) if ordered else table)
    settle(folder)


def put(**values: object) -> Callable[[Rows], object]:
    """Make a change that sets values in the first row; a dash in a name is written as two underscores."""
    return lambda rows: rows[0].update({name.replace("__", "-"): value for name, value in values.items()})


def told(folder: Path, **options: Any) -> list[Finding]:
    """Give what is not well."""
    return [finding for finding in verify(folder, workers=1, **options) if finding.status != "ok"]


def first(folder: Path, split: str, where: Callable[[dict[str, Any]], object] = lambda _: True) -> dict[str, Any]:
    """Give the first metadata row of a split that fits."""
    rows: Rows = pq.read_table(shard(folder, "metadata", split), partitioning=None).to_pylist()
    return next(row for row in rows if where(row))


def has_species(row: dict[str, Any]) -> bool:
    return row["species"] is not None


def spoil(path: Path, start: int, data: bytes) -> None:
    """Overwrite bytes of a file."""
    content = bytearray(path.read_bytes())
    content[start : start + len(data)] = data
    replace(path, bytes(content))


def rename(path: Path, name: str) -> None:
    path.rename(path.with_name(name))


def no_default(folder: Path) -> None:
    with card(folder) as front:
        del front["configs"][0]["default"]


def other_default(folder: Path) -> None:
    with card(folder) as front:
        del front["configs"][0]["default"]
        front["configs"][1]["default"] = True


def wrong_pattern(folder: Path) -> None:
    with card(folder) as front:
        front["configs"][1]["data_files"][0]["path"] = "metadata/nothing-*.parquet"


def wide_pattern(folder: Path) -> None:
    with card(folder) as front:
        files = next(entry["data_files"] for entry in front["configs"] if entry["config_name"] == "metadata")
        next(entry for entry in files if entry["split"] == "train")["path"] = "metadata/*train-*.parquet"


def no_files(folder: Path) -> None:
    with card(folder) as front:
        front["configs"][0]["data_files"] = []
    shutil.rmtree(folder / "cropped_256")


def no_taxonomy(folder: Path) -> None:
    settle(folder)
    shutil.rmtree(folder / "taxonomy")
    with card(folder) as front:
        for name in ("configs", "dataset_info"):
            front[name] = [entry for entry in front[name] if entry["config_name"] != "taxonomy"]


def wrong_rows_in_card(folder: Path) -> None:
    with card(folder) as front:
        front["dataset_info"][0]["splits"][0]["num_examples"] += 1


def wrong_bytes_in_card(folder: Path) -> None:
    with card(folder) as front:
        front["dataset_info"][0]["download_size"] += 1


def wrong_features_in_card(folder: Path) -> None:
    with card(folder) as front:
        front["dataset_info"][0]["features"][1]["dtype"] = "int64"


def wrong_entry_in_manifest(name: str) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        with manifest(folder) as state:
            next(iter(state["configs"]["metadata"]["shards"].values()))[name] += 1

    return change


def wrong_count_in_manifest(folder: Path) -> None:
    with manifest(folder) as state:
        state["configs"]["cropped_256"]["counts"]["rows"] += 1


def lost_shard_in_manifest(folder: Path) -> None:
    with manifest(folder) as state:
        shards = state["configs"]["metadata"]["shards"]
        shards["metadata/val-00001-of-00001.parquet"] = next(iter(shards.values()))


def does_not_add_up(folder: Path) -> None:
    with manifest(folder) as state:
        state["configs"]["metadata"]["counts"]["records"] += 1


def unfinished(folder: Path) -> None:
    with manifest(folder) as state:
        state["configs"]["metadata"]["complete"] = False


def without_features(folder: Path) -> None:
    path = shard(folder, "sample", "val")
    table = pq.read_table(path, partitioning=None).replace_schema_metadata(None)
    rewrite(path, table)
    settle(folder)


def with_float32(folder: Path) -> None:
    path = shard(folder, "sample", "val")
    table = pq.read_table(path, partitioning=None)
    place = table.schema.get_field_index("coord-lat")
    rewrite(path, table.set_column(place, "coord-lat", table["coord-lat"].cast(pa.float32())))
    settle(folder)


def with_column(folder: Path) -> None:
    path = shard(folder, "sample", "val")
    table = pq.read_table(path, partitioning=None)
    rewrite(path, table.append_column("extra", table["processid"]).drop_columns("taxon"))
    settle(folder)


def with_columns_swapped(folder: Path) -> None:
    path = shard(folder, "sample", "val")
    table = pq.read_table(path, partitioning=None)
    rewrite(path, table.select(table.column_names[::-1]))
    settle(folder)


def without_page_index(folder: Path) -> None:
    path = shard(folder, "sample", "val")
    table = pq.read_table(path, partitioning=None)
    path.unlink()
    pq.write_table(table, path, write_page_index=False)
    settle(folder)


def swap(rows: Rows) -> None:
    rows[0], rows[1] = rows[1], rows[0]


def out_of_order(folder: Path) -> None:
    edit(folder, "val", swap, ordered=False)


def twice(folder: Path) -> None:
    copied = first(folder, "val")["processid"]
    edit(folder, "test", lambda rows: rows[0].update(processid=copied))


def species_in(split: str, species: Callable[[Path], str]) -> Callable[[Path], None]:
    return lambda folder: edit(folder, split, put(species=species(folder)))


def wrong_taxonomy(column: str, value: object) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        path = shard(folder, "taxonomy", "train")
        table = pq.read_table(path, partitioning=None)
        rows = table.to_pylist()
        rows[3][column] = value
        settle(folder)
        rewrite(path, pa.Table.from_pylist(rows, table.schema))
        resize(folder)

    return change


def short_taxonomy(folder: Path) -> None:
    path = shard(folder, "taxonomy", "train")
    table = pq.read_table(path, partitioning=None)
    settle(folder)
    rewrite(path, table.slice(1))
    resize(folder)


def resize(folder: Path) -> None:
    path = shard(folder, "taxonomy", "train")
    with card(folder) as front:
        entry = next(one for one in front["dataset_info"] if one["config_name"] == "taxonomy")
        entry["download_size"] = path.stat().st_size
        entry["splits"][0]["num_examples"] = pq.read_metadata(path).num_rows


def in_image_config(change: Callable[[Rows], object], *, split: str = "val") -> Callable[[Path], None]:
    return lambda folder: edit(folder, split, change, configs=["cropped_256"], ordered=False)


def leave_out(rows: Rows) -> None:
    del rows[1]


def strange(rows: Rows) -> None:
    rows[0]["processid"] = "STRANGE1-26"


def picture(size: tuple[int, int]) -> bytes:
    stream = io.BytesIO()
    Image.new("RGB", size).save(stream, "JPEG")
    return stream.getvalue()


def photograph(data: bytes | None) -> Callable[[Rows], object]:
    return lambda rows: rows[0][IMAGE].update(bytes=data if data is not None else rows[0][IMAGE]["bytes"][:-9])


def other_name(folder: Path) -> None:
    path = shard(folder, "cropped_256", "val")
    table = pq.read_table(path, partitioning=None)
    rows = table.to_pylist()
    rows[0][IMAGE]["path"] = "other.jpg"
    rewrite(path, pa.Table.from_pylist(rows, table.schema))
    settle(folder)


BREAKS: list[tuple[str, str, Callable[[Path], object], str]] = [
    ("card", "error", lambda f: (f / "README.md").unlink(), "no README.md"),
    ("card", "error", lambda f: replace(f / "README.md", "# Title\n"), "does not begin with YAML"),
    ("card", "error", lambda f: replace(f / "README.md", "---\na: [\n---\n"), "cannot be read"),
    ("card", "error", lambda f: replace(f / "README.md", "---\n- a\n---\n"), "no mapping"),
    ("card", "error", lambda f: replace(f / "README.md", "---\nlicense: mit\n---\n"), "no list `configs`"),
    ("default", "error", no_default, "no config is marked"),
    ("default", "error", other_default, "the defaults are metadata: cropped_256 should be"),
    ("files", "error", wrong_pattern, "no file matches 'metadata/nothing-*.parquet'"),
    ("files", "error", wide_pattern, "counts it to metadata/pretrain and metadata/train"),
    ("files", "error", lambda f: replace(f / "extra.parquet", b""), "extra.parquet belongs to no config"),
    ("files", "error", lambda f: replace(f / "metadata/dev-00000-of-00001.parquet", b""), "belongs to no config"),
    ("code", "error", lambda f: replace(f / "dataset.py", ""), "dataset.py is code"),
    ("leftovers", "error", lambda f: replace(f / "metadata/.train.parquet.part", b""), "left over"),
    ("leftovers", "error", lambda f: (f / ".bioscan5m/spill").mkdir(), ".bioscan5m/spill is left over"),
    ("finished", "error", lambda f: replace(f / ".bioscan5m/building", ""), "interrupted"),
    ("finished", "error", unfinished, "metadata is not finished"),
    ("finished", "error", lambda f: replace(f / ".bioscan5m/manifest.json", "{"), "cannot be read"),
    ("schema", "error", without_features, "`huggingface` metadata"),
    ("schema", "error", with_float32, "coord-lat is float, declared is double"),
    ("schema", "error", with_column, "lacks taxon; has also extra"),
    ("schema", "error", with_columns_swapped, "another order"),
    ("schema", "error", wrong_features_in_card, "features of cropped_256"),
    ("counts", "error", wrong_rows_in_card, "README.md says"),
    ("counts", "error", wrong_bytes_in_card, "README.md says"),
    ("counts", "error", wrong_entry_in_manifest("rows"), "rows, the manifest says"),
    ("counts", "error", wrong_entry_in_manifest("bytes"), "bytes, the manifest says"),
    ("counts", "error", wrong_count_in_manifest, "the manifest's counts say"),
    ("counts", "error", lost_shard_in_manifest, "is in the manifest and not in the folder"),
    ("rejected", "error", does_not_add_up, "left out"),
    ("rejected", "error", lambda f: replace(f / "rejected.csv", "processid,file,row,reason\nA,b,1,c\n"), "lists 1"),
    ("rejected", "error", lambda f: replace(f / "rejected.csv", "a,b\n1,2\n"), "cannot be read"),
    ("page-index", "error", without_page_index, "no page index"),
    ("split", "error", lambda f: edit(f, "val", put(split="test")), "column `split` says 'test'"),
    ("order", "error", out_of_order, "val: 1 row out of MD5"),
    ("processids", "error", lambda f: edit(f, "val", put(processid="A B")), "'A B' is no file stem"),
    ("unique", "error", twice, "process ids that stand twice: 1, such as metadata/test"),
    ("chunks", "error", lambda f: edit(f, "train", put(chunk="zz")), "chunk 'zz' disagrees"),
    ("barcodes", "error", lambda f: edit(f, "val", put(dna_barcode="ACGT!")), "holds '!'"),
    ("barcodes", "warning", lambda f: edit(f, "val", put(dna_barcode="acgtacgta")), "lower-case"),
    ("coordinates", "error", lambda f: edit(f, "val", put(coord__lat=99.0)), "impossible coord-lat 99.0"),
    ("values", "error", lambda f: edit(f, "val", put(area_fraction=4.5)), "impossible area_fraction"),
    ("values", "error", lambda f: edit(f, "val", put(country="Costa\nRica")), "line break"),
    ("missing", "error", lambda f: edit(f, "val", put(country="")), "country is ''"),
    ("missing", "error", lambda f: edit(f, "val", put(country="nan")), "country is 'nan'"),
    ("values", "error", lambda f: edit(f, "val", put(scale_factor=float("nan"))), "impossible scale_factor nan"),
    ("missing", "warning", lambda f: edit(f, "val", put(dna_barcode=None)), "no dna_barcode"),
    ("unlabelled", "warning", species_in("pretrain", lambda _: "Novus novus"), "such as Novus novus"),
    (
        "disjoint",
        "warning",
        species_in("other_heldout", lambda f: first(f, "train", has_species)["species"]),
        "1 species in seen and other_heldout",
    ),
    ("nested", "warning", species_in("val", lambda _: "Novus novus"), "1 species of val are not in train"),
    ("taxonomy", "error", wrong_taxonomy("train", 10**6), "train is 1000000"),
    ("taxonomy", "error", wrong_taxonomy("parents", ["Nobody"]), "parents is ['Nobody']"),
    ("taxonomy", "error", wrong_taxonomy("index", 10**6), "index is 1000000"),
    ("taxonomy", "error", short_taxonomy, "the metadata give"),
    ("images", "error", in_image_config(put(country="Atlantis")), "country of"),
    ("images", "error", in_image_config(put(species=None)), "is None, in the metadata"),
    ("images", "error", in_image_config(leave_out), "lacks 1 specimens of val"),
    ("images", "error", in_image_config(swap), "not in the order of the metadata"),
    ("images", "error", in_image_config(strange), "1 rows are not in the metadata of val"),
    ("photographs", "error", in_image_config(photograph(None)), "no end marker"),
    ("photographs", "error", in_image_config(photograph(b"\x89PNG")), "no JPEG"),
    ("photographs", "error", in_image_config(photograph(b"")), "no JPEG"),
    ("photographs", "error", in_image_config(lambda rows: rows[0].update(image={"bytes": None})), "no photograph"),
    ("photographs", "error", other_name, "'other.jpg', not that of its specimen"),
    ("image-sizes", "warning", in_image_config(photograph(picture((64, 48)))), "64×48 pixels"),
    (
        "overlaps",
        "warning",
        lambda f: edit(f, "val", put(dna_barcode=first(f, "pretrain")["dna_barcode"])),
        "barcodes in several splits: pretrain–val 1",
    ),
]


def test_a_clean_folder_has_nothing_to_complain_of(dataset: Path) -> None:
    findings = list(verify(dataset, full=True, workers=1))
    assert [str(finding) for finding in findings if finding.status != "ok"] == []
    assert [check.name for check in CHECKS if not check.official] == list(dict.fromkeys(f.check for f in findings))
    assert all("\n" not in str(finding) and finding.text for finding in findings)
    photographs = next(finding for finding in findings if finding.check == "photographs")
    assert photographs.text == "800 of 800 decoded"


def test_a_downloaded_copy_without_manifest_is_clean(copy: Path) -> None:
    shutil.rmtree(copy / ".bioscan5m")
    (copy / ".cache").mkdir()
    (copy / ".cache" / "x.lock").touch()
    (copy / ".gitattributes").touch()
    assert all(one.status == "ok" for one in verify(copy))


@pytest.mark.parametrize(
    ("check", "status", "damage", "text"), BREAKS, ids=[f"{one[0]}-{place}" for place, one in enumerate(BREAKS)]
)
def test_a_broken_promise_is_told_by_its_check(
    copy: Path, check: str, status: str, damage: Callable[[Path], object], text: str
) -> None:
    damage(copy)
    findings = [one for one in told(copy) if not one.text.startswith("not checked, because README.md")]
    assert {(one.check, one.status) for one in findings} == {(check, status)}, findings
    assert any(text in one.text for one in findings), findings


def test_every_check_is_broken_by_a_test() -> None:
    elsewhere = {"sizes", "readable", "shard-names", "official"}
    assert {check.name for check in CHECKS} == {name for name, *_ in BREAKS} | elsewhere
    assert all(check.question.endswith("?") for check in CHECKS)


def test_large_shards_and_row_groups(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "SHARD_LIMIT", 200_000)
    monkeypatch.setattr(files, "ROW_GROUP_LIMIT", 300_000)
    texts = [one.text for one in told(copy) if one.check == "sizes"]
    assert any("at most 200,000 are promised" in text for text in texts)
    assert any("row group 0 has" in text for text in texts)
    assert {one.check for one in told(copy)} == {"sizes"}


def test_holes_in_the_numbers_of_shards(copy: Path) -> None:
    settle(copy)
    rename(shard(copy, "metadata", "val"), "val-00000-of-00002.parquet")
    assert [str(one) for one in told(copy)] == [
        "error    shard-names    metadata/val-00001-of-00002.parquet is missing"
    ]
    rename(shard(copy, "metadata", "val"), "val-00000-of-00008.parquet")
    assert [one.text for one in told(copy)] == ["7 of 8 shards of metadata/val are missing"]
    shutil.copy(shard(copy, "metadata", "val"), copy / "metadata" / "val-00001-of-00009.parquet")
    assert "shards of several builds lie together (of 8, 9)" in " ".join(one.text for one in told(copy))


def test_a_shard_whose_rows_were_all_left_out_has_no_file(copy: Path) -> None:
    with manifest(copy) as state:
        state["configs"]["cropped_256"]["shards"]["cropped_256/val-00001-of-00002.parquet"] = {"rows": 0, "bytes": 0}
        old = state["configs"]["cropped_256"]["shards"].pop("cropped_256/val-00000-of-00001.parquet")
        state["configs"]["cropped_256"]["shards"]["cropped_256/val-00000-of-00002.parquet"] = old
    rename(shard(copy, "cropped_256", "val"), "val-00000-of-00002.parquet")
    assert told(copy) == []


def test_rows_that_were_left_out_are_no_gap(copy: Path) -> None:
    name = pq.read_table(shard(copy, "cropped_256", "val"), partitioning=None)["processid"][1]
    in_image_config(leave_out)(copy)
    replace(copy / "rejected.csv", f"processid,file,row,reason\n{name},a.zip,,record without a photograph\n")
    assert told(copy) == []


def test_a_build_that_left_records_out_is_clean(release: Path, tmp_path: Path) -> None:
    folder = tmp_path / "release"
    shutil.copytree(release, folder)
    for archive in folder.glob("*cropped_256*eval*"):
        archive.unlink()
    build(folder, tmp_path / "bioscan-5m", ["cropped_256"], Options(workers=1, policy=Policy(skip=True)))
    assert told(tmp_path / "bioscan-5m") == []


def test_two_workers_find_the_same(small: Path) -> None:
    alone, together = (list(verify(small, workers=workers)) for workers in (1, 2))
    assert alone == together


def test_a_missing_barcode_is_not_shared(copy: Path) -> None:
    for split in ("val", "test"):
        edit(copy, split, put(dna_barcode=None))
    assert {one.check for one in told(copy)} == {"missing"}


def test_many_problems_are_summed_up(copy: Path) -> None:
    for number in range(9):
        (copy / f"script{number}.py").touch()
    texts = [one.text for one in told(copy)]
    assert len(texts) == 6
    assert texts[-1] == "… and 4 more like these"


def test_the_official_numbers(dataset: Path) -> None:
    findings = told(dataset, official=True)
    assert {one.check for one in findings} == {"official"}
    assert "(officially 4,677,756)" in findings[0].text


def test_official_makes_a_shared_barcode_an_error(copy: Path) -> None:
    edit(copy, "val", put(dna_barcode=first(copy, "pretrain")["dna_barcode"]))
    assert ("overlaps", "error") in {(one.check, one.status) for one in told(copy, official=True)}


def test_no_folder() -> None:
    with pytest.raises(Bioscan5mError, match="no/such is no folder"):
        verify("no/such")


def test_a_folder_without_a_dataset(tmp_path: Path) -> None:
    assert {one.check for one in told(tmp_path) if one.status == "error"} == {"card", "readable"}


@pytest.mark.parametrize("config", ["metadata", "cropped_256", "sample", "taxonomy"])
@pytest.mark.parametrize("how", ["cut", "magic", "empty", "text"])
def test_a_damaged_file_is_named(copy: Path, config: str, how: str) -> None:
    path = shard(copy, config, "train")
    content = path.read_bytes()
    broken = {
        "cut": content[: len(content) // 2],
        "magic": content[:-4] + b"XXXX",
        "empty": b"",
        "text": b"hello" * 99,
    }
    settle(copy)
    replace(path, broken[how])
    errors = [one for one in told(copy) if one.status == "error"]
    assert path.relative_to(copy).as_posix() in " ".join(one.text for one in errors)
    assert "readable" in {one.check for one in errors}


@pytest.mark.parametrize(
    ("config", "column"),
    [
        ("metadata", "order"),
        ("taxonomy", "rank"),
        ("cropped_256", "processid"),
        ("cropped_256", "order"),
        ("cropped_256", "image.path"),
    ],
)
def test_a_damaged_page_is_named(copy: Path, config: str, column: str) -> None:
    path = shard(copy, config, "train")
    group = pq.read_metadata(path).row_group(0)
    chunk = next(one for one in map(group.column, range(group.num_columns)) if one.path_in_schema == column)
    settle(copy)
    spoil(path, chunk.dictionary_page_offset or chunk.data_page_offset, b"\xff" * 32)
    errors = [one for one in told(copy) if one.status == "error"]
    name = path.relative_to(copy).as_posix()
    assert any(name in one.text and "damaged" in one.text for one in errors), errors


def test_many_bad_photographs_are_counted(copy: Path) -> None:
    in_image_config(lambda rows: [row[IMAGE].update(bytes=b"") for row in rows], split="pretrain")(copy)
    texts = [one.text for one in told(copy, full=True) if one.check == "photographs"]
    rows = pq.read_metadata(shard(copy, "cropped_256", "pretrain")).num_rows
    assert texts[-1] == "… and 1 more like these"
    assert sum("no JPEG" in text for text in texts) == 5 < rows


def test_a_config_without_any_photograph_left(copy: Path) -> None:
    for path in (copy / "cropped_256").glob("*.parquet"):
        in_image_config(lambda rows: [row[IMAGE].update(bytes=b"") for row in rows], split=path.name.split("-")[0])(
            copy
        )
    assert {one.check for one in told(copy)} == {"photographs"}


def test_left_out_and_listed_disagree(copy: Path) -> None:
    with manifest(copy) as state:
        state["configs"]["metadata"]["counts"]["records"] += 2
        state["configs"]["metadata"]["counts"]["rejected"] += 2
    text = "processid,file,row,reason\nA,b,1,c\n"
    (copy / ".bioscan5m" / "rejected").mkdir(exist_ok=True)
    for path in (copy / ".bioscan5m" / "rejected" / "metadata.csv", copy / "rejected.csv"):
        replace(path, text)
    assert [one.text for one in told(copy)] == ["metadata: 2 were left out, 1 are listed"]


def test_a_killed_worker_is_said(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def killed(*_: object) -> None:
        raise BrokenProcessPool

    monkeypatch.setattr(catalogue, "executor", killed)
    with pytest.raises(Bioscan5mError, match="a worker process was killed"):
        list(verify(copy))


def test_rows_that_are_not_there(copy: Path) -> None:
    inspection = Inspection(copy)
    with pytest.raises(LookupError):
        inspection.locate("val", 10**9)
    with pytest.raises(LookupError):
        inspection.locate_any(10**9)


def test_a_damaged_photograph_is_found_by_looking_at_all(copy: Path) -> None:
    path = shard(copy, "cropped_256", "pretrain")
    data = pq.read_table(path, columns=[IMAGE])[IMAGE][5]["bytes"].as_py()
    settle(copy)
    spoil(path, path.read_bytes().index(data) + len(data) // 2, b"\xff\xd9\xff\xd9")
    assert "photographs" in {one.check for one in told(copy, full=True)}


def test_flipped_bytes_never_end_in_a_traceback(copy: Path) -> None:
    for config in ("cropped_256", "sample"):
        shutil.rmtree(copy / config)
    path = shard(copy, "metadata", "val")
    whole = path.read_bytes()
    dice = random.Random(0)
    for _ in range(25):
        spoiled = bytearray(whole)
        for _ in range(3):
            spoiled[dice.randrange(4, len(whole))] ^= dice.randrange(1, 256)
        replace(path, bytes(spoiled))
        assert list(verify(copy, workers=1))


def test_real_barcodes_have_one_barcode_in_two_splits(shared_data: Path, tmp_path: Path) -> None:
    build(shared_data / "real_barcodes", tmp_path / "bioscan-5m", options=Options(workers=1))
    (finding,) = told(tmp_path / "bioscan-5m")
    assert (finding.check, finding.status) == ("overlaps", "warning")
    assert "1 of 32,887 barcodes in several splits: train–other_heldout 1" in finding.text


def test_real_photographs(shared_data: Path, tmp_path: Path) -> None:
    build(shared_data / "real_images", tmp_path / "bioscan-5m", options=Options(workers=1))
    (finding,) = told(tmp_path / "bioscan-5m", full=True)
    assert finding.check == "missing"
    assert "260 rows" in finding.text
    assert "no dna_barcode" in finding.text
