"""The digital NOR module: arrays of single-bit cells that multiply by NOR operations in memory.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), section 5.4 and Table 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Positive, Section
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.workload.operations import Operation, Precision


class NorArray(Section):
    """One memory array; its columns work side by side on one row."""

    rows: Annotated[int, Field(ge=1, le=65536)]
    """Wordlines."""
    columns: Annotated[int, Field(ge=1, le=65536)]
    """Bitlines, each with one cell a row."""
    write_cycles: Annotated[int, Field(ge=1, le=10**6)]
    """Cycles of writing a row."""
    read_cycles: Annotated[int, Field(ge=0, le=10**6)]
    """Cycles of reading a row."""
    endurance_writes: Positive | None = None
    """Writes that a cell survives; without it no lifetime is told."""
    cost: Cost
    """The cells of the reference module; an action is one column in a row operation for one cycle."""


class NorReference(Section):
    """The module that the cost rows describe; another geometry scales them by what each row counts."""

    arrays: Count
    """Arrays of the module."""
    rows: Count
    """Wordlines of an array."""
    columns: Count
    """Bitlines of an array."""
    clock_ghz: Positive
    """Clock at which the powers hold: an operation's energy does not depend on the clock."""


class FloatingPoint(Section):
    """Products of floating-point numbers, in place of the trace's integers."""

    mantissa_bits: Annotated[int, Field(ge=2, le=64)]
    """Bits of a mantissa, the hidden one included; a product takes the NORs of its mantissas' product, and
    exponents and normalisation ride along."""
    widening: Annotated[int, Field(ge=1, le=64)]
    """Bits that are stored and written for each bit of the trace's keys, values and scores."""


