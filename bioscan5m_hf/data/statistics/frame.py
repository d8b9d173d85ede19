"""Barcodes in one common frame, so that the distances of thousands of pairs are a few matrix products.

COI codes for a protein and has hardly any insertions: a shift puts nearly every barcode in its place (`dna.Region`).
Where a stretch of a barcode does not look like the region, or too little of it finds a place, it is aligned with edlib
to the most similar barcode that fits, and the alignment is taken if it gains more matches than its gaps cost. What is
inserted is left out of the frame.
"""

from __future__ import annotations

import re

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from ...dna import BASES, Region, base_codes, count_words
from ...dna.words import NO_BASE


Bases = npt.NDArray[np.uint8]
"""A 0, C 1, G 2, T 3, and `NO_BASE` for everything else, shape (barcodes, places)."""

WINDOW, LEAST, ALIKE = 30, 20, 0.4
"""A stretch of 30 places with at least 20 bases is suspect where fewer than 0.4 of them are the region's commonest."""

OUTSIDE = 30
"""Bases that may lie outside the region before the shift is suspect."""

GAP_COST = 8
"""Matches that an alignment must gain for each gap that it opens."""

SMOOTHED = 31
"""Bases over which shifts are smoothed: alignments with unit costs open gaps and close them again soon after."""

LEARNT_FROM, MODELS = 20_000, 6_000
WORDS = "111111"
_ROWS = 20_000
_ANY = "X"
_EQUAL = [("N", base) for base in BASES] + [(_ANY, letter) for letter in f"{BASES}N"]
_STEP = re.compile(r"(\d+)([=XID])")


def learn_region(barcodes: pa.Array) -> Region:
    """Learn what stands at each place of the barcodes' region, from 20,000 of them at most, evenly chosen.

    Args:
        barcodes: strings.

    Raises:
        ValueError: no barcode holds a base.
    """
    return Region.fit([base_codes(barcodes.take(pa.array(_evenly(len(barcodes), LEARNT_FROM))))])


def place(barcodes: pa.Array, region: Region) -> Bases:
    """Put barcodes in the frame of a region.

    A suspect barcode is aligned to that of 6,000 unsuspected ones, evenly chosen, which is most alike in its counts
    of 6-mers: alignments with unit costs open needless gaps between barcodes that differ much.

    Args:
        barcodes: strings without nulls; upper or lower case.
        region: from `learn_region`.

    Returns:
        Shape (barcodes, length of the region).

    Raises:
        ModuleNotFoundError: a barcode has to be aligned, and edlib is not installed.

    Examples:
        >>> barcodes = pa.array(["ACGTTGCAAC"] * 9 + ["GTTGCAACGG"])
        >>> place(barcodes, learn_region(barcodes))[-1].tolist()
        [4, 4, 2, 3, 3, 2, 1, 0, 0, 1]
    """
    placed = np.full((len(barcodes), len(region)), NO_BASE, np.uint8)
    common = region.share.argmax(axis=1).astype(np.uint8)
    odd = []
    for start in range(0, len(barcodes), _ROWS):
        codes = base_codes(barcodes.slice(start, _ROWS))
        rows = region.place(codes)
        odd.append(start + np.flatnonzero(suspect(rows, common) | outside(rows, codes)))
        placed[start : start + len(rows)] = rows
    wanted = np.concatenate([np.empty(0, np.int64), *odd])
    fit = np.setdiff1d(np.flatnonzero((placed != NO_BASE).any(axis=1)), wanted)
    models = fit[_evenly(len(fit), MODELS)]
    if len(wanted) and len(models):
        nearest = models[_nearest(_codes(barcodes, wanted), _codes(barcodes, models))]
        for row, model in zip(wanted.tolist(), nearest.tolist(), strict=True):
            placed[row] = _aligned(barcodes[row].as_py(), placed[row], placed[model])
    return placed


def agree(rows: Bases, texts: pa.Array, members: npt.NDArray[np.intp], region: Region) -> None:
    """Put the barcodes of a group in places that fit each other, in place.

    The one that is most like the region stays; another one of which a stretch differs from it as foreign barcodes do
    is aligned to it.

    Args:
        rows: placed barcodes, shape (n, places).
        texts: the barcodes, shape (n,).
        members: rows of the group.
        region: what they were placed in.
    """
    common = region.share.argmax(axis=1).astype(np.uint8)
    part = rows[members]
    alike = (part == common).sum(axis=1)
    model = part[alike.argmax()]
    for row in members[suspect(np.where(model == NO_BASE, NO_BASE, part), model)].tolist():
        rows[row] = _aligned(texts[row].as_py(), rows[row], model)


