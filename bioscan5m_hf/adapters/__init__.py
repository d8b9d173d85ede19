"""Other people's models as encoders of the benchmark: declared, read as data, nothing of theirs executed."""

from .declarations import ADAPTERS, Adapter
from .loading import load_encoder


__all__ = ["ADAPTERS", "Adapter", "load_encoder"]
