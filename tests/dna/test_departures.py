"""Barcodes are compared at the places of their region, by what is rare there."""

from __future__ import annotations

import numpy as np
import pytest

from bioscan5m_hf.dna import Departures, base_codes
from bioscan5m_hf.dna.departures import FREE_WEIGHT, WHITENING, departures


def descendants(count: int, seed: int = 5) -> list[str]:
    """Invent barcodes of one ancestor; third bases of codons have changed more often than others."""
    random = np.random.default_rng(seed)
    ancestor = random.integers(0, 4, 660)
    rate = np.where(np.arange(660) % 3 == 2, 0.3, 0.05)
    changed = random.random((count, 660)) < rate
    codes = (ancestor + changed * random.integers(1, 4, (count, 660))) % 4
    return ["".join("ACGT"[code] for code in row) for row in codes.tolist()]


BARCODES = descendants(40)
CODES = base_codes(BARCODES)
UNKNOWN = BARCODES[1][:50] + "N" + BARCODES[1][51:]
ODD = base_codes([BARCODES[0], UNKNOWN, *(barcode[:600] for barcode in BARCODES[2:])])


def cosines(one, other):
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_departures_are_told_where_a_base_is_known_and_free_places_weigh_less():
    region = Departures.fit([ODD], size=4).region
    found = departures(region, ODD).reshape(40, len(region), 4)
    assert region.free_phase == 2
    assert not found[1, 50].any()
    expected = (ODD[0, :600, None] == np.arange(4)) - region.share
    expected[2::3] *= FREE_WEIGHT**0.5
    assert np.allclose(found[0], expected / np.linalg.norm(expected), atol=1e-6)
    assert np.allclose(np.linalg.norm(found, axis=(1, 2)), 1, atol=1e-5)


def test_the_axes_are_the_principal_ones():
    made = Departures.fit([ODD[:25], ODD[25:]], size=6)
    centred = departures(made.region, ODD)
    centred = centred - centred.mean(0)
    _, deviations, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:6].T / (deviations[:6] ** 2 / 40) ** WHITENING
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = made.of(ODD)
    assert np.allclose(found, expected * np.sign((found * expected).sum(0)), atol=2e-3)
    assert (made.axes[np.abs(made.axes).argmax(0), range(6)] > 0).all()


def test_vectors_do_not_depend_on_where_a_barcode_begins():
    made = Departures.fit([CODES], size=8)
    assert cosines(made.of(CODES), made.of(CODES[:, 7:])).min() > 0.95
    assert np.isfinite(made.of(base_codes(["", "NNNN"]))).all()
    assert made.of(base_codes([])).shape == (0, 8)


def test_too_few_barcodes_are_refused():
    with pytest.raises(ValueError, match="40 barcodes of 660 places give 1 to 39 numbers, not 40"):
        Departures.fit([CODES], size=40)
