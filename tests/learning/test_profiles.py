"""Profiles are principal components of counts of words, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
from invented_tables import table_of

from bioscan5m_hf.dna import CODONS, base_codes, count_words
from bioscan5m_hf.learning.profiles import WHITENING, Profiles, bases
from bioscan5m_hf.learning.tables import TableError


LETTERS = np.random.default_rng(5).choice(list("ACGT"), (40, 700))
BARCODES = ["".join(row) for row in LETTERS]


@pytest.fixture
def table(tmp_path):
    odd = BARCODES[1][:50] + "N" + BARCODES[1][51:]
    return table_of(tmp_path / "tables", [BARCODES[0], odd, *(barcode[:600] for barcode in BARCODES[2:])])


def test_bases_of_a_table_are_those_of_its_barcodes(table):
    codes = bases(table, np.array([0, 1, 5]))
    assert codes.shape == (3, 660)
    known = base_codes([BARCODES[0][:660], BARCODES[1][:660], BARCODES[5][:600]])
    known[1, 50] = 4
    assert np.array_equal(np.where(codes < 0, 4, codes), known)


def test_the_axes_are_the_principal_ones(table):
    codes = bases(table, np.arange(40))
    roots = np.sqrt(count_words(codes, CODONS))
    directions = roots / np.linalg.norm(roots, axis=1, keepdims=True)
    _, deviations, axes = np.linalg.svd(directions - directions.mean(0), full_matrices=False)
    expected = (directions - directions.mean(0)) @ axes[:6].T / (deviations[:6] ** 2 / 40) ** WHITENING
    found = Profiles.fit([codes[:25], codes[25:]], size=6).of(codes)
    sign = np.sign((found * expected).sum(0))
    assert np.allclose(found, expected * sign, atol=2e-3 * np.abs(expected).max())


def test_a_profile_does_not_depend_on_the_frame(table):
    codes = base_codes(BARCODES)
    profiles = Profiles.fit([codes], size=8)
    whole, shifted = profiles.of(codes), profiles.of(codes[:, 1:])
    cosine = (whole * shifted).sum(1) / np.linalg.norm(whole, axis=1) / np.linalg.norm(shifted, axis=1)
    assert cosine.min() > 0.99
    assert np.isfinite(profiles.of(base_codes(["", "NNNN"]))).all()


def test_they_are_computed_once_and_then_read(table, tmp_path, monkeypatch):
    file = tmp_path / "run" / "profiles.npz"
    made = Profiles.of_table(table, 8, 0, file)
    assert [path.name for path in file.parent.iterdir()] == ["profiles.npz"]
    again = Profiles.of_table(table, 8, 0, tmp_path / "other.npz")
    monkeypatch.setattr(Profiles, "fit", None)
    read = Profiles.of_table(table, 8, 0, file)
    for one in (read, again):
        assert np.array_equal(one.mean, made.mean)
        assert np.array_equal(one.axes, made.axes)


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
