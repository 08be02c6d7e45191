"""HyFlexPIM's own numbers put together: levels, codes, copies, arrays, layers of Llama, sums on a bus."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from archsim.hardware.machine import Machine
from archsim.mapping.demand import Sizing
from archsim.parts.part import Size
from archsim.report.reproduction import Table
from archsim.reproduce.energy import slc
from archsim.reproduce.runs import Answers, Run, model_trace
from archsim.reproduce.study import Group, Measured

_BERT = ("bert_large", 128)
_LLAMA = ("llama3_2_1b", 100)
_MLC = (("mapping.slc_rate", 0.0), ("mapping.svd", "none"))
_SLC_ON_BUS = (*slc(1.0), ("pu.parts.analog.reduction", "bus"), ("mapping.replication", "whole"))
_ON_BUS = Run("hyflexpim", *_BERT, _SLC_ON_BUS, stream=False)
_HYBRID = Run("hyflexpim", *_BERT, stream=False)

Quantity = tuple[str, float, str]
"""A name, its value, and how that comes about."""


def _consistency(answers: Answers) -> Measured:
    machine = Run("hyflexpim", *_BERT).machine(answers.folder)
    llama = Run("hyflexpim", *_LLAMA, _MLC).machine(answers.folder)
    found = [*_levels(machine), *_copies(machine), _layer_of_llama(llama), *_bus(answers, machine)]
    table: Table = [{"quantity": name, "value": value, "how": how} for name, value, how in found]
    return Measured({f"consistency.{name}": value for name, value, _ in found}, table)


def _levels(machine: Machine) -> Iterator[Quantity]:
    """Sums that a column can have, in both modes of its cells."""
    analog: Any = machine.model.pu.parts["analog"]
    rows = analog.array.rows
    for mode, bits in (("slc", 1), ("mlc", analog.cell.bits)):
        largest = rows * (2**bits - 1)
        codes = 2 ** getattr(analog.adc.bits, mode)
        how = f"{rows} cells of {bits} bits sum to 0 to {largest}; the converter has {codes} codes"
        yield f"levels_{mode}", largest + 1, how


def _copies(machine: Machine) -> Iterator[Quantity]:
    """Two copies of a layer of BERT-Large, in % of what a PU has."""
    layer, capacity = _first_layer(machine, _BERT), machine.parts["analog"].capacity
    cells = f"a layer fills the cells of {float(layer.exact):.0f} of a PU's {capacity} arrays"
    yield "copies_cells", float(200 * layer.exact / capacity), cells
    yield "copies_arrays", 200 * layer.units / capacity, f"and takes {layer.units} whole arrays"


def _layer_of_llama(machine: Machine) -> Quantity:
    layer, capacity = _first_layer(machine, _LLAMA), machine.parts["analog"].capacity
    how = f"a layer fills the cells of {float(layer.exact):.0f} arrays, a PU has {capacity}"
    return "llama_pus", float(layer.exact / capacity), how


def _bus(answers: Answers, machine: Machine) -> Iterator[Quantity]:
    """A token and layer of BERT-Large, all SLC, whose row blocks are added on the PU's bus."""
    result = answers.sure(_ON_BUS)
    tokens = _BERT[1]
    layers = result.workload["layers"]
    how = "of a token and layer, all SLC: sums of row blocks, and vectors"
    yield "bus_bytes", result.traffic_bytes["bus"] / tokens / layers, how
    busy = result.critical_path["throughput"]["busiest"]
    bandwidth: Any = machine.model.pu.bus
    how = f"over a bus of {bandwidth.bandwidth_gb_per_s:g} GB/s"
    yield "bus_cycles", busy["bus"]["busy_cycles"] / tokens, how
    hybrid = answers.sure(_HYBRID).critical_path["throughput"]["busiest"]["analog"]["busy_cycles"] / tokens
    yield "hybrid_cycles", hybrid, "for which a token holds the arrays at 5 % SLC, copies by cells"


def _first_layer(machine: Machine, workload: tuple[str, int]) -> Size:
    """What the first layer of a model takes of the part that holds its weights, on one PU."""
    sizing = Sizing(machine, model_trace(*workload))
    section = next(each for each in sizing.sections if each.layer == 0)
    return sizing.demand(section, 1)[0].weights


GROUPS = (
    Group("consistency", "Numbers of the paper put together", lambda: (_ON_BUS, _HYBRID), _consistency),
)
"""The comparison of the paper with itself."""
