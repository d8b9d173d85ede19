"""What a metadata record must satisfy; every violation names the record, the value and the rule."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from .. import splits
from ..dna import IUPAC, foreign_letters, only_letters
from .keys import Keys


MISSING_WORDS = ("nan", "NaN", "NAN", "null", "NULL", "None", "not_classified", "no_data")
"""What programs write for a value that is missing; here it is null."""

LETTERS = IUPAC + IUPAC.lower()
_HEX = pa.array([f"{byte:02x}" for byte in range(256)])
_PRINTABLE = bytes(set(range(256)) - set(range(32)) - {127})


@dataclass(frozen=True)
class Rejection:
    """A record that cannot be taken over.

    Args:
        file: the release file (and, after `!`, the member of an archive).
        row: the record in a metadata file, 1 for the first specimen; None for an archive member.
        processid: the specimen, where known.
        reason: what is wrong, with the value.
    """

    file: str
    row: int | None
    processid: str | None
    reason: str


@dataclass(frozen=True)
class Check:
    """A rule for one column.

    Args:
        column: the column it speaks of.
        bad: table and MD5 keys → boolean array of the rows that break the rule.
        reason: value and row of the table → what is wrong and what is allowed.
    """

    column: str
    bad: Callable[[pa.Table, Keys], pa.Array]
    reason: Callable[[object, dict[str, object]], str]


def shown(value: object) -> str:
    """Show a value in a message: quoted, and not more than the beginning of it.

    Examples:
        >>> shown("val "), len(shown("ACGT" * 1000))
        ("'val '", 80)
    """
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:79]}…"


def expected_chunks(table: pa.Table, keys: Keys) -> pa.Array:
    """Give the chunk of each record by the official rule: the first digits of MD5(processid), as its split has them.

    Args:
        table: holds `split`.
        keys: MD5 keys of its process ids, shape (n, 2).

    Returns:
        Strings; null where the split has no chunks or is unknown.
    """
    digits = {name: split.chunk_digits for name, split in splits.BY_NAME.items()}
    two = _HEX.take(pa.array(keys[:, 0] >> np.uint64(56), pa.uint64()))
    wanted = pc.index_in(table["split"], pa.array(list(digits))).combine_chunks()
    count = pa.array(list(digits.values())).take(wanted)
    chunk = pc.if_else(pc.equal(count, 2), two, pc.utf8_slice_codeunits(two, 0, 1))
    return pc.if_else(pc.greater(count, 0), chunk, None)


def _outside(column: str, low: float, high: float, rule: str) -> Check:
    def bad(table: pa.Table, _: Keys) -> pa.Array:
        values = table[column]
        inside = pc.and_(pc.greater_equal(values, low), pc.less_equal(values, high))
        return pc.fill_null(pc.invert(inside), False)

    return Check(column, bad, lambda value, _: f"impossible {column} {value}: {rule}")


def _bad_barcode(table: pa.Table, _: Keys) -> pa.Array:
    barcodes = table["dna_barcode"].combine_chunks()
    if only_letters(barcodes, LETTERS):
        return pa.repeat(False, len(table))
    return pc.fill_null(pc.match_substring_regex(barcodes, f"[^{LETTERS.replace('-', '')}-]"), False)


def _bad_chunk(table: pa.Table, keys: Keys) -> pa.Array:
    expected = expected_chunks(table, keys)
    known = pc.and_(pc.is_in(table["split"], pa.array(splits.SPLIT_NAMES)), pc.is_valid(table["processid"]))
    return pc.and_(known, pc.not_equal(pc.fill_null(table["chunk"], ""), pc.fill_null(expected, "")))


def _chunk_reason(value: object, row: dict[str, object]) -> str:
    expected = splits.chunk(str(row["processid"]), str(row["split"]))
    return f"chunk {shown(value)} disagrees with MD5(processid): expected {expected!r} in split {row['split']}"


def _control_characters(column: str) -> Check:
    def bad(table: pa.Table, _: Keys) -> pa.Array:
        values = table[column].combine_chunks()
        if only_letters(values, _PRINTABLE):
            return pa.repeat(False, len(table))
        return pc.fill_null(pc.match_substring_regex(values, r"[\x00-\x1f\x7f]"), False)

    return Check(column, bad, lambda value, _: f"{column} {shown(value)} holds a line break or control character")


CHECKS = (
    Check("processid", lambda table, _: pc.is_null(table["processid"]), lambda *_: "processid is missing"),
    Check(
        "processid",
        lambda table, _: pc.fill_null(
            pc.invert(pc.match_substring_regex(table["processid"], r"^[A-Za-z0-9][A-Za-z0-9._-]*$")), False
        ),
        lambda value, _: f"processid {shown(value)} is no file stem: letters, digits, '.', '_' and '-' are allowed",
    ),
    Check(
        "split",
        lambda table, _: pc.invert(pc.is_in(table["split"], pa.array(splits.SPLIT_NAMES))),
        lambda value, _: f"unknown split {shown(value)}: use one of {', '.join(splits.SPLIT_NAMES)}",
    ),
    Check(
        "dna_barcode",
        _bad_barcode,
        lambda value, _: f"dna_barcode holds {foreign_letters(str(value), LETTERS)!r}: IUPAC letters are {IUPAC}",
    ),
    Check("chunk", _bad_chunk, _chunk_reason),
    _outside("coord-lat", -90, 90, "degrees from -90 to 90"),
    _outside("coord-lon", -180, 180, "degrees from -180 to 180"),
    _outside("area_fraction", 0, 4, "a share, little more than 1 at the most: boxes may reach over the edge"),
    _outside("scale_factor", 0, 1e6, "a positive ratio"),
    _outside("image_measurement_value", 0, 1e12, "a number of pixels"),
    _outside("index_bioscan_1M_insect", 0, 1e12, "a row number"),
    *map(_control_characters, ("sampleid", "taxon", "phylum", "class", "order", "family", "subfamily")),
    *map(_control_characters, ("genus", "species", "dna_bin", "country", "province_state")),
)


def violations(table: pa.Table, keys: Keys) -> dict[int, str]:
    """Find the rows of a table that break a rule.

    Args:
        table: typed metadata records.
        keys: MD5 keys of its process ids, shape (n, 2).

    Returns:
        Row of the table → the reasons, joined by `; `.
    """
    found: dict[int, list[str]] = {}
    for check in CHECKS:
        rows = _rows(check.bad(table, keys))
        for row, record in zip(rows.tolist(), table.take(rows).to_pylist() if len(rows) else [], strict=True):
            found.setdefault(row, []).append(check.reason(record[check.column], record))
    return {row: "; ".join(reasons) for row, reasons in sorted(found.items())}


def _rows(mask: pa.Array) -> npt.NDArray[np.intp]:
    return np.flatnonzero(mask.to_numpy(zero_copy_only=False))
