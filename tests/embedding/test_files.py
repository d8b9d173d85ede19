"""Files of barcodes are read whole, in order, in blocks; what cannot be read is said with file, row and record id."""

import dataclasses
import gzip

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from bioscan5m_hf.embedding.files import SequenceFileError, count_records, read_sequences
from bioscan5m_hf.embedding.inputs import open_input
from bioscan5m_hf.embedding.vectors import read_origin, write_parquet
from bioscan5m_hf.errors import Bioscan5mError, OutputError


READS = {"A1": "ACGTACGT", "A2": "acgu-NNRY", "A3": "", "Ä4": "ACGé"}
FASTA = ">A1 genus=Apis;species=Apis mellifera\nACGT\nACGT\n\n>A2|x\nacgu-NNRY\n>A3\n>Ä4\nACGé\n"


def write(path, text, encoding="utf-8"):
    raw = text.encode(encoding) if isinstance(text, str) else text
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


def table(path, **given):
    return pa.Table.from_batches(read_sequences(path, **given))


@pytest.mark.parametrize("name", ["reads.fasta", "reads.FA.gz", "reads.fas", "reads.fna"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_fasta(tmp_path, name, end):
    path = write(tmp_path / name, FASTA.replace("\n", end))
    read = table(path, labels=["genus", "species"])
    assert read["processid"].to_pylist() == ["A1", "A2|x", "A3", "Ä4"]
    assert read["dna_barcode"].to_pylist() == list(READS.values())
    assert read["species"].to_pylist() == ["Apis mellifera", None, None, None]


@pytest.mark.parametrize(("suffix", "comma"), [(".csv", ","), (".tsv", "\t"), (".csv.gz", ","), (".tsv.gz", "\t")])
def test_tables_of_text(tmp_path, suffix, comma):
    rows = [
        ["\ufeffprocessid", "note", "nucleotides", "genus"],
        *([key, '"a, b"', value, ""] for key, value in READS.items()),
    ]
    path = write(tmp_path / f"reads{suffix}", "\r\n".join(comma.join(row) for row in rows) + "\r\n\r\n")
    read = table(path, labels=["genus"])
    assert dict(zip(read["processid"].to_pylist(), read["dna_barcode"].to_pylist(), strict=True)) == READS
    assert read["genus"].null_count == 4


@pytest.mark.parametrize("type", [pa.string(), pa.large_string(), pa.dictionary(pa.int32(), pa.string())])
def test_parquet(tmp_path, type):
    columns = {"id": list(READS), "barcode": [value or None for value in READS.values()], "order": ["x"] * 4}
    path = tmp_path / "reads.parquet"
    pq.write_table(pa.table({name: pa.array(values).cast(type) for name, values in columns.items()}), path)
    read = table(path, labels=["order", "genus"])
    assert dict(zip(read["processid"].to_pylist(), read["dna_barcode"].to_pylist(), strict=True)) == READS
    assert read.schema.types == [pa.string()] * 4
    assert (read["order"].to_pylist(), read["genus"].null_count, count_records(path)) == (["x"] * 4, 4, 4)


@pytest.mark.parametrize("name", ["reads.fasta", "reads.csv", "reads.parquet"])
def test_blocks_are_bounded_and_in_order(tmp_path, name):
    ids = [f"R{place}" for place in range(25)]
    path = tmp_path / name
    if name.endswith("parquet"):
        pq.write_table(pa.table({"processid": ids, "dna_barcode": ids}), path)
    elif name.endswith("csv"):
        write(path, "processid,dna_barcode\n" + "".join(f"{one},{one}\n" for one in ids))
    else:
        write(path, "".join(f">{one}\n{one}\n" for one in ids))
    blocks = list(read_sequences(path, rows=10))
    assert [len(block) for block in blocks] == [10, 10, 5]
    assert [one for block in blocks for one in block.column(0).to_pylist()] == ids


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("reads.fasta", "", "holds no record"),
        ("reads.csv", "", "holds no record"),
        ("reads.csv", "processid,dna_barcode\n", "holds no record"),
        ("reads.fasta", "ACGT\n", "begins with 'ACGT', not with '>'"),
        ("reads.fasta", "@r1\nACGT\n+\nIIII\n", "FASTQ"),
        ("reads.fasta", ">A1\nACGT\n>\nAC\n", "row 2: a record without id"),
        ("reads.fasta", ">A1\nAC\n>A2\n" + "ACGTACGTAC" * 10_001, "row 2, A2: a sequence of more than 100,000"),
        ("reads.fasta", b">A1\nAC\xff\xfe\n", "no UTF-8 text"),
        ("reads.csv", "processid,seq\nA1,AC\nA2\n", "row 2: has 1 cells, and the header 2"),
        ("reads.csv", "processid,seq\n,AC\n", "row 1: a record without id"),
        ("reads.csv", f"processid,seq\nA1,AC\nA2,{'A' * 140_000}\n", "row 2"),
        ("reads.csv", f"processid,seq\nA1,AC\nA2,{'A' * 110_000}\n", "row 2, A2: a sequence of more than 100,000"),
        ("reads.csv", "name,seq\nA1,AC\n", "no column of record ids among 'name', 'seq'; call it 'processid'"),
        ("reads.tsv", "id\tdna\nA1\tAC\n", "no column of barcodes"),
        ("reads.parquet", "ACGT", "is damaged"),
        ("reads.fasta.gz", None, "is damaged"),
        ("reads.docx", "ACGT", "of no known kind; its name must end in one of .fasta"),
    ],
)
def test_what_cannot_be_read_says_where_and_what_to_do(tmp_path, name, text, message):
    path = tmp_path / name
    if text is None:
        path.write_bytes(gzip.compress(FASTA.encode() * 100)[:-20])
    else:
        write(path, text)
    with pytest.raises(SequenceFileError) as raised:
        list(read_sequences(path))
    assert str(path) in str(raised.value)
    assert message in str(raised.value)


