"""Integer kernels: softmax, GELU, LayerNorm and requantisation without floating point and without division.

The whole numbers stand for real ones by a scale, which is folded into multiplications and shifts when a
kernel is set up; data meets integer additions, multiplications and shifts only. Each kernel states the bound
of its error.

Sources: FLARE (arXiv 2411.14733) for the idea and the shift by the sum's most significant bit; I-BERT (ICML
2021) for the polynomial of GELU and dyadic requantisation. The other polynomials and widths are our own.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from archsim.errors import CrossbarError

Int64 = NDArray[np.int64]

MULTIPLIER_BITS = 15
"""Of a dyadic factor: its relative error is below 2^-15."""

FRACTION_BITS = 14
"""Of fixed-point numbers inside the kernels."""

GUARD_BITS = 16
"""More of them that powers have, so that many small ones are not lost from a sum."""

_ONE = 1 << FRACTION_BITS
# 2^-r = 1 - r (a - b r) at both ends of 0 to 1, with its largest errors, 0.0019, of equal size in between
_EXP_A = round(0.6721 * _ONE)
_EXP_B = _EXP_A - _ONE // 2
# 1 / d = 48/17 - 32/17 d for d of 0.5 to 1, within 1/17 of it
_RECIPROCAL_START = round(48 / 17 * _ONE)
_RECIPROCAL_SLOPE = round(32 / 17 * _ONE)
# I-BERT: erf(x) = sign(x) (a (min(|x|, -b) + b)^2 + 1)
_ERF_A, _ERF_B = -0.2888, -1.769


@dataclass(frozen=True, slots=True)
class Dyadic:
    """A factor m / 2^shift, which a multiplication and a shift apply."""

    multiplier: int
    shift: int

    @classmethod
    def of(cls, factor: float) -> Dyadic:
        """The nearest one to a positive factor, within 2^-15 of it.

        Raises: CrossbarError: when the factor is not positive, or beyond 2^-40 to 2^20.
        """
        if not 2.0**-40 <= factor <= 2.0**20:
            raise CrossbarError(f"a dyadic factor must be 2^-40 to 2^20, not {factor:g}")
        shift = MULTIPLIER_BITS - 1 - math.floor(math.log2(factor))
        return cls(round(factor * 2.0**shift), shift)

    def times(self, values: Int64) -> Int64:
        """The products, rounded to the nearest, halves up; values below 2^47."""
        if self.shift < 0:
            return (values * self.multiplier) << -self.shift
        return (values * self.multiplier + (1 << self.shift >> 1)) >> self.shift


def requantise(values: Int64, factor: float, bits: int) -> Int64:
    """Values of one scale as ``bits``-bit numbers of another: |error| <= 1/2 + |result| 2^-15 of a step.

    Args: factor: the old scale over the new one.
    """
    top = 2 ** (bits - 1) - 1
    return np.clip(Dyadic.of(factor).times(np.asarray(values, dtype=np.int64)), -top - 1, top)


def exp2_negative(exponent: Int64) -> Int64:
    """2^-x of fixed-point x >= 0, with 16 bits more: the fraction by a polynomial, the whole part by a shift.

    |error| <= 0.0024 2^-floor(x), and at most one unit of the last place more.
    """
    whole, part = exponent >> FRACTION_BITS, exponent & (_ONE - 1)
    slope = _EXP_A - (_EXP_B * part >> FRACTION_BITS)
    return np.asarray((_ONE - (part * slope >> FRACTION_BITS)) << GUARD_BITS >> np.minimum(whole, 62))


def reciprocal(values: Int64) -> tuple[Int64, Int64]:
    """(y, shift) with 1 / value = y / 2^shift within 2^-11, for whole values of 1 to 2^62.

    The most significant bit brings the value to 0.5 to 1; two Newton steps start from a straight line.
    """
    given = np.asarray(values, dtype=np.int64)
    digits = _bit_length(given)
    over = np.maximum(digits - FRACTION_BITS, 0)
    scaled = (given >> over) << np.maximum(FRACTION_BITS - digits, 0)
    result = _RECIPROCAL_START - (_RECIPROCAL_SLOPE * scaled >> FRACTION_BITS)
    for _ in range(2):
        result = (result * ((_ONE << 1) - (result * scaled >> FRACTION_BITS))) >> FRACTION_BITS
    return np.asarray(result), np.asarray(FRACTION_BITS + digits)


def square_root(values: Int64) -> Int64:
    """The largest whole root of each value of 0 to 2^62: exact; one bit of it in each of 31 iterations."""
    rest = np.asarray(values, dtype=np.int64).copy()
    root = np.zeros_like(rest)
    for bit in range(31, -1, -1):
        candidate = ((root << 1) + (1 << bit)) << bit
        fits = (candidate <= rest) & (candidate > 0)
        rest = np.where(fits, rest - candidate, rest)
        root = np.where(fits, root + (1 << bit), root)
    return root


def softmax(scores: Int64, scale: float, bits: int, normalise: Literal["reciprocal", "shift"]) -> Int64:
    """Softmax over the last axis, as unsigned numbers of ``bits`` bits that stand for 0 to 1.

    Three passes: the maximum; exponentials and their sum; normalisation. With ``reciprocal`` the error is
    below 0.003 and a step. ``shift`` takes the sum's most significant bit in its place (FLARE): all numbers
    of a row are then too large by one and the same factor of 1 to 2, up to the largest number.
    Args: scores: whole numbers; scale: what one of them stands for.
    """
    given = np.asarray(scores, dtype=np.int64)
    below = given.max(axis=-1, keepdims=True) - given
    exponents = Dyadic.of(scale * math.log2(math.e) * _ONE).times(below)
    powers = exp2_negative(exponents)
    total = powers.sum(axis=-1, keepdims=True)
    if normalise == "shift":
        digits = _bit_length(total) - 1
        result = _shifted(powers, digits - bits)
    else:
        inverse, shift = reciprocal(total)
        result = _shifted(powers * inverse, shift - bits)
    return np.clip(result, 0, 2**bits - 1)


def gelu(values: Int64, scale: float, output_scale: float, bits: int) -> Int64:
    """GELU of whole numbers, as ``bits``-bit numbers of another scale.

    The error is below 0.02 (I-BERT's polynomial of the error function), and half a step of the result and
    2^-9 of the value more.
    """
    given = np.asarray(values, dtype=np.int64)
    root = Dyadic.of(scale / math.sqrt(2) * _ONE)
    limit = round(-_ERF_B * _ONE)
    distance = np.minimum(root.times(np.abs(given)), limit) - limit
    square = distance * distance >> FRACTION_BITS
    erf = np.sign(given) * (_ONE + (round(_ERF_A * _ONE) * square >> FRACTION_BITS))
    return requantise(given * (_ONE + erf), scale / output_scale / (2 * _ONE), bits)


def layer_norm(values: Int64, output_scale: float, bits: int) -> Int64:
    """(value - mean) / deviation over the last axis, as ``bits``-bit numbers of a scale; any input scale.

    The error is below 2^-9 of the result, 2^-13 and half a step; a row of equal values gives 0. Gains and
    offsets of a network are folded into the next matrix.
    Args: values: of up to 16 bits, at most 65536 in a row.
    """
    given = np.asarray(values, dtype=np.int64)
    count = given.shape[-1]
    centred = given * count - given.sum(axis=-1, keepdims=True)
    # 22 bits: squares add up in 64, and the root of small ones has enough
    centred = _shifted(centred, _bit_length(np.abs(centred).max(axis=-1, keepdims=True)) - 22)
    squares = (centred * centred).sum(axis=-1, keepdims=True)
    deviation = Dyadic.of(1 / math.sqrt(count)).times(square_root(squares << 2))
    inverse, shift = reciprocal(np.maximum(deviation, 1))
    # twice the deviation, for a bit more of its root
    ratio = _shifted(centred * inverse, shift - 1 - FRACTION_BITS)
    return requantise(ratio, 1 / (output_scale * _ONE), bits)


def _bit_length(values: Int64) -> Int64:
    """Bits of each value of 0 to 2^62: the place of its most significant one."""
    result = np.zeros_like(values)
    rest = values.copy()
    for step in (32, 16, 8, 4, 2, 1):
        large = rest >> step > 0
        result = np.where(large, result + step, result)
        rest = np.where(large, rest >> step, rest)
    return result + (rest > 0)


def _shifted(values: Int64, places: Int64) -> Int64:
    """Values over 2^places, rounded to the nearest, halves up; negative places multiply."""
    down = np.minimum(np.maximum(places, 0), 62)
    half = np.where(down > 0, np.int64(1) << np.maximum(down - 1, 0), 0)
    return ((values << np.maximum(-places, 0)) + half) >> down
