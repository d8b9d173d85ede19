"""Profiles are principal components of departures from what is common at each place, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
from invented_tables import table_of

from bioscan5m_hf.dna import base_codes
from bioscan5m_hf.learning import profiles as module
from bioscan5m_hf.learning.profiles import FREE_WEIGHT, WHITENING, Profiles, bases, departures, profiles_of
from bioscan5m_hf.learning.tables import TableError


def descendants(count: int, seed: int = 5) -> list[str]:
    """Invent barcodes of one ancestor: an eighth of their places changed, third bases of codons more often."""
    random = np.random.default_rng(seed)
    ancestor = random.integers(0, 4, 660)
    rate = np.where(np.arange(660) % 3 == 2, 0.3, 0.05)
    changed = random.random((count, 660)) < rate
    codes = (ancestor + changed * random.integers(1, 4, (count, 660))) % 4
    return ["".join("ACGT"[code] for code in row) for row in codes.tolist()]


BARCODES = descendants(40)


@pytest.fixture
def table(tmp_path):
    odd = BARCODES[1][:50] + "N" + BARCODES[1][51:]
    return table_of(tmp_path / "tables", [BARCODES[0], odd, *(barcode[:600] for barcode in BARCODES[2:])])


def cosines(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one * other).sum(1) / np.linalg.norm(one, axis=1) / np.linalg.norm(other, axis=1)


def test_bases_of_a_table_are_those_of_its_barcodes(table):
    codes = bases(table, np.array([0, 1, 5]))
    assert codes.shape == (3, 660)
    known = base_codes([BARCODES[0][:660], BARCODES[1][:660], BARCODES[5][:600]])
    known[1, 50] = 4
    assert np.array_equal(np.where(codes < 0, 4, codes), known)


def test_departures_are_told_where_a_base_is_known_and_free_places_weigh_less(table):
    codes = bases(table, np.arange(40))
    region = Profiles.fit([codes], size=4).region
    found = departures(region, codes).reshape(40, len(region), 4)
    assert region.free_phase == 2
    assert not found[1, 50].any()
    expected = (codes[0, :600, None] == np.arange(4)) - region.share
    expected[2::3] *= FREE_WEIGHT**0.5
    assert np.allclose(found[0], expected / np.linalg.norm(expected), atol=1e-6)
    assert np.allclose(np.linalg.norm(found, axis=(1, 2)), 1, atol=1e-5)


def test_the_axes_are_the_principal_ones(table):
    codes = bases(table, np.arange(40))
    made = Profiles.fit([codes[:25], codes[25:]], size=6)
    centred = departures(made.region, codes)
    centred = centred - centred.mean(0)
    _, deviations, axes = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ axes[:6].T / (deviations[:6] ** 2 / 40) ** WHITENING
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    found = made.of(codes)
    assert np.allclose(found, expected * np.sign((found * expected).sum(0)), atol=2e-3)


def test_a_profile_does_not_depend_on_where_a_barcode_begins(table):
    codes = base_codes(BARCODES)
    made = Profiles.fit([codes], size=8)
    assert cosines(made.of(codes), made.of(codes[:, 7:])).min() > 0.95
    assert np.isfinite(made.of(base_codes(["", "NNNN"]))).all()


def test_they_are_computed_once_and_then_read(table, tmp_path, monkeypatch):
    file = tmp_path / "run" / "profiles.npy"
    made = np.array(profiles_of(table, 8, 0, file))
    assert [path.name for path in file.parent.iterdir()] == ["profiles.npy"]
    again = profiles_of(table, 8, 0, tmp_path / "other.npy")
    monkeypatch.setattr(module.Profiles, "fit", None)
    read = profiles_of(table, 8, 0, file)
    assert np.array_equal(made, again)
    assert np.array_equal(made, read)
    assert made.shape == (40, 8)
    expected = again.astype(np.float32)
    assert np.allclose(np.linalg.norm(expected, axis=1), 1, atol=1e-2)


def test_random_numbers_of_the_caller_are_left_alone(table):
    import torch

    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    Profiles.fit([bases(table, np.arange(40))], size=4)
    assert torch.rand(1) == expected


def test_too_few_barcodes_are_named(table):
    with pytest.raises(
        TableError, match="40 barcodes have no profiles of 40 numbers: give more, or a smaller hidden_size"
    ):
        Profiles.fit([bases(table, np.arange(40))], size=40)