class NorModuleModel(Section):
    """Digital NOR modules: run-time operands, keys and values, products in memory."""

    kind: Literal["digital_nor"]
    """Which kind of part this is."""
    count: Count
    """Modules in a PU."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    arrays: Count
    """Arrays of a module."""
    array: NorArray
    """The arrays."""
    nor_columns: Annotated[int, Field(ge=1, le=1024)]
    """Columns that one NOR takes: its inputs and its output."""
    floating_point: FloatingPoint | None = None
    """Attention in floating point; none: in the trace's integers."""
    kept_keys: Annotated[float, Field(gt=0, le=1)] = 1.0
    """Share of the keys that a token attends to, rounded up; the others are pruned by a fixed pattern."""
    reference: NorReference
    """The module that the cost rows describe."""
    input_register: Cost
    """Registers ahead of the wordlines; an action is one column in a row operation for one cycle."""
    output_register: Cost
    """Registers behind the bitlines; the same action."""
    wordline_driver: Cost
    """Drivers of the wordlines; the same action."""
    sample_hold: Cost
    """Sample-and-hold circuits; the same action."""
    shift_add: Cost
    """Shift-and-add units; the same action."""

    def build(self, name: str, count: int, machine: MachineFacts) -> NorModule:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return NorModule(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class NorModule:
    """All digital modules of one PU together: one resource, one task a token, or one a row operation.

    Timing: (write + read cycles) * ceil(products * columns a NOR * NORs a product / columns of the PU),
    where a product of a-bit and b-bit operands takes a * b NORs; additions ride along.
    """

    name: str
    count: int
    model: NorModuleModel
    clock_ghz: float

    unit = "bytes"
    modes = ()
    readable = True
    group_tokens = 1

    @property
    def capacity(self) -> int:
        """Bytes that the cells of a PU's modules store."""
        return self._columns * self.model.array.rows // 8

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It multiplies operands that are written at run time."""
        if op.family != "attention":
            return f"digital NOR modules execute attention only, not {op.kind!r}"
        return ""

    def size(self, stored: Stored) -> Size:
        """Bytes of a matrix."""
        nbytes = -(-stored.rows * stored.columns * stored.bits // 8)
        return Size(nbytes, Fraction(stored.rows * stored.columns * stored.bits, 8))

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Cycles that a vector takes through a matrix."""
        nors = stored.bits * precision.activation_bits
        return int(self.product_cycles(stored.rows * stored.columns, nors))

    def cache_size(self, nbytes: int) -> int:
        """Its unit is the byte."""
        return nbytes * self._widening

    def product_cycles(self, products: IntArray | int, nors: int) -> IntArray:
        """Cycles of ``products`` products of ``nors`` NORs each, on all columns of the PU."""
        rows = -(-np.asarray(products, dtype=np.int64) * (self.model.nor_columns * nors) // self._columns)
        return rows * self._row_cycles

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
        scores = op.kind == "attention_scores"
        keys = self._kept(tokens.keys)
        nors = self._nors(precision.activation_bits if scores else precision.score_bits, precision)
        columns = keys * (op.heads * op.head_size * nors * self.model.nor_columns)
        after = [value.ready for value in inputs]
        ready = self._rows(columns, self._row_cycles, self.model.nor_columns, tokens, after, graph)
        if scores:
            return Value(ready, keys * op.heads, precision.score_bits, self.name)
        return Value(ready, op.heads * op.head_size, precision.activation_bits, self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write each token's value, a row in each array at a time."""
        bits = value.width * (value.bits * self._widening)
        return self._rows(bits, self.model.array.write_cycles, 1, tokens, [value.ready], graph)

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """No task of its own: reads ride along with what moves the value on (assumption)."""
        return ready

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Products of two activations on all columns."""
        nors = self._nors(precision.activation_bits, precision)
        return self._columns / (self.model.nor_columns * nors * self._row_cycles)

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Geometry, NORs of a product, and the pace of products."""
        model, bits, score_bits = self.model, precision.activation_bits, precision.score_bits
        return (
            Fact("arrays of a module", model.arrays),
            Fact("geometry of an array", f"{model.array.rows} rows x {model.array.columns} columns"),
            Fact("row operation", self._row_cycles, "cycles"),
            *self._product_facts(bits, score_bits, precision),
            Fact(
                "products" if model.floating_point else f"{bits} b x {bits} b products",
                self.peak_macs_per_cycle(precision) / self.count,
                "a cycle and module",
            ),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """Nothing: it holds no weights."""
        return Programming(0.0, 0.0)

    @cached_property
    def costs(self) -> CostTable:
        """Table 2's powers as the energy of a column in a row operation for one cycle: each row's power
        times a cycle of the reference clock, over the columns of the reference module.
        """
        model, reference = self.model, self.model.reference
        height, width = model.array.rows / reference.rows, model.array.columns / reference.columns
        charges: list[Charge] = []
        components: list[Component] = []
        for component, cost, size in (
            ("array", model.array.cost, height * width),
            ("input_register", model.input_register, height),
            ("output_register", model.output_register, width),
            ("wordline_driver", model.wordline_driver, height),
            ("shift_add", model.shift_add, width),
            ("sample_hold", model.sample_hold, width),
        ):
            full, scale = f"{self.name}.{component}", size * model.arrays / reference.arrays
            energy = cost.action_pj(1 / reference.clock_ghz, reference.arrays * reference.columns)
            peak_power_mw = energy * model.arrays * model.array.columns * self.clock_ghz
            charges.append(Charge(full, energy))
            components.append(Component(full, cost.area_mm2 * scale, peak_power_mw, cost.leakage_mw * scale))
        # the cells that an operation writes wear out; their energy is in the row operation's
        actions = {f"{self.name}.column_cycle": tuple(charges), f"{self.name}.cell_write": ()}
        cells = model.arrays * model.array.rows * model.array.columns
        return CostTable(
            actions, tuple(components), cells, f"{self.name}.cell_write", model.array.endurance_writes
        )

    def _rows(
        self,
        columns: IntArray | int,
        cycles: int,
        columns_a_write: int,
        tokens: Tokens,
        after: Sequence[Wire],
        graph: GraphBuilder,
    ) -> Wire:
        """Row operations one after the other, each on all the columns of the PU, the last on what is left.

        At array detail each is a task; all of a token's are ready at once.
        Args: columns: that a token works on, one number or (tokens,); cycles: of a row operation;
            columns_a_write: of which one cell each is written.
        Returns: (tokens,) the last row operation of each token.
        """
        resource = graph.resource(self.name, self.name)
        token, rows = tokens.index, -(-columns // self._columns)
        if graph.detail == "module":
            counts = self._counts(columns, cycles, columns_a_write)
            return graph.add(resource, rows * cycles, rows * cycles, token, after, counts)
        begin = graph.join(after, token)
        rows = np.broadcast_to(rows, token.shape)
        ends = np.cumsum(rows)
        number = np.arange(rows.sum()) - np.repeat(ends - rows, rows)
        left = np.repeat(np.broadcast_to(columns, token.shape), rows) - number * self._columns
        counts = self._counts(np.minimum(left, self._columns), cycles, columns_a_write)
        tasks = graph.add(resource, cycles, cycles, np.repeat(token, rows), [np.repeat(begin, rows)], counts)
        return graph.span(begin, tasks[ends - 1])

    def _counts(
        self, columns: IntArray | int, cycles: int, columns_a_write: int
    ) -> dict[str, NDArray[Any] | float]:
        return {
            f"{self.name}.column_cycle": columns * float(cycles),
            f"{self.name}.cell_write": columns / columns_a_write,
        }

    def _product_facts(self, bits: int, score_bits: int, precision: Precision) -> Iterator[Fact]:
        """NORs of the products of attention, and the keys that are left to it."""
        floating = self.model.floating_point
        if floating:
            nors = self._nors(bits, precision)
            yield Fact(f"floating-point product, {floating.mantissa_bits} b mantissas", nors, "NORs")
        else:
            yield Fact(f"{bits} b x {bits} b product", self._nors(bits, precision), "NORs")
            yield Fact(f"{score_bits} b x {bits} b product", self._nors(score_bits, precision), "NORs")
        if self.model.kept_keys < 1:
            yield Fact("keys attended to", 100 * self.model.kept_keys, "%")

    def _nors(self, left_bits: int, precision: Precision) -> int:
        """NORs of a product of a value of ``left_bits`` with an activation, or of two mantissas."""
        floating = self.model.floating_point
        return floating.mantissa_bits**2 if floating else left_bits * precision.activation_bits

    def _kept(self, keys: IntArray) -> NDArray[np.int64]:
        """(tokens,) keys that each token attends to."""
        share = self._kept_share
        return -(-np.asarray(keys, dtype=np.int64) * share.numerator // share.denominator)

    @cached_property
    def _kept_share(self) -> Fraction:
        """The share of the keys as it was written."""
        return Fraction(str(self.model.kept_keys))

    @property
    def _widening(self) -> int:
        return self.model.floating_point.widening if self.model.floating_point else 1

    @property
    def _columns(self) -> int:
        """Columns of all modules of the PU, which work side by side."""
        return self.count * self.model.arrays * self.model.array.columns

    @property
    def _row_cycles(self) -> int:
        return self.model.array.write_cycles + self.model.array.read_cycles
