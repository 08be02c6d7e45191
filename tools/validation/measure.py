"""Numbers read off archsim: the names over which the expressions of docs/validation.md are written.

Arguments ``overrides`` are those of ``--set``; a workload is named by its file under workloads/.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import archsim
from archsim.cost.entry import Component
from archsim.hardware.machine import Machine
from archsim.mapping.build import map_trace
from archsim.mapping.demand import Sizing
from archsim.mapping.plan import Plan
from archsim.parts.part import Size
from archsim.results.energy import action_counts, dynamic_energy
from archsim.schedule.lower import lower
from archsim.sim.engine import Queues
from archsim.task_graph import TaskGraph
from archsim.workload.operations import Operation, Phase, Precision, Trace

ROOT = Path(__file__).parents[2]

SLC, MLC = "mapping.slc_rate=1", "mapping.slc_rate=0"
NO_SVD = "mapping.svd=none"
WHOLE = "mapping.replication=whole"
ON_BUS = "pu.parts.analog.reduction=bus"
ONE_PU = "mapping.tensor_parallel=1"
SIX_BITS = "pu.parts.analog.adc.reference_bits=6"
TWO_CHIPS = "system.chips=2"
COLUMNS = "mapping.tensor_split=columns"
FAST_BUS = "chip.global_bus.bandwidth_gb_per_s=1000"

# The rows of the paper's Table 2: area in mm2 and power in mW of one module.
TABLE_2 = {
    "analog.array": (0.048, 60.78),
    "analog.input_register": (0.00065, 0.13),
    "analog.output_register": (0.00129, 0.53),
    "analog.wordline_driver": (0.02, 297.71),
    "analog.adc": (0.30, 512.00),
    "analog.shift_add": (0.10, 59.54),
    "analog.sample_hold": (6e-5, 12e-6),
    "digital.array": (2.86, 3890.02),
    "digital.input_register": (0.0031, 0.76),
    "digital.output_register": (0.0032, 1.65),
    "digital.wordline_driver": (0.14, 2381.64),
    "digital.shift_add": (0.21, 119.08),
    "digital.sample_hold": (13e-5, 23e-6),
    "sfu.unit": (4.79, 138.89),
}


@lru_cache
def machine(*overrides: str) -> Machine:
    """The preset with ``overrides``."""
    return archsim.load_hardware(ROOT / "hwconfigs" / "hyflexpim.yaml", overrides)


@lru_cache
def workload(name: str) -> Trace:
    """A trace of workloads/; ``bert_large_8192`` has 8192 tokens."""
    if name == "bert_large_8192":
        return archsim.generate_trace("bert_large", tokens=8192, head=False)
    return archsim.load_trace(ROOT / "workloads" / f"{name}.trace")


@lru_cache
def plan(name: str, *overrides: str) -> Plan:
    """Where a workload lies on the machine."""
    return map_trace(machine(*overrides), workload(name))


@lru_cache
def graph(name: str, *overrides: str, sum_bits: int = 32) -> TaskGraph:
    """The tasks of one inference."""
    trace = workload(name)
    trace = replace(trace, precision=replace(trace.precision, partial_sum_bits=sum_bits))
    return lower(machine(*overrides), trace, map_trace(machine(*overrides), trace))


def interval(lowered: TaskGraph) -> float:
    """Cycles between two inferences of a full stream: for so long each holds the busiest queue."""
    return Queues.of(lowered).bound_cycles()


def held(lowered: TaskGraph, part: str) -> int:
    """Cycles for which one inference holds the busiest resource of a part."""
    busy = lowered.busy_cycles()
    return max(int(busy[number]) for number, each in enumerate(lowered.resources) if each.part == part)


def moved(lowered: TaskGraph, medium: str) -> float:
    """Bytes that one inference moves over all media of a name."""
    return action_counts(lowered)[f"{medium}.bit"] / 8


def latency_us(name: str, *overrides: str) -> float:
    """Latency of one inference in an empty machine, in us."""
    return archsim.simulate(machine(*overrides), workload(name), stream=False).latency_ns["total"] / 1000


def energy_mj(component: str, name: str, *overrides: str) -> float:
    """Dynamic energy of one inference in the components whose names begin so, in mJ."""
    chip = machine(*overrides)
    media = (chip.bus, chip.interconnect, chip.global_bus, chip.chip_link)
    tables = [part.costs for part in chip.parts.values()] + [medium.costs for medium in media]
    prices = {action: charges for table in tables for action, charges in table.actions.items()}
    lowered = graph(name, *overrides)
    spent = dynamic_energy(lowered, action_counts(lowered), prices).by_component
    return sum(pj for each, pj in spent.items() if each.startswith(component)) / 1e9


def mac_pj(component: str, *overrides: str) -> float:
    """Energy of a linear MAC of BERT-Large, which fills its arrays without SVD, in pJ."""
    macs = 128 * workload("bert_large").layers * 12 * 1024**2
    return energy_mj(component, "bert_large", NO_SVD, *overrides) * 1e9 / macs


def price_pj(part: str, action: str) -> float:
    """Energy of one action of a part."""
    return sum(charge.energy_pj for charge in machine().parts[part].costs.actions[f"{part}.{action}"])


def area_mm2(*parts: str) -> float:
    """Area of one instance of each of ``parts``."""
    return sum(component.area_mm2 for component in _components(*parts))


def power_mw(*parts: str) -> float:
    """Peak power of one instance of each of ``parts``."""
    return sum(component.peak_power_mw for component in _components(*parts))


def numbers_that_come_back() -> int:
    """How many areas and powers of Table 2's rows are found again in the machine's components."""
    return sum(
        abs(ours - paper) <= 1e-9 * paper
        for each in _components("analog", "digital", "sfu")
        for ours, paper in zip((each.area_mm2, each.peak_power_mw), TABLE_2[each.name], strict=True)
    )


def _components(*parts: str) -> list[Component]:
    return [component for part in parts for component in machine().parts[part].costs.components]


def weights(name: str, section: str, *overrides: str) -> Size:
    """Arrays that a layer, or an operation outside the layers, takes when one PU has it all."""
    sizing = Sizing(machine(*overrides), workload(name))
    found = next(each for each in sizing.sections if each.name == section)
    return sizing.demand(found, 1)[0].weights


def need_pus(name: str, section: str) -> float:
    """PUs that a section of a model fills when all of it is MLC."""
    return float(weights(name, section, MLC, NO_SVD).exact / machine().parts["analog"].capacity)


def stored_mib(name: str, section: str, *overrides: str) -> float:
    """MiB of 8-bit weights that a PU would hold at the density at which a section is stored."""
    sizing = Sizing(machine(*overrides), workload(name))
    found = next(each for each in sizing.sections if each.name == section)
    nbytes = sum(op.weights for op in found.operations)
    return float(nbytes * sizing.linear.capacity / weights(name, section, *overrides).exact / 2**20)


def one_input(column: str, *overrides: str) -> int:
    """``occupancy`` or ``latency``, in cycles, of one INT8 input of a matrix of 64 x 16 weights."""
    op = Operation("matrix", "linear", 0, rows=64, columns=16)
    trace = Trace("one matrix", "full", 1, Precision(), (Phase("prefill", tokens=1),), (op,))
    alone = machine(NO_SVD, ONE_PU, "mapping.replication=none", *overrides)
    lowered = lower(alone, trace, map_trace(alone, trace))
    analog = next(number for number, each in enumerate(lowered.resources) if each.part == "analog")
    return int(getattr(lowered, column)[lowered.resource == analog].item())


def products_a_cycle(bits: int = 8) -> float:
    """Products of INT8 and ``bits`` wide numbers that one digital module does in a cycle."""
    peak = machine().parts["digital"].peak_macs_per_cycle(Precision())
    return peak / machine().instances("digital") * 8 / bits
