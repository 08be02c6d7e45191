"""Pareto sets, and columns of sweeps as axes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.report.plots.pareto import front_of
from archsim.report.plots.sweep_table import Axis, SweepTable, distinct, worded

# few values, so that ties are frequent
VALUES = st.sampled_from([0.0, 1.0, 2.0, 3.0])


def better(one: tuple[float, float], two: tuple[float, float], signs: tuple[int, int]) -> bool:
    costs = [(a * sign, b * sign) for a, b, sign in zip(one, two, signs, strict=True)]
    return all(a <= b for a, b in costs) and any(a < b for a, b in costs)


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1, max_size=20), st.booleans(), st.booleans())
def test_the_front_is_what_nothing_beats(
    points: list[tuple[float, float]], across_max: bool, up_max: bool
) -> None:
    axes = Axis("a", "max" if across_max else "min"), Axis("b", "max" if up_max else "min")
    signs = -1 if across_max else 1, -1 if up_max else 1
    unbeaten = [
        place for place, own in enumerate(points) if not any(better(other, own, signs) for other in points)
    ]
    assert front_of(points, *axes) == unbeaten


@pytest.mark.parametrize(
    ("column", "largest", "label", "shown"),
    [
        ("energy_pj", 5e9, "energy", "5.00 mJ"),
        ("first_token_ns", 2e3, "first token", "2.00 µs"),
        ("peak_power_w", 1500.0, "peak power", "1.50 kW"),
        ("inferences_per_s", 2e4, "inferences", "20.0 k/s"),
        ("area_mm2", 1800.0, "area", "1,800 mm²"),
        ("tops_per_w", 1.5, "tops_per_w", "1.50 TOPS/W"),
        ("chips_used", 3.0, "chips used", "3.00 "),
        # a dotted path keeps its own name and unit
        ("pu.parts.analog.array.read_ns", 100.0, "pu.parts.analog.array.read_ns", "100 "),
    ],
)
def test_columns_state_their_units(column: str, largest: float, label: str, shown: str) -> None:
    axis = Axis(column)
    scale = axis.scale(largest)
    assert axis.label == label
    assert f"{scale.text(largest)} {scale.unit}" == shown


def test_values_stand_in_order() -> None:
    assert distinct(["whole", 2, None, 0.5, "ideal", 2]) == [0.5, 2, "ideal", "whole"]
    assert [worded(value) for value in (0.30000000000000004, 1024, "whole")] == ["0.3", "1024", "whole"]


def test_numbers_that_are_not_finite_count_as_none() -> None:
    table = SweepTable("sweep.csv", {"a": [1.0, float("nan"), float("inf"), None]})
    assert table.numbers("a", "--axes") == [1.0, None, None, None]
    assert table.finished() == [True] * 4
