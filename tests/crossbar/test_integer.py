"""Integer kernels against real arithmetic: the bounds that they state, over their whole input range."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from archsim.crossbar.integer import (
    FRACTION_BITS,
    GUARD_BITS,
    Dyadic,
    exp2_negative,
    gelu,
    layer_norm,
    reciprocal,
    requantise,
    softmax,
    square_root,
)
from archsim.errors import CrossbarError

ONE = 2**FRACTION_BITS


@given(st.floats(2.0**-40, 2.0**20))
def test_a_dyadic_factor_is_near(factor: float) -> None:
    dyadic = Dyadic.of(factor)
    assert abs(dyadic.multiplier / 2.0**dyadic.shift / factor - 1) <= 2.0**-15
    assert dyadic.multiplier <= 2**15


def test_requantisation_by_hand() -> None:
    # 1 / 3 of -4 to 4, halves up; and clipped to three bits
    assert requantise(np.arange(-4, 5), 1 / 3, 8).tolist() == [-1, -1, -1, 0, 0, 0, 1, 1, 1]
    assert requantise(np.array([-3, -1, 1, 3]), 0.5, 8).tolist() == [-1, 0, 1, 2]
    assert requantise(np.arange(-100, 101, 50), 1.0, 3).tolist() == [-4, -4, 0, 3, 3]
    assert requantise(np.array([3, -5]), 4096.0, 20).tolist() == [12288, -20480]


@pytest.mark.parametrize("factor", [0.0, -1.0, 2.0**-41, 2.0**21, math.nan])
def test_factors_that_are_none(factor: float) -> None:
    with pytest.raises(CrossbarError, match=r"a dyadic factor must be 2\^-40 to 2\^20, not "):
        Dyadic.of(factor)


@pytest.mark.parametrize("factor", [0.3, 1 / 255, 7.7])
def test_requantisation_over_its_range(factor: float) -> None:
    values = np.arange(-(2**17), 2**17, 7)
    found, exact = requantise(values, factor, 24), values * factor
    assert (np.abs(found - exact) <= 0.5 + np.abs(exact) * 2.0**-15 + 1e-9).all()


def test_powers_over_their_range() -> None:
    exponent = np.arange(0, 40 * ONE, 3)
    exact = 2.0 ** (-exponent / ONE)
    error = np.abs(exp2_negative(exponent) / 2.0 ** (FRACTION_BITS + GUARD_BITS) - exact)
    assert (error <= 0.0024 * 2.0 ** -(exponent // ONE) + 2.0 ** -(FRACTION_BITS + GUARD_BITS)).all()


def test_reciprocals_over_their_range() -> None:
    around = [2**power + offset for power in range(1, 62) for offset in (-1, 0, 1)]
    for values in (np.arange(1, 2**18), np.array([*around, 2**62])):
        found, shift = reciprocal(values)
        assert (np.abs(found / 2.0**shift * values - 1) < 2.0**-11).all()


@given(st.integers(0, 2**62))
def test_roots_are_exact(value: int) -> None:
    assert square_root(np.array([value]))[0] == math.isqrt(value)


def test_roots_around_squares() -> None:
    values = [k * k + offset for k in (1, 2, 3, 2**15, 2**20 - 1, 2**31 - 1) for offset in (-1, 0, 1)]
    assert square_root(np.array(values)).tolist() == [math.isqrt(value) for value in values]


def real_softmax(scores: np.ndarray, scale: float) -> np.ndarray:
    powers = np.exp((scores - scores.max(axis=-1, keepdims=True)) * scale)
    return np.asarray(powers / powers.sum(axis=-1, keepdims=True))


@settings(max_examples=60)
@given(st.integers(1, 2048), st.sampled_from([1e-5, 0.003, 0.02, 0.1, 1.0]), st.integers(0, 99))
def test_softmax(keys: int, scale: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    scores = draws.integers(-(2**15), 2**15, (4, keys))
    # one key far ahead of the others, and all equal
    scores[0], scores[1] = -1, 5
    scores[0, 0] = round(min(2**15, 9 / scale))
    for bits in (8, 12):
        found = softmax(scores, scale, bits, "reciprocal") / 2.0**bits
        assert (np.abs(found - real_softmax(scores, scale)) <= 0.003 + 2.0**-bits).all()


def test_a_shift_in_place_of_the_division_scales_a_row() -> None:
    scores = np.random.default_rng(0).integers(-200, 200, (50, 64))
    exact = real_softmax(scores, 0.02)
    ratio = softmax(scores, 0.02, 20, "shift") / 2.0**20 / exact
    assert (ratio.max(axis=1) / ratio.min(axis=1) < 1.02).all()
    assert ratio.min() > 0.99
    assert ratio.max() < 2.02


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("largest", [1, 4, 8, 30])
def test_gelu_over_its_whole_range(bits: int, largest: float) -> None:
    # every input, from -largest to largest, and outputs of a scale that just holds them
    values = np.arange(-(2 ** (bits - 1)), 2 ** (bits - 1))
    scale = largest / 2 ** (bits - 1)
    exact = np.array([0.5 * x * (1 + math.erf(x / math.sqrt(2))) for x in values * scale])
    step = np.abs(exact).max() / (2 ** (bits - 1) - 1)
    found = gelu(values, scale, step, bits) * step
    assert (np.abs(found - exact) <= 0.02 + step / 2 + np.abs(values * scale) / 512).all()


@settings(max_examples=60)
@given(
    st.integers(2, 4096), st.sampled_from([1, 3, 100, 2**15]), st.sampled_from([8, 16]), st.integers(0, 99)
)
def test_layer_norm(width: int, largest: int, bits: int, seed: int) -> None:
    values = np.random.default_rng(seed).integers(-largest, largest, (3, width))
    values[0] = 7
    step = 16 / 2 ** (bits - 1)
    deviation = values.std(axis=1, keepdims=True)
    exact = (values - values.mean(axis=1, keepdims=True)) / np.where(deviation > 0, deviation, 1)
    exact = np.clip(exact, -16, 16 - step)
    found = layer_norm(values, step, bits) * step
    assert (np.abs(found - exact) <= np.abs(exact) / 512 + 2.0**-13 + step / 2).all()
    assert not found[0].any()
