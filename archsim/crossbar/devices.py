"""Measured and published deviations of memory cells, level by level, and the conductances behind them.

Levels are evenly spaced in conductance, from 1 / (on_ohm on_off_ratio) to 1 / on_ohm.
"""

from __future__ import annotations

import math
from itertools import pairwise

from archsim.parts.arithmetic import DeviceModel

WAN_2022_US: dict[float, tuple[float, ...]] = {
    1.0: (0.348, 16.030, -43.853, 45.393, -16.815),
    86400.0: (0.701, 22.086, -50.773, 47.095, -16.458),
    172800.0: (0.782, 20.274, -43.507, 37.062, -11.934),
}
"""By seconds since programming: sigma in uS as a polynomial, rising powers, of conductance over the highest.

Source: Wan et al., Nature 608 (2022), as fitted in AIHWKIT 1.1.0 (ReRamWan2022NoiseModel).
"""
WAN_2022_GMAX_US = 40.0
"""The highest conductance of those cells; source: AIHWKIT 1.1.0."""


def off_level(device: DeviceModel, cell_bits: int) -> float:
    """Conductance of the lowest level, in steps between neighbouring levels."""
    return ((1 << cell_bits) - 1) / (device.on_off_ratio - 1)


def step_siemens(device: DeviceModel, cell_bits: int) -> float:
    """Conductance from one level to the next."""
    return (1 - 1 / device.on_off_ratio) / (device.on_ohm * ((1 << cell_bits) - 1))


def wan2022_sigma_us(relative: float, seconds: float) -> float:
    """Standard deviation of a cell of the measured device, in uS.

    Args: relative: conductance over the highest one, 0 to 1; seconds: since programming; between the
        measured times, linear in their logarithm.
    """
    for (before, first), (after, second) in pairwise(WAN_2022_US.items()):
        if seconds <= after:
            share = math.log(seconds / before) / math.log(after / before)
            return (1 - share) * _polynomial(first, relative) + share * _polynomial(second, relative)
    raise ValueError(f"measured up to {max(WAN_2022_US):g} s, not {seconds:g} s")


def wan2022_deviations(device: DeviceModel, cell_bits: int, seconds: float) -> tuple[float, ...]:
    """Standard deviation of each level, in steps, where the deviation relative to the highest conductance is
    that of the measured device."""
    highest = 1 / (device.on_ohm * step_siemens(device, cell_bits))
    lowest = off_level(device, cell_bits)
    return tuple(
        wan2022_sigma_us((lowest + level) / highest, seconds) / WAN_2022_GMAX_US * highest
        for level in range(2**cell_bits)
    )


def clipformer_deviations(cell_bits: int, strength: float) -> tuple[float, ...]:
    """Standard deviation of each level, in steps: strength sqrt((G - Gmin)(Gmax - Gmin)).

    Args: strength: gamma times sigma.
    Source: ClipFormer (arXiv 2402.02586).
    """
    top = 2**cell_bits - 1
    return tuple(strength * math.sqrt(level * top) for level in range(top + 1))


def _polynomial(rising: tuple[float, ...], x: float) -> float:
    return sum(factor * x**power for power, factor in enumerate(rising))
