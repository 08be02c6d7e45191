"""Folds a schedule onto one period and finds its fullest window, for ``results.energy``, compiled."""

# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from archsim.sim.fast_kernel import compiled, nth

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
    period, before = len(begun), 0
    for task in range(len(start)):
        length = max(occupancy[task], 1)
        power = energy[task] / length
        phase = start[task] - before
        if phase < 0 or phase >= period:  # seldom: dividing takes longer than all the rest
            before = start[task] // period * period
            phase = start[task] - before
        begun[nth(phase)] += power
        phase += length
        laps = 0
        if phase >= period:
            laps = phase // period
            phase -= laps * period
        ended[nth(phase)] += power
        ahead[task] = laps * power
    return 0


@compiled
def fullest(changes: Floats, until: Floats, found: Floats) -> int:
    """The most energy in as many cycles of a period as ``until`` has: power is constant in each cycle.

    In rows of that many cycles, a window is the rest of a row and as much of the next one as is missing.
    Sums over the whole period would lose digits of what is in a window.

    Args: changes: as of ``energy._fullest_cycles``; until: for the energy of a row until the end of each
        of its cycles; found: (1,) for the most.
    """
    period, part = len(changes), len(until)
    cycle, power, last, most = 0, 0.0, 0.0, 0.0
    for row in range(1 + (period + part - 1) // part):
        spent = 0.0
        for place in range(part):
            power += changes[cycle]
            spent += power
            if row:
                most = max(most, last - until[place] + spent)
            until[place] = spent
            cycle += 1
            if cycle == period:
                cycle, power = 0, 0.0
        last = spent
    found[0] = most
    return 0
