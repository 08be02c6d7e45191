"""Technology scaling against the published factors."""

from __future__ import annotations

import pytest

from archsim.cost.technology import AREA_TO_65, DELAY, ENERGY, area_factor, delay_factor, energy_factor
from archsim.errors import HardwareError


def test_areas_grow_towards_65_nm_as_published() -> None:
    # Stillmaker and Baas 2017: 32 nm -> 65 nm x 3.3, 45 nm x 1.5; and between the two 3.3 / 1.5 = 2.2
    assert area_factor(32, 65) == 3.3
    assert area_factor(45, 65) == 1.5
    assert area_factor(32, 45) == pytest.approx(2.2)


@pytest.mark.parametrize(
    ("from_nm", "energy", "delay"),
    [
        # 65 nm at 1.0 V: 3.755 - 4.398 + 1.975 = 1.332; 32 nm at 1.0 V: 0.8367 - 0.4341 + 0.1701 = 0.5727;
        # delays -53.3 + 230.4 - 333.9 + 178.6 = 21.8 and -1047 + 2982 - 2797 + 873.5 = 11.5
        (32, 1.332 / 0.5727, 21.8 / 11.5),
        # 45 nm at 0.9 V: 1.018 x .81 - .3107 x .9 + .1539 = 0.69885;
        # -501.6 x .729 + 1567 x .81 - 1619 x .9 + 566.1 = 12.6036
        (45, 1.332 / 0.69885, 21.8 / 12.6036),
    ],
)
def test_energy_and_delay_to_65_nm_by_hand(from_nm: int, energy: float, delay: float) -> None:
    assert energy_factor(from_nm, 65) == pytest.approx(energy, rel=1e-6)
    assert delay_factor(from_nm, 65) == pytest.approx(delay, rel=1e-4)


def test_the_published_examples_come_out() -> None:
    assert round(energy_factor(32, 65), 2) == 2.33
    assert round(delay_factor(32, 65), 2) == 1.90
    assert round(energy_factor(45, 65), 2) == 1.91
    assert round(delay_factor(45, 65), 2) == 1.73


def test_there_and_back_is_one() -> None:
    for node in AREA_TO_65:
        assert area_factor(node, 65) * area_factor(65, node) == pytest.approx(1)
    for node in ENERGY:
        assert energy_factor(node, 65) * energy_factor(65, node) == pytest.approx(1)
    for node in DELAY:
        assert delay_factor(node, 65) * delay_factor(65, node) == pytest.approx(1)


def test_a_supply_voltage_counts() -> None:
    # 65 nm at 1.1 V: 3.755 x 1.21 - 4.398 x 1.1 + 1.975 = 1.68075
    assert energy_factor(65, 65, from_v=1.0, to_v=1.1) == pytest.approx(1.68075 / 1.332)


@pytest.mark.parametrize(
    ("factor", "node", "message"),
    [
        (
            area_factor,
            28,
            "technology: no area factor for 28 nm; known: 180, 130, 90, 65, 45, 32, 20, 16, 14, 10, 7 nm",
        ),
        (energy_factor, 90, "technology: no energy factor for 90 nm; known: 65, 45, 32, 20, 14, 7 nm"),
        (delay_factor, 7, "technology: no delay factor for 7 nm; known: 65, 45, 32 nm"),
    ],
)
def test_a_node_without_factors_is_an_error(factor, node: int, message: str) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(HardwareError) as caught:
        factor(node, 65)
    assert str(caught.value) == message
