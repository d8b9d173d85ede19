"""The metadata file is cut into blocks and typed as Python's csv module reads it."""

from __future__ import annotations

import csv
import io
import itertools
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from releases import Row, csv_bytes, record, records

from bioscan5m_hf.data.checks import expected_chunks
from bioscan5m_hf.data.intake import Policy, gather, take_in
from bioscan5m_hf.data.keys import md5_keys
from bioscan5m_hf.data.metadata import read_blocks
from bioscan5m_hf.data.records import Parsed, parse
from bioscan5m_hf.data.release import Source
from bioscan5m_hf.data.schema import COLUMN_NAMES, COLUMNS
from bioscan5m_hf.data.workers import InProcess
from bioscan5m_hf.splits import SPLIT_NAMES, chunk


def parsed(path: Path, content: bytes, block_bytes: int, form: str = "csv") -> list[Parsed]:
    path.write_bytes(content)
    return [parse(block) for block in read_blocks(Source(str(path), None, form), block_bytes=block_bytes)]


def located(blocks: list[Parsed]) -> tuple[list[int], list[int]]:
    """Give the rows in the file of the bad records and of the good ones."""
    start, bad, good = 0, [], []
    for block in blocks:
        bad += [start + rejection.row for rejection in block.rejections]
        good += (block.rows + start).tolist()
        start += block.records
    return bad, good


def typed(rows: list[Row]) -> list[dict[str, object]]:
    """Type what Python's csv module reads, by the schema."""
    kinds = {pa.string(): str, pa.float64(): float, pa.int64(): lambda text: int(float(text)), pa.uint8(): int}
    return [
        {column.name: kinds[column.type](row[column.name]) if row[column.name] else None for column in COLUMNS}
        for row in rows
    ]


words = st.text(st.sampled_from('ab"ü, Ωé\u2028\x85\xa0'), max_size=6)
floats = st.floats(-90, 90, allow_subnormal=False).map(repr)
sizes = st.integers(0, 10**9).map(lambda number: f"{number}.0")


@st.composite
def tables(draw: st.DrawFn) -> list[Row]:
    count = draw(st.integers(1, 12))
    return [
        record(
            f"P{number}-26",
            draw(st.sampled_from(SPLIT_NAMES)),
            taxon=draw(words),
            species=draw(words),
            country=draw(words),
            coord_lat=draw(floats),
            image_measurement_value=draw(sizes),
        )
        for number in range(count)
    ]


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=tables(), block_bytes=st.integers(1, 3000), end=st.sampled_from(["\n", "\r\n"]), quoted=st.booleans())
def test_blocks_of_any_size_give_the_records_that_python_reads(rows, block_bytes, end, quoted, tmp_path):
    stream = io.StringIO()
    quoting = csv.QUOTE_ALL if quoted else csv.QUOTE_MINIMAL
    writer = csv.DictWriter(stream, COLUMN_NAMES, lineterminator=end, quoting=quoting)
    writer.writeheader()
    writer.writerows(rows)
    blocks = parsed(tmp_path / "table.csv", stream.getvalue().encode(), block_bytes)
    expected = typed(list(csv.DictReader(io.StringIO(stream.getvalue(), newline=""))))
    assert [block.rejections for block in blocks if block.rejections] == []
    assert [row for block in blocks for row in block.table.to_pylist()] == expected
    keys = np.concatenate([block.keys for block in blocks])
    assert (keys == md5_keys(pa.array([row["processid"] for row in rows]))).all()


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    at=st.lists(st.integers(0, 39), max_size=3, unique=True),
    place=st.integers(0, 22),
    block_bytes=st.integers(300, 20_000),
)
def test_open_quotes_cost_their_own_records_wherever_the_blocks_are_cut(at, place, block_bytes, tmp_path):
    rows = records({"val": 40})
    lines = csv_bytes(rows).splitlines(keepends=True)
    for row in at:
        values = lines[row + 1].split(b",")
        values[place] = b'"' + values[place]
        lines[row + 1] = b",".join(values)
    blocks = parsed(tmp_path / "table.csv", b"".join(lines), block_bytes)
    assert sum(block.records for block in blocks) == 40
    assert located(blocks) == (sorted(at), [row for row in range(40) if row not in at])


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(bad=st.sets(st.integers(0, 29)), block_bytes=st.integers(300, 20_000))
def test_rows_of_bad_records_are_right_in_every_block(bad, block_bytes, tmp_path):
    rows = records({"val": 30})
    for row in bad:
        rows[row]["coord-lat"] = ["x", "91", "nan"][row % 3]
    blocks = parsed(tmp_path / "table.csv", csv_bytes(rows), block_bytes)
    assert located(blocks) == (sorted(bad), [row for row in range(30) if row not in bad])


