"""An invented release with original photographs and their boxes, made once."""

import pytest

from bioscan5m_hf.synthetic import synthesize


@pytest.fixture(scope="session")
def originals(tmp_path_factory):
    """An invented release with original photographs and their boxes."""
    folder = tmp_path_factory.mktemp("originals") / "release"
    synthesize(folder, specimens=150, seed=3, packages=["original_full", "cropped"], workers=1)
    for path in folder.glob("BIOSCAN_5M_cropped*"):
        path.rename(folder.parent / path.name)
    return folder
