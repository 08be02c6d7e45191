"""What is collected from a run beside its energy: warnings, utilisation, power."""

from __future__ import annotations

from pathlib import Path

import pytest

from archsim.hardware.loader import load_hardware
from archsim.pipeline import simulate
from archsim.results.record import Result
from archsim.workload.generate import generate
from archsim.workload.trace import read_trace

MACHINES = Path(__file__).parents[1] / "machines"
PRESET = Path(__file__).parents[2] / "hwconfigs" / "hyflexpim.yaml"


def preset(*overrides: str) -> Result:
    trace = generate("minilm", tokens=4, head=False)
    return simulate(load_hardware(PRESET, overrides), trace, stream=False)


def test_a_chip_larger_than_a_reticle_is_warned_of() -> None:
    """24 PUs of 11.28 + 64.05 mm2."""
    result = preset()
    assert result.area_mm2["total"] == pytest.approx(24 * (11.28 + 64.05), rel=1e-3)
    assert "a chip of 1808 mm2 is larger than a reticle (858 mm2)" in result.warnings
    assert not [text for text in preset("chip.pus=6").warnings if "reticle" in text]


def test_more_power_than_a_package_takes_away_is_warned_of() -> None:
    """Leakage alone: 10 kW a module."""
    result = preset("chip.pus=6", "pu.parts.sfu.cost.leakage_mw=1e7")
    assert result.power_w["leakage"] == pytest.approx(6 * 8 * 10_000, rel=1e-3)
    assert any(
        text.endswith("a chip are more than a package takes away (1000 W)") for text in result.warnings
    )


def test_utilisation_is_a_share_of_the_interval_for_each_class() -> None:
    """tests/test_machines.py, one matrix and three tokens: 261 cycles, the next inference comes after."""
    machine = load_hardware(MACHINES / "small.yaml")
    result = simulate(machine, read_trace(MACHINES / "matrix.trace"), stream=False)
    assert result.utilisation == pytest.approx(
        # 3 x 80 on the arrays, 3 x (1 + 1) on the bus, 3 x (2 + 1) on the global bus
        {"analog": 240 / 261, "bus": 6 / 261, "global_bus": 9 / 261}
    )


def test_average_power_is_energy_over_the_interval() -> None:
    machine = load_hardware(MACHINES / "small.yaml")
    result = simulate(machine, read_trace(MACHINES / "matrix.trace"), stream=False)
    # pJ / ns = mW
    assert result.power_w["average"] == pytest.approx(result.energy_pj["per_inference"] / 261 / 1000)
    assert result.power_w["leakage"] == pytest.approx(0.014)
    assert result.power_w["average"] <= result.power_w["peak"]


def test_tables_are_sorted_by_size() -> None:
    energies = list(preset().energy_pj["by_component"].values())
    assert energies == sorted(energies, reverse=True)
