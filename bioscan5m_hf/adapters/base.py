"""What every adapted encoder says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import KW_ONLY, dataclass, field
from typing import Any


@dataclass
class Adapted:
    """An encoder with the facts that a record of the benchmark keeps.

    Args:
        name: what it was asked for by.
        revision: the commit on the Hub, or `sha256:` and the digest of its weights.
        pretrained_on: the data that it was pretrained on.
        settings: adapter, pooling, special tokens and all else that decides the vectors.
    """

    _: KW_ONLY
    name: str = ""
    revision: str = ""
    pretrained_on: tuple[str, ...] = ()
    settings: Mapping[str, Any] = field(default_factory=dict)
