"""Near-bank units: DRAM whose banks have multipliers beside them, and hold what these multiply with.

Sources: FIMDRAM (ISSCC 2021) and TransPIM (HPCA 2022) for the organisation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Annotated, Literal

import numpy as np
from pydantic import Field

from archsim.cost.entry import Charge, Component, Cost, CostTable, Count, NonNegative, Positive, Section
from archsim.parts.attention_work import attention_work
from archsim.parts.facts import MachineFacts
from archsim.parts.part import Fact, Held, Programming, Size, Stored, Tokens, Value
from archsim.parts.pieces import grouped
from archsim.task_graph import GraphBuilder, IntArray, Wire
from archsim.units import cycles_to_ns, ns_to_cycles
from archsim.workload.operations import Operation, Precision


class NearBankModel(Section):
    """Units beside DRAM banks: each reads its own banks at their full width."""

    kind: Literal["near_bank"]
    """Which kind of part this is."""
    count: Count
    """Units, with their banks; data are interleaved over all of them."""
    inside: str | None = None
    """The part that it stands in, if it is not on the PU's bus itself."""
    bank_bytes: Annotated[int, Field(ge=1, le=10**15)]
    """Bytes of the banks of a unit."""
    row_bytes: Count
    """Bytes that one activation opens."""
    access_bytes: Count
    """Bytes of one access to an open row."""
    access_clock_ghz: Positive
    """Accesses a nanosecond of a unit, each with a step of all its multipliers."""
    multipliers: Count
    """Products of a unit in a step."""
    operand_bits: Annotated[int, Field(ge=1, le=64)]
    """Bits of an operand that a multiplier takes at once; wider ones take several steps."""
    group_tokens: Annotated[int, Field(ge=1, le=10**9)]
    """Tokens that share one access to what they are multiplied with."""
    latency_ns: NonNegative
    """From the last step to the sums over all units; also of an access for other parts."""
    activate: Cost
    """The banks of a unit; an action opens a row."""
    access: Cost
    """The way from the banks to their unit; an action is a bit, either way."""
    mac: Cost
    """The multipliers of a unit; an action is one product and sum of operands of ``operand_bits``."""

    def build(self, name: str, count: int, machine: MachineFacts) -> NearBank:
        """The part that a machine consists of; ``count`` units in a PU."""
        return NearBank(name, count, self, machine.clock_ghz)


