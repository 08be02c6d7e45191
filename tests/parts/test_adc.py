"""The converter: what a bit more costs."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from archsim.cost.entry import Cost
from archsim.parts.adc import AdcBits, AdcModel, AdcTable


def adc(slc: int, mlc: int, reference: int = 7, area: int = 7, **laws: Any) -> AdcModel:
    return AdcModel(
        rate_gs_per_s=1.28,
        bits=AdcBits(slc=slc, mlc=mlc),
        reference_bits=reference,
        reference_area_bits=area,
        cost=Cost(active_power_mw=512, area_mm2=0.3, source="a test"),
        **laws,
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


# SAR ADCs at 32 nm
TABLE = AdcTable(bits=[4, 5, 6, 7, 8], values=[0.79, 0.99, 1.20, 1.42, 1.67])


def test_a_table_gives_ratios() -> None:
    by_table = adc(4, 6, energy_law="table", energy_table=TABLE)
    assert by_table.energy_scale(4) == 0.79 / 1.42
    assert by_table.energy_scale(7) == 1
    # the area has a law of its own
    assert by_table.area_scale == 0.5
    assert adc(4, 6, area_law="table", area_table=TABLE).area_scale == 1.20 / 1.42
    # a table that no law asks for may stand by
    assert adc(4, 6, energy_table=TABLE).energy_scale(4) == 1 / 8


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"energy_law": "table"}, "energy_law is table, and there is no energy_table"),
        ({"area_law": "table"}, "area_law is table, and there is no area_table"),
        (
            {"slc": 3, "energy_law": "table", "energy_table": TABLE},
            "bits.slc is 3, which energy_table does not have (it has: 4, 5, 6, 7, 8)",
        ),
        (
            {"area": 9, "area_law": "table", "area_table": TABLE},
            "reference_area_bits is 9, which area_table does not have (it has: 4, 5, 6, 7, 8)",
        ),
    ],
)
def test_a_table_must_know_the_resolutions_in_use(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        adc(**({"slc": 6, "mlc": 7} | given))
    assert [str(error["ctx"]["error"]) for error in caught.value.errors()] == [message]


@pytest.mark.parametrize(
    ("bits", "values", "message"),
    [
        ([4, 5, 6], [1.0, 2.0], "has 3 bits and 2 values; each has one of the other"),
        ([4, 4], [1.0, 2.0], "bits must ascend, not be 4, 4"),
    ],
)
def test_a_table_has_a_value_for_each_resolution(bits: list[int], values: list[float], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        AdcTable(bits=bits, values=values)
    assert [str(error["ctx"]["error"]) for error in caught.value.errors()] == [message]


def test_bits_by_mode() -> None:
    assert [adc(6, 7).mode_bits(mode) for mode in ("slc", "mlc")] == [6, 7]
