"""Verification: every promise of a dataset folder is a check, by its files alone."""

from __future__ import annotations

from .catalogue import CHECKS, Check, verify
from .findings import Finding
from .overlaps import Overlap


__all__ = ["CHECKS", "Check", "Finding", "Overlap", "verify"]
