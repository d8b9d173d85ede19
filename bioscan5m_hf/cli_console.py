"""What all commands print with."""

from __future__ import annotations

import sys


def say(text: str) -> None:
    """Print a line for the user, past any progress bar and before what a child process prints.

    Args:
        text: the line, or several.
    """
    from tqdm import tqdm

    tqdm.write(text)
    sys.stdout.flush()
