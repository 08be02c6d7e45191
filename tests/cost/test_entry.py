"""Cost entries: energies, powers, sources."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from archsim.cost.entry import Cost, Section

GIVEN = {"area_mm2": 1.0, "source": "a table"}


def test_energy_of_an_action_as_given() -> None:
    assert Cost(energy_pj=0.25, **GIVEN).action_pj(100, 512) == 0.25
    # a deliberate zero
    assert Cost(energy_pj=0, **GIVEN).action_pj(100, 512) == 0


def test_energy_of_an_action_from_a_power() -> None:
    # 512 mW for 100 ns are 51200 pJ: 512 converters of 128 conversions
    assert Cost(active_power_mw=512, **GIVEN).action_pj(100, 512 * 128) == 0.78125


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({}, "give one of energy_pj and active_power_mw, not neither"),
        ({"energy_pj": 1, "active_power_mw": 1}, "give one of energy_pj and active_power_mw, not both"),
        (
            {"energy_pj": 1, "sources": {"areas": "a table"}},
            "sources names 'areas', which is not a field of this section",
        ),
    ],
)
def test_contradictions(values: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Cost(**GIVEN, **values)
    assert [error["msg"] for error in caught.value.errors()] == [f"Value error, {message}"]


@pytest.mark.parametrize("wrong", [-1, float("nan"), float("inf"), 1e13, "3", True, None])
def test_areas_are_numbers_in_bounds(wrong: object) -> None:
    with pytest.raises(ValidationError):
        Cost(energy_pj=1, area_mm2=wrong, source="a table")


@pytest.mark.parametrize("missing", ["area_mm2", "source"])
def test_nothing_is_silently_zero(missing: str) -> None:
    with pytest.raises(ValidationError, match=missing):
        Cost(energy_pj=1, **{key: value for key, value in GIVEN.items() if key != missing})


def test_sections_are_frozen_and_strict() -> None:
    section = Section()
    with pytest.raises(ValidationError):
        section.sources = {}
    with pytest.raises(ValidationError):
        Section(unknown=1)
