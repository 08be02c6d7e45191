"""Random numbers that depend on where they are used, and not on when: a generator with a counter for a state.

Every conversion has a number of its own, drawn by its plane, slice, block, column and vector, so that results
are the same for any number of threads and any order of work.

Source: Salmon et al., Parallel random numbers: as easy as 1, 2, 3 (SC 2011): Philox4x32-10.
"""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say. Numba does not
# see changes of this file in what it keeps on disk of its callers.
# mypy: disable-error-code="no-any-return, assignment, call-arg"

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from archsim.crossbar.words import inlined

ROUNDS = 10
LOW, HALF = np.uint64(0xFFFFFFFF), np.uint64(32)
FIRST, SECOND = np.uint64(0xD2511F53), np.uint64(0xCD9E8D57)
FIRST_KEY, SECOND_KEY = np.uint64(0x9E3779B9), np.uint64(0xBB67AE85)

MANTISSA_BITS, MANTISSA = np.uint64(52), np.uint64((1 << 52) - 1)
BIAS, ONE = 1023, np.uint64(1023 << 52)
"""Of float64: the exponent of 1.0, and its bits."""


def key_of(seed: Sequence[int]) -> tuple[np.uint64, np.uint64]:
    """The key, two numbers of 32 bits, for a seed."""
    first, second = np.random.SeedSequence(seed).generate_state(2, np.uint32)
    return np.uint64(first), np.uint64(second)


@intrinsic
def as_real(_context: Any, word: Any) -> Any:
    """The float64 that has the bits of an uint64."""

    def generate(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], target.get_value_type(types.float64))

    return types.float64(word), generate


@intrinsic
def as_bits(_context: Any, real: Any) -> Any:
    """The bits of a float64, as uint64."""

    def generate(target: Any, builder: Any, _signature: Any, arguments: Any) -> Any:
        return builder.bitcast(arguments[0], target.get_value_type(types.uint64))

    return types.uint64(real), generate


@inlined
def philox(
    first_key: np.uint64, second_key: np.uint64, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64
) -> tuple[np.uint64, np.uint64, np.uint64, np.uint64]:
    """Four random numbers of 32 bits for a key of two and a counter of four, all in words of 64 bits."""
    for _ in range(ROUNDS):
        left, right = FIRST * a, SECOND * c
        a, b, c, d = (
            (right >> HALF) ^ b ^ first_key,
            right & LOW,
            (left >> HALF) ^ d ^ second_key,
            left & LOW,
        )
        first_key = (first_key + FIRST_KEY) & LOW
        second_key = (second_key + SECOND_KEY) & LOW
    return a, b, c, d


@inlined
def logarithm(number: np.uint64) -> float:
    """The natural logarithm of (number + 1/2) / 2^52, for 0 <= number < 2^52: to 1e-13.

    With f = (m - 1) / (m + 1): log m = 2 (f + f^3/3 + f^5/5 + ...), m from 1/sqrt(2) to sqrt(2).
    """
    # 1.number less 1 is exact, and the half a step more that keeps it from 0 is so too
    real = as_real(ONE | number) - (1.0 - 2.0**-53)
    bits = as_bits(real)
    exponent = np.int64(bits >> MANTISSA_BITS) - BIAS
    m = as_real(ONE | (bits & MANTISSA))
    large = m > 1.4142135623730951
    m = m * 0.5 if large else m
    power = float(exponent + 1) if large else float(exponent)
    f = (m - 1.0) / (m + 1.0)
    s = f * f
    series = s * (1 / 11 + s * (1 / 13 + s * (1 / 15 + s * (1 / 17))))
    series = 1.0 + s * (1 / 3 + s * (1 / 5 + s * (1 / 7 + s * (1 / 9 + series))))
    return power * 0.6931471805599453 + 2.0 * f * series


@inlined
def sine(x: float) -> float:
    """The sine of -pi/2 to pi/2: to 1e-13, by its series to the 19th power."""
    s = x * x
    series = 1.0 - s / 272.0 * (1.0 - s / 342.0)
    series = 1.0 - s / 110.0 * (1.0 - s / 156.0 * (1.0 - s / 210.0 * series))
    return x * (1.0 - s / 6.0 * (1.0 - s / 20.0 * (1.0 - s / 42.0 * (1.0 - s / 72.0 * series))))


@inlined
def normal(
    first_key: np.uint64, second_key: np.uint64, a: np.uint64, b: np.uint64, c: np.uint64, d: np.uint64
) -> float:
    """A number from the standard normal distribution, for a key and a counter: Box and Muller (1958).

    The sine of an angle that is uniform over half a turn is distributed like that over a whole one. The
    largest number that there can be is 8.6.
    """
    a, b, c, _ = philox(first_key, second_key, a, b, c, d)
    angle = (float(np.int64(c)) + 0.5) * (math.pi / 2**32) - math.pi / 2
    return math.sqrt(-2.0 * logarithm((a << np.uint64(20)) | (b >> np.uint64(12)))) * sine(angle)
