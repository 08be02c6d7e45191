"""Folds a schedule onto one period, for ``results.energy``, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.sim.fast_kernel import compiled

Floats = NDArray[np.float64]


@compiled
def fold(
    energy: Floats,
    start: NDArray[np.int64],
    occupancy: NDArray[np.int32],
    begun: Floats,
    ended: Floats,
    ahead: Floats,
) -> int:
    """Add up the power of tasks by the cycle of a period in which they begin, and end.

    Args: energy, start, occupancy: as of ``energy.peak_power_mw``; begun, ended: (period,) zeros;
        ahead: (tasks,) the power of each task times the periods that begin in it.
    """
    period = len(begun)
    for task in range(len(start)):
        length = max(occupancy[task], 1)
        power = energy[task] / length
        phase = start[task] - start[task] // period * period
        begun[phase] += power
        phase += length
        laps = 0
        if phase >= period:
            laps = phase // period
            phase -= laps * period
        ended[phase] += power
        ahead[task] = laps * power
    return 0
