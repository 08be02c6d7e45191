"""The converter: what a bit more costs."""

from __future__ import annotations

import pytest

from archsim.cost.entry import Cost
from archsim.parts.adc import AdcBits, AdcModel


def adc(slc: int, mlc: int, reference: int = 7, area: int = 7) -> AdcModel:
    return AdcModel(
        rate_gs_per_s=1.28,
        bits=AdcBits(slc=slc, mlc=mlc),
        reference_bits=reference,
        reference_area_bits=area,
        cost=Cost(active_power_mw=512, area_mm2=0.3, source="a test"),
    )


@pytest.mark.parametrize(("bits", "scale"), [(7, 1.0), (6, 0.5), (8, 2.0), (1, 1 / 64), (16, 512.0)])
def test_energy_doubles_with_each_bit(bits: int, scale: float) -> None:
    assert adc(6, 7).energy_scale(bits) == scale


def test_area_is_that_of_the_finer_mode() -> None:
    assert adc(6, 7).area_scale == 1
    assert adc(6, 8).area_scale == adc(8, 6).area_scale == 2
    assert adc(6, 7, area=8).area_scale == 0.5
    # the two references are apart: one is of the power, the other of the area
    assert adc(6, 7, reference=6).area_scale == 1
