"""Where the specimen is in a photograph of a dish, found without any weights: what differs from the ground."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


@dataclass(frozen=True)
class Finding:
    """A specimen that was found.

    Args:
        box: left, upper, right and lower edge, pixels of the photograph.
        score: from 0, nothing there, to 1; below `EMPTY` the dish is taken for empty.
    """

    box: tuple[float, float, float, float]
    score: float


EMPTY = 0.05
