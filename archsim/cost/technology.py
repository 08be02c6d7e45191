"""Technology scaling: what area, energy and delay of a circuit become at another node and supply voltage.

Source: Stillmaker and Baas, "Scaling equations for the accurate prediction of CMOS device performance from
180 nm to 7 nm", Integration 58 (2017): areas relative to 65 nm, energy and delay as polynomials of the supply
voltage, of the high-performance (HP) models from 45 nm on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

from archsim.errors import HardwareError

T = TypeVar("T")

AREA_TO_65: Mapping[int, float] = {
    **{180: 0.08, 130: 0.23, 90: 0.53, 65: 1.0, 45: 1.5, 32: 3.3},
    **{20: 7.1, 16: 7.9, 14: 8.7, 10: 15.0, 7: 25.0},
}
"""By how much a circuit of a node, in nm, grows when it is made at 65 nm."""

ENERGY: Mapping[int, tuple[float, float, float]] = {
    65: (3.755, -4.398, 1.975),
    45: (1.018, -0.3107, 0.1539),
    32: (0.8367, -0.4341, 0.1701),
    20: (0.373, -0.1582, 0.04104),
    14: (0.2363, -0.09675, 0.02239),
    7: (0.1776, -0.09097, 0.02447),
}
"""Coefficients a, b, c of the energy factor a V^2 + b V + c, by node in nm."""

DELAY: Mapping[int, tuple[float, float, float, float]] = {
    65: (-53.3, 230.4, -333.9, 178.6),
    45: (-501.6, 1567.0, -1619.0, 566.1),
    32: (-1047.0, 2982.0, -2797.0, 873.5),
}
"""Coefficients a, b, c, d of the delay factor a V^3 + b V^2 + c V + d, by node in nm."""

NOMINAL_V: Mapping[int, float] = {65: 1.0, 45: 0.9, 32: 1.0, 20: 0.9, 14: 0.8, 7: 0.7}
"""Supply voltages where none is given. 65, 45, 32 nm: those of the published examples (x 2.33 from 32 nm,
x 1.91 from 45 nm); assumption for the others: the usual ones of the node."""


def area_factor(from_nm: float, to_nm: float) -> float:
    """Area at one node over area at another.

    Raises: HardwareError: for a node that the source has no factor for.
    """
    return _of(AREA_TO_65, from_nm, "area") / _of(AREA_TO_65, to_nm, "area")


def energy_factor(
    from_nm: float, to_nm: float, from_v: float | None = None, to_v: float | None = None
) -> float:
    """Energy of an operation at one node over that at another.

    Args: from_v, to_v: supply voltages, the nominal ones by default.
    Raises: HardwareError: for a node that the source has no factor for.
    """
    return _polynomial(ENERGY, to_nm, to_v, "energy") / _polynomial(ENERGY, from_nm, from_v, "energy")


def delay_factor(
    from_nm: float, to_nm: float, from_v: float | None = None, to_v: float | None = None
) -> float:
    """Delay of a gate at one node over that at another; see ``energy_factor``."""
    return _polynomial(DELAY, to_nm, to_v, "delay") / _polynomial(DELAY, from_nm, from_v, "delay")


def _polynomial(table: Mapping[int, tuple[float, ...]], nm: float, volt: float | None, what: str) -> float:
    coefficients = _of(table, nm, what)
    volt = NOMINAL_V[int(nm)] if volt is None else volt
    value = 0.0
    for coefficient in coefficients:
        value = value * volt + coefficient
    return value


def _of(table: Mapping[int, T], nm: float, what: str) -> T:
    """The entry of a node."""
    if nm not in table:
        known = ", ".join(str(node) for node in sorted(table, reverse=True))
        raise HardwareError(f"technology: no {what} factor for {nm:g} nm; known: {known} nm")
    return table[int(nm)]