def test_columns_of_parquet_must_be_text(tmp_path):
    path = tmp_path / "reads.parquet"
    pq.write_table(pa.table({"id": [1, 2], "seq": ["A", "C"]}), path)
    with pytest.raises(SequenceFileError, match="column 'id' is of type int64"):
        list(read_sequences(path))
    pq.write_table(pa.table({"id": ["a", None], "seq": ["A", "C"]}), path)
    with pytest.raises(SequenceFileError, match="row 2: a record without id"):
        list(read_sequences(path))
    with pytest.raises(SequenceFileError, match="there is no such file"):
        list(read_sequences(tmp_path / "absent.csv"))


def test_a_dataset_is_read_like_a_file(dataset):
    source = open_input(dataset, "val+test")
    batches = list(source.batches(labels=["genus", "dna_bin"], rows=5))
    read = pa.Table.from_batches(batches)
    expected = pa.concat_tables(
        pq.read_table(file) for split in ("val", "test") for file in sorted(dataset.glob(f"metadata/{split}-*"))
    )
    assert max(map(len, batches)) <= 5
    assert len(read) == source.count() == len(expected)
    for name in ("processid", "dna_barcode", "dna_bin"):
        assert read[name].to_pylist() == expected[name].to_pylist()
    silent = dataclasses.replace(source, source=dataclasses.replace(source.source, rows={}))
    assert silent.count() is None
    assert source.identity() == open_input(dataset, "val+test").identity() != open_input(dataset, "val").identity()


def test_fillers_are_no_labels(tmp_path):
    path = write(tmp_path / "keys.csv", "id,seq,subfamily\nA1,ACGT,unassigned Sciaridae\nA2,ACGT,Apinae\n")
    (batch,) = open_input(path).batches(labels=["subfamily"])
    assert batch.column("subfamily").to_pylist() == [None, "Apinae"]


def test_what_is_no_input_says_so(tmp_path, dataset, elsewhere):
    path = write(tmp_path / "reads.fasta", FASTA)
    with pytest.raises(ValueError, match="is a file, which has no split 'test'"):
        open_input(path, "test")
    with pytest.raises(ValueError, match="unknown split 'dev'"):
        open_input(dataset, "dev")
    with pytest.raises(Bioscan5mError, match="there is no file and no dataset nowhere/at-all"):
        open_input("nowhere/at-all")
    changed = open_input(path).identity()
    write(path, FASTA + ">B\nACGT\n")
    assert open_input(path).identity() != changed


def test_embeddings_appear_whole_or_not_at_all(tmp_path):
    def broken():
        yield pa.record_batch({"processid": ["A1"]})
        raise RuntimeError("power cut")

    path = tmp_path / "new" / "out.parquet"
    with pytest.raises(RuntimeError):
        write_parquet(path, broken(), {})
    assert list(path.parent.iterdir()) == []
    with pytest.raises(OutputError, match="there was no record"):
        write_parquet(path, [], {})
    with pytest.raises(OutputError, match="is a folder"):
        write_parquet(tmp_path, [], {})
    assert write_parquet(path, [pa.record_batch({"processid": ["A1"]})], {"model": "x"}) == 1
    assert read_origin(path) == {"model": "x"}
