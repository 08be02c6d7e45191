"""The digital NOR module: arrays of single-bit cells that multiply by NOR operations in memory.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), section 5.4 and Table 2.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Positive, Section
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Held, Programming, Size, Stored, Tokens, Value
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
    cost: Cost
    """The cells of all arrays of the reference module."""


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
    reference: NorReference
    """The module that the cost rows describe."""
    input_register: Cost
    """Registers ahead of the wordlines."""
    output_register: Cost
    """Registers behind the bitlines."""
    wordline_driver: Cost
    """Drivers of the wordlines."""
    sample_hold: Cost
    """Sample-and-hold circuits."""
    shift_add: Cost
    """Shift-and-add units."""

    def build(self, name: str, count: int, machine: MachineFacts) -> NorModule:
        """The part that a machine consists of; ``count`` modules in a PU."""
        return NorModule(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class NorModule:
    """All digital modules of one PU together: one resource, one task a token.

    Timing: (write + read cycles) * ceil(products * columns a NOR * NORs a product / columns of the PU),
    where a product of a-bit and b-bit operands takes a * b NORs; additions ride along.
    """

    name: str
    count: int
    model: NorModuleModel
    clock_ghz: float

    unit = "bytes"
    modes = ()

    @property
    def capacity(self) -> int:
        """Bytes that the cells of a PU's modules store."""
        array = self.model.array
        return self.count * self.model.arrays * array.rows * array.columns // 8

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
        return nbytes

    def product_cycles(self, products: IntArray | int, nors: int) -> IntArray:
        """Cycles of ``products`` products of ``nors`` NORs each, on all columns of the PU."""
        array = self.model.array
        columns = self.count * self.model.arrays * array.columns
        rows = -(-np.asarray(products) * (self.model.nor_columns * nors) // columns)
        return rows * (array.write_cycles + array.read_cycles)

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """One task a token: its products with all the keys, or values, that it attends to."""
        scores = op.kind == "attention_scores"
        left_bits = precision.activation_bits if scores else precision.score_bits
        nors = left_bits * precision.activation_bits
        products = np.asarray(tokens.keys) * (op.heads * op.head_size)
        cycles = self.product_cycles(products, nors)
        array = self.model.array
        counts = {
            f"{self.name}.column_cycle": products
            * float(nors * self.model.nor_columns * (array.write_cycles + array.read_cycles)),
            f"{self.name}.cell_write": products * float(nors),
        }
        resource = graph.resource(self.name, self.name)
        tasks = graph.add(resource, cycles, cycles, tokens.index, [value.ready for value in inputs], counts)
        if scores:
            return Value(tasks, np.asarray(tokens.keys) * op.heads, precision.score_bits, self.name)
        return Value(tasks, op.heads * op.head_size, precision.activation_bits, self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write each token's value, a row in each array at a time."""
        array = self.model.array
        bits = np.asarray(value.width) * value.bits
        rows = -(-bits // array.columns)
        cycles = -(-rows // (self.count * self.model.arrays)) * array.write_cycles
        counts = {
            f"{self.name}.column_cycle": bits * float(array.write_cycles),
            f"{self.name}.cell_write": bits * 1.0,
        }
        resource = graph.resource(self.name, self.name)
        return graph.add(resource, cycles, cycles, tokens.index, [value.ready], counts)

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """Products of two activations on all columns."""
        array = self.model.array
        columns = self.count * self.model.arrays * array.columns
        nors = precision.activation_bits**2
        return columns / (self.model.nor_columns * nors * (array.write_cycles + array.read_cycles))

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
        columns = reference.arrays * reference.columns
        rows = {
            "array": (
                model.array.cost,
                reference.columns * reference.rows,
                model.array.rows * model.array.columns,
            ),
            "input_register": (model.input_register, reference.rows, model.array.rows),
            "output_register": (model.output_register, reference.columns, model.array.columns),
            "wordline_driver": (model.wordline_driver, reference.rows, model.array.rows),
            "shift_add": (model.shift_add, reference.columns, model.array.columns),
            "sample_hold": (model.sample_hold, reference.columns, model.array.columns),
        }
        charges = []
        components = []
        busy_columns = model.arrays * model.array.columns
        for component, (cost, counted, here) in rows.items():
            full = f"{self.name}.{component}"
            energy = cost.energy_pj
            if energy is None:
                assert cost.active_power_mw is not None
                energy = cost.active_power_mw / reference.clock_ghz / columns
            charges.append(Charge(full, energy))
            scale = model.arrays * here / (reference.arrays * counted)
            components.append(
                Component(
                    full,
                    cost.area_mm2 * scale,
                    energy * busy_columns * self.clock_ghz,
                    cost.leakage_mw * scale,
                )
            )
        # the cells that an operation writes wear out; their energy is in the row operation's
        actions = {f"{self.name}.column_cycle": tuple(charges), f"{self.name}.cell_write": ()}
        cells = model.arrays * model.array.rows * model.array.columns
        return CostTable(actions, tuple(components), cells, f"{self.name}.cell_write")
