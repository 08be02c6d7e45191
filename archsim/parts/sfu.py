"""The special function unit: a pipelined floating-point vector unit for the non-linear operations.

Source: HyFlexPIM (ISCA 2025, arXiv 2506.00020), section 5.4 and Table 2.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Literal, Protocol, Self

import numpy as np
from pydantic import Field, model_validator

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, Positive, Section
from archsim.errors import MappingError, did_you_mean
from archsim.parts.facts import MachineFacts
from archsim.parts.part import NO_SIZE, Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.workload.operations import KINDS, Operation, Precision

Passes = Annotated[int, Field(ge=1, le=1000)]


class SfuReference(Section):
    """The unit that the cost row describes."""

    inputs_per_cycle: Count
    """Inputs of the unit."""
    clock_ghz: Positive
    """Clock at which the power holds: an operation's energy does not depend on the clock."""


class SfuModel(Section):
    """Special function units: softmax, normalisation, activation functions, sums."""

    kind: Literal["sfu"]
    """Which kind of part this is."""
    count: Count
    """Units in each instance of the part that they stand in, or in the PU."""
    inside: str | None = None
    """The part that it stands in: values move between the two without the PU's bus."""
    inputs_per_cycle: Annotated[int, Field(ge=1, le=10**6)]
    """Elements that enter a unit each cycle."""
    pipeline_cycles: Annotated[int, Field(ge=0, le=10**6)]
    """From an element's entry to its result."""
    passes: dict[str, Passes]
    """How often each operation streams its inputs through the unit."""
    reference: SfuReference
    """The unit that the cost row describes."""
    cost: Cost
    """The reference unit; an action is one element of one pass."""

    @model_validator(mode="after")
    def _passes_name_operations(self) -> Self:
        check_operations("passes", self.passes)
        return self

    def build(self, name: str, count: int, machine: MachineFacts) -> Sfu:
        """The part that a machine consists of; ``count`` units in a PU."""
        return Sfu(name, count, self, machine.clock_ghz)

    def element_actions(self, kind: str) -> dict[str, float]:
        """An input for each pass."""
        return {"input": float(self.passes[kind])}

    def cost_table(self, name: str, clock_ghz: float) -> CostTable:
        """The row's power as the energy of one input: its power times a cycle, over its inputs."""
        component = f"{name}.unit"
        energy = self.cost.action_pj(1 / self.reference.clock_ghz, self.reference.inputs_per_cycle)
        scale = self.inputs_per_cycle / self.reference.inputs_per_cycle
        unit = Component(
            component,
            self.cost.area_mm2 * scale,
            energy * self.inputs_per_cycle * clock_ghz,
            self.cost.leakage_mw * scale,
        )
        return CostTable({f"{name}.input": (Charge(component, energy),)}, (unit,))


def check_operations(field: str, kinds: Iterable[str]) -> None:
    """Refuse keys that are no non-linear operations.

    Raises: ValueError: for pydantic, naming the first of them.
    """
    allowed = [kind for kind, what in KINDS.items() if what.family == "nonlinear"]
    for kind in kinds:
        if kind not in allowed:
            hint = did_you_mean(kind, allowed)
            raise ValueError(f"{field} names {kind!r}, which is no non-linear operation{hint}")


class VectorUnitModel(Protocol):
    """What a section must offer that describes a special function unit, of whatever arithmetic."""

    @property
    def inputs_per_cycle(self) -> int:
        """Elements that enter a unit each cycle."""

    @property
    def pipeline_cycles(self) -> int:
        """From an element's entry to its result."""

    @property
    def passes(self) -> dict[str, int]:
        """How often each operation streams its inputs through the unit."""

    def element_actions(self, kind: str) -> Mapping[str, float]:
        """How often an element of an operation does each action, in all passes."""

    def cost_table(self, name: str, clock_ghz: float) -> CostTable:
        """Energies of the actions of the part ``name``, and the components of one unit."""


@dataclass(frozen=True)
class Sfu:
    """The special function units of one PU: one queue, a server each.

    Timing: n = ceil(operands * elements / inputs a cycle); occupancy = passes * n;
    latency = passes * (n + pipeline), since a pass needs what the one before it found (the maximum, the
    mean) while elements of other tokens fill the pipeline.
    """

    name: str
    count: int
    model: VectorUnitModel
    clock_ghz: float

    unit = ""
    modes = ()
    capacity = 0
    readable = False
    group_tokens = 1

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It executes the operations whose passes the YAML states."""
        if op.kind in self.model.passes:
            return ""
        known = ", ".join(sorted(self.model.passes))
        return f"{self.name}.passes does not say how often {op.kind!r} streams its inputs (it has: {known})"

    def size(self, stored: Stored) -> Size:
        """It holds nothing."""
        return NO_SIZE

    def interval(self, stored: Stored, precision: Precision) -> int:
        """It holds nothing."""
        return 0

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
        """One task a token, on whichever unit is free first."""
        width = inputs[0].width if op.kind == "softmax" else op.heads * op.head_size or op.width
        # a token has as many operands as values arrive for it: two of eight experts', say
        operands: IntArray | int = 1
        if len(inputs) > 1:
            operands = np.maximum(1, sum(value.ready >= 0 for value in inputs))
        elements = width * operands
        counts = np.full(len(tokens), elements)
        passes = self.model.passes[op.kind]
        entry = -(-elements // self.model.inputs_per_cycle)
        resource = graph.resource(self.name, self.name, servers=self.count)
        tasks = graph.add(
            resource,
            passes * entry,
            passes * (entry + self.model.pipeline_cycles),
            tokens.index,
            [value.ready for value in inputs],
            {
                f"{self.name}.{action}": counts * number
                for action, number in self.model.element_actions(op.kind).items()
            },
        )
        if op.kind == "softmax":
            return Value(tasks, width, precision.score_bits, self.name)
        bits = precision.partial_sum_bits if op.kind == "argmax" else precision.activation_bits
        return Value(tasks, op.output_width, bits, self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Not offered: it has no memory.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Not offered: it has no memory.

        Raises: MappingError: always.
        """
        raise self._no_memory()

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """It multiplies no matrices."""
        return 0.0

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Its width, its depth, and how often each operation goes through it."""
        passes = ", ".join(f"{kind} {times}" for kind, times in self.model.passes.items())
        return (
            Fact("inputs a cycle", self.model.inputs_per_cycle),
            Fact("pipeline", self.model.pipeline_cycles, "cycles"),
            Fact("passes", passes),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """Nothing: it holds no weights."""
        return Programming(0.0, 0.0)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of its actions, and the components of one unit."""
        return self.model.cost_table(self.name, self.clock_ghz)

    def _no_memory(self) -> MappingError:
        return MappingError(
            f"{self.name!r} stores no run-time values: it has no memory; "
            "name another part in mapping.intermediates"
        )
