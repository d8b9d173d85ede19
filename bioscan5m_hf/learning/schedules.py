"""Learning-rate schedules as functions of the step, so that a resumed run needs nothing but its step."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple


WARM_UP = 0.05
"""Share of the steps in which cosine and WSD rise from zero."""

COOL_DOWN = 0.2
"""Share of the steps in which WSD falls, as 1 - √: Hägele et al. 2024, arXiv 2405.18392."""

BETA1 = 0.9


class Setting(NamedTuple):
    """What the optimiser is set to in a step.

    Args:
        factor: of the peak learning rate.
        beta1: AdamW's momentum.
    """

    factor: float
    beta1: float = BETA1


def onecycle(step: int, steps: int) -> Setting:
    """Rise from 1/25 to the peak in 30 % of the steps, fall to 1/250,000, with momentum from 0.95 to 0.85 and back.

    These are the defaults of `torch.optim.lr_scheduler.OneCycleLR` (cosine annealing), which the papers use.

    Args:
        step: from 0.
        steps: of the run.

    Examples:
        >>> [round(number, 6) for number in onecycle(0, 100)]
        [0.04, 0.95]
    """
    peak, last = 0.3 * steps - 1, steps - 1
    low, lowest = 1 / 25, 1 / 25 / 1e4
    if step <= peak:
        return Setting(_anneal(low, 1.0, step / peak), _anneal(0.95, 0.85, step / peak))
    done = (step - peak) / (last - peak)
    return Setting(_anneal(1.0, lowest, done), _anneal(0.85, 0.95, done))


def onecycle_of_the_rate(step: int, steps: int) -> Setting:
    """Do the same with the learning rate, and leave momentum as it is: `cycle_momentum=False`, as CLIBD has it.

    Args:
        step: from 0.
        steps: of the run.

    Examples:
        >>> [round(number, 6) for number in onecycle_of_the_rate(0, 100)]
        [0.04, 0.9]
    """
    return Setting(onecycle(step, steps).factor)


def cosine(step: int, steps: int) -> Setting:
    """Rise linearly, then fall to zero along half a cosine.

    Args:
        step: from 0.
        steps: of the run.

    Examples:
        >>> cosine(4, 100).factor
        1.0
    """
    warm = math.ceil(WARM_UP * steps)
    if step < warm:
        return Setting((step + 1) / warm)
    return Setting(_anneal(1.0, 0.0, (step - warm) / max(1, steps - warm)))


def wsd(step: int, steps: int) -> Setting:
    """Rise linearly, stay, and fall to zero at the end (warm-up, stable, decay).

    Args:
        step: from 0.
        steps: of the run.

    Examples:
        >>> wsd(50, 100).factor
        1.0
    """
    warm, cool = math.ceil(WARM_UP * steps), math.ceil(COOL_DOWN * steps)
    if step < warm:
        return Setting((step + 1) / warm)
    return Setting(1 - math.sqrt(max(0.0, (step - (steps - cool)) / cool)))


SCHEDULES: dict[str, Callable[[int, int], Setting]] = {
    "onecycle": onecycle,
    "onecycle_of_the_rate": onecycle_of_the_rate,
    "cosine": cosine,
    "wsd": wsd,
}


def _anneal(start: float, end: float, done: float) -> float:
    return end + (start - end) / 2 * (1 + math.cos(math.pi * done))
