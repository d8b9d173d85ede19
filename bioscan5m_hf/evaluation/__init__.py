"""Protocols of evaluation: an encoder is known by its embeddings only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from .encoder import Encoder
    from .metric_base import METRICS, metric_path
    from .runner import evaluate_model

__all__ = ["METRICS", "Encoder", "evaluate_model", "metric_path"]

_HOME = {
    "Encoder": "encoder",
    "METRICS": "metric_base",
    "evaluate_model": "runner",
    "metric_path": "metric_base",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
