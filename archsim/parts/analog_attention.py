"""Attention on analog arrays: keys and values are written into their cells at run time, and multiply there.

Source: ClipFormer (arXiv 2402.02586) for the platform. How keys lie in the arrays is not in what we could
read of it: here a token's key, as its value, is some lines of cells, all heads and bit slices side by side.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Annotated, Literal, Self

import numpy as np
from pydantic import Field, model_validator

from archsim.cost.entry import Charge, CostTable, Positive
from archsim.errors import MappingError
from archsim.parts.activity import ACTIVITY, Activity
from archsim.parts.analog_costs import cost_table
from archsim.parts.analog_model import AnalogModel
from archsim.parts.analog_reads import MvmTiming, ReadActions, ReadStages
from archsim.parts.analog_warnings import coarse_adcs
from archsim.parts.facts import MachineFacts
from archsim.parts.part import NO_SIZE, Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import ceil_cycles, cycles_to_ns, ns_to_cycles
from archsim.workload.operations import Operation, Precision


class AnalogAttentionModel(AnalogModel):
    """Analog arrays that hold keys and values, written each inference, and multiply with them."""

    kind: Literal["analog_attention"]
    """Which kind of part this is."""
    write_lines: Annotated[int, Field(ge=1, le=65536)]
    """Lines that are written one after the other for the key, or the value, of a token: 1 where both lie
    along lines (transposable arrays), the head size where keys lie across them."""
    endurance_writes: Positive | None = None
    """Writes that a cell survives; without it no lifetime is told."""

    @model_validator(mode="after")
    def _nothing_is_asked_for_that_it_does_not_do(self) -> Self:
        if self.reduction != "module":
            raise ValueError("reduction must be module: scores and contexts leave the arrays as sums")
        if self.array.wordlines_per_access is not None:
            raise ValueError("array.wordlines_per_access is not offered for attention: leave it out")
        if len(self.activity.ones) > 1:
            raise ValueError("activity.ones must be one number: queries and scores have other bit-planes")
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> AnalogAttention:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return AnalogAttention(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class AnalogAttention:
    """The attention modules of one PU: a resource for the keys, and one for the values, of each layer.

    All heads and all keys work at a time, on arrays of their own; query heads that share keys take turns. A
    resource is held while its cells are written, a token at a time, and while a token's input is multiplied.
    Timing: as of the analog modules, with a read for each bit of a query, or of a score; ``write_lines``
    times a line's write for a token.
    """

    name: str
    count: int
    model: AnalogAttentionModel
    clock_ghz: float

    unit = "arrays"
    modes = ()
    readable = False
    group_tokens = 1

    @property
    def capacity(self) -> int:
        """Arrays of a PU."""
        return self.count * self.model.arrays

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It multiplies with keys and values."""
        if op.family == "attention":
            return ""
        return f"analog attention multiplies with keys and values only, not {op.kind!r}"

    def size(self, stored: Stored) -> Size:
        """It holds no weights."""
        return NO_SIZE

    def interval(self, stored: Stored, precision: Precision) -> int:
        """It holds no weights."""
        return 0

    def cache_size(self, nbytes: int) -> int:
        """Arrays full of so many bytes, as numbers of 8 bits (assumption: no array is partly empty)."""
        array = self.model.array
        return -(-nbytes * self._cells(8) // (array.rows * array.columns))

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """The products of each token with all the keys, or values, that it attends to."""
        model, scores = self.model, op.kind == "attention_scores"
        bits = precision.activation_bits if scores else precision.score_bits
        in_turn = -(-op.heads // op.kv_heads)
        reads = model.arithmetic.reads_per_input(bits)
        timing = self._timing(in_turn * reads)
        after = [value.ready for value in inputs]
        actions = self._actions(op, tokens, reads, precision)
        name = self._resource_name(op.id)
        if graph.detail == "array":
            first, ready = ReadStages(name, self.name, 1, timing, actions).run(tokens.index, after, graph)
        else:
            resource = graph.resource(name, self.name)
            first = ready = graph.add(
                resource, timing.occupancy, timing.latency, tokens.index, after, actions.total
            )
        graph.ring(first, after[0], model.input_buffer_tokens, from_start=True)
        slots = model.output_buffer_tokens
        if scores:
            keys = np.asarray(tokens.keys, dtype=np.int64)
            return Value(ready, keys * op.heads, precision.score_bits, self.name, slots=slots)
        return Value(ready, op.heads * op.head_size, precision.activation_bits, self.name, slots=slots)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write each token's key or value: the cells of one token, line after line."""
        cycles = self.model.write_lines * ns_to_cycles(self.model.cell.mlc_write.row_ns, self.clock_ghz)
        resource = graph.resource(self._resource_name(graph.operation_name), self.name)
        cells = np.asarray(value.width, dtype=np.int64) * float(self._cells(value.bits))
        counts = {f"{self.name}.array.cell_write": np.broadcast_to(cells, tokens.index.shape)}
        return graph.add(resource, cycles, cycles, tokens.index, [value.ready], counts)

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Not offered: nothing but products comes out of the arrays.

        Raises: MappingError: always.
        """
        raise MappingError(
            f"{self.name!r} holds keys and values as conductances, which other parts cannot read"
        )

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Every array full of keys, and queries all the time."""
        array, cells = self.model.array, self._cells(precision.activation_bits)
        reads = self.model.arithmetic.reads_per_input(precision.activation_bits)
        return self.capacity * array.rows * (array.columns // cells) / (reads * self._interval)

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Geometry, room, and the cycles of a query, of a score and of a write."""
        model, bits, score_bits = self.model, precision.activation_bits, precision.score_bits
        cycles = model.write_lines * ns_to_cycles(model.cell.mlc_write.row_ns, self.clock_ghz)
        per_input = model.arithmetic.reads_per_input
        room = self.capacity * self._array_values(bits)
        facts = [
            Fact("geometry of an array", f"{model.array.rows} rows x {model.array.columns} columns"),
            Fact("arrays an ADC", model.adc.arrays_per_adc),
            Fact("keys and values of a PU", room, f"elements of {bits} b"),
            Fact("read", ns_to_cycles(model.array.read_ns, self.clock_ghz), "cycles"),
            Fact(f"{bits} b query, occupancy", int(self._timing(per_input(bits)).occupancy), "cycles"),
            Fact(
                f"{score_bits} b score, occupancy",
                int(self._timing(per_input(score_bits)).occupancy),
                "cycles",
            ),
            Fact("key or value, writing", cycles, "cycles a token"),
            Fact("energy, writing", model.cell.mlc_write.energy_pj, "pJ a cell"),
        ]
        if "activity" in model.model_fields_set:
            facts.append(Fact(ACTIVITY, str(Activity(model.activity))))
        return tuple(facts)

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """ADCs with too few bits."""
        return tuple(coarse_adcs(self.name, self.model, ("mlc",)))

    def program(self, held: Sequence[Held]) -> Programming:
        """Nothing: what it holds is written in each inference."""
        return Programming(0.0, 0.0)

    @cached_property
    def costs(self) -> CostTable:
        """As of the analog modules; and the writing of cells, which wear out."""
        table = cost_table(self.name, self.model, cycles_to_ns(self._interval, self.clock_ghz))
        write = f"{self.name}.array.cell_write"
        charge = Charge(f"{self.name}.array", self.model.cell.mlc_write.energy_pj)
        return replace(
            table,
            actions={**table.actions, write: (charge,)},
            write_action=write,
            endurance_writes=self.model.endurance_writes,
        )

    @property
    def _interval(self) -> int:
        """Cycles from read to read."""
        return self._timing(1).interval

    def _cells(self, bits: int) -> int:
        """Cells of a number of so many bits."""
        return self.model.cells_per_weight("mlc", bits)

    def _array_values(self, bits: int) -> int:
        """Numbers of so many bits in one array."""
        return self.model.array.rows * self.model.array.columns // self._cells(bits)

    def _resource_name(self, operation: str) -> str:
        return f"{self.name}.{operation}"

    def _timing(self, reads: int) -> MvmTiming:
        model = self.model
        conversions = model.array.columns * model.adc.arrays_per_adc
        return MvmTiming(
            reads,
            ns_to_cycles(model.array.read_ns, self.clock_ghz),
            ceil_cycles(conversions * self.clock_ghz / model.adc.rate_gs_per_s),
            model.shift_add_cycles,
            model.register_write_cycles,
        )

    def _actions(self, op: Operation, tokens: Tokens, reads: int, precision: Precision) -> ReadActions:
        """Those of each token: (tokens,) numbers, that grow with its keys."""
        model, name, scores = self.model, self.name, op.kind == "attention_scores"
        cells_a_number = self._cells(precision.activation_bits)
        keys = np.asarray(tokens.keys, dtype=np.float64)
        lines = np.full_like(keys, op.head_size) if scores else keys
        numbers = keys if scores else np.full_like(keys, op.head_size)
        ones = model.activity.ones[0] / model.activity.reference_ones
        cells = op.heads * reads * lines * numbers * cells_a_number
        driven = op.heads * reads * lines * np.ceil(numbers * cells_a_number / model.array.columns)
        converted = op.heads * reads * numbers * cells_a_number * np.ceil(lines / model.array.rows)
        return ReadActions(
            read={
                f"{name}.array.cell_read": cells * ones,
                f"{name}.input_register.read": driven,
                f"{name}.wordline_driver.drive": driven * ones,
            },
            sample={f"{name}.sample_hold.sample": converted},
            convert={f"{name}.adc.mlc": converted},
            add={f"{name}.shift_add.add": converted, f"{name}.output_register.write": converted},
        )
