"""A machine at another node: every cost is scaled once, and nothing else changes."""

from __future__ import annotations

import pytest

import archsim
from archsim.cost.technology import energy_factor
from archsim.hardware.technology import at_technology

PRESET = "hwconfigs/hyflexpim.yaml"


def test_costs_scale_and_times_stay() -> None:
    machine = archsim.load_hardware(PRESET)
    smaller = at_technology(machine, 32)
    assert smaller.model.system.technology_nm == 32
    before, after = machine.parts["analog"].costs, smaller.parts["analog"].costs
    factor = energy_factor(65, 32)
    for action, charges in before.actions.items():
        for old, new in zip(charges, after.actions[action], strict=True):
            assert new.energy_pj == pytest.approx(old.energy_pj * factor)
    for old_part, new_part in zip(before.components, after.components, strict=True):
        assert new_part.area_mm2 == pytest.approx(old_part.area_mm2 / 3.3)
        assert new_part.leakage_mw == pytest.approx(old_part.leakage_mw * factor)
    assert smaller.clock_ghz == machine.clock_ghz


def test_sources_say_that_they_were_scaled() -> None:
    smaller = at_technology(archsim.load_hardware(PRESET), 32)
    source = smaller.model.system.chip_link.cost.source  # type: ignore[attr-defined]
    assert source.endswith("; scaled from 65 to 32 nm (Stillmaker and Baas 2017)")


def test_the_same_node_is_the_same_machine() -> None:
    machine = archsim.load_hardware(PRESET)
    assert at_technology(machine, 65) is machine


def test_there_and_back_costs_the_same() -> None:
    trace = archsim.load_trace("workloads/bert_base.trace")
    machine = archsim.load_hardware(PRESET)
    back = at_technology(at_technology(machine, 32), 65)
    one, two = (archsim.simulate(each, trace, stream=False) for each in (machine, back))
    assert two.energy_pj["per_inference"] == pytest.approx(one.energy_pj["per_inference"])
    assert two.area_mm2["total"] == pytest.approx(one.area_mm2["total"])
    assert two.latency_ns == one.latency_ns


def test_writing_a_memory_scales_as_reading_does() -> None:
    machine = archsim.load_hardware("hwconfigs/non_pim.yaml")
    smaller = at_technology(machine, 32)
    factor = energy_factor(65, 32)
    for part, scaled in (
        (machine.part("dram"), smaller.part("dram")),
        (machine.part("sram"), smaller.part("sram")),
    ):
        for action in part.costs.actions:
            (old,), (new,) = part.costs.actions[action], scaled.costs.actions[action]
            assert new.energy_pj == pytest.approx(old.energy_pj * factor)
