"""The analog RRAM module: arrays that multiply a vector, bit by bit, with the weights in their cells.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), section 5.4 and Table 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Positive, Section
from archsim.parts.adc import AdcModel
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Held, Programming, Region, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, Wire
from archsim.units import ceil_cycles, cycles_to_ns, ns_to_cycles
from archsim.workload.operations import Operation, Precision

Cycles = Annotated[int, Field(ge=0, le=10**9)]


class AnalogArray(Section):
    """One crossbar."""

    rows: Annotated[int, Field(ge=1, le=65536)]
    """Wordlines: inputs that one read takes."""
    columns: Annotated[int, Field(ge=1, le=65536)]
    """Bitlines: sums that one read gives."""
    read_ns: Positive
    """Time of one read, from the wordlines to the sampled bitlines."""
    cost: Cost
    """The cells of all arrays of the reference module."""


class CellWrite(Section):
    """Writing the cells of one row of an array in one mode."""

    row_ns: Positive
    """Time of writing a row, verification included."""
    energy_pj: Annotated[float, Field(ge=0, le=1e9)]
    """Energy of writing one cell, verification included."""


class CellModel(Section):
    """A memory cell; every array can work in either mode."""

    bits: Annotated[int, Field(ge=1, le=4)]
    """Bits of a cell in the MLC mode; the SLC mode stores one."""
    slc_write: CellWrite
    """Programming in the SLC mode."""
    mlc_write: CellWrite
    """Programming in the MLC mode (write and verify)."""


class AnalogReference(Section):
    """The module that the cost rows describe; another geometry scales them by what each row counts."""

    arrays: Count
    """Arrays of the module."""
    rows: Count
    """Wordlines of an array."""
    columns: Count
    """Bitlines of an array."""
    arrays_per_adc: Count
    """Arrays that share a converter."""
    read_ns: Positive
    """Time of one read, in which every part of the module does its work once."""


class AnalogModuleModel(Section):
    """Analog RRAM modules: static weights, bit-serial inputs, shared ADCs, SLC or MLC cells."""

    kind: Literal["analog_rram"]
    """Which kind of part this is."""
    count: Count
    """Modules in a PU."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    arrays: Count
    """Arrays of a module."""
    array: AnalogArray
    """The arrays."""
    cell: CellModel
    """Their cells."""
    adc: AdcModel
    """Their converters."""
    reduction: Literal["module", "bus"]
    """Where the partial sums of a matrix's row blocks are added."""
    shift_add_cycles: Cycles
    """From the last conversion to the sum over bit slices and input bits."""
    register_write_cycles: Cycles
    """From that sum to the output register."""
    input_buffer_tokens: Annotated[int, Field(ge=1, le=10**6)]
    """Inputs that may wait ahead of a matrix's arrays while they work."""
    output_buffer_tokens: Annotated[int, Field(ge=1, le=10**6)]
    """Results that may wait behind a matrix's arrays for the bus."""
    reference: AnalogReference
    """The module that the cost rows describe."""
    input_register: Cost
    """Registers ahead of the wordlines."""
    output_register: Cost
    """Registers behind the converters."""
    wordline_driver: Cost
    """One-bit drivers of the wordlines."""
    sample_hold: Cost
    """Sample-and-hold circuits of the bitlines."""
    shift_add: Cost
    """Shift-and-add units, one a converter."""

    @model_validator(mode="after")
    def _weights_fit_a_row(self) -> Self:
        if self.array.columns < 8:
            raise ValueError(
                f"array.columns is {self.array.columns}, but one 8-bit weight takes 8 single-level cells"
            )
        if self.arrays % self.adc.arrays_per_adc:
            raise ValueError(
                f"arrays ({self.arrays}) must be a multiple of adc.arrays_per_adc ({self.adc.arrays_per_adc})"
            )
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> AnalogModule:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return AnalogModule(name, count, self, machine.clock_ghz)


@dataclass(frozen=True, slots=True)
class Tiling:
    """How a region of weights lies on whole arrays.

    Args: row_blocks, column_blocks: arrays downwards and across; cell_columns: bitlines in use, all
        column blocks together; arrays: whole ADC groups, since matrices do not share a converter.
    """

    mode: str
    rows: int
    row_blocks: int
    column_blocks: int
    cell_columns: int
    arrays: int


