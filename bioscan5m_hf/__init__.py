"""BIOSCAN-5M for the Hugging Face ecosystem: specimens for machine learning, names for biologists.

Public names resolve on first use, so that `import bioscan5m_hf` stays light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from .data.bioscan5m import Bioscan5M
    from .data.loader import ImageBatches
    from .data.specimens import load_specimens, load_taxonomy, with_class_labels
    from .embedding.encoder import BarcodeEncoder
    from .taxonomy import Taxonomy

__version__ = "0.1.0"

_HOME = {
    "BarcodeEncoder": "embedding.encoder",
    "Bioscan5M": "data.bioscan5m",
    "ImageBatches": "data.loader",
    "load_specimens": "data.specimens",
    "load_taxonomy": "data.specimens",
    "with_class_labels": "data.specimens",
    "Taxonomy": "taxonomy",
}

__all__ = [
    "BarcodeEncoder",
    "Bioscan5M",
    "ImageBatches",
    "Taxonomy",
    "__version__",
    "load_specimens",
    "load_taxonomy",
    "with_class_labels",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f".{_HOME[name]}", __name__), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
