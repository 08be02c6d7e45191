"""The converter by hand: codes, rounding, errors, and the conventions for its range."""

from __future__ import annotations

from typing import Any

import numpy as np
import oracle
import pytest
from cases import Case
from hypothesis import given
from hypothesis import strategies as st

from archsim.crossbar.adc import Converter, make_converter
from archsim.errors import CrossbarError


def values(converter: Converter, *sums: float) -> list[float]:
    return converter.convert(np.array(sums))[0].tolist()


def saturated(converter: Converter, *sums: float) -> list[bool]:
    return converter.convert(np.array(sums))[1].tolist()


def test_unit_steps() -> None:
    six = Converter(0, 63)
    assert six.exact
    assert values(six, 0, 1, 63, 64, 192) == [0, 1, 63, 63, 63]
    assert saturated(six, 0, 1, 63, 64, 192) == [False, False, False, True, True]


def test_halves_are_rounded_up_or_everything_down() -> None:
    assert values(Converter(-8, 7), 0.5, 1.5, 2.49, -0.5, -1.5) == [1, 2, 2, 0, -1]
    assert values(Converter(-8, 7, rounds=False), 0.5, 1.99, -0.5) == [0, 1, -1]


def test_a_sum_that_rounds_into_the_codes_does_not_saturate() -> None:
    assert saturated(Converter(0, 63), 63.49, 63.5, -0.5, -0.51) == [False, True, False, True]


def test_steps_and_zero() -> None:
    # (25 - 10) / 4 = 3.75: the code 4 stands for 4 x 4 + 10
    converter = Converter(0, 15, step=4, zero=10)
    assert not converter.exact
    assert values(converter, 25, 10, 3, 100) == [26, 10, 10, 70]
    assert saturated(converter, 25, 10, 3, 100) == [False, False, True, True]


def test_offset_gain_and_non_linearity() -> None:
    # 20 x 1.1 + 0.6 = 22.6, the code 23
    assert values(Converter(0, 63, offset_lsb=0.6, gain_error=0.1), 20) == [23]
    # errors of 0, 4 and -4 codes at 0, 32 and 64: at 16 half of 4, at 48 none, beyond the ends the last
    bent = Converter(0, 64, inl_lsb=(0, 4, -4))
    assert not bent.exact
    assert values(bent, 0, 16, 32, 48, 64, 65) == [0, 18, 36, 48, 60, 61]
    assert values(Converter(0, 64, inl_lsb=(2.0,)), 0, 30) == [2, 32]


def test_a_table_of_zeros_leaves_the_converter_exact() -> None:
    assert Converter(0, 63, inl_lsb=(0.0, 0.0)).exact


# --- of a machine


def made(bits: int = 6, full_sum: int = 64, sampled: Any = None, **options: Any) -> Converter:
    crossbar = Case(**options).crossbar()
    bipolar = crossbar.model.arithmetic.inputs == "sign_magnitude"
    return make_converter(crossbar.model.adc, bits, full_sum, bipolar, sampled)


def test_clip_and_flip_have_unit_steps() -> None:
    assert made() == Converter(0, 63) == made(range_="flip")
    assert made(7) == Converter(0, 127)
    assert made(inputs="sign_magnitude") == Converter(-32, 31)
    assert made(step=2.5, rounding="floor", offset=1.0, gain=-0.5, inl=(1.0, 2.0)) == Converter(
        0, 63, 2.5, 0.0, False, 1.0, -0.5, (1.0, 2.0)
    )


def test_full_scale_spreads_the_codes() -> None:
    assert made(range_="full_scale") == Converter(0, 63, 64 / 63)
    assert made(range_="full_scale", inputs="sign_magnitude") == Converter(-32, 31, 64 / 31)
    # one bit, bipolar: -1 and 0
    assert made(1, range_="full_scale", inputs="sign_magnitude") == Converter(-1, 0, 64)
    # a step in the YAML goes before the range
    assert made(range_="full_scale", step=2.0) == Converter(0, 63, 2.0)


@pytest.mark.parametrize(
    ("sampled", "options", "expected"),
    [
        # 64 codes for 11 to 40: unit steps suffice, and begin at the least
        ((11, 40), {}, Converter(0, 63, 1, 11)),
        # 0 to 126 in 63 steps
        ((0, 126), {}, Converter(0, 63, 2, 0)),
        ((10, 73), {}, Converter(0, 63, 1, 10)),
        # sums of noisy cells: whole levels around them
        ((9.5, 72.2), {}, Converter(0, 63, 64 / 63, 9)),
        ((5, 5), {}, Converter(0, 63, 1, 5)),
        # the code -32 stands for -20
        ((-20, 30), {"inputs": "sign_magnitude"}, Converter(-32, 31, 1, 12)),
        ((0, 100), {"step": 2.0}, Converter(0, 63, 2, 0)),
    ],
)
def test_calibrated(sampled: Any, options: dict[str, Any], expected: Converter) -> None:
    assert made(range_="calibrated", sampled=sampled, **options) == expected


@given(st.integers(-500, 500), st.integers(0, 1000), st.integers(1, 10), st.booleans())
def test_a_calibrated_converter_holds_its_samples(least: int, span: int, bits: int, bipolar: bool) -> None:
    coding = "sign_magnitude" if bipolar else "unsigned"
    converter = made(bits, range_="calibrated", sampled=(least, least + span), inputs=coding)
    sums = np.arange(least, least + span + 1)
    found, over = converter.convert(sums)
    assert not over.any()
    assert np.abs(found - sums).max() <= converter.step / 2 + 1e-9
    assert converter.exact == (span <= 2**bits - 1)


def test_a_calibrated_converter_needs_samples() -> None:
    with pytest.raises(CrossbarError) as error:
        made(range_="calibrated")
    assert str(error.value) == (
        "adc.range: calibrated needs sample inputs when a matrix is programmed: give samples, or use clip, "
        "flip or full_scale"
    )


def test_samples_that_the_step_cannot_hold() -> None:
    with pytest.raises(CrossbarError) as error:
        made(range_="calibrated", step=1.5, sampled=(3, 129))
    # 63 steps of 1.5 reach over 94.5 levels, and the samples over 126
    assert str(error.value) == (
        "adc.step_levels: 64 codes of 1.5 levels cannot hold the sums of the samples, 3 to 129: 2 levels a "
        "code would, or more bits"
    )


@given(
    st.integers(1, 8),
    st.sampled_from([0.3, 1.0, 1.7]),
    st.floats(-3, 3),
    st.floats(-0.2, 0.2),
    st.lists(st.floats(-2, 2), max_size=5),
    st.booleans(),
    st.lists(st.floats(-300, 300), min_size=1, max_size=20),
)
def test_conversions_are_the_oracles(
    bits: int, step: float, offset: float, gain: float, inl: list[float], nearest: bool, sums: list[float]
) -> None:
    rounding = "nearest" if nearest else "floor"
    case = Case(step=step, offset=offset, gain=gain, inl=inl, rounding=rounding, slc_adc=bits)
    converter = make_converter(case.crossbar().model.adc, bits, 64, bipolar=False)
    found, over = converter.convert(np.array(sums))
    for total, value, saturates in zip(sums, found, over, strict=True):
        expected, also = oracle.convert(total, case.setup("slc"))
        assert value == pytest.approx(expected)
        assert saturates == also
