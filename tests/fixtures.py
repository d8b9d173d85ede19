"""One small invented release and the dataset built from it, made once for all processes of a test session."""

from __future__ import annotations

import fcntl
from collections.abc import Callable
from pathlib import Path

import pytest

from bioscan5m_hf.data.build import Options, build
from bioscan5m_hf.synthetic import synthesize


SPECIMENS = 160


@pytest.fixture(scope="session")
def common(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give a folder that all pytest-xdist workers of this session share."""
    base = tmp_path_factory.getbasetemp()
    return base.parent if base.name.startswith("popen-") else base


@pytest.fixture(scope="session")
def release(common: Path) -> Path:
    """Give an invented release with all image packages; read it, do not change it."""
    return once(common, "release", lambda folder: synthesize(folder, specimens=SPECIMENS, seed=0, workers=1))


@pytest.fixture(scope="session")
def dataset(common: Path, release: Path) -> Path:
    """Give the dataset folder `bioscan-5m` built from the release; read it, do not change it."""
    return once(common, "bioscan-5m", lambda folder: build(release, folder, options=Options(workers=1)))


def once(common: Path, name: str, make: Callable[[Path], object]) -> Path:
    """Make a folder in whichever process comes first; the others wait for it."""
    folder, done = common / name, common / f"{name}.done"
    with (common / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not done.exists():
            make(folder)
            done.touch()
    return folder