def suspect(rows: Bases, common: Bases) -> npt.NDArray[np.bool_]:
    """Tell of which rows a stretch does not look like the region, as when an insertion lies before it.

    Args:
        rows: placed barcodes, shape (n, places).
        common: the commonest base of each place, shape (places,).

    Examples:
        >>> common = np.tile(np.arange(4, dtype=np.uint8), 15)
        >>> suspect(np.stack([common, np.roll(common, 1)]), common).tolist()
        [False, True]
    """
    if rows.shape[1] < WINDOW:
        return np.zeros(len(rows), bool)
    known = _sums(rows != NO_BASE)
    alike = _sums(rows == common)
    return np.asarray(((known >= LEAST) & (alike < ALIKE * known)).any(axis=1))


def outside(rows: Bases, codes: Bases) -> npt.NDArray[np.bool_]:
    """Tell of which rows too little found a place, although the region has room for it.

    Args:
        rows: placed barcodes, shape (n, places).
        codes: the barcodes, shape (n, longest).
    """
    bases = np.minimum((codes != NO_BASE).sum(axis=1), rows.shape[1])
    return np.asarray((rows != NO_BASE).sum(axis=1) < bases - OUTSIDE)


def _sums(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int32]:
    """Count the flags of each window, shape (n, places - WINDOW + 1)."""
    total = np.zeros((len(flags), flags.shape[1] + 1), np.int32)
    np.cumsum(flags, axis=1, out=total[:, 1:])
    return np.asarray(total[:, WINDOW:] - total[:, :-WINDOW])


def _evenly(size: int, most: int) -> npt.NDArray[np.int64]:
    return np.unique(np.linspace(0, size - 1, min(most, size)).astype(np.int64))


def _codes(barcodes: pa.Array, rows: npt.NDArray[np.int64]) -> Bases:
    return base_codes(barcodes.take(pa.array(rows)))


def _nearest(asked: Bases, models: Bases) -> npt.NDArray[np.intp]:
    """Find the model whose counts of words have the greatest cosine with each barcode's."""
    known = count_words(models, WORDS)
    known /= np.maximum(np.linalg.norm(known, axis=1, keepdims=True), 1)
    parts = [asked[start : start + 1000] for start in range(0, len(asked), 1000)]
    return np.concatenate([(count_words(part, WORDS) @ known.T).argmax(axis=1) for part in parts])


def _aligned(barcode: str, shifted: Bases, model: Bases) -> Bases:
    """Align a barcode to a placed one; give it as it was shifted where that is no worse."""
    import edlib  # type: ignore[import-not-found,unused-ignore]

    codes = base_codes([barcode])[0]
    there = np.flatnonzero(model != NO_BASE)
    begin = int(there[0])
    texts = [_text(codes), _text(model[begin : int(there[-1]) + 1])]
    swapped = len(texts[0]) > len(texts[1])
    query, target = reversed(texts) if swapped else texts
    around = _ANY * OUTSIDE  # what hangs over costs nothing
    found = edlib.align(query, around + target + around, mode="HW", task="path", additionalEqualities=_EQUAL)
    if found["cigar"] is None:
        return shifted
    in_query, in_target = _columns(found["cigar"], found["locations"][0][0] - OUTSIDE)
    at, to = (in_target, in_query + begin) if swapped else (in_query, in_target + begin)
    if not len(at):
        return shifted
    shifts = _smoothed(at, to - at, len(codes))
    to = np.arange(len(codes)) + shifts
    inside = (to >= 0) & (to < len(model))
    row = np.full(len(model), NO_BASE, np.uint8)
    row[to[inside]] = codes[inside]
    gaps = int(np.count_nonzero(np.diff(shifts)))
    return row if _score(row, model) - GAP_COST * gaps > _score(shifted, model) else shifted


def _columns(cigar: str, start: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Give the places that are aligned to each other in query and target."""
    query, target, in_query, in_target = [], [], 0, start
    for count, step in ((int(count), step) for count, step in _STEP.findall(cigar)):
        if step in "=X":
            query.append(np.arange(in_query, in_query + count))
            target.append(np.arange(in_target, in_target + count))
        in_query += count if step != "D" else 0
        in_target += count if step != "I" else 0
    none = np.empty(0, np.int64)
    return np.concatenate([none, *query]), np.concatenate([none, *target])


def _smoothed(at: npt.NDArray[np.int64], shifts: npt.NDArray[np.int64], size: int) -> npt.NDArray[np.int64]:
    """Give the shift of each base of a barcode: the median of those near it, so that a gap soon undone is none."""
    nearest = np.clip(np.searchsorted(at, np.arange(size), side="right") - 1, 0, len(at) - 1)
    around = np.pad(shifts[nearest], SMOOTHED // 2, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(around, SMOOTHED)
    return np.asarray(np.median(windows, axis=1), np.int64)


def _score(row: Bases, model: Bases) -> int:
    """Count the bases that agree, less those that do not."""
    both = (row != NO_BASE) & (model != NO_BASE)
    return int((both & (row == model)).sum()) - int((both & (row != model)).sum())


def _text(codes: Bases) -> str:
    return np.frombuffer(f"{BASES}N".encode(), np.uint8)[codes].tobytes().decode()