@dataclass(frozen=True)
class AnalogModule:
    """The analog modules of one PU: a resource for each matrix that its arrays hold.

    Timing: read interval I = max(read, ADC); occupancy = input_bits * I;
    latency = read + (input_bits - 1) * I + ADC + shift-and-add + register write.
    """

    name: str
    count: int
    model: AnalogModuleModel
    clock_ghz: float

    unit = "arrays"
    modes = ("slc", "mlc")

    @property
    def capacity(self) -> int:
        """Arrays of a PU."""
        return self.count * self.model.arrays

    def refuses(self, op: Operation, precision: Precision) -> str:
        """Only multiplications with static weights can be done in place."""
        if op.family != "linear":
            return f"analog RRAM modules multiply with static weights only, and {op.kind!r} has none"
        cells = self._cells_per_weight("slc", precision.weight_bits)
        if cells > self.model.array.columns:
            return f"a {precision.weight_bits}-bit weight takes {cells} cells of a row's {self.model.array.columns}"
        return ""

    def size(self, stored: Stored) -> Size:
        """Whole arrays, and the share of their cells that is in use."""
        per_array = self.model.array.rows * self.model.array.columns
        arrays, cells = 0, 0
        for region, tiling in zip(stored.regions, self._tilings(stored), strict=True):
            arrays += tiling.arrays
            cells += region.rows * region.columns * self._cells_per_weight(region.mode, stored.bits)
        return Size(arrays, Fraction(cells, per_array))

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Occupancy of one input vector: input bits times the read interval."""
        read, adc = self._read_and_adc_cycles(stored)
        return precision.activation_bits * max(read, adc)

    def cache_size(self, nbytes: int) -> int:
        """Arrays whose cells hold ``nbytes`` in the SLC mode."""
        return -(-nbytes * 8 // (self.model.array.rows * self.model.array.columns))

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """One task a token: all input bits of its vector, on all arrays of the matrix together."""
        assert held is not None, "a linear operation has weights"
        stored = held.stored
        occupancy, latency = self._timing(held, precision)
        resource = graph.resource(f"{self.name}.{stored.name}", self.name, copies=held.copies)
        after = [value.ready for value in inputs]
        counts = self._counts(stored, precision.activation_bits)
        tasks = graph.add(resource, occupancy, latency, tokens.index, after, counts)
        for wire in after:
            graph.ring(tasks, wire, self.model.input_buffer_tokens * _registers(held), from_start=True)
        row_blocks = sum(tiling.row_blocks for tiling in self._summed(stored))
        slots = self.model.output_buffer_tokens * _registers(held)
        if self.model.reduction == "bus" and row_blocks > 1:
            return Value(tasks, stored.columns, precision.partial_sum_bits, self.name, row_blocks, slots)
        return Value(tasks, stored.columns, precision.activation_bits, self.name, slots=slots)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Not offered: run-time values are not written to these arrays."""
        raise NotImplementedError(f"{self.name} stores no run-time values")

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Every array full of multi-level weights, reading all the time."""
        array = self.model.array
        weights = array.columns // self._cells_per_weight("mlc", precision.weight_bits)
        read = ns_to_cycles(array.read_ns, self.clock_ghz)
        interval = max(read, self._adc_cycles(self.model.adc.arrays_per_adc))
        return self.capacity * array.rows * weights / (precision.activation_bits * interval)

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """ADCs below what the paper calls full precision, and output buffers that throttle."""
        found = []
        adc, rows = self.model.adc, self.model.array.rows
        modes = {region.mode for each in held for region in each.stored.regions}
        for mode, cell_bits, bits in (("slc", 1, adc.bits.slc), ("mlc", self.model.cell.bits, adc.bits.mlc)):
            full = (rows - 1).bit_length() + cell_bits - 1
            if mode in modes and bits < full:
                found.append(
                    f"{self.name}: an ADC of {bits} b in {mode.upper()} mode is below the {full} b that "
                    f"{rows} rows of {cell_bits}-bit cells need: results lose precision"
                )
        slots = self.model.output_buffer_tokens
        for each in held:
            occupancy, latency = self._timing(each, precision)
            interval = occupancy / each.copies
            if slots * _registers(each) < latency / interval + 1:
                found.append(
                    f"{self.name}: output_buffer_tokens {slots} throttles its matrices: a result takes "
                    f"{latency} cycles, and the next may come after {interval:g}"
                )
                break
        return tuple(found)

    def program(self, held: Sequence[Held]) -> Programming:
        """Rows one after the other, arrays side by side; every cell in use is written once."""
        time_ns = energy_pj = 0.0
        for each in held:
            factor = each.copies * float(each.speed)
            for region in each.stored.regions:
                write = self.model.cell.slc_write if region.mode == "slc" else self.model.cell.mlc_write
                cells = region.rows * region.columns
                cells *= self._cells_per_weight(region.mode, each.stored.bits)
                energy_pj += cells * write.energy_pj * factor
                time_ns = max(time_ns, min(region.rows, self.model.array.rows) * write.row_ns)
        return Programming(time_ns, energy_pj)

    @cached_property
    def costs(self) -> CostTable:
        """Table 2's powers as energies per action: each row's power times the reference read time,
        over what the row counts (cells, wordlines, bitlines, conversions) in the reference module.
        """
        model, reference = self.model, self.model.reference
        wordlines = reference.arrays * reference.rows
        bitlines = reference.arrays * reference.columns
        conversion = _energy(model.adc.cost, reference.read_ns, bitlines)
        energies = {
            # cells conduct for as long as the read lasts
            "array.cell_read": (
                "array",
                _energy(model.array.cost, model.array.read_ns, wordlines * reference.columns),
            ),
            "input_register.read": (
                "input_register",
                _energy(model.input_register, reference.read_ns, wordlines),
            ),
            "wordline_driver.drive": (
                "wordline_driver",
                _energy(model.wordline_driver, reference.read_ns, wordlines),
            ),
            "sample_hold.sample": ("sample_hold", _energy(model.sample_hold, reference.read_ns, bitlines)),
            "adc.slc": ("adc", conversion * model.adc.energy_scale(model.adc.bits.slc)),
            "adc.mlc": ("adc", conversion * model.adc.energy_scale(model.adc.bits.mlc)),
            "shift_add.add": ("shift_add", _energy(model.shift_add, reference.read_ns, bitlines)),
            "output_register.write": (
                "output_register",
                _energy(model.output_register, reference.read_ns, bitlines),
            ),
        }
        actions: dict[str, tuple[Charge, ...]] = {
            f"{self.name}.{action}": (Charge(f"{self.name}.{component}", energy),)
            for action, (component, energy) in energies.items()
        }
        cells = model.arrays * model.array.rows * model.array.columns
        return CostTable(actions, tuple(self._components(actions)), cells)

    def _timing(self, held: Held, precision: Precision) -> tuple[int, int]:
        """Occupancy and latency of one input vector, in cycles."""
        read, adc = self._read_and_adc_cycles(held.stored)
        interval = max(read, adc)
        bits = precision.activation_bits
        latency = read + (bits - 1) * interval + adc
        latency += self.model.shift_add_cycles + self.model.register_write_cycles
        return ceil_ratio(bits * interval, held.speed), latency

    def _components(self, actions: dict[str, tuple[Charge, ...]]) -> Iterator[Component]:
        """Area, leakage and peak power (all arrays reading multi-level cells) of one module."""
        model, reference = self.model, self.model.reference
        adcs = model.arrays // model.adc.arrays_per_adc
        reference_adcs = reference.arrays / reference.arrays_per_adc
        wordlines, bitlines = model.arrays * model.array.rows, model.arrays * model.array.columns
        rows = wordlines / (reference.arrays * reference.rows)
        columns = bitlines / (reference.arrays * reference.columns)
        cells = rows * model.array.columns / reference.columns
        converters = adcs / reference_adcs
        scale = {
            "array": (model.array.cost, cells, "array.cell_read", wordlines * model.array.columns),
            "input_register": (model.input_register, rows, "input_register.read", wordlines),
            "output_register": (model.output_register, columns, "output_register.write", bitlines),
            "wordline_driver": (model.wordline_driver, rows, "wordline_driver.drive", wordlines),
            "adc": (model.adc.cost, converters * model.adc.area_scale, "adc.mlc", bitlines),
            "shift_add": (model.shift_add, converters, "shift_add.add", bitlines),
            "sample_hold": (model.sample_hold, columns, "sample_hold.sample", bitlines),
        }
        read = ns_to_cycles(model.array.read_ns, self.clock_ghz)
        interval_ns = cycles_to_ns(max(read, self._adc_cycles(model.adc.arrays_per_adc)), self.clock_ghz)
        for component, (cost, factor, action, number) in scale.items():
            power_mw = actions[f"{self.name}.{action}"][0].energy_pj * number / interval_ns
            yield Component(
                f"{self.name}.{component}", cost.area_mm2 * factor, power_mw, cost.leakage_mw * factor
            )

    def _counts(self, stored: Stored, input_bits: int) -> dict[str, float]:
        """Actions of one input vector: unused bitlines are not converted, unused wordlines not driven."""
        counts: dict[str, float] = {}

        def count(action: str, number: int) -> None:
            counts[f"{self.name}.{action}"] = counts.get(f"{self.name}.{action}", 0) + input_bits * number

        for tiling in self._tilings(stored):
            driven = tiling.rows * tiling.column_blocks
            converted = tiling.cell_columns * tiling.row_blocks
            count("array.cell_read", tiling.rows * tiling.cell_columns)
            count("input_register.read", driven)
            count("wordline_driver.drive", driven)
            count("sample_hold.sample", converted)
            count(f"adc.{tiling.mode}", converted)
            count("shift_add.add", converted)
            count("output_register.write", converted)
        return counts

    def _tilings(self, stored: Stored) -> tuple[Tiling, ...]:
        return tuple(self._tiling(region, stored.bits) for region in stored.regions)

    def _tiling(self, region: Region, weight_bits: int) -> Tiling:
        """Whole arrays for one region; the cells of a weight stay in one array."""
        cells = self._cells_per_weight(region.mode, weight_bits)
        weights_per_row = self.model.array.columns // cells
        row_blocks = -(-region.rows // self.model.array.rows)
        column_blocks = -(-region.columns // weights_per_row)
        share = self.model.adc.arrays_per_adc
        arrays = -(-row_blocks * column_blocks // share) * share
        return Tiling(region.mode, region.rows, row_blocks, column_blocks, region.columns * cells, arrays)

    def _summed(self, stored: Stored) -> Iterator[Tiling]:
        """The tilings whose row blocks add up: all of a second factor's, the tallest of a first one's."""
        tilings = self._tilings(stored)
        if all(region.columns == stored.columns for region in stored.regions):
            yield from tilings
        else:
            yield max(tilings, key=lambda tiling: tiling.row_blocks)

    def _cells_per_weight(self, mode: str, weight_bits: int) -> int:
        return weight_bits if mode == "slc" else -(-weight_bits // self.model.cell.bits)

    def _read_and_adc_cycles(self, stored: Stored) -> tuple[int, int]:
        """Cycles of one read, and of its conversions; a matrix on fewer arrays than share an ADC needs fewer."""
        read = ns_to_cycles(self.model.array.read_ns, self.clock_ghz)
        share = self.model.adc.arrays_per_adc
        sharing = max(
            min(share, tiling.row_blocks * tiling.column_blocks) for tiling in self._tilings(stored)
        )
        return read, self._adc_cycles(sharing)

    def _adc_cycles(self, arrays: int) -> int:
        return ceil_cycles(self.model.array.columns * arrays * self.clock_ghz / self.model.adc.rate_gs_per_s)


def _registers(held: Held) -> int:
    """Sets of registers that a matrix has: every copy brings its own, also those that ``ideal`` counts."""
    return held.copies * math.ceil(held.speed)


def ceil_ratio(cycles: int, speed: Fraction) -> int:
    """``cycles`` divided by ``speed``, rounded up."""
    return -(-cycles * speed.denominator // speed.numerator)


def _energy(cost: Cost, busy_ns: float, units: int) -> float:
    """Energy of one unit's action, in pJ: given, or from the power of ``units`` that are busy together."""
    if cost.energy_pj is not None:
        return cost.energy_pj
    assert cost.active_power_mw is not None
    return cost.active_power_mw * busy_ns / units
