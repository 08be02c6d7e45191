"""The converter as numbers, for compiled code: what ``Converter.convert`` does, operation by operation."""

# Compiled code: the types are numba's, and integers are 64 bits wide whatever their names say.
# mypy: disable-error-code="no-any-return"

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from archsim.crossbar.adc import Converter, Float64
from archsim.crossbar.words import compiled


class Steps(NamedTuple):
    """A converter; the names are those of ``Converter``.

    Args: half: 0.5 where it rounds, else 0; inl_codes, inl_lsb: codes and their errors, empty for none.
    """

    lowest: float
    highest: float
    step: float
    zero: float
    half: float
    offset_lsb: float
    gain_error: float
    inl_codes: Float64
    inl_lsb: Float64


def steps_of(converter: Converter) -> Steps:
    """The converter as numbers."""
    codes = np.linspace(converter.lowest, converter.highest, len(converter.inl_lsb))
    return Steps(
        float(converter.lowest),
        float(converter.highest),
        float(converter.step),
        float(converter.zero),
        0.5 if converter.rounds else 0.0,
        float(converter.offset_lsb),
        float(converter.gain_error),
        codes,
        np.array(converter.inl_lsb, dtype=np.float64),
    )


@compiled
def straight(total: float, steps: Steps) -> float:
    """The code of a sum of levels, however far beyond the codes there are, by a converter without INL."""
    ideal = (total - steps.zero) / steps.step
    return math.floor(ideal + ideal * steps.gain_error + steps.offset_lsb + steps.half)


@compiled
def bent(ideal: float, steps: Steps) -> float:
    """The integral non-linearity at a code, as ``numpy.interp`` has it."""
    codes, errors = steps.inl_codes, steps.inl_lsb
    last = len(codes) - 1
    if ideal <= codes[0]:
        return errors[0]
    if ideal >= codes[last]:
        return errors[last]
    low, high = 0, last
    while high - low > 1:
        middle = (low + high) // 2
        if codes[middle] <= ideal:
            low = middle
        else:
            high = middle
    slope = (errors[high] - errors[low]) / (codes[high] - codes[low])
    return slope * (ideal - codes[low]) + errors[low]
