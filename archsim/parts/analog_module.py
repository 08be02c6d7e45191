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

from archsim.cost.entry import Cost, CostTable, Count, Section
from archsim.errors import MappingError
from archsim.parts.adc import AdcModel
from archsim.parts.analog_array import AnalogArray, AnalogReference, CellModel
from archsim.parts.analog_costs import cost_table
from archsim.parts.analog_reads import MvmTiming, ReadActions, ReadStages
from archsim.parts.analog_tiling import partial_sums, tilings
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, Wire
from archsim.units import ceil_cycles, cycles_to_ns, ns_to_cycles
from archsim.workload.operations import Operation, Precision

Cycles = Annotated[int, Field(ge=0, le=10**9)]


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
    """Registers ahead of the wordlines; an action is one wordline's bit of one read."""
    output_register: Cost
    """Registers behind the converters; an action is the result of one conversion."""
    wordline_driver: Cost
    """One-bit drivers of the wordlines; an action is one wordline of one read."""
    sample_hold: Cost
    """Sample-and-hold circuits; an action is one bitline of one read."""
    shift_add: Cost
    """Shift-and-add units, one a converter; an action adds the result of one conversion."""

    @model_validator(mode="after")
    def _converters_are_whole(self) -> Self:
        if self.arrays % self.adc.arrays_per_adc:
            raise ValueError(
                f"arrays ({self.arrays}) must be a multiple of adc.arrays_per_adc ({self.adc.arrays_per_adc})"
            )
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> AnalogModule:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return AnalogModule(name, count, self, machine.clock_ghz)


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
        bits, columns = precision.weight_bits, self.model.array.columns
        cells = self.model.cell.per_weight("slc", bits)
        if cells > columns:
            return f"weights of {bits} bits take {cells} SLC cells of a row each, and a row has {columns}"
        return ""

    def size(self, stored: Stored) -> Size:
        """Whole arrays, and the share of their cells that is in use."""
        tiles = tilings(stored, self.model)
        per_array = self.model.array.rows * self.model.array.columns
        cells = sum(tiling.cells for tiling in tiles)
        return Size(sum(tiling.arrays for tiling in tiles), Fraction(cells, per_array))

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Occupancy of one input vector: input bits times the read interval."""
        return self._timing(precision.activation_bits, self._sharing(stored)).occupancy

    def cache_size(self, nbytes: int) -> int:
        """Not offered: see ``store``.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """One MVM a token, on all arrays of the matrix together: one task, or one each for its reads."""
        assert held is not None, "a linear operation has weights"
        model, stored = self.model, held.stored
        after = [value.ready for value in inputs]
        first, ready = self._multiply(held, tokens, after, precision, graph)
        for wire in after:
            graph.ring(first, wire, model.input_buffer_tokens * _registers(held), from_start=True)
        slots = model.output_buffer_tokens * _registers(held)
        sums = partial_sums(stored, model)
        if model.reduction == "bus" and sums > 1:
            return Value(ready, stored.columns, precision.partial_sum_bits, self.name, sums, slots)
        return Value(ready, stored.columns, precision.activation_bits, self.name, slots=slots)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Not offered: cells are programmed before inference only.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Every array full of the narrowest weights, reading all the time."""
        array = self.model.array
        weights = max(self._weights_per_row(mode, precision.weight_bits) for mode in self.modes)
        reads = precision.activation_bits * self._full_interval_cycles
        return self.capacity * array.rows * weights / reads

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Geometry, room for weights in each mode, and the cycles of one input."""
        array, cell, bits = self.model.array, self.model.cell, precision.activation_bits
        facts = [
            Fact("geometry of an array", f"{array.rows} rows x {array.columns} columns"),
            Fact("arrays an ADC", self.model.adc.arrays_per_adc),
        ]
        for mode in self.modes:
            rows = self.capacity * array.rows
            nbytes = rows * array.columns * cell.mode_bits(mode) // 8
            weights = rows * self._weights_per_row(mode, precision.weight_bits)
            facts += [
                Fact(f"room of a PU, {mode.upper()}", nbytes, "bytes"),
                Fact(f"weights of a PU, {mode.upper()}", weights, f"of {precision.weight_bits} b"),
            ]
        timing = self._timing(bits, self.model.adc.arrays_per_adc)
        facts += [
            Fact("read", timing.read_cycles, "cycles"),
            Fact("conversions of a read", timing.adc_cycles, "cycles"),
            Fact(f"{bits} b input, occupancy", timing.occupancy, "cycles"),
            Fact(f"{bits} b input, latency", timing.latency, "cycles"),
        ]
        return tuple(facts)

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """ADCs below what the paper calls full precision, and output buffers that throttle."""
        return (*self._coarse_adcs(held), *self._shallow_buffer(held, precision))

    def program(self, held: Sequence[Held]) -> Programming:
        """Rows one after the other, arrays side by side; every cell in use is written once."""
        time_ns = energy_pj = 0.0
        for each in held:
            copies = each.copies * float(each.speed)
            for tiling in tilings(each.stored, self.model):
                write = self.model.cell.write(tiling.mode)
                energy_pj += tiling.cells * write.energy_pj * copies
                time_ns = max(time_ns, min(tiling.rows, self.model.array.rows) * write.row_ns)
        return Programming(time_ns, energy_pj)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of the actions and components of one module."""
        return cost_table(self.name, self.model, cycles_to_ns(self._full_interval_cycles, self.clock_ghz))

    @property
    def _full_interval_cycles(self) -> int:
        """The read interval where every array that shares a converter is in use."""
        return self._timing(1, self.model.adc.arrays_per_adc).interval

    def _sharing(self, stored: Stored) -> int:
        """Arrays behind the fullest converter of a matrix: all that share one, or fewer if it is small."""
        return max(
            min(self.model.adc.arrays_per_adc, tiling.blocks) for tiling in tilings(stored, self.model)
        )

    def _timing(self, input_bits: int, sharing: int) -> MvmTiming:
        """Of an MVM where a converter digitises the bitlines of ``sharing`` arrays after each read."""
        model = self.model
        conversions = model.array.columns * sharing
        return MvmTiming(
            input_bits,
            ns_to_cycles(model.array.read_ns, self.clock_ghz),
            ceil_cycles(conversions * self.clock_ghz / model.adc.rate_gs_per_s),
            model.shift_add_cycles,
            model.register_write_cycles,
        )

    def _multiply(
        self, held: Held, tokens: Tokens, after: Sequence[Wire], precision: Precision, graph: GraphBuilder
    ) -> tuple[Wire, Wire]:
        """(tokens,) the tasks that take up the inputs, and those after which the results may be used."""
        name, timing = f"{self.name}.{held.stored.name}", self._held_timing(held, precision)
        actions = self._read_actions(held.stored)
        if graph.detail == "array":
            assert held.speed == 1, "array detail has whole copies: see schedule.detail"
            stages = ReadStages(name, self.name, held.copies, timing, actions)
            return stages.run(tokens.index, after, graph)
        resource = graph.resource(name, self.name, copies=held.copies)
        counts = actions.of_reads(timing.input_bits)
        occupancy = _shortened(timing, held)
        tasks = graph.add(resource, occupancy, timing.latency, tokens.index, after, counts)
        return tasks, tasks

    def _held_timing(self, held: Held, precision: Precision) -> MvmTiming:
        return self._timing(precision.activation_bits, self._sharing(held.stored))

    def _weights_per_row(self, mode: str, weight_bits: int) -> int:
        return self.model.array.columns // self.model.cell.per_weight(mode, weight_bits)

    def _read_actions(self, stored: Stored) -> ReadActions:
        """Actions of one read: unused bitlines are not converted, unused wordlines not driven."""
        cells = driven = converted = 0
        conversions: dict[str, float] = {}
        for tiling in tilings(stored, self.model):
            bitlines = tiling.cell_columns * tiling.row_blocks
            cells += tiling.cells
            driven += tiling.rows * tiling.column_blocks
            converted += bitlines
            action = f"{self.name}.adc.{tiling.mode}"
            conversions[action] = conversions.get(action, 0) + bitlines
        return ReadActions(
            read={
                f"{self.name}.array.cell_read": cells,
                f"{self.name}.input_register.read": driven,
                f"{self.name}.wordline_driver.drive": driven,
            },
            sample={f"{self.name}.sample_hold.sample": converted},
            convert=conversions,
            add={
                f"{self.name}.shift_add.add": converted,
                f"{self.name}.output_register.write": converted,
            },
        )

    def _coarse_adcs(self, held: Sequence[Held]) -> Iterator[str]:
        """Converters with fewer bits than the paper's rule asks for: log2(rows) + bits of a cell - 1."""
        rows = self.model.array.rows
        used = {region.mode for each in held for region in each.stored.regions}
        for mode, bits in (("slc", self.model.adc.bits.slc), ("mlc", self.model.adc.bits.mlc)):
            cell_bits = self.model.cell.mode_bits(mode)
            full = (rows - 1).bit_length() + cell_bits - 1
            if mode in used and bits < full:
                yield (
                    f"{self.name}: an ADC of {bits} b in {mode.upper()} mode is below the {full} b that "
                    f"{rows} rows of {cell_bits}-bit cells need: results lose precision"
                )

    def _shallow_buffer(self, held: Sequence[Held], precision: Precision) -> Iterator[str]:
        """Fewer results than are under way at full pace; the matrix that needs most is named."""
        needs: list[tuple[int, str]] = []
        for each in held:
            timing = self._held_timing(each, precision)
            under_way = Fraction(timing.latency * each.copies, _shortened(timing, each)) + 1
            needs.append((math.ceil(under_way / _registers(each)), each.stored.name))
        need, matrix = max(needs, default=(0, ""), key=lambda one: one[0])
        if need > self.model.output_buffer_tokens:
            yield (
                f"{self.name}: output_buffer_tokens is {self.model.output_buffer_tokens} and throttles "
                f"{matrix}, whose results under way take {need}"
            )

    def _no_memory(self) -> MappingError:
        return MappingError(
            f"{self.name!r} stores no run-time values: its cells are programmed before inference only; "
            "name another part in mapping.intermediates"
        )


def _shortened(timing: MvmTiming, held: Held) -> int:
    """Cycles for which the arrays are held: ``ideal`` replication shortens them."""
    return -(-timing.occupancy * held.speed.denominator // held.speed.numerator)


def _registers(held: Held) -> int:
    """Sets of registers that a matrix has: every copy brings its own, also those that ``ideal`` counts."""
    return held.copies * math.ceil(held.speed)
