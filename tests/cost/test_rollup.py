"""Roll-up of parts to a machine."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from archsim.cost.entry import Charge, Component, CostTable
from archsim.cost.rollup import Installed, area_mm2, charges, leakage_mw, writes_per_cell

CELLS = CostTable(
    {"cells.read": (Charge("cells.array", 2.0),), "cells.write": ()},
    (Component("cells.array", 1.5, 10.0, 0.5), Component("cells.adc", 0.25, 20.0, 0.0)),
    cells=100,
    write_action="cells.write",
)
BUS = CostTable({"bus.bit": (Charge("bus", 0.5),)}, (Component("bus", 0.0, 5.0, 0.125),))
MACHINE = (Installed("cells", CELLS, 4), Installed("bus", BUS, 2))


def test_area_and_leakage_of_all_instances() -> None:
    assert area_mm2(MACHINE) == {"cells.array": 6.0, "cells.adc": 1.0, "bus": 0.0}
    assert leakage_mw(MACHINE) == 4 * 0.5 + 2 * 0.125
    assert leakage_mw(()) == 0.0


def test_charges_of_all_actions() -> None:
    assert charges(MACHINE) == {
        "cells.read": (Charge("cells.array", 2.0),),
        "cells.write": (),
        "bus.bit": (Charge("bus", 0.5),),
    }


def test_writes_are_spread_over_all_cells() -> None:
    # 4 instances of 100 cells; what has no cells does not wear
    assert writes_per_cell(MACHINE, {"cells.write": 1000.0, "bus.bit": 7.0}) == {"cells": 2.5}
    assert writes_per_cell(MACHINE, {}) == {"cells": 0.0}


AMOUNTS = st.floats(0, 1e6)


@given(
    parts=st.lists(
        st.tuples(st.lists(st.tuples(AMOUNTS, AMOUNTS), max_size=4), st.integers(0, 50)), max_size=5
    )
)
def test_parts_sum_to_the_whole(parts: list[tuple[list[tuple[float, float]], int]]) -> None:
    installed = [
        Installed(
            f"p{number}",
            CostTable(
                {},
                tuple(
                    Component(f"p{number}.{index}", area, 0.0, leakage)
                    for index, (area, leakage) in enumerate(components)
                ),
            ),
            instances,
        )
        for number, (components, instances) in enumerate(parts)
    ]
    area = math.fsum(count * math.fsum(area for area, _ in components) for components, count in parts)
    leakage = math.fsum(count * math.fsum(each for _, each in components) for components, count in parts)
    assert math.fsum(area_mm2(installed).values()) == pytest.approx(area, rel=1e-12)
    assert leakage_mw(installed) == pytest.approx(leakage, rel=1e-12)
