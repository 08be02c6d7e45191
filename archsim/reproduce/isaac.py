"""ISAAC's published peaks, from the roll-up of its preset (ISCA 2016)."""

from __future__ import annotations

from typing import Any

from archsim.hardware.machine import Machine
from archsim.report.machine_tree import machine_tree
from archsim.report.reproduction import Table
from archsim.reproduce.runs import Answers, Run
from archsim.reproduce.study import Group, Measured
from archsim.workload.operations import Precision

PRESET = "isaac_ce"

OPERATION_BITS = 16
"""Weights and inputs of the published peaks."""


def _peaks(answers: Answers) -> Measured:
    """Area, power and peak of the chip; nothing is run."""
    machine = Run(PRESET, "", 0).machine(answers.folder)
    (chip,) = (node for node in machine_tree(machine).inner if node.name == "chip")
    (pu,) = (node for node in chip.inner if node.name == "PU")
    precision = Precision(weight_bits=OPERATION_BITS, activation_bits=OPERATION_BITS)
    per_pu = sum(part.peak_macs_per_cycle(precision) for part in machine.parts.values())
    gops: float = 2 * per_pu * machine.total_pus * machine.clock_ghz
    area, power_w = chip.area_mm2, chip.peak_power_mw / 1000
    routers = machine.interconnect.costs.components[0]
    values = {
        "peaks.tile_area": pu.area_mm2 + routers.area_mm2 / machine.pus,
        "peaks.tile_power": pu.peak_power_mw + routers.peak_power_mw / machine.pus,
        "peaks.chip_area": area,
        "peaks.chip_power": power_w,
        "peaks.gops": gops,
        "peaks.gops_per_mm2": gops / area,
        "peaks.gops_per_w": gops / power_w,
        "peaks.storage": _mebibytes(machine) / area,
        "peaks.adc_rate": _adc_rate(machine),
    }
    values["peaks.gops_over_printed_area"] = gops / 85.4
    table: Table = [
        {"component": part.name, "area_mm2": part.area_mm2, "peak_power_mw": part.peak_power_mw}
        for each in machine.parts.values()
        for part in each.costs.components
    ]
    return Measured(values, table)


def _holder(machine: Machine) -> Any:
    """The model of the part that executes linear layers."""
    return machine.model.pu.parts[machine.mapping.executor("linear")]


def _mebibytes(machine: Machine) -> float:
    """Weights that all cells of the machine hold."""
    name = machine.mapping.executor("linear")
    cells = machine.parts[name].costs.cells
    bits: float = cells * machine.instances(name) * machine.total_pus * _holder(machine).cell.bits
    return bits / 8 / 2**20


def _adc_rate(machine: Machine) -> float:
    """GS/s at which a converter is done with the bitlines of its arrays within one read."""
    model = _holder(machine)
    rate: float = model.array.columns * model.adc.arrays_per_adc / model.array.read_ns
    return rate


GROUPS = (Group("peaks", "Peaks, area and power of ISAAC-CE", lambda: (), _peaks, presets=(PRESET,)),)
"""The comparison of peaks."""