def test_an_open_quote_early_in_a_file_of_many_blocks_and_quotes_costs_one_record(tmp_path):
    lines = csv_bytes([record(f"P{n}-26", "val", country='"Limón", Caribe') for n in range(5_000)]).splitlines(True)
    lines[3] = lines[3].replace(b'"', b"", 1)
    blocks = parsed(tmp_path / "table.csv", b"".join(lines), 1 << 17)
    bad, good = located(blocks)
    assert (bad, len(good)) == ([2], 4_999)


def test_a_quote_inside_a_value_is_a_letter(tmp_path):
    lines = csv_bytes(records({"val": 3})).splitlines(keepends=True)
    lines[2] = lines[2].replace(b"BIOUG", b'BIO"UG')
    (block,) = parsed(tmp_path / "table.csv", b"".join(lines), 1 << 20)
    assert block.rejections == []
    assert block.table["sampleid"].to_pylist()[1].startswith('BIO"UG')


def test_numbers_keep_every_digit_and_chunks_their_zeros(tmp_path):
    rows = [
        record("AACTA1040-20", "pretrain", coord_lat="-12.345678901234567", index_bioscan_1M_insect="150502.0"),
        record("AACTA1026-20", "train", coord_lat="0.1", index_bioscan_1M_insect=""),
    ]
    (block,) = parsed(tmp_path / "table.csv", csv_bytes(rows), 1 << 20)
    assert block.table["chunk"].to_pylist() == ["00", "0"]
    assert block.table["coord-lat"].to_pylist() == [-12.345678901234567, 0.1]
    assert block.table["index_bioscan_1M_insect"].to_pylist() == [150502, None]


@given(st.lists(st.tuples(st.text("ABC012-", min_size=1), st.sampled_from(SPLIT_NAMES)), min_size=1))
def test_expected_chunks_are_those_of_the_official_rule(pairs):
    names, of_split = zip(*pairs, strict=True)
    table = pa.table({"processid": names, "split": of_split})
    keys = md5_keys(table["processid"].combine_chunks())
    expected = [chunk(name, split) for name, split in pairs]
    assert expected_chunks(table, keys).to_pylist() == expected


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    counts=st.lists(st.sampled_from(SPLIT_NAMES), min_size=1, max_size=60),
    block_bytes=st.integers(400, 9000),
    cuts=st.lists(st.integers(0, 60), max_size=3),
    again=st.sets(st.integers(0, 59), max_size=3),
)
def test_intake_puts_the_records_of_many_blocks_in_order_of_split_and_md5(
    counts, block_bytes, cuts, again, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("intake")
    rows = [record(f"P{number}-26", split) for number, split in enumerate(counts)]
    repeated = [rows[number] for number in sorted(again) if number < len(rows)]
    (folder / "table.csv").write_bytes(csv_bytes([*rows, *repeated]))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            "bioscan5m_hf.data.intake.read_blocks", lambda source: read_blocks(source, block_bytes=block_bytes)
        )
        taken = take_in(
            Source(str(folder / "table.csv"), None, "csv"), folder / "spill", InProcess(), Policy(skip=True)
        )
    assert taken.records == len(rows) + len(repeated)
    assert [(bad.row, bad.processid) for bad in taken.rejections] == [
        (len(rows) + number + 1, row["processid"]) for number, row in enumerate(repeated)
    ]
    for split in SPLIT_NAMES:
        start, stop = taken.bounds(split)
        inside = sorted({start, stop, *(min(stop, start + cut) for cut in cuts)})
        tables = [gather(taken.pieces(low, high)) for low, high in itertools.pairwise(inside)]
        found = [name for table in tables for name in table["processid"].to_pylist()]
        names = [row["processid"] for row in rows if row["split"] == split]
        keys = md5_keys(pa.array(names, pa.string()))
        assert found == [names[place] for place in np.lexsort((keys[:, 1], keys[:, 0]))]
