"""Memory for batches of photographs, used again once nobody refers to it."""

from __future__ import annotations

import sys

import numpy as np

from .decode import Frame, Pixels


_KEPT = 4
"""Blocks kept for reuse: those being decoded, the user's, and one more."""


class Memory:
    """Memory for batches, which is used again once nobody refers to it; fresh pages cost a tenth of the decoding.

    Args:
        batch_size: photographs in the largest batch.
        frame: their size.

    Examples:
        >>> memory = Memory(4, Frame())
        >>> first, second = memory.take(4), memory.take(2)
        >>> del first
        >>> memory.take(3).base is second.base
        False
        >>> len(memory.blocks)
        2
    """

    def __init__(self, batch_size: int, frame: Frame) -> None:
        self.shape = (batch_size, *frame.size, 3)
        self.blocks: list[Pixels] = []

    def take(self, length: int) -> Pixels:
        """Give memory for some photographs; its content is anything."""
        for block in self.blocks:
            if sys.getrefcount(block) == _UNUSED:
                return block[:length]
        block = np.empty(self.shape, np.uint8)
        if len(self.blocks) < _KEPT:
            self.blocks.append(block)
        return block[:length]


def _count_unused() -> int:
    """Count the references to a block that no batch uses, as `take` sees them: interpreters differ.

    A batch, and whatever shares its memory (slices, torch tensors), holds a further one. Where that does not show, no
    count is right, and blocks are never reused.
    """
    blocks = [np.empty(1, np.uint8), np.empty(1, np.uint8)]
    batch = blocks[1][:1]
    counts = []
    for block in blocks:
        counts.append(sys.getrefcount(block))
    return counts[0] if batch.base is blocks[1] and counts[1] > counts[0] else -1


_UNUSED = _count_unused()
