"""Protocols of evaluation: an encoder is known by its embeddings only."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING


if TYPE_CHECKING:
    from .metric_base import METRICS, metric_path

__all__ = ["METRICS", "metric_path"]

_HOME = {"METRICS": "metric_base", "metric_path": "metric_base"}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
