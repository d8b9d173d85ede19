"""One small invented release for all tests here."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from zipfile import ZipFile

import pytest

from bioscan5m_hf.synthetic import synthesize
from bioscan5m_hf.synthetic.writing import CSV_MEMBER, METADATA_ZIP


SPECIMENS = 160
Reader = Callable[[Path], list[dict[str, str]]]


@pytest.fixture(scope="session")
def invented(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return synthesize(tmp_path_factory.mktemp("invented") / "release", specimens=SPECIMENS, seed=3, workers=1)


@pytest.fixture(scope="session")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Metadata of so many specimens that every kind of row occurs."""
    root = tmp_path_factory.mktemp("many") / "release"
    return synthesize(root, specimens=6000, seed=1, metadata_only=True, jsonld=False)


@pytest.fixture(scope="session")
def read_rows() -> Reader:
    def read(root: Path) -> list[dict[str, str]]:
        with ZipFile(root / METADATA_ZIP) as archive:
            text = archive.read(CSV_MEMBER).decode()
        assert '"' not in text
        return list(csv.DictReader(io.StringIO(text)))

    return read


@pytest.fixture(scope="session")
def rows(invented: Path, read_rows: Reader) -> list[dict[str, str]]:
    return read_rows(invented)


@pytest.fixture(scope="session")
def many_rows(many: Path, read_rows: Reader) -> list[dict[str, str]]:
    return read_rows(many)
