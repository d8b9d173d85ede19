"""Profiles are the departures of a table's barcodes, the same in every run."""

from __future__ import annotations

import numpy as np
import pytest
from invented_tables import table_of

from bioscan5m_hf.dna import Departures, base_codes
from bioscan5m_hf.learning import profiles as module
from bioscan5m_hf.learning.profiles import bases, profiles_of
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
    known = base_codes([BARCODES[0][:660], BARCODES[1][:50] + "N" + BARCODES[1][51:660], BARCODES[5][:600]])
    assert np.array_equal(np.where(codes < 0, 4, codes), known)


def test_they_are_the_departures_of_each_barcode(table, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_ROWS", 7)
    codes = bases(table, np.arange(40))
    expected = Departures.fit([codes], size=8).of(codes)
    assert np.allclose(profiles_of(table, 8, 0, tmp_path / "profiles.npy"), expected, atol=1e-3)


def test_they_are_computed_once_and_then_read(table, tmp_path, monkeypatch):
    file = tmp_path / "run" / "profiles.npy"
    made = np.array(profiles_of(table, 8, 0, file))
    assert [path.name for path in file.parent.iterdir()] == ["profiles.npy"]
    again = profiles_of(table, 8, 0, tmp_path / "other.npy")
    monkeypatch.setattr(module.Departures, "fit", None)
    read = profiles_of(table, 8, 0, file)
    assert made.shape == (40, 8)
    assert np.array_equal(made, again)
    assert np.array_equal(made, read)


def test_the_seed_says_which_barcodes_they_are_computed_from(table, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "SAMPLE", 20)
    one, other = (np.array(profiles_of(table, 4, seed, tmp_path / f"{seed}.npy")) for seed in (0, 1))
    assert one.shape == other.shape == (40, 4)
    assert not np.allclose(one, other, atol=0.1)


def test_too_few_barcodes_are_named(table, tmp_path):
    with pytest.raises(TableError, match=r"profiles: 40 barcodes .* give 1 to 39 numbers, not 40: .* hidden_size"):
        profiles_of(table, 40, 0, tmp_path / "profiles.npy")
    assert not list(tmp_path.glob("*profiles*"))
