"""The analog RRAM module: arrays that multiply a vector, bit by bit, with the weights in their cells.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), section 5.4 and Table 2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal

from archsim.cost.entry import CostTable
from archsim.errors import MappingError
from archsim.parts.activity import ACTIVITY, Activity, MeasuredActivity
from archsim.parts.analog_accesses import Accesses, accesses
from archsim.parts.analog_actions import input_actions
from archsim.parts.analog_costs import cost_table
from archsim.parts.analog_model import AnalogModel
from archsim.parts.analog_reads import MvmTiming, Numbers, ReadActions, ReadStages
from archsim.parts.analog_tiling import input_blocks, partial_sums, tilings
from archsim.parts.analog_warnings import coarse_adcs
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Fact, Held, Programming, Region, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import ceil_cycles, cycles_to_ns, ns_to_cycles
from archsim.workload.operations import Operation, Precision


class AnalogModuleModel(AnalogModel):
    """Analog RRAM modules: static weights, bit-serial inputs, shared ADCs, SLC or MLC cells."""

    kind: Literal["analog_rram"]
    """Which kind of part this is."""

    def build(self, name: str, count: int, machine: MachineFacts) -> AnalogModule:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return AnalogModule(name, count, self, machine.clock_ghz)


@dataclass(frozen=True, slots=True)
class _Mvm:
    """What matrices that are equal but for their names have in common.

    Args: timing: of an input's planes, one access each; accesses: None where there is one a plane; total:
        the actions of all stages; sums: that add up to each element of the result.
    """

    timing: MvmTiming
    accesses: Accesses | None
    actions: ReadActions
    total: dict[str, Numbers]
    sums: int


@dataclass(frozen=True)
class AnalogModule:
    """The analog modules of one PU: a resource for each matrix that its arrays hold.

    Timing: read interval I = max(read, ADC); occupancy = reads * I, with a read for each bit of the inputs,
    or for each access where these drive few wordlines; latency = read + (reads - 1) * I + ADC +
    shift-and-add + register write.
    Args: measured: ones of real inputs, in place of those that the model states.
    """

    name: str
    count: int
    model: AnalogModuleModel
    clock_ghz: float
    measured: MeasuredActivity | None = None

    unit = "arrays"
    modes = ("slc", "mlc")
    readable = False
    group_tokens = 1

    @property
    def capacity(self) -> int:
        """Arrays of a PU."""
        return self.count * self.model.arrays

    def refuses(self, op: Operation, precision: Precision) -> str:
        """Only multiplications with static weights can be done in place."""
        if op.family != "linear":
            return f"analog RRAM modules multiply with static weights only, and {op.kind!r} has none"
        bits, columns = precision.weight_bits, self.model.array.columns
        cells = self.model.cells_per_weight("slc", bits)
        if cells > columns:
            return f"weights of {bits} bits take {cells} SLC cells of a row each, and a row has {columns}"
        reads, factors = self._reads(precision), (f"{op.id}.0", f"{op.id}.1")
        missing = [self.activity.lacks(name, reads) for name in (op.id, *factors)]
        return missing[0] if missing[0] and any(missing[1:]) else ""

    def size(self, stored: Stored) -> Size:
        """Whole arrays, and the share of their cells that is in use."""
        tiles = tilings(stored, self.model)
        per_array = self.model.array.rows * self.model.array.columns
        cells = sum(tiling.cells for tiling in tiles)
        return Size(sum(tiling.arrays for tiling in tiles), Fraction(cells, per_array))

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Occupancy of one input vector: reads times the read interval, rounded up where ones decide."""
        return int(self._mean_timing(stored, precision).occupancy)

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
        mvm = self._mvm(stored, precision)
        first, ready = self._multiply(mvm, held, tokens, after, graph)
        registers = _registers(held)
        for wire in after:
            graph.ring(first, wire, model.input_buffer_tokens * registers, from_start=True)
        slots = model.output_buffer_tokens * registers
        if model.reduction == "bus" and mvm.sums > 1:
            return Value(ready, stored.columns, precision.partial_sum_bits, self.name, mvm.sums, slots)
        return Value(ready, stored.columns, precision.activation_bits, self.name, slots=slots)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Not offered: cells are programmed before inference only.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Not offered: the cells multiply in place.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Every array full of the narrowest weights, reading all the time."""
        array = self.model.array
        weights = max(self._weights_per_row(mode, precision.weight_bits) for mode in self.modes)
        limited = self._block_accesses(precision)
        reads = self._reads(precision) if limited is None else limited.mean
        return self.capacity * array.rows * weights / (reads * self._full_interval_cycles)

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
        limited = self._block_accesses(precision)
        if limited is not None:
            facts += [
                Fact("wordlines an access", array.wordlines_per_access or array.rows),
                Fact(f"{bits} b input to one array", round(limited.mean, 3), "accesses on average"),
            ]
        reads = self._reads(precision) if limited is None else math.ceil(limited.mean)
        timing = self._timing(reads, self.model.adc.arrays_per_adc)
        facts += [
            Fact("read", timing.read_cycles, "cycles"),
            Fact("conversions of a read", timing.adc_cycles, "cycles"),
            Fact(f"{bits} b input, occupancy", int(timing.occupancy), "cycles"),
            Fact(f"{bits} b input, latency", int(timing.latency), "cycles"),
        ]
        stated = "activity" in self.model.model_fields_set
        if stated or self.measured is not None or limited is not None:
            facts.append(Fact(ACTIVITY, str(self.activity)))
        return tuple(facts)

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """ADCs with too few bits, and output buffers that throttle."""
        used = {region.mode for each in held for region in each.stored.regions}
        return (*coarse_adcs(self.name, self.model, used), *self._shallow_buffer(held, precision))

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

    @property
    def activity(self) -> Activity:
        """The ones in the inputs, measured or stated."""
        return Activity(self.model.activity, self.measured)

    def with_measured(self, measured: MeasuredActivity) -> AnalogModule:
        """The same modules, where inputs have been measured."""
        return replace(self, measured=measured)

    def _reads(self, precision: Precision) -> int:
        """Planes of an input."""
        return self.model.arithmetic.reads_per_input(precision.activation_bits)

    def _accesses(self, stored: Stored, precision: Precision) -> Accesses | None:
        """The accesses of an input to a matrix; None where they take all wordlines, one access a read."""
        array, reads = self.model.array, self._reads(precision)
        if array.wordlines_per_access is None:
            return None
        blocks = input_blocks(stored, array.rows)
        of = stored.name if self.measured is not None else ""
        key = (of, reads, tuple(sorted(blocks.items())))
        if key not in self._known_accesses:
            self._known_accesses[key] = accesses(
                self.activity, stored.name, reads, blocks, array.wordlines_per_access, array.lockstep
            )
        return self._known_accesses[key]

    def _block_accesses(self, precision: Precision) -> Accesses | None:
        """The accesses of an input to one full array, where something is known of such inputs."""
        rows = self.model.array.rows
        measured = self.measured
        name = next(iter(measured.operations)) if measured is not None else "all"
        if self.activity.lacks(name, self._reads(precision)):
            return None
        return self._accesses(Stored(name, rows, 1, 1, (Region("", rows, 1),)), precision)

    @cached_property
    def _known_accesses(self) -> dict[tuple[Any, ...], Accesses]:
        """Accesses that have been worked out: matrices are alike."""
        return {}

    @cached_property
    def _known_mvms(self) -> dict[tuple[Any, ...], _Mvm]:
        """MVMs that have been worked out: layers are alike."""
        return {}

    def _mvm(self, stored: Stored, precision: Precision) -> _Mvm:
        """The MVM of an input with a matrix."""
        of = stored.name if self.measured is not None else ""
        key = (of, stored.rows, stored.columns, stored.bits, stored.regions, precision)
        if key not in self._known_mvms:
            model, reads, tiles = self.model, self._reads(precision), tilings(stored, self.model)
            # arrays behind the fullest converter: all that share one, or fewer if the matrix is small
            sharing = max(min(model.adc.arrays_per_adc, tiling.blocks) for tiling in tiles)
            limited = self._accesses(stored, precision)
            ones = float(self.activity.shares(stored.name, reads).mean()) / model.activity.reference_ones
            actions = input_actions(self.name, tiles, model.array.rows, reads, ones, limited)
            timing, sums = self._timing(reads, sharing), partial_sums(stored, tiles)
            self._known_mvms[key] = _Mvm(timing, limited, actions, actions.total, sums)
        return self._known_mvms[key]

    def _timing(self, reads: IntArray | int, sharing: int) -> MvmTiming:
        """Of an MVM where a converter digitises the bitlines of ``sharing`` arrays after each read."""
        model = self.model
        conversions = model.array.columns * sharing
        return MvmTiming(
            reads,
            ns_to_cycles(model.array.read_ns, self.clock_ghz),
            ceil_cycles(conversions * self.clock_ghz / model.adc.rate_gs_per_s),
            model.shift_add_cycles,
            model.register_write_cycles,
        )

    def _multiply(
        self, mvm: _Mvm, held: Held, tokens: Tokens, after: Sequence[Wire], graph: GraphBuilder
    ) -> tuple[Wire, Wire]:
        """(tokens,) the tasks that take up the inputs, and those after which the results may be used."""
        name, timing = f"{self.name}.{held.stored.name}", mvm.timing
        if mvm.accesses is not None:
            timing = replace(timing, reads=self._drawn(mvm.accesses, held.stored.name, tokens))
        if graph.detail == "array":
            assert held.speed == 1, "array detail has whole copies: see schedule.detail"
            stages = ReadStages(name, self.name, held.copies, timing, mvm.actions)
            return stages.run(tokens.index, after, graph)
        resource = graph.resource(name, self.name, copies=held.copies)
        occupancy = _shortened(timing, held)
        tasks = graph.add(resource, occupancy, timing.latency, tokens.index, after, mvm.total)
        return tasks, tasks

    def _drawn(self, limited: Accesses, name: str, tokens: Tokens) -> IntArray:
        """(tokens,) accesses of each token's input; the same for every inference of a stream."""
        activity = self.model.activity
        if activity.mode == "expected":
            return limited.expected(len(tokens))
        return limited.sampled(len(tokens), (activity.seed, int(tokens.index[0]), *name.encode()))

    def _mean_timing(self, stored: Stored, precision: Precision) -> MvmTiming:
        """Of the mean input, reads rounded up."""
        mvm = self._mvm(stored, precision)
        if mvm.accesses is None:
            return mvm.timing
        return replace(mvm.timing, reads=math.ceil(mvm.accesses.mean))

    def _weights_per_row(self, mode: str, weight_bits: int) -> int:
        return self.model.array.columns // self.model.cells_per_weight(mode, weight_bits)

    def _shallow_buffer(self, held: Sequence[Held], precision: Precision) -> Iterator[str]:
        """Fewer results than are under way at full pace; the matrix that needs most is named."""
        needs: dict[tuple[Any, ...], tuple[int, str]] = {}
        for each in held:
            stored = each.stored
            # matrices of equal layers need the same, but where their inputs were measured
            of = stored.name if self.measured is not None else ""
            speed = (each.speed.numerator, each.speed.denominator)
            kind = (of, stored.rows, stored.bits, stored.regions, each.copies, speed)
            if kind not in needs:
                timing = self._mean_timing(stored, precision)
                under_way = Fraction(int(timing.latency) * each.copies, int(_shortened(timing, each))) + 1
                needs[kind] = (math.ceil(under_way / _registers(each)), stored.name)
        need, matrix = max(needs.values(), default=(0, ""), key=lambda one: one[0])
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


def _shortened(timing: MvmTiming, held: Held) -> IntArray | int:
    """Cycles for which the arrays are held: ``ideal`` replication shortens them."""
    return -(-timing.occupancy * held.speed.denominator // held.speed.numerator)


def _registers(held: Held) -> int:
    """Sets of registers that a matrix has: every copy brings its own, also those that ``ideal`` counts."""
    return held.copies * math.ceil(held.speed)
