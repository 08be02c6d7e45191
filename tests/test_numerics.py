"""docs/numerics.md: the page is what the command writes, and its tables say what they should."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "tools"))

from numerics import measure, tables
from numerics.page import page

NUMBER = re.compile(r"\d+\.?\d*(?:e[-+]?\d+)?")


@pytest.mark.slow
def test_the_page_is_what_the_command_writes(root: Path) -> None:
    """Word by word; figures within 5 %, as random numbers and sums may differ between versions of NumPy."""
    printed, written = (root / "docs" / "numerics.md").read_text(encoding="utf-8"), page()
    assert NUMBER.sub("#", written) == NUMBER.sub("#", printed)
    for now, then in zip(NUMBER.findall(written), NUMBER.findall(printed), strict=True):
        assert float(now) == pytest.approx(float(then), rel=0.05), (now, then)


def test_percent_has_two_digits_and_a_zero_that_is_one() -> None:
    assert [tables.percent(share) for share in (0, 1e-30, 1.5e-6, 0.0404, 0.123, 0.996, 1.457)] == [
        "0",
        "< 1e-18 %",
        "1.5e-04 %",
        "4 %",
        "12 %",
        "100 %",
        "146 %",
    ]


def test_the_conventions_of_the_converter() -> None:
    """64 one-bit cells at the top are clipped to 63 and 64 2-bit ones from 192 to 127.

    Weights of 127 are stored as 255, and the offset of 128 is exact: the error of 255 x 1/64 and 255 x 65/192
    remains, relative to 127. Seven of eight bits of the inputs are ones, and so many conversions saturate.
    """
    slc = measure.outcome(1, {"adc.range": "clip"}, worst=True)
    mlc = measure.outcome(0, {"adc.range": "clip"}, worst=True)
    assert slc.error == pytest.approx(255 / 127 / 64)
    assert mlc.error == pytest.approx(255 / 127 * 65 / 192)
    assert slc.saturated == mlc.saturated == 7 / 8
    for mode in (0, 1):
        for worst in (False, True):
            assert measure.outcome(mode, {"adc.range": "flip"}, worst=worst) == measure.Outcome(0, 0)


def test_equation_5_without_a_converter_is_off_by_sigma() -> None:
    """In every coding and mode: sum of (w eta x)^2 over sum of (w x)^2."""
    for coding in tables.CODINGS:
        for mode in (0, 1):
            noise = {"write": {"kind": "gaussian_weight", "sigma": 0.05}}
            settings = measure.NO_ADC | {"arithmetic.weights": coding}
            assert measure.outcome(mode, settings, noise).error == pytest.approx(0.05, rel=0.03)


def test_cells_without_a_converter_are_off_by_their_levels() -> None:
    """Cells deviate by themselves: sum over slices of (weight level)^2, over w^2, all times sigma^2."""
    weights, _ = measure.normal_data()
    for mode, bits in ((1, 1), (0, 2)):
        shifts = range(0, 8, bits)
        levels = [((weights + 128) >> shift & (2**bits - 1)) << shift for shift in shifts]
        expected = 0.05 * (sum((level**2).sum() for level in levels) / (weights**2).sum()) ** 0.5
        noise = {"write": {"kind": "gaussian_multiplicative", "sigma": 0.05}}
        assert measure.outcome(mode, measure.NO_ADC, noise).error == pytest.approx(expected, rel=0.03)


def test_only_read_noise_averages_out() -> None:
    """Four independent products: half the error."""
    noise = {"kind": "gaussian_multiplicative", "sigma": 0.1}
    one, four = (measure.error_of_mean(0, {"read": noise}, count) for count in (1, 4))
    assert one / four == pytest.approx(2, rel=0.05)
    one, four = (measure.error_of_mean(0, {"write": noise}, count) for count in (1, 4))
    assert one == pytest.approx(four, rel=1e-12)
