"""Conversions between physical units and clock cycles, each rounded up once, on entry; SI prefixes.

One nanosecond at one milliwatt is one picojoule; one GB/s is one byte a nanosecond (10^9 bytes a second).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

# A quotient this close to an integer is that integer: 0.3 ns at 10 GHz is 3 cycles, not 4.
_TOLERANCE = 1e-9


_PREFIXES = (
    (1e12, "T"),
    (1e9, "G"),
    (1e6, "M"),
    (1e3, "k"),
    (1.0, ""),
    (1e-3, "m"),
    (1e-6, "u"),
    (1e-9, "n"),
    (1e-12, "p"),
)


def si_prefix(value: float) -> tuple[float, str]:
    """The factor and the letter that leave one to three digits of ``value`` before the point."""
    return next((each for each in _PREFIXES if abs(value) >= each[0]), _PREFIXES[-1] if value else (1.0, ""))


def si_text(value: float, unit: str) -> str:
    """A value with four digits and the prefix that leaves one to three of them before the point."""
    factor, prefix = si_prefix(value)
    return f"{value / factor:.4g} {prefix}{unit}"


def ceil_cycles(value: float) -> int:
    """The smallest integer that is not below ``value``, forgiving floating-point dust."""
    return math.ceil(value - _TOLERANCE * max(1.0, abs(value)))


def ns_to_cycles(time_ns: float, clock_ghz: float) -> int:
    """Cycles of a ``clock_ghz`` clock that cover ``time_ns``."""
    return ceil_cycles(time_ns * clock_ghz)


def cycles_to_ns(cycles: float, clock_ghz: float) -> float:
    """Nanoseconds that ``cycles`` of a ``clock_ghz`` clock take."""
    return cycles / clock_ghz


def transfer_cycles(
    nbytes: NDArray[np.integer[Any]] | int, bandwidth_gb_per_s: float, clock_ghz: float
) -> NDArray[np.int64]:
    """Cycles for which ``nbytes`` (a scalar or any shape) occupy a medium of ``bandwidth_gb_per_s``."""
    exact = np.asarray(nbytes, dtype=np.float64) * (clock_ghz / bandwidth_gb_per_s)
    return np.ceil(exact - _TOLERANCE * np.maximum(1.0, exact)).astype(np.int64)


def bits_to_bytes(bits: NDArray[np.integer[Any]] | int) -> NDArray[np.int64]:
    """Whole bytes that hold ``bits`` (a scalar or any shape)."""
    return -(-np.asarray(bits, dtype=np.int64) // 8)