@dataclass(frozen=True)
class NearBank:
    """All near-bank units of one PU together: one resource, a task for each group of tokens.

    Timing: max(accesses, products * steps / multipliers) steps of the access clock, each rounded up over
    all units, as cycles of the system clock; a group of tokens shares its accesses.
    """

    name: str
    count: int
    model: NearBankModel
    clock_ghz: float

    unit = "bytes"
    modes = ()
    readable = True

    @property
    def capacity(self) -> int:
        """Bytes of all banks."""
        return self.count * self.model.bank_bytes

    @property
    def group_tokens(self) -> int:
        """Tokens that share one access."""
        return self.model.group_tokens

    def refuses(self, op: Operation, precision: Precision) -> str:
        """It multiplies with what its banks hold."""
        if op.family in ("linear", "attention"):
            return ""
        return f"near-bank units execute linear operations and attention, not {op.kind!r}"

    def size(self, stored: Stored) -> Size:
        """Bytes of a matrix."""
        exact = Fraction(stored.rows * stored.columns * stored.bits, 8)
        return Size(-(-exact.numerator // exact.denominator), exact)

    def interval(self, stored: Stored, precision: Precision) -> int:
        """Cycles of one token."""
        products = np.asarray([stored.rows * stored.columns])
        steps = self._steps(stored.bits, precision.activation_bits)
        return int(self._cycles(products * stored.bits // 8, products * steps)[0])

    def cache_size(self, nbytes: int) -> int:
        """Its unit is the byte."""
        return nbytes

    def run(
        self,
        op: Operation,
        tokens: Tokens,
        inputs: Sequence[Value],
        held: Held | None,
        precision: Precision,
        graph: GraphBuilder,
    ) -> Value:
        """The products of each group of tokens with a matrix, or with the keys or values of its sequence."""
        linear, bits = op.family == "linear", precision.activation_bits
        groups = grouped(tokens, self.group_tokens, by_sequence=not linear)
        width: IntArray | int = op.columns
        result_bits, left_bits = bits, precision.weight_bits
        if linear:
            products = groups.total(op.rows * op.columns)
            nbytes = np.full(len(groups), -(-op.rows * op.columns * left_bits // 8))
        else:
            attention = attention_work(op, tokens, inputs, groups, precision)
            products, nbytes = groups.total(attention.products), attention.nbytes
            left_bits = attention.left_bits
            width, result_bits = attention.result(op, precision)
        steps = products * self._steps(left_bits, bits)
        counts = self._access_counts(nbytes) | {f"{self.name}.mac": steps.astype(np.float64)}
        cycles = self._cycles(nbytes, steps)
        after = [groups.join([value.ready for value in inputs], graph)]
        resource = graph.resource(self.name, self.name)
        tasks = graph.add(resource, cycles, cycles + self._latency, groups.token, after, counts)
        return Value(tasks[groups.of], width, result_bits, self.name)

    def store(self, value: Value, tokens: Tokens, graph: GraphBuilder) -> Wire:
        """Write each token's value."""
        nbytes = np.broadcast_to(value.nbytes, tokens.index.shape)
        return self._access(nbytes, tokens.index, value.ready, graph)

    def read(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Read so many bytes at a time, past the units."""
        return self._access(nbytes, token, ready, graph)

    def peak_macs_per_cycle(self, precision: Precision) -> float:
        """All multipliers, with weights and activations of this precision."""
        steps = self._steps(precision.weight_bits, precision.activation_bits)
        return self.count * self.model.multipliers / steps * self.model.access_clock_ghz / self.clock_ghz

    def facts(self, precision: Precision) -> tuple[Fact, ...]:
        """Bandwidth between banks and units, multipliers, and the energies of an access."""
        model = self.model
        internal = self.count * model.access_bytes * model.access_clock_ghz
        (row,), (bit,) = (self.costs.actions[f"{self.name}.{action}"] for action in ("activate", "access"))
        return (
            Fact("bandwidth, inside", internal, "GB/s"),
            Fact("multipliers of a unit", model.multipliers, f"of {model.operand_bits} b"),
            Fact("tokens of a group", model.group_tokens),
            Fact("energy, opening a row", row.energy_pj, "pJ"),
            Fact("energy, access", bit.energy_pj, "pJ a bit"),
        )

    def warnings(self, held: Sequence[Held], precision: Precision) -> tuple[str, ...]:
        """None."""
        return ()

    def program(self, held: Sequence[Held]) -> Programming:
        """All units side by side."""
        nbytes = np.asarray([sum(self.size(each.stored).units * each.copies for each in held)])
        energy = sum(
            float(count[0]) * self.costs.actions[action][0].energy_pj
            for action, count in self._access_counts(nbytes).items()
        )
        return Programming(cycles_to_ns(int(self._cycles(nbytes, 0 * nbytes)[0]), self.clock_ghz), energy)

    @cached_property
    def costs(self) -> CostTable:
        """Energies of a row, a bit and a product; peaks where every step has an access."""
        model = self.model
        step_ns = 1 / model.access_clock_ghz
        rows_a_step = model.access_bytes / model.row_bytes
        actions: dict[str, tuple[Charge, ...]] = {}
        components: list[Component] = []
        for name, cost, number in (
            ("activate", model.activate, rows_a_step),
            ("access", model.access, 8 * model.access_bytes),
            ("mac", model.mac, model.multipliers),
        ):
            full, energy = f"{self.name}.{name}", cost.action_pj(step_ns, number)
            actions[full] = (Charge(full, energy),)
            components.append(
                Component(full, cost.area_mm2, energy * number * model.access_clock_ghz, cost.leakage_mw)
            )
        return CostTable(actions, tuple(components))

    def _access(self, nbytes: IntArray, token: IntArray, ready: Wire, graph: GraphBuilder) -> Wire:
        """Accesses for other parts, which their units let pass."""
        cycles = self._cycles(nbytes, 0 * nbytes)
        resource = graph.resource(self.name, self.name)
        counts = self._access_counts(nbytes)
        return graph.add(resource, cycles, cycles + self._latency, token, [ready], counts)

    def _access_counts(self, nbytes: IntArray) -> dict[str, np.ndarray]:
        """Rows that are opened, each for as many of its bytes as there are, and bits that are moved."""
        rows = -(-nbytes // self.model.row_bytes)
        return {
            f"{self.name}.activate": rows.astype(np.float64),
            f"{self.name}.access": nbytes * 8.0,
        }

    def _cycles(self, nbytes: IntArray, steps: IntArray) -> IntArray:
        """Cycles of accesses to so many bytes and of so many steps of a multiplier, over all units."""
        accesses = -(-nbytes // (self.count * self.model.access_bytes))
        turns = np.maximum(accesses, -(-steps // (self.count * self.model.multipliers)))
        exact = turns * (self.clock_ghz / self.model.access_clock_ghz)
        return np.ceil(exact - 1e-9 * np.maximum(1.0, exact)).astype(np.int64)

    def _steps(self, left_bits: int, right_bits: int) -> int:
        width = self.model.operand_bits
        return -(-left_bits // width) * -(-right_bits // width)

    @property
    def _latency(self) -> int:
        return ns_to_cycles(self.model.latency_ns, self.clock_ghz)
